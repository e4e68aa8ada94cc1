// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// An AuthorizationRequest is what a person is asked.
type AuthorizationRequest struct {
	RedirectURI string            // registered; where the browser comes back
	Scope       string            // "openid webid"
	Details     []json.RawMessage // authorization_details (RFC 9396)
	State       string            // "" for a random one
	Extra       map[string]any    // other parameters, such as ui_locales, acr_values, login_hint
}

// A Pending is an authorization that the person has not answered yet. Keep it
// in the person's session, as JSON if you like, and show only the URL: who has
// the rest can't do much with it, but need not have it.
type Pending struct {
	URL         string // send the browser there, until Expires
	State       string
	Nonce       string
	Verifier    string // of PKCE (RFC 7636)
	RedirectURI string
	Expires     time.Time
}

// objectLife is how long a request object is good.
const objectLife = 4 * time.Minute

// Begin sends the server a signed request (RFC 9101) by the back channel (RFC
// 9126), with PKCE, bound to the DPoP key. An *OAuthError if the server refuses.
func (c *Client) Begin(ctx context.Context, r AuthorizationRequest) (Pending, error) {
	is, err := c.discover(ctx)
	if err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	p := Pending{State: r.State, Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURI: r.RedirectURI}
	if p.State == "" {
		p.State = rand.Text()
	}
	object, err := c.sign("oauth-authz-req+jwt", c.requestObject(r, p))
	if err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	var answer struct {
		RequestURI string  `json:"request_uri"`
		ExpiresIn  float64 `json:"expires_in"`
	}
	if err := c.callIssuer(ctx, is.PAR, url.Values{"request": {object}}, &answer); err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	if answer.RequestURI == "" {
		return Pending{}, errors.New("begin: the answer has no request_uri")
	}
	place, err := url.Parse(is.Authorization)
	if err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	query := place.Query()
	query.Set("client_id", c.ID)
	query.Set("request_uri", answer.RequestURI)
	place.RawQuery = query.Encode()
	p.URL = place.String()
	p.Expires = c.Now().Add(time.Duration(min(answer.ExpiresIn, 24*3600)) * time.Second)
	return p, nil
}

func (c *Client) requestObject(r AuthorizationRequest, p Pending) map[string]any {
	now := c.Now()
	challenge := sha256.Sum256([]byte(p.Verifier))
	claims := maps.Clone(r.Extra)
	if claims == nil {
		claims = map[string]any{}
	}
	maps.Copy(claims, map[string]any{
		"iss": c.ID, "aud": c.Issuer, "client_id": c.ID, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(objectLife).Unix(),
		"response_type": "code", "redirect_uri": r.RedirectURI, "scope": r.Scope,
		"state": p.State, "nonce": p.Nonce, "dpop_jkt": c.DPoP.Thumbprint(),
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	})
	if len(r.Details) > 0 {
		claims["authorization_details"] = r.Details
	}
	return claims
}

// Declined is what Finish answers when the person said no.
type Declined struct{ Description string }

// Error says so.
func (*Declined) Error() string { return "the person declined" }

// Tokens are what the person granted. Printed, they show nothing.
type Tokens struct {
	IDToken              *oidc.IDToken   // verified; its Claims method gives further claims
	WebID                string          // of the person, as this client alone sees it; "" without the scope webid
	AuthorizationDetails json.RawMessage // what was granted (RFC 9396, section 7); nil if nothing was
	AccessToken          string          // of the person, bound to the DPoP key. Do uses the client's own
	RefreshToken         string          // of a Public client: for Refresh; "" if the server gave none
	Expires              time.Time       // of the access token
}

// String shows nothing.
func (Tokens) String() string { return "tokens" }

// GoString shows nothing either.
func (Tokens) GoString() string { return "tokens" }

// Finish takes the answer that the browser brought to the redirect URI, and
// exchanges its code. A *Declined if the person said no, another *OAuthError if
// the server did. Call it once for each Pending.
func (c *Client) Finish(ctx context.Context, p Pending, callback url.Values) (Tokens, error) {
	is, err := c.discover(ctx)
	if err != nil {
		return Tokens{}, fmt.Errorf("finish: %w", err)
	}
	code, err := c.code(is, p, callback)
	if err != nil {
		return Tokens{}, fmt.Errorf("finish: %w", err)
	}
	var answer struct {
		tokenAnswer
		IDToken string          `json:"id_token"`
		Refresh string          `json:"refresh_token"`
		Details json.RawMessage `json:"authorization_details"`
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {p.RedirectURI}, "code_verifier": {p.Verifier},
	}
	if err := c.callIssuer(ctx, is.Token, form, &answer); err != nil {
		return Tokens{}, fmt.Errorf("finish: %w", err)
	}
	if err := answer.check(); err != nil {
		return Tokens{}, fmt.Errorf("finish: %w", err)
	}
	t := Tokens{AccessToken: answer.AccessToken, RefreshToken: answer.Refresh, AuthorizationDetails: answer.Details, Expires: c.Now().Add(answer.life())}
	t.IDToken, t.WebID, err = c.verifyIDToken(ctx, is, answer.IDToken, p.Nonce, answer.AccessToken)
	if err != nil {
		return Tokens{}, fmt.Errorf("finish: %w", err)
	}
	return t, nil
}

// code gives the code of an answer that belongs to the Pending and comes from
// this issuer (RFC 9207). Only a Public client is content with an issuer that
// doesn't name itself: Solid servers may be without.
func (c *Client) code(is *issuer, p Pending, callback url.Values) (string, error) {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(callback[name]) > 1 {
			return "", errors.New("the answer has a parameter twice")
		}
	}
	if p.State == "" || subtle.ConstantTimeCompare([]byte(callback.Get("state")), []byte(p.State)) != 1 {
		return "", errors.New("the answer belongs to another request: state differs")
	}
	if by := callback.Get("iss"); by != c.Issuer && (by != "" || !c.Public || is.SaysWho) {
		return "", errors.New("the answer is not from the expected server: iss differs")
	}
	switch code := callback.Get("error"); {
	case code == "access_denied":
		return "", &Declined{callback.Get("error_description")}
	case code != "":
		return "", &OAuthError{Code: code, Description: callback.Get("error_description")}
	case callback.Get("code") == "":
		return "", errors.New("the answer has neither code nor error")
	}
	return callback.Get("code"), nil
}

// verifyIDToken obeys OpenID Connect Core, section 3.1.3.7.
func (c *Client) verifyIDToken(ctx context.Context, is *issuer, raw, nonce, accessToken string) (*oidc.IDToken, string, error) {
	var algorithms []string
	for _, alg := range issuerAlgorithms() {
		algorithms = append(algorithms, string(alg))
	}
	verifier := oidc.NewVerifier(c.Issuer, is.keys, &oidc.Config{ClientID: c.ID, SupportedSigningAlgs: algorithms, Now: c.Now})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, "", fmt.Errorf("ID token: %w", err)
	}
	var claims struct {
		WebID string `json:"webid"`
		Party string `json:"azp"`
	}
	if err := token.Claims(&claims); err != nil {
		return nil, "", fmt.Errorf("ID token: %w", err)
	}
	switch {
	case nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return nil, "", errors.New("ID token: nonce differs")
	case claims.Party != c.ID && (claims.Party != "" || len(token.Audience) > 1):
		return nil, "", errors.New("ID token: it was made for another client")
	case token.IssuedAt.After(c.Now().Add(time.Minute)):
		return nil, "", errors.New("ID token: it is from the future")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(accessToken); err != nil {
			return nil, "", fmt.Errorf("ID token: %w", err)
		}
	}
	return token, claims.WebID, nil
}
