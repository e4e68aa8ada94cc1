// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// A Subscription is a channel of the Solid Notifications Protocol: who is told
// of what happens to a resource, and how.
//
// It is kept in the pod of its topic. Who may read the topic may subscribe; and
// that is decided again for each notification, so that who may no longer read
// hears nothing more. There is none for a topic in a pairwise space: parties are
// told by the outbox, in whole days.
type Subscription struct {
	ID      string // unguessable
	Who     acl.Agent
	Topic   ldp.ID
	Channel string        // its type, like WebSocketChannel2023
	Hook    string        // URL that is called; "" for a channel to which the subscriber connects
	Start   time.Time     // nothing is told before; zero for at once
	End     time.Time     // nothing is told after
	Rate    time.Duration // at least so long between two notifications
	State   string        // the topic's ETag as the subscriber knows it; "" if not told

	// Of a Hook alone: how the calls go.
	From    uint64    `json:",omitempty"` // the first activity that it waits for; 0 for none
	Next    time.Time // no call before
	Tries   int       `json:",omitempty"` // that failed, since the last that didn't
	Failing time.Time // since when
	Trouble string    `json:",omitempty"` // of the last call: "unreachable" or "refused"
	Parked  bool      `json:",omitempty"` // it is called no more
}

// Limits of subscriptions.
const (
	MaxChannelLife = 7 * 24 * time.Hour
	maxHooks       = 64     // webhooks of one pod
	dayChannels    = 40_000 // made in one pod a day
	dayEach        = 12_000 // of these, by one WebID
	maxHookURL     = 2048   // bytes
)

// The keys of subscriptions. An id begins with the time of its end, so that what
// has ended comes first.
func channelKey(hook bool, id string) string {
	if hook {
		return "th" + id
	}
	return "tp" + id
}

const channelIDLength = 10 + 26

// isChannelID reports whether s could be a subscription's id, so that it may be
// part of a key.
func isChannelID(s string) bool {
	return len(s) == channelIDLength && strings.Trim(s[:10], "0123456789abcdef") == "" && store.IsID(s[10:])
}

// Subscribe makes a channel for who, and returns it with its ID and End. The
// topic need not exist, but who must be allowed to read it.
func (p *Pod) Subscribe(ctx context.Context, who acl.Agent, s Subscription) (Subscription, error) {
	if s.Topic.First() == spaces {
		return s, resource.Refusal(who)
	}
	now := p.Now().UTC().Truncate(time.Second)
	switch {
	case s.Hook != "" && !who.Known():
		return s, ldp.Refuse(ldp.Unauthenticated, "Who wants to be called has to sign in.")
	case len(s.Hook) > maxHookURL:
		return s, ldp.Refuse(ldp.Unprocessable, "sendTo is longer than 2048 bytes.")
	case !s.End.IsZero() && !s.End.After(now):
		return s, ldp.Refuse(ldp.Unprocessable, "endAt is in the past.")
	}
	if latest := now.Add(MaxChannelLife); s.End.IsZero() || s.End.After(latest) {
		s.End = latest
	}
	s.End = s.End.UTC().Truncate(time.Second)
	random, err := store.NewID(p.Rand)
	if err != nil {
		return s, err
	}
	s.ID, s.Who = fmt.Sprintf("%010x", s.End.Unix())+random, who
	err = p.update(ctx, who, s.Topic, func(tx store.Tx) error {
		r, err := p.tree().Look(tx, who, s.Topic, false)
		if err != nil {
			return err
		}
		if err := r.Need(0, acl.Read); err != nil {
			return err
		}
		return p.keepChannel(tx, r, s)
	})
	return s, err
}

// keepChannel stores a new channel, and takes away some that have ended.
func (p *Pod) keepChannel(tx store.Tx, r *resource.Right, s Subscription) error {
	ended := fmt.Sprintf("%010x", r.Now.Unix())
	for _, prefix := range []string{"tp", "th"} {
		old, err := tx.Scan(prefix, "", 8)
		if err != nil {
			return err
		}
		for _, pair := range old {
			if pair.Key[2:] < ended {
				tx.Delete(pair.Key)
			}
		}
	}
	h := r.Home
	if s.Hook != "" {
		h.Hooks = max(h.Hooks, s.End.Unix())
		hooks, err := tx.Scan("th", "", maxHooks)
		if err != nil {
			return err
		}
		if len(hooks) == maxHooks {
			return ldp.Refuse(ldp.TooMany, "This pod has as many webhooks as it takes. End some first.")
		}
	} else {
		h.Pulls = max(h.Pulls, s.End.Unix())
	}
	limit := resource.Daily{Prefix: "t", Total: dayChannels, Each: dayEach, Detail: "This pod takes no more subscriptions today."}
	if err := limit.Count(tx, r); err != nil {
		return err
	}
	tx.Put(record.HomeKey, h.Encode())
	return store.Save(tx, channelKey(s.Hook != "", s.ID), s)
}

