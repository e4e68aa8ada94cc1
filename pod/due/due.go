// SPDX-License-Identifier: EUPL-1.2

package due

import (
	"time"

	"skrin/pod/channel"
	"skrin/pod/outbox"
	"skrin/pod/record"
	"skrin/pod/store"
)

// Settle sets the pod's due time to that of its next notification, call of a
// webhook or sweep, to when it is to forget something, or to that of its end.
func Settle(tx store.Tx) error {
	h, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	notice, err := outbox.Next(tx)
	if err != nil {
		return err
	}
	call, err := channel.Next(tx)
	if err != nil {
		return err
	}
	next := earliest(earliest(h.Leaves, notice), call)
	for _, key := range []string{sweepKey, forgetKey} {
		at, err := store.Load[time.Time](tx, key)
		if err != nil {
			return err
		}
		if at != nil {
			next = earliest(next, *at)
		}
	}
	tx.Due(next)
	return nil
}

// earliest returns the earlier of two times, of which a zero one never comes.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// At reports whether the pod's blobs are to be looked at by now, and whether
// something is to be forgotten.
func At(tx store.Tx, now time.Time) (blobs, marks bool, err error) {
	for key, due := range map[string]*bool{sweepKey: &blobs, forgetKey: &marks} {
		next, err := store.Load[time.Time](tx, key)
		if err != nil {
			return false, false, err
		}
		*due = next != nil && !next.After(now)
	}
	return blobs, marks, nil
}
