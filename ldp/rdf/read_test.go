// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/ldp/rdf"
)

func TestLimits(t *testing.T) {
	many := func(line string) string {
		var b strings.Builder
		for i := range 50 {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	xml := func(body string) string {
		return `<rdf:RDF xmlns:rdf="` + rdfNS + `" xmlns:e="http://e/">` + body + `</rdf:RDF>`
	}
	long := strings.Repeat("x", 200)
	tests := []struct {
		name   string
		format rdf.Format
		body   string
		what   string
		lim    rdf.Limits
	}{
		{"a long document", rdf.Turtle, "# " + long, "bytes", rdf.Limits{Bytes: 100}},
		{"many triples in Turtle", rdf.Turtle, many("<urn:s> <urn:p> %d ."), "triples", rdf.Limits{Triples: 49}},
		{"the same triple many times", rdf.Turtle, strings.Repeat("<urn:s> <urn:p> 1 .", 50), "triples", rdf.Limits{Triples: 49}},
		{"many triples in N-Triples", rdf.NTriples, many("<urn:s> <urn:p> \"%d\" .\n"), "triples", rdf.Limits{Triples: 49}},
		{"many triples in graphs", rdf.TriG, many("<urn:g%d> { <urn:s> <urn:p> 1 }"), "triples", rdf.Limits{Triples: 49}},
		{"a long list", rdf.Turtle, "<urn:s> <urn:p> (" + many("%d ") + ") .", "triples", rdf.Limits{Triples: 49}},
		{"many triples in JSON-LD", rdf.JSONLD, `{"urn:p": [` + strings.Trim(many("%d,"), ",") + `]}`, "triples", rdf.Limits{Triples: 49}},
		{"many triples in RDF/XML", rdf.RDFXML, xml("<rdf:Description>" + many("<e:p>%d</e:p>") + "</rdf:Description>"), "triples", rdf.Limits{Triples: 49}},
		{"nested brackets", rdf.Turtle, strings.Repeat("[ <urn:p> ", 50), "nesting", rdf.Limits{Depth: 49}},
		{"nested lists", rdf.Turtle, "<urn:s> <urn:p> " + strings.Repeat("(", 50), "nesting", rdf.Limits{Depth: 49}},
		{"a hundred thousand brackets", rdf.Turtle, strings.Repeat("[<urn:p>", 100_000), "nesting", rdf.Limits{}},
		{"nested JSON", rdf.JSONLD, strings.Repeat(`{"urn:p":`, 50) + "1" + strings.Repeat("}", 50), "nesting", rdf.Limits{Depth: 49}},
		{"a hundred thousand arrays", rdf.JSONLD, strings.Repeat("[", 100_000), "nesting", rdf.Limits{}},
		{"nested XML", rdf.RDFXML, xml(strings.Repeat("<e:T><e:p>", 50)), "nesting", rdf.Limits{Depth: 49}},
		{"nested XML in a literal", rdf.RDFXML, xml(`<e:T><e:p rdf:parseType="Literal">` + strings.Repeat("<a>", 50)), "nesting", rdf.Limits{Depth: 49}},
		{"a long IRI", rdf.Turtle, "<urn:" + long + "> <urn:p> 1 .", "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long IRI with an escape", rdf.Turtle, `<urn:\u0041` + long + "> <urn:p> 1 .", "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long IRI of a prefix", rdf.Turtle, "@prefix p: <urn:" + long[:150] + "> . p:" + long[:100] + " p: 1 .", "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long IRI of a base", rdf.Turtle, "@base <http://e/" + long[:150] + "/> . <" + long[:100] + "> <> 1 .", "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long label", rdf.Turtle, "_:" + long + " <urn:p> 1 .", "the length of a blank node's label", rdf.Limits{IRI: 199}},
		{"a long IRI in JSON-LD", rdf.JSONLD, `{"@id": "urn:` + long + `", "urn:p": 1}`, "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long IRI in RDF/XML", rdf.RDFXML, xml(`<rdf:Description rdf:about="urn:` + long + `" e:p="x"/>`), "the length of an IRI", rdf.Limits{IRI: 200}},
		{"a long literal", rdf.NTriples, `<urn:s> <urn:p> "` + long + `" .`, "the length of a literal", rdf.Limits{Literal: 199}},
		{"a long literal with escapes", rdf.Turtle, `<urn:s> <urn:p> """` + strings.Repeat(`\n`, 200) + `""" .`, "the length of a literal", rdf.Limits{Literal: 199}},
		{"a long number", rdf.Turtle, `<urn:s> <urn:p> ` + strings.Repeat(`1`, 200) + ` .`, "the length of a literal", rdf.Limits{Literal: 199}},
		{"a long literal in JSON-LD", rdf.JSONLD, `{"urn:p": "` + long + `"}`, "the length of a literal", rdf.Limits{Literal: 199}},
		{"a long literal in RDF/XML", rdf.RDFXML, xml(`<e:T><e:p>` + long + `</e:p></e:T>`), "the length of a literal", rdf.Limits{Literal: 199}},
		{"many contexts", rdf.JSONLD, `[` + strings.Repeat(`{"@context": {}}, `, 10) + `{}]`, "contexts", rdf.Limits{Contexts: 9}},
		{"many attributes", rdf.RDFXML, xml(`<e:T ` + many(` e:p%d="x"`) + `/>`), "attributes", rdf.Limits{Contexts: 49}},
		{"many namespaces", rdf.RDFXML, xml(`<e:T ` + many(` xmlns:p%d="http://x/"`) + `/>`), "namespaces", rdf.Limits{Contexts: 49}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rdf.ReadDataset(context.Background(), []byte(tt.body), tt.format, here, tt.lim)
			var limit *rdf.LimitError
			if !errors.As(err, &limit) || limit.What != tt.what {
				t.Errorf("%v, want the limit for %s", err, tt.what)
			}
		})
	}
}

func TestPatchLimits(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, parse := range map[string]func(rdf.Limits, string) (*rdf.Patch, error){
		"N3": func(lim rdf.Limits, triples string) (*rdf.Patch, error) {
			return rdf.ParseN3Patch(context.Background(), []byte(`<> a <http://www.w3.org/ns/solid/terms#InsertDeletePatch> ; <http://www.w3.org/ns/solid/terms#inserts> {`+triples+`} .`), here, lim)
		},
		"SPARQL": func(lim rdf.Limits, triples string) (*rdf.Patch, error) {
			return rdf.ParseSPARQLUpdate(context.Background(), []byte(`INSERT DATA {`+triples+`}`), here, lim)
		},
	} {
		for what, lim := range map[string]rdf.Limits{
			"<urn:s> <urn:p> 1 , 2 , 3":         {Triples: 2},
			"<urn:s> <urn:p> [<urn:p> [ <> 1]]": {Depth: 1},
			"<urn:s> <urn:p> <" + long + ">":    {IRI: 200},
			"<urn:s> <urn:p> '" + long + "'":    {Literal: 199},
			"<urn:s> <urn:p> 1 # " + long:       {Bytes: 200},
		} {
			var limit *rdf.LimitError
			if _, err := parse(lim, what); !errors.As(err, &limit) {
				t.Errorf("%s, %.40s: %v", name, what, err)
			}
		}
	}
	t.Run("a patch may not make a graph too large", func(t *testing.T) {
		p, err := rdf.ParseSPARQLUpdate(context.Background(), []byte(`INSERT DATA { <urn:s> <urn:p> 1, 2 }`), here, rdf.Limits{Triples: 3})
		if err != nil {
			t.Fatal(err)
		}
		g := turtle(t, "<#a> :p 1, 2")
		var limit *rdf.LimitError
		if err := p.Apply(g); !errors.As(err, &limit) || g.Len() != 2 {
			t.Error(err, g.Len())
		}
	})
}

// A dying context is done when it has been asked a few times.
type dying struct {
	context.Context
	asked int
}

func (d *dying) Err() error {
	if d.asked++; d.asked > 3 {
		return context.Canceled
	}
	return nil
}

func TestReadStopsWithItsContext(t *testing.T) {
	g := people(1000)
	for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.TriG, rdf.NQuads, rdf.JSONLD} {
		body := document(t, g, f)
		t.Run(f.String(), func(t *testing.T) {
			ctx := &dying{Context: context.Background()}
			if _, err := rdf.Read(ctx, body, f, "", rdf.Limits{Bytes: len(body)}); !errors.Is(err, context.Canceled) || ctx.asked > 5 {
				t.Error(err, ctx.asked)
			}
		})
	}
	t.Run("canonicalizing", func(t *testing.T) {
		if _, err := rdf.Canonical(&dying{Context: context.Background()}, clique(7), rdf.Limits{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	tests := []struct {
		name         string
		format       rdf.Format
		body         string
		line, column int
		msg          string
	}{
		{"no object", rdf.Turtle, "<urn:s> <urn:p> .", 1, 17, "expected a number"},
		{"no dot", rdf.Turtle, "<urn:s> <urn:p> 1\n<urn:s> <urn:p> 2 .", 2, 1, "expected '.' after a statement"},
		{"an unknown prefix, after letters of two bytes", rdf.Turtle, "<urn:s> <urn:å> ö:x .", 1, 17, `the prefix "ö" is not declared`},
		{"a space in an IRI", rdf.Turtle, "\n\n<urn:a b>", 3, 7, "this character can't be in an IRI"},
		{"a relative IRI without a base", rdf.Turtle, "<a> <b> <c> .", 1, 4, "expected an absolute IRI: the document has no base"},
		{"a line break in a string", rdf.NTriples, "<urn:s> <urn:p> \"a\nb\" .", 1, 19, "a line break in a string: expected the closing quote, or an escape"},
		{"two triples on a line", rdf.NTriples, "<urn:s> <urn:p> <urn:o> . <urn:s> <urn:p> <urn:o> .", 1, 27, "expected the end of the line"},
		{"a literal as a subject", rdf.NTriples, "\"s\" <urn:p> <urn:o> .", 1, 1, "expected the subject: an IRI or a blank node"},
		{"a bad escape", rdf.Turtle, `<urn:s> <urn:p> "\x" .`, 1, 19, "expected an escape: one of t, b, n, r, f, u, U, a quote or a backslash"},
		{"half a surrogate", rdf.Turtle, `<urn:s> <urn:p> "\uD800" .`, 1, 24, "an escape stands for no character"},
		{"a missing brace", rdf.TriG, "<urn:g> { <urn:s> <urn:p> 1", 1, 28, "expected '.' or '}'"},
		{"JSON that is cut off", rdf.JSONLD, "{\"a\":\n 1", 2, 3, "the document ends in the middle of a JSON value"},
		{"JSON with a comma too many", rdf.JSONLD, "{\"a\": 1,\n}", 1, 9, "not valid JSON"},
		{"a member twice", rdf.JSONLD, `{"@id": "urn:a", "@id": "urn:b"}`, 1, 23, `an object has two members named "@id"`},
		{"a property that no context defines", rdf.JSONLD, `{"@context": {"name": "urn:n"}, "name": 1, "nmae": 2}`, 0, 0,
			`the property "nmae" has no meaning: expected a term of the document's contexts, or an absolute IRI`},
		{"text where an element belongs", rdf.RDFXML, `<rdf:RDF xmlns:rdf="` + rdfNS + `">` + "\nx</rdf:RDF>", 2, 12, "text where an element was expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rdf.ReadDataset(context.Background(), []byte(tt.body), tt.format, "", rdf.Limits{})
			var syntax *rdf.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatal(err)
			}
			if syntax.Line != tt.line || syntax.Column != tt.column || syntax.Msg != tt.msg {
				t.Errorf("%+v", *syntax)
			}
		})
	}
}

func TestSyntaxErrorsQuoteLittle(t *testing.T) {
	secret := "19900101-1234 " + strings.Repeat("secret", 20)
	for f, body := range map[rdf.Format]string{
		rdf.Turtle: "<urn:s> <urn:p> \"" + secret + "\" <urn:o>",
		rdf.JSONLD: `{"urn:p": {"@value": "` + secret + `", "@type": 1}}`,
		rdf.RDFXML: `<rdf:RDF xmlns:rdf="` + rdfNS + `">` + secret + `</rdf:RDF>`,
	} {
		_, err := rdf.Read(context.Background(), []byte(body), f, "", rdf.Limits{})
		if err == nil || strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestReadOneGraph(t *testing.T) {
	for f, body := range map[rdf.Format]string{
		rdf.TriG:   "<urn:g> { <urn:s> <urn:p> 1 }",
		rdf.NQuads: "<urn:s> <urn:p> <urn:o> <urn:g> .",
		rdf.JSONLD: `{"@id": "urn:g", "@graph": [{"@id": "urn:s", "urn:p": 1}]}`,
	} {
		if _, err := rdf.Read(context.Background(), []byte(body), f, "", rdf.Limits{}); err == nil {
			t.Errorf("%s: a document with a named graph was read as one graph", f)
		}
		d, err := rdf.ReadDataset(context.Background(), []byte(body), f, "", rdf.Limits{})
		if err != nil || len(d.Names()) != 1 || d.Graph(rdf.IRI("urn:g")).Len() != 1 || d.Default().Len() != 0 {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestFormatOf(t *testing.T) {
	tests := []struct {
		mediaType string
		want      rdf.Format
		ok        bool
	}{
		{"text/turtle", rdf.Turtle, true},
		{"Text/Turtle; charset=UTF-8", rdf.Turtle, true},
		{" application/ld+json ;profile=\"http://www.w3.org/ns/json-ld#compacted\"", rdf.JSONLD, true},
		{"application/n-triples", rdf.NTriples, true},
		{"application/trig", rdf.TriG, true},
		{"application/n-quads", rdf.NQuads, true},
		{"application/rdf+xml", rdf.RDFXML, true},
		{"text/n3", 0, false},
		{"application/json", 0, false},
		{"text/turtlex", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		if f, ok := rdf.FormatOf(tt.mediaType); f != tt.want || ok != tt.ok {
			t.Errorf("FormatOf(%q) = %v, %t", tt.mediaType, f, ok)
		}
	}
}

func TestTerms(t *testing.T) {
	at := time.Date(2026, 11, 21, 23, 30, 0, 500_000_000, time.FixedZone("", 3600))
	tests := []struct {
		term rdf.Term
		want string
	}{
		{rdf.IRI("urn:a"), `<urn:a>`},
		{rdf.Blank("b"), `_:b`},
		{rdf.String("a\"b"), `"a\"b"`},
		{rdf.LangString("hej", "sv"), `"hej"@sv`},
		{rdf.Typed("x", "http://www.w3.org/2001/XMLSchema#string"), `"x"`},
		{rdf.Bool(true), `"true"^^<http://www.w3.org/2001/XMLSchema#boolean>`},
		{rdf.Integer(-7), `"-7"^^<http://www.w3.org/2001/XMLSchema#integer>`},
		{rdf.Date(at), `"2026-11-21"^^<http://www.w3.org/2001/XMLSchema#date>`},
		{rdf.DateTime(at), `"2026-11-21T22:30:00.5Z"^^<http://www.w3.org/2001/XMLSchema#dateTime>`},
	}
	for _, tt := range tests {
		if got := tt.term.String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if d := rdf.LangString("a", "sv").DatatypeIRI(); d != rdfNS+"langString" {
		t.Error(d)
	}
	if d := rdf.String("a").DatatypeIRI(); d != "http://www.w3.org/2001/XMLSchema#string" {
		t.Error(d)
	}
}

func TestGraphMayBeReadByMany(t *testing.T) {
	g := people(200)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			s := rdf.IRI(fmt.Sprintf("https://pod.example.se/w/%08d/profile/card#me", i))
			for range 20 {
				g.Objects(s, rdf.IRI("http://xmlns.com/foaf/0.1/knows"))
				g.Has(s, rdf.IRI(rdfNS+"type"), rdf.IRI("http://xmlns.com/foaf/0.1/Person"))
				document(t, g, rdf.Turtle)
				document(t, g, rdf.JSONLD)
				document(t, g, rdf.NTriples)
				g.Rename(strings.ToUpper)
			}
		})
	}
	all.Wait()
}

func TestGraphMayChangeWhileItIsRead(t *testing.T) {
	g := people(100)
	for triple := range g.All() {
		g.Remove(triple.S, triple.P, triple.O)
		g.Add(triple.S, rdf.IRI("urn:again"), triple.O)
		if g.Len() > 5000 {
			break
		}
	}
	for triple := range g.All() {
		g.Remove(triple.S, triple.P, triple.O)
	}
	if g.Len() != 0 {
		t.Errorf("%d triples are left", g.Len())
	}
}
