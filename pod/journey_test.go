// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/fixtures"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/podtest"
	"skrin/pod/registry"
)

// A town is a server with its parties and one person, Alva.
type town struct {
	t    testing.TB
	pod  *pod.Pod
	fake *podtest.Fake
	now  time.Time
	keys map[string]jose.JSONWebKey // private, by party
	alva acl.Agent

	count int // of what was made
}

// sign is a Signer that needs no provider.
type sign struct{ key jose.JSONWebKey }

func (s sign) Sign(_ context.Context, typ string, payload []byte) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func newKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Algorithm: "ES256", Use: "sig"}
}

func newTown(t testing.TB) *town {
	t.Helper()
	return newTownOf(t, fixtures.Files)
}

// newTownOf is newTown with the types and parties of other files.
func newTownOf(t testing.TB, files fs.FS) *town {
	t.Helper()
	w := &town{t: t, now: time.Date(2026, 11, 21, 10, 4, 9, 123, time.UTC), keys: map[string]jose.JSONWebKey{}}
	clock := func() time.Time { return w.now }
	types, err := registry.LoadCatalogue(files, "types")
	must(t, err)
	parties := registry.NewParties(clock)
	must(t, registry.LoadParties(files, "parties", base, parties, func(b []byte) []byte {
		var f registry.PartyFile
		must(t, json.Unmarshal(b, &f))
		key := newKey(t, f.ID+"-1")
		w.keys[f.ID] = key
		f.Keys.Keys = []jose.JSONWebKey{key.Public()}
		b, err := json.Marshal(f)
		must(t, err)
		return b
	}))
	w.fake = podtest.NewFake(t, podtest.New(t))
	w.pod = &pod.Pod{
		Store: w.fake, Registry: parties, Types: types, Sign: sign{newKey(t, "server")},
		Base: base, Issuer: base, Now: clock, Rand: rand.Reader,
	}
	w.alva, err = w.pod.Make(t.Context(), "person-alva")
	must(t, err)
	return w
}

// agent is a party's back end, as its token proves it.
func (w *town) agent(party string) acl.Agent {
	return acl.Agent{ID: acl.WebID(base + "/.parties/" + party + "#org"), Client: party, Issuer: base}
}

const (
	authority = "arbetsformedlingen"
	insurer   = "exempel-forsakring"
	certified = "se:af:arbetsloshetsintyg:1"
)

func deposits() json.RawMessage {
	return json.RawMessage(`{"type":"evidence_deposit","evidence_types":["` + certified + `"]}`)
}

func asks() json.RawMessage {
	return json.RawMessage(`{"type":"evidence_request","reference":"skade/4711","use":"ink-2026","evidence_type":"` + certified + `",
		"fields":["registered_at_least_30_days"],"optional_fields":["registered"],
		"purpose":"https://w3id.org/dpv#CustomerClaimsManagement","until":"2027-05-21"}`)
}

// connect lets Alva connect to the authority, and returns where it deposits.
func (w *town) connect() ldp.ID {
	w.t.Helper()
	out := w.answer("connect", authority, deposits(), func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} })
	return w.location(out)
}

func (w *town) location(out consent.Outcome) ldp.ID {
	w.t.Helper()
	var d consent.Detail
	must(w.t, json.Unmarshal(out.Details[0], &d))
	return ldp.ID(strings.TrimPrefix(d.Locations[0], base))
}

func (w *town) answer(key, party string, detail json.RawMessage, decide func(consent.Offer) consent.Answer) consent.Outcome {
	w.t.Helper()
	id, err := w.pod.Begin(w.t.Context(), w.alva, key, party, []json.RawMessage{detail})
	must(w.t, err)
	o, err := w.pod.Offer(w.t.Context(), w.alva, id)
	must(w.t, err)
	out, err := w.pod.Answer(w.t.Context(), w.alva, id, decide(o))
	must(w.t, err)
	return out
}

// agree takes the first choice as it was shown.
func agree(o consent.Offer) consent.Answer {
	return consent.Answer{Agree: true, Evidence: o.Choices[0].Evidence.ID, Shown: o.Choices[0].Shown, Lang: "sv"}
}

func (w *town) statement() credential.Statement {
	return credential.Statement{
		Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: "https://af.example.se",
		Issued: w.now, Expires: w.now.AddDate(0, 0, 29), Decoys: 2,
		Claims: []credential.Claim{{Name: "registered", Value: true}, {Name: "registration_date", Value: "2026-10-01"}, {Name: "registered_at_least_30_days", Value: true}},
	}
}

