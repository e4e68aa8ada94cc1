// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/channel"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/extract"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/web"
)

var now = time.Date(2026, 11, 21, 13, 5, 0, 0, time.UTC)

const typeFile = `{
	"id": "se:af:arbetsloshetsintyg:1", "iri": "https://af.example.se/evidence#arbetsloshetsintyg",
	"vct": "https://af.example.se/vct/arbetsloshetsintyg/1",
	"title": {"sv": "Arbetslöshetsintyg", "nb": "Bekreftelse på arbeidsledighet", "nn": "Stadfesting på arbeidsløyse", "en": "Unemployment certificate"},
	"about": {"sv": "Visar att du är inskriven som arbetssökande.", "nb": "Viser at du er registrert som arbeidssøker.", "nn": "Viser at du er registrert som arbeidssøkjar.", "en": "Shows that you are registered as a jobseeker."},
	"basis": "https://lagen.nu/2002:546",
	"fields": [
		{"name": "registered", "concept": "https://af.example.se/evidence#registered", "datatype": "http://www.w3.org/2001/XMLSchema#boolean",
		 "title": {"sv": "Inskriven som arbetssökande", "nb": "Registrert som arbeidssøker", "nn": "Registrert som arbeidssøkjar", "en": "Registered as a jobseeker"},
		 "question": {"sv": "Är du inskriven?", "nb": "Er du registrert?", "nn": "Er du registrert?", "en": "Are you registered?"}, "derived": false},
		{"name": "registrationDate", "concept": "https://af.example.se/evidence#registrationDate", "datatype": "http://www.w3.org/2001/XMLSchema#date",
		 "title": {"sv": "Inskrivningsdatum", "nb": "Registreringsdato", "nn": "Registreringsdato", "en": "Registration date"}, "question": {}, "derived": false},
		{"name": "registered30days", "concept": "https://af.example.se/evidence#registered30days", "datatype": "http://www.w3.org/2001/XMLSchema#boolean", "from": "registrationDate",
		 "title": {"sv": "Inskriven i minst 30 dagar", "nb": "Registrert i minst 30 dager", "nn": "Registrert i minst 30 dagar", "en": "Registered for at least 30 days"},
		 "question": {"sv": "Har du varit inskriven i minst 30 dagar?", "nb": "Har du vært registrert i minst 30 dager?", "nn": "Har du vore registrert i minst 30 dagar?", "en": "Have you been registered for at least 30 days?"}, "derived": true},
		{"name": "office", "concept": "https://af.example.se/evidence#office", "datatype": "http://www.w3.org/2001/XMLSchema#string",
		 "title": {"sv": "Kontor", "nb": "Kontor", "nn": "Kontor", "en": "Office"}, "question": {}, "derived": false}
	]}`

const (
	af     = "af"
	ink    = "ink"
	typeID = "se:af:arbetsloshetsintyg:1"
)

var parties = map[string]registry.Party{
	af: {
		ID: af, Name: registry.Text{"sv": "Arbetsförmedlingen (exempel)"}, Number: "SE.2021002114", Home: "https://af.example.se",
		Contact: "mailto:dso@af.example.se", MayIssue: []string{typeID}, Identity: true,
	},
	ink: {
		ID: ink, Name: registry.Text{"sv": "Exempel Försäkring", "en": "Example Insurance"}, Number: "SE.5560000001", Home: "https://forsakring.example.se",
		Privacy: "https://forsakring.example.se/integritet", Contact: "https://forsakring.example.se/radera",
		Uses: []registry.Use{{
			ID: "ink-2026", Purpose: "https://w3id.org/dpv#CustomerClaimsManagement", Basis: "https://w3id.org/dpv/legal/eu/gdpr#A6-1-a", Type: typeID,
			Fields: []string{"registered30days", "registered"}, Days: 200,
			Why: registry.Text{
				"sv": "Avgöra om du har rätt till ersättning från din inkomstförsäkring.", "nb": "Avgjøre om du har rett til utbetaling fra inntektsforsikringen din.",
				"nn": "Avgjere om du har rett til utbetaling frå inntektsforsikringa di.", "en": "Decide whether you are entitled to a payment from your income insurance.",
			},
		}},
	},
	"mallory": {
		ID: "mallory", Name: registry.Text{"sv": `<script>alert(1)</script>"'` + "\u202eevil"}, Number: `"><img src=x>`, Home: "javascript:alert(1)", Privacy: "data:text/html,x",
		Uses: []registry.Use{{ID: "x", Why: registry.Text{"sv": "</p><style>*{}</style>"}, Basis: "javascript:alert(2)", Type: typeID}},
	},
}

