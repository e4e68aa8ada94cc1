// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"skrin/pod/record"
	"skrin/pod/store"
)

// An Event is the kind of a notification: the last part of an IRI in the
// server's vocabulary.
type Event string

// The events that parties are told of.
const (
	EvidenceWanted   Event = "EvidenceWanted"   // to a provider: the person asks for evidence
	SpaceMoved       Event = "SpaceMoved"       // to both: the person is at another server now
	ConsentWithdrawn Event = "ConsentWithdrawn" // to a consumer: read no more, erase
	RequestAnswered  Event = "RequestAnswered"  // to a consumer that asked through its inbox/: yes or no
	Disconnected     Event = "Disconnected"     // to a provider: deliver no more
	EvidenceRevoked  Event = "EvidenceRevoked"  // to a consumer: the issuer has revoked or suspended what it may read, or ended that
	FormsWanted      Event = "FormsWanted"      // to a provider: the signed forms of what it delivered run out
)

// A Notification is what a party must be told, until it has been. It names the
// person only as the party knows it.
type Notification struct {
	Seq       uint64
	ID        string // of the notification, the same at every attempt
	Party     string // to whom
	Space     string
	Event     Event
	Types     []string  // of evidence
	Issued    time.Time // of FormsWanted: what the forms must say, in whole days
	Expires   time.Time
	Request   string // the person's request to whose answer it belongs; not told
	Consent   string
	Asked     string // URL of the request that was posted, of RequestAnswered
	Result    string // of RequestAnswered: "agreed" or "declined"
	Location  string // URL that it is about
	Reference string // the party's own
	Queued    time.Time
	Tries     int
	Next      time.Time // not before
}

// How delivery is tried.
const (
	lease      = time.Minute     // a taken notification is nobody else's for so long
	firstRetry = 5 * time.Second // doubled with each try
	lastRetry  = 6 * time.Hour   // at most between two tries
	giveUp     = 3 * 24 * time.Hour
	spread     = 8 * time.Hour // over which several parties are told of one thing
)

func noticeKey(seq uint64) string { return fmt.Sprintf("n%016x", seq) }

// apart returns when to tell the party of one of the consents that end together:
// at once if it is the only party, and else some time in the next hours. If
// several were told at one moment, they could see that they know the same person.
func (p *Pod) apart(together []Consent) (time.Time, error) {
	if !slices.ContainsFunc(together, func(c Consent) bool { return c.Request.Party != together[0].Request.Party }) {
		return time.Time{}, nil
	}
	return p.someTime()
}

// someTime returns a random time in the next hours.
func (p *Pod) someTime() (time.Time, error) {
	var b [4]byte
	if _, err := io.ReadFull(p.Rand, b[:]); err != nil {
		return time.Time{}, fmt.Errorf("random delay: %w", err)
	}
	return p.Now().UTC().Add(spread / (1 << 32) * time.Duration(binary.BigEndian.Uint32(b[:]))), nil
}

// tell queues n, in the transaction of what it tells; for n.Next, if that is set.
func (p *Pod) tell(ctx context.Context, tx store.Tx, n Notification) error {
	party, err := p.Registry.Party(ctx, n.Party)
	if err != nil || party.Notify == "" {
		return nil // nobody to tell; the party sees at its next read
	}
	last, err := store.Load[uint64](tx, "o")
	if err != nil {
		return err
	}
	if last != nil {
		n.Seq = *last
	}
	n.Seq++
	n.Queued = p.Now().UTC()
	n.Next = later(n.Next, n.Queued)
	if n.ID, err = store.NewID(p.Rand); err != nil {
		return err
	}
	if err := store.Save(tx, "o", n.Seq); err != nil {
		return err
	}
	if err := store.Save(tx, noticeKey(n.Seq), n); err != nil {
		return err
	}
	return settle(tx)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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

// Take returns notifications of a pod that are due, at most limit, and leases
// them: until Next, a minute from now, nobody else gets them, on whatever node. An
// attempt must end before that, and be told to Delivered, Failed or Postponed:
// which change nothing where the lease has become somebody else's.
func (p *Pod) Take(ctx context.Context, pod string, limit int) ([]Notification, error) {
	var taken []Notification
	err := p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		taken = nil
		now := p.Now().UTC()
		err := store.Each(tx, "n", func(n *Notification) bool {
			if !n.Next.After(now) {
				n.Next = now.Add(lease)
				taken = append(taken, *n)
			}
			return len(taken) < limit
		})
		if err != nil {
			return err
		}
		for _, n := range taken {
			if err := store.Save(tx, noticeKey(n.Seq), n); err != nil {
				return err
			}
		}
		return settle(tx)
	})
	return taken, err
}

