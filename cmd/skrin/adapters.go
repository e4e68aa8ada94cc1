// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/auth/login"
	"skrin/auth/provider"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/registry"
	"skrin/pod/store"
	"skrin/pod/web"
)

// clients shows the registered parties, and the operators, to the OpenID provider.
type clients struct {
	parties   registry.Registry
	operators operators
	base      string
	now       func() time.Time
}

// Client implements provider.Clients.
func (c clients) Client(ctx context.Context, id string) (provider.Client, error) {
	if op, ok := c.operators.client(id, c.base, c.now()); ok {
		return op, nil
	}
	p, err := c.parties.Party(ctx, id)
	if errors.Is(err, registry.ErrNoParty) {
		return provider.Client{}, provider.ErrNoClient
	}
	if err != nil {
		return provider.Client{}, err
	}
	return provider.Client{
		ID: p.ID, Name: p.Name.In("en"), WebID: p.WebID, KeySet: p.KeySet, RedirectURIs: p.Redirects,
		IdentityClaims: p.Identity,
	}, nil
}

// identifier tells the resources who asks. What isn't the client's fault is not
// answered as if it were.
type identifier struct {
	*auth.Verifier
	guard *guard
}

// Identify implements ldp.Identifier.
func (i identifier) Identify(r *http.Request) (acl.Agent, error) {
	who, err := i.Verifier.Identify(r)
	if err == nil {
		return who, i.guard.admit(who, r)
	}
	if _, bad := errors.AsType[*auth.Error](err); bad || errors.Is(err, auth.ErrSpent) {
		return who, err
	}
	return acl.Agent{}, fmt.Errorf("%w: %w", ldp.Unavailable, err)
}

// checkDetails lets the pod judge what a party asks, and puts its words into one
// text for the party.
func (s *server) checkDetails(ctx context.Context, client string, details []json.RawMessage) error {
	err := s.pod.CheckDetails(ctx, client, details)
	if f := new(ldp.Fault); errors.As(err, &f) {
		return errors.New(strings.Join(append([]string{f.Detail}, f.Errors...), " "))
	}
	return err
}

// asks joins an OAuth authorization that waits with the page on which the person
// answers it.
type asks struct{ *server }

// Ask implements web.Asks.
func (a asks) Ask(r *http.Request, id string) (web.Ask, error) {
	in, err := a.provider.Interaction(r, id)
	if errors.Is(err, provider.ErrNoInteraction) {
		return web.Ask{}, fmt.Errorf("ask: %w", ldp.Gone)
	}
	if err != nil {
		return web.Ask{}, err
	}
	if in.App != nil {
		return web.Ask{Until: in.Until, ReturnOrigin: in.App.Address, Locales: in.Locales, App: &web.App{
			Name: in.App.Name, Address: in.App.Address, Offline: in.App.Offline, Onward: in.App.Onward,
		}}, nil
	}
	party, err := a.register.Party(r.Context(), in.ClientID)
	if err != nil {
		return web.Ask{}, fmt.Errorf("ask: %w", ldp.Gone)
	}
	return web.Ask{Party: in.ClientID, Details: in.Details, Until: in.Until, ReturnOrigin: originOf(party.Redirects), Locales: in.Locales}, nil
}

