// SPDX-License-Identifier: EUPL-1.2

package rdf

import "fmt"

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
