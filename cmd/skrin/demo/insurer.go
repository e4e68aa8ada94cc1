// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/ldp/rdf"
	"skrin/pod/credential"
)

// An Insurer is "Exempel Försäkring (exempel)": it asks people for one fact out
// of their unemployment certificate, reads it, believes it for the authority's
// signature, and erases it when they withdraw.
type Insurer struct {
	*site
	key    jose.JSONWebKey
	client *client.Client
	kind   certificate
	trust  Trusted
	state  *file[claims]
}

// Trusted is whose certificates the insurer believes. It has the keys from the
// start, so that a verification calls nobody.
type Trusted struct {
	Issuer string             // iss: the authority's Origin
	Keys   jose.JSONWebKeySet // as it publishes them
}

// NewInsurer opens the insurer on its directory. It calls nobody yet.
func NewInsurer(o Options, trust Trusted) (*Insurer, error) {
	in, err := newInsurer(o, trust)
	if err != nil {
		return nil, fmt.Errorf("demo insurer: %w", err)
	}
	return in, nil
}

func newInsurer(o Options, trust Trusted) (*Insurer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if trust.Issuer == "" || len(trust.Keys.Keys) == 0 {
		return nil, errors.New("there is nobody whom it trusts")
	}
	key, err := openKey(o.Dir)
	if err != nil {
		return nil, err
	}
	in := &Insurer{key: key, kind: unemployment(), trust: trust}
	if in.client, err = o.newClient(key); err != nil {
		return nil, err
	}
	if in.state, err = openFile[claims](filepath.Join(o.Dir, "claims.json")); err != nil {
		return nil, err
	}
	in.site, err = newSite(o, "insurer")
	return in, err
}

// Keys are the public keys of the insurer, for its registration.
func (in *Insurer) Keys() jose.JSONWebKeySet { return published(in.key) }

// Handler serves the insurer's site and its /notices.
func (in *Insurer) Handler() http.Handler {
	mux := http.NewServeMux()
	in.common(mux)
	mux.Handle("GET /{$}", in.page(in.home))
	mux.Handle("POST /claims", in.page(in.open))
	mux.Handle("GET /callback", in.page(in.callback))
	mux.Handle("GET /claims/{id}", in.page(in.claim))
	mux.Handle("POST /claims/{id}/ask", in.page(in.askAgain))
	mux.Handle("POST /claims/{id}/read", in.page(in.readAgain))
	mux.Handle("POST /notices", in.notices(in.client, in.take))
	return in.wrap(mux)
}

// claims are the claims for a payment.
type claims struct {
	Last   int // the number of the latest
	Claims map[string]claim
}

const (
	firstClaim = 4711
	maxClaims  = 10_000
	askedDays  = 180 // how long the insurer wants to read; it is registered for 200
	theFact    = "registered_at_least_30_days"
	proofLife  = time.Minute // how old the holder's proof may be
)

// A claim is somebody's claim for a payment. The insurer knows the number, and
// what the person let it know.
type claim struct {
	ID    string // "4711"
	Made  time.Time
	State claimState

	// What was granted.
	WebID    string
	Location string // of the evidence
	Consent  string
	Fields   []string
	Until    string // last day

	// What was read. All of it is erased with the consent.
	Facts   map[string]bool
	Issued  time.Time
	Expires time.Time
	Graph   string // the same as linked data, if it was asked for

	Refused time.Time // when we last tried and were refused; zero if we have read since
	Erased  time.Time
	EraseBy string // the day by which the server wanted it erased
}

// A claimState says how far a claim has come.
type claimState string

const (
	asked      claimState = "asked"
	declined   claimState = "declined"
	granted    claimState = "granted"    // and not read yet
	verified   claimState = "verified"   // read, and the signature is good
	unverified claimState = "unverified" // read, and not to be believed
	ended      claimState = "ended"      // we may no longer read
	withdrawn  claimState = "withdrawn"  // and we were told why
)

// Reference is the insurer's own name for the claim, which goes with the request.
func (c claim) Reference() string { return "skade/" + c.ID }

// Good reports whether the person has what the insurance asks for.
func (c claim) Good() bool { return c.Facts[theFact] }

