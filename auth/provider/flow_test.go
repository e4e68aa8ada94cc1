// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
)

// waiting begins a journey with the browser, and stops it on the page: the
// person has not decided yet. It returns the interaction's id.
func (p *party) waiting(browser *http.Client) string {
	p.w.t.Helper()
	pushed := p.push(p.object(nil))
	follow := browser.CheckRedirect
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { browser.CheckRedirect = follow }()
	location := p.w.get(browser, p.w.authorizeURL(p.id, pushed.text("request_uri"))).header.Get("Location")
	id, ok := strings.CutPrefix(location, p.w.InteractionURL(""))
	if !ok {
		p.w.t.Fatalf("sent to %s", location)
	}
	return id
}

// from is a request of the browser, as the page would have it.
func (w *world) from(browser *http.Client) *http.Request {
	r := httptest.NewRequest("GET", w.Base+"/me/ask", nil)
	for _, cookie := range browser.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	return r
}

func TestACodeIsRedeemedOnce(t *testing.T) {
	w := newWorld(t)
	w.records.slow = codeKind
	for range 5 {
		code := w.ins.code()
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		start := make(chan bool)
		for range 50 {
			wg.Go(func() {
				<-start
				switch got := w.ins.redeem(code); {
				case got.status == 200:
					won.Add(1)
				case got.status == 400 && got.text("error") == "invalid_grant":
					lost.Add(1)
				default:
					t.Error(got)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 49 {
			t.Errorf("%d redeemed the code, %d were refused", won.Load(), lost.Load())
		}
	}
}

func TestAnInteractionEndsOnce(t *testing.T) {
	w := newWorld(t)
	browser := w.newBrowser()
	id := w.ins.waiting(browser)
	i, err := w.Interaction(w.from(browser), id)
	if err != nil {
		t.Fatal(err)
	}
	d := w.decide(i)
	w.records.slow = flowKind
	var decided, codes atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			next, err := w.Decide(w.from(browser), id, d)
			if err == nil {
				decided.Add(1)
			} else if !errors.Is(err, ErrDecided) || next == "" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 20 {
		wg.Go(func() {
			got := w.get(browser, w.Base+authorizePath+"/"+id)
			if strings.Contains(got.header.Get("Location"), "code=") {
				codes.Add(1)
			}
		})
	}
	wg.Wait()
	if decided.Load() != 1 || codes.Load() != 1 {
		t.Errorf("%d decisions and %d codes, want one each", decided.Load(), codes.Load())
	}
	if to := w.Again(w.from(browser), id); !strings.Contains(to, "code=") {
		t.Errorf("who pressed twice is sent to %q", to)
	}
	if to := w.Again(w.from(w.newBrowser()), id); to != "" {
		t.Errorf("another browser is sent to %q", to)
	}
	if to := w.Again(w.from(browser), id+"x"); to != "" {
		t.Errorf("of another interaction it is sent to %q", to)
	}
	w.Now = func() time.Time { return time.Now().Add(moment) }
	if to := w.Again(w.from(browser), id); to != "" {
		t.Errorf("after a moment it is sent to %q", to)
	}
}

func TestAnInteractionBelongsToItsBrowser(t *testing.T) {
	w := newWorld(t)
	hers, mallorys := w.newBrowser(), w.newBrowser()
	id := w.ins.waiting(hers)
	w.ins.waiting(mallorys) // who has a cookie too, of her own
	if _, err := w.Interaction(w.from(mallorys), id); !errors.Is(err, ErrNoInteraction) {
		t.Errorf("the other browser saw it: %v", err)
	}
	if _, err := w.Decide(w.from(mallorys), id, Decision{Declined: true}); !errors.Is(err, ErrNoInteraction) {
		t.Errorf("the other browser decided: %v", err)
	}
	if _, err := w.Interaction(w.from(w.newBrowser()), id); !errors.Is(err, ErrNoInteraction) {
		t.Errorf("a browser without a cookie saw it: %v", err)
	}
	if _, err := w.Decide(w.from(hers), id, Decision{Declined: true}); err != nil {
		t.Fatal(err)
	}
	for _, browser := range []*http.Client{mallorys, w.newBrowser()} {
		if got := w.get(browser, w.Base+authorizePath+"/"+id); got.status != 400 || !strings.Contains(got.body, string(OtherBrowser)) {
			t.Errorf("the other browser finished it: %s", got)
		}
	}
	if got := w.get(hers, w.Base+authorizePath+"/"+id).back(t, w.ins); got.Get("error") != "access_denied" {
		t.Errorf("sent back with %v", got)
	}
}

func TestARequestURI(t *testing.T) {
	w := newWorld(t)
	declines := func(Interaction) Decision { return Decision{Declined: true} }
	pushed := func() string { return w.ins.push(w.ins.object(nil)).text("request_uri") }

	t.Run("that another browser has used is refused there, and stays good", func(t *testing.T) {
		uri, hers := pushed(), w.newBrowser()
		w.decide = declines
		follow := hers.CheckRedirect
		hers.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		first := w.get(hers, w.authorizeURL("ins", uri)).header.Get("Location")
		if got := w.get(w.newBrowser(), w.authorizeURL("ins", uri)); !strings.Contains(got.body, string(OtherBrowser)) {
			t.Errorf("the other browser got %s", got)
		}
		if again := w.get(hers, w.authorizeURL("ins", uri)).header.Get("Location"); again != first || first == "" {
			t.Errorf("a reload leads to %s, want %s", again, first)
		}
		if beside := w.get(hers, w.authorizeURL("ins", uri)+"&scope=x&redirect_uri="+w.ins.redirect()).header.Get("Location"); beside != first {
			t.Errorf("with parameters beside it, which don't count: %s, want %s", beside, first)
		}
		hers.CheckRedirect = follow
		w.get(hers, first).back(t, w.ins)
		if got := w.get(hers, w.authorizeURL("ins", uri)); !strings.Contains(got.body, string(Expired)) {
			t.Errorf("after the end: %s", got)
		}
	})
	for _, row := range []struct {
		what, url string
		want      Reason
	}{
		{"of another client", w.authorizeURL("af", pushed()), BadRequest},
		{"that never was", w.authorizeURL("ins", "urn:ietf:params:oauth:request_uri:x"), Expired},
		{"that is missing", w.authorizeURL("ins", ""), BadRequest},
		{"of an unknown client", w.authorizeURL("x", pushed()), BadRequest},
		{"that is replaced by plain parameters", w.Base + authorizePath + "?client_id=ins&response_type=code&scope=openid&redirect_uri=https://ins.example/back", BadRequest},
		{"with a foreign redirect_uri beside it and a bad scope", w.authorizeURL("ins", "") + "&redirect_uri=https://evil.example/&scope=x", BadRequest},
	} {
		t.Run(row.what, func(t *testing.T) {
			got := w.get(w.newBrowser(), row.url)
			if got.status != 400 || got.body != "page: "+string(row.want) || got.header.Get("Location") != "" {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestNeitherAReloadNorAStrangerChangesAnInteraction(t *testing.T) {
	w := newWorld(t)
	uri, hers := w.ins.push(w.ins.object(nil)).text("request_uri"), w.newBrowser()
	hers.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	id := path.Base(w.get(hers, w.authorizeURL("ins", uri)).header.Get("Location"))
	before, _ := w.records.Load(t.Context(), flowKind, digest(id))
	time.Sleep(1100 * time.Millisecond) // the library counts in seconds
	for _, browser := range []*http.Client{hers, w.newBrowser()} {
		w.get(browser, w.authorizeURL("ins", uri))
		if after, _ := w.records.Load(t.Context(), flowKind, digest(id)); !reflect.DeepEqual(before, after) {
			t.Errorf("it became %s, %v; was %s, %v", after.Value, after.Until, before.Value, before.Until)
		}
	}
}

func TestAnInteractionEnds(t *testing.T) {
	late := atomic.Bool{}
	w := newWorld(t, func(o *Options) {
		o.Now = func() time.Time {
			if late.Load() {
				return time.Now().Add(time.Hour)
			}
			return time.Now()
		}
	})
	browser := w.newBrowser()
	id := w.ins.waiting(browser)
	late.Store(true)
	if _, err := w.Interaction(w.from(browser), id); !errors.Is(err, ErrNoInteraction) {
		t.Errorf("the page: %v", err)
	}
	if _, err := w.Decide(w.from(browser), id, Decision{Declined: true}); !errors.Is(err, ErrNoInteraction) {
		t.Errorf("the decision: %v", err)
	}
	if got := w.get(browser, w.Base+authorizePath+"/"+id); got.status != 400 || got.body != "page: "+string(Expired) {
		t.Errorf("the callback: %s", got)
	}
}

func TestTheCallbackBeforeTheDecisionLeadsToThePage(t *testing.T) {
	w := newWorld(t)
	w.decide = func(Interaction) Decision { return Decision{Declined: true} }
	browser := w.newBrowser()
	id := w.ins.waiting(browser)
	w.get(browser, w.Base+authorizePath+"/"+id).back(t, w.ins)
	if len(w.seen) != 1 || w.seen[0].ID != id {
		t.Errorf("the page saw %v", w.seen)
	}
}

func TestDecisionsThatCantBe(t *testing.T) {
	w := newWorld(t)
	browser := w.newBrowser()
	ins, af := w.ins.waiting(browser), w.af.waiting(browser)
	number := map[string]any{"pid": person}
	for _, row := range []struct {
		what   string
		id     string
		change func(*Decision)
	}{
		{"a number for a client that may not have it", ins, func(d *Decision) { d.Claims = number }},
		{"a claim that would replace iss", af, func(d *Decision) { d.Claims = map[string]any{"iss": "x"} }},
		{"no person", ins, func(d *Decision) { d.Person = "" }},
		{"no sub", ins, func(d *Decision) { d.Sub = "" }},
		{"no WebID", ins, func(d *Decision) { d.WebID = "" }},
		{"no time of sign-in", ins, func(d *Decision) { d.AuthTime = time.Time{} }},
		{"a detail of an unknown type", ins, func(d *Decision) { d.GrantedDetails = []json.RawMessage{[]byte(`{"type":"x"}`)} }},
		{"a detail that is no object", ins, func(d *Decision) { d.GrantedDetails = []json.RawMessage{[]byte(`3`)} }},
		{"a reason in the person's own words", ins, func(d *Decision) { d.Declined, d.Reason = true, "jag är \"rädd\"" }},
		{"more than a record holds", ins, func(d *Decision) {
			d.GrantedDetails = []json.RawMessage{[]byte(`{"type":"evidence_request","x":"` + strings.Repeat("x", 64<<10) + `"}`)}
		}},
	} {
		t.Run(row.what, func(t *testing.T) {
			i, err := w.Interaction(w.from(browser), row.id)
			if err != nil {
				t.Fatal(err)
			}
			d := w.decide(i)
			d.Claims = nil
			row.change(&d)
			if _, err := w.Decide(w.from(browser), row.id, d); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestWithoutItsRecordsItSaysTryAgain(t *testing.T) {
	w := newWorld(t)
	code, object, browser := w.ins.code(), w.ins.object(nil), w.newBrowser()
	w.records.broken = true
	for name, got := range map[string]answer{"redeem": w.ins.redeem(code), "push": w.ins.push(object)} {
		if got.status != 503 || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "disk") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := w.get(browser, w.authorizeURL("ins", "urn:ietf:params:oauth:request_uri:x")); got.status != 503 || got.body != "page: unavailable" {
		t.Errorf("authorize: %s", got)
	}
	w.records.broken = false
	if got := w.ins.redeem(code); got.status != 200 {
		t.Errorf("afterwards: %s", got)
	}
}

func TestTheCookie(t *testing.T) {
	for base, want := range map[string]string{
		"https://skrin.example": "__Host-skrin-browser", "http://127.0.0.1:1": "skrin-browser",
	} {
		rec := httptest.NewRecorder()
		p := &Provider{Options: Options{Base: base, InteractionLife: time.Hour}}
		p.markBrowser(rec, httptest.NewRequest("GET", "/", nil))
		c := rec.Result().Cookies()[0]
		if c.Name != want || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode ||
			c.Secure != strings.HasPrefix(base, "https:") || len(c.Value) != browserLen {
			t.Errorf("%s: %s", base, c)
		}
	}
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	got := w.get(http.DefaultClient, w.Base+discoveryPath)
	for name, want := range map[string]any{
		"issuer": w.Base, "token_endpoint": w.Base + "/.oidc/token", "jwks_uri": w.Base + "/.oidc/jwks",
		"authorization_endpoint":                         w.Base + "/.oidc/authorize",
		"pushed_authorization_request_endpoint":          w.Base + "/.oidc/par",
		"scopes_supported":                               []any{"openid", "webid", "offline_access"},
		"authorization_details_types_supported":          []any{"evidence_deposit", "evidence_request"},
		"code_challenge_methods_supported":               []any{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"registration_endpoint":                          w.Base + "/.oidc/register",
		"revocation_endpoint":                            w.Base + "/.oidc/revoke",
		"introspection_endpoint":                         w.Base + "/.oidc/introspect",
		"end_session_endpoint":                           w.Base + "/.oidc/logout",
		"userinfo_endpoint":                              w.Base + "/.oidc/userinfo",
		"id_token_signing_alg_values_supported":          []any{"ES256", "RS256"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token", "client_credentials"},
		"token_endpoint_auth_methods_supported":          []any{"private_key_jwt", "client_secret_basic", "client_secret_post", "none"},
		"subject_types_supported":                        []any{"pairwise", "public"},
		"acr_values_supported":                           []any{"urn:high", "urn:low"},
	} {
		if !reflect.DeepEqual(got.json[name], want) {
			t.Errorf("%s is %v, want %v", name, got.json[name], want)
		}
	}
	if claims, _ := got.json["claims_supported"].([]any); !slices.Contains(claims, "webid") {
		t.Error("claims_supported lacks webid")
	}
	if keys := w.get(http.DefaultClient, w.Base+jwksPath); strings.Contains(keys.body, `"d"`) || len(keys.json["keys"].([]any)) != 2 {
		t.Errorf("jwks: %s", keys)
	}
	for _, path := range []string{discoveryPath, jwksPath, tokenPath} {
		r, _ := http.NewRequest("OPTIONS", w.Base+path, nil)
		pre := w.do(http.DefaultClient, r)
		if pre.status != 204 || pre.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "DPoP") {
			t.Errorf("%s: preflight %v", path, pre.header)
		}
	}
	for _, path := range []string{"/userinfo", "/register", "/.oidc/x", "/.oidc/"} {
		r, _ := http.NewRequest("POST", w.Base+path, strings.NewReader("{}"))
		if got := w.do(http.DefaultClient, r); got.status != 404 {
			t.Errorf("%s is served: %s", path, got)
		}
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	issue := func() answer {
		return w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof())
	}
	old := issue().text("access_token")
	node, err := New(t.Context(), w.Options) // another node, or a restart
	if err != nil || node.keys.public(t.Context()).Keys[0].KeyID != w.keys.public(t.Context()).Keys[0].KeyID {
		t.Fatalf("another node has other keys: %v", err)
	}
	if err := node.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := node.keys.public(t.Context()).Keys[2].KeyID
	w.keys.loaded = w.keys.loaded.Add(-2 * keysRetry)
	if _, err := w.Key(t.Context(), fresh); err != nil {
		t.Errorf("the other node's new key isn't found: %v", err)
	}
	if _, err := w.Key(t.Context(), "x"); !errors.Is(err, auth.ErrNoKey) {
		t.Errorf("an unknown key: %v", err)
	}
	w.decode(old, "at+jwt") // what the old key signed stays good
	w.decode(issue().text("access_token"), "at+jwt")
	if err := node.keys.save(t.Context(), slices.Repeat(node.keys.pairs, keptPairs)); err != nil {
		t.Fatal(err)
	}
	if err := node.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(node.keys.public(t.Context()).Keys); n != 2*keptPairs {
		t.Errorf("%d keys are kept", n)
	}
	o := w.Options
	o.Key = []byte(strings.Repeat("x", 32))
	if _, err := New(t.Context(), o); err == nil {
		t.Error("it starts with the wrong key, and would have made new ones")
	}
}

func TestNothingThatIsSignedCanBeTakenForAToken(t *testing.T) {
	w := newWorld(t)
	for _, typ := range []string{"", "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "dpop+jwt"} {
		if _, err := w.Sign(t.Context(), typ, []byte(`{}`)); err == nil {
			t.Errorf("signed as %q", typ)
		}
	}
	signed, err := w.Sign(t.Context(), "skrin-receipt", []byte(`{"a":"b"}`))
	if err != nil || w.decode(signed, "skrin-receipt")["a"] != "b" {
		t.Errorf("%s, %v", signed, err)
	}
}

func TestNodesThatStartAtOnceMakeOneKey(t *testing.T) {
	w := newWorld(t)
	o := w.Options
	o.Records = &memory{records: map[[2]string]auth.Record{}, now: time.Now}
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			node, err := New(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = node.keys.public(t.Context()).Keys[0].KeyID
		})
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Error("nodes have different keys")
	}
}

func TestMissingOptionsStopIt(t *testing.T) {
	good := newWorld(t).Options
	for what, change := range map[string]func(*Options){
		"a base with a final slash": func(o *Options) { o.Base += "/" },
		"a base without a scheme":   func(o *Options) { o.Base = "skrin.example" },
		"no records":                func(o *Options) { o.Records = nil },
		"no check of details":       func(o *Options) { o.CheckDetails = nil },
		"a short key":               func(o *Options) { o.Key = o.Key[:16] },
		"tokens for a day":          func(o *Options) { o.TokenLife = 24 * time.Hour },
		"codes for an hour":         func(o *Options) { o.CodeLife = time.Hour },
		"interactions for a day":    func(o *Options) { o.InteractionLife = 24 * time.Hour },
	} {
		o := good
		change(&o)
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: it starts", what)
		}
	}
}

func FuzzRequestObject(f *testing.F) {
	w := newWorld(f)
	f.Add(w.ins.object(nil))
	f.Add(unsigned(w.ins.objectClaims()))
	f.Add("a.b.c")
	p := &Provider{Options: Options{Now: time.Now}}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := p.checkObject(text)
		if _, ok := errors.AsType[*refusal](err); err != nil && !ok {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzHint shows that no bytes are an ID token of ours.
func FuzzHint(f *testing.F) {
	w := newWorld(f)
	f.Add(w.ins.object(nil))
	f.Add(unsigned(w.ins.objectClaims()))
	f.Fuzz(func(t *testing.T, text string) {
		if client, webID, ok := w.readHint(t.Context(), text); ok || client != "" || webID != "" {
			t.Errorf("%q is a hint of %q, %q", text, client, webID)
		}
	})
}

// FuzzToken shows that no form gets a token, nor makes the server fail.
func FuzzToken(f *testing.F) {
	w := newWorld(f)
	handler := w.Handler()
	f.Add(w.ins.authenticated("a.b.c", url.Values{"grant_type": {"client_credentials"}}).Encode(), "e30.e30.")
	f.Add("grant_type=authorization_code&client_id=app_x&code=x&code_verifier=y", "")
	f.Add("grant_type=refresh_token&refresh_token=%00&client_id=https%3A%2F%2F", "")
	f.Fuzz(func(t *testing.T, form, proof string) {
		for _, path := range []string{tokenPath, parPath, revokePath, introspectPath} {
			r := httptest.NewRequest("POST", path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header["Dpop"] = []string{proof}
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, r)
			if rec.Code < 400 || rec.Code >= 500 {
				t.Errorf("%s: %d for %q, %q: %s", path, rec.Code, form, proof, rec.Body)
			}
		}
	})
}

func BenchmarkClientCredentials(b *testing.B) {
	w := newWorld(b)
	handler := w.Handler()
	requests := make([]*http.Request, b.N) // made beforehand: the client's signing isn't what is measured
	for i := range requests {
		form := w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}})
		requests[i] = httptest.NewRequest("POST", tokenPath, strings.NewReader(form.Encode()))
		requests[i].Header.Set("Content-Type", "application/x-www-form-urlencoded")
		maps.Copy(requests[i].Header, w.ins.proof())
	}
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, requests[next.Add(1)-1])
			if rec.Code != 200 {
				b.Error(rec.Body)
			}
		}
	})
}
