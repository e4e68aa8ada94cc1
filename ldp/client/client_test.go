// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

const clientID = "https://af.example.se/client.jsonld"

// A server is an OpenID provider and a resource server, as the RFCs have them,
// that is told how to misbehave.
type server struct {
	*httptest.Server
	t        *testing.T
	key      jose.JSONWebKey // the issuer's
	client   jose.JSONWebKey // public
	resource func(w http.ResponseWriter, r *http.Request)

	mu       sync.Mutex
	now      time.Time
	proofs   dpop.Checker
	nonce    string // asked for, if not ""
	tokens   map[string]time.Time
	pushed   map[string]map[string]any // request objects, by request_uri
	codes    map[string]map[string]any
	seen     map[string]bool
	count    map[string]int // requests, by path
	metadata func(map[string]any)
	idToken  func(map[string]any)
	refuse   string // an OAuth error to answer at the token endpoint
}

func (s *server) Once(_ context.Context, key string, _ time.Time) (bool, error) {
	first := !s.seen[key]
	s.seen[key] = true
	return first, nil
}

func newKey(t testing.TB, kid string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "ES256"}
}

// newServer starts a server, and makes the client that is registered with it.
func newServer(t *testing.T) (*server, *Client) {
	t.Helper()
	clientKey := newKey(t, "c1")
	s := &server{
		t: t, key: newKey(t, "i1"), client: clientKey.Public(),
		now:    time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		tokens: map[string]time.Time{}, pushed: map[string]map[string]any{}, codes: map[string]map[string]any{},
		seen: map[string]bool{}, count: map[string]int{},
		metadata: func(map[string]any) {}, idToken: func(map[string]any) {},
		resource: func(w http.ResponseWriter, r *http.Request) {},
	}
	s.proofs = dpop.Checker{
		Now: func() time.Time { return s.now }, MaxAge: time.Minute, Seen: s,
		Nonce: func(nonce string) bool { return nonce == s.nonce },
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	proofKey, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}
	return s, &Client{HTTP: s.Client(), Issuer: s.URL, ID: clientID, Key: clientKey, DPoP: proofKey, Now: clock}
}

func (s *server) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *server) counted(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[path]
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[r.URL.Path]++
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document := map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize?x=y", "token_endpoint": s.URL + "/token",
			"pushed_authorization_request_endpoint": s.URL + "/par", "jwks_uri": s.URL + "/jwks",
		}
		s.metadata(document)
		answer(w, 200, document)
	case "/jwks":
		text, _ := s.key.Public().MarshalJSON()
		answer(w, 200, map[string]any{"keys": []any{map[string]any{"kty": "odd", "kid": "i1"}, json.RawMessage(text)}})
	case "/par", "/token":
		s.backChannel(w, r)
	default:
		s.protected(w, r)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// backChannel checks the client's assertion and proof, and acts.
func (s *server) backChannel(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.t.Error(err)
	}
	proof, err := s.proof(r, "", false)
	if refused, ok := errors.AsType[*dpop.Error](err); ok {
		w.Header().Set("DPoP-Nonce", s.nonce)
		answer(w, 400, map[string]any{"error": refused.Code, "error_description": refused.Reason})
		return
	}
	if err := s.assertion(r.PostForm); err != nil {
		answer(w, 401, map[string]any{"error": "invalid_client", "error_description": err.Error()})
		return
	}
	switch {
	case s.refuse != "":
		answer(w, 400, map[string]any{"error": s.refuse, "error_description": "as told"})
	case r.URL.Path == "/par":
		s.par(w, r.PostForm, proof)
	case r.PostForm.Get("grant_type") == "client_credentials":
		answer(w, 200, map[string]any{"access_token": s.newToken(), "token_type": "DPoP", "expires_in": 300})
	default:
		s.exchange(w, r.PostForm, proof)
	}
}

func (s *server) newToken() string {
	token := rand.Text()
	s.tokens[token] = s.now.Add(300 * time.Second)
	return token
}

func (s *server) proof(r *http.Request, token string, ath bool) (dpop.Proof, error) {
	text, err := dpop.FromRequest(r.Header)
	if err != nil {
		return dpop.Proof{}, err
	}
	return s.proofs.Check(r.Context(), text, r.Method, s.URL+r.URL.EscapedPath(), token, ath)
}

