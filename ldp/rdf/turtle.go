// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"strings"
	"unicode/utf8"
)

// A reader reads Turtle, TriG and the formulas of N3 Patch: Turtle's grammar,
// with the additions of the other two where the syntax says so.
type reader struct {
	*lexer
	emit     func(s, p, o id)
	formulas [][]Triple // of N3

	// The numbers of the terms that the grammar itself needs.
	aType, first, rest, nilList id
}

func newReader(l *lexer, emit func(s, p, o id)) *reader {
	return &reader{
		lexer: l, emit: emit,
		aType: l.internIRI(rdfType), first: l.internIRI(rdfFirst), rest: l.internIRI(rdfRest), nilList: l.internIRI(rdfNil),
	}
}

// bytesPerTriple guesses how long a triple is in a document.
const bytesPerTriple = 64

// readText reads the four textual formats. Terms are numbered by the default
// graph, and triples of that graph go into it by number.
func readText(ctx context.Context, body []byte, f Format, base string, lim Limits) (*Dataset, error) {
	d := new(Dataset)
	s, expected := turtleSyntax, len(body)/bytesPerTriple
	switch f {
	case TriG:
		s = trigSyntax
	case NTriples, NQuads:
		s, expected = linesSyntax, expected/2
	}
	d.graph.expect(expected)
	l, err := newLexer(ctx, body, s, base, lim, &d.graph.dict)
	if err != nil {
		return nil, err
	}
	if s == linesSyntax {
		err = parse(func() { l.lines(d, f == NQuads) })
		return d, err
	}
	r := newReader(l, func(s, p, o id) { d.graph.add(s, p, o) })
	if err := parse(func() { r.document(d) }); err != nil {
		return nil, err
	}
	for name, namespace := range l.prefixes {
		d.graph.SetPrefix(name, namespace)
	}
	return d, nil
}

// document = statement*
func (r *reader) document(d *Dataset) {
	for r.next(); !r.atEnd(); r.next() {
		switch {
		case r.directive():
		case r.syntax == trigSyntax:
			r.block(d)
		default:
			r.triplesBlock()
			r.expect('.', "'.' after a statement")
		}
	}
}

// directive reads a prefix or base in either spelling, if one comes next.
func (r *reader) directive() bool {
	if r.peek() != '@' {
		return r.declaration()
	}
	r.pos++
	switch {
	case r.directiveName("prefix"):
		r.prefix()
	case r.directiveName("base"):
		r.setBase()
	default:
		r.fail("expected @prefix or @base")
	}
	r.expect('.', "'.' after a directive")
	return true
}

// declaration reads a prefix or base in the spelling of SPARQL, if one comes
// next.
func (r *reader) declaration() bool {
	switch c := r.peek() | 0x20; {
	case c == 'p' && r.keyword("PREFIX"):
		r.prefix()
	case c == 'b' && r.keyword("BASE"):
		r.setBase()
	default:
		return false
	}
	return true
}

// directiveName skips the word, after which ':' may come at once.
func (r *reader) directiveName(word string) bool {
	end := r.pos + len(word)
	if !strings.HasPrefix(r.in[r.pos:], word) || r.nameGoesOn(end) && r.in[end] != ':' {
		return false
	}
	r.pos = end
	return true
}

// exactly is keyword with its case.
func (r *reader) exactly(word string) bool {
	end := r.pos + len(word)
	return end <= len(r.in) && r.in[r.pos:end] == word && r.keyword(word)
}

func (l *lexer) prefix() {
	l.space()
	name := l.prefixName()
	if l.peek() != ':' {
		l.fail("expected ':' after the name of a prefix")
	}
	l.pos++
	l.space()
	namespace := l.terms.terms[l.iriRef()].Value
	if old, ok := l.prefixes[name]; ok && old != namespace {
		l.forgetNames()
	}
	l.prefixes[name] = namespace
}

func (l *lexer) setBase() {
	l.space()
	l.base, l.hasBase = splitIRI(l.terms.terms[l.iriRef()].Value), true
	l.forgetNames()
}

// forgetNames is called when a token may come to stand for another term.
func (l *lexer) forgetNames() {
	if len(l.names) > 0 {
		l.names = map[string]id{}
	}
}

// block reads what TriG has in place of a statement: a graph in braces, with a
// name or without, or triples of the default graph.
func (r *reader) block(d *Dataset) {
	switch {
	case r.peek() == '{':
		r.braces(d, 0)
	case (r.peek() == 'g' || r.peek() == 'G') && r.keyword("GRAPH"):
		r.space()
		r.braces(d, r.graphName())
	case r.peek() == '(' || r.peek() == '[' && !r.anonymous():
		r.triplesBlock()
		r.expect('.', "'.' after a statement")
	default:
		if s := r.graphName(); r.next() == '{' {
			r.braces(d, s)
		} else {
			r.predicates(s)
			r.expect('.', "'.' after a statement")
		}
	}
}

// graphName reads an IRI or a blank node, which may be [].
func (r *reader) graphName() id {
	if r.peek() == '[' && r.anonymous() {
		r.pos++
		r.accept(']')
		return r.blank()
	}
	if c := r.peek(); c == '(' || c == '[' {
		r.fail("expected the name of a graph")
	}
	return r.subject()
}

