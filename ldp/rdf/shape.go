// SPDX-License-Identifier: EUPL-1.2

package rdf

import "iter"

// maxNest is how deep the Turtle writer nests brackets. What is deeper gets a
// label. It stays under the Depth of readers, theirs too.
const maxNest = 24

// A shapes says, for each blank node of a graph, how Turtle can show it without a
// label.
type shapes struct {
	g     *Graph
	depth []int8 // by id: 0 as a node of its own; n > 0 nested, n brackets deep
	cell  []bool // by id: a cell of a well-formed list, reached only through it
	rest  id
	apart func(id) bool
	order func(a, b id) int
}

// newShapes looks at the blank nodes of g. Those that apart reports on are used
// elsewhere too, and need a label. order breaks ties by a total order.
func newShapes(g *Graph, apart func(id) bool, order func(a, b id) int) *shapes {
	terms := g.dict.terms
	s := &shapes{g: g, depth: make([]int8, len(terms)), cell: make([]bool, len(terms)), apart: apart, order: order}
	s.markCells()
	for n := range terms {
		if terms[n].Kind == BlankKind {
			s.depth[n] = unknown
		}
	}
	for n := range terms {
		if s.depth[n] == unknown {
			s.settle(id(n))
		}
	}
	return s
}

const (
	unknown = -1
	onPath  = -2
)

// nested reports whether n is written in the place where it is referred to.
func (s *shapes) nested(n id) bool { return s.depth[n] > 0 }

// isList reports whether n is written as a list in parentheses.
func (s *shapes) isList(n id) bool { return s.nested(n) && s.cell[n] }

// items yields the items of the list that begins at the cell n.
func (s *shapes) items(n id) iter.Seq[id] {
	return func(yield func(id) bool) {
		for s.cell[n] {
			var item, rest id
			for r := range s.g.match(row{s: n}) {
				if r.p == s.rest {
					rest = r.o
				} else {
					item = r.o
				}
			}
			if !yield(item) {
				return
			}
			n = rest
		}
	}
}

// parent returns the only row that refers to the blank node n.
func (s *shapes) parent(n id) (row, bool) {
	if s.g.asObject(n) != 1 {
		return row{}, false
	}
	for r := range s.g.match(row{o: n}) {
		return r, true
	}
	return row{}, false
}

// markCells goes back from the end of each list as long as there is one way.
func (s *shapes) markCells() {
	end, first := s.g.dict.find(IRI(rdfNil)), s.g.dict.find(IRI(rdfFirst))
	s.rest = s.g.dict.find(IRI(rdfRest))
	if end == 0 || first == 0 || s.rest == 0 {
		return
	}
	for last := range s.g.match(row{p: s.rest, o: end}) {
		for n := last.s; s.isCell(n, first) && !s.apart(n); {
			up, ok := s.parent(n)
			if !ok {
				break
			}
			s.cell[n] = true
			if up.p != s.rest {
				break
			}
			n = up.s
		}
	}
}

// isCell reports whether n is a blank node with one rdf:first, one rdf:rest and
// nothing else.
func (s *shapes) isCell(n, first id) bool {
	if s.g.dict.terms[n].Kind != BlankKind || s.g.asSubject(n) != 2 {
		return false
	}
	firsts, rests := 0, 0
	for r := range s.g.match(row{s: n}) {
		switch r.p {
		case first:
			firsts++
		case s.rest:
			rests++
		}
	}
	return firsts == 1 && rests == 1
}

// settle finds the depth of n, and of the nodes on its way up.
func (s *shapes) settle(n id) {
	var path []id
	var ups []row
	for s.depth[n] == unknown {
		up, ok := s.parent(n)
		if !ok || s.apart(n) {
			s.depth[n] = 0
			break
		}
		s.depth[n] = onPath
		path, ups = append(path, n), append(ups, up)
		n = up.s
	}
	if s.depth[n] == onPath {
		s.cut(path, n)
	}
	for range 2 { // a cycle that was cut is settled from the cut, so partly in the second round
		for i := len(path) - 1; i >= 0; i-- {
			if n := path[i]; s.depth[n] == onPath && s.depth[ups[i].s] >= 0 {
				s.depth[n] = s.below(n, ups[i])
			}
		}
	}
}

// cut gives one node of the cycle that begins at n a label: the least, so that
// the choice does not depend on where the search began.
func (s *shapes) cut(path []id, n id) {
	i := len(path) - 1
	for path[i] != n {
		i--
	}
	least := n
	for _, m := range path[i:] {
		if s.order(m, least) < 0 {
			least = m
		}
	}
	s.depth[least] = 0
}

// below returns the depth of n under the subject of up.
func (s *shapes) below(n id, up row) int8 {
	d := s.depth[up.s]
	switch {
	case up.p == s.rest && s.cell[n] && s.cell[up.s] && s.nested(up.s):
		return d
	case d == maxNest:
		return 0
	}
	return d + 1
}
