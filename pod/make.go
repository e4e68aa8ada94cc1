// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
	"skrin/pod/vocab"
)

// Where things are in a pod that was just made, from its root.
const (
	card               = "profile/card"
	inbox              = "inbox/"
	settings           = "settings/"
	preferences        = settings + "prefs.ttl"
	privateTypes       = settings + "privateTypeIndex.ttl"
	publicTypes        = settings + "publicTypeIndex.ttl"
	storageDescription = ".well-known/solid"
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
	h := record.Home{Owner: acl.WebID(p.url(root+card) + "#me"), Name: name, Person: person}
	err = p.Store.Create(ctx, id, func(tx store.Tx) error {
		tx.Claim(store.Name("pod/" + name))
		tx.Claim(store.Name("person/" + person))
		tx.Put(record.HomeKey, h.Encode())
		return p.furnish(ctx, tx, &ch, h, root)
	})
	if errors.Is(err, store.ErrTaken) { // by the same person, a moment ago
		return p.Owner(ctx, person)
	}
	if err != nil {
		return acl.Agent{}, fmt.Errorf("make a pod: %w", err)
	}
	return acl.Agent{ID: h.Owner, Issuer: p.Issuer}, nil
}

// furnish fills a new pod.
func (p *Pod) furnish(ctx context.Context, tx store.Tx, ch *record.Change, h record.Home, root ldp.ID) error {
	me := rdf.IRI(string(h.Owner))
	at := func(path string) rdf.Term { return rdf.IRI(p.url(root) + path) }
	a := rdf.IRI(vocab.Type)

	profile := new(rdf.Graph)
	profile.Add(at(card), a, rdf.IRI(vocab.FOAF+"PersonalProfileDocument"))
	profile.Add(at(card), rdf.IRI(vocab.FOAF+"maker"), me)
	profile.Add(at(card), rdf.IRI(vocab.FOAF+"primaryTopic"), me)
	for _, class := range []string{vocab.FOAF + "Agent", vocab.FOAF + "Person", "http://schema.org/Person"} {
		profile.Add(me, a, rdf.IRI(class))
	}
	profile.Add(me, rdf.IRI(vocab.Solid+"oidcIssuer"), rdf.IRI(p.Issuer))
	profile.Add(me, rdf.IRI(vocab.Solid+"account"), at(""))
	profile.Add(me, rdf.IRI(vocab.PIM+"storage"), at(""))
	profile.Add(me, rdf.IRI(vocab.LDP+"inbox"), at(inbox))
	profile.Add(me, rdf.IRI(vocab.PIM+"preferencesFile"), at(preferences))
	profile.Add(me, rdf.IRI(vocab.Solid+"publicTypeIndex"), at(publicTypes))

	prefs := new(rdf.Graph)
	prefs.Add(at(preferences), a, rdf.IRI(vocab.PIM+"ConfigurationFile"))
	prefs.Add(me, rdf.IRI(vocab.Solid+"publicTypeIndex"), at(publicTypes))
	prefs.Add(me, rdf.IRI(vocab.Solid+"privateTypeIndex"), at(privateTypes))

	index := func(path, kind string) *rdf.Graph {
		g := new(rdf.Graph)
		g.Add(at(path), a, rdf.IRI(vocab.Solid+"TypeIndex"))
		g.Add(at(path), a, rdf.IRI(vocab.Solid+kind))
		return g
	}
	for _, d := range []struct {
		path  string
		graph *rdf.Graph
	}{
		{"", new(rdf.Graph)},
		{".acl", p.rules(root, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true})},
		{inbox, new(rdf.Graph)},
		{inbox + ".acl", p.rules(root+inbox, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true},
			acl.Grant{To: acl.Authenticated, Modes: acl.Append})},
		{evidences, new(rdf.Graph)},
		{evidences + ".acl", p.rules(root+evidences, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true})},
		{card, profile},
		{card + ".acl", p.rules(root+card, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: acl.Public, Modes: acl.Read})},
		{preferences, prefs},
		{privateTypes, index(privateTypes, "UnlistedDocument")},
		{publicTypes, index(publicTypes, "ListedDocument")},
		{publicTypes + ".acl", p.rules(root+publicTypes, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: acl.Public, Modes: acl.Read})},
	} {
		if err := p.place(ctx, tx, ch, root+ldp.ID(d.path), d.graph); err != nil {
			return fmt.Errorf("place %q: %w", d.path, err)
		}
	}
	return nil
}

const all = acl.Read | acl.Write | acl.Control

