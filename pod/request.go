// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/record"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

// A RequestKind says what a request is about.
type RequestKind string

// The kinds of request: the types of authorization_details (RFC 9396) that
// carry them.
const (
	ToDeposit RequestKind = "evidence_deposit"
	ToRead    RequestKind = "evidence_request"
)

// A RequestState says how far a request has come.
type RequestState string

// The states of a request.
const (
	Open     RequestState = "open"
	Agreed   RequestState = "agreed"
	Declined RequestState = "declined"
)

// A Request is what a party asks of the person.
type Request struct {
	ID        string
	Kind      RequestKind
	Party     string   // who asks
	Reference string   // the party's own, for itself
	Mailed    bool     // it came through the party's inbox/, and the party waits in no browser
	Key       string   // under which it was begun: where the party waits for the answer, if it still does
	Types     []string // ToDeposit: what it would deliver. ToRead: the one type it asks for
	Use       string   // ToRead: id of the party's Use
	Fields    []string // ToRead: what it must have
	Optional  []string // ToRead: what it would like to have; off unless the person chooses it
	Until     time.Time
	Standing  bool     // ToRead: later evidence of the type too, until Until
	MaxAge    int      // ToRead: days since the evidence was issued, at most; 0 for as long as it is good
	Reads     int      // ToRead: how often it may be read, at most; 0 for as often as the party likes
	Along     []string // ToRead: what the party would deliver in answer; agreed to, or declined, with the rest
	Created   time.Time
	AnswerBy  time.Time
	State     RequestState
	Answered  time.Time
	Reason    string           // of a refusal, if the person gave one
	Consent   string           // id of the Consent, if agreed
	Asked     map[string]Asked // ToRead: providers that were asked for missing evidence
}

// An Asked is what came of asking a provider for missing evidence.
type Asked struct {
	At      time.Time
	Trouble string // "" or why nothing has come: "none", "refused", "unreachable"
}

// An Offer is a request with all that the person needs to decide on it.
type Offer struct {
	Request   Request
	Party     registry.Party
	Use       registry.Use             // ToRead
	Types     []*registry.EvidenceType // of Request.Types
	Along     []*registry.EvidenceType // of Request.Along
	Connected bool                     // ToDeposit: the party is connected already, for these types
	Choices   []Choice                 // ToRead: the evidence that would answer, newest first; empty if there is none
	Suppliers []Supplier               // ToRead: who could deliver evidence of the type
}

// A Choice is one piece of evidence and what of it would be released.
type Choice struct {
	Evidence Evidence
	Released []Fact   // exactly what the party receives if the person agrees
	Optional []Fact   // what it receives besides, where the person chooses so
	Hidden   []string // fields that stay hidden
	Unsigned bool     // no signed form is left: the recipient gets RDF until the issuer has delivered more
	Shown    string   // hash of the above; the Answer repeats it, so that nobody agrees to what they didn't see
}

// A Supplier is a provider of a type of evidence that is asked for.
type Supplier struct {
	Party     registry.Party
	Connected bool
	Asked     time.Time // zero if it wasn't asked for this request
	Trouble   string    // as in Asked
}

// An Answer is what the person decided on a request.
type Answer struct {
	Agree    bool
	Evidence string    // id of the chosen evidence
	Optional []string  // the optional fields that the person chose to release
	Until    time.Time // an earlier end than asked for; zero for as asked
	Shown    string    // Choice.Shown of what was on the screen
	Lang     string    // the language of the screen
	Level    string    // how surely the person has signed in, an acr; for the record
	Reason   string    // of a refusal; may be empty; at most 500 bytes
}

// The reasons that a person can choose to give for a refusal. The party is told, and of
// nothing else that an Answer gives as its Reason.
const (
	TooMuch  = "too_much"      // it asks for too much
	Stranger = "unknown_party" // she doesn't know who asks
	OtherWay = "other_way"     // she gives it in another way
	NotNow   = "not_now"
)

// An Outcome is what the party is told of an answer.
type Outcome struct {
	Party    string
	Declined bool
	Reason   string            // of a refusal, if the person gave one of those above
	WebID    acl.WebID         // the person's WebID for this party
	Subject  string            // the pairwise subject identifier (OIDC Core, section 8.1)
	Details  []json.RawMessage // the authorization_details as granted, with locations
	Identity bool              // the party shall be told the national number now
}

