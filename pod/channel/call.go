// SPDX-License-Identifier: EUPL-1.2

package channel

import (
	"slices"
	"time"

	"skrin/pod/outbox"
	"skrin/pod/record"
	"skrin/pod/store"
)

// A Call is what a webhook is to be told: in order, one notification each.
type Call struct {
	Subscription
	Tell []record.Activity
	Upto uint64 // all of Tell, and what doesn't concern it, is up to here
}

// Await has the webhooks called that subscribe to what was done, of which the
// first has this number. It says whether there are any.
func Await(tx store.Tx, done []record.Activity, first uint64, now time.Time) (bool, error) {
	var waiting []Subscription
	err := store.Each(tx, "th", func(s *Subscription) bool {
		i := slices.IndexFunc(done, func(a record.Activity) bool { return a.Tells(s.Topic) })
		if i >= 0 && s.From == 0 && !s.Parked {
			s.From = first + uint64(i)
			if s.Next.Before(now) {
				s.Next = now.UTC()
			}
			waiting = append(waiting, *s)
		}
		return true
	})
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	for _, s := range waiting {
		if err := store.Save(tx, key(true, s.ID), s); err != nil {
			return false, err
		}
	}
	return true, nil
}

// TakeCalls returns the calls that are due, and leases them for a minute, after which
// each is anybody's. It takes away the webhooks that have ended.
func TakeCalls(tx store.Tx, now time.Time) ([]Call, error) {
	now = now.UTC()
	var due, ended []Subscription
	err := store.Each(tx, "th", func(s *Subscription) bool {
		switch {
		case s.End.Before(now):
			ended = append(ended, *s)
		case s.waits() && !s.due().After(now):
			due = append(due, *s)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, s := range ended {
		tx.Delete(key(true, s.ID))
	}
	var calls []Call
	for _, s := range due {
		c, err := call(tx, s, now)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
		s.Next = now.Add(outbox.Lease)
		if err := store.Save(tx, key(true, s.ID), s); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// waits reports whether a webhook is to be called; due, when.
func (s *Subscription) waits() bool { return s.From != 0 && !s.Parked }

func (s *Subscription) due() time.Time {
	if s.Next.After(s.Start) {
		return s.Next
	}
	return s.Start
}

// call returns what a webhook that waits is to be told.
func call(tx store.Tx, s Subscription, now time.Time) (Call, error) {
	all, last, lost, err := Since(tx, s.From-1)
	if err != nil {
		return Call{}, err
	}
	c := Call{Subscription: s, Upto: last}
	if lost || s.Late {
		a, err := Stands(tx, s.Topic, now)
		a.Seq = last
		c.Tell = []record.Activity{a}
		return c, err
	}
	for _, a := range all {
		if a.Tells(s.Topic) {
			c.Tell = append(c.Tell, a)
		}
	}
	if s.Rate > 0 && len(c.Tell) > 1 { // what is newest says it all
		c.Tell = c.Tell[len(c.Tell)-1:]
	}
	if len(c.Tell) > maxTell {
		c.Tell = c.Tell[:maxTell]
		c.Upto = c.Tell[maxTell-1].Seq
	}
	return c, nil
}

// maxTell is how many notifications one call carries, one after another.
const maxTell = 32

// Called notes that a webhook has received what happened up to a number.
func Called(tx store.Tx, c Call, now time.Time) error {
	return change(tx, c.ID, func(s *Subscription) error {
		s.Tries, s.Trouble, s.Failing, s.Late = 0, "", time.Time{}, false
		s.Next = now.UTC().Add(s.Rate)
		s.From = 0
		more, last, lost, err := Since(tx, c.Upto)
		if i := slices.IndexFunc(more, func(a record.Activity) bool { return a.Tells(s.Topic) }); i >= 0 {
			s.From = more[i].Seq
		}
		if lost {
			s.From = max(last-kept, 1)
		}
		return err
	})
}

// CallLater puts a call back: what was received before upto is not told again. It
// is tried ever more slowly, and after three days, or where final, the webhook is
// parked: it is called no more, and says why to who asks. It says whether it parked it.
func CallLater(tx store.Tx, c Call, upto uint64, trouble string, final bool, now time.Time) (parked bool, err error) {
	now = now.UTC()
	err = change(tx, c.ID, func(s *Subscription) error {
		if upto >= s.From {
			s.From = upto + 1
			s.Tries, s.Failing = 0, time.Time{}
		}
		if s.Trouble = trouble; s.Failing.IsZero() {
			s.Failing = now
		}
		s.Tries++
		s.Parked = final || now.Sub(s.Failing) > outbox.GiveUp
		s.Next = now.Add(outbox.Pause(s.Tries))
		parked = s.Parked
		return nil
	})
	return parked, err
}

// PutOff puts a call back that was not tried, until then.
func PutOff(tx store.Tx, c Call, until time.Time) error {
	return change(tx, c.ID, func(s *Subscription) error { s.Next = until.UTC(); return nil })
}

// change changes a webhook, if there still is one.
func change(tx store.Tx, id string, do func(*Subscription) error) error {
	s, err := store.Load[Subscription](tx, key(true, id))
	if err != nil || s == nil {
		return err
	}
	if err := do(s); err != nil {
		return err
	}
	return store.Save(tx, key(true, id), s)
}

// Next returns when a webhook is to be called; zero for none.
func Next(tx store.Tx) (next time.Time, err error) {
	err = store.Each(tx, "th", func(s *Subscription) bool {
		if s.waits() && (next.IsZero() || s.due().Before(next)) {
			next = s.due()
		}
		return true
	})
	return next, err
}
