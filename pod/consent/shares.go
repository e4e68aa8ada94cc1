// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"skrin/pod/evidence"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
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

// lastingFrom comes before the keys of all consents that end at t or earlier, and
// after those of all that end later.
func lastingFrom(t time.Time) string { return fmt.Sprintf("C%016x", uint64(math.MaxInt64-t.Unix())) }

// Keep stores a consent so that it is found. Whoever changes when one ends
// deletes its old endsKey first.
func Keep(tx store.Tx, c *Consent) error {
	if err := store.Save(tx, c.endsKey(), c.basis()); err != nil {
		return err
	}
	return store.Save(tx, Key(c.ID), c)
}

// LastingEntry is what finds the consent under a key.
func LastingEntry(key string, value []byte) (at string, says []byte, err error) {
	c, err := store.Decode[Consent](key, value)
	if err != nil {
		return "", nil, err
	}
	says, err = json.Marshal(c.basis())
	return c.endsKey(), says, err
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

// Shares returns all consents, the newest first.
func (b *Book) Shares(ctx context.Context, tx store.Tx) (all []Share, err error) {
	var consents []Consent
	if err := store.Each(tx, Key(""), func(c *Consent) bool { consents = append(consents, *c); return true }); err != nil {
		return nil, err
	}
	for _, c := range consents {
		s, err := b.Share(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Share) int {
		return cmp.Or(b.Consent.Given.Compare(a.Consent.Given), cmp.Compare(b.Consent.ID, a.Consent.ID))
	})
	return all, nil
}

// Share returns a consent as the person sees it.
func (b *Book) Share(ctx context.Context, tx store.Tx, c Consent) (Share, error) {
	party, err := registry.PartyOrName(ctx, b.Registry, c.Request.Party)
	if err != nil {
		return Share{}, err
	}
	values, err := tx.Get(GrantKey(c.Space, c.Grant), space.Key(c.Space))
	if err != nil {
		return Share{}, err
	}
	s := Share{Consent: c, Party: party, Active: c.Active(b.Now())}
	if len(c.Request.Types) > 0 {
		s.Type, _ = b.Types.Type(c.Request.Types[0])
	}
	if values[0] != nil {
		g, err := store.Decode[Grant](GrantKey(c.Space, c.Grant), values[0])
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

// SharesAfter returns at most n consents, what lasts longest first: those that come
// after the one that more of an earlier answer named; "" for from the first. more is
// "" where there is no other.
func (b *Book) SharesAfter(ctx context.Context, tx store.Tx, after string, n int) (some []Share, more string, err error) {
	from := ""
	if after != "" {
		if len(after) != 16+26 || !store.IsID(after[16:]) {
			return nil, "", resource.Absent()
		}
		from = "C" + after
	}
	pairs, err := tx.Scan("C", from, n+1)
	if err != nil {
		return nil, "", err
	}
	if len(pairs) > n {
		pairs = pairs[:n]
		more = pairs[n-1].Key[1:]
	}
	some, err = b.sharesAt(ctx, tx, pairs)
	return some, more, err
}

// Ending returns at most n consents that hold and end at the time by or earlier, what
// lasts longest first.
func (b *Book) Ending(ctx context.Context, tx store.Tx, by time.Time, n int) ([]Share, error) {
	pairs, err := tx.Scan("C", lastingFrom(by), n)
	if err != nil {
		return nil, err
	}
	over := lastingFrom(b.Now())
	for i, pair := range pairs {
		if pair.Key >= over {
			pairs = pairs[:i]
			break
		}
	}
	return b.sharesAt(ctx, tx, pairs)
}

// SharesOf returns at most n of the consents that hold under which evidence is read,
// and how many there are.
func (b *Book) SharesOf(ctx context.Context, tx store.Tx, e *evidence.Evidence, n int) (some []Share, total int, err error) {
	newest, err := e.IsCurrent(tx)
	if err != nil {
		return nil, 0, err
	}
	var found []store.Pair
	err = eachLasting(tx, b.Now(), func(pair store.Pair, b *basis) {
		if b.Evidence == e.ID || b.Standing && newest && b.Type == e.Type && b.Issuer == e.Issuer {
			if total++; total <= n {
				found = append(found, pair)
			}
		}
	})
	if err != nil {
		return nil, 0, err
	}
	some, err = b.sharesAt(ctx, tx, found)
	return some, total, err
}

// sharesAt returns the consents that keys find.
func (b *Book) sharesAt(ctx context.Context, tx store.Tx, pairs []store.Pair) (some []Share, err error) {
	keys := make([]string, len(pairs))
	for i, pair := range pairs {
		keys[i] = Key(pair.Key[1+16:])
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
		s, err := b.Share(ctx, tx, *c)
		if err != nil {
			return nil, err
		}
		some = append(some, s)
	}
	return some, nil
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
