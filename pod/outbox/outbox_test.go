// SPDX-License-Identifier: EUPL-1.2

package outbox_test

import (
	"crypto/rand"
	"testing"
	"time"

	"skrin/pod/outbox"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

var begun = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// A box is a pod with a clock.
type box struct {
	t *testing.T
	store.Store
	now time.Time
}

func newBox(t *testing.T) *box {
	b := &box{t, podtest.NewFake(t, podtest.New(t)), begun}
	if err := b.Create(t.Context(), "alva", func(tx store.Tx) error { tx.Claim("pod/alva"); return nil }); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) do(fn func(store.Tx) error) {
	b.t.Helper()
	if err := b.Update(b.t.Context(), "pod/alva", fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) queue(n outbox.Notification) {
	b.t.Helper()
	b.do(func(tx store.Tx) error { return outbox.Queue(tx, n, rand.Reader, b.now) })
}

func (b *box) take(limit int) (taken []outbox.Notification) {
	b.t.Helper()
	b.do(func(tx store.Tx) (err error) { taken, err = outbox.Take(tx, limit, b.now); return err })
	return taken
}

func (b *box) next() (next time.Time) {
	b.t.Helper()
	b.do(func(tx store.Tx) (err error) { next, err = outbox.Next(tx); return err })
	return next
}

// TestQueue: in order, at their time, each with an id of its own.
func TestQueue(t *testing.T) {
	b := newBox(t)
	if !b.next().IsZero() {
		t.Errorf("nothing waits, and is due %v", b.next())
	}
	later := b.now.Add(time.Hour)
	b.queue(outbox.Notification{Party: "late", Next: later})
	b.queue(outbox.Notification{Party: "first"})
	b.queue(outbox.Notification{Party: "second", Next: b.now.Add(-time.Hour)})
	if got := b.next(); !got.Equal(b.now) {
		t.Errorf("due %v, want %v", got, b.now)
	}
	if got := b.take(1); len(got) != 1 || got[0].Party != "first" {
		t.Errorf("one is taken: %+v", got)
	}
	got := b.take(9)
	if len(got) != 1 || got[0].Party != "second" || got[0].ID == "" {
		t.Errorf("then the other: %+v", got)
	}
	if got := b.take(9); len(got) != 0 {
		t.Errorf("and nothing that is somebody's: %+v", got)
	}
	b.now = later
	seen := map[string]bool{}
	for _, n := range b.take(9) {
		seen[n.ID] = true
	}
	if len(seen) != 3 {
		t.Errorf("an hour later there are %d, want 3", len(seen))
	}
}

// TestFailed: each try is later than the one before, by twice as much, and not for ever.
func TestFailed(t *testing.T) {
	b := newBox(t)
	b.queue(outbox.Notification{Party: "silent"})
	var pauses []time.Duration
	for !b.next().IsZero() {
		b.now = b.next()
		n := b.take(1)[0]
		b.do(func(tx store.Tx) error {
			counts, err := outbox.Failed(tx, n, false, b.now)
			if !counts {
				t.Error("a failure doesn't count")
			}
			return err
		})
		if next := b.next(); !next.IsZero() {
			pauses = append(pauses, next.Sub(b.now))
		}
		if len(pauses) > 100 {
			t.Fatal("it is never given up")
		}
	}
	for i, pause := range pauses {
		if want := min(5*time.Second<<i, 6*time.Hour); pause != want {
			t.Errorf("pause %d is %v, want %v", i, pause, want)
		}
	}
	if took := b.now.Sub(begun); took < 3*24*time.Hour || took > 3*24*time.Hour+6*time.Hour {
		t.Errorf("it is given up after %v", took)
	}
	b.queue(outbox.Notification{Party: "refuses"})
	n := b.take(1)[0]
	b.do(func(tx store.Tx) error { _, err := outbox.Failed(tx, n, true, b.now); return err })
	if next := b.next(); !next.IsZero() {
		t.Errorf("what was refused for good is due %v", next)
	}
}

// TestLease: who has lost the lease changes nothing.
func TestLease(t *testing.T) {
	b := newBox(t)
	b.queue(outbox.Notification{Party: "slow"})
	old := b.take(1)[0]
	b.now = b.now.Add(outbox.Lease)
	held := b.take(1)[0]
	for is, do := range map[string]func(store.Tx) error{
		"delivered": func(tx store.Tx) error { return outbox.Delivered(tx, old) },
		"postponed": func(tx store.Tx) error { return outbox.Postponed(tx, old, b.now) },
		"failed": func(tx store.Tx) error {
			counts, err := outbox.Failed(tx, old, true, b.now)
			if counts {
				t.Error("a failure after the lease counts")
			}
			return err
		},
	} {
		if b.do(do); !b.next().Equal(held.Next) {
			t.Errorf("%s by who has lost it: due %v, want %v", is, b.next(), held.Next)
		}
	}
	b.do(func(tx store.Tx) error { return outbox.Postponed(tx, held, b.now.Add(time.Second)) })
	if want := b.now.Add(time.Second); !b.next().Equal(want) {
		t.Errorf("postponed to %v, want %v", b.next(), want)
	}
	b.now = b.now.Add(time.Second)
	held = b.take(1)[0]
	b.do(func(tx store.Tx) error { return outbox.Delivered(tx, held) })
	if next := b.next(); !next.IsZero() {
		t.Errorf("what was delivered is due %v", next)
	}
}

// TestSomeTime: in the next eight hours, and not always at once.
func TestSomeTime(t *testing.T) {
	seen := map[time.Time]bool{}
	for range 100 {
		at, err := outbox.SomeTime(rand.Reader, begun)
		if err != nil || at.Before(begun) || at.After(begun.Add(8*time.Hour)) {
			t.Fatalf("%v: %v", at, err)
		}
		seen[at.Truncate(time.Hour)] = true
	}
	if len(seen) < 6 {
		t.Errorf("a hundred times fall in %d hours", len(seen))
	}
}