// claims verifies a JWT of the client.
func (s *server) claims(text, typ string) (map[string]any, error) {
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	if signed.Signatures[0].Protected.ExtraHeaders["typ"] != typ || signed.Signatures[0].Protected.KeyID != "c1" {
		return nil, errors.New("typ or kid")
	}
	payload, err := signed.Verify(s.client)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	jti, _ := claims["jti"].(string)
	first, _ := s.Once(context.Background(), jti, s.now)
	life := claims["exp"].(float64) - float64(s.now.Unix())
	switch {
	case claims["iss"] != clientID || claims["aud"] != s.URL:
		return nil, errors.New("iss or aud")
	case life <= 0 || life > 300:
		return nil, errors.New("exp")
	case len(jti) < 16 || !first:
		return nil, errors.New("jti")
	}
	return claims, nil
}

func (s *server) assertion(form url.Values) error {
	if form.Get("client_id") != clientID || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return errors.New("client_id or client_assertion_type")
	}
	claims, err := s.claims(form.Get("client_assertion"), "JWT")
	if err == nil && claims["sub"] != clientID {
		err = errors.New("sub")
	}
	return err
}

func (s *server) par(w http.ResponseWriter, form url.Values, proof dpop.Proof) {
	object, err := s.claims(form.Get("request"), "oauth-authz-req+jwt")
	if err != nil || object["nbf"] != float64(s.now.Unix()) || object["dpop_jkt"] != proof.Thumbprint {
		answer(w, 400, map[string]any{"error": "invalid_request_object", "error_description": fmt.Sprint(err)})
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	s.pushed[uri] = object
	answer(w, 201, map[string]any{"request_uri": uri, "expires_in": 90})
}

// agree is the person at the authorization endpoint, who says yes.
func (s *server) agree(p Pending) url.Values {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	place, err := url.Parse(p.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	q := place.Query()
	object := s.pushed[q.Get("request_uri")]
	if object == nil || q.Get("client_id") != clientID || q.Get("x") != "y" || place.Path != "/authorize" {
		s.t.Fatalf("the browser was sent to %s", p.URL)
	}
	code := rand.Text()
	s.codes[code] = object
	return url.Values{"code": {code}, "state": {object["state"].(string)}, "iss": {s.URL}}
}

func (s *server) exchange(w http.ResponseWriter, form url.Values, proof dpop.Proof) {
	object := s.codes[form.Get("code")]
	delete(s.codes, form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if object == nil || form.Get("redirect_uri") != object["redirect_uri"] || object["dpop_jkt"] != proof.Thumbprint ||
		object["code_challenge"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
		answer(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	token := s.newToken()
	hash := sha256.Sum256([]byte(token))
	claims := map[string]any{
		"iss": s.URL, "sub": "p1", "aud": []string{clientID, "solid"}, "azp": clientID, "nonce": object["nonce"],
		"iat": s.now.Unix(), "exp": s.now.Unix() + 60, "webid": s.URL + "/w/abc/card#me",
		"at_hash": base64.RawURLEncoding.EncodeToString(hash[:16]),
	}
	s.idToken(claims)
	answer(w, 200, map[string]any{
		"access_token": token, "token_type": "DPoP", "expires_in": 300,
		"id_token":              s.jwt("JWT", claims),
		"authorization_details": object["authorization_details"],
	})
}

// jwt signs with the issuer's key.
func (s *server) jwt(typ jose.ContentType, claims any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		s.t.Error(err)
		return ""
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.t.Error(err)
	}
	return text
}

func (s *server) protected(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "DPoP" || !s.now.Before(s.tokens[token]) {
		w.Header().Set("WWW-Authenticate", `DPoP realm="x", error="invalid_token", algs="ES256"`)
		w.WriteHeader(401)
		return
	}
	_, err := s.proof(r, token, true)
	if refused, ok := errors.AsType[*dpop.Error](err); ok {
		w.Header().Set("DPoP-Nonce", s.nonce)
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("DPoP error=%q", refused.Code))
		w.WriteHeader(401)
		return
	}
	s.resource(w, r)
}

func TestATokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	s, c := newServer(t)
	first, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if again, err := c.Token(context.Background()); err != nil || again != first {
				t.Errorf("got %v, %v", again == first, err)
			}
		})
	}
	wg.Wait()
	s.later(269 * time.Second)
	if again, err := c.Token(t.Context()); err != nil || again != first || s.counted("/token") != 1 {
		t.Errorf("31 s before its end: got another one, %v, after %d requests", err, s.counted("/token"))
	}
	s.later(time.Second)
	if again, err := c.Token(t.Context()); err != nil || again == first {
		t.Errorf("30 s before its end: got the same one, %v", err)
	}
	if n := s.counted("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d discoveries", n)
	}
	s.later(time.Hour)
	if _, err := c.Token(t.Context()); err != nil || s.counted("/.well-known/openid-configuration") != 2 {
		t.Errorf("after an hour: %v, %d discoveries", err, s.counted("/.well-known/openid-configuration"))
	}
}

