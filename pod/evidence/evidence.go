// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
)

// An Evidence is one statement that a provider attested about the person.
type Evidence struct {
	ID       string
	Type     string // id of its type
	Issuer   string // id of the party that signed it
	Issued   time.Time
	Expires  time.Time // both in whole days
	Received time.Time
	Path     ldp.ID        // where the person finds it in the pod, as RDF
	Facts    []Fact        // in the order of the type's fields
	Detached string        // the issuer's signature of its RDF, a detached JWS; "" if it came as signed forms
	Forms    int           // how many signed forms were delivered
	Given    int           // how many of them have a recipient
	Wanted   time.Time     // when its issuer was asked for more of them; zero if it wasn't, or has delivered them
	Places   status.Places // of the signed forms in status lists
	Listed   EndState      // what the lists said when the log was told last: "", Revoked or Suspended
	Ended    EndState      // why it is no longer current; "" while it is
}

// Copy implements store.Copier.
func (e *Evidence) Copy() any {
	c := *e
	c.Facts, c.Places = slices.Clone(e.Facts), maps.Clone(e.Places)
	for list, indexes := range c.Places {
		c.Places[list] = slices.Clone(indexes)
	}
	return &c
}

// MaxForms is how many signed forms there may be of one piece of evidence.
const MaxForms = 256

// A Fact is a field's value in its lexical form ("true", "2026-10-01").
type Fact struct {
	Field string // the field's name
	Value string
}

// An EndState says why evidence is no longer current.
type EndState string

// The end states.
const (
	Current    EndState = ""
	Superseded EndState = "superseded"
	Revoked    EndState = "revoked"
	Expired    EndState = "expired"
	Suspended  EndState = "suspended" // by its issuer, for a while
)

// State returns whether the evidence is current at the time now.
func (e *Evidence) State(now time.Time) EndState {
	if e.Ended == Current && !now.Before(e.Expires) {
		return Expired
	}
	return e.Ended
}

// TooOld reports whether the evidence was issued more than so many days ago; 0 for no
// limit.
func (e *Evidence) TooOld(days int, now time.Time) bool {
	return days > 0 && space.Day(now).After(e.Issued.AddDate(0, 0, days))
}

// Keep stores evidence that is new here.
func Keep(tx store.Tx, e *Evidence) error {
	tx.Put(newestKey(e), []byte{store.Layout})
	return store.Save(tx, Key(e.ID), e)
}

// NewestEntry is what finds the evidence under a key by when it came.
func NewestEntry(key string, value []byte) (at string, says []byte, err error) {
	e, err := store.Decode[Evidence](key, value)
	if err != nil {
		return "", nil, err
	}
	return newestKey(e), []byte{store.Layout}, nil
}

// newestKey finds evidence by when it came, the newest first.
func newestKey(e *Evidence) string {
	return fmt.Sprintf("R%016x%s", uint64(math.MaxInt64-e.Received.Unix()), e.ID)
}

// Key is the key of the evidence with the id; of all evidence for "".
func Key(id string) string { return "e" + id }

func currentKey(typ, issuer string) string { return "k" + typ + "\x00" + issuer }

// IsCurrent reports whether it is what a standing grant of its type and issuer gives.
func (e *Evidence) IsCurrent(tx store.Tx) (bool, error) {
	id, err := store.Load[string](tx, currentKey(e.Type, e.Issuer))
	return id != nil && *id == e.ID, err
}

// Remove removes it with its signed forms and what finds it, and gives up its places.
func (e *Evidence) Remove(tx store.Tx, lists *status.Lists, isCurrent bool) error {
	if isCurrent {
		tx.Delete(currentKey(e.Type, e.Issuer))
	}
	tx.Delete(Key(e.ID))
	tx.Delete(newestKey(e))
	lists.Vacate(tx, e.Places)
	return eachForm(tx, e.ID, func(key string, form []byte) error {
		tx.Delete(key)
		c, err := credential.Parse(string(form))
		if err != nil {
			return err
		}
		thumb, err := HolderOf(c)
		if err == nil && thumb != "" {
			tx.Delete(boundKey(thumb))
		}
		return err
	})
}

// Supersede makes e the current evidence of its type and issuer; or what was
// superseded already, if it was issued before what is good now: forms that were asked
// for earlier may come later.
func Supersede(tx store.Tx, e *Evidence, lists *status.Lists, now time.Time) error {
	key := currentKey(e.Type, e.Issuer)
	id, err := store.Load[string](tx, key)
	if err != nil {
		return err
	}
	if id != nil {
		old, err := store.Load[Evidence](tx, Key(*id))
		switch {
		case err != nil:
			return err
		case old == nil:
		case e.Issued.Before(old.Issued) && good(*old, lists, now):
			e.Ended = Superseded
			return nil
		case old.Ended == Current:
			old.Ended = Superseded
			if err := store.Save(tx, Key(old.ID), old); err != nil {
				return err
			}
		}
	}
	return store.Save(tx, key, e.ID)
}

// good reports whether evidence is current, and its issuer's lists say nothing else.
func good(e Evidence, lists *status.Lists, now time.Time) bool {
	e.Ask(lists, now)
	return e.State(now) == Current
}
