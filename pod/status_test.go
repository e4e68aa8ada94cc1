// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	podstatus "skrin/pod/status"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

const (
	aggregation = "https://af.example.se/status"
	listed      = "https://af.example.se/status/1"
)

// A revoker is the authority's status lists, as they are fetched.
type revoker struct {
	*town
	mu      sync.Mutex // held by fetch
	list    *credential.StatusList
	lists   []string // of the aggregation
	fetched []string
	down    bool
	next    int
}

// newRevoker lets the authority revoke.
func newRevoker(t *testing.T) *revoker {
	w := newTown(t)
	parties := w.pod.Registry.(*registry.Parties)
	p, err := parties.Party(t.Context(), authority)
	must(t, err)
	p.StatusLists = aggregation
	must(t, parties.Add(p))
	r := &revoker{town: w, list: credential.NewStatusList(listed, 0), lists: []string{listed}}
	r.list.TTL = 5 * time.Minute
	w.pod.Statuses = &podstatus.Lists{Fetch: r.fetch, Key: make([]byte, 32)}
	return r
}

func (r *revoker) fetch(_ context.Context, url, _ string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched = append(r.fetched, url)
	if r.down {
		return nil, errors.New("nobody answers")
	}
	if url == aggregationOf("annan") {
		return json.Marshal(map[string]any{"status_lists": []string{listed}})
	}
	if url == aggregation {
		return json.Marshal(map[string]any{"status_lists": r.lists})
	}
	if !slices.Contains(r.lists, url) {
		return nil, errors.New("no such list")
	}
	if url != listed {
		other := credential.NewStatusList(url, 0)
		other.Issued = r.now
		token, err := other.Sign(r.keys[authority])
		return []byte(token), err
	}
	r.list.Issued = r.now
	token, err := r.list.Sign(r.keys[authority])
	return []byte(token), err
}

// forms issues n forms, each with a place of its own, and returns the places.
func (r *revoker) forms(n int) ([]string, []int) {
	var all []string
	var places []int
	for range n {
		r.next += 1009
		places = append(places, r.next)
		all = append(all, r.issue(1, func(s *credential.Statement) { s.Status = &credential.Status{URI: listed, Index: r.next} })...)
	}
	return all, places
}

// later lets the server fetch what is due after a while.
func (r *revoker) later(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	if err := r.pod.RefreshStatuses(r.t.Context()); (err != nil) != r.down {
		r.t.Fatal(err)
	}
}

// TestRevocation: what the provider's list says is what the person sees, what
// the consumer gets, what the log tells and what the consumer is told.
func TestRevocation(t *testing.T) {
	r := newRevoker(t)
	forms, places := r.forms(3)
	r.deposit(r.connect(), forms)
	there := r.location(r.answer("ask", insurer, asks(), agree))
	r.told()
	for _, row := range []struct {
		is     string
		place  int
		status credential.StatusValue
		want   evidence.EndState
		kind   ldp.Kind
	}{
		{"nothing is revoked", 0, credential.Valid, evidence.Current, 0},
		{"the list is as it was", 0, credential.Valid, evidence.Current, 0},
		{"one form is suspended, perhaps another's", 2, credential.Suspended, evidence.Suspended, ldp.Gone},
		{"and is valid again", 2, credential.Valid, evidence.Current, 0},
		{"one form is revoked", 1, credential.Invalid, evidence.Revoked, ldp.Gone},
	} {
		before := r.state()
		entries := len(r.log())
		r.list.Set(places[row.place], row.status)
		r.later(5 * time.Minute)
		if got := r.state(); got != row.want {
			t.Errorf("%s: the person sees %q, want %q", row.is, got, row.want)
		}
		told, logged := r.told(), r.log()[entries:]
		if changed := before != row.want; changed != (len(told) == 1) || changed != (len(logged) == 1) {
			t.Errorf("%s: told %+v, logged %+v", row.is, told, logged)
		} else if changed && (told[0].Event != outbox.EvidenceRevoked || told[0].Location != base+string(there) || logged[0].Action != log.DidRevoke || told[0].Result != logged[0].Why) {
			t.Errorf("%s: told %+v, logged %+v", row.is, told, logged)
		}
		for _, accept := range []string{pod.TypeTurtle, credential.MediaType} {
			_, err := r.read(insurer, there, accept)
			if (err == nil) != (row.kind == 0) || err != nil && ldp.KindOf(err) != row.kind {
				t.Errorf("%s: a read as %s: %v", row.is, accept, err)
			}
		}
	}
	id, err := r.pod.Begin(t.Context(), r.alva, "again", insurer, []json.RawMessage{asks()})
	must(t, err)
	if o, err := r.pod.Offer(t.Context(), r.alva, id); err != nil || len(o.Choices) != 0 {
		t.Errorf("revoked evidence is offered: %v, %v", o.Choices, err)
	}
}