// rules returns the ACL document of a resource that makes these grants on it.
func (p *Pod) rules(of ldp.ID, grants ...acl.Grant) *rdf.Graph {
	for i := range grants {
		grants[i].On = string(of)
	}
	return acl.Project(grants, acl.Document{Base: p.Base, Path: string(of + ldp.ACLSuffix), Of: string(of)})
}

// plant writes a document, and the containers above it, in a transaction that
// somebody else has begun and permitted. The body is at most [inline] bytes.
func (p *Pod) plant(tx store.Tx, id ldp.ID, media string, body []byte) error {
	if len(body) > inline {
		return tooLarge(inline)
	}
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return err
	}
	r, err := p.look(tx, acl.Agent{}, id, true)
	if err != nil {
		return err
	}
	rec := &record.State{Tag: ch.Tag(id), Modified: ch.At.Unix(), Media: media, Body: body, Size: int64(len(body))}
	if err := p.charge(tx, r, r.growth(rec)); err != nil {
		return err
	}
	r.save(tx, &ch, 0, rec)
	return p.journal(tx, r)
}

// place writes a graph to a new pod, whatever kind of resource it is to be.
func (p *Pod) place(ctx context.Context, tx store.Tx, ch *record.Change, id ldp.ID, g *rdf.Graph) error {
	body, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	r, err := p.look(tx, acl.Agent{}, id, true)
	if err != nil {
		return err
	}
	r.who.ID = r.home.Owner // in whose name it is placed
	data := new(rdf.Dataset)
	for t := range g.All() {
		data.Default().Add(t.S, t.P, t.O)
	}
	_, err = p.store(ctx, tx, ch, r, &content{media: rdf.Turtle.MediaType(), body: body, size: int64(len(body)), data: data})
	return err
}

// isProfile reports whether the resource is the owner's WebID document.
func (p *Pod) isProfile(r *right) bool {
	document, _, _ := strings.Cut(string(r.home.Owner), "#")
	return p.url(r.id) == document
}

// protect refuses a WebID document that would give the owner another OpenID
// provider, or none: whoever could write it could sign in as the owner; and one
// with several inboxes or preferences files (Solid WebID Profile).
func (p *Pod) protect(r *right, c *content) error {
	var issuers []rdf.Term
	if c.data != nil {
		issuers = c.data.Default().Objects(rdf.IRI(string(r.home.Owner)), rdf.IRI(vocab.Solid+"oidcIssuer"))
	}
	if len(issuers) != 1 || issuers[0] != rdf.IRI(p.Issuer) {
		return ldp.Refuse(ldp.Conflict, "The owner's solid:oidcIssuer can't be changed here. Send the document with <"+p.Issuer+"> as the only one.")
	}
	for _, property := range []string{vocab.LDP + "inbox", vocab.PIM + "preferencesFile"} {
		if n := len(c.data.Default().Objects(rdf.IRI(string(r.home.Owner)), rdf.IRI(property))); n > 1 {
			return ldp.Refuse(ldp.Unprocessable, "The owner can have one <"+property+">, so that nobody has to guess. Leave the other out, or delete the old one.")
		}
	}
	return nil
}

func isStorageDescription(id ldp.ID) bool {
	path, ok := strings.CutPrefix(string(id), string(record.RootOf(id)))
	return ok && path == storageDescription
}

// storageDescription answers for the description of a storage (Solid Protocol,
// section 4.1.1). It says what follows from the URL, for pods that there are and
// that there aren't.
func (p *Pod) storageDescription(req ldp.Get) (*ldp.Resource, error) {
	if req.Choose(rdf.Turtle.MediaType(), rdf.JSONLD.MediaType()) == "" {
		return nil, ldp.Refuse(ldp.NotAcceptable, "The description of a storage is to be had as text/turtle and application/ld+json.")
	}
	g := new(rdf.Graph)
	storage := rdf.IRI(p.url(record.RootOf(req.ID)))
	g.Add(storage, rdf.IRI(vocab.Type), rdf.IRI(vocab.PIM+"Storage"))
	for _, channel := range p.Channels {
		const notify = "http://www.w3.org/ns/solid/notifications#"
		service := rdf.IRI(p.Base + "/.notifications/" + channel + "/")
		g.Add(storage, rdf.IRI(notify+"subscription"), service)
		g.Add(service, rdf.IRI(notify+"channelType"), rdf.IRI(notify+channel))
		for _, feature := range []string{"accept", "endAt", "rate", "startAt", "state"} {
			g.Add(service, rdf.IRI(notify+"feature"), rdf.IRI(notify+feature))
		}
	}
	return &ldp.Resource{ID: req.ID, Type: rdf.Turtle.MediaType(), Tag: "storage", Size: -1, Graph: g,
		Modes: acl.Read, Public: acl.Read, Description: p.Describe(req.ID)}, nil
}
