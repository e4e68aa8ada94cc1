// SPDX-License-Identifier: EUPL-1.2

package sealed

import (
	"math"
	"sync"
	"sync/atomic"
)

// Opened values (2026-11). To find a value in the store and to open its seal costs
// some 3 µs, and a request reads five to fifteen, most of them the same as the
// request before: whose pod it is, the rules above the resource, the space, the
// evidence. So what was opened is kept, as an image of one state of one pod. It is
// no cache that has to be told of changes: an engine that can tell the states of a
// pod apart gives each a number (see stated), and an image serves transactions that
// see the state with its number, and no other. Nothing is ever decided on a value
// that isn't that of the transaction's moment. What an Update writes makes an image
// of the state that follows, so that it needn't be opened again.
//
// An image hangs on the pod's key: who destroys that, forgets the image.

// A stated Tx is one of an engine that can tell the states of a pod apart.
type stated interface {
	// State returns the number of the state that the transaction sees, and the
	// number of the one after it, if it is committed. Two states of a pod never have
	// the same number in one process, and of two the later has the greater; 0 for one
	// that isn't known.
	State() (now, next uint64)
}

const (
	maxImages = 16 << 20 // bytes of all images together
	maxImage  = 1 << 20  // of one
	maxKept   = 16 << 10 // of one value
	overhead  = 100      // that a value takes beside its own bytes and its key's
)

// An image is what is known of one state of a pod. It is safe for concurrent use.
type image struct {
	all *atomic.Int64 // the bytes of all images

	mu     sync.RWMutex
	state  uint64
	values map[string]opened
	size   int64
}

// An opened value is nil where there is none under its key. It may be kept with what
// it was decoded to, see store.Rememberer.
type opened struct {
	value   []byte
	decoded any
}

// bytes is what it takes, about: what was decoded has its strings again.
func (o opened) bytes(key string) int64 {
	n := len(key) + len(o.value) + overhead
	if o.decoded != nil {
		n += 2 * len(o.value)
	}
	return int64(n)
}

// get puts the values that are known into values, where they are nil, and returns
// the places of the others; all of them if the image is of another state.
func (m *image) get(state uint64, keys []string, values [][]byte, places []int) []int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.state != state {
		return places
	}
	missing := places[:0]
	for _, i := range places {
		if known, ok := m.values[keys[i]]; ok {
			values[i] = known.value
		} else {
			missing = append(missing, i)
		}
	}
	return missing
}

// learn keeps the values in these places, which a transaction has read of a state.
// A later state takes the place of an earlier one.
func (m *image) learn(state uint64, keys []string, values [][]byte, places []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state < state {
		m.forget()
		m.state = state
	}
	if m.state != state {
		return
	}
	for _, i := range places {
		m.keep(keys[i], opened{value: values[i]})
	}
}

// recall returns what the value under key was decoded to; nil if it isn't known of
// this state.
func (m *image) recall(state uint64, key string) any {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.state != state {
		return nil
	}
	return m.values[key].decoded
}

// remember keeps what the value under key was decoded to, if that value is kept.
func (m *image) remember(state uint64, key string, decoded any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.values[key]; ok && m.state == state {
		m.drop(key)
		known.decoded = decoded
		m.keep(key, known)
	}
}

// follow makes the image that of the state after an Update, by what that has
// written: nil where it has deleted.
func (m *image) follow(now, next uint64, written map[string][]byte, decoded map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state >= next {
		return
	}
	if m.state != now {
		m.forget()
	}
	m.state = next
	for key, value := range written {
		m.drop(key)
		m.keep(key, opened{value, decoded[key]})
	}
}

// fail ends an image of a state that never came to be.
func (m *image) fail(next uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == next {
		m.forget()
		m.state = 0
	}
}

// end forgets all values, and keeps none from now on: a transaction may still know
// the key.
func (m *image) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	m.state = math.MaxUint64
}

// clear forgets all values, to make room.
func (m *image) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
}

func (m *image) keep(key string, o opened) {
	if _, ok := m.values[key]; ok || len(o.value) > maxKept {
		return
	}
	n := o.bytes(key)
	if m.size+n > maxImage {
		m.forget()
	}
	if m.values == nil {
		m.values = map[string]opened{}
	}
	m.values[key] = o
	m.size += n
	m.all.Add(n)
}

func (m *image) drop(key string) {
	if o, ok := m.values[key]; ok {
		n := o.bytes(key)
		delete(m.values, key)
		m.size -= n
		m.all.Add(-n)
	}
}

func (m *image) forget() {
	m.all.Add(-m.size)
	m.values, m.size = nil, 0
}