// issue makes n signed forms of one statement.
func (w *town) issue(n int, edit func(*credential.Statement)) []string {
	w.t.Helper()
	s := w.statement()
	if edit != nil {
		edit(&s)
	}
	var forms []string
	for range n {
		form, err := credential.Issue(w.keys[authority], s)
		must(w.t, err)
		forms = append(forms, form)
	}
	return forms
}

func post(to ldp.ID, mediaType, body string) ldp.Post {
	return ldp.Post{ID: to, Type: mediaType, Body: strings.NewReader(body), Size: int64(len(body))}
}

func (w *town) deposit(to ldp.ID, forms []string) ldp.Written {
	w.t.Helper()
	done, err := w.pod.Post(w.t.Context(), w.agent(authority), post(to, credential.MediaType, strings.Join(forms, "\n")))
	must(w.t, err)
	return done
}

func read(id ldp.ID, accept string) ldp.Get {
	return ldp.Get{ID: id, Choose: func(offers ...string) string {
		if slices.Contains(offers, accept) {
			return accept
		}
		return ""
	}}
}

func (w *town) read(party string, id ldp.ID, accept string) (string, error) {
	res, err := w.pod.Get(w.t.Context(), w.agent(party), read(id, accept))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	return string(b), nil
}

func (w *town) log() []log.Entry {
	w.t.Helper()
	entries, err := w.pod.Log(w.t.Context(), w.alva, 0, 1000)
	must(w.t, err)
	slices.Reverse(entries)
	must(w.t, log.Verify(entries))
	return entries
}

func (w *town) actions() string {
	var s []string
	for _, e := range w.log() {
		s = append(s, string(e.Action)+" "+e.Party)
	}
	return strings.Join(s, ", ")
}

func TestTheMainJob(t *testing.T) {
	w := newTown(t)
	deposit := w.connect()
	w.deposit(deposit, w.issue(3, nil))

	if _, err := w.read(authority, deposit, pod.TypeTurtle); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("the provider reads back what it delivered: %v", err)
	}
	var offer consent.Offer
	out := w.answer("ask", insurer, asks(), func(o consent.Offer) consent.Answer { offer = o; return agree(o) })
	evidence := w.location(out)

	turtle, err := w.read(insurer, evidence, pod.TypeTurtle)
	must(t, err)
	shown := fmt.Sprint(offer.Choices[0].Released)
	if shown != "[{registered_at_least_30_days true}]" || !strings.Contains(turtle, "registered30days") {
		t.Errorf("shown %s, read\n%s", shown, turtle)
	}
	for _, secret := range []string{"2026-10-01", "registrationDate", strings.Split(string(w.alva.ID), "/")[3], strings.Split(string(deposit), "/")[2]} {
		if strings.Contains(turtle, secret) {
			t.Errorf("the consumer receives %q:\n%s", secret, turtle)
		}
	}
	compact, err := w.read(insurer, evidence, credential.MediaType)
	must(t, err)
	w.verifies(compact, map[string]any{"registered_at_least_30_days": true})

	must(t, w.pod.Withdraw(t.Context(), w.alva, w.shares()[0].Consent.ID))
	for _, accept := range []string{pod.TypeTurtle, credential.MediaType} {
		if _, err := w.read(insurer, evidence, accept); ldp.KindOf(err) != ldp.Forbidden {
			t.Errorf("read as %s after the withdrawal: %v", accept, err)
		}
	}
	want := "connect " + authority + ", deliver " + authority + ", refuse " + authority + ", agree " + insurer +
		", read " + insurer + ", read " + insurer + ", withdraw " + insurer + ", refuse " + insurer
	if got := w.actions(); got != want {
		t.Errorf("the log says\n%s\nwant\n%s", got, want)
	}
}

// keyOf returns a party's public key: credential.Keys.
func (w *town) keyOf(party string) credential.Keys {
	private := w.keys[party]
	key := private.Public()
	return func(string, string) (jose.JSONWebKey, error) { return key, nil }
}

func (w *town) verifies(compact string, want map[string]any) {
	w.t.Helper()
	c, err := credential.Parse(compact)
	must(w.t, err)
	s := w.statement()
	v, err := c.Verify(w.keyOf(authority), w.now, credential.Want{Type: s.Type, Issuer: s.Issuer})
	must(w.t, err)
	if fmt.Sprint(v.Claims) != fmt.Sprint(want) {
		w.t.Errorf("disclosed %v, want %v", v.Claims, want)
	}
}

