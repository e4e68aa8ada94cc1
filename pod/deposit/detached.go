// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"skrin/ldp/rdf"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/registry"
	"skrin/pod/vocab"
)

// TypeDetached is the typ of the detached JWS (RFC 7515, appendix F; ES256) by which
// a provider that makes no SD-JWT signs evidence in RDF: {header}..{signature}, the
// value of core:detachedSignature in the document itself. What is signed is the
// canonical form (RDFC-1.0) of all the rest, in which the evidence is named
// <#evidence>, after the address to which it is sent: so it is good for one person.
//
// It covers all facts at once, so a recipient of some of them can't check it: such
// evidence is read as RDF, on the server's word, until the issuer delivers signed
// forms that say the same (FormsWanted asks for them).
const TypeDetached = "evidence-rdf+jws"

// canonicalValue refuses a term that isn't a value of the datatype in the form in
// which we keep it.
func canonicalValue(term rdf.Term, datatype string) error {
	var value any = term.Value
	switch datatype {
	case vocab.XSD + "boolean":
		value = term.Value == "true"
	case vocab.XSD + "integer":
		value = json.Number(term.Value)
	}
	lexical, err := lexicalForm(value, datatype)
	if err == nil && (lexical != term.Value || term.Datatype != datatype) {
		err = errors.New("it is not of the type's datatype, or not in its canonical form")
	}
	return err
}

// readDetached verifies evidence in RDF with its detached signature.
func (r *Reader) readDetached(ctx context.Context, party registry.Party, types []string, g *rdf.Graph, base string, signatures []string) (*Delivery, []string) {
	header, signature, ok := strings.Cut(signatures[0], "..")
	if !ok || len(signatures) > 1 {
		return nil, []string{"detachedSignature: exactly one is taken, a detached JWS: {header}..{signature}."}
	}
	text, err := rdf.Canonical(ctx, g, rdf.Limits{})
	if err != nil {
		return nil, []string{"detachedSignature: the RDF is too involved to be signed: " + err.Error()}
	}
	jws := header + "." + base64.RawURLEncoding.EncodeToString(text) + "." + signature
	if _, err := party.CheckSigned(jws, TypeDetached); err != nil {
		return nil, []string{"detachedSignature: " + err.Error() + "."}
	}
	d, err := r.attested(party, types, g, rdf.IRI(base+"#evidence"))
	if err != nil {
		return nil, []string{err.Error()}
	}
	d.detached = signatures
	return d, nil
}

// attested reads what RDF says of the evidence it. Its error is for the provider and
// names no value.
func (r *Reader) attested(party registry.Party, types []string, g *rdf.Graph, it rdf.Term) (*Delivery, error) {
	if !g.Has(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"Evidence")) {
		return nil, errors.New("the cccev:Evidence must be named <#evidence>, after the address to which it is sent")
	}
	kind, _ := g.Object(it, rdf.IRI(vocab.DCT+"conformsTo"))
	t, ok := r.Types.Find(func(t *registry.EvidenceType) bool { return t.IRI == kind.Value })
	if !ok || !slices.Contains(party.MayIssue, t.ID) || !slices.Contains(types, t.ID) {
		return nil, errors.New("dct:conformsTo: you may not deliver evidence of this type to this person")
	}
	d := &Delivery{Type: t}
	if err := d.valid(g, it, r.Round.Now()); err != nil {
		return nil, err
	}
	said := map[string]rdf.Term{}
	for _, v := range g.Objects(it, rdf.IRI(vocab.CCCEV+"supportsValue")) {
		concept, _ := g.Object(v, rdf.IRI(vocab.CCCEV+"providesValueFor"))
		values := g.Objects(v, rdf.IRI(vocab.CCCEV+"value"))
		if _, twice := said[concept.Value]; twice || len(values) != 1 {
			return nil, errors.New("each concept has exactly one cccev:value")
		}
		said[concept.Value] = values[0]
	}
	for _, f := range t.Fields {
		value, ok := said[f.Concept]
		if !ok {
			continue
		}
		if err := canonicalValue(value, f.Datatype); err != nil {
			return nil, errors.New("the value for " + f.Concept + ": " + err.Error())
		}
		d.Facts = append(d.Facts, evidence.Fact{Field: f.Name, Value: value.Value})
	}
	if len(d.Facts) == 0 {
		return nil, errors.New("it has none of the type's values")
	}
	return d, nil
}

// valid reads the days from and until which evidence is good, and refuses what isn't
// now.
func (d *Delivery) valid(g *rdf.Graph, it rdf.Term, now time.Time) (err error) {
	issued, _ := g.Object(it, rdf.IRI(vocab.DCT+"issued"))
	period, _ := g.Object(it, rdf.IRI(vocab.CCCEV+"validityPeriod"))
	end, _ := g.Object(period, rdf.IRI(vocab.Time+"hasEnd"))
	expires, _ := g.Object(end, rdf.IRI(vocab.Time+"inXSDDate"))
	var err2 error
	d.issued, err = time.Parse(time.DateOnly, issued.Value)
	d.expires, err2 = time.Parse(time.DateOnly, expires.Value)
	switch {
	case err != nil || err2 != nil:
		return errors.New("dct:issued and the end of cccev:validityPeriod are both needed, as days")
	case d.issued.After(now.Add(credential.Skew)):
		return errors.New("dct:issued is in the future")
	case !now.Before(d.expires):
		return errors.New("the evidence has expired")
	}
	return nil
}
