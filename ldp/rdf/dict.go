// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// An id is the number of a term within one dict. 0 is no term.
type id uint32

// A dict numbers terms from 1, in the order in which they came. It is an
// open-addressing table under a random seed, so that no document can choose
// terms that collide.
type dict struct {
	seed  maphash.Seed
	terms []Term // terms[0] is the zero Term
	slots []slot // a power of two of them
}

// A slot is a number with its hash, so that a search need not look further. One
// with the number 0 is free.
type slot struct{ hash, n uint32 }

// init makes room for as many terms as are expected.
func (d *dict) init(expected int) {
	d.seed = maphash.MakeSeed()
	d.terms = make([]Term, 1, expected+2)
	d.slots = make([]slot, 1<<bits.Len(uint(2*expected+8)))
}

func (d *dict) hash(t Term) uint32 {
	h := maphash.String(d.seed, t.Value) + uint64(t.Kind)
	if t.Datatype != "" {
		h ^= bits.RotateLeft64(maphash.String(d.seed, t.Datatype), 17)
	}
	if t.Lang != "" {
		h ^= bits.RotateLeft64(maphash.String(d.seed, t.Lang), 31)
	}
	return uint32(h ^ h>>32)
}

// find returns the number of t, or 0.
func (d *dict) find(t Term) id {
	if d.slots == nil {
		return 0
	}
	n, _ := d.seek(&t, d.hash(t))
	return n
}

// seek returns the number of t or 0, and the slot where it is or would be.
func (d *dict) seek(t *Term, hash uint32) (n id, at uint32) {
	mask := uint32(len(d.slots) - 1)
	for at = hash & mask; ; at = (at + 1) & mask {
		s := d.slots[at]
		if s.n == 0 {
			return 0, at
		}
		if s.hash != hash {
			continue
		}
		if u := &d.terms[s.n]; u.Value == t.Value && u.Kind == t.Kind && u.Datatype == t.Datatype && u.Lang == t.Lang {
			return id(s.n), at
		}
	}
}

// intern returns the number of t, giving it one if it has none. It keeps copies
// of t's strings, so that a term never holds on to the document it came from.
func (d *dict) intern(t Term) id {
	if d.slots == nil {
		d.init(8)
	}
	h := d.hash(t)
	n, at := d.seek(&t, h)
	if n != 0 {
		return n
	}
	n = id(len(d.terms))
	t.Value, t.Lang, t.Datatype = strings.Clone(t.Value), strings.Clone(t.Lang), d.shared(t.Datatype)
	d.terms = append(d.terms, t)
	d.slots[at] = slot{h, uint32(n)}
	if len(d.terms) > len(d.slots)/2 {
		d.slots = regrown(d.slots)
	}
	return n
}

// shared returns a copy of a datatype IRI, the same one for the common types.
func (d *dict) shared(datatype string) string {
	for _, common := range [...]string{"", xsdInteger, xsdDate, xsdDateTime, xsdBoolean, xsdDecimal, xsdDouble, xsdAnyURI} {
		if datatype == common {
			return common
		}
	}
	return strings.Clone(datatype)
}

// regrown returns four times as many slots with the same numbers in them.
func regrown(slots []slot) []slot {
	grown := make([]slot, 4*len(slots))
	mask := uint32(len(grown) - 1)
	for _, s := range slots {
		if s.n == 0 {
			continue
		}
		at := s.hash & mask
		for grown[at].n != 0 {
			at = (at + 1) & mask
		}
		grown[at] = s
	}
	return grown
}

// randomMix derives the two multipliers of a graph's hash from its dict's seed.
func randomMix(seed maphash.Seed) [2]uint64 {
	return [2]uint64{maphash.String(seed, "subject and object"), maphash.String(seed, "predicate") | 1}
}
