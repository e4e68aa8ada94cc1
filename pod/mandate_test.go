// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/extract"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// appoints has Karin act for Alva, as far as modes say, for a month.
func (w *town) appoints(modes acl.Mode) (karin, acts acl.Agent, id string) {
	w.t.Helper()
	karin, err := w.pod.Make(w.t.Context(), "person-karin")
	must(w.t, err)
	code, err := w.pod.Invite(w.t.Context(), w.alva, mandate.Mandate{Name: "Karin", Whose: "Alva", Modes: modes, Until: w.now.AddDate(0, 1, 0)})
	must(w.t, err)
	m, err := w.pod.TakeOn(w.t.Context(), karin, code)
	must(w.t, err)
	acts, got, err := w.pod.ActFor(w.t.Context(), karin, m.ID)
	must(w.t, err)
	if got.Whose != "Alva" || got.Modes != modes {
		w.t.Fatalf("Karin is told %+v", got)
	}
	return karin, acts, m.ID
}

// TestMandate: what a helper may do, and what no mandate ever gives.
func TestMandate(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	w.deposit(w.connect(), w.issue(3, nil))
	w.answer("given", insurer, asks(), agree)
	agreed := w.shares()[0].Consent.ID
	request := func(key string) string {
		id, err := w.pod.Begin(ctx, w.alva, key, insurer, []json.RawMessage{asks()})
		must(t, err)
		return id
	}
	evidence, err := w.pod.Holdings(ctx, w.alva)
	must(t, err)
	_, sees, _ := w.appoints(acl.Read)

	decline := func(who acl.Agent, key string) error {
		_, err := w.pod.Answer(ctx, who, request(key), consent.Answer{})
		return err
	}
	nobody := acl.Agent{ID: "https://mallory.example/#me", For: w.alva.ID}
	stranger := acl.Agent{For: w.alva.ID}
	for _, row := range []struct {
		name string
		do   func(acl.Agent) error
		sees bool // is permitted to who sees
	}{
		{"sees the evidence", func(a acl.Agent) error { _, err := w.pod.Holdings(ctx, a); return err }, true},
		{"sees what is shared", func(a acl.Agent) error { _, err := w.pod.Shares(ctx, a); return err }, true},
		{"sees the log", func(a acl.Agent) error { _, _, err := w.pod.Find(ctx, a, log.Filter{}, 0, 9); return err }, true},
		{"sees the requests", func(a acl.Agent) error { _, err := w.pod.Requests(ctx, a); return err }, true},
		{"answers a request", func(a acl.Agent) error { return decline(a, "q1"+string(a.ID)) }, false},
		{"withdraws", func(a acl.Agent) error { return w.pod.Withdraw(ctx, a, agreed) }, false},
		{"changes the settings", func(a acl.Agent) error { return w.pod.CallMe(ctx, a, "Karin") }, false},
		{"sees the settings", func(a acl.Agent) error { _, err := w.pod.Settings(ctx, a); return err }, false},
		{"pauses a party", func(a acl.Agent) error { return w.pod.Freeze(ctx, a, insurer) }, false},
		{"disconnects", func(a acl.Agent) error { return w.pod.Disconnect(ctx, a, authority) }, false},
		{"erases", func(a acl.Agent) error { _, err := w.pod.Leave(ctx, a); return err }, false},
		{"takes all of it out", func(a acl.Agent) error { return w.pod.Export(ctx, a, "", io.Discard) }, false},
		{"takes the archive out", func(a acl.Agent) error { return w.pod.Archive(ctx, a, io.Discard) }, false},
		{"takes the log out", func(a acl.Agent) error { return w.pod.ExportLog(ctx, a, extract.Lines, io.Discard) }, false},
		{"has a signed form", func(a acl.Agent) error { _, err := w.pod.OwnForm(ctx, a, evidence[0].ID); return err }, false},
		{"removes evidence", func(a acl.Agent) error { return w.pod.Delete(ctx, a, ldp.Delete{ID: evidence[0].Path}) }, false},
		{"reads a file", func(a acl.Agent) error {
			_, err := w.pod.Get(ctx, a, read(evidence[0].Path, pod.TypeTurtle))
			return err
		}, false},
		{"lends a folder", func(a acl.Agent) error { _, err := w.pod.Loans(ctx, a); return err }, false},
		{"appoints another", func(a acl.Agent) error {
			_, err := w.pod.Invite(ctx, a, mandate.Mandate{Name: "Bo", Whose: "Alva", Modes: acl.Read, Until: w.now.AddDate(0, 0, 9)})
			return err
		}, false},
	} {
		for _, who := range []struct {
			name  string
			agent acl.Agent
			want  bool
		}{
			{"who sees", sees, row.sees}, {"a foreigner", nobody, false}, {"a stranger", stranger, false},
		} {
			if err := row.do(who.agent); (err == nil) != who.want || err != nil && ldp.KindOf(err) != ldp.Forbidden && ldp.KindOf(err) != ldp.Unauthenticated {
				t.Errorf("%s %s: %v", who.name, row.name, err)
			}
		}
	}
	must(t, w.pod.Dismiss(ctx, w.alva, w.mandate().ID))
	_, answers, _ := w.appoints(acl.Read | acl.Write)
	must(t, decline(answers, "q2"))
	o, err := w.pod.Offer(ctx, answers, request("q3"))
	must(t, err)
	_, err = w.pod.Answer(ctx, answers, o.Request.ID, agree(o))
	must(t, err)
	by := map[acl.WebID]int{}
	for _, s := range w.shares() {
		by[s.Consent.By]++
	}
	if by[""] != 1 || by[answers.ID] != 1 {
		t.Errorf("the consents are by %v", by)
	}
	must(t, w.pod.Withdraw(ctx, answers, agreed))
	if err := w.pod.Freeze(ctx, answers, insurer); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("who answers pauses: %v", err)
	}
	if err := w.pod.CallMe(ctx, answers, "Karin"); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("who answers changes the settings: %v", err)
	}
	must(t, w.pod.CallMe(ctx, w.alva, "Alva"))
}

