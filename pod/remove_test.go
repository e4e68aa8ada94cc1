// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/credential"
)

// TestEvidenceIsReadAndRemoved: over LDP, evidence can be read and deleted by the
// owner, and that is all.
func TestEvidenceIsReadAndRemoved(t *testing.T) {
	w := newTown(t)
	b := &bench{TB: t, Pod: w.pod, owner: w.alva, root: rootOf(w.alva)}
	b.want("PUT of an ACL document", b.put(b.owner, "x", plain, "x"), 201)
	b.allow(bob.ID, "", "RAWC", "RAWC") // a friend who was given everything
	w.deposit(w.connect(), w.issue(3, nil))
	held, err := w.pod.Holdings(t.Context(), w.alva)
	must(t, err)
	path := strings.TrimPrefix(string(held[0].Path), string(b.root))

	b.want("the owner reads it", b.get(b.owner, path), 200)
	b.want("a friend who was given everything else does not", b.get(bob, path), 403)
	b.want("nor lists it", b.get(bob, "evidence/"), 403)
	b.want("nor deletes it", b.delete(bob, path), 403)
	for _, p := range []string{path, path + ".acl", path + ".meta", "evidence/new", "evidence/.acl", "evidence/.meta", "evidence/", "evidence/c/x", "evidence"} {
		b.want("PUT "+p, b.put(b.owner, p, turtle, ""), 405)
		b.want("PATCH "+p, b.patch(b.owner, p, "application/sparql-update", "INSERT DATA { <urn:a> <urn:b> <urn:c> }"), 405)
		b.want("a friend who PUTs "+p, b.put(bob, p, turtle, ""), map[bool]int{true: 403, false: 405}[p != "evidence"])
	}
	b.want("POST", status(b.post(b.owner, "evidence/", "", turtle, "")), 405)
	done, err := b.post(b.owner, "", "evidence", turtle, "")
	if err != nil || done.ID == b.id("evidence") {
		t.Errorf("a Slug that is taken: %s, %v", done.ID, err)
	}
	for _, p := range []string{"evidence/", "evidence/.acl"} {
		b.want("DELETE "+p, b.delete(b.owner, p), 405)
	}
	if got := strings.Join(w.pod.Describe(b.id(path)).Methods, " "); got != "GET HEAD OPTIONS DELETE" {
		t.Errorf("Allow: %s", got)
	}
	b.want("DELETE", b.delete(b.owner, path), 204)
	b.want("it is gone", b.get(b.owner, path), 404)
	if held, err := w.pod.Holdings(t.Context(), w.alva); err != nil || len(held) != 0 {
		t.Errorf("held: %v, %v", held, err)
	}
}

// TestRemovedEvidenceIsReadByNobody: with the evidence, every consent under which
// it is read ends, in the transaction that removes it.
func TestRemovedEvidenceIsReadByNobody(t *testing.T) {
	for _, standing := range []bool{false, true} {
		w := newTown(t)
		deposit := w.connect()
		w.deposit(deposit, w.issue(3, nil))
		ask := string(asks())
		if standing {
			ask = strings.Replace(ask, `{`, `{"standing":true,`, 1)
		}
		out := w.answer("ask", insurer, json.RawMessage(ask), agree)
		evidence := w.location(out)
		if _, err := w.read(insurer, evidence, pod.TypeTurtle); err != nil {
			t.Fatal(err)
		}
		before := len(w.log())
		held, err := w.pod.Holdings(t.Context(), w.alva)
		must(t, err)
		must(t, w.pod.Delete(t.Context(), w.alva, ldp.Delete{ID: held[0].Path}))
		for _, accept := range []string{pod.TypeTurtle, credential.MediaType} {
			if _, err := w.read(insurer, evidence, accept); ldp.KindOf(err) != ldp.Forbidden {
				t.Errorf("standing %v: read as %s: %v", standing, accept, err)
			}
		}
		if s := w.shares()[0]; s.Active || s.Consent.Withdrawn.IsZero() {
			t.Errorf("standing %v: the consent holds", standing)
		}
		var did []string
		for _, e := range w.log()[before:] {
			did = append(did, string(e.Action)+" "+e.Party)
		}
		if got, want := strings.Join(did, ", "), "withdraw "+insurer+", remove "+authority+", refuse "+insurer; got != want {
			t.Errorf("standing %v: the log says %s, want %s", standing, got, want)
		}
		if due, err := w.pod.Waiting(t.Context(), 10); err != nil || len(due) != 1 {
			t.Errorf("standing %v: the consumer is not told: %v, %v", standing, due, err)
		}
		w.deposit(deposit, w.issue(3, nil))
		if _, err := w.read(insurer, evidence, pod.TypeTurtle); ldp.KindOf(err) != ldp.Forbidden {
			t.Errorf("standing %v: later evidence is read without asking: %v", standing, err)
		}
	}
}
