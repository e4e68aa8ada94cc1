// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/ldp/rdf"
	"skrin/pod/credential"
)

const (
	forms    = 8                   // signed forms of a certificate: each recipient gets one of its own
	decoys   = 5                   // in each
	goodFor  = 30 * 24 * time.Hour // a certificate
	longTime = 30 * 24 * time.Hour // "at least 30 days"
)

// deliver puts a person's certificate at the location, once for each key,
// however often and with whatever interruptions it is called: what is sent is
// kept before it is sent, and is the same at the next try.
func (a *Authority) deliver(ctx context.Context, webID, key, location string, p Person) error {
	d, err := a.delivery(ctx, webID, key, location, p)
	if err != nil || d.Location != "" {
		return err
	}
	written, err := a.client.Post(ctx, location, client.Content{Type: rdf.Turtle.MediaType(), Body: d.Body, Key: hashed(key)})
	if refused, ok := errors.AsType[*client.Problem](err); ok && refused.Status < 500 && refused.Status != 429 {
		return errors.Join(err, a.keep(key, nil)) // the next try is a new one
	}
	if err != nil {
		return err
	}
	d.Location, d.Receipt, d.Body = written.Location, string(written.Body), nil
	a.Log.Info("a certificate was delivered")
	return a.keep(key, &d)
}

// delivery gives the delivery with the key; if there is none, a new one, bound to
// keys that the person's pod has made for it.
func (a *Authority) delivery(ctx context.Context, webID, key, location string, p Person) (delivery, error) {
	if state, err := a.state.get(); err != nil {
		return delivery{}, err
	} else if old, ok := state.Deliveries[hashed(key)]; ok {
		return old, nil
	}
	holders, err := a.client.HolderKeys(ctx, location, forms)
	if err != nil {
		return delivery{}, fmt.Errorf("make a certificate: %w", err)
	}
	body, err := a.evidence(p, location, holders)
	if err != nil {
		return delivery{}, fmt.Errorf("make a certificate: %w", err)
	}
	d := delivery{Customer: webID, Made: a.Now().UTC(), Body: body}
	err = a.state.change(func(s *register) error {
		if old, ok := s.Deliveries[hashed(key)]; ok {
			d = old
			return nil
		}
		put(&s.Deliveries, hashed(key), d, maxDeliveries, func(d delivery) time.Time { return d.Made })
		return nil
	})
	return d, err
}

// keep records what became of a delivery; nil forgets it.
func (a *Authority) keep(key string, d *delivery) error {
	return a.state.change(func(s *register) error {
		if d == nil {
			delete(s.Deliveries, hashed(key))
			return nil
		}
		put(&s.Deliveries, hashed(key), *d, maxDeliveries, func(d delivery) time.Time { return d.Made })
		return nil
	})
}

// facts are what the certificate says of a person who is registered.
func (a *Authority) facts(p Person) []credential.Claim {
	return []credential.Claim{
		{Name: "registered", Value: true},
		{Name: "registration_date", Value: p.Registered.Format(time.DateOnly)},
		{Name: "registered_at_least_30_days", Value: a.today().Sub(p.Registered) >= longTime},
	}
}

// evidence is a certificate as Turtle: the facts, for whoever reads linked data,
// and with them their signed forms.
func (a *Authority) evidence(p Person, location string, holders []jose.JSONWebKey) ([]byte, error) {
	facts := a.facts(p)
	g := a.graph(facts, location)
	statement := credential.Statement{
		Type: a.kind.VCT, Issuer: a.Origin, Claims: facts,
		Issued: a.today(), Expires: a.today().Add(goodFor), Decoys: decoys,
	}
	for _, holder := range holders {
		statement.HolderKey = &holder
		form, err := credential.Issue(a.key, statement)
		if err != nil {
			return nil, err
		}
		g.Add(rdf.IRI(location+"#evidence"), rdf.IRI(a.term("signedForm")), rdf.String(form))
	}
	return rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
}

// The namespaces of a certificate.
const (
	rdfType = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
	cccev   = "http://data.europa.eu/m8g/"
	dct     = "http://purl.org/dc/terms/"
	owlTime = "http://www.w3.org/2006/time#"
	prov    = "http://www.w3.org/ns/prov#"
	foaf    = "http://xmlns.com/foaf/0.1/"
	closed  = "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC"
)

// graph says the facts in the terms of CCCEV, about a holder who is named after
// the document and nothing else: no number, and no WebID.
func (a *Authority) graph(facts []credential.Claim, location string) *rdf.Graph {
	g := new(rdf.Graph)
	add := func(s rdf.Term, p string, o rdf.Term) { g.Add(s, rdf.IRI(p), o) }
	it, holder := rdf.IRI(location+"#evidence"), rdf.IRI(location+"#holder")
	add(it, rdfType, rdf.IRI(cccev+"Evidence"))
	add(it, rdfType, rdf.IRI(prov+"Entity"))
	for lang, title := range a.kind.Title {
		add(it, dct+"title", rdf.LangString(title, lang))
	}
	add(it, dct+"conformsTo", rdf.IRI(a.kind.IRI))
	add(it, dct+"subject", holder)
	add(holder, rdfType, rdf.IRI(foaf+"Agent"))
	add(it, dct+"publisher", rdf.IRI(a.Origin+"/id#org"))
	add(it, cccev+"isProvidedBy", rdf.IRI(a.Origin+"/id#provider"))
	add(it, cccev+"confidentialityLevelType", rdf.IRI(closed))
	add(it, dct+"issued", rdf.Date(a.today()))
	period := g.Fresh()
	add(it, cccev+"validityPeriod", period)
	add(period, rdfType, rdf.IRI(owlTime+"ProperInterval"))
	for property, day := range map[string]time.Time{"hasBeginning": a.today(), "hasEnd": a.today().Add(goodFor)} {
		instant := g.Fresh()
		add(period, owlTime+property, instant)
		add(instant, rdfType, rdf.IRI(owlTime+"Instant"))
		add(instant, owlTime+"inXSDDate", rdf.Date(day))
	}
	for _, f := range facts {
		concept, value := rdf.IRI(a.kind.concept(f.Name)), rdf.IRI(location+"#"+f.Name)
		add(it, cccev+"supportsConcept", concept)
		add(it, cccev+"supportsValue", value)
		add(value, rdfType, rdf.IRI(cccev+"SupportedValue"))
		add(value, cccev+"providesValueFor", concept)
		add(value, cccev+"value", literal(f.Value))
	}
	return g
}

// literal gives a fact's value as a term: a boolean, or a day.
func literal(value any) rdf.Term {
	if yes, ok := value.(bool); ok {
		return rdf.Bool(yes)
	}
	return rdf.Typed(fmt.Sprint(value), "http://www.w3.org/2001/XMLSchema#date")
}
