// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func newKey(t testing.TB, kid string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "ES256"}
}

// only trusts one key of one issuer.
func only(issuer string, key jose.JSONWebKey) Keys {
	return func(iss, kid string) (jose.JSONWebKey, error) {
		if iss != issuer || kid != key.KeyID {
			return jose.JSONWebKey{}, errors.New("unknown")
		}
		return key.Public(), nil
	}
}

const (
	af   = "https://af.example.se"
	cert = "https://af.example.se/vct/arbetsloshetsintyg/1"
)

func statement() Statement {
	return Statement{
		Type: cert, Issuer: af, Issued: noon, Expires: noon.AddDate(0, 1, 0), Decoys: 2,
		Claims: []Claim{
			{"registered", true},
			{"registration_date", "2026-10-01"},
			{"weeks", 7},
			{"office", map[string]any{"city": "Östersund", "floors": []any{1, 2}}},
		},
	}
}

func mustIssue(t testing.TB, key jose.JSONWebKey, s Statement) *Credential {
	t.Helper()
	text, err := Issue(key, s)
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, text)
}

func mustParse(t testing.TB, text string) *Credential {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustPresent(t testing.TB, c *Credential, names ...string) *Credential {
	t.Helper()
	p, err := c.Present(names...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// vector reads an example of the SD-JWT specification: see testdata/README.md.
func vector(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/ietf-" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rfcKey is the issuer's key of those examples, appendix A.5.
func rfcKey(t testing.TB) jose.JSONWebKey {
	t.Helper()
	var key jose.JSONWebKey
	err := json.Unmarshal([]byte(`{"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ","y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}`), &key)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTheExamplesOfTheSpecificationAreReadAndSigned(t *testing.T) {
	for name, want := range map[string]string{
		"5.1-issued":    `{"iss":"https://issuer.example.com","iat":1683000000,"exp":1883000000,"sub":"user_42","nationalities":["US","DE"],"cnf":{"jwk":{"kty":"EC","crv":"P-256","x":"TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc","y":"ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}},"given_name":"John","family_name":"Doe","email":"johndoe@example.com","phone_number":"+1-202-555-0101","phone_number_verified":true,"address":{"street_address":"123 Main St","locality":"Anytown","region":"Anystate","country":"US"},"birthdate":"1940-01-01","updated_at":1570000000}`,
		"5.2-presented": `{"iss":"https://issuer.example.com","iat":1683000000,"exp":1883000000,"sub":"user_42","nationalities":["US"],"cnf":{"jwk":{"kty":"EC","crv":"P-256","x":"TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc","y":"ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}},"family_name":"Doe","address":{"street_address":"123 Main St","locality":"Anytown","region":"Anystate","country":"US"},"given_name":"John"}`,
		"A.1-issued":    "", "A.2-issued": "", "A.3-issued": "", "A.3-presented": "",
	} {
		c := mustParse(t, vector(t, name))
		if got := c.String(); got != vector(t, name) {
			t.Errorf("%s: came back as %s", name, got)
		}
		if err := verify(c.signed, rfcKey(t)); err != nil {
			t.Errorf("%s: signature: %v", name, err)
		}
		if want == "" {
			continue
		}
		if expected, err := decode([]byte(want)); err != nil || !reflect.DeepEqual(c.claims, expected) {
			t.Errorf("%s: got %v, want %v (%v)", name, c.claims, expected, err)
		}
	}
}

func TestTheCredentialOfTheSpecificationVerifiesAndIsBound(t *testing.T) {
	c := mustParse(t, vector(t, "A.3-presented"))
	presented := time.Unix(1748537000, 0)
	keys := func(string, string) (jose.JSONWebKey, error) { return rfcKey(t), nil }
	want := Want{
		Type: "urn:eudi:pid:de:1", Issuer: "https://pid-issuer.bund.de.example",
		Binding: &Binding{"https://verifier.example.org", "1234567890", time.Hour},
	}
	v, err := c.Verify(keys, presented, want)
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]any{
		"age_equal_or_over": map[string]any{"18": true}, "nationalities": []any{"DE"},
	}
	for name := range expected {
		if !reflect.DeepEqual(v.Claims[name], expected[name]) {
			t.Errorf("%s: got %v, want %v", name, v.Claims[name], expected[name])
		}
	}
	if _, found := v.Claims["family_name"]; found || v.HolderKey == nil {
		t.Errorf("got %+v", v)
	}
	issued := mustParse(t, vector(t, "A.3-issued"))
	again := mustPresent(t, issued, "address", "place_of_birth")
	if got := slices.Sorted(maps.Keys(again.claims["address"].(map[string]any))); len(got) != 4 {
		t.Errorf("a claim is shown with all that is in it: got %v", got)
	}
	if again.claims["given_name"] != nil || again.claims["nationalities"] != nil {
		t.Error("more is shown than was asked")
	}
}

func TestACredentialGoesFromIssuerToRecipient(t *testing.T) {
	ed, private, _ := ed25519.GenerateKey(rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for _, row := range []struct{ private, public jose.JSONWebKey }{
		{jose.JSONWebKey{Key: p384, KeyID: "k", Algorithm: "ES384"}, jose.JSONWebKey{Key: p384.Public(), KeyID: "k"}},
		{jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: "EdDSA"}, jose.JSONWebKey{Key: ed, KeyID: "k"}},
	} {
		s := statement()
		s.Status = &Status{"https://af.example.se/status/17", 91827}
		c := mustPresent(t, mustIssue(t, row.private, s), "weeks", "office")
		got, err := c.Verify(func(string, string) (jose.JSONWebKey, error) { return row.public, nil }, noon, Want{Type: cert, Issuer: af})
		want := Verified{
			Issuer: af, Type: cert, Issued: noon.Truncate(24 * time.Hour),
			Expires: time.Date(2026, 12, 22, 0, 0, 0, 0, time.UTC), Status: s.Status,
			Claims: map[string]any{
				"weeks":  json.Number("7"),
				"office": map[string]any{"city": "Östersund", "floors": []any{json.Number("1"), json.Number("2")}},
			},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", row.private.Algorithm, got, err, want)
		}
	}
}

func TestWhatIsIssuedTellsNoMoreThanItMust(t *testing.T) {
	key := newKey(t, "1")
	firsts := map[string]bool{}
	for range 40 {
		c := mustIssue(t, key, statement())
		payload, _ := decode(c.signed.UnsafePayloadWithoutVerification())
		object := payload.(map[string]any)
		var digests []string
		for _, d := range object["_sd"].([]any) {
			digests = append(digests, d.(string))
		}
		if len(digests) != 6 || !slices.IsSorted(digests) {
			t.Fatalf("4 claims and 2 decoys: got %v", digests)
		}
		for _, d := range c.disclosures {
			text, _ := base64.RawURLEncoding.DecodeString(d.encoded)
			var list []any
			if err := json.Unmarshal(text, &list); err != nil {
				t.Fatal(err)
			}
			salt, err := base64.RawURLEncoding.DecodeString(list[0].(string))
			if err != nil || len(salt) != 16 || firsts[string(salt)] {
				t.Fatalf("salt %x", salt)
			}
			firsts[string(salt)] = true
		}
		firsts["first "+c.disclosures[0].name] = true
		for _, name := range []string{"iat", "exp"} {
			if n, _ := object[name].(json.Number).Int64(); n%86400 != 0 {
				t.Errorf("%s %d is not a whole day", name, n)
			}
		}
		if h := c.signed.Signatures[0].Protected; h.KeyID != "1" || h.ExtraHeaders["typ"] != "dc+sd-jwt" {
			t.Errorf("header %+v", h)
		}
	}
	for _, claim := range statement().Claims {
		if !firsts["first "+claim.Name] {
			t.Errorf("%s is never first: the order tells something", claim.Name)
		}
	}
}

func TestAStatementThatCanNotBeMadeIsRefused(t *testing.T) {
	key := newKey(t, "1")
	claims := func(c ...Claim) func(*Statement) { return func(s *Statement) { s.Claims = c } }
	for name, change := range map[string]func(*Statement){
		"no type":                      func(s *Statement) { s.Type = "" },
		"no issuer":                    func(s *Statement) { s.Issuer = "" },
		"ends before it begins":        func(s *Statement) { s.Expires = s.Issued.AddDate(0, 0, -1) },
		"too many decoys":              func(s *Statement) { s.Decoys = 101 },
		"fewer than no decoys":         func(s *Statement) { s.Decoys = -1 },
		"a claim twice":                claims(Claim{"a", 1}, Claim{"a", 2}),
		"a claim named _sd":            claims(Claim{"_sd", 1}),
		"a claim named _sd_alg":        claims(Claim{"_sd_alg", "sha-512"}),
		"a claim named ...":            claims(Claim{"...", 1}),
		"a claim without a name":       claims(Claim{"", 1}),
		"a claim that hides exp":       claims(Claim{"exp", 1}),
		"a claim that hides iat":       claims(Claim{"iat", 1}),
		"_sd inside a value":           claims(Claim{"a", []any{map[string]any{"_sd": []string{"x"}}}}),
		"... inside a value":           claims(Claim{"a", map[string]any{"b": map[string]any{"...": "x"}}}),
		"a value that JSON can't hold": claims(Claim{"a", func() {}}),
		"a name twice inside a value":  claims(Claim{"a", json.RawMessage(`{"b":1,"b":2}`)}),
		"a private key of the holder":  func(s *Statement) { s.HolderKey = &key },
	} {
		s := statement()
		change(&s)
		if _, err := Issue(key, s); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	for name, bad := range map[string]jose.JSONWebKey{
		"no id":        {Key: key.Key, Algorithm: "ES256"},
		"no algorithm": {Key: key.Key, KeyID: "1"},
		"symmetric":    {Key: make([]byte, 32), KeyID: "1", Algorithm: "HS256"},
	} {
		if _, err := Issue(bad, statement()); err == nil {
			t.Errorf("a key with %s: issued", name)
		}
	}
}

// raw signs any payload and adds any disclosures.
func raw(t testing.TB, key jose.JSONWebKey, typ jose.ContentType, payload string, disclosures ...string) string {
	t.Helper()
	jwt, err := sign(key, typ, json.RawMessage(payload))
	if err != nil {
		t.Fatal(err)
	}
	encoded := make([]string, len(disclosures))
	for i, d := range disclosures {
		encoded[i] = b64(d)
	}
	return compact(jwt, encoded)
}

func TestCredentialsOfABadFormAreRefused(t *testing.T) {
	key := newKey(t, "1")
	d := func(text string) string { return `"` + digest(b64(text)) + `"` }
	const a, b, element = `["s","a",1]`, `["t","b",2]`, `["s",1]`
	deep := strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40)
	made := func(payload string, disclosures ...string) string {
		return raw(t, key, credentialType, payload, disclosures...)
	}
	for _, row := range []struct{ name, text, fault string }{
		{"nothing", "", "no '~'"},
		{"a plain JWT", strings.TrimSuffix(made(`{}`), "~"), "no '~'"},
		{"only a '~'", "~", "not a JWT"},
		{"spaces", made(`{}`) + " ", "compact"},
		{"too large", strings.Repeat("a", maxSize) + "~", "128 kB"},
		{"too many disclosures", "a.b.c" + strings.Repeat("~", 600), "512"},
		{"alg none", b64(`{"alg":"none"}`) + "." + b64(`{}`) + ".~", "not a JWT"},
		{"alg HS256", b64(`{"alg":"HS256"}`) + "." + b64(`{}`) + ".AAAA~", "not a JWT"},
		{"claims that are a list", made(`[]`), "not an object"},
		{"a name twice", made(`{"a":1,"a":2}`), "twice"},
		{"nested too deep", made(`{"a":` + deep + `}`), "32 deep"},
		{"sha-512", made(`{"_sd_alg":"sha-512"}`), "sha-256"},
		{"_sd_alg a number", made(`{"_sd_alg":1}`), "sha-256"},
		{"an empty disclosure", made(`{}`, ""), "JSON"},
		{"a disclosure that is not base64url", strings.TrimSuffix(made(`{}`), "~") + "~A~", "base64url"},
		{"a disclosure that is not JSON", made(`{}`, `[`), "JSON"},
		{"a disclosure with something after it", made(`{}`, `["s","a",1] x`), "JSON"},
		{"a disclosure that is not UTF-8", made(`{}`, "[\"s\",\"\xff\",1]"), "UTF-8"},
		{"a disclosure with one entry", made(`{}`, `["s"]`), "array"},
		{"a disclosure with four entries", made(`{}`, `["s","a",1,2]`), "array"},
		{"a disclosure that is an object", made(`{}`, `{"s":"a"}`), "array"},
		{"a salt that is a number", made(`{}`, `[1,"a",1]`), "salt"},
		{"a claim name that is a number", made(`{}`, `["s",1,1]`), "claim name"},
		{"a claim named _sd", made(`{"_sd":[`+d(`["s","_sd",[]]`)+`]}`, `["s","_sd",[]]`), "reserves"},
		{"a claim named ...", made(`{"_sd":[`+d(`["s","...",1]`)+`]}`, `["s","...",1]`), "reserves"},
		{"a visible claim named ...", made(`{"...":1}`), "..."},
		{"a claim without a name", made(`{"_sd":[`+d(`["s","",1]`)+`]}`, `["s","",1]`), "no name"},
		{"... with another name", made(`{"a":[{"...":"x","b":1}]}`), "..."},
		{"... that is not a string", made(`{"a":[{"...":1}]}`), "strings"},
		{"_sd that is not a list", made(`{"_sd":"x"}`), "array of strings"},
		{"_sd null", made(`{"_sd":null}`), "array of strings"},
		{"_sd of numbers", made(`{"_sd":[1]}`), "array of strings"},
		{"a disclosure that nothing refers to", made(`{"_sd":["x"]}`, a), "does not belong"},
		{"a disclosure whose parent is not shown", made(`{"_sd":[`+d(`["s","p",{"_sd":[`+d(a)+`]}]`)+`]}`, a), "does not belong"},
		{"a disclosure twice", made(`{"_sd":[`+d(a)+`]}`, a, a), "given twice"},
		{"a digest twice in one place", made(`{"_sd":["x","x"]}`), "digest occurs twice"},
		{"a digest in two places", made(`{"_sd":["x"],"a":{"_sd":["x"]}}`), "digest occurs twice"},
		{"a digest in a claim and an array", made(`{"_sd":["x"],"a":[{"...":"x"}]}`), "digest occurs twice"},
		{"a hidden claim over a visible one", made(`{"a":1,"_sd":[`+d(a)+`]}`, a), "same name"},
		{"two hidden claims with one name", made(`{"_sd":[`+d(a)+`,`+d(`["u","a",3]`)+`]}`, a, `["u","a",3]`), "same name"},
		{"a claim in place of an element", made(`{"l":[{"...":`+d(a)+`}]}`, a), "stands for"},
		{"an element in place of a claim", made(`{"_sd":[`+d(element)+`]}`, element), "stands for"},
		{"exp hidden", made(`{"_sd":[`+d(`["s","exp",1]`)+`]}`, `["s","exp",1]`), "always be visible"},
		{"cnf hidden", made(`{"_sd":[`+d(`["s","cnf",{}]`)+`]}`, `["s","cnf",{}]`), "always be visible"},
		{"status hidden", made(`{"_sd":[`+d(`["s","status",{}]`)+`]}`, `["s","status",{}]`), "always be visible"},
	} {
		_, err := Parse(row.text)
		var e Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), row.fault) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.fault)
		}
	}
	good := made(`{"_sd":[`+d(a)+`,"decoy"],"l":[{"...":`+d(element)+`},{"...":"decoy2"}],"o":{"_sd":[`+d(b)+`]}}`, a, b, element)
	c := mustParse(t, good)
	if want := `{"a":1,"l":[1],"o":{"b":2}}`; asJSON(t, c.claims) != want {
		t.Errorf("got %s, want %s", asJSON(t, c.claims), want)
	}
	if got := asJSON(t, mustPresent(t, c, "l").claims); got != `{"l":[1],"o":{}}` {
		t.Errorf("only l: got %s", got)
	}
	if got := asJSON(t, mustPresent(t, c).claims); got != `{"l":[],"o":{}}` {
		t.Errorf("nothing: got %s", got)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatARecipientRefuses(t *testing.T) {
	key, other := newKey(t, "1"), newKey(t, "1")
	good := map[string]any{"iss": af, "vct": cert, "iat": noon.Unix(), "exp": noon.Unix() + 60}
	with := func(name string, value any) map[string]any {
		claims := maps.Clone(good)
		claims[name] = value
		return claims
	}
	type row struct {
		name   string
		typ    jose.ContentType
		claims map[string]any
		key    jose.JSONWebKey
		want   Want
		fault  string // "" if it is good
	}
	usual := Want{Type: cert, Issuer: af}
	rows := []row{
		{"good", credentialType, good, key, usual, ""},
		{"typ JWT", "JWT", good, key, usual, "typ"},
		{"typ of before 2024", "vc+sd-jwt", good, key, usual, "typ"},
		{"typ of a key binding", bindingType, good, key, usual, "typ"},
		{"signed by another", credentialType, good, other, usual, "signature"},
		{"signed with another's key id", credentialType, good, newKey(t, "2"), usual, "the issuer's key"},
		{"of another type", credentialType, with("vct", "x"), key, usual, "vct is not"},
		{"of no type, and none wanted", credentialType, with("vct", ""), key, Want{Issuer: af}, "vct is not"},
		{"of another issuer", credentialType, with("iss", "https://evil.example"), key, usual, "iss is not"},
		{"of no issuer, and none wanted", credentialType, with("iss", ""), key, Want{Type: cert}, "iss is not"},
		{"an issuer that is a list", credentialType, with("iss", []string{af}), key, usual, "iss is not"},
		{"expired this second", credentialType, with("exp", noon.Unix()), key, usual, "expired"},
		{"exp a string", credentialType, with("exp", "2030"), key, usual, "exp is not"},
		{"exp beyond all time", credentialType, with("exp", 1e30), key, usual, "exp is not"},
		{"iat a minute ahead", credentialType, with("iat", noon.Unix()+60), key, usual, ""},
		{"iat more than a minute ahead", credentialType, with("iat", noon.Unix()+61), key, usual, "future"},
		{"nbf more than a minute ahead", credentialType, with("nbf", noon.Unix()+61), key, usual, "not valid yet"},
		{"cnf without a key", credentialType, with("cnf", map[string]any{}), key, usual, "cnf"},
		{"cnf with a secret key", credentialType, with("cnf", map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}), key, usual, "cnf"},
		{"a status that we don't know", credentialType, with("status", map[string]any{"x": 1}), key, usual, "status"},
		{"a status before the list", credentialType, with("status", map[string]any{"status_list": map[string]any{"uri": "u", "idx": -1}}), key, usual, "status"},
		{"not bound, but wanted so", credentialType, good, key, Want{cert, af, &Binding{"aud", "n", time.Minute}}, "no proof"},
	}
	for _, r := range rows {
		c := mustParse(t, raw(t, r.key, r.typ, asJSON(t, r.claims)))
		v, err := c.Verify(only(af, key), noon, r.want)
		if (r.fault == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), r.fault) || !reflect.DeepEqual(v, Verified{})) {
			t.Errorf("%s: got %+v, %v, want %q", r.name, v, err, r.fault)
		}
	}
}

