// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/pod/due"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// sweepLater makes sure, before a blob is stored, that somebody will look whether
// it came to be referred to.
func (p *Pod) sweepLater(ctx context.Context, pod string) error {
	var soon bool
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) (err error) {
		soon, err = due.SweptSoon(tx, p.Now())
		return err
	})
	if err != nil || soon {
		return err
	}
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error { return due.SweepSoon(tx, p.Now()) })
}

// Sweep removes, if its time has come, the blobs of a pod to which no resource has
// referred for a day, and what was to be kept for a time that is over. It is for the
// deliverer, which looks at the pods that are due; it tells nothing, and so needs no
// agent.
func (p *Pod) Sweep(ctx context.Context, pod string) error {
	var blobs, marks bool
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) (err error) {
		blobs, marks, err = due.At(tx, p.Now())
		return err
	})
	if err == nil && marks {
		err = p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error { return due.Forget(tx, p.Now()) })
	}
	if err == nil && blobs {
		err = p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error { return due.SweepBlobs(ctx, tx, p.Blobs, p.Now()) })
	}
	return err
}

// marked returns what follows a log.EnterDaily or log.Refused: that its mark is
// removed when the day is over.
func (p *Pod) marked(tx store.Tx) func(first bool, err error) error {
	return func(first bool, err error) error {
		if err != nil || !first {
			return err
		}
		return due.ForgetBy(tx, p.Now().Add(due.MarkKept))
	}
}

// Check looks whether all holds that must hold of a pod, as [upkeep.Check] does. It is
// for the operator: no agent asks, and nothing is told of what the pod holds.
func (p *Pod) Check(ctx context.Context, id string) (upkeep.Inventory, []upkeep.Finding, error) {
	return upkeep.Check(ctx, p.Store, p.tree(), id)
}