// state is what the person sees of her newest evidence.
func (r *revoker) state() evidence.EndState {
	r.t.Helper()
	held, err := r.pod.Holdings(r.t.Context(), r.alva)
	must(r.t, err)
	state, known, err := r.pod.StatusOf(r.t.Context(), r.alva, held[0].ID)
	if must(r.t, err); state != held[0].State(r.now) || !known {
		r.t.Errorf("StatusOf says %q, %t; Holdings %q", state, known, held[0].State(r.now))
	}
	return state
}

// TestHerdPrivacy: what is fetched, and when, doesn't follow from what anybody here
// has or does.
func TestHerdPrivacy(t *testing.T) {
	r := newRevoker(t)
	r.later(0)
	if want := []string{aggregation, listed}; !slices.Equal(r.fetched, want) {
		t.Fatalf("fetched %v before anybody has anything, want %v", r.fetched, want)
	}
	r.fetched = nil
	forms, _ := r.forms(2)
	r.deposit(r.connect(), forms)
	there := r.location(r.answer("ask", insurer, asks(), agree))
	for range 5 {
		_, err := r.read(insurer, there, credential.MediaType)
		must(t, err)
	}
	if r.fetched != nil {
		t.Errorf("fetched %v for a deposit and reads", r.fetched)
	}
}

// TestAListOutOfReach: a read that can't know waits; the person still sees what
// was known.
func TestAListOutOfReach(t *testing.T) {
	r := newRevoker(t)
	forms, places := r.forms(2)
	r.deposit(r.connect(), forms)
	there := r.location(r.answer("ask", insurer, asks(), agree))
	r.down = true
	r.later(23 * time.Hour)
	if _, err := r.read(insurer, there, pod.TypeTurtle); err != nil {
		t.Errorf("while the list is relied on: %v", err)
	}
	r.later(2 * time.Hour)
	if _, err := r.read(insurer, there, pod.TypeTurtle); ldp.KindOf(err) != ldp.Unavailable {
		t.Errorf("with a list out of date: %v", err)
	}
	r.pod.Statuses = &podstatus.Lists{Fetch: r.fetch, Key: make([]byte, 32)} // another process
	if _, err := r.read(insurer, there, pod.TypeTurtle); ldp.KindOf(err) != ldp.Unavailable {
		t.Errorf("before a list was fetched: %v", err)
	}
	r.down = false
	r.list.Set(places[0], credential.Invalid)
	r.later(time.Minute)
	if got := r.state(); got != evidence.Revoked {
		t.Errorf("what was revoked meanwhile is %q", got)
	}
	if told := r.told(); len(told) != 1 || told[0].Result != "revoked" {
		t.Errorf("told %+v", told)
	}
}

// TestAnothersList: an issuer that says that another's list is its own neither keeps
// us from fetching it, nor takes places in it.
func TestAnothersList(t *testing.T) {
	r := newRevoker(t)
	p, key := r.another()
	forms, places := r.forms(1)
	r.deposit(r.connect(), forms)
	r.list.Set(places[0], credential.Invalid)
	for range 3 {
		r.now = r.now.Add(5 * time.Minute)
		if err := r.pod.RefreshStatuses(t.Context()); err == nil {
			t.Error("the other's list is good")
		}
	}
	if got := r.state(); got != evidence.Revoked {
		t.Errorf("the person sees %q, want %q", got, evidence.Revoked)
	}
	statement := r.statement()
	statement.Issuer, statement.Status = p.Issuer, &credential.Status{URI: listed, Index: 4711}
	form, err := credential.Issue(key, statement)
	must(t, err)
	to := r.location(r.answer("other", p.ID, deposits(), func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} }))
	if _, err := r.pod.Post(t.Context(), r.agent(p.ID), post(to, credential.MediaType, form)); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("a place in another's list: %v", err)
	}
}

// another registers a party that may issue the same, and comes before the authority.
func (r *revoker) another() (registry.Party, jose.JSONWebKey) {
	r.t.Helper()
	const other = "annan"
	parties := r.pod.Registry.(*registry.Parties)
	p, err := parties.Party(r.t.Context(), authority)
	must(r.t, err)
	key := newKey(r.t, "annan-1")
	p.ID, p.WebID, p.Issuer, p.StatusLists = other, base+"/.parties/"+other+"#org", "https://annan.example.se", aggregationOf(other)
	p.Keys.Keys = append(p.Keys.Keys[:0:0], key.Public())
	must(r.t, parties.Add(p))
	return p, key
}

