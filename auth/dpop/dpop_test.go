// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Figures of RFC 9449: the proofs of sections 4.1 and 7.1, the access token of
// 7.1, its ath, and the jkt of section 6.1.
const (
	rfcHeader = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"

	rfcTokenProof    = rfcHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcResourceProof = rfcHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcAccessToken   = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	rfcATH           = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
	rfcJKT           = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func checker(now time.Time) *Checker {
	clock := func() time.Time { return now }
	return &Checker{Now: clock, MaxAge: time.Minute, MaxSkew: 10 * time.Second, Seen: NewMemory(10_000, clock)}
}

func TestTheProofsOfRFC9449(t *testing.T) {
	c := checker(time.Unix(1562262620, 0))
	p, err := c.Check(t.Context(), rfcTokenProof, "POST", "https://server.example.com/token", "", false)
	if want := (Proof{rfcJKT, "-BwC3ESc6acc2lTc", time.Unix(1562262616, 0), false}); err != nil || p != want {
		t.Errorf("section 4.1: got %+v, %v, want %+v", p, err, want)
	}
	p, err = c.CheckBound(t.Context(), rfcResourceProof, "GET", "https://resource.example.org/protectedresource", rfcAccessToken, rfcJKT, true)
	if want := (Proof{rfcJKT, "e1j3V_bKic8-LAEB", time.Unix(1562262618, 0), true}); err != nil || p != want {
		t.Errorf("section 7.1: got %+v, %v, want %+v", p, err, want)
	}
	if got := tokenHash(rfcAccessToken); got != rfcATH {
		t.Errorf("ath: got %s, want %s", got, rfcATH)
	}
}

func TestTheThumbprintOfRFC7638(t *testing.T) {
	const example = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	var jwk jose.JSONWebKey
	if err := json.Unmarshal([]byte(example), &jwk); err != nil {
		t.Fatal(err)
	}
	if got, err := Thumbprint(jwk.Key); err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %s, %v", got, err)
	}
}

// A forger signs whatever header and claims it is told to.
type forger struct {
	header, claims map[string]any
	key            crypto.Signer
	whole          func(string) string // changes the finished proof
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func publicJWK(t testing.TB, key crypto.PublicKey) map[string]any {
	text, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]any{}
	if err := json.Unmarshal(text, &jwk); err != nil {
		t.Fatal(err)
	}
	return jwk
}

// newForger makes a good GET of https://pod.example/w/c/ at noon, with ath.
func newForger(t testing.TB, key crypto.Signer, alg string) *forger {
	return &forger{
		header: map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": publicJWK(t, key.Public())},
		claims: map[string]any{"jti": "j", "htm": "GET", "htu": "https://pod.example/w/c/", "iat": noon.Unix(), "ath": tokenHash("token")},
		key:    key,
		whole:  func(s string) string { return s },
	}
}

func (f *forger) proof(t testing.TB) string {
	header, err1 := json.Marshal(f.header)
	claims, err2 := json.Marshal(f.claims)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return f.whole(signRaw(t, f.key, f.header["alg"], string(header), string(claims)))
}

func signRaw(t testing.TB, key crypto.Signer, alg any, header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, key, sum[:])
		sig, err = make([]byte, 64), e
		if key.Curve == elliptic.P256() {
			r.FillBytes(sig[:32])
			s.FillBytes(sig[32:])
		}
	case *rsa.PrivateKey:
		if alg == "PS256" {
			sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		}
	default:
		sig, err = key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

type keys struct {
	ec, other, p384 *ecdsa.PrivateKey
	rsa, small      *rsa.PrivateKey
	ed              ed25519.PrivateKey
}

