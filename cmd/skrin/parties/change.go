// SPDX-License-Identifier: EUPL-1.2

package parties

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/text"
)

// Add registers a party as text says, or replaces its registration; a revoked one
// is registered again. only says that it must not be registered yet. by is the
// operator who does it. It reports whether the party was new.
//
// Errors wrap an ldp.Kind: Unprocessable for a registration that isn't whole, with
// what to mend.
func (r *Register) Add(ctx context.Context, text []byte, by string, only bool) (id string, added bool, err error) {
	if len(text) > MaxSize {
		return "", false, ldp.Refuse(ldp.TooLarge, fmt.Sprintf("A registration has at most %d bytes.", MaxSize))
	}
	p, err := registry.ReadParty(text, r.Base)
	if err == nil {
		err = r.check(&p)
	}
	if err != nil {
		return "", false, ldp.Refuse(ldp.Unprocessable, "The registration can't be taken.", err.Error())
	}
	e, err := r.entry(ctx, p.ID)
	if err != nil {
		return "", false, err
	}
	old, there := r.listing(p.ID, e)
	switch {
	case only && there:
		return "", false, ldp.Refuse(ldp.Precondition, "A party is registered with this id already.")
	case e.version == 0:
		if err := r.room(ctx); err != nil {
			return "", false, err
		}
	}
	compact, err := json.Marshal(p.File())
	if err != nil {
		return "", false, err
	}
	return p.ID, !there || old.State == Revoked, r.save(ctx, p.ID, entry{File: compact, By: by, version: e.version})
}

// room refuses when there are too many.
func (r *Register) room(ctx context.Context) error {
	s, err := r.snapshot(ctx)
	if err == nil && len(s.entries) >= most {
		err = ldp.Refuse(ldp.Full, "There are too many registrations.")
	}
	return err
}

// check asks more of a registration than pod.Party.Check: what an operator adds is
// whole, and about evidence that there is.
func (r *Register) check(p *registry.Party) error {
	if err := p.Check(); err != nil {
		return err
	}
	contact, err := url.Parse(p.Contact)
	switch {
	case r.Reserved(p.ID):
		return fmt.Errorf("the id is an operator's")
	case err != nil || contact.Scheme != "https" && contact.Scheme != "mailto":
		return fmt.Errorf("contact: where a person asks for erasure is needed, an https URL or a mailto")
	case !r.Now().Before(p.Until):
		return fmt.Errorf("until: the registration has ended")
	case p.Until.After(r.Now().AddDate(5, 0, 0)):
		return fmt.Errorf("until: a registration lasts 5 years at most, and is renewed")
	case len(p.MayIssue) == 0 && len(p.Uses) == 0:
		return fmt.Errorf("it may neither issue evidence (may_issue) nor ask for it (uses)")
	case p.Number == "" || p.Home == "":
		return fmt.Errorf("number and home are needed: people are shown whom they deal with")
	}
	for _, k := range p.Keys.Keys {
		if !Good(k) {
			return fmt.Errorf("jwks: key %q isn't for signatures, or is too weak: want P-256, P-384, Ed25519, or RSA of 2,048 bits", k.KeyID)
		}
	}
	if err := readable("name", p.Name, longestName); err != nil {
		return err
	}
	for _, u := range p.Uses {
		if err := readable("why", u.Why, longestWhy); err != nil {
			return fmt.Errorf("use %q: %w", u.ID, err)
		}
	}
	return r.checkTypes(p)
}

// How long what people read of a party may be, in characters.
const (
	longestName = 100
	longestWhy  = 400
)

// readable refuses a text that people would read as another, or not to its end.
func readable(what string, t registry.Text, longest int) error {
	for lang, words := range t {
		if utf8.RuneCountInString(words) > longest {
			return fmt.Errorf("%s: at most %d characters in %q", what, longest, lang)
		}
		if strings.ContainsFunc(words, text.Steers) {
			return fmt.Errorf("%s: in %q is a character that isn't seen and turns or hides others", what, lang)
		}
	}
	return nil
}

func (r *Register) checkTypes(p *registry.Party) error {
	for _, id := range p.MayIssue {
		if _, ok := r.Types.Type(id); !ok {
			return fmt.Errorf("may_issue: there is no type of evidence %q", id)
		}
	}
	for _, u := range p.Uses {
		t, ok := r.Types.Type(u.Type)
		if !ok {
			return fmt.Errorf("use %q: there is no type of evidence %q", u.ID, u.Type)
		}
		for _, name := range u.Fields {
			if !slices.ContainsFunc(t.Fields, func(f registry.Field) bool { return f.Name == name }) {
				return fmt.Errorf("use %q: the type has no field %q", u.ID, name)
			}
		}
		for what, iri := range map[string]string{"purpose": u.Purpose, "basis": u.Basis} {
			if i, err := url.Parse(iri); err != nil || !i.IsAbs() {
				return fmt.Errorf("use %q: %s: want an IRI, such as one of the Data Privacy Vocabulary", u.ID, what)
			}
		}
	}
	return nil
}

// Renew lets a registration last until the end of a day, like 2028-12-31. One that
// was revoked isn't renewed, but added.
func (r *Register) Renew(ctx context.Context, id, until, by string) error {
	l, err := r.Show(ctx, id)
	if err != nil {
		return err
	}
	if l.State == Revoked || l.File == nil {
		return ldp.Refuse(ldp.Conflict, "The registration was revoked. If the party is to be registered again, add it.")
	}
	l.File.Until = until
	text, err := json.Marshal(l.File)
	if err != nil {
		return err
	}
	p, err := registry.ReadParty(text, r.Base)
	if err == nil && (!r.Now().Before(p.Until) || p.Until.After(r.Now().AddDate(5, 0, 0))) {
		err = fmt.Errorf("until: want a day within the next 5 years")
	}
	if err != nil {
		return ldp.Refuse(ldp.Unprocessable, "The registration can't be renewed.", err.Error())
	}
	return r.save(ctx, id, entry{File: text, By: by, version: l.version})
}

// Revoke strikes a party off: it is refused at once here, and within a second on
// other nodes, whatever tokens it has. Twice is no error, and tells the other nodes
// again: the first may have failed before it told them.
func (r *Register) Revoke(ctx context.Context, id, by string) error {
	e, err := r.entry(ctx, id)
	if err != nil {
		return err
	}
	if _, ok := r.listing(id, e); !ok {
		return ldp.Refuse(ldp.NotFound, "No party is registered with this id.")
	}
	if !e.Revoked.IsZero() {
		return r.tell(ctx)
	}
	e.Revoked, e.By = r.Now().UTC().Truncate(time.Second), by
	return r.save(ctx, id, e)
}

var _ registry.Registry = (*Register)(nil)
