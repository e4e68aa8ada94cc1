// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/leak"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/record"
	"skrin/pod/space"
	"skrin/pod/store"
)

// CheckDetails tells whether a party may ask what the details ask; the error
// names each fault in words for the party.
func (p *Pod) CheckDetails(ctx context.Context, party string, details []json.RawMessage) error {
	_, err := p.book().Parse(ctx, party, details)
	return err
}

// Begin puts what a party asks before the owner and returns the request's id.
// The same key again gives the same request.
func (p *Pod) Begin(ctx context.Context, who acl.Agent, key, party string, details []json.RawMessage) (string, error) {
	r, err := p.book().Parse(ctx, party, details)
	if err != nil {
		return "", err
	}
	r.Key = key
	sum := sha256.Sum256([]byte("request\x00" + key))
	r.ID = store.IDEncoding.EncodeToString(sum[:16])
	err = p.updateOwn(ctx, who, func(tx store.Tx) error {
		old, err := store.Load[consent.Request](tx, consent.RequestKey(r.ID))
		if err != nil || old != nil {
			return err
		}
		return consent.KeepRequest(tx, r)
	})
	return r.ID, err
}

// Requests returns the owner's open requests, the newest first.
func (p *Pod) Requests(ctx context.Context, who acl.Agent) ([]consent.Offer, error) {
	var offers []consent.Offer
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		var err error
		offers, err = p.book().Offers(ctx, tx)
		return err
	})
	return offers, err
}

// Offer returns a request of the owner's with all that it takes to decide.
func (p *Pod) Offer(ctx context.Context, who acl.Agent, id string) (consent.Offer, error) {
	var offer consent.Offer
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		r, err := consent.FindRequest(tx, id)
		if err != nil {
			return err
		}
		o, err := p.book().Offer(ctx, tx, r)
		if err == nil {
			offer = *o
		}
		return err
	})
	return offer, err
}

// Fetch asks a provider, to whom the owner is connected, for the evidence that a
// request lacks.
func (p *Pod) Fetch(ctx context.Context, who acl.Agent, id, supplier string) error {
	err := p.updateFor(ctx, who, func(tx store.Tx) error {
		r, err := consent.FindRequest(tx, id)
		if err != nil {
			return err
		}
		o, err := p.book().Offer(ctx, tx, r)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(o.Suppliers, func(s consent.Supplier) bool { return s.Party.ID == supplier && s.Connected })
		if r.State != consent.Open || i < 0 {
			return ldp.Refuse(ldp.Conflict, "This organisation can't be asked: connect to it first.")
		}
		now := p.Now().UTC().Truncate(time.Second)
		if a := r.Asked[supplier]; a.Trouble == "" && now.Sub(a.At) < time.Minute {
			return nil // it was asked a moment ago
		}
		if r.Asked == nil {
			r.Asked = map[string]consent.Asked{}
		}
		r.Asked[supplier] = consent.Asked{At: now}
		if err := store.Save(tx, consent.RequestKey(id), r); err != nil {
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
func (p *Pod) Answer(ctx context.Context, who acl.Agent, id string, a consent.Answer) (consent.Outcome, error) {
	d, err := p.draft(ctx, who, id, a)
	if err != nil {
		return consent.Outcome{}, err
	}
	err = p.updateFor(ctx, who, func(tx store.Tx) error {
		r, err := consent.FindRequest(tx, id)
		if err != nil {
			return err
		}
		if r.State != consent.Open || !p.Now().Before(r.AnswerBy) || a.Agree && r.Kind == consent.ToRead && !p.Now().Before(r.Until) {
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
			r.State, r.Reason = consent.Declined, a.Reason
			err = log.Enter(tx, p.Now(), log.Entry{Action: log.DidDecline, Party: r.Party, Type: r.Types[0], Fields: r.Fields})
		case r.Kind == consent.ToDeposit:
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
		return consent.KeepRequest(tx, r)
	})
	p.wake(err)
	if err != nil {
		return consent.Outcome{}, err
	}
	out, _, err := p.Outcome(ctx, who, id)
	return out, err
}

// A draft is what an answer needs beside the transaction: random names, and the
// signature on the record, since a transaction may run twice.
type draft struct {
	now     time.Time
	space   *space.Space // the party's, or a new one that is not stored yet
	consent *consent.Consent
}

func (p *Pod) draft(ctx context.Context, who acl.Agent, id string, a consent.Answer) (*draft, error) {
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
	if d.space, err = p.draftSpace(ctx, who, o.Party.ID); err != nil || o.Request.Kind == consent.ToDeposit {
		return d, err
	}
	choice, err := o.Chosen(a)
	if err != nil {
		return nil, err
	}
	c := &consent.Consent{
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
	c.Record, err = p.book().Record(ctx, c, d.space, &o)
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
	if s.ID, err = store.NewID(p.Rand); p.Leak != leak.IDs || err != nil {
		return s, err
	}
	err = p.viewFor(ctx, who, func(tx store.Tx) (err error) { s.ID, err = leak.NextID(tx, s.ID); return err })
	return s, err
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
func (p *Pod) connect(tx store.Tx, r *consent.Request, d *draft) error {
	s, err := p.openSpace(tx, d)
	if err != nil {
		return err
	}
	r.State = consent.Agreed
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
func (p *Pod) agree(ctx context.Context, tx store.Tx, r *consent.Request, a consent.Answer, d *draft) error {
	o, err := p.book().Offer(ctx, tx, r)
	if err != nil {
		return err
	}
	choice, err := o.Chosen(a) // again, in the transaction
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
	if _, err := p.giveForm(ctx, tx, &choice.Evidence, p.Leak.FormFor(s)); err != nil {
		return err
	}
	g := &consent.Grant{
		ID: c.Grant, Type: r.Types[0], Issuer: c.Issuer, Evidence: c.Evidence, Standing: r.Standing, Given: space.Day(d.now),
		Use: r.Use, MaxAge: r.MaxAge, Limit: r.Reads,
		Rule: acl.Grant{
			To: o.Party.WebID, On: string(s.Evidence(c.Grant)), Modes: acl.Read, Clients: []string{r.Party}, Issuers: []string{p.Issuer},
			Fields: c.Fields, Purpose: o.Use.Purpose, Until: c.Until, Because: c.ID,
		},
	}
	r.State, r.Consent = consent.Agreed, c.ID
	if err := store.Save(tx, consent.GrantKey(s.ID, g.ID), g); err != nil {
		return err
	}
	if err := consent.Keep(tx, c); err != nil {
		return err
	}
	return log.Enter(tx, p.Now(), log.Entry{Action: log.DidAgree, Party: r.Party, Type: g.Type, Fields: c.Fields, Purpose: o.Use.Purpose, Consent: c.ID})
}

// Outcome returns what the party is told of the owner's answer to a request;
// false if it isn't answered yet.
func (p *Pod) Outcome(ctx context.Context, who acl.Agent, id string) (consent.Outcome, bool, error) {
	var out consent.Outcome
	answered := false
	err := p.viewPart(ctx, who, requestsPart, func(tx store.Tx) error {
		r, err := consent.FindRequest(tx, id)
		if err != nil || r.State == consent.Open {
			return err
		}
		answered = true
		if out, err = p.book().Outcome(ctx, tx, r); err != nil {
			return err
		}
		return nil
	})
	return out, answered, err
}
