// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The order of names in a language (2026-11): that of its alphabet, whatever the
// case, letters of other languages as the one they look like, and numbers by their
// value. golang.org/x/text/collate knows all languages, which is 1.3 MB of tables; we
// speak four, whose alphabets differ in how they end.

// ends are the letters that follow z, with those that count as them.
var ends = map[string]*strings.Replacer{
	"sv": strings.NewReplacer("å", "{", "ä", "|", "æ", "|", "ö", "}", "ø", "}"),
	"nb": strings.NewReplacer("æ", "{", "ä", "{", "ø", "|", "ö", "|", "å", "}"),
	"nn": strings.NewReplacer("æ", "{", "ä", "{", "ø", "|", "ö", "|", "å", "}"),
	"en": strings.NewReplacer("æ", "ae", "ø", "o"),
}

// alphabetical returns the function that compares two names as a language sorts them.
// Names that the language doesn't tell apart are in the order of their bytes.
func alphabetical(lang string) func(a, b string) int {
	end := ends[lang]
	key := func(s string) string {
		s = strings.ToLower(norm.NFC.String(s))
		if end != nil {
			s = end.Replace(s)
		}
		return numbered(norm.NFD.String(s))
	}
	return func(a, b string) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a, b)) }
}

// numbered leaves out accents, and writes how long a number is before it, so that 9
// comes before 10.
func numbered(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if digits := len(s[i:]) - len(strings.TrimLeft(s[i:], "0123456789")); digits > 0 {
			number := strings.TrimLeft(s[i:i+digits], "0")
			b.WriteByte('0')
			b.WriteByte(byte(min(len(number), 255)))
			b.WriteString(number)
			i += digits
			continue
		}
		for _, r := range s[i:] {
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			}
			i += len(string(r))
			break
		}
	}
	return b.String()
}
