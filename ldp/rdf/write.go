// SPDX-License-Identifier: EUPL-1.2

package rdf

import "fmt"

// WriteOptions shape a document; the zero value is good.
type WriteOptions struct {
	// Prefixes are namespaces to abbreviate, by name, before those of the graph
	// and the well-known ones. Only those that are used are declared.
	Prefixes map[string]string

	// Contexts are the IRIs of the embedded JSON-LD contexts to compact with. If
	// none, a document has a context of its own, with the prefixes it uses.
	Contexts []string

	// Continue appends to Turtle that [AppendPrefixes] began, so that a long
	// listing can be written in parts: only Prefixes are used, and none declared.
	// A blank node that would need a label is then an error.
	Continue bool
}

// Write returns the graph as a document of the given format. A term or triple
// that RDF does not allow is a *[TermError].
//
// Turtle and JSON-LD come in an order of their own, so that equal graphs give
// equal bytes; N-Triples and N-Quads in the order of the graph.
func Write(g *Graph, f Format, opt WriteOptions) ([]byte, error) {
	switch f {
	case Turtle, TriG:
		return AppendTurtle(nil, g, opt)
	case NTriples, NQuads:
		return appendLines(make([]byte, 0, 2*bytesPerTriple*g.Len()), g, Term{})
	case JSONLD:
		return writeJSONLD([]named{{graph: g}}, opt)
	}
	return nil, fmt.Errorf("write: %s can't be written", f)
}

// WriteDataset is [Write] for TriG, N-Quads and JSON-LD, and for the other
// formats if the dataset names no graph.
func WriteDataset(d *Dataset, f Format, opt WriteOptions) ([]byte, error) {
	graphs := d.sorted()
	if len(graphs) == 1 {
		return Write(d.Default(), f, opt)
	}
	switch f {
	case TriG:
		return appendTriG(nil, graphs, opt)
	case NQuads:
		return appendQuads(nil, graphs)
	case JSONLD:
		return writeJSONLD(graphs, opt)
	}
	return nil, fmt.Errorf("write: %s has no named graphs", f)
}

func appendQuads(dst []byte, graphs []named) ([]byte, error) {
	for _, n := range graphs {
		if err := n.check(); err != nil {
			return nil, err
		}
		var err error
		if dst, err = appendLines(dst, n.graph, n.name); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
