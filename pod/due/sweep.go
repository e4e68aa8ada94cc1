// SPDX-License-Identifier: EUPL-1.2

package due

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

// SweptSoon reports whether the pod's blobs will be looked at in a day.
func SweptSoon(tx store.Tx, now time.Time) (bool, error) {
	next, err := store.Load[time.Time](tx, sweepKey)
	return next != nil && !next.After(now.Add(sweepSoon)), err
}

// SweepSoon has the pod's blobs looked at in a day, if not before.
func SweepSoon(tx store.Tx, now time.Time) error {
	soon, err := SweptSoon(tx, now)
	if err != nil || soon {
		return err
	}
	if err := store.Save(tx, sweepKey, now.UTC().Add(sweepSoon)); err != nil {
		return err
	}
	return Settle(tx)
}

// SweepBlobs removes the pod's blobs to which no resource has referred for a day, and
// says when to look again. They are removed within the transaction, so that nobody
// begins to refer to one meanwhile. It does no harm if it is run again, or fails:
// whoever has stored the same content since has made it new.
func SweepBlobs(ctx context.Context, tx store.Tx, all store.Blobs, now time.Time) error {
	referred, err := digests(tx)
	if err != nil {
		return err
	}
	next := now.Add(sweepAgain)
	var old []string
	err = all.List(ctx, tx.Pod(), func(digest string, stored time.Time) error {
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
		err = errors.Join(err, all.Delete(ctx, tx.Pod(), digest))
	}
	if err != nil {
		return err
	}
	if err := store.Save(tx, sweepKey, next.UTC()); err != nil {
		return err
	}
	return Settle(tx)
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
