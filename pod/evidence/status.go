// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"time"

	"skrin/pod/credential"
	"skrin/pod/status"
	"skrin/pod/store"
)

// At returns the evidence that has a place in a status list; nil for none.
func At(tx store.Tx, place store.Name) (*Evidence, error) {
	id, err := status.HolderOf(tx, place)
	if err != nil || id == "" {
		return nil, err
	}
	return store.Load[Evidence](tx, Key(id))
}

// Said returns what the lists say of the evidence; false if that isn't known now.
func (e *Evidence) Said(lists *status.Lists, now time.Time) (EndState, bool) {
	said, known := lists.At(e.Places, now)
	switch said {
	case credential.Valid:
		return Current, known
	case credential.Suspended:
		return Suspended, known
	}
	return Revoked, known
}

// Ask fills in what the lists say of the evidence, and returns false if that is not
// known. What was told once is not forgotten while a list can't be had.
func (e *Evidence) Ask(lists *status.Lists, now time.Time) (known bool) {
	state, known := e.Said(lists, now)
	switch {
	case e.Ended != Current:
	case known:
		e.Ended = state
	default:
		e.Ended = e.Listed
	}
	return known
}

// Occupy gives the evidence more places. One that other evidence has is refused, as
// [status.Lists.Occupy] does.
func (e *Evidence) Occupy(tx store.Tx, lists *status.Lists, more status.Places) error {
	if err := lists.Occupy(tx, e.ID, more); err != nil {
		return err
	}
	if e.Places == nil && len(more) > 0 {
		e.Places = status.Places{}
	}
	for uri, indexes := range more {
		e.Places[uri] = append(e.Places[uri], indexes...)
	}
	return nil
}
