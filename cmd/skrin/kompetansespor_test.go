// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth"
	"skrin/cmd/skrin/demo"
	"skrin/pod/credential"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// startTrail starts Kompetansespor.
func startTrail(t *testing.T, dir string) *running {
	t.Helper()
	return startPlans(t, dir, demo.Plans())
}

// startPlans starts a town with an office for each plan.
func startPlans(t *testing.T, dir string, plans []demo.Plan) *running {
	t.Helper()
	return start(t, dir, func(ctx context.Context, log *slog.Logger) (*town, error) {
		return newTrail(ctx, dir, 0, plans, log, func(who, what string) { t.Log(who, what) })
	})
}

// priya is the newcomer, and what she is known by in turn.
func priya(t *testing.T) (demo.Person, []demo.Number) {
	t.Helper()
	i := slices.IndexFunc(demo.People(), func(p demo.Person) bool { return p.Short == "priya" })
	p := demo.People()[i]
	return p, append([]demo.Number{{Scheme: p.Scheme, Number: p.Number}}, p.Later...)
}

// schemes are the schemes in which the vault has a number for a person now.
func (r *running) schemes(person string) (all []string) {
	r.t.Helper()
	_, numbers := priya(r.t)
	for _, n := range numbers {
		if got, err := r.vault.Number(r.t.Context(), person, n.Scheme); err == nil && got == n.Number {
			all = append(all, n.Scheme)
		}
	}
	return all
}

// TestKompetansespor is the way of somebody who is new in Norway, over HTTP, from
// the offer of employment to the tax card: each office's output is the next
// one's input, she is known by her passport first and by a birth number last,
// and types nothing. Then somebody whom no other party has heard of is
// registered, and she goes there too.
func TestKompetansespor(t *testing.T) {
	dir := t.TempDir()
	r := startTrail(t, dir)
	b := newBrowser(t)
	w := &trail{walker: b.walker, name: "Priya Raman", told: func(who, what string) { t.Log(who, what) }}
	begun := time.Now()
	person, owner := "", acl.Agent{}
	for i, plan := range demo.Plans() {
		if err := w.visit(r.origins[i+1], plan); err != nil {
			t.Fatal(plan.ID, err)
		}
		if person == "" {
			person, owner = r.whoIs("xx:passport")
		}
		want := map[string]string{"exempel-arbeidsgiver": "xx:passport", "udi": "no:dnummer", "politiet": "no:dnummer", "skatteetaten": "no:fodselsnummer"}[plan.ID]
		if got := r.schemes(person); len(got) != 1 || got[0] != want {
			t.Errorf("after %s she is known by %v, want %s", plan.ID, got, want)
		}
		r.grantsHold(owner, i)
	}
	t.Logf("%d acts, %d presses, %v", w.acts, w.presses, time.Since(begun))
	if w.acts > 6 {
		t.Errorf("%d acts of the person", w.acts)
	}
	if len(w.typed) > 0 {
		t.Errorf("she would have had to type at %v", w.typed)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}

	bank := r.joins("exempel-bank", "testdata/bank.json")
	if err := w.visit(bank, r.plan("testdata/bank.json")); err != nil {
		t.Fatal("the new party: ", err)
	}
	b.sees("Har skattekort Ja")
	r.grantsHold(owner, len(demo.Plans()))

	anew := newBrowser(t) // with the birth number, as her eID has it by now
	anew.open(r.Base + "/me/sharing")
	anew.signIn("Priya Raman")
	anew.sees("UDI (exempel)", "Politiet (exempel)", "Skatteetaten (exempel)", "Eksempel Bank (exempel)")
	if again, _ := r.whoIs("no:fodselsnummer"); again != person {
		t.Error("by her birth number she is somebody else")
	}
	r.canaries(b, anew)
}

// whoIs returns whom the vault knows by Priya's number in a scheme.
func (r *running) whoIs(scheme string) (string, acl.Agent) {
	r.t.Helper()
	_, numbers := priya(r.t)
	i := slices.IndexFunc(numbers, func(n demo.Number) bool { return n.Scheme == scheme })
	person, err := r.vault.Person(r.t.Context(), scheme, numbers[i].Number)
	if err != nil {
		r.t.Fatal(err)
	}
	owner, err := r.pod.Owner(r.t.Context(), person)
	if err != nil {
		r.t.Fatal(err)
	}
	return person, owner
}

// grantsHold fails the test unless there are n consents, and each recipient
// reads what was granted to it.
func (r *running) grantsHold(owner acl.Agent, n int) {
	r.t.Helper()
	shares, err := r.pod.Shares(r.t.Context(), owner)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(shares) != n {
		r.t.Errorf("%d consents, want %d", len(shares), n)
	}
	for _, s := range shares {
		c := s.Consent
		if status := statusOf(r.party(s.Party.ID).Get(r.t.Context(), r.Base+"/w/"+c.Space+"/evidence/"+c.Grant, credential.MediaType)); status != 200 || !s.Active {
			r.t.Errorf("%s reads what it was granted: %d", s.Party.ID, status)
		}
	}
}

