// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"errors"
	"fmt"
)

// A SyntaxError is a place where a document is not what its media type says it
// is. It is for the sender: it says what was expected, and quotes no values of
// the document.
type SyntaxError struct {
	Line, Column int    // from 1; Column counts characters. 0 if the place is not known
	Msg          string // what was expected, or what is wrong
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// A LimitError says which of the [Limits] a document exceeds.
type LimitError struct {
	What string // "bytes", "triples", "nesting", …
	Max  int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the document exceeds the limit of %d for %s", e.Max, e.What)
}

// A TermError is a term or triple that can't be written, because RDF does not
// allow it.
type TermError struct{ Msg string }

func (e *TermError) Error() string { return "not a valid triple: " + e.Msg }

// A ContextError is a JSON-LD context that is neither embedded nor loaded. Where
// a protocol asks for 422 for that, it can be told apart from a [SyntaxError].
type ContextError struct{ IRI string }

func (e *ContextError) Error() string {
	return "the context " + quoteShort(e.IRI) + " is not known here: use one that is, or write the context out in the document"
}

// A SemanticError is a patch that is well-formed and not what Solid allows: the
// sender is told so with 422.
type SemanticError struct{ Msg string }

func (e *SemanticError) Error() string { return e.Msg }

// An UnsupportedError is a form of SPARQL Update that is not done here: 501.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string {
	return e.What + " is not supported in a patch: use INSERT DATA, DELETE DATA, DELETE WHERE, or DELETE and INSERT with a WHERE of plain triples"
}

// Why a patch can't be applied to a graph: all of them are conflicts, 409.
var (
	ErrNoMatch   = errors.New("the condition of the patch matches nothing in the resource")
	ErrAmbiguous = errors.New("the condition of the patch matches the resource in more than one way")
	ErrMissing   = errors.New("the patch deletes a triple that is not in the resource")
	ErrInvalid   = errors.New("the patch inserts a triple that is not valid, such as one with a literal as its subject")
)
