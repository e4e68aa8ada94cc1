// SPDX-License-Identifier: EUPL-1.2

package sealed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"skrin/auth"
	"skrin/pod/store"
)

// KeySize is the length of a master key and of a pod's, in bytes.
const KeySize = 32

// A Master wraps the keys of pods. [NewMaster] is one whose keys are at hand;
// another may ask a key management service.
type Master interface {
	// Wrap encrypts the key of a pod.
	Wrap(ctx context.Context, pod string, key []byte) ([]byte, error)
	// Unwrap decrypts it. old is that Wrap would use another master key today.
	Unwrap(ctx context.Context, pod string, wrapped []byte) (key []byte, old bool, err error)
}

// local is a Master with keys at hand; the first wraps.
type local []masterKey

type masterKey struct {
	id   [8]byte
	aead cipher.AEAD
}

// NewMaster returns a Master that wraps with the first of keys and unwraps with
// any. Each has 32 bytes. To rotate, start every node with the new key before the
// old one, run Keys.Rotate, and start them with the new one alone.
func NewMaster(keys ...[]byte) (Master, error) {
	var m local
	for _, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("pod/sealed: a master key has %d bytes, not %d", len(key), KeySize)
		}
		k := masterKey{aead: gcm(derive(key, "", "skrin wrap pod key"))}
		copy(k.id[:], derive(key, "", "skrin master key id"))
		m = append(m, k)
	}
	if len(m) == 0 {
		return nil, errors.New("pod/sealed: the master key is missing")
	}
	return m, nil
}

// derive returns a key for one purpose.
func derive(key []byte, salt, purpose string) []byte {
	k, err := hkdf.Key(sha256.New, key, []byte(salt), purpose, KeySize)
	if err != nil {
		panic(err) // only of a length that is too large
	}
	return k
}

// gcm returns AES-256-GCM with random nonces.
func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only of another length than KeySize
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // not of AES
	}
	return aead
}

func wrapFor(pod string) []byte { return []byte("skrin pod key 1\x00" + pod) }

// Wrap implements Master.
func (m local) Wrap(_ context.Context, pod string, key []byte) ([]byte, error) {
	return m[0].aead.Seal(m[0].id[:], nil, key, wrapFor(pod)), nil
}

// Unwrap implements Master.
func (m local) Unwrap(_ context.Context, pod string, wrapped []byte) (key []byte, old bool, err error) {
	for i, k := range m {
		if len(wrapped) < len(k.id) || [8]byte(wrapped) != k.id {
			continue
		}
		key, err := k.aead.Open(nil, nil, wrapped[len(k.id):], wrapFor(pod))
		if err != nil || len(key) != KeySize {
			return nil, false, errors.New("pod/sealed: a pod's key was changed or moved")
		}
		return key, i > 0, nil
	}
	return nil, false, errors.New("pod/sealed: a pod's key is wrapped by a master key that is not at hand")
}

// Keys keeps the keys of pods. It is safe for concurrent use, by any number of
// nodes.
type Keys struct {
	records auth.Records
	master  Master

	mu     sync.Mutex
	known  map[string]*podKeys
	opened atomic.Int64 // bytes of the images
}

// podKeys are the keys that a pod's is made into.
type podKeys struct {
	values cipher.AEAD
	blobs  []byte
	names  []byte // of blobs
	image  image  // of what was opened with them
}

const (
	keyKind  = "pod key"
	maxKnown = 8192 // keys in memory, at about 2 KiB
)

// NewKeys returns the keys that are kept in records: of a place apart from the
// pods', which is backed up apart too.
func NewKeys(records auth.Records, master Master) *Keys {
	return &Keys{records: records, master: master, known: map[string]*podKeys{}}
}

// label is how a pod's key is called in records, whose keys hold no NUL.
func label(pod string) string { return hex.EncodeToString([]byte(pod)) }

// make makes the key of a pod that has none.
func (k *Keys) make(ctx context.Context, id string) error {
	if _, err := k.of(ctx, id); !errors.Is(err, store.ErrNoKey) {
		return err
	}
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	wrapped, err := k.master.Wrap(ctx, id, key)
	if err != nil {
		return fmt.Errorf("pod/sealed: make a key: %w", err)
	}
	err = k.records.Save(ctx, keyKind, label(id), auth.Record{Value: wrapped})
	if errors.Is(err, auth.ErrChanged) { // made by somebody else, a moment ago
		return nil
	}
	return err
}