// TestASlowIssuerHoldsUpNobodyElse: while one party's lists don't come, another's
// are fetched, and what is deposited by it is taken.
func TestASlowIssuerHoldsUpNobodyElse(t *testing.T) {
	r := newRevoker(t)
	slow, _ := r.another()
	to := r.connect()
	asked, enough := make(chan struct{}), make(chan struct{})
	r.pod.Statuses.Fetch = func(ctx context.Context, url, accept string) ([]byte, error) {
		if url == slow.StatusLists {
			close(asked)
			<-enough
			return nil, errors.New("nobody answers")
		}
		return r.fetch(ctx, url, accept)
	}
	done := make(chan error)
	go func() { done <- r.pod.RefreshStatuses(t.Context()) }()
	<-asked
	forms, _ := r.forms(1)
	r.deposit(to, forms)
	close(enough)
	if err := <-done; err == nil || !strings.Contains(err.Error(), slow.ID) {
		t.Errorf("the round: %v", err)
	}
}

func aggregationOf(party string) string { return "https://" + party + ".example.se/status" }

// TestAStartWithoutTheIssuer: after a start the lists that were fetched before it
// are relied on as before, as long as before; what was kept is believed for its
// signature alone.
func TestAStartWithoutTheIssuer(t *testing.T) {
	r := newRevoker(t)
	kept := keeper{}
	r.pod.Statuses.Kept = kept
	forms, places := r.forms(2)
	r.deposit(r.connect(), forms)
	there := r.location(r.answer("ask", insurer, asks(), agree))
	r.later(15 * time.Minute)
	r.down = true
	restart := func() {
		r.pod.Statuses = &podstatus.Lists{Fetch: r.fetch, Key: make([]byte, 32), Kept: kept}
		_ = r.pod.RecallStatuses(t.Context()) // what can't be recalled is an error, and no more
	}
	reads := func(is string, want ldp.Kind) {
		t.Helper()
		_, err := r.read(insurer, there, pod.TypeTurtle)
		if err == nil && want != 0 || err != nil && ldp.KindOf(err) != want {
			t.Errorf("%s: %v", is, err)
		}
	}
	restart()
	r.fetched = nil
	reads("after a start, with nobody to ask", 0)
	if len(r.fetched) != 0 {
		t.Errorf("the read fetched %v", r.fetched)
	}
	for name, b := range kept {
		if strings.HasPrefix(name, "list ") {
			kept[name] = []byte(strings.Replace(string(b), ".ey", ".eyJ", 1))
		}
	}
	restart()
	reads("what was kept has been tampered with", ldp.Unavailable)

	r.down = false
	r.later(6 * time.Minute)
	r.down = true
	r.now = r.now.Add(25 * time.Hour)
	restart()
	reads("what was kept is out of date", ldp.Unavailable)
	r.now = r.now.Add(-26 * time.Hour)
	restart()
	reads("what was kept is from the future", ldp.Unavailable)
	r.now = r.now.Add(time.Hour)
	restart()
	reads("what was kept, at its time", 0)

	r.down = false
	r.list.Set(places[0], credential.Invalid)
	r.later(6 * time.Minute)
	reads("revoked", ldp.Gone)
	r.down = true
	restart()
	reads("revoked, after a start", ldp.Gone)
	if told := r.told(); len(told) != 1 {
		t.Errorf("told %d times", len(told))
	}
}

// A keeper keeps in memory, and forgets nothing.
type keeper map[string][]byte

func (k keeper) Keep(_ context.Context, name string, b []byte, _ time.Time) error {
	k[name] = b
	return nil
}
func (k keeper) Kept(_ context.Context, name string) ([]byte, error) { return k[name], nil }

// TestPlacesThatAreRefused: a deposit whose status can't be followed, or would
// tell two recipients that they know the same person.
func TestPlacesThatAreRefused(t *testing.T) {
	r := newRevoker(t)
	r.list.Set(77, credential.Invalid)
	to := r.connect()
	at := func(places ...int) []string {
		var all []string
		for _, i := range places {
			all = append(all, r.issue(1, func(s *credential.Statement) { s.Status = &credential.Status{URI: listed, Index: i} })...)
		}
		return all
	}
	elsewhere := r.issue(1, func(s *credential.Statement) {
		s.Status = &credential.Status{URI: "https://af.example.se/status/of-alva", Index: 1}
	})
	must(t, second(r.pod.Post(t.Context(), r.agent(authority), post(to, credential.MediaType, strings.Join(at(1000, 2000), "\n")))))
	for _, row := range []struct {
		is    string
		forms []string
		says  string
	}{
		{"a list that isn't in the aggregation", elsewhere, "aggregation"},
		{"revoked already", at(77), "revoked"},
		{"outside the list", at(1 << 30), "no such place"},
		{"one place for two forms", at(5, 5), "shares"},
		{"neighbours", at(5, 6), "neighbour"},
		{"neighbours, the other way round", at(7, 99, 6), "neighbour"},
		{"a place of evidence delivered before", at(1000), "delivered before"},
	} {
		_, err := r.pod.Post(t.Context(), r.agent(authority), post(to, credential.MediaType, strings.Join(row.forms, "\n")))
		f, _ := errors.AsType[*ldp.Fault](err)
		if f == nil || f.Kind != ldp.Unprocessable || !strings.Contains(strings.Join(f.Errors, " "), row.says) {
			t.Errorf("%s: %+v", row.is, f)
		}
	}
	nils, err := r.pod.Make(t.Context(), "person-nils")
	must(t, err)
	r.alva = nils
	if _, err := r.pod.Post(t.Context(), r.agent(authority), post(r.connect(), credential.MediaType, at(2000)[0])); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("a place of another person's: %v", err)
	}
}

