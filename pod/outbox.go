// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"slices"
	"time"

	"skrin/pod/consent"
	"skrin/pod/due"
	"skrin/pod/outbox"
	"skrin/pod/store"
)

// apart returns when to tell the party of one of the consents that end together:
// at once if it is the only party, and else some time in the next hours. If
// several were told at one moment, they could see that they know the same person.
func (p *Pod) apart(together []consent.Consent) (time.Time, error) {
	if !slices.ContainsFunc(together, func(c consent.Consent) bool { return c.Request.Party != together[0].Request.Party }) {
		return time.Time{}, nil
	}
	return outbox.SomeTime(p.Rand, p.Now())
}

// tell queues n, in the transaction of what it tells; for n.Next, if that is set.
func (p *Pod) tell(ctx context.Context, tx store.Tx, n outbox.Notification) error {
	party, err := p.Registry.Party(ctx, n.Party)
	if err != nil || party.Notify == "" {
		return nil // nobody to tell; the party sees at its next read
	}
	if err := outbox.Queue(tx, n, p.Rand, p.Now()); err != nil {
		return err
	}
	return due.Settle(tx)
}

func (p *Pod) wake(err error) {
	if err == nil && p.Wake != nil {
		p.Wake()
	}
}

// Waiting returns the ids of pods that have notifications to deliver now, or are
// to be swept. It
// and the methods below are for the deliverer, and need no agent: they tell
// nobody's data.
func (p *Pod) Waiting(ctx context.Context, limit int) ([]string, error) {
	return p.Store.Due(ctx, p.Now(), limit)
}

// Take returns notifications of a pod that are due, and leases them, on whatever node,
// as [outbox.Take] does. An attempt must end before that, and be told to Delivered,
// Failed or Postponed.
func (p *Pod) Take(ctx context.Context, pod string, limit int) (taken []outbox.Notification, err error) {
	err = p.settling(ctx, pod, func(tx store.Tx) (err error) { taken, err = outbox.Take(tx, limit, p.Now()); return err })
	return taken, err
}

// settling is Store.Update on the pod, and settles when it is due next.
func (p *Pod) settling(ctx context.Context, pod string, fn func(store.Tx) error) error {
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return due.Settle(tx)
	})
}

// Delivered removes a notification that has been received.
func (p *Pod) Delivered(ctx context.Context, pod string, n outbox.Notification) error {
	return p.settling(ctx, pod, func(tx store.Tx) error { return outbox.Delivered(tx, n) })
}

// Postponed puts a notification back that was not tried, until then.
func (p *Pod) Postponed(ctx context.Context, pod string, n outbox.Notification, until time.Time) error {
	return p.settling(ctx, pod, func(tx store.Tx) error { return outbox.Postponed(tx, n, until) })
}

// Failed puts a notification back, or gives it up, as [outbox.Failed] does. What the
// person waits for is marked with the trouble: "none" (the party has nothing),
// "refused" or "unreachable".
func (p *Pod) Failed(ctx context.Context, pod string, n outbox.Notification, trouble string, final bool) error {
	return p.settling(ctx, pod, func(tx store.Tx) error {
		counts, err := outbox.Failed(tx, n, final, p.Now())
		if err != nil || !counts {
			return err
		}
		return consent.MarkTrouble(tx, n.Request, n.Party, trouble)
	})
}
