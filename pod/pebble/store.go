// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"skrin/pod/store"
)

// holder returns the id of the pod that has claimed name, "" if there is none.
func holder(from pebble.Reader, name store.Name) (string, error) {
	if len(name) > store.MaxName {
		return "", nil
	}
	id, err := read(from, nameKey(name))
	return string(id), err
}

// claims remembers which pods had claimed the names that were asked for of late.
type claims struct {
	mu  sync.RWMutex
	all map[store.Name]claim
}

// A claim is that the pod with the id had a name when the name's state had the
// number at.
type claim struct {
	id string
	at uint64
}

const maxClaims = 16 << 10 // some 150 bytes each; then all are forgotten

func (c *claims) find(name store.Name) claim {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[name]
}

func (c *claims) learn(name store.Name, found claim) {
	if found.id == "" || found.at == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxClaims {
		c.all = map[store.Name]claim{}
	}
	c.all[name] = found
}

// holder is the function holder at this moment, which needs no look if the name is
// known and its state is still the one in which it was.
func (s *Store) holder(name store.Name) (string, error) {
	state := s.names.state(string(name))
	at := state.Load()
	if known := s.known.find(name); known.at == at && at != 0 {
		return known.id, nil
	}
	id, err := holder(s.db, name)
	if err == nil && state.Load() == at {
		s.known.learn(name, claim{id, at})
	}
	return id, err
}

// View implements store.Store. Its moment is that of an iterator: a snapshot costs
// more, since to end it is to look for something to compact.
func (s *Store) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	x, err := s.look(ctx, name)
	if err != nil {
		return err
	}
	defer x.close()
	if err := s.settled(ctx, s.names.of(string(name)), s.pods.of(x.id)); err != nil {
		return err
	}
	if x.id == "" {
		return store.ErrNoPod
	}
	return fn(x)
}

// A sight is what is known of a name before a view of the database is taken.
type sight struct {
	claim
	named, pod *atomic.Uint64
	is         uint64 // the number of the pod's state
}

func (s *Store) sight(name store.Name) sight {
	g := sight{claim: s.known.find(name), named: s.names.state(string(name))}
	g.pod = s.pods.state(g.id)
	g.is = g.pod.Load()
	if at := g.named.Load(); at != g.at {
		g.claim = claim{at: at}
	}
	return g
}

// holds reports, when a view was taken, whether the pod that was known has the name
// in it, and the number of the state in which the view has the pod.
func (g sight) holds() (known bool, state uint64) {
	if g.id == "" || g.named.Load() != g.at {
		return false, 0
	}
	if g.pod.Load() != g.is {
		return true, 0
	}
	return true, g.is
}

// look returns a transaction that sees this moment. Its id is "" if nobody has the
// name.
func (s *Store) look(ctx context.Context, name store.Name) (*tx, error) {
	before := s.sight(name)
	iter, err := s.db.NewIterWithContext(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: read: %w", err)
	}
	if known, state := before.holds(); known {
		x := newTx(ctx, s.db, before.id, true)
		x.iter, x.now = iter, state
		return x, nil
	}
	var id []byte
	if len(name) <= store.MaxName {
		if id, err = seek(iter, nameKey(name)); err != nil {
			return nil, errors.Join(err, iter.Close())
		}
	}
	if before.named.Load() == before.at {
		s.known.learn(name, claim{string(id), before.at})
	}
	x := newTx(ctx, s.db, string(id), true)
	x.iter = iter
	return x, nil
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	leave, err := s.enterToWrite(ctx)
	if err != nil {
		return err
	}
	defer leave()
	id, err := s.guess(name)
	if err != nil {
		return err
	}
	for {
		var h held
		defer h.release()
		if err := h.lock(ctx, &s.pods, id); err != nil {
			return err
		}
		actual, err := s.holder(name)
		switch {
		case err != nil:
			return err
		case actual == "":
			if err := s.settled(ctx, s.names.of(string(name)), s.pods.of(id)); err != nil {
				return err
			}
			return store.ErrNoPod
		case actual == id: // and stays it: only this pod's Updates release it
			return s.run(s.begin(ctx, id), &h, fn)
		}
		h.release()
		id = actual
	}
}

// begin returns the transaction of an Update or Create on a pod that is locked, so
// that its state doesn't change.
func (s *Store) begin(ctx context.Context, id string) *tx {
	x := newTx(ctx, s.db, id, false)
	x.now, x.next = s.pods.state(id).Load(), s.turn.Add(1)
	return x
}