func requestKey(id string) string { return "q" + id }

// openFrom comes before the keys that find the open requests which are to be answered
// after t.
func openFrom(t time.Time) string { return fmt.Sprintf("Q%016x", t.Unix()) }

// keepRequest stores a request, so that it is found as long as it is open.
func keepRequest(tx store.Tx, r *Request) error {
	found := openFrom(r.AnswerBy) + r.ID
	if r.State != Open {
		tx.Delete(found)
	} else if err := store.Save(tx, found, r.ID); err != nil {
		return err
	}
	return store.Save(tx, requestKey(r.ID), r)
}

// Begin puts what a party asks before the owner and returns the request's id.
// The same key again gives the same request.
func (p *Pod) Begin(ctx context.Context, who acl.Agent, key, party string, details []json.RawMessage) (string, error) {
	r, err := p.parseDetails(ctx, party, details)
	if err != nil {
		return "", err
	}
	r.Key = key
	sum := sha256.Sum256([]byte("request\x00" + key))
	r.ID = store.IDEncoding.EncodeToString(sum[:16])
	err = p.updateOwn(ctx, who, func(tx store.Tx) error {
		old, err := store.Load[Request](tx, requestKey(r.ID))
		if err != nil || old != nil {
			return err
		}
		return keepRequest(tx, r)
	})
	return r.ID, err
}

// Requests returns the owner's open requests, the newest first.
func (p *Pod) Requests(ctx context.Context, who acl.Agent) ([]Offer, error) {
	var offers []Offer
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		offers = nil
		var ids []string
		var open []*Request
		err := store.EachAfter(tx, "Q", openFrom(p.Now())+"\xff", func(id *string) bool { ids = append(ids, requestKey(*id)); return true })
		if err != nil {
			return err
		}
		values, err := tx.Get(ids...)
		if err != nil {
			return err
		}
		for i, value := range values {
			r, err := store.Decode[Request](ids[i], value)
			if err != nil {
				return err
			}
			open = append(open, r)
		}
		slices.SortFunc(open, func(a, b *Request) int { return b.Created.Compare(a.Created) })
		for _, r := range open {
			o, err := p.offer(ctx, tx, r)
			if err != nil {
				return err
			}
			offers = append(offers, *o)
		}
		return nil
	})
	return offers, err
}

// Offer returns a request of the owner's with all that it takes to decide.
func (p *Pod) Offer(ctx context.Context, who acl.Agent, id string) (Offer, error) {
	var offer Offer
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		r, err := requestOf(tx, id)
		if err != nil {
			return err
		}
		o, err := p.offer(ctx, tx, r)
		if err == nil {
			offer = *o
		}
		return err
	})
	return offer, err
}

func requestOf(tx store.Tx, id string) (*Request, error) {
	r, err := store.Load[Request](tx, requestKey(id))
	if err == nil && r == nil {
		err = ldp.Refuse(ldp.NotFound, "There is no such request.")
	}
	return r, err
}

func (p *Pod) offer(ctx context.Context, tx store.Tx, r *Request) (*Offer, error) {
	party, err := p.partyOrName(ctx, r.Party)
	if err != nil {
		return nil, err
	}
	o := &Offer{Request: *r, Party: party}
	o.Use, _ = party.Use(r.Use)
	o.Types, o.Along = p.typesOf(r.Types), p.typesOf(r.Along)
	if len(o.Types) != len(r.Types) || len(o.Along) != len(r.Along) {
		return nil, ldp.Refuse(ldp.Gone, "The kind of evidence that was asked for is no longer in use.")
	}
	if r.Kind == ToDeposit {
		s, err := space.Of(tx, r.Party)
		o.Connected = err == nil && s != nil && s.Ended.IsZero() && containsAll(s.Types, r.Types)
		return o, err
	}
	if err := p.choices(tx, o); err != nil {
		return nil, err
	}
	return o, p.suppliers(ctx, tx, o)
}

