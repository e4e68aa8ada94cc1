// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/rdf"
	"skrin/pod/consent"
	"skrin/pod/vouch"
)

// TestTheRecordIsOfTheStandard holds the signed record against the example of
// testdata/consent.ttl (ISO/IEC TS 27560 in the terms of the DPV), node by node and
// field by field.
func TestTheRecordIsOfTheStandard(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	w.answer("ask", insurer, asks(), func(o consent.Offer) consent.Answer {
		a := agree(o)
		a.Optional, a.Level = []string{"registered"}, "http://id.elegnamnden.se/loa/1.0/loa3"
		return a
	})
	consent := w.shares()[0].Consent
	private := w.pod.Sign.(sign).key
	payload, err := vouch.Check(consent.Record, "consent-record+jwt", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
	must(t, err)
	got, err := rdf.Read(t.Context(), payload, rdf.JSONLD, base, rdf.Limits{})
	must(t, err)
	text, err := os.ReadFile("testdata/consent.ttl")
	must(t, err)
	want, err := rdf.Read(t.Context(), text, rdf.Turtle, "https://pod.example.se/me/sharing", rdf.Limits{})
	must(t, err)

	// What the example has and we don't, with why.
	not := map[string]string{
		"ConsentReceipt signature": "the JWS is the signature",
		"StorageLocation":          "a registration doesn't say where the party keeps it",
	}
	const dpv = "https://w3id.org/dpv#"
	for _, class := range []string{"ConsentRecord", "Process", "WithdrawConsent", "DataSubjectRight", "ConsentNotice", "ConsentGiven", "ConsentReceipt", "StorageDuration"} {
		ours, theirs := properties(got, dpv+class), properties(want, dpv+class)
		if len(theirs) == 0 {
			t.Errorf("the example has no %s", class)
		}
		for _, p := range theirs {
			if _, ok := not[class+" "+p]; !ok && !slices.Contains(ours, p) {
				t.Errorf("%s has no %s", class, p)
			}
		}
	}
	for _, secret := range []string{"2026-10-01", string(w.alva.ID), strings.Split(string(w.alva.ID), "/")[3]} {
		if strings.Contains(string(payload), secret) {
			t.Errorf("the record holds %q", secret)
		}
	}
	for _, row := range []struct{ property, value string }{
		{dpv + "hasPurpose", "https://w3id.org/dpv#CustomerClaimsManagement"},
		{dpv + "isIndicatedBy", base + "/w/" + consent.Space + "/card#me"},
		{dpv + "hasDataController", base + "/.parties/" + insurer + "#org"},
		{dpv + "hasDataSource", base + "/.parties/" + authority + "#org"},
		{dpv + "hasJurisdiction", "https://w3id.org/dpv/loc#SE"},
		{base + "/ns/core#shownHash", consent.Shown},
	} {
		found := false
		for triple := range got.Match(rdf.Term{}, rdf.IRI(row.property), rdf.Term{}) {
			found = found || triple.O.Value == row.value
		}
		if !found {
			t.Errorf("no %s is %s", row.property, row.value)
		}
	}
}

// properties are the last parts of the properties that the nodes of a class have,
// in any order.
func properties(g *rdf.Graph, class string) []string {
	var all []string
	for _, s := range g.Subjects(rdf.IRI("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), rdf.IRI(class)) {
		for triple := range g.Match(s, rdf.Term{}, rdf.Term{}) {
			all = append(all, triple.P.Value[strings.LastIndexAny(triple.P.Value, "#/")+1:])
		}
	}
	return all
}
