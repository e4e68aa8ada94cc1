// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/acl"
	"skrin/auth"
)

// An Interaction is a client's request that waits for the person.
type Interaction struct {
	ID       string
	ClientID string
	Details  []json.RawMessage // the authorization_details, checked by Options.CheckDetails
	Scope    string
	App      *AppInfo  // for a Solid app; nil for a party
	Since    time.Time // the person must have signed in since then; zero for any time
	ACRs     []string  // the levels of which the sign-in must reach one; none for any
	Locales  []string  // the languages that the client would like, best first (ui_locales)
	Created  time.Time
	Until    time.Time
	Decided  bool
}

// A Decision is what the person decided.
type Decision struct {
	Declined bool
	Reason   string // if declined: words for the client, of printable ASCII; a fixed text, never the person's

	Person         string            // internal id
	WebID          acl.WebID         // that the client knows her by
	Sub            string            // likewise; "" for an app, which has the WebID
	GrantedDetails []json.RawMessage // what the token answer says was granted
	// Claims are more claims for the ID token, such as a personal number; only
	// for a client with IdentityClaims. They are encrypted until the client has
	// fetched them, and then gone.
	Claims   map[string]any
	AuthTime time.Time
	ACR      string
}

// What Interaction and Decide answer.
var (
	// ErrNoInteraction: there is none with this id, it has ended, or it belongs
	// to another browser.
	ErrNoInteraction = errors.New("no such interaction")
	// ErrDecided: the person has decided already.
	ErrDecided = errors.New("the interaction is decided")
)

// pushed obeys goidc.HandleSessionFunc: it sees each pushed request that the
// library has found good.
func (p *Provider) pushed(ctx context.Context, s *goidc.AuthnSession, c *goidc.Client) error {
	details, err := rawDetails(s.AuthDetails)
	if err != nil {
		return err
	}
	if err := p.CheckDetails(ctx, c.ID, details); err != nil {
		return refuse("invalid_authorization_details", err.Error())
	}
	s.Store = map[string]any{rider: &flow{id: s.ID, Locales: callOf(ctx).locales}}
	return nil
}

// authenticate obeys goidc.AuthnFunc: it is called when a browser comes to
// authorize, and when it comes back to the callback.
func (p *Provider) authenticate(w http.ResponseWriter, r *http.Request, s *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
	f := flowOf(s)
	if f.Browser == "" {
		f.Browser, f.Until = p.markBrowser(w, r), s.ExpiresAt
	} else if f.Browser != p.browser(r) {
		callOf(r.Context()).reason = OtherBrowser
		// Nothing is changed, so that whoever has the link can't spoil it.
		s.ExpiresAt = f.Until
		return goidc.StatusPending, nil
	}
	s.ExpiresAt = f.Until // the library prolongs it each time
	if f.Decision == nil {
		http.Redirect(w, r, p.InteractionURL(s.ID), http.StatusSeeOther)
		return goidc.StatusPending, nil
	}
	var d Decision
	err := p.secrets.open(f.Decision, s.ID, &d)
	if err == nil && !d.Declined {
		s.GrantedAuthDetails, err = libraryDetails(d.GrantedDetails)
	}
	if err != nil {
		p.Log.ErrorContext(r.Context(), "OpenID provider: decision", "error", err)
		return goidc.StatusFailure, goidc.NewError("server_error", "the server failed")
	}
	if d.Declined {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, d.Reason)
	}
	s.Subject, s.GrantedScopes = d.Sub, s.Scopes
	return goidc.StatusSuccess, nil
}

// granted obeys goidc.HandleGrantFunc: with a code's grant it lets the sealed
// decision ride on.
func granted(_ context.Context, kind goidc.GrantType, g *goidc.Grant) error {
	if kind == goidc.GrantAuthorizationCode {
		f := g.Store[rider].(*flow)
		g.Store = map[string]any{rider: &grant{Flow: f.id, Decision: f.Decision}}
	}
	return nil
}

// accessClaims obeys goidc.TokenClaimsFunc. A party acts as itself, always: the
// person isn't in its access tokens, nor what she granted, which the pod knows.
func accessClaims(ctx context.Context, _ *goidc.Token, _ *goidc.Grant) map[string]any {
	c := callOf(ctx).client
	return map[string]any{
		"aud": []string{cmp.Or(c.Audience, "solid")}, "sub": c.ID, "client_id": c.ID, "webid": c.WebID,
		goidc.ClaimAuthDetails: []string{},
	}
}

