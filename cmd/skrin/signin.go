// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth"
	"skrin/auth/login"
	"skrin/pod/web"
)

// An eidFile is one eID as it is written in a file of the folder --eids.
type eidFile struct {
	ID      string          `json:"id"`   // a-z and "-": a part of its address here
	Name    string          `json:"name"` // as people know it
	Issuer  string          `json:"issuer"`
	Client  string          `json:"client_id"`
	Secret  string          `json:"client_secret"` // either this,
	Key     jose.JSONWebKey `json:"jwk"`           // or the private key of private_key_jwt
	Profile string          `json:"profile"`       // "sweden", "norway" or "generic"
	Scheme  string          `json:"scheme"`        // generic: whose sub it is, "oidc:example"
	Levels  []string        `json:"levels"`        // generic: the values of acr, the lowest first
	Least   string          `json:"least"`         // the lowest level that is enough
}

func (f *eidFile) profile() (login.Profile, error) {
	switch f.Profile {
	case "sweden":
		return login.SwedishProfile(), nil
	case "norway":
		return login.NorwegianProfile(), nil
	case "generic":
		if f.Scheme == "" {
			return login.Profile{}, errors.New("the generic profile needs a scheme")
		}
		return login.GenericProfile(f.Scheme, f.Levels...), nil
	}
	return login.Profile{}, fmt.Errorf("profile %q: it is sweden, norway or generic", f.Profile)
}

// methods returns the ways to sign in: the eIDs of the folder, passkeys, and in
// the demo its own.
func (s *server) methods() ([]web.Method, error) {
	bound := cmp.Or(s.Limit.Logins, rate{30, time.Minute})
	limit := auth.NewLimiter(bound.N, bound.Per/time.Duration(bound.N), fewKeys, s.now)
	var all []web.Method
	if s.Demo {
		eid, err := s.demoEID()
		if err != nil {
			return nil, err
		}
		all = append(all, eid)
	}
	eids, err := s.eids(limit)
	if err != nil {
		return nil, err
	}
	s.passkeys, err = login.NewPasskeys(login.PasskeyOptions{
		Base: s.Base, Service: "Skrin", Mark: web.Mark, Sessions: s.sessions, Records: s.records, Limit: limit, Now: s.now, Fail: s.failed,
	})
	if err != nil {
		return nil, err
	}
	return append(append(all, eids...), s.passkeys), nil
}

func (s *server) eids(limit *auth.Limiter) (all []web.Method, err error) {
	err = s.eachEID(func(text []byte) error {
		eid, err := s.eid(text, limit)
		all = append(all, eid)
		return err
	})
	return all, err
}

// eachEID visits the files that describe an eID.
func (s *server) eachEID(visit func(text []byte) error) error {
	if s.EIDs == "" {
		return nil
	}
	names, err := fs.Glob(os.DirFS(s.EIDs), "*.json")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(os.DirFS(s.EIDs), name)
		if err != nil {
			return err
		}
		if err := visit(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (s *server) eid(text []byte, limit *auth.Limiter) (*login.EID, error) {
	var f eidFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	profile, err := f.profile()
	if err != nil {
		return nil, err
	}
	return login.NewEID(login.EIDOptions{
		Name: f.Name, Path: f.ID, Issuer: f.Issuer, Client: f.Client, Secret: f.Secret, Key: f.Key, Profile: profile, Least: f.Least,
		Base: s.Base, Vault: s.vault, Sessions: s.sessions, Records: s.records, HTTP: auth.Guarded(s.Demo), Limit: limit, Now: s.now, Fail: s.failed,
		Renumbered: func(ctx context.Context, person string) error { return s.pod.Renumbered(ctx, person, "") },
		Refuse: func(w http.ResponseWriter, r *http.Request, next string, levels []string, err error) {
			s.log.InfoContext(r.Context(), "sign-in", "error", err)
			http.Redirect(w, r, web.NotSignedIn(f.ID, next, levels, errors.Is(err, login.ErrTooLow)), http.StatusSeeOther)
		},
	})
}
