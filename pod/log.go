// SPDX-License-Identifier: EUPL-1.2

package pod

import "time"

// An Action is what an Entry tells.
type Action string

// The actions that are logged.
const (
	DidConnect  Action = "connect"  // the person let a provider deliver
	DidDeliver  Action = "deliver"  // a provider delivered evidence
	DidRead     Action = "read"     // a party read
	DidRefuse   Action = "refuse"   // a party was refused
	DidAgree    Action = "agree"    // the person agreed to a request
	DidDecline  Action = "decline"  // the person declined
	DidWithdraw Action = "withdraw" // the person withdrew a consent
	DidFetch    Action = "fetch"    // the person asked a provider for evidence
)

// An Entry is one line of the log: who did what, when and why. It names fields,
// never values.
type Entry struct {
	Seq     uint64    `json:"seq"` // from 1, without gaps
	Time    time.Time `json:"time"`
	Action  Action    `json:"action"`
	Party   string    `json:"party,omitempty"` // id of the party that did it, or that it concerns
	Type    string    `json:"type,omitempty"`  // of the evidence
	Fields  []string  `json:"fields,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Consent string    `json:"consent,omitempty"`
	Path    string    `json:"path,omitempty"` // in the party's space
	Why     string    `json:"why,omitempty"`  // of a refusal, a short code
	Prev    string    `json:"prev"`           // hash of the entry before
	Hash    string    `json:"hash"`           // of this one without Hash
}
