// SPDX-License-Identifier: EUPL-1.2

package sealed

import (
	"context"
	"crypto/cipher"
	"fmt"

	"skrin/auth"
	"skrin/ldp"
)

// Records is auth.Records that hides values from the one it wraps, bound to
// their kind and key, which stay visible, as do versions and ends.
type Records struct {
	auth.Records
	seal cipher.AEAD
}

var _ auth.Records = (*Records)(nil)

// NewRecords returns Records in front of inner, under a key of 32 bytes.
func NewRecords(inner auth.Records, key []byte) (*Records, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("pod/sealed: the key of records has %d bytes, not %d", len(key), KeySize)
	}
	return &Records{inner, gcm(derive(key, "", "skrin records"))}, nil
}

const maxRecord = 64 << 10

func recordAt(kind, key string) []byte { return []byte("skrin record 1\x00" + kind + "\x00" + key) }

// Load implements auth.Records.
func (r *Records) Load(ctx context.Context, kind, key string) (auth.Record, error) {
	rec, err := r.Records.Load(ctx, kind, key)
	if err != nil {
		return auth.Record{}, err
	}
	if rec.Value, err = r.seal.Open(nil, nil, rec.Value, recordAt(kind, key)); err != nil {
		return auth.Record{}, ErrDamaged
	}
	return rec, nil
}

// Save implements auth.Records.
func (r *Records) Save(ctx context.Context, kind, key string, rec auth.Record) error {
	if len(rec.Value) > maxRecord {
		return fmt.Errorf("pod/sealed: a record of %d bytes is over the limit of %d: %w", len(rec.Value), maxRecord, ldp.TooLarge)
	}
	rec.Value = r.seal.Seal(nil, nil, rec.Value, recordAt(kind, key))
	return r.Records.Save(ctx, kind, key, rec)
}