var makeKeys = sync.OnceValue(func() keys {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var k keys
	var err error
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.other, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.small, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

func TestEachAllowedAlgorithmPasses(t *testing.T) {
	k := makeKeys()
	for alg, key := range map[string]crypto.Signer{"ES256": k.ec, "RS256": k.rsa, "PS256": k.rsa, "EdDSA": k.ed} {
		p, err := checker(noon).Check(t.Context(), newForger(t, key, alg).proof(t), "GET", "https://pod.example/w/c/", "token", true)
		if err != nil || !p.HasATH {
			t.Errorf("%s: %+v, %v", alg, p, err)
		}
		if want, _ := Thumbprint(key.Public()); p.Thumbprint != want {
			t.Errorf("%s: thumbprint %q, want %q", alg, p.Thumbprint, want)
		}
	}
}

func TestBadProofsAreRefused(t *testing.T) {
	k := makeKeys()
	header := func(name string, value any) func(*forger) { return func(f *forger) { f.header[name] = value } }
	claim := func(name string, value any) func(*forger) { return func(f *forger) { f.claims[name] = value } }
	without := func(name string) func(*forger) {
		return func(f *forger) { delete(f.header, name); delete(f.claims, name) }
	}
	jwk := func(name string, value any) func(*forger) {
		return func(f *forger) { f.header["jwk"].(map[string]any)[name] = value }
	}
	noJWK := func(name string) func(*forger) {
		return func(f *forger) { delete(f.header["jwk"].(map[string]any), name) }
	}
	whole := func(change func(string) string) func(*forger) { return func(f *forger) { f.whole = change } }
	with := func(key crypto.Signer, alg string) func(*forger) {
		return func(f *forger) { *f = *newForger(t, key, alg) }
	}
	part := func(i int, change func(string) string) func(*forger) {
		return whole(func(s string) string {
			parts := strings.Split(s, ".")
			parts[i] = change(parts[i])
			return strings.Join(parts, ".")
		})
	}
	for _, row := range []struct {
		name   string
		change func(*forger)
		reason string // part of the error
	}{
		{"nothing at all", whole(func(string) string { return "" }), "no DPoP proof"},
		{"not a JWT", whole(func(string) string { return "hello" }), "compact JWT"},
		{"two parts", whole(func(s string) string { return s[:strings.LastIndexByte(s, '.')] }), "compact JWT"},
		{"four parts", whole(func(s string) string { return s + ".x" }), "compact JWT"},
		{"JSON serialization", whole(func(string) string { return `{"payload":"e30"}` }), "compact JWT"},
		{"two proofs in one header", whole(func(s string) string { return s + ", " + s }), "compact JWT"},
		{"a line end inside", whole(func(s string) string { return s[:9] + "\n" + s[9:] }), "compact JWT"},
		{"padding", whole(func(s string) string { return s + "=" }), "compact JWT"},
		{"standard base64", part(2, func(string) string { return "+/+/" }), "compact JWT"},
		{"longer than 8 kB", claim("junk", strings.Repeat("x", 9000)), "8 kB"},

		{"no typ", without("typ"), "typ"},
		{"typ JWT", header("typ", "JWT"), "typ"},
		{"typ of an access token", header("typ", "at+jwt"), "typ"},
		{"typ a list", header("typ", []string{"dpop+jwt"}), "typ"},
		{"typ in another case", header("typ", "DPoP+JWT"), "typ"},
		{"alg none", header("alg", "none"), "algorithm"},
		{"alg none, unsigned", func(f *forger) {
			f.header["alg"] = "none"
			f.whole = func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }
		}, "algorithm"},
		{"alg HS256 with the public key as secret", func(f *forger) {
			f.header["alg"] = "HS256"
			f.whole = func(s string) string {
				input := s[:strings.LastIndexByte(s, '.')]
				mac := hmac.New(sha256.New, []byte(fmt.Sprint(f.header["jwk"])))
				mac.Write([]byte(input))
				return input + "." + b64(mac.Sum(nil))
			}
		}, "algorithm"},
		{"no alg", without("alg"), "algorithm"},
		{"alg of a curve that is not allowed", with(k.p384, "ES384"), "algorithm"},
		{"ES256 by a key on P-384", with(k.p384, "ES256"), "public key for its alg"},
		{"RS256 by an EC key", header("alg", "RS256"), "public key for its alg"},
		{"EdDSA by an EC key", header("alg", "EdDSA"), "public key for its alg"},
		{"ES256 by an Ed25519 key", with(k.ed, "ES256"), "public key for its alg"},
		{"RS384, which is not on the list", func(f *forger) { *f = *newForger(t, k.rsa, "RS384") }, "algorithm"},
		{"RSA of 1024 bits", with(k.small, "RS256"), "too short"},
		{"crit", header("crit", []string{"exp"}), "crit"},
		{"an empty crit", header("crit", []string{}), "crit"},
		{"b64", header("b64", false), "b64"},
		{"no jwk", without("jwk"), "no jwk"},
		{"jwk null", header("jwk", nil), "no jwk"},
		{"jwk a string", header("jwk", "key"), "public key"},
		{"jwk private", jwk("d", b64(make([]byte, 32))), "public key"},
		{"jwk private RSA", func(f *forger) {
			*f = *newForger(t, k.rsa, "RS256")
			f.header["jwk"].(map[string]any)["p"] = "AQAB"
		}, "public key"},
		{"jwk symmetric", header("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}), "public key"},
		{"jwk without y", noJWK("y"), "public key"},
		{"jwk without kty", noJWK("kty"), "public key"},
		{"jwk not on the curve", jwk("x", b64(make([]byte, 32))), "public key"},
		{"jwk with an x too long", jwk("x", b64(make([]byte, 33))), "public key"},
		{"jwk of another curve", jwk("crv", "secp256k1"), "public key"},
		{"jwk of somebody else", func(f *forger) { f.header["jwk"] = publicJWK(t, k.other.Public()) }, "signature"},
		{"kid alone", func(f *forger) { delete(f.header, "jwk"); f.header["kid"] = "1" }, "no jwk"},

		{"signature changed", part(2, func(s string) string {
			if s[0] == 'A' {
				return "B" + s[1:]
			}
			return "A" + s[1:]
		}), "signature"},
		{"signature missing", part(2, func(string) string { return "" }), "signature"},
		{"signature in DER", part(2, func(s string) string {
			sum := sha256.Sum256([]byte("x"))
			der, _ := ecdsa.SignASN1(rand.Reader, k.ec, sum[:])
			return b64(der)
		}), "signature"},
		{"signature all zero", part(2, func(string) string { return b64(make([]byte, 64)) }), "signature"},
		{"claims changed after signing", part(1, func(s string) string {
			text, _ := base64.RawURLEncoding.DecodeString(s)
			return b64(bytes.Replace(text, []byte(`"jti":"j"`), []byte(`"jti":"k"`), 1))
		}), "signature"},
		{"claims not JSON", part(1, func(string) string { return b64([]byte("{")) }), "claims"},
		{"claims a list", part(1, func(string) string { return b64([]byte("[]")) }), "claims"},
		{"claims null", part(1, func(string) string { return b64([]byte("null")) }), "htm"},
		{"a claim twice", part(1, func(string) string { return b64([]byte(`{"htm":"PUT","htm":"GET"}`)) }), "claims"},

		{"no htm", without("htm"), "htm"},
		{"htm in lower case", claim("htm", "get"), "htm"},
		{"htm of another method", claim("htm", "PUT"), "htm"},
		{"HTM for htm", func(f *forger) { delete(f.claims, "htm"); f.claims["HTM"] = "GET" }, "htm"},
		{"htm a number", claim("htm", 1), "claims"},
		{"no htu", without("htu"), "htu"},
		{"htu without the final slash", claim("htu", "https://pod.example/w/c"), "htu"},
		{"htu with two final slashes", claim("htu", "https://pod.example/w/c//"), "htu"},
		{"htu of a child", claim("htu", "https://pod.example/w/c/d"), "htu"},
		{"htu of another host", claim("htu", "https://pod.example.evil/w/c/"), "htu"},
		{"htu with the host as user", claim("htu", "https://pod.example@evil/w/c/"), "htu"},
		{"htu with a user", claim("htu", "https://u@pod.example/w/c/"), "htu"},
		{"htu with another scheme", claim("htu", "http://pod.example/w/c/"), "htu"},
		{"htu with another port", claim("htu", "https://pod.example:8443/w/c/"), "htu"},
		{"htu in another case", claim("htu", "https://pod.example/W/c/"), "htu"},
		{"htu with dot segments", claim("htu", "https://pod.example/w/x/../c/"), "htu"},
		{"htu relative", claim("htu", "/w/c/"), "htu"},
		{"htu with an escaped slash", claim("htu", "https://pod.example/w%2Fc/"), "htu"},
		{"no jti", without("jti"), "jti"},
		{"jti empty", claim("jti", ""), "jti"},
		{"jti of 257 bytes", claim("jti", strings.Repeat("j", 257)), "jti"},
		{"jti a number", claim("jti", 7), "claims"},
		{"no iat", without("iat"), "iat"},
		{"iat a string", claim("iat", "1795262400"), "claims"},
		{"iat in milliseconds", claim("iat", noon.UnixMilli()), "iat"},
		{"iat beyond all time", claim("iat", 1e300), "iat"},
		{"iat negative", claim("iat", -1), "iat"},
		{"iat 61 s ago", claim("iat", noon.Add(-61*time.Second).Unix()), "too long ago"},
		{"iat 11 s ahead", claim("iat", noon.Add(11*time.Second).Unix()), "future"},
		{"no ath", without("ath"), "ath is missing"},
		{"ath null", claim("ath", nil), "ath is missing"},
		{"ath empty", claim("ath", ""), "ath is not"},
		{"ath of another token", claim("ath", tokenHash("token2")), "ath is not"},
		{"ath padded", claim("ath", tokenHash("token")+"="), "ath is not"},
		{"the token itself as ath", claim("ath", "token"), "ath is not"},
	} {
		f := newForger(t, k.ec, "ES256")
		row.change(f)
		bad := f.proof(t)
		for name, c := range map[string]*Checker{"": checker(noon), " (the key is known)": knowing(t, k.ec)} {
			p, err := c.Check(t.Context(), bad, "GET", "https://pod.example/w/c/", "token", true)
			var e *Error
			if !errors.As(err, &e) || e.Code != InvalidProof || !strings.Contains(e.Reason, row.reason) || p != (Proof{}) {
				t.Errorf("%s%s: got %+v, %v, want %q", row.name, name, p, err, row.reason)
			}
			if _, err := c.Check(t.Context(), newForger(t, k.ec, "ES256").proof(t), "GET", "https://pod.example/w/c/", "token", true); err != nil {
				t.Errorf("%s%s: a good proof after it: %v", row.name, name, err) // a refused one takes nobody's jti
			}
		}
	}
}

// knowing is a checker that has seen a key's header before.
func knowing(t *testing.T, key *ecdsa.PrivateKey) *Checker {
	t.Helper()
	c := checker(noon)
	c.Known = new(Known)
	print, err := Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	f := newForger(t, key, "ES256")
	f.claims["jti"] = "first"
	if _, err := c.CheckBound(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "token", print, true); err != nil {
		t.Fatal(err)
	}
	if len(c.Known.keys) != 1 {
		t.Fatalf("it remembers %d headers", len(c.Known.keys))
	}
	return c
}

// TestWhatIsKnown: a header is known after a proof that was bound to a token, and
// not after a stranger's; a known key proves no more than another; and what is
// remembered is bounded.
func TestWhatIsKnown(t *testing.T) {
	k := makeKeys()
	c := knowing(t, k.ec)
	if _, err := c.CheckBound(t.Context(), newForger(t, k.ec, "ES256").proof(t), "GET", "https://pod.example/w/c/", "token", rfcJKT, true); err == nil {
		t.Error("a known key passes for another")
	}
	if _, err := c.Check(t.Context(), newForger(t, k.other, "ES256").proof(t), "GET", "https://pod.example/w/c/", "token", true); err != nil || len(c.Known.keys) != 1 {
		t.Errorf("a stranger's header is remembered, or refused: %v", err)
	}
	forged := newForger(t, k.other, "ES256")
	forged.header["jwk"] = publicJWK(t, k.ec.Public())
	forged.claims["jti"] = "forged"
	if _, err := c.Check(t.Context(), forged.proof(t), "GET", "https://pod.example/w/c/", "token", true); err == nil {
		t.Error("a signature of another key passes for a known one's")
	}
	for i := range 3 * maxKnown {
		c.Known.learn(strconv.Itoa(i), k.ec.Public(), "x")
		if len(c.Known.keys) > maxKnown {
			t.Fatalf("%d headers are remembered", len(c.Known.keys))
		}
	}
	c.Known.learn(strings.Repeat("x", maxHeader+1), k.ec.Public(), "x")
	if _, _, ok := c.Known.find(strings.Repeat("x", maxHeader+1) + "."); ok {
		t.Error("a long header is remembered")
	}
}

func TestGoodVariantsPass(t *testing.T) {
	k := makeKeys()
	for _, row := range []struct{ name, htu, url string }{
		{"as it is", "https://pod.example/c/", "https://pod.example/c/"},
		{"host in upper case", "https://POD.example/c/", "https://pod.example/c/"},
		{"scheme in upper case", "HTTPS://pod.example/c/", "https://pod.example/c/"},
		{"default port", "https://pod.example:443/c/", "https://pod.example/c/"},
		{"empty port", "https://pod.example:/c/", "https://pod.example/c/"},
		{"default port of http", "http://localhost/c", "http://localhost:80/c"},
		{"no path is the root", "https://pod.example", "https://pod.example/"},
		{"escapes in lower case", "https://pod.example/%c3%a5", "https://pod.example/%C3%A5"},
		{"an escape that needs none", "https://pod.example/%7Ea", "https://pod.example/~a"},
		{"query in htu", "https://pod.example/c?x=1", "https://pod.example/c"},
		{"query in the URL", "https://pod.example/c", "https://pod.example/c?x=/#y"},
		{"IPv6", "http://[::1]:3000/c", "http://[::1]:3000/c"},
		{"IPv6 with the default port", "http://[::1]:80/c", "http://[::1]/c"},
	} {
		f := newForger(t, k.ec, "ES256")
		f.claims["htu"] = row.htu
		if _, err := checker(noon).Check(t.Context(), f.proof(t), "GET", row.url, "token", true); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	for _, row := range []struct {
		name  string
		iat   any
		ok    bool
		since time.Time
	}{
		{"exactly as old as may be", noon.Add(-time.Minute).Unix(), true, time.Time{}},
		{"as far ahead as may be", noon.Add(10 * time.Second).Unix(), true, time.Time{}},
		{"with a fraction", float64(noon.Unix()) + 0.5, true, time.Time{}},
		{"at the start of the server", noon.Unix(), true, noon},
		{"before the start of the server", noon.Unix() - 1, false, noon},
	} {
		f := newForger(t, k.ec, "ES256")
		f.claims["iat"] = row.iat
		c := checker(noon)
		c.NotBefore = row.since
		if _, err := c.Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "token", true); (err == nil) != row.ok {
			t.Errorf("iat %s: %v", row.name, err)
		}
	}
}

func TestWhatIsNoURLIsTheSameAsNothing(t *testing.T) {
	for _, url := range []string{
		"", "pod.example/c", "ftp://pod.example/c", "http:///c", "http://:80/c",
		"http://[::", "http://[::1/c", "http://::1]/c", "http://[]/c", "http://[pod.example]/c", "http://[::1]x/c",
		"http://a:80:80/c", "http://::1/c", "http://pod.example:x/c", "http://pod.example:8 0/c",
		"http://you@pod.example/c", "http://pod%2eexample/c", `http://pod.example\c`, "http://pod.example/%", "http://pod.example/å",
	} {
		if sameURL(url, url) {
			t.Errorf("%q passed", url)
		}
	}
}

func TestATHIsCheckedWhereItIsNotRequired(t *testing.T) {
	k := makeKeys()
	f := newForger(t, k.ec, "ES256")
	if _, err := checker(noon).Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "another", false); err == nil {
		t.Error("a wrong ath passed")
	}
	if _, err := checker(noon).Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "", false); err == nil {
		t.Error("an ath without an access token passed")
	}
	f.claims["ath"] = tokenHash("")
	if _, err := checker(noon).Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "", true); err == nil {
		t.Error("the hash of no access token passed")
	}
	delete(f.claims, "ath")
	if p, err := checker(noon).Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "token", false); err != nil || p.HasATH {
		t.Errorf("without ath: %+v, %v", p, err)
	}
}

