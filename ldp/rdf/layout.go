// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A layout is the order and shape in which a graph is written, in Turtle and in
// JSON-LD alike.
type layout struct {
	*shapes
	*namer
	terms   []Term
	names   []name       // by id, of the IRIs written so far
	labels  map[Term]int // of the blank nodes that have one
	types   id           // rdf:type
	ranks   []int32      // by id, of the predicates: rdf:type first, then by name
	colours *colours     // of the blank nodes, if there are any
	stack   []statement  // what is being written
	dst     []byte
}

// A statement is a predicate and object of the subject that is being written.
type statement struct {
	rank int32
	p, o id
}

// newLayout checks g, and looks at its shape. Blank nodes that apart reports on
// are used elsewhere too.
func newLayout(g *Graph, names *namer, labels map[Term]int, apart func(Term) bool) (*layout, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	l := &layout{
		namer: names, terms: g.dict.terms, names: make([]name, len(g.dict.terms)), labels: labels, types: g.dict.find(IRI(rdfType)),
	}
	work := 8*g.Len() + 4096 // a small graph is told apart whole, a large one as far as four steps around
	if l.colours = newColours(g, &work); len(l.colours.blanks) > 0 {
		l.colours.refine()
	}
	l.shapes = newShapes(g, func(n id) bool { return apart(l.terms[n]) }, l.compare)
	l.rankPredicates()
	return l, nil
}

// rankPredicates sorts the predicates once, so that statements sort by number.
func (l *layout) rankPredicates() {
	l.ranks = make([]int32, len(l.terms))
	var predicates []id
	for r := range l.g.match(row{}) {
		if l.ranks[r.p] == 0 && r.p != l.types {
			l.ranks[r.p] = 1
			predicates = append(predicates, r.p)
		}
	}
	slices.SortFunc(predicates, func(a, b id) int { return strings.Compare(l.terms[a].Value, l.terms[b].Value) })
	for i, p := range predicates {
		l.ranks[p] = int32(i + 1)
	}
}

// compare is a total order of the terms of the graph: IRIs, then blank nodes,
// then literals. Blank nodes sort by what surrounds them, and only where that is
// the same by label.
func (l *layout) compare(a, b id) int {
	if l.terms[a].Kind == BlankKind && l.terms[b].Kind == BlankKind {
		if c := cmp.Compare(l.colours.of[a], l.colours.of[b]); c != 0 {
			return c
		}
	}
	return compareTerms(l.terms[a], l.terms[b])
}

// compareTerms sorts IRIs before blank nodes before literals.
func compareTerms(a, b Term) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		strings.Compare(a.Value, b.Value),
		strings.Compare(a.Lang, b.Lang),
		strings.Compare(a.Datatype, b.Datatype))
}

// roots returns the nodes that are written by themselves, in order.
func (l *layout) roots() []id {
	var roots []id
	for n := range l.g.uses {
		if l.g.asSubject(id(n)) > 0 && !l.nested(id(n)) {
			roots = append(roots, id(n))
		}
	}
	slices.SortFunc(roots, l.compare)
	return roots
}

// push puts the statements about n on the stack, in order, and returns them; pop
// takes them off.
func (l *layout) push(n id) []statement {
	start := len(l.stack)
	for r := range l.g.match(row{s: n}) {
		l.stack = append(l.stack, statement{l.ranks[r.p], r.p, r.o})
	}
	statements := l.stack[start:]
	slices.SortFunc(statements, func(a, b statement) int {
		if a.rank != b.rank {
			return int(a.rank - b.rank)
		}
		return l.compare(a.o, b.o)
	})
	return statements
}

func (l *layout) pop(statements []statement) { l.stack = l.stack[:len(l.stack)-len(statements)] }

// hidden reports whether n, written by itself, needs no label.
func (l *layout) hidden(n id) bool {
	return l.terms[n].Kind == BlankKind && l.g.asObject(n) == 0 && !l.apart(n)
}

// label appends the label of a blank node: they count from b1.
func (l *layout) label(t Term) {
	if l.labels[t] == 0 {
		l.labels[t] = len(l.labels) + 1
	}
	l.dst = append(l.dst, "_:b"...)
	l.dst = strconv.AppendInt(l.dst, int64(l.labels[t]), 10)
}

// name returns how an IRI of the graph is written.
func (l *layout) name(n id) name {
	m := &l.names[n]
	if !m.known {
		*m = l.abbreviate(l.terms[n].Value)
	}
	return *m
}
