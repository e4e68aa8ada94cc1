// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"skrin/auth/dpop"
)

// A Replay remembers used proofs. It is a dpop.Seen.
//
// Of one process it does so without a durable write for each, also across a
// restart: a proof that was made before the process began is refused by
// dpop.Checker.NotBefore, so what memory has lost can't be used again. But a
// client's clock may be fast, and a proof dated ahead could outlive a restart:
// those few are kept in Records too.
//
// Nodes that share their Records keep each proof there (Shared): it is the only
// memory that they have in common. The proofs of requests that come at once go there
// together, in one statement with one commit (pod/postgres). A row ends with its
// proof, some two minutes, and is swept within the next: there are never more than
// come in that time. They need no NotBefore. While the Records can't be reached nobody
// knows whether a proof was used, and none is taken.
type Replay struct {
	Memory  *dpop.Memory
	Records Records
	Shared  bool          // there are, or may be, other nodes
	MaxAge  time.Duration // the Checker's
	Now     func() time.Time
}

// replayTimeout bounds the write of a proof.
const replayTimeout = 5 * time.Second

// Once implements dpop.Seen.
func (r *Replay) Once(ctx context.Context, key string, until time.Time) (bool, error) {
	if first, err := r.Memory.Once(ctx, key, until); !first || err != nil {
		return false, err
	}
	if ahead := until.Add(-r.MaxAge - time.Second); !r.Shared && !ahead.After(r.Now()) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	// A node whose clock is fast must not sweep away what another still takes.
	err := r.Records.Save(ctx, "proof", hex.EncodeToString([]byte(key)), Record{Until: until.Add(Skew)})
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
}
