// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/auth/dpop"
)

const (
	alva    = acl.WebID("http://skrin.example/k7q/profile/card#me")
	appBack = "https://app.example/back"
)

// A program is a Solid app with its key for proofs.
type program struct {
	w          *world
	id, secret string
	back       string
	dpop       *dpop.Key
}

// newApp registers an app; changes replace what it sends.
func (w *world) newApp(changes map[string]any) *program {
	w.t.Helper()
	got := w.registerApp(changes)
	if got.status != http.StatusCreated {
		w.t.Fatal(got)
	}
	key, err := dpop.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	return &program{w, got.text("client_id"), got.text("client_secret"), got.json["redirect_uris"].([]any)[0].(string), key}
}

func (w *world) registerApp(changes map[string]any) answer {
	sent := map[string]any{
		"client_name": "Notes", "redirect_uris": []string{appBack}, "scope": "openid webid offline_access",
		"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none",
		"post_logout_redirect_uris": []string{"https://app.example/bye"}, "id_token_signed_response_alg": "ES256",
	}
	maps.Copy(sent, changes)
	maps.DeleteFunc(sent, func(_ string, v any) bool { return v == nil })
	text, _ := json.Marshal(sent)
	r, _ := http.NewRequest("POST", w.Base+registerPath, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	return w.do(http.DefaultClient, r)
}

func (a *program) query(changes url.Values) url.Values {
	q := url.Values{
		"client_id": {a.id}, "redirect_uri": {a.back}, "response_type": {"code"}, "scope": {"openid webid offline_access"},
		"state": {"st"}, "nonce": {"no"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	maps.Copy(q, changes)
	maps.DeleteFunc(q, func(_ string, v []string) bool { return v == nil })
	return q
}

// ask sends a browser with a request, and returns what it came to.
func (a *program) ask(browser *http.Client, changes url.Values) answer {
	return a.w.get(browser, a.w.Base+authorizePath+"?"+a.query(changes).Encode())
}

func approve(Interaction) Decision {
	return Decision{Person: "p1", WebID: alva, AuthTime: time.Now(), ACR: "urn:high"}
}

func (a *program) code(changes url.Values) string {
	a.w.t.Helper()
	a.w.decide = approve
	got := a.ask(a.w.newBrowser(), changes)
	u, err := url.Parse(got.header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("iss") != a.w.Base || u.Query().Get("state") != "st" {
		a.w.t.Fatalf("%s: %s", got, u)
	}
	return u.Query().Get("code")
}

func (a *program) proof(path string) http.Header {
	proof, err := a.dpop.Proof("POST", a.w.Base+path, "", "", time.Now())
	if err != nil {
		a.w.t.Fatal(err)
	}
	return http.Header{"Dpop": {proof}}
}

func (a *program) authenticated(form url.Values) url.Values {
	form.Set("client_id", a.id)
	if a.secret != "" {
		form.Set("client_secret", a.secret)
	}
	return form
}

func (a *program) redeem(code string) answer {
	return a.w.post(tokenPath, a.authenticated(codeForm(a.back, code)), a.proof(tokenPath))
}

func (a *program) refresh(token string) answer {
	return a.w.post(tokenPath, a.authenticated(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}), a.proof(tokenPath))
}

// verifies says whether an access token is good for a request.
func (w *world) verifies(key *dpop.Key, token string) (acl.Agent, error) {
	v := &auth.Verifier{
		Base: w.Base, Issuers: auth.Only(w.Base, w.Provider), Cache: auth.NewCache(64), Now: time.Now, Revoked: w.Revoked,
		Proofs: &dpop.Checker{Now: time.Now, MaxAge: time.Minute, MaxSkew: skew, Seen: dpop.NewMemory(100, time.Now)},
	}
	proof, err := key.Proof("GET", w.Base+"/k7q/", token, "", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/k7q/", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", proof)
	return v.Identify(r)
}

func TestAnAppActsForAPersonWhoApproves(t *testing.T) {
	w := newWorld(t)
	for _, method := range []string{"none", "client_secret_post"} {
		app := w.newApp(map[string]any{"token_endpoint_auth_method": method})
		got := app.redeem(app.code(nil))
		if got.status != 200 || got.text("token_type") != "DPoP" || got.text("refresh_token") == "" {
			t.Fatal(got)
		}
		seen := w.seen[len(w.seen)-1]
		if seen.App == nil || seen.App.Name != "Notes" || seen.App.Address != "https://app.example" || !seen.App.Offline || len(seen.Details) != 0 {
			t.Errorf("the page was told %+v", seen)
		}
		access, id := w.decode(got.text("access_token"), "at+jwt"), w.decode(got.text("id_token"), "JWT")
		if fmt.Sprint(access["aud"]) != "[solid]" || access["webid"] != string(alva) || access["client_id"] != app.id {
			t.Errorf("access token %v", access)
		}
		if fmt.Sprint(id["aud"]) != "["+app.id+" solid]" || id["azp"] != app.id || id["webid"] != string(alva) || id["nonce"] != "no" ||
			fmt.Sprint(id["cnf"]) != "map[jkt:"+app.dpop.Thumbprint()+"]" || id["acr"] != "urn:high" {
			t.Errorf("ID token %v", id)
		}
		agent, err := w.verifies(app.dpop, got.text("access_token"))
		if err != nil || agent.ID != alva || agent.Client != app.id {
			t.Errorf("got %v, %v", agent, err)
		}
		if _, err := w.verifies(app.dpop, got.text("id_token")); err == nil {
			t.Error("the ID token was taken for an access token")
		}
		if dump := w.records.dump(); strings.Contains(dump, got.text("refresh_token")[:26]) || app.secret != "" && strings.Contains(dump, app.secret) {
			t.Error("a secret is stored in clear")
		}
	}
}

func TestAnAppMayPushItsRequest(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	w.decide = approve
	pushed := w.post(parPath, app.query(nil), app.proof(parPath))
	if pushed.status != http.StatusCreated {
		t.Fatal(pushed)
	}
	got := w.get(w.newBrowser(), w.authorizeURL(app.id, pushed.text("request_uri")))
	u, _ := url.Parse(got.header.Get("Location"))
	if got := app.redeem(u.Query().Get("code")); got.status != 200 {
		t.Error(got)
	}
	other, _ := dpop.NewKey()
	pushed = w.post(parPath, app.query(nil), app.proof(parPath))
	u, _ = url.Parse(w.get(w.newBrowser(), w.authorizeURL(app.id, pushed.text("request_uri"))).header.Get("Location"))
	app.dpop = other
	if got := app.redeem(u.Query().Get("code")); got.status != 400 {
		t.Errorf("a code that is bound to one key was redeemed with another: %s", got)
	}
}

func TestRegistration(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		what    string
		changes map[string]any
		code    string // "" if it is taken
	}{
		{"as Solid apps do", nil, ""},
		{"with nothing but a redirect URI", map[string]any{"client_name": nil, "scope": nil, "grant_types": nil, "token_endpoint_auth_method": nil}, ""},
		{"http to localhost", map[string]any{"redirect_uris": []string{"http://localhost:3000/"}}, ""},
		{"http to 127.0.0.1", map[string]any{"redirect_uris": []string{"http://127.0.0.1/"}}, ""},
		{"a native app's own scheme", map[string]any{"redirect_uris": []string{"org.example.app:/back"}, "application_type": "native"}, ""},
		{"scopes that nobody knows", map[string]any{"scope": "openid webid profile email"}, ""},
		{"a web app's own scheme", map[string]any{"redirect_uris": []string{"org.example.app:/back"}}, "invalid_redirect_uri"},
		{"javascript", map[string]any{"redirect_uris": []string{"javascript:alert(1)"}, "application_type": "native"}, "invalid_redirect_uri"},
		{"data", map[string]any{"redirect_uris": []string{"data:text/html,x"}}, "invalid_redirect_uri"},
		{"plain http", map[string]any{"redirect_uris": []string{"http://app.example/"}}, "invalid_redirect_uri"},
		{"a fragment", map[string]any{"redirect_uris": []string{"https://app.example/#x"}}, "invalid_redirect_uri"},
		{"a user in the URL", map[string]any{"redirect_uris": []string{"https://a@app.example/"}}, "invalid_redirect_uri"},
		{"no redirect URI", map[string]any{"redirect_uris": nil}, "invalid_redirect_uri"},
		{"eleven", map[string]any{"redirect_uris": slices.Repeat([]string{appBack}, 11)}, "invalid_redirect_uri"},
		{"client credentials only", map[string]any{"grant_types": []string{"client_credentials"}}, "invalid_client_metadata"},
		{"implicit only", map[string]any{"grant_types": []string{"implicit"}}, "invalid_client_metadata"},
		{"private_key_jwt", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"},
		{"unsigned ID tokens", map[string]any{"id_token_signed_response_alg": "none"}, "invalid_client_metadata"},
		{"a name that is no string", map[string]any{"client_name": 3}, "invalid_client_metadata"},
		{"33 kB", map[string]any{"client_name": strings.Repeat("x", 33<<10)}, "invalid_client_metadata"},
	} {
		t.Run(row.what, func(t *testing.T) {
			got := w.registerApp(row.changes)
			if row.code != "" {
				refused(t, got, row.code, "")
			} else if got.status != 201 || !strings.HasPrefix(got.text("client_id"), "app_") || !strings.Contains(got.text("scope"), "webid") {
				t.Error(got)
			}
		})
	}
}

func TestARegistrationThatNobodyUsesEnds(t *testing.T) {
	var late atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	w := newWorld(t, func(o *Options) { o.Now = clock; o.Records.(*memory).now = clock })
	unused, used := w.newApp(nil), w.newApp(nil)
	used.code(nil)
	late.Store(int64(unusedLife))
	for _, a := range []*program{unused, used} {
		_, err := w.findApp(t.Context(), a.id)
		if (err == nil) != (a == used) {
			t.Errorf("used %v: %v", a == used, err)
		}
	}
	w.Admit = func(*http.Request) bool { return false }
	if got := w.registerApp(nil); got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("above the limit: %s", got)
	}
}

func TestRequestsOfAppsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	details := url.Values{"authorization_details": {`[{"type":"evidence_request"}]`}}
	for _, row := range []struct {
		what    string
		changes url.Values
		back    string // the error with which the browser is sent back; "" if it is not sent
	}{
		{"a foreign redirect URI", url.Values{"redirect_uri": {"https://evil.example/"}}, ""},
		{"a longer redirect URI", url.Values{"redirect_uri": {appBack + "/x"}}, ""},
		{"a redirect URI with a query", url.Values{"redirect_uri": {appBack + "?x"}}, ""},
		{"a redirect URI with an empty fragment", url.Values{"redirect_uri": {appBack + "#"}}, ""},
		{"a redirect URI with its scheme in another case", url.Values{"redirect_uri": {strings.Replace(appBack, "https:", "HTTPS:", 1)}}, ""},
		{"no redirect URI", url.Values{"redirect_uri": nil}, ""},
		{"two redirect URIs", url.Values{"redirect_uri": {appBack, "https://evil.example/"}}, ""},
		{"an app that isn't registered", url.Values{"client_id": {"app_X"}}, ""},
		{"a script", url.Values{"client_id": {"script_X"}}, ""},
		{"an answer by a form", url.Values{"response_mode": {"form_post"}}, ""},
		{"an answer by a form, signed", url.Values{"response_mode": {"form_post.jwt"}}, ""},
		{"an answer in JSON", url.Values{"response_mode": {"json"}}, ""},
		{"a failure by a form", url.Values{"response_mode": {"form_post"}, "code_challenge": nil}, ""},
		{"no PKCE", url.Values{"code_challenge": nil}, "invalid_request"},
		{"plain PKCE", url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		{"a token at once", url.Values{"response_type": {"id_token token"}, "response_mode": {"query"}}, "invalid_request"},
		{"no openid", url.Values{"scope": {"webid"}}, "invalid_"},
		{"what parties may ask", details, "invalid_authorization_details"},
		{"silently, when nobody has signed in", url.Values{"prompt": {"none"}}, "login_required"},
		{"silently and not", url.Values{"prompt": {"none login"}}, "invalid_request"},
	} {
		t.Run(row.what, func(t *testing.T) {
			got := app.ask(w.newBrowser(), row.changes)
			if got.header.Get("Content-Security-Policy") != policy || strings.Contains(got.header.Get("Content-Type"), "html") && strings.Contains(fmt.Sprint(got), "<form") {
				t.Errorf("%v %s", got.header, got)
			}
			if row.back == "" {
				if got.status != 400 || got.header.Get("Location") != "" {
					t.Errorf("%s, sent to %s", got, got.header.Get("Location"))
				}
				return
			}
			u, _ := url.Parse(got.header.Get("Location"))
			if !strings.HasPrefix(u.String(), appBack+"?") || !strings.HasPrefix(u.Query().Get("error"), row.back) || u.Query().Get("iss") != w.Base || u.Query().Has("code") {
				t.Errorf("%s, sent to %s", got, u)
			}
		})
	}
}

func TestAnApprovalIsRememberedForThePersonAndTheApp(t *testing.T) {
	w := newWorld(t)
	app, other := w.newApp(nil), w.newApp(nil)
	local := w.newApp(map[string]any{"redirect_uris": []string{"http://localhost:1/"}})
	app.code(nil)
	local.code(nil)
	w.decide = func(Interaction) Decision { return Decision{Declined: true} }
	signed := time.Now().Add(-time.Minute)
	for _, row := range []struct {
		what    string
		who     acl.WebID
		by      *program
		changes url.Values
		want    string // of what the browser is sent back with
	}{
		{"again", alva, app, nil, "code="},
		{"again and silently", alva, app, url.Values{"prompt": {"none"}}, "code="},
		{"again, asking for consent", alva, app, url.Values{"prompt": {"consent"}}, "access_denied"},
		{"again, with a fresh sign-in", alva, app, url.Values{"prompt": {"login"}}, "access_denied"},
		{"again, the sign-in is too old", alva, app, url.Values{"max_age": {"10"}}, "access_denied"},
		{"again, silently, the sign-in is too old", alva, app, url.Values{"prompt": {"none"}, "max_age": {"10"}}, "login_required"},
		{"again, the sign-in is fresh enough", alva, app, url.Values{"max_age": {"600"}}, "code="},
		{"again, at the level that is asked for", alva, app, url.Values{"acr_values": {"urn:high"}}, "code="},
		{"again, at a level above", alva, app, url.Values{"acr_values": {"urn:low"}}, "code="},
		{"again, at a level that nobody has and one that she has", alva, app, url.Values{"acr_values": {"urn:none urn:high"}}, "code="},
		{"again, at a level that nobody has: it is left out", alva, app, url.Values{"acr_values": {"urn:none"}}, "code="},
		{"again, the age is no number", alva, app, url.Values{"max_age": {"soon"}}, ""},
		{"another person", "http://skrin.example/x/profile/card#me", app, nil, "access_denied"},
		{"another app", alva, other, nil, "access_denied"},
		{"another app, silently", alva, other, url.Values{"prompt": {"none"}}, "consent_required"},
		{"an app on her own machine, which another could pose as", alva, local, nil, "access_denied"},
	} {
		t.Run(row.what, func(t *testing.T) {
			w.visitor = &Visitor{"p1", row.who, signed, "urn:high"}
			if got := row.by.ask(w.newBrowser(), row.changes); !strings.Contains(got.header.Get("Location"), row.want) {
				t.Errorf("%s, sent to %s", got, got.header.Get("Location"))
			}
		})
	}
}

// TestASignInIsAsLateAndAsSureAsTheClientAsks: or there is no code, whatever the
// page decides; for an app and for a party.
func TestASignInIsAsLateAndAsSureAsTheClientAsks(t *testing.T) {
	w := newWorld(t)
	app, decide := w.newApp(nil), w.decide
	app.code(nil)
	for _, row := range []struct {
		what, parameter, value string
		ago                    time.Duration
		level                  string
		good                   bool
	}{
		{"a sure sign-in", "acr_values", "urn:high", 0, "urn:high", true},
		{"one above what is asked", "acr_values", "urn:low", 0, "urn:high", true},
		{"one of two that are enough", "acr_values", "urn:high urn:low", 0, "urn:low", true},
		{"one below what is asked", "acr_values", "urn:high", 0, "urn:low", false},
		{"one without a level", "acr_values", "urn:low", 0, "", false},
		{"one before prompt=login", "prompt", "login", time.Minute, "urn:high", false},
		{"one after prompt=login", "prompt", "login", -time.Second, "urn:high", true},
		{"one older than max_age", "max_age", "60", 2 * time.Minute, "urn:high", false},
		{"one younger than max_age", "max_age", "60", 30 * time.Second, "urn:high", true},
		{"one before max_age=0", "max_age", "0", time.Minute, "urn:high", false},
	} {
		t.Run(row.what, func(t *testing.T) {
			at := time.Now().Add(-row.ago)
			w.visitor = &Visitor{"p1", alva, at, row.level}
			w.decide = func(i Interaction) Decision {
				d := decide(i)
				if i.App != nil {
					d = approve(i)
				}
				d.AuthTime, d.ACR = at, row.level
				return d
			}
			got := app.ask(w.newBrowser(), url.Values{row.parameter: {row.value}})
			if code := strings.Contains(got.header.Get("Location"), "code="); code != row.good {
				t.Errorf("the app: %s, sent to %s", got, got.header.Get("Location"))
			}
			var value any = row.value
			if n, err := strconv.Atoi(row.value); err == nil {
				value = n
			}
			pushed := w.ins.push(w.ins.object(claims{"acr_values": nil}.with(claims{row.parameter: value})))
			got = w.get(w.newBrowser(), w.authorizeURL(w.ins.id, pushed.text("request_uri")))
			if code := strings.Contains(got.header.Get("Location"), "code="); code != row.good {
				t.Errorf("the party: %s, sent to %s", got, got.header.Get("Location"))
			}
		})
	}
	w.visitor = &Visitor{"p1", alva, time.Now(), "urn:low"}
	if got := app.ask(w.newBrowser(), url.Values{"acr_values": {"urn:high"}, "prompt": {"none"}}); !strings.Contains(got.header.Get("Location"), "login_required") {
		t.Errorf("silently, not surely enough: %s, sent to %s", got, got.header.Get("Location"))
	}
}

func TestDisapprovingEndsAllThatAnAppHas(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	got := app.redeem(app.code(nil))
	all, err := w.Approvals(t.Context(), alva)
	if err != nil || len(all) != 1 || all[0].Client != app.id || all[0].Name != "Notes" {
		t.Fatal(all, err)
	}
	if err := w.Disapprove(t.Context(), alva, app.id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verifies(app.dpop, got.text("access_token")); err == nil {
		t.Error("the access token is still good")
	}
	refused(t, app.refresh(got.text("refresh_token")), "invalid_grant", "")
	app.code(nil) // she approves again
	refused(t, app.refresh(got.text("refresh_token")), "invalid_grant", "")
}

func TestRefreshTokensRotate(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	first := app.redeem(app.code(nil))
	second := app.refresh(first.text("refresh_token"))
	if second.status != 200 || second.text("refresh_token") == first.text("refresh_token") || second.text("id_token") == "" {
		t.Fatal(second)
	}
	thief, _ := dpop.NewKey()
	mine := app.dpop
	app.dpop = thief
	if got := app.refresh(second.text("refresh_token")); got.status != 400 {
		t.Errorf("with another key: %s", got)
	}
	app.dpop = mine
	third := app.refresh(second.text("refresh_token"))
	if third.status != 200 {
		t.Fatalf("the other's attempt did harm: %s", third)
	}
	refused(t, app.refresh(first.text("refresh_token")), "invalid_grant", "used before")
	refused(t, app.refresh(third.text("refresh_token")), "invalid_grant", "")
	for _, token := range []string{first.text("access_token"), third.text("access_token")} {
		if _, err := w.verifies(app.dpop, token); err == nil {
			t.Error("an access token of the family is still good")
		}
	}
	other := w.newApp(nil)
	other.dpop = app.dpop
	fourth := app.redeem(app.code(nil))
	if got := other.refresh(fourth.text("refresh_token")); got.status != 400 {
		t.Errorf("another app: %s", got)
	}
	if got := app.redeem(app.code(url.Values{"scope": {"openid webid"}})); got.text("refresh_token") != "" {
		t.Errorf("without offline_access: %s", got)
	}
}

func TestACodeThatIsBroughtTwiceEndsWhatCameOfIt(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	code := app.code(nil)
	got := app.redeem(code)
	refused(t, app.redeem(code), "invalid_grant", "")
	refused(t, app.refresh(got.text("refresh_token")), "invalid_grant", "")
	if _, err := w.verifies(app.dpop, got.text("access_token")); err == nil {
		t.Error("the access token is still good")
	}
}

// race lets 50 do the same at once, and returns how many succeeded.
func race(t *testing.T, do func() answer) int32 {
	var won atomic.Int32
	var wg sync.WaitGroup
	start := make(chan bool)
	for range 50 {
		wg.Go(func() {
			<-start
			switch got := do(); {
			case got.status == 200:
				won.Add(1)
			case got.status != 400 || got.text("error") != "invalid_grant":
				t.Error(got)
			}
		})
	}
	close(start)
	wg.Wait()
	return won.Load()
}

func TestOfFiftyAtOnceOneSucceeds(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	for range 20 {
		w.records.slow = codeKind
		code := app.code(nil)
		if won := race(t, func() answer { return app.redeem(code) }); won != 1 {
			t.Errorf("%d redeemed one code", won)
		}
		w.records.slow = familyKind
		token := app.redeem(app.code(nil)).text("refresh_token")
		if won := race(t, func() answer { return app.refresh(token) }); won != 1 {
			t.Errorf("%d used one refresh token", won)
		}
	}
}

func TestScripts(t *testing.T) {
	w := newWorld(t)
	id, secret, err := w.NewScript(t.Context(), "p1", alva, "backup")
	if err != nil {
		t.Fatal(err)
	}
	key, _ := dpop.NewKey()
	script := &program{w, id, secret, "", key}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid offline_access webid"}}
	basic := func(id, secret string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
	}
	ask := func(form url.Values, header http.Header) answer {
		header = maps.Clone(header)
		maps.Copy(header, script.proof(tokenPath))
		return w.post(tokenPath, form, header)
	}
	escaped := strings.ReplaceAll(id, "_", "%5F")
	for what, got := range map[string]answer{
		"post":                   ask(script.authenticated(maps.Clone(form)), http.Header{}),
		"basic":                  ask(form, basic(id, secret)),
		"basic, form-urlencoded": ask(form, basic(escaped, secret)),
		"no scope":               ask(url.Values{"grant_type": {"client_credentials"}}, basic(id, secret)),
	} {
		agent, err := w.verifies(key, got.text("access_token"))
		if got.status != 200 || err != nil || agent.ID != alva || agent.Client != id || got.text("refresh_token") != "" {
			t.Fatalf("%s: %s %v %v", what, got, agent, err)
		}
		if c := w.decode(got.text("id_token"), "JWT"); c["webid"] != string(alva) || fmt.Sprint(c["aud"]) != "["+id+" solid]" || c["cnf"] == nil {
			t.Errorf("%s: ID token %v", what, c)
		}
		if got.json["expires_in"] == nil || got.text("token_type") != "DPoP" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if got := ask(url.Values{"grant_type": {"client_credentials"}, "scope": {"webid"}}, basic(id, secret)); got.status != 200 || got.text("access_token") == "" || got.json["id_token"] != nil {
		t.Errorf("without openid: %s", got)
	}
	used := script.proof(tokenPath)
	for i, want := range []int{401, 200, 400} { // a stranger's attempt uses nothing up
		given := []string{secret + "x", secret, secret}[i]
		if got := w.post(tokenPath, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {given}}, used); got.status != want {
			t.Errorf("one proof, try %d: %s", i, got)
		}
	}
	if got := w.post(tokenPath, script.authenticated(maps.Clone(form)), http.Header{}); got.status != 400 || got.text("error") != dpop.InvalidProof {
		t.Errorf("without a proof: %s", got)
	}
	for what, got := range map[string]answer{
		"a wrong secret":     ask(form, basic(id, secret+"x")),
		"no secret":          ask(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}}, http.Header{}),
		"an unknown id":      ask(form, basic("script_X", secret)),
		"a party's id":       ask(form, basic("ins", secret)),
		"bad Basic":          ask(form, http.Header{"Authorization": {"Basic x"}}),
		"Basic twice":        ask(form, http.Header{"Authorization": {basic(id, secret).Get("Authorization"), "Basic x"}}),
		"a bad escape in it": ask(form, basic(id+"%", secret)),
	} {
		if got.status != 401 || got.text("error") != "invalid_client" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %s", what, got)
		}
	}
	app := w.newApp(map[string]any{"token_endpoint_auth_method": "client_secret_basic"})
	if got := ask(form, basic(app.id, app.secret)); got.text("error") != "unauthorized_client" {
		t.Errorf("an app by client credentials: %s", got)
	}
	token := ask(form, basic(id, secret)).text("access_token")
	if err := w.RemoveScript(t.Context(), "p2", id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verifies(key, token); err != nil {
		t.Errorf("somebody else removed it: %v", err)
	}
	if scripts, err := w.Scripts(t.Context(), "p1"); err != nil || len(scripts) != 1 || scripts[0].Name != "backup" {
		t.Errorf("scripts %v, %v", scripts, err)
	}
	if err := w.RemoveScript(t.Context(), "p1", id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verifies(key, token); err == nil {
		t.Error("the token of a script that is gone is still good")
	}
	if dump := w.records.dump(); strings.Contains(dump, secret) {
		t.Error("the secret is stored in clear")
	}
}

func TestRevocationAndIntrospection(t *testing.T) {
	w := newWorld(t)
	token := func(p *party) string {
		return w.post(tokenPath, p.authenticated(p.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), p.proof()).text("access_token")
	}
	introspect := func(p *party, token string) answer {
		return w.post(introspectPath, p.authenticated(p.assertion(nil), url.Values{"token": {token}}), nil)
	}
	revoke := func(p *party, token string) answer {
		return w.post(revokePath, p.authenticated(p.assertion(nil), url.Values{"token": {token}}), nil)
	}
	first, second := token(w.ins), token(w.ins)
	if got := introspect(w.ins, first); got.status != 200 || got.json["active"] != true || got.text("sub") != "ins" || got.text("token_type") != "DPoP" {
		t.Fatal(got)
	}
	for what, got := range map[string]answer{
		"another party's token": introspect(w.af, first), "no token": introspect(w.ins, "x"), "a forged one": introspect(w.ins, first[:len(first)-3]+"AAA"),
	} {
		if got.status != 200 || strings.TrimSpace(got.body) != `{"active":false}` {
			t.Errorf("%s: %s", what, got)
		}
	}
	revoke(w.af, first)
	if _, err := w.verifies(w.ins.dpop, first); err != nil {
		t.Errorf("another party revoked it: %v", err)
	}
	if got := revoke(w.ins, first); got.status != 200 {
		t.Fatal(got)
	}
	if _, err := w.verifies(w.ins.dpop, first); err == nil {
		t.Error("a revoked token is good")
	}
	if _, err := w.verifies(w.ins.dpop, second); err != nil {
		t.Errorf("the other token: %v", err)
	}
	if got := introspect(w.ins, first); got.json["active"] != false {
		t.Error(got)
	}
	app := w.newApp(nil)
	got := app.redeem(app.code(nil))
	form := func(token string) url.Values { return app.authenticated(url.Values{"token": {token}}) }
	if got := w.post(introspectPath, form(got.text("access_token")), nil); got.status != 400 || got.text("error") != "unauthorized_client" {
		t.Errorf("an app introspects: %s", got)
	}
	if got := w.post(revokePath, form(got.text("refresh_token")), nil); got.status != 200 {
		t.Error(got)
	}
	refused(t, app.refresh(got.text("refresh_token")), "invalid_grant", "")
	if _, err := w.verifies(app.dpop, got.text("access_token")); err == nil {
		t.Error("the access token outlives its refresh token")
	}
}

func TestAPartyThatIsStruckOffIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	token := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof()).text("access_token")
	if _, err := w.verifies(w.ins.dpop, token); err != nil {
		t.Fatal(err)
	}
	delete(w.clients, "ins")
	if _, err := w.verifies(w.ins.dpop, token); err == nil {
		t.Error("its token is still good")
	}
}