// TestARetryAfterARevocation: a deposit that is sent again, because its answer was
// lost, is answered as it was, though a form of it has been revoked meanwhile. Who
// may no longer deposit gets no answer by it.
func TestARetryAfterARevocation(t *testing.T) {
	r := newRevoker(t)
	to := r.connect()
	forms, places := r.forms(2)
	send := func(key string) (ldp.Written, error) {
		req := post(to, credential.MediaType, strings.Join(forms, "\n"))
		req.Key = key
		return r.pod.Post(t.Context(), r.agent(authority), req)
	}
	first, err := send("k")
	must(t, err)
	r.list.Set(places[1], credential.Invalid)
	r.later(5 * time.Minute)
	if again, err := send("k"); err != nil || again.ID != first.ID || string(again.Receipt) != string(first.Receipt) || !again.Created {
		t.Errorf("with the same key: %+v, %v", again, err)
	}
	if _, err := send("other"); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("with another key: %v", err)
	}
	must(t, r.pod.Disconnect(t.Context(), r.alva, authority))
	if again, err := send("k"); ldp.KindOf(err) != ldp.Forbidden || again.Receipt != nil {
		t.Errorf("when the connection has ended: %+v, %v", again, err)
	}
}

// TestFormsAreSpread: where an issuer has several lists, forms that are all in one
// are refused, since that list alone would tell that they are of one person.
func TestFormsAreSpread(t *testing.T) {
	r := newRevoker(t)
	const second = "https://af.example.se/status/2"
	r.lists = []string{listed, second}
	to := r.connect()
	in := func(lists ...string) string {
		var all []string
		for _, uri := range lists {
			r.next += 1009
			all = append(all, r.issue(1, func(s *credential.Statement) { s.Status = &credential.Status{URI: uri, Index: r.next} })...)
		}
		return strings.Join(all, "\n")
	}
	for _, row := range []struct {
		is    string
		forms string
		says  string
	}{
		{"all in one", in(listed, listed, listed), "Spread"},
		{"in both", in(listed, second, listed), ""},
		{"a single form", in(listed), ""},
	} {
		_, err := r.pod.Post(t.Context(), r.agent(authority), post(to, credential.MediaType, row.forms))
		f, _ := errors.AsType[*ldp.Fault](err)
		if row.says == "" && err != nil || row.says != "" && (f == nil || !strings.Contains(strings.Join(f.Errors, " "), row.says)) {
			t.Errorf("%s: %v, %+v", row.is, err, f)
		}
	}
}

// TestPlacesEnd: who removes evidence, or is erased, leaves no trace by which a
// list would find the pod.
func TestPlacesEnd(t *testing.T) {
	r := newRevoker(t)
	to := r.connect()
	forms, _ := r.forms(3)
	r.deposit(to, forms)
	if n := r.stored("P"); n != 3 {
		t.Errorf("%d places are kept", n)
	}
	held, err := r.pod.Holdings(t.Context(), r.alva)
	must(t, err)
	must(t, r.pod.RemoveEvidence(t.Context(), r.alva, held[0].ID))
	if n := r.stored("P"); n != 0 {
		t.Errorf("%d places are kept after the removal", n)
	}
	alva := r.alva
	r.alva, err = r.pod.Make(t.Context(), "person-nils")
	must(t, err)
	r.deposit(r.connect(), forms) // another person can have the places
	id := ""
	must(t, r.fake.View(t.Context(), "person/person-nils", func(tx store.Tx) error { id = tx.Pod(); return nil }))
	must(t, upkeep.Erase(t.Context(), r.fake, noBlobs{}, noBlobs{}, id))
	r.alva = alva
	r.deposit(to, forms)
}

// noBlobs is the blobs and keys of a server that has none.
type noBlobs struct{ store.Blobs }

func (noBlobs) List(context.Context, string, func(string, time.Time) error) error { return nil }
func (noBlobs) Destroy(context.Context, string) error                             { return nil }

func second[T any](_ T, err error) error { return err }
