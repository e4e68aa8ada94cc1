// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A turtleWriter writes one graph; see [AppendTurtle].
type turtleWriter struct {
	*shapes
	*namer
	terms  []Term
	labels map[Term]int // of the blank nodes that have one
	names  []name       // by id
	types  id           // rdf:type
	rows   []row        // a stack of what is being written
	indent int
	dst    []byte
}

// AppendTurtle appends the graph as Turtle and returns the longer slice: nested
// blank nodes, lists, and every IRI absolute or with a prefix. A term or triple
// that RDF does not allow is a *[TermError].
//
// Subjects, predicates and objects are sorted, rdf:type first. Neither the order
// in which triples were added nor, but for nodes that nothing tells apart, the
// labels of blank nodes make a difference.
func AppendTurtle(dst []byte, g *Graph, opt WriteOptions) ([]byte, error) {
	w, err := newTurtleWriter(g, opt)
	if err != nil {
		return dst, err
	}
	w.shapes = newShapes(g, func(id) bool { return false }, w.compare)
	if opt.Continue && w.needsLabel() {
		return dst, &TermError{"a blank node that needs a label can't be written in parts"}
	}
	w.document()
	if !opt.Continue {
		dst = AppendPrefixes(dst, w.used)
	}
	return append(dst, w.dst...), nil
}

func newTurtleWriter(g *Graph, opt WriteOptions) (*turtleWriter, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return &turtleWriter{
		namer: newNamer(g, opt), terms: g.dict.terms, labels: map[Term]int{},
		names: make([]name, len(g.dict.terms)), types: g.dict.find(IRI(rdfType)),
	}, nil
}

func (w *turtleWriter) needsLabel() bool {
	for n, t := range w.terms {
		if t.Kind == BlankKind && !w.nested(id(n)) && w.g.count(w.g.objects, id(n)) > 0 {
			return true
		}
	}
	return false
}

// document writes every node that is not nested in another.
func (w *turtleWriter) document() {
	var roots []id
	for n := range w.g.subjects {
		if w.g.subjects[n].n > 0 && !w.nested(id(n)) {
			roots = append(roots, id(n))
		}
	}
	slices.SortFunc(roots, w.compare)
	for _, n := range roots {
		w.line()
		w.subject(n)
	}
}

// line begins a new paragraph.
func (w *turtleWriter) line() {
	w.dst = append(w.dst, '\n')
	for range w.indent {
		w.dst = append(w.dst, "    "...)
	}
}

func (w *turtleWriter) subject(n id) {
	if w.terms[n].Kind == BlankKind && w.g.count(w.g.objects, n) == 0 && !w.apart(n) {
		w.dst = append(w.dst, "[]"...)
	} else {
		w.term(n)
	}
	w.indent++
	w.predicates(n)
	w.indent--
	w.dst = append(w.dst, " .\n"...)
}

// predicates writes what n is the subject of: on one line if it is one
// predicate, and else on a line each.
func (w *turtleWriter) predicates(n id) {
	start := len(w.rows)
	for r := range w.g.match(row{s: n}) {
		w.rows = append(w.rows, r)
	}
	rows := w.rows[start:]
	slices.SortFunc(rows, w.compareRows)
	inline := rows[0].p == rows[len(rows)-1].p
	for i, r := range rows {
		switch {
		case i > 0 && r.p == rows[i-1].p:
			w.dst = append(w.dst, ", "...)
			w.term(r.o)
			continue
		case i > 0:
			w.dst = append(w.dst, " ;"...)
		}
		if inline {
			w.dst = append(w.dst, ' ')
		} else {
			w.line()
		}
		w.predicate(r.p)
		w.dst = append(w.dst, ' ')
		w.term(r.o)
	}
	w.rows = w.rows[:start]
}

func (w *turtleWriter) predicate(n id) {
	if n == w.types {
		w.dst = append(w.dst, 'a')
		return
	}
	w.iri(n)
}

func (w *turtleWriter) compareRows(a, b row) int { return compareRows(w.terms, w.types, a, b) }

// compareRows puts rdf:type first, then sorts by predicate and object.
func compareRows(terms []Term, types id, a, b row) int {
	switch {
	case a.p == b.p:
		return compareTerms(terms[a.o], terms[b.o])
	case a.p == types:
		return -1
	case b.p == types:
		return 1
	}
	return strings.Compare(terms[a.p].Value, terms[b.p].Value)
}

// compare is a total order of the terms of the graph.
func (w *turtleWriter) compare(a, b id) int { return compareTerms(w.terms[a], w.terms[b]) }

