// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"fmt"
	"strings"
	"time"

	"skrin/ldp/rdf"
)

// The namespaces of a consent record, beside those of public.go.
const (
	dpvLoc     = "https://w3id.org/dpv/loc#"
	dpvGDPR    = "https://w3id.org/dpv/legal/eu/gdpr#"
	dpvEU      = "https://w3id.org/dpv/legal/eu#"
	dpvSE      = "https://w3id.org/dpv/legal/se#"
	dpvNO      = "https://w3id.org/dpv/legal/no#"
	dpvISO     = "https://w3id.org/dpv/schema/dpv-27560#"
	typeRecord = "consent-record+jwt"
)

// signRecord returns the signed record of a consent and its receipt: a JWS (typ
// consent-record+jwt) whose payload is the record of ISO/IEC TS 27560 in the terms
// of the DPV (profile dpv-27560), as JSON-LD. It names concepts, never values.
func (p *Pod) signRecord(ctx context.Context, c *Consent, s *Space, o *Offer) (string, error) {
	issuer, err := p.Registry.Party(ctx, c.Issuer)
	if err != nil {
		return "", err
	}
	r := recordOf{Pod: p, c: c, o: o, g: new(rdf.Graph), url: p.Base + "/me/sharing#" + c.ID, subject: rdf.IRI(string(p.SpaceWebID(s.ID)))}
	r.record()
	r.process(rdf.IRI(string(issuer.WebID)))
	r.given()
	r.receipt()
	payload, err := rdf.Write(r.g, rdf.JSONLD, rdf.WriteOptions{})
	if err != nil {
		return "", err
	}
	return p.Sign.Sign(ctx, typeRecord, payload)
}

// A recordOf is the record of a consent as it is written.
type recordOf struct {
	*Pod
	c       *Consent
	o       *Offer
	g       *rdf.Graph
	url     string // of the record; other nodes are named after it
	subject rdf.Term
}

func (r *recordOf) node(name string) rdf.Term { return rdf.IRI(r.url + name) }

// add says several things of one node: property, object, property, object.
func (r *recordOf) add(it rdf.Term, what ...any) {
	for i := 0; i+1 < len(what); i += 2 {
		r.g.Add(it, rdf.IRI(what[i].(string)), what[i+1].(rdf.Term))
	}
}

func (r *recordOf) record() {
	it, party := r.node(""), r.o.Party
	r.add(it, rdfType, rdf.IRI(dpv+"ConsentRecord"),
		dct+"identifier", rdf.String(r.c.ID),
		dct+"conformsTo", rdf.IRI(dpvISO+"record-eu-gdpr"),
		dpv+"hasDataSubject", r.subject,
		dpv+"hasDataController", rdf.IRI(string(party.WebID)),
		dpv+"hasApplicableLaw", rdf.IRI(dpvEU+"law-GDPR"),
		dpv+"hasProcess", r.node("-process"),
		dpv+"hasNotice", r.node("-notice"),
		dpv+"hasConsentControl", r.node("-withdraw"),
		dpv+"hasConsentStatus", r.node("-given"),
		r.term("request"), rdf.IRI(r.Base+"/me/requests/"+r.c.Request.ID),
		r.term("grant"), r.node("-grant-"+r.c.Grant),
		r.term("shownHash"), rdf.String(r.c.Shown))
	if country, _, ok := strings.Cut(party.Number, "."); ok && len(country) == 2 {
		r.add(it, dpv+"hasJurisdiction", rdf.IRI(dpvLoc+country))
	}
	if dpa := map[string]string{"IMY": dpvSE + "DPA-SE", "Datatilsynet": dpvNO + "DPA-NO"}[party.Authority]; dpa != "" {
		r.add(it, dpv+"hasAuthority", rdf.IRI(dpa))
	}
	if r.c.Level != "" {
		r.add(it, r.term("authenticationContext"), rdf.String(r.c.Level))
	}
	here := rdf.IRI(r.Base + "/me/sharing")
	r.add(r.node("-withdraw"), rdfType, rdf.IRI(dpv+"WithdrawConsent"), dpv+"isExercisedAt", here)
	for article, at := range map[string]rdf.Term{"A7-3": here, "A15": rdf.IRI(party.Privacy), "A17": rdf.IRI(party.Contact)} {
		if at.Value == "" {
			continue
		}
		right := r.node("-right-" + article)
		r.add(it, dpv+"hasRight", right)
		r.add(right, rdfType, rdf.IRI(dpv+"DataSubjectRight"), rdfType, rdf.IRI(dpvGDPR+article), dpv+"isExercisedAt", at)
	}
}

func (r *recordOf) process(source rdf.Term) {
	it, use := r.node("-process"), r.o.Use
	r.add(it, rdfType, rdf.IRI(dpv+"Process"),
		dpv+"hasPurpose", rdf.IRI(use.Purpose),
		dpv+"hasProcessing", rdf.IRI(dpv+"Retrieve"),
		dpv+"hasProcessing", rdf.IRI(dpv+"Store"),
		dpv+"hasLegalBasis", rdf.IRI(use.Basis),
		dpv+"hasRecipient", rdf.IRI(string(r.o.Party.WebID)),
		dpv+"hasDataSource", source,
		dpv+"hasStorageCondition", r.node("-storage"))
	days := int(day(r.c.Until).Sub(day(r.c.Given)) / (24 * time.Hour))
	r.add(r.node("-storage"), rdfType, rdf.IRI(dpv+"StorageDuration"), dpv+"hasDuration", rdf.String(fmt.Sprintf("P%dD", days)))
	for i, name := range r.c.Fields {
		f, _ := r.o.Types[0].Field(name)
		data, needed := r.node("-data-"+name), "Required"
		if i >= len(r.o.Request.Fields) {
			needed = "Optional"
		}
		r.add(it, dpv+"hasPersonalData", data)
		r.add(data, rdfType, rdf.IRI(f.Concept), dct+"identifier", rdf.String(name), dpv+"hasNecessity", rdf.IRI(dpv+needed))
	}
	r.add(r.node("-notice"), rdfType, rdf.IRI(dpv+"ConsentNotice"), dct+"date", rdf.Date(r.c.Given), dct+"language", rdf.String(r.c.Lang))
}

func (r *recordOf) given() {
	r.add(r.node("-given"), rdfType, rdf.IRI(dpv+"ConsentGiven"), rdfType, rdf.IRI(dpv+"ExplicitlyExpressedConsent"),
		dpv+"isIndicatedBy", r.subject,
		dpv+"isIndicatedAtTime", rdf.DateTime(r.c.Given),
		dpv+"hasIndicationMethod", rdf.String("button pressed after preview; nothing pre-ticked"))
}

func (r *recordOf) receipt() {
	r.add(r.node("-receipt"), rdfType, rdf.IRI(dpv+"ConsentReceipt"),
		dct+"identifier", rdf.String(r.c.ID+"-receipt"),
		dct+"conformsTo", rdf.IRI(dpvISO+"receipt-eu-gdpr"),
		dct+"created", rdf.DateTime(r.c.Given),
		dct+"publisher", rdf.IRI(r.Issuer),
		dpv+"hasRecordOfActivity", r.node(""),
		r.term("logInclusion"), rdf.IRI(r.Base+"/me/log"))
}
