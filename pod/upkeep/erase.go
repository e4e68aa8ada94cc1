// SPDX-License-Identifier: EUPL-1.2

package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skrin/pod/mandate"
	"skrin/pod/record"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
)

// Erase removes a pod: all names, values and blobs, and its key. From its first
// commit on nobody finds the pod; what is interrupted after that is finished by
// erasing again. To erase what isn't there is ErrNoPod.
func Erase(ctx context.Context, s store.Store, b store.Blobs, k store.Keys, id string) error {
	for _, step := range []func() error{
		func() error { return keyless(unname(ctx, s, id)) },
		func() error { return keyless(empty(ctx, s, id)) },
		func() error { return EmptyBlobs(ctx, b, id) },
		func() error { return k.Destroy(ctx, id) },
		func() error {
			return s.Update(ctx, store.Name("id/"+id), func(tx store.Tx) error { tx.Release(store.Name("id/" + id)); return nil })
		},
	} {
		if err := step(); err != nil {
			return fmt.Errorf("erase a pod: %w", err)
		}
	}
	return nil
}

// keyless takes it for done that a pod has no key: what is before that was done.
func keyless(err error) error {
	if errors.Is(err, store.ErrNoKey) {
		return nil
	}
	return err
}

// unname takes from a pod all names but its id.
func unname(ctx context.Context, s store.Store, id string) error {
	return s.Update(ctx, store.Name("id/"+id), func(tx store.Tx) error {
		h, err := record.HomeOf(tx)
		if err != nil && !errors.Is(err, store.ErrLayout) { // which it is when half of it has been erased
			return err
		}
		tx.Release(store.Name("pod/" + h.Name))
		tx.Release(store.Name("person/" + h.Person))
		tx.Due(time.Time{})
		if err := status.Each(tx, func(n store.Name) { tx.Release(n) }); err != nil {
			return err
		}
		if err := mandate.Release(tx); err != nil {
			return err
		}
		return store.Each(tx, space.Key(""), func(s *space.Space) bool { tx.Release(store.Name("w/" + s.ID)); return true })
	})
}

// empty deletes all values of a pod, so many at a time that no commit is large.
func empty(ctx context.Context, s store.Store, id string) error {
	const page = 500
	for n := page; n == page; {
		err := s.Update(ctx, store.Name("id/"+id), func(tx store.Tx) error {
			pairs, err := tx.Scan("", "", page)
			for _, p := range pairs {
				tx.Delete(p.Key)
			}
			n = len(pairs)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// EmptyBlobs deletes all blobs of a pod.
func EmptyBlobs(ctx context.Context, b store.Blobs, id string) error {
	var digests []string
	err := b.List(ctx, id, func(digest string, _ time.Time) error { digests = append(digests, digest); return nil })
	for _, digest := range digests {
		err = errors.Join(err, b.Delete(ctx, id, digest))
	}
	return err
}
