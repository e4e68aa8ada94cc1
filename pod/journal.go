// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"slices"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/channel"
	"skrin/pod/due"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// Dismissed says whether the program of an agent (its Client) was told by the person
// that it may act for her no more.
type Dismissed func(ctx context.Context, who acl.Agent) (bool, error)

// journal writes down what a write has done, and has the webhooks called.
func (p *Pod) journal(tx store.Tx, r *resource.Right) error {
	if len(r.Done) == 0 {
		return nil
	}
	first, err := channel.Write(tx, r.Done)
	if err != nil || r.Home.Hooks < r.Now.Unix() {
		return err
	}
	waits, err := channel.Await(tx, r.Done, first, p.Now())
	if err != nil || !waits {
		return err
	}
	return due.Settle(tx)
}

// An Audience is who listens to a pod on this node.
type Audience interface {
	// Listening returns the agents that listen to a topic, each once.
	Listening(topic ldp.ID) []acl.Agent
	// Topics returns all topics that somebody listens to.
	Topics() []ldp.ID
}

// Heard is what a pod's audience is to be told.
type Heard struct {
	Activities []record.Activity // of topics that somebody listens to, in their order
	Last       uint64            // the number to ask from next time
	May        map[Ear]bool
}

// An Ear is one agent that listens to one topic.
type Ear struct {
	Topic ldp.ID
	Who   acl.Agent
}

// Hear returns what happened in a pod after a number, and which of the audience
// may hear it: who may read the topic as it is now. It is for the deliverer, and
// decides for each agent of the audience.
func (p *Pod) Hear(ctx context.Context, pod string, after uint64, audience Audience) (Heard, error) {
	var h Heard
	var unsure []Ear
	err := p.Store.View(ctx, store.Name("id/"+pod), func(tx store.Tx) error {
		tx = &memo{tx, map[string][]byte{}}
		h, unsure = Heard{May: map[Ear]bool{}}, nil
		all, last, lost, err := channel.Since(tx, after)
		if err != nil {
			return err
		}
		h.Last = last
		if lost {
			if all, err = p.now(tx, audience.Topics(), last); err != nil {
				return err
			}
		}
		for _, a := range all {
			topic := a.Topic()
			agents := audience.Listening(topic)
			for _, who := range agents {
				ear := Ear{topic, who}
				if _, decided := h.May[ear]; decided {
					continue
				}
				err := p.hears(tx, who, topic, all)
				if ask := (*resource.Unasked)(nil); errors.As(err, &ask) {
					unsure = append(unsure, ear)
				} else if err != nil && !resource.Refused(err) {
					return err
				}
				h.May[ear] = err == nil
			}
			if len(agents) > 0 {
				h.Activities = append(h.Activities, a)
			}
		}
		return nil
	})
	for _, ear := range unsure {
		ok, fault := p.MayHear(ctx, ear.Who, ear.Topic, h.Activities...)
		h.May[ear] = ok
		err = errors.Join(err, fault)
	}
	for ear, ok := range h.May {
		if ok {
			ended, fault := p.ended(ctx, ear.Who)
			h.May[ear] = !ended
			err = errors.Join(err, fault)
		}
	}
	return h, err
}

// ended asks Dismissed, of an agent that acts by a program of this server's.
func (p *Pod) ended(ctx context.Context, who acl.Agent) (bool, error) {
	if p.Dismissed == nil || who.Client == "" || who.Issuer != p.Issuer {
		return false, nil
	}
	who.Origin = ""
	return p.Dismissed(ctx, who)
}

// hears is may, for who is to be told of activities: what is deleted took its own ACL
// document with it, and who might read it by that hears that it is gone.
func (p *Pod) hears(tx store.Tx, who acl.Agent, topic ldp.ID, told []record.Activity) error {
	_, err := p.tree().May(tx, who, acl.Read, topic)
	var rules []byte
	for _, a := range told {
		if a.Topic() == topic {
			rules = a.Rules
		}
	}
	if rules == nil || !resource.Refused(err) {
		return err
	}
	values, fault := tx.Get(record.RecordKey(topic))
	if fault != nil || values[0] != nil {
		return errors.Join(err, fault)
	}
	was := store.Tx(&formerly{tx, record.RulesKey(topic), rules})
	if k, ok := tx.(*resource.Knowing); ok {
		was = &resource.Knowing{Tx: &formerly{k.Tx, record.RulesKey(topic), rules}, Found: k.Found}
	}
	_, err = p.tree().May(was, who, acl.Read, topic)
	return err
}

// A formerly Tx has another value under one key.
type formerly struct {
	store.Tx
	key   string
	value []byte
}

// Get implements store.Tx.
func (f *formerly) Get(keys ...string) ([][]byte, error) {
	values, err := f.Tx.Get(keys...)
	if i := slices.Index(keys, f.key); err == nil && i >= 0 {
		values = slices.Clone(values)
		values[i] = f.value
	}
	return values, err
}

// now returns an activity for each topic that says how it is.
func (p *Pod) now(tx store.Tx, topics []ldp.ID, seq uint64) (all []record.Activity, err error) {
	for _, topic := range topics {
		a, err := channel.Stands(tx, topic, p.Now())
		if err != nil {
			return nil, err
		}
		a.Seq = seq
		all = append(all, a)
	}
	return all, nil
}

// MayHear reports whether who may read a topic, and so be told of what happened to it.
func (p *Pod) MayHear(ctx context.Context, who acl.Agent, topic ldp.ID, tell ...record.Activity) (bool, error) {
	err := p.view(ctx, who, topic, func(tx store.Tx) error { return p.hears(tx, who, topic, tell) })
	if resource.Refused(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ended, err := p.ended(ctx, who)
	return !ended && err == nil, err
}

// A memo Tx reads each key once.
type memo struct {
	store.Tx
	has map[string][]byte
}

// Get implements Tx.
func (m *memo) Get(keys ...string) ([][]byte, error) {
	var missing []string
	for _, key := range keys {
		if _, ok := m.has[key]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		found, err := m.Tx.Get(missing...)
		if err != nil {
			return nil, err
		}
		for i, key := range missing {
			m.has[key] = found[i]
		}
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = m.has[key]
	}
	return values, nil
}
