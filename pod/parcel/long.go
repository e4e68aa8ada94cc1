// SPDX-License-Identifier: EUPL-1.2

package parcel

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// longest is how many bytes of a long file are gathered for one member; a member is
// longer by what is written last.
const longest = 4 << 20

// A LongWriter writes a file of any length as the members of a folder, one after the
// other. It cuts only between two writes.
type LongWriter struct {
	to     *Writer
	folder string
	ending string
	n      int
	part   []byte
}

// Long begins a file whose members are named folder/000001ending, and so on. Nothing
// else is added until it is closed.
func (a *Writer) Long(folder, ending string) *LongWriter {
	return &LongWriter{to: a, folder: folder, ending: ending}
}

// Write implements io.Writer.
func (l *LongWriter) Write(b []byte) (int, error) {
	l.part = append(l.part, b...)
	if len(l.part) < longest {
		return len(b), nil
	}
	return len(b), l.Close()
}

// Close writes what is left.
func (l *LongWriter) Close() error {
	l.n++
	err := l.to.AddBytes(Member{Name: fmt.Sprintf("%s/%06d%s", l.folder, l.n, l.ending)}, l.part)
	l.part = l.part[:0]
	return err
}

// A LongReader reads the members of a folder, which stand one after the other, as one
// file.
type LongReader struct {
	in     *Reader
	prefix string
	begun  bool
	ahead  *Member // the one that came after
	err    error
}

// Long returns what reads the members of a folder as one file, when [Reader.Next] has
// come to the first. From then on its own Next takes the place of that.
func (a *Reader) Long(folder string) *LongReader {
	return &LongReader{in: a, prefix: folder + "/"}
}

// Apart reports whether m is a member of the folder that doesn't belong to the file: it
// came after others.
func (l *LongReader) Apart(m *Member) bool { return l.begun && strings.HasPrefix(m.Name, l.prefix) }

// Begins reports whether the file begins with m, which is the member of the archive that
// is read now. A folder has one such file; see Apart.
func (l *LongReader) Begins(m *Member) bool {
	if l.begun || !strings.HasPrefix(m.Name, l.prefix) {
		return false
	}
	l.begun = true
	return true
}

// Read implements io.Reader.
func (l *LongReader) Read(b []byte) (int, error) {
	for {
		n, err := l.in.Read(b)
		if errors.Is(err, io.EOF) {
			err = nil // of this member
		}
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if l.ahead != nil || l.err != nil {
			return 0, io.EOF
		}
		if l.ahead, l.err = l.in.Next(); l.err != nil || !strings.HasPrefix(l.ahead.Name, l.prefix) {
			return 0, io.EOF
		}
		l.ahead = nil
	}
}

// Next is that of the archive, after what was read here.
func (l *LongReader) Next() (*Member, error) {
	if l.ahead != nil || l.err != nil {
		m := l.ahead
		l.ahead = nil
		return m, l.err
	}
	return l.in.Next()
}
