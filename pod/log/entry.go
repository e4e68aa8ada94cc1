// SPDX-License-Identifier: EUPL-1.2

package log

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"skrin/acl"
	"skrin/pod/store"
)

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
	DidRemove   Action = "remove"   // the person removed evidence
	DidVisit    Action = "visit"    // somebody with a WebID read in the standard pod
	DidUse      Action = "use"      // an app read or wrote in the owner's name, for the first time on a day; the rest is counted
	DidWrite    Action = "write"    // somebody else made or changed a resource of the standard pod
	DidDelete   Action = "delete"   // or deleted one

	DidDisconnect Action = "disconnect" // the person lets a provider deliver no more
	DidFreeze     Action = "freeze"     // the person stopped a party's reads for a while
	DidThaw       Action = "thaw"       // and let them go on
	DidAsk        Action = "ask"        // a party that knows the person asked through its inbox/
	DidRevoke     Action = "revoke"     // an issuer revoked or suspended evidence by its status list, or ended that; Why says which
	DidErase      Action = "erase"      // a party says that it has erased what it had read

	DidLend   Action = "lend"   // the person lets somebody, the Agent, use a file or folder
	DidUnlend Action = "unlend" // and no longer

	DidLeave Action = "leave" // the person wants all of it to be erased
	DidStay  Action = "stay"  // and has thought again

	DidRenumber Action = "renumber" // the person signs in by another number than before, as a register, the Party, has told, or none for her eID

	DidInvite  Action = "invite"  // the person made an invitation to act for her, for whom she calls Path
	DidAppoint Action = "appoint" // the Agent took it on
	DidDismiss Action = "dismiss" // it was ended, by her or by the helper
	DidLook    Action = "look"    // a helper looked at a part of the pod, Why, for the first time on a day

	DidExport Action = "export" // the person took all of the pod out in a file; Why is "operator" where the operator did
	DidImport Action = "import" // the pod was filled from such a file, of the pod that was at Path
	DidMove   Action = "move"   // the person moved the pod to Path, on another server
)

// An Entry is one line of the log: who did what, when and why. It names fields,
// never values.
type Entry struct {
	Seq     uint64    `json:"seq"` // from 1, without gaps
	Time    time.Time `json:"time"`
	Action  Action    `json:"action"`
	Party   string    `json:"party,omitempty"`  // id of the party that did it, or that it concerns
	Agent   acl.WebID `json:"agent,omitempty"`  // who did it, where that is no party
	By      acl.WebID `json:"by,omitempty"`     // who acted for the person, in what the person did
	Client  string    `json:"client,omitempty"` // the app by which
	Type    string    `json:"type,omitempty"`   // of the evidence
	Fields  []string  `json:"fields,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Consent string    `json:"consent,omitempty"`
	Path    string    `json:"path,omitempty"`   // in the party's space; of a mandate the helper's name; in the pod, of a visit or a write; of a stranger's write the container
	Why     string    `json:"why,omitempty"`    // of a refusal, a short code
	Digest  string    `json:"digest,omitempty"` // of the SD-JWT that was read: "sha256:" and hex. Of RDF there is none: without salts it would tell the values
	Prev    string    `json:"prev"`             // Hash of the entry before; "" for the first
	Hash    string    `json:"hash"`             // of the entry as JSON with an empty Hash
}

// A Head is the state of the chain.
type Head struct {
	Seq  uint64
	Hash string
}

// Copy implements store.Copier: each entry is made after the head.
func (h Head) Copy() any { return &h }

// HeadKey is the key of the [Head].
const HeadKey = "h"

// Key is the key of the entry with that number.
func Key(seq uint64) string { return fmt.Sprintf("l%016x", seq) }

// Enter appends e to the pod's log, in the transaction of what it tells.
func Enter(tx store.Tx, now time.Time, e Entry) error {
	head, err := store.Load[Head](tx, HeadKey)
	if err != nil {
		return err
	}
	if head == nil {
		head = new(Head)
	}
	if t, ok := tx.(*Acting); ok {
		e.By = t.By
	}
	e.Seq, e.Prev, e.Time = head.Seq+1, head.Hash, now.UTC().Truncate(time.Second)
	text, err := e.seal()
	if err != nil {
		return err
	}
	tx.Put(Key(e.Seq), text)
	return store.Save(tx, HeadKey, Head{e.Seq, e.Hash})
}

// Sum returns the hash that e should have.
func (e Entry) Sum() (string, error) {
	_, err := e.seal()
	return e.Hash, err
}

// seal gives e its hash, and returns it as JSON, where the hash comes last.
func (e *Entry) seal() ([]byte, error) {
	e.Hash = ""
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	e.Hash = hex.EncodeToString(h[:])
	return append(append(b[:len(b)-len(`"}`)], e.Hash...), `"}`...), nil
}

// Verify reports the first fault of a chain of entries, in ascending order,
// that begins with the first: a gap, a changed or a foreign entry.
func Verify(entries []Entry) error {
	prev := ""
	for i, e := range entries {
		sum, err := e.Sum()
		switch {
		case err != nil:
			return err
		case e.Seq != uint64(i+1):
			return fmt.Errorf("entry %d is missing", i+1)
		case e.Prev != prev:
			return fmt.Errorf("entry %d does not follow the one before it", e.Seq)
		case e.Hash != sum:
			return fmt.Errorf("entry %d was changed", e.Seq)
		}
		prev = e.Hash
	}
	return nil
}

// Refused logs that a party was refused, once a day for each party, path and
// reason: a party that tries without end must not fill the person's log.
func Refused(tx store.Tx, now time.Time, e Entry) (first bool, err error) {
	e.Action = DidRefuse
	return EnterDaily(tx, now, e)
}

// EnterDaily appends e, unless it was appended today. first says that it has left a
// mark for the day, which is of no use after it and which somebody should remove then.
func EnterDaily(tx store.Tx, now time.Time, e Entry) (first bool, err error) {
	why := e.Why
	if e.Action != DidRefuse {
		why = string(e.Action)
	}
	key := Today(now) + "\x00" + e.Party + "\x00" + why + "\x00" + e.Path
	seen, err := store.Load[int](tx, key)
	if err != nil || seen != nil {
		return false, err
	}
	if err := store.Save(tx, key, 1); err != nil {
		return false, err
	}
	return true, Enter(tx, now, e)
}

// Today is what the keys of the marks of the day begin with, and comes after those of
// earlier days.
func Today(now time.Time) string { return "x" + now.UTC().Format(time.DateOnly) }

// An Acting is a transaction of somebody who acts for the owner: each entry of the
// log tells by whom.
type Acting struct {
	store.Tx
	By acl.WebID
}
