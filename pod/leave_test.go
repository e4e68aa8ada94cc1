// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/credential"
	"skrin/pod/log"
)

// TestLeave: from the moment that she leaves on, nobody but the owner reads; when
// she stays, what is hers and what she had connected is there; and when the time
// has come it is too late.
func TestLeave(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	deposit := w.connect()
	w.deposit(deposit, w.issue(2, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	open, err := w.pod.Begin(ctx, w.alva, "later", insurer, []json.RawMessage{asks()})
	must(t, err)
	card := ldp.ID(strings.TrimSuffix(strings.TrimPrefix(string(w.alva.ID), base), "#me"))
	bob := acl.Agent{ID: "https://bob.example/#me", Issuer: "https://bob.example"}
	publicly := func() error { _, err := w.pod.Get(ctx, bob, read(card, pod.TypeTurtle)); return err }
	leavers := func() int { all, err := w.pod.Leavers(ctx, 10); must(t, err); return len(all) }
	must(t, publicly())

	at, err := w.pod.Leave(ctx, w.alva)
	must(t, err)
	if want := w.now.Add(pod.Regret); at.Sub(want).Abs().Seconds() > 1 {
		t.Errorf("leaves at %s, want %s", at, want)
	}
	w.now = w.now.Add(pod.Regret / 2)
	if again, err := w.pod.Leave(ctx, w.alva); err != nil || !again.Equal(at) {
		t.Errorf("leaves twice: %s, %v", again, err)
	}
	if _, err := w.read(insurer, there, credential.MediaType); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party reads from who leaves: %v", err)
	}
	if err := publicly(); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("everybody reads of who leaves: %v", err)
	}
	if _, err := w.pod.Get(ctx, w.alva, read(card, pod.TypeTurtle)); err != nil {
		t.Errorf("the owner does not: %v", err)
	}
	if o, err := w.pod.Offer(ctx, w.alva, open); err != nil {
		t.Error(err)
	} else if _, err := w.pod.Answer(ctx, w.alva, open, agree(o)); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("who leaves agrees to more: %v", err)
	}
	if s, err := w.pod.Settings(ctx, w.alva); err != nil || !s.Leaves.Equal(at) || leavers() != 0 {
		t.Errorf("settings %v, %v; %d leavers", s, err, leavers())
	}

	must(t, w.pod.Stay(ctx, w.alva))
	must(t, w.pod.Stay(ctx, w.alva))
	must(t, publicly())
	w.deposit(deposit, w.issue(1, nil))
	if _, err := w.read(insurer, there, credential.MediaType); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("what was withdrawn is not given again: %v", err)
	}
	if held, err := w.pod.Holdings(ctx, w.alva); err != nil || len(held) != 2 {
		t.Errorf("%d pieces of evidence, %v", len(held), err)
	}

	_, err = w.pod.Leave(ctx, w.alva)
	must(t, err)
	w.now = w.now.Add(pod.Regret)
	if err := w.pod.Stay(ctx, w.alva); ldp.KindOf(err) != ldp.Gone {
		t.Errorf("stays when it is too late: %v", err)
	}
	if leavers() != 1 {
		t.Errorf("%d leavers when the time has come", leavers())
	}
	var did []log.Action
	for _, e := range w.log() {
		did = append(did, e.Action)
	}
	if n := strings.Count(w.actions(), "leave"); n != 2 || !slices.Contains(did, log.DidStay) {
		t.Errorf("the log says %s", w.actions())
	}
}

// TestName: what the pages call the person is hers to choose, and nothing that
// could mislead or harm her.
func TestName(t *testing.T) {
	w := newTown(t)
	for name, ok := range map[string]bool{"Alva Ek": true, "": true, strings.Repeat("å", 60): true, strings.Repeat("å", 61): false, "Al\nva": false, "\u202eavlA": false, "197705232382": false, "\xff": false} {
		err := w.pod.CallMe(t.Context(), w.alva, name)
		s, err2 := w.pod.Settings(t.Context(), w.alva)
		must(t, err2)
		if (err == nil) != ok || ok && s.Name != name {
			t.Errorf("%q: %v, is called %q", name, err, s.Name)
		}
	}
	if err := w.pod.CallMe(t.Context(), w.agent(insurer), "x"); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
}
