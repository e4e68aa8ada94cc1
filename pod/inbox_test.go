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

// TestInboxACL: an ACL document in the inbox is one, and no notification, also where
// it is written by who may do nothing else there.
func TestInboxACL(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "inbox/x", turtle, ""))
	b.allow(bob.ID, "inbox/", "C", "C")
	b.must(b.put(bob, "inbox/x.acl", turtle, fmt.Sprintf(`<#eve> a <%[1]sAuthorization>; <%[1]saccessTo> <x>; <%[1]sagent> <https://id.example/eve#me>; <%[1]smode> <%[1]sRead> .`, "http://www.w3.org/ns/auth/acl#")))
	b.want("what it says is in force", b.get(acl.Agent{ID: "https://id.example/eve#me"}, "inbox/x"), 200)
}
