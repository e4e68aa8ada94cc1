// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"skrin/auth"
)

// keptLists is a status.Keeper in the server's records: in pieces, since a record is
// small. All nodes share it; where two keep at once, what is read may be of both,
// and then it fails its signature.
type keptLists struct{ records auth.Records }

const (
	keptKind   = "status"
	keptPiece  = 60 << 10
	keptPieces = 64 // a token is of 3 MB at most
)

func keptKey(name string, piece int) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s %02d", hex.EncodeToString(sum[:]), piece)
}

// Keep implements status.Keeper. An empty piece is the end.
func (k keptLists) Keep(ctx context.Context, name string, b []byte, until time.Time) error {
	if len(b) >= keptPieces*keptPiece {
		return errors.New("it is too long to be kept")
	}
	for i := range keptPieces {
		n := min(len(b), keptPiece)
		r, err := k.records.Load(ctx, keptKind, keptKey(name, i))
		if err != nil && !errors.Is(err, auth.ErrNoRecord) {
			return err
		}
		err = k.records.Save(ctx, keptKind, keptKey(name, i), auth.Record{Value: b[:n], Version: r.Version, Until: until})
		if err != nil && !errors.Is(err, auth.ErrChanged) { // another node has kept its own
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	return nil
}

// Kept implements status.Keeper.
func (k keptLists) Kept(ctx context.Context, name string) (b []byte, err error) {
	for i := range keptPieces {
		r, err := k.records.Load(ctx, keptKind, keptKey(name, i))
		if errors.Is(err, auth.ErrNoRecord) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if len(r.Value) == 0 {
			return b, nil
		}
		b = append(b, r.Value...)
	}
	return nil, nil
}
