// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"strconv"
	"strings"
)

// Rename returns the graph with every IRI replaced by to of it: subjects,
// predicates, objects, datatypes, and the values of xsd:anyURI literals. to must
// be pure, and returns the same IRI if it has no other for it.
//
// Nothing else of the names that were there is left behind: blank nodes get new
// labels, that count in order, and of the prefixes only those stay that are
// well known. Text that merely mentions an IRI is not an IRI and stays as it is.
// Triples that become equal become one.
func (g *Graph) Rename(to func(iri string) string) *Graph {
	renamed := new(Graph)
	images := make([]id, len(g.dict.terms))
	blanks := 0
	image := func(n id) id {
		if images[n] == 0 {
			t := g.dict.terms[n]
			if t.Kind == BlankKind {
				blanks++
				t.Value = "b" + strconv.Itoa(blanks)
			}
			images[n] = renamed.dict.intern(t.rename(to))
		}
		return images[n]
	}
	for r := range g.match(row{}) {
		renamed.add(image(r.s), image(r.p), image(r.o))
	}
	return renamed
}

// rename returns t with its IRIs replaced.
func (t Term) rename(to func(iri string) string) Term {
	switch {
	case t.Kind == IRIKind:
		t.Value = to(t.Value)
	case t.Datatype == xsdAnyURI:
		if iri := strings.Trim(t.Value, " \t\r\n"); invalidIRI(iri) == "" && to(iri) != iri {
			t.Value = to(iri)
		}
	}
	if t.Datatype != "" {
		return Typed(t.Value, to(t.Datatype))
	}
	return t
}
