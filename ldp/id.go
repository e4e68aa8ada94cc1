// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// An ID is the canonical, percent-encoded path of a resource, from the root of
// the server: "/alva/notes/a%20b.ttl". A container's ID ends with a slash
// (Solid Protocol, URI slash semantics); "/c" and "/c/" are two IDs. Only
// [ParseID] and the methods here make one, so an ID that exists is valid.
type ID string

// Limits of an ID.
const (
	MaxPath    = 2048 // bytes of the whole path
	MaxSegment = 255  // bytes of one segment, percent-encoded
	MaxDepth   = 64   // segments
)

// ParseID reads an escaped path as it stood in the request line (url.URL's
// EscapedPath). It refuses whatever has two spellings, and repairs nothing:
// empty segments, "." and ".." however they are encoded, an encoded slash,
// backslash or NUL, bytes that are not UTF-8, lower-case or needless percent
// escapes, and paths over the limits. An auxiliary resource is no container, so
// it refuses a segment that ends in ".acl" or ".meta" and has a slash after it.
func ParseID(path string) (ID, error) {
	switch {
	case len(path) > MaxPath:
		return "", Refuse(Invalid, "The path is longer than 2048 bytes.")
	case path == "" || path[0] != '/':
		return "", Refuse(Invalid, "The path does not start with a slash.")
	case path == "/":
		return "/", nil
	}
	depth := 0
	for rest := path[1:]; rest != ""; {
		s, after, slash := strings.Cut(rest, "/")
		if depth++; depth > MaxDepth {
			return "", Refuse(Invalid, "The path has more than 64 segments.")
		}
		if err := checkSegment(s); err != nil {
			return "", err
		}
		if slash && (strings.HasSuffix(s, ACLSuffix) || strings.HasSuffix(s, MetaSuffix)) {
			return "", Refuse(Invalid, "A container's name can't end in .acl or .meta: these are auxiliary resources.")
		}
		rest = after
	}
	return ID(path), nil
}

// Respell returns the one canonical spelling of a path that means the same by
// RFC 3986, section 6.2.2, or that a browser sends as it is: lower-case escapes
// ("%c3%a5"), needless ones ("%7E") and bytes that want one ("[", "å"). It says
// nothing about whether [ParseID] takes the result: dots, slashes and NULs that
// were encoded are no less refused. The second result is false if an escape is
// broken.
func Respell(path string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' {
			if i+2 >= len(path) {
				return "", false
			}
			hi, lo := unhex(upper(path[i+1])), unhex(upper(path[i+2]))
			if hi < 0 || lo < 0 {
				return "", false
			}
			c, escaped = byte(hi<<4|lo), true
			i += 2
		}
		switch {
		case unreserved(c) || !escaped && (pchar(c) || c == '/'):
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String(), true
}

const hexDigits = "0123456789ABCDEF"

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}

func checkSegment(s string) error {
	if s == "" {
		return Refuse(Invalid, "The path has an empty segment (two slashes in a row).")
	}
	if len(s) > MaxSegment {
		return Refuse(Invalid, "A segment of the path is longer than 255 bytes.")
	}
	plain, ok := unescape(s)
	if !ok {
		return Refuse(Invalid, "The path is not written canonically: each escape is a percent sign and two upper-case hexadecimal digits, letters, digits and -._~ have none, and what else a URL can't hold has one.")
	}
	switch {
	case plain == "." || plain == "..":
		return Refuse(Invalid, "The path has a dot segment.")
	case len(plain) == len(s):
		return nil
	case strings.ContainsAny(plain, "/\\\x00"):
		return Refuse(Invalid, "The path has an encoded slash, backslash or NUL.")
	case !utf8.ValidString(plain):
		return Refuse(Invalid, "The path is not UTF-8.")
	case strings.ContainsFunc(plain, unicode.IsControl):
		return Refuse(Invalid, "The path has a control character.")
	}
	return nil
}

// unescape decodes a segment; false if it is not the canonical encoding.
func unescape(s string) (string, bool) {
	i := 0
	for i < len(s) && pchar(s[i]) {
		i++
	}
	if i == len(s) {
		return s, true
	}
	b := make([]byte, i, len(s))
	copy(b, s)
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 || unreserved(byte(hi<<4|lo)) {
				return "", false
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		case pchar(c):
			b = append(b, c)
		default:
			return "", false
		}
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// pchar is RFC 3986's, without the percent sign.
func pchar(c byte) bool { return unreserved(c) || strings.IndexByte("!$&'()*+,;=:@", c) >= 0 }

// IsContainer reports whether the ID is a container's.
func (id ID) IsContainer() bool { return strings.HasSuffix(string(id), "/") }

// Parent returns the container that holds the resource; the root's is "".
func (id ID) Parent() ID {
	if id == "/" || id == "" {
		return ""
	}
	s := strings.TrimSuffix(string(id), "/")
	return ID(s[:strings.LastIndexByte(s, '/')+1])
}

// Name returns the last segment, percent-encoded, with its slash if it has one.
func (id ID) Name() string { return strings.TrimPrefix(string(id), string(id.Parent())) }

// First returns the first segment: for "/alva/notes/" "alva".
func (id ID) First() string {
	s, _, _ := strings.Cut(strings.TrimPrefix(string(id), "/"), "/")
	return s
}

// The suffixes of the auxiliary resources (Solid Protocol, auxiliary resources).
const (
	ACLSuffix  = ".acl"
	MetaSuffix = ".meta"
)

// Subject returns the resource that an auxiliary resource describes and its
// suffix; for any other ID the ID itself and "".
func (id ID) Subject() (ID, string) {
	for _, suffix := range []string{ACLSuffix, MetaSuffix} {
		if s, ok := strings.CutSuffix(string(id), suffix); ok && s != "" {
			return ID(s), suffix
		}
	}
	return id, ""
}

// Twin returns the ID with the slash added or taken away: what may not exist
// beside it (Solid Protocol, URI slash semantics).
func (id ID) Twin() ID {
	if s, ok := strings.CutSuffix(string(id), "/"); ok {
		return ID(s)
	}
	return id + "/"
}
