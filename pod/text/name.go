// SPDX-License-Identifier: EUPL-1.2

package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const longestName = 60 // characters

// IsName reports whether people may be called s on the pages: at most 60 characters,
// none of which steers, and no personal number. "" is one.
func IsName(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= longestName && !strings.ContainsFunc(s, Steers) && !HasNumber(s)
}

// Steers reports whether a character isn't seen, but steers what shows it, as a
// control character or a change of direction does (Unicode's categories Cc and Cf).
func Steers(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }
