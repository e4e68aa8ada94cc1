// SPDX-License-Identifier: EUPL-1.2

package rdf

import "slices"

// Isomorphic reports whether the graphs are equal but for the labels of their
// blank nodes (RDF 1.1 Concepts, section 3.6). It gives up, with false, on
// graphs that take more than the default [Limits] of work, which only graphs
// made for it do; [CompareGraphs] tells the two apart.
func Isomorphic(a, b *Graph) bool {
	same, err := CompareGraphs(a, b, Limits{})
	return same && err == nil
}

// CompareGraphs is [Isomorphic] within the limit lim.Work. The error is a
// *[LimitError].
func CompareGraphs(a, b *Graph, lim Limits) (bool, error) {
	lim = lim.withDefaults()
	if a.Len() != b.Len() || !groundIn(a, b) {
		return false, nil
	}
	work := lim.Work
	same := isomorphic(newColours(a, &work), newColours(b, &work))
	if work < 0 {
		return false, &LimitError{"comparing", lim.Work}
	}
	return same, nil
}

// groundIn reports whether the triples of a without blank nodes are in b.
func groundIn(a, b *Graph) bool {
	for t := range a.All() {
		if !t.S.IsBlank() && !t.O.IsBlank() && !b.Has(t.S, t.P, t.O) {
			return false
		}
	}
	return true
}

// isomorphic refines both colourings. Where a colour is left that several nodes
// have, it tries each pairing of one of them.
func isomorphic(a, b *colours) bool {
	if !a.refine() || !b.refine() || !slices.Equal(a.sorted(), b.sorted()) {
		return false
	}
	colour, shared := a.smallestClass()
	if !shared {
		return a.mapsTo(b)
	}
	n := a.class(colour)[0]
	for _, m := range b.class(colour) {
		if isomorphic(a.with(n), b.with(m)) {
			return true
		}
		if *a.work < 0 {
			return false
		}
	}
	return false
}

// smallestClass returns a colour that the fewest nodes, but more than one, have.
func (c *colours) smallestClass() (colour uint64, shared bool) {
	all, least := c.sorted(), len(c.blanks)+1
	for i := 0; i < len(all); {
		n := i
		for n < len(all) && all[n] == all[i] {
			n++
		}
		if size := n - i; size > 1 && size < least {
			colour, shared, least = all[i], true, size
		}
		i = n
	}
	return colour, shared
}

func (c *colours) class(colour uint64) []id {
	var class []id
	for _, n := range c.blanks {
		if c.of[n] == colour {
			class = append(class, n)
		}
	}
	return class
}

// mapsTo reports whether pairing the nodes by colour turns every triple of a
// into one of b.
func (a *colours) mapsTo(b *colours) bool {
	pair := map[uint64]Term{}
	for _, n := range b.blanks {
		pair[b.of[n]] = b.g.dict.terms[n]
	}
	image := func(n id) Term {
		if t := a.g.dict.terms[n]; t.Kind != BlankKind {
			return t
		}
		return pair[a.of[n]]
	}
	for r := range a.g.match(row{}) {
		if !b.g.Has(image(r.s), image(r.p), image(r.o)) {
			return false
		}
	}
	return true
}

// CompareDatasets is [CompareGraphs] for datasets, whose blank nodes may be
// shared between graphs and may name them.
func CompareDatasets(a, b *Dataset, lim Limits) (bool, error) {
	if len(a.Names()) == 0 && len(b.Names()) == 0 {
		return CompareGraphs(a.Default(), b.Default(), lim)
	}
	return CompareGraphs(a.flat(), b.flat(), lim)
}

// flat returns the dataset as one graph, in which every triple is a node that
// says what it is and where. Datasets are isomorphic if these graphs are.
func (d *Dataset) flat() *Graph {
	flat := new(Graph)
	for _, n := range d.sorted() {
		name := n.name
		if name.IsZero() {
			name = IRI("default")
		}
		for t := range n.graph.All() {
			node := flat.Fresh()
			node.Value = "triple " + node.Value // no label of the dataset has a space
			flat.Add(node, IRI("s"), t.S)
			flat.Add(node, IRI("p"), t.P)
			flat.Add(node, IRI("o"), t.O)
			flat.Add(node, IRI("g"), name)
		}
	}
	return flat
}
