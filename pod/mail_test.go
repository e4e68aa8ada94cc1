// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// mail is a request as the insurer would post it to its space.
func (w *town) mail(space ldp.ID, edit func(*consent.MailedRequest)) string {
	return w.mailBy(insurer, space, edit)
}

func (w *town) mailBy(signer string, space ldp.ID, edit func(*consent.MailedRequest)) string {
	w.t.Helper()
	m := consent.MailedRequest{
		Issuer: insurer, Audience: base, Subject: base + string(space) + "card#me", ID: "ask-1",
		IssuedAt: w.now.Unix(), Expires: w.now.Add(time.Minute).Unix(), Details: []json.RawMessage{asks()},
	}
	if edit != nil {
		edit(&m)
	}
	return w.jws(signer, "evidence-request+jwt", m)
}

func (w *town) jws(signer, typ string, payload any) string {
	w.t.Helper()
	b, err := json.Marshal(payload)
	must(w.t, err)
	jws, err := sign{w.keys[signer]}.Sign(w.t.Context(), typ, b)
	must(w.t, err)
	return jws
}

// told takes what waits in the outbox.
func (w *town) told() []outbox.Notification {
	w.t.Helper()
	pods, err := w.pod.Waiting(w.t.Context(), 10)
	must(w.t, err)
	var all []outbox.Notification
	for _, id := range pods {
		some, err := w.pod.Take(w.t.Context(), id, 100)
		must(w.t, err)
		for _, n := range some {
			must(w.t, w.pod.Delivered(w.t.Context(), id, n))
		}
		all = append(all, some...)
	}
	return all
}

// TestARequestByTheInbox: a party that knows the person asks with no browser at
// hand, and learns of the answer by a notification and by reading.
func TestARequestByTheInbox(t *testing.T) {
	for _, yes := range []bool{true, false} {
		w := newTown(t)
		w.pod.Registry = changed{w.pod.Registry, func(p *registry.Party) { // who publishes its keys asks as well
			if keys := p.Keys; p.ID == insurer && !yes {
				p.Keys, p.KeysAt, p.Published = jose.JSONWebKeySet{}, "https://insurer.example/jwks", func(string) jose.JSONWebKeySet { return keys }
			}
		}}
		w.deposit(w.connect(), w.issue(3, nil))
		space := w.location(w.answer("ask", insurer, asks(), agree)).Parent().Parent()
		body := w.mail(space, nil)
		send := func() ldp.Written {
			done, err := w.pod.Post(t.Context(), w.agent(insurer), post(space+"inbox/", vouch.MediaType, body))
			must(t, err)
			return done
		}
		sent := send()
		if again := send(); again.ID != sent.ID {
			t.Errorf("the same request twice: %s, %s", sent.ID, again.ID)
		}
		if got, err := w.read(insurer, sent.ID, "application/json"); err != nil || !strings.Contains(got, `"state":"open"`) {
			t.Errorf("before the answer: %s, %v", got, err)
		}
		for _, other := range []string{authority, "mallory"} {
			if got, err := w.read(other, sent.ID, "application/json"); ldp.KindOf(err) != ldp.Forbidden {
				t.Errorf("%s reads it: %s, %v", other, got, err)
			}
		}
		offers, err := w.pod.Requests(t.Context(), w.alva)
		must(t, err)
		if len(offers) != 1 || len(offers[0].Choices) != 1 || offers[0].Party.ID != insurer {
			t.Fatalf("the person sees %+v", offers)
		}
		a := agree(offers[0])
		a.Agree = yes
		_, err = w.pod.Answer(t.Context(), w.alva, offers[0].Request.ID, a)
		must(t, err)
		told := w.told()
		if len(told) != 1 || told[0].Event != outbox.RequestAnswered || told[0].Asked != base+string(sent.ID) || told[0].Reference != "skade/4711" {
			t.Fatalf("the party is told %+v", told)
		}
		got, err := w.read(insurer, sent.ID, "application/json")
		must(t, err)
		if !yes {
			if told[0].Result != "declined" || told[0].Location != "" || got != `{"state":"declined","answer_by":"2026-12-05"}` {
				t.Errorf("a no is told as %+v, read as %s", told[0], got)
			}
			continue
		}
		if !strings.Contains(got, told[0].Location) || told[0].Consent == "" {
			t.Errorf("told %+v, read %s", told[0], got)
		}
		_, err = w.read(insurer, ldp.ID(strings.TrimPrefix(told[0].Location, base)), pod.TypeTurtle)
		must(t, err)
	}
}

