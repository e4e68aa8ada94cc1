// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/luikyv/go-oidc/pkg/goidc"
	op "github.com/luikyv/go-oidc/pkg/provider"

	"skrin/acl"
	"skrin/auth"
)

// A Visitor is who has signed in in a browser.
type Visitor struct {
	Person string
	WebID  acl.WebID // by which apps know her
	At     time.Time // of the sign-in
	ACR    string
}

// configureApps sets up the library for apps: another instance, which knows no
// party, no authorization_details and no request objects.
func (p *Provider) configureApps() []op.Option {
	proofs, s := proofAlgorithms(), appStore{store{p}}
	return append([]op.Option{
		op.WithAuthorizeEndpoint(authorizePath), op.WithTokenEndpoint(tokenPath), op.WithPAREndpoint(parPath),
		op.WithAuthCodeGrant(s, goidc.ResponseTypeCode), op.WithClientCredentialsGrant(), op.WithRefreshTokenGrant(s),
		op.WithAuthCodeFunc(random), op.WithPARIDFunc(random), op.WithGrantIDFunc(random), op.WithJWTIDFunc(random),
		op.WithAuthnSessionIDFunc(func(ctx context.Context) string { return registeredPrefix + random(ctx) }),
		op.WithAuthCodeLifetime(seconds(p.CodeLife)), op.WithAuthSessionLifetime(seconds(p.InteractionLife)),
		op.WithRefreshTokenRotation(), op.WithRefreshTokenLifetime(seconds(refreshIdle)), op.WithRefreshTokenFunc(newRefreshToken),
		op.WithRefreshTokenShouldIssue(func(context.Context, *goidc.Client, *goidc.Grant) bool { return false }), // appStore does
		op.WithPAR(s), op.WithPARLifetime(seconds(pushedLife)), op.WithPARSessionHandler(p.appPushed),
		op.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		op.WithDPoPRequired(proofs[0], proofs...), op.WithTokenBindingRequired(),
		op.WithNoneAuthn(), op.WithSecretPostAuthn(), op.WithDefaultAuthn(goidc.AuthnMethodNone), op.WithClientSecretVerifier(checkSecret),
		op.WithJWTLifetime(seconds(maxObjectLife)), op.WithJWTLeewayTime(seconds(skew)), op.WithJTIConsumer(p.consume),
		op.WithDCR(s), // only so that it asks us for clients: its routes aren't mounted
		op.WithScopes(goidc.ScopeOpenID, goidc.NewScope("webid"), goidc.ScopeOfflineAccess), op.WithOpenIDScopeRequired(),
		op.WithIssuerResponseParameter(),
		op.WithPolicies(goidc.NewPolicy("person", p.beginApp, p.authenticateApp)),
		op.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewJWTTokenOptions(jose.ES256, seconds(p.TokenLife))
		}),
		op.WithGrantHandler(p.appGranted), op.WithTokenClaims(appAccessClaims), op.WithIDTokenClaims(appIDClaims),
		op.WithIDTokenSignatureAlgs(jose.ES256, jose.RS256), op.WithIDTokenLifetime(seconds(p.TokenLife)),
		op.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }), op.WithTokenRevocationEndpoint(revokePath),
		op.WithTokenRevocationRevokeGrantOnAccessToken(),
		op.WithErrorHandler(func(ctx context.Context, err error) { callOf(ctx).failure = err }),
		op.WithErrorRenderer(func(_ http.ResponseWriter, r *http.Request, err error) error {
			callOf(r.Context()).unsendable = true
			return nil
		}),
		op.WithHTTPClientFunc(func(context.Context) *http.Client { return &http.Client{Transport: offline{}} }),
	}, p.acrs()...)
}

func responseModes() []string { return []string{"query", "fragment"} }

// appParameters are what reaches the library of an app's request. The rest is
// optional to obey, and isn't (login_hint, display, id_token_hint …).
func appParameters() []string {
	return []string{
		"client_id", "request_uri", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
		"code_challenge", "code_challenge_method", "prompt", "max_age", "acr_values", "dpop_jkt", "authorization_details",
	}
}