func (w *town) shares() []consent.Share {
	w.t.Helper()
	s, err := w.pod.Shares(w.t.Context(), w.alva)
	must(w.t, err)
	return s
}

// TestTwoCounterparts: what two consumers receive of one evidence has nothing
// in common but what the person released and who issued it.
func TestTwoCounterparts(t *testing.T) {
	w := newTown(t)
	parties := w.pod.Registry.(*registry.Parties)
	other, err := parties.Party(t.Context(), insurer)
	must(t, err)
	other.ID, other.WebID = "andra-forsakring", base+"/.parties/andra-forsakring#org"
	must(t, parties.Add(other))

	w.deposit(w.connect(), w.issue(2, nil))
	var got [2][]string
	for i, party := range []string{insurer, "andra-forsakring"} {
		out := w.answer(party, party, asks(), agree)
		res, err := w.pod.Get(t.Context(), w.agent(party), read(w.location(out), credential.MediaType))
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		got[i] = []string{string(out.WebID), out.Subject, string(res.ID), res.Tag, string(body)}
		got[i] = append(got[i], strings.FieldsFunc(string(body), func(r rune) bool { return r == '.' || r == '~' })[1:]...)
	}
	for i := range got[0] {
		if got[0][i] == got[1][i] {
			t.Errorf("both received %s", got[0][i])
		}
	}
}

func TestDepositsThatAreRefused(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	mallory := w.keys["mallory"]
	turtle := func(value string) string {
		return `@prefix cccev: <http://data.europa.eu/m8g/> . @prefix dct: <http://purl.org/dc/terms/> .
		<#evidence> a cccev:Evidence ; dct:conformsTo <https://af.example.se/evidence#arbetsloshetsintyg> ;
		<` + base + `/ns/core#signedForm> "` + w.issue(1, nil)[0] + `" ;
		cccev:supportsValue [ cccev:providesValueFor <https://af.example.se/evidence#registered> ; cccev:value ` + value + ` ] .`
	}
	form := func(edit func(*credential.Statement)) string { return w.issue(1, edit)[0] }
	at := func(i int) func(*credential.Statement) {
		return func(s *credential.Statement) {
			s.Status = &credential.Status{URI: "https://af.example.se/status/1", Index: i}
		}
	}
	twice := form(nil)
	foreign := func() string {
		s, err := credential.Issue(mallory, w.statement())
		must(t, err)
		return s
	}
	for _, row := range []struct {
		is, mediaType, body string
		want                ldp.Kind
	}{
		{"no media type", "", form(nil), ldp.Invalid},
		{"a media type that isn't taken", "application/pdf", "%PDF", ldp.Unsupported},
		{"malformed Turtle", "text/turtle", "<#evidence> a", ldp.Invalid},
		{"malformed JSON-LD", "application/ld+json", `{"@id":`, ldp.Invalid},
		{"JSON-LD with a foreign context", "application/ld+json", `{"@context":"http://127.0.0.1:1/x"}`, ldp.Invalid},
		{"an empty body", credential.MediaType, "", ldp.Unprocessable},
		{"not an SD-JWT", credential.MediaType, "a.b.c~", ldp.Unprocessable},
		{"unsigned RDF", "text/turtle", `<#evidence> a <http://data.europa.eu/m8g/Evidence> .`, ldp.Unprocessable},
		{"signed by another", credential.MediaType, foreign(), ldp.Unprocessable},
		{"a type that it may not issue", credential.MediaType, form(func(s *credential.Statement) { s.Type = "https://af.example.se/vct/other/1" }), ldp.Unprocessable},
		{"in another's name", credential.MediaType, form(func(s *credential.Statement) { s.Issuer = "https://udi.example.no" }), ldp.Unprocessable},
		{"expired", credential.MediaType, form(func(s *credential.Statement) { s.Issued, s.Expires = w.now.AddDate(0, -2, 0), w.now.AddDate(0, -1, 0) }), ldp.Unprocessable},
		{"from the future", credential.MediaType, form(func(s *credential.Statement) { s.Issued = w.now.AddDate(0, 0, 2) }), ldp.Unprocessable},
		{"a claim of another type", credential.MediaType, form(func(s *credential.Statement) { s.Claims = append(s.Claims, credential.Claim{Name: "income", Value: 1}) }), ldp.Unprocessable},
		{"a value of another datatype", credential.MediaType, form(func(s *credential.Statement) { s.Claims[0].Value = "yes" }), ldp.Unprocessable},
		{"a date that isn't one", credential.MediaType, form(func(s *credential.Statement) { s.Claims[1].Value = "2026-13-40" }), ldp.Unprocessable},
		{"two forms that differ", credential.MediaType, form(nil) + "\n" + form(func(s *credential.Statement) { s.Claims[0].Value = false }), ldp.Unprocessable},
		{"two forms with one place in the status list", credential.MediaType, form(at(7)) + "\n" + form(at(7)), ldp.Unprocessable},
		{"one form twice", credential.MediaType, twice + "\n" + twice, ldp.Unprocessable},
		{"too many forms", credential.MediaType, strings.Repeat("a.b.c~\n", 33), ldp.Unprocessable},
		{"RDF that says something else than the signature", "text/turtle", turtle("false"), ldp.Unprocessable},
		{"RDF with a personal number", "text/turtle", turtle(`true ; <http://purl.org/dc/terms/description> "för 770523-2382"`), ldp.Unprocessable},
		{"too large", credential.MediaType, strings.Repeat("x", 600<<10), ldp.TooLarge},
	} {
		_, err := w.pod.Post(t.Context(), w.agent(authority), post(to, row.mediaType, row.body))
		if ldp.KindOf(err) != row.want {
			t.Errorf("%s: %v, want %d", row.is, err, row.want)
		}
		if err != nil && (strings.Contains(err.Error(), "2026-10-01") || strings.Contains(err.Error(), "770523")) {
			t.Errorf("%s: the error tells a value: %v", row.is, err)
		}
	}
	for _, row := range []struct {
		is   string
		who  acl.Agent
		to   ldp.ID
		want ldp.Kind
	}{
		{"a stranger", acl.Agent{}, to, ldp.Unauthenticated},
		{"another party", w.agent("mallory"), to, ldp.Forbidden},
		{"the person", w.alva, to, ldp.Forbidden},
		{"another client in the provider's name", acl.Agent{ID: w.agent(authority).ID, Client: "mallory", Issuer: base}, to, ldp.Forbidden},
		{"another issuer's token in the provider's name", acl.Agent{ID: w.agent(authority).ID, Client: authority, Issuer: "https://evil.example"}, to, ldp.Forbidden},
		{"the provider in a space that doesn't exist", w.agent(authority), "/w/aaaaaaaaaaaaaaaaaaaaaaaaaa/deposit/", ldp.Forbidden},
		{"the provider beside the deposit", w.agent(authority), to + "x/", ldp.Forbidden},
		{"the provider among the evidence", w.agent(authority), ldp.ID(strings.Replace(string(to), "deposit", "evidence", 1)), ldp.Forbidden},
	} {
		if _, err := w.pod.Post(t.Context(), row.who, post(row.to, credential.MediaType, form(nil))); ldp.KindOf(err) != row.want {
			t.Errorf("%s: %v, want %d", row.is, err, row.want)
		}
	}
	held, err := w.pod.Holdings(t.Context(), w.alva)
	must(t, err)
	if len(held) != 0 {
		t.Errorf("something was stored: %v", held)
	}
	if strings.Contains(w.actions(), "deliver") {
		t.Errorf("a delivery was logged: %s", w.actions())
	}
}

