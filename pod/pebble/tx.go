// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"skrin/ldp"
	"skrin/pod"
)

// A tx is one pod as it is, and what shall change.
type tx struct {
	ctx    context.Context
	from   pebble.Reader
	id     string
	prefix []byte
	view   bool

	writes map[string][]byte // nil: deleted
	names  map[pod.Name]bool // true: claimed, false: released
	due    *time.Time
	err    error // the first write that can't be
}

func newTx(ctx context.Context, from pebble.Reader, id string, view bool) *tx {
	return &tx{ctx: ctx, from: from, id: id, prefix: slices.Clip(podPrefix(id)), view: view}
}

// Pod implements pod.Tx.
func (x *tx) Pod() string { return x.id }

// Get implements pod.Tx.
func (x *tx) Get(keys ...string) ([][]byte, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, written := x.writes[key]
		if !written {
			var err error
			if value, err = read(x.from, append(x.prefix, key...)); err != nil {
				return nil, err
			}
		}
		values[i] = value
	}
	return values, nil
}

// Scan implements pod.Tx.
func (x *tx) Scan(prefix, from string, limit int) ([]pod.Pair, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	first := prefix
	if from != "" && from >= prefix {
		first = from + "\x00"
	}
	bounds := pebble.IterOptions{LowerBound: append(x.prefix, first...), UpperBound: after(append(x.prefix, prefix...))}
	if limit <= 0 || bytes.Compare(bounds.LowerBound, bounds.UpperBound) >= 0 {
		return nil, nil
	}
	iter, err := x.from.NewIterWithContext(x.ctx, &bounds)
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: scan: %w", err)
	}
	found := x.merge(iter, x.written(prefix, first), limit)
	if err := iter.Close(); err != nil { // also what ended the loop before its time
		return nil, fmt.Errorf("pod/pebble: scan: %w", err)
	}
	return found, nil
}

// written returns the keys that this transaction has written, with prefix, from
// first on.
func (x *tx) written(prefix, first string) []string {
	var keys []string
	for key := range x.writes {
		if strings.HasPrefix(key, prefix) && key >= first {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// merge returns the first pairs of iter and written, which goes before.
func (x *tx) merge(iter *pebble.Iterator, written []string, limit int) []pod.Pair {
	var found []pod.Pair
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
			if value := x.writes[written[0]]; value != nil {
				found = append(found, pod.Pair{Key: written[0], Value: value})
			}
			written = written[1:]
			continue
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			break // iter.Close returns it
		}
		found = append(found, pod.Pair{Key: key, Value: bytes.Clone(value)})
		stored = iter.Next()
	}
	return found
}

// mayWrite panics in a View, and remembers a limit that is passed.
func (x *tx) mayWrite(what string, size, limit int) {
	if x.view {
		panic("pod/pebble: a View writes")
	}
	if size > limit && x.err == nil {
		x.err = fmt.Errorf("pod/pebble: %s is %d bytes long, over the limit of %d: %w", what, size, limit, ldp.TooLarge)
	}
}

// Put implements pod.Tx.
func (x *tx) Put(key string, value []byte) {
	x.mayWrite("a key", len(key), maxKey)
	x.mayWrite("a value", len(value), maxValue)
	if key == "" && x.err == nil {
		x.err = fmt.Errorf("pod/pebble: a key is empty")
	}
	if value == nil {
		value = []byte{}
	}
	x.write(key, value)
}

// Delete implements pod.Tx.
func (x *tx) Delete(key string) {
	x.mayWrite("", 0, 0)
	x.write(key, nil)
}

func (x *tx) write(key string, value []byte) {
	if x.writes == nil {
		x.writes = map[string][]byte{}
	}
	x.writes[key] = value
}

// Claim implements pod.Tx.
func (x *tx) Claim(name pod.Name) {
	x.mayWrite("a name", len(name), maxName)
	if name == "" && x.err == nil {
		x.err = fmt.Errorf("pod/pebble: a name is empty")
	}
	x.name(name, true)
}

// Release implements pod.Tx.
func (x *tx) Release(name pod.Name) {
	x.mayWrite("", 0, 0)
	x.name(name, false)
}

func (x *tx) name(name pod.Name, claimed bool) {
	if x.names == nil {
		x.names = map[pod.Name]bool{}
	}
	x.names[name] = claimed
}

// Due implements pod.Tx.
func (x *tx) Due(at time.Time) {
	x.mayWrite("", 0, 0)
	x.due = &at
}