// braces reads the triples of the graph with the given name.
func (r *reader) braces(d *Dataset, name id) {
	outer := r.emit
	if name != 0 {
		g := d.Graph(r.terms.terms[name])
		r.emit = func(s, p, o id) { g.Add(r.terms.terms[s], r.terms.terms[p], r.terms.terms[o]) }
	}
	r.expect('{', "'{'")
	r.triplesInBraces()
	r.emit = outer
}

// triplesInBraces reads up to the closing brace.
func (r *reader) triplesInBraces() {
	for !r.accept('}') {
		r.triplesBlock()
		if !r.accept('.') && r.peek() != '}' {
			r.fail("expected '.' or '}'")
		}
		for r.syntax == n3Syntax && r.accept('.') { // a second dot, as some clients and a test suite write it
		}
	}
}

// triplesBlock is Turtle's rule "triples".
func (r *reader) triplesBlock() {
	var s id
	switch c := r.next(); {
	case c == '[' && !r.anonymous():
		s = r.properties()
	case c == '(' && r.syntax == sparqlSyntax:
		s = r.list()
	default:
		r.predicates(r.subject())
		return
	}
	if c := r.next(); c != '.' && c != '}' {
		r.predicates(s)
	}
}

// anonymous reports whether "[" "]" comes next.
func (r *reader) anonymous() bool {
	here := r.pos
	r.pos++
	empty := r.next() == ']'
	r.pos = here
	return empty
}

func (r *reader) subject() id {
	switch r.next() {
	case '[':
		r.pos++
		r.expect(']', "']'")
		return r.blank()
	case '(':
		return r.list()
	}
	return r.resource()
}

// resource reads a labelled blank node, an IRI or a variable.
func (r *reader) resource() id {
	switch c := r.next(); {
	case c == '<':
		return r.iriRef()
	case c == '_' && r.peekAt(1) == ':':
		return r.blankLabel()
	case r.variableNext():
		return r.variable()
	}
	return r.prefixedName()
}

// predicates is Turtle's rule "predicateObjectList".
func (r *reader) predicates(s id) {
	for {
		r.refusePath("^!(")
		p := r.verb()
		r.refusePath("^/|*+?")
		r.objects(s, p)
		if !r.accept(';') {
			return
		}
		for r.accept(';') {
		}
		if c := r.peek(); r.atEnd() || c == '.' || c == ']' || c == '}' {
			return
		}
	}
}

func (r *reader) objects(s, p id) {
	for {
		o := r.object()
		r.count()
		r.emit(s, p, o)
		if !r.accept(',') {
			return
		}
	}
}

func (r *reader) verb() id {
	switch c := r.next(); {
	case c == 'a' && !r.nameGoesOn(r.pos+1) && r.peekAt(1) != '.':
		r.pos++
		return r.aType
	case c == '<':
		return r.iriRef()
	case r.variableNext():
		return r.variable()
	}
	return r.prefixedName()
}

func (r *reader) object() id {
	switch c := r.next(); {
	case c == '"' || c == '\'':
		return r.literal()
	case isDigit(c) || c == '+' || c == '-' || c == '.':
		return r.number()
	case c == '(':
		return r.list()
	case c == '[' && !r.anonymous():
		return r.properties()
	case c == '[':
		return r.subject()
	case c == '{' && r.syntax == n3Syntax:
		return r.formula()
	case c == 't' && r.exactly("true"), c == 'f' && r.exactly("false"):
		return r.terms.intern(Bool(c == 't'))
	case r.syntax == sparqlSyntax && (r.keyword("true") || r.keyword("false")):
		return r.terms.intern(Bool(c|0x20 == 't'))
	}
	return r.resource()
}

// properties is Turtle's rule "blankNodePropertyList".
func (r *reader) properties() id {
	r.enter()
	r.pos++
	s := r.blank()
	r.predicates(s)
	r.expect(']', "']'")
	r.leave()
	return s
}

// list is Turtle's rule "collection".
func (r *reader) list() id {
	r.enter()
	r.pos++
	head, last := r.nilList, id(0)
	for !r.accept(')') {
		if r.atEnd() {
			r.fail("expected ')'")
		}
		item, cell := r.object(), r.blank()
		if last == 0 {
			head = cell
		} else {
			r.count()
			r.emit(last, r.rest, cell)
		}
		r.count()
		r.emit(cell, r.first, item)
		last = cell
	}
	if last != 0 {
		r.count()
		r.emit(last, r.rest, r.nilList)
	}
	r.leave()
	return head
}

// variableNext reports whether a variable comes next.
func (l *lexer) variableNext() bool {
	switch l.peek() {
	case '?':
		return l.syntax == n3Syntax || l.syntax == sparqlSyntax
	case '$':
		return l.syntax == sparqlSyntax
	}
	return false
}

// variable reads "?name", or "$name" of SPARQL.
func (l *lexer) variable() id {
	l.pos++
	start := l.pos
	for !l.atEnd() {
		r, size := utf8.DecodeRuneInString(l.in[l.pos:])
		if !isNameRune(r) || r == '-' {
			break
		}
		l.pos += size
	}
	if l.pos == start {
		l.fail("expected the name of a variable")
	}
	l.short(l.pos-start, "the length of a variable's name")
	return l.terms.intern(Term{Kind: varKind, Value: l.in[start:l.pos]})
}
