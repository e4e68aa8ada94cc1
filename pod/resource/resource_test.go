// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestABodyIsReadWhateverItSaysOfItsLength(t *testing.T) {
	for _, is := range []int{0, 1, 511, 512, 513, 4096, 4097, 70_000} {
		want := bytes.Repeat([]byte("b"), is)
		for _, says := range []int64{-1, 0, 1, int64(is), int64(is) + 1, 1 << 40} {
			for how, r := range map[string]io.Reader{
				"at once":        bytes.NewReader(want),
				"byte by byte":   iotest.OneByteReader(bytes.NewReader(want)),
				"with its end":   iotest.DataErrReader(bytes.NewReader(want)),
				"half by halves": iotest.HalfReader(bytes.NewReader(want)),
			} {
				got, err := readAll(r, says)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes that say they are %d, %s: %d, %v", is, says, how, len(got), err)
				}
				if most := max(2*is, 4<<10) + 1024; cap(got) > most {
					t.Errorf("%d bytes that say they are %d take %d", is, says, cap(got))
				}
			}
		}
	}
	broken := errors.New("broken")
	if got, err := readAll(io.MultiReader(bytes.NewReader([]byte("half")), iotest.ErrReader(broken)), 8); err != broken || string(got) != "half" {
		t.Errorf("%q, %v", got, err)
	}
}
