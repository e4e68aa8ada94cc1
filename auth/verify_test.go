// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"skrin/acl"
	"skrin/auth/dpop"
)

const base = "https://skrin.example"

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A world is an issuer with a key, a client with a key, and our Verifier.
type world struct {
	*Verifier
	clock  time.Time
	key    *ecdsa.PrivateKey
	client *dpop.Key
	asked  int // how often the issuer was asked for a key
}

func (w *world) Key(_ context.Context, id string) (crypto.PublicKey, error) {
	w.asked++
	switch id {
	case "k1":
		return &w.key.PublicKey, nil
	case "broken":
		return nil, errors.New("the disk is gone")
	}
	return nil, ErrNoKey
}

func newWorld(t testing.TB) *world {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: noon, key: key, client: client}
	now := func() time.Time { return w.clock }
	w.Verifier = &Verifier{
		Base: base, Issuers: Only(base, w), Cache: NewCache(64), Now: now,
		Proofs: &dpop.Checker{Now: now, MaxAge: time.Minute, MaxSkew: 10 * time.Second, Seen: dpop.NewMemory(1<<20, now)},
	}
	return w
}

// A draft is a request to be: what a row of a table changes.
type draft struct {
	w            *world
	alg          jose.SignatureAlgorithm
	signWith     any
	kid, typ     string
	claims       map[string]any
	method, path string
	host         string
	scheme       string
	proofKey     *dpop.Key
	proofMethod  string
	proofURL     string
	proofToken   string // "" for the token itself
	noATH        bool
	forge        func(f *forged) // changes the proof's parts before it is signed; nil for a good proof
	header       func(http.Header)
}

func (w *world) draft() *draft {
	return &draft{
		w: w, alg: jose.ES256, signWith: w.key, kid: "k1", typ: "at+jwt",
		claims: map[string]any{
			"iss": base, "aud": []string{"solid"}, "sub": "af", "webid": "https://skrin.example/.parties/af#it",
			"client_id": "af", "iat": noon.Unix(), "exp": noon.Unix() + 300, "jti": "1",
			"cnf": map[string]string{"jkt": w.client.Thumbprint()},
		},
		method: "GET", path: "/w/abc/c/", host: "skrin.example", scheme: "DPoP ",
		proofKey: w.client, proofMethod: "GET", proofURL: base + "/w/abc/c/",
		header: func(http.Header) {},
	}
}

func (d *draft) token(t testing.TB) string {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(d.typ)).WithHeader("kid", d.kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: d.alg, Key: d.signWith}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(d.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (d *draft) request(t testing.TB, token string) *http.Request {
	r := httptest.NewRequest(d.method, d.path, nil)
	r.Host = d.host
	bound := d.proofToken
	if bound == "" && !d.noATH {
		bound = token
	}
	proof, err := d.proofKey.Proof(d.proofMethod, d.proofURL, bound, "", d.w.clock)
	if err != nil {
		t.Fatal(err)
	}
	if d.forge != nil {
		proof = d.forged(t, proof)
	}
	r.Header.Set("Authorization", d.scheme+token)
	r.Header.Set("DPoP", proof)
	d.header(r.Header)
	return r
}

func put(m map[string]any, name string, value any) {
	if m[name] = value; value == nil {
		delete(m, name)
	}
}

// A forged is a proof in its parts, and how it is put together.
type forged struct {
	header, claims map[string]any
	key            *ecdsa.PrivateKey // signs
	join           func(header, claims, signature string) string
}

// forged takes a good proof apart, changes it, and signs it again.
func (d *draft) forged(t testing.TB, good string) string {
	parts := strings.Split(good, ".")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forged{key: key, join: func(h, c, s string) string { return h + "." + c + "." + s }}
	for i, into := range []*map[string]any{&f.header, &f.claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			t.Fatal(err)
		}
	}
	public := jose.JSONWebKey{Key: &key.PublicKey}
	thumbprint, _ := public.Thumbprint(crypto.SHA256)
	f.header["jwk"] = public
	d.claims["cnf"] = map[string]string{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}
	delete(f.claims, "ath") // the token is made anew with this key
	d.forge(f)
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	header, claims := encode(f.header), encode(f.claims)
	sum := sha256.Sum256([]byte(header + "." + claims))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return f.join(header, claims, base64.RawURLEncoding.EncodeToString(signature))
}

