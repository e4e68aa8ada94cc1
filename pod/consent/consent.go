// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"slices"
	"time"

	"skrin/acl"
	"skrin/pod/evidence"
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
	By        acl.WebID // who agreed in the person's name, by a mandate; "" if it was she herself
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

// About returns the evidence that a grant is about now: the chosen one, or the
// current one of its type and issuer for a standing grant. Nil if it is gone. The
// signed form of a space, which is asked for next, may come with it.
func (g *Grant) About(tx store.Tx, space string) (*evidence.Evidence, error) {
	id := g.Evidence
	if g.Standing {
		var err error
		if id, err = evidence.CurrentID(tx, g.Type, g.Issuer); err != nil || id == "" {
			return nil, err
		}
	}
	store.Ahead(tx, evidence.FormKey(id, space))
	return store.Load[evidence.Evidence](tx, evidence.Key(id))
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

// Key is the key of the consent with the id; of all consents for "".
func Key(id string) string { return "c" + id }

// Find returns the consent with the id, which may be any text; nil if there is none.
func Find(tx store.Tx, id string) (*Consent, error) {
	if !store.IsID(id) {
		return nil, nil
	}
	return store.Load[Consent](tx, Key(id))
}

// Withdraw ends the consent and its grant, which it returns.
func (c *Consent) Withdraw(tx store.Tx, now time.Time) (*Grant, error) {
	tx.Delete(c.endsKey())
	c.Withdrawn = now.UTC().Truncate(time.Second)
	c.EraseBy = space.Day(c.Withdrawn).AddDate(0, 1, 0)
	g, err := store.Load[Grant](tx, GrantKey(c.Space, c.Grant))
	if err != nil {
		return nil, err
	}
	g.Rule.Until = c.Withdrawn
	if err := store.Save(tx, GrantKey(c.Space, c.Grant), g); err != nil {
		return nil, err
	}
	return g, Keep(tx, c)
}

// Under returns the consents that hold now under which evidence is read.
func Under(tx store.Tx, e *evidence.Evidence, isCurrent bool, now time.Time) ([]Consent, error) {
	var consents, all []Consent
	if err := store.Each(tx, Key(""), func(c *Consent) bool { all = append(all, *c); return true }); err != nil {
		return nil, err
	}
	for _, c := range all {
		g, err := store.Load[Grant](tx, GrantKey(c.Space, c.Grant))
		if err != nil {
			return nil, err
		}
		covers := g.Evidence == e.ID || g.Standing && isCurrent && g.Type == e.Type && g.Issuer == e.Issuer
		if covers && c.Active(now) {
			consents = append(consents, c)
		}
	}
	return consents, nil
}

// GrantKey is the key of a grant to the party of a space; of all for "".
func GrantKey(space, grant string) string { return "g" + space + "\x00" + grant }
