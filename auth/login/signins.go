// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"skrin/auth"
)

// A SignIn is a browser in which a person has signed in, as she is shown it: so
// that she can tell what is hers, and end what isn't.
type SignIn struct {
	ID      string    // for End; says nothing, and opens nothing
	Browser string    // "Firefox", "Safari" …; "" if it can't be told
	System  string    // "Android", "Windows" …; "" if it can't be told
	Level   string    // of assurance
	Since   time.Time // when it began
	Used    time.Time // when it was last used, to the minute
	Current bool      // it is the browser that asks
}

// SignIns returns where the person who sends r has signed in, the one that was
// used last first; nothing if she hasn't. Those that have ended aren't among them.
func (s *Sessions) SignIns(r *http.Request) ([]SignIn, error) {
	person, _, _, ok := s.Person(r)
	if !ok {
		return nil, nil
	}
	var all []SignIn
	err := s.each(r.Context(), person, func(id, _ string, values map[string]string) error {
		in := SignIn{ID: id, Browser: values[heldBrowser], System: values[heldSystem], Level: values[heldLevel], Current: id == s.scs.GetString(r.Context(), heldID)}
		in.Since, _ = time.Parse(time.RFC3339, values[heldAt]) // what we have written ourselves
		in.Used, _ = time.Parse(time.RFC3339, values[heldUsed])
		all = append(all, in)
		return nil
	})
	slices.SortFunc(all, func(a, b SignIn) int { return b.Used.Compare(a.Used) })
	return all, err
}

// End ends one of the sign-ins of the person who sends r, at once and on every
// node; also her own. One that isn't hers, or has ended, is no error: whoever asks
// learns nothing of others.
func (s *Sessions) End(r *http.Request, id string) error {
	person, _, _, ok := s.Person(r)
	switch {
	case !ok:
		return nil
	case id == s.scs.GetString(r.Context(), heldID):
		return s.SignOut(r)
	}
	return s.end(r.Context(), person, func(other string) bool { return other == id })
}

// EndOthers ends all sign-ins of the person who sends r but this one.
func (s *Sessions) EndOthers(r *http.Request) error {
	person, _, _, ok := s.Person(r)
	if !ok {
		return nil
	}
	own := s.scs.GetString(r.Context(), heldID)
	return s.end(r.Context(), person, func(other string) bool { return other != own })
}

// EndAll ends all sign-ins of a person: her pod is erased, or somebody else has
// had her eID. The request that asks must end its own by SignOut.
func (s *Sessions) EndAll(ctx context.Context, person string) error {
	return s.end(ctx, person, func(string) bool { return true })
}

func (s *Sessions) end(ctx context.Context, person string, which func(id string) bool) error {
	return s.each(ctx, person, func(id, key string, _ map[string]string) error {
		if !which(id) {
			return nil
		}
		return s.store.DeleteCtx(ctx, key)
	})
}

// each calls f with each living session of a person.
func (s *Sessions) each(ctx context.Context, person string, f func(id, key string, values map[string]string) error) error {
	const page = 100
	prefix, after := digest(person)+"/", ""
	for {
		names, err := s.store.records.List(ctx, kindSignIn, prefix, after, page)
		if err != nil {
			return fmt.Errorf("list sign-ins: %w", err)
		}
		for _, name := range names {
			if err := s.one(ctx, name, strings.TrimPrefix(name, prefix), f); err != nil {
				return err
			}
			after = name
		}
		if len(names) < page {
			return nil
		}
	}
}

func (s *Sessions) one(ctx context.Context, name, id string, f func(id, key string, values map[string]string) error) error {
	rec, err := s.store.records.Load(ctx, kindSignIn, name)
	if errors.Is(err, auth.ErrNoRecord) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list sign-ins: %w", err)
	}
	value, found, err := s.store.FindCtx(ctx, string(rec.Value))
	if err != nil || !found {
		return err
	}
	var held struct{ Values map[string]string }
	if err := json.Unmarshal(value, &held); err != nil {
		return fmt.Errorf("list sign-ins: %w", err)
	}
	return f(id, string(rec.Value), held.Values)
}

// kindSignIn are the records by which a person's sessions are found: by the digest
// of the person and the sign-in's id, the session's key.
const kindSignIn = "sign-in"

// index makes a session that is stored for the first time findable by its person.
func (s sessionStore) index(ctx context.Context, key string, b []byte) error {
	var held struct {
		Deadline time.Time
		Values   map[string]string
	}
	if err := json.Unmarshal(b, &held); err != nil || held.Values[heldPerson] == "" {
		return err
	}
	name := digest(held.Values[heldPerson]) + "/" + held.Values[heldID]
	err := s.records.Save(ctx, kindSignIn, name, auth.Record{Value: []byte(key), Until: held.Deadline})
	if errors.Is(err, auth.ErrChanged) { // it was tried before, and the session's own record failed
		return nil
	}
	return err
}

// device tells in plain words what a User-Agent header says: the browser and the
// system, as far as the common ones go. Neither is to be relied on.
func device(agent string) (browser, system string) {
	first := func(table [][2]string) string {
		for _, row := range table {
			if strings.Contains(agent, row[0]) {
				return row[1]
			}
		}
		return ""
	}
	// Each names those before it that it would be taken for.
	browser = first([][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	})
	system = first([][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	})
	return browser, system
}
