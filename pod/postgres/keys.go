// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// headLen is how much of a key is its head.
const headLen = 1024

// cut returns the parts of a key.
func cut(key string) (head, tail []byte) {
	n := min(len(key), headLen)
	return []byte(key[:n]), []byte(key[n:])
}

// tailID names a tail; the empty one by the empty name.
func tailID(tail []byte) []byte {
	if len(tail) == 0 {
		return []byte{}
	}
	sum := sha256.Sum256(tail)
	return sum[:]
}

// next returns the first key that comes after all that begin with prefix; nil if
// there is none.
func next(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 {
		return nil
	}
	end[len(end)-1]++
	return end
}

const timeLen = 12

// timeBytes returns a time so that the bytes sort as the times do: its seconds
// with the sign bit flipped and its nanoseconds, big-endian.
func timeBytes(t time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func readTime(b []byte) (time.Time, error) {
	if len(b) != timeLen {
		return time.Time{}, fmt.Errorf("pod/postgres: a time of %d bytes is damaged", len(b))
	}
	sec := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(b[8:]))).UTC(), nil
}