func TestAProofIsGoodOnce(t *testing.T) {
	k := makeKeys()
	c := checker(noon)
	once := func(key crypto.Signer, jti string) error {
		f := newForger(t, key, "ES256")
		f.claims["jti"] = jti
		_, err := c.Check(t.Context(), f.proof(t), "GET", "https://pod.example/w/c/", "token", true)
		return err
	}
	if err := once(k.ec, "a"); err != nil {
		t.Fatal(err)
	}
	if once(k.ec, "a") == nil {
		t.Error("the same jti of the same key passed twice")
	}
	if err := errors.Join(once(k.ec, "b"), once(k.other, "a")); err != nil {
		t.Error("another jti, or another key's:", err)
	}
}

func TestAProofOfTheWrongKeyIsNotRemembered(t *testing.T) {
	k := makeKeys()
	c := checker(noon)
	proof := newForger(t, k.ec, "ES256").proof(t)
	jkt, _ := Thumbprint(k.ec.Public())
	for _, bound := range []string{"", "x", rfcJKT} {
		if _, err := c.CheckBound(t.Context(), proof, "GET", "https://pod.example/w/c/", "token", bound, true); err == nil {
			t.Errorf("passed as bound to %q", bound)
		}
	}
	if _, err := c.CheckBound(t.Context(), proof, "GET", "https://pod.example/w/c/", "token", jkt, true); err != nil {
		t.Error(err)
	}
}