// Delivered removes a notification that has been received.
func (p *Pod) Delivered(ctx context.Context, pod string, n Notification) error {
	return p.leased(ctx, pod, n, func(tx store.Tx) error {
		tx.Delete(noticeKey(n.Seq))
		return settle(tx)
	})
}

// leased is Store.Update on the pod, if n is still as it was taken.
func (p *Pod) leased(ctx context.Context, pod string, n Notification, fn func(store.Tx) error) error {
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		now, err := store.Load[Notification](tx, noticeKey(n.Seq))
		if err != nil || now == nil || !now.Next.Equal(n.Next) {
			return err
		}
		return fn(tx)
	})
}

// Postponed puts a notification back that was not tried, for the next sweep.
func (p *Pod) Postponed(ctx context.Context, pod string, n Notification) error {
	return p.leased(ctx, pod, n, func(tx store.Tx) error {
		n := n
		n.Next = p.Now().UTC().Add(time.Second)
		if err := store.Save(tx, noticeKey(n.Seq), n); err != nil {
			return err
		}
		return settle(tx)
	})
}

// Failed puts a notification back for a later try; or, where final, or after
// three days, gives it up. What the person waits for is marked with the
// trouble: "none" (the party has nothing), "refused" or "unreachable".
func (p *Pod) Failed(ctx context.Context, pod string, n Notification, trouble string, final bool) error {
	return p.leased(ctx, pod, n, func(tx store.Tx) error {
		n, now := n, p.Now().UTC()
		n.Tries++
		if final || now.Sub(n.Queued) > giveUp {
			tx.Delete(noticeKey(n.Seq))
		} else {
			n.Next = now.Add(min(firstRetry<<min(n.Tries-1, 20), lastRetry))
			if err := store.Save(tx, noticeKey(n.Seq), n); err != nil {
				return err
			}
		}
		if err := markTrouble(tx, n, trouble); err != nil {
			return err
		}
		return settle(tx)
	})
}

func markTrouble(tx store.Tx, n Notification, trouble string) error {
	if n.Request == "" {
		return nil
	}
	r, err := store.Load[Request](tx, requestKey(n.Request))
	if err != nil || r == nil {
		return err
	}
	a := r.Asked[n.Party]
	a.Trouble = trouble
	if r.Asked == nil {
		r.Asked = map[string]Asked{}
	}
	r.Asked[n.Party] = a
	return store.Save(tx, requestKey(r.ID), r)
}

// settle sets the pod's due time to that of its next notification, call of a
// webhook or sweep, to when it is to forget something, or to that of its end.
func settle(tx store.Tx) error {
	var next time.Time
	for _, key := range []string{sweepKey, forgetKey} {
		at, err := store.Load[time.Time](tx, key)
		if err != nil {
			return err
		}
		if at != nil && (next.IsZero() || at.Before(next)) {
			next = *at
		}
	}
	if h, err := record.HomeOf(tx); err != nil {
		return err
	} else if !h.Leaves.IsZero() && (next.IsZero() || h.Leaves.Before(next)) {
		next = h.Leaves
	}
	err := store.Each(tx, "n", func(n *Notification) bool {
		if next.IsZero() || n.Next.Before(next) {
			next = n.Next
		}
		return true
	})
	if err != nil {
		return err
	}
	err = store.Each(tx, "th", func(s *Subscription) bool {
		if s.waits() && (next.IsZero() || s.due().Before(next)) {
			next = s.due()
		}
		return true
	})
	tx.Due(next)
	return err
}