// TestOneReader: a grant is to one party, through its own client and our own
// issuer.
func TestOneReader(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	me := w.agent(insurer)
	for _, row := range []struct {
		is  string
		who acl.Agent
		ok  bool
	}{
		{"the party", me, true},
		{"another client in its name", acl.Agent{ID: me.ID, Client: "mallory", Issuer: me.Issuer}, false},
		{"no client in its name", acl.Agent{ID: me.ID, Issuer: me.Issuer}, false},
		{"another issuer in its name", acl.Agent{ID: me.ID, Client: me.Client, Issuer: "https://evil.example"}, false},
		{"another party", w.agent("mallory"), false},
		{"the provider of the evidence", w.agent(authority), false},
		{"the person", w.alva, false},
		{"a stranger", acl.Agent{}, false},
	} {
		for _, id := range []ldp.ID{there, there.Parent()} {
			if _, err := w.pod.Get(t.Context(), row.who, read(id, pod.TypeTurtle)); (err == nil) != row.ok {
				t.Errorf("%s reads %s: %v", row.is, id, err)
			}
		}
	}
}

// TestTheListOfGrants names what holds, and no more.
func TestTheListOfGrants(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(2, nil))
	list := func(of ldp.ID) (ids []ldp.ID) {
		t.Helper()
		res, err := w.pod.Get(t.Context(), w.agent(insurer), read(of.Parent(), pod.TypeTurtle))
		must(t, err)
		for m, err := range res.Members {
			must(t, err)
			ids = append(ids, m.ID)
		}
		return ids
	}
	first := w.location(w.answer("one", insurer, asks(), agree))
	second := w.location(w.answer("two", insurer, asks(), agree))
	if got := list(first); len(got) != 2 || !slices.Contains(got, first) || !slices.Contains(got, second) {
		t.Errorf("listed %v, granted %s and %s", got, first, second)
	}
	for _, s := range w.shares() {
		if strings.HasSuffix(string(first), s.Consent.Grant) {
			must(t, w.pod.Withdraw(t.Context(), w.alva, s.Consent.ID))
		}
	}
	if got := list(first); len(got) != 1 || got[0] != second {
		t.Errorf("after the withdrawal of the first: %v", got)
	}
}

