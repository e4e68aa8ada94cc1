// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"time"

	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// When blobs that no resource refers to are removed. A blob is stored before the
// transaction that refers to it, which has a day to follow.
const (
	sweepKey   = "b"
	unreferred = 24 * time.Hour
	sweepSoon  = unreferred + time.Hour
	sweepAgain = 7 * 24 * time.Hour // a pod that has blobs, in case that something was missed
)

// sweepLater makes sure, before a blob is stored, that somebody will look whether
// it came to be referred to.
func (p *Pod) sweepLater(ctx context.Context, pod string) error {
	var next *time.Time
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) (err error) {
		next, err = store.Load[time.Time](tx, sweepKey)
		return err
	})
	if err != nil || next != nil && !next.After(p.Now().Add(sweepSoon)) {
		return err
	}
	return p.Store.Update(ctx, store.Name("id/"+pod), p.sweepSoon)
}

// sweepSoon has the pod's blobs looked at in a day, if not before.
func (p *Pod) sweepSoon(tx store.Tx) error {
	next, err := store.Load[time.Time](tx, sweepKey)
	soon := p.Now().UTC().Add(sweepSoon)
	if err != nil || next != nil && !next.After(soon) {
		return err
	}
	if err := store.Save(tx, sweepKey, soon); err != nil {
		return err
	}
	return settle(tx)
}

// Sweep removes, if its time has come, the blobs of a pod to which no resource has
// referred for a day, and what was to be kept for a time that is over. It is for the
// deliverer, which looks at the pods that are due; it tells nothing, and so needs no
// agent.
func (p *Pod) Sweep(ctx context.Context, pod string) error {
	var blobs, marks bool
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		for key, due := range map[string]*bool{sweepKey: &blobs, forgetKey: &marks} {
			next, err := store.Load[time.Time](tx, key)
			if err != nil {
				return err
			}
			*due = next != nil && !next.After(p.Now())
		}
		return nil
	})
	if err == nil && marks {
		err = p.forget(ctx, pod)
	}
	if err == nil && blobs {
		err = p.sweepBlobs(ctx, pod)
	}
	return err
}

func (p *Pod) sweepBlobs(ctx context.Context, pod string) error {
	// Blobs are removed within the transaction, so that nobody begins to refer to
	// one meanwhile. It does no harm if it is run again, or fails: whoever has
	// stored the same content since has made it new.
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		referred, err := digests(tx)
		if err != nil {
			return err
		}
		now := p.Now()
		next := now.Add(sweepAgain)
		var old []string
		err = p.Blobs.List(ctx, pod, func(digest string, stored time.Time) error {
			switch {
			case referred[digest]:
			case now.Sub(stored) >= unreferred:
				old = append(old, digest)
			default:
				next = now.Add(sweepSoon)
			}
			return nil
		})
		for _, digest := range old {
			err = errors.Join(err, p.Blobs.Delete(ctx, pod, digest))
		}
		if err != nil {
			return err
		}
		if err := store.Save(tx, sweepKey, next.UTC()); err != nil {
			return err
		}
		return settle(tx)
	})
}

// digests returns the blobs to which the pod's resources refer.
func digests(tx store.Tx) (map[string]bool, error) {
	found := map[string]bool{}
	for after := ""; ; {
		pairs, err := tx.Scan("r", after, resource.Page)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			rec, err := record.DecodeState(pair.Value)
			if err != nil {
				return nil, err
			}
			if rec.Digest != "" {
				found[rec.Digest] = true
			}
			after = pair.Key
		}
		if len(pairs) < resource.Page {
			return found, nil
		}
	}
}