// Attached is what a stream begins with.
type Attached struct {
	Subscription
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
	if fault != nil || !isChannelID(id) {
		return at, resource.Absent()
	}
	var s *Subscription
	find := func(tx store.Tx) (err error) {
		at = Attached{Pod: tx.Pod()}
		if at.Seq, err = lastSeq(tx); err != nil {
			return err
		}
		if s, err = store.Load[Subscription](tx, channelKey(false, id)); err != nil || s == nil || s.End.Before(p.Now()) {
			return firstOf(err, resource.Absent())
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
		now, err := p.stands(tx, s.Topic)
		if at.Now = nil; err == nil && s.State != "" && !sameState(s.State, now.State) {
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

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// hideRefusal makes a refusal what an unknown channel is answered with.
func hideRefusal(err error) error {
	if resource.Refused(err) {
		return resource.Absent()
	}
	return err
}

// sameState reports whether two ETags are of one state, in whatever format.
func sameState(a, b string) bool {
	cut := func(s string) string { tag, _, _ := strings.Cut(strings.Trim(s, `"`), "."); return tag }
	return cut(a) == cut(b)
}

// Channel returns a channel, to who made it and to the pod's owner.
func (p *Pod) Channel(ctx context.Context, who acl.Agent, name, id string) (Subscription, error) {
	var s *Subscription
	err := p.channel(name, id, func(topic ldp.ID) error {
		return p.view(ctx, who, topic, func(tx store.Tx) (err error) {
			s, err = p.ownChannel(tx, who, id)
			return err
		})
	})
	if err != nil {
		return Subscription{}, err
	}
	return *s, nil
}

// Unsubscribe ends a channel, for who made it and for the pod's owner.
func (p *Pod) Unsubscribe(ctx context.Context, who acl.Agent, name, id string) error {
	return p.channel(name, id, func(topic ldp.ID) error {
		return p.update(ctx, who, topic, func(tx store.Tx) error {
			s, err := p.ownChannel(tx, who, id)
			if err != nil {
				return err
			}
			return p.endChannels(tx, *s)
		})
	})
}

func (p *Pod) channel(name, id string, do func(ldp.ID) error) error {
	topic, err := ldp.ParseID("/" + name + "/")
	if err != nil || !isChannelID(id) {
		return resource.Absent()
	}
	return hideRefusal(do(topic))
}

func (p *Pod) ownChannel(tx store.Tx, who acl.Agent, id string) (*Subscription, error) {
	h, err := record.HomeOf(tx)
	if err != nil {
		return nil, err
	}
	for _, hook := range []bool{false, true} {
		s, err := store.Load[Subscription](tx, channelKey(hook, id))
		if err != nil {
			return nil, err
		}
		if s != nil && (s.Who.ID == who.ID || who.Known() && who.ID == h.Owner) {
			return s, nil
		}
	}
	return nil, resource.Absent()
}

// Hooks returns the webhooks of who's own pod, so that a person sees who is told
// of what happens there, and what is parked.
func (p *Pod) Hooks(ctx context.Context, who acl.Agent) (all []Subscription, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) error {
		all = nil
		return store.Each(tx, "th", func(s *Subscription) bool { all = append(all, *s); return true })
	})
	return all, err
}

// EndChannels ends the channels that a program has made in who's own pod in who's
// name: for when the person takes its access away.
func (p *Pod) EndChannels(ctx context.Context, who acl.Agent, client string) error {
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		var ended []Subscription
		for _, prefix := range []string{"tp", "th"} {
			err := store.Each(tx, prefix, func(s *Subscription) bool {
				if s.Who.ID == who.ID && s.Who.Client == client {
					ended = append(ended, *s)
				}
				return true
			})
			if err != nil {
				return err
			}
		}
		if len(ended) == 0 {
			return nil
		}
		return p.endChannels(tx, ended...)
	})
}

func (p *Pod) endChannels(tx store.Tx, ended ...Subscription) error {
	var done []record.Activity
	for _, s := range ended {
		tx.Delete(channelKey(s.Hook != "", s.ID))
		if s.Hook == "" {
			done = append(done, record.Activity{Kind: record.Ended, Object: s.Topic, State: s.ID, At: p.Now().UTC().Truncate(time.Second)})
		}
	}
	if _, err := jot(tx, done); err != nil {
		return err
	}
	return settle(tx)
}