// change changes a claim.
func (in *Insurer) change(id string, fn func(*claim)) error {
	return in.state.change(func(s *claims) error {
		c, ok := s.Claims[id]
		if !ok {
			return trouble{http.StatusNotFound, "absent"}
		}
		fn(&c)
		s.Claims[id] = c
		return nil
	})
}

// mine gives a claim that this browser made; another's is as one that is not.
func (in *Insurer) mine(r *http.Request) (claim, error) {
	v, err := in.visit(r)
	if err != nil {
		return claim{}, err
	}
	state, err := in.state.get()
	c, ok := state.Claims[r.PathValue("id")]
	if err == nil && (!ok || !slices.Contains(v.Mine, c.ID)) {
		err = trouble{http.StatusNotFound, "absent"}
	}
	return c, err
}

func (in *Insurer) home(w http.ResponseWriter, r *http.Request) error {
	v, err := in.visit(r)
	if err != nil {
		return err
	}
	return in.show(w, r, http.StatusOK, "home", v.Mine)
}

// open opens a claim and asks for the certificate.
func (in *Insurer) open(w http.ResponseWriter, r *http.Request) error {
	var c claim
	err := in.state.change(func(s *claims) error {
		s.Last = max(s.Last+1, firstClaim)
		c = claim{ID: strconv.Itoa(s.Last), Made: in.Now().UTC(), State: asked}
		put(&s.Claims, c.ID, c, maxClaims, func(c claim) time.Time { return c.Made })
		return nil
	})
	if err != nil {
		return err
	}
	if r.PostFormValue("ask") == "much" {
		return in.askMuch(w, r, c)
	}
	return in.ask(w, r, c)
}

// askAgain asks once more for a claim that got no answer, or lost it.
func (in *Insurer) askAgain(w http.ResponseWriter, r *http.Request) error {
	c, err := in.mine(r)
	if err != nil {
		return err
	}
	return in.ask(w, r, c)
}

// ask asks the person, whoever it is, for one fact, and for one more if they
// like.
func (in *Insurer) ask(w http.ResponseWriter, r *http.Request, c claim) error {
	return in.begin(w, r, in.client, c.ID, detail{
		Type: "evidence_request", Reference: c.Reference(), Use: "ink-2026", EvidenceType: in.kind.ID,
		Fields: []string{theFact}, Optional: []string{"registered"},
		Purpose: "https://w3id.org/dpv#CustomerClaimsManagement",
		Until:   in.today().AddDate(0, 0, askedDays).Format(time.DateOnly),
	})
}

// askMuch asks for more than it needs, so that one sees how the person is warned.
// What is no yes or no is read, and not kept.
func (in *Insurer) askMuch(w http.ResponseWriter, r *http.Request, c claim) error {
	return in.begin(w, r, in.client, c.ID, detail{
		Type: "evidence_request", Reference: c.Reference(), Use: "uppfoljning-2026", EvidenceType: in.kind.ID,
		Fields:  []string{theFact, "registered", "registration_date"},
		Purpose: "https://w3id.org/dpv#CustomerClaimsManagement", Standing: true,
		Until: in.today().AddDate(0, 0, askedDays).Format(time.DateOnly),
	})
}

// callback takes the answer, and reads if it was yes.
func (in *Insurer) callback(w http.ResponseWriter, r *http.Request) error {
	id, tokens, err := in.finish(w, r, in.client)
	if _, ok := errors.AsType[*client.Declined](err); ok {
		err = in.change(id, func(c *claim) { c.State = declined })
	} else if err == nil {
		err = in.grant(id, tokens)
	}
	if err != nil {
		return err
	}
	if err := in.own(w, r, id); err != nil {
		return err
	}
	state, err := in.state.get()
	if err != nil {
		return err
	}
	if c := state.Claims[id]; c.State == granted {
		if err := in.read(r.Context(), c, false); err != nil {
			in.Log.Warn("read", "error", err) // the person can try again
		}
	}
	http.Redirect(w, r, "/claims/"+id, http.StatusSeeOther)
	return nil
}