// of returns the keys of a pod. A key that was destroyed on another node may be
// known here for a while: the pod it opens is gone.
func (k *Keys) of(ctx context.Context, id string) (*podKeys, error) {
	k.mu.Lock()
	known := k.known[id]
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	r, err := k.records.Load(ctx, keyKind, label(id))
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, store.ErrNoKey
	}
	if err != nil {
		return nil, err
	}
	key, _, err := k.master.Unwrap(ctx, id, r.Value)
	if err != nil {
		return nil, err
	}
	known = &podKeys{
		values: gcm(derive(key, "", "skrin values")),
		blobs:  derive(key, "", "skrin blobs"),
		names:  derive(key, "", "skrin blob names"),
		image:  image{all: &k.opened},
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if other := k.known[id]; other != nil { // somebody else was faster
		return other, nil
	}
	for other := range k.known { // any
		if len(k.known) < maxKnown {
			break
		}
		k.forget(other)
	}
	k.known[id] = known
	return known, nil
}

// forget forgets the keys of a pod, and what was opened with them. It is called
// with mu locked.
func (k *Keys) forget(id string) {
	if known := k.known[id]; known != nil {
		delete(k.known, id)
		known.image.end()
	}
}

// trim makes room for more images, if there is none.
func (k *Keys) trim() {
	if k.opened.Load() <= maxImages {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, known := range k.known { // any
		if k.opened.Load() <= maxImages*7/8 {
			return
		}
		known.image.clear()
	}
}

// Destroy destroys the key of a pod, and so all that was ever sealed with it.
func (k *Keys) Destroy(ctx context.Context, pod string) error {
	k.mu.Lock()
	k.forget(pod)
	k.mu.Unlock()
	return k.records.Delete(ctx, keyKind, label(pod))
}

// Rotate wraps the keys of all pods anew that another master key than the first
// has wrapped, and returns how many. It may run while nodes serve, and again
// after it was interrupted. told, which may be nil, hears how many keys it has
// looked at, and of how many: they are counted first.
func (k *Keys) Rotate(ctx context.Context, told func(seen, of int)) (n int, err error) {
	const page = 256
	seen, of := 0, 0
	if told != nil {
		if of, err = k.count(ctx); err != nil {
			return 0, err
		}
	}
	for after := ""; ; {
		labels, err := k.records.List(ctx, keyKind, "", after, page)
		if err != nil {
			return n, err
		}
		for _, label := range labels {
			done, err := k.rewrap(ctx, label)
			if err != nil {
				return n, err
			}
			if done {
				n++
			}
			after = label
			if seen++; told != nil {
				told(seen, max(seen, of))
			}
		}
		if len(labels) < page {
			return n, nil
		}
	}
}

// count returns how many keys there are.
func (k *Keys) count(ctx context.Context) (n int, err error) {
	const page = 1000
	for after := ""; ; {
		labels, err := k.records.List(ctx, keyKind, "", after, page)
		if n += len(labels); err != nil || len(labels) < page {
			return n, err
		}
		after = labels[page-1]
	}
}

// rewrap wraps one key anew, if it must.
func (k *Keys) rewrap(ctx context.Context, label string) (bool, error) {
	id, err := hex.DecodeString(label)
	if err != nil {
		return false, fmt.Errorf("pod/sealed: a key's label: %w", err)
	}
	r, err := k.records.Load(ctx, keyKind, label)
	if errors.Is(err, auth.ErrNoRecord) { // erased meanwhile
		return false, nil
	}
	if err != nil {
		return false, err
	}
	key, old, err := k.master.Unwrap(ctx, string(id), r.Value)
	if err != nil || !old {
		return false, err
	}
	if r.Value, err = k.master.Wrap(ctx, string(id), key); err != nil {
		return false, fmt.Errorf("pod/sealed: rotate: %w", err)
	}
	err = k.records.Save(ctx, keyKind, label, r)
	if errors.Is(err, auth.ErrChanged) { // erased, or rotated by another node
		return false, nil
	}
	return err == nil, err
}

var _ store.Keys = (*Keys)(nil)
