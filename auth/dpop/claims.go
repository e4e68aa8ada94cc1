// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"strings"

	"github.com/go-jose/go-jose/v4/json" // case-sensitive, refuses a name given twice
)

type claims struct {
	ID     string  `json:"jti"`
	Method string  `json:"htm"`
	URL    string  `json:"htu"`
	Issued float64 `json:"iat"` // a NumericDate may have a fraction (RFC 7519, section 2)
	Token  *string `json:"ath,omitempty"`
	Nonce  string  `json:"nonce,omitempty"`
}

// readClaims reads the claims of a proof. Nearly all are written in one way, without
// spaces and escapes: to read that takes a tenth of what the decoder does. It reads
// whatever is written otherwise, and refuses what is wrong.
func readClaims(payload []byte) (said claims, err error) {
	if said, ok := plainClaims(string(payload)); ok {
		return said, nil
	}
	err = json.Unmarshal(payload, &said)
	return said, err
}

// plainClaims reads an object of the claims that are known here, each at most once,
// whose strings are of printable ASCII without escapes and whose iat is whole. It is not
// ok of anything else, whether right or wrong.
func plainClaims(text string) (said claims, ok bool) {
	rest, ok := strings.CutPrefix(text, "{")
	for seen := 0; ok; {
		var name string
		if name, rest, ok = plainString(rest); !ok {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			break
		}
		which := 0
		if which, rest, ok = said.plain(name, rest); !ok || seen&which != 0 {
			break
		}
		if seen |= which; rest == "}" {
			return said, true
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	return claims{}, false
}

// plain reads the value of a claim off the front, and returns the claim's own bit.
func (said *claims) plain(name, text string) (which int, rest string, ok bool) {
	if name == "iat" {
		said.Issued, rest, ok = plainNumber(text)
		return 1, rest, ok
	}
	value, rest, ok := plainString(text)
	switch name {
	case "jti":
		which, said.ID = 2, value
	case "htm":
		which, said.Method = 4, value
	case "htu":
		which, said.URL = 8, value
	case "ath":
		which, said.Token = 16, &value
	case "nonce":
		which, said.Nonce = 32, value
	}
	return which, rest, ok && which != 0
}

// plainString reads a string off the front.
func plainString(text string) (value, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, `"`)
	if !ok {
		return "", "", false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			return text[:i], text[i+1:], true
		case c < ' ' || c >= 0x7f || c == '\\':
			return "", "", false
		}
	}
	return "", "", false
}

// plainNumber reads a whole number above zero off the front, of as many digits as a
// float64 holds.
func plainNumber(text string) (n float64, rest string, ok bool) {
	i, whole := 0, int64(0)
	for ; i < len(text) && '0' <= text[i] && text[i] <= '9'; i++ {
		if i == 15 {
			return 0, "", false
		}
		whole = whole*10 + int64(text[i]-'0')
	}
	return float64(whole), text[i:], i > 0 && text[0] != '0'
}
