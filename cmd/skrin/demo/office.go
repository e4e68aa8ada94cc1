// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
)

// A Plan is what an office does, as data: a file of fixtures/offices. Whatever
// else it needs to know, of itself and of whose evidence it reads, it learns
// from the server's public register: an office that comes later needs no change
// in any other.
type Plan struct {
	ID    string // its client_id, with which it is registered
	Asks  *Need  // what it must read first; nil for nothing
	Gives *Gift  // what it then delivers; nil for nothing
	// Renumbers is the change of number that follows, for an office that keeps a
	// population register.
	Renumbers *Renumbering
	Words     map[string]map[string]string // of its site, by language: site.name, home.title, home.lead, home.button
}

// A Need is evidence that an office asks for.
type Need struct {
	Use    string // of its registration, which says the type and the purpose
	Fields []string
	Days   int
	Needs  map[string]any // what they must say
}

// A Gift is evidence that an office issues. A fact may be "{year}", "{today}" or
// "{today+30}".
type Gift struct {
	Type  string
	Days  int // that it is good for
	Facts map[string]any
}

// A Renumbering is a change from a number of one scheme to one of another.
type Renumbering struct{ From, To string }

// Plans returns the offices of Kompetansespor, in the order in which a person
// comes to them. It panics if an embedded file is not as it should be.
func Plans() []Plan {
	return mustReadAll[Plan]("offices/*.json")
}

// An Office is an organisation that does what its Plan says: it asks a person
// for evidence, decides on it, and puts its decision into the person's pod,
// where the next office may ask for it.
type Office struct {
	*site
	plan   Plan
	key    jose.JSONWebKey
	client *client.Client
	state  *file[cases]
	told   func(step string)
}

// NewOffice opens an office on its directory. It calls nobody yet. told, if not
// nil, is told what the office does, in words that name nobody.
func NewOffice(o Options, plan Plan, told func(step string)) (*Office, error) {
	of, err := openOffice(o, plan)
	if err != nil {
		return nil, fmt.Errorf("demo office %s: %w", plan.ID, err)
	}
	if of.told = told; told == nil {
		of.told = func(string) {}
	}
	return of, nil
}

func openOffice(o Options, plan Plan) (*Office, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	key, err := openKey(o.Dir)
	if err != nil {
		return nil, err
	}
	of := &Office{plan: plan, key: key}
	if of.client, err = o.newClient(key); err != nil {
		return nil, err
	}
	if of.state, err = openFile[cases](filepath.Join(o.Dir, "cases.json")); err != nil {
		return nil, err
	}
	if of.site, err = newSite(o, "office"); err != nil {
		return nil, err
	}
	of.name = plan.ID // cookies don't tell ports apart
	for lang, words := range plan.Words {
		maps.Copy(of.words[lang], words)
	}
	return of, nil
}

// Keys are the public keys of the office, for its registration.
func (of *Office) Keys() jose.JSONWebKeySet { return published(of.key) }

// Handler serves the office's site and its /notices.
func (of *Office) Handler() http.Handler {
	mux := http.NewServeMux()
	of.common(mux)
	mux.Handle("GET /{$}", of.page(of.home))
	mux.Handle("POST /cases", of.page(of.open))
	mux.Handle("GET /callback", of.page(of.callback))
	mux.Handle("GET /cases/{id}", of.page(of.matter))
	mux.Handle("POST /notices", of.notices(of.client, of.take))
	return of.wrap(mux)
}

// cases are the office's cases.
type cases struct {
	Last  int
	Cases map[string]matter
}

const maxCases = 10_000

// A matter is one person's case. It holds no number: who the person is, is a
// place in the office's register.
type matter struct {
	ID    string
	Made  time.Time
	State matterState

	Person   int    // in the register; -1 for who isn't known there
	Type     string // of the evidence that was read
	WebID    string // the person's, for this office
	Deposit  string // where to put the decision
	Location string // of what was granted, if anything was asked
	Consent  string
	Fields   []string
	Facts    map[string]any // what was read
	Given    string         // id of the type that was delivered
	Numbered bool           // the person was given a new number
}

// A matterState says how far a case has come.
type matterState string