// TestWithdrawalIsTold to the party, with its own reference, once.
func TestWithdrawalIsTold(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	id := w.shares()[0].Consent.ID
	for range 2 {
		must(t, w.pod.Withdraw(t.Context(), w.alva, id))
	}
	pods, err := w.pod.Waiting(t.Context(), 10)
	must(t, err)
	notices, err := w.pod.Take(t.Context(), pods[0], 10)
	must(t, err)
	if len(notices) != 1 || notices[0].Event != outbox.ConsentWithdrawn || notices[0].Location != base+string(there) || notices[0].Reference != "skade/4711" {
		t.Errorf("told: %+v", notices)
	}
	if err := w.pod.Withdraw(t.Context(), w.alva, "x"); ldp.KindOf(err) != ldp.NotFound {
		t.Errorf("what there is not: %v", err)
	}
}

// TestEvidenceThatLacksAFieldAnswersNothing.
func TestEvidenceThatLacksAFieldAnswersNothing(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, func(s *credential.Statement) { s.Claims = s.Claims[:2] }))
	id, err := w.pod.Begin(t.Context(), w.alva, "ask", insurer, []json.RawMessage{asks()})
	must(t, err)
	if o, err := w.pod.Offer(t.Context(), w.alva, id); err != nil || len(o.Choices) != 0 {
		t.Errorf("offered %+v, %v", o.Choices, err)
	}
}

func TestDepositAsRDF(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	body := `@prefix cccev: <http://data.europa.eu/m8g/> . @prefix dct: <http://purl.org/dc/terms/> . @prefix af: <https://af.example.se/evidence#> .
	<#evidence> a cccev:Evidence ; dct:title "Arbetslöshetsintyg"@sv ; dct:conformsTo af:arbetsloshetsintyg ; dct:subject <#holder> ;
	<` + base + `/ns/core#signedForm> "` + strings.Join(w.issue(2, nil), `", "`) + `" ;
	cccev:supportsValue <#v1> . <#v1> cccev:providesValueFor af:registrationDate ; cccev:value "2026-10-01"^^<http://www.w3.org/2001/XMLSchema#date> .`
	done, err := w.pod.Post(t.Context(), w.agent(authority), post(to, "text/turtle; charset=utf-8", body))
	must(t, err)
	if !done.Created || len(done.Receipt) == 0 || !strings.HasPrefix(string(done.ID), string(to)) {
		t.Errorf("answered %+v", done)
	}
	held, err := w.pod.Holdings(t.Context(), w.alva)
	must(t, err)
	res, err := w.pod.Get(t.Context(), w.alva, read(held[0].Path, pod.TypeTurtle))
	must(t, err)
	stored, err := io.ReadAll(res.Body)
	must(t, err)
	g, err := rdf.Read(t.Context(), stored, rdf.Turtle, base+string(held[0].Path), rdf.Limits{})
	must(t, err)
	if !g.Has(rdf.IRI(base+string(held[0].Path)+"#evidence"), rdf.IRI("http://purl.org/dc/terms/title"), rdf.LangString("Arbetslöshetsintyg", "sv")) {
		t.Errorf("the person finds\n%s", stored)
	}
	if bytes.Contains(stored, []byte("/w/")) || bytes.Contains(stored, []byte("signedForm")) {
		t.Errorf("the person's copy holds the provider's names or forms:\n%s", stored)
	}
}

