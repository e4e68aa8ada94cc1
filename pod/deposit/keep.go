// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/evidence"
	"skrin/pod/record"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
)

// Keep stores the delivery: the evidence, its forms, and its RDF in the person's own
// pod; the evidence before it is superseded. More forms of what is current are added to
// it. The party has the space.
func (d *Delivery) Keep(tx store.Tx, tree *resource.Tree, lists *status.Lists, s *space.Space, party registry.Party) error {
	if err := evidence.BindKeys(tx, s.ID, d.holders); err != nil {
		return err
	}
	if same, err := d.more(tx, party.ID, lists); same || err != nil {
		return err
	}
	e := &evidence.Evidence{
		ID: d.ID, Type: d.Type.ID, Issuer: party.ID, Issued: d.issued, Expires: d.expires,
		Received: tree.Now().UTC().Truncate(time.Second), Facts: d.Facts, Detached: strings.Join(d.detached, ""),
	}
	own, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	e.Path = ldp.ID("/" + own.Name + "/" + resource.EvidenceFolder + d.ID)
	if err := evidence.Supersede(tx, e, lists, tree.Now()); err != nil {
		return err
	}
	if err := e.AddForms(tx, d.forms, lists, d.places); err != nil {
		return err
	}
	g, at := d.graph, tree.Base+string(e.Path)
	if g == nil {
		g = evidence.Graph(d.Type, e, e.Facts, at, string(party.WebID))
	} else {
		g = rebase(g, tree.Base+string(s.Deposit()), at)
	}
	turtle, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	if err := tree.Plant(tx, e.Path, rdf.Turtle.MediaType(), turtle); err != nil {
		return err
	}
	return evidence.Keep(tx, e)
}

// more adds the forms of a delivery to the current evidence, if they say the same;
// false if they don't. A form that was delivered before is refused: two recipients would get it.
func (d *Delivery) more(tx store.Tx, issuer string, lists *status.Lists) (bool, error) {
	e, err := evidence.CurrentOf(tx, d.Type.ID, issuer)
	if err != nil || e == nil || e.Ended != evidence.Current || !e.Issued.Equal(d.issued) || !e.Expires.Equal(d.expires) || !slices.Equal(e.Facts, d.Facts) {
		return false, err
	}
	if e.Forms+len(d.forms) > evidence.MaxForms {
		return false, ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", fmt.Sprintf("there would be more than %d signed forms of it.", evidence.MaxForms))
	}
	if i, err := e.Had(tx, d.forms); err != nil || i >= 0 {
		if err == nil {
			err = ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", fmt.Sprintf("signed form %d was delivered before, or shares a digest, salt, status index or holder key with one that was.", i+1))
		}
		return false, err
	}
	e.Wanted = time.Time{}
	if err := e.AddForms(tx, d.forms, lists, d.places); err != nil {
		return false, err
	}
	return true, store.Save(tx, evidence.Key(e.ID), e)
}

// rebase moves a document's own names from where it was sent to where it is
// kept.
func rebase(g *rdf.Graph, from, to string) *rdf.Graph {
	return g.Rename(func(iri string) string {
		if rest, ok := strings.CutPrefix(iri, from); ok && (rest == "" || rest[0] == '#') {
			return to + rest
		}
		return iri
	})
}
