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
	values, err := tx.Get(key)
	if err != nil || values[0] == nil {
		return nil, err
	}
	return Decode[T](key, values[0])
}

// Decode reads the value that was found under key into a new T. Its error names the
// kind of the key, and no more.
func Decode[T any](key string, value []byte) (*T, error) {
	t := new(T)
	if err := json.Unmarshal(value, t); err != nil {
		return nil, fmt.Errorf("value under %q: %w", key[:1], err)
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