// appQuery gives the parameters of an app's authorization request that count.
func (p *Provider) appQuery(given url.Values) (url.Values, error) {
	kept := url.Values{}
	for _, name := range appParameters() {
		switch values := given[name]; {
		case len(values) > 1:
			return nil, refuse("invalid_request", "the parameter "+name+" is given more than once")
		case len(values) == 1:
			kept.Set(name, values[0])
		}
	}
	if kept.Has("request_uri") { // then nothing else counts
		return url.Values{"client_id": kept["client_id"], "request_uri": kept["request_uri"]}, nil
	}
	// The library would send the failure by the very mode that isn't supported: as a page
	// of its own with a form.
	if mode := kept.Get("response_mode"); mode != "" && !slices.Contains(responseModes(), mode) {
		return nil, refuse("invalid_request", "response_mode is neither query nor fragment")
	}
	if !plainRedirect(kept.Get("redirect_uri")) {
		return nil, refuse("invalid_request", "redirect_uri is not one of those that are registered")
	}
	if len(kept.Get("state")) > 1024 || len(kept.Get("nonce")) > 1024 {
		return nil, refuse("invalid_request", "state or nonce has more than 1024 bytes")
	}
	if kept.Has("scope") {
		kept.Set("scope", knownScopes(kept.Get("scope")))
	}
	if kept.Has("acr_values") {
		known := slices.DeleteFunc(strings.Fields(kept.Get("acr_values")), func(acr string) bool { return !slices.Contains(p.ACRs, acr) })
		kept.Set("acr_values", strings.Join(known, " "))
	}
	if age := kept.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return nil, refuse("invalid_request", "max_age is not a number of seconds")
		}
	}
	return kept, nil
}

// keepAppParameters leaves of a pushed request what counts, and what
// authenticates the client.
func (p *Provider) keepAppParameters(r *http.Request) error {
	if r.PostForm.Has("request_uri") || r.PostForm.Has("request") {
		return refuse("invalid_request", "request_uri and request can't be pushed by an app")
	}
	kept, err := p.appQuery(r.PostForm)
	if err == nil && r.PostForm.Has("client_secret") {
		kept.Set("client_secret", r.PostForm.Get("client_secret"))
	}
	r.PostForm = kept
	return err
}

// authorizeApp takes a browser that an app sent.
func (p *Provider) authorizeApp(w http.ResponseWriter, r *http.Request, given url.Values) {
	kept, err := p.appQuery(given)
	if err != nil {
		p.stop(w, r, &call{failure: err})
		return
	}
	r = r.Clone(r.Context())
	r.Method, r.Body = http.MethodGet, http.NoBody
	r.URL.RawQuery = kept.Encode()
	p.frontChannel(w, r, p.apps, authorizePath, given.Get("ui_locales"))
}

// appPushed obeys goidc.HandleSessionFunc.
func (p *Provider) appPushed(ctx context.Context, s *goidc.AuthnSession, _ *goidc.Client) error {
	s.Store = map[string]any{rider: &flow{id: s.ID, Locales: callOf(ctx).locales}}
	return nil
}

// beginApp obeys goidc.SetUpAuthnFunc: it is called before a flow begins.
func (p *Provider) beginApp(r *http.Request, s *goidc.AuthnSession, _ *goidc.Client) bool {
	if _, ok := s.Store[rider]; !ok {
		s.Store = map[string]any{rider: &flow{id: s.ID, Locales: callOf(r.Context()).locales}}
	}
	return true
}

// authenticateApp obeys goidc.AuthnFunc, for an app.
func (p *Provider) authenticateApp(w http.ResponseWriter, r *http.Request, s *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
	f := flowOf(s)
	if f.Browser != "" && f.Browser != p.browser(r) {
		callOf(r.Context()).reason = OtherBrowser
		s.ExpiresAt = f.Until
		return goidc.StatusPending, nil
	}
	if f.Browser == "" {
		f.Browser, f.Until = p.markBrowser(w, r), s.ExpiresAt
	}
	s.ExpiresAt = f.Until // the library prolongs it each time
	if f.Decision == nil {
		if done, status, err := p.arrive(r, s); done {
			return status, err
		}
		http.Redirect(w, r, p.InteractionURL(s.ID), http.StatusSeeOther)
		return goidc.StatusPending, nil
	}
	var d Decision
	if err := p.secrets.open(f.Decision, s.ID, &d); err != nil {
		return p.fault(r, err)
	}
	if d.Declined {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, d.Reason)
	}
	return p.consentTo(r, s, consent{d.Person, d.WebID, d.AuthTime, d.ACR})
}

