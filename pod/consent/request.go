// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"encoding/json"
	"fmt"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// MarkTrouble notes with a request why a provider that was asked for evidence brings
// none. There need not be such a request.
func MarkTrouble(tx store.Tx, request, provider, trouble string) error {
	if request == "" {
		return nil
	}
	r, err := store.Load[Request](tx, RequestKey(request))
	if err != nil || r == nil {
		return err
	}
	a := r.Asked[provider]
	a.Trouble = trouble
	if r.Asked == nil {
		r.Asked = map[string]Asked{}
	}
	r.Asked[provider] = a
	return store.Save(tx, RequestKey(r.ID), r)
}

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
	Mailed    bool     // it came through the party's inbox/, and the party waits in no browser
	Key       string   // under which it was begun: where the party waits for the answer, if it still does
	Types     []string // ToDeposit: what it would deliver. ToRead: the one type it asks for
	Use       string   // ToRead: id of the party's Use
	Fields    []string // ToRead: what it must have
	Optional  []string // ToRead: what it would like to have; off unless the person chooses it
	Until     time.Time
	Standing  bool     // ToRead: later evidence of the type too, until Until
	MaxAge    int      // ToRead: days since the evidence was issued, at most; 0 for as long as it is good
	Reads     int      // ToRead: how often it may be read, at most; 0 for as often as the party likes
	Along     []string // ToRead: what the party would deliver in answer; agreed to, or declined, with the rest
	Created   time.Time
	AnswerBy  time.Time
	State     RequestState
	Answered  time.Time
	Reason    string           // of a refusal, if the person gave one
	Consent   string           // id of the Consent, if agreed
	Asked     map[string]Asked // ToRead: providers that were asked for missing evidence
}

// An Asked is what came of asking a provider for missing evidence.
type Asked struct {
	At      time.Time
	Trouble string // "" or why nothing has come: "none", "refused", "unreachable"
}

// RequestKey is the key of the request with the id; of all requests for "".
func RequestKey(id string) string { return "q" + id }

// openFrom comes before the keys that find the open requests which are to be answered
// after t.
func openFrom(t time.Time) string { return fmt.Sprintf("Q%016x", t.Unix()) }

// KeepRequest stores a request, so that it is found as long as it is open.
func KeepRequest(tx store.Tx, r *Request) error {
	found := openFrom(r.AnswerBy) + r.ID
	if r.State != Open {
		tx.Delete(found)
	} else if err := store.Save(tx, found, r.ID); err != nil {
		return err
	}
	return store.Save(tx, RequestKey(r.ID), r)
}

// OpenEntry is what finds the request under a key, if it is open.
func OpenEntry(key string, value []byte) (at string, says []byte, err error) {
	r, err := store.Decode[Request](key, value)
	if err != nil || r.State != Open {
		return "", nil, err
	}
	says, err = json.Marshal(r.ID)
	return openFrom(r.AnswerBy) + r.ID, says, err
}

// FindRequest returns the request with the id; NotFound if there is none.
func FindRequest(tx store.Tx, id string) (*Request, error) {
	r, err := store.Load[Request](tx, RequestKey(id))
	if err == nil && r == nil {
		err = ldp.Refuse(ldp.NotFound, "There is no such request.")
	}
	return r, err
}
