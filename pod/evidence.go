// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/outbox"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
)

// An Evidence is one statement that a provider attested about the person.
type Evidence struct {
	ID       string
	Type     string // id of its type
	Issuer   string // id of the party that signed it
	Issued   time.Time
	Expires  time.Time // both in whole days
	Received time.Time
	Path     ldp.ID        // where the person finds it in the pod, as RDF
	Facts    []Fact        // in the order of the type's fields
	Detached string        // the issuer's signature of its RDF, as [TypeDetached]; "" if it came as signed forms
	Forms    int           // how many signed forms were delivered
	Given    int           // how many of them have a recipient
	Wanted   time.Time     // when its issuer was asked for more of them; zero if it wasn't, or has delivered them
	Places   status.Places // of the signed forms in status lists
	Listed   EndState      // what the lists said when the log was told last: "", Revoked or Suspended
	Ended    EndState      // why it is no longer current; "" while it is
}

// Copy implements store.Copier.
func (e *Evidence) Copy() any {
	c := *e
	c.Facts, c.Places = slices.Clone(e.Facts), maps.Clone(e.Places)
	for list, indexes := range c.Places {
		c.Places[list] = slices.Clone(indexes)
	}
	return &c
}

// A Fact is a field's value in its lexical form ("true", "2026-10-01").
type Fact struct {
	Field string // the field's name
	Value string
}

// An EndState says why evidence is no longer current.
type EndState string

// The end states.
const (
	Current    EndState = ""
	Superseded EndState = "superseded"
	Revoked    EndState = "revoked"
	Expired    EndState = "expired"
	Suspended  EndState = "suspended" // by its issuer, for a while
)

// State returns whether the evidence is current at the time now.
func (e *Evidence) State(now time.Time) EndState {
	if e.Ended == Current && !now.Before(e.Expires) {
		return Expired
	}
	return e.Ended
}

// tooOld reports whether evidence was issued more than so many days ago; 0 for no
// limit.
func tooOld(e *Evidence, days int, now time.Time) bool {
	return days > 0 && space.Day(now).After(e.Issued.AddDate(0, 0, days))
}

// keep stores evidence that is new here.
func keep(tx store.Tx, e *Evidence) error {
	tx.Put(newestKey(e), []byte{store.Layout})
	return store.Save(tx, evidenceKey(e.ID), e)
}

// newestKey finds evidence by when it came, the newest first.
func newestKey(e *Evidence) string {
	return fmt.Sprintf("R%016x%s", uint64(math.MaxInt64-e.Received.Unix()), e.ID)
}

func evidenceKey(id string) string         { return "e" + id }
func formKey(id string, i int) string      { return fmt.Sprintf("f%s\x00%04d", id, i) }
func givenKey(id, space string) string     { return "f" + id + "\x00w" + space }
func currentKey(typ, issuer string) string { return "k" + typ + "\x00" + issuer }

// supersede makes e the current evidence of its type and issuer; or what was
// superseded already, if it was issued before what is good now: forms that were asked
// for earlier may come later.
func (p *Pod) supersede(tx store.Tx, e *Evidence) error {
	key := currentKey(e.Type, e.Issuer)
	id, err := store.Load[string](tx, key)
	if err != nil {
		return err
	}
	if id != nil {
		old, err := store.Load[Evidence](tx, evidenceKey(*id))
		switch {
		case err != nil:
			return err
		case old == nil:
		case e.Issued.Before(old.Issued) && p.good(*old):
			e.Ended = Superseded
			return nil
		case old.Ended == Current:
			old.Ended = Superseded
			if err := store.Save(tx, evidenceKey(old.ID), old); err != nil {
				return err
			}
		}
	}
	return store.Save(tx, key, e.ID)
}

// good reports whether evidence is current, and its issuer's lists say nothing else.
func (p *Pod) good(e Evidence) bool {
	p.listed(&e)
	return e.State(p.Now()) == Current
}

