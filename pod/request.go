// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"encoding/json"
	"time"

	"skrin/acl"
)

// A RequestKind says what a request is about.
type RequestKind string

// The kinds of request: the types of authorization_details (RFC 9396) that
// carry them.
const (
	ToDeposit RequestKind = "evidence_deposit"
	ToRead    RequestKind = "evidence_request"
)

// A RequestState says how far a request has come.
type RequestState string

// The states of a request.
const (
	Open     RequestState = "open"
	Agreed   RequestState = "agreed"
	Declined RequestState = "declined"
)

// A Request is what a party asks of the person.
type Request struct {
	ID        string
	Kind      RequestKind
	Party     string   // who asks
	Reference string   // the party's own, for itself
	Types     []string // ToDeposit: what it would deliver. ToRead: the one type it asks for
	Use       string   // ToRead: id of the party's Use
	Fields    []string // ToRead: what it must have
	Optional  []string // ToRead: what it would like to have; off unless the person chooses it
	Until     time.Time
	Standing  bool // ToRead: later evidence of the type too, until Until
	Created   time.Time
	AnswerBy  time.Time
	State     RequestState
	Answered  time.Time
	Reason    string               // of a refusal, if the person gave one
	Consent   string               // id of the Consent, if agreed
	Asked     map[string]time.Time // ToRead: providers that were asked for missing evidence, and when
}

// An Offer is a request with all that the person needs to decide on it.
type Offer struct {
	Request   Request
	Party     Party
	Use       Use             // ToRead
	Types     []*EvidenceType // of Request.Types
	Connected bool            // ToDeposit: the party is connected already, for these types
	Choices   []Choice        // ToRead: the evidence that would answer, newest first; empty if there is none
	Suppliers []Supplier      // ToRead: who could deliver evidence of the type
	Excess    []string        // fields beyond what the use is registered for; always empty here, since such a request is refused
}

// A Choice is one piece of evidence and what of it would be released.
type Choice struct {
	Evidence Evidence
	Released []Fact   // exactly what the party receives if the person agrees
	Optional []Fact   // what it receives besides, where the person chooses so
	Hidden   []string // fields that stay hidden
	Shown    string   // hash of the above; the Answer repeats it, so that nobody agrees to what they didn't see
}

// A Supplier is a provider of a type of evidence that is asked for.
type Supplier struct {
	Party     Party
	Connected bool
	Asked     time.Time // zero if it wasn't asked for this request
	Trouble   string    // "" or a code why nothing has come: "refused", "unreachable", "none"
}

// An Answer is what the person decided on a request.
type Answer struct {
	Agree    bool
	Evidence string    // id of the chosen evidence
	Optional []string  // the optional fields that the person chose to release
	Until    time.Time // an earlier end than asked for; zero for as asked
	Shown    string    // Choice.Shown of what was on the screen
	Lang     string    // the language of the screen
	Reason   string    // of a refusal; may be empty; at most 500 bytes
}

// An Outcome is what the party is told of an answer.
type Outcome struct {
	Party    string
	Declined bool
	WebID    acl.WebID         // the person's WebID for this party
	Subject  string            // the pairwise subject identifier (OIDC Core, section 8.1)
	Details  []json.RawMessage // the authorization_details as granted, with locations
	Identity bool              // the party shall be told the national number now
}
