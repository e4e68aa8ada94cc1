// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/channel"
	"skrin/pod/due"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// Subscribe makes a channel for who, and returns it with its ID and End. The
// topic need not exist, but who must be allowed to read it.
func (p *Pod) Subscribe(ctx context.Context, who acl.Agent, s channel.Subscription) (channel.Subscription, error) {
	if s.Topic.First() == spaces {
		return s, resource.Refusal(who)
	}
	s, err := channel.New(s, who, p.Rand, p.Now())
	if err != nil {
		return s, err
	}
	err = p.update(ctx, who, s.Topic, func(tx store.Tx) error {
		r, err := p.tree().Look(tx, who, s.Topic, false)
		if err != nil {
			return err
		}
		if err := r.Need(0, acl.Read); err != nil {
			return err
		}
		if err := channel.Keep(tx, r, s); err != nil {
			return err
		}
		return due.ForgetBy(tx, p.Now().Add(due.MarkKept))
	})
	return s, err
}

// Attached is what a stream begins with.
type Attached struct {
	channel.Subscription
	Pod string           // the pod's id
	Seq uint64           // the stream begins after this activity
	Now *record.Activity // what the subscriber must be told at once, because its State is another than the topic's; nil for nothing
}

// Attach begins a stream: name is the first segment of the topic's path. Who has
// the id may, if the subscriber may still read the topic; else the answer is the
// same as if there were no such channel.
func (p *Pod) Attach(ctx context.Context, name, id string) (Attached, error) {
	var at Attached
	topic, fault := ldp.ParseID("/" + name + "/")
	if fault != nil || !channel.IsID(id) {
		return at, resource.Absent()
	}
	var s *channel.Subscription
	find := func(tx store.Tx) (err error) {
		at = Attached{Pod: tx.Pod()}
		if at.Seq, err = channel.Last(tx); err != nil {
			return err
		}
		if s, err = channel.Find(tx, id, p.Now()); err != nil {
			return err
		}
		at.Subscription = *s
		return nil
	}
	if err := p.view(ctx, acl.Agent{}, topic, find); err != nil {
		return at, hideRefusal(err)
	}
	err := p.view(ctx, s.Who, s.Topic, func(tx store.Tx) error {
		if err := find(tx); err != nil {
			return err
		}
		if _, err := p.tree().May(tx, s.Who, acl.Read, s.Topic); err != nil {
			return err
		}
		now, err := channel.Stands(tx, s.Topic, p.Now())
		if at.Now = nil; err == nil && s.Missed(now) {
			now.Seq = at.Seq
			at.Now = &now
		}
		return err
	})
	if ended, fault := p.ended(ctx, s.Who); err == nil && (ended || fault != nil) {
		err = cmp.Or(fault, resource.Absent())
	}
	return at, hideRefusal(err)
}

// hideRefusal makes a refusal what an unknown channel is answered with.
func hideRefusal(err error) error {
	if resource.Refused(err) {
		return resource.Absent()
	}
	return err
}

// Channel returns a channel, to who made it and to the pod's owner.
func (p *Pod) Channel(ctx context.Context, who acl.Agent, name, id string) (channel.Subscription, error) {
	var s *channel.Subscription
	err := p.channel(name, id, func(topic ldp.ID) error {
		return p.view(ctx, who, topic, func(tx store.Tx) (err error) {
			s, err = channel.Own(tx, who, id)
			return err
		})
	})
	if err != nil {
		return channel.Subscription{}, err
	}
	return *s, nil
}

// Unsubscribe ends a channel, for who made it and for the pod's owner.
func (p *Pod) Unsubscribe(ctx context.Context, who acl.Agent, name, id string) error {
	return p.channel(name, id, func(topic ldp.ID) error {
		return p.update(ctx, who, topic, func(tx store.Tx) error {
			s, err := channel.Own(tx, who, id)
			if err != nil {
				return err
			}
			return p.endChannels(tx, *s)
		})
	})
}

func (p *Pod) channel(name, id string, do func(ldp.ID) error) error {
	topic, err := ldp.ParseID("/" + name + "/")
	if err != nil || !channel.IsID(id) {
		return resource.Absent()
	}
	return hideRefusal(do(topic))
}

// Hooks returns the webhooks of who's own pod, so that a person sees who is told
// of what happens there, and what is parked.
func (p *Pod) Hooks(ctx context.Context, who acl.Agent) (all []channel.Subscription, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) (err error) { all, err = channel.Hooks(tx); return err })
	return all, err
}

// EndChannels ends the channels that a program has made in who's own pod in who's
// name: for when the person takes its access away.
func (p *Pod) EndChannels(ctx context.Context, who acl.Agent, client string) error {
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		ended, err := channel.By(tx, who.ID, client)
		if err != nil || len(ended) == 0 {
			return err
		}
		return p.endChannels(tx, ended...)
	})
}

func (p *Pod) endChannels(tx store.Tx, ended ...channel.Subscription) error {
	if err := channel.End(tx, p.Now(), ended...); err != nil {
		return err
	}
	return due.Settle(tx)
}

// TakeCalls returns the calls of a pod's webhooks that are due, and leases them
// as [Pod.Take] does. Each must be given to Called, CallLater or PutOffCall; and none is made
// before MayHear. It is for the deliverer.
func (p *Pod) TakeCalls(ctx context.Context, pod string) (calls []channel.Call, err error) {
	none := true
	err = p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		hooks, err := channel.Hooks(tx)
		none = len(hooks) == 0
		return err
	})
	if err != nil || none {
		return nil, err
	}
	err = p.settling(ctx, pod, func(tx store.Tx) (err error) { calls, err = channel.TakeCalls(tx, p.Now()); return err })
	return calls, err
}

// Called notes that a webhook has received what happened up to a number.
func (p *Pod) Called(ctx context.Context, pod string, c channel.Call) error {
	return p.settling(ctx, pod, func(tx store.Tx) error { return channel.Called(tx, c, p.Now()) })
}

// CallLater puts a call back, as [channel.CallLater] does.
func (p *Pod) CallLater(ctx context.Context, pod string, c channel.Call, upto uint64, trouble string, final bool) (parked bool, err error) {
	err = p.settling(ctx, pod, func(tx store.Tx) (err error) {
		parked, err = channel.CallLater(tx, c, upto, trouble, final, p.Now())
		return err
	})
	return parked && err == nil, err
}

// PutOffCall puts a call back that was not tried, until then.
func (p *Pod) PutOffCall(ctx context.Context, pod string, c channel.Call, until time.Time) error {
	return p.settling(ctx, pod, func(tx store.Tx) error { return channel.PutOff(tx, c, until) })
}

// EndCall removes a webhook whose subscriber may no longer read its topic.
func (p *Pod) EndCall(ctx context.Context, pod string, c channel.Call) error {
	return p.settling(ctx, pod, func(tx store.Tx) error { return channel.End(tx, p.Now(), c.Subscription) })
}
