// SPDX-License-Identifier: EUPL-1.2

package rdf

import "strings"

// A turtleWriter writes one graph; see [AppendTurtle].
type turtleWriter struct {
	*layout
	indent int
}

// AppendTurtle appends the graph as Turtle and returns the longer slice: nested
// blank nodes, lists, and every IRI absolute or with a prefix. A term or triple
// that RDF does not allow is a *[TermError].
//
// Subjects, predicates and objects are sorted, rdf:type first. Neither the order
// in which triples were added nor, but for nodes that nothing tells apart, the
// labels of blank nodes make a difference.
func AppendTurtle(dst []byte, g *Graph, opt WriteOptions) ([]byte, error) {
	l, err := newLayout(g, newNamer(g, opt), map[Term]int{}, func(Term) bool { return false })
	if err != nil {
		return dst, err
	}
	w := &turtleWriter{layout: l}
	if opt.Continue && w.needsLabel() {
		return dst, &TermError{"a blank node that needs a label can't be written in parts"}
	}
	w.dst = make([]byte, 0, g.Len()*bytesPerTriple)
	w.document()
	if !opt.Continue {
		dst = AppendPrefixes(dst, w.used)
	}
	return append(dst, w.dst...), nil
}

func (w *turtleWriter) needsLabel() bool {
	for n, t := range w.terms {
		if t.Kind == BlankKind && !w.nested(id(n)) && w.g.asObject(id(n)) > 0 {
			return true
		}
	}
	return false
}

// document writes every node that is not nested in another.
func (w *turtleWriter) document() {
	for _, n := range w.roots() {
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
	if w.hidden(n) {
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
	all := w.push(n)
	inline := all[0].p == all[len(all)-1].p
	for i, s := range all {
		switch {
		case i > 0 && s.p == all[i-1].p:
			w.dst = append(w.dst, ", "...)
			w.term(s.o)
			continue
		case i > 0:
			w.dst = append(w.dst, " ;"...)
		}
		if inline {
			w.dst = append(w.dst, ' ')
		} else {
			w.line()
		}
		w.predicate(s.p)
		w.dst = append(w.dst, ' ')
		w.term(s.o)
	}
	w.pop(all)
}

func (w *turtleWriter) predicate(n id) {
	if n == w.types {
		w.dst = append(w.dst, 'a')
		return
	}
	w.iri(n)
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
	case w.nested(n) && w.g.asSubject(n) == 0:
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
	m := w.name(n)
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
