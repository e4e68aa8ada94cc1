// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"skrin/pod"
	"skrin/pod/blob"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

// TestSweep: a blob to which nothing refers for a day is removed, and no other.
func TestSweep(t *testing.T) {
	dir, err := blob.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, dir.Close()) })
	clock := &clock{t: time.Now()}
	fake := podtest.NewFake(t, podtest.New(t))
	p := &pod.Pod{Store: fake, Blobs: dir, Base: base, Issuer: base, Now: clock.now, Rand: rand.Reader}
	owner, err := p.Make(t.Context(), "person-1")
	must(t, err)
	b := &bench{TB: t, Pod: p, owner: owner, root: rootOf(owner), clock: clock}
	var id string
	blobs := func() (n int) {
		must(t, dir.List(t.Context(), id, func(string, time.Time) error { n++; return nil }))
		return n
	}
	due := func() bool {
		ids, err := p.Waiting(t.Context(), 10)
		must(t, err)
		for _, one := range ids {
			must(t, p.Sweep(t.Context(), one))
			_, err := p.Take(t.Context(), one, 10)
			must(t, err)
		}
		return len(ids) > 0
	}
	must(t, p.Store.View(t.Context(), store.Name("person/person-1"), func(tx store.Tx) error { id = tx.Pod(); return nil }))
	long := func(c string) string { return strings.Repeat(c, 65<<10) }

	b.must(b.put(owner, "small", plain, "x"))
	if due() {
		t.Error("a pod without blobs is due")
	}
	b.must(b.put(owner, "stays", plain, long("a")))
	b.must(b.put(owner, "goes", plain, long("b")))
	b.must(b.put(owner, "changes", plain, long("c")))
	b.must(b.put(owner, "changes", plain, "c"))
	b.must(b.delete(owner, "goes"))
	fake.Next(podtest.Fails)
	b.want("the commit fails", b.put(owner, "lost", plain, long("d")), 503)
	if n := blobs(); n != 4 {
		t.Fatalf("%d blobs", n)
	}
	clock.wait(23 * time.Hour)
	if due() || blobs() != 4 {
		t.Errorf("swept before a day has passed: %d blobs", blobs())
	}
	clock.wait(3 * time.Hour)
	if !due() || blobs() != 1 {
		t.Errorf("%d blobs are left after a day, want 1", blobs())
	}
	if due() {
		t.Error("due again at once")
	}
	if b.text("stays") != long("a") {
		t.Error("what is referred to was removed")
	}
	clock.wait(8 * 24 * time.Hour)
	for i := range 2 {
		if got := due(); got != (i == 0) || blobs() != 1 {
			t.Errorf("after a week, look %d: due %v, %d blobs", i, got, blobs())
		}
	}
	b.must(b.put(owner, "again", plain, fmt.Sprint(long("a"))))
	b.must(b.delete(owner, "stays"))
	clock.wait(26 * time.Hour)
	if due(); blobs() != 1 || b.text("again") != long("a") {
		t.Error("content that two resources had was removed with one")
	}
}

// TestSweepLeavesWhatIsYoung: what was stored less than a day ago may be referred
// to yet.
func TestSweepLeavesWhatIsYoung(t *testing.T) {
	dir, err := blob.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, dir.Close()) })
	clock := &clock{t: time.Now().Add(-10 * time.Hour)} // so that the folder's times are 10 hours later
	p := &pod.Pod{Store: podtest.New(t), Blobs: dir, Base: base, Issuer: base, Now: clock.now, Rand: rand.Reader}
	owner, err := p.Make(t.Context(), "person-1")
	must(t, err)
	b := &bench{TB: t, Pod: p, owner: owner, root: rootOf(owner), clock: clock}
	b.must(b.put(owner, "x", plain, strings.Repeat("x", 65<<10)))
	b.must(b.delete(owner, "x"))
	for _, want := range []int{1, 0} {
		clock.wait(25*time.Hour + time.Minute)
		ids, err := p.Waiting(t.Context(), 10)
		must(t, err)
		if len(ids) != 1 {
			t.Fatalf("due: %v", ids)
		}
		must(t, p.Sweep(t.Context(), ids[0]))
		n := 0
		must(t, dir.List(t.Context(), ids[0], func(string, time.Time) error { n++; return nil }))
		if n != want {
			t.Errorf("%d blobs are left, want %d", n, want)
		}
	}
}
