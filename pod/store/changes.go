// SPDX-License-Identifier: EUPL-1.2

package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"skrin/ldp"
)

// Limits of a Store, in bytes. An id has as many as leave "id/"+id a Name.
const (
	MaxName  = 256
	MaxKey   = 4096
	MaxValue = 1 << 20
	MaxSeal  = 64 // on top of MaxValue, for who encrypts values
	MaxID    = MaxName - len("id/")
)

// Changes are what a transaction has written and not yet committed: the half of
// a Tx that is the same in every engine. The zero Changes is of an Update.
type Changes struct {
	View   bool              // a View's: every write panics
	Values map[string][]byte // by key; nil: deleted
	Names  map[Name]bool     // true: claimed, false: released
	At     *time.Time        // the Due time; nil: as it was
	Stirs  bool              // whether followers are to be told
	Err    error             // the first write that can't be
}

// mayWrite panics in a View, and remembers a limit that is passed.
func (c *Changes) mayWrite(what string, size, limit int) {
	if c.View {
		panic("store: a View writes")
	}
	if size > limit && c.Err == nil {
		c.Err = fmt.Errorf("%s is %d bytes long, over the limit of %d: %w", what, size, limit, ldp.TooLarge)
	}
}

// Put implements Tx.
func (c *Changes) Put(key string, value []byte) {
	c.mayWrite("a key", len(key), MaxKey)
	c.mayWrite("a value", len(value), MaxValue+MaxSeal)
	if key == "" && c.Err == nil {
		c.Err = errors.New("a key is empty")
	}
	if value == nil {
		value = []byte{}
	}
	c.write(key, value)
}

// Delete implements Tx.
func (c *Changes) Delete(key string) {
	c.mayWrite("", 0, 0)
	c.write(key, nil)
}

func (c *Changes) write(key string, value []byte) {
	if c.Values == nil {
		c.Values = map[string][]byte{}
	}
	c.Values[key] = value
}

// Claim implements Tx.
func (c *Changes) Claim(name Name) {
	c.mayWrite("a name", len(name), MaxName)
	if name == "" && c.Err == nil {
		c.Err = errors.New("a name is empty")
	}
	c.name(name, true)
}

// Release implements Tx.
func (c *Changes) Release(name Name) {
	c.mayWrite("", 0, 0)
	c.name(name, false)
}

func (c *Changes) name(name Name, claimed bool) {
	if c.Names == nil {
		c.Names = map[Name]bool{}
	}
	c.Names[name] = claimed
}

// Due implements Tx.
func (c *Changes) Due(at time.Time) {
	c.mayWrite("", 0, 0)
	c.At = &at
}

// Stir implements Tx.
func (c *Changes) Stir() {
	c.mayWrite("", 0, 0)
	c.Stirs = true
}

// Written returns the keys that were written or deleted and begin with prefix,
// from first on, ascending.
func (c *Changes) Written(prefix, first string) []string {
	var keys []string
	for key := range c.Values {
		if strings.HasPrefix(key, prefix) && key >= first {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
