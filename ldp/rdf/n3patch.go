// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"strconv"
)

const solidNS = "http://www.w3.org/ns/solid/terms#"

// ParseN3Patch reads a patch of media type text/n3 (Solid Protocol, section
// "Modifying Resources Using N3 Patches"). References are resolved against base,
// the IRI of the resource that is to be changed.
//
// The error is a *[SyntaxError] for what is not N3, to be answered with 400, a
// *[SemanticError] for what is not such a patch, 422, or a *[LimitError].
//
// We follow the protocol's version 0.12 where it differs from 0.11: what is
// inserted may have blank nodes. N3 has more than Turtle with variables and
// formulas; the rest is a SyntaxError.
func ParseN3Patch(ctx context.Context, body []byte, base string, lim Limits) (*Patch, error) {
	lim = lim.withDefaults()
	if len(body) > lim.Bytes {
		return nil, &LimitError{"bytes", lim.Bytes}
	}
	l, err := newLexer(ctx, body, n3Syntax, base, lim, new(dict))
	if err != nil {
		return nil, err
	}
	document := new(Graph)
	r := newReader(l, nil)
	r.emit = func(s, p, o id) { document.Add(l.terms.terms[s], l.terms.terms[p], l.terms.terms[o]) }
	if err := parse(func() { r.document(nil) }); err != nil {
		return nil, err
	}
	s, err := n3Step(document, r.formulas)
	if err != nil {
		return nil, err
	}
	return &Patch{steps: []step{s}, lim: lim}, nil
}

// formula reads triples in braces.
func (r *reader) formula() id {
	if len(r.formulas) > 0 && r.formulas[len(r.formulas)-1] == nil {
		panic(fault{&SemanticError{"a formula is nested in another"}})
	}
	r.pos++
	n := len(r.formulas)
	r.formulas = append(r.formulas, nil)
	triples, outer := []Triple{}, r.emit
	r.emit = func(s, p, o id) {
		triples = append(triples, Triple{r.terms.terms[s], r.terms.terms[p], r.terms.terms[o]})
	}
	r.triplesInBraces()
	r.emit, r.formulas[n] = outer, triples
	return r.terms.intern(formulaTerm(n))
}

// n3Step finds the one patch of a document.
func n3Step(document *Graph, formulas [][]Triple) (step, error) {
	var none step
	patches := document.Subjects(IRI(rdfType), IRI(solidNS+"InsertDeletePatch"))
	if len(patches) != 1 {
		return none, &SemanticError{"expected exactly one solid:InsertDeletePatch, found " + strconv.Itoa(len(patches))}
	}
	if !patches[0].IsIRI() && !patches[0].IsBlank() {
		return none, &SemanticError{"the patch is neither an IRI nor a blank node"}
	}
	used := 0
	part := func(name string) ([]Triple, error) {
		values := document.Objects(patches[0], IRI(solidNS+name))
		if len(values) > 1 {
			return nil, &SemanticError{"the patch has more than one solid:" + name}
		}
		if len(values) == 0 {
			return nil, nil
		}
		if values[0].Kind != formulaKind {
			return nil, &SemanticError{"solid:" + name + " is not a formula: expected triples in braces"}
		}
		used++
		n, _ := strconv.Atoi(values[0].Value)
		return formulas[n], nil
	}
	where, err := part("where")
	if err != nil {
		return none, err
	}
	deletes, err := part("deletes")
	if err != nil {
		return none, err
	}
	inserts, err := part("inserts")
	if err != nil {
		return none, err
	}
	if used != len(formulas) {
		return none, &SemanticError{"a formula is something else than what is deleted, inserted or where"}
	}
	s := step{where: hideBlanks(where), deletes: deletes, inserts: inserts, exact: true}
	return s, s.checkN3(where, document)
}

// checkN3 holds the rules about variables and blank nodes.
func (s step) checkN3(where []Triple, document *Graph) error {
	known := variables(where)
	for name := range variables(append(s.deletes[:len(s.deletes):len(s.deletes)], s.inserts...)) {
		if !known[name] {
			return &SemanticError{"the variable ?" + quoteShort(name) + " is not in solid:where"}
		}
	}
	if hasBlank(s.deletes) {
		return &SemanticError{"solid:deletes has a blank node, which names no triple of the resource: use a variable and solid:where"}
	}
	outside := blanks(where)
	for t := range document.All() {
		outside[t.S], outside[t.O] = true, true
	}
	for b := range blanks(s.inserts) {
		if outside[b] {
			return &SemanticError{"a blank node of solid:inserts is also elsewhere in the document"}
		}
	}
	return nil
}

// blanks returns the blank nodes of triples.
func blanks(triples []Triple) map[Term]bool {
	found := map[Term]bool{}
	for _, t := range triples {
		for _, term := range [...]Term{t.S, t.O} {
			if term.IsBlank() {
				found[term] = true
			}
		}
	}
	return found
}