func TestTheSameDepositTwice(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	body := strings.Join(w.issue(1, nil), "\n")
	var first ldp.Written
	for i := range 3 {
		req := post(to, credential.MediaType, body)
		req.Key = "delivery-1"
		done, err := w.pod.Post(t.Context(), w.agent(authority), req)
		must(t, err)
		if i == 0 {
			first = done
		} else if done.ID != first.ID || !bytes.Equal(done.Receipt, first.Receipt) {
			t.Errorf("the repeated delivery is answered %+v, first %+v", done, first)
		}
	}
	if held, _ := w.pod.Holdings(t.Context(), w.alva); len(held) != 1 {
		t.Errorf("%d pieces of evidence", len(held))
	}
	req := post(to, credential.MediaType, w.issue(1, nil)[0])
	req.Key = "delivery-1"
	if _, err := w.pod.Post(t.Context(), w.agent(authority), req); ldp.KindOf(err) != ldp.Unprocessable {
		t.Errorf("the key with another body: %v", err)
	}
}

// TestRequestsThatAreRefused: what a party may not ask is refused before a
// person sees it, with every fault named.
func TestRequestsThatAreRefused(t *testing.T) {
	w := newTown(t)
	edit := func(old, new string) json.RawMessage {
		s := strings.Replace(string(asks()), old, new, 1)
		if s == string(asks()) {
			t.Fatalf("%q is not in the request", old)
		}
		return json.RawMessage(s)
	}
	for _, row := range []struct {
		is, party string
		detail    json.RawMessage
		fault     string // "" for none
	}{
		{"as registered", insurer, asks(), ""},
		{"a connection as registered", authority, deposits(), ""},
		{"by somebody unregistered", "nobody", asks(), "not registered"},
		{"not an object", insurer, json.RawMessage(`[1]`), "not of the form"},
		{"with an unknown member", insurer, edit(`"reference"`, `"webid":"x","reference"`), "not known"},
		{"of an unknown type", insurer, edit("evidence_request", "everything"), "type:"},
		{"for a use that isn't its own", insurer, edit("ink-2026", "reklam-2026"), "no registered use"},
		{"for another purpose", insurer, edit("CustomerClaimsManagement", "DirectMarketing"), "purpose:"},
		{"for a field beyond the use", insurer, edit(`"registered_at_least_30_days"`, `"registration_date"`), "not registered to ask"},
		{"for an optional field beyond the use", insurer, edit(`["registered"]`, `["registration_date"]`), "not registered to ask"},
		{"for no field", insurer, edit(`["registered_at_least_30_days"]`, `[]`), "at least one"},
		{"for a field twice", insurer, edit(`["registered"]`, `["registered_at_least_30_days"]`), "stands twice"},
		{"for another type", insurer, edit(certified, "se:x:1"), "evidence_type:"},
		{"for longer than registered", insurer, edit("2027-05-21", "2029-01-01"), "at most 200 days"},
		{"until yesterday", insurer, edit("2027-05-21", "2026-11-20"), "has passed"},
		{"until a day that isn't one", insurer, edit("2027-05-21", "soon"), "until:"},
		{"with a personal number for a reference", insurer, edit("skade/4711", "770523-2382"), "reference:"},
		{"with an answer in the question", insurer, edit(`"reference"`, `"locations":["x"],"reference"`), "locations"},
		{"a connection for a type it may not issue", "mallory", deposits(), "not registered to issue"},
		{"a connection by a consumer", insurer, deposits(), "not registered to issue"},
	} {
		err := w.pod.CheckDetails(t.Context(), row.party, []json.RawMessage{row.detail})
		var f *ldp.Fault
		errors.As(err, &f)
		switch {
		case row.fault == "" && err != nil:
			t.Errorf("%s: %v %v", row.is, err, f.Errors)
		case row.fault != "" && (f == nil || !strings.Contains(f.Detail+strings.Join(f.Errors, " "), row.fault)):
			t.Errorf("%s: %v, want a fault that says %q", row.is, f, row.fault)
		}
	}
	if err := w.pod.CheckDetails(t.Context(), insurer, nil); err == nil {
		t.Error("no details at all are accepted")
	}
}

