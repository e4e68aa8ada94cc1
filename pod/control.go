// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

// Freeze stops a party's reads from the owner's pod, of all parties for "", until
// Thaw. The next read is refused, on every node, with the words of any refusal.
// Nobody is told: to tell all parties at one moment would show them that they
// know the same person. To freeze twice is no error.
func (p *Pod) Freeze(ctx context.Context, who acl.Agent, party string) error {
	return p.eachSpace(ctx, who, party, func(s *space.Space) (log.Action, bool) {
		changed := s.Frozen.IsZero()
		if changed {
			s.Frozen = p.Now().UTC().Truncate(time.Second)
		}
		return log.DidFreeze, changed
	})
}

// Thaw ends Freeze, of one party or of all: what was granted and has not ended
// can be read again.
func (p *Pod) Thaw(ctx context.Context, who acl.Agent, party string) error {
	return p.eachSpace(ctx, who, party, func(s *space.Space) (log.Action, bool) {
		changed := !s.Frozen.IsZero()
		s.Frozen = time.Time{}
		return log.DidThaw, changed
	})
}

// Disconnect lets a provider deliver no more to the owner's pod, all providers for
// "", and tells it. What it has delivered stays, and so does what the person shares
// with it. To disconnect twice is no error; a new connection is the person's to
// make.
func (p *Pod) Disconnect(ctx context.Context, who acl.Agent, party string) error {
	err := p.eachSpace(ctx, who, party, func(s *space.Space) (log.Action, bool) {
		changed := len(s.Types) > 0
		s.Types = nil
		return log.DidDisconnect, changed
	})
	p.wake(err)
	return err
}

// eachSpace changes the owner's space for a party, or every one for "", in one
// transaction, and logs what changed.
func (p *Pod) eachSpace(ctx context.Context, who acl.Agent, party string, change func(*space.Space) (log.Action, bool)) error {
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		var all []*space.Space
		err := store.Each(tx, space.Key(""), func(s *space.Space) bool {
			if party == "" || s.Party == party {
				all = append(all, s)
			}
			return true
		})
		if err != nil {
			return err
		}
		if len(all) == 0 && party != "" {
			return ldp.Refuse(ldp.NotFound, "You have nothing to do with this organisation here.")
		}
		for _, s := range all {
			action, changed := change(s)
			if !changed {
				continue
			}
			if err := store.Save(tx, space.Key(s.ID), s); err != nil {
				return err
			}
			if err := log.Enter(tx, p.Now(), log.Entry{Action: action, Party: s.Party}); err != nil {
				return err
			}
			if action != log.DidDisconnect {
				continue
			}
			if err := p.tellDisconnected(ctx, tx, s, len(all) > 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Pod) tellDisconnected(ctx context.Context, tx store.Tx, s *space.Space, several bool) (err error) {
	n := outbox.Notification{Party: s.Party, Space: s.ID, Event: outbox.Disconnected, Location: p.url(s.Deposit())}
	if several {
		if n.Next, err = outbox.SomeTime(p.Rand, p.Now()); err != nil {
			return err
		}
	}
	return p.tell(ctx, tx, n)
}

// takeErasure takes a party's receipt that it has erased. The same again is no
// error.
func (p *Pod) takeErasure(ctx context.Context, who acl.Agent, inbox ldp.ID, party registry.Party, jws string) (ldp.Written, error) {
	receipt, faults := p.book().Erasure(party, jws)
	if faults != nil {
		return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, "The receipt can't be accepted.", faults...)
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	done := ldp.Written{ID: inbox + ldp.ID(id), Created: true, Description: p.spaceDescription(inbox)}
	return done, p.inSpace(ctx, who, acl.Append, inbox, func(tx store.Tx, a access) error {
		c, err := consent.Find(tx, receipt.Consent)
		if err != nil {
			return err
		}
		if c == nil || c.Space != a.space.ID || c.Withdrawn.IsZero() {
			return ldp.Refuse(ldp.Unprocessable, "The receipt can't be accepted.", "consent: you have been asked to erase nothing under it.")
		}
		if !c.Erased.IsZero() {
			return nil
		}
		c.Erased, c.Receipt = p.Now().UTC().Truncate(time.Second), jws
		if err := store.Save(tx, consent.Key(c.ID), c); err != nil {
			return err
		}
		return log.Enter(tx, p.Now(), log.Entry{Action: log.DidErase, Party: a.party.ID, Type: c.Request.Types[0], Fields: c.Fields, Consent: c.ID})
	})
}