// originOf returns the origin to which the browser goes back: a party's redirect
// URLs share one.
func originOf(redirects []string) string {
	if len(redirects) == 0 {
		return ""
	}
	u, err := url.Parse(redirects[0])
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// numberClaims are the claims in which a national number is told, by its scheme.
var numberClaims = map[string]string{
	"se:personnummer":  "https://id.oidc.se/claim/personalIdentityNumber",
	"no:fodselsnummer": "pid", // as ID-porten tells it: of the two the one that the person has now
	"no:dnummer":       "pid",
	"xx:passport":      "document_number", // OpenID Connect for Identity Assurance 1.0, section 5.4.4
}

// Again implements web.Asks.
func (a asks) Again(r *http.Request, id string) string { return a.provider.Again(r, id) }

// whyNot says in words why a person declined, to a party (the error_description of RFC
// 6749, section 4.1.2.1).
var whyNot = map[string]string{
	consent.TooMuch: "You ask for too much.", consent.Stranger: "The person does not know you.",
	consent.OtherWay: "The person gives it to you in another way.", consent.NotNow: "Not now.",
}

// Finish implements web.Asks.
func (a asks) Finish(r *http.Request, id, person string, o consent.Outcome) (string, error) {
	_, at, level, ok := a.sessions.Person(r)
	if !ok {
		return "", fmt.Errorf("finish: %w", ldp.Unauthenticated)
	}
	d := provider.Decision{Declined: o.Declined, Reason: strings.TrimSpace("The person declined. " + whyNot[o.Reason])}
	if !o.Declined {
		d = provider.Decision{Person: person, WebID: o.WebID, Sub: o.Subject, GrantedDetails: o.Details, AuthTime: at, ACR: level}
	}
	if o.Identity {
		var err error
		if d.Claims, err = a.numbers(r.Context(), person); err != nil {
			return "", err
		}
	}
	return a.decide(r, id, d)
}

// FinishApp implements web.Asks.
func (a asks) FinishApp(r *http.Request, id, person string, webID acl.WebID, allow bool) (string, error) {
	_, at, level, ok := a.sessions.Person(r)
	if !ok {
		return "", fmt.Errorf("finish: %w", ldp.Unauthenticated)
	}
	d := provider.Decision{Declined: true}
	if allow {
		d = provider.Decision{Person: person, WebID: webID, AuthTime: at, ACR: level}
	}
	return a.decide(r, id, d)
}

func (a asks) decide(r *http.Request, id string, d provider.Decision) (string, error) {
	next, err := a.provider.Decide(r, id, d)
	if errors.Is(err, provider.ErrNoInteraction) {
		return "", fmt.Errorf("finish: %w", ldp.Gone)
	}
	if errors.Is(err, provider.ErrDecided) {
		return next, nil // a second click
	}
	return next, err
}

// signedIn tells the OpenID provider who has signed in in a browser, and by which
// WebID apps know her.
func (s *server) signedIn(r *http.Request) (*provider.Visitor, error) {
	person, at, level, ok := s.sessions.Person(r)
	if !ok {
		return nil, nil
	}
	owner, err := s.pod.Owner(r.Context(), person)
	if errors.Is(err, store.ErrNoPod) {
		return nil, nil // she signs in anew, and is given one
	}
	if err != nil {
		return nil, err
	}
	return &provider.Visitor{Person: person, WebID: owner.ID, At: at, ACR: level}, nil
}

// admit bounds how many apps register from one address. What nobody approves is forgotten after a day.
func (s *server) admit() func(*http.Request) bool {
	bound := cmp.Or(s.Limit.Registrations, rate{60, 2 * time.Minute})
	limit := auth.NewLimiter(bound.N, bound.Per/time.Duration(bound.N), fewKeys, s.now)
	return func(r *http.Request) bool {
		if at := addressOf(r, nil); at.IsValid() && limit.Allow(addressKey(at)) {
			return true
		}
		s.guard.m.refusals.WithLabelValues(byRegistering).Inc()
		return false
	}
}

// numbers returns the claims with the person's national numbers, for a provider
// that is registered to learn them, at the moment of connection.
func (a asks) numbers(ctx context.Context, person string) (map[string]any, error) {
	claims := map[string]any{}
	for scheme, claim := range numberClaims {
		number, err := a.vault.Number(ctx, person, scheme)
		if errors.Is(err, login.ErrNoIdentity) {
			continue
		}
		if err != nil {
			return nil, err
		}
		claims[claim] = number
	}
	return claims, nil
}
