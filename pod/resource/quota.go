// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"encoding/binary"

	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/store"
)

// How much a pod holds is counted as it changes, in the transaction that changes
// it: one number under usedKey, so that no write has to walk the pod.
const (
	UsedKey = "U"
)

// UsedOf returns how many bytes the pod holds. One that was made before there was
// a count is walked, once: the next charge stores what was found.
func UsedOf(tx store.Tx) (used int64, err error) {
	values, err := tx.Get(UsedKey)
	if err != nil {
		return 0, err
	}
	if b := values[0]; b != nil {
		return decodeUsed(b)
	}
	const page = 256
	for after := ""; ; {
		pairs, err := tx.Scan("r", after, page)
		if err != nil {
			return 0, err
		}
		for _, pair := range pairs {
			rec, err := record.DecodeState(pair.Value)
			if err != nil {
				return 0, err
			}
			used += rec.Cost()
			after = pair.Key
		}
		if len(pairs) < page {
			return used, nil
		}
	}
}

func decodeUsed(b []byte) (int64, error) {
	in := store.Reader{Rest: b}
	in.Layout()
	return in.Varint(), in.Err
}

// charge refuses what would bring the pod beyond its quota. It is called before the
// records are put, and what it stores is the count after they have been.
func (tree *Tree) charge(tx store.Tx, r *Right, more int64) (err error) {
	if more == 0 {
		return nil
	}
	var used int64
	if r.used != nil {
		used, err = decodeUsed(r.used)
	} else {
		used, err = UsedOf(tx)
	}
	if err != nil {
		return err
	}
	if more > 0 && tree.Quota > 0 && used+more > tree.Quota {
		return full()
	}
	r.used = binary.AppendVarint([]byte{store.Layout}, used+more)
	tx.Put(UsedKey, r.used)
	return nil
}

// growth is by how much the pod grows when rec takes the place of what is there,
// with the containers that are made for it.
func (r *Right) growth(rec *record.State) int64 {
	n := rec.Cost() - r.Rec.Cost()
	if r.aux == "" {
		for _, l := range r.line[1:] {
			if l.rec == nil {
				n += record.Overhead
			}
		}
	}
	return n
}

// shrinkage is by how much it shrinks when the resource goes, with its auxiliaries.
func (r *Right) shrinkage(tx store.Tx) (int64, error) {
	n := r.Rec.Cost()
	if r.aux != "" {
		return n, nil
	}
	values, err := tx.Get(record.RecordKey(r.id+ldp.ACLSuffix), record.RecordKey(r.id+ldp.MetaSuffix))
	for _, value := range values {
		rec, bad := record.DecodeState(value)
		if bad != nil {
			return 0, bad
		}
		n += rec.Cost()
	}
	return n, err
}

// hasRoom refuses a body for which there is no room, before a byte of it is read:
// of size bytes, below 0 if that isn't known yet, to take the place of instead.
func (tree *Tree) hasRoom(tx store.Tx, size int64, instead *record.State) error {
	if tree.Quota <= 0 {
		return nil
	}
	used, err := UsedOf(tx)
	if err == nil && used+record.Overhead+max(size, 0)-instead.Cost() > tree.Quota {
		err = full()
	}
	return err
}

func full() error {
	return ldp.Refuse(ldp.Full, "The pod is full. Delete something, or ask the operator for more room.")
}
