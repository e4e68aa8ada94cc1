// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

const shards = 64

// A Memory is a Seen of this process alone, with a bounded number of entries
// of some 70 bytes each. When a share of it is full of entries that have not
// expired, it answers false to new ones: a client is refused for a while,
// rather than a used proof taken again. So make it hold what comes in MaxAge +
// MaxSkew at the highest rate the server can check.
type Memory struct {
	now   func() time.Time
	limit int // entries in a shard
	seed  maphash.Seed
	shard [shards]shard
}

type shard struct {
	sync.Mutex
	until map[digest]int64 // Unix seconds
	swept int64            // when the expired ones were last removed
}

// digest is half of the 32 bytes: enough, as who finds two proofs with the
// same 16 bytes has only had his own second one refused.
type digest [16]byte

// NewMemory makes a Memory for at most the given number of entries, at least
// one in each of its 64 shards.
func NewMemory(entries int, now func() time.Time) *Memory {
	return &Memory{now: now, limit: max(1, entries/shards), seed: maphash.MakeSeed()}
}

// Once obeys Seen. It waits for nothing.
func (m *Memory) Once(_ context.Context, key string, until time.Time) (bool, error) {
	var d digest
	if copy(d[:], key) < len(d) {
		return false, nil
	}
	// The seed is secret, so no one can aim at one shard to fill it.
	s := &m.shard[maphash.Bytes(m.seed, d[:])%shards]
	now := m.now().Unix()
	s.Lock()
	defer s.Unlock()
	if end, found := s.until[d]; found && end >= now {
		return false, nil
	}
	if len(s.until) >= m.limit && s.swept < now { // at most once a second: a sweep of a full shard is work
		s.sweep(now)
	}
	if len(s.until) >= m.limit {
		return false, nil
	}
	if s.until == nil {
		s.until = make(map[digest]int64)
	}
	s.until[d] = until.Unix()
	return true, nil
}

func (s *shard) sweep(now int64) {
	s.swept = now
	for d, end := range s.until {
		if end < now {
			delete(s.until, d)
		}
	}
}
