// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/store"
)

// RefreshStatuses fetches the status lists that are due, marks what was revoked in
// the pods that it concerns, and tells the parties that may read it. Whoever runs
// the server calls it at the start and every minute; it tells nobody's data, and
// so needs no agent. One list that fails holds up no other, and a slow party few.
func (p *Pod) RefreshStatuses(ctx context.Context) error {
	return p.Statuses.Refresh(ctx, p.eachRevoker, p.round())
}

// RecallStatuses takes up the status lists that were fetched before the last end of
// the server, as far as they are still to be relied on. Else all evidence with a
// status would wait, after each start, for its issuer. Whoever runs the server calls
// it before the first request. A list that can't be recalled is fetched as ever.
func (p *Pod) RecallStatuses(ctx context.Context) error {
	return p.Statuses.Recall(ctx, p.eachRevoker, p.Now())
}

func (p *Pod) round() status.Round { return status.Round{Now: p.Now, Changed: p.applyStatus} }

// eachRevoker visits each party that may issue something, once. An error holds up
// no other.
func (p *Pod) eachRevoker(ctx context.Context, visit func(registry.Party) error) error {
	var errs []error
	seen := map[string]bool{}
	for _, t := range p.Types.All() {
		ids, err := p.Registry.Issuers(ctx, t.ID)
		errs = append(errs, err)
		for _, id := range ids {
			party, err := p.Registry.Party(ctx, id)
			if errors.Is(err, registry.ErrNoParty) || seen[id] {
				continue
			}
			seen[id] = true
			if err == nil {
				err = visit(party)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("status lists of %s: %w", id, err))
			}
		}
	}
	return errors.Join(errs...)
}

// applyStatus marks the evidence that has a place as what the lists say of it now,
// logs it, and tells the parties that may read it.
func (p *Pod) applyStatus(ctx context.Context, place store.Name) error {
	news := false
	err := p.Store.View(ctx, place, func(tx store.Tx) error {
		e, err := evidence.At(tx, place)
		if err == nil && e != nil {
			state, known := e.Said(p.Statuses, p.Now())
			news = known && state != e.Listed
		}
		return err
	})
	if errors.Is(err, store.ErrNoPod) || err == nil && !news {
		return nil
	}
	if err == nil {
		err = p.Store.Update(ctx, place, func(tx store.Tx) error { return p.markListed(ctx, tx, place) })
		p.wake(err)
	}
	return err
}

// placeTaken tells the provider that its list has one place for two.
func placeTaken(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", "status: a place in the list is that of evidence delivered before. Give each form its own.")
	}
	return err
}

func (p *Pod) markListed(ctx context.Context, tx store.Tx, place store.Name) error {
	e, err := evidence.At(tx, place)
	if err != nil || e == nil {
		return err
	}
	state, known := e.Said(p.Statuses, p.Now())
	if !known || state == e.Listed {
		return nil
	}
	e.Listed = state
	if err := store.Save(tx, evidence.Key(e.ID), e); err != nil {
		return err
	}
	said := string(cmp.Or(state, "valid"))
	if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidRevoke, Party: e.Issuer, Type: e.Type, Why: said}); err != nil {
		return err
	}
	isCurrent, err := e.IsCurrent(tx)
	if err != nil {
		return err
	}
	consents, err := consent.Under(tx, e, isCurrent, p.Now())
	if err != nil {
		return err
	}
	for _, c := range consents {
		n := outbox.Notification{Party: c.Request.Party, Space: c.Space, Event: outbox.EvidenceRevoked, Consent: c.ID, Result: said,
			Location: p.url(ldp.ID("/w/" + c.Space + "/evidence/" + c.Grant)), Reference: c.Request.Reference}
		if n.Next, err = p.apart(consents); err != nil {
			return err
		}
		if err := p.tell(ctx, tx, n); err != nil {
			return err
		}
	}
	return nil
}

// StatusOf returns whether a piece of the owner's evidence is current, and whether
// that is known: its issuer's status list may be out of reach.
func (p *Pod) StatusOf(ctx context.Context, who acl.Agent, id string) (state evidence.EndState, known bool, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) error {
		e, err := evidence.Find(tx, id)
		if err != nil {
			return err
		}
		known = e.Ask(p.Statuses, p.Now())
		state = e.State(p.Now())
		return nil
	})
	return state, known, err
}
