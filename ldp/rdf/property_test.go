// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"skrin/ldp/rdf"
)

// old is what Rename must leave nothing of.
const old = "https://pod.example/alva/"

// terms draw what may be where in a triple. Some are in the pod of old.
func iris() *rapid.Generator[rdf.Term] {
	return rapid.Custom(func(t *rapid.T) rdf.Term {
		base := rapid.SampledFrom([]string{old, old + "profile/card#", "http://www.w3.org/ns/auth/acl#", "urn:x:", "http://e/å?q=", rdfNS}).Draw(t, "base")
		return rdf.IRI(base + rapid.SampledFrom([]string{"me", "", "a.b", "type", "first", "rest", "nil", "%20", "x-1", "~y"}).Draw(t, "local"))
	})
}

func blankNodes() *rapid.Generator[rdf.Term] {
	return rapid.Custom(func(t *rapid.T) rdf.Term { return rdf.Blank(fmt.Sprint("b", rapid.IntRange(0, 9).Draw(t, "label"))) })
}

func literals() *rapid.Generator[rdf.Term] {
	const xsd = "http://www.w3.org/2001/XMLSchema#"
	return rapid.Custom(func(t *rapid.T) rdf.Term {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"1", "01", "-1.5", "1e3", ".", "true", "see " + "nobody", "\"\\\n\r\t\x00"})).Draw(t, "text")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return rdf.LangString(text, rapid.SampledFrom([]string{"sv", "en-GB", "nb"}).Draw(t, "lang"))
		case 1:
			return rdf.Typed(old+rapid.SampledFrom([]string{"x", "y"}).Draw(t, "path"), xsd+"anyURI")
		case 2:
			return rdf.Typed(text, old+"datatype")
		case 3:
			return rdf.Typed(text, xsd+rapid.SampledFrom([]string{"integer", "decimal", "double", "boolean", "string", "date"}).Draw(t, "datatype"))
		}
		return rdf.String(text)
	})
}

func graphs() *rapid.Generator[*rdf.Graph] {
	return rapid.Custom(func(t *rapid.T) *rdf.Graph {
		g := new(rdf.Graph)
		for range rapid.IntRange(0, 30).Draw(t, "triples") {
			g.Add(rapid.OneOf(iris(), blankNodes()).Draw(t, "s"), iris().Draw(t, "p"), rapid.OneOf(iris(), blankNodes(), literals()).Draw(t, "o"))
		}
		g.SetPrefix("mine", old)
		return g
	})
}

// disguise returns the graph with its triples in another order and other labels.
func disguise(t *rapid.T, g *rdf.Graph, labels bool) *rdf.Graph {
	triples := slices.Collect(g.All())
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	random.Shuffle(len(triples), func(i, j int) { triples[i], triples[j] = triples[j], triples[i] })
	rename := func(term rdf.Term) rdf.Term {
		if labels && term.IsBlank() {
			term.Value = fmt.Sprintf("x%d", 9-int(term.Value[1]-'0'))
		}
		return term
	}
	d := new(rdf.Graph)
	for _, triple := range triples {
		d.Add(rename(triple.S), triple.P, rename(triple.O))
	}
	for name, namespace := range g.Prefixes() {
		d.SetPrefix(name, namespace)
	}
	return d
}

func write(t *rapid.T, g *rdf.Graph, f rdf.Format) string {
	out, err := rdf.Write(g, f, rdf.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestPropertyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.JSONLD, rdf.TriG, rdf.NQuads} {
			out := write(t, g, f)
			back, err := rdf.Read(context.Background(), []byte(out), f, "", rdf.Limits{})
			if err != nil || !rdf.Isomorphic(g, back) {
				t.Fatalf("%s does not read back: %v\n%s", f, err, out)
			}
		}
	})
}

func TestPropertyIsomorphic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		d := disguise(t, g, true)
		if !rdf.Isomorphic(g, d) || !rdf.Isomorphic(d, g) {
			t.Fatal("a graph in disguise is not isomorphic to itself")
		}
		one, err := rdf.Canonical(context.Background(), g, rdf.Limits{})
		if err != nil {
			t.Skip("poison")
		}
		two, err := rdf.Canonical(context.Background(), d, rdf.Limits{})
		if err != nil || string(one) != string(two) {
			t.Fatalf("the canonical forms differ: %v\n%s\n%s", err, one, two)
		}
		other := graphs().Draw(t, "other")
		three, err := rdf.Canonical(context.Background(), other, rdf.Limits{})
		if err == nil && rdf.Isomorphic(g, other) != (string(one) == string(three)) {
			t.Fatal("isomorphism and the canonical form disagree")
		}
		for triple := range d.All() {
			d.Remove(triple.S, triple.P, triple.O)
			if rdf.Isomorphic(g, d) {
				t.Fatal("isomorphic without one of its triples")
			}
			break
		}
	})
}

func TestPropertySameGraphSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		d := disguise(t, g, false)
		for _, f := range []rdf.Format{rdf.Turtle, rdf.JSONLD} {
			if one, two := write(t, g, f), write(t, d, f); one != two {
				t.Fatalf("in another order:\n%s\n%s", one, two)
			}
		}
	})
}

func TestPropertyRename(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		before := write(t, g, rdf.NTriples)
		to := func(iri string) string {
			if rest, ok := strings.CutPrefix(iri, old); ok {
				return "https://pod.example/w/k7q/" + rest
			}
			return iri
		}
		from := func(iri string) string {
			if rest, ok := strings.CutPrefix(iri, "https://pod.example/w/k7q/"); ok {
				return old + rest
			}
			return iri
		}
		renamed := g.Rename(to)
		for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.JSONLD, rdf.TriG, rdf.NQuads} {
			if out := write(t, renamed, f); strings.Contains(out, old) {
				t.Fatalf("%s still has an old IRI:\n%s", f, out)
			}
		}
		if write(t, g, rdf.NTriples) != before {
			t.Fatal("the graph itself changed")
		}
		if back := renamed.Rename(from); !rdf.Isomorphic(back, g) {
			t.Fatal("renamed back, it is another graph")
		}
		if labels := write(t, renamed, rdf.NTriples); labels != write(t, disguiseLabels(g).Rename(to), rdf.NTriples) {
			t.Fatal("the labels of blank nodes show through")
		}
	})
}

// disguiseLabels returns the graph with other labels, in the same order.
func disguiseLabels(g *rdf.Graph) *rdf.Graph {
	d := new(rdf.Graph)
	rename := func(term rdf.Term) rdf.Term {
		if term.IsBlank() {
			term.Value = "secret-" + term.Value
		}
		return term
	}
	for triple := range g.All() {
		d.Add(rename(triple.S), triple.P, rename(triple.O))
	}
	return d
}

// TestPropertyGraphIsASet compares a graph with a map through any sequence of
// additions and removals.
func TestPropertyGraphIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, model := new(rdf.Graph), map[rdf.Triple]bool{}
		n := rapid.SampledFrom([]int{3, 40}).Draw(t, "terms")
		draw := func(what string) rdf.Term { return rdf.IRI(fmt.Sprint("urn:", rapid.IntRange(0, n).Draw(t, what))) }
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			triple := rdf.Triple{S: draw("s"), P: rdf.IRI("urn:p"), O: draw("o")}
			if rapid.IntRange(0, 2).Draw(t, "what") > 0 {
				if g.Add(triple.S, triple.P, triple.O) == model[triple] {
					t.Fatal("Add is wrong about what was there")
				}
				model[triple] = true
			} else {
				if g.Remove(triple.S, triple.P, triple.O) != model[triple] {
					t.Fatal("Remove is wrong about what was there")
				}
				delete(model, triple)
			}
		}
		if g.Len() != len(model) {
			t.Fatalf("%d triples, want %d", g.Len(), len(model))
		}
		for triple := range g.All() {
			if !model[triple] || !g.Has(triple.S, triple.P, triple.O) {
				t.Fatalf("%v", triple)
			}
		}
		s, o := draw("s"), draw("o")
		for _, pattern := range []rdf.Triple{{S: s}, {O: o}, {S: s, O: o}, {P: rdf.IRI("urn:p")}, {P: rdf.IRI("urn:q")}, {S: s, P: rdf.IRI("urn:p"), O: o}} {
			want, got := 0, 0
			for triple := range model {
				if (pattern.S.IsZero() || triple.S == pattern.S) && (pattern.P.IsZero() || triple.P == pattern.P) && (pattern.O.IsZero() || triple.O == pattern.O) {
					want++
				}
			}
			for range g.Match(pattern.S, pattern.P, pattern.O) {
				got++
			}
			if got != want {
				t.Fatalf("Match(%v) yields %d, want %d", pattern, got, want)
			}
		}
	})
}
