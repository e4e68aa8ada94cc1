// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

// tight are limits under which a fuzzer finds what is slow.
var tight = rdf.Limits{Bytes: 1 << 16, Triples: 2000, Depth: 40, IRI: 500, Literal: 5000, Contexts: 8, Work: 50_000}

// seed adds the W3C's files with one of the endings.
func seed(f *testing.F, endings ...string) {
	f.Helper()
	err := filepath.WalkDir(vectors[0], func(path string, _ fs.DirEntry, err error) error {
		for _, ending := range endings {
			if strings.HasSuffix(path, ending) && filepath.Base(path) != "manifest.ttl" {
				body, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				f.Add(body)
			}
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}

// fuzzRead holds that a reader ends, and that what it reads can be written in
// each format and reads back the same.
func fuzzRead(f *testing.F, format rdf.Format) {
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := rdf.ReadDataset(context.Background(), body, format, "https://pod.example/a/b?c", tight)
		if err != nil {
			fit(t, err, body)
			return
		}
		roundTrip(t, d)
	})
}

// fit holds that an error is one for the sender, and quotes no more than a name
// of the document.
func fit(t *testing.T, err error, body []byte) {
	t.Helper()
	var syntax *rdf.SyntaxError
	var limit *rdf.LimitError
	var unknown *rdf.ContextError
	switch {
	case errors.As(err, &syntax):
		if lines := bytes.Count(body, []byte("\n")) + 1; syntax.Line > lines {
			t.Errorf("line %d of %d", syntax.Line, lines)
		}
	case errors.As(err, &limit), errors.As(err, &unknown):
	default:
		t.Errorf("%T: %v", err, err)
	}
	if len(err.Error()) > 300 {
		t.Errorf("a long message: %v", err)
	}
}

func FuzzTurtle(f *testing.F)   { seed(f, ".ttl"); fuzzRead(f, rdf.Turtle) }
func FuzzNTriples(f *testing.F) { seed(f, ".nt"); fuzzRead(f, rdf.NTriples) }

func FuzzTriG(f *testing.F) {
	seed(f, ".ttl")
	f.Add([]byte(`@prefix : <urn:> . { :a :p [ :q ( 1 2 ) ] } GRAPH _:g { _:b :p _:b } [] { :a :b _:b . } :a :b _:b .`))
	fuzzRead(f, rdf.TriG)
}

func FuzzNQuads(f *testing.F) {
	seed(f, ".nt")
	f.Add([]byte("_:a <urn:p> \"x\"@en <urn:g> .\n_:a <urn:p> _:b _:g . # c\n"))
	fuzzRead(f, rdf.NQuads)
}

func FuzzJSONLD(f *testing.F) {
	for _, body := range []string{
		`{"@context": {"@vocab": "urn:", "l": {"@container": "@list"}, "n": {"@type": "@id"}, "t": {"@language": "sv-SE"}}, "l": [1, true, {"@id": "x"}], "n": "..", "t": "å"}`,
		`{"@context": ["https://www.w3.org/ns/credentials/v2"], "id": "urn:c", "type": "VerifiableCredential", "issuer": {"id": "urn:i"}}`,
		`{"@context": {"@base": "http://e/"}, "@id": "a", "urn:p": {"@graph": [{"@id": "_:b", "urn:q": {"@value": {"b": [1e30, null]}, "@type": "@json"}}]}}`,
		`[{"@id": "urn:a", "@reverse": {"urn:p": [{"@id": "_:x"}]}, "urn:n": [1.5, 1e21, -0.0, "1"], "@included": [{"@type": "urn:T"}]}]`,
	} {
		f.Add([]byte(body))
	}
	fuzzRead(f, rdf.JSONLD)
}

func FuzzRDFXML(f *testing.F) {
	for _, body := range []string{
		`<rdf:RDF xmlns:rdf="` + rdfNS + `" xmlns:e="http://e/" xml:base="http://b/"><rdf:Description rdf:ID="a" e:p="x" xml:lang="sv"><e:q rdf:parseType="Collection"><e:T/><rdf:Description rdf:about="b"/></e:q><rdf:li rdf:nodeID="n"/></rdf:Description></rdf:RDF>`,
		`<e:T xmlns:e="http://e/" xmlns:rdf="` + rdfNS + `"><e:p rdf:parseType="Literal">a<b c="&lt;">x &amp; y</b><!-- c --></e:p><e:r rdf:parseType="Resource" rdf:ID="i"><e:d rdf:datatype="http://e/d">1</e:d></e:r></e:T>`,
	} {
		f.Add([]byte(body))
	}
	fuzzRead(f, rdf.RDFXML)
}

// fuzzPatch holds that a patch is read or refused, and applied whole or not.
func fuzzPatch(f *testing.F, parse func(context.Context, []byte, string, rdf.Limits) (*rdf.Patch, error)) {
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parse(context.Background(), body, here, tight)
		if err != nil {
			return
		}
		g := turtle(t, `<#a> :name "Alan" ; :knows <#b>, <#c>, [ :p 1 ] . <#b> :name "Bea" . <#c> :name "Cy" .`)
		before := g.Clone()
		err = p.Apply(g)
		if err != nil && !rdf.Isomorphic(g, before) {
			t.Errorf("a patch that failed changed the graph: %v", err)
		}
		if !p.HasDeletes() {
			for triple := range before.All() {
				if !g.Has(triple.S, triple.P, triple.O) {
					t.Errorf("%v was deleted, and the patch has no deletes", triple)
				}
			}
		}
		if !p.HasInserts() && g.Len() > before.Len() {
			t.Error("more triples, and the patch has no inserts")
		}
		if _, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{}); err != nil {
			t.Errorf("the result can't be written: %v", err)
		}
	})
}