type fakeRegistry struct{}

func (fakeRegistry) Party(_ context.Context, id string) (registry.Party, error) {
	p, ok := parties[id]
	if !ok {
		return p, registry.ErrNoParty
	}
	return p, nil
}

func (fakeRegistry) Issuers(context.Context, string) ([]string, error) { return []string{af}, nil }

// fakePod is one person's pod in memory. Its Offer is what the test puts there.
type fakePod struct {
	mu        sync.Mutex
	offers    map[string]consent.Offer
	shares    []consent.Share
	conns     []space.Connection
	holdings  []evidence.Evidence
	entries   []log.Entry // newest first
	answers   []consent.Answer
	outcome   *consent.Outcome
	fetched   string
	withdrawn string
	made      bool
	own       pod.Settings
	frozen    time.Time // the insurer
	done      []string  // what was changed
	broken    error     // of the archive
	half      bool      // it comes in the midst
	err       error     // of everything

	*files
}

func (p *fakePod) Owner(context.Context, string) (acl.Agent, error) {
	if !p.made {
		return acl.Agent{}, pod.ErrNoPod
	}
	return acl.Agent{ID: "https://skrin.example/alva/profile/card#me"}, p.err
}

func (p *fakePod) Make(ctx context.Context, person string) (acl.Agent, error) {
	p.made = true
	return p.Owner(ctx, person)
}

func (p *fakePod) Begin(_ context.Context, _ acl.Agent, key, _ string, _ []json.RawMessage) (string, error) {
	return "r-" + key, p.err
}

func (p *fakePod) Offer(_ context.Context, _ acl.Agent, id string) (consent.Offer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.offers[id]
	if !ok {
		return o, ldp.Refuse(ldp.NotFound, "There is no such request.")
	}
	return o, p.err
}

func (p *fakePod) Fetch(_ context.Context, _ acl.Agent, id, supplier string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched = supplier
	o := p.offers[id]
	o.Suppliers = slices.Clone(o.Suppliers)
	o.Suppliers[0].Asked = now
	p.offers[id] = o
	return p.err
}

func (p *fakePod) Answer(_ context.Context, _ acl.Agent, id string, a consent.Answer) (consent.Outcome, error) {
	o := p.offers[id]
	if p.outcome != nil || !now.Before(o.Request.AnswerBy) {
		return consent.Outcome{}, ldp.Refuse(ldp.Conflict, "This request has been answered, or its time has passed.")
	}
	if a.Agree && o.Request.Kind == consent.ToRead {
		i := slices.IndexFunc(o.Choices, func(c consent.Choice) bool { return c.Evidence.ID == a.Evidence && c.Shown == a.Shown })
		if i < 0 {
			return consent.Outcome{}, ldp.Refuse(ldp.Conflict, "What you saw has changed.")
		}
	}
	p.answers = append(p.answers, a)
	p.outcome = &consent.Outcome{Party: o.Party.ID, Declined: !a.Agree}
	return *p.outcome, nil
}

func (p *fakePod) Outcome(context.Context, acl.Agent, string) (consent.Outcome, bool, error) {
	if p.outcome == nil {
		return consent.Outcome{}, false, nil
	}
	return *p.outcome, true, nil
}

func (p *fakePod) ExportLog(_ context.Context, _ acl.Agent, _ extract.Form, w io.Writer) error {
	io.WriteString(w, "the log\n")
	return p.err
}

