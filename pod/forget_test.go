// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/channel"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/store"
)

// repeat delivers once more what a provider has delivered under an idempotency key.
func (w *town) repeat(to ldp.ID, key string, forms []string) (ldp.Written, error) {
	req := post(to, credential.MediaType, strings.Join(forms, "\n"))
	req.Key = key
	return w.pod.Post(w.t.Context(), w.agent(authority), req)
}

// keptForATime leaves in Alva's pod what ends by itself: the mark of a refusal, what
// answered an idempotency key, and a request that is open.
func (w *town) keptForATime() (to ldp.ID) {
	w.t.Helper()
	to = w.location(w.answer("connect once more", authority, deposits(), func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} }))
	_, err := w.repeat(to, "once", w.issue(1, func(s *credential.Statement) { s.Issued = w.now.Add(-time.Hour) }))
	must(w.t, err)
	w.refused(to, 0)
	_, err = w.pod.Begin(w.t.Context(), w.alva, "open", insurer, []json.RawMessage{asks()})
	must(w.t, err)
	return to
}

// refused has a party refused at a place where there is nothing.
func (w *town) refused(at ldp.ID, n int) {
	w.t.Helper()
	if _, err := w.read(insurer, at+ldp.ID(fmt.Sprintf("%026d", n)), pod.TypeTurtle); err == nil {
		w.t.Fatal("it isn't refused")
	}
}

// kept returns how many keys begin with each of some prefixes.
func (w *town) kept(prefixes ...string) (all []int) {
	w.t.Helper()
	must(w.t, w.pod.Store.View(w.t.Context(), "person/person-alva", func(tx store.Tx) error {
		all = nil
		for _, prefix := range prefixes {
			pairs, err := tx.Scan(prefix, "", 10_000)
			if err != nil {
				return err
			}
			all = append(all, len(pairs))
		}
		return nil
	}))
	return all
}

// sweep does what the deliverer does with a pod that is due, and says whether it was.
func (w *town) sweep() bool {
	w.t.Helper()
	due, err := w.pod.Waiting(w.t.Context(), 10)
	must(w.t, err)
	for _, id := range due {
		must(w.t, w.pod.Sweep(w.t.Context(), id))
		_, err := w.pod.Take(w.t.Context(), id, 10)
		must(w.t, err)
	}
	return len(due) > 0
}

// TestForget: the mark of a refusal goes when its day is over, and what answered an
// idempotency key after a week; then the pod is not due any more.
func TestForget(t *testing.T) {
	w := newTown(t)
	to := w.keptForATime()
	forms := w.issue(1, func(s *credential.Statement) { s.Issued = w.now.Add(-time.Minute) })
	first, err := w.repeat(to, "again", forms)
	must(t, err)
	for _, step := range []struct {
		after   time.Duration
		due     bool
		x, i, j int
	}{
		{23 * time.Hour, false, 1, 2, 2},
		{2 * time.Hour, true, 0, 2, 2},
		{0, false, 0, 2, 2},
		{6*24*time.Hour - 2*time.Hour, false, 0, 2, 2},
		{2 * time.Hour, true, 0, 0, 0},
		{0, false, 0, 0, 0},
	} {
		w.now = w.now.Add(step.after)
		if due := w.sweep(); due != step.due {
			t.Errorf("at %v it is due: %v", w.now, due)
		}
		if got := fmt.Sprint(w.kept("x", "i", "J")); got != fmt.Sprint([]int{step.x, step.i, step.j}) {
			t.Errorf("at %v there are %s, want %+v", w.now, got, step)
		}
		if step.i > 0 {
			again, err := w.repeat(to, "again", forms)
			if err != nil || again.ID != first.ID {
				t.Errorf("at %v a repeated deposit is answered %v, %v, and first %v", w.now, again.ID, err, first.ID)
			}
		}
	}
	if n := w.kept("B"); n[0] != 0 {
		t.Error("it is still noted when to look")
	}
	w.fits()
}

// TestLapsed: when its week is over an idempotency key is as good as new, whether
// what it had stood for has been removed or not; what was delivered before is no
// second evidence all the same.
func TestLapsed(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	forms := w.issue(1, nil)
	_, err := w.repeat(to, "key", forms)
	must(t, err)
	w.now = w.now.Add(7 * 24 * time.Hour)
	if _, err := w.repeat(to, "key", forms); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("the same forms after a week: %v", err)
	}
	if _, err := w.repeat(to, "key", w.issue(1, nil)); err != nil {
		t.Errorf("other forms under the key after a week: %v", err)
	}
	if got := w.kept("i", "J"); got[0] != 1 || got[1] != 1 {
		t.Errorf("remembered: %v", got)
	}
	w.fits()
}

