// SPDX-License-Identifier: EUPL-1.2

package registry

import (
	"context"
	"net/url"
	"strings"

	"skrin/ldp/rdf"
	"skrin/pod/vocab"
)

// A Publisher makes what the server publishes of its registry and catalogue.
type Publisher struct {
	Base     string // "https://host": the origin of every URL, without a slash
	Issuer   string // of the tokens of the people here
	Registry Registry
	Types    *Catalogue
}

// Profile returns what a registered party's WebID dereferences to: who it is,
// what it may issue, and for what it may ask which fields.
func (p Publisher) Profile(party Party) *rdf.Graph {
	g := new(rdf.Graph)
	it := rdf.IRI(string(party.WebID))
	g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.FOAF+"Agent"))
	g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"PublicOrganisation"))
	addText(g, it, vocab.DCT+"title", party.Name)
	g.Add(it, rdf.IRI(vocab.DCT+"identifier"), rdf.String(party.Number))
	g.Add(it, rdf.IRI(vocab.FOAF+"homepage"), rdf.IRI(party.Home))
	g.Add(it, rdf.IRI(vocab.Solid+"oidcIssuer"), rdf.IRI(p.Issuer))
	for _, id := range party.MayIssue {
		if t, ok := p.Types.Type(id); ok {
			g.Add(it, rdf.IRI(vocab.Core(p.Base).Term("mayIssue")), rdf.IRI(t.IRI))
		}
	}
	for _, u := range party.Uses {
		p.addUse(g, it, u)
	}
	return g
}

func (p Publisher) addUse(g *rdf.Graph, party rdf.Term, u Use) {
	t, ok := p.Types.Type(u.Type)
	if !ok {
		return
	}
	use := rdf.IRI(strings.TrimSuffix(party.Value, "#org") + "#use-" + url.PathEscape(u.ID))
	g.Add(party, rdf.IRI(vocab.Core(p.Base).Term("intendedUse")), use)
	g.Add(use, rdf.IRI(vocab.Type), rdf.IRI(vocab.DPV+"Process"))
	g.Add(use, rdf.IRI(vocab.DCT+"identifier"), rdf.String(u.ID))
	addText(g, use, vocab.DCT+"description", u.Why)
	g.Add(use, rdf.IRI(vocab.DPV+"hasPurpose"), rdf.IRI(u.Purpose))
	g.Add(use, rdf.IRI(vocab.DPV+"hasLegalBasis"), rdf.IRI(u.Basis))
	g.Add(use, rdf.IRI(vocab.Core(p.Base).Term("acceptedEvidenceType")), rdf.IRI(t.IRI))
	for _, name := range u.Fields {
		if f, ok := t.Field(name); ok {
			g.Add(use, rdf.IRI(vocab.Core(p.Base).Term("wantsConcept")), rdf.IRI(f.Concept))
		}
	}
}

// Index returns what the server publishes of its registry and catalogue, with
// where to find more of each: at /.parties/{id} and /.parties/types/{id}.
func (p Publisher) Index(parties []Party) *rdf.Graph {
	g := new(rdf.Graph)
	for _, party := range parties {
		it := rdf.IRI(string(party.WebID))
		g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"PublicOrganisation"))
		addText(g, it, vocab.DCT+"title", party.Name)
	}
	for _, t := range p.Types.All() {
		it := rdf.IRI(t.IRI)
		g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"EvidenceType"))
		addText(g, it, vocab.DCT+"title", t.Title)
		g.Add(it, rdf.IRI(vocab.RDFS+"seeAlso"), rdf.IRI(p.Base+"/.parties/types/"+t.ID))
	}
	return g
}

// TypeGraph returns an evidence type in the terms of CCCEV.
func (p Publisher) TypeGraph(ctx context.Context, t *EvidenceType) (*rdf.Graph, error) {
	issuers, err := p.Registry.Issuers(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	g := new(rdf.Graph)
	it := rdf.IRI(t.IRI)
	g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"EvidenceType"))
	g.Add(it, rdf.IRI(vocab.DCT+"identifier"), rdf.String(t.ID))
	addText(g, it, vocab.DCT+"title", t.Title)
	addText(g, it, vocab.DCT+"description", t.About)
	g.Add(it, rdf.IRI(vocab.Core(p.Base).Term("vct")), rdf.String(t.VCT))
	if t.Basis != "" {
		g.Add(it, rdf.IRI(vocab.Core(p.Base).Term("legalBasisForRelease")), rdf.IRI(t.Basis))
	}
	for _, e := range t.LifeEvents {
		g.Add(it, rdf.IRI(vocab.Core(p.Base).Term("lifeEvent")), rdf.IRI(vocab.Core(p.Base).Term("life-event-"+e)))
	}
	for _, id := range issuers {
		if party, err := p.Registry.Party(ctx, id); err == nil {
			g.Add(rdf.IRI(string(party.WebID)), rdf.IRI(vocab.Core(p.Base).Term("mayIssue")), it)
		}
	}
	for _, f := range t.Fields {
		concept := rdf.IRI(f.Concept)
		g.Add(it, rdf.IRI(vocab.Core(p.Base).Term("hasConcept")), concept)
		g.Add(concept, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"InformationConcept"))
		g.Add(concept, rdf.IRI(vocab.DCT+"identifier"), rdf.String(f.Name))
		g.Add(concept, rdf.IRI(vocab.SKOS+"prefLabel"), rdf.String(f.Name))
		addText(g, concept, vocab.DCT+"title", f.Title)
		g.Add(concept, rdf.IRI(vocab.Core(p.Base).Term("datatype")), rdf.IRI(f.Datatype))
		if from, ok := t.Field(f.From); ok {
			g.Add(concept, rdf.IRI(vocab.Core(p.Base).Term("derivedFrom")), rdf.IRI(from.Concept))
		}
	}
	return g, nil
}

func addText(g *rdf.Graph, it rdf.Term, property string, text Text) {
	for lang, s := range text {
		g.Add(it, rdf.IRI(property), rdf.LangString(s, lang))
	}
}