func (r *running) plan(file string) (p demo.Plan) {
	r.t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// joins registers a party while everything runs, as its file in fixtures says,
// and opens its site.
func (r *running) joins(id, plan string) (origin string) {
	r.t.Helper()
	file, err := registration(id)
	if err == nil {
		err = r.listen(0, 1)
	}
	i := len(r.listeners) - 1
	if err == nil {
		err = r.settleOffice(r.dir, i, r.plan(plan), file, func(who, what string) { r.t.Log(who, what) })
	}
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveHTTP(ctx, r.listeners[i], r.outsiders[i-1].Handler(), r.server.log) }()
	r.t.Cleanup(func() { cancel(); <-ended })
	return r.origins[i]
}

// canaries looks for what was planted on the way - her numbers, her name, values
// of her evidence - where they may not be: in the log, in a URL, in an error, in
// the name or the contents of a file of the server's, in a key or a value of its
// store. It ends the run.
func (r *running) canaries(browsers ...*browser) {
	r.t.Helper()
	planted := map[string]string{"her name": "Raman", "her pay": "720000", "her occupation": "f2b15a0e-e65a-438a-affb-29b9d50b77d1", "her permit": "faglært"}
	_, numbers := priya(r.t)
	for _, n := range numbers {
		planted["her "+n.Scheme] = n.Number
	}
	places := map[string][]byte{}
	for _, b := range browsers {
		for _, page := range b.seen {
			address, _, _ := strings.Cut(page, "\n")
			places["the URL "+address] = []byte(address)
		}
	}
	for what, answer := range r.errors() {
		places["the error of "+what] = []byte(answer)
	}
	r.stop()
	places["the log"] = []byte(r.log.String())
	stored(r.t, filepath.Join(r.dir, "store"), places)
	onDisk := map[string][]byte{}
	files(r.t, r.dir, onDisk)
	for name, content := range onDisk {
		if !strings.Contains(name, "/parties/") { // what the offices keep is theirs
			places[name] = content
		}
	}
	if len(places) < 100 || len(places["the log"]) == 0 {
		r.t.Fatalf("only %d places were searched", len(places))
	}
	for place, content := range places {
		for what, canary := range planted {
			if bytes.Contains(content, []byte(canary)) {
				r.t.Errorf("%s is in %s", what, place)
			}
		}
	}
	for name, content := range onDisk { // the search sees, where it must
		if strings.Contains(name, "/parties/exempel-bank/") && bytes.Contains(content, []byte("has_tax_card")) {
			return
		}
	}
	r.t.Error("the search finds nothing at all")
}

// errors asks for what is refused, with her numbers where a client might put
// them, and returns all of each answer.
func (r *running) errors() map[string]string {
	r.t.Helper()
	all := map[string]string{}
	_, numbers := priya(r.t)
	key := r.party("udi").Key
	for _, n := range numbers {
		for is, claims := range map[string]any{
			"a change that isn't UDI's to tell":   numberChange{"udi", r.Base, time.Now().Unix(), numberInScheme{"no:dnummer", n.Number}, numberInScheme{"no:fodselsnummer", n.Number}},
			"a change with a number that is none": numberChange{"udi", r.Base, time.Now().Unix(), numberInScheme{"xx:passport", n.Number + " "}, numberInScheme{"no:dnummer", n.Number}},
		} {
			status, answer := r.renumbers(signed(r.t, key, typeRenumber, claims))
			if status < 400 {
				r.t.Errorf("%s: %d", is, status)
			}
			all[is+" "+n.Scheme] = answer
		}
	}
	for _, plan := range demo.Plans() {
		for _, path := range []string{"/w/x/evidence/y", "/w/x/deposit/", "/x/"} {
			all[plan.ID+" at "+path] = raw(r.t, r.party(plan.ID), r.Base+path, "text/turtle")
		}
	}
	return all
}

// renumbers posts a change of number, and returns the status and all of the
// answer.
func (r *running) renumbers(jws string) (int, string) {
	r.t.Helper()
	resp, err := http.Post(r.Base+"/.identities/", vouch.MediaType, strings.NewReader(jws))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header, string(body))
}

