// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/ldp/rdf"
)

// TestW3CCanonical runs the W3C's suite where its data is present.
func TestW3CCanonical(t *testing.T) {
	suite(t, "rdf-canon", "https://w3c.github.io/rdf-canon/tests/", func(t *testing.T, tests []w3cTest) {
		for _, w := range tests {
			if w.kind == "RDFC10MapTest" {
				continue // the map itself is not part of what we return
			}
			t.Run(w.name, func(t *testing.T) {
				if algorithm, ok := w.manifest.Object(w.node, rdf.IRI("https://w3c.github.io/rdf-canon/tests/vocab#hashAlgorithm")); ok {
					t.Skipf("%s is not supported", algorithm.Value)
				}
				body, base := w.file(t, w.action)
				d, err := rdf.ReadDataset(context.Background(), body, rdf.NQuads, base, rdf.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				got, err := rdf.CanonicalDataset(context.Background(), d, rdf.Limits{})
				if took := time.Since(start); took > 20*time.Millisecond {
					t.Logf("took %v", took)
				}
				if strings.Contains(w.kind, "Negative") {
					if err == nil {
						t.Fatal("a poison graph was canonicalized")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if want, _ := w.file(t, w.result); string(got) != string(want) {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		}
	})
}

// TestCanonicalURDNA runs the data of the algorithm's forerunner URDNA2015, which
// travels with json-gold.
func TestCanonicalURDNA(t *testing.T) {
	dir := filepath.Join(goldDir(t), "testdata", "normalization")
	inputs, err := filepath.Glob(filepath.Join(dir, "*-in.nq"))
	if err != nil || len(inputs) < 60 {
		t.Fatalf("%d tests in %s, %v", len(inputs), dir, err)
	}
	differs := map[string]string{
		"test060": "the escapes of literals: RDFC-1.0 has them for control characters too",
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), "-in.nq")
		t.Run(name, func(t *testing.T) {
			if why := differs[name]; why != "" {
				t.Skip(why)
			}
			body, want := readFile(t, input), readFile(t, strings.TrimSuffix(input, "-in.nq")+"-urdna2015.nq")
			d, err := rdf.ReadDataset(context.Background(), body, rdf.NQuads, "", rdf.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := rdf.CanonicalDataset(context.Background(), d, rdf.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// clique is a graph of n blank nodes that all know each other, which nothing
// tells apart.
func clique(n int) *rdf.Graph {
	g := new(rdf.Graph)
	for i := range n {
		for j := range n {
			if i != j {
				g.Add(rdf.Blank(fmt.Sprint("b", i)), rdf.IRI("urn:knows"), rdf.Blank(fmt.Sprint("b", j)))
			}
		}
	}
	return g
}

func TestCanonicalRefusesPoison(t *testing.T) {
	for _, n := range []int{8, 9, 20, 100} {
		start := time.Now()
		_, err := rdf.Canonical(context.Background(), clique(n), rdf.Limits{})
		took := time.Since(start)
		var limit *rdf.LimitError
		if !errors.As(err, &limit) {
			t.Errorf("a clique of %d: %v, want a limit", n, err)
		}
		if took > 2*time.Second {
			t.Errorf("a clique of %d took %v", n, took)
		}
		t.Logf("a clique of %d was refused after %v", n, took)
	}
}

func TestCanonicalForgetsLabelsAndOrder(t *testing.T) {
	a := turtle(t, `[] :p [ :q 1 ; :r (1 2 [ :s "x" ]) ] ; :p [ :q 2 ] . _:x :p _:y . _:y :p _:x . _:x :name "x"`)
	b := new(rdf.Graph)
	var triples []rdf.Triple
	for triple := range a.All() {
		triples = append(triples, triple)
	}
	rename := func(t rdf.Term) rdf.Term {
		if t.IsBlank() {
			t.Value = "other" + t.Value
		}
		return t
	}
	for i := len(triples) - 1; i >= 0; i-- {
		b.Add(rename(triples[i].S), triples[i].P, rename(triples[i].O))
	}
	one, err := rdf.Canonical(context.Background(), a, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := rdf.Canonical(context.Background(), b, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if string(one) != string(two) {
		t.Errorf("isomorphic graphs have canonical forms\n%s\n%s", one, two)
	}
}