// TestAnswersThatAreRefused: nobody agrees to what they didn't see.
func TestAnswersThatAreRefused(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	w.deposit(to, w.issue(1, nil))
	id, err := w.pod.Begin(t.Context(), w.alva, "ask", insurer, []json.RawMessage{asks()})
	must(t, err)
	o, err := w.pod.Offer(t.Context(), w.alva, id)
	must(t, err)
	seen := agree(o)
	other, err := w.pod.Make(t.Context(), "person-nils")
	must(t, err)
	change := func(edit func(*consent.Answer)) consent.Answer { a := seen; edit(&a); return a }
	for _, row := range []struct {
		is   string
		who  acl.Agent
		a    consent.Answer
		want ldp.Kind
	}{
		{"by a stranger", acl.Agent{}, seen, ldp.Forbidden},
		{"by another person", other, seen, ldp.NotFound},
		{"by the party itself", w.agent(insurer), seen, ldp.Forbidden},
		{"to another screen", w.alva, change(func(a *consent.Answer) { a.Shown = "sha256:0" }), ldp.Conflict},
		{"with other evidence", w.alva, change(func(a *consent.Answer) { a.Evidence = "x" }), ldp.Conflict},
		{"with a field that wasn't asked for", w.alva, change(func(a *consent.Answer) { a.Optional = []string{"registration_date"} }), ldp.Invalid},
		{"with a reason without end", w.alva, consent.Answer{Reason: strings.Repeat("x", 501)}, ldp.Invalid},
	} {
		if _, err := w.pod.Answer(t.Context(), row.who, id, row.a); ldp.KindOf(err) != row.want {
			t.Errorf("%s: %v, want %d", row.is, err, row.want)
		}
	}
	w.deposit(to, w.issue(1, func(s *credential.Statement) { s.Claims[2].Value = false }))
	if _, err := w.pod.Answer(t.Context(), w.alva, id, seen); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("after the evidence was superseded: %v", err)
	}
	w.strike(insurer)
	if _, err := w.pod.Answer(t.Context(), w.alva, id, seen); ldp.KindOf(err) != ldp.Gone {
		t.Errorf("to a party that is no longer registered: %v", err)
	}
	w.unstrike()
	if n := len(w.shares()); n != 0 {
		t.Errorf("%d consents were made", n)
	}
	out, err := w.pod.Answer(t.Context(), w.alva, id, consent.Answer{Reason: "nej tack"})
	must(t, err)
	if !out.Declined || out.WebID != "" || out.Details != nil || out.Reason != "" {
		t.Errorf("a refusal tells %+v", out)
	}
	for _, reason := range []string{consent.TooMuch, consent.Stranger, consent.OtherWay, consent.NotNow} {
		if out := w.answer("no: "+reason, insurer, asks(), func(consent.Offer) consent.Answer { return consent.Answer{Reason: reason} }); !out.Declined || out.Reason != reason {
			t.Errorf("a refusal with the reason %s tells %+v", reason, out)
		}
	}
	if _, err := w.pod.Answer(t.Context(), w.alva, id, seen); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("a second answer: %v", err)
	}
}

// strike takes a party off the register, until unstrike.
func (w *town) strike(party string) { w.pod.Registry = without{w.pod.Registry, party} }
func (w *town) unstrike()           { w.pod.Registry = w.pod.Registry.(without).Registry }

// without is a Registry without one party.
type without struct {
	registry.Registry
	struck string
}

func (r without) Party(ctx context.Context, id string) (registry.Party, error) {
	if id == r.struck {
		return registry.Party{}, registry.ErrNoParty
	}
	return r.Registry.Party(ctx, id)
}

// TestAStruckPartyReadsNothing: the end of a registration ends all access at
// once, and its return gives back what the person has not withdrawn.
func TestAStruckPartyReadsNothing(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	w.deposit(to, w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	for _, struck := range []string{insurer, authority} {
		w.strike(struck)
		_, readErr := w.read(insurer, there, pod.TypeTurtle)
		_, postErr := w.pod.Post(t.Context(), w.agent(authority), post(to, credential.MediaType, w.issue(1, nil)[0]))
		if (ldp.KindOf(readErr) == ldp.Forbidden) != (struck == insurer) || (ldp.KindOf(postErr) == ldp.Forbidden) != (struck == authority) {
			t.Errorf("without %s: read %v, deposit %v", struck, readErr, postErr)
		}
		w.unstrike()
	}
	if _, err := w.read(insurer, there, pod.TypeTurtle); err != nil {
		t.Errorf("registered again: %v", err)
	}
}

// TestARequestEnds: who answers too late agrees to nothing.
func TestARequestEnds(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, func(s *credential.Statement) { s.Expires = w.now.AddDate(1, 0, 0) }))
	short := json.RawMessage(strings.Replace(string(asks()), "2027-05-21", "2026-11-22", 1))
	for is, row := range map[string]struct {
		detail json.RawMessage
		after  time.Duration
	}{
		"after two weeks":                    {asks(), 14 * 24 * time.Hour},
		"after what was asked for has ended": {short, 48 * time.Hour},
	} {
		id, err := w.pod.Begin(t.Context(), w.alva, is, insurer, []json.RawMessage{row.detail})
		must(t, err)
		o, err := w.pod.Offer(t.Context(), w.alva, id)
		must(t, err)
		began := w.now
		w.now = w.now.Add(row.after)
		if _, err := w.pod.Answer(t.Context(), w.alva, id, agree(o)); ldp.KindOf(err) != ldp.Conflict {
			t.Errorf("%s: %v", is, err)
		}
		w.now = began
	}
}

