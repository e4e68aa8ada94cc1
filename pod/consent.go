// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
)

// Withdraw ends a consent of the owner's. The next read under it is refused, on
// every node, and the party is told and asked to erase. To withdraw twice is no
// error.
func (p *Pod) Withdraw(ctx context.Context, who acl.Agent, id string) error {
	err := p.updateFor(ctx, who, func(tx store.Tx) error {
		c, err := consent.Find(tx, id)
		if err != nil {
			return err
		}
		if c == nil {
			return ldp.Refuse(ldp.NotFound, "There is no such consent.")
		}
		return p.withdraw(ctx, tx, c, time.Time{})
	})
	p.wake(err)
	return err
}

// withdraw ends a consent, in a transaction that somebody else has begun. The
// party is told at the time tell, or at once.
func (p *Pod) withdraw(ctx context.Context, tx store.Tx, c *consent.Consent, tell time.Time) error {
	if !c.Withdrawn.IsZero() {
		return nil
	}
	g, err := c.Withdraw(tx, p.Now())
	if err != nil {
		return err
	}
	e := log.Entry{Action: log.DidWithdraw, Party: c.Request.Party, Type: g.Type, Fields: c.Fields, Purpose: g.Rule.Purpose, Consent: c.ID}
	if err := log.Enter(tx, p.Now(), e); err != nil {
		return err
	}
	return p.tell(ctx, tx, outbox.Notification{Party: c.Request.Party, Space: c.Space, Event: outbox.ConsentWithdrawn, Consent: c.ID,
		Location: p.url(ldp.ID(g.Rule.On)), Reference: c.Request.Reference, Next: tell})
}

// Shares returns the owner's consents, the newest first.
func (p *Pod) Shares(ctx context.Context, who acl.Agent) ([]consent.Share, error) {
	var all []consent.Share
	err := p.viewPart(ctx, who, sharingPart, func(tx store.Tx) (err error) {
		all, err = p.book().Shares(ctx, tx)
		return err
	})
	return all, err
}

// SharesAfter returns at most n of the owner's consents, what lasts longest first:
// those that come after the one that more of an earlier answer named; "" for from
// the first. more is "" where there is no other.
func (p *Pod) SharesAfter(ctx context.Context, who acl.Agent, after string, n int) (some []consent.Share, more string, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) (err error) {
		some, more, err = p.book().SharesAfter(ctx, tx, after, n)
		return err
	})
	return some, more, err
}

// Ending returns at most n of the owner's consents that hold and end at the time by
// or earlier, what lasts longest first.
func (p *Pod) Ending(ctx context.Context, who acl.Agent, by time.Time, n int) (some []consent.Share, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) (err error) {
		some, err = p.book().Ending(ctx, tx, by, n)
		return err
	})
	return some, err
}

// SharesOf returns at most n of the consents that hold under which a piece of the
// owner's evidence is read, and how many there are.
func (p *Pod) SharesOf(ctx context.Context, who acl.Agent, e *evidence.Evidence, n int) (some []consent.Share, total int, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) (err error) {
		some, total, err = p.book().SharesOf(ctx, tx, e, n)
		return err
	})
	return some, total, err
}

// Share returns one of the owner's consents.
func (p *Pod) Share(ctx context.Context, who acl.Agent, id string) (s consent.Share, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		c, err := consent.Find(tx, id)
		if err != nil {
			return err
		}
		if c == nil {
			return resource.Absent()
		}
		s, err = p.book().Share(ctx, tx, *c)
		return err
	})
	return s, err
}

// Connections returns the owner's spaces to which something may be deposited.
func (p *Pod) Connections(ctx context.Context, who acl.Agent) ([]space.Connection, error) {
	all, err := p.Counterparts(ctx, who)
	return slices.DeleteFunc(all, func(c space.Connection) bool { return len(c.Space.Types) == 0 || !c.Space.Ended.IsZero() }), err
}
