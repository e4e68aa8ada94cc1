// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"slices"
	"testing"
	"time"
)

// TestPagesParse: every page can be parsed in every language, before anybody asks for it.
func TestPagesParse(t *testing.T) {
	tongues, err := loadTongues("Skrin", time.UTC, nil)
	if err != nil {
		t.Fatal(err)
	}
	for lang, g := range tongues {
		for name, page := range g.pages {
			if parsed, err := page(); err != nil || parsed.Lookup("main") == nil {
				t.Errorf("%s in %s: %v", name, lang, err)
			}
		}
		if len(g.pages) < 20 {
			t.Errorf("%s has %d pages", lang, len(g.pages))
		}
	}
}

// TestOrder: names are sorted as each language sorts them.
func TestOrder(t *testing.T) {
	for _, row := range []struct {
		lang string
		want []string
	}{
		{"sv", []string{"Anna", "bil 9", "bil 10", "café", "cafeteria", "Zebra", "ål", "Ägg", "öl"}},
		{"nb", []string{"Anna", "bil 9", "bil 10", "café", "Zebra", "ærlig", "øl", "Ål"}},
		{"nn", []string{"Anna", "Zebra", "ærleg", "øl", "ål"}},
		{"en", []string{"Ångström", "Anna", "café", "cafeteria", "Zebra"}},
		{"sv", []string{"2026-02", "2026-10", "A", "a", "a01", "a1", "a2"}},
	} {
		got := slices.Clone(row.want)
		slices.Reverse(got)
		slices.SortFunc(got, alphabetical(row.lang))
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, not %q", row.lang, got, row.want)
		}
	}
}