func TestAKeyOfAnotherKindOrAlgorithmVerifiesNothing(t *testing.T) {
	key := newKey(t, "1")
	c := mustIssue(t, key, statement())
	for name, k := range map[string]jose.JSONWebKey{
		"private":            key,
		"of another alg":     {Key: key.Public().Key, Algorithm: "ES384"},
		"symmetric":          {Key: []byte("secret")},
		"none":               {},
		"of another's curve": {Key: ed25519.PublicKey(make([]byte, 32))},
	} {
		if _, err := c.Verify(func(string, string) (jose.JSONWebKey, error) { return k, nil }, noon, Want{Type: cert, Issuer: af}); err == nil {
			t.Errorf("a key that is %s: verified", name)
		}
	}
}

func TestEachPartIsGuarded(t *testing.T) {
	key, holder := newKey(t, "1"), newKey(t, "h")
	s := statement()
	public := holder.Public()
	s.HolderKey = &public
	bound, err := mustPresent(t, mustIssue(t, key, s), "registered", "weeks").Bind(holder, "aud", "nonce", noon)
	if err != nil {
		t.Fatal(err)
	}
	want := Want{cert, af, &Binding{"aud", "nonce", time.Minute}}
	check := func(text string) error {
		c, err := Parse(text)
		if err == nil {
			_, err = c.Verify(only(af, key), noon, want)
		}
		return err
	}
	if err := check(bound); err != nil {
		t.Fatal(err)
	}
	for i := range len(bound) {
		changed := []byte(bound)
		if changed[i] = 'A'; bound[i] == 'A' {
			changed[i] = 'B'
		}
		// In the last character of a part base64 ignores some bits: JWS takes those as the same.
		if err := check(string(changed)); err == nil && !endsPart(bound, i) {
			t.Errorf("character %d of %d changed: verified", i, len(bound))
		}
	}
	parts := strings.Split(bound, "~")
	for name, p := range map[string][]string{
		"a disclosure left out":      {parts[0], parts[1], parts[3]},
		"the disclosures exchanged":  {parts[0], parts[2], parts[1], parts[3]},
		"the binding left out":       {parts[0], parts[1], parts[2], ""},
		"the issuer's JWT as proof":  {parts[0], parts[1], parts[2], parts[0]},
		"the proof of another's key": {parts[0], parts[1], parts[2], proof(t, newKey(t, ""), "aud", parts)},
	} {
		if check(strings.Join(p, "~")) == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func endsPart(s string, i int) bool { return i+1 == len(s) || s[i+1] == '.' || s[i+1] == '~' }

func proof(t *testing.T, holder jose.JSONWebKey, audience string, parts []string) string {
	t.Helper()
	hash := digest(strings.Join(parts[:len(parts)-1], "~") + "~")
	proof, err := sign(holder, bindingType, bindingClaims{audience, "nonce", noon.Unix(), hash})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func TestAProofForNobodyIsRefusedWhereNobodyIsWanted(t *testing.T) {
	key, holder := newKey(t, "1"), newKey(t, "")
	s := statement()
	public := holder.Public()
	s.HolderKey = &public
	unbound := mustIssue(t, key, s).String()
	c := mustParse(t, unbound+proof(t, holder, "", strings.Split(unbound, "~")))
	if _, err := c.Verify(only(af, key), noon, Want{cert, af, &Binding{"", "nonce", time.Minute}}); err == nil {
		t.Error("verified")
	}
}

func TestHeadersThatChangeTheMeaningAreRefused(t *testing.T) {
	key := newKey(t, "1")
	for name, extra := range map[string]map[jose.HeaderKey]any{
		"crit": {"crit": []string{"b64"}},
		"b64":  {"b64": true},
	} {
		options := (&jose.SignerOptions{ExtraHeaders: extra}).WithType(credentialType)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(asJSON(t, map[string]any{"iss": af, "vct": cert})))
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mustParse(t, text+"~").Verify(only(af, key), noon, Want{Type: cert, Issuer: af}); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestAProofIsForOneAudienceNonceAndTime(t *testing.T) {
	key, holder := newKey(t, "1"), newKey(t, "h")
	s := statement()
	public := holder.Public()
	s.HolderKey = &public
	c := mustIssue(t, key, s)
	for _, row := range []struct {
		name       string
		aud, nonce string
		age        time.Duration
		want       *Binding
		fault      string
	}{
		{"as wanted", "a", "n", 0, &Binding{"a", "n", time.Minute}, ""},
		{"just young enough", "a", "n", time.Minute, &Binding{"a", "n", time.Minute}, ""},
		{"for another audience", "b", "n", 0, &Binding{"a", "n", time.Minute}, "audience"},
		{"with another nonce", "a", "m", 0, &Binding{"a", "n", time.Minute}, "nonce"},
		{"too old", "a", "n", 61 * time.Second, &Binding{"a", "n", time.Minute}, "too old"},
		{"from the future", "a", "n", -61 * time.Second, &Binding{"a", "n", time.Minute}, "future"},
		{"not asked for", "a", "n", 0, nil, "not asked for"},
		{"where no audience is wanted", "a", "n", 0, &Binding{"", "n", time.Minute}, "audience"},
	} {
		text, err := c.Bind(holder, row.aud, row.nonce, noon.Add(-row.age))
		if err != nil {
			t.Fatal(err)
		}
		b := mustParse(t, text)
		_, err = b.Verify(only(af, key), noon, Want{cert, af, row.want})
		if (row.fault == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.fault) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.fault)
		}
		if _, err := b.Present(); err == nil {
			t.Errorf("%s: presented a second time", row.name)
		}
		if _, err := b.Bind(holder, "c", "n", noon); err == nil {
			t.Errorf("%s: bound a second time", row.name)
		}
	}
	if _, err := c.Bind(newKey(t, "x"), "a", "n", noon); err == nil {
		t.Error("bound with a key that is not in it")
	}
	if _, err := c.Bind(holder, "", "n", noon); err == nil {
		t.Error("bound to nobody")
	}
	if _, err := mustIssue(t, key, statement()).Bind(holder, "a", "n", noon); err == nil {
		t.Error("bound a credential without a holder's key")
	}
}

func TestOnlyAClaimThatIsThereCanBePresented(t *testing.T) {
	c := mustIssue(t, newKey(t, "1"), statement())
	if _, err := c.Present("registered", "income"); err == nil {
		t.Error("presented a claim that is not there")
	}
	if _, err := mustPresent(t, c, "weeks").Present("registered"); err == nil {
		t.Error("presented a claim that had been left out")
	}
}

func TestAnySubsetIsShownExactly(t *testing.T) {
	key := newKey(t, "1")
	value := rapid.Custom(func(t *rapid.T) any {
		return rapid.OneOf(
			rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int().AsAny(),
			rapid.SliceOfN(rapid.String(), 0, 3).AsAny(),
			rapid.MapOfN(rapid.StringMatching(`[a-zåäö ]{1,8}`), rapid.Int(), 0, 3).AsAny(),
		).Draw(t, "value")
	})
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.MapOfN(rapid.StringMatching(`x[a-zå_.]{0,8}`), value, 0, 8).Draw(rt, "claims")
		s := statement()
		s.Claims, s.Decoys = nil, rapid.IntRange(0, 5).Draw(rt, "decoys")
		want := map[string]any{}
		var shown, hidden []string
		for name, v := range all {
			s.Claims = append(s.Claims, Claim{name, v})
			if rapid.Bool().Draw(rt, "show "+name) {
				shown = append(shown, name)
				want[name], _ = decode([]byte(asJSON(t, v)))
			} else {
				hidden = append(hidden, name)
			}
		}
		p := mustPresent(t, mustIssue(t, key, s), shown...)
		v, err := mustParse(t, p.String()).Verify(only(af, key), noon, Want{Type: cert, Issuer: af})
		if err != nil || !reflect.DeepEqual(v.Claims, want) {
			rt.Fatalf("got %v, %v, want %v", v.Claims, err, want)
		}
		if len(p.disclosures) != len(shown) || len(hidden)+len(shown) != len(all) {
			rt.Fatalf("%d disclosures for %d claims", len(p.disclosures), len(shown))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"5.1-issued", "5.2-presented", "A.1-issued", "A.2-issued", "A.3-issued", "A.3-presented"} {
		f.Add(vector(f, name))
	}
	f.Add("~")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			var e Error
			if !errors.As(err, &e) {
				t.Errorf("not an Error: %v", err)
			}
			return
		}
		again, err := Parse(c.String())
		if c.String() != text || err != nil || !reflect.DeepEqual(again.claims, c.claims) {
			t.Errorf("came back as %q, %v", c, err)
		}
		if c.binding == "" {
			for name := range c.claims {
				if _, err := c.Present(name); err != nil {
					t.Errorf("can't present a claim that is there: %v", err)
				}
			}
		}
	})
}

