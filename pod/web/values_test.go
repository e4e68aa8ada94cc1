// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"skrin/pod/evidence"
	"skrin/pod/registry"
)

const valuesFile = `{
	"id": "se:x:values:1", "iri": "https://x.example/evidence#values", "vct": "https://x.example/vct/values/1", "title": {"en": "Values"},
	"fields": [
		{"name": "text", "concept": "https://x.example/e#1", "datatype": "http://www.w3.org/2001/XMLSchema#string", "title": {"en": "Text"}},
		{"name": "number", "concept": "https://x.example/e#2", "datatype": "http://www.w3.org/2001/XMLSchema#integer", "title": {"en": "Number"}},
		{"name": "code", "concept": "https://x.example/e#3", "datatype": "http://www.w3.org/2001/XMLSchema#anyURI", "title": {"en": "Code"},
		 "values": {"http://data.europa.eu/snb/eqf/5": {"sv": "Nivå 5", "nb": "Nivå 5", "nn": "Nivå 5", "en": "Level 5"}}}
	]}`

// What a value says to people: a code that is known in words, money in groups, the
// lines of an address as lines, and nothing that hides or turns what is read.
func TestValuesInWords(t *testing.T) {
	types, err := registry.LoadCatalogue(fstest.MapFS{"t/a.json": {Data: []byte(typeFile)}, "t/b.json": {Data: []byte(valuesFile)}}, "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ what, field, value, sv, en string }{
		{"a code that is known", "code", "http://data.europa.eu/snb/eqf/5", "Nivå 5", "Level 5"},
		{"one that isn't stands as it is", "code", "http://data.europa.eu/snb/eqf/9", "http://data.europa.eu/snb/eqf/9", "http://data.europa.eu/snb/eqf/9"},
		{"a text that looks like it", "text", "http://data.europa.eu/snb/eqf/5", "http://data.europa.eu/snb/eqf/5", "http://data.europa.eu/snb/eqf/5"},
		{"money", "number", "1234567", "1\u00a0234\u00a0567", "1,234,567"},
		{"five digits", "number", "72000", "72\u00a0000", "72,000"},
		{"a debt", "number", "-72000", "-72\u00a0000", "-72,000"},
		{"a year", "number", "2026", "2026", "2026"},
		{"none", "number", "0", "0", "0"},
		{"what begins with noughts is no amount", "number", "007200", "007200", "007200"},
		{"what isn't a number", "number", "12345x", "12345x", "12345x"},
		{"a text of digits", "text", "7200000", "7200000", "7200000"},
		{"an address", "text", "Storgatan 1\r\n123 45 Åby", "Storgatan 1\n123 45 Åby", "Storgatan 1\n123 45 Åby"},
		{"a turn of direction", "text", "a\u202eb", "a\uFFFDb", "a\uFFFDb"},
		{"an isolate", "text", "a\u2066b", "a\uFFFDb", "a\uFFFDb"},
		{"a letter that isn't seen", "text", "a\u3164b\u00adc\u200bd", "a\uFFFDb\uFFFDc\uFFFDd", "a\uFFFDb\uFFFDc\uFFFDd"},
		{"HTML", "text", "<b>&amp;</b>", "<b>&amp;</b>", "<b>&amp;</b>"},
		{"Hebrew", "text", "שלום 12", "שלום 12", "שלום 12"},
	} {
		b := newBench(t)
		e := piece("v", "2026-11-20", evidence.Fact{Field: row.field, Value: row.value})
		e.Type = "se:x:values:1"
		b.site.Types, b.pod.holdings = types, []evidence.Evidence{e}
		if b.h, err = b.site.Handler(); err != nil {
			t.Fatal(err)
		}
		for lang, want := range map[string]string{"sv": row.sv, "en": row.en} {
			got := ""
			for _, n := range find(parse(t, b.do(call{path: "/me/evidence/v", cookie: lang}).Body.String()), "dl") {
				if attr(n, "class") == "facts" {
					got = find(n, "dd")[0].FirstChild.Data
				}
			}
			if got != want {
				t.Errorf("%s in %s: %q; want %q", row.what, lang, got, want)
			}
		}
	}
}

// A name that is written from right to left leaves the words and the dates around it
// where they are.
func TestNamesDoNotTurnTheirSurroundings(t *testing.T) {
	b := newBench(t)
	p := parties[ink]
	defer func() { parties[ink] = p }()
	for name, want := range map[string]string{
		"חברה 12":        "\u2068חברה 12\u2069",
		"شركة\u202e":     "\u2068شركة\uFFFD\u2069",
		"\u2069Bolaget":  "\uFFFDBolaget",
		"Åbo Försäkring": "Åbo Försäkring",
	} {
		p := p
		p.Name = registry.Text{"sv": name}
		parties[ink] = p
		o := b.pod.offers["r-consent"]
		o.Party = p
		b.pod.offers["r-consent"] = o
		for _, path := range []string{"/me/answer/consent", "/me/"} {
			text := textOf(find(parse(t, b.do(call{path: path}).Body.String()), "main")[0])
			if !strings.Contains(text, "Vill du dela detta med "+want+"?") && !strings.Contains(text, want+" frågar efter") {
				t.Errorf("%q at %s: %q", name, path, text)
			}
		}
	}
}

// Nought, one and many, in every language, where people read how many.
func TestHowMany(t *testing.T) {
	for _, row := range []struct {
		lang string
		n    int
		says string
	}{
		{"sv", 0, "Läst inte än"}, {"sv", 1, "Läst 1 gång, senast"}, {"sv", 2, "Läst 2 gånger, senast"}, {"sv", 12345, "Läst 12 345 gånger, senast"},
		{"nb", 0, "Lest ikke ennå"}, {"nb", 1, "Lest 1 gang, sist"}, {"nb", 2, "Lest 2 ganger, sist"}, {"nb", 12345, "Lest 12 345 ganger, sist"},
		{"nn", 0, "Lese ikkje enno"}, {"nn", 1, "Lese 1 gong, sist"}, {"nn", 2, "Lese 2 gonger, sist"}, {"nn", 12345, "Lese 12 345 gonger, sist"},
		{"en", 0, "Read not yet"}, {"en", 1, "Read once, last"}, {"en", 2, "Read 2 times, last"}, {"en", 12345, "Read 12,345 times, last"},
	} {
		b := newBench(t)
		b.pod.shares = b.pod.shares[:1]
		b.pod.shares[0].Reads = row.n
		var said []string
		for _, n := range find(parse(t, b.do(call{path: "/me/sharing", cookie: row.lang}).Body.String()), "div") {
			said = append(said, textOf(n))
		}
		if !strings.Contains(strings.Join(said, "\n"), row.says) {
			t.Errorf("%s %d: %q is not said", row.lang, row.n, row.says)
		}
	}
}
