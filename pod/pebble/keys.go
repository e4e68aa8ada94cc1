// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"encoding/binary"
	"time"

	"skrin/pod/store"
)

// The first byte of a key says what it is of; see the package's comment.
const (
	keyFormat  = 'f'
	keyPod     = 'p'
	keyName    = 'n'
	keyDueOf   = 'u'
	keyDueAt   = 'd'
	keyRecord  = 'r'
	keyEndings = 'e'
)

// Limits of auth.Records, and of what has none there: a record's kind and key
// together.
const (
	maxRecord = 64<<10 + 64 // of which 64 are for a seal
	maxLabel  = 1024
)

// podPrefix is what all keys of a pod begin with. With its length before it no
// id is the prefix of another.
func podPrefix(id string) []byte {
	return append([]byte{keyPod, byte(len(id))}, id...)
}

func nameKey(name store.Name) []byte { return append([]byte{keyName}, name...) }

func dueOf(id string) []byte { return append([]byte{keyDueOf}, id...) }

func dueAt(at []byte, id string) []byte {
	return append(append([]byte{keyDueAt}, at...), id...)
}

// label is a record's kind and key as one.
func label(kind, key string) string { return kind + "\x00" + key }

func recordKey(label string) []byte { return append([]byte{keyRecord}, label...) }

func endingKey(at []byte, label string) []byte {
	return append(append([]byte{keyEndings}, at...), label...)
}

const timeLen = 12

// appendTime appends a time so that the bytes sort as the times do.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// readTime reads what appendTime wrote; the zero time as the zero time.
func readTime(b []byte) time.Time {
	sec := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

// after returns the first key that comes after all that begin with prefix, which
// has a byte below 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}
