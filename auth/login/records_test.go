// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"skrin/auth"
)

// memory is auth.Records in memory.
type memory struct {
	mu    sync.Mutex
	recs  map[string]auth.Record // by kind, NUL, key
	saves int
	down  bool // as if the store could not be reached
}

var errDown = errors.New("the store can't be reached")

func newMemory() *memory { return &memory{recs: map[string]auth.Record{}} }

func (m *memory) live(k string) (auth.Record, bool) {
	r, ok := m.recs[k]
	return r, ok && (r.Until.IsZero() || time.Now().Before(r.Until))
}

func (m *memory) Load(_ context.Context, kind, key string) (auth.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return auth.Record{}, errDown
	}
	r, ok := m.live(kind + "\x00" + key)
	if !ok {
		return auth.Record{}, auth.ErrNoRecord
	}
	return r, nil
}

func (m *memory) Save(_ context.Context, kind, key string, r auth.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errDown
	}
	k := kind + "\x00" + key
	old, ok := m.live(k)
	if (ok && old.Version != r.Version) || (!ok && r.Version != 0) {
		return auth.ErrChanged
	}
	r.Version++
	r.Value = slices.Clone(r.Value)
	m.recs[k] = r
	m.saves++
	return nil
}

func (m *memory) Delete(_ context.Context, kind, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.recs, kind+"\x00"+key)
	return nil
}

func (m *memory) List(_ context.Context, kind, prefix, after string, limit int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for k := range m.recs {
		if key, ok := strings.CutPrefix(k, kind+"\x00"); ok && strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// holds reports whether s stands anywhere in what was stored.
func (m *memory) holds(s string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, r := range m.recs {
		if strings.Contains(k, s) || bytes.Contains(r.Value, []byte(s)) {
			return true
		}
	}
	return false
}
