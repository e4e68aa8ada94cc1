// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseID(t *testing.T) {
	deep := strings.Repeat("/a", MaxDepth)
	for _, c := range []struct {
		why, path string
		ok        bool
	}{
		{"the root", "/", true},
		{"a container", "/alva/", true},
		{"a document", "/alva/card", true},
		{"a container and the document beside it are two paths", "/alva/card/", true},
		{"a space is escaped", "/a%20b.ttl", true},
		{"UTF-8 is escaped", "/%C3%A5", true},
		{"sub-delimiters, colon and at stand for themselves", "/!$&'()*+,;=:@", true},
		{"an escaped sub-delimiter is another name (RFC 3986, 2.2)", "/a%2Cb", true},
		{"a percent sign is escaped", "/100%25", true},
		{"three dots are a name", "/...", true},
		{"a name may start with a dot", "/.well-known/solid", true},
		{"a file system's forbidden names are names", "/CON/nul.txt/a:b*c/aux", true},
		{"an ACL", "/c/.acl", true},
		{"a document's ACL", "/c/d.acl", true},
		{"a description", "/c/.meta", true},
		{"an ACL in capitals is a plain name", "/c/d.ACL/", true},
		{"acl without a dot is a plain name", "/acl/meta/", true},
		{"64 segments", deep, true},
		{"64 segments and a slash", deep + "/", true},
		{"255 bytes of a segment", "/" + strings.Repeat("a", MaxSegment), true},
		{"2048 bytes", strings.Repeat("/"+strings.Repeat("a", 255), 8), true},

		{"nothing", "", false},
		{"no slash first", "alva/", false},
		{"an asterisk", "*", false},
		{"two slashes first", "//", false},
		{"another host", "//evil.example/", false},
		{"two slashes", "/a//b", false},
		{"two slashes last", "/a//", false},
		{"dot", "/a/./b", false},
		{"dot dot", "/a/../b", false},
		{"dot dot last", "/a/..", false},
		{"dot dot and slash last", "/a/../", false},
		{"escaped dot dot", "/a/%2e%2e/b", false},
		{"escaped dot dot in capitals", "/a/%2E%2E/b", false},
		{"half-escaped dot dot", "/a/.%2E/b", false},
		{"escaped dot", "/%2E", false},
		{"escaped twice is a name that looks odd", "/%252e%252e", true},
		{"escaped slash", "/a%2Fb", false},
		{"escaped slash in lower case", "/a%2fb", false},
		{"escaped backslash", "/a%5Cb", false},
		{"backslash", `/a\b`, false},
		{"NUL", "/a%00", false},
		{"line feed", "/a%0Ab", false},
		{"delete", "/a%7F", false},
		{"a C1 control", "/a%C2%85", false},
		{"a byte that is not UTF-8", "/%FF", false},
		{"an overlong slash", "/%C0%AF", false},
		{"a surrogate", "/%ED%A0%80", false},
		{"half a rune", "/%C3", false},
		{"lower-case escape", "/%c3%a5", false},
		{"escaped tilde", "/%7Ealva", false},
		{"escaped letter", "/%61", false},
		{"no digits", "/a%", false},
		{"one digit", "/a%2", false},
		{"no hexadecimal digits", "/a%2G", false},
		{"raw UTF-8", "/å", false},
		{"raw space", "/a b", false},
		{"raw NUL", "/a\x00", false},
		{"raw angle bracket", "/a>", false},
		{"raw quote", `/a"b`, false},
		{"raw brackets", "/a[1]", false},
		{"question mark", "/a?b", false},
		{"hash", "/a#b", false},
		{"65 segments", deep + "/a", false},
		{"256 bytes of a segment", "/" + strings.Repeat("a", MaxSegment+1), false},
		{"256 bytes of a segment, escaped", "/" + strings.Repeat("%20", 86), false},
		{"2049 bytes", strings.Repeat("/"+strings.Repeat("a", 255), 8) + "/", false},
		{"an ACL that would be a container", "/c/.acl/", false},
		{"a member of an ACL", "/c/d.acl/e", false},
		{"a description that would be a container", "/c/d.meta/", false},
	} {
		id, err := ParseID(c.path)
		if c.ok && (err != nil || string(id) != c.path) {
			t.Errorf("%s: ParseID(%q) = %q, %v", c.why, c.path, id, err)
		}
		if !c.ok && (err == nil || id != "" || !errors.Is(err, Invalid)) {
			t.Errorf("%s: ParseID(%q) = %q, %v; want it refused", c.why, c.path, id, err)
		}
	}
}