func (p *fakePod) Withdraw(_ context.Context, _ acl.Agent, consent string) error {
	p.withdrawn = consent
	return p.err
}

func (p *fakePod) Requests(context.Context, acl.Agent) ([]consent.Offer, error) {
	var all []consent.Offer
	for _, id := range []string{"r-consent", "r-connect"} {
		if o, ok := p.offers[id]; ok {
			all = append(all, o)
		}
	}
	return all, p.err
}
func (p *fakePod) SharesAfter(_ context.Context, _ acl.Agent, after string, n int) ([]consent.Share, string, error) {
	from := 0
	if after != "" {
		if from = slices.IndexFunc(p.shares, func(s consent.Share) bool { return s.Consent.ID == after }) + 1; from == 0 {
			return nil, "", ldp.NotFound
		}
	}
	some, more := slices.Clone(p.shares[from:min(len(p.shares), from+n)]), ""
	for i := range some {
		some[i].Paused = p.frozen
	}
	if from+n < len(p.shares) {
		more = some[n-1].Consent.ID
	}
	return some, more, p.err
}

func (p *fakePod) Ending(_ context.Context, _ acl.Agent, by time.Time, n int) (some []consent.Share, err error) {
	for _, s := range p.shares {
		if s.Active && !s.Consent.Until.After(by) {
			some = append(some, s)
		}
	}
	return some[:min(n, len(some))], p.err
}

func (p *fakePod) SharesOf(_ context.Context, _ acl.Agent, e *evidence.Evidence, n int) (some []consent.Share, total int, err error) {
	for _, s := range p.shares {
		if s.Active && s.Consent.Evidence == e.ID {
			some = append(some, s)
		}
	}
	return some[:min(n, len(some))], len(some), p.err
}

func (p *fakePod) Share(_ context.Context, _ acl.Agent, id string) (consent.Share, error) {
	i := slices.IndexFunc(p.shares, func(s consent.Share) bool { return s.Consent.ID == id })
	if i < 0 {
		return consent.Share{}, ldp.NotFound
	}
	return p.shares[i], p.err
}

func (p *fakePod) Connections(context.Context, acl.Agent) ([]space.Connection, error) {
	return p.conns, p.err
}
func (p *fakePod) Pieces(_ context.Context, _ acl.Agent, from, n int) ([]evidence.Evidence, int, error) {
	total := len(p.holdings)
	from = min(from, total)
	return p.holdings[from:min(total, from+n)], total, p.err
}

func (p *fakePod) Piece(_ context.Context, _ acl.Agent, id string) (evidence.Evidence, error) {
	i := slices.IndexFunc(p.holdings, func(e evidence.Evidence) bool { return e.ID == id })
	if i < 0 {
		return evidence.Evidence{}, ldp.NotFound
	}
	return p.holdings[i], p.err
}

func (p *fakePod) ReadCounts(context.Context, acl.Agent, time.Time) ([]pod.ReadCount, error) {
	return []pod.ReadCount{{Day: "2026-11-20", Reads: 4}, {Day: "2026-11-20", Client: "app_1", Reads: 3, Writes: 2}, {Day: "2026-11-21", Client: "https://<b>.example\u202e", Reads: 1}}, p.err
}

func (p *fakePod) Hooks(context.Context, acl.Agent) ([]channel.Subscription, error) {
	return []channel.Subscription{
		{ID: "h1", Topic: "/alva/notes/", Hook: "https://told.example/hook?secret=1", End: now.Add(time.Hour)},
		{ID: "h2", Topic: "/alva/", Hook: "https://late.example/", End: now.Add(time.Hour), Parked: true},
		{ID: "h3", Topic: "/alva/", Hook: "https://over.example/", End: now},
	}, p.err
}

func (p *fakePod) Unsubscribe(_ context.Context, _ acl.Agent, name, id string) error {
	return p.did("unsubscribe", name, id)
}

func (p *fakePod) Export(_ context.Context, _ acl.Agent, _ string, w io.Writer) error {
	return p.Archive(context.Background(), acl.Agent{}, w)
}

