// SPDX-License-Identifier: EUPL-1.2

package rdf

import "strings"

// A Format is a syntax for graphs or datasets.
type Format uint8

// The formats. TriG, N-Quads and JSON-LD can hold datasets with named graphs.
// RDF/XML is read and not written.
const (
	Turtle Format = iota + 1
	NTriples
	JSONLD
	TriG
	NQuads
	RDFXML
)

// The media types of the two patch formats.
const (
	N3PatchType      = "text/n3"
	SPARQLUpdateType = "application/sparql-update"
)

// FormatOf returns the format with the given media type. Parameters are
// ignored, and so is case.
func FormatOf(mediaType string) (Format, bool) {
	name, _, _ := strings.Cut(mediaType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	for f := Turtle; f <= RDFXML; f++ {
		if name == f.MediaType() {
			return f, true
		}
	}
	return 0, false
}

// MediaType returns the format's media type, without parameters.
func (f Format) MediaType() string {
	switch f {
	case Turtle:
		return "text/turtle"
	case NTriples:
		return "application/n-triples"
	case JSONLD:
		return "application/ld+json"
	case TriG:
		return "application/trig"
	case NQuads:
		return "application/n-quads"
	case RDFXML:
		return "application/rdf+xml"
	}
	return ""
}

// String returns the format's name.
func (f Format) String() string {
	switch f {
	case Turtle:
		return "Turtle"
	case NTriples:
		return "N-Triples"
	case JSONLD:
		return "JSON-LD"
	case TriG:
		return "TriG"
	case NQuads:
		return "N-Quads"
	case RDFXML:
		return "RDF/XML"
	}
	return "no format"
}
