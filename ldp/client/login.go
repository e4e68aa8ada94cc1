// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// The methods here are of a Public client: an app in which a person logs in, at
// any Solid server (Solid-OIDC).

// Register registers an app with the server (RFC 7591), and returns its id: for
// whom has no client ID document. The redirect URI is of the person's own machine.
func (c *Client) Register(ctx context.Context, name, redirect string) (id string, err error) {
	var is issuer
	if err := c.getJSON(ctx, wellKnown(c.Issuer), &is); err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	if is.Registration == "" {
		return "", errors.New("register: the server takes no registrations")
	}
	body, err := json.Marshal(map[string]any{
		"client_name": name, "redirect_uris": []string{redirect}, "application_type": "native", "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"scope": LoginScope, "id_token_signed_response_alg": "ES256",
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, is.Registration, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	if err := safeURL(req.URL); err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.straight().Do(req)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := readAll(resp.Body, maxJSON)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	var answer struct {
		ID string `json:"client_id"`
	}
	if resp.StatusCode/100 != 2 || json.Unmarshal(text, &answer) != nil || answer.ID == "" {
		return "", fmt.Errorf("register: %w", problem(resp, text))
	}
	return answer.ID, nil
}

// LoginScope is what an app asks for: to know who she is, and to go on when she
// has closed the browser.
const LoginScope = "openid webid offline_access"

// BeginLogin begins a login, with PKCE and bound to the DPoP key. The person's
// browser goes to the URL of what is returned, and comes back with an answer for
// Finish.
func (c *Client) BeginLogin(ctx context.Context, redirect string) (Pending, error) {
	is, err := c.discover(ctx)
	if err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	place, err := url.Parse(is.Authorization)
	if err != nil {
		return Pending{}, fmt.Errorf("begin: %w", err)
	}
	p := Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURI: redirect, Expires: c.Now().Add(time.Hour)}
	challenge := sha256.Sum256([]byte(p.Verifier))
	q := place.Query()
	for name, value := range map[string]string{
		"client_id": c.ID, "redirect_uri": redirect, "response_type": "code", "scope": LoginScope, "state": p.State, "nonce": p.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256", "dpop_jkt": c.DPoP.Thumbprint(),
		"prompt": "consent", // OpenID Connect Core, section 11, asks for it with offline_access
	} {
		q.Set(name, value)
	}
	place.RawQuery = q.Encode()
	p.URL = place.String()
	return p, nil
}

// Refresh exchanges a refresh token. The answer's RefreshToken takes its place: a
// server that sees the old one again may end the login. An *OAuthError if the
// server refuses: then the person must log in again.
func (c *Client) Refresh(ctx context.Context, token string) (Tokens, error) {
	is, err := c.discover(ctx)
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	var answer struct {
		tokenAnswer
		Refresh string `json:"refresh_token"`
	}
	if err := c.callIssuer(ctx, is.Token, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, &answer); err != nil {
		return Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	if err := answer.check(); err != nil {
		return Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	if answer.Refresh == "" {
		answer.Refresh = token
	}
	return Tokens{AccessToken: answer.AccessToken, RefreshToken: answer.Refresh, Expires: c.Now().Add(answer.life())}, nil
}

// loggedIn gives the token of a login; fetching is held.
func (c *Client) loggedIn(ctx context.Context) (string, error) {
	if c.Login == nil {
		return "", errors.New("token: the client is Public, and has no Login")
	}
	token, end, err := c.Login(ctx)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.tokenEnd = token, end
	return token, nil
}
