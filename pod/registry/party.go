// SPDX-License-Identifier: EUPL-1.2

package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/pod/vouch"
)

// A Text is a text in several languages: sv, nb, nn, en.
type Text map[string]string

// In returns the text in the language lang, or in the nearest one there is: the
// Norwegian languages stand in for one another, then English, then Swedish.
func (t Text) In(lang string) string {
	near := map[string]string{"nb": "nn", "nn": "nb"}
	for _, l := range []string{lang, near[lang], "en", "sv"} {
		if s := t[l]; s != "" {
			return s
		}
	}
	return ""
}

// ErrNoParty is a Registry's answer for an organisation that isn't registered,
// or whose registration has ended.
var ErrNoParty = errors.New("no such party")

// A Registry tells who is registered.
type Registry interface {
	// Party returns the party with the id, or ErrNoParty. A caller changes nothing in it.
	Party(ctx context.Context, id string) (Party, error)
	// Issuers returns the ids of the parties that may issue a type of evidence.
	Issuers(ctx context.Context, evidenceType string) ([]string, error)
}

// PartyOrName returns a registered party; for one whose registration has ended, its
// id for a name, so that the person still sees whom a record is about.
func PartyOrName(ctx context.Context, r Registry, id string) (Party, error) {
	party, err := r.Party(ctx, id)
	if errors.Is(err, ErrNoParty) {
		return Party{ID: id, Name: Text{"en": id}}, nil
	}
	return party, err
}

// A Party is an organisation that is registered with this server, as provider,
// consumer or both.
type Party struct {
	ID          string // also its client_id: a-z, 0-9 and "-", at most 64
	WebID       acl.WebID
	Name        Text
	Number      string             // organisation number, "SE.5560000001"
	Home        string             // URL of its web site
	Initiate    string             // URL at which it begins a connection (initiate_login_uri of OIDC Core, section 4); "" for none
	Privacy     string             // URL of its privacy notice
	Contact     string             // URL or mailto: where a person asks for erasure
	Authority   string             // the supervisory authority, "IMY"
	Keys        jose.JSONWebKeySet // its public keys: client assertions, requests, credentials
	KeysAt      string             // the URL at which it publishes them instead
	Issuer      string             // the iss of the credentials that it signs, "https://af.example.se"
	Redirects   []string           // URLs to which the browser may be sent back
	Notify      string             // URL to which notifications are posted; "" for none
	StatusLists string             // URL of its status list aggregation; "" if it never revokes
	MayIssue    []string           // ids of evidence types
	Uses        []Use              // what it may ask for
	Identity    bool               // it is told the person's national number when connected
	Renumbers   []Renumbering      // the changes of a person's number that it may tell of
	Until       time.Time          // the registration ends

	// Published, for a party with KeysAt, returns the keys that it publishes, read
	// again if none of them has the kid.
	Published func(kid string) jose.JSONWebKeySet
}

// KeySet returns the party's keys, to find the one with the kid.
func (p *Party) KeySet(kid string) jose.JSONWebKeySet {
	if p.KeysAt != "" && p.Published != nil {
		return p.Published(kid)
	}
	return p.Keys
}

// CheckSigned verifies a JWS of that typ with one of the party's keys, and returns
// the payload.
func (p *Party) CheckSigned(jws, typ string) ([]byte, error) {
	return vouch.CheckBy(jws, typ, p.KeySet)
}

// A Renumbering is a change of the number by which a person signs in, of which
// a population register may tell: "xx:passport" to "no:dnummer".
type Renumbering struct {
	From string `json:"from"` // schemes, as the identity vault has them
	To   string `json:"to"`
}

// A Use is one purpose for which a party may ask for fields of one type.
type Use struct {
	ID      string // "ink-2026"
	Purpose string // IRI, of DPV or narrower
	Why     Text   // the purpose in plain words
	Basis   string // legal basis, an IRI
	Type    string // id of the evidence type
	Fields  []string
	Days    int      // a grant lasts at most so many days
	Needs   []string // those of Fields without which the purpose can't be served; nil where that isn't said
	Once    bool     // to read once is enough
}

// Use returns the use with the id.
func (p *Party) Use(id string) (Use, bool) {
	i := slices.IndexFunc(p.Uses, func(u Use) bool { return u.ID == id })
	if i < 0 {
		return Use{}, false
	}
	return p.Uses[i], true
}

// Key finds one of the party's keys: it is a credential.Keys.
func (p *Party) Key(issuer, kid string) (jose.JSONWebKey, error) {
	set := p.KeySet(kid)
	keys := set.Key(kid)
	if issuer != p.Issuer || len(keys) != 1 {
		return jose.JSONWebKey{}, errors.New("it is not signed with a key that is registered for you")
	}
	return keys[0], nil
}
