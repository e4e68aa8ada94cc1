// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// keysFor has the authority ask for holder keys.
func (w *town) keysFor(deposit ldp.ID, n int) []jose.JSONWebKey {
	w.t.Helper()
	done, err := w.pod.Post(w.t.Context(), w.agent(authority), post(deposit.Parent()+"keys/", "application/json", fmt.Sprintf(`{"count":%d}`, n)))
	must(w.t, err)
	var set jose.JSONWebKeySet
	must(w.t, json.Unmarshal(done.Receipt, &set))
	if len(set.Keys) != n || done.ReceiptType != pod.TypeKeys {
		w.t.Fatalf("%d keys, as %s", len(set.Keys), done.ReceiptType)
	}
	return set.Keys
}

// bound issues a form for each key.
func (w *town) bound(keys []jose.JSONWebKey) []string {
	var forms []string
	for _, k := range keys {
		forms = append(forms, w.issue(1, func(s *credential.Statement) { s.HolderKey = &k })...)
	}
	return forms
}

// stored counts the keys of Alva's pod that begin with a prefix.
func (w *town) stored(prefix string) (n int) {
	w.t.Helper()
	must(w.t, w.fake.View(w.t.Context(), "person/person-alva", func(tx store.Tx) error {
		pairs, err := tx.Scan(prefix, "", 1000)
		n = len(pairs)
		return err
	}))
	return n
}

func (w *town) readFor(party string, id ldp.ID, accept, nonce string) (string, error) {
	req := read(id, accept)
	req.Nonce = nonce
	res, err := w.pod.Get(w.t.Context(), w.agent(party), req)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	return string(b), nil
}

// TestHolderKeys: the pod proves to a recipient, and to no other, that it presents
// what the issuer bound to a key of the person's.
func TestHolderKeys(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	keys := w.keysFor(to, 4)
	w.deposit(to, w.bound(keys))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	compact, err := w.readFor(insurer, there, credential.MediaType, "nonce-4711")
	must(t, err)
	c, err := credential.Parse(compact)
	must(t, err)
	s := w.statement()
	verify := func(audience, nonce string) error {
		_, err := c.Verify(w.keyOf(authority), w.now, credential.Want{Type: s.Type, Issuer: s.Issuer,
			Binding: &credential.Binding{Audience: audience, Nonce: nonce, MaxAge: time.Minute}})
		return err
	}
	must(t, verify(insurer, "nonce-4711"))
	if verify("mallory", "nonce-4711") == nil || verify(insurer, "nonce-4712") == nil {
		t.Error("the proof is good for another audience or nonce")
	}
	if strings.Contains(compact, `"kid"`) {
		t.Error("the key has a name")
	}
	again, err := w.readFor(insurer, there, credential.MediaType, "")
	must(t, err)
	w.verifies(again, map[string]any{"registered_at_least_30_days": true})
	for _, row := range []struct {
		accept, nonce string
		want          ldp.Kind
	}{
		{pod.TypeTurtle, "nonce-4711", ldp.NotAcceptable},
		{credential.MediaType, "short", ldp.Invalid},
		{credential.MediaType, strings.Repeat("x", 257), ldp.Invalid},
		{credential.MediaType, "with space", ldp.Invalid},
		{credential.MediaType, "with\nline end", ldp.Invalid},
	} {
		if _, err := w.readFor(insurer, there, row.accept, row.nonce); ldp.KindOf(err) != row.want {
			t.Errorf("%s with nonce %q: %v", row.accept, row.nonce, err)
		}
	}
	must(t, w.pod.RemoveEvidence(t.Context(), w.alva, w.shares()[0].Consent.Evidence))
	if n := w.stored("z"); n != 0 {
		t.Errorf("%d keys are left after the evidence was removed", n)
	}
}