const (
	matterAsked    matterState = "asked"
	matterDeclined matterState = "declined"
	matterDone     matterState = "done"
	matterRefused  matterState = "refused"  // the facts are not what is needed
	matterDoubtful matterState = "doubtful" // the evidence is not to be believed
	matterUnknown  matterState = "unknown"  // the person isn't in the register
	matterEnded    matterState = "ended"    // withdrawn
)

func (of *Office) home(w http.ResponseWriter, r *http.Request) error {
	v, err := of.visit(r)
	if err != nil {
		return err
	}
	return of.show(w, r, http.StatusOK, "home", v.Mine)
}

// open opens a case and sends the person to be asked: for all that the office
// needs, and for a place for its answer, in one question.
func (of *Office) open(w http.ResponseWriter, r *http.Request) error {
	all, err := of.directory(r.Context())
	if err != nil {
		return err
	}
	var m matter
	err = of.state.change(func(s *cases) error {
		s.Last = max(s.Last+1, 1001)
		m = matter{ID: strconv.Itoa(s.Last), Made: of.Now().UTC(), State: matterAsked, Person: -1}
		put(&s.Cases, m.ID, m, maxCases, func(m matter) time.Time { return m.Made })
		return nil
	})
	if err != nil {
		return err
	}
	details, err := of.question(all, m)
	if err != nil {
		return err
	}
	return of.begin(w, r, of.client, m.ID, details...)
}

// question is what the office asks of the person.
func (of *Office) question(all directory, m matter) (details []any, err error) {
	if n := of.plan.Asks; n != nil {
		use, ok := all.use(of.ID, n.Use)
		if !ok {
			return nil, fmt.Errorf("the use %s is not registered for us", n.Use)
		}
		details = append(details, detail{
			Type: "evidence_request", Reference: "sak/" + m.ID, Use: n.Use, EvidenceType: use.Type, Fields: n.Fields, Purpose: use.Purpose,
			Until: of.today().AddDate(0, 0, n.Days).Format(time.DateOnly),
		})
	}
	if g := of.plan.Gives; g != nil {
		details = append(details, detail{Type: "evidence_deposit", EvidenceTypes: []string{g.Type}})
	}
	return details, nil
}

// callback takes the answer, and decides the case.
func (of *Office) callback(w http.ResponseWriter, r *http.Request) error {
	id, tokens, err := of.finish(w, r, of.client)
	if id == "" {
		return err
	}
	state, e := of.state.get()
	if e != nil {
		return e
	}
	m, ok := state.Cases[id]
	if !ok {
		return trouble{http.StatusNotFound, "absent"}
	}
	if _, declined := errors.AsType[*client.Declined](err); declined {
		m.State, err = matterDeclined, nil
	} else if err == nil {
		err = of.decide(r.Context(), &m, tokens)
	}
	if err != nil {
		return err
	}
	err = of.state.change(func(s *cases) error {
		put(&s.Cases, m.ID, m, maxCases, func(m matter) time.Time { return m.Made })
		return nil
	})
	if err == nil {
		err = of.own(w, r, id)
	}
	if err != nil {
		return err
	}
	of.Log.Info("a case was decided", "office", of.ID, "state", string(m.State))
	http.Redirect(w, r, "/cases/"+id, http.StatusSeeOther)
	return nil
}

// decide reads what was granted, and if it says what it must, delivers.
func (of *Office) decide(ctx context.Context, m *matter, tokens client.Tokens) error {
	var granted []detail
	if err := json.Unmarshal(tokens.AuthorizationDetails, &granted); err != nil || tokens.WebID == "" {
		return errors.New("the server's answer is not of the right form")
	}
	m.WebID = tokens.WebID
	for _, d := range granted {
		if len(d.Locations) != 1 || !of.ours(d.Locations[0]) {
			return errors.New("the server's answer names no place of its own")
		}
		if d.Type == "evidence_deposit" {
			m.Deposit = d.Locations[0]
		} else {
			m.Location, m.Consent, m.Fields = d.Locations[0], d.Consent, d.Fields
		}
	}
	number, err := of.whoIs(m, tokens)
	if err != nil || m.State == matterUnknown {
		return err
	}
	if err := of.read(ctx, m); err != nil || m.State != matterAsked {
		return err
	}
	if err := of.give(ctx, m); err != nil {
		return err
	}
	m.State = matterDone
	return of.renumber(ctx, m, number)
}

