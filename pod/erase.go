// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Keys destroys the key under which a pod is encrypted; what is left of the pod
// anywhere can't be read any more.
type Keys interface {
	Destroy(ctx context.Context, pod string) error
}

// ErrNoKey is that a pod's key has been destroyed: it can be erased, and no more.
var ErrNoKey = errors.New("the pod has no key: it was erased")

// Erase removes a pod: all names, values and blobs, and its key. From its first
// commit on nobody finds the pod; what is interrupted after that is finished by
// erasing again. To erase what isn't there is ErrNoPod.
func Erase(ctx context.Context, s Store, b Blobs, k Keys, id string) error {
	for _, step := range []func() error{
		func() error { return keyless(unname(ctx, s, id)) },
		func() error { return keyless(empty(ctx, s, id)) },
		func() error { return emptyBlobs(ctx, b, id) },
		func() error { return k.Destroy(ctx, id) },
		func() error {
			return s.Update(ctx, Name("id/"+id), func(tx Tx) error { tx.Release(Name("id/" + id)); return nil })
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
	if errors.Is(err, ErrNoKey) {
		return nil
	}
	return err
}

// unname takes from a pod all names but its id.
func unname(ctx context.Context, s Store, id string) error {
	return s.Update(ctx, Name("id/"+id), func(tx Tx) error {
		h, err := ownerOf(tx)
		if err != nil && !errors.Is(err, errLayout) { // which it is when half of it has been erased
			return err
		}
		tx.Release(Name("pod/" + h.Name))
		tx.Release(Name("person/" + h.Person))
		tx.Due(time.Time{})
		if err := eachPlace(tx, func(n Name) { tx.Release(n) }); err != nil {
			return err
		}
		if err := releaseInvitations(tx); err != nil {
			return err
		}
		return each(tx, spaceKey(""), func(s *Space) bool { tx.Release(Name("w/" + s.ID)); return true })
	})
}

// empty deletes all values of a pod, so many at a time that no commit is large.
func empty(ctx context.Context, s Store, id string) error {
	const page = 500
	for n := page; n == page; {
		err := s.Update(ctx, Name("id/"+id), func(tx Tx) error {
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

func emptyBlobs(ctx context.Context, b Blobs, id string) error {
	var digests []string
	err := b.List(ctx, id, func(digest string, _ time.Time) error { digests = append(digests, digest); return nil })
	for _, digest := range digests {
		err = errors.Join(err, b.Delete(ctx, id, digest))
	}
	return err
}
