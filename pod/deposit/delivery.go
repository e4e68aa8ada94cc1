// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"time"

	"skrin/ldp/rdf"
	"skrin/pod/evidence"
	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/text"
	"skrin/pod/vocab"
)

// A Delivery is a deposit that was read and found to be in order.
type Delivery struct {
	ID              string   // that the evidence is given
	reference       string   // of a row, the provider's own
	allMarks        []string // by which any form could be matched with another
	Type            *registry.EvidenceType
	issued, expires time.Time
	Facts           []evidence.Fact
	forms           []string
	place           *status.Place // of the first form in a status list; nil if it has none
	places          status.Places // of all forms
	holder          string        // thumbprint of the first form's holder key; "" if it has none
	holders         []string      // of all forms
	marks           []string      // by which the first form could be matched with another
	detached        []string      // the signature of the graph, where it has no signed forms
	graph           *rdf.Graph    // as sent, without signed forms and signature; nil if only signed forms were sent
}

// agrees compares the RDF form with the signed facts.
func (d *Delivery) agrees(g *rdf.Graph) (faults []string) {
	its := g.Subjects(rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"Evidence"))
	if len(its) != 1 {
		return []string{"the RDF must describe exactly one cccev:Evidence."}
	}
	it := its[0]
	if !g.Has(it, rdf.IRI(vocab.DCT+"conformsTo"), rdf.IRI(d.Type.IRI)) {
		faults = append(faults, "dct:conformsTo is not the type of the signed form.")
	}
	said := map[string]string{}
	for _, v := range g.Objects(it, rdf.IRI(vocab.CCCEV+"supportsValue")) {
		concept, _ := g.Object(v, rdf.IRI(vocab.CCCEV+"providesValueFor"))
		value, _ := g.Object(v, rdf.IRI(vocab.CCCEV+"value"))
		said[concept.Value] = value.Value
	}
	for _, fact := range d.Facts {
		f, _ := d.Type.Field(fact.Field)
		if v, ok := said[f.Concept]; ok && v != fact.Value {
			faults = append(faults, "the value for "+f.Concept+" is not the one that is signed.")
		}
		delete(said, f.Concept)
	}
	for concept := range said {
		faults = append(faults, "the value for "+clip(concept)+" is not signed.")
	}
	for t := range g.Match(rdf.Term{}, rdf.Term{}, rdf.Term{}) {
		if text.HasNumber(t.O.Value) || text.HasNumber(t.S.Value) {
			return append(faults, "the RDF holds what looks like a personal number, which has no place in evidence.")
		}
	}
	return faults
}