// compareTerms sorts IRIs before blank nodes before literals.
func compareTerms(a, b Term) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		strings.Compare(a.Value, b.Value),
		strings.Compare(a.Lang, b.Lang),
		strings.Compare(a.Datatype, b.Datatype))
}

// term writes a subject or object.
func (w *turtleWriter) term(n id) {
	switch w.terms[n].Kind {
	case IRIKind:
		if w.terms[n].Value == rdfNil {
			w.dst = append(w.dst, "()"...)
			return
		}
		w.iri(n)
	case LiteralKind:
		w.literal(w.terms[n])
	default:
		w.blank(n)
	}
}

func (w *turtleWriter) blank(n id) {
	switch {
	case w.isList(n):
		w.list(n)
	case w.nested(n) && w.g.count(w.g.subjects, n) == 0:
		w.dst = append(w.dst, "[]"...)
	case w.nested(n):
		w.dst = append(w.dst, '[')
		w.indent++
		start := len(w.dst)
		w.predicates(n)
		w.indent--
		if w.dst[start] == '\n' {
			w.line()
		} else {
			w.dst = append(w.dst, ' ')
		}
		w.dst = append(w.dst, ']')
	default:
		w.label(w.terms[n])
	}
}

// label writes a blank node under a name that counts from b1.
func (w *turtleWriter) label(t Term) {
	if w.labels[t] == 0 {
		w.labels[t] = len(w.labels) + 1
	}
	w.dst = append(w.dst, "_:b"...)
	w.dst = strconv.AppendInt(w.dst, int64(w.labels[t]), 10)
}

// list writes a list that begins at the cell n.
func (w *turtleWriter) list(n id) {
	w.dst = append(w.dst, '(')
	for item := range w.items(n) {
		w.dst = append(w.dst, ' ')
		w.term(item)
	}
	w.dst = append(w.dst, " )"...)
}

func (w *turtleWriter) iri(n id) {
	iri := w.terms[n].Value
	m := &w.names[n]
	if !m.known {
		*m = w.abbreviate(iri)
	}
	if m.prefix == "" {
		w.dst = append(w.dst, '<')
		w.dst = append(w.dst, iri...)
		w.dst = append(w.dst, '>')
		return
	}
	w.dst = append(w.dst, m.prefix...)
	w.dst = append(w.dst, ':')
	w.dst = append(w.dst, iri[m.cut:]...)
}

func (w *turtleWriter) literal(t Term) {
	if t.Lang == "" && isBare(t) {
		w.dst = append(w.dst, t.Value...)
		return
	}
	w.dst = appendQuoted(w.dst, t.Value)
	switch {
	case t.Lang != "":
		w.dst = append(w.dst, '@')
		w.dst = append(w.dst, t.Lang...)
	case t.Datatype != "":
		w.dst = append(w.dst, "^^"...)
		w.datatype(t.Datatype)
	}
}

func (w *turtleWriter) datatype(iri string) {
	m := w.abbreviate(iri)
	if m.prefix == "" {
		w.dst = append(w.dst, "<"+iri+">"...)
		return
	}
	w.dst = append(w.dst, m.prefix+":"+iri[m.cut:]...)
}

// isBare reports whether Turtle's own grammar gives the bare lexical form the
// literal's datatype.
func isBare(t Term) bool {
	switch t.Datatype {
	case xsdBoolean:
		return t.Value == "true" || t.Value == "false"
	case xsdInteger, xsdDecimal, xsdDouble:
		return numberType(t.Value) == t.Datatype
	}
	return false
}

// numberType returns the datatype that Turtle gives to the whole of s as a bare
// number, or "".
func numberType(s string) string {
	s = strings.TrimLeft(s[:min(1, len(s))], "+-") + s[min(1, len(s)):]
	whole := digitsOf(s)
	rest := s[whole:]
	datatype, fraction := xsdInteger, 0
	if strings.HasPrefix(rest, ".") {
		fraction = digitsOf(rest[1:])
		rest, datatype = rest[1+fraction:], xsdDecimal
		if fraction == 0 && rest == "" {
			return ""
		}
	}
	if rest != "" && rest[0]|0x20 == 'e' {
		rest, datatype = rest[1:], xsdDouble
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		if digitsOf(rest) == 0 {
			return ""
		}
		rest = rest[digitsOf(rest):]
	}
	if rest != "" || whole+fraction == 0 {
		return ""
	}
	return datatype
}

// digitsOf returns the number of digits that s begins with.
func digitsOf(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}
