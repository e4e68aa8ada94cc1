// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"skrin/auth"
	"skrin/auth/dpop"
)

// memory is the smallest auth.Records. broken makes every call fail; slow is the
// kind that takes long to load, so that those who race have all loaded it
// before one of them saves.
type memory struct {
	sync.Mutex
	records map[[2]string]auth.Record
	now     func() time.Time
	broken  bool
	slow    string
}

var errBroken = errors.New("the disk is gone")

func (m *memory) live(kind, key string) (auth.Record, bool) {
	r, ok := m.records[[2]string{kind, key}]
	return r, ok && (r.Until.IsZero() || m.now().Before(r.Until))
}

func (m *memory) Load(_ context.Context, kind, key string) (auth.Record, error) {
	m.Lock()
	defer m.Unlock()
	if m.broken {
		return auth.Record{}, errBroken
	}
	r, ok := m.live(kind, key)
	if !ok {
		return auth.Record{}, auth.ErrNoRecord
	}
	r.Value = slices.Clone(r.Value)
	if kind == m.slow {
		m.Unlock()
		time.Sleep(50 * time.Millisecond)
		m.Lock()
	}
	return r, nil
}

func (m *memory) Save(_ context.Context, kind, key string, r auth.Record) error {
	m.Lock()
	defer m.Unlock()
	if m.broken {
		return errBroken
	}
	if old, _ := m.live(kind, key); old.Version != r.Version {
		return auth.ErrChanged
	}
	r.Version++
	r.Value = slices.Clone(r.Value)
	m.records[[2]string{kind, key}] = r
	return nil
}

func (m *memory) Delete(_ context.Context, kind, key string) error {
	m.Lock()
	defer m.Unlock()
	delete(m.records, [2]string{kind, key})
	return nil
}

func (m *memory) List(_ context.Context, kind, prefix, after string, limit int) ([]string, error) {
	m.Lock()
	defer m.Unlock()
	var keys []string
	for k := range m.records {
		if _, ok := m.live(k[0], k[1]); ok && k[0] == kind && strings.HasPrefix(k[1], prefix) && k[1] > after {
			keys = append(keys, k[1])
		}
	}
	slices.Sort(keys)
	return keys[:min(len(keys), limit)], nil
}

// dump is all that a thief of the store would have.
func (m *memory) dump() string {
	m.Lock()
	defer m.Unlock()
	var b strings.Builder
	for key, r := range m.records {
		fmt.Fprintf(&b, "%s %s %s\n", key[0], key[1], r.Value)
	}
	return b.String()
}

// A party is a registered client with its keys.
type party struct {
	w    *world
	id   string
	key  *ecdsa.PrivateKey
	dpop *dpop.Key
}

// A world is a server with the provider and a page where persons decide, and
// two parties.
type world struct {
	*Provider
	records *memory
	clients map[string]Client
	af, ins *party
	decide  func(Interaction) Decision // what the person decides on the page
	seen    []Interaction              // what the page was told
	visitor *Visitor                   // who has signed in
	t       testing.TB
}

func (w *world) Client(_ context.Context, id string) (Client, error) {
	c, ok := w.clients[id]
	if !ok {
		return Client{}, ErrNoClient
	}
	return c, nil
}

const person = "19121212-1212"

