// SPDX-License-Identifier: EUPL-1.2

// Package sealed encrypts pods at rest: it wraps any store.Store and pod.Blobs, so
// that what they write, what is backed up, and what an operator of the database
// or the object store sees, can't be read without two keys.
//
// Each pod has a random key of 256 bits, made when the pod is. It is kept in
// [Keys], wrapped by the server's master key, apart from the data: in auth.Records
// of which a backup of the data holds nothing. To destroy that key is to erase
// the pod, also from every backup that was taken before. So a backup of the keys
// must be one that is overwritten, never one of many.
//
// # What is hidden
//
// All values: resource bodies, evidence, grants, consents, the log; all blobs; and
// the values of auth.Records, under one key of the server's. What stays visible is what must be ordered and found: the names of pods,
// and the keys of values, which hold the paths of resources, the names of
// evidence types, the ids of counterparts; when a pod is due; sizes, rounded to
// nothing; and which value was written when. Who must hide that too encrypts the
// disk below.
//
// # How
//
// The standard library's AES-256-GCM. A value is sealed with a random nonce of 96
// bits, bound to its pod and key: a value that is moved to another pod or another
// key is refused. (Put back an older value of the same key, and only the chain of
// the log, and the containment that fsck checks, can tell.) A blob is cut into
// segments of 64 KiB, sealed under a key of its own with counted nonces of which
// the last is marked, so that it can be read from any place and is never cut off
// unnoticed; its end binds it to its pod and its name. The name is an HMAC of the
// content under a key of the pod's, so that it says nothing to who has the same
// content, while in one pod the same content is still one blob.
//
// Tink was considered: it would add a format and a keyset that others know, and
// a dependency on protocol buffers; what is used of it here are forty lines.
package sealed

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A Store is a store.Store that hides values from the one it wraps.
type Store struct {
	inner store.Store
	keys  *Keys
}

var _ store.Store = (*Store)(nil)

// NewStore returns a Store in front of inner.
func NewStore(inner store.Store, keys *Keys) *Store { return &Store{inner, keys} }

// View implements store.Store.
func (s *Store) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return s.inner.View(ctx, name, func(inner store.Tx) error { return s.run(ctx, inner, fn, nil) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return s.commit(func(last **tx) error {
		return s.inner.Update(ctx, name, func(inner store.Tx) error { return s.run(ctx, inner, fn, last) })
	})
}

// Create implements store.Store. It makes the pod's key first: a crash between
// leaves a key of nothing.
func (s *Store) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == "" || len(id) > store.MaxID {
		return fmt.Errorf("pod/sealed: a pod's id has 1 to %d bytes", store.MaxID)
	}
	if err := s.keys.make(ctx, id); err != nil {
		return err
	}
	return s.commit(func(last **tx) error {
		return s.inner.Create(ctx, id, func(inner store.Tx) error { return s.run(ctx, inner, fn, last) })
	})
}

// commit runs an Update or Create. If it fails, the state that it would have made
// may never be.
func (s *Store) commit(run func(last **tx) error) error {
	var last *tx
	err := run(&last)
	if last != nil && err != nil {
		last.keys.image.fail(last.next)
	}
	return err
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return s.inner.Due(ctx, before, limit)
}

// run runs fn with a Tx that seals and opens. last is nil in a View; else what it
// points to is set when fn has succeeded, and the image is that of what it has
// written, before anybody can see that.
func (s *Store) run(ctx context.Context, inner store.Tx, fn func(store.Tx) error, last **tx) error {
	x := &tx{Tx: inner, ctx: ctx, all: s.keys}
	if engine, ok := inner.(stated); ok {
		switch err := x.unlock(); {
		case err == nil:
			x.now, x.next = engine.State()
		case !errors.Is(err, store.ErrNoKey):
			return err
		}
	}
	if err := fn(x); err != nil {
		return err
	}
	if x.err == nil && last != nil && x.now != 0 && x.written != nil {
		*last = x
		x.keys.image.follow(x.now, x.next, x.written, x.decoded)
	}
	s.keys.trim()
	return x.err
}

// A tx seals what is put and opens what is got.
type tx struct {
	store.Tx
	ctx       context.Context
	all       *Keys
	keys      *podKeys // nil until it is needed: to know the pod may take a round trip, which what is read can share
	bound     []byte   // what all values are bound to, with room for a key; made when it is needed
	err       error    // the first write that can't be
	now, next uint64   // see stated; 0 where there are no numbers
	written   map[string][]byte
	decoded   map[string]any // what is remembered of what was written
}

