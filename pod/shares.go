// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"fmt"
	"math"
	"time"

	"skrin/acl"
	"skrin/pod/evidence"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// How consents are found (2026-11): by when they end, or have ended, what lasts
// longest first. So those that hold come before those that are over at any time, and
// nothing has to be moved when time passes; a page costs what is on it, however many
// consents were ever given. We gave up that what was agreed to last is always first.

// A basis is what of a consent says which evidence is read under it.
type basis struct {
	Evidence, Type, Issuer string
	Standing               bool `json:",omitempty"`
}

func (c *Consent) basis() basis {
	b := basis{Evidence: c.Evidence, Issuer: c.Issuer, Standing: c.Request.Standing}
	if len(c.Request.Types) > 0 {
		b.Type = c.Request.Types[0]
	}
	return b
}

// ends returns when a consent ends, or has ended.
func (c *Consent) ends() time.Time {
	if !c.Withdrawn.IsZero() {
		return c.Withdrawn
	}
	return c.Until
}

// endsKey finds a consent by when it ends.
func (c *Consent) endsKey() string { return lastingFrom(c.ends()) + c.ID }

// lastingFrom comes before the keys of all consents that end at t or earlier, and
// after those of all that end later.
func lastingFrom(t time.Time) string { return fmt.Sprintf("C%016x", uint64(math.MaxInt64-t.Unix())) }

// keepConsent stores a consent so that it is found. Whoever changes when one ends
// deletes its old endsKey first.
func keepConsent(tx store.Tx, c *Consent) error {
	if err := store.Save(tx, c.endsKey(), c.basis()); err != nil {
		return err
	}
	return store.Save(tx, consentKey(c.ID), c)
}

// SharesAfter returns at most n of the owner's consents, what lasts longest first:
// those that come after the one that more of an earlier answer named; "" for from
// the first. more is "" where there is no other.
func (p *Pod) SharesAfter(ctx context.Context, who acl.Agent, after string, n int) (some []Share, more string, err error) {
	if after != "" && (len(after) != 16+26 || !store.IsID(after[16:])) {
		return nil, "", resource.Absent()
	}
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		some, more = nil, ""
		from := ""
		if after != "" {
			from = "C" + after
		}
		pairs, err := tx.Scan("C", from, n+1)
		if err != nil {
			return err
		}
		if len(pairs) > n {
			pairs = pairs[:n]
			more = pairs[n-1].Key[1:]
		}
		some, err = p.sharesAt(ctx, tx, pairs)
		return err
	})
	return some, more, err
}

// Ending returns at most n of the owner's consents that hold and end at the time by
// or earlier, what lasts longest first.
func (p *Pod) Ending(ctx context.Context, who acl.Agent, by time.Time, n int) (some []Share, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		some = nil
		pairs, err := tx.Scan("C", lastingFrom(by), n)
		if err != nil {
			return err
		}
		over := lastingFrom(p.Now())
		for i, pair := range pairs {
			if pair.Key >= over {
				pairs = pairs[:i]
				break
			}
		}
		some, err = p.sharesAt(ctx, tx, pairs)
		return err
	})
	return some, err
}

// SharesOf returns at most n of the consents that hold under which a piece of the
// owner's evidence is read, and how many there are.
func (p *Pod) SharesOf(ctx context.Context, who acl.Agent, e *evidence.Evidence, n int) (some []Share, total int, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		some, total = nil, 0
		newest, err := e.IsCurrent(tx)
		if err != nil {
			return err
		}
		var found []store.Pair
		err = eachLasting(tx, p.Now(), func(pair store.Pair, b *basis) {
			if b.Evidence == e.ID || b.Standing && newest && b.Type == e.Type && b.Issuer == e.Issuer {
				if total++; total <= n {
					found = append(found, pair)
				}
			}
		})
		if err != nil {
			return err
		}
		some, err = p.sharesAt(ctx, tx, found)
		return err
	})
	return some, total, err
}

// eachLasting visits what finds the consents that hold at the time now.
func eachLasting(tx store.Tx, now time.Time, visit func(store.Pair, *basis)) error {
	over := lastingFrom(now)
	for after := ""; ; {
		pairs, err := tx.Scan("C", after, resource.Page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			if after = pair.Key; after >= over {
				return nil
			}
			b, err := store.Decode[basis](pair.Key, pair.Value)
			if err != nil {
				return err
			}
			visit(pair, b)
		}
		if len(pairs) < resource.Page {
			return nil
		}
	}
}

// sharesAt returns the consents that keys find.
func (p *Pod) sharesAt(ctx context.Context, tx store.Tx, pairs []store.Pair) (some []Share, err error) {
	keys := make([]string, len(pairs))
	for i, pair := range pairs {
		keys[i] = consentKey(pair.Key[1+16:])
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, err
	}
	for i, value := range values {
		c, err := store.Decode[Consent](keys[i], value)
		if err != nil {
			return nil, err
		}
		s, err := p.share(ctx, tx, *c)
		if err != nil {
			return nil, err
		}
		some = append(some, s)
	}
	return some, nil
}

// Share returns one of the owner's consents.
func (p *Pod) Share(ctx context.Context, who acl.Agent, id string) (s Share, err error) {
	err = p.viewPart(ctx, who, sharingPart, func(tx store.Tx) error {
		if !store.IsID(id) {
			return resource.Absent()
		}
		c, err := store.Load[Consent](tx, consentKey(id))
		if err != nil {
			return err
		}
		if c == nil {
			return resource.Absent()
		}
		s, err = p.share(ctx, tx, *c)
		return err
	})
	return s, err
}
