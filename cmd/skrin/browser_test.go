// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"strings"
	"testing"
)

// A browser is a walker in a test, which it fails where the walker fails.
type browser struct {
	*walker
	t *testing.T
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	w, err := newWalker()
	if err != nil {
		t.Fatal(err)
	}
	return &browser{walker: w, t: t}
}

func (b *browser) open(address string) {
	b.t.Helper()
	if err := b.walker.open(address); err != nil {
		b.t.Fatal(err)
	}
}

// sees fails the test if the page doesn't say each of the words.
func (b *browser) sees(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Fatalf("%s does not say %q; it says:\n%s", b.at, w, text)
		}
	}
}

func (b *browser) press(label string, fields ...string) {
	b.t.Helper()
	if err := b.walker.press(label, fields...); err != nil {
		b.t.Fatal(err)
	}
}