func TestClientIDDocuments(t *testing.T) {
	w := newWorld(t)
	body, mediaType := "", "application/ld+json"
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", mediaType)
		fmt.Fprint(rw, strings.ReplaceAll(body, "SELF", "http://"+r.Host+r.URL.Path))
	}))
	defer server.Close()
	const good = `{"@context":["https://www.w3.org/ns/solid/oidc-context.jsonld"],"client_id":"SELF","client_name":"Doc\u202e app",
		"redirect_uris":["` + appBack + `"],"scope":"openid webid offline_access","grant_types":["refresh_token","authorization_code"]}`
	for i, row := range []struct {
		what, body, mediaType string
		ok                    bool
	}{
		{"a good one", good, "application/ld+json", true},
		{"as JSON", good, "application/json; charset=utf-8", true},
		{"with a single context", strings.NewReplacer(`["https://www.w3.org`, `"https://www.w3.org`, `.jsonld"]`, `.jsonld"`).Replace(good), "application/ld+json", true},
		{"another redirect URI", strings.Replace(good, appBack, "https://other.example/", 1), "application/ld+json", false},
		{"another client_id", strings.Replace(good, "SELF", "https://other.example/", 1), "application/ld+json", false},
		{"another context", strings.Replace(good, "www.w3.org", "evil.example", 1), "application/ld+json", false},
		{"HTML", good, "text/html", false},
		{"no JSON", "hello", "application/ld+json", false},
		{"a client with a secret", strings.Replace(good, `"scope"`, `"token_endpoint_auth_method":"client_secret_basic","scope"`, 1), "application/ld+json", false},
		{"too large", good + strings.Repeat(" ", 65<<10), "application/ld+json", false},
	} {
		t.Run(row.what, func(t *testing.T) {
			body, mediaType = row.body, row.mediaType
			key, _ := dpop.NewKey()
			app := &program{w, fmt.Sprintf("%s/%d", server.URL, i), "", appBack, key}
			if row.ok {
				got := app.redeem(app.code(nil))
				if got.status != 200 || got.text("refresh_token") == "" || w.decode(got.text("access_token"), "at+jwt")["client_id"] != app.id {
					t.Error(got)
				}
				if name := w.seen[len(w.seen)-1].App.Name; name != "Doc app" {
					t.Errorf("the name is shown as %q", name)
				}
				return
			}
			if got := app.ask(w.newBrowser(), nil); got.status != 400 || got.header.Get("Location") != "" {
				t.Errorf("%s, sent to %s", got, got.header.Get("Location"))
			}
		})
	}
	for _, id := range []string{"https://127.0.0.1:1/", "http://10.0.0.1/id", "file:///etc/passwd", "http://localhost:22/"} {
		app := &program{w, id, "", appBack, nil}
		if got := app.ask(w.newBrowser(), nil); got.status != 400 {
			t.Errorf("%s: %s", id, got)
		}
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	hint := app.redeem(app.code(nil)).text("id_token")
	const bye = "https://app.example/bye"
	for _, row := range []struct {
		what, hint, back string
		who              acl.WebID
		to               string
		out              bool
	}{
		{"with her ID token", hint, bye, alva, bye + "?state=s", true},
		{"to where the app has not registered", hint, "https://evil.example/", alva, w.Base + "/me/", true},
		{"with another person's", hint, bye, "http://skrin.example/x/profile/card#me", w.Base + "/me/", false},
		{"without a hint", "", bye, alva, w.Base + "/me/", false},
		{"with a forged hint", hint[:len(hint)-3] + "AAA", bye, alva, w.Base + "/me/", false},
	} {
		t.Run(row.what, func(t *testing.T) {
			w.visitor = &Visitor{"p1", row.who, time.Now(), ""}
			browser := w.newBrowser()
			browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			q := url.Values{"id_token_hint": {row.hint}, "post_logout_redirect_uri": {row.back}, "state": {"s"}}
			got := w.get(browser, w.Base+logoutPath+"?"+q.Encode())
			if to := got.header.Get("Location"); to != row.to || (w.visitor == nil) != row.out {
				t.Errorf("sent to %s, signed out %v", to, w.visitor == nil)
			}
		})
	}
}