// TestHiddenIsAbsent: whoever may not read can't tell what exists.
func TestHiddenIsAbsent(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	space := there.Parent().Parent()
	absent := []ldp.ID{
		"/w/aaaaaaaaaaaaaaaaaaaaaaaaaa/evidence/aaaaaaaaaaaaaaaaaaaaaaaaaa", "/w/aaaaaaaaaaaaaaaaaaaaaaaaaa/", "/w/x", "/w/",
		there.Parent() + "aaaaaaaaaaaaaaaaaaaaaaaaaa", there.Parent() + "x", there + "/", there + ".acl", space + "inbox/", space, space + "deposit/",
	}
	for who, agent := range map[string]acl.Agent{"a stranger": {}, "Mallory": w.agent("mallory")} {
		_, want := w.pod.Get(t.Context(), agent, read(there, pod.TypeTurtle))
		if want == nil {
			t.Fatalf("%s may read", who)
		}
		for _, id := range absent {
			_, err := w.pod.Get(t.Context(), agent, read(id, pod.TypeTurtle))
			if err == nil || err.Error() != want.Error() {
				t.Errorf("%s at %s: %v; at what exists: %v", who, id, err, want)
			}
		}
	}
}

// TestReadsEnd: at the end of the last day, not before and not after.
func TestReadsEnd(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, func(s *credential.Statement) { s.Expires = w.now.AddDate(1, 0, 0) }))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	w.now = time.Date(2027, 5, 21, 23, 59, 59, 0, time.UTC)
	if _, err := w.read(insurer, there, pod.TypeTurtle); err != nil {
		t.Errorf("on the last day: %v", err)
	}
	w.now = w.now.Add(time.Second)
	if _, err := w.read(insurer, there, pod.TypeTurtle); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("on the day after: %v", err)
	}
}

// TestRefusalsDontFillTheLog: a party that tries without end is logged once a
// day.
func TestRefusalsDontFillTheLog(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	before := len(w.log())
	for i := range 50 {
		w.read("mallory", to, pod.TypeTurtle)
		w.read(authority, to+ldp.ID(fmt.Sprint(i)), pod.TypeTurtle)
		w.pod.Get(t.Context(), acl.Agent{}, read(to, pod.TypeTurtle))
	}
	if n := len(w.log()) - before; n != 2 {
		t.Errorf("%d entries: %s", n, w.actions())
	}
}

// TestFetch: missing evidence is asked for, and what the provider answers
// reaches the person.
func TestFetch(t *testing.T) {
	w := newTown(t)
	id, err := w.pod.Begin(t.Context(), w.alva, "ask", insurer, []json.RawMessage{asks()})
	must(t, err)
	if err := w.pod.Fetch(t.Context(), w.alva, id, authority); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("without a connection: %v", err)
	}
	to := w.connect()
	must(t, w.pod.Fetch(t.Context(), w.alva, id, authority))
	must(t, w.pod.Fetch(t.Context(), w.alva, id, authority)) // a second click
	pods, err := w.pod.Waiting(t.Context(), 10)
	must(t, err)
	if len(pods) != 1 {
		t.Fatalf("%d pods wait", len(pods))
	}
	notices, err := w.pod.Take(t.Context(), pods[0], 10)
	must(t, err)
	if len(notices) != 1 || notices[0].Event != outbox.EvidenceWanted || notices[0].Location != base+string(to) {
		t.Fatalf("notices: %+v", notices)
	}
	if again, _ := w.pod.Take(t.Context(), pods[0], 10); len(again) != 0 {
		t.Errorf("taken twice: %+v", again)
	}
	must(t, w.pod.Failed(t.Context(), pods[0], notices[0], "none", true))
	o, err := w.pod.Offer(t.Context(), w.alva, id)
	must(t, err)
	if s := o.Suppliers[0]; s.Trouble != "none" || s.Asked.IsZero() || !s.Connected {
		t.Errorf("the person is told %+v", s)
	}
	w.deposit(to, w.issue(1, nil))
	if o, err = w.pod.Offer(t.Context(), w.alva, id); err != nil || len(o.Choices) != 1 {
		t.Errorf("after the delivery: %+v, %v", o, err)
	}
}
