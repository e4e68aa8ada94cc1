// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/auth/dpop"
)

func TestTheWholeJourney(t *testing.T) {
	w := newWorld(t)
	back := w.af.journey(w.af.object(nil))
	if back.Get("state") != "st" || back.Get("iss") != w.Base || back.Get("code") == "" {
		t.Fatalf("sent back with %v", back)
	}
	if len(w.seen) != 1 || w.seen[0].ClientID != "af" || len(w.seen[0].Details) != 1 || w.seen[0].Scope != "openid webid" ||
		!reflect.DeepEqual(w.seen[0].Locales, []string{"sv", "nb"}) || !reflect.DeepEqual(w.seen[0].ACRs, []string{"urn:high"}) {
		t.Errorf("the page was told %+v", w.seen)
	}
	got := w.af.redeem(back.Get("code"))
	if got.status != 200 || got.text("token_type") != "DPoP" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("token: %s", got)
	}
	details, _ := json.Marshal(got.json["authorization_details"])
	if string(details) != `[{"purpose":"urn:insure","type":"evidence_request"}]` {
		t.Errorf("authorization_details %s", details)
	}
	id := w.decode(got.text("id_token"), "JWT")
	for name, want := range map[string]any{
		"iss": w.Base, "azp": "af", "sub": "pairwise-1", "webid": "http://skrin.example/w/abc/card#me", "nonce": "no", "acr": "urn:high",
		"aud": []any{"af", "solid"}, "cnf": nil, "auth_time": nil, "https://id.oidc.se/claim/personalIdentityNumber": person,
	} {
		if !reflect.DeepEqual(id[name], want) {
			t.Errorf("ID token: %s is %v, want %v", name, id[name], want)
		}
	}
	access := w.decode(got.text("access_token"), "at+jwt")
	for name, want := range map[string]any{
		"iss": w.Base, "sub": "af", "webid": "http://skrin.example/.parties/x#it", "client_id": "af", "aud": []any{"solid"},
		"cnf": map[string]any{"jkt": w.af.dpop.Thumbprint()},
	} {
		if !reflect.DeepEqual(access[name], want) {
			t.Errorf("access token: %s is %v, want %v", name, access[name], want)
		}
	}
	if text := fmt.Sprint(access); strings.Contains(text, "pairwise") || strings.Contains(text, "/w/abc") || strings.Contains(text, "insure") {
		t.Errorf("the person is in the access token: %s", text)
	}
}

// TestAPartyIsNotToldWhenThePersonSignedIn: but as far as it asks, and then not to
// the second, by which two parties would know her.
func TestAPartyIsNotToldWhenThePersonSignedIn(t *testing.T) {
	w := newWorld(t)
	decide := w.decide
	for _, row := range []struct {
		what        string
		changes     claims
		ago         time.Duration
		told, exact bool
	}{
		{"without max_age it is told nothing", nil, 5 * time.Minute, false, false},
		{"nor with prompt=login", claims{"prompt": "login"}, -time.Second, false, false},
		{"with max_age it is told that it is late enough", claims{"max_age": 600}, 5 * time.Minute, true, false},
		{"with one beyond all bounds too", claims{"max_age": 1 << 40}, time.Minute, true, false},
		{"as the same for another sign-in", claims{"max_age": 600}, time.Minute, true, false},
		{"what was only just late enough it is told", claims{"max_age": 600}, 595 * time.Second, true, true},
		{"and what had to be at once", claims{"max_age": 30}, 10 * time.Second, true, true},
	} {
		at := time.Now().Add(-row.ago)
		w.decide = func(i Interaction) Decision { d := decide(i); d.AuthTime = at; return d }
		before := time.Now()
		got := w.ins.redeem(w.ins.journey(w.ins.object(row.changes)).Get("code"))
		seconds, told := w.decode(got.text("id_token"), "JWT")["auth_time"].(float64)
		if told != row.told || told && (int64(seconds) == at.Unix()) != row.exact {
			t.Errorf("%s: %v", row.what, seconds)
		}
		age, _ := row.changes["max_age"].(int)
		if told && int64(seconds) < before.Unix()-int64(age) {
			t.Errorf("%s: the party finds it too old", row.what)
		}
	}
}

