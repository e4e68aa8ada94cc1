// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"skrin/ldp/rdf"
	"skrin/pod/space"
	"skrin/pod/vocab"
)

// typeRecord is the typ of the JWS.
const typeRecord = "consent-record+jwt"

// A recordOf is the record of a consent as it is written.
type recordOf struct {
	*Book
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
	r.add(it, vocab.Type, rdf.IRI(vocab.DPV+"ConsentRecord"),
		vocab.DCT+"identifier", rdf.String(r.c.ID),
		vocab.DCT+"conformsTo", rdf.IRI(vocab.DPVISO+"record-eu-gdpr"),
		vocab.DPV+"hasDataSubject", r.subject,
		vocab.DPV+"hasDataController", rdf.IRI(string(party.WebID)),
		vocab.DPV+"hasApplicableLaw", rdf.IRI(vocab.DPVEU+"law-GDPR"),
		vocab.DPV+"hasProcess", r.node("-process"),
		vocab.DPV+"hasNotice", r.node("-notice"),
		vocab.DPV+"hasConsentControl", r.node("-withdraw"),
		vocab.DPV+"hasConsentStatus", r.node("-given"),
		vocab.Core(r.Base).Term("request"), rdf.IRI(r.Base+"/me/requests/"+r.c.Request.ID),
		vocab.Core(r.Base).Term("grant"), r.node("-grant-"+r.c.Grant),
		vocab.Core(r.Base).Term("shownHash"), rdf.String(r.c.Shown))
	if country, _, ok := strings.Cut(party.Number, "."); ok && len(country) == 2 {
		r.add(it, vocab.DPV+"hasJurisdiction", rdf.IRI(vocab.DPVLoc+country))
	}
	if dpa := map[string]string{"IMY": vocab.DPVSE + "DPA-SE", "Datatilsynet": vocab.DPVNO + "DPA-NO"}[party.Authority]; dpa != "" {
		r.add(it, vocab.DPV+"hasAuthority", rdf.IRI(dpa))
	}
	if r.c.Level != "" {
		r.add(it, vocab.Core(r.Base).Term("authenticationContext"), rdf.String(r.c.Level))
	}
	here := rdf.IRI(r.Base + "/me/sharing")
	r.add(r.node("-withdraw"), vocab.Type, rdf.IRI(vocab.DPV+"WithdrawConsent"), vocab.DPV+"isExercisedAt", here)
	for article, at := range map[string]rdf.Term{"A7-3": here, "A15": rdf.IRI(party.Privacy), "A17": rdf.IRI(party.Contact)} {
		if at.Value == "" {
			continue
		}
		right := r.node("-right-" + article)
		r.add(it, vocab.DPV+"hasRight", right)
		r.add(right, vocab.Type, rdf.IRI(vocab.DPV+"DataSubjectRight"), vocab.Type, rdf.IRI(vocab.DPVGDPR+article), vocab.DPV+"isExercisedAt", at)
	}
}

func (r *recordOf) process(source rdf.Term) {
	it, use := r.node("-process"), r.o.Use
	r.add(it, vocab.Type, rdf.IRI(vocab.DPV+"Process"),
		vocab.DPV+"hasPurpose", rdf.IRI(use.Purpose),
		vocab.DPV+"hasProcessing", rdf.IRI(vocab.DPV+"Retrieve"),
		vocab.DPV+"hasProcessing", rdf.IRI(vocab.DPV+"Store"),
		vocab.DPV+"hasLegalBasis", rdf.IRI(use.Basis),
		vocab.DPV+"hasRecipient", rdf.IRI(string(r.o.Party.WebID)),
		vocab.DPV+"hasDataSource", source,
		vocab.DPV+"hasStorageCondition", r.node("-storage"))
	days := int(space.Day(r.c.Until).Sub(space.Day(r.c.Given)) / (24 * time.Hour))
	r.add(r.node("-storage"), vocab.Type, rdf.IRI(vocab.DPV+"StorageDuration"), vocab.DPV+"hasDuration", rdf.String(fmt.Sprintf("P%dD", days)))
	for i, name := range r.c.Fields {
		f, _ := r.o.Types[0].Field(name)
		data, needed := r.node("-data-"+name), "Required"
		if i >= len(r.o.Request.Fields) {
			needed = "Optional"
		}
		r.add(it, vocab.DPV+"hasPersonalData", data)
		r.add(data, vocab.Type, rdf.IRI(f.Concept), vocab.DCT+"identifier", rdf.String(name), vocab.DPV+"hasNecessity", rdf.IRI(vocab.DPV+needed))
	}
	r.add(r.node("-notice"), vocab.Type, rdf.IRI(vocab.DPV+"ConsentNotice"), vocab.DCT+"date", rdf.Date(r.c.Given), vocab.DCT+"language", rdf.String(r.c.Lang))
}

func (r *recordOf) given() {
	r.add(r.node("-given"), vocab.Type, rdf.IRI(vocab.DPV+"ConsentGiven"), vocab.Type, rdf.IRI(vocab.DPV+"ExplicitlyExpressedConsent"),
		vocab.DPV+"isIndicatedBy", r.subject,
		vocab.DPV+"isIndicatedAtTime", rdf.DateTime(r.c.Given),
		vocab.DPV+"hasIndicationMethod", rdf.String("button pressed after preview; nothing pre-ticked"))
}

func (r *recordOf) receipt() {
	r.add(r.node("-receipt"), vocab.Type, rdf.IRI(vocab.DPV+"ConsentReceipt"),
		vocab.DCT+"identifier", rdf.String(r.c.ID+"-receipt"),
		vocab.DCT+"conformsTo", rdf.IRI(vocab.DPVISO+"receipt-eu-gdpr"),
		vocab.DCT+"created", rdf.DateTime(r.c.Given),
		vocab.DCT+"publisher", rdf.IRI(r.Issuer),
		vocab.DPV+"hasRecordOfActivity", r.node(""),
		vocab.Core(r.Base).Term("logInclusion"), rdf.IRI(r.Base+"/me/log"))
}

// Record returns the signed record of a consent and its receipt: a JWS (typ
// consent-record+jwt) whose payload is the record of ISO/IEC TS 27560 in the terms
// of the DPV (profile dpv-27560), as JSON-LD. It names concepts, never values.
func (b *Book) Record(ctx context.Context, c *Consent, s *space.Space, o *Offer) (string, error) {
	issuer, err := b.Registry.Party(ctx, c.Issuer)
	if err != nil {
		return "", err
	}
	r := recordOf{Book: b, c: c, o: o, g: new(rdf.Graph), url: b.Base + "/me/sharing#" + c.ID, subject: rdf.IRI(string(space.WebID(b.Base, s.ID)))}
	r.record()
	r.process(rdf.IRI(string(issuer.WebID)))
	r.given()
	r.receipt()
	payload, err := rdf.Write(r.g, rdf.JSONLD, rdf.WriteOptions{})
	if err != nil {
		return "", err
	}
	return b.Sign.Sign(ctx, typeRecord, payload)
}
