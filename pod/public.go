// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	_ "embed"
	"net/url"
	"strings"

	"skrin/ldp/rdf"
)

//go:embed core.ttl
var core []byte

// Vocabulary returns the vocabulary that the server serves at /ns/core.
func (p *Pod) Vocabulary(ctx context.Context) (*rdf.Graph, error) {
	return rdf.Read(ctx, core, rdf.Turtle, p.Base+"/ns/core", rdf.Limits{})
}

// LoadContext returns the JSON-LD context of the server's own terms, for its IRI,
// which is the vocabulary's; nil for others, which are not fetched. It is what
// [rdf.Limits].LoadContext asks.
func (p *Pod) LoadContext(_ context.Context, iri string) ([]byte, error) {
	if iri != p.Base+"/ns/core" {
		return nil, nil
	}
	return rdf.CoreContext(p.term(""))
}

// rdfLimits are those of a document that somebody sends.
func (p *Pod) rdfLimits() rdf.Limits {
	return rdf.Limits{Bytes: int(limitOf(p.MaxRDF, defaultRDF)), LoadContext: p.LoadContext}
}

// Profile returns what a registered party's WebID dereferences to: who it is,
// what it may issue, and for what it may ask which fields.
func (p *Pod) Profile(party Party) *rdf.Graph {
	g := new(rdf.Graph)
	it := rdf.IRI(string(party.WebID))
	g.Add(it, rdf.IRI(rdfType), rdf.IRI(foaf+"Agent"))
	g.Add(it, rdf.IRI(rdfType), rdf.IRI(cccev+"PublicOrganisation"))
	addText(g, it, dct+"title", party.Name)
	g.Add(it, rdf.IRI(dct+"identifier"), rdf.String(party.Number))
	g.Add(it, rdf.IRI(foaf+"homepage"), rdf.IRI(party.Home))
	g.Add(it, rdf.IRI(solid+"oidcIssuer"), rdf.IRI(p.Issuer))
	for _, id := range party.MayIssue {
		if t, ok := p.Types.Type(id); ok {
			g.Add(it, rdf.IRI(p.term("mayIssue")), rdf.IRI(t.IRI))
		}
	}
	for _, u := range party.Uses {
		p.addUse(g, it, u)
	}
	return g
}

func (p *Pod) addUse(g *rdf.Graph, party rdf.Term, u Use) {
	t, ok := p.Types.Type(u.Type)
	if !ok {
		return
	}
	use := rdf.IRI(strings.TrimSuffix(party.Value, "#org") + "#use-" + url.PathEscape(u.ID))
	g.Add(party, rdf.IRI(p.term("intendedUse")), use)
	g.Add(use, rdf.IRI(rdfType), rdf.IRI(dpv+"Process"))
	g.Add(use, rdf.IRI(dct+"identifier"), rdf.String(u.ID))
	addText(g, use, dct+"description", u.Why)
	g.Add(use, rdf.IRI(dpv+"hasPurpose"), rdf.IRI(u.Purpose))
	g.Add(use, rdf.IRI(dpv+"hasLegalBasis"), rdf.IRI(u.Basis))
	g.Add(use, rdf.IRI(p.term("acceptedEvidenceType")), rdf.IRI(t.IRI))
	for _, name := range u.Fields {
		if f, ok := t.Field(name); ok {
			g.Add(use, rdf.IRI(p.term("wantsConcept")), rdf.IRI(f.Concept))
		}
	}
}

// Index returns what the server publishes of its registry and catalogue, with
// where to find more of each: at /.parties/{id} and /.parties/types/{id}.
func (p *Pod) Index(parties []Party) *rdf.Graph {
	g := new(rdf.Graph)
	for _, party := range parties {
		it := rdf.IRI(string(party.WebID))
		g.Add(it, rdf.IRI(rdfType), rdf.IRI(cccev+"PublicOrganisation"))
		addText(g, it, dct+"title", party.Name)
	}
	for _, t := range p.Types.All() {
		it := rdf.IRI(t.IRI)
		g.Add(it, rdf.IRI(rdfType), rdf.IRI(cccev+"EvidenceType"))
		addText(g, it, dct+"title", t.Title)
		g.Add(it, rdf.IRI(rdfs+"seeAlso"), rdf.IRI(p.Base+"/.parties/types/"+t.ID))
	}
	return g
}

// TypeGraph returns an evidence type in the terms of CCCEV.
func (p *Pod) TypeGraph(ctx context.Context, t *EvidenceType) (*rdf.Graph, error) {
	issuers, err := p.Registry.Issuers(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	g := new(rdf.Graph)
	it := rdf.IRI(t.IRI)
	g.Add(it, rdf.IRI(rdfType), rdf.IRI(cccev+"EvidenceType"))
	g.Add(it, rdf.IRI(dct+"identifier"), rdf.String(t.ID))
	addText(g, it, dct+"title", t.Title)
	addText(g, it, dct+"description", t.About)
	g.Add(it, rdf.IRI(p.term("vct")), rdf.String(t.VCT))
	if t.Basis != "" {
		g.Add(it, rdf.IRI(p.term("legalBasisForRelease")), rdf.IRI(t.Basis))
	}
	for _, e := range t.LifeEvents {
		g.Add(it, rdf.IRI(p.term("lifeEvent")), rdf.IRI(p.term("life-event-"+e)))
	}
	for _, id := range issuers {
		if party, err := p.Registry.Party(ctx, id); err == nil {
			g.Add(rdf.IRI(string(party.WebID)), rdf.IRI(p.term("mayIssue")), it)
		}
	}
	for _, f := range t.Fields {
		concept := rdf.IRI(f.Concept)
		g.Add(it, rdf.IRI(p.term("hasConcept")), concept)
		g.Add(concept, rdf.IRI(rdfType), rdf.IRI(cccev+"InformationConcept"))
		g.Add(concept, rdf.IRI(dct+"identifier"), rdf.String(f.Name))
		g.Add(concept, rdf.IRI(skos+"prefLabel"), rdf.String(f.Name))
		addText(g, concept, dct+"title", f.Title)
		g.Add(concept, rdf.IRI(p.term("datatype")), rdf.IRI(f.Datatype))
		if from, ok := t.Field(f.From); ok {
			g.Add(concept, rdf.IRI(p.term("derivedFrom")), rdf.IRI(from.Concept))
		}
	}
	return g, nil
}

func addText(g *rdf.Graph, it rdf.Term, property string, text Text) {
	for lang, s := range text {
		g.Add(it, rdf.IRI(property), rdf.LangString(s, lang))
	}
}

// The namespaces of what is published here, beside those of view.go.
const (
	dpv  = "https://w3id.org/dpv#"
	rdfs = "http://www.w3.org/2000/01/rdf-schema#"
	skos = "http://www.w3.org/2004/02/skos/core#"
)