// TestHolderKeysThatAreRefused: a key is of this space, and in one form.
func TestHolderKeysThatAreRefused(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	keys := w.keysFor(to, 3)
	stranger := newKey(t, "x")
	w.deposit(to, w.bound(keys[:1]))
	for is, forms := range map[string][]string{
		"a key that the pod doesn't have": w.bound([]jose.JSONWebKey{stranger.Public()}),
		"a key that is in a form":         w.bound(keys[:1]),
		"one key for two forms":           w.bound([]jose.JSONWebKey{keys[1], keys[1]}),
	} {
		if _, err := w.pod.Post(t.Context(), w.agent(authority), post(to, credential.MediaType, strings.Join(forms, "\n"))); ldp.KindOf(err) != ldp.Unprocessable {
			t.Errorf("%s: %v", is, err)
		}
	}
	w.deposit(to, w.bound(keys[1:]))
	ask := func(party, body string) error {
		_, err := w.pod.Post(t.Context(), w.agent(party), post(to.Parent()+"keys/", "application/json", body))
		return err
	}
	for body, want := range map[string]ldp.Kind{`{"count":0}`: 422, `{"count":33}`: 422, `{}`: 422, `x`: 422, strings.Repeat(" ", 2000): 413} {
		if err := ask(authority, body); ldp.KindOf(err) != want {
			t.Errorf("%.20s: %v", body, err)
		}
	}
	for _, party := range []string{insurer, "mallory"} {
		if err := ask(party, `{"count":1}`); ldp.KindOf(err) != ldp.Forbidden {
			t.Errorf("%s: %v", party, err)
		}
	}
	for range 4 {
		must(t, ask(authority, `{"count":32}`))
	}
	if err := ask(authority, `{"count":32}`); ldp.KindOf(err) != ldp.TooMany {
		t.Errorf("without end: %v", err)
	}
	w.now = w.now.AddDate(0, 0, 9)
	must(t, ask(authority, `{"count":32}`))
	if n := w.stored("z"); n != 32+3 {
		t.Errorf("%d keys are kept", n)
	}
}

// TestABatchRunsOut: the issuer is asked for more before and when the forms run
// out, and what it delivers reaches whoever waits.
func TestABatchRunsOut(t *testing.T) {
	w := newTown(t)
	parties := w.pod.Registry.(*registry.Parties)
	other, err := parties.Party(t.Context(), insurer)
	must(t, err)
	other.ID, other.WebID = "andra-forsakring", "https://pod.example/.parties/andra-forsakring#org"
	must(t, parties.Add(other))
	to := w.connect()
	w.deposit(to, w.bound(w.keysFor(to, 1)))
	first := w.location(w.answer("a", insurer, asks(), agree))
	second := w.location(w.answer("b", "andra-forsakring", asks(), func(o consent.Offer) consent.Answer {
		if !o.Choices[0].Unsigned {
			t.Error("the person isn't told that no signed form is left")
		}
		return agree(o)
	}))
	if told := w.told(); len(told) != 0 {
		t.Errorf("the issuer is told at the moment of the consent: %+v", told)
	}
	if _, err := w.read("andra-forsakring", second, pod.TypeTurtle); err != nil {
		t.Errorf("RDF needs no form: %v", err)
	}
	if _, err := w.read("andra-forsakring", second, credential.MediaType); ldp.KindOf(err) != ldp.Unavailable {
		t.Errorf("without a form: %v", err)
	}
	told := w.told()
	if len(told) != 1 || told[0].Event != outbox.FormsWanted || told[0].Party != authority || told[0].Location != base+string(to) || told[0].Issued.Format(time.DateOnly) != "2026-11-21" {
		t.Fatalf("told %+v", told)
	}
	more := w.bound(w.keysFor(to, 2))
	w.deposit(to, more)
	if held, err := w.pod.Holdings(t.Context(), w.alva); err != nil || len(held) != 1 {
		t.Errorf("more forms of one evidence are %d pieces", len(held))
	}
	a, err := w.read(insurer, first, credential.MediaType)
	must(t, err)
	b, err := w.read("andra-forsakring", second, credential.MediaType)
	must(t, err)
	if strings.Split(a, "~")[0] == strings.Split(b, "~")[0] {
		t.Error("two recipients have one form")
	}
	plain := w.issue(1, nil)
	w.deposit(to, plain)
	if _, err := w.pod.Post(t.Context(), w.agent(authority), post(to, credential.MediaType, plain[0])); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("a form that was delivered before: %v", err)
	}
}
