// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// load reads the value under key into a new T; nil if there is none.
func load[T any](tx Tx, key string) (*T, error) {
	values, err := tx.Get(key)
	if err != nil || values[0] == nil {
		return nil, err
	}
	return decode[T](key, values[0])
}

func decode[T any](key string, value []byte) (*T, error) {
	t := new(T)
	if err := json.Unmarshal(value, t); err != nil {
		return nil, fmt.Errorf("value under %q: %w", key[:1], err)
	}
	return t, nil
}

// save puts v under key.
func save(tx Tx, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("value for %q: %w", key[:1], err)
	}
	tx.Put(key, b)
	return nil
}

// each decodes, in ascending order, the values whose keys begin with prefix, in
// pages, until visit returns false.
func each[T any](tx Tx, prefix string, visit func(*T) bool) error {
	return eachAfter(tx, prefix, "", visit)
}

// eachAfter is each of those whose keys come after the key after.
func eachAfter[T any](tx Tx, prefix, after string, visit func(*T) bool) error {
	const page = 256
	for {
		pairs, err := tx.Scan(prefix, after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			t, err := decode[T](pair.Key, pair.Value)
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

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID returns a random name of 128 bits that says nothing.
func (p *Pod) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(p.Rand, b[:]); err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	return idEncoding.EncodeToString(b[:]), nil
}

// isID reports whether s could have come from newID, so that it may be part of
// a key.
func isID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// day returns the start of t's day in UTC: times that leave the pod are whole
// days, because exact ones link people.
func day(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
