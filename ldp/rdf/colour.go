// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"math/bits"
	"slices"
)

// Colours tell the blank nodes of a graph apart by what surrounds them: two
// nodes with different colours differ, two with the same may still differ. The
// colours of isomorphic graphs are the same, whatever the labels.
type colours struct {
	g      *Graph
	blanks []id
	of     []uint64 // by id
	next   []uint64 // of the blanks, during a round
	work   *int     // steps that are left
}

// newColours gives every blank node the same colour, and every other term its
// own, when it is asked for.
func newColours(g *Graph, work *int) *colours {
	c := &colours{g: g, of: make([]uint64, len(g.dict.terms)), work: work}
	for n := range g.dict.terms {
		if g.dict.terms[n].Kind == BlankKind && g.has(id(n)) {
			c.of[n] = 1
			c.blanks = append(c.blanks, id(n))
		}
	}
	c.next = make([]uint64, len(c.blanks))
	return c
}

// colour returns the colour of a term.
func (c *colours) colour(n id) uint64 {
	if c.of[n] == 0 {
		c.of[n] = termHash(c.g.dict.terms[n])
	}
	return c.of[n]
}

// refine looks further and further around each blank node until that tells no
// more of them apart. It reports false if the work ran out.
func (c *colours) refine() bool {
	for seen := 0; ; {
		distinct := c.distinct()
		if distinct <= seen || distinct == len(c.blanks) {
			return true
		}
		seen = distinct
		if !c.round() {
			return false
		}
	}
}

// round mixes into each blank node's colour those of its neighbours.
func (c *colours) round() bool {
	for i, n := range c.blanks {
		sum := mix(c.of[n], 1)
		for r := range c.g.match(row{s: n}) {
			sum += mix(c.colour(r.p), mix(c.colour(r.o), 2))
			*c.work--
		}
		for r := range c.g.match(row{o: n}) {
			sum += mix(c.colour(r.p), mix(c.colour(r.s), 3))
			*c.work--
		}
		if c.next[i] = sum; *c.work < 0 {
			return false
		}
	}
	for i, n := range c.blanks {
		c.of[n] = c.next[i]
	}
	return true
}

func (c *colours) distinct() int {
	all := c.sorted()
	return len(slices.Compact(all))
}

// sorted returns the colours of the blank nodes in order.
func (c *colours) sorted() []uint64 {
	all := make([]uint64, len(c.blanks))
	for i, n := range c.blanks {
		all[i] = c.of[n]
	}
	slices.Sort(all)
	return all
}

// with returns a copy in which the node n has a colour of its own.
func (c *colours) with(n id) *colours {
	d := &colours{g: c.g, blanks: c.blanks, of: slices.Clone(c.of), next: make([]uint64, len(c.blanks)), work: c.work}
	d.of[n] = mix(d.of[n], 4)
	*c.work -= len(c.of)
	return d
}

// termHash is the colour of a term that is not a blank node.
func termHash(t Term) uint64 {
	h := uint64(t.Kind)
	for _, s := range [...]string{t.Value, t.Datatype, t.Lang} {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * 0x100000001B3
		}
		h = mix(h, 5)
	}
	return h
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9E3779B97F4A7C15, b^0xD6E8FEB86659FD93)
	return hi ^ lo ^ bits.RotateLeft64(a, 29)
}