// grant notes what was granted.
func (in *Insurer) grant(id string, tokens client.Tokens) error {
	var all []detail
	if err := json.Unmarshal(tokens.AuthorizationDetails, &all); err != nil || len(all) != 1 {
		return errors.New("ask: the server's answer is not of the right form")
	}
	d := all[0]
	if len(d.Locations) != 1 || !in.ours(d.Locations[0]) || !slices.Contains(d.Fields, theFact) {
		return errors.New("ask: the server's answer has no evidence of its own to read, or not what we need")
	}
	return in.change(id, func(c *claim) {
		*c = claim{
			ID: c.ID, Made: c.Made, State: granted,
			WebID: tokens.WebID, Location: d.Locations[0], Consent: d.Consent, Fields: d.Fields, Until: d.Until,
		}
	})
}

func (in *Insurer) claim(w http.ResponseWriter, r *http.Request) error {
	c, err := in.mine(r)
	if err != nil {
		return err
	}
	return in.show(w, r, http.StatusOK, "claim", in.shown(c, in.language(w, r)))
}

// A shown is a claim as its page has it.
type shown struct {
	claim
	Rows        []row
	Sharing     string // the page of the person's profile where consents are withdrawn
	LastDay     time.Time
	LastErasure time.Time
}

type row struct{ Name, Title, Value string }

func (in *Insurer) shown(c claim, lang string) shown {
	s := shown{claim: c, Sharing: in.Server + "/me/sharing"}
	s.LastDay, _ = time.Parse(time.DateOnly, c.Until)
	s.LastErasure, _ = time.Parse(time.DateOnly, c.EraseBy)
	for _, name := range c.Fields {
		if value, ok := c.Facts[name]; ok {
			words := map[bool]string{true: in.words[lang]["yes"], false: in.words[lang]["no"]}
			s.Rows = append(s.Rows, row{name, in.kind.title(name, lang), words[value]})
		}
	}
	return s
}

// readAgain reads what was granted, as anyone may until the consent ends.
func (in *Insurer) readAgain(w http.ResponseWriter, r *http.Request) error {
	c, err := in.mine(r)
	if err != nil {
		return err
	}
	if c.Location == "" {
		return trouble{http.StatusConflict, "ungranted"}
	}
	if err := in.read(r.Context(), c, r.PostFormValue("as") == "turtle"); err != nil {
		return err
	}
	http.Redirect(w, r, "/claims/"+c.ID, http.StatusSeeOther)
	return nil
}

// read reads the evidence of a claim, as the insurer itself, and notes what came
// of it. A refusal is no error: it is an answer.
func (in *Insurer) read(ctx context.Context, c claim, asGraph bool) error {
	found, err := in.fetch(ctx, c, asGraph)
	problem, refused := errors.AsType[*client.Problem](err)
	refused = refused && (problem.Status == http.StatusForbidden || problem.Status == http.StatusNotFound || problem.Status == http.StatusGone)
	bad, doubtful := errors.AsType[doubt](err)
	if err != nil && !refused && !doubtful {
		return err
	}
	return in.change(c.ID, func(now *claim) {
		if now.Consent != c.Consent {
			return // it was asked for anew meanwhile
		}
		switch {
		case refused:
			now.Refused = in.Now().UTC()
			in.erase(now, ended)
			in.Log.Info("a read was refused")
		case now.State == withdrawn: // we were told while we read
		case doubtful:
			in.erase(now, unverified)
			in.Log.Warn("evidence was not believed", "reason", string(bad))
		default:
			now.State, now.Facts, now.Issued, now.Expires, now.Graph = verified, found.Facts, found.Issued, found.Expires, found.Graph
			now.Refused, now.Erased = time.Time{}, time.Time{}
			in.Log.Info("evidence was read and verified")
		}
	})
}

// erase forgets what was read. Where the person has withdrawn, that stays the
// reason.
func (in *Insurer) erase(c *claim, why claimState) {
	if c.Facts != nil {
		c.Erased = in.Now().UTC()
	}
	c.Facts, c.Graph, c.Issued, c.Expires = nil, "", time.Time{}, time.Time{}
	if c.State != withdrawn {
		c.State = why
	}
}

// A doubt is why evidence is not believed. It holds no value.
type doubt string

func (d doubt) Error() string { return string(d) }

