// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
)

// grants returns the grants that could permit something at id: the provider's
// right to append, and the one grant that id names. It costs the same however
// many grants the pod has.
func (p *Pod) grants(tx store.Tx, s *space.Space, party *registry.Party, id ldp.ID) ([]acl.Grant, *consent.Grant, error) {
	me := party.WebID
	mail, isMail := strings.CutPrefix(string(id), string(s.Inbox()))
	switch grant, ok := strings.CutPrefix(string(id), string(s.Evidence(""))); {
	case !s.Ended.IsZero():
		return nil, nil, nil
	case id == s.Root()+"card":
		return []acl.Grant{{To: acl.Public, On: string(id), Modes: acl.Read, Because: "WebID"}}, nil, nil
	case id == s.Deposit() && len(s.Types) > 0:
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case id == s.Keys() && len(s.Types) > 0:
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case id == s.Inbox():
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Append, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case isMail && store.IsID(mail):
		r, err := store.Load[consent.Request](tx, consent.RequestKey(mail))
		if err != nil || r == nil || !r.Mailed || r.Party != s.Party {
			return nil, nil, err
		}
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Read, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "request"}}, nil, nil
	case ok && !s.Frozen.IsZero():
		return nil, nil, nil
	case ok && grant == "":
		return []acl.Grant{{To: me, On: string(id), Modes: acl.Read, Clients: []string{party.ID}, Issuers: []string{p.Issuer}, Because: "connection"}}, nil, nil
	case ok && store.IsID(grant):
		g, err := store.Load[consent.Grant](tx, consent.GrantKey(s.ID, grant))
		if err != nil || g == nil {
			return nil, nil, err
		}
		return []acl.Grant{g.Rule}, g, nil
	}
	return nil, nil, nil
}

// An access is what one request in a space was decided on.
type access struct {
	space *space.Space
	party registry.Party
	grant *consent.Grant // nil where the right doesn't come from a consent
	rule  acl.Grant
}

// enterSpace decides whether who may do mode at id, a path in a space.
// Whatever doesn't exist is refused as what is hidden.
func (p *Pod) enterSpace(ctx context.Context, tx store.Tx, who acl.Agent, mode acl.Mode, id ldp.ID) (access, error) {
	s, err := store.Load[space.Space](tx, space.Key(space.IDIn(id)))
	if err != nil {
		return access{}, err
	}
	if s == nil {
		return access{}, store.ErrNoPod
	}
	if s.Moved != "" {
		return access{}, resource.MovedTo(s.Moved, strings.TrimPrefix(string(id), string(s.Root())))
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

// inSpace runs do where who may do mode at id, logs a refusal of a registered
// party in the same transaction in which it was decided, and answers what is
// absent like what is hidden. do runs as part of an Update. A stranger may
// nothing in any space, so the store isn't even asked.
func (p *Pod) inSpace(ctx context.Context, who acl.Agent, mode acl.Mode, id ldp.ID, do func(store.Tx, access) error) error {
	if !who.Known() {
		return resource.Refusal(who)
	}
	in := space.IDIn(id)
	ahead := []string{log.HeadKey} // whatever it comes to
	if grant, ok := strings.CutPrefix(string(id), string((&space.Space{ID: in}).Evidence(""))); ok && store.IsID(grant) {
		ahead = append(ahead, consent.GrantKey(in, grant))
	}
	var denied error
	err := p.Store.Update(ctx, store.Name("w/"+in), func(tx store.Tx) error {
		denied = nil
		store.Ahead(tx, ahead...)
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
func (p *Pod) logRefusal(ctx context.Context, tx store.Tx, who acl.Agent, s *space.Space, id ldp.ID) error {
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
		if grant, ok := strings.CutPrefix(string(id), string(s.Evidence(""))); ok && store.IsID(grant) {
			g, err := store.Load[consent.Grant](tx, consent.GrantKey(s.ID, grant))
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