// TestMailThatIsRefused: the same checks as of a pushed request, and nobody
// else's signature, space or time.
func TestMailThatIsRefused(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(3, nil))
	space := w.location(w.answer("ask", insurer, asks(), agree)).Parent().Parent()
	detail := func(old, new string) func(*consent.MailedRequest) {
		return func(m *consent.MailedRequest) {
			m.Details = []json.RawMessage{json.RawMessage(strings.Replace(string(asks()), old, new, 1))}
		}
	}
	for _, row := range []struct {
		is, body string
		want     ldp.Kind
	}{
		{"signed by another party", w.mailBy("mallory", space, nil), ldp.Unprocessable},
		{"in another party's name", w.mail(space, func(m *consent.MailedRequest) { m.Issuer = "mallory" }), ldp.Unprocessable},
		{"for another server", w.mail(space, func(m *consent.MailedRequest) { m.Audience = "https://else.example" }), ldp.Unprocessable},
		{"for another person", w.mail("/w/aaaaaaaaaaaaaaaaaaaaaaaaaa/", nil), ldp.Unprocessable},
		{"without an id", w.mail(space, func(m *consent.MailedRequest) { m.ID = "" }), ldp.Unprocessable},
		{"of yesterday", w.mail(space, func(m *consent.MailedRequest) { m.IssuedAt -= 86400; m.Expires -= 86400 }), ldp.Unprocessable},
		{"of tomorrow", w.mail(space, func(m *consent.MailedRequest) { m.IssuedAt += 86400; m.Expires += 86400 }), ldp.Unprocessable},
		{"good for a week", w.mail(space, func(m *consent.MailedRequest) { m.Expires += 7 * 86400 }), ldp.Unprocessable},
		{"for a field that isn't registered", w.mail(space, detail("registered_at_least_30_days", "salary")), ldp.Unprocessable},
		{"for another purpose", w.mail(space, detail("CustomerClaimsManagement", "Marketing")), ldp.Unprocessable},
		{"for longer than registered", w.mail(space, detail("2027-05-21", "2037-05-21")), ldp.Unprocessable},
		{"for two things", w.mail(space, func(m *consent.MailedRequest) { m.Details = append(m.Details, m.Details[0]) }), ldp.Invalid},
		{"to deposit", w.mail(space, func(m *consent.MailedRequest) { m.Details = []json.RawMessage{deposits()} }), ldp.Unprocessable},
		{"of another kind", w.jws(insurer, "secevent+jwt", consent.MailedRequest{}), ldp.Unprocessable},
		{"that isn't signed", "please", ldp.Unprocessable},
		{"of seventeen kilobytes", strings.Repeat("x", 17<<10), ldp.TooLarge},
	} {
		if _, err := w.pod.Post(t.Context(), w.agent(insurer), post(space+"inbox/", vouch.MediaType, row.body)); ldp.KindOf(err) != row.want {
			t.Errorf("a request %s: %v, want %d", row.is, err, row.want)
		}
	}
	for is, who := range map[string]string{"Mallory": "mallory", "the provider": authority} {
		if _, err := w.pod.Post(t.Context(), w.agent(who), post(space+"inbox/", vouch.MediaType, w.mail(space, nil))); ldp.KindOf(err) != ldp.Forbidden {
			t.Errorf("%s posts: %v", is, err)
		}
	}
	if offers, err := w.pod.Requests(t.Context(), w.alva); err != nil || len(offers) != 0 {
		t.Errorf("the person sees %d requests, %v", len(offers), err)
	}
	taken := 0
	for i := range 8 {
		body := w.mail(space, func(m *consent.MailedRequest) { m.ID = strings.Repeat("x", i+1) })
		if _, err := w.pod.Post(t.Context(), w.agent(insurer), post(space+"inbox/", vouch.MediaType, body)); err == nil {
			taken++
		} else if ldp.KindOf(err) != ldp.TooMany {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if taken != 3 {
		t.Errorf("%d requests may wait at once", taken)
	}
}

// changed is a Registry in which a party's registration was changed.
type changed struct {
	registry.Registry
	edit func(*registry.Party)
}

func (r changed) Party(ctx context.Context, id string) (registry.Party, error) {
	p, err := r.Registry.Party(ctx, id)
	p.Uses = append([]registry.Use(nil), p.Uses...)
	r.edit(&p)
	return p, err
}

// TestLimitsAtRead: how often, how old, until when and for what is decided at each
// read.
func TestLimitsAtRead(t *testing.T) {
	with := func(more string) json.RawMessage {
		return json.RawMessage(strings.Replace(string(asks()), `"use"`, more+`,"use"`, 1))
	}
	register := func(edit func(*registry.Use)) func(*town) {
		return func(w *town) {
			w.pod.Registry = changed{w.pod.Registry, func(p *registry.Party) {
				for i := range p.Uses {
					edit(&p.Uses[i])
				}
			}}
		}
	}
	for _, row := range []struct {
		is     string
		detail json.RawMessage
		reads  int // that succeed, before
		change func(*town)
		want   ldp.Kind
		why    string
	}{
		{"once is once", with(`"reads":1`), 1, nil, ldp.Forbidden, "used up"},
		{"three times is three times", with(`"reads":3`), 3, nil, ldp.Forbidden, "used up"},
		{"no limit is none", asks(), 7, nil, 0, ""},
		{"a week old is not older than a week", with(`"max_age":"P7D"`), 1, func(w *town) { w.now = w.now.AddDate(0, 0, 7) }, 0, ""},
		{"eight days are", with(`"max_age":"P7D"`), 1, func(w *town) { w.now = w.now.AddDate(0, 0, 8) }, ldp.Gone, "too old"},
		{"expired evidence", asks(), 1, func(w *town) { w.now = w.now.AddDate(0, 0, 40) }, ldp.Gone, "expired"},
		{"after the last day", asks(), 1, func(w *town) { w.now = w.now.AddDate(1, 0, 0) }, ldp.Forbidden, "ended"},
		{"another purpose is registered", asks(), 1, register(func(u *registry.Use) { u.Purpose = "https://w3id.org/dpv#Marketing" }), ldp.Forbidden, "purpose"},
		{"the use is no longer registered", asks(), 1, register(func(u *registry.Use) { u.ID = "else" }), ldp.Forbidden, "purpose"},
		{"the field is no longer registered", asks(), 1, register(func(u *registry.Use) { u.Fields = []string{"registered"} }), ldp.Forbidden, "purpose"},
	} {
		w := newTown(t)
		w.deposit(w.connect(), w.issue(2, func(s *credential.Statement) { s.Expires = w.now.AddDate(0, 0, 39) }))
		there := w.location(w.answer("ask", insurer, row.detail, agree))
		for range row.reads {
			_, err := w.read(insurer, there, pod.TypeTurtle)
			must(t, err)
		}
		if row.change != nil {
			row.change(w)
		}
		_, err := w.read(insurer, there, pod.TypeTurtle)
		if row.want == 0 {
			must(t, err)
			continue
		}
		if err == nil || ldp.KindOf(err) != row.want {
			t.Errorf("%s: %v, want %d", row.is, err, row.want)
		}
		entries := w.log()
		if last := entries[len(entries)-1]; last.Action != log.DidRefuse || last.Why != row.why || last.Consent == "" {
			t.Errorf("%s: the log says %+v", row.is, last)
		}
	}
}

// TestOldEvidenceIsNoChoice: what is too old at the time of the answer isn't
// offered.
func TestOldEvidenceIsNoChoice(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(2, nil))
	w.now = w.now.AddDate(0, 0, 3)
	for age, want := range map[string]int{"P2D": 0, "P3D": 1} {
		id, err := w.pod.Begin(t.Context(), w.alva, age, insurer, []json.RawMessage{json.RawMessage(strings.Replace(string(asks()), `{`, `{"max_age":"`+age+`",`, 1))})
		must(t, err)
		o, err := w.pod.Offer(t.Context(), w.alva, id)
		must(t, err)
		if len(o.Choices) != want {
			t.Errorf("%s: %d choices", age, len(o.Choices))
		}
	}
	for _, bad := range []string{"7", "P7", "7D", "P-1D", "P0D", "P9999D", "P1M", "PT1H", "P7DD", "p7d"} {
		detail := json.RawMessage(strings.Replace(string(asks()), `{`, `{"max_age":"`+bad+`",`, 1))
		if err := w.pod.CheckDetails(t.Context(), insurer, []json.RawMessage{detail}); err == nil {
			t.Errorf("max_age %q is taken", bad)
		}
	}
}

