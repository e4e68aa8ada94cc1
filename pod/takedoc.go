// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"fmt"
	"io"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/parcel"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
	"skrin/pod/vocab"
)

// A doc is a document of an archive that has been read and renamed.
type doc struct {
	name    string // in the archive
	id      ldp.ID
	content *resource.Content
	at      int64 // seconds since 1970
}

// What is written in one transaction, at most.
const (
	docsAtOnce  = 64
	bytesAtOnce = 512 << 10
)

// document takes one resource. What belongs to a document is written in the
// transaction that writes it: nobody may ever read what its own rules forbid.
func (i *takein) document(m *parcel.Member, rest string, body io.Reader) error {
	id, err := ldp.ParseID(string(i.root) + rest)
	if err != nil || record.RootOf(id) != i.root {
		return fmt.Errorf("%w: a document's path is none", parcel.ErrFormat)
	}
	subject, aux := id.Subject()
	switch evidence := resource.IsEvidence(id); {
	case resource.ReservedPath(id) && !evidence, evidence && (aux != "" || id.IsContainer()): // which the server itself keeps
		return nil
	case evidence && !i.done.Vouched:
		i.done.Left++
		return nil
	case len(i.aux) >= len(auxiliaries):
		return fmt.Errorf("%w: %s belongs to nothing", parcel.ErrFormat, i.aux[0].name)
	}
	c, err := i.content(m, id, rest, body)
	if err != nil {
		return err
	}
	i.done.Count["pod"]++
	i.bytes += len(c.Body)
	d := doc{m.Name, id, c, m.Modified}
	if aux != "" {
		i.aux = append(i.aux, d)
		return nil
	}
	for _, x := range i.aux {
		if of, _ := x.id.Subject(); of != subject {
			return fmt.Errorf("%w: %s belongs to nothing", parcel.ErrFormat, x.name)
		}
	}
	i.docs, i.aux = append(append(i.docs, d), i.aux...), nil
	if len(i.docs) < docsAtOnce && i.bytes < bytesAtOnce {
		return nil
	}
	return i.write()
}

// content reads a resource, and renames what it says.
func (i *takein) content(m *parcel.Member, id ldp.ID, rest string, body io.Reader) (*resource.Content, error) {
	media := m.Type
	if id.IsContainer() {
		data, err := i.parseAs(i.from.old(rest), []byte(m.Triples), rdf.NTriples)
		return &resource.Content{Data: i.from.dataset(data)}, err
	}
	format, isRDF := rdf.FormatOf(media)
	if !isRDF {
		return i.Pod.tree().Take(i.ctx, i.podID, id, media, body, m.Size, false)
	}
	b, err := readAll(body, resource.LimitOf(i.MaxRDF, resource.DefaultRDF))
	if err != nil {
		return nil, err
	}
	c, err := i.moved(media, b, format, id, rest)
	if err != nil {
		return nil, err
	}
	c.Size = int64(len(c.Body))
	return c, i.tree().Spill(i.ctx, i.podID, c)
}

// moved returns what an RDF document says, of the new pod; the bytes as they were
// if they say that here.
func (i *takein) moved(media string, b []byte, format rdf.Format, id ldp.ID, rest string) (*resource.Content, error) {
	said, err := i.parseAs(i.from.old(rest), b, format)
	if err != nil {
		return nil, err
	}
	says := i.from.dataset(said)
	i.ownProfile(id, says)
	if here, err := i.tree().Parse(i.ctx, b, format, id); err == nil {
		if same, err := rdf.CompareDatasets(here, says, rdf.Limits{}); err == nil && same {
			return &resource.Content{Media: media, Body: b, Data: says}, nil
		}
	}
	out, err := rdf.WriteDataset(says, format, rdf.WriteOptions{})
	if err != nil { // a format that is only read
		media = rdf.TriG.MediaType()
		if len(says.Names()) == 0 {
			media = rdf.Turtle.MediaType()
		}
		again, _ := rdf.FormatOf(media)
		if out, err = rdf.WriteDataset(says, again, rdf.WriteOptions{}); err != nil {
			return nil, err
		}
	}
	return &resource.Content{Media: media, Body: out, Data: says}, nil
}