// TestWhoMayTellOfANumber: a change of number is taken from who is registered to
// tell of it, and from nobody else; whether anybody has the number is not told.
func TestWhoMayTellOfANumber(t *testing.T) {
	r := startTrail(t, t.TempDir())
	person, err := r.vault.Person(t.Context(), "xx:passport", "TEST-P4711")
	if err != nil {
		t.Fatal(err)
	}
	udi, police := r.party("udi").Key, r.party("politiet").Key
	good := func() numberChange {
		return numberChange{"udi", r.Base, time.Now().Unix(), numberInScheme{"xx:passport", "TEST-P4711"}, numberInScheme{"no:dnummer", "57912075186"}}
	}
	for _, row := range []struct {
		is     string
		key    jose.JSONWebKey
		typ    string
		edit   func(*numberChange)
		status int
	}{
		{"signed by another", police, typeRenumber, nil, 403},
		{"by a party that isn't registered for it", police, typeRenumber, func(c *numberChange) { c.Issuer = "politiet" }, 403},
		{"by nobody", udi, typeRenumber, func(c *numberChange) { c.Issuer = "nobody" }, 403},
		{"another kind of JWS", udi, "JWT", nil, 403},
		{"for another server", udi, typeRenumber, func(c *numberChange) { c.Audience = "https://elsewhere.example" }, 403},
		{"an old one", udi, typeRenumber, func(c *numberChange) { c.At -= 3600 }, 403},
		{"one of the future", udi, typeRenumber, func(c *numberChange) { c.At += 3600 }, 403},
		{"from a scheme that isn't its own", udi, typeRenumber, func(c *numberChange) { c.Former.Scheme = "se:personnummer" }, 403},
		{"to a scheme that isn't its own", udi, typeRenumber, func(c *numberChange) { c.Now.Scheme = "no:fodselsnummer" }, 403},
		{"not a number", udi, typeRenumber, func(c *numberChange) { c.Now.Number = "" }, 422},
		{"of somebody whom nobody knows", udi, typeRenumber, func(c *numberChange) { c.Former.Number = "TEST-NOBODY" }, 204},
	} {
		c := good()
		if row.edit != nil {
			row.edit(&c)
		}
		if status, answer := r.renumbers(signed(t, row.key, row.typ, c)); status != row.status {
			t.Errorf("%s: %d %s, want %d", row.is, status, answer, row.status)
		}
		if got := r.schemes(person); len(got) != 1 || got[0] != "xx:passport" {
			t.Fatalf("%s: she is known by %v", row.is, got)
		}
	}
	registration, err := r.server.register.Show(t.Context(), "udi")
	if err != nil {
		t.Fatal(err)
	}
	change := func(is string, status int, do func() error) {
		if err := said(do()); err != nil {
			t.Fatal(err)
		}
		if got, answer := r.renumbers(signed(t, udi, typeRenumber, good())); got != status {
			t.Errorf("%s: %d %s, want %d", is, got, answer, status)
		}
		if got := r.schemes(person); len(got) != 1 || got[0] != "xx:passport" {
			t.Fatalf("%s: she is known by %v", is, got)
		}
	}
	change("by a register that was struck off", 403, func() error { return r.server.register.Revoke(t.Context(), "udi", "") })
	add := func(f registry.PartyFile) error {
		f.Contact = "mailto:dpo@example.no"
		text, err := json.Marshal(f)
		if err == nil {
			_, _, err = r.server.register.Add(t.Context(), text, "", false)
		}
		return err
	}
	other := *registration.File
	other.Keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{police.Public()}}
	change("with a key that was replaced", 403, func() error { return add(other) })
	if err := add(*registration.File); err != nil {
		t.Fatal(err)
	}
	owner, err := r.pod.Make(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is as once
		if status, answer := r.renumbers(signed(t, udi, typeRenumber, good())); status != 204 {
			t.Errorf("a good one: %d %s", status, answer)
		}
		if got := r.schemes(person); len(got) != 1 || got[0] != "no:dnummer" {
			t.Errorf("she is known by %v", got)
		}
	}
	if status, answer := r.renumbers("x.y"); status != 403 {
		t.Errorf("no JWS: %d %s", status, answer)
	}
	entries, err := r.pod.Log(t.Context(), owner, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	entries = slices.DeleteFunc(entries, func(e log.Entry) bool { return e.Action != log.DidRenumber })
	if text := fmt.Sprint(entries); len(entries) != 1 || entries[0].Party != "udi" || strings.Contains(text, "P4711") || strings.Contains(text, "57912075186") {
		t.Errorf("her log says %s", text)
	}
	r.guard.numbers = auth.NewLimiter(2, time.Hour, 100, time.Now)
	for i, want := range []int{204, 429, 429} { // the first costs the address and the register one each
		if i == 1 {
			r.guard.numbers = auth.NewLimiter(1, time.Hour, 100, time.Now)
			r.guard.numbers.Allow("party udi")
		}
		if status, answer := r.renumbers(signed(t, udi, typeRenumber, good())); status != want || want == 429 && !strings.Contains(answer, "Retry-After") {
			t.Errorf("telling often, %d: %d %s", i, status, answer)
		}
	}
	if status, _ := r.renumbers("x.y"); status != 429 {
		t.Errorf("an address that has tried too often is told %d: something was verified", status)
	}
}