// A given is a signed form that a space was given, with the top-level claim of each
// of its disclosures: so that a read needn't parse it.
type given struct {
	form      string
	disclosed []string
}

// encode writes the form, a line's end and the claims, between NULs.
func (g given) encode() []byte { return []byte(g.form + "\n" + strings.Join(g.disclosed, "\x00")) }

func decodeGiven(b []byte) given {
	form, rest, _ := strings.Cut(string(b), "\n")
	g := given{form: form}
	if rest != "" {
		g.disclosed = strings.Split(rest, "\x00")
	}
	return g
}

// giveForm gives a space a signed form of e that nobody else was given, or the
// one that it has; an empty one if all are given away. When few are left the issuer
// is asked for more: some time in the next hours, so that it doesn't see when the
// person shares; at once if somebody waits.
func (p *Pod) giveForm(ctx context.Context, tx store.Tx, e *Evidence, space string) (given, error) {
	key := givenKey(e.ID, space)
	values, err := tx.Get(key)
	if err != nil {
		return given{}, err
	}
	if values[0] != nil {
		return decodeGiven(values[0]), nil
	}
	if values, err = tx.Get(formKey(e.ID, e.Given)); err != nil {
		return given{}, err
	}
	var g given
	if values[0] != nil {
		c, err := credential.Parse(string(values[0]))
		if err != nil {
			return g, err
		}
		g = given{string(values[0]), c.Disclosed()}
		tx.Put(key, g.encode())
		tx.Delete(formKey(e.ID, e.Given))
		e.Given++
		if err := store.Save(tx, evidenceKey(e.ID), e); err != nil {
			return g, err
		}
	}
	if 4*(e.Forms-e.Given) < e.Forms && p.Now().Sub(e.Wanted) >= 24*time.Hour {
		later, err := outbox.SomeTime(p.Rand, p.Now())
		if err != nil {
			return g, err
		}
		if err := p.wantForms(ctx, tx, e, later); err != nil {
			return g, err
		}
	}
	return g, nil
}

// wantForms asks e's issuer for more signed forms of it, once a day at most, if
// that can still help.
func (p *Pod) wantForms(ctx context.Context, tx store.Tx, e *Evidence, at time.Time) error {
	now := p.Now().UTC()
	s, err := space.Of(tx, e.Issuer)
	if err != nil || s == nil || !slices.Contains(s.Types, e.Type) || e.State(now) != Current {
		return err
	}
	if at.Before(now) {
		at = now
	}
	if now.Sub(e.Wanted) < 24*time.Hour && !at.Before(e.Wanted) {
		return nil
	}
	e.Wanted = at
	if err := store.Save(tx, evidenceKey(e.ID), e); err != nil {
		return err
	}
	return p.tell(ctx, tx, outbox.Notification{Party: e.Issuer, Space: s.ID, Event: outbox.FormsWanted, Types: []string{e.Type}, Location: p.url(s.Deposit()),
		Issued: e.Issued, Expires: e.Expires, Next: at})
}

