// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"strings"
	"testing"

	"skrin/acl"
)

// FuzzHeaders feeds every parser of header values what the network may send.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{
		"text/turtle;q=0.5, application/ld+json;profile=\"a,b\", */*;q=0.1", "text/*;Q=1.000", "text/html;q=", ",,;",
		`<http://www.w3.org/ns/ldp#BasicContainer>; rel="type", <x>;rel=up`, `<a,b>; rel=type`, `return=representation; include="http://www.w3.org/ns/ldp#PreferMinimalContainer"`,
		`W/"a.ttl", "b", *`, `"a\"b`, "bytes=0-5", "bytes=-", "bytes=--1", "bytes=99999999999999999999-", "bytes=5-2",
	} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		size &= 1<<40 - 1
		lines := []string{value}
		offers := []string{typeTurtle, typeJSONLD, "image/png"}
		if got := choose(lines, offers...); got != "" {
			if q, _ := quality(lines, got); q <= 0 || q > 1000 {
				t.Fatalf("%q chose %s with q=%d", value, got, q)
			}
		}
		likesPages(lines, typeTurtle)
		linkTypes(lines)
		prefer(lines)
		if tags := entityTags(lines, true); tags == nil {
			t.Fatalf("%q: a header that is there became one that is not", value)
		}
		for _, tag := range entityTags(lines, false) {
			if tag != "*" && strings.HasSuffix(tag, ".ttl") {
				t.Fatalf("%q: tag %q", value, tag)
			}
		}
		hasTag(lines, `"a.ttl"`)
		if start, n, ok := span(value, size); ok && (start < 0 || n < 0 || n > 0 && start+n > size) {
			t.Fatalf("%q of %d bytes: %d bytes from %d", value, size, n, start)
		}
	})
}

func TestEntityTags(t *testing.T) {
	for _, c := range []struct {
		why, header string
		strong      bool
		want        string
	}{
		{"the format is not part of the state", `"a.ttl", "b.jsonld"`, true, "a b"},
		{"a foreign tag stays as it is", `"abc"`, true, "abc"},
		{"a comma may stand in a tag", `"a,b.ttl"`, true, "a,b"},
		{"weak tags match nothing strongly", `W/"a.ttl", "b.ttl"`, true, "b"},
		{"and weakly all the same", `W/"a.ttl", "b.ttl"`, false, "a b"},
		{"any", `*`, true, "*"},
		{"what is no tag is none", `a, ""`, true, ""},
	} {
		if got := strings.Join(entityTags([]string{c.header}, c.strong), " "); got != c.want {
			t.Errorf("%s: %s is %q", c.why, c.header, got)
		}
	}
}

func TestWACAllow(t *testing.T) {
	for _, c := range []struct {
		why          string
		user, public acl.Mode
		want         string
	}{
		{"none", 0, 0, `user="",public=""`},
		{"what everybody may the agent may", 0, acl.Read, `user="read",public="read"`},
		{"who may write may append", acl.Write, acl.Append, `user="write append",public="append"`},
		{"all", acl.Read | acl.Append | acl.Write | acl.Control, acl.Read | acl.Write, `user="read write append control",public="read write append"`},
	} {
		if got := wacAllow(c.user, c.public); got != c.want {
			t.Errorf("%s: %s", c.why, got)
		}
	}
}
