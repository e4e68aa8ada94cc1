// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A sealer encrypts values at rest: AES-256-GCM under a key that is derived for
// one purpose.
type sealer struct{ cipher.AEAD }

// newSealer panics if the key is of the wrong length, which Options.check has
// excluded.
func newSealer(key []byte, purpose string) sealer {
	derived, err := hkdf.Key(sha256.New, key, nil, "skrin auth/provider "+purpose, 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

// seal encrypts v's JSON. Only open with the same label gets it back: a record
// can't be put in the place of another.
func (s sealer) seal(v any, label string) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s.Seal(nil, nil, text, []byte(label)), nil
}

func (s sealer) open(sealed []byte, label string, v any) error {
	text, err := s.Open(nil, nil, sealed, []byte(label))
	if err != nil {
		return fmt.Errorf("open what was sealed (is it the right key?): %w", err)
	}
	return json.Unmarshal(text, v)
}

// random returns a name that can't be guessed: 26 letters and digits, 130 bits.
func random(context.Context) string { return rand.Text() }

// digest is what secrets are kept as.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d %s ", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
