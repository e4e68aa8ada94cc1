// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"skrin/ldp/rdf"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/extract"
	"skrin/pod/vouch"
)

// TestTheLogIsOfTheForm holds the log's RDF form, and what it says of an erasure,
// against the examples of testdata/log-entry.ttl and testdata/erasure.ttl, field by
// field; and looks that it has no value.
func TestTheLogIsOfTheForm(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	compact, err := w.read(insurer, there, credential.MediaType)
	must(t, err)
	agreed := w.shares()[0].Consent
	must(t, w.pod.Withdraw(t.Context(), w.alva, agreed.ID))
	b, err := json.Marshal(consent.ErasureReceipt{Issuer: insurer, Audience: base, Consent: agreed.ID, Erased: "2026-11-22", Method: "crypto-shred",
		Under: "https://lagen.nu/1999:1078", Retained: []string{"claim amount"}})
	must(t, err)
	jws, err := sign{w.keys[insurer]}.Sign(t.Context(), "erasure-receipt+jwt", b)
	must(t, err)
	_, err = w.pod.Post(t.Context(), w.agent(insurer), post(there.Parent().Parent()+"inbox/", vouch.MediaType, jws))
	must(t, err)

	text := w.export(extract.RDF)
	got, err := rdf.Read(t.Context(), text, rdf.Turtle, base+"/me/log", rdf.Limits{})
	must(t, err)
	const core, dpv = "https://pod.example.se/ns/core#", "https://w3id.org/dpv#"
	not := map[string]string{"onBehalfOf": "a party reads as itself, and no role of its officers is told"}
	for file, classes := range map[string]map[string]string{
		"testdata/log-entry.ttl": {core + "LogEntry": base + "/ns/core#LogEntry"},
		"testdata/erasure.ttl":   {core + "ErasureRequest": base + "/ns/core#ErasureRequest", core + "ErasureReceipt": base + "/ns/core#ErasureReceipt"},
	} {
		example, err := os.ReadFile(file)
		must(t, err)
		want, err := rdf.Read(t.Context(), example, rdf.Turtle, base+"/me/log", rdf.Limits{})
		must(t, err)
		for theirs, ours := range classes {
			has := properties(want, theirs)
			if len(has) < 8 {
				t.Errorf("%s: the example's %s has only %v", file, theirs, has)
			}
			for _, p := range has {
				if _, ok := not[p]; !ok && !slices.Contains(properties(got, ours), p) {
					t.Errorf("%s has no %s", ours, p)
				}
			}
		}
	}
	word := func(name string) rdf.Term { return rdf.IRI(base + "/ns/core#" + name) }
	var entry rdf.Term
	for tr := range got.Match(rdf.Term{}, word("conceptsReleased"), rdf.Term{}) {
		entry = tr.S
	}
	const af = "https://af.example.se/evidence#"
	for property, values := range map[string][]string{
		word("conceptsRequested").Value:               {af + "registered30days", af + "registered"},
		word("conceptsReleased").Value:                {af + "registered30days"},
		word("transactionType").Value:                 {"Presentation"},
		word("transactionResult").Value:               {"Completed"},
		word("logIndex").Value:                        {"3"},
		word("leafHash").Value:                        {leafOf(strings.Split(string(w.export(extract.Lines)), "\n")[3])},
		word("responseDigest").Value:                  {"sha256:" + hexOf(compact)},
		word("grant").Value:                           {base + "/me/sharing#" + agreed.ID + "-grant-" + agreed.Grant},
		dpv + "hasPurpose":                            {dpv + "CustomerClaimsManagement"},
		"http://www.w3.org/ns/prov#wasAssociatedWith": {base + "/.parties/" + insurer + "#org"},
		"http://www.w3.org/ns/prov#used":              {base + string(there)},
	} {
		var has []string
		for _, o := range got.Objects(entry, rdf.IRI(property)) {
			has = append(has, o.Value)
		}
		slices.Sort(has)
		slices.Sort(values)
		if !slices.Equal(has, values) {
			t.Errorf("%s: %v, want %v", property, has, values)
		}
	}
	head, ok := got.Object(rdf.IRI(base+"/me/log#checkpoint"), word("note"))
	if !ok || !strings.HasPrefix(head.Value, "pod.example/me/log\n6\n") {
		t.Errorf("the signed end is %q", head.Value)
	}
	for _, secret := range []string{"2026-10-01", "2026-12-31", string(w.alva.ID), strings.Split(string(w.alva.ID), "/")[3]} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
