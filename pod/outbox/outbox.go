// SPDX-License-Identifier: EUPL-1.2

// Package outbox is what parties must be told of a person, until they have been: a
// [Notification] is queued in the transaction of what it tells, and then taken, tried,
// and tried again ever more slowly. Each function works in a transaction that somebody
// else has begun, who also has the pod looked at when the [Next] is due.
package outbox

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

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

// How delivery is tried: of notifications, and of calls to whoever has subscribed.
const (
	Lease  = time.Minute // what was taken is nobody else's for so long
	GiveUp = 3 * 24 * time.Hour

	firstRetry = 5 * time.Second // doubled with each try
	lastRetry  = 6 * time.Hour   // at most between two tries
	spread     = 8 * time.Hour   // over which several parties are told of one thing
)

// Pause returns how long to wait after so many tries, 1 at least, that have failed.
func Pause(tries int) time.Duration { return min(firstRetry<<min(tries-1, 20), lastRetry) }

// SomeTime returns a random time in the next hours.
func SomeTime(random io.Reader, now time.Time) (time.Time, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return time.Time{}, fmt.Errorf("random delay: %w", err)
	}
	return now.UTC().Add(spread / (1 << 32) * time.Duration(binary.BigEndian.Uint32(b[:]))), nil
}

func key(seq uint64) string { return fmt.Sprintf("n%016x", seq) }

// Queue queues n, for n.Next if that is set.
func Queue(tx store.Tx, n Notification, random io.Reader, now time.Time) error {
	last, err := store.Load[uint64](tx, "o")
	if err != nil {
		return err
	}
	if last != nil {
		n.Seq = *last
	}
	n.Seq++
	n.Queued = now.UTC()
	if n.Next.Before(n.Queued) {
		n.Next = n.Queued
	}
	if n.ID, err = store.NewID(random); err != nil {
		return err
	}
	if err := store.Save(tx, "o", n.Seq); err != nil {
		return err
	}
	return store.Save(tx, key(n.Seq), n)
}

// Take returns notifications that are due, at most limit, and leases them: until Next,
// a minute from now, nobody else gets them. What is done of one after that changes
// nothing, where the lease has become somebody else's.
func Take(tx store.Tx, limit int, now time.Time) ([]Notification, error) {
	var taken []Notification
	err := store.Each(tx, "n", func(n *Notification) bool {
		if !n.Next.After(now) {
			n.Next = now.UTC().Add(Lease)
			taken = append(taken, *n)
		}
		return len(taken) < limit
	})
	for _, n := range taken {
		if err == nil {
			err = store.Save(tx, key(n.Seq), n)
		}
	}
	return taken, err
}

// leased reports whether n is still as it was taken.
func leased(tx store.Tx, n *Notification) (bool, error) {
	now, err := store.Load[Notification](tx, key(n.Seq))
	return err == nil && now != nil && now.Next.Equal(n.Next), err
}

// Delivered removes a notification that has been received.
func Delivered(tx store.Tx, n Notification) error {
	ok, err := leased(tx, &n)
	if ok {
		tx.Delete(key(n.Seq))
	}
	return err
}

// Postponed puts a notification back that was not tried, until then.
func Postponed(tx store.Tx, n Notification, until time.Time) error {
	ok, err := leased(tx, &n)
	if !ok {
		return err
	}
	n.Next = until.UTC()
	return store.Save(tx, key(n.Seq), n)
}

// Failed puts a notification back for a later try; or, where final, or after three
// days, gives it up. It says whether the failure counts: the lease may be over.
func Failed(tx store.Tx, n Notification, final bool, now time.Time) (counts bool, err error) {
	ok, err := leased(tx, &n)
	if !ok {
		return false, err
	}
	n.Tries++
	if final || now.Sub(n.Queued) > GiveUp {
		tx.Delete(key(n.Seq))
		return true, nil
	}
	n.Next = now.UTC().Add(Pause(n.Tries))
	return true, store.Save(tx, key(n.Seq), n)
}

// Next returns when a notification is to be taken; zero for none.
func Next(tx store.Tx) (next time.Time, err error) {
	err = store.Each(tx, "n", func(n *Notification) bool {
		if next.IsZero() || n.Next.Before(next) {
			next = n.Next
		}
		return true
	})
	return next, err
}
