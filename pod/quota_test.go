// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/pod/store"
)

// TestQuota: a pod takes no more than its quota, says so with 507, and takes again
// what has been made room for; the count is exact after each step.
func TestQuota(t *testing.T) {
	b := newBench(t)
	var id string
	if err := b.Pod.Store.View(t.Context(), store.Name("pod/"+b.root.First()), func(tx store.Tx) error { id = tx.Pod(); return nil }); err != nil {
		t.Fatal(err)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	b.Pod.Quota = 100 << 10
	for _, step := range []struct {
		is   string
		got  func() int
		want int
	}{
		{"half of it", func() int { return b.put(b.owner, "half", "text/plain", long(50<<10)) }, 201},
		{"more than is left", func() int { return b.put(b.owner, "more", "text/plain", long(60<<10)) }, 507},
		{"more than is left, and the size isn't said", func() int {
			return status(b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("more"), Type: "text/plain", Body: strings.NewReader(long(60 << 10)), Size: -1}))
		}, 507},
		{"by POST", func() int {
			return status(b.Pod.Post(t.Context(), b.owner, ldp.Post{ID: b.id(""), Type: "text/plain", Body: strings.NewReader(long(60 << 10)), Size: 60 << 10}))
		}, 507},
		{"what was refused isn't there", func() int { return b.get(b.owner, "more") }, 404},
		{"larger, in the place of what is there", func() int { return b.put(b.owner, "half", "text/plain", long(80<<10)) }, 204},
		{"smaller again", func() int { return b.put(b.owner, "half", "text/plain", long(10)) }, 204},
		{"in containers that are made for it", func() int { return b.put(b.owner, "a/b/c/d", "text/plain", long(70<<10)) }, 201},
		{"its ACL", func() int {
			return b.put(b.owner, "a/b/c/d.acl", "text/turtle", "<#o> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#agent> <"+string(b.owner.ID)+
				">; <http://www.w3.org/ns/auth/acl#accessTo> <d>; <http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Control>, <http://www.w3.org/ns/auth/acl#Write>, <http://www.w3.org/ns/auth/acl#Read>.")
		}, 201},
		{"a triple by PATCH", func() int { return b.patch(b.owner, "t", "text/n3", insert) }, 201},
		{"no room", func() int { return b.put(b.owner, "x", "text/plain", long(40<<10)) }, 507},
		{"one goes, with its ACL", func() int { return b.delete(b.owner, "a/b/c/d") }, 204},
		{"room", func() int { return b.put(b.owner, "x", "text/plain", long(40<<10)) }, 201},
	} {
		b.want(step.is, step.got(), step.want)
		seen, found, _ := b.Pod.Check(t.Context(), id) // the memory lists no blobs
		if seen.Resources == 0 {
			t.Fatal("nothing was checked")
		}
		for _, f := range found {
			if strings.Contains(f.Fault, "count") {
				t.Errorf("after %s: %+v", step.is, f)
			}
		}
	}
	// A pod of before there was a count is counted when it changes.
	if err := b.Pod.Store.Update(t.Context(), store.Name("id/"+id), func(tx store.Tx) error { tx.Delete("U"); return nil }); err != nil {
		t.Fatal(err)
	}
	b.want("more than is left", b.put(b.owner, "more", "text/plain", long(70<<10)), 507)
	b.want("a little", b.put(b.owner, "little", "text/plain", "x"), 201)
	if _, found, _ := b.Pod.Check(t.Context(), id); len(found) > 0 && strings.Contains(found[0].Fault, "count") {
		t.Errorf("%v", found)
	}
	// What is there already stays when the quota becomes less.
	b.Pod.Quota = 1
	b.want("read", b.get(b.owner, "x"), 200)
	b.want("delete", b.delete(b.owner, "x"), 204)
}
