// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ResolveIRI resolves a reference against a base IRI, as RFC 3986, section 5.2
// has it, on IRIs. The base must be absolute. Neither is normalized but for
// dot segments in the path. It is an error if either has a character that no
// IRI may have.
func ResolveIRI(base, ref string) (string, error) {
	if msg := invalidIRI(base); msg != "" {
		return "", fmt.Errorf("base: %s", msg)
	}
	if i := badIRIByte(ref); i >= 0 || !utf8.ValidString(ref) {
		return "", errors.New("the reference has a character that no IRI may have")
	}
	return resolve(splitIRI(base), ref), nil
}

// iriParts are the five components of an IRI reference, RFC 3986, section 3.
// A component that is there and empty differs from one that is not there.
type iriParts struct {
	scheme, authority, path, query, fragment string
	hasAuthority, hasQuery, hasFragment      bool
}

func splitIRI(s string) (u iriParts) {
	if n := schemeLen(s); n > 0 {
		u.scheme, s = s[:n], s[n+1:]
	}
	s, u.fragment, u.hasFragment = strings.Cut(s, "#")
	s, u.query, u.hasQuery = strings.Cut(s, "?")
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		u.hasAuthority = true
		n := strings.IndexByte(rest, '/')
		if n < 0 {
			n = len(rest)
		}
		u.authority, s = rest[:n], rest[n:]
	}
	u.path = s
	return u
}

func (u iriParts) String() string {
	var b strings.Builder
	if u.scheme != "" {
		b.WriteString(u.scheme + ":")
	}
	if u.hasAuthority {
		b.WriteString("//" + u.authority)
	}
	b.WriteString(u.path)
	if u.hasQuery {
		b.WriteString("?" + u.query)
	}
	if u.hasFragment {
		b.WriteString("#" + u.fragment)
	}
	return b.String()
}

// resolve is RFC 3986, section 5.2.2, strict.
func resolve(base iriParts, ref string) string {
	t := splitIRI(ref)
	switch {
	case t.scheme != "":
		t.path = removeDots(t.path)
		return t.String()
	case t.hasAuthority:
		t.path = removeDots(t.path)
	case t.path == "":
		t.path = base.path
		if !t.hasQuery {
			t.query, t.hasQuery = base.query, base.hasQuery
		}
	default:
		t.path = removeDots(merge(base, t.path))
	}
	if !t.hasAuthority {
		t.authority, t.hasAuthority = base.authority, base.hasAuthority
	}
	t.scheme = base.scheme
	return t.String()
}

// merge is RFC 3986, section 5.2.3.
func merge(base iriParts, path string) string {
	switch {
	case path[0] == '/':
		return path
	case base.hasAuthority && base.path == "":
		return "/" + path
	}
	return base.path[:strings.LastIndexByte(base.path, '/')+1] + path
}

// removeDots is RFC 3986, section 5.2.4.
func removeDots(in string) string {
	if !strings.Contains(in, ".") {
		return in
	}
	out := make([]byte, 0, len(in))
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"):
			in = in[2:]
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"):
			in, out = in[3:], dropSegment(out)
		case in == "/..":
			in, out = "/", dropSegment(out)
		case in == "." || in == "..":
			in = ""
		default:
			n := strings.IndexByte(in[1:], '/') + 1
			if n == 0 {
				n = len(in)
			}
			out, in = append(out, in[:n]...), in[n:]
		}
	}
	return string(out)
}

func dropSegment(path []byte) []byte {
	for n := len(path) - 1; n >= 0; n-- {
		if path[n] == '/' {
			return path[:n]
		}
	}
	return path[:0]
}

// schemeLen returns the length of the scheme that s begins with, or 0.
func schemeLen(s string) int {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isAlpha(c):
		case i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return i
		default:
			return 0
		}
	}
	return 0
}

// invalidIRI returns what is wrong with s as an absolute IRI, or "".
func invalidIRI(s string) string {
	switch {
	case schemeLen(s) == 0:
		return "an IRI is relative"
	case badIRIByte(s) >= 0:
		return "an IRI has a character that no IRI may have"
	case !utf8.ValidString(s):
		return "an IRI is not valid UTF-8"
	}
	return ""
}

// badIRIByte returns the place of the first byte that the IRIREF rule of Turtle
// excludes, or -1.
func badIRIByte(s string) int {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&notIRI != 0 {
			return i
		}
	}
	return -1
}