func TestManyWhoNeedATokenAtOnceMakeOneRequest(t *testing.T) {
	s, c := newServer(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Token(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.counted("/token"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRequestsAreProvedAndRepeatedOnceAtNeed(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(s *server)
		sent  int // requests to the resource
		fresh int // requests for tokens
		ok    bool
	}{
		{"nothing is wrong", func(*server) {}, 1, 1, true},
		{"a nonce is asked for", func(s *server) { s.nonce = "n1" }, 2, 1, true},
		{"the token was withdrawn", func(s *server) { clear(s.tokens) }, 2, 2, true},
		{"each token is withdrawn", func(s *server) {
			s.tokens = nil // reading from it finds nothing
		}, 1, 1, false},
	} {
		s, c := newServer(t)
		var bodies []string
		s.resource = func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(text))
		}
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		row.spoil(s)
		if !row.ok {
			s.tokens, s.refuse = map[string]time.Time{}, "invalid_client"
		}
		s.mu.Unlock()
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/a%20b/?q=1#f", strings.NewReader("body"))
		resp, err := c.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		_ = resp.Body.Close()
		if (resp.StatusCode == 200) != row.ok || row.ok && (len(bodies) != 1 || bodies[0] != "body") {
			t.Errorf("%s: %d, bodies %q", row.name, resp.StatusCode, bodies)
		}
		if sent := s.counted("/a b/"); sent != row.sent {
			t.Errorf("%s: sent %d times, want %d", row.name, sent, row.sent)
		}
		if row.ok && s.counted("/token") != row.fresh {
			t.Errorf("%s: %d tokens", row.name, s.counted("/token"))
		}
	}
}

func TestANonceIsRememberedForItsOrigin(t *testing.T) {
	s, c := newServer(t)
	s.nonce = "n1"
	for range 3 {
		if _, err := c.Get(t.Context(), s.URL+"/a", ""); err != nil {
			t.Fatal(err)
		}
	}
	if s.counted("/token") != 2 || s.counted("/a") != 3 {
		t.Errorf("%d and %d requests", s.counted("/token"), s.counted("/a"))
	}
}

func TestABodyThatCanNotBeReadAgainIsSentOnce(t *testing.T) {
	s, c := newServer(t)
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	clear(s.tokens)
	s.mu.Unlock()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/a", io.MultiReader(strings.NewReader("x")))
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 401 || s.counted("/a") != 1 {
		t.Errorf("%d after %d requests", resp.StatusCode, s.counted("/a"))
	}
}

func TestTokensAreSentOverTLSOrToThisMachineOnly(t *testing.T) {
	s, c := newServer(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed with %v", r.Header)
	}))
	defer elsewhere.Close()
	s.resource = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/x", http.StatusTemporaryRedirect)
	}
	for _, address := range []string{"http://pod.example/a", "http://127.0.0.1.evil.example/", "ftp://localhost/", "https://u:p@pod.example/", "/a", "https:///"} {
		var p *Problem
		if _, err := c.Get(t.Context(), address, ""); err == nil || errors.As(err, &p) || !strings.Contains(err.Error(), "not an https URL") {
			t.Errorf("%s: got %v", address, err)
		}
	}
	var p *Problem
	if _, err := c.Get(t.Context(), s.URL+"/a", ""); !errors.As(err, &p) || p.Status != 307 {
		t.Errorf("a redirect: got %v", err)
	}
}

