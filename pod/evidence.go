// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"slices"
	"time"

	"skrin/acl"
	"skrin/pod/evidence"
	"skrin/pod/outbox"
	"skrin/pod/space"
	"skrin/pod/store"
)

// giveForm is [evidence.Evidence.Give]. When few forms are left the issuer is asked for more:
// some time in the next hours, so that it doesn't see when the person shares; at once
// if somebody waits.
func (p *Pod) giveForm(ctx context.Context, tx store.Tx, e *evidence.Evidence, space string) (evidence.Form, error) {
	g, had, err := e.Give(tx, space)
	if err != nil || had {
		return g, err
	}
	if 4*(e.Forms-e.Given) < e.Forms && p.Now().Sub(e.Wanted) >= 24*time.Hour {
		later, err := outbox.SomeTime(p.Rand, p.Now())
		if err != nil {
			return g, err
		}
		if err := p.wantForms(ctx, tx, e, later); err != nil {
			return g, err
		}
	}
	return g, nil
}

// wantForms asks e's issuer for more signed forms of it, once a day at most, if
// that can still help.
func (p *Pod) wantForms(ctx context.Context, tx store.Tx, e *evidence.Evidence, at time.Time) error {
	now := p.Now().UTC()
	s, err := space.Of(tx, e.Issuer)
	if err != nil || s == nil || !slices.Contains(s.Types, e.Type) || e.State(now) != evidence.Current {
		return err
	}
	if at.Before(now) {
		at = now
	}
	if now.Sub(e.Wanted) < 24*time.Hour && !at.Before(e.Wanted) {
		return nil
	}
	e.Wanted = at
	if err := store.Save(tx, evidence.Key(e.ID), e); err != nil {
		return err
	}
	return p.tell(ctx, tx, outbox.Notification{Party: e.Issuer, Space: s.ID, Event: outbox.FormsWanted, Types: []string{e.Type}, Location: p.url(s.Deposit()),
		Issued: e.Issued, Expires: e.Expires, Next: at})
}

// Holdings returns the owner's evidence, newest first.
func (p *Pod) Holdings(ctx context.Context, who acl.Agent) ([]evidence.Evidence, error) {
	var all []evidence.Evidence
	err := p.viewPart(ctx, who, evidencePart, func(tx store.Tx) (err error) {
		all, err = evidence.All(tx, p.Statuses, p.Now())
		return err
	})
	return all, err
}

// Pieces returns a page of the owner's evidence, and how much there is, as
// [evidence.Page] does.
func (p *Pod) Pieces(ctx context.Context, who acl.Agent, from, n int) (some []evidence.Evidence, total int, err error) {
	err = p.viewPart(ctx, who, evidencePart, func(tx store.Tx) (err error) {
		some, total, err = evidence.Page(tx, from, n, p.Statuses, p.Now())
		return err
	})
	return some, total, err
}

// Piece returns one piece of the owner's evidence.
func (p *Pod) Piece(ctx context.Context, who acl.Agent, id string) (out evidence.Evidence, err error) {
	err = p.viewPart(ctx, who, evidencePart, func(tx store.Tx) error {
		e, err := evidence.Find(tx, id)
		if err != nil {
			return err
		}
		e.Ask(p.Statuses, p.Now())
		out = *e
		return nil
	})
	return out, err
}

// owners is the space, which no party has, for whom a signed form is the owner's
// own.
const owners = "owner"

// OwnForm returns a signed form of the owner's evidence that no party was given
// or will be: what is shown around under one name must not be what another has.
// "" if all forms that were delivered are given away.
func (p *Pod) OwnForm(ctx context.Context, who acl.Agent, id string) (string, error) {
	var form string
	err := p.updateOwn(ctx, who, func(tx store.Tx) error {
		e, err := evidence.Find(tx, id)
		if err != nil {
			return err
		}
		g, err := p.giveForm(ctx, tx, e, owners)
		form = g.Compact
		return err
	})
	return form, err
}
