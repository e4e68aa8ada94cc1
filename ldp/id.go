// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"strings"
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
// escapes, and paths over the limits.
func ParseID(path string) (ID, error) {
	switch {
	case len(path) > MaxPath:
		return "", Refuse(Invalid, "The path is longer than 2048 bytes.")
	case !strings.HasPrefix(path, "/"):
		return "", Refuse(Invalid, "The path does not start with a slash.")
	}
	segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	if len(segments) > MaxDepth {
		return "", Refuse(Invalid, "The path has more than 64 segments.")
	}
	if path == "/" {
		return "/", nil
	}
	for _, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", err
		}
	}
	return ID(path), nil
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
		return Refuse(Invalid, "The path has a percent sign that is not followed by two upper-case hexadecimal digits, or escapes a character that needs no escape.")
	}
	switch {
	case plain == "." || plain == "..":
		return Refuse(Invalid, "The path has a dot segment.")
	case strings.ContainsAny(plain, "/\\\x00"):
		return Refuse(Invalid, "The path has an encoded slash, backslash or NUL.")
	case !utf8.ValidString(plain):
		return Refuse(Invalid, "The path is not UTF-8.")
	case strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Refuse(Invalid, "The path has a control character.")
	}
	return nil
}

// unescape decodes a segment; false if it is not the canonical encoding.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
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
			b.WriteByte(byte(hi<<4 | lo))
			i += 2
		case pchar(c):
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	return b.String(), true
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
