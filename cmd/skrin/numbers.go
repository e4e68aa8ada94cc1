// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"skrin/auth/login"
	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// typeRenumber is the typ of a register's word that a person's number has
// changed; numberAge is how old it may be.
const (
	typeRenumber = "number-change+jwt"
	numberAge    = 5 * time.Minute
	maxRenumber  = 4 << 10 // bytes
)

// A numberChange is the payload of a JWS of that typ, signed with a key that is
// registered for the party iss. It is the only message in which a party tells
// us a number, and the numbers are nowhere else in the request.
type numberChange struct {
	Issuer   string         `json:"iss"` // the party's id
	Audience string         `json:"aud"` // this server
	At       int64          `json:"iat"`
	Former   numberInScheme `json:"former"`
	Now      numberInScheme `json:"now"`
}

type numberInScheme struct {
	Scheme string `json:"scheme"`
	Number string `json:"number"`
}

// renumber takes a population register's word that who had one number has
// another now: the person signs in by the new one from now on, and finds
// everything as it was. The answer is the same whether anybody here had the
// number or not, so that a register doesn't learn who has a pod. Told twice it
// changes nothing. How often a register may tell, and an address may try, is bounded
// (limit-numbers). The person finds in her log that her number has changed and who
// said so, and no number.
func (s *server) renumber(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != vouch.MediaType {
		s.refuse(w, r, ldp.Refuse(ldp.Unsupported, "Content-Type must be application/jwt."))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRenumber))
	if err != nil {
		s.refuse(w, r, ldp.Refuse(ldp.TooLarge, "The body is too large, or could not be read to its end."))
		return
	}
	if err := s.guard.renumbers(addressKey(addressOf(r, s.Proxies))); err != nil {
		s.refuse(w, r, err)
		return
	}
	change, err := s.readChange(r, string(body))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if err := s.guard.renumbers("party " + change.Issuer); err != nil {
		s.refuse(w, r, err)
		return
	}
	former := login.Identity{Scheme: change.Former.Scheme, Number: change.Former.Number}
	person, err := s.vault.Replace(r.Context(), former, login.Identity{Scheme: change.Now.Scheme, Number: change.Now.Number, From: s.now().Truncate(time.Second)})
	if err == nil && person != "" {
		err = s.pod.Renumbered(r.Context(), person, change.Issuer)
	}
	switch {
	case errors.Is(err, login.ErrMalformed):
		s.refuse(w, r, ldp.Refuse(ldp.Unprocessable, "A number is not of the form that its scheme asks for."))
	case err != nil:
		s.failed(w, r, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// readChange reads a change and checks who says it, when, to whom, and whether
// it is registered to now.
func (s *server) readChange(r *http.Request, jws string) (change numberChange, err error) {
	refuse := func(fault string) (numberChange, error) { return change, ldp.Refuse(ldp.Forbidden, fault) }
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return refuse("The body must be a JWS.")
	}
	said, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(said, &change) != nil {
		return refuse("The payload is not of the form of a change of number.")
	}
	party, err := s.register.Party(r.Context(), change.Issuer)
	if errors.Is(err, registry.ErrNoParty) {
		return refuse("You are not registered here, or your registration has ended.")
	}
	if err != nil {
		return change, err
	}
	if _, err := party.CheckSigned(jws, typeRenumber); err != nil {
		return refuse("The JWS: " + err.Error() + ".")
	}
	age := s.now().Sub(time.Unix(change.At, 0))
	switch {
	case change.Audience != s.Base:
		return refuse("aud must be this server.")
	case age < -numberAge || age > numberAge:
		return refuse("iat: it was said too long ago, or in the future.")
	case !slices.Contains(party.Renumbers, registry.Renumbering{From: change.Former.Scheme, To: change.Now.Scheme}):
		return refuse("You are not registered to tell of this change.")
	}
	return change, nil
}
