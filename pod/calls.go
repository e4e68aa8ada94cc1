// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
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

// callLater has the webhooks called that subscribe to what was done, of which the
// first has this number.
func (p *Pod) callLater(tx store.Tx, done []record.Activity, first uint64) error {
	var waiting []Subscription
	err := store.Each(tx, "th", func(s *Subscription) bool {
		i := slices.IndexFunc(done, func(a record.Activity) bool { return a.Tells(s.Topic) })
		if i >= 0 && s.From == 0 && !s.Parked {
			s.From = first + uint64(i)
			if now := p.Now().UTC(); s.Next.Before(now) {
				s.Next = now
			}
			waiting = append(waiting, *s)
		}
		return true
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	for _, s := range waiting {
		if err := store.Save(tx, channelKey(true, s.ID), s); err != nil {
			return err
		}
	}
	return settle(tx)
}

// TakeCalls returns the calls of a pod's webhooks that are due, and leases them
// as [Pod.Take] does. Each must be given to Called or CallLater; and none is made
// before MayHear. It is for the deliverer.
func (p *Pod) TakeCalls(ctx context.Context, pod string) ([]Call, error) {
	none := true
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		pairs, err := tx.Scan("th", "", 1)
		none = len(pairs) == 0
		return err
	})
	if err != nil || none {
		return nil, err
	}
	var calls []Call
	err = p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		calls = nil
		now := p.Now().UTC()
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
			return err
		}
		for _, s := range ended {
			tx.Delete(channelKey(true, s.ID))
		}
		for _, s := range due {
			c, err := p.call(tx, s)
			if err != nil {
				return err
			}
			calls = append(calls, c)
			s.Next = now.Add(outbox.Lease)
			if err := store.Save(tx, channelKey(true, s.ID), s); err != nil {
				return err
			}
		}
		return settle(tx)
	})
	return calls, err
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
func (p *Pod) call(tx store.Tx, s Subscription) (Call, error) {
	all, last, lost, err := activities(tx, s.From-1)
	if err != nil {
		return Call{}, err
	}
	c := Call{Subscription: s, Upto: last}
	if lost {
		a, err := p.stands(tx, s.Topic)
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
func (p *Pod) Called(ctx context.Context, pod string, c Call) error {
	return p.settleCall(ctx, pod, c.ID, func(tx store.Tx, s *Subscription) error {
		s.Tries, s.Trouble, s.Failing = 0, "", time.Time{}
		s.Next = p.Now().UTC().Add(s.Rate)
		s.From = 0
		more, last, lost, err := activities(tx, c.Upto)
		if i := slices.IndexFunc(more, func(a record.Activity) bool { return a.Tells(s.Topic) }); i >= 0 {
			s.From = more[i].Seq
		}
		if lost {
			s.From = max(last-journalKept, 1)
		}
		return err
	})
}

// CallLater puts a call back: what was received before upto is not told again. It
// is tried ever more slowly, and after three days, or where final, the webhook is
// parked: it is called no more, and says why to who asks. trouble "" is that
// nothing was tried. It says whether it parked it.
func (p *Pod) CallLater(ctx context.Context, pod string, c Call, upto uint64, trouble string, final bool) (parked bool, err error) {
	err = p.settleCall(ctx, pod, c.ID, func(_ store.Tx, s *Subscription) error {
		now := p.Now().UTC()
		if upto >= s.From {
			s.From = upto + 1
			s.Tries, s.Failing = 0, time.Time{}
		}
		if trouble == "" {
			s.Next = now.Add(time.Second)
			return nil
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
	return parked && err == nil, err
}

// settleCall changes a webhook, if there still is one.
func (p *Pod) settleCall(ctx context.Context, pod, id string, change func(store.Tx, *Subscription) error) error {
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		s, err := store.Load[Subscription](tx, channelKey(true, id))
		if err != nil || s == nil {
			return err
		}
		if err := change(tx, s); err != nil {
			return err
		}
		if err := store.Save(tx, channelKey(true, id), s); err != nil {
			return err
		}
		return settle(tx)
	})
}

// EndCall removes a webhook whose subscriber may no longer read its topic.
func (p *Pod) EndCall(ctx context.Context, pod string, c Call) error {
	return p.Store.Update(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		tx.Delete(channelKey(true, c.ID))
		return settle(tx)
	})
}
