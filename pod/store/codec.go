// SPDX-License-Identifier: EUPL-1.2

package store

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Load reads the value under key into a new T; nil if there is none.
func Load[T any](tx Tx, key string) (*T, error) {
	memory, _ := tx.(Rememberer)
	if memory != nil {
		if known, ok := memory.Recall(key).(Copier); ok {
			if t, ok := known.Copy().(*T); ok {
				return t, nil
			}
		}
	}
	values, err := tx.Get(key)
	if err != nil || values[0] == nil {
		return nil, err
	}
	t, err := Decode[T](key, values[0])
	if own, ok := any(t).(Copier); ok && memory != nil && err == nil {
		memory.Remember(key, own.Copy())
	}
	return t, err
}

// A Rememberer is a Tx that can keep what the values that it sees were decoded to.
type Rememberer interface {
	// Recall returns what was remembered of the value that a Get of key would return
	// now; nil for nothing. It is not to be changed.
	Recall(key string) any
	// Remember keeps what that value was decoded to.
	Remember(key string, decoded any)
}

// A Copier is a *T that is worth remembering: one of those that each request reads.
// Copy returns a *T that shares nothing with it that could be changed. JSON says all
// of it, so that what was saved is what would be read.
type Copier interface{ Copy() any }

// Decode reads the value that was found under key into a new T. Its error names the
// kind of the key, and no more.
func Decode[T any](key string, value []byte) (*T, error) {
	t := new(T)
	if err := json.Unmarshal(value, t); err != nil {
		return nil, fmt.Errorf("value under %q: %w: %w", key[:1], ErrLayout, err)
	}
	return t, nil
}

// Save puts v under key.
func Save(tx Tx, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("value for %q: %w", key[:1], err)
	}
	tx.Put(key, b)
	if memory, ok := tx.(Rememberer); ok {
		if own, ok := v.(Copier); ok {
			memory.Remember(key, own.Copy())
		}
	}
	return nil
}

// Each decodes, in ascending order, the values whose keys begin with prefix, in
// pages, until visit returns false.
func Each[T any](tx Tx, prefix string, visit func(*T) bool) error {
	return EachAfter(tx, prefix, "", visit)
}

// EachAfter is each of those whose keys come after the key after.
func EachAfter[T any](tx Tx, prefix, after string, visit func(*T) bool) error {
	const page = 256
	for {
		pairs, err := tx.Scan(prefix, after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			t, err := Decode[T](pair.Key, pair.Value)
			if err != nil {
				return err
			}
			if !visit(t) {
				return nil
			}
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

// IDEncoding writes random bytes as part of a name, a key or a URL.
var IDEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a random name of 128 bits that says nothing.
func NewID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	return IDEncoding.EncodeToString(b[:]), nil
}

// IsID reports whether s could have come from NewID, so that it may be part of
// a key.
func IsID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
