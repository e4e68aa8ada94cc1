// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"strings"

	"skrin/acl"
	"skrin/ldp"
)

// ownName returns the name of the pod whose owner who could be, from the form of
// the WebID.
func (p *Pod) ownName(who acl.Agent) Name {
	rest, ok := strings.CutPrefix(string(who.ID), p.Base+"/")
	if !ok {
		return ""
	}
	name, ok := strings.CutSuffix(rest, "/profile/card#me")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return Name("pod/" + name)
}

// viewOwn runs fn on a snapshot of who's own pod.
func (p *Pod) viewOwn(ctx context.Context, who acl.Agent, fn func(Tx) error) error {
	return owned(p.Store.View(ctx, p.ownName(who), asOwner(who, fn)))
}

// updateOwn changes who's own pod.
func (p *Pod) updateOwn(ctx context.Context, who acl.Agent, fn func(Tx) error) error {
	return owned(p.Store.Update(ctx, p.ownName(who), asOwner(who, fn)))
}

// asOwner runs fn only for the pod's owner.
func asOwner(who acl.Agent, fn func(Tx) error) func(Tx) error {
	return func(tx Tx) error {
		own, err := ownerOf(tx)
		if err != nil {
			return err
		}
		if !who.Known() || own.Owner != who.ID {
			return refusal(who)
		}
		return fn(tx)
	}
}

func owned(err error) error {
	if errors.Is(err, ErrNoPod) {
		return ldp.Refuse(ldp.Forbidden, "You have no pod here.")
	}
	return err
}

// partyOrName returns a registered party; for one whose registration has ended,
// its id for a name, so that the person still sees whom a record is about.
func (p *Pod) partyOrName(ctx context.Context, id string) (Party, error) {
	party, err := p.Registry.Party(ctx, id)
	if errors.Is(err, ErrNoParty) {
		return Party{ID: id, Name: Text{"en": id}}, nil
	}
	return party, err
}
