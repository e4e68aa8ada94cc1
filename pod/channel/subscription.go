// SPDX-License-Identifier: EUPL-1.2

package channel

import (
	"fmt"
	"io"
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
	longest     = 7 * 24 * time.Hour
	maxHooks    = 64     // webhooks of one pod
	dayChannels = 40_000 // made in one pod a day
	dayEach     = 12_000 // of these, by one WebID
	maxHookURL  = 2048   // bytes
)

// The keys of subscriptions. An id begins with the time of its end, so that what
// has ended comes first.
func key(hook bool, id string) string {
	if hook {
		return "th" + id
	}
	return "tp" + id
}

const idLength = 10 + 26

// IsID reports whether s could be a subscription's id, so that it may be
// part of a key.
func IsID(s string) bool {
	return len(s) == idLength && strings.Trim(s[:10], "0123456789abcdef") == "" && store.IsID(s[10:])
}

// New returns s as a channel of who's, with its ID and End.
func New(s Subscription, who acl.Agent, random io.Reader, now time.Time) (Subscription, error) {
	now = now.UTC().Truncate(time.Second)
	switch {
	case s.Hook != "" && !who.Known():
		return s, ldp.Refuse(ldp.Unauthenticated, "Who wants to be called has to sign in.")
	case len(s.Hook) > maxHookURL:
		return s, ldp.Refuse(ldp.Unprocessable, "sendTo is longer than 2048 bytes.")
	case !s.End.IsZero() && !s.End.After(now):
		return s, ldp.Refuse(ldp.Unprocessable, "endAt is in the past.")
	}
	if latest := now.Add(longest); s.End.IsZero() || s.End.After(latest) {
		s.End = latest
	}
	s.End = s.End.UTC().Truncate(time.Second)
	id, err := store.NewID(random)
	s.ID, s.Who = fmt.Sprintf("%010x", s.End.Unix())+id, who
	return s, err
}

// Keep stores a new channel of whom r is the right, and takes away some that have ended.
// What it counts them by is of no use when the day is over.
func Keep(tx store.Tx, r *resource.Right, s Subscription) error {
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
	if _, err := limit.Count(tx, r); err != nil {
		return err
	}
	tx.Put(record.HomeKey, h.Encode())
	return store.Save(tx, key(s.Hook != "", s.ID), s)
}

// Find returns the channel with the id to which a subscriber connects; Absent if there
// is none, or no more.
func Find(tx store.Tx, id string, now time.Time) (*Subscription, error) {
	s, err := store.Load[Subscription](tx, key(false, id))
	if err == nil && (s == nil || s.End.Before(now)) {
		err = resource.Absent()
	}
	return s, err
}

// Own returns the channel with the id to who made it, and to the pod's owner.
func Own(tx store.Tx, who acl.Agent, id string) (*Subscription, error) {
	h, err := record.HomeOf(tx)
	if err != nil {
		return nil, err
	}
	for _, hook := range []bool{false, true} {
		s, err := store.Load[Subscription](tx, key(hook, id))
		if err != nil {
			return nil, err
		}
		if s != nil && (s.Who.ID == who.ID || who.Known() && who.ID == h.Owner) {
			return s, nil
		}
	}
	return nil, resource.Absent()
}

// Missed reports whether the topic, which is as now says, is other than the subscriber
// knows it.
func (s *Subscription) Missed(now record.Activity) bool {
	return s.State != "" && !sameState(s.State, now.State)
}

// sameState reports whether two ETags are of one state, in whatever format.
func sameState(a, b string) bool {
	cut := func(s string) string { tag, _, _ := strings.Cut(strings.Trim(s, `"`), "."); return tag }
	return cut(a) == cut(b)
}

// Hooks returns the webhooks.
func Hooks(tx store.Tx) (all []Subscription, err error) {
	err = store.Each(tx, "th", func(s *Subscription) bool { all = append(all, *s); return true })
	return all, err
}

// By returns the channels that who has made by the program that is its Client.
func By(tx store.Tx, who acl.WebID, client string) (all []Subscription, err error) {
	for _, prefix := range []string{"tp", "th"} {
		err := store.Each(tx, prefix, func(s *Subscription) bool {
			if s.Who.ID == who && s.Who.Client == client {
				all = append(all, *s)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// End ends channels; who is connected hears of it by the journal.
func End(tx store.Tx, now time.Time, ended ...Subscription) error {
	var done []record.Activity
	for _, s := range ended {
		tx.Delete(key(s.Hook != "", s.ID))
		if s.Hook == "" {
			done = append(done, record.Activity{Kind: record.Ended, Object: s.Topic, State: s.ID, At: now.UTC().Truncate(time.Second)})
		}
	}
	if done == nil {
		return nil
	}
	_, err := Write(tx, done)
	return err
}