func TestResourcesAreReadAndWritten(t *testing.T) {
	s, c := newServer(t)
	stored := map[string]string{}
	s.resource = func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		switch r.Method {
		case "PUT":
			if r.Header.Get("If-None-Match") == "*" && stored[r.URL.Path] != "" {
				w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
				w.WriteHeader(412)
				_, _ = io.WriteString(w, `{"title":"Precondition Failed","detail":"It exists.","instance":"r1","errors":["a","b"]}`)
				return
			}
			stored[r.URL.Path] = r.Header.Get("Content-Type") + "|" + r.Header.Get("If-Match") + "|" + string(text)
			w.Header().Set("ETag", `"e1"`)
			w.WriteHeader(201)
		case "POST":
			stored["/c/new"] = r.Header.Get("Slug") + "|" + r.Header.Get("Idempotency-Key") + "|" + string(text)
			w.Header().Set("Location", "/c/new")
			w.Header().Set("Content-Type", "application/jose")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "receipt")
		case "DELETE":
			delete(stored, r.URL.Path)
			w.WriteHeader(204)
		default:
			w.Header().Set("Content-Type", r.Header.Get("Accept"))
			w.Header().Set("ETag", `"e1"`)
			_, _ = io.WriteString(w, stored[r.URL.Path])
		}
	}
	ctx := t.Context()
	put, err := c.Put(ctx, s.URL+"/c/a", Content{Type: "text/turtle", Body: []byte("<a> <b> <c> ."), IfMatch: `"e0"`})
	if err != nil || !put.Created || put.ETag != `"e1"` || put.Location != s.URL+"/c/a" {
		t.Errorf("put: %+v, %v", put, err)
	}
	if got, err := c.Get(ctx, s.URL+"/c/a", "text/turtle"); err != nil || string(got.Body) != `text/turtle|"e0"|<a> <b> <c> .` || got.Type != "text/turtle" || got.ETag != `"e1"` {
		t.Errorf("get: %+v, %v", got, err)
	}
	_, err = c.Put(ctx, s.URL+"/c/a", Content{IfNone: true})
	var p *Problem
	if !errors.As(err, &p) || p.Status != 412 || p.Instance != "r1" || err.Error() != "412 Precondition Failed: It exists.: a: b" {
		t.Errorf("put again: %v", err)
	}
	post, err := c.Post(ctx, s.URL+"/c/", Content{Body: []byte("x"), Slug: "å b", Key: "k"})
	if err != nil || post.Location != s.URL+"/c/new" || string(post.Body) != "receipt" || stored["/c/new"] != "%C3%A5%20b|k|x" {
		t.Errorf("post: %+v, %v, %q", post, err, stored)
	}
	if err := c.Delete(ctx, s.URL+"/c/a"); err != nil || stored["/c/a"] != "" {
		t.Errorf("delete: %v", err)
	}
	s.resource = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = io.WriteString(w, "<html>") }
	if err := c.Delete(ctx, s.URL+"/c/a"); err == nil || err.Error() != "500 Internal Server Error" {
		t.Errorf("a failure without words: %v", err)
	}
	s.resource = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxBody+1)) }
	if _, err := c.Get(ctx, s.URL+"/c/a", ""); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("an endless body: %v", err)
	}
}