func TestANonceIsAskedFor(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := checker(noon)
	c.Nonce = func(n string) bool { return n == "n1" }
	for _, nonce := range []string{"", "n0", "n1"} {
		proof, err := key.Proof("GET", "https://pod.example/", "", nonce, noon)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Check(t.Context(), proof, "GET", "https://pod.example/", "", false)
		var e *Error
		if good := nonce == "n1"; good != (err == nil) || !good && (!errors.As(err, &e) || e.Code != UseNonce) {
			t.Errorf("nonce %q: %v", nonce, err)
		}
	}
}

func TestAKeyMakesProofsAndGoesThroughPEMAndJWK(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key.private})
	if err != nil {
		t.Fatal(err)
	}
	c := checker(noon)
	for _, form := range [][]byte{text, jwk} {
		again, err := ParseKey(form)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := again.Proof("PUT", "https://Pod.example:443/a?b=c#d", "token", "", noon)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.CheckBound(t.Context(), proof, "PUT", "https://pod.example/a", "token", key.Thumbprint(), true)
		if err != nil || !p.HasATH {
			t.Errorf("%+v, %v", p, err)
		}
	}
	for _, url := range []string{"", "/a", "ftp://a/b", "https:///a", "https://u@a/"} {
		if _, err := key.Proof("GET", url, "", "", noon); err == nil {
			t.Errorf("made a proof for %q", url)
		}
	}
	if s := fmt.Sprintf("%v%+v%#v%s", key, key, key, key); s != strings.Repeat("DPoP key "+key.Thumbprint(), 4) {
		t.Errorf("a printed key shows more than its thumbprint: %s", s)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	k := makeKeys()
	other, err := x509.MarshalPKCS8PrivateKey(k.ed)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := json.Marshal(jose.JSONWebKey{Key: k.ec.Public()})
	p384, _ := json.Marshal(jose.JSONWebKey{Key: k.p384})
	for name, text := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "public": public, "on P-384": p384,
		"Ed25519": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: other}),
		"bad PEM": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
	} {
		if _, err := ParseKey(text); err == nil {
			t.Errorf("%s: taken as a key", name)
		}
	}
}