// idClaims obeys goidc.IDTokenClaimsFunc. The ID token tells the party who the
// person is to it. It has no cnf, so nobody takes it for an access token.
func idClaims(_ context.Context, g *goidc.Grant) map[string]any {
	d := grantOf(g).decision
	claims := maps.Clone(d.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	claims["aud"], claims["azp"] = []string{g.ClientID, "solid"}, g.ClientID
	claims["webid"] = d.WebID
	if !d.AuthTime.IsZero() {
		claims["auth_time"] = d.AuthTime.Unix()
	}
	if d.ACR != "" {
		claims["acr"] = d.ACR
	}
	return claims
}

// reserved are the claims of an ID token that a Decision's Claims can't set.
func reserved(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "acr", "auth_time", "webid", "cnf",
		"at_hash", "c_hash", "s_hash", "amr", "sid", "client_id", "scope":
		return true
	}
	return false
}

// Interaction returns the interaction with the id, if it belongs to the browser
// that sends r. The page that shows it must be on the same host as Base.
func (p *Provider) Interaction(r *http.Request, id string) (Interaction, error) {
	s, err := p.interaction(r, id)
	if err != nil {
		return Interaction{}, err
	}
	details, err := rawDetails(s.AuthDetails)
	if err != nil {
		return Interaction{}, err
	}
	var info *AppInfo
	if isApp(s.ClientID) {
		if info, err = p.appInfo(r, s); err != nil {
			return Interaction{}, err
		}
	}
	return Interaction{
		App: info, Since: since(s), ID: id, ClientID: s.ClientID, Details: details, Scope: s.Scopes,
		ACRs: strings.Fields(s.ACRValues), Locales: strings.Fields(flowOf(s).Locales),
		Created: unix(s.CreatedAt), Until: unix(s.ExpiresAt), Decided: flowOf(s).Decision != nil,
	}, nil
}

// appInfo tells of the app that asks.
func (p *Provider) appInfo(r *http.Request, s *goidc.AuthnSession) (*AppInfo, error) {
	a, err := p.findApp(r.Context(), s.ClientID)
	if errors.Is(err, goidc.ErrNotFound) {
		return nil, ErrNoInteraction
	}
	if err != nil {
		return nil, err
	}
	info := a.info(s.RedirectURI, s.Scopes)
	v, err := p.SignedIn(r)
	if err != nil || v == nil {
		return info, err
	}
	known, err := p.remembered(r.Context(), s, v)
	if known || flowOf(s).Decision != nil {
		info.Onward = p.callbackURL(s.ID)
	}
	return info, err
}

func (p *Provider) callbackURL(id string) string { return p.Base + authorizePath + "/" + id }

// interaction loads a flow that a browser has begun, for that browser.
func (p *Provider) interaction(r *http.Request, id string) (*goidc.AuthnSession, error) {
	s, err := p.flow(r.Context(), id)
	if errors.Is(err, goidc.ErrNotFound) {
		return nil, ErrNoInteraction
	}
	if err != nil {
		return nil, fmt.Errorf("interaction: %w", err)
	}
	if b := p.browser(r); b == "" || b != flowOf(s).Browser {
		return nil, ErrNoInteraction
	}
	return s, nil
}

// Decide ends an interaction with what the person decided, if it belongs to the
// browser that sends r, and returns where to send that browser: by way of us
// back to the client. A second decision changes nothing: it returns ErrDecided,
// and the same URL.
func (p *Provider) Decide(r *http.Request, id string, d Decision) (continueURL string, err error) {
	next := p.callbackURL(id)
	for range 3 { // the browser may be loading pages meanwhile
		s, err := p.interaction(r, id)
		if err != nil {
			return "", err
		}
		f := flowOf(s)
		if f.Decision != nil {
			return next, ErrDecided
		}
		if err := p.checkDecision(r.Context(), s, &d); err != nil {
			return "", fmt.Errorf("decide: %w", err)
		}
		told := d
		told.AuthTime = p.authTime(s, d.AuthTime)
		if f.Decision, err = p.secrets.seal(told, id); err != nil {
			return "", fmt.Errorf("decide: %w", err)
		}
		err = store{p}.SaveSession(r.Context(), s)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, auth.ErrChanged) {
			return "", fmt.Errorf("decide: %w", err)
		}
	}
	return "", fmt.Errorf("decide: %w", auth.ErrChanged)
}