func TestTheVerifierTakesOurTokens(t *testing.T) {
	w := newWorld(t)
	token := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof())
	if token.status != 200 || token.json["expires_in"] != 300.0 {
		t.Fatal(token)
	}
	v := &auth.Verifier{
		Base: w.Base, Issuers: auth.Only(w.Base, w.Provider), Cache: auth.NewCache(8), Now: time.Now,
		Proofs: &dpop.Checker{Now: time.Now, MaxAge: time.Minute, Seen: dpop.NewMemory(1000, time.Now)},
	}
	r := httptest.NewRequest("GET", "/w/abc/", nil)
	proof, _ := w.ins.dpop.Proof("GET", w.Base+"/w/abc/", token.text("access_token"), "", time.Now())
	r.Header.Set("Authorization", "DPoP "+token.text("access_token"))
	r.Header.Set("DPoP", proof)
	got, err := v.Identify(r)
	if want := (acl.Agent{ID: "http://skrin.example/.parties/x#it", Client: "ins", Issuer: w.Base}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	r.Header.Set("Authorization", "DPoP "+w.af.redeem(w.af.code()).text("id_token"))
	if _, err := v.Identify(r); err == nil {
		t.Error("an ID token was taken for an access token")
	}
}

func TestThePersonDeclines(t *testing.T) {
	w := newWorld(t)
	w.decide = func(Interaction) Decision { return Decision{Declined: true, Reason: "Not now."} }
	back := w.ins.journey(w.ins.object(nil))
	if back.Get("error") != "access_denied" || back.Get("error_description") != "Not now." || back.Get("state") != "st" ||
		back.Get("iss") != w.Base || back.Has("code") {
		t.Errorf("sent back with %v", back)
	}
}

func TestWhatIsAtRest(t *testing.T) {
	w := newWorld(t)
	pushed := w.af.push(w.af.object(nil))
	browser := w.newBrowser()
	var meanwhile string // the store while the person decides
	decide := w.decide
	w.decide = func(i Interaction) Decision { meanwhile = w.records.dump(); return decide(i) }
	code := w.get(browser, w.authorizeURL("af", pushed.text("request_uri"))).back(t, w.af).Get("code")
	uri := strings.TrimPrefix(pushed.text("request_uri"), "urn:ietf:params:oauth:request_uri:")
	if len(uri) < 22 || len(code) < 22 {
		t.Errorf("a secret of fewer than 128 bits: %s %s", uri, code)
	}
	base, _ := url.Parse(w.Base)
	secrets := map[string]string{"the number": person, "its claim": "personalIdentityNumber", "the code": code, "the request_uri": uri,
		"the cookie": browser.Jar.Cookies(base)[0].Value, "a private key": `"d":`, "the person's id": `"p1"`}
	for name, secret := range secrets {
		if strings.Contains(meanwhile+w.records.dump(), secret) {
			t.Errorf("%s is in the store in clear", name)
		}
	}
	if got := w.af.redeem(code); got.status != 200 {
		t.Fatal(got)
	}
	if strings.Contains(w.records.dump(), `"decision"`) {
		t.Error("the decision is still in the store after the redemption")
	}
}