func TestIdentify(t *testing.T) {
	want := acl.Agent{ID: "https://skrin.example/.parties/af#it", Client: "af", Issuer: base}
	for _, row := range []struct {
		what   string
		change func(*draft)
	}{
		{"a good token and proof", func(*draft) {}},
		{"a proof without ath, as some Solid clients make", func(d *draft) { d.noATH = true }},
		{"the scheme in another case", func(d *draft) { d.scheme = "dpop " }},
		{"aud that names others too", func(d *draft) { d.claims["aud"] = []string{"af", "solid"} }},
		{"a query, which htu leaves out", func(d *draft) { d.path += "?a=b" }},
		{"an escaped path", func(d *draft) { d.path, d.proofURL = "/w/a%20b%2Fc", base+"/w/a%20b%2Fc" }},
		{"a Host header that lies: it isn't looked at", func(d *draft) { d.host = "evil.example" }},
		{"the issuer's clock 20 s fast", func(d *draft) { d.claims["iat"] = noon.Unix() + 20 }},
		{"20 s after the end: the skew", func(d *draft) { d.claims["exp"] = noon.Unix() - 20 }},
		{"typ written out in full", func(d *draft) { d.typ = "application/at+jwt" }},
		{"a forged proof, in which nothing was changed", func(d *draft) { d.forge = func(*forged) {} }},
	} {
		t.Run(row.what, func(t *testing.T) {
			d := newWorld(t).draft()
			row.change(d)
			r := d.request(t, d.token(t))
			if d.forge != nil {
				r.Header.Set("Authorization", d.scheme+d.token(t))
			}
			got, err := d.w.Identify(r)
			if err != nil || got != want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestIdentifyRefuses(t *testing.T) {
	other, _ := dpop.NewKey()
	otherIssuer, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	set := func(name string, value any) func(*draft) { return func(d *draft) { d.claims[name] = value } }
	claim := func(name string, value any) func(*forged) {
		return func(f *forged) { put(f.claims, name, value) }
	}
	field := func(name string, value any) func(*forged) {
		return func(f *forged) { put(f.header, name, value) }
	}
	unset := func(name string) func(*draft) { return func(d *draft) { delete(d.claims, name) } }
	for _, row := range []struct {
		what   string
		change func(*draft)
		code   string
	}{
		{"sent as Bearer", func(d *draft) { d.scheme = "Bearer " }, InvalidToken},
		{"sent as Basic", func(d *draft) { d.scheme = "Basic " }, InvalidToken},
		{"no token after the scheme", func(d *draft) { d.header = func(h http.Header) { h.Set("Authorization", "DPoP ") } }, InvalidToken},
		{"a token of 17 kB", func(d *draft) { d.claims["pad"] = strings.Repeat("x", 17<<10) }, InvalidToken},
		{"not a JWT", func(d *draft) { d.header = func(h http.Header) { h.Set("Authorization", "DPoP abc") } }, InvalidToken},
		{"two Authorization headers", func(d *draft) {
			d.header = func(h http.Header) { h.Add("Authorization", h.Get("Authorization")) }
		}, InvalidRequest},
		{"two DPoP headers", func(d *draft) { d.header = func(h http.Header) { h.Add("DPoP", h.Get("DPoP")) } }, InvalidProof},
		{"no DPoP header", func(d *draft) { d.header = func(h http.Header) { h.Del("DPoP") } }, InvalidProof},
		{"no cnf", unset("cnf"), InvalidToken},
		{"an ID token", func(d *draft) { d.typ = "JWT" }, InvalidToken},
		{"signed with another key", func(d *draft) { d.signWith = otherIssuer }, InvalidToken},
		{"an unknown kid", func(d *draft) { d.kid = "k9" }, InvalidToken},
		{"HS256 with the public key as the secret", func(d *draft) {
			der, _ := x509.MarshalPKIXPublicKey(&d.w.key.PublicKey)
			d.alg, d.signWith = jose.HS256, der
		}, InvalidToken},
		{"another issuer", set("iss", "https://other.example"), InvalidToken},
		{"the issuer with a final slash", set("iss", base+"/"), InvalidToken},
		{"no issuer", unset("iss"), InvalidToken},
		{"aud for somebody else", set("aud", []string{"af"}), InvalidToken},
		{"no aud", unset("aud"), InvalidToken},
		{"expired", set("exp", noon.Unix()-31), InvalidToken},
		{"no exp", unset("exp"), InvalidToken},
		{"no iat", unset("iat"), InvalidToken},
		{"iat in the future", set("iat", noon.Unix()+31), InvalidToken},
		{"nbf in the future", set("nbf", noon.Unix()+31), InvalidToken},
		{"no webid", unset("webid"), InvalidToken},
		{"a webid that is no IRI", set("webid", "alva"), InvalidToken},
		{"no client_id", unset("client_id"), InvalidToken},
		{"a proof with another key", func(d *draft) { d.proofKey = other }, InvalidProof},
		{"a proof for another method", func(d *draft) { d.proofMethod = "PUT" }, InvalidProof},
		{"a proof for the sibling without a slash", func(d *draft) { d.proofURL = base + "/w/abc/c" }, InvalidProof},
		{"a proof for the host that was asked, not ours", func(d *draft) {
			d.host, d.proofURL = "evil.example", "https://evil.example/w/abc/c/"
		}, InvalidProof},
		{"a proof for http", func(d *draft) { d.proofURL = "http://skrin.example/w/abc/c/" }, InvalidProof},
		{"a proof for another token", func(d *draft) { d.proofToken = "other" }, InvalidProof},
		{"a proof for the parent", func(d *draft) { d.proofURL = base + "/w/abc/" }, InvalidProof},
		{"a proof for a name in another case", func(d *draft) { d.proofURL = base + "/w/ABC/c/" }, InvalidProof},
		{"a proof for another port", func(d *draft) { d.proofURL = "https://skrin.example:8443/w/abc/c/" }, InvalidProof},
		{"a proof that is 61 s old", func(d *draft) { d.forge = claim("iat", noon.Unix()-62) }, InvalidProof},
		{"a proof of the future", func(d *draft) { d.forge = claim("iat", noon.Unix()+12) }, InvalidProof},
		{"a proof without iat", func(d *draft) { d.forge = claim("iat", nil) }, InvalidProof},
		{"a proof whose iat is text", func(d *draft) { d.forge = claim("iat", "now") }, InvalidProof},
		{"a proof whose iat is beyond all time", func(d *draft) { d.forge = claim("iat", 1e300) }, InvalidProof},
		{"a proof without jti", func(d *draft) { d.forge = claim("jti", nil) }, InvalidProof},
		{"a proof whose jti is empty", func(d *draft) { d.forge = claim("jti", "") }, InvalidProof},
		{"a proof whose jti has 257 bytes", func(d *draft) { d.forge = claim("jti", strings.Repeat("x", 257)) }, InvalidProof},
		{"a proof without htm", func(d *draft) { d.forge = claim("htm", nil) }, InvalidProof},
		{"a proof whose htm is in lower case", func(d *draft) { d.forge = claim("htm", "get") }, InvalidProof},
		{"a proof without htu", func(d *draft) { d.forge = claim("htu", nil) }, InvalidProof},
		{"a proof whose htu is a path", func(d *draft) { d.forge = claim("htu", "/w/abc/c/") }, InvalidProof},
		{"a proof whose htu is a list", func(d *draft) { d.forge = claim("htu", []string{base + "/w/abc/c/"}) }, InvalidProof},
		{"a proof whose ath is empty", func(d *draft) { d.forge = claim("ath", "") }, InvalidProof},
		{"a proof with alg none", func(d *draft) { d.forge = field("alg", "none") }, InvalidProof},
		{"a proof with alg none and no signature", func(d *draft) {
			d.forge = func(f *forged) {
				f.header["alg"], f.join = "none", func(h, c, _ string) string { return h + "." + c + "." }
			}
		}, InvalidProof},
		{"a proof with HS256", func(d *draft) { d.forge = field("alg", "HS256") }, InvalidProof},
		{"a proof with ES384 and a key on P-256", func(d *draft) { d.forge = field("alg", "ES384") }, InvalidProof},
		{"a proof with RS256 and a key on P-256", func(d *draft) { d.forge = field("alg", "RS256") }, InvalidProof},
		{"a proof of typ JWT", func(d *draft) { d.forge = field("typ", "JWT") }, InvalidProof},
		{"a proof without typ", func(d *draft) { d.forge = field("typ", nil) }, InvalidProof},
		{"a proof without a key", func(d *draft) { d.forge = field("jwk", nil) }, InvalidProof},
		{"a proof with a private key", func(d *draft) {
			d.forge = func(f *forged) { f.header["jwk"] = jose.JSONWebKey{Key: f.key} }
		}, InvalidProof},
		{"a proof with a shared secret as its key", func(d *draft) {
			d.forge = field("jwk", map[string]string{"kty": "oct", "k": "c2VjcmV0"})
		}, InvalidProof},
		{"a proof with a key that is not on its curve", func(d *draft) {
			d.forge = field("jwk", map[string]string{"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)})
		}, InvalidProof},
		{"a proof whose key is at a URL", func(d *draft) {
			d.forge = func(f *forged) { put(f.header, "jwk", nil); put(f.header, "jku", "https://evil.example/keys") }
		}, InvalidProof},
		{"a proof with crit", func(d *draft) { d.forge = field("crit", []string{"exp"}) }, InvalidProof},
		{"a proof with b64 false", func(d *draft) { d.forge = field("b64", false) }, InvalidProof},
		{"a proof whose signature is of another key", func(d *draft) {
			d.forge = func(f *forged) { f.key = otherIssuer }
		}, InvalidProof},
		{"a proof whose claims were changed afterwards", func(d *draft) {
			d.forge = func(f *forged) { f.join = func(h, c, s string) string { return h + "." + c[:len(c)-4] + "fQ." + s } }
		}, InvalidProof},
		{"a proof in four parts", func(d *draft) {
			d.forge = func(f *forged) { f.join = func(h, c, s string) string { return h + "." + c + "." + s + "." } }
		}, InvalidProof},
		{"a proof with a space before it", func(d *draft) {
			d.forge = func(f *forged) { f.join = func(h, c, s string) string { return " " + h + "." + c + "." + s } }
		}, InvalidProof},
		{"a proof of 9 kB", func(d *draft) { d.forge = claim("pad", strings.Repeat("x", 9<<10)) }, InvalidProof},
		{"the token as its own proof", func(d *draft) {
			d.header = func(h http.Header) { _, token, _ := strings.Cut(h.Get("Authorization"), " "); h.Set("DPoP", token) }
		}, InvalidProof},
		{"a token of typ dpop+jwt", func(d *draft) { d.typ = "dpop+jwt" }, InvalidToken},
		{"a token of typ logout+jwt", func(d *draft) { d.typ = "logout+jwt" }, InvalidToken},
		{"a cnf that is empty", set("cnf", map[string]string{}), InvalidToken},
		{"a cnf by certificate", set("cnf", map[string]string{"x5t#S256": "x"}), InvalidToken},
		{"a cnf that is text", set("cnf", "x"), InvalidToken},
		{"a webid that is a list", set("webid", []string{"https://skrin.example/.parties/af#it"}), InvalidToken},
		{"a webid with a space in it", set("webid", "https://skrin.example/a b"), InvalidToken},
		{"aud in another case", set("aud", "Solid"), InvalidToken},
		{"an exp that is text", set("exp", "never"), InvalidToken},
		{"the issuer in another case", set("iss", "https://SKRIN.example"), InvalidToken},
	} {
		t.Run(row.what, func(t *testing.T) {
			d := newWorld(t).draft()
			row.change(d)
			r := d.request(t, d.token(t))
			if d.forge != nil { // the token is to be bound to the forger's key, so that the proof alone is bad
				r.Header.Set("Authorization", d.scheme+d.token(t))
			}
			got, err := d.w.Identify(r)
			refused, ok := errors.AsType[*Error](err)
			if !ok || refused.Code != row.code || got != (acl.Agent{}) {
				t.Fatalf("got %+v, %v, want %s", got, err, row.code)
			}
			challenge := d.w.Challenge(err)
			if !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+row.code+`"`) ||
				!strings.Contains(challenge, `algs="ES256 RS256`) {
				t.Errorf("challenge %s", challenge)
			}
		})
	}
}

func TestWithoutCredentialsTheAgentIsAStranger(t *testing.T) {
	w := newWorld(t)
	got, err := w.Identify(httptest.NewRequest("GET", "/", nil))
	if err != nil || got != (acl.Agent{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if c := w.Challenge(nil); strings.Contains(c, "error") || !strings.Contains(c, `as_uri="https://skrin.example"`) {
		t.Errorf("challenge %s", c)
	}
}

func TestTheServersOwnFailureIsNotTheClients(t *testing.T) {
	d := newWorld(t).draft()
	d.kid = "broken"
	_, err := d.w.Identify(d.request(t, d.token(t)))
	if _, ok := errors.AsType[*Error](err); err == nil || ok {
		t.Errorf("got %v, want an error that is not the client's", err)
	}
}

func TestAProofIsGoodOnceAlsoWithACachedToken(t *testing.T) {
	d := newWorld(t).draft()
	token := d.token(t)
	r := d.request(t, token)
	if _, err := d.w.Identify(r); err != nil {
		t.Fatal(err)
	}
	if _, err := d.w.Identify(r); err == nil {
		t.Error("the same proof was taken twice")
	}
	if _, err := d.w.Identify(d.request(t, token)); err != nil {
		t.Errorf("a new proof with the cached token: %v", err)
	}
	if d.w.asked != 1 {
		t.Errorf("the token was verified %d times, want once", d.w.asked)
	}
}

func TestACachedTokenEnds(t *testing.T) {
	d := newWorld(t).draft()
	token := d.token(t)
	if _, err := d.w.Identify(d.request(t, token)); err != nil {
		t.Fatal(err)
	}
	d.w.clock = noon.Add(300*time.Second + Skew)
	if _, err := d.w.Identify(d.request(t, token)); err == nil {
		t.Error("a token was good after its end")
	}
}

// TestACachedTokenIsVerifiedAgain: however long a token says that it is good, its
// issuer and the key stop being believed soon after they end.
func TestACachedTokenIsVerifiedAgain(t *testing.T) {
	for is, end := range map[string]func(*world){
		"the issuer is believed no more": func(w *world) { w.Issuers = Only("https://another.example", w) },
		"the key is the issuer's no more": func(w *world) {
			w.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		},
	} {
		d := newWorld(t).draft()
		d.claims["exp"] = noon.AddDate(10, 0, 0).Unix()
		token := d.token(t)
		for range 3 {
			if _, err := d.w.Identify(d.request(t, token)); err != nil {
				t.Fatal(err)
			}
		}
		if d.w.asked != 1 {
			t.Errorf("%s: three requests at once asked for the key %d times", is, d.w.asked)
		}
		end(d.w)
		for range 6 { // a token in use is not forgotten
			d.w.clock = d.w.clock.Add(cachedLife / 6)
			_, _ = d.w.Identify(d.request(t, token))
		}
		if _, err := d.w.Identify(d.request(t, token)); err == nil {
			t.Errorf("%s: its token is still good", is)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := NewCache(100)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				digest := sha256.Sum256(fmt.Append(nil, i, j))
				c.put(digest, identity{})
				c.get(digest)
			}
		})
	}
	wg.Wait()
	if n := len(c.young) + len(c.old); n > 100 {
		t.Errorf("%d tokens, want at most 100", n)
	}
}

func TestTheCacheKeepsWhatIsUsed(t *testing.T) {
	c := NewCache(20)
	used := sha256.Sum256([]byte("used"))
	c.put(used, identity{thumbprint: "x"})
	for i := range 1000 {
		if known, ok := c.get(used); !ok || known.thumbprint != "x" {
			t.Fatalf("forgotten after %d others", i)
		}
		c.put(sha256.Sum256(fmt.Append(nil, i)), identity{})
	}
}

// FuzzIdentify shows that no header makes the Verifier panic, or makes an
// agent of one who has no key.
func FuzzIdentify(f *testing.F) {
	d := newWorld(f).draft()
	good := d.token(f)
	f.Add("DPoP "+good, "x")
	f.Add("DPoP eyJhbGciOiJub25lIn0.e30.", "e30.e30.")
	f.Fuzz(func(t *testing.T, authorization, proof string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"], r.Header["Dpop"] = []string{authorization}, []string{proof}
		if agent, err := d.w.Identify(r); err == nil || agent.Known() {
			t.Errorf("%q %q: %+v", authorization, proof, agent)
		}
	})
}

func BenchmarkRawVerification(b *testing.B) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	sum := sha256.Sum256([]byte("x"))
	sig, _ := ecdsa.SignASN1(rand.Reader, key, sum[:])
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			b.Fatal("bad")
		}
	}
}

func BenchmarkIdentifyWarm(b *testing.B) { benchmarkIdentify(b, false) }
func BenchmarkIdentifyCold(b *testing.B) { benchmarkIdentify(b, true) }

func benchmarkIdentify(b *testing.B, cold bool) {
	d := newWorld(b).draft()
	token := d.token(b)
	requests := make([]*http.Request, 20_000) // made beforehand: signing isn't what is measured
	for i := range requests {
		requests[i] = d.request(b, token)
	}
	b.ResetTimer()
	for i := range b.N {
		if i%len(requests) == 0 {
			d.w.Proofs.Seen = dpop.NewMemory(1<<20, d.w.Now)
		}
		if cold {
			d.w.Cache = NewCache(8)
		}
		if _, err := d.w.Identify(requests[i%len(requests)]); err != nil {
			b.Fatal(err)
		}
	}
}

// A token that is good, and cached, is good no more when it is revoked.
func TestARevokedTokenIsRefusedThoughItIsCached(t *testing.T) {
	w := newWorld(t)
	d := w.draft()
	d.claims["grant_id"] = "g1"
	token := d.token(t)
	var asked []Token
	var revoked bool
	var failure error
	w.Revoked = func(_ context.Context, t Token) (bool, error) { asked = append(asked, t); return revoked, failure }
	if _, err := w.Identify(d.request(t, token)); err != nil {
		t.Fatal(err)
	}
	revoked = true
	got, err := w.Identify(d.request(t, token))
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != InvalidToken || got != (acl.Agent{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(asked) != 2 || asked[1].Grant != "g1" || asked[1].Agent.Client != "af" {
		t.Errorf("asked about %+v", asked)
	}
	revoked, failure = false, errors.New("the disk is gone")
	_, err = w.Identify(d.request(t, token))
	if _, ok := errors.AsType[*Error](err); err == nil || ok {
		t.Errorf("nobody knows whether it is revoked: %v", err)
	}
}