func TestOneHeaderOnly(t *testing.T) {
	for _, row := range []struct {
		h    http.Header
		want string
		ok   bool
	}{
		{http.Header{}, "", true},
		{http.Header{"Dpop": {"a"}}, "a", true},
		{http.Header{"Dpop": {"a", "b"}}, "", false},
		{http.Header{"Dpop": {"a", "a"}}, "", false},
	} {
		if got, err := FromRequest(row.h); got != row.want || (err == nil) != row.ok {
			t.Errorf("%v: got %q, %v", row.h, got, err)
		}
	}
}

func TestAMemoryIsBoundedAndForgetsOnlyWhatExpired(t *testing.T) {
	now := noon
	m := NewMemory(10*shards, func() time.Time { return now })
	key := func(i int) string { s := sha256.Sum256(fmt.Append(nil, i)); return string(s[:]) }
	once := func(key string, until time.Time) bool {
		first, err := m.Once(t.Context(), key, until)
		return first && err == nil
	}
	kept := 0
	for i := range 100 * shards {
		if once(key(i), noon.Add(time.Minute)) {
			kept++
		}
	}
	if kept == 0 || kept > 10*shards {
		t.Errorf("kept %d, want at most %d", kept, 10*shards)
	}
	now = noon.Add(30 * time.Second)
	for i := range 100 * shards {
		if once(key(i), now.Add(time.Minute)) {
			t.Fatalf("%d: forgotten, or one too many", i)
		}
	}
	now = noon.Add(61 * time.Second)
	if !once(key(0), now.Add(time.Minute)) || !once("another key of at least 16 bytes", now) {
		t.Error("full after all has expired")
	}
	if once("short", now) {
		t.Error("took a short key")
	}
}

