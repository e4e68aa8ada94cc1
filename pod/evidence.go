// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"time"

	"skrin/ldp"
)

// An Evidence is one statement that a provider attested about the person.
type Evidence struct {
	ID       string
	Type     string // id of its type
	Issuer   string // id of the party that signed it
	Issued   time.Time
	Expires  time.Time // both in whole days
	Received time.Time
	Path     ldp.ID   // where the person finds it in the pod, as RDF
	Facts    []Fact   // in the order of the type's fields
	Forms    []Form   // its signed forms, each for one recipient
	Ended    EndState // why it is no longer current; "" while it is
}

// A Fact is a field's value in its lexical form ("true", "2026-10-01").
type Fact struct {
	Field string // the field's name
	Value string
}

// A Form is one SD-JWT VC of the evidence. Forms of one evidence differ in salts
// and signature, so that two recipients of two forms share nothing.
type Form struct {
	Compact string
	Space   string // the space to which it was given; "" while it is unused
}

// An EndState says why evidence is no longer current.
type EndState string

// The end states.
const (
	Current    EndState = ""
	Superseded EndState = "superseded"
	Revoked    EndState = "revoked"
	Expired    EndState = "expired"
)

// State returns whether the evidence is current at the time now.
func (e *Evidence) State(now time.Time) EndState {
	if e.Ended == Current && !now.Before(e.Expires) {
		return Expired
	}
	return e.Ended
}