// typesOf returns the types with the ids, of those that are in the catalogue.
func (p *Pod) typesOf(ids []string) (types []*registry.EvidenceType) {
	for _, id := range ids {
		if t, ok := p.Types.Type(id); ok {
			types = append(types, t)
		}
	}
	return types
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// choices fills in what current evidence would answer the request.
func (p *Pod) choices(tx store.Tx, o *Offer) error {
	r, t := &o.Request, o.Types[0]
	all, err := p.newestOf(tx, t.ID)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Type != t.ID || e.State(p.Now()) != Current || tooOld(&e, r.MaxAge, p.Now()) {
			continue
		}
		released, _ := release(t, &e, r.Fields)
		if len(released) < len(r.Fields) {
			continue // it doesn't hold all that must be had
		}
		optional, _ := release(t, &e, r.Optional)
		_, hidden := release(t, &e, slices.Concat(r.Fields, r.Optional))
		o.Choices = append(o.Choices, Choice{e, released, optional, hidden, e.Given >= e.Forms, shown(r, &e, released, optional)})
	}
	return nil
}

// suppliers fills in who could deliver what is asked for.
func (p *Pod) suppliers(ctx context.Context, tx store.Tx, o *Offer) error {
	ids, err := p.Registry.Issuers(ctx, o.Types[0].ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		party, err := p.Registry.Party(ctx, id)
		if errors.Is(err, registry.ErrNoParty) {
			continue
		}
		if err != nil {
			return err
		}
		s, err := space.Of(tx, id)
		if err != nil {
			return err
		}
		asked := o.Request.Asked[id]
		o.Suppliers = append(o.Suppliers, Supplier{
			Party: party, Asked: asked.At, Trouble: asked.Trouble,
			Connected: s != nil && s.Ended.IsZero() && slices.Contains(s.Types, o.Types[0].ID),
		})
	}
	return nil
}

// Fetch asks a provider, to whom the owner is connected, for the evidence that a
// request lacks.
func (p *Pod) Fetch(ctx context.Context, who acl.Agent, id, supplier string) error {
	err := p.updateFor(ctx, who, func(tx store.Tx) error {
		r, err := requestOf(tx, id)
		if err != nil {
			return err
		}
		o, err := p.offer(ctx, tx, r)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(o.Suppliers, func(s Supplier) bool { return s.Party.ID == supplier && s.Connected })
		if r.State != Open || i < 0 {
			return ldp.Refuse(ldp.Conflict, "This organisation can't be asked: connect to it first.")
		}
		now := p.Now().UTC().Truncate(time.Second)
		if a := r.Asked[supplier]; a.Trouble == "" && now.Sub(a.At) < time.Minute {
			return nil // it was asked a moment ago
		}
		if r.Asked == nil {
			r.Asked = map[string]Asked{}
		}
		r.Asked[supplier] = Asked{At: now}
		if err := store.Save(tx, requestKey(id), r); err != nil {
			return err
		}
		s, err := space.Of(tx, supplier)
		if err != nil {
			return err
		}
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidFetch, Party: supplier, Type: r.Types[0]}); err != nil {
			return err
		}
		return p.tell(ctx, tx, outbox.Notification{Party: supplier, Space: s.ID, Event: outbox.EvidenceWanted, Types: r.Types, Request: id, Location: p.url(s.Deposit())})
	})
	p.wake(err)
	return err
}

// Answer records what the owner decided, and returns what the party is told. To
// agree makes the grant, the consent and its log entry in one transaction. An
// Answer to what was not on the screen, or to a request that was answered, is a
// Conflict.
func (p *Pod) Answer(ctx context.Context, who acl.Agent, id string, a Answer) (Outcome, error) {
	d, err := p.draft(ctx, who, id, a)
	if err != nil {
		return Outcome{}, err
	}
	err = p.updateFor(ctx, who, func(tx store.Tx) error {
		r, err := requestOf(tx, id)
		if err != nil {
			return err
		}
		if r.State != Open || !p.Now().Before(r.AnswerBy) || a.Agree && r.Kind == ToRead && !p.Now().Before(r.Until) {
			return ldp.Refuse(ldp.Conflict, "This request has been answered, or its time has passed.")
		}
		if h, err := record.HomeOf(tx); err != nil {
			return err
		} else if a.Agree && !h.Leaves.IsZero() {
			return ldp.Refuse(ldp.Conflict, "All of it is about to be erased. Stay first, and then answer.")
		}
		r.Answered = d.now
		switch {
		case !a.Agree:
			r.State, r.Reason = Declined, a.Reason
			err = log.Enter(tx, p.Now(), log.Entry{Action: log.DidDecline, Party: r.Party, Type: r.Types[0], Fields: r.Fields})
		case r.Kind == ToDeposit:
			err = p.connect(tx, r, d)
		default:
			err = p.agree(ctx, tx, r, a, d)
		}
		if err != nil {
			return err
		}
		if err := p.tellAnswer(ctx, tx, r, d.consent); err != nil {
			return err
		}
		return keepRequest(tx, r)
	})
	p.wake(err)
	if err != nil {
		return Outcome{}, err
	}
	out, _, err := p.Outcome(ctx, who, id)
	return out, err
}

