// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThreats: each threat has a test, and each test that is named is there.
func TestThreats(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "auth", "THREATS.md"))
	must(t, err)
	names, rows := testNames(t), 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || strings.Contains(cells[2], " tests ") {
			continue
		}
		rows++
		shown := regexp.MustCompile(`\bTest\w+`).FindAllString(cells[2], -1)
		if len(shown) == 0 {
			t.Errorf("%s: no test", cells[0])
		}
		for _, name := range shown {
			if !slices.Contains(names, name) {
				t.Errorf("%s: there is no %s", cells[0], name)
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d threats", rows)
	}
}
