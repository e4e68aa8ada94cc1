// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"strings"
	"testing"
)

// On every page is the way to what the words mean; a word that leads to its meaning
// leads to one that is there, in every language.
func TestWordsAreExplained(t *testing.T) {
	b := newBench(t)
	explained := map[string]bool{}
	for _, lang := range tongues {
		words := parse(t, b.do(call{path: "/me/words", stranger: true, cookie: lang}).Body.String())
		n := 0
		for _, d := range find(words, "div") {
			if id := attr(d, "id"); id != "" {
				explained[lang+id] = true
				n++
				if len(find(d, "dt")) != 1 || len(find(d, "dd")) != 1 || len(textOf(find(d, "dd")[0])) < 20 {
					t.Errorf("%s: %s is not explained: %s", lang, id, textOf(d))
				}
			}
		}
		if n < 10 {
			t.Errorf("%s: %d words are explained", lang, n)
		}
		for _, c := range every {
			c.cookie = lang
			all, terms := 0, 0
			for _, a := range find(parse(t, b.do(c).Body.String()), "a") {
				to, word, found := strings.Cut(attr(a, "href"), "#")
				if to != "/me/words" {
					continue
				}
				if all++; found {
					if terms++; !explained[lang+word] {
						t.Errorf("%s %s: %q leads to %s, which isn't explained", lang, c.path, textOf(a), word)
					}
				}
			}
			if all == terms {
				t.Errorf("%s %s doesn't lead to what the words mean", lang, c.path)
			}
		}
	}
}
