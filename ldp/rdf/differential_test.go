// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"strings"
	"testing"

	knakk "github.com/knakk/rdf"

	"skrin/ldp/rdf"
)

// TestDifferential compares what we read with what knakk/rdf reads of the W3C's
// documents. Where the two differ, the W3C's result says that we are right.
func TestDifferential(t *testing.T) {
	differs := map[string]bool{
		"IRI-resolution-01": true, "IRI-resolution-02": true, "IRI-resolution-07": true, "IRI-resolution-08": true, "turtle-subm-27": true,
	}
	for dir, f := range map[string]struct {
		ours   rdf.Format
		theirs knakk.Format
	}{"rdf-turtle": {rdf.Turtle, knakk.Turtle}, "rdf-n-triples": {rdf.NTriples, knakk.NTriples}} {
		base := "https://w3c.github.io/rdf-tests/rdf/rdf11/" + dir + "/"
		suite(t, "rdf/rdf11/"+dir, base, func(t *testing.T, tests []w3cTest) {
			same := 0
			for _, w := range tests {
				// knakk/rdf resolves references against a base that ends in a slash only.
				body, _ := w.file(t, w.action)
				at := base
				g, err := rdf.Read(context.Background(), body, f.ours, at, rdf.Limits{})
				if err != nil || strings.Contains(w.kind, "Negative") {
					continue
				}
				d := knakk.NewTripleDecoder(strings.NewReader(string(body)), f.theirs)
				if iri, err := knakk.NewIRI(at); err == nil && f.ours == rdf.Turtle {
					if err := d.SetOption(knakk.Base, iri); err != nil {
						t.Fatal(err)
					}
				}
				triples, err := d.DecodeAll()
				if err != nil {
					continue
				}
				var out strings.Builder
				for _, triple := range triples {
					out.WriteString(triple.Serialize(knakk.NTriples))
				}
				theirs, err := rdf.Read(context.Background(), []byte(out.String()), rdf.NTriples, "", rdf.Limits{})
				if err != nil || !rdf.Isomorphic(g, theirs) {
					if !differs[w.name] {
						t.Errorf("%s: we read %d triples, knakk/rdf %d: %v", w.name, g.Len(), len(triples), err)
					}
					continue
				}
				same++
			}
			t.Logf("%s: %d documents are read alike", dir, same)
		})
	}
}