func TestPushedRequestsThatAreRefused(t *testing.T) {
	type row struct {
		what   string
		object func(w *world) string
		code   string
		says   string
	}
	changed := func(name string, value any) func(*world) string {
		return func(w *world) string { return w.ins.object(claims{name: value}) }
	}
	now := time.Now().Unix()
	rows := []row{
		{"no request object", func(*world) string { return "" }, "invalid_request", "request is missing"},
		{"unsigned", func(w *world) string { return unsigned(w.ins.objectClaims()) }, "invalid_request_object", "signed"},
		{"not a JWT", func(*world) string { return "abc" }, "invalid_request_object", "JWT"},
		{"HS256 with the public key as the secret", func(w *world) string {
			return sign(t, "HS256", []byte(strings.Repeat("k", 64)), "oauth-authz-req+jwt", "1", w.ins.objectClaims())
		}, "invalid_request_object", "algorithm"},
		{"signed with another client's key", func(w *world) string {
			return sign(t, "ES256", w.af.key, "oauth-authz-req+jwt", "1", w.ins.objectClaims())
		}, "invalid_request_object", ""},
		{"signed with an unknown kid", func(w *world) string {
			return sign(t, "ES256", w.ins.key, "oauth-authz-req+jwt", "9", w.ins.objectClaims())
		}, "invalid_request_object", ""},
		{"another client's, signed by it", func(w *world) string { return w.af.object(nil) }, "invalid_request_object", ""},
		{"a JWT of another type", func(w *world) string {
			return sign(t, "ES256", w.ins.key, "dpop+jwt", "1", w.ins.objectClaims())
		}, "invalid_request_object", "typ"},
		{"a client assertion", func(w *world) string { return w.ins.object(claims{"sub": "ins"}) }, "invalid_request_object", "sub"},
		{"no exp", changed("exp", nil), "invalid_request_object", "exp"},
		{"expired", changed("exp", now-60), "invalid_request_object", "exp"},
		{"exp too far", changed("exp", now+700), "invalid_request_object", "10 minutes"},
		{"no nbf", changed("nbf", nil), "invalid_request_object", "nbf"},
		{"nbf in the future", changed("nbf", now+120), "invalid_request_object", "nbf"},
		{"iat in the future", changed("iat", now+120), "invalid_request_object", "iat"},
		{"no jti", changed("jti", nil), "invalid_request_object", "jti"},
		{"a jti of 300 bytes", changed("jti", strings.Repeat("j", 300)), "invalid_request_object", "jti"},
		{"aud is somebody else", changed("aud", "https://other.example"), "invalid_request_object", "aud"},
		{"no aud", changed("aud", nil), "invalid_request_object", "aud"},
		{"iss is another client", changed("iss", "af"), "invalid_request_object", "iss"},
		{"client_id is another client", changed("client_id", "af"), "invalid_request_object", "client_id"},
		{"no PKCE", changed("code_challenge", nil), "invalid_request", "code_challenge"},
		{"plain PKCE", changed("code_challenge_method", "plain"), "invalid_request", "S256"},
		{"PKCE without a method, which means plain", changed("code_challenge_method", nil), "invalid_request", "S256"},
		{"a short challenge", changed("code_challenge", "abc"), "invalid_request", "code_challenge"},
		{"a foreign redirect_uri", changed("redirect_uri", "https://evil.example/back"), "invalid_request", "redirect_uri"},
		{"a redirect_uri with a query added", changed("redirect_uri", "https://ins.example/back?x=1"), "invalid_request", "redirect_uri"},
		{"a redirect_uri in another case", changed("redirect_uri", "https://INS.example/back"), "invalid_request", "redirect_uri"},
		{"a redirect_uri with an empty fragment", changed("redirect_uri", "https://ins.example/back#"), "invalid_request", "redirect_uri"},
		{"no redirect_uri", changed("redirect_uri", nil), "invalid_request", "redirect_uri"},
		{"an implicit response_type", changed("response_type", "code id_token"), "invalid_request", "response_type"},
		{"form_post", changed("response_mode", "form_post"), "invalid_request", "response_mode"},
		{"an unknown scope", changed("scope", "openid admin"), "invalid_scope", "admin"},
		{"prompt=none", changed("prompt", "none"), "invalid_request", "prompt"},
		{"an unknown detail type", changed("authorization_details", []any{claims{"type": "payment"}}), "invalid_authorization_details", "payment"},
		{"a detail without a type", changed("authorization_details", []any{claims{"a": "b"}}), "invalid_authorization_details", "type"},
		{"a detail that the hook refuses", changed("authorization_details", []any{claims{"type": EvidenceRequest, "purpose": "forbidden"}}),
			"invalid_authorization_details", "not among those"},
		{"an acr that nobody has", changed("acr_values", "urn:none"), "invalid_request", "acr"},
		{"nested", changed("request_uri", "urn:x"), "invalid_request_object", "nested"},
		{"32 kB of it", changed("pad", strings.Repeat("x", 33<<10)), "invalid_request", "32 KiB"},
	}
	w := newWorld(t)
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			refused(t, w.ins.push(row.object(w)), row.code, row.says)
		})
	}
	t.Run("the same twice", func(t *testing.T) {
		object := w.ins.object(nil)
		if first := w.ins.push(object); first.status != http.StatusCreated {
			t.Fatal(first)
		}
		refused(t, w.ins.push(object), "invalid_request_object", "used before")
	})
	t.Run("parameters beside the request object don't count", func(t *testing.T) {
		got := w.post(parPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{
			"request": {w.ins.object(claims{"redirect_uri": nil})}, "redirect_uri": {w.ins.redirect()},
		}), nil)
		refused(t, got, "invalid_request", "redirect_uri")
	})
}

