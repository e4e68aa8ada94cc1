// SPDX-License-Identifier: EUPL-1.2

package sealed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A sealed blob, in bytes:
//
//	1         the number 1
//	16        random, from which its key is derived
//	65552 …   segments: 65536 of the content, and 16 of its tag; the last is shorter
//	32        HMAC of the random bytes, the blob's name and the content's size
const (
	headSize    = 1 + 16
	segmentSize = 64 << 10
	tagSize     = 16
	sealedSize  = segmentSize + tagSize
	endSize     = sha256.Size
)

// Blobs is store.Blobs that hides contents from the one it wraps.
type Blobs struct {
	inner store.Blobs
	keys  *Keys
}

var _ store.Blobs = (*Blobs)(nil)

// NewBlobs returns Blobs in front of inner.
func NewBlobs(inner store.Blobs, keys *Keys) *Blobs { return &Blobs{inner, keys} }

// blobAEAD returns what seals the segments of one blob.
func (k *podKeys) blobAEAD(random []byte) cipher.AEAD {
	block, err := aes.NewCipher(derive(k.blobs, string(random), "skrin blob"))
	if err != nil {
		panic(err) // only of another length than KeySize
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // not of AES
	}
	return aead
}

// nonce is that of a segment. No two of a blob are the same, and no two blobs
// have the same key.
func nonce(segment int64, last bool) []byte {
	n := make([]byte, 12)
	if last {
		n[0] = 1
	}
	binary.BigEndian.PutUint64(n[4:], uint64(segment))
	return n
}

// end returns the last bytes of a blob.
func (k *podKeys) end(random []byte, name string, size int64) []byte {
	mac := hmac.New(sha256.New, derive(k.names, "", "skrin blob end"))
	_, _ = mac.Write(random) // never fails
	_, _ = io.WriteString(mac, name)
	_ = binary.Write(mac, binary.BigEndian, size)
	return mac.Sum(nil)
}

// Put implements store.Blobs. A pod whose key is gone is an error.
func (b *Blobs) Put(ctx context.Context, id string, body io.Reader, limit int64) (digest string, size int64, err error) {
	if err := ctx.Err(); err != nil {
		return "", 0, err
	}
	k, err := b.keys.of(ctx, id)
	if err != nil {
		return "", 0, err
	}
	s := &sealer{body: body, limit: limit, keys: k, name: hmac.New(sha256.New, k.names), named: make(chan struct{}, 1),
		next: make([]byte, 0, segmentSize), now: make([]byte, 0, segmentSize), out: make([]byte, 0, sealedSize+endSize)}
	digest, _, err = b.inner.Put(ctx, id, s, math.MaxInt64)
	return digest, s.size, err
}

// A sealer yields the sealed form of a body, a segment at a time.
type sealer struct {
	body  io.Reader
	limit int64
	keys  *podKeys
	name  hash.Hash
	named chan struct{} // has a place while a segment is being hashed, beside what else is done

	random    []byte
	aead      cipher.AEAD
	now, next []byte // segments of the content; what is next is needed to know the last
	segment   int64
	size      int64
	ended     bool   // the body has
	out       []byte // has room for a segment and the end
	rest      []byte // of out, not yet read
	err       error
}

// Digest implements store.Digested.
func (s *sealer) Digest() string {
	s.named <- struct{}{}
	defer func() { <-s.named }()
	return hex.EncodeToString(s.name.Sum(nil))
}

// hash takes a segment into the name; a whole one while the segment before it is
// sealed and written, which takes as long. It returns when the one before has been
// taken, so that its memory may be used again.
func (s *sealer) hash(segment []byte) {
	s.named <- struct{}{}
	take := func() {
		_, _ = s.name.Write(segment) // never fails
		<-s.named
	}
	if len(segment) < segmentSize {
		take()
		return
	}
	go take()
}

