// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"context"
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
	Card               = "profile/card"
	Inbox              = "inbox/"
	settings           = "settings/"
	Preferences        = settings + "prefs.ttl"
	privateTypes       = settings + "privateTypeIndex.ttl"
	PublicTypes        = settings + "publicTypeIndex.ttl"
	storageDescription = ".well-known/solid"
)

// Furnish fills a new pod.
func (tree *Tree) Furnish(ctx context.Context, tx store.Tx, ch *record.Change, h record.Home, root ldp.ID) error {
	me := rdf.IRI(string(h.Owner))
	at := func(path string) rdf.Term { return rdf.IRI(tree.url(root) + path) }
	a := rdf.IRI(vocab.Type)

	profile := new(rdf.Graph)
	profile.Add(at(Card), a, rdf.IRI(vocab.FOAF+"PersonalProfileDocument"))
	profile.Add(at(Card), rdf.IRI(vocab.FOAF+"maker"), me)
	profile.Add(at(Card), rdf.IRI(vocab.FOAF+"primaryTopic"), me)
	for _, class := range []string{vocab.FOAF + "Agent", vocab.FOAF + "Person", "http://schema.org/Person"} {
		profile.Add(me, a, rdf.IRI(class))
	}
	profile.Add(me, rdf.IRI(vocab.Solid+"oidcIssuer"), rdf.IRI(tree.Issuer))
	profile.Add(me, rdf.IRI(vocab.Solid+"account"), at(""))
	profile.Add(me, rdf.IRI(vocab.PIM+"storage"), at(""))
	profile.Add(me, rdf.IRI(vocab.LDP+"inbox"), at(Inbox))
	profile.Add(me, rdf.IRI(vocab.PIM+"preferencesFile"), at(Preferences))
	profile.Add(me, rdf.IRI(vocab.Solid+"publicTypeIndex"), at(PublicTypes))

	prefs := new(rdf.Graph)
	prefs.Add(at(Preferences), a, rdf.IRI(vocab.PIM+"ConfigurationFile"))
	prefs.Add(me, rdf.IRI(vocab.Solid+"publicTypeIndex"), at(PublicTypes))
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
		{".acl", tree.Rules(root, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true})},
		{Inbox, new(rdf.Graph)},
		{Inbox + ".acl", tree.Rules(root+Inbox, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true},
			acl.Grant{To: acl.Authenticated, Modes: acl.Append})},
		{EvidenceFolder, new(rdf.Graph)},
		{EvidenceFolder + ".acl", tree.Rules(root+EvidenceFolder, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: h.Owner, Modes: all, Inherit: true})},
		{Card, profile},
		{Card + ".acl", tree.Rules(root+Card, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: acl.Public, Modes: acl.Read})},
		{Preferences, prefs},
		{privateTypes, index(privateTypes, "UnlistedDocument")},
		{PublicTypes, index(PublicTypes, "ListedDocument")},
		{PublicTypes + ".acl", tree.Rules(root+PublicTypes, acl.Grant{To: h.Owner, Modes: all}, acl.Grant{To: acl.Public, Modes: acl.Read})},
	} {
		if err := tree.Place(ctx, tx, ch, root+ldp.ID(d.path), d.graph); err != nil {
			return fmt.Errorf("place %q: %w", d.path, err)
		}
	}
	return nil
}

const all = acl.Read | acl.Write | acl.Control

// Rules returns the ACL document of a resource that makes these grants on it.
func (tree *Tree) Rules(of ldp.ID, grants ...acl.Grant) *rdf.Graph {
	for i := range grants {
		grants[i].On = string(of)
	}
	return acl.Project(grants, acl.Document{Base: tree.Base, Path: string(of + ldp.ACLSuffix), Of: string(of)})
}

// Plant writes a document, and the containers above it, in a transaction that
// somebody else has begun and permitted. The body is at most [Inline] bytes.
func (tree *Tree) Plant(tx store.Tx, id ldp.ID, media string, body []byte) error {
	if len(body) > Inline {
		return TooLarge(Inline)
	}
	ch, err := record.NewChange(tree.Now(), tree.Rand)
	if err != nil {
		return err
	}
	r, err := tree.Look(tx, acl.Agent{}, id, true)
	if err != nil {
		return err
	}
	rec := &record.State{Tag: ch.Tag(id), Modified: ch.At.Unix(), Media: media, Body: body, Size: int64(len(body))}
	if err := tree.charge(tx, r, r.growth(rec)); err != nil {
		return err
	}
	r.save(tx, &ch, 0, rec)
	return tree.Door.Written(tx, r)
}