func TestOfManyAtOnceOnePasses(t *testing.T) {
	c := checker(noon)
	proof := newForger(t, makeKeys().ec, "ES256").proof(t)
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Check(t.Context(), proof, "GET", "https://pod.example/w/c/", "token", true); err == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1 {
		t.Errorf("%d of 50 passed", passed.Load())
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(rfcTokenProof, "POST", "https://server.example.com/token", "")
	f.Add(rfcResourceProof, "GET", "https://resource.example.org/protectedresource", rfcAccessToken)
	f.Add("e30.e30.", "GET", "http://[::1]:80/%7e?#", "t")
	f.Add("e30.e30.", "GET", "http://[::", "t")
	f.Add("e30.e30.", "GET", "http://a:80:80", "t")
	parsed, err := jose.ParseSignedCompact(rfcTokenProof, allowed())
	if err != nil {
		f.Fatal(err)
	}
	rfcKey := knownKey{parsed.Signatures[0].Protected.JSONWebKey.Key.(*ecdsa.PublicKey), rfcJKT}
	f.Fuzz(func(t *testing.T, proof, method, url, token string) {
		p, err := checker(time.Unix(1562262620, 0)).Check(t.Context(), proof, method, url, token, token != "")
		knows := checker(time.Unix(1562262620, 0))
		knows.Known = &Known{keys: map[string]knownKey{rfcHeader: rfcKey}}
		if again, err2 := knows.Check(t.Context(), proof, method, url, token, token != ""); again != p || (err == nil) != (err2 == nil) {
			t.Errorf("%+v, %v; where the key is known %+v, %v", p, err, again, err2)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || p != (Proof{})) {
			t.Errorf("%+v, %v", p, err)
		}
		if err == nil && p.Thumbprint != rfcJKT {
			t.Errorf("forged: %+v", p)
		}
		if n, ok := normal(withoutQuery(url)); ok {
			if again, ok := normal(n); !ok || again != n {
				t.Errorf("%q is normal as %q, and that as %q", url, n, again)
			}
		}
	})
}

// always is a Seen for benchmarks.
type always struct{}

func (always) Once(context.Context, string, time.Time) (bool, error) { return true, nil }

func BenchmarkCheck(b *testing.B) {
	key, _ := NewKey()
	proof, _ := key.Proof("GET", "https://pod.example/w/c/", "token", "", noon)
	c := checker(noon)
	c.Seen = always{}
	for _, known := range []*Known{nil, new(Known)} {
		c.Known = known
		b.Run(map[bool]string{true: "known", false: "new"}[known != nil], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.CheckBound(b.Context(), proof, "GET", "https://pod.example/w/c/", "token", key.Thumbprint(), true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRawVerify(b *testing.B) {
	key := makeKeys().ec
	sum := sha256.Sum256([]byte("x"))
	r, s, _ := ecdsa.Sign(rand.Reader, key, sum[:])
	for b.Loop() {
		if !ecdsa.Verify(&key.PublicKey, sum[:], r, s) {
			b.Fatal("bad")
		}
	}
}

func BenchmarkProof(b *testing.B) {
	key, _ := NewKey()
	for b.Loop() {
		if _, err := key.Proof("GET", "https://pod.example/w/c/", "token", "", noon); err != nil {
			b.Fatal(err)
		}
	}
}
