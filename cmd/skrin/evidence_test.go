// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/ldp/client"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/outbox"
	"skrin/pod/vouch"
)

// A street is a server with one person, one provider and one consumer, all of whom
// speak HTTP.
type street struct {
	*crowd
	t        *testing.T
	provider *client.Client
	consumer *client.Client
	events   chan client.Event // that the consumer was told
	deposit  string            // where the provider delivers
	webID    string            // of the person, for the consumer
}

func newStreet(t *testing.T) *street {
	t.Helper()
	w, err := newCrowd(t.Context(), t.TempDir(), 1, 1, "", slog.New(slog.DiscardHandler))
	noError(t, err)
	s := &street{crowd: w, t: t, consumer: w.recipients[0].client, events: make(chan client.Event, 16)}
	t.Cleanup(func() { noError(t, w.close()) })
	proofs, err := dpop.NewKey()
	noError(t, err)
	s.provider = &client.Client{HTTP: &http.Client{Timeout: 20 * time.Second}, Issuer: w.Base, ID: w.issuer.ID, Key: w.key, DPoP: proofs, Now: time.Now}
	told := &client.Client{HTTP: s.consumer.HTTP, Issuer: w.Base, ID: s.consumer.ID, Key: s.consumer.Key, DPoP: s.consumer.DPoP, Now: w.time}
	hook := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e, err := told.Notification(r.Context(), body, s.consumer.ID)
		if err != nil {
			t.Error(err)
		}
		s.events <- e
	}))
	t.Cleanup(hook.Close)
	party, err := w.parties.Party(t.Context(), s.consumer.ID)
	noError(t, err)
	party.Notify = hook.URL
	noError(t, w.parties.Add(party))
	who, err := w.pod.Make(t.Context(), "person-0")
	noError(t, err)
	w.persons[0] = &member{who: who}
	out, err := w.answer(t.Context(), who, "connect", w.issuer.ID, consent.Detail{Type: consent.ToDeposit, EvidenceTypes: []string{crowdType}})
	noError(t, err)
	s.deposit, err = locationIn(out)
	noError(t, err)
	return s
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deliver posts a certificate of n forms, and returns their places.
func (s *street) deliver(n int) []credential.Status {
	s.t.Helper()
	keys, err := s.provider.HolderKeys(s.t.Context(), s.deposit, n)
	noError(s.t, err)
	var forms []string
	places := s.spread(n)
	for i, key := range keys {
		forms = append(forms, s.form(&places[i], &key))
	}
	written, err := s.provider.Post(s.t.Context(), s.deposit, client.Content{Type: credential.MediaType, Body: []byte(strings.Join(forms, "\n"))})
	noError(s.t, err)
	if written.Type != vouch.MediaType {
		s.t.Errorf("the answer to a delivery is %s", written.Type)
	}
	return places
}

func (s *street) form(place *credential.Status, key *jose.JSONWebKey) string {
	s.t.Helper()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	form, err := credential.Issue(s.key, credential.Statement{
		Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: s.issuer.Issuer, Issued: today, Expires: today.AddDate(0, 0, 30), Decoys: 3,
		HolderKey: key, Status: place,
		Claims: []credential.Claim{{Name: "registered", Value: true}, {Name: "registered_at_least_30_days", Value: true}},
	})
	noError(s.t, err)
	return form
}

func detail(edit func(*consent.Detail)) consent.Detail {
	d := consent.Detail{
		Type: consent.ToRead, Reference: "case-1", Use: "ink-2026", EvidenceType: crowdType, Fields: []string{"registered_at_least_30_days"}, Optional: []string{"registered"},
		Purpose: "https://w3id.org/dpv#CustomerClaimsManagement", Until: time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly),
	}
	if edit != nil {
		edit(&d)
	}
	return d
}

// share has the person agree, and returns where the consumer reads.
func (s *street) share(edit func(*consent.Detail)) string {
	s.t.Helper()
	out, err := s.answer(s.t.Context(), s.persons[0].who, rand.Text(), s.consumer.ID, detail(edit))
	noError(s.t, err)
	s.webID = string(out.WebID)
	at, err := locationIn(out)
	noError(s.t, err)
	return at
}

// told waits for what the consumer is told next, and returns what it says.
func (s *street) told(kind outbox.Event) map[string]string {
	s.t.Helper()
	select {
	case e := <-s.events:
		says := map[string]string{}
		text, ok := e.Events[s.Base+"/ns/core#"+string(kind)]
		if !ok || json.Unmarshal(text, &says) != nil || e.WebID != s.webID {
			s.t.Fatalf("told %+v, want %s", e, kind)
		}
		return says
	case <-time.After(time.Minute):
		s.t.Fatalf("nobody is told %s", kind)
	}
	return nil
}

