// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"iter"
	"maps"
	"math/bits"
	"strconv"
)

// A Graph is a set of triples that remembers the order in which they came. The
// zero Graph is empty and ready to use. Any number of goroutines may read a
// Graph that nobody writes.
//
// Terms are numbered, each stored once, and the triples of a subject and of an
// object are linked, so that Add, Remove and Has take constant time and Match
// looks only at the triples of the rarer of the two.
type Graph struct {
	dict     dict
	rows     []row
	set      []int32 // open-addressing table of rows, as row number + 1
	subjects []chain // by id
	objects  []chain // by id
	dead     int     // rows that were removed
	mix      [2]uint64
	fresh    int
	prefixes map[string]string
}

// A row is a triple, and where the next one of its subject and of its object
// is, as row number + 1. A removed row has p = 0.
type row struct {
	s, p, o      id
	nextS, nextO int32
}

// A chain is the rows of one subject or object, as row number + 1.
type chain struct{ first, last, n int32 }

// Len returns the number of triples.
func (g *Graph) Len() int { return len(g.rows) - g.dead }

// Add puts a triple into the graph and reports whether it was new.
func (g *Graph) Add(s, p, o Term) bool {
	return g.add(g.dict.intern(s), g.dict.intern(p), g.dict.intern(o))
}

// Remove takes a triple out of the graph and reports whether it was there.
func (g *Graph) Remove(s, p, o Term) bool {
	n := g.find(g.dict.find(s), g.dict.find(p), g.dict.find(o))
	if n < 0 {
		return false
	}
	r := &g.rows[n]
	g.subjects[r.s].n--
	g.objects[r.o].n--
	r.p = 0
	if g.dead++; g.dead > 64 && g.dead > len(g.rows)/2 {
		g.compact()
	}
	return true
}

// Has reports whether the triple is in the graph.
func (g *Graph) Has(s, p, o Term) bool {
	return g.find(g.dict.find(s), g.dict.find(p), g.dict.find(o)) >= 0
}

// All yields the triples in the order in which they were added. A change made
// meanwhile may be seen or not.
func (g *Graph) All() iter.Seq[Triple] { return g.Match(Term{}, Term{}, Term{}) }

// Match yields the triples that have the given subject, predicate and object,
// in the order in which they were added; the zero Term matches any. A change
// made meanwhile may be seen or not.
func (g *Graph) Match(s, p, o Term) iter.Seq[Triple] {
	return func(yield func(Triple) bool) {
		want, ok := g.pattern(s, p, o)
		if !ok {
			return
		}
		terms := g.dict.terms
		for r := range g.match(want) {
			if !yield(Triple{terms[r.s], terms[r.p], terms[r.o]}) {
				return
			}
		}
	}
}

// Object returns the first object of the subject's predicate, if there is one.
func (g *Graph) Object(s, p Term) (Term, bool) {
	for t := range g.Match(s, p, Term{}) {
		return t.O, true
	}
	return Term{}, false
}

// Objects returns the objects of the subject's predicate.
func (g *Graph) Objects(s, p Term) []Term {
	var found []Term
	for t := range g.Match(s, p, Term{}) {
		found = append(found, t.O)
	}
	return found
}

// Subjects returns the subjects that have the object as their predicate's.
func (g *Graph) Subjects(p, o Term) []Term {
	var found []Term
	for t := range g.Match(Term{}, p, o) {
		found = append(found, t.S)
	}
	return found
}

// Fresh returns a blank node that is not in the graph, and is never returned
// again.
func (g *Graph) Fresh() Term {
	for {
		g.fresh++
		t := Blank("n" + strconv.Itoa(g.fresh))
		if g.dict.find(t) == 0 {
			return t
		}
	}
}

// Clone returns a copy that shares nothing with g that can change.
func (g *Graph) Clone() *Graph {
	c := new(Graph)
	for t := range g.All() {
		c.Add(t.S, t.P, t.O)
	}
	c.prefixes, c.fresh = maps.Clone(g.prefixes), g.fresh
	return c
}

// SetPrefix tells the writers to abbreviate the namespace with the given name.
// [Read] sets those that the document declares.
func (g *Graph) SetPrefix(name, namespace string) {
	if g.prefixes == nil {
		g.prefixes = map[string]string{}
	}
	g.prefixes[name] = namespace
}

// Prefixes returns the namespaces that [Graph.SetPrefix] set, by name.
func (g *Graph) Prefixes() map[string]string { return maps.Clone(g.prefixes) }

// pattern numbers the terms of a pattern; ok is false if the graph has never
// seen one of them.
func (g *Graph) pattern(s, p, o Term) (want row, ok bool) {
	want = row{s: g.dict.find(s), p: g.dict.find(p), o: g.dict.find(o)}
	return want, (want.s != 0 || s.IsZero()) && (want.p != 0 || p.IsZero()) && (want.o != 0 || o.IsZero())
}

