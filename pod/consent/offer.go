// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

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
	Evidence evidence.Evidence
	Released []evidence.Fact // exactly what the party receives if the person agrees
	Optional []evidence.Fact // what it receives besides, where the person chooses so
	Hidden   []string        // fields that stay hidden
	Unsigned bool            // no signed form is left: the recipient gets RDF until the issuer has delivered more
	Shown    string          // hash of the above; the Answer repeats it, so that nobody agrees to what they didn't see
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

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// Chosen returns the choice that an answer names, if it is still what was on
// the screen.
func (o *Offer) Chosen(a Answer) (Choice, error) {
	i := slices.IndexFunc(o.Choices, func(c Choice) bool { return c.Evidence.ID == a.Evidence })
	if i < 0 || o.Choices[i].Shown != a.Shown {
		return Choice{}, ldp.Refuse(ldp.Conflict, "What you saw has changed. Look again before you agree.")
	}
	c := o.Choices[i]
	for j, name := range a.Optional {
		if !slices.ContainsFunc(c.Optional, func(f evidence.Fact) bool { return f.Field == name }) || slices.Contains(a.Optional[:j], name) {
			return Choice{}, ldp.Refuse(ldp.Invalid, "A field was chosen that was not asked for.")
		}
	}
	return c, nil
}

// Told returns a reason that the party is told; "" for any other.
func Told(reason string) string {
	switch reason {
	case TooMuch, Stranger, OtherWay, NotNow:
		return reason
	}
	return ""
}

// shown returns the hash that binds an answer to what was on the screen.
func shown(r *Request, e *evidence.Evidence, released, optional []evidence.Fact) string {
	b, _ := json.Marshal([]any{r.ID, r.Party, r.Use, r.Until, r.Standing, r.MaxAge, r.Reads, r.Along, e.ID, e.Issuer, e.Issued, e.Expires, released, optional})
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

// Offers returns the open requests, the newest first.
func (b *Book) Offers(ctx context.Context, tx store.Tx) (offers []Offer, err error) {
	var ids []string
	var open []*Request
	err = store.EachAfter(tx, "Q", openFrom(b.Now())+"\xff", func(id *string) bool { ids = append(ids, RequestKey(*id)); return true })
	if err != nil {
		return nil, err
	}
	values, err := tx.Get(ids...)
	if err != nil {
		return nil, err
	}
	for i, value := range values {
		r, err := store.Decode[Request](ids[i], value)
		if err != nil {
			return nil, err
		}
		open = append(open, r)
	}
	slices.SortFunc(open, func(a, b *Request) int { return b.Created.Compare(a.Created) })
	for _, r := range open {
		o, err := b.Offer(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		offers = append(offers, *o)
	}
	return offers, nil
}

// Offer returns a request with all that it takes to decide, as it is now.
func (b *Book) Offer(ctx context.Context, tx store.Tx, r *Request) (*Offer, error) {
	party, err := registry.PartyOrName(ctx, b.Registry, r.Party)
	if err != nil {
		return nil, err
	}
	o := &Offer{Request: *r, Party: party}
	o.Use, _ = party.Use(r.Use)
	o.Types, o.Along = b.types(r.Types), b.types(r.Along)
	if len(o.Types) != len(r.Types) || len(o.Along) != len(r.Along) {
		return nil, ldp.Refuse(ldp.Gone, "The kind of evidence that was asked for is no longer in use.")
	}
	if r.Kind == ToDeposit {
		s, err := space.Of(tx, r.Party)
		o.Connected = err == nil && s != nil && s.Ended.IsZero() && containsAll(s.Types, r.Types)
		return o, err
	}
	if err := b.choices(tx, o); err != nil {
		return nil, err
	}
	return o, b.suppliers(ctx, tx, o)
}

// typesOf returns the types with the ids, of those that are in the catalogue.
func (b *Book) types(ids []string) (types []*registry.EvidenceType) {
	for _, id := range ids {
		if t, ok := b.Types.Type(id); ok {
			types = append(types, t)
		}
	}
	return types
}

// choices fills in what current evidence would answer the request.
func (b *Book) choices(tx store.Tx, o *Offer) error {
	r, t := &o.Request, o.Types[0]
	all, err := evidence.NewestOf(tx, t.ID, b.Statuses, b.Now())
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Type != t.ID || e.State(b.Now()) != evidence.Current || e.TooOld(r.MaxAge, b.Now()) {
			continue
		}
		released, _ := evidence.Release(t, &e, r.Fields)
		if len(released) < len(r.Fields) {
			continue // it doesn't hold all that must be had
		}
		optional, _ := evidence.Release(t, &e, r.Optional)
		_, hidden := evidence.Release(t, &e, slices.Concat(r.Fields, r.Optional))
		o.Choices = append(o.Choices, Choice{e, released, optional, hidden, e.Given >= e.Forms, shown(r, &e, released, optional)})
	}
	return nil
}

// suppliers fills in who could deliver what is asked for.
func (b *Book) suppliers(ctx context.Context, tx store.Tx, o *Offer) error {
	ids, err := b.Registry.Issuers(ctx, o.Types[0].ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		party, err := b.Registry.Party(ctx, id)
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

// Outcome returns what the party is told of an answer.
func (b *Book) Outcome(ctx context.Context, tx store.Tx, r *Request) (Outcome, error) {
	out := Outcome{Party: r.Party, Declined: r.State == Declined}
	if out.Declined {
		out.Reason = Told(r.Reason)
		return out, nil
	}
	s, err := space.Of(tx, r.Party)
	if err != nil {
		return out, err
	}
	party, err := b.Registry.Party(ctx, r.Party)
	if err != nil {
		return out, err
	}
	c := new(Consent)
	if r.Kind == ToRead {
		if c, err = store.Load[Consent](tx, Key(r.Consent)); err != nil {
			return out, err
		}
	}
	if out.Details, err = b.granted(r, s, c); err != nil {
		return out, err
	}
	out.WebID, out.Subject = space.WebID(b.Base, s.ID), s.ID
	out.Identity = (r.Kind == ToDeposit || r.Along != nil) && party.Identity
	return out, nil
}
