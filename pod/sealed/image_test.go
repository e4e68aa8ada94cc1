// SPDX-License-Identifier: EUPL-1.2

package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"skrin/pod/sealed"
	"skrin/pod/store"
)

// A counting Store counts the keys that are asked for of the engine.
type counting struct {
	store.Store
	asked atomic.Int64
}

// View implements store.Store.
func (c *counting) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return c.Store.View(ctx, name, func(tx store.Tx) error { return fn(countingTx{tx, tx.(numbered), c}) })
}

// Update implements store.Store.
func (c *counting) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return c.Store.Update(ctx, name, func(tx store.Tx) error { return fn(countingTx{tx, tx.(numbered), c}) })
}

type numbered interface{ State() (now, next uint64) }

type countingTx struct {
	store.Tx
	numbered
	c *counting
}

// Get implements store.Tx.
func (t countingTx) Get(keys ...string) ([][]byte, error) {
	t.c.asked.Add(int64(len(keys)))
	return t.Tx.Get(keys...)
}

var errUndo = errors.New("undo")

// TestImage counts the keys for which the engine is asked when "k1" and "k2" are read after
// something has happened.
func TestImage(t *testing.T) {
	put := func(s store.Store, name store.Name, key, value string, fails error) func(*testing.T) {
		return func(t *testing.T) {
			err := s.Update(t.Context(), name, func(tx store.Tx) error { tx.Put(key, []byte(value)); return fails })
			if !errors.Is(err, fails) {
				t.Fatal(err)
			}
		}
	}
	p := newPlace(t)
	keys := p.keys(master(t, 1))
	c := &counting{Store: p.store}
	s := sealed.NewStore(c, keys)
	other := sealed.NewStore(p.store, p.keys(master(t, 1))) // what another part of the program writes
	for _, id := range []string{"a", "b"} {
		must(t, s.Create(t.Context(), id, func(tx store.Tx) error { tx.Put("k1", []byte("old")); return nil }))
	}
	nothing := func(*testing.T) {}
	rows := []struct {
		sentence string
		happens  func(*testing.T)
		k1, k2   string
		asked    int64
	}{
		{"the first time, at least twice: the name wasn't known", nothing, "old", "", 2},
		{"the second time perhaps", nothing, "old", "", 2},
		{"then the engine isn't asked, not for what isn't there either", nothing, "old", "", 0},
		{"what was written is known", put(s, "id/a", "k1", "new", nil), "new", "", 0},
		{"what was not written, since it failed, isn't", put(s, "id/a", "k1", "never", errUndo), "new", "", 0},
		{"what another has written is asked for", put(other, "id/a", "k2", "theirs", nil), "new", "theirs", 2},
		{"and then it is known", nothing, "new", "theirs", 0},
		{"who deletes knows that it is gone", func(t *testing.T) {
			must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Delete("k2"); return nil }))
		}, "new", "", 0},
		{"a commit that can't be leaves nothing behind", func(t *testing.T) {
			err := s.Update(t.Context(), "id/a", func(tx store.Tx) error {
				tx.Put("k1", []byte("never"))
				tx.Claim("id/b") // is taken
				return nil
			})
			if !errors.Is(err, store.ErrTaken) {
				t.Fatal(err)
			}
		}, "new", "", 2},
		{"a value over the limit leaves nothing behind", func(t *testing.T) {
			err := s.Update(t.Context(), "id/a", func(tx store.Tx) error {
				tx.Put("k1", make([]byte, store.MaxValue+1))
				return nil
			})
			if err == nil {
				t.Fatal("it is stored")
			}
		}, "new", "", 0},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			row.happens(t)
			c.asked.Store(0)
			must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
				got, err := tx.Get("k1", "k2")
				if err == nil && (string(got[0]) != row.k1 || string(got[1]) != row.k2 || row.k2 == "" && got[1] != nil) {
					t.Errorf("k1 is %q, k2 is %q", got[0], got[1])
				}
				return err
			}))
			if n := c.asked.Load(); n > row.asked {
				t.Errorf("the engine was asked for %d keys, want at most %d", n, row.asked)
			}
		})
	}
	t.Run("when the key is gone, so is what it had opened", func(t *testing.T) {
		must(t, keys.Destroy(t.Context(), "a"))
		err := s.View(t.Context(), "id/a", func(tx store.Tx) error { _, err := tx.Get("k1"); return err })
		if !errors.Is(err, store.ErrNoKey) {
			t.Errorf("k1 can be read: %v", err)
		}
	})
}

