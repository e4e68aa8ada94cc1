// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
)

// TestInboxLimits: one sender, and all senders, send so much a day.
func TestInboxLimits(t *testing.T) {
	b := newBench(t)
	b.allow(acl.Public, "inbox/", "A", "A")
	send := func(who acl.Agent) int { return status(b.post(who, "inbox/", "", turtle, "")) }
	for range 200 {
		b.want("a sender", send(bob), 201)
	}
	b.want("the same once more", send(bob), 429)
	b.want("by PUT too", b.put(bob, "inbox/mine", turtle, ""), 429)
	b.want("by PATCH too", b.patch(bob, "inbox/mine", "text/n3", insert), 429)
	b.want("another", send(acl.Agent{ID: "https://id.example/eve#me"}), 201)
	for range 2000 - 201 {
		b.want("strangers", send(stranger), 201)
	}
	b.want("a stranger more", send(stranger), 429)
	b.want("the owner all the same", send(b.owner), 201)
	b.clock.wait(24 * time.Hour)
	b.want("the next day", send(bob), 201)
	if n := strings.Count(b.mem.keys(), "\nd2026"); n != 2 {
		t.Errorf("%d counts are kept, want those of today", n)
	}
}

// TestInboxTakesNoBlob: what a sender sends is refused before it is stored.
func TestInboxTakesNoBlob(t *testing.T) {
	b := newBench(t)
	for _, size := range []int64{-1, 100 << 10} {
		for media, want := range map[string]int{plain: 415, turtle: 413} {
			body := strings.NewReader("#" + strings.Repeat("x", 100<<10-1))
			_, err := b.Pod.Post(t.Context(), bob, ldp.Post{ID: b.id("inbox/"), Type: media, Body: body, Size: size})
			b.want(fmt.Sprint(media, size), status(ldp.Written{}, err), want)
		}
	}
	if len(b.mem.blobs) != 0 {
		t.Errorf("%d blobs", len(b.mem.blobs))
	}
}

// TestInboxTakesNoContainers: who may only append to an inbox makes no container there,
// neither by name nor as what a longer path would need; the owner may, and what she
// has made takes notifications.
func TestInboxTakesNoContainers(t *testing.T) {
	b := newBench(t)
	container := func(who acl.Agent, path string) int {
		return status(b.Pod.Post(t.Context(), who, ldp.Post{ID: b.id(path), Slug: "made", Container: true}))
	}
	put := func(who acl.Agent, path string) int { return b.put(who, path, turtle, "") }
	patch := func(who acl.Agent, path string) int { return b.patch(who, path, "text/n3", insert) }
	b.allow(acl.Authenticated, "inbox/", "A", "A")
	b.must(put(b.owner, "inbox/old/x"))
	for _, row := range []struct {
		says string
		do   func(who acl.Agent, path string) int
		path string
		bob  int // who may append
	}{
		{"a container by POST", container, "inbox/", 409},
		{"a container by POST in one that is there", container, "inbox/old/", 409},
		{"a container by PUT", put, "inbox/one/", 409},
		{"a container for a document, by PUT", put, "inbox/two/b", 409},
		{"containers in containers", put, "inbox/three/b/c/d", 409},
		{"a container for a document, by PATCH", patch, "inbox/p/b", 409},
		{"a container in one that is there", put, "inbox/old/four/b", 409},
		{"a notification by PUT", put, "inbox/note", 201},
		{"a notification by PATCH", patch, "inbox/note2", 201},
		{"a notification in a container that the owner has made", put, "inbox/old/note", 201},
	} {
		before := b.list("inbox/") + b.list("inbox/old/")
		b.want(row.says, row.do(bob, row.path), row.bob)
		if after := b.list("inbox/") + b.list("inbox/old/"); (before == after) != (row.bob == 409) {
			t.Errorf("%s: %q, then %q", row.says, before, after)
		}
		if row.bob == 409 {
			b.want("the owner: "+row.says, row.do(b.owner, row.path), 201)
		}
	}
}

// TestInboxACL: an ACL document in the inbox is one, and no notification, also where
// it is written by who may do nothing else there.
func TestInboxACL(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "inbox/x", turtle, ""))
	b.allow(bob.ID, "inbox/", "C", "C")
	b.must(b.put(bob, "inbox/x.acl", turtle, fmt.Sprintf(`<#eve> a <%[1]sAuthorization>; <%[1]saccessTo> <x>; <%[1]sagent> <https://id.example/eve#me>; <%[1]smode> <%[1]sRead> .`, "http://www.w3.org/ns/auth/acl#")))
	b.want("what it says is in force", b.get(acl.Agent{ID: "https://id.example/eve#me"}, "inbox/x"), 200)
}
