// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/due"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/store"
	"skrin/pod/text"
)

// How a person leaves (2026-11): she says so, and has two weeks to think again.
// From the first moment on the pod is hers alone: what she shared is withdrawn, so
// that the parties are told and asked to erase while there still is a pod to tell
// of, and no ACL document grants anybody anything. If she stays, her papers, files
// and connections are as they were, and the folders that she shared are shared
// again; what she had agreed to with parties she is asked for anew. We gave up that
// a change of mind leaves no trace: a consent that was withdrawn stays withdrawn.

// Regret is how long a person who leaves has to think again.
const Regret = 14 * 24 * time.Hour

// Settings are what the owner has chosen for herself.
type Settings struct {
	Name   string    // as the pages call her; "" if she hasn't said
	Leaves time.Time `json:"-"` // when all of it is erased; zero while she stays
}

// settingsKey holds a Settings without Leaves, which is in the home, where each
// decision sees it.
const settingsKey = "S"

// Settings returns the owner's settings.
func (p *Pod) Settings(ctx context.Context, who acl.Agent) (Settings, error) {
	var out Settings
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		s, err := store.Load[Settings](tx, settingsKey)
		if err == nil && s != nil {
			out = *s
		}
		if err != nil {
			return err
		}
		h, err := record.HomeOf(tx)
		out.Leaves = h.Leaves
		return err
	})
	return out, err
}

// CallMe sets the name by which the pages call the owner. Nobody else sees it.
func (p *Pod) CallMe(ctx context.Context, who acl.Agent, name string) error {
	if !text.IsName(name) {
		return ldp.Refuse(ldp.Invalid, "A name has at most 60 characters, none of them for control, and no personal number in it.")
	}
	return p.updateOwn(ctx, who, func(tx store.Tx) error { return store.Save(tx, settingsKey, Settings{Name: name}) })
}

// Leave has the owner's pod erased when [Regret] has passed, and withdraws at once
// all that she shares. To leave twice is to leave at the time first said.
func (p *Pod) Leave(ctx context.Context, who acl.Agent) (time.Time, error) {
	var at time.Time
	err := p.updateOwn(ctx, who, func(tx store.Tx) error {
		h, err := record.HomeOf(tx)
		if at = h.Leaves; err != nil || !at.IsZero() {
			return err
		}
		at = p.Now().UTC().Truncate(time.Second).Add(Regret)
		h.Leaves = at
		tx.Put(record.HomeKey, h.Encode())
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidLeave}); err != nil {
			return err
		}
		if err := p.withdrawAll(ctx, tx); err != nil {
			return err
		}
		return due.Settle(tx)
	})
	p.wake(err)
	return at, err
}

func (p *Pod) withdrawAll(ctx context.Context, tx store.Tx) error {
	var active []consent.Consent
	err := store.Each(tx, consent.Key(""), func(c *consent.Consent) bool {
		if c.Active(p.Now()) {
			active = append(active, *c)
		}
		return true
	})
	for i := range active {
		var tell time.Time
		if err == nil {
			tell, err = p.apart(active)
		}
		if err == nil {
			err = p.withdraw(ctx, tx, &active[i], tell)
		}
	}
	return err
}

// Stay undoes Leave, as long as its time has not come. To stay twice is no error.
func (p *Pod) Stay(ctx context.Context, who acl.Agent) error {
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		h, err := record.HomeOf(tx)
		switch {
		case err != nil || h.Leaves.IsZero():
			return err
		case !p.Now().Before(h.Leaves):
			return ldp.Refuse(ldp.Gone, "It is too late: it is being erased.")
		}
		h.Leaves = time.Time{}
		tx.Put(record.HomeKey, h.Encode())
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidStay}); err != nil {
			return err
		}
		return due.Settle(tx)
	})
}

// A Leaver is a pod whose time to be erased has come, and the internal id of its
// owner, of whom all else must be forgotten first.
type Leaver struct{ Pod, Person string }

// Leavers returns pods to be erased with [upkeep.Erase] now. It is for the job that does
// so, which needs no agent: nothing is told of what the pods hold.
func (p *Pod) Leavers(ctx context.Context, limit int) ([]Leaver, error) {
	due, err := p.Store.Due(ctx, p.Now(), limit)
	var all []Leaver
	for _, id := range due {
		var h record.Home
		seen := p.Store.View(ctx, store.Name("id/"+id), func(tx store.Tx) (err error) {
			h, err = record.HomeOf(tx)
			return err
		})
		switch {
		case errors.Is(seen, store.ErrNoPod), errors.Is(seen, store.ErrNoKey): // another node is at it
		case seen != nil:
			err = errors.Join(err, seen)
		case !h.Leaves.IsZero() && !p.Now().Before(h.Leaves):
			all = append(all, Leaver{id, h.Person})
		}
	}
	return all, err
}
