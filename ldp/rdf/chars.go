// SPDX-License-Identifier: EUPL-1.2

package rdf

// Classes of bytes, for the loops that see every byte.
const (
	notIRI    = 1 << iota // excluded from IRIREF
	nameByte              // PN_CHARS below U+0080, and ':' of local names
	plainByte             // needs no escape in a string, and does not end one
	spaceByte             // white space
)

// class holds the classes of each byte. It is never written.
var class = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		switch {
		case c <= 0x20 || c == '<' || c == '>' || c == '"' || c == '{' || c == '}' || c == '|' || c == '^' || c == '`' || c == '\\':
			t[i] |= notIRI
		case isAlpha(c) || isDigit(c) || c == '_' || c == '-' || c == ':':
			t[i] |= nameByte
		}
		if c >= 0x20 && c != '"' && c != '\'' && c != '\\' && c != 0x7F {
			t[i] |= plainByte
		}
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			t[i] |= spaceByte
		}
	}
	return t
}()

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isNameBase is PN_CHARS_BASE of Turtle's grammar.
func isNameBase(r rune) bool {
	if r < 0x80 {
		return isAlpha(byte(r))
	}
	for _, span := range [...][2]rune{
		{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F},
		{0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	} {
		if r <= span[1] {
			return r >= span[0]
		}
	}
	return false
}

// isNameRune is PN_CHARS.
func isNameRune(r rune) bool {
	if r < 0x80 {
		return class[r]&nameByte != 0 && r != ':'
	}
	return isNameBase(r) || r == 0xB7 ||
		0x300 <= r && r <= 0x36F || r == 0x203F || r == 0x2040
}

// isLabelStart is what a blank node's label and a local name may begin with,
// but for ':' and escapes.
func isLabelStart(r rune) bool { return isNameBase(r) || r == '_' || '0' <= r && r <= '9' }
