// SPDX-License-Identifier: EUPL-1.2

package store

import (
	"encoding/binary"
	"errors"
)

// Layout is the number of the layout of binary values, with which each begins.
const Layout = 1

// ErrLayout is that a value is damaged, or of a layout that isn't known here.
var ErrLayout = errors.New("a value in the store can't be read: damaged, or of a newer version")

// AppendString adds a string that [Reader.Text] reads.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendList adds strings that [Reader.List] reads. It keeps nil apart from an empty list.
func AppendList(b []byte, list []string) []byte {
	if list == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(list)+1))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// A Reader takes values off the front of Rest, until the first that isn't there;
// from then on it returns zero values, and Err is set.
type Reader struct {
	Rest []byte
	Err  error
	text string // of all that is read; "" if each string is made by itself
}

// NewReader returns a Reader for a value that is mostly strings: they share one copy
// of it.
func NewReader(b []byte) Reader { return Reader{Rest: b, text: string(b)} }

// Bytes reads n bytes.
func (in *Reader) Bytes(n int) []byte {
	if n > len(in.Rest) {
		in.Err, in.Rest = ErrLayout, nil
		return make([]byte, min(n, 64))
	}
	b := in.Rest[:n:n]
	in.Rest = in.Rest[n:]
	return b
}

// Layout reads the number with which a value begins, which must be [Layout].
func (in *Reader) Layout() {
	if in.Bytes(1)[0] != Layout {
		in.Err, in.Rest = ErrLayout, nil
	}
}

// Varint reads a number that binary.AppendVarint wrote.
func (in *Reader) Varint() int64 {
	v, n := binary.Varint(in.Rest)
	in.Bytes(advance(n, len(in.Rest)))
	return v
}

// Count reads a count: of things that take at least a byte each, or one more.
func (in *Reader) Count() int {
	v, n := binary.Uvarint(in.Rest)
	in.Bytes(advance(n, len(in.Rest)))
	if v > uint64(len(in.Rest))+1 {
		in.Err, in.Rest = ErrLayout, nil
		return 0
	}
	return int(v)
}

// advance is how far to go after a number of n bytes; past the end if there was
// none.
func advance(n, rest int) int {
	if n <= 0 {
		return rest + 1
	}
	return n
}

// Text reads what AppendString wrote.
func (in *Reader) Text() string {
	b := in.Bytes(in.Count())
	if in.text == "" || in.Err != nil {
		return string(b)
	}
	end := len(in.text) - len(in.Rest)
	return in.text[end-len(b) : end]
}

// List reads what AppendList wrote.
func (in *Reader) List() []string {
	n := in.Count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n-1)
	for range n - 1 {
		if in.Err != nil {
			return []string{}
		}
		list = append(list, in.Text())
	}
	return list
}