func begin(t *testing.T, c *Client) Pending {
	t.Helper()
	p, err := c.Begin(t.Context(), AuthorizationRequest{
		RedirectURI: "https://af.example.se/return", Scope: "openid webid",
		Details: []json.RawMessage{json.RawMessage(`{"type":"evidence_request","fields":["a"]}`)},
		Extra:   map[string]any{"ui_locales": "sv", "aud": "https://evil.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPersonIsSentAndComesBack(t *testing.T) {
	s, c := newServer(t)
	s.nonce = "n1" // the server may ask for a nonce here too
	p := begin(t, c)
	if want := s.now.Add(90 * time.Second); !p.Expires.Equal(want) || strings.Contains(p.URL, p.State) || strings.Contains(p.URL, p.Verifier) {
		t.Errorf("pending %+v", p)
	}
	text, _ := json.Marshal(p) // as it lies in the person's session
	var kept Pending
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	got, err := c.Finish(t.Context(), kept, s.agree(p))
	if err != nil {
		t.Fatal(err)
	}
	if got.WebID != s.URL+"/w/abc/card#me" || got.IDToken.Subject != "p1" || string(got.AuthorizationDetails) != `[{"fields":["a"],"type":"evidence_request"}]` {
		t.Errorf("got %+v", got)
	}
	for _, shown := range []string{fmt.Sprint(got), fmt.Sprintf("%+v %#v", got, got)} {
		if strings.Contains(shown, got.AccessToken) || strings.Contains(shown, "/w/") {
			t.Errorf("printed tokens show %s", shown)
		}
	}
}

func TestAnAnswerThatIsNotTheExpectedOneIsRefused(t *testing.T) {
	s, c := newServer(t)
	for _, row := range []struct {
		name   string
		change func(url.Values)
		fault  string
	}{
		{"another state", func(v url.Values) { v.Set("state", "x") }, "state"},
		{"no state", func(v url.Values) { v.Del("state") }, "state"},
		{"two states", func(v url.Values) { v.Add("state", "x") }, "twice"},
		{"another issuer", func(v url.Values) { v.Set("iss", "https://evil.example") }, "iss"},
		{"no issuer", func(v url.Values) { v.Del("iss") }, "iss"},
		{"two codes", func(v url.Values) { v.Add("code", "x") }, "twice"},
		{"no code", func(v url.Values) { v.Del("code") }, "neither"},
		{"another code", func(v url.Values) { v.Set("code", "x") }, "invalid_grant"},
		{"a failure", func(v url.Values) { v.Set("error", "server_error") }, "server_error"},
		{"a refusal with another state", func(v url.Values) { v.Set("error", "access_denied"); v.Set("state", "x") }, "state"},
	} {
		p := begin(t, c)
		callback := s.agree(p)
		row.change(callback)
		var no *Declined
		if _, err := c.Finish(t.Context(), p, callback); err == nil || !strings.Contains(err.Error(), row.fault) || errors.As(err, &no) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.fault)
		}
	}
	p := begin(t, c)
	var no *Declined
	if _, err := c.Finish(t.Context(), p, url.Values{"error": {"access_denied"}, "state": {p.State}, "iss": {s.URL}}); !errors.As(err, &no) {
		t.Errorf("the person said no: got %v", err)
	}
	other, callback := begin(t, c), s.agree(p)
	callback.Set("state", other.State) // another's code, put into this session
	if _, err := c.Finish(t.Context(), other, callback); err == nil {
		t.Error("another session's code was taken")
	}
}

func TestABadIDTokenIsRefused(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	for name, change := range map[string]func(map[string]any){
		"another nonce":       set("nonce", "x"),
		"no nonce":            func(claims map[string]any) { delete(claims, "nonce") },
		"another issuer":      set("iss", "https://evil.example"),
		"another audience":    set("aud", "https://evil.example"),
		"made for another":    set("azp", "https://evil.example"),
		"made for nobody":     func(claims map[string]any) { delete(claims, "azp") },
		"expired":             set("exp", 1),
		"from the future":     set("iat", 1<<33),
		"another token's":     set("at_hash", "AAAA"),
		"a webid that is odd": set("webid", 7),
	} {
		s, c := newServer(t)
		s.idToken = change
		p := begin(t, c)
		if got, err := c.Finish(t.Context(), p, s.agree(p)); err == nil || got.IDToken != nil || got.AccessToken != "" {
			t.Errorf("%s: taken", name)
		}
	}
	s, c := newServer(t)
	p := begin(t, c)
	is, err := c.discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": s.URL, "aud": clientID, "nonce": p.Nonce, "iat": s.now.Unix(), "exp": s.now.Unix() + 60}
	if _, _, err := c.verifyIDToken(t.Context(), is, s.jwt("JWT", claims), p.Nonce, "t"); err != nil {
		t.Errorf("a good one: %v", err)
	}
	forger := &server{t: t, key: newKey(t, "i1")}
	if _, _, err := c.verifyIDToken(t.Context(), is, forger.jwt("JWT", claims), p.Nonce, "t"); err == nil {
		t.Error("signed by another key: taken")
	}
}

func TestWhatTheServerRefusesIsToldByItsCode(t *testing.T) {
	s, c := newServer(t)
	s.refuse = "invalid_scope"
	var e *OAuthError
	if _, err := c.Begin(t.Context(), AuthorizationRequest{}); !errors.As(err, &e) || e.Code != "invalid_scope" || e.Status != 400 {
		t.Errorf("begin: %v", err)
	}
	if _, err := c.Token(t.Context()); !errors.As(err, &e) || err.Error() != "token: the server refuses: invalid_scope: as told" {
		t.Errorf("token: %v", err)
	}
	other, c2 := newServer(t)
	c2.Key = newKey(t, "c1") // not the registered one
	if _, err := c2.Token(t.Context()); !errors.As(err, &e) || e.Code != "invalid_client" {
		t.Errorf("another key: %v", err)
	}
	if other.counted("/token") != 1 {
		t.Error("a refused request was repeated")
	}
}

func TestABadDiscoveryDocumentIsRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another issuer":       func(m map[string]any) { m["issuer"] = "https://evil.example" },
		"no token endpoint":    func(m map[string]any) { delete(m, "token_endpoint") },
		"a plain http one":     func(m map[string]any) { m["token_endpoint"] = "http://evil.example/token" },
		"no PAR":               func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") },
		"an odd jwks_uri":      func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" },
		"larger than a MB":     func(m map[string]any) { m["x"] = strings.Repeat("x", maxJSON) },
		"of another structure": func(m map[string]any) { m["issuer"] = 1 },
	} {
		s, c := newServer(t)
		s.metadata = change
		if _, err := c.Token(t.Context()); err == nil || s.counted("/token") != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, forget := range map[string]func(*Client){
		"no HTTP": func(c *Client) { c.HTTP = nil }, "no clock": func(c *Client) { c.Now = nil },
		"no issuer": func(c *Client) { c.Issuer = "" }, "no id": func(c *Client) { c.ID = "" },
		"no proof key": func(c *Client) { c.DPoP = nil }, "no key id": func(c *Client) { c.Key.KeyID = "" },
	} {
		_, c := newServer(t)
		forget(c)
		if _, err := c.Token(t.Context()); err == nil {
			t.Errorf("%s: got a token", name)
		}
		if _, err := c.Begin(t.Context(), AuthorizationRequest{}); err == nil {
			t.Errorf("%s: began", name)
		}
		if _, err := c.Get(t.Context(), "https://pod.example/", ""); err == nil {
			t.Errorf("%s: got a resource", name)
		}
	}
}