// TestRemovalTellsApart: with evidence that two parties read, both are told, and
// not at one moment; a provider is told that it is disconnected.
func TestRemovalTellsApart(t *testing.T) {
	w := newTown(t)
	parties := w.pod.Registry.(*registry.Parties)
	other, err := parties.Party(t.Context(), insurer)
	must(t, err)
	other.ID, other.WebID = "andra-forsakring", acl.WebID(base+"/.parties/andra-forsakring#org")
	must(t, parties.Add(other))
	w.deposit(w.connect(), w.issue(3, nil))
	w.answer("a", insurer, asks(), agree)
	w.answer("b", "andra-forsakring", asks(), agree)
	held, err := w.pod.Holdings(t.Context(), w.alva)
	must(t, err)
	if err := w.pod.RemoveEvidence(t.Context(), w.agent(insurer), held[0].ID); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party removes it: %v", err)
	}
	must(t, w.pod.RemoveEvidence(t.Context(), w.alva, held[0].ID))
	if err := w.pod.RemoveEvidence(t.Context(), w.alva, held[0].ID); ldp.KindOf(err) != ldp.NotFound {
		t.Errorf("a second time: %v", err)
	}
	if told := w.told(); len(told) != 0 {
		t.Errorf("%d are told at once", len(told))
	}
	w.now = w.now.Add(8 * time.Hour)
	told := w.told()
	if len(told) != 2 || told[0].Event != outbox.ConsentWithdrawn {
		t.Errorf("told %+v", told)
	}
	must(t, w.pod.Disconnect(t.Context(), w.alva, authority))
	must(t, w.pod.Disconnect(t.Context(), w.alva, authority))
	if told := w.told(); len(told) != 1 || told[0].Event != outbox.Disconnected || told[0].Party != authority {
		t.Errorf("of the disconnection: %+v", told)
	}
}
