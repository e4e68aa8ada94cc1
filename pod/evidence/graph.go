// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"time"

	"skrin/ldp/rdf"
	"skrin/pod/registry"
	"skrin/pod/vocab"
)

// Graph is evidence in the terms of CCCEV, about a holder without a
// name.
func Graph(t *registry.EvidenceType, e *Evidence, facts []Fact, url, issuer string) *rdf.Graph {
	g := new(rdf.Graph)
	it, holder := rdf.IRI(url+"#evidence"), rdf.IRI(url+"#holder")
	g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"Evidence"))
	for _, lang := range []string{"sv", "nb", "nn", "en"} {
		if s := t.Title[lang]; s != "" {
			g.Add(it, rdf.IRI(vocab.DCT+"title"), rdf.LangString(s, lang))
		}
	}
	g.Add(it, rdf.IRI(vocab.DCT+"conformsTo"), rdf.IRI(t.IRI))
	g.Add(it, rdf.IRI(vocab.DCT+"subject"), holder)
	g.Add(holder, rdf.IRI(vocab.Type), rdf.IRI(vocab.FOAF+"Agent"))
	if issuer != "" {
		g.Add(it, rdf.IRI(vocab.DCT+"publisher"), rdf.IRI(issuer))
	}
	g.Add(it, rdf.IRI(vocab.DCT+"issued"), rdf.Date(e.Issued))
	period, begin, end := rdf.IRI(url+"#validity"), rdf.IRI(url+"#begins"), rdf.IRI(url+"#ends")
	g.Add(it, rdf.IRI(vocab.CCCEV+"validityPeriod"), period)
	g.Add(period, rdf.IRI(vocab.Type), rdf.IRI(vocab.Time+"ProperInterval"))
	for _, i := range []struct {
		property string
		node     rdf.Term
		day      time.Time
	}{{"hasBeginning", begin, e.Issued}, {"hasEnd", end, e.Expires}} {
		g.Add(period, rdf.IRI(vocab.Time+i.property), i.node)
		g.Add(i.node, rdf.IRI(vocab.Type), rdf.IRI(vocab.Time+"Instant"))
		g.Add(i.node, rdf.IRI(vocab.Time+"inXSDDate"), rdf.Date(i.day))
	}
	for _, fact := range facts {
		f, _ := t.Field(fact.Field)
		value := rdf.IRI(url + "#" + fact.Field)
		g.Add(it, rdf.IRI(vocab.CCCEV+"supportsConcept"), rdf.IRI(f.Concept))
		g.Add(it, rdf.IRI(vocab.CCCEV+"supportsValue"), value)
		g.Add(value, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"SupportedValue"))
		g.Add(value, rdf.IRI(vocab.CCCEV+"providesValueFor"), rdf.IRI(f.Concept))
		g.Add(value, rdf.IRI(vocab.CCCEV+"value"), rdf.Typed(fact.Value, f.Datatype))
	}
	return g
}