// Read implements io.Reader.
func (s *sealer) Read(p []byte) (int, error) {
	if len(s.rest) == 0 && s.err == nil {
		s.err = s.more()
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// more makes rest; with io.EOF the last.
func (s *sealer) more() error {
	if s.aead == nil {
		s.random = make([]byte, headSize-1)
		_, _ = rand.Read(s.random) // never fails
		s.aead = s.keys.blobAEAD(s.random)
		s.rest = append([]byte{1}, s.random...)
		return s.fetch()
	}
	s.now, s.next = s.next, s.now
	if err := s.fetch(); err != nil {
		return err
	}
	last := len(s.next) == 0
	s.rest = s.aead.Seal(s.out[:0], nonce(s.segment, last), s.now, nil)
	s.segment++
	if !last {
		return nil
	}
	s.rest = append(s.rest, s.keys.end(s.random, s.Digest(), s.size)...)
	return io.EOF
}

// fetch reads the next segment of the content; at its end it is empty.
func (s *sealer) fetch() error {
	s.next = s.next[:0]
	if s.ended {
		return nil
	}
	n, err := io.ReadFull(s.body, s.next[:segmentSize])
	s.next = s.next[:n]
	if s.size += int64(n); s.size > s.limit {
		s.rest = nil
		return fmt.Errorf("pod/sealed: put: more than %d bytes: %w", s.limit, ldp.TooLarge)
	}
	s.hash(s.next)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.ended = true
		return nil
	}
	return err
}

// Open implements store.Blobs.
func (b *Blobs) Open(ctx context.Context, id, digest string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := b.keys.of(ctx, id)
	if errors.Is(err, store.ErrNoKey) {
		return nil, store.ErrNoBlob
	}
	if err != nil {
		return nil, err
	}
	inner, err := b.inner.Open(ctx, id, digest)
	if err != nil {
		return nil, err
	}
	o := &opener{inner: inner, keys: k, digest: digest, loaded: -1}
	if err := o.start(); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return o, nil
}

// An opener reads a sealed blob, from any place.
type opener struct {
	inner  io.ReadSeekCloser
	keys   *podKeys
	digest string
	aead   cipher.AEAD
	size   int64 // of the content
	at     int64 // in the content

	sealed, content []byte
	loaded          int64 // the segment that content is, -1 for none
	position        int64 // of inner, in segments; -1 for elsewhere
}

// start reads and checks the end and the head of a blob.
func (o *opener) start() error {
	total, err := o.inner.Seek(-endSize, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("pod/sealed: open: %w", errors.Join(ErrDamaged, err))
	}
	body := total - headSize
	segments := (body + sealedSize - 1) / sealedSize
	o.size = body - segments*tagSize
	if o.size < 0 || segments < 1 {
		return ErrDamaged
	}
	var end [endSize]byte
	var head [headSize]byte
	if _, err := io.ReadFull(o.inner, end[:]); err != nil {
		return fmt.Errorf("pod/sealed: open: %w", err)
	}
	if _, err := o.inner.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("pod/sealed: open: %w", err)
	}
	if _, err := io.ReadFull(o.inner, head[:]); err != nil {
		return fmt.Errorf("pod/sealed: open: %w", err)
	}
	if head[0] != 1 || !hmac.Equal(end[:], o.keys.end(head[1:], o.digest, o.size)) {
		return ErrDamaged
	}
	o.aead, o.position, o.loaded = o.keys.blobAEAD(head[1:]), 0, -1
	return nil
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	segment := o.at / segmentSize
	err := o.load(segment)
	if errors.Is(err, ErrDamaged) { // or stored anew since it was opened, by another random key
		if err = o.start(); err == nil {
			err = o.load(segment)
		}
	}
	if err != nil {
		return 0, err
	}
	n := copy(p, o.content[o.at-segment*segmentSize:])
	o.at += int64(n)
	return n, nil
}

// load makes content the given segment.
func (o *opener) load(segment int64) error {
	if o.loaded == segment {
		return nil
	}
	if o.position != segment {
		if _, err := o.inner.Seek(headSize+segment*sealedSize, io.SeekStart); err != nil {
			return fmt.Errorf("pod/sealed: read: %w", err)
		}
	}
	o.loaded, o.position = -1, -1
	size := min(o.size-segment*segmentSize, segmentSize)
	if o.sealed == nil {
		o.sealed = make([]byte, min(o.size, segmentSize)+tagSize)
	}
	o.sealed = o.sealed[:size+tagSize]
	if _, err := io.ReadFull(o.inner, o.sealed); err != nil {
		return fmt.Errorf("pod/sealed: read: %w", err)
	}
	last := (segment+1)*segmentSize >= o.size
	content, err := o.aead.Open(o.content[:0], nonce(segment, last), o.sealed, nil)
	if err != nil {
		return ErrDamaged
	}
	o.content, o.loaded, o.position = content, segment, segment+1
	return nil
}

// Seek implements io.Seeker.
func (o *opener) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return o.at, errors.New("pod/sealed: seek: before the start")
	}
	o.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (o *opener) Close() error { return o.inner.Close() }

// Delete implements store.Blobs.
func (b *Blobs) Delete(ctx context.Context, id, digest string) error {
	return b.inner.Delete(ctx, id, digest)
}

// List implements store.Blobs.
func (b *Blobs) List(ctx context.Context, id string, each func(digest string, stored time.Time) error) error {
	return b.inner.List(ctx, id, each)
}