// A draft is what an answer needs beside the transaction: random names, and the
// signature on the record, since a transaction may run twice.
type draft struct {
	now     time.Time
	space   *space.Space // the party's, or a new one that is not stored yet
	consent *Consent
}

func (p *Pod) draft(ctx context.Context, who acl.Agent, id string, a Answer) (*draft, error) {
	if len(a.Reason) > 500 {
		return nil, ldp.Refuse(ldp.Invalid, "The reason is longer than 500 bytes.")
	}
	d := &draft{now: p.Now().UTC().Truncate(time.Second)}
	if !a.Agree {
		return d, nil
	}
	o, err := p.Offer(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if o.Party.WebID == "" {
		return nil, ldp.Refuse(ldp.Gone, "The organisation that asked is no longer registered here.")
	}
	if d.space, err = p.draftSpace(ctx, who, o.Party.ID); err != nil || o.Request.Kind == ToDeposit {
		return d, err
	}
	choice, err := o.chosen(a)
	if err != nil {
		return nil, err
	}
	c := &Consent{
		Request: o.Request, Space: d.space.ID, Evidence: choice.Evidence.ID, Issuer: choice.Evidence.Issuer,
		Fields: slices.Concat(o.Request.Fields, a.Optional), Shown: a.Shown, Lang: a.Lang, Level: a.Level, Given: d.now, Until: o.Request.Until,
	}
	if !a.Until.IsZero() && a.Until.Before(c.Until) {
		c.Until = a.Until
	}
	if c.ID, err = store.NewID(p.Rand); err != nil {
		return nil, err
	}
	if c.Grant, err = store.NewID(p.Rand); err != nil {
		return nil, err
	}
	c.Record, err = p.signRecord(ctx, c, d.space, &o)
	d.consent = c
	return d, err
}

// draftSpace returns the owner's space for a party, or a new one that is not
// stored yet.
func (p *Pod) draftSpace(ctx context.Context, who acl.Agent, party string) (*space.Space, error) {
	var s *space.Space
	err := p.viewFor(ctx, who, func(tx store.Tx) (err error) { s, err = space.Of(tx, party); return err })
	if err != nil || s != nil {
		return s, err
	}
	s = &space.Space{Party: party, Key: make([]byte, 32), Created: space.Day(p.Now())}
	if _, err := io.ReadFull(p.Rand, s.Key); err != nil {
		return nil, err
	}
	if s.ID, err = store.NewID(p.Rand); p.Leak != LeakIDs || err != nil {
		return s, err
	}
	err = p.viewFor(ctx, who, func(tx store.Tx) (err error) { s.ID, err = nextSpaceID(tx, s.ID); return err })
	return s, err
}

// chosen returns the choice that an answer names, if it is still what was on
// the screen.
func (o *Offer) chosen(a Answer) (Choice, error) {
	i := slices.IndexFunc(o.Choices, func(c Choice) bool { return c.Evidence.ID == a.Evidence })
	if i < 0 || o.Choices[i].Shown != a.Shown {
		return Choice{}, ldp.Refuse(ldp.Conflict, "What you saw has changed. Look again before you agree.")
	}
	c := o.Choices[i]
	for j, name := range a.Optional {
		if !slices.ContainsFunc(c.Optional, func(f Fact) bool { return f.Field == name }) || slices.Contains(a.Optional[:j], name) {
			return Choice{}, ldp.Refuse(ldp.Invalid, "A field was chosen that was not asked for.")
		}
	}
	return c, nil
}

// openSpace stores the drafted space, unless the party has one.
func (p *Pod) openSpace(tx store.Tx, d *draft) (*space.Space, error) {
	s, err := space.Of(tx, d.space.Party)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = d.space
		tx.Claim(store.Name("w/" + s.ID))
		if err := store.Save(tx, space.PartyKey(s.Party), s.ID); err != nil {
			return nil, err
		}
	}
	if s.ID != d.space.ID {
		return nil, ldp.Refuse(ldp.Conflict, "Two answers to one organisation crossed. Try again.")
	}
	return s, store.Save(tx, space.Key(s.ID), s)
}