// arrive answers at once what needs no page: a request that can't be, and one of
// an app that the person has approved before.
func (p *Provider) arrive(r *http.Request, s *goidc.AuthnSession) (done bool, _ goidc.Status, _ error) {
	prompt := strings.Fields(string(s.Prompt))
	silent := slices.Contains(prompt, "none")
	switch {
	case s.AuthDetails != nil:
		return true, goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeInvalidAuthDetails, "authorization_details are for registered parties")
	case silent && len(prompt) > 1:
		return true, goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeInvalidRequest, "prompt=none goes with nothing else")
	}
	v, err := p.SignedIn(r)
	if err == nil && (v == nil || !p.sure(s, v.At, v.ACR)) {
		if silent {
			return true, goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeLoginRequired, "nobody has signed in, or not so lately or surely as is asked")
		}
		return false, "", nil
	}
	known := false
	if err == nil {
		known, err = p.remembered(r.Context(), s, v)
	}
	switch {
	case err != nil:
		status, err := p.fault(r, err)
		return true, status, err
	case known:
		status, err := p.consentTo(r, s, consent{v.Person, v.WebID, v.At, v.ACR})
		return true, status, err
	case silent:
		return true, goidc.StatusFailure, goidc.NewError("consent_required", "the person has not approved the app")
	}
	return false, "", nil
}

// remembered reports whether the person has approved the app before, so that
// she need not be asked. On a person's own device other programs can pose as the
// app (RFC 8252, section 8.6): there she is asked each time.
func (p *Provider) remembered(ctx context.Context, s *goidc.AuthnSession, v *Visitor) (bool, error) {
	if !strings.HasPrefix(s.RedirectURI, "https://") || s.Prompt != "" && s.Prompt != "none" || !p.sure(s, v.At, v.ACR) {
		return false, nil
	}
	return p.approved(ctx, v.WebID, s.ClientID)
}

// since returns the time since when the person must have signed in; zero for any.
func since(s *goidc.AuthnSession) time.Time {
	switch {
	case slices.Contains(strings.Fields(string(s.Prompt)), "login"):
		return unix(s.CreatedAt)
	case s.MaxAuthnAgeSecs != nil:
		return unix(s.CreatedAt - max(0, *s.MaxAuthnAgeSecs))
	}
	return time.Time{}
}

// sure reports whether a sign-in is as late and as sure as the client asks.
func (p *Provider) sure(s *goidc.AuthnSession, at time.Time, acr string) bool {
	acrs := strings.Fields(s.ACRValues)
	return !at.Before(since(s)) && (len(acrs) == 0 || p.Reach(acr, acrs))
}

func (p *Provider) fault(r *http.Request, err error) (goidc.Status, error) {
	p.Log.ErrorContext(r.Context(), "OpenID provider: app", "error", err)
	return goidc.StatusFailure, goidc.NewError("server_error", "the server failed")
}

// consentTo ends a flow well.
func (p *Provider) consentTo(r *http.Request, s *goidc.AuthnSession, c consent) (goidc.Status, error) {
	if err := p.approve(r.Context(), c.WebID, callOf(r.Context()).app); err != nil {
		return p.fault(r, err)
	}
	flowOf(s).consent = c
	s.Subject, s.GrantedScopes = string(c.WebID), s.Scopes
	return goidc.StatusSuccess, nil
}

// appGranted obeys goidc.HandleGrantFunc.
func (p *Provider) appGranted(ctx context.Context, kind goidc.GrantType, g *goidc.Grant) error {
	switch kind {
	case goidc.GrantAuthorizationCode:
		g.Store = map[string]any{rider: &grant{Consent: flowOf(&goidc.AuthnSession{Store: g.Store}).consent}}
	case goidc.GrantClientCredentials:
		a := callOf(ctx).app
		g.Store = map[string]any{rider: &grant{Consent: consent{Person: a.Person, WebID: a.WebID}}}
	}
	return nil
}

