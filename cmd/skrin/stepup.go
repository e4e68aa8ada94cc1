// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"skrin/auth/login"
	"skrin/auth/provider"
	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// The actions for which a level of assurance can be needed (--steps), and the
// paths by which they are done: both the page that leads to it and the form that
// does it, so that whoever is sent to sign in again comes back to the page.
var actions = map[string][]string{
	"answer":  {"/me/answer/", "/me/requests/"}, // a party's request; "answer:" and a type of evidence for that alone
	"app":     {"/me/answer/"},                  // to let an app act for the person
	"export":  {"/me/log/export", "/me/settings/export"},
	"erase":   {"/me/settings/erase"},
	"passkey": {login.Path + "/passkey/add", login.Path + "/passkey/codes"},
	"scripts": {"/me/apps"},
}

const answerType = "answer:"

// steps say what needs which level: by action, the levels of which one, or one
// above it, is enough.
type steps struct {
	enough map[string][]string
	levels login.Levels
}

// loadSteps reads the file. What isn't known stops the server: it would protect
// nothing.
func loadSteps(file string, levels login.Levels, types *registry.Catalogue) (steps, error) {
	s := steps{levels: levels}
	if file == "" {
		return s, nil
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = s.read(text, types)
	}
	if err != nil {
		return s, fmt.Errorf("what needs which level: %w", err)
	}
	return s, nil
}

func (s *steps) read(text []byte, types *registry.Catalogue) error {
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&s.enough); err != nil {
		return err
	}
	for action, levels := range s.enough {
		known := actions[action] != nil
		if id, ok := strings.CutPrefix(action, answerType); ok {
			_, known = types.Type(id)
		}
		if !known {
			return fmt.Errorf("there is no action %q: there are %s, and %s with a type of evidence", action, slices.Sorted(maps.Keys(actions)), answerType)
		}
		if len(levels) == 0 {
			return fmt.Errorf("%s: no level is enough", action)
		}
		for _, level := range levels {
			if !s.levels.Known(level) {
				return fmt.Errorf("%s: nobody can sign in at the level %q", action, level)
			}
		}
	}
	return nil
}

// ladders are the levels at which people can sign in here.
func (s *server) ladders() (login.Levels, error) {
	all := login.Levels{login.OwnLevels()}
	if s.Demo {
		all = append(all, []string{login.DemoLevel})
	}
	err := s.eachEID(func(text []byte) error {
		var f eidFile
		if err := json.Unmarshal(text, &f); err != nil {
			return err
		}
		profile, err := f.profile()
		all = append(all, profile.Levels)
		return err
	})
	return all, err
}

// stepUp sends whoever has signed in, but not surely enough for what she is about
// to do, or not so lately as the client asks whom she answers, to sign in again,
// and back. Whoever hasn't signed in is for next, unless a client asks for a level.
func (s *server) stepUp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		enough, anew, err := s.lacks(r)
		switch {
		case err != nil:
			s.failed(w, r, err)
		case enough == nil && !anew:
			next.ServeHTTP(w, r)
		default:
			back := r.URL.EscapedPath()
			if r.Method == http.MethodGet {
				back = r.URL.RequestURI()
			}
			http.Redirect(w, r, login.Again(back, enough, anew), http.StatusSeeOther)
		}
	})
}

// lacks tells what of a sign-in a request lacks: one of the levels that are
// enough; or any, anew.
func (s *server) lacks(r *http.Request) (enough []string, anew bool, err error) {
	_, at, level, ok := s.sessions.Person(r)
	if id, answers := strings.CutPrefix(r.URL.Path, "/me/answer/"); answers {
		in, err := s.provider.Interaction(r, id)
		if errors.Is(err, provider.ErrNoInteraction) || err == nil && in.Decided {
			return nil, false, nil // the page says so, or goes on
		}
		if err != nil {
			return nil, false, err
		}
		if len(in.ACRs) > 0 && !s.steps.levels.Reach(level, in.ACRs) {
			enough = in.ACRs
		}
		anew = ok && at.Before(in.Since)
		if enough != nil || anew {
			return enough, anew, nil
		}
	}
	if !ok || len(s.steps.enough) == 0 {
		return nil, false, nil
	}
	needs, err := s.needs(r)
	for _, action := range needs {
		if enough := s.steps.enough[action]; len(enough) > 0 && !s.steps.levels.Reach(level, enough) {
			return enough, false, err
		}
	}
	return nil, false, err
}

// needs are the actions that a request is a part of.
func (s *server) needs(r *http.Request) (all []string, err error) {
	path, _ := forWhom(r.URL.Path)
	for action, paths := range actions {
		if slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(path, p) }) {
			all = append(all, action)
		}
	}
	if !slices.Contains(all, "answer") {
		return all, nil
	}
	types, app, err := s.asked(r)
	all = slices.DeleteFunc(all, func(action string) bool { return action == "app" && !app || action == "answer" && app })
	for _, t := range types {
		all = append(all, answerType+t)
	}
	return all, err
}

// asked tells which types of evidence a request that is answered is about, or that
// it is an app's. One that has ended is about nothing: the page says so.
func (s *server) asked(r *http.Request) (types []string, app bool, err error) {
	path, mandate := forWhom(r.URL.Path)
	if id, ok := strings.CutPrefix(path, "/me/requests/"); ok {
		types, err = s.typesOf(r, mandate, id)
		return types, false, err
	}
	in, err := s.provider.Interaction(r, strings.TrimPrefix(r.URL.Path, "/me/answer/"))
	if errors.Is(err, provider.ErrNoInteraction) {
		return nil, false, nil
	}
	for _, detail := range in.Details {
		var d struct {
			Types []string `json:"evidence_types"`
			Type  string   `json:"evidence_type"`
		}
		if json.Unmarshal(detail, &d) == nil {
			types = append(append(types, d.Types...), d.Type)
		}
	}
	return types, in.App != nil, err
}

// forWhom returns the path of a page as it would be if the person saw her own, and
// the mandate by which she acts for another; "" if she doesn't. What takes a level
// takes it for another too.
func forWhom(path string) (own, mandate string) {
	rest, ok := strings.CutPrefix(path, "/me/for/")
	if !ok {
		return path, ""
	}
	mandate, rest, _ = strings.Cut(rest, "/")
	return "/me/" + rest, mandate
}

func (s *server) typesOf(r *http.Request, mandate, id string) ([]string, error) {
	person, _, _, _ := s.sessions.Person(r)
	who, err := s.pod.Owner(r.Context(), person)
	if errors.Is(err, store.ErrNoPod) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if mandate != "" {
		if who, _, err = s.pod.ActFor(r.Context(), who, mandate); err != nil {
			return nil, gone(err)
		}
	}
	offer, err := s.pod.Offer(r.Context(), who, id)
	return slices.Concat(offer.Request.Types, offer.Request.Along), gone(err)
}

// gone leaves out an error of whoever asks: the page says what it is.
func gone(err error) error {
	if kind := ldp.KindOf(err); err != nil && kind < ldp.Internal {
		return nil
	}
	return err
}