// authTime returns what a client is told of when the person signed in. A party is
// told what it asks for and no more: nothing without max_age, and with it the
// earliest time that is recent enough for it, though she may have signed in since.
// Two parties that she answers in one sign-in would know her by its second.
func (p *Provider) authTime(s *goidc.AuthnSession, at time.Time) time.Time {
	switch {
	case isApp(s.ClientID):
		return at // which knows her by her WebID
	case s.MaxAuthnAgeSecs == nil:
		return time.Time{}
	}
	age := time.Duration(min(*s.MaxAuthnAgeSecs, 1<<30)) * time.Second
	enough := p.Now().Add(p.CodeLife - age) // also when the code is redeemed
	if at.Before(enough) {
		return at
	}
	return enough
}

func (p *Provider) checkDecision(ctx context.Context, s *goidc.AuthnSession, d *Decision) error {
	if d.Declined {
		if d.Reason == "" {
			d.Reason = "The person declined."
		}
		if d.Reason != plain(d.Reason) {
			return errors.New("the Reason has more than 300 characters, or some that an error_description may not have")
		}
		*d = Decision{Declined: true, Reason: d.Reason}
		return nil
	}
	if _, err := acl.ParseWebID(string(d.WebID)); err != nil {
		return err
	}
	if !p.sure(s, d.AuthTime, d.ACR) {
		return errors.New("the client asks that the person signs in anew, or more surely")
	}
	if isApp(s.ClientID) {
		return checkApproval(d)
	}
	if d.Person == "" || d.Sub == "" || len(d.Sub) > 255 || d.Sub != plain(d.Sub) || d.AuthTime.IsZero() {
		return errors.New("a Person, Sub or AuthTime is missing or wrong")
	}
	if _, err := libraryDetails(d.GrantedDetails); err != nil {
		return err
	}
	if len(d.Claims) == 0 {
		return nil
	}
	c, err := p.Clients.Client(ctx, s.ClientID)
	if err != nil {
		return err
	}
	if !c.IdentityClaims {
		return errors.New("there are Claims for a client that may not have them")
	}
	for name := range d.Claims {
		if reserved(name) {
			return errors.New("one of the Claims has a name that is reserved")
		}
	}
	return nil
}

// checkApproval checks the decision to let an app act for the person.
func checkApproval(d *Decision) error {
	switch {
	case d.Person == "" || d.AuthTime.IsZero():
		return errors.New("a Person or AuthTime is missing")
	case len(d.GrantedDetails) > 0 || len(d.Claims) > 0 || d.Sub != "":
		return errors.New("there are GrantedDetails, Claims or a Sub for an app")
	}
	return nil
}

func rawDetails(details []goidc.AuthDetail) ([]json.RawMessage, error) {
	raw := make([]json.RawMessage, len(details))
	for i, detail := range details {
		text, err := json.Marshal(detail)
		if err != nil {
			return nil, fmt.Errorf("authorization details: %w", err)
		}
		raw[i] = text
	}
	return raw, nil
}

func libraryDetails(raw []json.RawMessage) ([]goidc.AuthDetail, error) {
	details := make([]goidc.AuthDetail, len(raw))
	for i, text := range raw {
		if err := json.Unmarshal(text, &details[i]); err != nil {
			return nil, errors.New("granted details: not a JSON object")
		}
		if t := details[i].Type(); t != EvidenceDeposit && t != EvidenceRequest {
			return nil, errors.New("granted details: a type that isn't known")
		}
	}
	return details, nil
}

// The cookie that tells browsers apart, for as long as an interaction may last.
// It says nothing about who the person is.
func (p *Provider) cookieName() string {
	if strings.HasPrefix(p.Base, "https:") {
		return "__Host-skrin-browser"
	}
	return "skrin-browser"
}

// browser returns the digest of the request's cookie; "" if it has none.
func (p *Provider) browser(r *http.Request) string {
	cookie, err := r.Cookie(p.cookieName())
	if err != nil || len(cookie.Value) != browserLen {
		return ""
	}
	return digest(cookie.Value)
}

const browserLen = 26 // of rand.Text

// markBrowser gives the browser its cookie, or prolongs it, and returns its
// digest.
func (p *Provider) markBrowser(w http.ResponseWriter, r *http.Request) string {
	value := rand.Text()
	if cookie, err := r.Cookie(p.cookieName()); err == nil && len(cookie.Value) == browserLen {
		value = cookie.Value
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(), Value: value, Path: "/", MaxAge: 2 * seconds(p.InteractionLife),
		HttpOnly: true, Secure: strings.HasPrefix(p.Base, "https:"), SameSite: http.SameSiteLaxMode,
	})
	return digest(value)
}
