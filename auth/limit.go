// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"sync"
	"time"
)

// A Limiter bounds how often something is done, by key (an address, an account):
// so many at once, and one more each time that Every has passed. It remembers a
// bounded number of keys, those that were used last. It is safe for concurrent
// use, and of this process alone.
type Limiter struct {
	every time.Duration
	burst int
	now   func() time.Time

	mu   sync.Mutex
	full generations[string, time.Time] // when the key has all of its burst again
}

// NewLimiter makes a Limiter for at most the given number of keys.
func NewLimiter(burst int, every time.Duration, keys int, now func() time.Time) *Limiter {
	l := &Limiter{every: every, burst: burst, now: now}
	l.full.half = keys / 2
	return l
}

// Allow says whether the key may do it now; if so, it has.
func (l *Limiter) Allow(key string) bool { return l.Wait(key) == 0 }

// Wait is Allow, and tells how long it is until the key may do it again; 0 if it
// may now, and has.
func (l *Limiter) Wait(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, wait := l.next(key)
	if wait == 0 {
		l.full.put(key, full)
	}
	return wait
}

// Spent is Wait for who doesn't do it.
func (l *Limiter) Spent(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wait := l.next(key)
	return wait
}

// next returns when the key will have all of its burst again if it does it now, and
// how long it must wait before it may.
func (l *Limiter) next(key string) (full time.Time, wait time.Duration) {
	now := l.now()
	full, ok := l.full.get(key)
	if !ok || full.Before(now) {
		full = now
	}
	full = full.Add(l.every)
	return full, max(0, full.Sub(now)-time.Duration(l.burst)*l.every)
}

// Reset forgets what the key has done.
func (l *Limiter) Reset(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full.put(key, time.Time{})
}
