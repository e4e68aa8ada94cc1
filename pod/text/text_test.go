// SPDX-License-Identifier: EUPL-1.2

package text_test

import (
	"strings"
	"testing"

	"skrin/pod/text"
)

// TestIsName: what people may be called, and what would mislead who reads it.
func TestIsName(t *testing.T) {
	for _, row := range []struct {
		is, name string
		ok       bool
	}{
		{"nothing", "", true},
		{"a name", "Åsa Öst-Østby", true},
		{"sixty characters", strings.Repeat("å", 60), true},
		{"one more", strings.Repeat("å", 61), false},
		{"a line's end", "Alva\nBritt", false},
		{"what turns the text round", "Alva\u202eavlA", false},
		{"what can't be seen", "Al\u200bva", false},
		{"what a terminal obeys", "Alva\x1b[2J", false},
		{"no text", "Alva\xff", false},
		{"a personal number", "Alva 19811228-9874", false},
		{"a number of a house", "Alva, Storgatan 12", true},
	} {
		if got := text.IsName(row.name); got != row.ok {
			t.Errorf("%s: %t", row.is, got)
		}
	}
}