// eachForm visits the signed forms of evidence, given or not.
func eachForm(tx store.Tx, id string, visit func(key string, form []byte) error) error {
	const page = 64
	for after := ""; ; {
		pairs, err := tx.Scan("f"+id+"\x00", after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			if err := visit(pair.Key, []byte(decodeGiven(pair.Value).form)); err != nil {
				return err
			}
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

// evidenceFor returns the evidence that a grant is about now: the chosen one, or
// the current one of its type and issuer for a standing grant. Nil if it is
// gone.
func (p *Pod) evidenceFor(tx store.Tx, g *Grant, s *space.Space) (*Evidence, error) {
	id := g.Evidence
	if g.Standing {
		current, err := store.Load[string](tx, currentKey(g.Type, g.Issuer))
		if err != nil || current == nil {
			return nil, err
		}
		id = *current
	}
	store.Ahead(tx, givenKey(id, p.formFor(s)))
	return store.Load[Evidence](tx, evidenceKey(id))
}

// Holdings returns the owner's evidence, newest first.
func (p *Pod) Holdings(ctx context.Context, who acl.Agent) ([]Evidence, error) {
	var all []Evidence
	err := p.viewPart(ctx, who, evidencePart, func(tx store.Tx) (err error) {
		all, err = p.holdings(tx)
		return err
	})
	return all, err
}

// holdings returns all evidence, with what status lists say of it now.
func (p *Pod) holdings(tx store.Tx) ([]Evidence, error) {
	var all []Evidence
	err := store.Each(tx, evidenceKey(""), func(e *Evidence) bool {
		p.listed(e)
		all = append(all, *e)
		return true
	})
	slices.SortFunc(all, newerFirst)
	return all, err
}

// newestOf returns the evidence of a type that no newer one of its issuer has
// replaced, newest first, with what status lists say of it now.
func (p *Pod) newestOf(tx store.Tx, typ string) ([]Evidence, error) {
	var keys []string
	if err := store.Each(tx, currentKey(typ, ""), func(id *string) bool { keys = append(keys, evidenceKey(*id)); return true }); err != nil || keys == nil {
		return nil, err
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, err
	}
	var all []Evidence
	for i, value := range values {
		if value == nil {
			continue
		}
		e, err := store.Decode[Evidence](keys[i], value)
		if err != nil {
			return nil, err
		}
		p.listed(e)
		all = append(all, *e)
	}
	slices.SortFunc(all, newerFirst)
	return all, nil
}

func newerFirst(a, b Evidence) int {
	return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.ID, a.ID))
}

// Pieces returns at most n of the owner's evidence, from the one numbered from on,
// and how many there are: first the one of each type and issuer that was current
// when it came, then the others, each the newest first. It reads no more of them
// than it returns.
func (p *Pod) Pieces(ctx context.Context, who acl.Agent, from, n int) (some []Evidence, total int, err error) {
	err = p.viewPart(ctx, who, evidencePart, func(tx store.Tx) error {
		ids, err := newestFirst(tx)
		if err != nil {
			return err
		}
		total, some = len(ids), nil
		from := min(max(from, 0), total)
		var keys []string
		for _, id := range ids[from:min(total, from+n)] {
			keys = append(keys, evidenceKey(id))
		}
		values, err := tx.Get(keys...)
		if err != nil {
			return err
		}
		for i, value := range values {
			e, err := store.Decode[Evidence](keys[i], value)
			if err != nil {
				return err
			}
			p.listed(e)
			some = append(some, *e)
		}
		return nil
	})
	return some, total, err
}

// newestFirst returns the ids of all evidence, in the order of [Pod.Pieces].
func newestFirst(tx store.Tx) ([]string, error) {
	current := map[string]bool{}
	if err := store.Each(tx, "k", func(id *string) bool { current[*id] = true; return true }); err != nil {
		return nil, err
	}
	var first, rest []string
	for after := ""; ; {
		pairs, err := tx.Scan("R", after, 1000)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			after = pair.Key
			if id := pair.Key[1+16:]; current[id] {
				first = append(first, id)
			} else {
				rest = append(rest, id)
			}
		}
		if len(pairs) < 1000 {
			return append(first, rest...), nil
		}
	}
}

// Piece returns one piece of the owner's evidence.
func (p *Pod) Piece(ctx context.Context, who acl.Agent, id string) (out Evidence, err error) {
	err = p.viewPart(ctx, who, evidencePart, func(tx store.Tx) error {
		e, err := pieceOf(tx, id)
		if err != nil {
			return err
		}
		p.listed(e)
		out = *e
		return nil
	})
	return out, err
}

// pieceOf returns the evidence with the id, which may be any text; Absent if there is
// none.
func pieceOf(tx store.Tx, id string) (*Evidence, error) {
	if !store.IsID(id) {
		return nil, resource.Absent()
	}
	e, err := store.Load[Evidence](tx, evidenceKey(id))
	if err == nil && e == nil {
		err = resource.Absent()
	}
	return e, err
}
