// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"io"
	"net/http"
	"testing"

	"skrin/ldp/rdf"
)

// TestTheRegistryIsPublic: whoever is a stranger reads who is registered and
// what evidence there is, and follows the index to all of it.
func TestTheRegistryIsPublic(t *testing.T) {
	r := startDemo(t, t.TempDir())
	document := func(address string) *rdf.Graph {
		req, err := http.NewRequest("GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/turtle")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", address, resp.StatusCode, err)
		}
		g, err := rdf.Read(t.Context(), body, rdf.Turtle, address, rdf.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		return g
	}
	const cccev = "http://data.europa.eu/m8g/"
	typed := rdf.IRI("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
	index := document(r.Base + "/.parties/")
	types := index.Subjects(typed, rdf.IRI(cccev+"EvidenceType"))
	if len(types) < 12 {
		t.Errorf("%d types in the index", len(types))
	}
	for _, it := range types {
		at, _ := index.Object(it, rdf.IRI("http://www.w3.org/2000/01/rdf-schema#seeAlso"))
		if len(document(at.Value).Subjects(typed, rdf.IRI(cccev+"InformationConcept"))) == 0 {
			t.Errorf("%s tells no concept", at.Value)
		}
	}
	for _, it := range index.Subjects(typed, rdf.IRI(cccev+"PublicOrganisation")) {
		document(it.Value)
	}
	if resp, err := http.Get(r.Base + "/.parties/types/nothing"); err != nil || resp.StatusCode != 404 {
		t.Errorf("a type that isn't there: %v, %v", resp.StatusCode, err)
	}
}
