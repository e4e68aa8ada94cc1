// SPDX-License-Identifier: EUPL-1.2

package channel

import (
	"fmt"
	"time"

	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/store"
)

const (
	kept       = 256 // activities
	journalKey = "v"
)

func activityKey(seq uint64) string { return fmt.Sprintf("v%016x", seq) }

// Write appends to the journal, has the nodes told, and returns the number of the
// first.
func Write(tx store.Tx, done []record.Activity) (first uint64, err error) {
	seq, err := Last(tx)
	if err != nil {
		return 0, err
	}
	first = seq + 1
	for _, a := range done {
		seq++
		a.Seq = seq
		if err := store.Save(tx, activityKey(seq), a); err != nil {
			return 0, err
		}
		if seq > kept {
			tx.Delete(activityKey(seq - kept))
		}
	}
	tx.Stir()
	return first, store.Save(tx, journalKey, seq)
}

// Last returns the number of the last activity; 0 if there has been none.
func Last(tx store.Tx) (uint64, error) {
	last, err := store.Load[uint64](tx, journalKey)
	if err != nil || last == nil {
		return 0, err
	}
	return *last, nil
}

// Since returns what happened after a number, and the last number. lost is
// that the ring no longer holds all of it.
func Since(tx store.Tx, after uint64) (found []record.Activity, last uint64, lost bool, err error) {
	if last, err = Last(tx); err != nil || last <= after {
		return nil, last, false, err
	}
	pairs, err := tx.Scan(journalKey, activityKey(after), kept)
	if err != nil {
		return nil, 0, false, err
	}
	for _, pair := range pairs {
		a, err := store.Decode[record.Activity](pair.Key, pair.Value)
		if err != nil {
			return nil, 0, false, err
		}
		found = append(found, *a)
	}
	return found, last, uint64(len(found)) < last-after, nil
}

// Stands returns an activity that says how a topic is.
func Stands(tx store.Tx, topic ldp.ID, now time.Time) (record.Activity, error) {
	values, err := tx.Get(record.RecordKey(topic))
	if err != nil {
		return record.Activity{}, err
	}
	rec, err := record.DecodeState(values[0])
	a := record.Activity{Kind: record.Deleted, Object: topic, At: now.UTC().Truncate(time.Second)}
	if rec != nil {
		a.Kind, a.State = record.Updated, ldp.EntityTag(rec.Tag.String(), rec.Media)
	}
	return a, err
}