// connect lets a provider deposit.
func (p *Pod) connect(tx store.Tx, r *Request, d *draft) error {
	s, err := p.openSpace(tx, d)
	if err != nil {
		return err
	}
	r.State = Agreed
	return p.admit(tx, s, r.Types)
}

// admit lets the party of a space deposit evidence of the types.
func (p *Pod) admit(tx store.Tx, s *space.Space, types []string) error {
	for _, t := range types {
		if !slices.Contains(s.Types, t) {
			s.Types = append(s.Types, t)
		}
	}
	s.Ended = time.Time{}
	if err := store.Save(tx, space.Key(s.ID), s); err != nil {
		return err
	}
	return log.Enter(tx, p.Now(), log.Entry{Action: log.DidConnect, Party: s.Party, Type: types[0]})
}

// agree makes the grant and the consent.
func (p *Pod) agree(ctx context.Context, tx store.Tx, r *Request, a Answer, d *draft) error {
	o, err := p.offer(ctx, tx, r)
	if err != nil {
		return err
	}
	choice, err := o.chosen(a) // again, in the transaction
	if err != nil {
		return err
	}
	s, err := p.openSpace(tx, d)
	if err != nil {
		return err
	}
	if r.Along != nil {
		if err := p.admit(tx, s, r.Along); err != nil {
			return err
		}
	}
	c := d.consent
	if t, ok := tx.(*log.Acting); ok {
		c.By = t.By
	}
	if _, err := p.giveForm(ctx, tx, &choice.Evidence, p.formFor(s)); err != nil {
		return err
	}
	g := &Grant{
		ID: c.Grant, Type: r.Types[0], Issuer: c.Issuer, Evidence: c.Evidence, Standing: r.Standing, Given: space.Day(d.now),
		Use: r.Use, MaxAge: r.MaxAge, Limit: r.Reads,
		Rule: acl.Grant{
			To: o.Party.WebID, On: string(s.Evidence(c.Grant)), Modes: acl.Read, Clients: []string{r.Party}, Issuers: []string{p.Issuer},
			Fields: c.Fields, Purpose: o.Use.Purpose, Until: c.Until, Because: c.ID,
		},
	}
	r.State, r.Consent = Agreed, c.ID
	if err := store.Save(tx, grantKey(s.ID, g.ID), g); err != nil {
		return err
	}
	if err := keepConsent(tx, c); err != nil {
		return err
	}
	return log.Enter(tx, p.Now(), log.Entry{Action: log.DidAgree, Party: r.Party, Type: g.Type, Fields: c.Fields, Purpose: o.Use.Purpose, Consent: c.ID})
}

// Outcome returns what the party is told of the owner's answer to a request;
// false if it isn't answered yet.
func (p *Pod) Outcome(ctx context.Context, who acl.Agent, id string) (Outcome, bool, error) {
	var out Outcome
	answered := false
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		r, err := requestOf(tx, id)
		if err != nil || r.State == Open {
			return err
		}
		answered = true
		if out, err = p.outcome(ctx, tx, r); err != nil {
			return err
		}
		return nil
	})
	return out, answered, err
}

// told returns a reason that the party is told; "" for any other.
func told(reason string) string {
	switch reason {
	case TooMuch, Stranger, OtherWay, NotNow:
		return reason
	}
	return ""
}

func (p *Pod) outcome(ctx context.Context, tx store.Tx, r *Request) (Outcome, error) {
	out := Outcome{Party: r.Party, Declined: r.State == Declined}
	if out.Declined {
		out.Reason = told(r.Reason)
		return out, nil
	}
	s, err := space.Of(tx, r.Party)
	if err != nil {
		return out, err
	}
	party, err := p.Registry.Party(ctx, r.Party)
	if err != nil {
		return out, err
	}
	c := new(Consent)
	if r.Kind == ToRead {
		if c, err = store.Load[Consent](tx, consentKey(r.Consent)); err != nil {
			return out, err
		}
	}
	if out.Details, err = p.granted(r, s, c); err != nil {
		return out, err
	}
	out.WebID, out.Subject = space.WebID(p.Base, s.ID), s.ID
	out.Identity = (r.Kind == ToDeposit || r.Along != nil) && party.Identity
	return out, nil
}