// match yields the rows that agree with those numbers of want that are not 0.
func (g *Graph) match(want row) iter.Seq[row] {
	return func(yield func(row) bool) {
		rows := g.rows
		switch bySubject := g.rarer(want); {
		case want.s != 0 && want.p != 0 && want.o != 0:
			if n := g.find(want.s, want.p, want.o); n >= 0 {
				yield(rows[n])
			}
		case want.s == 0 && want.o == 0:
			for _, r := range rows {
				if r.p != 0 && (want.p == 0 || r.p == want.p) && !yield(r) {
					return
				}
			}
		case bySubject:
			for n := g.chainOf(g.subjects, want.s); n != 0 && int(n) <= len(rows); n = rows[n-1].nextS {
				if r := rows[n-1]; r.agrees(want) && !yield(r) {
					return
				}
			}
		default:
			for n := g.chainOf(g.objects, want.o); n != 0 && int(n) <= len(rows); n = rows[n-1].nextO {
				if r := rows[n-1]; r.agrees(want) && !yield(r) {
					return
				}
			}
		}
	}
}

// rarer reports whether to look through the subject's rows and not the object's.
func (g *Graph) rarer(want row) bool {
	if want.s == 0 || want.o == 0 {
		return want.s != 0
	}
	return g.count(g.subjects, want.s) <= g.count(g.objects, want.o)
}

func (r row) agrees(want row) bool {
	return r.p != 0 && (want.p == 0 || r.p == want.p) && (want.s == 0 || r.s == want.s) && (want.o == 0 || r.o == want.o)
}

func (g *Graph) chainOf(chains []chain, n id) int32 {
	if int(n) >= len(chains) {
		return 0
	}
	return chains[n].first
}

func (g *Graph) count(chains []chain, n id) int32 {
	if int(n) >= len(chains) {
		return 0
	}
	return chains[n].n
}

// uses reports whether a triple has n as its subject or object.
func (g *Graph) uses(n id) bool { return g.count(g.subjects, n)+g.count(g.objects, n) > 0 }

// add puts in the triple of these numbers and reports whether it was new.
func (g *Graph) add(s, p, o id) bool {
	if len(g.rows) >= len(g.set)/2 {
		g.growSet()
	}
	mask := uint32(len(g.set) - 1)
	slot := g.hash(s, p, o) & mask
	for ; g.set[slot] != 0; slot = (slot + 1) & mask {
		if r := &g.rows[g.set[slot]-1]; r.s == s && r.p == p && r.o == o {
			return false
		}
	}
	g.rows = append(g.rows, row{s: s, p: p, o: o})
	n := int32(len(g.rows))
	g.set[slot] = n
	g.link(n)
	return true
}

// link appends row n-1 to the chains of its subject and object.
func (g *Graph) link(n int32) {
	r := &g.rows[n-1]
	if c := g.chain(&g.subjects, r.s); c.first == 0 {
		*c = chain{first: n, last: n, n: 1}
	} else {
		g.rows[c.last-1].nextS = n
		c.last, c.n = n, c.n+1
	}
	if c := g.chain(&g.objects, r.o); c.first == 0 {
		*c = chain{first: n, last: n, n: 1}
	} else {
		g.rows[c.last-1].nextO = n
		c.last, c.n = n, c.n+1
	}
}

func (g *Graph) chain(chains *[]chain, n id) *chain {
	for int(n) >= len(*chains) {
		*chains = append(*chains, chain{})
	}
	return &(*chains)[n]
}

// find returns the row of a triple, or -1.
func (g *Graph) find(s, p, o id) int {
	if s == 0 || p == 0 || o == 0 || len(g.set) == 0 {
		return -1
	}
	mask := uint32(len(g.set) - 1)
	for slot := g.hash(s, p, o) & mask; g.set[slot] != 0; slot = (slot + 1) & mask {
		n := int(g.set[slot] - 1)
		if r := &g.rows[n]; r.s == s && r.p == p && r.o == o {
			return n
		}
	}
	return -1
}

func (g *Graph) hash(s, p, o id) uint32 {
	hi, lo := bits.Mul64(uint64(s)<<32^uint64(o)^g.mix[0], uint64(p)<<16^g.mix[1])
	hi, lo = bits.Mul64(hi^lo, g.mix[1])
	return uint32(hi ^ lo)
}

func (g *Graph) growSet() {
	if len(g.set) == 0 {
		if g.dict.slots == nil {
			g.dict.init()
		}
		g.mix = randomMix(g.dict.seed)
	}
	g.set = make([]int32, max(16, 4*len(g.set)))
	mask := uint32(len(g.set) - 1)
	for n, r := range g.rows {
		slot := g.hash(r.s, r.p, r.o) & mask
		for g.set[slot] != 0 {
			slot = (slot + 1) & mask
		}
		g.set[slot] = int32(n + 1)
	}
}

// compact forgets the removed rows, and the terms that no row has.
func (g *Graph) compact() {
	c := g.Clone()
	*g = *c
}