// refused checks that a client's request is refused in JSON and not redirected.
func refused(t *testing.T, got answer, code, says string) {
	t.Helper()
	if got.text("error") != code || !strings.Contains(got.text("error_description"), says) ||
		(got.status != 400 && got.status != 401) || got.header.Get("Location") != "" {
		t.Errorf("got %s, want %s with %q", got, code, says)
	}
	if got.status == 401 && got.header.Get("WWW-Authenticate") == "" {
		t.Error("401 without a challenge")
	}
}

func TestClientAssertionsThatAreRefused(t *testing.T) {
	now := time.Now().Unix()
	w := newWorld(t)
	for _, row := range []struct {
		what      string
		assertion func() string
		says      string
	}{
		{"aud is the token endpoint", func() string { return w.ins.assertion(claims{"aud": w.Base + tokenPath}) }, "aud"},
		{"aud is somebody else", func() string { return w.ins.assertion(claims{"aud": "https://other.example"}) }, "aud"},
		{"aud names two", func() string { return w.ins.assertion(claims{"aud": []string{w.Base, "https://other.example"}}) }, "aud"},
		{"expired", func() string { return w.ins.assertion(claims{"exp": now - 60}) }, "exp"},
		{"no exp", func() string { return w.ins.assertion(claims{"exp": nil}) }, "exp"},
		{"exp too far", func() string { return w.ins.assertion(claims{"exp": now + 3600}) }, "lifetime"},
		{"no jti", func() string { return w.ins.assertion(claims{"jti": nil}) }, "jti"},
		{"sub is another client", func() string { return w.ins.assertion(claims{"sub": "af"}) }, "sub"},
		{"signed with another client's key", func() string {
			return sign(t, "ES256", w.af.key, "JWT", "1", w.ins.assertionClaims())
		}, ""},
		{"unsigned", func() string { return unsigned(w.ins.assertionClaims()) }, ""},
		{"an unknown client", func() string { return w.ins.assertion(claims{"iss": "x", "sub": "x"}) }, ""},
		{"none", func() string { return "" }, ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			form := w.ins.authenticated(row.assertion(), url.Values{"grant_type": {"client_credentials"}})
			refused(t, w.post(tokenPath, form, w.ins.proof()), "invalid_client", row.says)
		})
	}
	t.Run("the same twice", func(t *testing.T) {
		form := w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}})
		if first := w.post(tokenPath, form, w.ins.proof()); first.status != 200 {
			t.Fatal(first)
		}
		refused(t, w.post(tokenPath, form, w.ins.proof()), "invalid_client", "used before")
	})
	t.Run("a party whose id has the form of an app's", func(t *testing.T) {
		fake := w.register("app_x", false)
		form := fake.authenticated(fake.assertion(nil), url.Values{"grant_type": {"client_credentials"}})
		refused(t, w.post(tokenPath, form, fake.proof()), "invalid_client", "there is no client")
	})
}

