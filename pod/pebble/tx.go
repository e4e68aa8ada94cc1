// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"skrin/pod/store"
)

// A tx is one pod as it is, and what shall change.
type tx struct {
	store.Changes
	ctx       context.Context
	db        *pebble.DB
	id        string
	prefix    []byte           // of its keys; made when it is needed
	iter      *pebble.Iterator // the moment that is read; an Update's is made when it is needed
	now, next uint64           // see State
}

// close gives up what a tx holds.
func (x *tx) close() {
	if x.iter != nil {
		_ = x.iter.Close() // what it has read it has read; each step's error was looked at
		x.iter = nil
	}
}

// State tells who caches what the transaction reads: the number of the pod's state
// that it sees, and that of the state after it, if it is committed. In one process
// a number of one pod stands for one state; 0 for one that isn't known.
func (x *tx) State() (now, next uint64) { return x.now, x.next }

// begin makes sure that there is an iterator. An Update's pod is locked, so that it
// doesn't matter when it is made.
func (x *tx) begin() error {
	if x.iter != nil {
		return nil
	}
	iter, err := x.db.NewIterWithContext(x.ctx, nil)
	if err != nil {
		return fmt.Errorf("pod/pebble: read: %w", err)
	}
	x.iter = iter
	return nil
}

// find returns a copy of the value under a key of the pod, nil if there is none.
// All of a pod is near together, so that one iterator, which stays where it is,
// finds the next key in the block that it has.
func (x *tx) find(key string) ([]byte, error) {
	if err := x.begin(); err != nil {
		return nil, err
	}
	return seek(x.iter, x.at(key))
}

// seek returns a copy of the value under a key of the database, nil if there is
// none.
func seek(iter *pebble.Iterator, at []byte) ([]byte, error) {
	if !iter.SeekPrefixGE(at) || !bytes.Equal(iter.Key(), at) {
		if err := iter.Error(); err != nil {
			return nil, fmt.Errorf("pod/pebble: read: %w", err)
		}
		return nil, nil
	}
	found, err := iter.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: read: %w", err)
	}
	return append(make([]byte, 0, len(found)), found...), nil
}

func newTx(ctx context.Context, db *pebble.DB, id string, view bool) *tx {
	return &tx{Changes: store.Changes{View: view}, ctx: ctx, db: db, id: id}
}

// at returns where a key of the pod is in the database.
func (x *tx) at(key string) []byte {
	if x.prefix == nil {
		x.prefix = slices.Clip(podPrefix(x.id))
	}
	return append(x.prefix, key...)
}

// Pod implements store.Tx.
func (x *tx) Pod() string { return x.id }

// Get implements store.Tx.
func (x *tx) Get(keys ...string) ([][]byte, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	values, order := make([][]byte, len(keys)), make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	// Ascending, each seek goes on from where the last one ended.
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(keys[i], keys[j]) })
	for _, i := range order {
		value, written := x.Values[keys[i]]
		if !written {
			var err error
			if value, err = x.find(keys[i]); err != nil {
				return nil, err
			}
		}
		values[i] = value
	}
	return values, nil
}

// Scan implements store.Tx.
func (x *tx) Scan(prefix, from string, limit int) ([]store.Pair, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	first := prefix
	if from != "" && from >= prefix {
		first = from + "\x00"
	}
	bounds := pebble.IterOptions{LowerBound: x.at(first), UpperBound: after(x.at(prefix))}
	if limit <= 0 || bytes.Compare(bounds.LowerBound, bounds.UpperBound) >= 0 {
		return nil, nil
	}
	if err := x.begin(); err != nil {
		return nil, err
	}
	iter, err := x.iter.CloneWithContext(x.ctx, pebble.CloneOptions{IterOptions: &bounds})
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: scan: %w", err)
	}
	found := x.merge(iter, x.Written(prefix, first), limit)
	if err := iter.Close(); err != nil { // also what ended the loop before its time
		return nil, fmt.Errorf("pod/pebble: scan: %w", err)
	}
	return found, nil
}

// merge returns the first pairs of iter and written, which goes before.
func (x *tx) merge(iter *pebble.Iterator, written []string, limit int) []store.Pair {
	var found []store.Pair
	stored := iter.First()
	for len(found) < limit && (stored || len(written) > 0) {
		var key string
		if stored {
			key = string(iter.Key()[len(x.prefix):])
		}
		if len(written) > 0 && (!stored || written[0] <= key) {
			if stored && written[0] == key {
				stored = iter.Next()
			}
			if value := x.Values[written[0]]; value != nil {
				found = append(found, store.Pair{Key: written[0], Value: value})
			}
			written = written[1:]
			continue
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			break // iter.Close returns it
		}
		found = append(found, store.Pair{Key: key, Value: bytes.Clone(value)})
		stored = iter.Next()
	}
	return found
}
