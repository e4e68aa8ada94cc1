// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"context"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// stripes are locks for any number of names: two names may share one. Beside them
// are the numbers of the states of what is stored under the names, which names
// share too, but only those that share a lock.
type stripes struct {
	seed   maphash.Seed
	all    [1024]stripe
	states [16 * 1024]atomic.Uint64
}

// A stripe is a lock that can be waited for with a ctx, and the newest commit
// made under it as long as that isn't on the disk.
type stripe struct {
	turn chan struct{} // holds what the lock's holder put there
	last atomic.Pointer[commit]
}

func (set *stripes) init() {
	set.seed = maphash.MakeSeed()
	for i := range set.all {
		set.all[i].turn = make(chan struct{}, 1)
	}
	for i := range set.states {
		set.states[i].Store(1)
	}
}

func (set *stripes) index(name string) int {
	return int(maphash.String(set.seed, name) % uint64(len(set.all)))
}

// state returns where the number of the state is in which all is that is stored
// under name: 0 while that changes, and never again a number that it had. Who finds
// the same number there before and after it takes a view of the database, and not
// 0, has a view of that state.
func (set *stripes) state(name string) *atomic.Uint64 {
	return &set.states[maphash.String(set.seed, name)%uint64(len(set.states))]
}

func (set *stripes) of(name string) *stripe { return &set.all[set.index(name)] }

func (st *stripe) lock(ctx context.Context) error {
	select {
	case st.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (st *stripe) unlock() { <-st.turn }

// held are the stripes that a call has locked. When it commits, the commit takes
// them over.
type held []*stripe

// lock adds the stripes of names, in the one order that all callers keep to.
func (h *held) lock(ctx context.Context, set *stripes, names ...string) error {
	indices := make([]int, len(names))
	for i, name := range names {
		indices[i] = set.index(name)
	}
	slices.Sort(indices)
	for _, i := range slices.Compact(indices) {
		if err := set.all[i].lock(ctx); err != nil {
			return err
		}
		*h = append(*h, &set.all[i])
	}
	return nil
}

// release unlocks them; again, nothing.
func (h *held) release() {
	for _, st := range *h {
		st.unlock()
	}
	*h = nil
}

// A commit is a batch on its way to the disk. done is closed when it is there.
type commit struct {
	done   chan struct{}
	states []*atomic.Uint64 // of what it changes
	next   uint64           // the number of the state after it
	then   func()           // called when it is on the disk; nil for nothing
}

// commit applies the batch, which takes over h, and returns when it is on the
// disk. An error means that it may get there yet, or not.
func (s *Store) commit(ctx context.Context, b *pebble.Batch, h *held, c *commit) error {
	c.done = make(chan struct{})
	stripes := *h
	*h = nil
	for _, st := range stripes {
		st.last.Store(c)
	}
	s.work.Go(func() { s.write(b, c, stripes) })
	return s.wait(ctx, c)
}

// write brings a commit to the disk. It unlocks as soon as the next holder of
// the locks can see it: whatever that commits comes later in the same log, and
// can't be on the disk without this.
func (s *Store) write(b *pebble.Batch, c *commit, h held) {
	for _, state := range c.states {
		state.Store(0)
	}
	if err := s.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		logger{s.log}.Fatalf("commit: %v", err)
	}
	for _, state := range c.states {
		state.Store(c.next)
	}
	stripes := h
	h.release()
	if err := b.SyncWait(); err != nil {
		logger{s.log}.Fatalf("sync: %v", err)
	}
	for _, st := range stripes {
		st.last.CompareAndSwap(c, nil)
	}
	close(c.done)
	if c.then != nil {
		c.then()
	}
	_ = b.Close() // only gives its memory back
}

// wait returns when the commit is on the disk.
func (s *Store) wait(ctx context.Context, c *commit) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.disk.fullness():
		return errFull
	}
}

// settled returns when all that could be seen under these stripes when it was
// called is on the disk, so that nobody acts on what a power cut would unmake.
func (s *Store) settled(ctx context.Context, seen ...*stripe) error {
	for _, st := range seen {
		if c := st.last.Load(); c != nil {
			if err := s.wait(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}