func FuzzN3Patch(f *testing.F) {
	f.Add([]byte(`@prefix solid: <http://www.w3.org/ns/solid/terms#> . @prefix : <https://pod.example/ns#> .
		_:p a solid:InsertDeletePatch ; solid:where { ?a :name "Bea" . ?b :knows ?a } ; solid:deletes { ?a :name "Bea" } ; solid:inserts { ?a :name "Bo" ; :q ( 1 [ :r _:x ] ) } .`))
	fuzzPatch(f, rdf.ParseN3Patch)
}

func FuzzSPARQLUpdate(f *testing.F) {
	seed(f, ".ru")
	f.Add([]byte(`PREFIX : <https://pod.example/ns#> DELETE { ?a :name ?n } INSERT { ?a :label ?n, [] } WHERE { ?a :name ?n ; :knows _:b } ; INSERT DATA { <> a :T }`))
	fuzzPatch(f, rdf.ParseSPARQLUpdate)
}

// FuzzWrite holds that whatever is put into a graph is refused by the writers or
// reads back the same.
func FuzzWrite(f *testing.F) {
	f.Add("urn:s", "urn:p", "text", "urn:d", "en", byte(0))
	f.Add("http://www.w3.org/ns/auth/acl#a", "http://www.w3.org/ns/auth/acl#b", "-1.5e3", "http://www.w3.org/2001/XMLSchema#double", "", byte(1))
	f.Add("acl:x", "acl:y", "a\"\\\n\x00\u2028", "acl:z", "", byte(2))
	f.Add("b1", "urn:p", "b1", "", "", byte(7))
	f.Fuzz(func(t *testing.T, s, p, value, datatype, lang string, kinds byte) {
		g := new(rdf.Graph)
		g.SetPrefix(lang, p)
		subject, object := rdf.IRI(s), rdf.Typed(value, datatype)
		if kinds&1 != 0 {
			subject = rdf.Blank(s)
		}
		switch kinds >> 1 & 3 {
		case 1:
			object = rdf.LangString(value, lang)
		case 2:
			object = rdf.IRI(value)
		case 3:
			object = rdf.Blank(value)
		}
		g.Add(subject, rdf.IRI(p), object)
		g.Add(subject, rdf.IRI("http://www.w3.org/ns/auth/acl#agent"), rdf.IRI("urn:x"))
		if kinds&8 != 0 {
			g.Add(object, rdf.IRI(p), subject)
		}
		for _, format := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.JSONLD} {
			out, err := rdf.Write(g, format, rdf.WriteOptions{Prefixes: map[string]string{value: s}})
			var term *rdf.TermError
			if err != nil {
				if !errors.As(err, &term) {
					t.Errorf("%s: %v", format, err)
				}
				continue
			}
			back, err := rdf.Read(context.Background(), out, format, "", rdf.Limits{})
			if err != nil || !rdf.Isomorphic(g, back) {
				t.Errorf("%s does not read back: %v\n%s", format, err, out)
			}
		}
	})
}

// FuzzResolveIRI holds that resolving gives an absolute IRI, and once is enough.
func FuzzResolveIRI(f *testing.F) {
	for _, ref := range []string{"", "g", "./", "../g?y#s", "//h/..", "#", "?", "a:b", "..//../g"} {
		f.Add("http://a/b/c/d;p?q", ref)
	}
	f.Add("A:.", "") // an empty reference takes the base's path as it is, dots and all
	f.Fuzz(func(t *testing.T, base, ref string) {
		base, err := rdf.ResolveIRI(base, base) // without dot segments
		if err != nil {
			return
		}
		iri, err := rdf.ResolveIRI(base, ref)
		if err != nil {
			return
		}
		if again, err := rdf.ResolveIRI(base, iri); err != nil || again != iri {
			t.Errorf("%q against %q is %q, and then %q, %v", ref, base, iri, again, err)
		}
	})
}