func TestDecisionsAboutAppsThatCantBe(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	for what, change := range map[string]func(*Decision){
		"no person":        func(d *Decision) { d.Person = "" },
		"no WebID":         func(d *Decision) { d.WebID = "" },
		"a party's rights": func(d *Decision) { d.GrantedDetails = []json.RawMessage{[]byte(`{"type":"evidence_request"}`)} },
		"a number":         func(d *Decision) { d.Claims = map[string]any{"pid": person} },
		"an old sign-in":   func(d *Decision) { d.AuthTime = time.Now().Add(-time.Hour) },
	} {
		w.decide = func(i Interaction) Decision { d := approve(i); change(&d); return d }
		if got := app.ask(w.newBrowser(), url.Values{"prompt": {"login"}}); got.status != 500 {
			t.Errorf("%s: %s", what, got)
		}
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add(`{"redirect_uris":["https://app.example/"]}`)
	f.Add(`{"redirect_uris":["a.b:/"],"application_type":"native","grant_types":["refresh_token"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var m registration
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		if a, err := m.app(); err == nil && (len(a.Redirects) == 0 || a.Person != "" || a.WebID != "") {
			t.Errorf("%s: %+v", text, a)
		}
	})
}

func FuzzClientIDDocument(f *testing.F) {
	f.Add(`{"@context":"https://www.w3.org/ns/solid/oidc-context.jsonld","client_id":"https://a.example/","redirect_uris":["https://a.example/"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := readDocument("https://a.example/", auth.Document{Body: []byte(text), MediaType: "application/ld+json"})
		if err == nil && (a.ID != "https://a.example/" || a.Secret != "" || len(a.Redirects) == 0) {
			t.Errorf("%s: %+v", text, a)
		}
	})
}