// Place writes a graph to a new pod, whatever kind of resource it is to be.
func (tree *Tree) Place(ctx context.Context, tx store.Tx, ch *record.Change, id ldp.ID, g *rdf.Graph) error {
	body, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	r, err := tree.Look(tx, acl.Agent{}, id, true)
	if err != nil {
		return err
	}
	r.who.ID = r.Home.Owner // in whose name it is placed
	data := new(rdf.Dataset)
	for t := range g.All() {
		data.Default().Add(t.S, t.P, t.O)
	}
	_, err = tree.Write(ctx, tx, ch, r, &Content{Media: rdf.Turtle.MediaType(), Body: body, Size: int64(len(body)), Data: data})
	return err
}

// isProfile reports whether the resource is the owner's WebID document.
func (tree *Tree) isProfile(r *Right) bool {
	document, _, _ := strings.Cut(string(r.Home.Owner), "#")
	return tree.url(r.id) == document
}

// protect refuses a WebID document that would give the owner another OpenID
// provider, or none: whoever could write it could sign in as the owner; and one
// with several inboxes or preferences files (Solid WebID Profile).
func (tree *Tree) protect(r *Right, c *Content) error {
	var issuers []rdf.Term
	if c.Data != nil {
		issuers = c.Data.Default().Objects(rdf.IRI(string(r.Home.Owner)), rdf.IRI(vocab.Solid+"oidcIssuer"))
	}
	if len(issuers) != 1 || issuers[0] != rdf.IRI(tree.Issuer) {
		return ldp.Refuse(ldp.Conflict, "The owner's solid:oidcIssuer can't be changed here. Send the document with <"+tree.Issuer+"> as the only one.")
	}
	for _, property := range []string{vocab.LDP + "inbox", vocab.PIM + "preferencesFile"} {
		if n := len(c.Data.Default().Objects(rdf.IRI(string(r.Home.Owner)), rdf.IRI(property))); n > 1 {
			return ldp.Refuse(ldp.Unprocessable, "The owner can have one <"+property+">, so that nobody has to guess. Leave the other out, or delete the old one.")
		}
	}
	return nil
}

// IsStorageDescription reports whether a path is that of the description of a
// storage.
func IsStorageDescription(id ldp.ID) bool {
	path, ok := strings.CutPrefix(string(id), string(record.RootOf(id)))
	return ok && path == storageDescription
}

// StorageDescription answers for the description of a storage (Solid Protocol,
// section 4.1.1). It says what follows from the URL, for pods that there are and
// that there aren't.
func (tree *Tree) StorageDescription(req ldp.Get) (*ldp.Resource, error) {
	if req.Choose(rdf.Turtle.MediaType(), rdf.JSONLD.MediaType()) == "" {
		return nil, ldp.Refuse(ldp.NotAcceptable, "The description of a storage is to be had as text/turtle and application/ld+json.")
	}
	g := new(rdf.Graph)
	storage := rdf.IRI(tree.url(record.RootOf(req.ID)))
	g.Add(storage, rdf.IRI(vocab.Type), rdf.IRI(vocab.PIM+"Storage"))
	for _, channel := range tree.Channels {
		const notify = "http://www.w3.org/ns/solid/notifications#"
		service := rdf.IRI(tree.Base + "/.notifications/" + channel + "/")
		g.Add(storage, rdf.IRI(notify+"subscription"), service)
		g.Add(service, rdf.IRI(notify+"channelType"), rdf.IRI(notify+channel))
		for _, feature := range []string{"accept", "endAt", "rate", "startAt", "state"} {
			g.Add(service, rdf.IRI(notify+"feature"), rdf.IRI(notify+feature))
		}
	}
	return &ldp.Resource{ID: req.ID, Type: rdf.Turtle.MediaType(), Tag: "storage", Size: -1, Graph: g,
		Modes: acl.Read, Public: acl.Read, Description: tree.Supports(req.ID)}, nil
}
