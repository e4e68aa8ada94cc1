// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	knakk "github.com/knakk/rdf"
	"github.com/piprate/json-gold/ld"

	"skrin/ldp/rdf"
)

// The tests of this file are the traps that the libraries set. Each shows first
// that the library falls into it, used as anybody would, so that we learn when it
// no longer does; then that we don't.

const acl = "http://www.w3.org/ns/auth/acl#"

// TestTrapRelativeTarget: the target of an authorization, beside its document.
func TestTrapRelativeTarget(t *testing.T) {
	const base, body = "https://pod.example/alva/profile/card", "<#a> <" + acl + "accessTo> <./> ."
	const want = "https://pod.example/alva/profile/"
	t.Run("knakk/rdf grants another resource", func(t *testing.T) {
		iri, err := knakk.NewIRI(base)
		if err != nil {
			t.Fatal(err)
		}
		d := knakk.NewTripleDecoder(strings.NewReader(body), knakk.Turtle)
		if err := d.SetOption(knakk.Base, iri); err != nil {
			t.Fatal(err)
		}
		triples, err := d.DecodeAll()
		if err != nil || triples[0].Obj.String() == want {
			t.Errorf("the trap is gone: %v %v", triples, err)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		g, err := rdf.Read(context.Background(), []byte(body), rdf.Turtle, base, rdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := g.Object(rdf.IRI(base+"#a"), rdf.IRI(acl+"accessTo")); o != rdf.IRI(want) {
			t.Errorf("the target is %v", o)
		}
	})
}

// TestTrapRelativeTargetInJSONLD: json-gold resolves as it resolves URLs, and
// cleans the path up.
func TestTrapRelativeTargetInJSONLD(t *testing.T) {
	const base, body = "https://pod.example/alva/a//b/åäö", `{"@id": "c%2Fd/å", "http://www.w3.org/ns/auth/acl#mode": {"@id": "urn:m"}}`
	const want = "https://pod.example/alva/a//b/c%2Fd/å"
	t.Run("json-gold names another resource", func(t *testing.T) {
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		expanded, err := ld.NewJsonLdProcessor().Expand(document, ld.NewJsonLdOptions(base))
		if err != nil || expanded[0].(map[string]any)["@id"] == want {
			t.Errorf("the trap is gone: %v %v", expanded, err)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		g, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, base, rdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !g.Has(rdf.IRI(want), rdf.IRI(acl+"mode"), rdf.IRI("urn:m")) {
			for triple := range g.All() {
				t.Error(triple)
			}
		}
	})
}

// TestTrapSixBytes: a body of six bytes ends the process, from a goroutine where
// no recover helps.
func TestTrapSixBytes(t *testing.T) {
	const body = ".0e0Sp"
	if os.Getenv("SKRIN_TEST_SIX_BYTES") != "" {
		defer func() { _ = recover() }()
		_, _ = knakk.NewTripleDecoder(strings.NewReader(body), knakk.NTriples).DecodeAll()
		time.Sleep(time.Second)
		return
	}
	t.Run("knakk/rdf takes the process with it", func(t *testing.T) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTrapSixBytes$")
		cmd.Env = append(os.Environ(), "SKRIN_TEST_SIX_BYTES=1")
		if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("panic")) {
			t.Errorf("the trap is gone: %v %s", err, out)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		for _, f := range []rdf.Format{rdf.NTriples, rdf.NQuads, rdf.Turtle, rdf.TriG} {
			if _, err := rdf.Read(context.Background(), []byte(body), f, "", rdf.Limits{}); err == nil {
				t.Errorf("%s reads it", f)
			}
		}
	})
}

// TestTrapGoroutines: a malformed body leaves a goroutine behind for ever.
func TestTrapGoroutines(t *testing.T) {
	const body = "<urn:a> <urn:b> . <urn:c> <urn:d> <urn:e> ."
	count := func(read func()) int {
		before := runtime.NumGoroutine()
		for range 100 {
			read()
		}
		time.Sleep(20 * time.Millisecond)
		return runtime.NumGoroutine() - before
	}
	t.Run("knakk/rdf leaks", func(t *testing.T) {
		if n := count(func() { _, _ = knakk.NewTripleDecoder(strings.NewReader(body), knakk.Turtle).DecodeAll() }); n < 50 {
			t.Errorf("the trap is gone: %d goroutines", n)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		if n := count(func() { _, _ = rdf.Read(context.Background(), []byte(body), rdf.Turtle, "", rdf.Limits{}) }); n > 5 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

// TestTrapTripleInALiteral: a stored value that becomes a grant when it is
// written.
func TestTrapTripleInALiteral(t *testing.T) {
	const integer, evil = "http://www.w3.org/2001/XMLSchema#integer", "1 . <urn:evil> <" + acl + "agent> <urn:mallory>"
	t.Run("knakk/rdf writes two triples for one", func(t *testing.T) {
		s, _ := knakk.NewIRI("urn:s")
		datatype, _ := knakk.NewIRI(integer)
		var out bytes.Buffer
		e := knakk.NewTripleEncoder(&out, knakk.Turtle)
		if err := e.Encode(knakk.Triple{Subj: s, Pred: s, Obj: knakk.NewTypedLiteral(evil, datatype)}); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		g, err := rdf.Read(context.Background(), out.Bytes(), rdf.Turtle, "", rdf.Limits{})
		if err != nil || g.Len() != 2 {
			t.Errorf("the trap is gone: %s %v", out.Bytes(), err)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		d := new(rdf.Dataset)
		d.Default().Add(rdf.IRI("urn:s"), rdf.IRI("urn:p"), rdf.Typed(evil, integer))
		roundTrip(t, d)
	})
}

// TestTrapTripleInAnIRI: an IRI that closes its own bracket.
func TestTrapTripleInAnIRI(t *testing.T) {
	const evil = "urn:a> <urn:evil> <urn:o> . <urn:x"
	body := `{"@id": "` + evil + `", "urn:p": "v"}`
	t.Run("json-gold writes two triples for one", func(t *testing.T) {
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		opts := ld.NewJsonLdOptions("")
		opts.Format = "application/n-quads"
		out, err := ld.NewJsonLdProcessor().ToRDF(document, opts)
		if text, _ := out.(string); err != nil || !strings.Contains(text, "<urn:evil>") {
			t.Errorf("the trap is gone: %v %v", out, err)
		}
	})
	t.Run("we refuse to read it", func(t *testing.T) {
		var syntax *rdf.SyntaxError
		if _, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, "", rdf.Limits{}); !errors.As(err, &syntax) {
			t.Error(err)
		}
	})
	t.Run("we refuse to write it", func(t *testing.T) {
		for _, bad := range []rdf.Triple{
			{S: rdf.IRI(evil), P: rdf.IRI("urn:p"), O: rdf.String("v")},
			{S: rdf.IRI("urn:s"), P: rdf.IRI(evil), O: rdf.String("v")},
			{S: rdf.IRI("urn:s"), P: rdf.IRI("urn:p"), O: rdf.IRI(evil)},
			{S: rdf.IRI("urn:s"), P: rdf.IRI("urn:p"), O: rdf.Typed("v", evil)},
			{S: rdf.IRI("urn:s"), P: rdf.IRI("urn:p"), O: rdf.LangString("v", "en . <urn:evil> <urn:p> <urn:o>")},
			{S: rdf.Blank("b> <urn:evil"), P: rdf.IRI("urn:p"), O: rdf.String("v")},
			{S: rdf.IRI("relative"), P: rdf.IRI("urn:p"), O: rdf.String("v")},
			{S: rdf.String("s"), P: rdf.IRI("urn:p"), O: rdf.String("v")},
			{S: rdf.IRI("urn:s"), P: rdf.Blank("b"), O: rdf.String("v")},
			{S: rdf.IRI("urn:s"), P: rdf.IRI("urn:p"), O: rdf.String("\xff")},
			{S: rdf.IRI("urn:s"), P: rdf.IRI("urn:p")},
		} {
			g := new(rdf.Graph)
			g.Add(bad.S, bad.P, bad.O)
			for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.JSONLD, rdf.TriG, rdf.NQuads} {
				var term *rdf.TermError
				if out, err := rdf.Write(g, f, rdf.WriteOptions{}); !errors.As(err, &term) {
					t.Errorf("%s: %v\n%s", f, err, out)
				}
			}
			if _, err := rdf.AppendNTriples(nil, bad); err == nil {
				t.Error("appended")
			}
			if _, err := rdf.Canonical(context.Background(), g, rdf.Limits{}); err == nil {
				t.Error("canonicalized")
			}
		}
	})
}

// TestTrapContextFromDisk: a context that is a file of the server's.
func TestTrapContextFromDisk(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"@context": {"p": "urn:read-from-disk"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"@context": %q, "@id": "urn:s", "p": "v"}`, secret)
	t.Run("json-gold opens it", func(t *testing.T) {
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		expanded, err := ld.NewJsonLdProcessor().Expand(document, ld.NewJsonLdOptions(""))
		if err != nil || !strings.Contains(fmt.Sprint(expanded), "read-from-disk") {
			t.Errorf("the trap is gone: %v %v", expanded, err)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		loader := func(_ context.Context, iri string) ([]byte, error) {
			t.Errorf("the loader is asked for %s", iri)
			return nil, errors.New("no")
		}
		for _, base := range []string{"", "https://pod.example/x"} {
			if base != "" {
				loader = nil
			}
			if _, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, base, rdf.Limits{LoadContext: loader}); err == nil {
				t.Error("read")
			}
		}
	})
}

// TestTrapAlgorithm: what is signed depends on a default of another algorithm.
func TestTrapAlgorithm(t *testing.T) {
	t.Run("json-gold's default is not the standard's", func(t *testing.T) {
		if ld.NewJsonLdOptions("").Algorithm == ld.AlgorithmURDNA2015 {
			t.Error("the trap is gone")
		}
	})
	t.Run("ours is RDFC-1.0", func(t *testing.T) { // of a quad, the graph's blank node has a hash of its own
		d := new(rdf.Dataset)
		d.Graph(rdf.Blank("g")).Add(rdf.Blank("s"), rdf.IRI("urn:p"), rdf.Blank("g"))
		got, err := rdf.CanonicalDataset(context.Background(), d, rdf.Limits{})
		if err != nil || string(got) != "_:c14n1 <urn:p> _:c14n0 _:c14n0 .\n" && string(got) != "_:c14n0 <urn:p> _:c14n1 _:c14n1 .\n" {
			t.Errorf("%s %v", got, err)
		}
	})
}

// TestTrapDroppedProperty: a misspelt property is left out of what is signed.
func TestTrapDroppedProperty(t *testing.T) {
	const body = `{"@context": {"good": "urn:good"}, "@id": "urn:s", "good": "1", "gud": "2"}`
	t.Run("json-gold drops it, in safe mode too", func(t *testing.T) {
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		opts := ld.NewJsonLdOptions("")
		opts.SafeMode, opts.Format = true, "application/n-quads"
		out, err := ld.NewJsonLdProcessor().Normalize(document, opts)
		if err != nil || strings.Count(fmt.Sprint(out), "\n") != 1 {
			t.Errorf("the trap is gone: %v %v", out, err)
		}
	})
	t.Run("we refuse the document", func(t *testing.T) {
		if _, err := jsonld(body); err == nil {
			t.Error("read")
		}
	})
}

// TestTrapPanics: documents that json-gold panics on.
func TestTrapPanics(t *testing.T) {
	const body = `{"@context": {"@base": null}, "@id": "urn:a", "urn:p": {"@list": [{"@id": "rel"}]}}`
	t.Run("json-gold panics", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("the trap is gone")
			}
		}()
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		opts := ld.NewJsonLdOptions("")
		opts.Format = "application/n-quads"
		_, _ = ld.NewJsonLdProcessor().ToRDF(document, opts)
	})
	t.Run("we don't", func(t *testing.T) {
		for _, body := range []string{body, `{"@type": 1}`, `{"@context": {"t": {"@id": "@type", "@container": "@set"}}, "t": [null]}`, `{"@context": {"@protected": 1}}`} {
			if _, err := jsonld(body); err == nil && strings.Contains(body, "null}") {
				t.Error("read")
			}
		}
	})
}

// TestTrapContextsMultiply: a context that is applied to every node.
func TestTrapContextsMultiply(t *testing.T) {
	var terms, nodes strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&terms, `"t%d": "urn:t%d",`, i, i)
		nodes.WriteString(`{"x": {}},`)
	}
	scoped := `{"@context": {` + terms.String() + `"x": {"@id": "urn:x", "@context": {"y": "urn:y"}}}, "@graph": [` + strings.TrimSuffix(nodes.String(), ",") + `]}`
	nested := `[` + strings.Repeat(`{"@context": {"a": "urn:a"}, "a": "1"},`, 100) + `{}]`
	for name, body := range map[string]string{"scoped to a property": scoped, "in every node": nested} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			var limit *rdf.LimitError
			if _, err := jsonld(body); !errors.As(err, &limit) {
				t.Errorf("%v, want a limit", err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestTrapTermsMadeOfTerms: each term is defined by the next, and json-gold calls
// itself for each. Half a million of them, in a document of 8 MiB, take all the stack
// there is, and with it the process.
func TestTrapTermsMadeOfTerms(t *testing.T) {
	var terms strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&terms, `"t%d": "t%d:",`, i, i+1)
	}
	for name, body := range map[string]string{
		"in one context":     `{"@context": {` + terms.String() + `"z": "urn:z"}, "t0": "x"}`,
		"scoped to a term":   `{"@context": {"x": {"@id": "urn:x", "@context": {` + terms.String() + `"z": "urn:z"}}}, "x": {"t0": "x"}}`,
		"in several at once": `{"@context": [{` + strings.ReplaceAll(terms.String(), `",`, `"},{`) + `}], "t0": "x"}`,
	} {
		var limit *rdf.LimitError
		if _, err := jsonld(body); !errors.As(err, &limit) {
			t.Errorf("%s: %v, want a limit", name, err)
		}
	}
}

// TestTrapBlankNodesMerge: a node without a label takes the label of another.
func TestTrapBlankNodesMerge(t *testing.T) {
	const body = `[] <urn:p> "1" . _:b1 <urn:p> "2" . _:b0 <urn:p> "3" .`
	t.Run("knakk/rdf merges them", func(t *testing.T) {
		triples, err := knakk.NewTripleDecoder(strings.NewReader(body), knakk.Turtle).DecodeAll()
		nodes := map[string]bool{}
		for _, triple := range triples {
			nodes[triple.Subj.String()] = true
		}
		if err != nil || len(nodes) == 3 {
			t.Errorf("the trap is gone: %v %v", nodes, err)
		}
	})
	t.Run("we don't", func(t *testing.T) {
		for f, body := range map[rdf.Format]string{
			rdf.Turtle: `[] <urn:p> "1" . _:g1 <urn:p> "2" . _:g_1 <urn:p> "3" . _:g__1 <urn:p> "4" .`,
			rdf.JSONLD: `[{"urn:p": "1"}, {"@id": "_:g1", "urn:p": "2"}, {"@id": "_:g_1", "urn:p": "3"}, {"@id": "_:b0", "urn:p": "4"}]`,
			rdf.RDFXML: `<rdf:RDF xmlns:rdf="` + rdfNS + `" xmlns:e="urn:"><rdf:Description e:p="1"/><rdf:Description rdf:nodeID="g1" e:p="2"/>
				<rdf:Description rdf:nodeID="g_1" e:p="3"/><rdf:Description rdf:nodeID="b0" e:p="4"/></rdf:RDF>`,
		} {
			g, err := rdf.Read(context.Background(), []byte(body), f, "", rdf.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			nodes := map[rdf.Term]bool{}
			for triple := range g.All() {
				nodes[triple.S] = true
			}
			if len(nodes) != 4 {
				t.Errorf("%s: %v", f, nodes)
			}
		}
	})
}

// TestTrapInvalidUTF8: bytes that no reader after us may see.
func TestTrapInvalidUTF8(t *testing.T) {
	t.Run("knakk/rdf lets them in", func(t *testing.T) {
		triples, err := knakk.NewTripleDecoder(strings.NewReader("<urn:a> <urn:p> \"\xff\" .\n"), knakk.NTriples).DecodeAll()
		if err != nil || len(triples) != 1 {
			t.Errorf("the trap is gone: %v %v", triples, err)
		}
	})
	t.Run("we say where they are", func(t *testing.T) {
		for f, body := range map[rdf.Format]string{
			rdf.NTriples: "<urn:a> <urn:p> \"x\" .\n<urn:a> <urn:å> \"\xff\" .\n",
			rdf.Turtle:   "<urn:a> <urn:p> \"x\" .\n<urn:a> <urn:å> \"\xff\" .\n",
			rdf.JSONLD:   "{\"@id\": \"urn:a\",\n\"urn:pppppå\": \"\xff\"}",
		} {
			_, err := rdf.Read(context.Background(), []byte(body), f, "", rdf.Limits{})
			var syntax *rdf.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line != 2 || syntax.Column != 18-map[bool]int{true: 2}[f == rdf.JSONLD] {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
}

// TestTrapRDFXML: what knakk/rdf reads otherwise than it is meant, and says
// nothing.
func TestTrapRDFXML(t *testing.T) {
	const a = "urn:a"
	tests := []struct {
		name, body, want string
		both             bool // knakk/rdf reads it too
	}{
		{"a nested node with an IRI", `<rdf:Description rdf:about="http://e/a"><e:knows> <rdf:Description rdf:about="http://e/b"><e:name>B</e:name></rdf:Description></e:knows></rdf:Description>`,
			`<http://e/a> <http://e/knows> <http://e/b> . <http://e/b> <http://e/name> "B" .`, false},
		{"a nested node of a type", `<rdf:Description rdf:about="http://e/a"><e:knows><e:Person/></e:knows></rdf:Description>`,
			`<http://e/a> <http://e/knows> [ a <http://e/Person> ] .`, false},
		{"an attribute after a type", `<rdf:Description rdf:about="http://e/a" rdf:type="http://e/T" e:q="kept"/>`,
			`<http://e/a> a <http://e/T> ; <http://e/q> "kept" .`, false},
		{"a comment in text", `<rdf:Description rdf:about="http://e/a"><e:p>a<!-- c -->b</e:p></rdf:Description>`,
			`<http://e/a> <http://e/p> "ab" .`, false},
		{"a URN", `<rdf:Description rdf:about="urn:a"><e:p rdf:resource="mailto:a@e"/></rdf:Description>`,
			`<urn:a> <http://e/p> <mailto:a@e> .`, false},
		{"plain properties", `<rdf:Description rdf:about="http://e/a"><e:p>x</e:p><e:q rdf:resource="http://e/b"/></rdf:Description>`,
			`<http://e/a> <http://e/p> "x" ; <http://e/q> <http://e/b> .`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `<rdf:RDF xmlns:rdf="` + rdfNS + `" xmlns:e="http://e/">` + tt.body + `</rdf:RDF>`
			want := turtle(t, tt.want)
			g, err := rdf.Read(context.Background(), []byte(body), rdf.RDFXML, a, rdf.Limits{})
			if err != nil || !rdf.Isomorphic(g, want) {
				t.Errorf("we read %v, %v", g, err)
			}
			if same := rdf.Isomorphic(theirs(body, knakk.RDFXML), want); same != tt.both {
				t.Errorf("knakk/rdf reads it: %t", same)
			}
		})
	}
}

// theirs returns the graph that knakk/rdf reads, as far as it comes.
func theirs(body string, f knakk.Format) *rdf.Graph {
	g := new(rdf.Graph)
	triples, _ := knakk.NewTripleDecoder(strings.NewReader(body), f).DecodeAll()
	var out bytes.Buffer
	for _, triple := range triples {
		out.WriteString(triple.Serialize(knakk.NTriples))
	}
	if read, err := rdf.Read(context.Background(), out.Bytes(), rdf.NTriples, "", rdf.Limits{}); err == nil {
		g = read
	}
	return g
}