// appAccessClaims obeys goidc.TokenClaimsFunc: an app acts as the person.
func appAccessClaims(_ context.Context, _ *goidc.Token, g *goidc.Grant) map[string]any {
	webID := grantOf(g).Consent.WebID
	return map[string]any{"aud": []string{"solid"}, "sub": webID, "webid": webID}
}

// appIDClaims obeys goidc.IDTokenClaimsFunc (Solid-OIDC, section 6.2).
func appIDClaims(_ context.Context, g *goidc.Grant) map[string]any {
	c := grantOf(g).Consent
	claims := map[string]any{
		"sub": c.WebID, "webid": c.WebID, "aud": []string{g.ClientID, "solid"}, "azp": g.ClientID,
		"cnf": map[string]string{"jkt": g.JWKThumbprint},
	}
	if !c.AuthTime.IsZero() {
		claims["auth_time"] = c.AuthTime.Unix()
	}
	if c.ACR != "" {
		claims["acr"] = c.ACR
	}
	return claims
}

// clientSecret makes of HTTP Basic what the library reads: the parts are
// form-urlencoded (RFC 6749, section 2.3.1), which it doesn't know.
func clientSecret(r *http.Request) error {
	fields := r.Header.Values("Authorization")
	if len(fields) == 0 {
		return nil
	}
	id, secret, ok := r.BasicAuth()
	id, err := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	if !ok || len(fields) > 1 || err != nil || err2 != nil {
		return refuse("invalid_client", "the Authorization header is not HTTP Basic with form-urlencoded parts")
	}
	if given := r.PostForm.Get("client_id"); given != "" && given != id || r.PostForm.Has("client_secret") {
		return refuse("invalid_request", "the client authenticates in two ways; use one")
	}
	r.PostForm.Set("client_id", id)
	r.PostForm.Set("client_secret", secret)
	r.Header.Del("Authorization")
	return nil
}

// logout ends the sign-in of the browser (OpenID Connect RP-Initiated Logout
// 1.0), if the app shows by an ID token of ours that the person is the one who
// has signed in. If not, she is asked, on her own page.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.Page(w, r, http.StatusBadRequest, BadRequest)
		return
	}
	client, webID, ok := p.readHint(r.Context(), r.Form.Get("id_token_hint"))
	v, err := p.SignedIn(r)
	if err == nil && ok && v != nil && v.WebID == webID {
		err = p.SignOut(r)
		v = nil
	}
	back := ""
	if err == nil && ok {
		back, err = p.afterLogout(r, client)
	}
	switch {
	case errors.Is(err, auth.ErrSpent):
		p.Spent(w, r, err)
	case err != nil:
		p.Log.ErrorContext(r.Context(), "OpenID provider: logout", "error", err)
		p.Page(w, r, http.StatusServiceUnavailable, Unavailable)
	case v != nil || back == "":
		http.Redirect(w, r, p.Base+"/me/", http.StatusSeeOther)
	default:
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

// readHint reads an ID token of ours, which may have ended.
func (p *Provider) readHint(ctx context.Context, hint string) (client string, webID acl.WebID, ok bool) {
	token, err := jwt.ParseSigned(hint, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil || len(hint) > 16<<10 || len(token.Headers) != 1 {
		return "", "", false
	}
	key, err := p.Key(ctx, token.Headers[0].KeyID)
	var claims struct {
		Issuer string    `json:"iss"`
		Client string    `json:"azp"`
		WebID  acl.WebID `json:"webid"`
	}
	if err != nil || token.Claims(key, &claims) != nil || claims.Issuer != p.Base || claims.Client == "" {
		return "", "", false
	}
	return claims.Client, claims.WebID, true
}

// afterLogout returns where the browser goes, if the app has registered it.
func (p *Provider) afterLogout(r *http.Request, client string) (string, error) {
	wanted := r.Form.Get("post_logout_redirect_uri")
	a, err := p.findApp(r.Context(), client)
	if errors.Is(err, goidc.ErrNotFound) {
		return "", nil
	}
	if err != nil || wanted == "" || !slices.Contains(a.Logout, wanted) {
		return "", err
	}
	u, err := url.Parse(wanted)
	if err != nil {
		return "", err
	}
	if state := r.Form.Get("state"); state != "" {
		query := u.Query()
		query.Set("state", state)
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}
