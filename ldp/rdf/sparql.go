// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"strings"
	"unicode/utf8"
)

// ParseSPARQLUpdate reads a patch of media type application/sparql-update: a
// sequence of INSERT DATA, DELETE DATA, DELETE WHERE and DELETE/INSERT WHERE
// (SPARQL 1.1 Update, section 3.1) on one graph, with conditions of plain
// triples. References are resolved against base, the IRI of the resource that
// is to be changed.
//
// The error is a *[SyntaxError], a *[LimitError], or an *[UnsupportedError] for
// the forms that are not done: other operations, other graphs (GRAPH, WITH,
// USING), and conditions with more than triples.
func ParseSPARQLUpdate(ctx context.Context, body []byte, base string, lim Limits) (*Patch, error) {
	lim = lim.withDefaults()
	if len(body) > lim.Bytes {
		return nil, &LimitError{"bytes", lim.Bytes}
	}
	l, err := newLexer(ctx, body, sparqlSyntax, base, lim, new(dict))
	if err != nil {
		return nil, err
	}
	u := &updateReader{reader: newReader(l, nil), labels: map[Term]int{}}
	if err := parse(u.request); err != nil {
		return nil, err
	}
	return &Patch{steps: u.steps, lim: lim}, nil
}

// An updateReader reads the grammar of SPARQL 1.1, section 19.8, from rule
// Update on.
type updateReader struct {
	*reader
	steps  []step
	labels map[Term]int // the INSERT DATA in which a blank node is, by its step from 1
}

// request = Prologue ( Update1 ( ';' Update )? )?
func (u *updateReader) request() {
	for {
		for u.next(); u.declaration(); u.next() {
		}
		if u.atEnd() {
			return
		}
		u.steps = append(u.steps, u.operation())
		if !u.accept(';') {
			break
		}
	}
	if u.next(); !u.atEnd() {
		u.fail("expected ';' or the end of the request")
	}
}

func (u *updateReader) operation() step {
	for _, word := range [...]string{"LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH"} {
		if u.keyword(word) {
			u.unsupported(word)
		}
	}
	switch {
	case u.keyword("INSERT"):
		if u.next(); u.keyword("DATA") {
			return step{inserts: u.data(true)}
		}
		return u.modify(nil, u.template(true))
	case u.keyword("DELETE"):
		if u.next(); u.keyword("DATA") {
			return step{deletes: u.data(false)}
		}
		if u.keyword("WHERE") {
			return u.deleteWhere()
		}
		deletes := u.template(false)
		var inserts []Triple
		if u.next(); u.keyword("INSERT") {
			inserts = u.template(true)
		}
		return u.modify(deletes, inserts)
	}
	u.fail("expected INSERT or DELETE")
	return step{}
}

func (u *updateReader) unsupported(what string) { panic(fault{&UnsupportedError{what}}) }

// data reads triples without variables.
func (u *updateReader) data(blanksAllowed bool) []Triple {
	triples := u.template(blanksAllowed)
	if len(variables(triples)) > 0 {
		u.fail("a variable in DATA: expected a term")
	}
	now := len(u.steps) + 1
	for b := range blanks(triples) {
		if was := u.labels[b]; was != 0 && was != now {
			u.fail("a blank node has the same label in two INSERT DATA")
		}
		u.labels[b] = now
	}
	return triples
}

func (u *updateReader) deleteWhere() step {
	triples := u.template(false)
	return step{where: triples, deletes: triples}
}

// modify reads the WHERE that follows the templates.
func (u *updateReader) modify(deletes, inserts []Triple) step {
	u.next()
	if u.keyword("USING") {
		u.unsupported("USING")
	}
	if !u.keyword("WHERE") {
		u.fail("expected WHERE")
	}
	return step{where: hideBlanks(u.triples(true)), deletes: deletes, inserts: inserts}
}

// template reads QuadPattern or QuadData, of the default graph.
func (u *updateReader) template(blanksAllowed bool) []Triple {
	triples := u.triples(false)
	if !blanksAllowed && hasBlank(triples) {
		u.fail("a blank node in what is deleted: expected an IRI, a literal or a variable")
	}
	return triples
}

// triples reads triples in braces. Those of a condition may have property paths
// and more, which are not supported.
func (u *updateReader) triples(condition bool) []Triple {
	triples := []Triple{}
	u.emit = func(s, p, o id) {
		triples = append(triples, Triple{u.terms.terms[s], u.terms.terms[p], u.terms.terms[o]})
	}
	u.expect('{', "'{'")
	for !u.accept('}') {
		u.refuseForms(condition)
		u.triplesBlock()
		if u.accept('.') || u.peek() == '}' {
			continue
		}
		u.refuseForms(condition)
		u.fail("expected '.' or '}'")
	}
	return triples
}

// refuseForms fails at a form that is well-formed SPARQL in this place, and not
// triples.
func (u *updateReader) refuseForms(condition bool) {
	if u.keyword("GRAPH") {
		u.unsupported("GRAPH")
	}
	if !condition {
		return
	}
	if u.peek() == '{' {
		u.unsupported("a group or UNION")
	}
	for _, word := range [...]string{"OPTIONAL", "MINUS", "SERVICE", "FILTER", "BIND", "VALUES", "SELECT"} {
		if u.keyword(word) {
			u.unsupported(word)
		}
	}
}

// refusePath fails at one of the operators of a property path, which SPARQL has
// before a predicate or after it. A number and a variable begin like one.
func (r *reader) refusePath(operators string) {
	if r.syntax != sparqlSyntax || strings.IndexByte(operators, r.next()) < 0 || r.atEnd() {
		return
	}
	after, _ := utf8.DecodeRuneInString(r.in[r.pos+1:])
	switch r.peek() {
	case '+':
		if '0' <= after && after <= '9' || after == '.' {
			return
		}
	case '?':
		if isNameRune(after) {
			return
		}
	}
	panic(fault{&UnsupportedError{"a property path"}})
}