func TestRespell(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/a", "/a"},
		{"/%7ealva/", "/~alva/"},
		{"/%61", "/a"},
		{"/%c3%a5", "/%C3%A5"},
		{"/å", "/%C3%A5"},
		{"/a[1]|b", "/a%5B1%5D%7Cb"},
		{`/a"b`, "/a%22b"},
		{"/a%2cb,c", "/a%2Cb,c"},
		{"/a%2fb", "/a%2Fb"},
		{"/%2e%2e", "/.."},
		{"/a%", ""},
		{"/a%zz", ""},
	} {
		got, ok := Respell(c.path)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Respell(%q) = %q, %v; want %q", c.path, got, ok, c.want)
		}
	}
}

func TestID(t *testing.T) {
	for _, c := range []struct {
		id, parent, name, first, subject, suffix, twin ID
	}{
		{"/", "", "/", "", "/", "", ""},
		{"/a", "/", "a", "a", "/a", "", "/a/"},
		{"/a/", "/", "a/", "a", "/a/", "", "/a"},
		{"/a/b.ttl", "/a/", "b.ttl", "a", "/a/b.ttl", "", "/a/b.ttl/"},
		{"/a/b/", "/a/", "b/", "a", "/a/b/", "", "/a/b"},
		{"/.acl", "/", ".acl", ".acl", "/", ".acl", "/.acl/"},
		{"/a/.meta", "/a/", ".meta", "a", "/a/", ".meta", "/a/.meta/"},
		{"/a/b.acl", "/a/", "b.acl", "a", "/a/b", ".acl", "/a/b.acl/"},
		{"/a/b.meta.acl", "/a/", "b.meta.acl", "a", "/a/b.meta", ".acl", "/a/b.meta.acl/"},
	} {
		subject, suffix := c.id.Subject()
		if c.id.Parent() != c.parent || ID(c.id.Name()) != c.name || ID(c.id.First()) != c.first ||
			subject != c.subject || ID(suffix) != c.suffix || c.id.Twin() != c.twin {
			t.Errorf("%s: parent %q, name %q, first %q, subject %q %q, twin %q", c.id,
				c.id.Parent(), c.id.Name(), c.id.First(), subject, suffix, c.id.Twin())
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"/", "/a/b%20c.ttl", "/%c3%a5", "/..%2f", "/a.acl", "/[", "/%", "//", "/%C2%85"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if spelt, ok := Respell(path); ok {
			if again, _ := Respell(spelt); again != spelt {
				t.Fatalf("Respell(%q) = %q, and of that %q", path, spelt, again)
			}
		}
		id, err := ParseID(path)
		if err != nil {
			return
		}
		if spelt, ok := Respell(path); !ok || spelt != path {
			t.Fatalf("%q is an ID, and is respelt %q", path, spelt)
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || u.EscapedPath() != path {
			t.Fatalf("%q is an ID, and a request for it is read as %v, %v", path, u, err)
		}
		plain, err := url.PathUnescape(path)
		if err != nil || !utf8.ValidString(plain) || strings.Contains(plain, "//") || strings.Contains(plain+"/", "/../") || strings.Contains(plain+"/", "/./") || strings.Count(plain, "/") != strings.Count(path, "/") {
			t.Fatalf("%q is an ID, and means %q", path, plain)
		}
		if id == "/" {
			return
		}
		if _, err := ParseID(string(id.Parent())); err != nil || !id.Parent().IsContainer() {
			t.Fatalf("the parent of %q is %q: %v", id, id.Parent(), err)
		}
		if string(id.Parent())+id.Name() != path || id.Twin().Twin() != id {
			t.Fatalf("%q: parent %q, name %q, twin %q", id, id.Parent(), id.Name(), id.Twin())
		}
	})
}
