// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

func TestRename(t *testing.T) {
	const space = "https://pod.example/w/k7q/"
	to := func(iri string) string {
		if rest, ok := strings.CutPrefix(iri, "https://pod.example/alva/"); ok {
			return space + rest
		}
		return iri
	}
	tests := []struct {
		name, in, want string
	}{
		{"a subject, a predicate and an object", `</alva/a> </alva/b> </alva/c> .`, `</w/k7q/a> </w/k7q/b> </w/k7q/c> .`},
		{"a type", `<urn:s> a </alva/T> .`, `<urn:s> a </w/k7q/T> .`},
		{"a datatype", `<urn:s> :p "1"^^</alva/d> .`, `<urn:s> :p "1"^^</w/k7q/d> .`},
		{"a URI that is a value", `<urn:s> :p "https://pod.example/alva/x"^^xsd:anyURI, " https://pod.example/alva/y\n"^^xsd:anyURI .`,
			`<urn:s> :p "https://pod.example/w/k7q/x"^^xsd:anyURI, "https://pod.example/w/k7q/y"^^xsd:anyURI .`},
		{"what is in a list and in a nested node", `<urn:s> :p ( </alva/a> [ :q </alva/b> ] ) .`, `<urn:s> :p ( </w/k7q/a> [ :q </w/k7q/b> ] ) .`},
		{"two that become one", `<urn:s> :p </alva/a>, </w/k7q/a> .`, `<urn:s> :p </w/k7q/a> .`},
		{"not what is like it", `<urn:s> :p </alva>, </alvar/>, " https://other/ "^^xsd:anyURI, "https://pod.example/alva/ in text" .`,
			`<urn:s> :p </alva>, </alvar/>, " https://other/ "^^xsd:anyURI, "https://pod.example/alva/ in text" .`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const xsd = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . "
			if got := turtle(t, xsd+tt.in).Rename(to); !rdf.Isomorphic(got, turtle(t, xsd+tt.want)) {
				t.Errorf("%s", document(t, got, rdf.Turtle))
			}
		})
	}
	t.Run("no prefix of the document stays", func(t *testing.T) {
		got := turtle(t, `@prefix mine: <https://pod.example/alva/> . mine:a :p mine:b .`).Rename(to)
		if len(got.Prefixes()) != 0 || strings.Contains(string(document(t, got, rdf.Turtle)), "alva") {
			t.Errorf("%s", document(t, got, rdf.Turtle))
		}
	})
}