// ownProfile makes the owner's WebID document name the issuer of the people here,
// and where things are, if it doesn't.
func (i *takein) ownProfile(id ldp.ID, d *rdf.Dataset) {
	if id != i.root+resource.Card {
		return
	}
	g, me := d.Default(), rdf.IRI(i.url(id)+"#me")
	for _, o := range g.Objects(me, rdf.IRI(vocab.Solid+"oidcIssuer")) {
		g.Remove(me, rdf.IRI(vocab.Solid+"oidcIssuer"), o)
	}
	g.Add(me, rdf.IRI(vocab.Solid+"oidcIssuer"), rdf.IRI(i.Issuer))
	for predicate, path := range map[string]ldp.ID{
		vocab.PIM + "storage": "", vocab.LDP + "inbox": resource.Inbox, vocab.PIM + "preferencesFile": resource.Preferences, vocab.Solid + "publicTypeIndex": resource.PublicTypes,
	} {
		if _, ok := g.Object(me, rdf.IRI(predicate)); !ok {
			g.Add(me, rdf.IRI(predicate), rdf.IRI(i.url(i.root+path)))
		}
	}
}

func (i *takein) parseAs(base string, b []byte, format rdf.Format) (*rdf.Dataset, error) {
	d, err := rdf.ReadDataset(i.ctx, b, format, base, rdf.Limits{Bytes: int(resource.LimitOf(i.MaxRDF, resource.DefaultRDF))})
	return d, resource.Unreadable(err)
}

// write writes what has been read, in one transaction.
func (i *takein) write() error {
	if len(i.docs) == 0 {
		return nil
	}
	docs := i.docs
	i.docs, i.bytes = nil, 0
	return i.updateOwn(i.ctx, i.who, func(tx store.Tx) error {
		for _, d := range docs {
			r, err := i.tree().Look(tx, i.who, d.id, true)
			if err != nil {
				return err
			}
			if err := r.FitsPath(); err != nil && !resource.IsEvidence(d.id) {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			ch := i.change
			ch.At = time.Unix(d.at, 0).UTC()
			if _, err := i.tree().Write(i.ctx, tx, &ch, r, d.content); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
		return nil
	})
}

// A mover renames what is in the pod of an archive to what it is here.
type mover struct {
	*Pod
	seed *record.Change
	base string // of the server it comes from
	root string // the path of the pod there
	to   string // the URL of the pod here

	owner, me string // the owner's WebID there and here
}

// old returns the URL that a path of the archive had.
func (m *mover) old(rest string) string { return m.base + m.root + rest }

// iri returns an IRI as it is here: those of the pod, of its spaces, and of what
// each server has the same.
func (m *mover) iri(s string) string {
	if s == m.owner {
		return m.me
	}
	rest, ok := strings.CutPrefix(s, m.base)
	if !ok {
		return s
	}
	if in, ok := strings.CutPrefix(rest, m.root); ok {
		return m.to + in
	}
	if in, ok := strings.CutPrefix(rest, "/w/"); ok {
		space, in, _ := strings.Cut(in, "/")
		if store.IsID(space) {
			return m.Base + "/w/" + m.spaceFor(space) + "/" + in
		}
	}
	for _, common := range []string{"/ns/core", "/.parties/"} {
		if strings.HasPrefix(rest, common) {
			return m.Base + rest
		}
	}
	return s
}

func (m *mover) term(t rdf.Term) rdf.Term {
	if t.IsIRI() {
		t.Value = m.iri(t.Value)
	}
	return t
}

// dataset returns d renamed. Blank nodes keep their labels, since a dataset's
// graphs may share them.
func (m *mover) dataset(d *rdf.Dataset) *rdf.Dataset {
	out := new(rdf.Dataset)
	if d == nil {
		return out
	}
	for _, name := range append([]rdf.Term{{}}, d.Names()...) {
		from, to := d.Graph(name), out.Graph(m.term(name))
		for prefix, namespace := range from.Prefixes() {
			to.SetPrefix(prefix, m.iri(namespace))
		}
		for t := range from.All() {
			to.Add(m.term(t.S), m.term(t.P), m.term(t.O))
		}
	}
	return out
}
