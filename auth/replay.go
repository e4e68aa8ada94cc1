// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"encoding/hex"
	"time"

	"skrin/auth/dpop"
)

// A Replay remembers used proofs, also across a restart, without a durable
// write for each. A proof that was made before the process began is refused by
// dpop.Checker.NotBefore, so what memory has lost can't be used again; but a
// client's clock may be fast, and a proof dated ahead could outlive a restart.
// Those few are kept in Records too. It is a dpop.Seen.
//
// It covers one process. Several nodes need a common memory.
type Replay struct {
	Memory  *dpop.Memory
	Records Records
	MaxAge  time.Duration // the Checker's
	Now     func() time.Time
}

// replayTimeout bounds the write of a proof that is dated ahead.
const replayTimeout = 2 * time.Second

// Once implements dpop.Seen.
func (r *Replay) Once(key string, until time.Time) bool {
	if !r.Memory.Once(key, until) {
		return false
	}
	if ahead := until.Add(-r.MaxAge - time.Second); !ahead.After(r.Now()) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), replayTimeout)
	defer cancel()
	return r.Records.Save(ctx, "proof", hex.EncodeToString([]byte(key)), Record{Value: []byte{1}, Until: until}) == nil
}