// TestProofAndRevocation: over HTTP, from the provider's keys and list to the
// consumer, who needs nobody else to verify; and to the refusal after the provider
// revoked.
func TestProofAndRevocation(t *testing.T) {
	s := newStreet(t)
	places := s.deliver(3)
	at := s.share(nil)
	res, err := s.consumer.GetBound(t.Context(), at, "a-nonce-of-ours")
	noError(t, err)
	c, err := credential.Parse(string(res.Body))
	noError(t, err)
	trust := func(string, string) (jose.JSONWebKey, error) { return s.key.Public(), nil }
	v, err := c.Verify(trust, time.Now(), credential.Want{Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: s.issuer.Issuer,
		Binding: &credential.Binding{Audience: s.consumer.ID, Nonce: "a-nonce-of-ours", MaxAge: time.Minute}})
	noError(t, err)
	if len(v.Claims) != 2 || v.Claims["registered_at_least_30_days"] != true || v.Status == nil {
		t.Errorf("the consumer learns %v, status %v", v.Claims, v.Status)
	}
	status := func() credential.StatusValue {
		resp, err := http.Get(v.Status.URI)
		noError(t, err)
		defer resp.Body.Close()
		token, err := io.ReadAll(resp.Body)
		noError(t, err)
		list, err := credential.ReadStatusList(string(token), v.Status.URI, s.issuer.Issuer, trust, time.Now())
		noError(t, err)
		return list.At(v.Status.Index)
	}
	if got := status(); got != credential.Valid {
		t.Errorf("the list says %d", got)
	}
	noError(t, s.revoke(places...))
	s.set(time.Now().Add(time.Hour))
	noError(t, s.pod.RefreshStatuses(t.Context()))
	if says := s.told(outbox.EvidenceRevoked); says["location"] != at || says["result"] != "revoked" || says["reference"] != "case-1" {
		t.Errorf("told %v", says)
	}
	for _, accept := range []string{credential.MediaType, pod.TypeTurtle} {
		if got := statusOf(s.consumer.Get(t.Context(), at, accept)); got != 410 {
			t.Errorf("after the revocation, a read as %s: %d", accept, got)
		}
	}
	if got := status(); got != credential.Invalid {
		t.Errorf("the list says %d after the revocation", got)
	}
}

// TestLimitsOverHTTP: what was agreed on is enforced at each read.
func TestLimitsOverHTTP(t *testing.T) {
	s := newStreet(t)
	s.deliver(8)
	party, err := s.parties.Party(t.Context(), s.consumer.ID)
	noError(t, err)
	for _, row := range []struct {
		is     string
		edit   func(*consent.Detail)
		reads  int // that succeed
		change func()
		want   int
	}{
		{"once is once", func(d *consent.Detail) { d.Reads = 1 }, 1, nil, 403},
		{"twice is twice", func(d *consent.Detail) { d.Reads = 2 }, 2, nil, 403},
		{"evidence that is too old", func(d *consent.Detail) { d.MaxAge = "P7D" }, 1, func() { s.set(time.Now().AddDate(0, 0, 9)) }, 410},
		{"after the last day", func(d *consent.Detail) { d.Until = time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly) }, 1, func() { s.set(time.Now().AddDate(0, 0, 5)) }, 403},
		{"evidence that has expired", nil, 1, func() { s.set(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 30)) }, 410},
		{"a purpose that is no longer registered", nil, 1, func() {
			p := party
			p.Uses = nil
			noError(t, s.parties.Add(p))
		}, 403},
	} {
		at := s.share(row.edit)
		for range row.reads {
			if got := statusOf(s.consumer.Get(t.Context(), at, pod.TypeTurtle)); got != 200 {
				t.Errorf("%s: before, %d", row.is, got)
			}
		}
		if row.change != nil {
			row.change()
		}
		if got := statusOf(s.consumer.Get(t.Context(), at, pod.TypeTurtle)); got != row.want {
			t.Errorf("%s: %d, want %d", row.is, got, row.want)
		}
		s.clock.Store(nil)
		noError(t, s.parties.Add(party))
	}
}

// TestAskByTheInbox: a consumer asks whom it knows with no browser at hand, and is
// told of the answer.
func TestAskByTheInbox(t *testing.T) {
	s := newStreet(t)
	s.deliver(3)
	s.share(nil)
	who := s.persons[0].who
	for id, yes := range map[string]bool{"yes": true, "no": false} {
		sent, err := s.consumer.Ask(t.Context(), s.webID, id, detail(func(d *consent.Detail) { d.Reference = id }))
		noError(t, err)
		offers, err := s.pod.Requests(t.Context(), who)
		noError(t, err)
		if len(offers) != 1 || offers[0].Request.Reference != id {
			t.Fatalf("%s: the person sees %+v", id, offers)
		}
		a := consent.Answer{Agree: yes, Lang: "sv", Evidence: offers[0].Choices[0].Evidence.ID, Shown: offers[0].Choices[0].Shown}
		_, err = s.pod.Answer(t.Context(), who, offers[0].Request.ID, a)
		noError(t, err)
		says := s.told(outbox.RequestAnswered)
		if says["request"] != sent.Location || says["reference"] != id || (says["result"] == "agreed") != yes {
			t.Errorf("%s: told %v", id, says)
		}
		if got, err := s.consumer.Get(t.Context(), sent.Location, "application/json"); err != nil || !strings.Contains(string(got.Body), says["result"]) {
			t.Errorf("%s: read %s, %v", id, got.Body, err)
		}
		if yes && statusOf(s.consumer.Get(t.Context(), says["location"], credential.MediaType)) != 200 {
			t.Error("what was agreed to can't be read")
		}
	}
	if got := statusOf(s.provider.Get(t.Context(), s.webID, "")); got != 200 {
		t.Errorf("the WebID is answered with %d", got)
	}
	if _, err := s.provider.Ask(t.Context(), s.webID, "x", detail(nil)); statusOf(nil, err) != 403 {
		t.Errorf("another party asks: %v", err)
	}
}