// TestImageIsOfTheMoment has readers of a pod look, while it is written, for a value
// that is older than what they know to be there, or that isn't of the same moment
// as another; as a right would be that was withdrawn.
func TestImageIsOfTheMoment(t *testing.T) {
	const writes, readers = 500, 4
	p := newPlace(t)
	s := sealed.NewStore(p.store, p.keys(master(t, 1)))
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("k1", []byte("0")); tx.Put("k2", []byte("0")); return nil }))
	var done atomic.Int64 // the last write that has returned
	var over atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for !over.Load() {
				least := done.Load()
				err := s.View(t.Context(), "id/a", func(tx store.Tx) error { return sameMoment(tx, least) })
				if err == nil {
					err = s.Update(t.Context(), "id/a", func(tx store.Tx) error { return sameMoment(tx, least) })
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range writes {
		must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error {
			if err := sameMoment(tx, int64(i)); err != nil {
				return err
			}
			value := []byte(strconv.Itoa(i + 1))
			tx.Put("k1", value)
			tx.Put("k2", value)
			return nil
		}))
		done.Store(int64(i + 1))
	}
	over.Store(true)
	wg.Wait()
}

// sameMoment reads two values, one after the other, that were always written
// together.
func sameMoment(tx store.Tx, least int64) error {
	one, err := tx.Get("k1")
	if err != nil {
		return err
	}
	two, err := tx.Get("k2")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(one[0]), 10, 64)
	if err == nil && (n < least || string(one[0]) != string(two[0])) {
		err = fmt.Errorf("k1 is %s, k2 is %s, and %d was written before", one[0], two[0], least)
	}
	return err
}

// A box counts how often it is read from JSON.
type box struct{ N int }

var unboxed atomic.Int64

// Copy implements store.Copier.
func (b *box) Copy() any { c := *b; return &c }

// UnmarshalJSON implements json.Unmarshaler.
func (b *box) UnmarshalJSON(text []byte) (err error) {
	unboxed.Add(1)
	b.N, err = strconv.Atoi(string(text))
	return err
}

// MarshalJSON implements json.Marshaler.
func (b *box) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(b.N), 10), nil }

// TestRemembered counts how often a value is decoded: what is remembered of it ends
// with it.
func TestRemembered(t *testing.T) {
	p := newPlace(t)
	s := sealed.NewStore(p.store, p.keys(master(t, 1)))
	other := sealed.NewStore(p.store, p.keys(master(t, 1)))
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { return store.Save(tx, "k", &box{1}) }))
	write := func(s store.Store, do func(store.Tx) error) func(*testing.T) {
		return func(t *testing.T) { must(t, s.Update(t.Context(), "id/a", do)) }
	}
	nothing := func(*testing.T) {}
	for _, row := range []struct {
		sentence string
		happens  func(*testing.T)
		n        int
		decoded  int64
	}{
		{"it is decoded the first time", nothing, 1, 2},
		{"and not again", nothing, 1, 0},
		{"who changes what was read changes nothing", func(t *testing.T) {
			must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error { b, err := store.Load[box](tx, "k"); b.N = 9; return err }))
		}, 1, 0},
		{"what was saved needn't be decoded", write(s, func(tx store.Tx) error { return store.Save(tx, "k", &box{2}) }), 2, 0},
		{"what was put is another value", write(s, func(tx store.Tx) error { tx.Put("k", []byte("3")); return nil }), 3, 1},
		{"of what was saved and put the last counts", write(s, func(tx store.Tx) error {
			err := store.Save(tx, "k", &box{4})
			tx.Put("k", []byte("5"))
			return err
		}), 5, 1},
		{"what another has written is decoded", write(other, func(tx store.Tx) error { tx.Put("k", []byte("6")); return nil }), 6, 1},
		{"what was saved in vain is not remembered", func(t *testing.T) {
			err := s.Update(t.Context(), "id/a", func(tx store.Tx) error { return errors.Join(store.Save(tx, "k", &box{7}), errUndo) })
			if !errors.Is(err, errUndo) {
				t.Fatal(err)
			}
		}, 6, 0},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			row.happens(t)
			unboxed.Store(0)
			for _, run := range []func(context.Context, store.Name, func(store.Tx) error) error{s.View, s.Update} {
				must(t, run(t.Context(), "id/a", func(tx store.Tx) error {
					b, err := store.Load[box](tx, "k")
					if err == nil && b.N != row.n {
						t.Errorf("it is %d", b.N)
					}
					return err
				}))
			}
			if n := unboxed.Load(); n > row.decoded {
				t.Errorf("it was decoded %d times, want at most %d", n, row.decoded)
			}
		})
	}
}
