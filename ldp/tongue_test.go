// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skrin/ldp"
)

// Every message that the pages use is in every language, and none besides.
func TestPageMessagesAreWhole(t *testing.T) {
	page, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	used := []string{"may", "may.read", "may.write", "may.append", "may.control"}
	for _, m := range regexp.MustCompile(`\bt "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		used = append(used, m[1])
	}
	for _, why := range []string{"401", "404", "429", "503", "other"} {
		used = append(used, "problem."+why, "problem."+why+".now")
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, lang := range []string{"en", "sv", "nb", "nn"} {
		b, err := os.ReadFile("messages/" + lang + ".json")
		var words map[string]string
		if err == nil {
			err = json.Unmarshal(b, &words)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(words)); !slices.Equal(got, used) {
			t.Errorf("%s has %v, and the pages use %v", lang, got, used)
		}
		for key, text := range words {
			if text == "" || strings.Contains(text, "{") != (key == "may") {
				t.Errorf("%s: %q is %q", lang, key, text)
			}
		}
	}
}

func TestPageLanguage(t *testing.T) {
	for _, row := range []struct {
		header, want string
		said         bool
	}{
		{"", "", false}, {"*", "", true}, {"fi", "", true}, {"sv", "sv", true}, {"sv-SE,en;q=0.5", "sv", true}, {"en;q=0.5, nn", "nn", true},
		{"no", "nb", true}, {"da-DK", "nb", true}, {"de, en-GB;q=0.7", "en", true}, {"sv;q=x", "", true}, {strings.Repeat("sv,", 400), "", false}, {"\xff", "", true},
	} {
		if got, said := ldp.PageLanguage(row.header); got != row.want || said != row.said {
			t.Errorf("%.40q: %q %v, want %q %v", row.header, got, said, row.want, row.said)
		}
	}
}

func FuzzPageLanguage(f *testing.F) {
	f.Add("sv-SE, nb;q=0.9, *;q=0.1")
	f.Fuzz(func(t *testing.T, header string) {
		if l, _ := ldp.PageLanguage(header); l != "" && l != "sv" && l != "nb" && l != "nn" && l != "en" {
			t.Errorf("%q: %q", header, l)
		}
	})
}
