// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/podtest"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// all returns everything that the pod keeps.
func (w *town) all() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	must(w.t, w.pod.Store.View(w.t.Context(), "person/person-alva", func(tx store.Tx) error {
		pairs, err := tx.Scan("", "", 100_000)
		for _, pair := range pairs {
			all[pair.Key] = string(pair.Value)
		}
		return err
	}))
	return all
}

// older makes the pod one of the schema before.
func (w *town) older() {
	w.t.Helper()
	must(w.t, w.pod.Store.Update(w.t.Context(), "person/person-alva", func(tx store.Tx) error {
		_, err := podtest.Older(tx)
		return err
	}))
}

// TestUpgrade: a pod of the schema before becomes what it would be if it had always
// been of this one, but for the time at which what was kept for ever ends: that is
// within a week. To do it once more, or on a pod of this schema, changes nothing.
func TestUpgrade(t *testing.T) {
	w, _ := furnished(t)
	w.keptForATime()
	now := w.now
	before := w.all()
	must(t, upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), now))
	if !maps.Equal(before, w.all()) {
		t.Error("a pod of this schema was changed")
	}
	w.older()
	if _, found, _ := w.pod.Check(t.Context(), w.id()); len(found) < 5 {
		t.Fatalf("it is no older pod: %v", found)
	}
	must(t, upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), now))
	w.fits()
	after := w.all()
	must(t, upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), now.Add(time.Hour)))
	if !maps.Equal(after, w.all()) {
		t.Error("to do it again changes something")
	}
	for key, value := range before {
		if strings.Contains("BJi", key[:1]) {
			delete(after, key)
		} else if after[key] != value {
			t.Errorf("%.40q is %.60q, and was %.60q", key, after[key], value)
		} else {
			delete(after, key)
		}
	}
	if len(after) != 1 { // what finds the one answer that was remembered
		t.Errorf("there is %q too", after)
	}
	shares, _, err := w.pod.SharesAfter(t.Context(), w.alva, "", 10)
	must(t, err)
	open, err := w.pod.Requests(t.Context(), w.alva)
	must(t, err)
	if len(shares) != 1 || len(open) != 1 {
		t.Errorf("%d consents and %d open requests are listed", len(shares), len(open))
	}
	w.now = now.Add(7 * 24 * time.Hour)
	w.sweep()
	if left := w.kept("x", "i", "J", "B"); fmt.Sprint(left) != "[0 0 0 0]" {
		t.Errorf("after a week there are %v", left)
	}
}

// TestUpgradeInPages: a pod that holds more than a page of everything, part of it
// stale, comes out right, although each transaction fails once or only seems to.
func TestUpgradeInPages(t *testing.T) {
	w := newTown(t)
	const n = 700
	must(t, w.pod.Store.Update(t.Context(), "person/person-alva", func(tx store.Tx) error {
		for i := range n {
			id := fmt.Sprintf("%026d", i)
			c := consent.Consent{ID: id, Until: w.now.Add(time.Duration(i) * time.Hour)}
			r := consent.Request{ID: id, AnswerBy: w.now, State: consent.Open}
			if i%2 == 1 {
				r.State = consent.Declined
			}
			for key, v := range map[string]any{"c" + id: c, "q" + id: r, "e" + id: evidence.Evidence{ID: id, Received: w.now}, "ispace\x00" + id: struct{}{}} {
				if err := store.Save(tx, key, v); err != nil {
					return err
				}
			}
			tx.Put("C0000000000000000"+id, []byte("{}"))  // out of its order
			tx.Put("Q0000000000000000x"+id, []byte("{}")) // of nothing
			tx.Put("R", []byte("{}"))                     // no key of an index
		}
		return nil
	}))
	for _, goes := range []podtest.Outcome{podtest.Fails, podtest.SeemsToFail, podtest.Fails} {
		w.fake.Next(goes)
		if upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), w.now) == nil {
			t.Fatal("the commit doesn't fail")
		}
	}
	must(t, upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), w.now))
	if got := fmt.Sprint(w.kept("C", "Q", "R", "J", "i")); got != fmt.Sprint([]int{n, n / 2, n, n, n}) {
		t.Errorf("it has %s entries", got)
	}
	must(t, w.pod.Store.Update(t.Context(), "person/person-alva", func(tx store.Tx) error {
		for i := range n {
			tx.Delete(fmt.Sprintf("c%026d", i)) // they have made no grants
		}
		return nil
	}))
	must(t, upkeep.Upgrade(t.Context(), w.pod.Store, w.id(), w.now))
	w.fits()
}
