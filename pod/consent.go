// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

// A Consent is the record of an answer. It is written once; only Withdrawn and
// the erasure that follows are ever added.
type Consent struct {
	ID        string
	Request   Request // as it was answered
	Space     string
	Grant     string // id of the grant that it made
	Evidence  string // id of the chosen evidence
	Issuer    string // the party that issued it
	Fields    []string
	Shown     string // hash of what was on the screen
	Lang      string // language of the screen
	Given     time.Time
	Until     time.Time
	Withdrawn time.Time // zero while it holds
	By        acl.WebID // who agreed in the person's name, by a [Mandate]; "" if it was she herself
	Level     string    // how surely the person had signed in, an acr; "" if it isn't known
	Record    string    // the signed record with its receipt (ISO/IEC TS 27560): a JWS
	EraseBy   time.Time // the day by which the party is to erase; zero while it isn't asked to
	Erased    time.Time // when it said that it has; zero while it hasn't
	Receipt   string    // in which it said so: a JWS of an [ErasureReceipt], signed by the party
}

// Active reports whether the consent permits reads at the time now.
func (c *Consent) Active(now time.Time) bool { return c.Withdrawn.IsZero() && now.Before(c.Until) }

// A Grant is an acl.Grant to a space's party, with what the view needs to serve
// it.
type Grant struct {
	ID       string
	Rule     acl.Grant // On is a path in the space; Because is the consent's id
	Type     string
	Issuer   string
	Evidence string // what is read through it
	Standing bool   // or the current evidence of its type and issuer
	Use      string // of the party: what its registration must still permit
	MaxAge   int    // as in Request
	Limit    int    // of Reads; 0 for none
	Given    time.Time
	Reads    int
	Last     time.Time // of the reads
}

// Copy implements store.Copier.
func (g *Grant) Copy() any {
	c := *g
	c.Rule.Clients, c.Rule.Issuers, c.Rule.Origins = slices.Clone(g.Rule.Clients), slices.Clone(g.Rule.Issuers), slices.Clone(g.Rule.Origins)
	c.Rule.Fields = slices.Clone(g.Rule.Fields)
	return &c
}

// A Share is a consent as the person sees it.
type Share struct {
	Consent Consent
	Party   registry.Party
	Type    *registry.EvidenceType
	Use     registry.Use
	Active  bool
	Paused  time.Time // when the owner stopped the party's reads; zero if she hasn't
	Reads   int       // times that the party has read under it
	Last    time.Time // when it last did; zero for never
}

func consentKey(id string) string { return "c" + id }

// Withdraw ends a consent of the owner's. The next read under it is refused, on
// every node, and the party is told and asked to erase. To withdraw twice is no
// error.
func (p *Pod) Withdraw(ctx context.Context, who acl.Agent, id string) error {
	err := p.updateFor(ctx, who, func(tx store.Tx) error {
		c, err := store.Load[Consent](tx, consentKey(id))
		if err != nil {
			return err
		}
		if c == nil {
			return ldp.Refuse(ldp.NotFound, "There is no such consent.")
		}
		return p.withdraw(ctx, tx, c, time.Time{})
	})
	p.wake(err)
	return err
}

// withdraw ends a consent, in a transaction that somebody else has begun. The
// party is told at the time tell, or at once.
func (p *Pod) withdraw(ctx context.Context, tx store.Tx, c *Consent, tell time.Time) error {
	if !c.Withdrawn.IsZero() {
		return nil
	}
	tx.Delete(c.endsKey())
	c.Withdrawn = p.Now().UTC().Truncate(time.Second)
	c.EraseBy = space.Day(c.Withdrawn).AddDate(0, 1, 0)
	g, err := store.Load[Grant](tx, grantKey(c.Space, c.Grant))
	if err != nil {
		return err
	}
	g.Rule.Until = c.Withdrawn
	if err := store.Save(tx, grantKey(c.Space, c.Grant), g); err != nil {
		return err
	}
	if err := keepConsent(tx, c); err != nil {
		return err
	}
	e := log.Entry{Action: log.DidWithdraw, Party: c.Request.Party, Type: g.Type, Fields: c.Fields, Purpose: g.Rule.Purpose, Consent: c.ID}
	if err := log.Enter(tx, p.Now(), e); err != nil {
		return err
	}
	return p.tell(ctx, tx, outbox.Notification{Party: c.Request.Party, Space: c.Space, Event: outbox.ConsentWithdrawn, Consent: c.ID,
		Location: p.url(ldp.ID(g.Rule.On)), Reference: c.Request.Reference, Next: tell})
}

// Shares returns the owner's consents, the newest first.
func (p *Pod) Shares(ctx context.Context, who acl.Agent) ([]Share, error) {
	var all []Share
	err := p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		var consents []Consent
		if err := store.Each(tx, consentKey(""), func(c *Consent) bool { consents = append(consents, *c); return true }); err != nil {
			return err
		}
		for _, c := range consents {
			s, err := p.share(ctx, tx, c)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Share) int {
		return cmp.Or(b.Consent.Given.Compare(a.Consent.Given), cmp.Compare(b.Consent.ID, a.Consent.ID))
	})
	return all, err
}

func (p *Pod) share(ctx context.Context, tx store.Tx, c Consent) (Share, error) {
	party, err := p.partyOrName(ctx, c.Request.Party)
	if err != nil {
		return Share{}, err
	}
	values, err := tx.Get(grantKey(c.Space, c.Grant), space.Key(c.Space))
	if err != nil {
		return Share{}, err
	}
	s := Share{Consent: c, Party: party, Active: c.Active(p.Now())}
	if len(c.Request.Types) > 0 {
		s.Type, _ = p.Types.Type(c.Request.Types[0])
	}
	if values[0] != nil {
		g, err := store.Decode[Grant](grantKey(c.Space, c.Grant), values[0])
		if err != nil {
			return Share{}, err
		}
		s.Reads, s.Last = g.Reads, g.Last
	}
	if values[1] != nil {
		space, err := store.Decode[space.Space](space.Key(c.Space), values[1])
		if err != nil {
			return Share{}, err
		}
		s.Paused = space.Frozen
	}
	s.Use, _ = party.Use(c.Request.Use)
	return s, nil
}

// Connections returns the owner's spaces to which something may be deposited.
func (p *Pod) Connections(ctx context.Context, who acl.Agent) ([]space.Connection, error) {
	all, err := p.Counterparts(ctx, who)
	return slices.DeleteFunc(all, func(c space.Connection) bool { return len(c.Space.Types) == 0 || !c.Space.Ended.IsZero() }), err
}
