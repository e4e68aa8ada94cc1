// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
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
	Record    string    // the signed record: a JWS of a [Record]
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

// A Share is a consent as the person sees it.
type Share struct {
	Consent Consent
	Party   Party
	Type    *EvidenceType
	Use     Use
	Active  bool
	Reads   int       // times that the party has read under it
	Last    time.Time // when it last did; zero for never
}

// A Record is the payload of a consent's signed record, after ISO/IEC TS 27560
// and its DPV profile (dpv-27560).
type Record struct {
	Context     string   `json:"@context"`
	Type        string   `json:"type"`
	ID          string   `json:"identifier"`
	ConformsTo  string   `json:"conformsTo"`
	Subject     string   `json:"hasDataSubject"` // the pairwise WebID
	Controller  string   `json:"hasDataController"`
	Source      string   `json:"hasDataSource"`
	Purpose     string   `json:"hasPurpose"`
	Basis       string   `json:"hasLegalBasis"`
	Data        []string `json:"hasPersonalData"` // concepts, never values
	Notice      string   `json:"hasNotice"`
	Language    string   `json:"language"`
	Shown       string   `json:"shownHash"` // of the screen
	Status      string   `json:"hasConsentStatus"`
	Indicated   string   `json:"isIndicatedAtTime"`
	Method      string   `json:"hasIndicationMethod"`
	Until       string   `json:"validUntil"`
	WithdrawnAt string   `json:"isExercisedAt"` // where to withdraw
}

func consentKey(id string) string { return "c" + id }

// signRecord returns the signed record of a consent.
func (p *Pod) signRecord(ctx context.Context, c *Consent, s *Space, o *Offer) (string, error) {
	issuer, err := p.Registry.Party(ctx, c.Issuer)
	if err != nil {
		return "", err
	}
	r := Record{
		Context: "https://w3id.org/dpv", Type: "ConsentRecord", ID: c.ID,
		ConformsTo: "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr",
		Subject:    string(p.SpaceWebID(s.ID)), Controller: string(o.Party.WebID), Source: string(issuer.WebID),
		Purpose: o.Use.Purpose, Basis: o.Use.Basis, Notice: o.Party.Privacy, Language: c.Lang, Shown: c.Shown,
		Status: "https://w3id.org/dpv#ConsentGiven", Indicated: c.Given.Format(time.RFC3339),
		Method: "button pressed after preview; nothing pre-ticked",
		Until:  c.Until.Format(time.RFC3339), WithdrawnAt: p.Base + "/me/sharing",
	}
	for _, name := range c.Fields {
		f, _ := o.Types[0].Field(name)
		r.Data = append(r.Data, f.Concept)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return p.Sign.Sign(ctx, "consent-record+jwt", b)
}

// Withdraw ends a consent of the owner's. The next read under it is refused, on
// every node, and the party is told and asked to erase. To withdraw twice is no
// error.
func (p *Pod) Withdraw(ctx context.Context, who acl.Agent, id string) error {
	err := p.updateOwn(ctx, who, func(tx Tx) error {
		c, err := load[Consent](tx, consentKey(id))
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
func (p *Pod) withdraw(ctx context.Context, tx Tx, c *Consent, tell time.Time) error {
	if !c.Withdrawn.IsZero() {
		return nil
	}
	c.Withdrawn = p.Now().UTC().Truncate(time.Second)
	c.EraseBy = day(c.Withdrawn).AddDate(0, 1, 0)
	g, err := load[Grant](tx, grantKey(c.Space, c.Grant))
	if err != nil {
		return err
	}
	g.Rule.Until = c.Withdrawn
	if err := save(tx, grantKey(c.Space, c.Grant), g); err != nil {
		return err
	}
	if err := save(tx, consentKey(c.ID), c); err != nil {
		return err
	}
	e := Entry{Action: DidWithdraw, Party: c.Request.Party, Type: g.Type, Fields: c.Fields, Purpose: g.Rule.Purpose, Consent: c.ID}
	if err := p.enter(tx, e); err != nil {
		return err
	}
	return p.tell(ctx, tx, Notification{Party: c.Request.Party, Space: c.Space, Event: ConsentWithdrawn, Consent: c.ID,
		Location: p.url(ldp.ID(g.Rule.On)), Reference: c.Request.Reference, Next: tell})
}

// Shares returns the owner's consents, the newest first.
func (p *Pod) Shares(ctx context.Context, who acl.Agent) ([]Share, error) {
	var all []Share
	err := p.viewOwn(ctx, who, func(tx Tx) error {
		var consents []Consent
		if err := each(tx, consentKey(""), func(c *Consent) bool { consents = append(consents, *c); return true }); err != nil {
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

func (p *Pod) share(ctx context.Context, tx Tx, c Consent) (Share, error) {
	party, err := p.partyOrName(ctx, c.Request.Party)
	if err != nil {
		return Share{}, err
	}
	g, err := load[Grant](tx, grantKey(c.Space, c.Grant))
	if err != nil {
		return Share{}, err
	}
	s := Share{Consent: c, Party: party, Active: c.Active(p.Now()), Reads: g.Reads, Last: g.Last}
	s.Type, _ = p.Types.Type(g.Type)
	s.Use, _ = party.Use(c.Request.Use)
	return s, nil
}

// Connections returns the owner's spaces to which something may be deposited.
func (p *Pod) Connections(ctx context.Context, who acl.Agent) ([]Connection, error) {
	all, err := p.Counterparts(ctx, who)
	return slices.DeleteFunc(all, func(c Connection) bool { return len(c.Space.Types) == 0 || !c.Space.Ended.IsZero() }), err
}
