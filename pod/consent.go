// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"time"

	"skrin/acl"
)

// A Consent is the record of an answer. It is written once; only Withdrawn is
// ever added.
type Consent struct {
	ID        string
	Request   Request // as it was answered
	Space     string
	Evidence  string // the chosen evidence
	Fields    []string
	Shown     string // hash of what was on the screen
	Lang      string
	Given     time.Time
	Until     time.Time
	Withdrawn time.Time // zero while it holds
	Record    string    // the signed ISO/IEC TS 27560 record, a compact JWS
}

// A Share is a consent as the person sees it.
type Share struct {
	Consent Consent
	Party   Party
	Type    *EvidenceType
	Use     Use
	Active  bool
	Reads   int // times that the party has read under it
	Last    time.Time
}

// A Grant is an acl.Grant to a space's party, with what the view needs to serve
// it.
type Grant struct {
	ID       string
	Rule     acl.Grant // Rule.On is a path in the space; Rule.Because the consent
	Evidence string    // what is read through it
	Type     string
}
