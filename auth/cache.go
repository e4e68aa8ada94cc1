// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"crypto/sha256"
	"sync"
)

// A Cache remembers what verified tokens prove, by their SHA-256. It holds at
// most the number of tokens that it was made for, some 400 bytes each; those
// that weren't used for longest are forgotten first, about.
type Cache struct {
	mu         sync.RWMutex
	half       int
	young, old map[[sha256.Size]byte]identity
}

// NewCache makes a Cache for at most the given number of tokens.
func NewCache(tokens int) *Cache {
	return &Cache{half: max(1, tokens/2), young: map[[sha256.Size]byte]identity{}}
}

// get looks a token up. Whether it has ended is for the caller.
func (c *Cache) get(digest [sha256.Size]byte) (identity, bool) {
	c.mu.RLock()
	known, ok := c.young[digest]
	if ok {
		c.mu.RUnlock()
		return known, true
	}
	known, ok = c.old[digest]
	c.mu.RUnlock()
	if ok {
		c.put(digest, known)
	}
	return known, ok
}

// put remembers a token. When the young half is full, it becomes the old one,
// and the old one is forgotten: no list to keep, and no sweep that takes long.
func (c *Cache) put(digest [sha256.Size]byte, known identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.old, c.young = c.young, map[[sha256.Size]byte]identity{}
	}
	c.young[digest] = known
}