// The mandates: Karin helps Alva, who helps Nils, to see and to answer.
var (
	karin = mandate.Mandate{ID: "m1", To: "https://skrin.example/karin/profile/card#me", Name: "Karin", Whose: "Alva", Modes: acl.Read | acl.Write, Made: now, Taken: now, Until: day("2027-05-22")}
	nils  = mandate.Mandate{ID: "m2", Owner: "https://skrin.example/nils/profile/card#me", To: "https://skrin.example/alva/profile/card#me", Name: "Alva", Whose: "Nils <b>", Modes: acl.Read | acl.Write, Until: day("2027-05-22")}
)

func (p *fakePod) Mandates(context.Context, acl.Agent) ([]mandate.Mandate, error) {
	past, open := karin, karin
	past.ID, past.Ended = "m3", now
	open.ID, open.To = "m4", ""
	return []mandate.Mandate{karin, past, open}, p.err
}

func (p *fakePod) Invite(_ context.Context, _ acl.Agent, m mandate.Mandate) (string, error) {
	if m.Name == "many" {
		return "", ldp.Conflict
	}
	if m.Name == "" || m.Whose == "" {
		return "", ldp.Invalid
	}
	return "c0de", p.did("invite", m.Name, m.Whose, m.Modes, m.Until.Format(time.DateOnly))
}

func (p *fakePod) Dismiss(_ context.Context, who acl.Agent, id string) error {
	return p.did("dismiss", id, who.For)
}

func (p *fakePod) Invitation(_ context.Context, _ acl.Agent, code string) (mandate.Mandate, error) {
	if code != "c0de" {
		return mandate.Mandate{}, ldp.Gone
	}
	return nils, p.err
}

func (p *fakePod) TakeOn(_ context.Context, _ acl.Agent, code string) (mandate.Mandate, error) {
	if code != "c0de" {
		return mandate.Mandate{}, ldp.Gone
	}
	return nils, p.did("take on", code)
}

func (p *fakePod) Helped(context.Context, acl.Agent) ([]mandate.Mandate, error) {
	return []mandate.Mandate{nils}, p.err
}

func (p *fakePod) ActFor(_ context.Context, who acl.Agent, id string) (acl.Agent, mandate.Mandate, error) {
	m := nils
	switch id {
	case "m2":
	case "sees":
		m.ID, m.Modes = "sees", acl.Read
	default:
		return who, m, ldp.Gone
	}
	who.For = m.Owner
	return who, m, nil
}

func (p *fakePod) Find(_ context.Context, _ acl.Agent, f log.Filter, before uint64, limit int) ([]log.Entry, uint64, error) {
	var found []log.Entry
	for _, e := range p.entries {
		switch {
		case before != 0 && e.Seq >= before, f.Party != "" && e.Party != f.Party, f.Actions != nil && !slices.Contains(f.Actions, e.Action),
			!f.Until.IsZero() && !e.Time.Before(f.Until), e.Time.Before(f.From):
		case len(found) == limit:
			return found, found[limit-1].Seq, p.err
		default:
			found = append(found, e)
		}
	}
	return found, 0, p.err
}

// did notes what was asked of the pod.
func (p *fakePod) did(what ...any) error {
	p.done = append(p.done, strings.TrimSpace(fmt.Sprintln(what...)))
	return p.err
}

func (p *fakePod) Settings(context.Context, acl.Agent) (pod.Settings, error) { return p.own, nil }
func (p *fakePod) CallMe(_ context.Context, _ acl.Agent, name string) error {
	if len(name) > 60 {
		return ldp.Invalid
	}
	return p.did("call", name)
}
func (p *fakePod) Leave(context.Context, acl.Agent) (time.Time, error) { return now, p.did("leave") }
func (p *fakePod) Stay(context.Context, acl.Agent) error               { return p.did("stay") }
func (p *fakePod) Freeze(_ context.Context, _ acl.Agent, party string) error {
	return p.did("freeze", party)
}
func (p *fakePod) Thaw(_ context.Context, _ acl.Agent, party string) error {
	return p.did("thaw", party)
}
func (p *fakePod) Disconnect(_ context.Context, _ acl.Agent, party string) error {
	return p.did("disconnect", party)
}