// fetch reads the evidence, with proof that the person's pod presents it to us, now,
// and verifies it, with the keys that we have.
func (in *Insurer) fetch(ctx context.Context, c claim, asGraph bool) (claim, error) {
	nonce := rand.Text()
	res, err := in.client.GetBound(ctx, c.Location, nonce)
	if problem, ok := errors.AsType[*client.Problem](err); ok && problem.Status == http.StatusConflict {
		return claim{}, doubt("the certificate is bound to nobody's key")
	}
	if err != nil {
		return claim{}, err
	}
	found, err := in.verify(string(res.Body), nonce, c.Fields)
	if err != nil || !asGraph {
		return found, err
	}
	if res, err = in.client.Get(ctx, c.Location, rdf.Turtle.MediaType()); err != nil {
		return claim{}, err
	}
	found.Graph = string(res.Body)
	return found, in.agrees(ctx, res.Body, c.Location, found.Facts)
}

// verify believes the authority's signature, and the holder's in answer to our
// nonce (RFC 9901, section 7.3), and takes no more than was granted.
func (in *Insurer) verify(compact, nonce string, fields []string) (claim, error) {
	signed, err := credential.Parse(compact)
	if err != nil {
		return claim{}, doubt(err.Error())
	}
	v, err := signed.Verify(in.keyOf, in.Now(), credential.Want{
		Type: in.kind.VCT, Issuer: in.trust.Issuer, Binding: &credential.Binding{Audience: in.ID, Nonce: nonce, MaxAge: proofLife},
	})
	if err != nil {
		return claim{}, doubt(err.Error())
	}
	found := claim{Facts: map[string]bool{}, Issued: v.Issued, Expires: v.Expires}
	for _, name := range fields {
		if value, ok := v.Claims[name].(bool); ok { // as is all that we need
			found.Facts[name] = value
		}
	}
	if _, ok := found.Facts[theFact]; !ok {
		return claim{}, doubt("the fact that was granted is missing")
	}
	return found, nil
}

// keyOf finds the authority's key: credential.Keys.
func (in *Insurer) keyOf(issuer, kid string) (jose.JSONWebKey, error) {
	keys := in.trust.Keys.Key(kid)
	if issuer != in.trust.Issuer || len(keys) != 1 {
		return jose.JSONWebKey{}, errors.New("not a key of the authority's")
	}
	return keys[0], nil
}

// agrees doubts linked data that doesn't say what is signed.
func (in *Insurer) agrees(ctx context.Context, turtle []byte, base string, facts map[string]bool) error {
	g, err := rdf.Read(ctx, turtle, rdf.Turtle, base, rdf.Limits{Bytes: 64 << 10, Triples: 1000})
	if err != nil {
		return doubt("the linked data is not well formed")
	}
	for name, value := range facts {
		values := g.Subjects(rdf.IRI(cccev+"providesValueFor"), rdf.IRI(in.kind.concept(name)))
		if len(values) != 1 || !g.Has(values[0], rdf.IRI(cccev+"value"), rdf.Bool(value)) {
			return doubt("the linked data says something else than what is signed")
		}
	}
	return nil
}

// take answers a notification that a person has withdrawn: erase.
func (in *Insurer) take(_ context.Context, event client.Event) int {
	text, ok := event.Events[in.term("ConsentWithdrawn")]
	if !ok {
		return http.StatusAccepted // nothing that we act on
	}
	var says struct {
		Location string `json:"location"`
		Consent  string `json:"consent"`
		EraseBy  string `json:"erase_by"`
	}
	if json.Unmarshal(text, &says) != nil || says.Consent == "" {
		return http.StatusBadRequest
	}
	err := in.state.change(func(s *claims) error {
		for id, c := range s.Claims {
			if c.Consent == says.Consent && c.WebID == event.WebID && c.Location == says.Location {
				in.erase(&c, withdrawn)
				c.State, c.EraseBy = withdrawn, says.EraseBy
				if c.Erased.IsZero() { // nothing had been read
					c.Erased = in.Now().UTC()
				}
				s.Claims[id] = c
				in.Log.Info("a consent was withdrawn, and what was read is erased")
			}
		}
		return nil
	})
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusAccepted
}
