// SPDX-License-Identifier: EUPL-1.2

package vocab_test

import (
	"testing"

	"skrin/ldp/rdf"
	"skrin/pod/outbox"
	"skrin/pod/vocab"
)

// TestVocabulary: every term has a label and a definition in the four languages.
func TestVocabulary(t *testing.T) {
	const base = "https://pod.example"
	g, err := vocab.Core(base).Graph(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range []string{"signedForm", string(outbox.EvidenceWanted), string(outbox.SpaceMoved), string(outbox.ConsentWithdrawn),
		string(outbox.RequestAnswered), string(outbox.Disconnected), string(outbox.EvidenceRevoked), string(outbox.FormsWanted), "request", "grant", "shownHash", "authenticationContext", "logInclusion",
		"hasConcept", "datatype", "derivedFrom", "vct", "legalBasisForRelease", "lifeEvent", "mayIssue", "intendedUse", "acceptedEvidenceType", "wantsConcept",
		"life-event-have-child", "life-event-serious-illness-of-child", "life-event-lose-and-find-job", "life-event-new-in-country",
		"life-event-start-business", "life-event-start-association", "life-event-death-and-inheritance"} {
		for _, property := range []string{"label", "comment"} {
			langs := map[string]bool{}
			for _, o := range g.Objects(rdf.IRI(base+"/ns/core#"+term), rdf.IRI(vocab.RDFS+property)) {
				langs[o.Lang] = true
			}
			if len(langs) != 4 {
				t.Errorf("%s has a %s in %v", term, property, langs)
			}
		}
	}
}
