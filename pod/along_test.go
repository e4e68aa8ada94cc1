// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
)

const (
	employer = "exempel-arbeidsgiver"
	offered  = "no:arbeidsgiver:ansettelsestilbud:1"
)

func asksAndAnswers() []json.RawMessage {
	return []json.RawMessage{
		json.RawMessage(`{"type":"evidence_request","use":"arbeid-2026","evidence_type":"` + offered + `","fields":["salary_at_least_floor"],
			"purpose":"https://w3id.org/dpv#PublicBenefit","until":"2027-05-21"}`),
		json.RawMessage(`{"type":"evidence_deposit","evidence_types":["no:udi:oppholdstillatelse:1"]}`),
	}
}

// offer has the employer deposit an offer of employment.
func (w *town) offer() {
	w.t.Helper()
	to := w.location(w.answer("offer", employer, json.RawMessage(`{"type":"evidence_deposit","evidence_types":["`+offered+`"]}`),
		func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} }))
	form, err := credential.Issue(w.keys[employer], credential.Statement{
		Type: "https://kompetansespor.example.no/vct/ansettelsestilbud/1", Issuer: "https://arbeidsgiver.example.no", Issued: w.now, Expires: w.now.AddDate(0, 2, 0), Decoys: 2,
		Claims: []credential.Claim{{Name: "occupation", Value: "http://data.europa.eu/esco/occupation/x"}, {Name: "position_percent", Value: 100}, {Name: "start_date", Value: "2027-01-01"},
			{Name: "permanent", Value: true}, {Name: "yearly_salary", Value: 700_000}, {Name: "salary_at_least_floor", Value: true}},
	})
	must(w.t, err)
	_, err = w.pod.Post(w.t.Context(), w.agent(employer), post(to, credential.MediaType, form))
	must(w.t, err)
}

// TestAskAndAnswerInOneQuestion: who answers a person with evidence of its own
// asks once, to read and to deposit. A yes is to both, and a no to both.
func TestAskAndAnswerInOneQuestion(t *testing.T) {
	for _, agreed := range []bool{true, false} {
		w := newTown(t)
		w.offer()
		id, err := w.pod.Begin(t.Context(), w.alva, "udi", "udi", asksAndAnswers())
		must(t, err)
		o, err := w.pod.Offer(t.Context(), w.alva, id)
		must(t, err)
		if len(o.Along) != 1 || o.Along[0].ID != "no:udi:oppholdstillatelse:1" {
			t.Fatalf("the person isn't shown what would be delivered: %v", o.Along)
		}
		answer := consent.Answer{}
		if agreed {
			answer = agree(o)
		}
		out, err := w.pod.Answer(t.Context(), w.alva, id, answer)
		must(t, err)
		connections, err := w.pod.Connections(t.Context(), w.alva)
		must(t, err)
		if !agreed {
			if !out.Declined || len(out.Details) != 0 || out.Identity || len(connections) != 1 || len(w.shares()) != 0 {
				t.Errorf("after a no: %+v, %d connections", out, len(connections))
			}
			continue
		}
		if len(out.Details) != 2 || !out.Identity || len(connections) != 2 {
			t.Fatalf("after a yes: %+v, %d connections", out, len(connections))
		}
		if text, err := w.read("udi", w.location(out), pod.TypeTurtle); err != nil || !strings.Contains(text, "salaryAtLeastSkilledWorkerFloor") || strings.Contains(text, "700000") {
			t.Errorf("UDI reads %s, %v", text, err)
		}
		var d consent.Detail
		must(t, json.Unmarshal(out.Details[1], &d))
		if d.Type != consent.ToDeposit || !strings.HasSuffix(d.Locations[0], "/deposit/") {
			t.Errorf("it may deposit at %+v", d)
		}
		if got, want := w.actions(), "connect "+employer+", deliver "+employer+", connect udi, agree udi, read udi"; got != want {
			t.Errorf("the log says %s, want %s", got, want)
		}
	}
}

// TestTwoQuestionsAtOnce: nothing else may be asked in one go.
func TestTwoQuestionsAtOnce(t *testing.T) {
	w := newTown(t)
	both := asksAndAnswers()
	for is, details := range map[string][]json.RawMessage{
		"nothing":               {},
		"three":                 {both[0], both[1], both[1]},
		"two reads":             {both[0], both[0]},
		"two deposits":          {both[1], both[1]},
		"the wrong way round":   {both[1], both[0]},
		"a type of another's":   {both[0], deposits()},
		"a reference in each":   {both[0], json.RawMessage(`{"type":"evidence_deposit","reference":"x","evidence_types":["no:udi:oppholdstillatelse:1"]}`)},
		"an unknown member":     {both[0], json.RawMessage(`{"type":"evidence_deposit","more":1}`)},
		"nothing to deposit":    {both[0], json.RawMessage(`{"type":"evidence_deposit"}`)},
		"a place of its choice": {both[0], json.RawMessage(`{"type":"evidence_deposit","evidence_types":["no:udi:oppholdstillatelse:1"],"locations":["https://x.example"]}`)},
	} {
		if err := w.pod.CheckDetails(t.Context(), "udi", details); ldp.KindOf(err) != ldp.Invalid && ldp.KindOf(err) != ldp.Unprocessable {
			t.Errorf("%s: %v", is, err)
		}
	}
	must(t, w.pod.CheckDetails(t.Context(), "udi", both))
}
