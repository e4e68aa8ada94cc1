// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"slices"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/deposit"
	"skrin/pod/due"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
	"skrin/pod/vouch"
)

// spacePost takes a provider's deposit: a signed form or several of one
// evidence, alone (application/dc+sd-jwt, one a line) or within their RDF form; or
// the RDF form with a signature of its own (see [deposit.TypeDetached]).
func (p *Pod) spacePost(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if req.ID == ldp.ID("/w/"+space.IDIn(req.ID)+"/inbox/") {
		return p.takeMail(ctx, who, req)
	}
	if req.ID == ldp.ID("/w/"+space.IDIn(req.ID)+"/keys/") {
		return p.giveKeys(ctx, who, req)
	}
	party, types, err := p.mayDeposit(ctx, who, req.ID)
	if err == nil {
		err = req.Fault // of the form of the request, told to whoever may
	}
	if err != nil {
		return ldp.Written{}, err
	}
	body, err := resource.ReadAll(req.Body, deposit.MostBytes(req.Type))
	if err != nil {
		return ldp.Written{}, err
	}
	// Before it is read: what was in order then need not be now.
	before, err := p.answered(ctx, who, req, body)
	if err != nil {
		return ldp.Written{}, err
	}
	if before.Good(p.Now()) {
		return p.accepted(before.ID, before.Receipt), nil
	}
	r := &deposit.Reader{Types: p.Types, Statuses: p.Statuses, Round: p.round(), Turns: p.Turns, Base: p.Base, Leak: p.Leak}
	rows, err := r.Read(ctx, party, types, req.Type, body, p.url(req.ID))
	if err != nil {
		return ldp.Written{}, err
	}
	done, err := p.acknowledge(ctx, party, rows, req.ID)
	if err != nil {
		return ldp.Written{}, err
	}
	err = p.inSpace(ctx, who, acl.Append, req.ID, func(tx store.Tx, a access) error {
		before, err := deposit.Repeated(tx, a.space, req.Key, body, p.Now())
		if err != nil {
			return err
		}
		if before.Good(p.Now()) {
			done = p.accepted(before.ID, before.Receipt)
			return nil
		}
		for i, d := range rows {
			if !slices.Contains(a.space.Types, d.Type.ID) {
				return resource.Refusal(who)
			}
			if err := d.Keep(tx, p.tree(), p.Statuses, a.space, a.party); err != nil {
				err = placeTaken(err)
				if deposit.IsBatch(req.Type) {
					err = deposit.OfRow(i, err)
				}
				return err
			}
			if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidDeliver, Party: a.party.ID, Type: d.Type.ID, Fields: evidence.Names(d.Facts), Path: string(req.ID)}); err != nil {
				return err
			}
		}
		if req.Key == "" {
			return nil
		}
		until, err := deposit.Remember(tx, a.space, req.Key, body, done, before, p.Now())
		if err != nil {
			return err
		}
		return due.ForgetBy(tx, until)
	})
	p.wake(err)
	return done, placeTaken(err)
}

// answered returns what answered the same deposit before, to whoever may deposit;
// nil if it is new.
func (p *Pod) answered(ctx context.Context, who acl.Agent, req ldp.Post, body []byte) (before *deposit.Earlier, err error) {
	if req.Key == "" {
		return nil, nil
	}
	err = p.viewDeposits(ctx, who, req.ID, func(tx store.Tx, a access) error {
		var err error
		before, err = deposit.Repeated(tx, a.space, req.Key, body, p.Now())
		return err
	})
	return before, err
}

// acknowledge draws the names of what was delivered, and makes the answer to it.
func (p *Pod) acknowledge(ctx context.Context, party registry.Party, rows []*deposit.Delivery, at ldp.ID) (ldp.Written, error) {
	for _, d := range rows {
		var err error
		if d.ID, err = store.NewID(p.Rand); err != nil {
			return ldp.Written{}, err
		}
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	location := at + ldp.ID(id)
	receipt, err := deposit.SignReceipt(ctx, p.Sign, deposit.NewReceipt(rows, p.url(location), p.Issuer, party.ID, p.Now()))
	return p.accepted(location, []byte(receipt)), err
}

func (p *Pod) accepted(at ldp.ID, receipt []byte) ldp.Written {
	return ldp.Written{ID: at, Created: true, Receipt: receipt, ReceiptType: vouch.MediaType, Description: p.spaceDescription(at)}
}

// mayDeposit refuses early, before a byte of the body is read.
func (p *Pod) mayDeposit(ctx context.Context, who acl.Agent, id ldp.ID) (party registry.Party, types []string, err error) {
	err = p.viewDeposits(ctx, who, id, func(_ store.Tx, a access) error {
		party, types = a.party, a.space.Types
		return nil
	})
	return party, types, err
}

// viewDeposits is inSpace for whoever may deposit, as part of a View.
func (p *Pod) viewDeposits(ctx context.Context, who acl.Agent, id ldp.ID, do func(store.Tx, access) error) error {
	if !who.Known() {
		return resource.Refusal(who)
	}
	err := p.Store.View(ctx, store.Name("w/"+space.IDIn(id)), func(tx store.Tx) error {
		a, err := p.enterSpace(ctx, tx, who, acl.Append, id)
		if err != nil {
			return err
		}
		return do(tx, a)
	})
	if errors.Is(err, store.ErrNoPod) {
		return resource.Refusal(who)
	}
	if k := ldp.KindOf(err); err != nil && k == ldp.Forbidden {
		// Once more, in a transaction that logs the refusal.
		return p.inSpace(ctx, who, acl.Append, id, func(store.Tx, access) error { return err })
	}
	return err
}
