// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod"
)

// A memory is a Store in memory, and Blobs.
type memory struct {
	mu    sync.Mutex
	pods  map[string]map[string][]byte
	names map[pod.Name]string
	blobs map[string][]byte
	gets  int // calls of Tx.Get and Tx.Scan
	views int
}

func newMemory() *memory {
	return &memory{pods: map[string]map[string][]byte{}, names: map[pod.Name]string{}, blobs: map[string][]byte{}}
}

type memTx struct {
	m        *memory
	id       string
	has      map[string][]byte
	names    map[pod.Name]bool // claimed or released
	readOnly bool
}

func (m *memory) View(ctx context.Context, name pod.Name, fn func(pod.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.views++
	id, ok := m.names[name]
	if !ok {
		return pod.ErrNoPod
	}
	return fn(&memTx{m: m, id: id, has: m.pods[id], readOnly: true})
}

func (m *memory) Update(ctx context.Context, name pod.Name, fn func(pod.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.names[name]
	if !ok {
		return pod.ErrNoPod
	}
	return m.commit(id, fn)
}

func (m *memory) Create(ctx context.Context, id string, fn func(pod.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pods[id] != nil {
		return pod.ErrTaken
	}
	return m.commit(id, func(tx pod.Tx) error { tx.Claim(pod.Name("id/" + id)); return fn(tx) })
}

func (m *memory) commit(id string, fn func(pod.Tx) error) error {
	tx := &memTx{m: m, id: id, has: maps.Clone(m.pods[id]), names: map[pod.Name]bool{}}
	if tx.has == nil {
		tx.has = map[string][]byte{}
	}
	if err := fn(tx); err != nil {
		return err
	}
	for name, claimed := range tx.names {
		if holder, ok := m.names[name]; ok && claimed && holder != id {
			return pod.ErrTaken
		}
	}
	for name, claimed := range tx.names {
		if claimed {
			m.names[name] = id
		} else if m.names[name] == id {
			delete(m.names, name)
		}
	}
	m.pods[id] = tx.has
	return nil
}

func (m *memory) Due(context.Context, time.Time, int) ([]string, error) { return nil, nil }

func (tx *memTx) Pod() string { return tx.id }

func (tx *memTx) Get(keys ...string) ([][]byte, error) {
	tx.m.gets++
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = tx.has[k]
	}
	return values, nil
}

func (tx *memTx) Scan(prefix, after string, limit int) ([]pod.Pair, error) {
	tx.m.gets++
	var found []pod.Pair
	for _, k := range slices.Sorted(maps.Keys(tx.has)) {
		if strings.HasPrefix(k, prefix) && k > after && len(found) < limit {
			found = append(found, pod.Pair{Key: k, Value: tx.has[k]})
		}
	}
	return found, nil
}

func (tx *memTx) write() {
	if tx.readOnly {
		panic("a View writes")
	}
}

func (tx *memTx) Put(key string, value []byte) { tx.write(); tx.has[key] = append([]byte{}, value...) }
func (tx *memTx) Delete(key string)            { tx.write(); delete(tx.has, key) }
func (tx *memTx) Claim(name pod.Name)          { tx.write(); tx.names[name] = true }
func (tx *memTx) Release(name pod.Name)        { tx.write(); tx.names[name] = false }
func (tx *memTx) Due(time.Time)                { tx.write() }

// keys returns all keys of all pods, for a test that something is gone.
func (m *memory) keys() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, has := range m.pods {
		all = slices.AppendSeq(all, maps.Keys(has))
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
		return nil, pod.ErrNoBlob
	}
	return memBlob{bytes.NewReader(b)}, nil
}

func (m memBlobs) Delete(context.Context, string, string) error {
	return errors.New("not in this test")
}

func (m memBlobs) List(context.Context, string, func(string, time.Time) error) error {
	return errors.New("not in this test")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
