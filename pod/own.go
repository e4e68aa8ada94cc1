// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/archive"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/store"
)

// ownName returns the name of the pod whose owner who could be, from the form of
// the WebID.
func (p *Pod) ownName(who acl.Agent) store.Name {
	rest, ok := strings.CutPrefix(string(who.ID), p.Base+"/")
	if !ok {
		return ""
	}
	name, ok := strings.CutSuffix(rest, "/profile/card#me")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return store.Name("pod/" + name)
}

// deskOf returns the name of the pod in whose owner's name who acts: her own, or
// that of whom she acts for.
func (p *Pod) deskOf(who acl.Agent) store.Name {
	if who.For != "" {
		who.ID = who.For
	}
	return p.ownName(who)
}

// viewOwn runs fn on a snapshot of who's own pod, for what is the owner's alone.
func (p *Pod) viewOwn(ctx context.Context, who acl.Agent, fn func(store.Tx) error) error {
	return owned(p.Store.View(ctx, p.deskOf(who), p.asOne(who, acl.Control, fn)))
}

// updateOwn changes who's own pod, likewise.
func (p *Pod) updateOwn(ctx context.Context, who acl.Agent, fn func(store.Tx) error) error {
	return owned(p.Store.Update(ctx, p.deskOf(who), p.asOne(who, acl.Control, fn)))
}

// viewFor is viewOwn for what a helper may see too.
func (p *Pod) viewFor(ctx context.Context, who acl.Agent, fn func(store.Tx) error) error {
	return owned(p.Store.View(ctx, p.deskOf(who), p.asOne(who, acl.Read, fn)))
}

// viewPart is viewFor, and a helper's look at the part is logged first.
func (p *Pod) viewPart(ctx context.Context, who acl.Agent, part string, fn func(store.Tx) error) error {
	if err := p.noteLook(ctx, who, part); err != nil {
		return err
	}
	return p.viewFor(ctx, who, fn)
}

// updateFor is updateOwn for what a helper may do who answers too.
func (p *Pod) updateFor(ctx context.Context, who acl.Agent, fn func(store.Tx) error) error {
	return owned(p.Store.Update(ctx, p.deskOf(who), p.asOne(who, acl.Write, fn)))
}

// desk is who's own pod, for who takes it out or in.
func (p *Pod) desk(ctx context.Context, who acl.Agent) *archive.Desk {
	return &archive.Desk{
		Book: p.book(), Tree: p.tree(), Who: who,
		View:   func(fn func(store.Tx) error) error { return p.viewOwn(ctx, who, fn) },
		Update: func(fn func(store.Tx) error) error { return p.updateOwn(ctx, who, fn) },
	}
}

// asOne runs fn only for who may do mode in the name of the pod's owner.
func (p *Pod) asOne(who acl.Agent, mode acl.Mode, fn func(store.Tx) error) func(store.Tx) error {
	return func(tx store.Tx) error {
		if err := mandate.May(tx, who, mode, p.Now()); err != nil {
			return err
		}
		if who.For != "" {
			tx = &log.Acting{Tx: tx, By: who.ID}
		}
		return fn(tx)
	}
}

func owned(err error) error {
	if errors.Is(err, store.ErrNoPod) {
		return ldp.Refuse(ldp.Forbidden, "You have no pod here.")
	}
	return err
}
