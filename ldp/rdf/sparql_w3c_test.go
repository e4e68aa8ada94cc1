// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

const updateNS = "http://www.w3.org/2009/sparql/tests/test-update#"

func TestW3CSPARQLUpdate(t *testing.T) {
	for _, dir := range []string{"basic-update", "delete-data", "delete-insert", "delete-where", "delete", "syntax-update-1"} {
		t.Run(dir, func(t *testing.T) {
			base := "http://www.w3.org/2009/sparql/docs/tests/data-sparql11/" + dir + "/"
			suite(t, "sparql/sparql11/"+dir, base, func(t *testing.T, tests []w3cTest) {
				for _, w := range tests {
					id := dir + "/" + w.node.Value[strings.LastIndexAny(w.node.Value, "#/")+1:]
					t.Run(id, func(t *testing.T) { runUpdate(t, w, updateUnsupported[id]) })
				}
			})
		})
	}
}

// runUpdate runs a test, of which the form is expected to be unsupported if that
// says what of it.
func runUpdate(t *testing.T, w w3cTest, unsupported string) {
	request := w.action
	if r, ok := w.manifest.Object(w.action, rdf.IRI(updateNS+"request")); ok {
		request = r
	}
	body, _ := w.file(t, request)
	patch, err := rdf.ParseSPARQLUpdate(context.Background(), body, w.base, rdf.Limits{})
	var form *rdf.UnsupportedError
	if errors.As(err, &form); form != nil || unsupported != "" {
		if form == nil || form.What != unsupported {
			t.Errorf("%v, want %q to be unsupported", err, unsupported)
		}
		return
	}
	if strings.HasPrefix(w.kind, "Negative") {
		if err == nil {
			t.Fatalf("read, and is not valid:\n%s", body)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if strings.Contains(w.kind, "Syntax") {
		return
	}
	g, want := graphOf(t, w, w.action), graphOf(t, w, w.result)
	if err := patch.Apply(g); err != nil {
		t.Fatal(err)
	}
	if !rdf.Isomorphic(g, want) {
		out, _ := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
		t.Fatalf("another graph:\n%s", out)
	}
}

// graphOf returns the default graph that an action or result names.
func graphOf(t *testing.T, w w3cTest, node rdf.Term) *rdf.Graph {
	file, ok := w.manifest.Object(node, rdf.IRI(updateNS+"data"))
	if !ok {
		return new(rdf.Graph)
	}
	body, base := w.file(t, file)
	g, err := rdf.Read(context.Background(), body, rdf.Turtle, base, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