// guess returns the id of the pod that has, most likely, claimed name.
func (s *Store) guess(name store.Name) (string, error) {
	if id, ok := strings.CutPrefix(string(name), "id/"); ok {
		return id, nil
	}
	return s.holder(name)
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	leave, err := s.enterToWrite(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if id == "" || len(id) > store.MaxID {
		return fmt.Errorf("pod/pebble: a pod's id has 1 to %d bytes", store.MaxID)
	}
	var h held
	defer h.release()
	if err := h.lock(ctx, &s.pods, id); err != nil {
		return err
	}
	name := store.Name("id/" + id)
	taken, err := holder(s.db, name)
	if err != nil {
		return err
	}
	if taken != "" {
		return s.taken(ctx, name)
	}
	x := s.begin(ctx, id)
	x.Claim(name)
	return s.run(x, &h, fn)
}

// taken is ErrTaken, when it is certain that name will stay so.
func (s *Store) taken(ctx context.Context, name store.Name) error {
	if err := s.settled(ctx, s.names.of(string(name))); err != nil {
		return err
	}
	return store.ErrTaken
}

// run runs fn on a pod that is locked, and commits.
func (s *Store) run(x *tx, h *held, fn func(store.Tx) error) error {
	defer x.close()
	err := fn(x)
	x.close()
	if err != nil {
		if err := s.settled(x.ctx, *h...); err != nil {
			return err
		}
		return err
	}
	if x.Err != nil {
		return fmt.Errorf("pod/pebble: %w", x.Err)
	}
	if err := x.ctx.Err(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	err = s.fill(b, x, h)
	if err == nil && b.Empty() {
		err = s.settled(x.ctx, *h...)
		_ = b.Close()
		return err
	}
	if err != nil {
		_ = b.Close()
		return err
	}
	c := &commit{states: []*atomic.Uint64{s.pods.state(x.id)}, next: x.next}
	for name := range x.Names {
		c.states = append(c.states, s.names.state(string(name)))
	}
	if x.Stirs {
		c.then = func() { s.followers.Tell(x.id) }
	}
	return s.commit(x.ctx, b, h, c)
}

// fill writes what the transaction changes into b.
func (s *Store) fill(b *pebble.Batch, x *tx, h *held) error {
	for key, value := range x.Values {
		stored := x.at(key)
		if value == nil {
			_ = b.Delete(stored, nil) // a batch's writes don't fail
		} else {
			_ = b.Set(stored, value, nil)
		}
	}
	if err := s.fillNames(b, x, h); err != nil {
		return err
	}
	return s.fillDue(b, x)
}

// fillNames locks the names and checks the claims. The locks are held until the
// commit can be seen, so that of two claims at once one sees the other.
func (s *Store) fillNames(b *pebble.Batch, x *tx, h *held) error {
	names := make([]string, 0, len(x.Names))
	for name := range x.Names {
		names = append(names, string(name))
	}
	if err := h.lock(x.ctx, &s.names, names...); err != nil {
		return err
	}
	for name, claim := range x.Names {
		owner, err := holder(s.db, name)
		switch {
		case err != nil:
			return err
		case claim && owner == "":
			_ = b.Set(nameKey(name), []byte(x.id), nil)
		case claim && owner != x.id:
			return s.taken(x.ctx, name)
		case !claim && owner == x.id:
			_ = b.Delete(nameKey(name), nil)
		}
	}
	return nil
}

func (s *Store) fillDue(b *pebble.Batch, x *tx) error {
	if x.At == nil {
		return nil
	}
	old, err := read(s.db, dueOf(x.id))
	if err != nil {
		return err
	}
	at := appendTime(nil, *x.At)
	if bytes.Equal(old, at) {
		return nil
	}
	if old != nil {
		_ = b.Delete(dueAt(old, x.id), nil)
	}
	if x.At.IsZero() {
		_ = b.Delete(dueOf(x.id), nil)
		return nil
	}
	_ = b.Set(dueOf(x.id), at, nil)
	_ = b.Set(dueAt(at, x.id), nil, nil)
	return nil
}

// Due implements store.Store. It may list a pod whose new time isn't synced yet.
func (s *Store) Due(ctx context.Context, before time.Time, limit int) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	iter, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: []byte{keyDueAt},
		UpperBound: after(dueAt(appendTime(nil, before), "")),
	})
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: due: %w", err)
	}
	var ids []string
	for ok := iter.First(); ok && len(ids) < limit; ok = iter.Next() {
		ids = append(ids, string(iter.Key()[1+timeLen:]))
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("pod/pebble: due: %w", err)
	}
	return ids, nil
}

// Pods implements store.Pods. It may list a pod whose creation isn't synced yet.
func (s *Store) Pods(ctx context.Context, from string, limit int) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ids := nameKey("id/")
	iter, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: append(nameKey(store.Name("id/"+from)), 0), UpperBound: after(ids)})
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: pods: %w", err)
	}
	var found []string
	for ok := iter.First(); ok && len(found) < limit; ok = iter.Next() {
		found = append(found, string(iter.Key()[len(ids):]))
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("pod/pebble: pods: %w", err)
	}
	return found, nil
}
