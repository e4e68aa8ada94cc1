// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/resource"
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

func (s *Space) root() ldp.ID                 { return ldp.ID("/w/" + s.ID + "/") }
func (s *Space) deposit() ldp.ID              { return s.root() + "deposit/" }
func (s *Space) keys() ldp.ID                 { return s.root() + "keys/" }
func (s *Space) inbox() ldp.ID                { return s.root() + "inbox/" }
func (s *Space) evidence(grant string) ldp.ID { return s.root() + "evidence/" + ldp.ID(grant) }

// SpaceWebID returns the person's WebID in the space with the id.
func (p *Pod) SpaceWebID(space string) acl.WebID {
	return acl.WebID(p.Base + "/w/" + space + "/card#me")
}

// tag returns the name of a state in the space: without the space's key nobody
// can tell whether two spaces show the same thing.
func (s *Space) tag(parts ...string) string {
	m := hmac.New(sha256.New, s.Key)
	m.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:15])
}

func spaceKey(id string) string           { return "w" + id }
func spaceOfKey(party string) string      { return "y" + party }
func grantKey(space, grant string) string { return "g" + space + "\x00" + grant }

// spaceOf returns the person's space for a party, or nil.
func spaceOf(tx store.Tx, party string) (*Space, error) {
	id, err := store.Load[string](tx, spaceOfKey(party))
	if err != nil || id == nil {
		return nil, err
	}
	return store.Load[Space](tx, spaceKey(*id))
}

// grants returns the grants that could permit something at id: the provider's
// right to append, and the one grant that id names. It costs the same however
// many grants the pod has.
func (p *Pod) grants(tx store.Tx, s *Space, party *registry.Party, id ldp.ID) ([]acl.Grant, *Grant, error) {
	me := party.WebID
	mail, isMail := strings.CutPrefix(string(id), string(s.inbox()))
	switch grant, ok := strings.CutPrefix(string(id), string(s.evidence(""))); {
	case !s.Ended.IsZero():
		return nil, nil, nil
	case id == s.root()+"card":
		return []acl.Grant{{To: acl.Public, On: string(id), Modes: acl.Read, Because: "WebID"}}, nil, nil
	case id == s.deposit() && len(s.Types) > 0:
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case id == s.keys() && len(s.Types) > 0:
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case id == s.inbox():
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case isMail && store.IsID(mail):
		r, err := store.Load[Request](tx, requestKey(mail))
		if err != nil || r == nil || !r.Mailed || r.Party != s.Party {
			return nil, nil, err
		}
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Read, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "request"}}, nil, nil
	case ok && !s.Frozen.IsZero():
		return nil, nil, nil
	case ok && grant == "":
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Read, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case ok && store.IsID(grant):
		g, err := store.Load[Grant](tx, grantKey(s.ID, grant))
		if err != nil || g == nil {
			return nil, nil, err
		}
		return []acl.Grant{g.Rule}, g, nil
	}
	return nil, nil, nil
}

// An access is what one request in a space was decided on.
type access struct {
	space *Space
	party registry.Party
	grant *Grant // nil where the right doesn't come from a consent
	rule  acl.Grant
}

// enterSpace decides whether who may do mode at id, a path in a space.
// Whatever doesn't exist is refused as what is hidden.
func (p *Pod) enterSpace(ctx context.Context, tx store.Tx, who acl.Agent, mode acl.Mode, id ldp.ID) (access, error) {
	s, err := store.Load[Space](tx, spaceKey(spaceID(id)))
	if err != nil {
		return access{}, err
	}
	if s == nil {
		return access{}, store.ErrNoPod
	}
	if s.Moved != "" {
		return access{}, resource.MovedTo(s.Moved, strings.TrimPrefix(string(id), string(s.root())))
	}
	a := access{space: s}
	a.party, err = p.Registry.Party(ctx, s.Party)
	if err != nil && !errors.Is(err, registry.ErrNoParty) {
		return a, err
	}
	rules, grant, err2 := p.grants(tx, s, &a.party, id)
	if err2 != nil {
		return a, err2
	}
	rule, ok := acl.Decide(rules, who, mode, string(id), p.Now())
	if !ok || (err != nil && rule.To != acl.Public) {
		return a, resource.Refusal(who)
	}
	a.grant, a.rule = grant, rule
	return a, nil
}

// spaceID returns the second segment of a path /w/{id}/….
func spaceID(id ldp.ID) string {
	s, _, _ := strings.Cut(strings.TrimPrefix(string(id), "/w/"), "/")
	if !store.IsID(s) {
		return ""
	}
	return s
}

// inSpace runs do where who may do mode at id, logs a refusal of a registered
// party in the same transaction in which it was decided, and answers what is
// absent like what is hidden. do runs as part of an Update. A stranger may
// nothing in any space, so the store isn't even asked.
func (p *Pod) inSpace(ctx context.Context, who acl.Agent, mode acl.Mode, id ldp.ID, do func(store.Tx, access) error) error {
	if !who.Known() {
		return resource.Refusal(who)
	}
	var denied error
	err := p.Store.Update(ctx, store.Name("w/"+spaceID(id)), func(tx store.Tx) error {
		denied = nil
		a, err := p.enterSpace(ctx, tx, who, mode, id)
		if k := ldp.KindOf(err); err != nil && (k == ldp.Forbidden || k == ldp.Unauthenticated) {
			denied = err
			return p.logRefusal(ctx, tx, who, a.space, id)
		}
		if err != nil {
			return err
		}
		return do(tx, a)
	})
	if errors.Is(err, store.ErrNoPod) {
		return resource.Refusal(who)
	}
	if err != nil {
		return err
	}
	return denied
}

// logRefusal enters the refusal of a registered party; strangers are only
// refused.
func (p *Pod) logRefusal(ctx context.Context, tx store.Tx, who acl.Agent, s *Space, id ldp.ID) error {
	party, err := p.Registry.Party(ctx, who.Client)
	if errors.Is(err, registry.ErrNoParty) || err == nil && party.WebID != who.ID {
		return nil
	}
	if err != nil {
		return err
	}
	e := log.Entry{Party: party.ID, Why: "foreign"}
	if party.ID == s.Party {
		e.Why = "not granted"
		if grant, ok := strings.CutPrefix(string(id), string(s.evidence(""))); ok && store.IsID(grant) {
			g, err := store.Load[Grant](tx, grantKey(s.ID, grant))
			if err != nil {
				return err
			}
			if g != nil && !s.Frozen.IsZero() {
				e.Why, e.Path, e.Consent, e.Type = "frozen", string(id), g.Rule.Because, g.Type
			} else if g != nil {
				e.Why, e.Path, e.Consent, e.Type = "ended", string(id), g.Rule.Because, g.Type
			}
		}
	}
	return p.marked(tx)(log.Refused(tx, p.Now(), e))
}

// day returns the start of t's day in UTC: times that leave the pod are whole
// days, because exact ones link people.
func day(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
