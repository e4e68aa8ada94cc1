// SPDX-License-Identifier: EUPL-1.2

// Package space is what each counterpart knows of a pod: a [Space] of its own, with
// names and addresses that nobody else was given. What may be done there is package
// pod's to decide.
package space

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// A Space is the pod as one counterpart sees it: a WebID for the person that
// only this counterpart knows, and URLs that only it was given. There is one
// per person and party. Its id is random and means nothing.
//
//	/w/{id}/card              the WebID document, for everybody; says nothing about the person
//	/w/{id}/deposit/          a provider posts evidence here, and reads nothing
//	/w/{id}/keys/             and asks for holder keys here, to which it binds what it signs
//	/w/{id}/evidence/         what the party was granted, for the party
//	/w/{id}/evidence/{grant}  a piece of evidence: the granted fields
//	/w/{id}/inbox/            the party posts receipts here, that it has erased; and requests
//	/w/{id}/inbox/{request}   what came of a request, for the party
type Space struct {
	ID      string
	Party   string    // the counterpart's id
	Key     []byte    // makes the tags that only this space has; destroyed with it
	Types   []string  // evidence types that the party may deposit
	Created time.Time //
	Ended   time.Time // disconnected; zero while it lasts
	Moved   string    // the URL of what it is at another server, where the pod went; "" while it is here
	Frozen  time.Time // since when the party reads nothing; zero while it may
}

// A Connection is a space as the person sees it.
type Connection struct {
	Space Space
	Party registry.Party
}

// Copy implements store.Copier.
func (s *Space) Copy() any {
	c := *s
	c.Key, c.Types = slices.Clone(s.Key), slices.Clone(s.Types)
	return &c
}

// Root returns the path of the space, /w/{id}/; those below it are as above.
func (s *Space) Root() ldp.ID                 { return ldp.ID("/w/" + s.ID + "/") }
func (s *Space) Deposit() ldp.ID              { return s.Root() + "deposit/" }
func (s *Space) Keys() ldp.ID                 { return s.Root() + "keys/" }
func (s *Space) Inbox() ldp.ID                { return s.Root() + "inbox/" }
func (s *Space) Evidence(grant string) ldp.ID { return s.Root() + "evidence/" + ldp.ID(grant) }

// WebID returns the person's WebID in the space with the id, on the server whose
// origin is base.
func WebID(base, id string) acl.WebID { return acl.WebID(base + "/w/" + id + "/card#me") }

// Tag returns the name of a state in the space: without the space's key nobody
// can tell whether two spaces show the same thing.
func (s *Space) Tag(parts ...string) string {
	m := hmac.New(sha256.New, s.Key)
	m.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:15])
}

// Key is the key of the space with the id; of all spaces for "".
func Key(id string) string { return "w" + id }

// PartyKey is the key of the id of a party's space.
func PartyKey(party string) string { return "y" + party }

// Of returns the person's space for a party, or nil.
func Of(tx store.Tx, party string) (*Space, error) {
	id, err := store.Load[string](tx, PartyKey(party))
	if err != nil || id == nil {
		return nil, err
	}
	return store.Load[Space](tx, Key(*id))
}

// IDIn returns the second segment of a path /w/{id}/…; "" if it is no id.
func IDIn(id ldp.ID) string {
	s, _, _ := strings.Cut(strings.TrimPrefix(string(id), "/w/"), "/")
	if !store.IsID(s) {
		return ""
	}
	return s
}

// Day returns the start of t's day in UTC: times that leave the pod are whole
// days, because exact ones link people.
func Day(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
