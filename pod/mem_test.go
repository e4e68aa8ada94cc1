// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

// A memory is a Store in memory that counts, and Blobs.
type memory struct {
	store.Store
	mu    sync.Mutex
	ids   []string // of pods
	blobs map[string][]byte
	gets  int // calls of Tx.Get and Tx.Scan in a View or an Update that an engine can't answer from what it has read ahead
	pairs int // that Scans found
	views int
}

func newMemory(t testing.TB) *memory {
	return &memory{Store: podtest.New(t), blobs: map[string][]byte{}}
}

// newCounted makes a town whose pods are kept in a memory of its own, and in it Alva's
// by that id of a person.
func newCounted(t testing.TB, alva string) (*town, *memory) {
	t.Helper()
	w, m := newTown(t), newMemory(t)
	w.pod.Store = m
	var err error
	w.alva, err = w.pod.Make(t.Context(), alva)
	must(t, err)
	return w, m
}

func (m *memory) count(n *int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
}

func (m *memory) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	m.count(&m.views)
	return m.Store.View(ctx, name, func(tx store.Tx) error { return fn(&countingTx{Tx: tx, m: m, known: map[string]bool{}}) })
}

func (m *memory) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return m.Store.Update(ctx, name, func(tx store.Tx) error { return fn(&countingTx{Tx: tx, m: m, known: map[string]bool{}}) })
}

func (m *memory) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	err := m.Store.Create(ctx, id, fn)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ids = append(m.ids, id)
	}
	return err
}

type countingTx struct {
	store.Tx
	m     *memory
	ahead []string
	known map[string]bool // what came with another Get
}

func (tx *countingTx) Ahead(keys ...string) { tx.ahead = append(tx.ahead, keys...) }

func (tx *countingTx) Get(keys ...string) ([][]byte, error) {
	if slices.ContainsFunc(keys, func(key string) bool { return !tx.known[key] }) {
		tx.m.count(&tx.m.gets)
		for _, key := range tx.ahead {
			tx.known[key] = true
		}
		tx.ahead = nil
	}
	return tx.Tx.Get(keys...)
}

func (tx *countingTx) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	tx.m.count(&tx.m.gets)
	pairs, err := tx.Tx.Scan(prefix, after, limit)
	for range pairs {
		tx.m.count(&tx.m.pairs)
	}
	return pairs, err
}

// keys returns all keys of all pods, for a test that something is gone.
func (m *memory) keys() string {
	var all []string
	for _, id := range m.ids {
		// The Store's own errors would leave a key out, which each caller would see.
		_ = m.Store.View(context.Background(), store.Name("id/"+id), func(tx store.Tx) error {
			for after := ""; ; {
				pairs, err := tx.Scan("", after, 1000)
				for _, pair := range pairs {
					all, after = append(all, pair.Key), pair.Key
				}
				if err != nil || len(pairs) < 1000 {
					return err
				}
			}
		})
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// memBlobs keeps blobs in a memory.
type memBlobs struct{ *memory }

func (m memBlobs) Put(ctx context.Context, id string, body io.Reader, limit int64) (string, int64, error) {
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return "", 0, err
	}
	if int64(len(b)) > limit {
		return "", 0, fmt.Errorf("blob: %w", ldp.TooLarge)
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(b))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[id+digest] = b
	return digest, int64(len(b)), nil
}

type memBlob struct{ *bytes.Reader }

func (memBlob) Close() error { return nil }

func (m memBlobs) Open(ctx context.Context, id, digest string) (io.ReadSeekCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[id+digest]
	if !ok {
		return nil, store.ErrNoBlob
	}
	return memBlob{bytes.NewReader(b)}, nil
}

func (m memBlobs) Delete(_ context.Context, id, digest string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, id+digest)
	return nil
}

func (m memBlobs) List(_ context.Context, id string, each func(string, time.Time) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.blobs {
		if digest, ok := strings.CutPrefix(key, id); ok {
			if err := each(digest, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
