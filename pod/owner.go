// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"fmt"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// ErrNoPod is that somebody has no pod: a [store.ErrNoPod], for who needs know
// nothing of stores.
var ErrNoPod = fmt.Errorf("nobody's pod: %w", store.ErrNoPod)

// Owner returns the owner of the person's pod as an agent, or ErrNoPod if the
// person has none.
func (p *Pod) Owner(ctx context.Context, person string) (acl.Agent, error) {
	return p.ownerAt(ctx, store.Name("person/"+person))
}

// OwnerOf returns the owner of the pod with the id, for the operator, who acts in
// the owner's name where nobody else can.
func (p *Pod) OwnerOf(ctx context.Context, id string) (acl.Agent, error) {
	return p.ownerAt(ctx, store.Name("id/"+id))
}

func (p *Pod) ownerAt(ctx context.Context, name store.Name) (acl.Agent, error) {
	var h record.Home
	err := p.Store.View(ctx, name, func(tx store.Tx) (err error) {
		h, err = record.HomeOf(tx)
		return err
	})
	if errors.Is(err, store.ErrNoPod) {
		err = ErrNoPod
	}
	if err != nil {
		return acl.Agent{}, err
	}
	return acl.Agent{ID: h.Owner, Issuer: p.Issuer}, nil
}

// Make makes the pod of a person, named by an internal id, and returns its owner
// as an agent; if the person has a pod, that one's. The pod's id, and its name in
// URLs, are random and tell nothing. It has a WebID document that everybody may
// read, an inbox to which whoever signed in may append, preferences and type
// indexes; and what the owner puts there is the owner's alone.
func (p *Pod) Make(ctx context.Context, person string) (acl.Agent, error) {
	owner, err := p.Owner(ctx, person)
	if !errors.Is(err, store.ErrNoPod) {
		return owner, err
	}
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return acl.Agent{}, err
	}
	name := store.IDEncoding.EncodeToString(ch.Derive("pod name", "")[:16])
	id := store.IDEncoding.EncodeToString(ch.Derive("pod id", "")[:16])
	root := ldp.ID("/" + name + "/")
	h := record.Home{Owner: acl.WebID(p.url(root+resource.Card) + "#me"), Name: name, Person: person}
	err = p.Store.Create(ctx, id, func(tx store.Tx) error {
		tx.Claim(store.Name("pod/" + name))
		tx.Claim(store.Name("person/" + person))
		tx.Put(record.HomeKey, h.Encode())
		return p.tree().Furnish(ctx, tx, &ch, h, root)
	})
	if errors.Is(err, store.ErrTaken) { // by the same person, a moment ago
		return p.Owner(ctx, person)
	}
	if err != nil {
		return acl.Agent{}, fmt.Errorf("make a pod: %w", err)
	}
	return acl.Agent{ID: h.Owner, Issuer: p.Issuer}, nil
}
