// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"fmt"
)

// Limits bound what a document may ask of its reader. A field that is 0 stands
// for the default given with it.
type Limits struct {
	Bytes    int // length of the document; 16 MiB, and 1 MiB for JSON-LD, which takes thirty times as long to read
	Triples  int // triples, counted as they are read; 500,000
	Depth    int // nesting of blank nodes, lists, formulas, JSON and XML elements; 128
	IRI      int // bytes of an IRI, a prefix or a blank node's label; 4,096
	Literal  int // bytes of a literal; 1 MiB
	Contexts int // contexts of a JSON-LD document; 64
	Work     int // steps of matching, comparing or canonicalizing; 2,000,000

	// LoadContext returns the JSON-LD context document with this IRI, which is
	// https: or http: and not among those embedded, or nil if there is none. If it is nil
	// itself, no other context may be used.
	LoadContext func(ctx context.Context, iri string) ([]byte, error)
}

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.Bytes, 16<<20)
	set(&l.Triples, 500_000)
	set(&l.Depth, 128)
	set(&l.IRI, 4096)
	set(&l.Literal, 1<<20)
	set(&l.Contexts, 64)
	set(&l.Work, 2_000_000)
	return l
}

// Read parses a document. Relative references are resolved against base, which
// is an absolute IRI, or empty if the document may have none. The error is a
// *[SyntaxError], a *[LimitError], for JSON-LD a *[ContextError] or that of
// LoadContext, or that of ctx.
//
// A format that can hold named graphs may be read if the document names none.
func Read(ctx context.Context, body []byte, f Format, base string, lim Limits) (*Graph, error) {
	d, err := ReadDataset(ctx, body, f, base, lim)
	if err != nil {
		return nil, err
	}
	if len(d.Names()) > 0 {
		return nil, &SyntaxError{Msg: "the document has named graphs; one graph without a name was expected"}
	}
	return d.Default(), nil
}

// ReadDataset is [Read] for a document that may have named graphs.
func ReadDataset(ctx context.Context, body []byte, f Format, base string, lim Limits) (*Dataset, error) {
	if f == JSONLD && lim.Bytes <= 0 {
		lim.Bytes = 1 << 20
	}
	lim = lim.withDefaults()
	if len(body) > lim.Bytes {
		return nil, &LimitError{"bytes", lim.Bytes}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch f {
	case Turtle, TriG, NTriples, NQuads:
		return readText(ctx, body, f, base, lim)
	case JSONLD:
		return readJSONLD(ctx, body, base, lim)
	case RDFXML:
		return readRDFXML(ctx, body, base, lim)
	}
	return nil, fmt.Errorf("read: %s can't be read", f)
}
