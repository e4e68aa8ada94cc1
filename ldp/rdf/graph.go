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
	uses     []use  // by id
	set      []slot // open-addressing table of row numbers + 1; see needSet
	dead     int    // rows that were removed
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

// A use is where a term is the subject, and where the object.
type use struct{ subject, object chain }

// A chain is the rows of one subject or object, as row number + 1. Of its rows,
// live are not removed.
type chain struct{ first, last, rows, live int32 }

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
	g.uses[r.s].subject.live--
	g.uses[r.o].object.live--
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
			for n := g.use(want.s).subject.first; n != 0 && int(n) <= len(rows); n = rows[n-1].nextS {
				if r := rows[n-1]; r.agrees(want) && !yield(r) {
					return
				}
			}
		default:
			for n := g.use(want.o).object.first; n != 0 && int(n) <= len(rows); n = rows[n-1].nextO {
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
	return g.use(want.s).subject.rows <= g.use(want.o).object.rows
}

func (r row) agrees(want row) bool {
	return r.p != 0 && (want.p == 0 || r.p == want.p) && (want.s == 0 || r.s == want.s) && (want.o == 0 || r.o == want.o)
}

// use returns where n is used.
func (g *Graph) use(n id) use {
	if int(n) >= len(g.uses) {
		return use{}
	}
	return g.uses[n]
}

// asSubject returns the number of triples of which n is the subject.
func (g *Graph) asSubject(n id) int { return int(g.use(n).subject.live) }

// asObject returns the number of triples of which n is the object.
func (g *Graph) asObject(n id) int { return int(g.use(n).object.live) }

// has reports whether a triple has n as its subject or object.
func (g *Graph) has(n id) bool { return g.asSubject(n)+g.asObject(n) > 0 }

// add puts in the triple of these numbers and reports whether it was new.
func (g *Graph) add(s, p, o id) bool {
	g.needSet(s, o)
	if g.find(s, p, o) >= 0 {
		return false
	}
	g.rows = append(g.rows, row{s: s, p: p, o: o})
	n := int32(len(g.rows))
	if most := int(max(s, o)); most >= len(g.uses) {
		g.uses = append(g.uses, make([]use, most+1-len(g.uses))...)
	}
	if c := g.uses[s].subject.append(n); c != 0 {
		g.rows[c-1].nextS = n
	}
	if c := g.uses[o].object.append(n); c != 0 {
		g.rows[c-1].nextO = n
	}
	if g.set != nil {
		g.enter(n)
	}
	return true
}

// append adds a row to the chain and returns the one that was the last, or 0.
func (c *chain) append(n int32) (last int32) {
	last = c.last
	if last == 0 {
		c.first = n
	}
	c.last = n
	c.rows++
	c.live++
	return last
}

// few is how many rows are looked through before the set is asked instead.
const few = 16

// find returns the row of a triple, or -1.
func (g *Graph) find(s, p, o id) int {
	if s == 0 || p == 0 || o == 0 {
		return -1
	}
	subject, object := g.use(s).subject, g.use(o).object
	switch {
	case g.set != nil && subject.rows > few && object.rows > few:
		return g.findInSet(s, p, o)
	case subject.rows <= object.rows:
		for n := subject.first; n != 0; n = g.rows[n-1].nextS {
			if r := &g.rows[n-1]; r.o == o && r.p == p {
				return int(n - 1)
			}
		}
	default:
		for n := object.first; n != 0; n = g.rows[n-1].nextO {
			if r := &g.rows[n-1]; r.s == s && r.p == p {
				return int(n - 1)
			}
		}
	}
	return -1
}

func (g *Graph) findInSet(s, p, o id) int {
	h := g.hash(s, p, o)
	mask := uint32(len(g.set) - 1)
	for at := h & mask; g.set[at].n != 0; at = (at + 1) & mask {
		if g.set[at].hash != h {
			continue
		}
		n := int(g.set[at].n - 1)
		if r := &g.rows[n]; r.s == s && r.p == p && r.o == o {
			return n
		}
	}
	return -1
}

// needSet makes the set of all rows when the first comes that shares both its
// subject and its object with more than a few.
func (g *Graph) needSet(s, o id) {
	if g.set != nil || g.use(s).subject.rows <= few || g.use(o).object.rows <= few {
		return
	}
	g.mix = randomMix(g.dict.seed)
	g.set = make([]slot, 1<<bits.Len(uint(2*len(g.rows))))
	for n := range g.rows {
		g.enter(int32(n + 1))
	}
}

// enter puts row n-1 into the set.
func (g *Graph) enter(n int32) {
	if len(g.rows) > len(g.set)/2 {
		g.set = regrown(g.set)
	}
	r := &g.rows[n-1]
	h := g.hash(r.s, r.p, r.o)
	mask := uint32(len(g.set) - 1)
	at := h & mask
	for g.set[at].n != 0 {
		at = (at + 1) & mask
	}
	g.set[at] = slot{h, uint32(n)}
}

func (g *Graph) hash(s, p, o id) uint32 {
	hi, lo := bits.Mul64(uint64(s)<<32^uint64(o)^g.mix[0], uint64(p)<<16^g.mix[1])
	hi, lo = bits.Mul64(hi^lo, g.mix[1])
	return uint32(hi ^ lo)
}

// expect makes room for as many triples as are expected, and half as many terms.
func (g *Graph) expect(n int) {
	g.dict.init(n / 2)
	g.rows = make([]row, 0, n)
	g.uses = make([]use, 0, n/2)
}

// compact forgets the removed rows, and the terms that no row has.
func (g *Graph) compact() {
	c := g.Clone()
	*g = *c
}
