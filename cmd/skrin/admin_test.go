// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/ldp/client"
)

// operator registers another, who may do that and no more.
func (w *county) operator(id string, may ...string) *client.Client {
	w.t.Helper()
	key, err := (partyKey{w.anna}).signing()
	must(w.t, err)
	text, err := json.Marshal(operatorFile{id, id, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}, time.Now().AddDate(1, 0, 0).Format(time.DateOnly), may})
	must(w.t, err)
	op, err := readOperator(text, time.Now())
	must(w.t, err)
	w.nodes[0].operators[id] = op
	proofs, err := dpop.NewKey()
	must(w.t, err)
	return through(&client.Client{Issuer: w.base, ID: id, Key: key, DPoP: proofs, Scope: adminScope, Now: time.Now}, w.at[0])
}

// admin asks for something of the admin API.
func (w *county) admin(c *client.Client, method, path, body string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+adminPath+path, strings.NewReader(body))
	must(w.t, err)
	resp, err := c.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return answer{resp, string(text)}
}

// TestOperatorsMayWhatTheirFileSays: of each verb of the admin API, who may, and that
// nobody else may; who may comes so far as to be told what else is wrong.
func TestOperatorsMayWhatTheirFileSays(t *testing.T) {
	w := newCounty(t, 1, keep{})
	const all = "anybody"
	rows := []struct {
		method, path, body string
		may                string
		status             int // for who may
	}{
		{"GET", "parties/", "", all, 200},
		{"GET", "parties/nobody", "", all, 404},
		{"PUT", "parties/nobody", `{"id":"nobody"}`, mayParties, 422},
		{"POST", "parties/nobody/renew", `{"until":"2028-12-31"}`, mayParties, 404},
		{"DELETE", "parties/nobody", "", mayParties, 404},
		{"GET", "types/", "", all, 200},
		{"GET", "types/none", "", all, 404},
		{"GET", "pods/", "", mayPods, 200},
		{"GET", "pods/none", "", mayPods, 404},
		{"DELETE", "pods/none", "", mayPods, 404},
		{"POST", "keys/rotate", `{"stolen":false}`, mayKeys, 200},
		{"POST", "jobs/", `{"do":"nothing"}`, mayJobs, 422},
		{"GET", "jobs/none", "", mayJobs, 404},
		{"GET", "approvals/", "", all, 200},
		{"POST", "approvals/000000000000", "", all, 404},
		{"GET", "log", "", all, 200},
	}
	if len(rows) != len(adminVerbs()) {
		t.Errorf("%d of %d verbs are tried", len(rows), len(adminVerbs()))
	}
	for _, may := range []string{mayParties, mayPods, mayKeys, mayJobs} {
		c := w.operator("only-"+may, may)
		for _, row := range rows {
			want := row.status
			if row.may != all && row.may != may {
				want = http.StatusForbidden
			}
			a := w.admin(c, row.method, row.path, row.body)
			if a.StatusCode != want || want == http.StatusForbidden && !strings.Contains(a.body, "("+row.may+")") {
				t.Errorf("who may change %s: %s %s: %s, want %d; %s", may, row.method, row.path, a.Status, want, a.body)
			}
		}
	}
}

