// SPDX-License-Identifier: EUPL-1.2

package rdf

import "slices"

// A Dataset is a default graph and any number of named ones (RDF 1.1 Concepts,
// section 4). Blank nodes are shared between its graphs. The zero Dataset is
// empty and ready to use.
type Dataset struct {
	graph Graph
	names []Term
	named map[Term]*Graph
}

// Default returns the graph that has no name. It is part of the dataset.
func (d *Dataset) Default() *Graph { return &d.graph }

// Names returns the names of the named graphs that have triples, in the order in
// which they came. A name is an IRI or a blank node.
func (d *Dataset) Names() []Term {
	return slices.DeleteFunc(slices.Clone(d.names), func(name Term) bool { return d.named[name].Len() == 0 })
}

// Graph returns the graph with the given name, making an empty one if there is
// none; the zero Term names the default graph. It is part of the dataset.
func (d *Dataset) Graph(name Term) *Graph {
	if name.IsZero() {
		return &d.graph
	}
	g := d.named[name]
	if g == nil {
		if d.named == nil {
			d.named = map[Term]*Graph{}
		}
		g = new(Graph)
		d.named[name] = g
		d.names = append(d.names, name)
	}
	return g
}

// Len returns the number of triples in all graphs.
func (d *Dataset) Len() int {
	n := d.graph.Len()
	for _, g := range d.named {
		n += g.Len()
	}
	return n
}

// A named is a graph with its name, which is zero for the default graph.
type named struct {
	name  Term
	graph *Graph
}

// sorted returns the default graph, then the named ones in order of name.
func (d *Dataset) sorted() []named {
	all := []named{{graph: &d.graph}}
	for _, name := range d.Names() {
		all = append(all, named{name, d.named[name]})
	}
	slices.SortFunc(all[1:], func(a, b named) int { return compareTerms(a.name, b.name) })
	return all
}

// check returns what is wrong with the name.
func (n named) check() error {
	if n.name.IsZero() {
		return nil
	}
	if msg := n.name.valid(); msg != "" {
		return &TermError{msg}
	}
	if n.name.Kind == LiteralKind {
		return &TermError{"the name of a graph is a literal"}
	}
	return nil
}
