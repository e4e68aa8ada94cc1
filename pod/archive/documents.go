// SPDX-License-Identifier: EUPL-1.2

package archive

import (
	"fmt"
	"io"
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
		return i.Tree.Take(i.ctx, i.podID, id, media, body, m.Size, false)
	}
	b, err := resource.ReadAll(body, resource.LimitOf(i.Tree.MaxRDF, resource.DefaultRDF))
	if err != nil {
		return nil, err
	}
	c, err := i.moved(media, b, format, id, rest)
	if err != nil {
		return nil, err
	}
	c.Size = int64(len(c.Body))
	return c, i.Tree.Spill(i.ctx, i.podID, c)
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
	if here, err := i.Tree.Parse(i.ctx, b, format, id); err == nil {
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
	d, err := rdf.ReadDataset(i.ctx, b, format, base, rdf.Limits{Bytes: int(resource.LimitOf(i.Tree.MaxRDF, resource.DefaultRDF))})
	return d, resource.Unreadable(err)
}

// write writes what has been read, in one transaction.
func (i *takein) write() error {
	if len(i.docs) == 0 {
		return nil
	}
	docs := i.docs
	i.docs, i.bytes = nil, 0
	return i.Update(func(tx store.Tx) error {
		for _, d := range docs {
			r, err := i.Tree.Look(tx, i.Who, d.id, true)
			if err != nil {
				return err
			}
			if err := r.FitsPath(); err != nil && !resource.IsEvidence(d.id) {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			ch := i.change
			ch.At = time.Unix(d.at, 0).UTC()
			if _, err := i.Tree.Write(i.ctx, tx, &ch, r, d.content); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
		return nil
	})
}