// TestTheAdminAPIWaitsForASecondOperator: with two-people, what is dangerous is
// answered with 202 and what is to be approved, and isn't done; who asked can't
// approve it; when another has, who asked does it, once. What isn't dangerous doesn't
// wait.
func TestTheAdminAPIWaitsForASecondOperator(t *testing.T) {
	w := newCounty(t, 1, keep{})
	w.nodes[0].TwoPeople = time.Hour
	anna, eva := w.operator("anna", mayPods, mayKeys), w.operator("eva", mayPods)
	owner, err := w.nodes[0].pod.Make(t.Context(), "somebody")
	must(t, err)
	var held struct{ Holdings []struct{ ID string } }
	a := w.admin(anna, "GET", "pods/?at="+string(owner.ID)[:strings.Index(string(owner.ID), "profile/")], "")
	must(t, json.Unmarshal([]byte(a.body), &held))
	for _, row := range []struct{ is, method, path, body, did string }{
		{"to erase a pod", "DELETE", "pods/" + held.Holdings[0].ID, "", "erase"},
		{"to replace stolen keys", "POST", "keys/rotate", `{"stolen":true}`, "replace signing keys"},
	} {
		for range 2 { // to ask again changes nothing
			var p approval
			a := w.admin(anna, row.method, row.path, row.body)
			if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.StatusCode != http.StatusAccepted || p.Did != row.did || p.By != "anna" || p.ID == "" || p.Other != "" {
				t.Fatalf("%s: %s %s", row.is, a.Status, a.body)
			}
		}
		if _, err := w.nodes[0].pod.Owner(t.Context(), "somebody"); err != nil {
			t.Fatalf("%s: it is done by one: %v", row.is, err)
		}
		id := actID(row.did, strings.TrimPrefix(row.path, "pods/"))
		if row.did != "erase" {
			id = actID(row.did, "")
		}
		if a := w.admin(anna, "POST", "approvals/"+id, ""); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: who asked approves: %s %s", row.is, a.Status, a.body)
		}
		if a := w.admin(eva, "POST", "approvals/"+id, ""); a.StatusCode != http.StatusOK {
			t.Errorf("%s: another approves: %s %s", row.is, a.Status, a.body)
		}
	}
	if a := w.admin(anna, "DELETE", "pods/"+held.Holdings[0].ID, ""); a.StatusCode != http.StatusOK {
		t.Errorf("approved: %s %s", a.Status, a.body)
	}
	if a := w.admin(anna, "POST", "keys/rotate", `{"stolen":false}`); a.StatusCode != http.StatusOK {
		t.Errorf("what isn't dangerous: %s %s", a.Status, a.body)
	}
	if a := w.admin(anna, "POST", "keys/rotate", `{"stolen":true}`); a.StatusCode != http.StatusOK {
		t.Errorf("approved: %s %s", a.Status, a.body)
	}
	other, err := w.nodes[0].pod.Make(t.Context(), "another")
	must(t, err)
	if _, err := w.nodes[0].run(t.Context(), errand{Do: "export", Pod: string(other.ID), To: "/nowhere"}); err == nil || !strings.Contains(err.Error(), errUnapproved.Error()) {
		t.Errorf("a pod is exported by one: %v", err)
	}
}

// TestOperatorsArentToldWhoseASpaceIs: not for the address of a space that is there,
// not for one that isn't, and in the same words, whatever they ask of it; over HTTP as
// on the server's machine.
func TestOperatorsArentToldWhoseASpaceIs(t *testing.T) {
	r := startDemo(t, t.TempDir())
	r.connect(newBrowser(t), "Alva Lindqvist")
	_, deposit := r.granted("Alva Lindqvist")
	space := deposit[:strings.Index(deposit, "deposit/")]
	const says = "Whose pod it is, an operator isn't told."
	for _, at := range []string{deposit, space, space + "card", r.Base + "/w/", r.Base + "/w/k7q/card#me"} {
		for _, do := range []string{"pod show", "erase", "export", "import", "moved", "fsck"} {
			_, err := r.run(t.Context(), errand{Do: do, Pod: at})
			if !errors.Is(err, ldp.Forbidden) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s of %s: %v", do, at, err)
			}
		}
	}
	key, err := (partyKey{filepath.Join(r.Dir, "operator", "TEST-key.pem")}).signing()
	must(t, err)
	proofs, err := dpop.NewKey()
	must(t, err)
	op := &client.Client{HTTP: http.DefaultClient, Issuer: r.Base, ID: "demo", Key: key, DPoP: proofs, Scope: adminScope, Now: time.Now}
	r.operators["demo"] = operator{operatorFile{ID: "demo", Keys: r.operators["demo"].Keys, May: []string{mayPods}}, r.operators["demo"].until}
	for _, at := range []string{space, r.Base + "/w/k7q/"} {
		req, err := http.NewRequest("GET", r.Base+adminPath+"pods/?at="+at, nil)
		must(t, err)
		resp, err := op.Do(req)
		must(t, err)
		text, err := io.ReadAll(resp.Body)
		must(t, errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(string(text), says) {
			t.Errorf("over HTTP, %s: %s %s", at, resp.Status, text)
		}
	}
}
