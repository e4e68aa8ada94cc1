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
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// TestFreeze: a frozen party reads nothing, nor does a new agreement help it;
// others go on; and after the thaw all is as it was.
func TestFreeze(t *testing.T) {
	w := newTown(t)
	parties := w.pod.Registry.(*registry.Parties)
	other, err := parties.Party(t.Context(), insurer)
	must(t, err)
	other.ID, other.WebID = "andra-forsakring", base+"/.parties/andra-forsakring#org"
	must(t, parties.Add(other))
	deposit := w.connect()
	w.deposit(deposit, w.issue(2, nil))
	first := w.location(w.answer("a", insurer, asks(), agree))
	second := w.location(w.answer("b", "andra-forsakring", asks(), agree))
	for _, row := range []struct {
		is         string
		do         func() error
		one, other bool // may read
	}{
		{"at first", func() error { return nil }, true, true},
		{"one is frozen", func() error { return w.pod.Freeze(t.Context(), w.alva, insurer) }, false, true},
		{"one is frozen twice", func() error { return w.pod.Freeze(t.Context(), w.alva, insurer) }, false, true},
		{"one is asked for anew while frozen", func() error { w.answer("a2", insurer, asks(), agree); return nil }, false, true},
		{"it is thawed", func() error { return w.pod.Thaw(t.Context(), w.alva, insurer) }, true, true},
		{"all are frozen", func() error { return w.pod.Freeze(t.Context(), w.alva, "") }, false, false},
		{"one of all is thawed", func() error { return w.pod.Thaw(t.Context(), w.alva, insurer) }, true, false},
		{"all are thawed", func() error { return w.pod.Thaw(t.Context(), w.alva, "") }, true, true},
	} {
		must(t, row.do())
		for _, accept := range []string{pod.TypeTurtle, credential.MediaType} {
			if _, err := w.read(insurer, first, accept); (err == nil) != row.one {
				t.Errorf("%s: one reads: %v", row.is, err)
			}
			if _, err := w.read("andra-forsakring", second, accept); (err == nil) != row.other {
				t.Errorf("%s: the other reads: %v", row.is, err)
			}
		}
		if _, err := w.pod.Get(t.Context(), w.agent(insurer), read(first.Parent(), pod.TypeTurtle)); (err == nil) != row.one {
			t.Errorf("%s: one lists: %v", row.is, err)
		}
	}
	if err := w.pod.Freeze(t.Context(), w.agent(insurer), ""); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party freezes: %v", err)
	}
	if err := w.pod.Freeze(t.Context(), w.alva, "mallory"); ldp.KindOf(err) != ldp.NotFound {
		t.Errorf("a party without a space is frozen: %v", err)
	}
	if log := w.actions(); strings.Count(log, "freeze "+insurer) != 2 || strings.Count(log, "thaw andra") != 1 {
		t.Errorf("the log says %s", log)
	}
	w.deposit(deposit, w.issue(1, nil)) // a freeze is of reads
}

// TestDisconnect: the provider delivers no more, until the person connects
// again; what it delivered stays, and stays shared.
func TestDisconnect(t *testing.T) {
	w := newTown(t)
	deposit := w.connect()
	w.deposit(deposit, w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	must(t, w.pod.Disconnect(t.Context(), w.alva, authority))
	must(t, w.pod.Disconnect(t.Context(), w.alva, authority))
	if _, err := w.pod.Post(t.Context(), w.agent(authority), post(deposit, credential.MediaType, w.issue(1, nil)[0])); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("it delivers: %v", err)
	}
	if all, err := w.pod.Connections(t.Context(), w.alva); err != nil || len(all) != 0 {
		t.Errorf("connections: %v, %v", all, err)
	}
	if _, err := w.read(insurer, there, pod.TypeTurtle); err != nil {
		t.Errorf("what was shared: %v", err)
	}
	w.deposit(w.connect2(), w.issue(1, nil))
	if log := w.actions(); strings.Count(log, "disconnect") != 1 {
		t.Errorf("the log says %s", log)
	}
}

// TestStandingGrants: later evidence is read under a standing grant, and not
// under one for a single time; the released fields stay the same.
func TestStandingGrants(t *testing.T) {
	w := newTown(t)
	deposit := w.connect()
	w.deposit(deposit, w.issue(2, nil))
	once := w.location(w.answer("once", insurer, asks(), agree))
	standing := w.location(w.answer("standing", insurer, json.RawMessage(strings.Replace(string(asks()), `"use"`, `"standing":true,"use"`, 1)), agree))
	w.deposit(deposit, w.issue(1, func(s *credential.Statement) { s.Claims[2].Value = false }))
	// Forms that were asked for earlier come later than what says otherwise now.
	w.deposit(deposit, w.issue(2, func(s *credential.Statement) { s.Issued = s.Issued.AddDate(0, 0, -1) }))
	for at, want := range map[ldp.ID]bool{once: true, standing: false} {
		compact, err := w.read(insurer, at, credential.MediaType)
		must(t, err)
		w.verifies(compact, map[string]any{"registered_at_least_30_days": want})
	}
}

// TestErasure: after the withdrawal the party is due to erase; its signed
// receipt reaches the person, and nobody else's does.
func TestErasure(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	inbox := there.Parent().Parent() + "inbox/"
	id := w.shares()[0].Consent.ID
	receipt := func(by string, edit func(*consent.ErasureReceipt)) string {
		r := consent.ErasureReceipt{Issuer: insurer, Audience: base, Consent: id, Erased: "2026-11-22", Method: "key destroyed"}
		if edit != nil {
			edit(&r)
		}
		b, err := json.Marshal(r)
		must(t, err)
		jws, err := sign{w.keys[by]}.Sign(t.Context(), "erasure-receipt+jwt", b)
		must(t, err)
		return jws
	}
	send := func(party, body string) error {
		_, err := w.pod.Post(t.Context(), w.agent(party), post(inbox, vouch.MediaType, body))
		return err
	}
	if err := send(insurer, receipt(insurer, nil)); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("before it was asked: %v", err)
	}
	must(t, w.pod.Withdraw(t.Context(), w.alva, id))
	if due := w.shares()[0].Consent.EraseBy.Format("2006-01-02"); due != "2026-12-21" {
		t.Errorf("due by %s", due)
	}
	for is, err := range map[string]error{
		"by another party":            send("mallory", receipt("mallory", nil)),
		"signed by another":           send(insurer, receipt("mallory", nil)),
		"for another server":          send(insurer, receipt(insurer, func(r *consent.ErasureReceipt) { r.Audience = "https://else.example" })),
		"for another consent":         send(insurer, receipt(insurer, func(r *consent.ErasureReceipt) { r.Consent = strings.Repeat("a", 26) })),
		"for what is no id":           send(insurer, receipt(insurer, func(r *consent.ErasureReceipt) { r.Consent = "../x" })),
		"without a day":               send(insurer, receipt(insurer, func(r *consent.ErasureReceipt) { r.Erased = "soon" })),
		"with a personal number":      send(insurer, receipt(insurer, func(r *consent.ErasureReceipt) { r.Method = "raderade 770523-2382" })),
		"that isn't a JWS":            send(insurer, "erased"),
		"of more than eight kilobyte": send(insurer, strings.Repeat("x", 9000)),
	} {
		if err == nil {
			t.Errorf("a receipt %s is taken", is)
		}
	}
	w.now = w.now.AddDate(0, 1, 3)
	if late := consent.Overdue(w.shares(), w.now); len(late) != 1 {
		t.Errorf("%d are late", len(late))
	}
	must(t, send(insurer, receipt(insurer, nil)))
	must(t, send(insurer, receipt(insurer, nil)))
	c := w.shares()[0].Consent
	if c.Erased.IsZero() || c.Receipt == "" || len(consent.Overdue(w.shares(), w.now)) != 0 {
		t.Errorf("the person sees %+v", c)
	}
	if log := w.actions(); strings.Count(log, "erase "+insurer) != 1 {
		t.Errorf("the log says %s", log)
	}
}