// whoIs finds the person in the register, by the number that an office that is
// registered for it is told. The number goes no further than the register.
func (of *Office) whoIs(m *matter, tokens client.Tokens) (Number, error) {
	var claims struct {
		Number   string `json:"pid"`
		Document string `json:"document_number"`
	}
	if err := tokens.IDToken.Claims(&claims); err != nil {
		return Number{}, errors.New("the ID token is not of the right form")
	}
	said := cmp.Or(claims.Number, claims.Document)
	if said == "" {
		if of.plan.Renumbers != nil {
			m.State = matterUnknown
		}
		return Number{}, nil
	}
	for i, p := range People() {
		for _, n := range append([]Number{{p.Scheme, p.Number}}, p.Later...) {
			if n.Number == said {
				m.Person = i
				of.told("is told who she is by her " + n.Scheme)
				return n, nil
			}
		}
	}
	m.State = matterUnknown
	return Number{}, nil
}

// give delivers the office's decision, signed, once for each case.
func (of *Office) give(ctx context.Context, m *matter) error {
	g := of.plan.Gives
	if g == nil {
		return nil
	}
	holders, err := of.client.HolderKeys(ctx, m.Deposit, forms)
	if err != nil {
		return err
	}
	forms, err := of.issue(g, holders)
	if err != nil {
		return err
	}
	_, err = of.client.Post(ctx, m.Deposit, client.Content{Type: typeSDJWT, Body: []byte(strings.Join(forms, "\n")), Key: hashed(of.ID + "/" + m.ID)})
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	m.Given = g.Type
	of.told("delivers " + g.Type)
	return nil
}

// matter shows a case to the browser that opened it.
func (of *Office) matter(w http.ResponseWriter, r *http.Request) error {
	v, err := of.visit(r)
	if err != nil {
		return err
	}
	state, err := of.state.get()
	if err != nil {
		return err
	}
	m, ok := state.Cases[r.PathValue("id")]
	if !ok || !slices.Contains(v.Mine, m.ID) {
		return trouble{http.StatusNotFound, "absent"}
	}
	return of.show(w, r, http.StatusOK, "case", of.shown(m, of.language(w, r)))
}

// A shownMatter is a case as its page has it.
type shownMatter struct {
	matter
	Rows    []row
	Given   string
	Profile string
}

// day gives a day in words; "" for what is no day.
func (of *Office) day(text, lang string) string {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return ""
	}
	return view{words: of.words[lang]}.Day(t)
}

func (of *Office) shown(m matter, lang string) shownMatter {
	s := shownMatter{matter: m, Profile: of.Server + "/me/"}
	if kind, ok := kindOf(m.Given); ok {
		s.Given = cmp.Or(kind.Title[lang], kind.Title["sv"])
	}
	read, _ := kindOf(m.Type)
	words := map[string]string{"true": of.words[lang]["yes"], "false": of.words[lang]["no"]}
	for _, name := range m.Fields {
		if value, ok := m.Facts[name]; ok {
			text := fmt.Sprint(value)
			s.Rows = append(s.Rows, row{name, read.title(name, lang), cmp.Or(words[text], of.day(text, lang), read.words(name, text, lang))})
		}
	}
	return s
}

// take answers a notification: what was withdrawn is erased.
func (of *Office) take(_ context.Context, event client.Event) int {
	text, ok := event.Events[of.term("ConsentWithdrawn")]
	if !ok {
		return http.StatusAccepted // nothing that we act on
	}
	var says struct{ Consent string }
	if json.Unmarshal(text, &says) != nil || says.Consent == "" {
		return http.StatusBadRequest
	}
	err := of.state.change(func(s *cases) error {
		for id, m := range s.Cases {
			if m.Consent == says.Consent && m.WebID == event.WebID {
				m.Facts, m.State = nil, matterEnded
				s.Cases[id] = m
			}
		}
		return nil
	})
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusAccepted
}