// FuzzReveal looks at what an issuer may sign, which FuzzParse hardly reaches.
func FuzzReveal(f *testing.F) {
	f.Add(`{"_sd":["`+digest(b64(`["s","a",1]`))+`"],"l":[{"...":"x"}]}`, `["s","a",1]`)
	f.Add(`{"l":[{"...":"`+digest(b64(`["s",{"_sd":[]}]`))+`"}]}`, `["s",{"_sd":[]}]`)
	f.Add(`{"_sd":["`+digest(b64(`["s","a",1]`))+`"],"a\"_sd":1}`, `["s","a",1]`) // a name of the issuer's, with a quote in it
	f.Fuzz(func(t *testing.T, payload, disclosed string) {
		object, err := decode([]byte(payload))
		if err != nil {
			return
		}
		d, err := parseDisclosure(b64(disclosed))
		if err != nil {
			return
		}
		claims, err := reveal(object, []*disclosure{d})
		if err != nil {
			return
		}
		if leaves(claims) {
			t.Errorf("SD-JWT's own names are left in %s", asJSON(t, claims))
		}
	})
}

// leaves says whether SD-JWT's own names are somewhere in a value.
func leaves(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if name == "_sd" || name == "..." || leaves(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, leaves)
	}
	return false
}

func BenchmarkIssue(b *testing.B) {
	key := newKey(b, "1")
	for b.Loop() {
		if _, err := Issue(key, statement()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPresent(b *testing.B) {
	c := mustIssue(b, newKey(b, "1"), statement())
	for b.Loop() {
		if _, err := c.Present("registered", "weeks"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndVerify(b *testing.B) {
	key := newKey(b, "1")
	text := mustIssue(b, key, statement()).String()
	for b.Loop() {
		c, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Verify(only(af, key), noon, Want{Type: cert, Issuer: af}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSelectIsPresent: what is made without parsing is what parsing makes, also of
// claims within claims.
func TestSelectIsPresent(t *testing.T) {
	for _, name := range []string{"", "5.1-issued", "A.1-issued", "A.2-issued", "A.3-issued"} {
		c := mustIssue(t, newKey(t, "af-1"), statement())
		if name != "" {
			c = mustParse(t, vector(t, name))
		}
		var all []string
		for name := range c.claims {
			all = append(all, name)
		}
		for subset := range 1 << min(len(all), 6) {
			var names []string
			for i, name := range all[:min(len(all), 6)] {
				if subset>>i&1 == 1 {
					names = append(names, name)
				}
			}
			got, err := Select(c.unbound(), c.Disclosed(), names...)
			if want := mustPresent(t, c, names...).String(); err != nil || got != want {
				t.Errorf("%v: %s, %v, want %s", names, got, err, want)
			}
		}
		if _, err := Select(c.unbound(), c.Disclosed()[1:]); err == nil {
			t.Error("with another list of disclosures")
		}
	}
}
