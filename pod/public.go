// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	_ "embed"

	"skrin/ldp/rdf"
)

//go:embed core.ttl
var core []byte

// Vocabulary returns the vocabulary that the server serves at /ns/core.
func (p *Pod) Vocabulary(ctx context.Context) (*rdf.Graph, error) {
	return rdf.Read(ctx, core, rdf.Turtle, p.Base+"/ns/core", rdf.Limits{})
}

// Profile returns what a registered party's WebID dereferences to.
func (p *Pod) Profile(party Party) *rdf.Graph {
	g := new(rdf.Graph)
	it := rdf.IRI(string(party.WebID))
	g.Add(it, rdf.IRI(rdfType), rdf.IRI(foaf+"Agent"))
	g.Add(it, rdf.IRI(rdfType), rdf.IRI(cccev+"PublicOrganisation"))
	for lang, name := range party.Name {
		g.Add(it, rdf.IRI(dct+"title"), rdf.LangString(name, lang))
	}
	g.Add(it, rdf.IRI(dct+"identifier"), rdf.String(party.Number))
	g.Add(it, rdf.IRI(foaf+"homepage"), rdf.IRI(party.Home))
	g.Add(it, rdf.IRI(solid+"oidcIssuer"), rdf.IRI(p.Issuer))
	return g
}
