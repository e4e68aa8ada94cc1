// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"mime"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
	"skrin/pod/vouch"
)

const (
	typeJSON = "application/json"
	maxMail  = 16 << 10 // bytes
)

// takeMail takes what a party posts to its inbox/: a receipt that it has erased,
// or a request.
func (p *Pod) takeMail(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	party, _, err := p.mayDeposit(ctx, who, req.ID)
	if err == nil {
		err = req.Fault
	}
	if err != nil {
		return ldp.Written{}, err
	}
	if media, _, err := mime.ParseMediaType(req.Type); err != nil || media != vouch.MediaType {
		return ldp.Written{}, ldp.Refuse(ldp.Unsupported, "An inbox takes "+vouch.MediaType+".")
	}
	body, err := resource.ReadAll(req.Body, maxMail)
	if err != nil {
		return ldp.Written{}, err
	}
	switch vouch.TypeOf(string(body)) {
	case consent.TypeErasure:
		return p.takeErasure(ctx, who, req.ID, party, string(body))
	case consent.TypeMailed:
		return p.takeRequest(ctx, who, req.ID, party, string(body))
	}
	return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, "The body must be a JWS whose typ is "+consent.TypeErasure+" or "+consent.TypeMailed+".")
}

// takeRequest puts a party's signed request before the person.
func (p *Pod) takeRequest(ctx context.Context, who acl.Agent, inbox ldp.ID, party registry.Party, jws string) (ldp.Written, error) {
	m, faults := p.book().Mailed(party, space.IDIn(inbox), jws)
	if faults != nil {
		return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, "The request can't be accepted.", faults...)
	}
	r, err := p.book().Parse(ctx, party.ID, m.Details)
	if err != nil {
		return ldp.Written{}, err
	}
	if r.Kind != consent.ToRead {
		return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, "The request can't be accepted.", "type: only an evidence_request can be posted; for a connection the person must come to you.")
	}
	sum := sha256.Sum256([]byte("mail\x00" + space.IDIn(inbox) + "\x00" + m.ID))
	r.ID, r.Mailed = store.IDEncoding.EncodeToString(sum[:16]), true
	done := ldp.Written{ID: inbox + ldp.ID(r.ID), Created: true, Description: p.spaceDescription(inbox)}
	return done, p.inSpace(ctx, who, acl.Append, inbox, func(tx store.Tx, a access) error {
		old, err := store.Load[consent.Request](tx, consent.RequestKey(r.ID))
		if err != nil || old != nil {
			return err
		}
		if err := consent.CountMail(tx, party.ID, p.Now()); err != nil {
			return err
		}
		if err := consent.KeepRequest(tx, r); err != nil {
			return err
		}
		return log.Enter(tx, p.Now(), log.Entry{Action: log.DidAsk, Party: party.ID, Type: r.Types[0], Fields: slices.Concat(r.Fields, r.Optional)})
	})
}

// readMail tells a party what came of a request that it posted. What the person
// hasn't answered in time and what can't be answered look alike.
func (p *Pod) readMail(ctx context.Context, tx store.Tx, a access, req ldp.Get) (*ldp.Resource, error) {
	r, err := store.Load[consent.Request](tx, consent.RequestKey(req.ID.Name()))
	if err != nil {
		return nil, err
	}
	if r == nil { // it was there when the right was decided
		return nil, errors.New("a request is gone")
	}
	if req.Choose(typeJSON) == "" {
		return nil, notAcceptable(typeJSON)
	}
	m := consent.MailedAnswer{State: string(r.State), Reason: consent.Told(r.Reason), Until: r.AnswerBy.Format(time.DateOnly)}
	switch {
	case r.State == consent.Open && !p.Now().Before(r.AnswerBy):
		m.State = "unanswered"
	case r.State == consent.Agreed:
		out, err := p.book().Outcome(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		m.Details = out.Details
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	res := &ldp.Resource{ID: req.ID, Type: typeJSON, Tag: a.space.Tag("mail", r.ID, m.State), Modified: a.space.Created, Modes: acl.Read, Description: p.spaceDescription(req.ID)}
	resource.SetBody(res, b)
	return res, log.Enter(tx, p.Now(), log.Entry{Action: log.DidRead, Party: a.party.ID, Path: string(req.ID)})
}

// tellAnswer tells a party of the answer to a request that it posted.
func (p *Pod) tellAnswer(ctx context.Context, tx store.Tx, r *consent.Request, c *consent.Consent) error {
	if !r.Mailed {
		return nil
	}
	s, err := space.Of(tx, r.Party)
	if err != nil {
		return err
	}
	n := outbox.Notification{Party: r.Party, Space: s.ID, Event: outbox.RequestAnswered, Result: string(r.State), Asked: p.url(s.Inbox() + ldp.ID(r.ID)), Reference: r.Reference}
	if r.State == consent.Agreed {
		n.Consent, n.Location = c.ID, p.url(s.Evidence(c.Grant))
	}
	return p.tell(ctx, tx, n)
}
