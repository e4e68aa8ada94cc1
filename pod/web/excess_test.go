// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"strings"
	"testing"
)

// Who asks for too much is told of before the values, in words; who doesn't isn't.
func TestExcessIsSaid(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct {
		what, path, lang string
		says             []string
	}{
		{"all that the evidence says, for a long time, and newer ones", "/me/answer/much", "sv", []string{
			"De frågar efter mycket", "De har inte längre rätt att fråga efter det här: Kontor.", "De vill veta allt som står i intyget.",
			"De vill veta detta: Inskrivningsdatum. Ett ja eller nej räcker: Inskriven i minst 30 dagar.", "De har sagt att de klarar sig utan det här: Inskriven som arbetssökande.",
			"De vill läsa nyare intyg också.", "De vill läsa länge.", "Du kan säga nej, och be dem fråga om mindre."}},
		{"before it is fetched, too", "/me/answer/much-missing", "nb", []string{"De spør om mye", "Et ja eller nei er nok: Registrert i minst 30 dager."}},
		{"in nynorsk", "/me/answer/much", "nn", []string{"Dei spør om mykje", "Eit ja eller nei er nok"}},
		{"in English", "/me/answer/much", "en", []string{"They ask for a lot", "A yes or no is enough"}},
		{"what is needed", "/me/answer/consent", "sv", nil},
		{"one of two", "/me/answer/choose", "sv", nil},
		{"a connection", "/me/answer/connect", "sv", nil},
	} {
		doc := parse(t, b.do(call{path: row.path, cookie: row.lang}).Body.String())
		text, warned := textOf(find(doc, "main")[0]), false
		for _, n := range find(doc, "section") {
			warned = warned || attr(n, "aria-labelledby") == "excess"
		}
		if warned != (row.says != nil) {
			t.Errorf("%s: warned is %t: %s", row.what, warned, text)
		}
		for _, words := range row.says {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the page doesn't say %q:\n%s", row.what, words, text)
			}
		}
		if what := strings.Index(text, "Det här får de se"); warned && what >= 0 && strings.Index(text, "De frågar efter mycket") > what {
			t.Errorf("%s: the warning comes after the values", row.what)
		}
	}
}
