// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4/json"
)

// claimTexts are what clients send, and what nobody should.
var claimTexts = []struct {
	says, text string
	plain      bool // it is read without the decoder
}{
	{"as most write it", `{"jti":"a","htm":"GET","htu":"https://a/b","iat":1562262618,"ath":"x","nonce":"n"}`, true},
	{"in another order", `{"iat":1562262618,"htu":"https://a/b","ath":"x","htm":"GET","jti":"a"}`, true},
	{"of a token endpoint", `{"jti":"a","htm":"POST","htu":"https://a/b","iat":1}`, true},
	{"one claim", `{"iat":1}`, true},
	{"an empty hash", `{"ath":""}`, true},
	{"the longest number", `{"iat":999999999999999}`, true},
	{"nothing", `{}`, false},
	{"no object", `[]`, false},
	{"empty", ``, false},
	{"spaces", `{"jti": "a", "iat": 1}`, false},
	{"a claim of others", `{"jti":"a","exp":1}`, false},
	{"a claim with no name", `{"":"a"}`, false},
	{"an escape", `{"jti":"\u0061"}`, false},
	{"a letter that is not ASCII", `{"jti":"å"}`, false},
	{"a byte that is no letter", "{\"jti\":\"\xff\"}", false},
	{"a control character", "{\"jti\":\"\n\"}", false},
	{"a fraction", `{"iat":1.5}`, false},
	{"an exponent", `{"iat":1e9}`, false},
	{"zero", `{"iat":0}`, false},
	{"a zero before", `{"iat":01}`, false},
	{"below zero", `{"iat":-1}`, false},
	{"a number that no float64 holds", `{"iat":9007199254740993}`, false},
	{"a number in quotes", `{"iat":"1"}`, false},
	{"a name twice", `{"jti":"a","jti":"b"}`, false},
	{"iat twice", `{"iat":1,"iat":2}`, false},
	{"a hash twice", `{"ath":"a","iat":1,"ath":"b"}`, false},
	{"null", `{"ath":null}`, false},
	{"another case", `{"JTI":"a"}`, false},
	{"a comma too many", `{"jti":"a",}`, false},
	{"a comma before", `{,"jti":"a"}`, false},
	{"no comma", `{"jti":"a""iat":1}`, false},
	{"no colon", `{"jti""a"}`, false},
	{"no end", `{"jti":"a"`, false},
	{"no end of a string", `{"jti":"a`, false},
	{"something after", `{"jti":"a"}x`, false},
	{"another object after", `{"jti":"a"}{"jti":"a"}`, false},
	{"a line end after", "{\"jti\":\"a\"}\n", false},
	{"an object as a value", `{"jti":{}}`, false},
}

func TestClaimsAreReadAsTheDecoderReadsThem(t *testing.T) {
	for _, row := range claimTexts {
		if _, ok := plainClaims(row.text); ok != row.plain {
			t.Errorf("%s: plain is %v", row.says, ok)
		}
		sameClaims(t, row.text)
	}
}

func sameClaims(t *testing.T, text string) {
	var want claims
	wrong := json.Unmarshal([]byte(text), &want)
	said, err := readClaims([]byte(text))
	if (err == nil) != (wrong == nil) || err == nil && !reflect.DeepEqual(said, want) {
		t.Errorf("%q: %+v, %v; the decoder says %+v, %v", text, said, err, want, wrong)
	}
}

func FuzzClaims(f *testing.F) {
	for _, row := range claimTexts {
		f.Add(row.text)
	}
	f.Fuzz(sameClaims)
}
