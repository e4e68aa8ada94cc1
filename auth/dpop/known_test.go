// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"testing"
)

// TestSignaturesAreThoseOfBothNumbers holds the short way from the 64 bytes to
// crypto/ecdsa against the long one, of numbers of all lengths.
func TestSignaturesAreThoseOfBothNumbers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := false // whether there was a number that begins with a zero
	sum := sha256.Sum256([]byte("input"))
	var rs [64]byte
	same := func(says string) bool {
		good := ecdsa.Verify(&key.PublicKey, sum[:], new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:]))
		if err := verifyES256(&key.PublicKey, "input", rs[:]); (err == nil) != good {
			t.Errorf("%s: %x: %v, and it is %v", says, rs, err, good)
		}
		return good
	}
	for range 2000 {
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		r.FillBytes(rs[:32])
		s.FillBytes(rs[32:])
		if short = short || rs[0] == 0 || rs[32] == 0; !same("good") {
			t.Fatalf("a good signature was refused: %x", rs)
		}
	}
	if !short {
		t.Error("no number was short")
	}
	for _, row := range []struct {
		says string
		r, s *big.Int
	}{
		{"nothing", new(big.Int), new(big.Int)},
		{"no r", new(big.Int), big.NewInt(1)},
		{"no s", big.NewInt(1), new(big.Int)},
		{"ones", big.NewInt(1), big.NewInt(1)},
		{"the order", key.Params().N, key.Params().N},
		{"the largest", new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), big.NewInt(0x80)},
	} {
		row.r.FillBytes(rs[:32])
		row.s.FillBytes(rs[32:])
		if same(row.says) {
			t.Errorf("%s is a good signature", row.says)
		}
	}
}