func newWorld(t testing.TB, change ...func(*Options)) *world {
	w := &world{t: t, clients: map[string]Client{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.records = &memory{records: map[[2]string]auth.Record{}, now: time.Now}
	o := Options{
		Base: server.URL, Records: w.records, Clients: w, Key: []byte(strings.Repeat("k", 32)), Now: time.Now,
		CheckDetails: func(_ context.Context, client string, details []json.RawMessage) error {
			for _, d := range details {
				if strings.Contains(string(d), "forbidden") {
					return errors.New("this purpose is not among those that the client is registered for")
				}
			}
			return nil
		},
		InteractionURL: func(id string) string { return server.URL + "/me/ask/" + id },
		Page: func(w http.ResponseWriter, _ *http.Request, status int, reason Reason) {
			w.WriteHeader(status)
			fmt.Fprint(w, "page: ", reason)
		},
		Spent: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
		},
		SignedIn: func(*http.Request) (*Visitor, error) { return w.visitor, nil },
		SignOut:  func(*http.Request) error { w.visitor = nil; return nil },
		Fetch:    auth.Guarded(true),
		ACRs:     []string{"urn:high", "urn:low"},
		Reach: func(level string, enough []string) bool {
			return slices.Contains(enough, level) || level == "urn:high" && slices.Contains(enough, "urn:low")
		},
		TokenLife: 5 * time.Minute, CodeLife: time.Minute, InteractionLife: time.Hour,
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if w.Provider, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/.oidc/", w.Handler())
	mux.Handle("/.well-known/", w.Handler())
	mux.HandleFunc("GET /me/ask/{id}", w.page)
	w.af, w.ins = w.register("af", true), w.register("ins", false)
	w.decide = func(i Interaction) Decision {
		d := Decision{
			Person: "p1", WebID: "http://skrin.example/w/abc/card#me", Sub: "pairwise-1", GrantedDetails: i.Details,
			AuthTime: time.Now(), ACR: "urn:high",
		}
		if i.ClientID == "af" {
			d.Claims = map[string]any{"https://id.oidc.se/claim/personalIdentityNumber": person}
		}
		return d
	}
	return w
}

func (w *world) page(rw http.ResponseWriter, r *http.Request) {
	i, err := w.Interaction(r, r.PathValue("id"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusNotFound)
		return
	}
	w.seen = append(w.seen, i)
	next, err := w.Decide(r, i.ID, w.decide(i))
	if err != nil && !errors.Is(err, ErrDecided) {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(rw, r, next, http.StatusSeeOther)
}

func (w *world) register(id string, identity bool) *party {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	proofs, err := dpop.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	w.clients[id] = Client{
		ID: id, Name: id + " (exempel)", WebID: "http://skrin.example/.parties/" + "x#it", IdentityClaims: identity,
		KeySet:       keySet(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}}),
		RedirectURIs: []string{"https://" + id + ".example/back"},
	}
	return &party{w, id, key, proofs}
}

func keySet(set jose.JSONWebKeySet) func(string) jose.JSONWebKeySet {
	return func(string) jose.JSONWebKeySet { return set }
}

// claims are of a JWT to be; a nil value leaves a claim out.
type claims map[string]any

func (c claims) with(changes claims) claims {
	c = maps.Clone(c)
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, typ, kid string, c claims) string {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unsigned makes a JWT with alg none.
func unsigned(c claims) string {
	payload, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"oauth-authz-req+jwt"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(payload) + "."
}

func (p *party) assertionClaims() claims {
	now := time.Now().Unix()
	return claims{"iss": p.id, "sub": p.id, "aud": p.w.Base, "jti": rand.Text(), "iat": now, "exp": now + 60}
}

func (p *party) assertion(changes claims) string {
	return sign(p.w.t, jose.ES256, p.key, "JWT", "1", p.assertionClaims().with(changes))
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *party) redirect() string { return "https://" + p.id + ".example/back" }

func (p *party) objectClaims() claims {
	now := time.Now().Unix()
	return claims{
		"iss": p.id, "aud": p.w.Base, "jti": rand.Text(), "iat": now, "nbf": now, "exp": now + 300,
		"client_id": p.id, "response_type": "code", "redirect_uri": p.redirect(), "scope": "openid webid",
		"state": "st", "nonce": "no", "code_challenge": challenge(verifier), "code_challenge_method": "S256",
		"ui_locales": "sv nb", "acr_values": "urn:high",
		"authorization_details": []any{map[string]any{"type": EvidenceRequest, "purpose": "urn:insure"}},
	}
}

func (p *party) object(changes claims) string {
	return sign(p.w.t, jose.ES256, p.key, "oauth-authz-req+jwt", "1", p.objectClaims().with(changes))
}

// An answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) text(name string) string { s, _ := a.json[name].(string); return s }

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func (w *world) post(path string, form url.Values, header http.Header) answer {
	r, err := http.NewRequest("POST", w.Base+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	maps.Copy(r.Header, header)
	return w.do(http.DefaultClient, r)
}

func (w *world) do(client *http.Client, r *http.Request) answer {
	resp, err := client.Do(r)
	if err != nil {
		w.t.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	a := answer{resp.StatusCode, resp.Header, string(body), map[string]any{}}
	_ = json.Unmarshal(body, &a.json) // pages aren't JSON
	return a
}

func (p *party) authenticated(assertion string, more url.Values) url.Values {
	form := url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	maps.Copy(form, more)
	return form
}

func (p *party) push(object string) answer {
	return p.w.post(parPath, p.authenticated(p.assertion(nil), url.Values{"request": {object}}), nil)
}

func (p *party) proof() http.Header {
	proof, err := p.dpop.Proof("POST", p.w.Base+tokenPath, "", "", time.Now())
	if err != nil {
		p.w.t.Fatal(err)
	}
	return http.Header{"Dpop": {proof}}
}

func codeForm(redirect, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

func (p *party) redeem(code string) answer {
	return p.w.post(tokenPath, p.authenticated(p.assertion(nil), codeForm(p.redirect(), code)), p.proof())
}

// newBrowser keeps cookies, and stops before it leaves the server.
func (w *world) newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), w.Base) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func (w *world) get(browser *http.Client, target string) answer {
	r, err := http.NewRequest("GET", target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(browser, r)
}

func (w *world) authorizeURL(client, requestURI string) string {
	return w.Base + authorizePath + "?" + url.Values{"client_id": {client}, "request_uri": {requestURI}}.Encode()
}

// back returns the parameters with which the browser is sent to the client.
func (a answer) back(t testing.TB, p *party) url.Values {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), p.redirect()+"?") {
		t.Fatalf("not sent back to %s: %s, %s", p.redirect(), a, a.header.Get("Location"))
	}
	return u.Query()
}

// journey goes from the pushed request to the client's redirect URI.
func (p *party) journey(object string) url.Values {
	p.w.t.Helper()
	pushed := p.push(object)
	if pushed.status != http.StatusCreated {
		p.w.t.Fatalf("push: %s", pushed)
	}
	return p.w.get(p.w.newBrowser(), p.w.authorizeURL(p.id, pushed.text("request_uri"))).back(p.w.t, p)
}

func (p *party) code() string { p.w.t.Helper(); return p.journey(p.object(nil)).Get("code") }

// decode verifies a token with the published keys.
func (w *world) decode(token, typ string) map[string]any {
	w.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.get(http.DefaultClient, w.Base+jwksPath).body), &set); err != nil {
		w.t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		w.t.Fatalf("%v: %q", err, token)
	}
	if got := parsed.Headers[0].ExtraHeaders[jose.HeaderType]; got != typ {
		w.t.Errorf("typ %v, want %s", got, typ)
	}
	var c map[string]any
	if err := parsed.Claims(set, &c); err != nil {
		w.t.Fatal(err)
	}
	return c
}
