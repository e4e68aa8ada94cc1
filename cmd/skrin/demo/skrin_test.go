// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A skrin stands in for the server: it believes everybody, agrees or declines at
// once as it is told, and remembers what it was sent. What the real one makes of
// the two organisations is tested with the real one, in cmd/skrin.
type skrin struct {
	*httptest.Server
	t   *testing.T
	key jose.JSONWebKey

	mu       sync.Mutex
	now      time.Time
	number   string // of the person who agrees; "" for none
	decline  bool
	about    string                    // whom notifications are about; "" for the person who agreed
	place    string                    // where the spaces are said to be; "" for here
	asked    map[string]map[string]any // request objects, by request_uri and by code
	status   int                       // of the answer to the next deposits and reads
	deposits []received
	evidence map[string]string         // what is read, by media type
	nonces   map[string]bool           // that were asked to be answered
	prove    func(nonce string) string // answers a read that asks for proof; nil where none can be given
}

type received struct{ key, body string }

func newSkrin(t *testing.T) *skrin {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &skrin{
		t: t, key: jose.JSONWebKey{Key: private, KeyID: "s1", Algorithm: "ES256"},
		now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), asked: map[string]map[string]any{}, status: 200, evidence: map[string]string{}, nonces: map[string]bool{},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *skrin) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *skrin) webID() string { return s.URL + "/w/abc/card#me" }

func (s *skrin) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer(200, map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
			"pushed_authorization_request_endpoint": s.URL + "/par", "jwks_uri": s.URL + "/jwks",
		})
	case "/jwks":
		answer(200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
	case "/par":
		uri := "urn:" + rand.Text()
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.PostFormValue("request"), ".")[1])
		var object map[string]any
		_ = json.Unmarshal(payload, &object)
		s.asked[uri] = object
		answer(201, map[string]any{"request_uri": uri, "expires_in": 90})
	case "/authorize":
		s.authorize(w, r)
	case "/token":
		tokens := map[string]any{"access_token": rand.Text(), "token_type": "DPoP", "expires_in": 300}
		if code := r.PostFormValue("code"); code != "" {
			tokens["id_token"], tokens["authorization_details"] = s.granted(s.asked[code])
		}
		answer(200, tokens)
	default:
		s.resource(w, r)
	}
}

// authorize is the person, who answers at once.
func (s *skrin) authorize(w http.ResponseWriter, r *http.Request) {
	object := s.asked[r.FormValue("request_uri")]
	back := url.Values{"iss": {s.URL}, "state": {object["state"].(string)}}
	if s.decline {
		back.Set("error", "access_denied")
	} else {
		code := rand.Text()
		s.asked[code] = object
		back.Set("code", code)
	}
	http.Redirect(w, r, object["redirect_uri"].(string)+"?"+back.Encode(), http.StatusSeeOther)
}

func (s *skrin) granted(object map[string]any) (string, []any) {
	claims := map[string]any{
		"iss": s.URL, "sub": "p1", "aud": object["client_id"], "nonce": object["nonce"],
		"iat": s.now.Unix(), "exp": s.now.Add(time.Minute).Unix(), "webid": s.webID(),
	}
	d := object["authorization_details"].([]any)[0].(map[string]any)
	at := cmp.Or(s.place, s.URL) + "/w/abc"
	d["locations"] = []string{at + "/deposit/"}
	if d["type"] == "evidence_request" {
		d["locations"], d["consent"] = []string{at + "/evidence/e1"}, "c1"
		d["fields"] = append(d["fields"].([]any), "registered") // the person chose it
		delete(d, "optional_fields")
	} else if s.number != "" {
		claims["https://id.oidc.se/claim/personalIdentityNumber"] = s.number
	}
	return s.sign("JWT", claims), []any{d}
}

func (s *skrin) sign(typ jose.ContentType, claims any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		s.t.Fatal(err)
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

// resource is the space: a place to deposit, and evidence.
func (s *skrin) resource(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "DPoP ") || r.Header.Get("DPoP") == "" {
		s.t.Errorf("%s %s came without a bound token", r.Method, r.URL.Path)
	}
	if strings.HasSuffix(r.URL.Path, "/keys/") {
		var set jose.JSONWebKeySet
		for range forms {
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				s.t.Fatal(err)
			}
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public()})
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(set)
		return
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		s.deposits = append(s.deposits, received{r.Header.Get("Idempotency-Key"), string(body)})
		if s.status == 200 {
			w.Header().Set("Location", s.URL+"/w/abc/deposit/d1")
			w.Header().Set("Content-Type", "application/jwt")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "the.signed.receipt")
			return
		}
	}
	w.Header().Set("Content-Type", r.Header.Get("Accept"))
	if nonce := r.Header.Get("Presentation-Nonce"); nonce != "" && s.status == 200 {
		if s.nonces[nonce] {
			s.t.Error("a nonce was used twice: an old proof would answer it")
		}
		s.nonces[nonce] = true
		if s.prove == nil {
			w.WriteHeader(http.StatusConflict)
			return
		}
		_, _ = io.WriteString(w, s.prove(nonce))
		return
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.evidence[r.Header.Get("Accept")])
}

// notify sends an organisation a notification, and gives the status.
func (s *skrin) notify(to, audience, id, kind string, says map[string]any) int {
	s.t.Helper()
	token := s.sign("secevent+jwt", map[string]any{
		"iss": s.URL, "aud": audience, "jti": id, "iat": s.clock().Unix(),
		"sub_id": map[string]any{"format": "uri", "uri": cmp.Or(s.about, s.webID())},
		"events": map[string]any{s.URL + "/ns/core#" + kind: says},
	})
	resp, err := http.Post(to+"/notices", "application/secevent+jwt", strings.NewReader(token))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// A place is where an organisation's site is reached; what serves it can be
// replaced, as at a restart.
type place struct {
	*httptest.Server
	mu      sync.Mutex
	handler http.Handler
}

func newPlace(t *testing.T) *place {
	p := &place{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		h := p.handler
		p.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *place) serve(h http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

func options(t *testing.T, s *skrin, at *place, id, dir string, log *bytes.Buffer) Options {
	t.Helper()
	return Options{
		Origin: at.URL, Server: s.URL, ID: id, Dir: dir, HTTP: &http.Client{Timeout: 5 * time.Second},
		Log: slog.New(slog.NewTextHandler(log, nil)), Now: s.clock,
	}
}

// A browser is a person's, without JavaScript.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{&http.Client{Jar: jar, Timeout: 10 * time.Second}, t}
}

func (b browser) get(address string) (int, string) {
	b.t.Helper()
	resp, err := b.Get(address)
	return b.read(resp, err)
}

// press sends a form, from a page of the same site.
func (b browser) press(address string, form url.Values) (int, string) {
	b.t.Helper()
	resp, err := b.PostForm(address, form)
	return b.read(resp, err)
}

func (b browser) read(resp *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, strings.ReplaceAll(string(text), "\u00a0", " ") // as it is read
}
