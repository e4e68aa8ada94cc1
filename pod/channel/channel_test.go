// SPDX-License-Identifier: EUPL-1.2

package channel_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/channel"
	"skrin/pod/outbox"
	"skrin/pod/podtest"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

const (
	alva = acl.WebID("https://pod.example.se/alva/profile/card#me")
	file = ldp.ID("/alva/notes/a")
)

var (
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bob  = acl.Agent{ID: "https://bob.example/#me", Client: "https://app.example/id"}
)

// A flat is Alva's pod, with a clock.
type flat struct {
	t *testing.T
	store.Store
	now time.Time
}

func newFlat(t *testing.T) *flat {
	f := &flat{t, podtest.NewFake(t, podtest.New(t)), noon}
	err := f.Create(t.Context(), "alva", func(tx store.Tx) error {
		tx.Claim("pod/alva")
		tx.Put(record.HomeKey, record.Home{Owner: alva, Name: "alva", Person: "person-alva"}.Encode())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flat) do(fn func(store.Tx) error) {
	f.t.Helper()
	if err := f.Update(f.t.Context(), "pod/alva", fn); err != nil {
		f.t.Fatal(err)
	}
}

// subscribe makes a channel of Bob's.
func (f *flat) subscribe(s channel.Subscription) channel.Subscription {
	f.t.Helper()
	s, err := channel.New(s, bob, rand.Reader, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	tree := &resource.Tree{Base: "https://pod.example.se", Now: func() time.Time { return f.now }}
	f.do(func(tx store.Tx) error {
		r, err := tree.Look(tx, bob, s.Topic, false)
		if err != nil {
			return err
		}
		return channel.Keep(tx, r, s)
	})
	return s
}

// change writes to the file, so many times.
func (f *flat) change(times int) {
	f.t.Helper()
	for range times {
		done := []record.Activity{{Kind: record.Updated, Object: file, At: f.now}}
		f.do(func(tx store.Tx) error {
			first, err := channel.Write(tx, done)
			if err == nil {
				_, err = channel.Await(tx, done, first, f.now)
			}
			return err
		})
	}
}

func (f *flat) calls() (calls []channel.Call) {
	f.t.Helper()
	f.do(func(tx store.Tx) (err error) { calls, err = channel.TakeCalls(tx, f.now); return err })
	return calls
}

func (f *flat) next() (next time.Time) {
	f.t.Helper()
	f.do(func(tx store.Tx) (err error) { next, err = channel.Next(tx); return err })
	return next
}

// TestNew: what a channel may be, and for how long.
func TestNew(t *testing.T) {
	for _, row := range []struct {
		is   string
		who  acl.Agent
		s    channel.Subscription
		ends time.Duration
		kind ldp.Kind
	}{
		{"without an end", bob, channel.Subscription{Topic: file}, 7 * 24 * time.Hour, 0},
		{"for an hour", bob, channel.Subscription{Topic: file, End: noon.Add(time.Hour)}, time.Hour, 0},
		{"for a year", bob, channel.Subscription{Topic: file, End: noon.AddDate(1, 0, 0)}, 7 * 24 * time.Hour, 0},
		{"a stranger's", acl.Agent{}, channel.Subscription{Topic: file}, 7 * 24 * time.Hour, 0},
		{"until now", bob, channel.Subscription{Topic: file, End: noon}, 0, ldp.Unprocessable},
		{"a webhook of a stranger", acl.Agent{}, channel.Subscription{Topic: file, Hook: "https://app.example/hook"}, 0, ldp.Unauthenticated},
		{"a webhook with a long address", bob, channel.Subscription{Topic: file, Hook: "https://app.example/" + strings.Repeat("h", 2048)}, 0, ldp.Unprocessable},
	} {
		s, err := channel.New(row.s, row.who, rand.Reader, noon)
		switch {
		case row.kind != 0:
			if ldp.KindOf(err) != row.kind {
				t.Errorf("%s: %v", row.is, err)
			}
		case err != nil || s.Who != row.who || !channel.IsID(s.ID) || !s.End.Equal(noon.Add(row.ends)):
			t.Errorf("%s: %+v, %v", row.is, s, err)
		}
	}
	for _, id := range []string{"", "x", "../../../../../../../../../../../../", strings.Repeat("0", 36), "A000000000" + strings.Repeat("a", 26)} {
		if channel.IsID(id) {
			t.Errorf("%q could be an id", id)
		}
	}
}

// TestJournal: it keeps the last 256, and says when it has lost some.
func TestJournal(t *testing.T) {
	f := newFlat(t)
	f.change(258)
	for _, row := range []struct {
		after uint64
		found int
		lost  bool
	}{{258, 0, false}, {257, 1, false}, {2, 256, false}, {1, 256, true}, {0, 256, true}, {300, 0, false}} {
		f.do(func(tx store.Tx) error {
			found, last, lost, err := channel.Since(tx, row.after)
			if len(found) != row.found || last != 258 || lost != row.lost || row.found > 0 && found[row.found-1].Seq != 258 {
				t.Errorf("after %d there are %d up to %d, lost %t", row.after, len(found), last, lost)
			}
			return err
		})
	}
}

// TestCalls: a webhook is told in order, at most so much at once, and not more often
// than it said; one that doesn't answer is called ever more slowly, and then no more.
func TestCalls(t *testing.T) {
	f := newFlat(t)
	f.subscribe(channel.Subscription{Topic: file, Hook: "https://app.example/all"})
	if !f.next().IsZero() {
		t.Errorf("nothing has happened, and a call is due %v", f.next())
	}
	f.change(40)
	told := 0
	for range 2 {
		calls := f.calls()
		if len(calls) != 1 || int(calls[0].Tell[0].Seq) != told+1 {
			t.Fatalf("after %d: %+v", told, calls)
		}
		if again := f.calls(); len(again) != 0 {
			t.Errorf("what is leased is taken: %+v", again)
		}
		told += len(calls[0].Tell)
		f.do(func(tx store.Tx) error { return channel.Called(tx, calls[0], f.now) })
	}
	if told != 40 || !f.next().IsZero() {
		t.Errorf("%d were told, the next call is due %v", told, f.next())
	}
	f.change(1)
	begun, calls := f.now, 0
	for parked := false; !parked; calls++ {
		if calls > 200 {
			t.Fatal("it is never parked")
		}
		f.now = f.next()
		c := f.calls()[0]
		f.do(func(tx store.Tx) (err error) {
			parked, err = channel.CallLater(tx, c, 0, "unreachable", false, f.now)
			return err
		})
	}
	if took := f.now.Sub(begun); took < outbox.GiveUp || took > outbox.GiveUp+7*time.Hour || calls < 20 {
		t.Errorf("it is parked after %v and %d calls", took, calls)
	}
	f.change(1)
	if !f.next().IsZero() || len(f.calls()) != 0 {
		t.Error("what is parked is called")
	}
	f.do(func(tx store.Tx) error {
		hooks, err := channel.Hooks(tx)
		if len(hooks) != 1 || !hooks[0].Parked || hooks[0].Trouble != "unreachable" {
			t.Errorf("the webhooks are %+v", hooks)
		}
		return err
	})

	f.subscribe(channel.Subscription{Topic: file, Hook: "https://app.example/newest", Rate: time.Hour})
	f.change(3)
	c := f.calls()
	if len(c) != 1 || len(c[0].Tell) != 1 || c[0].Tell[0].Seq != 45 {
		t.Fatalf("one that wants few is told %+v", c)
	}
	f.do(func(tx store.Tx) error { return channel.Called(tx, c[0], f.now) })
	f.change(1)
	if want := f.now.Add(time.Hour); !f.next().Equal(want) {
		t.Errorf("and then %v, want %v", f.next(), want)
	}
	f.now = f.now.AddDate(0, 0, 8)
	if c := f.calls(); len(c) != 0 {
		t.Errorf("what has ended is called: %+v", c)
	}
	f.do(func(tx store.Tx) error {
		hooks, err := channel.Hooks(tx)
		if len(hooks) != 0 {
			t.Errorf("what has ended is kept: %+v", hooks)
		}
		return err
	})
}

// TestOwn: a channel is that of who made it, and the owner's; what was ended is nobody's,
// and who is connected to it hears that.
func TestOwn(t *testing.T) {
	f := newFlat(t)
	s := f.subscribe(channel.Subscription{Topic: file})
	hook := f.subscribe(channel.Subscription{Topic: file, Hook: "https://app.example/hook"})
	for who, may := range map[acl.WebID]bool{bob.ID: true, alva: true, "https://eve.example/#me": false, "": false} {
		for _, id := range []string{s.ID, hook.ID} {
			f.do(func(tx store.Tx) error {
				got, err := channel.Own(tx, acl.Agent{ID: who}, id)
				if (err == nil) != may || may && got.ID != id || err != nil && ldp.KindOf(err) != ldp.NotFound {
					t.Errorf("%q: %+v, %v", who, got, err)
				}
				return nil
			})
		}
	}
	f.do(func(tx store.Tx) error {
		by, err := channel.By(tx, bob.ID, bob.Client)
		if other, _ := channel.By(tx, bob.ID, "https://other.example/id"); len(by) != 2 || len(other) != 0 {
			t.Errorf("Bob's by the app are %d, by another %d", len(by), len(other))
		}
		return err
	})
	f.do(func(tx store.Tx) error { return channel.End(tx, f.now, s, hook) })
	f.do(func(tx store.Tx) error {
		found, _, _, err := channel.Since(tx, 0)
		if told := fmt.Sprint(len(found)); told != "1" || found[0].Kind != record.Ended || found[0].State != s.ID {
			t.Errorf("told is %+v", found)
		}
		if _, err := channel.Find(tx, s.ID, f.now); ldp.KindOf(err) != ldp.NotFound {
			t.Errorf("what was ended is found: %v", err)
		}
		return err
	})
}

// TestKeepWebhooks: a pod has so many webhooks, until some have ended.
func TestKeepWebhooks(t *testing.T) {
	f := newFlat(t)
	for range 64 {
		f.subscribe(channel.Subscription{Topic: file, Hook: "https://app.example/hook", End: f.now.Add(time.Hour)})
	}
	tree := &resource.Tree{Base: "https://pod.example.se", Now: func() time.Time { return f.now }}
	s, err := channel.New(channel.Subscription{Topic: file, Hook: "https://app.example/hook"}, bob, rand.Reader, f.now)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(tx store.Tx) error {
		r, err := tree.Look(tx, bob, file, false)
		if err != nil {
			return err
		}
		return channel.Keep(tx, r, s)
	}
	if err := f.Update(t.Context(), "pod/alva", keep); ldp.KindOf(err) != ldp.TooMany {
		t.Errorf("one more: %v", err)
	}
	f.now = f.now.Add(2 * time.Hour)
	f.do(keep)
}
