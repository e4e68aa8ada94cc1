// SPDX-License-Identifier: EUPL-1.2

package dpop

import "strings"

// sameURL reports whether two URLs name the same target: equal after the
// syntax- and scheme-based normalisation of RFC 3986, sections 6.2.2 and
// 6.2.3, without query and fragment. A final slash counts. We do not remove
// dot segments: a server that refuses them need not agree on what they mean.
func sameURL(a, b string) bool {
	a, b = withoutQuery(a), withoutQuery(b)
	if a == b && strings.HasPrefix(a, "https://") && !strings.Contains(a, "@") {
		return true // the common case; whatever it is, both sides say the same
	}
	x, okA := normal(a)
	if a == b {
		return okA
	}
	y, okB := normal(b)
	return okA && okB && x == y
}

func withoutQuery(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i]
	}
	return s
}

// normal gives the normal form of an absolute http or https URL without query
// and fragment. Anything else is not ok, also one with user information or
// with bytes that no URI may hold.
func normal(s string) (string, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", false
	}
	scheme = strings.ToLower(scheme)
	if scheme != "http" && scheme != "https" {
		return "", false
	}
	host, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host, okHost := normalHost(host, defaultPort[scheme])
	path, okPath := normalEscapes(path)
	if !okHost || !okPath || !printable(path) {
		return "", false
	}
	return scheme + "://" + host + path, true
}

// normalHost writes a name or address in lower case, and a port where it isn't
// the scheme's own. Only an address in brackets holds colons.
func normalHost(s, defaultPort string) (string, bool) {
	name, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		name, port = s[:i], s[i+1:]
	}
	inner, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
	}
	if inner == "" || strings.ContainsAny(inner, "[]@%\\") || !printable(inner) ||
		strings.Contains(inner, ":") != bracketed || strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	if port != "" && port != defaultPort {
		name += ":" + port
	}
	return strings.ToLower(name), true
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// normalEscapes writes every escape in upper case, and unreserved characters
// without one.
func normalEscapes(path string) (string, bool) {
	if !strings.Contains(path, "%") {
		return path, true
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return "", false
		}
		if c := unhex(path[i+1])<<4 | unhex(path[i+2]); unreserved(c) {
			out.WriteByte(c)
		} else {
			out.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return out.String(), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func unreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
