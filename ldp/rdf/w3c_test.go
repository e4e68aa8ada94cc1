// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

const (
	manifestNS = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
	rdfNS      = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
)

// vectors are the places of the W3C's data: the part that is always here, and
// the whole where it is present.
var vectors = []string{"../../fixtures/w3c", "../../../shared/vectors"}

// A w3cTest is one entry of a manifest.
type w3cTest struct {
	name, kind     string // kind without its namespace
	action, result rdf.Term
	base           string // of the suite
	dir            string
	manifest       *rdf.Graph
	node           rdf.Term
}

// file returns the content of the file that an IRI of the manifest names, and
// the IRI that it has for the test.
func (w w3cTest) file(t *testing.T, name rdf.Term) (body []byte, base string) {
	t.Helper()
	rel, ok := strings.CutPrefix(name.Value, w.base)
	if !ok {
		t.Fatalf("%s is not below %s", name.Value, w.base)
	}
	body, err := os.ReadFile(filepath.Join(w.dir, rel))
	if err != nil {
		t.Fatal(err)
	}
	return body, name.Value
}

// suite returns the tests of the manifest in dir, below each of the vectors. It
// skips those of which the data is not here.
func suite(t *testing.T, dir, base string, run func(t *testing.T, tests []w3cTest)) {
	for _, root := range vectors {
		path := filepath.Join(root, dir)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		t.Run(filepath.Base(root), func(t *testing.T) { run(t, readManifest(t, path, base)) })
	}
}

func readManifest(t *testing.T, dir, base string) []w3cTest {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(dir, "manifest.ttl"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := rdf.Read(context.Background(), body, rdf.Turtle, base+"manifest.ttl", rdf.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	var tests []w3cTest
	for entry := range g.Match(rdf.Term{}, rdf.IRI(manifestNS+"action"), rdf.Term{}) {
		w := w3cTest{action: entry.O, base: base, dir: dir, manifest: g, node: entry.S}
		w.result, _ = g.Object(entry.S, rdf.IRI(manifestNS+"result"))
		name, _ := g.Object(entry.S, rdf.IRI(manifestNS+"name"))
		kind, _ := g.Object(entry.S, rdf.IRI(rdfNS+"type"))
		_, w.kind, _ = strings.Cut(kind.Value, "#")
		w.name = name.Value
		tests = append(tests, w)
	}
	return tests
}

func TestW3C(t *testing.T) {
	suites := []struct {
		name, dir, base string
		format, result  rdf.Format
		count           int
	}{
		{"Turtle", "rdf/rdf11/rdf-turtle", "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-turtle/", rdf.Turtle, rdf.NTriples, 313},
		{"N-Triples", "rdf/rdf11/rdf-n-triples", "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-n-triples/", rdf.NTriples, 0, 70},
		{"N-Quads", "rdf/rdf11/rdf-n-quads", "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-n-quads/", rdf.NQuads, 0, 87},
		{"RDF/XML", "rdf/rdf11/rdf-xml", "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-xml/", rdf.RDFXML, rdf.NTriples, 166},
		{"TriG", "rdf/rdf11/rdf-trig", "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-trig/", rdf.TriG, rdf.NQuads, 356},
		// The edition of 2013, whole: its expected graphs have other bases.
		{"N-Quads of 2013", "rdf/rdf11-2013/rdf-n-quads", "http://www.w3.org/2013/NQuadsTests/", rdf.NQuads, 0, 0},
		{"RDF/XML of 2013", "rdf/rdf11-2013/rdf-xml", "http://www.w3.org/2013/RDFXMLTests/", rdf.RDFXML, rdf.NTriples, 0},
		{"TriG of 2013", "rdf/rdf11-2013/rdf-trig", "http://www.w3.org/2013/TriGTests/", rdf.TriG, rdf.NQuads, 0},
	}
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			suite(t, s.dir, s.base, func(t *testing.T, tests []w3cTest) {
				if strings.HasSuffix(t.Name(), "/vectors") && len(tests) != s.count {
					t.Errorf("%d tests; the suite has %d", len(tests), s.count)
				}
				passed := 0
				for _, w := range tests {
					if t.Run(w.name, func(t *testing.T) { runW3C(t, w, s.format, s.result) }) {
						passed++
					}
				}
				t.Logf("%d/%d", passed, len(tests))
			})
		})
	}
}

func runW3C(t *testing.T, w w3cTest, format, resultFormat rdf.Format) {
	body, base := w.file(t, w.action)
	got, err := rdf.ReadDataset(context.Background(), body, format, base, rdf.Limits{})
	if strings.HasPrefix(w.kind, "Test") && strings.Contains(w.kind, "Negative") {
		if err == nil {
			t.Fatalf("read, and is not valid:\n%s", body)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if !w.result.IsZero() {
		body, base := w.file(t, w.result)
		want, err := rdf.ReadDataset(context.Background(), body, resultFormat, base, rdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if same, err := rdf.CompareDatasets(got, want, rdf.Limits{}); !same {
			t.Fatalf("another graph (%v)", err)
		}
	}
	roundTrip(t, got)
}

// roundTrip writes the dataset in every format that can hold it and reads it
// back.
func roundTrip(t *testing.T, d *rdf.Dataset) {
	t.Helper()
	formats := []rdf.Format{rdf.TriG, rdf.NQuads, rdf.JSONLD}
	if len(d.Names()) == 0 {
		formats = append(formats, rdf.Turtle, rdf.NTriples)
	}
	for _, f := range formats {
		out, err := rdf.WriteDataset(d, f, rdf.WriteOptions{})
		if err != nil {
			t.Errorf("write %s: %v", f, err)
			continue
		}
		back, err := rdf.ReadDataset(context.Background(), out, f, "", rdf.Limits{})
		if err != nil {
			t.Errorf("read %s back: %v\n%s", f, err, out)
			continue
		}
		if same, err := rdf.CompareDatasets(d, back, rdf.Limits{}); !same {
			t.Errorf("%s reads back as another graph (%v)\n%s", f, err, out)
		}
	}
}
