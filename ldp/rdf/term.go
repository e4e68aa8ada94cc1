// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// A TermKind says which of RDF's three kinds of term a Term is.
type TermKind uint8

// The kinds of term. NoKind is that of the zero Term, which stands for "no
// term", and in a pattern for "any term".
const (
	NoKind TermKind = iota
	IRIKind
	BlankKind
	LiteralKind
	varKind     // a variable, inside a Patch only
	formulaKind // triples in braces, while an N3 Patch is read; Value is their number
)

// A Term is an IRI, a blank node or a literal (RDF 1.1 Concepts, section 3).
// Terms are comparable with ==, which is RDF's term equality: "1" and "01" as
// xsd:integer differ.
//
// Value is the IRI, the blank node's label or the literal's lexical form.
// Datatype is the IRI of a literal's datatype, and empty for xsd:string and
// for a language-tagged string; Lang is the language tag as it was written.
//
// A Term may hold anything; [Write] and [Canonical] refuse one that RDF does
// not allow, so that no value can turn into syntax.
type Term struct {
	Kind                  TermKind
	Value, Datatype, Lang string
}

// IRI returns the IRI s as a term.
func IRI(s string) Term { return Term{Kind: IRIKind, Value: s} }

// Blank returns the blank node with the given label, which is local to one
// graph or dataset.
func Blank(label string) Term { return Term{Kind: BlankKind, Value: label} }

// String returns s as a literal of xsd:string.
func String(s string) Term { return Term{Kind: LiteralKind, Value: s} }

// LangString returns s as a string in the language of the BCP 47 tag lang.
func LangString(s, lang string) Term { return Term{Kind: LiteralKind, Value: s, Lang: lang} }

// Typed returns the literal with lexical form s and the given datatype IRI.
func Typed(s, datatype string) Term {
	if datatype == xsdString {
		datatype = ""
	}
	return Term{Kind: LiteralKind, Value: s, Datatype: datatype}
}

// Bool returns b as an xsd:boolean.
func Bool(b bool) Term { return Typed(strconv.FormatBool(b), xsdBoolean) }

// Integer returns n as an xsd:integer.
func Integer(n int64) Term { return Typed(strconv.FormatInt(n, 10), xsdInteger) }

// Date returns the day of t, in t's own location, as an xsd:date without a
// time zone.
func Date(t time.Time) Term { return Typed(t.Format(time.DateOnly), xsdDate) }

// DateTime returns t in UTC as an xsd:dateTime, with no more digits of a
// second than it needs.
func DateTime(t time.Time) Term { return Typed(t.UTC().Format(time.RFC3339Nano), xsdDateTime) }

// IsZero reports whether t is no term at all.
func (t Term) IsZero() bool { return t == Term{} }

// IsIRI reports whether t is an IRI.
func (t Term) IsIRI() bool { return t.Kind == IRIKind }

// IsBlank reports whether t is a blank node.
func (t Term) IsBlank() bool { return t.Kind == BlankKind }

// IsLiteral reports whether t is a literal.
func (t Term) IsLiteral() bool { return t.Kind == LiteralKind }

// DatatypeIRI returns the IRI of a literal's datatype, written out also where
// Datatype is empty; it is empty if t is not a literal.
func (t Term) DatatypeIRI() string {
	switch {
	case t.Kind != LiteralKind:
		return ""
	case t.Lang != "":
		return rdfLangString
	case t.Datatype == "":
		return xsdString
	}
	return t.Datatype
}

// String returns t as N-Triples writes it, for messages and tests. It does not
// check t: to make a document, use [Write].
func (t Term) String() string { return string(appendTerm(nil, t)) }

// A Triple is one statement: a subject, a predicate and an object.
type Triple struct{ S, P, O Term }

// valid returns what is wrong with t as a term of RDF, or "".
func (t Term) valid() string {
	switch t.Kind {
	case IRIKind:
		return invalidIRI(t.Value)
	case BlankKind:
		if !isBlankLabel(t.Value) {
			return "a blank node has a label that can't be written"
		}
	case LiteralKind:
		return t.validLiteral()
	default:
		return "a term is missing"
	}
	return ""
}

func (t Term) validLiteral() string {
	switch {
	case !utf8.ValidString(t.Value):
		return "a literal is not valid UTF-8"
	case t.Lang != "" && !isLang(t.Lang):
		return "a language tag is not well-formed"
	case t.Lang != "" && t.Datatype != "":
		return "a literal has both a language and a datatype"
	case t.Datatype != "" && invalidIRI(t.Datatype) != "":
		return "a datatype: " + invalidIRI(t.Datatype)
	}
	return ""
}

// isLang reports whether s has the form of a language tag as Turtle's grammar
// has it: letters, then groups of letters and digits.
func isLang(s string) bool {
	start, groups := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '-' {
			if !isAlpha(s[i]) && (groups == 0 || !isDigit(s[i])) {
				return false
			}
			continue
		}
		if i == start {
			return false
		}
		start, groups = i+1, groups+1
	}
	return true
}

// isBlankLabel reports whether s can stand after "_:".
func isBlankLabel(s string) bool {
	for i, r := range s {
		if i == 0 && !isLabelStart(r) || !isNameRune(r) && r != '.' {
			return false
		}
	}
	return s != "" && s[len(s)-1] != '.' && utf8.ValidString(s)
}
