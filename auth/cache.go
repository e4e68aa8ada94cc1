// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"crypto/sha256"
	"sync"
)

// A Cache remembers what verified tokens prove, by their SHA-256: some 400
// bytes each.
type Cache struct {
	generations[[sha256.Size]byte, identity]
}

// NewCache makes a Cache for at most the given number of tokens.
func NewCache(tokens int) *Cache {
	c := &Cache{}
	c.half = tokens / 2
	return c
}

// generations is a map of at most 2·half entries. Those that weren't used for
// longest are forgotten first, about: when the young half is full, it becomes
// the old one, and the old one is forgotten. There is no list to keep, and no
// sweep that takes long.
type generations[K comparable, V any] struct {
	mu         sync.RWMutex
	half       int
	young, old map[K]V
}

// get looks an entry up. Whether it has ended is for the caller.
func (g *generations[K, V]) get(key K) (V, bool) {
	g.mu.RLock()
	v, ok := g.young[key]
	if ok {
		g.mu.RUnlock()
		return v, true
	}
	v, ok = g.old[key]
	g.mu.RUnlock()
	if ok {
		g.put(key, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(key K, v V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(key, v)
}

// getOr looks an entry up, and puts the fallback where there is none.
func (g *generations[K, V]) getOr(key K, fallback V) V {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, ok := g.young[key]; ok {
		return v
	}
	if v, ok := g.old[key]; ok {
		fallback = v
	}
	g.add(key, fallback)
	return fallback
}

func (g *generations[K, V]) add(key K, v V) {
	if g.young == nil || len(g.young) >= g.half {
		g.old, g.young = g.young, map[K]V{}
	}
	g.young[key] = v
}