func TestTokenRequestsThatAreRefused(t *testing.T) {
	other, _ := dpop.NewKey()
	w := newWorld(t)
	proof := func(key *dpop.Key, method, target string, at time.Time) http.Header {
		text, err := key.Proof(method, target, "", "", at)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Dpop": {text}}
	}
	type attempt struct {
		by     *party
		form   url.Values
		header http.Header
	}
	for _, row := range []struct {
		what   string
		change func(*attempt)
		code   string
		says   string
	}{
		{"no proof", func(a *attempt) { a.header = nil }, "invalid_dpop_proof", "no DPoP proof"},
		{"two proofs", func(a *attempt) {
			a.header = http.Header{"Dpop": append(w.ins.proof()["Dpop"], w.ins.proof()["Dpop"]...)}
		}, "invalid_dpop_proof", "more than one"},
		{"a proof for another method", func(a *attempt) { a.header = proof(w.ins.dpop, "GET", w.Base+tokenPath, time.Now()) }, "invalid_dpop_proof", "htm"},
		{"a proof for another URL", func(a *attempt) { a.header = proof(w.ins.dpop, "POST", w.Base+parPath, time.Now()) }, "invalid_dpop_proof", "htu"},
		{"a proof that is too old", func(a *attempt) {
			a.header = proof(w.ins.dpop, "POST", w.Base+tokenPath, time.Now().Add(-2*time.Minute))
		}, "invalid_dpop_proof", "iat"},
		{"a proof of the future", func(a *attempt) {
			a.header = proof(w.ins.dpop, "POST", w.Base+tokenPath, time.Now().Add(2*time.Minute))
		}, "invalid_dpop_proof", "iat"},
		{"a wrong verifier", func(a *attempt) { a.form.Set("code_verifier", strings.Repeat("a", 43)) }, "invalid_grant", "code_verifier"},
		{"no verifier", func(a *attempt) { a.form.Del("code_verifier") }, "invalid_grant", "code_verifier"},
		{"another redirect_uri", func(a *attempt) { a.form.Set("redirect_uri", "https://ins.example/other") }, "invalid_grant", "redirect_uri"},
		{"another client", func(a *attempt) { a.by = w.af }, "invalid_grant", "different client"},
		{"a code that never was", func(a *attempt) { a.form.Set("code", "x") }, "invalid_grant", ""},
		{"no code", func(a *attempt) { a.form.Del("code") }, "invalid_request", "code"},
		{"a parameter twice", func(a *attempt) { a.form.Add("code", "x") }, "invalid_request", "more than once"},
		{"authorization_details, which only the person grants", func(a *attempt) { a.form.Set("authorization_details", "[]") }, "invalid_request", "person"},
		{"an unknown grant type", func(a *attempt) { a.form.Set("grant_type", "password") }, "unsupported_grant_type", ""},
		{"a scope beyond what was granted", func(a *attempt) { a.form.Set("scope", "openid admin") }, "invalid_scope", ""},
		{"another media type", func(a *attempt) { a.header.Set("Content-Type", "application/json") }, "invalid_request", "Content-Type"},
	} {
		t.Run(row.what, func(t *testing.T) {
			a := &attempt{w.ins, codeForm(w.ins.redirect(), w.ins.code()), w.ins.proof()}
			row.change(a)
			refused(t, w.post(tokenPath, a.by.authenticated(a.by.assertion(nil), a.form), a.header), row.code, row.says)
		})
	}
	t.Run("the same proof twice", func(t *testing.T) {
		header, form := w.ins.proof(), url.Values{"grant_type": {"client_credentials"}}
		if first := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), form), header); first.status != 200 {
			t.Fatal(first)
		}
		refused(t, w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), form), header), "invalid_dpop_proof", "used before")
	})
	t.Run("a proof of one whose credentials are bad isn't remembered", func(t *testing.T) {
		header, form := w.ins.proof(), url.Values{"grant_type": {"client_credentials"}}
		if first := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(claims{"aud": "x"}), form), header); first.status != 401 {
			t.Fatal(first)
		}
		if second := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), form), header); second.status != 200 {
			t.Error(second)
		}
	})
	t.Run("another key than the one that pushed the request", func(t *testing.T) {
		form := w.ins.authenticated(w.ins.assertion(nil), url.Values{"request": {w.ins.object(nil)}})
		pushed := w.post(parPath, form, proof(other, "POST", w.Base+parPath, time.Now()))
		code := w.get(w.newBrowser(), w.authorizeURL("ins", pushed.text("request_uri"))).back(t, w.ins).Get("code")
		refused(t, w.ins.redeem(code), "invalid_request", "thumbprint")
	})
	t.Run("another key than the dpop_jkt of the request", func(t *testing.T) {
		code := w.ins.journey(w.ins.object(claims{"dpop_jkt": other.Thumbprint()})).Get("code")
		refused(t, w.ins.redeem(code), "invalid_request", "thumbprint")
	})
	t.Run("a code twice", func(t *testing.T) {
		code := w.ins.code()
		if first := w.ins.redeem(code); first.status != 200 {
			t.Fatal(first)
		}
		refused(t, w.ins.redeem(code), "invalid_grant", "")
	})
	t.Run("a code after somebody tried it with a wrong verifier", func(t *testing.T) {
		code := w.ins.code()
		form := codeForm(w.ins.redirect(), code)
		form.Set("code_verifier", strings.Repeat("a", 43))
		refused(t, w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), form), w.ins.proof()), "invalid_grant", "")
		if got := w.ins.redeem(code); got.status == 200 {
			t.Errorf("redeemed: %s", got)
		}
	})
}

func TestACodeEnds(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.CodeLife = time.Second })
	code := w.ins.code()
	time.Sleep(1100 * time.Millisecond)
	w.records.now = func() time.Time { return time.Unix(0, 1) } // the store has not noticed
	refused(t, w.ins.redeem(code), "invalid_grant", "expired")
}
