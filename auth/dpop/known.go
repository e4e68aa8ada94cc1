// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Known remembers the headers of good proofs: a client sends the same one with
// each, and to read it, with the key in it, takes a fifth of the time that a proof
// takes. A header is known by all its bytes; what isn't known is read. It is safe
// for concurrent use.
type Known struct {
	mu   sync.RWMutex
	keys map[string]knownKey
}

const (
	maxKnown  = 4096 // headers, some 700 bytes each; then all are forgotten
	maxHeader = 512  // bytes of one that is worth it
)

// A knownKey is what a header says, of which checkHeader had nothing to say.
type knownKey struct {
	public     *ecdsa.PublicKey
	thumbprint string
}

// find returns the key in the header with which a proof begins.
func (k *Known) find(proof string) (header string, key knownKey, ok bool) {
	header, _, ok = strings.Cut(proof, ".")
	if k == nil || !ok {
		return header, key, false
	}
	k.mu.RLock()
	key, ok = k.keys[header]
	k.mu.RUnlock()
	return header, key, ok
}

// learn remembers the header of a proof that was good. Only keys on P-256 are
// worth it.
func (k *Known) learn(header string, public any, thumbprint string) {
	key, ok := public.(*ecdsa.PublicKey)
	if k == nil || !ok || len(header) > maxHeader {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxKnown {
		k.keys = map[string]knownKey{}
	}
	k.keys[strings.Clone(header)] = knownKey{key, thumbprint}
}

// A signed is a proof whose form and header are right. Nothing in it is verified
// yet.
type signed struct {
	header     string // as it came
	payload    []byte
	public     any
	thumbprint string // "" if it is not known yet
	verify     func() error
}

// split reads a proof whose header is known.
func (key knownKey) split(proof, header string) (signed, bool) {
	payload, sign, ok := strings.Cut(proof[len(header)+1:], ".")
	if !ok || strings.Contains(sign, ".") {
		return signed{}, false
	}
	said, err := base64.RawURLEncoding.DecodeString(payload)
	rs, err2 := base64.RawURLEncoding.DecodeString(sign)
	if err != nil || err2 != nil || len(rs) != 64 {
		return signed{}, false
	}
	input := proof[:len(header)+1+len(payload)]
	return signed{header: header, payload: said, public: key.public, thumbprint: key.thumbprint, verify: func() error {
		return verifyES256(key.public, input, rs)
	}}, true
}

// verifyES256 checks a signature of 64 bytes (RFC 7518, section 3.4).
func verifyES256(public *ecdsa.PublicKey, input string, rs []byte) error {
	sum := sha256.Sum256([]byte(input))
	if !ecdsa.VerifyASN1(public, sum[:], asn1Of(rs)) {
		return jose.ErrCryptoFailure
	}
	return nil
}

// asn1Of writes a signature of 64 bytes as crypto/ecdsa wants it: a SEQUENCE of two
// INTEGERs (X.690, section 8.3), both shorter than 128 bytes.
func asn1Of(rs []byte) []byte {
	b := append(make([]byte, 0, 72), 0x30, 0)
	for _, n := range [][]byte{rs[:32], rs[32:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0] >= 0x80 { // else it would be below zero
			b = append(b, 2, byte(len(n)+1), 0)
		} else {
			b = append(b, 2, byte(len(n)))
		}
		b = append(b, n...)
	}
	b[1] = byte(len(b) - 2)
	return b
}