const granted = "https://pod.example/ns/core#Granted"

func event(s *server) map[string]any {
	return map[string]any{
		"iss": s.URL, "aud": []string{"https://hook.example", clientID}, "jti": "e1", "iat": s.now.Unix(), "txn": "t1",
		"sub_id": map[string]any{"format": "uri", "uri": s.URL + "/w/abc/card#me"},
		"events": map[string]any{granted: map[string]any{"reference": "r1"}},
	}
}

func TestANotificationIsVerified(t *testing.T) {
	s, c := newServer(t)
	good := s.jwt("secevent+jwt", event(s))
	got, err := c.Notification(t.Context(), []byte(good+"\n"), clientID)
	if err != nil || got.ID != "e1" || got.Transaction != "t1" || !got.IssuedAt.Equal(s.now) || string(got.Events[granted]) != `{"reference":"r1"}` {
		t.Fatalf("got %+v, %v", got, err)
	}
	with := func(name string, value any) string {
		claims := maps.Clone(event(s))
		claims[name] = value
		return s.jwt("secevent+jwt", claims)
	}
	forger := &server{t: t, key: newKey(t, "i1")}
	unknown := &server{t: t, key: newKey(t, "i9")}
	nameless := &server{t: t, key: jose.JSONWebKey{Key: s.key.Key}}
	for name, body := range map[string]string{
		"nothing":                 "",
		"JSON":                    `{"jti":"e1"}`,
		"too large":               strings.Repeat("x", maxEvent+1),
		"an ID token":             s.jwt("JWT", event(s)),
		"a logout token":          s.jwt("logout+jwt", event(s)),
		"signed by another key":   forger.jwt("secevent+jwt", event(s)),
		"signed by no key":        unknown.jwt("secevent+jwt", event(s)),
		"signed without a key id": nameless.jwt("secevent+jwt", event(s)),
		"changed":                 strings.Replace(good, ".", ".A", 1),
		"unsigned":                base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"secevent+jwt"}`)) + ".e30.",
		"of another issuer":       with("iss", "https://evil.example"),
		"for another audience":    with("aud", "https://evil.example"),
		"for nobody":              with("aud", []string{}),
		"aud a number":            with("aud", 1),
		"without id":              with("jti", ""),
		"without events":          with("events", map[string]any{}),
		"events a list":           with("events", []any{}),
		"a week old":              with("iat", s.now.Add(-MaxEventAge-time.Second).Unix()),
		"from the future":         with("iat", s.now.Add(61*time.Second).Unix()),
		"without time":            with("iat", nil),
		"at the end of all time":  with("iat", 1e300),
	} {
		if got, err := c.Notification(t.Context(), []byte(body), clientID); err == nil || got.ID != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if _, err := c.Notification(t.Context(), []byte(with("aud", "")), ""); err == nil {
		t.Error("taken where no audience is wanted")
	}
	if n := s.counted("/jwks"); n != 1 {
		t.Errorf("unknown keys made us fetch the issuer's %d times", n)
	}
	if _, err := c.Notification(t.Context(), []byte(with("aud", clientID)), clientID); err != nil {
		t.Errorf("aud as a string: %v", err)
	}
	if got.WebID != s.URL+"/w/abc/card#me" {
		t.Errorf("it is about %q", got.WebID)
	}
	opaque := with("sub_id", map[string]any{"format": "opaque", "id": "x", "uri": "https://evil.example/"})
	if got, err := c.Notification(t.Context(), []byte(opaque), clientID); err != nil || got.WebID != "" {
		t.Errorf("a subject of another format: about %q, %v", got.WebID, err)
	}
}

func TestAKeyOfTheIssuerIsGoodForItsAlgorithm(t *testing.T) {
	s, c := newServer(t)
	s.key.Algorithm = "ES384" // as published; it signs with ES256
	if _, err := c.Notification(t.Context(), []byte(s.jwt("secevent+jwt", event(s))), clientID); err == nil {
		t.Error("taken")
	}
}

func TestANewKeyOfTheIssuerIsFound(t *testing.T) {
	s, c := newServer(t)
	if _, err := c.Notification(t.Context(), []byte(s.jwt("secevent+jwt", event(s))), clientID); err != nil {
		t.Fatal(err)
	}
	old := s.jwt("secevent+jwt", event(s))
	s.mu.Lock()
	s.key = newKey(t, "i2")
	s.mu.Unlock()
	s.later(11 * time.Second)
	if _, err := c.Notification(t.Context(), []byte(s.jwt("secevent+jwt", event(s))), clientID); err != nil {
		t.Errorf("the new key: %v", err)
	}
	s.later(11 * time.Second)
	if _, err := c.Notification(t.Context(), []byte(old), clientID); err == nil {
		t.Error("the key that is gone still verifies")
	}
}

func TestKeysAreRead(t *testing.T) {
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	large, _ := rsa.GenerateKey(rand.Reader, 2048)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p256 := newKey(t, "").Key
	for _, row := range []struct {
		key  any
		want string
	}{
		{p256, "ES256"}, {p384, "ES384"}, {large, "PS256"}, {ed, "EdDSA"}, {p521, ""}, {small, ""},
	} {
		der, err := x509.MarshalPKCS8PrivateKey(row.key)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(jose.JSONWebKey{Key: row.key})
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), jwk} {
			key, err := ParseKey(form)
			if key.Algorithm != row.want || (err == nil) != (row.want != "") || err == nil && len(key.KeyID) != 43 {
				t.Errorf("%T: got %s %s, %v, want %s", row.key, key.Algorithm, key.KeyID, err, row.want)
			}
		}
	}
	other := newKey(t, "k")
	public, _ := json.Marshal(other.Public())
	for _, bad := range []string{"", "x", "{}", string(public), `{"kty":"oct","k":"AAAA"}`, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := ParseKey([]byte(bad)); err == nil {
			t.Errorf("%q: taken as a key", bad)
		}
	}
	named, _ := json.Marshal(newKey(t, "mine"))
	if key, err := ParseKey(named); err != nil || key.KeyID != "mine" {
		t.Errorf("got %s, %v", key.KeyID, err)
	}
}

func FuzzNotification(f *testing.F) {
	f.Add([]byte(`{"iss":"https://i","aud":"a","jti":"1","iat":1795262400,"events":{"e":{}}}`), "a")
	f.Add([]byte(`{"aud":["a",1]}`), "")
	c := &Client{Issuer: "https://i", Now: func() time.Time { return time.Unix(1795262400, 0) }}
	f.Fuzz(func(t *testing.T, payload []byte, audience string) {
		e, err := c.readEvent(payload, audience)
		if err == nil && (e.ID == "" || len(e.Events) == 0 || audience == "") {
			t.Errorf("%s: taken as %+v", payload, e)
		}
		_ = checkType(string(payload), "secevent+jwt")
	})
}