// mandate returns the newest.
func (w *town) mandate() mandate.Mandate {
	w.t.Helper()
	all, err := w.pod.Mandates(w.t.Context(), w.alva)
	must(w.t, err)
	return all[0]
}

// TestMandateIsLogged: what a helper does is in the person's log, with by whom;
// that she looks, once a day for each part; what the person does is by nobody else.
func TestMandateIsLogged(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	_, karin, _ := w.appoints(acl.Read | acl.Write)
	id, err := w.pod.Begin(ctx, w.alva, "ask", insurer, []json.RawMessage{asks()})
	must(t, err)
	for range 3 {
		_, err = w.pod.Holdings(ctx, karin)
		must(t, err)
	}
	_, err = w.pod.Answer(ctx, karin, id, consent.Answer{})
	must(t, err)
	must(t, w.pod.Dismiss(ctx, karin, w.mandate().ID))
	type line struct {
		log.Action
		By  acl.WebID
		Why string
	}
	var got []line
	for _, e := range w.log() {
		got = append(got, line{e.Action, e.By, e.Why})
	}
	want := []line{
		{log.DidInvite, "", ""}, {log.DidAppoint, "", ""}, {log.DidLook, karin.ID, "evidence"}, {log.DidDecline, karin.ID, ""}, {log.DidLook, karin.ID, "requests"},
		{log.DidDismiss, karin.ID, ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged %v\nwant   %v", got, want)
	}
	w.now = w.now.Add(25 * time.Hour)
	w.sweep()
	if left := w.kept("x"); left[0] != 0 {
		t.Errorf("a day later %d marks of what she looked at are left", left[0])
	}
}

// TestMandateEnds: by either, by time, and as soon as the person wants to leave.
func TestMandateEnds(t *testing.T) {
	for name, end := range map[string]func(w *town, karin acl.Agent, id string) error{
		"the person ends it":        func(w *town, _ acl.Agent, id string) error { return w.pod.Dismiss(w.t.Context(), w.alva, id) },
		"the helper ends it":        func(w *town, karin acl.Agent, id string) error { return w.pod.Dismiss(w.t.Context(), karin, id) },
		"its time is over":          func(w *town, _ acl.Agent, _ string) error { w.now = w.now.AddDate(0, 2, 0); return nil },
		"the person wants to leave": func(w *town, _ acl.Agent, _ string) error { _, err := w.pod.Leave(w.t.Context(), w.alva); return err },
	} {
		w := newTown(t)
		karin, acts, id := w.appoints(acl.Read | acl.Write)
		must(t, end(w, acts, id))
		if _, err := w.pod.Holdings(t.Context(), acts); ldp.KindOf(err) != ldp.Forbidden {
			t.Errorf("%s, and she still sees: %v", name, err)
		}
		if _, _, err := w.pod.ActFor(t.Context(), karin, id); ldp.KindOf(err) != ldp.Gone {
			t.Errorf("%s, and she still acts: %v", name, err)
		}
		if all, err := w.pod.Helped(t.Context(), karin); err != nil || len(all) != 0 {
			t.Errorf("%s, and she is told of %v, %v", name, all, err)
		}
	}
}

// TestInvitation: one person takes it on, who has the code, in time.
func TestInvitation(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	karin, err := w.pod.Make(ctx, "person-karin")
	must(t, err)
	bo, err := w.pod.Make(ctx, "person-bo")
	must(t, err)
	good := mandate.Mandate{Name: "Karin", Whose: "Alva", Modes: acl.Read, Until: w.now.AddDate(0, 1, 0)}
	code, err := w.pod.Invite(ctx, w.alva, good)
	must(t, err)
	take := func(who acl.Agent, code string, want ldp.Kind) {
		t.Helper()
		if _, err := w.pod.TakeOn(ctx, who, code); ldp.KindOf(err) != want {
			t.Errorf("%s takes it on: %v", who.ID, err)
		}
	}
	take(w.alva, code, ldp.Conflict)
	take(acl.Agent{}, code, ldp.Gone)
	take(karin, "aaaaaaaaaaaaaaaaaaaaaaaaaa", ldp.Gone)
	take(karin, "x", ldp.Gone)
	for range 2 {
		if _, err := w.pod.TakeOn(ctx, karin, code); err != nil {
			t.Errorf("she takes it on: %v", err)
		}
	}
	take(bo, code, ldp.Gone)
	if _, err := w.pod.Invitation(ctx, bo, code); ldp.KindOf(err) != ldp.Gone {
		t.Errorf("Bo sees it: %v", err)
	}
	late, err := w.pod.Invite(ctx, w.alva, good)
	must(t, err)
	w.now = w.now.Add(mandate.InvitationLife)
	take(bo, late, ldp.Gone)
	if _, err := w.pod.Invite(ctx, w.alva, mandate.Mandate{Name: "Karin", Modes: acl.Read}); ldp.KindOf(err) != ldp.Invalid {
		t.Errorf("an invitation that says too little: %v", err)
	}
	id := ""
	must(t, w.fake.View(ctx, "person/person-alva", func(tx store.Tx) error { id = tx.Pod(); return nil }))
	must(t, upkeep.Erase(ctx, w.fake, noBlobs{}, noBlobs{}, id))
	take(bo, code, ldp.Gone)
}
