// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"skrin/auth/dpop"
	"skrin/ldp/client"
	"skrin/pod/credential"
)

// A push is a pushed authorization request, taken apart so that each part can be
// made wrong.
type push struct {
	claims    map[string]any // of the request object
	key       jose.JSONWebKey
	unsigned  bool // send the claims as plain parameters
	algNone   bool
	assertion map[string]any
	signer    jose.JSONWebKey // of the assertion
}

func (r *running) push(id, redirect string, detail map[string]any) *push {
	c := r.party(id)
	now := time.Now()
	return &push{
		key: c.Key, signer: c.Key,
		claims: map[string]any{
			"iss": id, "aud": r.Base, "client_id": id, "response_type": "code", "scope": "openid webid", "redirect_uri": redirect,
			"state": "s", "nonce": "n", "code_challenge": strings.Repeat("x", 43), "code_challenge_method": "S256",
			"authorization_details": []any{detail}, "nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(4 * time.Minute).Unix(), "jti": rand.Text(),
		},
		assertion: map[string]any{"iss": id, "sub": id, "aud": r.Base, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()},
	}
}

func signed(t *testing.T, key jose.JSONWebKey, typ string, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// send pushes, and returns the status, the error code and the whole answer.
func (r *running) send(p *push) (int, string, string) {
	r.t.Helper()
	form := url.Values{
		"client_id":             {fmt.Sprint(p.assertion["iss"])},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {signed(r.t, p.signer, "JWT", p.assertion)},
	}
	switch {
	case p.unsigned:
		for name, value := range p.claims {
			text, ok := value.(string)
			if !ok {
				b, err := json.Marshal(value)
				if err != nil {
					r.t.Fatal(err)
				}
				text = string(b)
			}
			form.Set(name, text)
		}
	case p.algNone:
		parts := strings.Split(signed(r.t, p.key, "oauth-authz-req+jwt", p.claims), ".")
		form.Set("request", "eyJhbGciOiJub25lIiwidHlwIjoib2F1dGgtYXV0aHotcmVxK2p3dCJ9."+parts[1]+".")
	default:
		form.Set("request", signed(r.t, p.key, "oauth-authz-req+jwt", p.claims))
	}
	resp, err := http.PostForm(r.Base+"/.oidc/par", form)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var told struct {
		Error string `json:"error"`
	}
	json.Unmarshal(body, &told)
	return resp.StatusCode, told.Error, string(body)
}

func wanted() map[string]any {
	return map[string]any{
		"type": "evidence_request", "reference": "skade/4711", "use": "ink-2026", "evidence_type": "se:af:arbetsloshetsintyg:1",
		"fields": []string{"registered_at_least_30_days"}, "purpose": "https://w3id.org/dpv#CustomerClaimsManagement",
		"until": time.Now().AddDate(0, 2, 0).Format(time.DateOnly),
	}
}

// TestRequestsThatAreRefused: what a consumer may not ask is refused where it
// asks, in words, and never reaches a person.
func TestRequestsThatAreRefused(t *testing.T) {
	r := startDemo(t, t.TempDir())
	callback := r.origins[2] + "/callback"
	other := r.mallory()
	detail := func(name string, value any) func(*push) {
		return func(p *push) { p.claims["authorization_details"].([]any)[0].(map[string]any)[name] = value }
	}
	claim := func(name string, value any) func(*push) { return func(p *push) { p.claims[name] = value } }
	for _, row := range []struct {
		is    string
		spoil func(*push)
		want  string // the error; "" for none
	}{
		{"as registered", func(*push) {}, ""},
		{"unsigned", func(p *push) { p.unsigned = true }, "invalid_request"},
		{"signed with alg none", func(p *push) { p.algNone = true }, "invalid_request_object"},
		{"signed by another", func(p *push) { p.key = other.Key }, "invalid_request_object"},
		{"expired", claim("exp", time.Now().Add(-time.Hour).Unix()), "invalid_request_object"},
		{"for another server", claim("aud", "https://elsewhere.example"), "invalid_request_object"},
		{"in another's name", claim("iss", "mallory"), "invalid_request_object"},
		{"with a foreign return URL", claim("redirect_uri", "https://mallory.example.se/callback"), "invalid_request"},
		{"with a return URL beside the registered one", claim("redirect_uri", callback+"/x"), "invalid_request"},
		{"without PKCE", claim("code_challenge", ""), "invalid_request"},
		{"for a purpose it isn't registered for", detail("purpose", "https://w3id.org/dpv#DirectMarketing"), "invalid_authorization_details"},
		{"for a field it isn't registered for", detail("fields", []string{"registration_date"}), "invalid_authorization_details"},
		{"for a use that isn't its own", detail("use", "reklam-2026"), "invalid_authorization_details"},
		{"for ever", detail("until", "2099-01-01"), "invalid_authorization_details"},
		{"for what can't be asked", detail("type", "everything"), "invalid_authorization_details"},
		{"to deposit, which it may not", func(p *push) {
			p.claims["authorization_details"] = []any{map[string]any{"type": "evidence_deposit", "evidence_types": []string{"se:af:arbetsloshetsintyg:1"}}}
		}, "invalid_authorization_details"},
		{"by a client that isn't registered", func(p *push) { p.assertion["iss"], p.assertion["sub"] = "nobody", "nobody" }, "invalid_client"},
		{"with an assertion signed by another", func(p *push) { p.signer = other.Key }, "invalid_client"},
	} {
		p := r.push("exempel-forsakring", callback, wanted())
		row.spoil(p)
		code, told, body := r.send(p)
		switch {
		case row.want == "" && code != http.StatusCreated:
			t.Errorf("%s: %d %s", row.is, code, body)
		case row.want != "" && (code < 400 || code > 499 || !strings.HasPrefix(told, row.want)):
			t.Errorf("%s: %d %s, want %s", row.is, code, body, row.want)
		case row.want != "" && !strings.Contains(body, "error_description"):
			t.Errorf("%s: no word on what to mend: %s", row.is, body)
		}
	}
}

// TestUnsignedRequestsInABrowser: what no registered party has signed and pushed
// ends on a page of ours, and sends the browser nowhere.
func TestUnsignedRequestsInABrowser(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	party := url.Values{"client_id": {"exempel-forsakring"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}}
	for is, more := range map[string]url.Values{
		"unsigned":                  {"redirect_uri": {r.origins[2] + "/callback"}},
		"to a foreign return URL":   {"redirect_uri": {"https://mallory.example.se/callback"}},
		"with an unsigned question": {"redirect_uri": {r.origins[2] + "/callback"}, "authorization_details": {`[{"type":"evidence_request"}]`}},
		"signed by nobody":          {"redirect_uri": {r.origins[2] + "/callback"}, "request": {"eyJhbGciOiJub25lIn0.e30."}},
		"pushed by nobody":          {"request_uri": {"urn:ietf:params:oauth:request_uri:x"}},
	} {
		query := url.Values{}
		for _, v := range []url.Values{party, more} {
			for name, values := range v {
				query[name] = values
			}
		}
		b.open(r.Base + "/.oidc/authorize?" + query.Encode())
		if !strings.HasPrefix(b.at.String(), r.Base) || b.status < 400 || !b.says("Frågan gäller inte längre") {
			t.Errorf("%s: %d at %s: %s", is, b.status, b.at, b.text())
		}
	}
}

// TestTokensThatAreRefused: whose token it is, and who holds its key, is proved
// at each request.
func TestTokensThatAreRefused(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	evidence, deposit := r.granted("Alva Lindqvist")

	insurer := r.party("exempel-forsakring")
	token, err := insurer.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	proof := func(k *dpop.Key, method, url, token string, at time.Time) string {
		p, err := k.Proof(method, url, token, "", at)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	now := time.Now()
	used := proof(insurer.DPoP, "GET", evidence, token, now)
	flipped := token[:len(token)-8] + "AAAAAAAA"
	for _, row := range []struct {
		is, scheme, token, proof string
		want                     int
	}{
		{"a good token and proof", "DPoP", token, used, 200},
		{"the proof once more", "DPoP", token, used, 401},
		{"nothing", "", "", "", 401},
		{"the token as Bearer", "Bearer", token, "", 401},
		{"the token without a proof", "DPoP", token, "", 401},
		{"a proof by another key", "DPoP", token, proof(foreign, "GET", evidence, token, now), 401},
		{"a proof for another method", "DPoP", token, proof(insurer.DPoP, "PUT", evidence, token, now), 401},
		{"a proof for the container", "DPoP", token, proof(insurer.DPoP, "GET", evidence[:strings.LastIndex(evidence, "/")+1], token, now), 401},
		{"an old proof", "DPoP", token, proof(insurer.DPoP, "GET", evidence, token, now.Add(-time.Hour)), 401},
		{"a proof from the future", "DPoP", token, proof(insurer.DPoP, "GET", evidence, token, now.Add(time.Hour)), 401},
		{"a token with a flipped signature", "DPoP", flipped, proof(insurer.DPoP, "GET", evidence, flipped, now), 401},
		{"rubbish", "DPoP", "rubbish", proof(insurer.DPoP, "GET", evidence, "rubbish", now), 401},
	} {
		req, err := http.NewRequest("GET", evidence, nil)
		if err != nil {
			t.Fatal(err)
		}
		if row.scheme != "" {
			req.Header.Set("Authorization", row.scheme+" "+row.token)
		}
		if row.proof != "" {
			req.Header.Set("DPoP", row.proof)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != row.want || row.want == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "DPoP") {
			t.Errorf("%s: %d %s %s", row.is, resp.StatusCode, resp.Header.Get("WWW-Authenticate"), body)
		}
	}

	mallory := r.mallory()
	for is, address := range map[string]string{
		"evidence of another's": evidence, "a space that isn't hers": deposit, "a space that isn't": r.Base + "/w/aaaaaaaaaaaaaaaaaaaaaaaaaa/evidence/aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"the list of it": evidence[:strings.LastIndex(evidence, "/")+1],
	} {
		if s := statusOf(mallory.Get(t.Context(), address, "")); s != 403 {
			t.Errorf("Mallory reads %s: %d", is, s)
		}
	}
	b.open(r.Base + "/me/log")
	b.sees("Mallorys marknadsföring (exempel) försökte göra något")
}

// TestAnExpiredTokenIsRefused with a server whose tokens live a second.
func TestAnExpiredTokenIsRefused(t *testing.T) {
	r := startDemo(t, t.TempDir())
	verifier := r.verifier()
	insurer := r.party("exempel-forsakring")
	token, err := insurer.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for after, good := range map[time.Duration]bool{0: true, r.Token + time.Minute: false} {
		at := time.Now().Add(after)
		verifier.Now = func() time.Time { return at }
		verifier.Proofs.Now = verifier.Now
		req, err := http.NewRequest("GET", r.Base+"/w/x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := insurer.DPoP.Proof("GET", req.URL.String(), token, "", at)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("DPoP", proof)
		if _, err := verifier.Identify(req); (err == nil) != good {
			t.Errorf("after %v: %v", after, err)
		}
	}
}

// TestDepositsThatAreRefused over HTTP: each with a problem document that says
// what to mend, and nothing is stored. All that is wrong inside a signed form is
// in the table of package pod.
func TestDepositsThatAreRefused(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	_, deposit := r.granted("Alva Lindqvist")
	authority, mallory := r.party("arbetsformedlingen"), r.mallory()
	form := func(key jose.JSONWebKey, vct, issuer string) string {
		s, err := credential.Issue(key, credential.Statement{
			Type: vct, Issuer: issuer, Issued: time.Now(), Expires: time.Now().AddDate(0, 1, 0),
			Claims: []credential.Claim{{Name: "registered", Value: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const vct = "https://af.example.se/vct/arbetsloshetsintyg/1"
	for _, row := range []struct {
		is, mediaType, body string
		want                int
	}{
		{"malformed Turtle", "text/turtle", "<#evidence> a", 400},
		{"malformed JSON-LD", "application/ld+json", "{", 400},
		{"nested without end", "application/ld+json", strings.Repeat(`{"http://x/":`, 20_000), 400},
		{"six bytes that end other servers", "text/turtle", ".0e0Sp", 400},
		{"unsigned", "text/turtle", "<#evidence> a <http://data.europa.eu/m8g/Evidence> .", 422},
		{"signed by another", credential.MediaType, form(mallory.Key, vct, r.origins[1]), 422},
		{"about a type it may not issue", credential.MediaType, form(authority.Key, "https://udi.example.no/vct/permit/1", r.origins[1]), 422},
		{"in another's name", credential.MediaType, form(authority.Key, vct, "https://udi.example.no"), 422},
		{"not evidence at all", "image/png", "\x89PNG", 415},
		{"too large", credential.MediaType, strings.Repeat("x", 600<<10), 413},
	} {
		_, err := authority.Post(t.Context(), deposit, client.Content{Type: row.mediaType, Body: []byte(row.body)})
		p := new(client.Problem)
		if !errors.As(err, &p) || p.Status != row.want || p.Detail == "" {
			t.Errorf("%s: %v, want %d", row.is, err, row.want)
		}
	}
	_, err := mallory.Post(t.Context(), deposit, client.Content{Type: credential.MediaType, Body: []byte(form(mallory.Key, vct, "https://mallory.example.se"))})
	if p := new(client.Problem); !errors.As(err, &p) || p.Status != 403 {
		t.Errorf("Mallory deposits: %v", err)
	}
	b.open(r.Base + "/me/evidence")
	b.sees("Du har inga intyg än")
	good, err := authority.Post(t.Context(), deposit, client.Content{Type: credential.MediaType, Body: []byte(form(authority.Key, vct, r.origins[1]))})
	if err != nil || good.Location == "" || !bytes.Contains(good.Body, []byte(".")) {
		t.Errorf("a good one after all that: %+v, %v", good, err)
	}
}

// TestEveryRefusalHasOneForm: whatever route refuses, a program is sent a problem
// document, and a browser a page; and what a limit refuses is counted.
func TestEveryRefusalHasOneForm(t *testing.T) {
	w := newWorld(t)
	signIn := w.Base + "/me/sign-in/"
	big := "x=" + strings.Repeat("y", 1<<21)
	for _, row := range []struct {
		is, method, at, body string
		status               int
		counted              string // by which limit
	}{
		{"no such party", "GET", w.Base + "/.parties/nobody", "", 404, ""},
		{"no such type of evidence", "GET", w.Base + "/.parties/types/nothing", "", 404, ""},
		{"a register says it in another form", "POST", w.Base + "/.identities/", "{}", 415, ""},
		{"an eID has no such page", "GET", signIn + "exempel-eid/nothing", "", 404, ""},
		{"an eID's page can't be written", "DELETE", signIn + "exempel-eid", "", 405, ""},
		{"a pod isn't there", "GET", w.Base + "/nobodyspod/", "", 401, ""},
		{"a recovery code is tried too often", "POST", signIn + "passkey/recover", "code=x", 429, byLogins},
		{"a form is too large", "POST", w.Base + "/me/language", big, 413, bySize},
	} {
		for _, accept := range []string{"application/json", "text/html"} {
			before := 0.0
			if row.counted != "" {
				before = w.guard.value(t, "skrin_refusals_total", `"`+row.counted+`"`)
			}
			var resp *http.Response
			for range 200 {
				req, err := http.NewRequestWithContext(t.Context(), row.method, row.at, strings.NewReader(row.body))
				must(t, err)
				req.Header.Set("Accept", accept)
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Origin", w.Base)
				resp, err = http.DefaultClient.Do(req)
				must(t, err)
				if row.status != 429 || resp.StatusCode == 429 {
					break
				}
				resp.Body.Close()
			}
			text, err := io.ReadAll(resp.Body)
			must(t, err)
			resp.Body.Close()
			media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
			want := map[string]string{"application/json": "application/problem+json", "text/html": "text/html"}[accept]
			if row.is == "a form is too large" {
				want = "text/html" // a page's form is sent by browsers alone
			}
			if resp.StatusCode != row.status || media != want || len(text) < 40 {
				t.Errorf("%s, to %s: %d %s %s", row.is, accept, resp.StatusCode, media, text)
			}
			if row.counted != "" && w.guard.value(t, "skrin_refusals_total", `"`+row.counted+`"`) <= before {
				t.Errorf("%s: it isn't counted", row.is)
			}
			if row.status == 405 && resp.Header.Get("Allow") == "" || row.status == 429 && resp.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %v", row.is, resp.Header)
			}
		}
	}
}