func (p *fakePod) Counterparts(context.Context, acl.Agent) ([]space.Connection, error) {
	return append(slices.Clone(p.conns), space.Connection{Space: space.Space{ID: "s2", Party: ink, Frozen: p.frozen}, Party: parties[ink]}), p.err
}

func (p *fakePod) OwnForm(_ context.Context, _ acl.Agent, id string) (string, error) {
	if id != "e1" {
		return "", p.err
	}
	return "a.b.c~", p.err
}

func (p *fakePod) Archive(_ context.Context, _ acl.Agent, w io.Writer) error {
	if p.broken == nil || p.half {
		io.WriteString(w, "the archive")
	}
	return p.broken
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func piece(id, issued string, facts ...evidence.Fact) evidence.Evidence {
	return evidence.Evidence{ID: id, Type: typeID, Issuer: af, Issued: day(issued), Expires: day("2027-05-22"), Received: now.Add(-time.Hour), Path: ldp.ID("/alva/evidence/" + id), Facts: facts}
}

var (
	full = []evidence.Fact{{Field: "registered", Value: "true"}, {Field: "registrationDate", Value: "2026-10-01"}, {Field: "registered30days", Value: "true"}, {Field: "office", Value: "Kista <b>"}}
	e1   = piece("e1", "2026-11-20", full...)
	e2   = piece("e2", "2026-11-10", full...)
)

func choice(e evidence.Evidence) consent.Choice {
	return consent.Choice{
		Evidence: e, Shown: "hash-" + e.ID, Released: []evidence.Fact{{Field: "registered30days", Value: "true"}},
		Optional: []evidence.Fact{{Field: "registered", Value: "true"}}, Hidden: []string{"registrationDate", "office"},
	}
}

func toRead(id string, types *registry.EvidenceType, choices ...consent.Choice) consent.Offer {
	return consent.Offer{
		Request: consent.Request{
			ID: id, Kind: consent.ToRead, Party: ink, Types: []string{typeID}, Use: "ink-2026", Fields: []string{"registered30days"}, Optional: []string{"registered"},
			Until: day("2027-05-22"), Standing: true, Created: now, AnswerBy: now.Add(14 * 24 * time.Hour), State: consent.Open,
		},
		Party: parties[ink], Use: parties[ink].Uses[0], Types: []*registry.EvidenceType{types}, Choices: choices,
		Suppliers: []consent.Supplier{{Party: parties[af], Connected: true}},
	}
}

// samplePod has something on every page.
func samplePod(types *registry.Catalogue) *fakePod {
	t, _ := types.Type(typeID)
	missing := toRead("r-missing", t)
	waiting := toRead("r-waiting", t)
	waiting.Suppliers = []consent.Supplier{{Party: parties[af], Connected: true, Asked: now.Add(-5 * time.Second)}}
	slow := toRead("r-slow", t)
	slow.Suppliers = []consent.Supplier{{Party: parties[af], Connected: true, Asked: now.Add(-5 * time.Minute)}}
	away := toRead("r-away", t)
	away.Suppliers = []consent.Supplier{{Party: parties[af]}}
	trouble := toRead("r-trouble", t)
	trouble.Suppliers = []consent.Supplier{{Party: parties[af], Connected: true, Asked: now.Add(-time.Minute), Trouble: "unreachable"}}
	late := toRead("r-late", t, choice(e1))
	late.Request.AnswerBy = now
	struck := toRead("r-struck", t, choice(e1))
	struck.Party, struck.Request.Party = registry.Party{ID: "struck"}, "struck"
	evil := toRead("r-evil", t, consent.Choice{Evidence: e1, Shown: `"><b>`, Released: []evidence.Fact{{Field: "office", Value: "<script>alert(3)</script>\u202e"}}})
	evil.Request.Party, evil.Party, evil.Use = "mallory", parties["mallory"], parties["mallory"].Uses[0]
	much := toRead("r-much", t, choice(e1))
	much.Request.Fields, much.Request.Optional, much.Use.Once = []string{"registered30days", "registrationDate", "registered", "office"}, nil, true
	much.Use.Fields, much.Use.Needs = append([]string{"registrationDate"}, much.Use.Fields...), []string{"registered30days"}
	muchMissing := much
	muchMissing.Choices = nil
	expired := piece("e3", "2026-01-10", full...)
	expired.Expires = day("2026-07-01")
	revoked := piece("e4", "2026-03-10", full...)
	revoked.Ended = evidence.Revoked
	superseded := piece("e5", "2026-04-10", full...)
	superseded.Ended = evidence.Superseded
	agreed := func(id string, until string) consent.Consent {
		return consent.Consent{ID: id, Request: consent.Request{Party: ink, Use: "ink-2026", Types: []string{typeID}, Standing: true}, Evidence: "e1", Issuer: af, Record: "a.b.c", Fields: []string{"registered30days", "registered"}, Given: now.Add(-24 * time.Hour), Until: day(until)}
	}
	share := func(c consent.Consent, active bool, reads int) consent.Share {
		s := consent.Share{Consent: c, Party: parties[ink], Type: t, Use: parties[ink].Uses[0], Active: active, Reads: reads}
		if reads > 0 {
			s.Last = now.Add(-2 * time.Hour)
		}
		return s
	}
	gone := agreed("c3", "2027-05-22")
	gone.Withdrawn, gone.EraseBy, gone.Record = now.Add(-time.Hour), day("2026-12-21"), "a.b.c"
	overdue := agreed("c5", "2027-05-22")
	overdue.Withdrawn, overdue.EraseBy = now.Add(-60*24*time.Hour), day("2026-10-21")
	erased := overdue
	erased.ID, erased.Erased, erased.Receipt = "c6", day("2026-10-01"), erasure
	purpose := parties[ink].Uses[0].Purpose
	p := &fakePod{
		made: true, files: newFiles(),
		offers: map[string]consent.Offer{
			"r-much": much, "r-much-missing": muchMissing,
			"r-consent": toRead("r-consent", t, choice(e1)), "r-choose": toRead("r-choose", t, choice(e1), choice(e2)),
			"r-timed-out": toRead("r-timed-out", t, choice(e1)), "r-missing": missing, "r-waiting": waiting, "r-slow": slow, "r-away": away, "r-trouble": trouble, "r-late": late, "r-struck": struck, "r-evil": evil,
			"r-connect": {
				Request: consent.Request{ID: "r-connect", Kind: consent.ToDeposit, Party: af, Types: []string{typeID}, AnswerBy: now.Add(time.Hour), State: consent.Open},
				Party:   parties[af], Types: []*registry.EvidenceType{t},
			},
		},
		shares:   []consent.Share{share(agreed("c1", "2027-05-22"), true, 3), share(agreed("c2", "2026-11-28"), true, 0), share(gone, false, 1), share(agreed("c4", "2026-11-01"), false, 2), share(overdue, false, 1), share(erased, false, 1)},
		conns:    []space.Connection{{Space: space.Space{ID: "s1", Party: af, Types: []string{typeID}, Created: day("2026-11-20")}, Party: parties[af]}},
		holdings: []evidence.Evidence{e1, expired, revoked, superseded},
	}
	actions := []log.Entry{
		{Action: log.DidRefuse, Party: ink, Why: "not granted"},
		{Action: log.DidWithdraw, Party: ink, Type: typeID, Fields: []string{"registered30days"}, Purpose: purpose},
		{Action: log.DidRead, Party: ink, Type: typeID, Fields: []string{"registered30days"}, Purpose: purpose},
		{Action: log.DidAgree, Party: ink, Type: typeID, Fields: []string{"registered30days"}, Purpose: purpose},
		{Action: log.DidDeliver, Party: af, Type: typeID}, {Action: log.DidFetch, Party: af, Type: typeID},
		{Action: log.DidLend, Agent: "https://bob.example/#me", Path: "/alva/notes/"}, {Action: log.DidLeave}, {Action: log.DidRenumber, Party: af}, {Action: log.DidRenumber}, {Action: log.DidDecline, Party: "gone-party", Type: typeID}, {Action: log.DidConnect, Party: af, Type: typeID}, {Action: "new", Party: af},
		{Action: log.DidLook, Why: "evidence", By: karin.To}, {Action: log.DidAppoint, Agent: karin.To, Path: "Karin <b>"},
	}
	for i := range 120 {
		e := actions[i%len(actions)]
		e.Seq, e.Time = uint64(120-i), now.Add(-time.Duration(i)*3*time.Hour)
		p.entries = append(p.entries, e)
	}
	return p
}

var appAsks = map[string]*web.App{
	"app":       {Name: "Anteckningar", Address: "https://app.example", Offline: true},
	"evil-app":  {Name: "<b>Skatteverket</b>\u202e", Address: "https://evil.example/\"><img>"},
	"known-app": {Name: "Anteckningar", Address: "https://app.example", Onward: "https://skrin.example/.oidc/authorize/known-app"},
	"local-app": {Address: "org.example.app://"},
}

// asks are the authorizations that wait: every id that the pod has an offer for.
type asks struct{ finished []string }

func (a *asks) Ask(_ *http.Request, id string) (web.Ask, error) {
	switch id {
	case "unknown":
		return web.Ask{}, ldp.NotFound
	case "twice":
		return web.Ask{}, ldp.Gone
	case "timed-out":
		return web.Ask{Party: ink, Until: now}, nil
	case "app", "evil-app", "known-app", "local-app":
		return web.Ask{Until: now.Add(time.Hour), ReturnOrigin: appAsks[id].Address, App: appAsks[id]}, nil
	case "norsk":
		return web.Ask{Party: ink, Until: now.Add(time.Hour), Locales: []string{"xx", "no"}}, nil
	}
	return web.Ask{Party: ink, Until: now.Add(time.Hour), ReturnOrigin: "https://forsakring.example.se/cb?x=1"}, nil
}

func (a *asks) Again(_ *http.Request, id string) string {
	if id == "twice" {
		return "https://forsakring.example.se/cb?code=x"
	}
	return ""
}

func (a *asks) Finish(_ *http.Request, id, person string, o consent.Outcome) (string, error) {
	a.finished = append(a.finished, id)
	return "https://skrin.example/.oidc/continue/" + id, nil
}

func (a *asks) FinishApp(_ *http.Request, id, person string, webID acl.WebID, allow bool) (string, error) {
	a.finished = append(a.finished, fmt.Sprint(id, person, allow))
	return "https://skrin.example/.oidc/continue/" + id, nil
}

// erasure is a receipt of erasure as a party signs it: its payload says that the
// registration date is kept under the law of accounting.
var erasure = func() string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"ES256"}`)) + "." + part([]byte(`{"iss":"ink","method":"Deleted <b>","retained_under":"Bokföringslagen","retained":["https://af.example.se/evidence#registrationDate","https://x.example/#other"]}`)) + "." + part(make([]byte, 64))
}()

// accounts are a person's with a passkey and an eID, signed in twice.
type accounts struct {
	done []string
	ways []web.Way // others than those
}

func (a *accounts) Ways(context.Context, string) ([]web.Way, error) {
	if a.ways != nil {
		return a.ways, nil
	}
	return []web.Way{{Scheme: "se:personnummer"}, {Scheme: "oidc:<b>"}, {Scheme: "xx:passport", Until: now}, {Scheme: "no:dnummer", Until: now.Add(time.Hour)}, {ID: "k1", Added: now.Add(-time.Hour)}, {ID: "k2", Added: now.Add(-2 * time.Hour), Used: now}}, nil
}

func (*accounts) Visits(*http.Request) ([]web.Visit, error) {
	return []web.Visit{{ID: "v1", Browser: "Firefox", System: "Linux", Since: now, Used: now, Current: true}, {ID: "v2", Since: now, Used: now.Add(-10 * time.Minute)}}, nil
}

func (a *accounts) RemovePasskey(_ context.Context, _, id string) error {
	a.done = append(a.done, "passkey "+id)
	return nil
}

func (a *accounts) EndVisit(_ *http.Request, id string) error {
	a.done = append(a.done, "visit "+id)
	return nil
}

// helpers are two apps and a script, of which one has a name that misleads.
type helpers struct{}

func (helpers) Apps(context.Context, acl.WebID) ([]web.Helper, error) {
	return []web.Helper{{ID: "app_1", Name: "Anteckningar", Since: now}, {ID: "https://app.example/id", Name: "<b>\u202e", Since: now}}, nil
}

func (helpers) Scripts(context.Context, string) ([]web.Helper, error) {
	return []web.Helper{{ID: "script_1", Name: "Backup", Since: now}}, nil
}

func (helpers) NewScript(_ context.Context, _ string, _ acl.WebID, name string) (string, string, error) {
	if name == "many" {
		return "", "", ldp.Conflict
	}
	return "script_2", "S3CRET", nil
}

func (helpers) RemoveApp(context.Context, acl.WebID, string) error { return nil }
func (helpers) RemoveScript(context.Context, string, string) error { return nil }

// sessions say that the person is whom the header X-Person names.
type sessions struct{ out bool }

func (s *sessions) Person(r *http.Request) (string, time.Time, string, bool) {
	id := r.Header.Get("X-Person")
	return id, now, "loa3", id != ""
}

func (s *sessions) SignOut(*http.Request) error { s.out = true; return nil }

type method struct{}

func (method) ID() string                   { return "exempel-eid" }
func (method) Name() string                 { return "Exempel-eID" }
func (method) Reaches(levels []string) bool { return slices.Contains(levels, "urn:high") }
func (method) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte("the method answers " + r.URL.Path))
}

// A bench is a site with all its parts at hand.
type bench struct {
	pod      *fakePod
	accounts *accounts
	asks     *asks
	sessions *sessions
	site     web.Site
	h        http.Handler
}

func loadTypes(t testing.TB) *registry.Catalogue {
	t.Helper()
	types, err := registry.LoadCatalogue(fstest.MapFS{"types/af.json": {Data: []byte(typeFile)}}, "types")
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func newBench(t testing.TB) *bench {
	t.Helper()
	stockholm, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	types := loadTypes(t)
	b := &bench{accounts: new(accounts), pod: samplePod(types), asks: new(asks), sessions: new(sessions)}
	b.site = web.Site{
		Pod: b.pod, Registry: fakeRegistry{}, Types: types, Sessions: b.sessions, Asks: b.asks, Apps: helpers{}, Accounts: b.accounts, Methods: []web.Method{method{}},
		Base: "https://skrin.example", Name: "Skrin", Idle: 15 * time.Minute, Zone: stockholm, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	if b.h, err = b.site.Handler(); err != nil {
		t.Fatal(err)
	}
	return b
}

// A call is one request; the zero call is a signed-in person's GET in Swedish.
type call struct {
	path     string
	form     url.Values // a POST if not nil
	stranger bool
	lang     string // Accept-Language
	cookie   string // the chosen language
	site     string // Sec-Fetch-Site; "same-origin" if empty
}

func (b *bench) do(c call) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "https://skrin.example"+c.path, nil)
	if c.form != nil {
		r = httptest.NewRequest("POST", "https://skrin.example"+c.path, strings.NewReader(c.form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if c.site != "" {
		r.Header.Set("Sec-Fetch-Site", c.site)
	}
	if !c.stranger {
		r.Header.Set("X-Person", "alva")
	}
	if c.lang != "" {
		r.Header.Set("Accept-Language", c.lang)
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "skrin-language", Value: c.cookie})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}
