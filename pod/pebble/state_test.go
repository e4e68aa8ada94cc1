// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod/store"
)

// TestASight says what is left of what was known of the pod "a" and its name "pod/it"
// when a view was taken, if something else has happened before that.
func TestASight(t *testing.T) {
	rows := []struct {
		sentence     string
		happens      func(s *Store) error
		known, state bool
	}{
		{"where nothing happens it holds", func(*Store) error { return nil }, true, true},
		{"what is read or undone changes nothing", func(s *Store) error {
			_ = s.Update(context.Background(), "id/a", func(x store.Tx) error { x.Put("k", nil); return errors.New("undo") })
			return s.View(context.Background(), "id/a", nothing)
		}, true, true},
		{"a pod that is written has another number", func(s *Store) error { return put(s, "a", "k", "v") }, true, false},
		{"while it is being written it has none", func(s *Store) error { s.pods.state("a").Store(0); return nil }, true, false},
		{"a name that is given up has to be found again", func(s *Store) error {
			return s.Update(context.Background(), "id/a", func(x store.Tx) error { x.Release("pod/it"); return nil })
		}, false, false},
		{"so it has while that happens", func(s *Store) error { s.names.state("pod/it").Store(0); return nil }, false, false},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			s, err := OpenMemory(Options{Now: time.Now})
			must(t, err)
			defer s.Close()
			must(t, s.Create(t.Context(), "a", func(x store.Tx) error { x.Claim("pod/it"); return nil }))
			must(t, s.View(t.Context(), "pod/it", nothing)) // by which it is known
			before := s.sight("pod/it")
			must(t, row.happens(s))
			if known, state := before.holds(); known != row.known || state != 0 != row.state {
				t.Errorf("known %v, number %d", known, state)
			}
			if known, state := s.sight("pod/it").holds(); state != 0 && !known {
				t.Errorf("known %v, number %d when it is looked at again", known, state)
			}
		})
	}
}

// TestANumberIsOneState has a pod written as fast as can be, without a disk, and
// read meanwhile: by whatever transaction, one number never stands for two values.
func TestANumberIsOneState(t *testing.T) {
	const writes, readers = 10_000, 4
	s, err := OpenMemory(Options{Now: time.Now})
	must(t, err)
	defer s.Close()
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("k", []byte("none")); return nil }))
	var values sync.Map
	look := func(x store.Tx) error {
		found, err := x.Get("k")
		if err != nil {
			return err
		}
		now, next := x.(*tx).State()
		if next != 0 && now == 0 {
			return fmt.Errorf("an Update doesn't know the state that it changes")
		}
		if known, ok := values.LoadOrStore(now, string(found[0])); ok && now != 0 && known != string(found[0]) {
			return fmt.Errorf("the number %d stands for %s and for %s", now, known, found[0])
		}
		return nil
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	var numbered atomic.Int64
	for range readers {
		wg.Go(func() {
			for !over.Load() {
				err := s.View(t.Context(), "id/a", func(x store.Tx) error {
					if now, _ := x.(*tx).State(); now != 0 {
						numbered.Add(1)
					}
					return look(x)
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 8 { // they make each other wait between a commit and its number
		id := fmt.Sprint("b", i)
		must(t, s.Create(t.Context(), id, nothing))
		wg.Go(func() {
			for !over.Load() {
				if err := put(s, id, "k", "v"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range writes {
		must(t, s.Update(t.Context(), "id/a", func(x store.Tx) error {
			x.Put("k", fmt.Append(nil, i))
			return nil
		}))
		if i%8 == 0 {
			must(t, s.Update(t.Context(), "id/a", look))
		}
	}
	over.Store(true)
	wg.Wait()
	if numbered.Load() == 0 {
		t.Error("no View had a number")
	}
}

// TestANameIsOneMoment has two pods take a name from each other: no View finds by
// it the pod that doesn't have it in the moment that the View sees.
func TestANameIsOneMoment(t *testing.T) {
	const turns, readers = 3000, 4
	s, err := OpenMemory(Options{Now: time.Now})
	must(t, err)
	defer s.Close()
	for i, id := range []string{"a", "b"} {
		must(t, s.Create(t.Context(), id, func(x store.Tx) error {
			if i == 0 {
				x.Claim("pod/it")
				x.Put("has", []byte("it"))
			}
			return nil
		}))
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for !over.Load() {
				check := func(x store.Tx) error {
					if found, err := x.Get("has"); err != nil || found[0] == nil {
						return fmt.Errorf("pod %q doesn't have the name: %v", x.Pod(), err)
					}
					return nil
				}
				for _, err := range []error{s.View(t.Context(), "pod/it", check), s.Update(t.Context(), "pod/it", check)} {
					if err != nil && err != store.ErrNoPod { // between two turns nobody has it
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range turns {
		from, to := store.Name("id/"+[]string{"a", "b"}[i%2]), store.Name("id/"+[]string{"b", "a"}[i%2])
		must(t, s.Update(t.Context(), from, func(x store.Tx) error { x.Delete("has"); x.Release("pod/it"); return nil }))
		must(t, s.Update(t.Context(), to, func(x store.Tx) error { x.Put("has", []byte("it")); x.Claim("pod/it"); return nil }))
	}
	over.Store(true)
	wg.Wait()
}
