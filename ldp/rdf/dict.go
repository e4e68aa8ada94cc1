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
	seed   maphash.Seed
	terms  []Term   // terms[0] is the zero Term
	hashes []uint32 // of terms
	slots  []id     // a power of two of them; 0 is free
}

func (d *dict) init() {
	d.seed = maphash.MakeSeed()
	d.terms = make([]Term, 1, 16)
	d.hashes = make([]uint32, 1, 16)
	d.slots = make([]id, 32)
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
	n, _ := d.seek(t, d.hash(t))
	return n
}

// seek returns the number of t or 0, and the slot where it is or would be.
func (d *dict) seek(t Term, hash uint32) (n id, slot uint32) {
	mask := uint32(len(d.slots) - 1)
	for slot = hash & mask; ; slot = (slot + 1) & mask {
		n = d.slots[slot]
		if n == 0 || d.hashes[n] == hash && d.terms[n] == t {
			return n, slot
		}
	}
}

// intern returns the number of t, giving it one if it has none. It keeps copies
// of t's strings, so that a term never holds on to the document it came from.
func (d *dict) intern(t Term) id {
	if d.slots == nil {
		d.init()
	}
	h := d.hash(t)
	n, slot := d.seek(t, h)
	if n != 0 {
		return n
	}
	n = id(len(d.terms))
	t.Value, t.Lang, t.Datatype = strings.Clone(t.Value), strings.Clone(t.Lang), d.shared(t.Datatype)
	d.terms = append(d.terms, t)
	d.hashes = append(d.hashes, h)
	d.slots[slot] = n
	if len(d.terms) > len(d.slots)/2 {
		d.grow()
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

func (d *dict) grow() {
	d.slots = make([]id, 4*len(d.slots))
	mask := uint32(len(d.slots) - 1)
	for n := 1; n < len(d.terms); n++ {
		slot := d.hashes[n] & mask
		for d.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.slots[slot] = id(n)
	}
}

// randomMix derives the two multipliers of a graph's hash from its dict's seed.
func randomMix(seed maphash.Seed) [2]uint64 {
	return [2]uint64{maphash.String(seed, "subject and object"), maphash.String(seed, "predicate") | 1}
}