// fits fails unless fsck finds nothing.
func (w *town) fits() {
	w.t.Helper()
	if w.pod.Blobs == nil {
		w.pod.Blobs = memBlobs{newMemory(w.t)}
	}
	_, found, err := w.pod.Check(w.t.Context(), w.id())
	if err != nil || len(found) > 0 {
		w.t.Errorf("fsck: %+v, %v", found, err)
	}
}

func (w *town) id() (id string) {
	w.t.Helper()
	must(w.t, w.pod.Store.View(w.t.Context(), "person/person-alva", func(tx store.Tx) error { id = tx.Pod(); return nil }))
	return id
}

// TestForgetIsBounded: of what has ended much, at most so much is removed in one
// transaction, and the rest at once after it.
func TestForgetIsBounded(t *testing.T) {
	w, m := newCounted(t, "person-alva")
	must(t, m.Update(t.Context(), "person/person-alva", func(tx store.Tx) error {
		for i := range 1000 {
			tx.Put(fmt.Sprintf("x2026-11-20\x00exempel\x00why\x00%d", i), []byte("1"))
			tx.Put(fmt.Sprintf("J%016xspace\x00%d", 1, i), []byte{1})
			tx.Put(fmt.Sprintf("ispace\x00%d", i), []byte(`{"Until":"1970-01-01T00:00:01Z"}`))
		}
		tx.Put("x2026-11-21\x00today", []byte("1"))
		tx.Put("B", []byte(`"2026-11-21T00:00:00Z"`))
		tx.Due(w.now)
		return nil
	}))
	runs := 0
	for ; w.kept("x")[0] > 1; runs++ {
		before := w.kept("x", "i", "J")
		m.gets, m.pairs = 0, 0
		if !w.sweep() {
			t.Fatalf("after %d runs it is not due, and there are %v", runs, before)
		}
		now := w.kept("x", "i", "J")
		for i := range now {
			if gone := before[i] - now[i]; gone > 256 {
				t.Errorf("run %d removes %d of the %d", runs, gone, before[i])
			}
		}
	}
	if got := w.kept("x", "i", "J", "B"); fmt.Sprint(got) != "[1 0 0 1]" || runs != 4 {
		t.Errorf("after %d runs there are %v", runs, got)
	}
	if w.sweep() {
		t.Error("it is due on the same day")
	}
}

// TestDailyIsForgotten: how much an agent sent and subscribed on a day, and what answered
// an idempotency key in the standard pod, goes when it is of no use, also where nobody
// does the like again; and what isn't of a day stays.
func TestDailyIsForgotten(t *testing.T) {
	for _, row := range []struct {
		what   string
		do     func(*bench)
		prefix string
		kept   [4]int // keys at once, after 23 hours, a day, two days and an hour
	}{
		{"what an inbox took", func(b *bench) {
			for range 3 {
				b.want("a notification", status(b.post(bob, "inbox/", "", turtle, "")), 201)
			}
		}, "d", [4]int{2, 2, 0, 0}},
		{"subscriptions", func(b *bench) { b.subscribe(b.owner, channel.Subscription{Topic: b.id("notes/a")}) }, "t2", [4]int{2, 2, 0, 0}},
		{"answers", func(b *bench) {
			b.want("a POST with a key", status(b.Pod.Post(t.Context(), b.owner, ldp.Post{ID: b.id("notes/"), Type: turtle, Key: "key", Body: strings.NewReader("#1"), Size: -1})), 201)
		}, "j", [4]int{1, 1, 1, 0}},
	} {
		t.Run(row.what, func(t *testing.T) {
			b := newBench(t)
			b.write("notes/a", "x")
			b.allow(acl.Public, "inbox/", "A", "A")
			row.do(b)
			for i, wait := range []time.Duration{0, 23 * time.Hour, time.Hour, 25 * time.Hour} {
				b.clock.wait(wait)
				due, err := b.Waiting(t.Context(), 10)
				must(t, err)
				for _, id := range due {
					must(t, b.Sweep(t.Context(), id))
				}
				kept := "\n" + b.mem.keys() + "\n"
				if n := strings.Count(kept, "\n"+row.prefix); n != row.kept[i] {
					t.Errorf("%d keys are kept after %v more, want %d", n, wait, row.kept[i])
				}
				if row.prefix == "t2" && strings.Count(kept, "\ntp") != 1 {
					t.Error("the subscription itself is gone")
				}
			}
			if due, err := b.Waiting(t.Context(), 10); err != nil || len(due) > 0 || strings.Contains("\n"+b.mem.keys()+"\n", "\nB\n") {
				t.Errorf("it is still to be looked at: %v, %v", due, err)
			}
		})
	}
}