// unlock finds the pod's keys. It is ErrNoKey of a pod whose key is gone, which is of use
// only to end it.
func (x *tx) unlock() (err error) {
	if x.keys == nil {
		x.keys, err = x.all.of(x.ctx, x.Pod())
	}
	return err
}

// Ahead implements store.Foreseeing.
func (x *tx) Ahead(keys ...string) { store.Ahead(x.Tx, keys...) }

// boundTo is what the value under a key of the pod is bound to.
func (x *tx) boundTo(key string) []byte {
	if x.bound == nil {
		id := x.Pod()
		b := append(make([]byte, 0, 256), "skrin value 1\x00"...)
		x.bound = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	}
	return append(x.bound, key...)
}

func (x *tx) value(key string, sealed []byte) ([]byte, error) {
	value, err := x.keys.values.Open(nil, nil, sealed, x.boundTo(key))
	if err != nil {
		return nil, ErrDamaged
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

// ErrDamaged is that what is stored can't be opened.
var ErrDamaged = errors.New("pod/sealed: what is stored was not sealed here, for this pod and key: it was changed, moved or damaged")

// Get implements store.Tx.
func (x *tx) Get(keys ...string) ([][]byte, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	var room [24]int
	places := room[:0]
	for i, key := range keys {
		if value, ok := x.written[key]; ok {
			values[i] = value
		} else {
			places = append(places, i)
		}
	}
	if x.now != 0 {
		places = x.keys.image.get(x.now, keys, values, places)
	}
	if len(places) == 0 {
		return values, nil
	}
	if err := x.fetch(keys, values, places); err != nil {
		return nil, err
	}
	if x.now != 0 {
		x.keys.image.learn(x.now, keys, values, places)
	}
	return values, nil
}

// fetch gets and opens the values in these places.
func (x *tx) fetch(keys []string, values [][]byte, places []int) error {
	asked := make([]string, len(places))
	for n, i := range places {
		asked[n] = keys[i]
	}
	sealed, err := x.Tx.Get(asked...)
	if err == nil {
		err = x.unlock()
	}
	if err != nil {
		return err
	}
	for n, i := range places {
		if sealed[n] == nil {
			continue
		}
		if values[i], err = x.value(keys[i], sealed[n]); err != nil {
			return err
		}
	}
	return nil
}

// Scan implements store.Tx.
func (x *tx) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	found, err := x.Tx.Scan(prefix, after, limit)
	if err == nil {
		err = x.unlock()
	}
	if err != nil {
		return nil, err
	}
	for i, p := range found {
		if found[i].Value, err = x.value(p.Key, p.Value); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Put implements store.Tx.
func (x *tx) Put(key string, value []byte) {
	if len(value) > store.MaxValue && x.err == nil {
		x.err = fmt.Errorf("pod/sealed: a value is %d bytes long, over the limit of %d: %w", len(value), store.MaxValue, ldp.TooLarge)
		value = nil
	}
	if value == nil {
		value = []byte{}
	}
	if err := x.unlock(); err != nil {
		x.err = cmp.Or(x.err, err)
		return
	}
	x.write(key, value)
	x.Tx.Put(key, x.keys.values.Seal(nil, nil, value, x.boundTo(key)))
}

// Delete implements store.Tx.
func (x *tx) Delete(key string) {
	x.write(key, nil)
	x.Tx.Delete(key)
}

func (x *tx) write(key string, value []byte) {
	if x.written == nil {
		x.written = map[string][]byte{}
	}
	x.written[key] = value
	delete(x.decoded, key)
}

// Recall implements store.Rememberer.
func (x *tx) Recall(key string) any {
	switch _, ok := x.written[key]; {
	case ok:
		return x.decoded[key]
	case x.now == 0:
		return nil
	}
	return x.keys.image.recall(x.now, key)
}

// Remember implements store.Rememberer.
func (x *tx) Remember(key string, decoded any) {
	switch _, ok := x.written[key]; {
	case x.now == 0:
	case !ok:
		x.keys.image.remember(x.now, key, decoded)
	case x.decoded == nil:
		x.decoded = map[string]any{key: decoded}
	default:
		x.decoded[key] = decoded
	}
}
