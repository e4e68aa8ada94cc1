// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// An Outcome is what a commit of a Fake comes to.
type Outcome int

// The outcomes. Of both failures Update returns the same error, which wraps
// ldp.Unavailable: the caller can't tell them apart, as it can't in life.
const (
	Succeeds    Outcome = iota
	Fails               // nothing has happened
	SeemsToFail         // all has happened
)

// A Fake is a real Store that checks how it is used. It runs every fn of Update
// and Create twice, the first time for nothing. It fails the test if fn writes
// in a View, or uses a Tx that has ended. It is safe for concurrent use.
type Fake struct {
	store.Store
	t testing.TB

	mu   sync.Mutex
	next []Outcome
}

// NewFake returns a Fake in front of s.
func NewFake(t testing.TB, s store.Store) *Fake { return &Fake{Store: s, t: t} }

// Next says what the next commits come to, in order; those after succeed.
func (f *Fake) Next(outcomes ...Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = outcomes
}

func (f *Fake) outcome() Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) == 0 {
		return Succeeds
	}
	o := f.next[0]
	f.next = f.next[1:]
	return o
}

// View implements store.Store.
func (f *Fake) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return f.late(fn, f.Store.View(ctx, name, f.checked(fn, false)))
}

// Update implements store.Store.
func (f *Fake) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return f.late(fn, f.twice(fn, func(fn func(store.Tx) error) error { return f.Store.Update(ctx, name, fn) }))
}

// Create implements store.Store.
func (f *Fake) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	return f.twice(fn, func(fn func(store.Tx) error) error { return f.Store.Create(ctx, id, fn) })
}

// late runs fn where there is no pod, as an engine may that finds out only when
// something is read.
func (f *Fake) late(fn func(store.Tx) error, err error) error {
	if err == store.ErrNoPod {
		_ = fn(absent{})
	}
	return err
}

// absent is a pod that there isn't: it can't be read, and what is written is lost.
type absent struct{}

// Pod implements store.Tx.
func (absent) Pod() string { return "" }

// Get implements store.Tx.
func (absent) Get(...string) ([][]byte, error) { return nil, fmt.Errorf("podtest: %w", store.ErrNoPod) }

// Scan implements store.Tx.
func (absent) Scan(string, string, int) ([]store.Pair, error) {
	return nil, fmt.Errorf("podtest: %w", store.ErrNoPod)
}

// Put implements store.Tx.
func (absent) Put(string, []byte) {}

// Delete implements store.Tx.
func (absent) Delete(string) {}

// Claim implements store.Tx.
func (absent) Claim(store.Name) {}

// Release implements store.Tx.
func (absent) Release(store.Name) {}

// Due implements store.Tx.
func (absent) Due(time.Time) {}

// Stir implements store.Tx.
func (absent) Stir() {}

var errRehearsal = errors.New("podtest: rolled back, as an engine may")

// twice runs a transaction for nothing, and then for what its outcome shall be.
func (f *Fake) twice(fn func(store.Tx) error, run func(func(store.Tx) error) error) error {
	fn = f.checked(fn, true)
	err := run(func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return fmt.Errorf("%w: %w", errRehearsal, err)
		}
		return errRehearsal
	})
	if !errors.Is(err, errRehearsal) {
		return err // fn did not run, or the engine failed
	}
	failure := fmt.Errorf("podtest: the commit: %w", ldp.Unavailable)
	outcome := f.outcome()
	err = run(func(tx store.Tx) error {
		if err := fn(tx); err != nil || outcome != Fails {
			return err
		}
		return failure
	})
	if err == nil && outcome == SeemsToFail {
		return failure
	}
	return err
}

// checked returns fn with a Tx that is watched.
func (f *Fake) checked(fn func(store.Tx) error, writes bool) func(store.Tx) error {
	return func(tx store.Tx) error {
		w := &watched{Tx: tx, t: f.t, writes: writes}
		defer w.ended.Store(true)
		return fn(w)
	}
}

// A watched Tx fails the test if it is used wrongly.
type watched struct {
	store.Tx
	t      testing.TB
	writes bool
	ended  atomic.Bool
}

func (w *watched) use(write bool) {
	w.t.Helper()
	if w.ended.Load() {
		w.t.Error("podtest: a Tx was used after its end")
	}
	if write && !w.writes {
		w.t.Error("podtest: a View writes")
	}
}

// Get implements store.Tx.
func (w *watched) Get(keys ...string) ([][]byte, error) {
	w.t.Helper()
	w.use(false)
	return w.Tx.Get(keys...)
}

// Scan implements store.Tx.
func (w *watched) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	w.t.Helper()
	w.use(false)
	return w.Tx.Scan(prefix, after, limit)
}

// Put implements store.Tx.
func (w *watched) Put(key string, value []byte) {
	w.t.Helper()
	w.use(true)
	w.Tx.Put(key, value)
}

// Delete implements store.Tx.
func (w *watched) Delete(key string) {
	w.t.Helper()
	w.use(true)
	w.Tx.Delete(key)
}

// Claim implements store.Tx.
func (w *watched) Claim(name store.Name) {
	w.t.Helper()
	w.use(true)
	w.Tx.Claim(name)
}

// Release implements store.Tx.
func (w *watched) Release(name store.Name) {
	w.t.Helper()
	w.use(true)
	w.Tx.Release(name)
}

// Stir implements store.Tx.
func (w *watched) Stir() {
	w.t.Helper()
	w.use(true)
	w.Tx.Stir()
}

// Due implements store.Tx.
func (w *watched) Due(at time.Time) {
	w.t.Helper()
	w.use(true)
	w.Tx.Due(at)
}
