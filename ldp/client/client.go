// SPDX-License-Identifier: EUPL-1.2

// Package client is the Go SDK of a provider's or a consumer's back end, and of
// scripts that speak Solid: it gets tokens, sends requests with them, sends a
// person to the authorization endpoint and takes the answer, and verifies
// notifications.
//
// A consumer that sends a person to consent, and reads what was granted:
//
//	pending, err := c.Begin(ctx, client.AuthorizationRequest{
//		RedirectURI: "https://insurer.example/return", Scope: "openid webid",
//		Details: []json.RawMessage{request},
//	})
//	… keep pending in the person's session, redirect to pending.URL, and there:
//	answer, err := c.Finish(ctx, pending, r.URL.Query())
//	…
//	evidence, err := c.Get(ctx, url, "application/dc+sd-jwt")
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

// A Client acts as one registered client of one Skrin server; or, with a Secret
// instead of a Key, as a person's script on any Solid server; or, Public, as an app
// that she has logged in to. All other fields but Scope must be set, and none be
// changed after the first use. It may be used by many goroutines at once.
type Client struct {
	HTTP   *http.Client    // give it a Timeout; redirects are not followed
	Issuer string          // the server's issuer identifier, as registered: "https://pod.example"
	ID     string          // client_id
	Key    jose.JSONWebKey // private, with KeyID and Algorithm: see ParseKey; signs assertions and requests
	Secret string          // of a person's script (client_secret_basic); "" for who has a Key
	Public bool            // a person's app, which has neither Key nor Secret: see BeginLogin
	DPoP   *dpop.Key       // tokens are bound to it
	Scope  string          // of the tokens; "" for what parties have
	Now    func() time.Time

	// Login, of a Public client, gives the token to use and when it ends. It is
	// called by one goroutine at a time.
	Login func(ctx context.Context) (token string, end time.Time, err error)

	mu       sync.Mutex // guards what follows; never held while the network is waited for
	issuer   *issuer
	nonces   map[string]string // by origin, as last heard
	token    string
	tokenEnd time.Time

	fetching sync.Mutex // held while a token is fetched: one at a time
}

const (
	maxBody = 32 << 20 // bytes of a response
	maxJSON = 1 << 20  // bytes of a response from the issuer

	// early is how long before its end a token is no longer used.
	early = 30 * time.Second
)

// Token gives an access token of the client itself (RFC 6749, section 4.4, with
// private_key_jwt and bound to DPoP). It is kept until half a minute before its
// end. An *OAuthError if the server refuses.
func (c *Client) Token(ctx context.Context) (string, error) {
	if err := c.configured(); err != nil {
		return "", err
	}
	if token := c.kept(); token != "" {
		return token, nil
	}
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if token := c.kept(); token != "" { // somebody else was faster
		return token, nil
	}
	if c.Public {
		return c.loggedIn(ctx)
	}
	is, err := c.discover(ctx)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	var answer tokenAnswer
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {cmp.Or(c.Scope, "webid")}}
	if err := c.callIssuer(ctx, is.Token, form, &answer); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if err := answer.check(); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.tokenEnd = answer.AccessToken, c.Now().Add(answer.life())
	return c.token, nil
}

// kept gives the token if it is still good for a while.
func (c *Client) kept() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Now().Before(c.tokenEnd.Add(-early)) {
		return c.token
	}
	return ""
}

// drop forgets a token that was refused, unless there is a newer one.
func (c *Client) drop(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token, c.tokenEnd = "", time.Time{}
	}
}

type tokenAnswer struct {
	AccessToken string  `json:"access_token"`
	TokenType   string  `json:"token_type"`
	ExpiresIn   float64 `json:"expires_in"` // seconds
}

func (a tokenAnswer) check() error {
	if a.AccessToken == "" || !strings.EqualFold(a.TokenType, "DPoP") {
		return errors.New("the answer has no access token of type DPoP")
	}
	return nil
}

// life is how long the token lives; a minute if the server does not say.
func (a tokenAnswer) life() time.Duration {
	if a.ExpiresIn <= 0 {
		return time.Minute
	}
	return time.Duration(min(a.ExpiresIn, 24*3600)) * time.Second
}

// Do sends a request with an access token and a DPoP proof. If the server asks
// for a nonce, or no longer takes the token, it is sent once more, provided
// that its body can be read again (req.GetBody, which http.NewRequest sets for
// bytes and strings). The caller closes the response's body. Only https URLs
// are taken, and http ones of this machine.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	token, err := c.Token(req.Context())
	if err != nil {
		return nil, err
	}
	resp, err := c.send(req, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
		return resp, err
	}
	switch challenge := strings.Join(resp.Header.Values("WWW-Authenticate"), ", "); {
	case strings.Contains(challenge, dpop.UseNonce):
	case strings.Contains(challenge, "invalid_token"):
		c.drop(token)
		if token, err = c.Token(req.Context()); err != nil {
			return resp, nil // the first answer says more
		}
	default:
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxJSON) // so that the connection can be used again
	_ = resp.Body.Close()
	return c.send(req, token)
}

// send sends a copy of a request, signed for this one time.
func (c *Client) send(req *http.Request, token string) (*http.Response, error) {
	once := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		once.Body = body
	}
	if token != "" {
		once.Header.Set("Authorization", "DPoP "+token)
	}
	return c.prove(once, token)
}

// prove adds a DPoP proof, sends the request, and notes the server's nonce.
func (c *Client) prove(req *http.Request, token string) (*http.Response, error) {
	if err := safeURL(req.URL); err != nil {
		return nil, err
	}
	origin := req.URL.Scheme + "://" + req.URL.Host
	c.mu.Lock()
	nonce := c.nonces[origin]
	c.mu.Unlock()
	proof, err := c.DPoP.Proof(req.Method, req.URL.String(), token, nonce, c.Now())
	if err != nil {
		return nil, err
	}
	req.Header.Set("DPoP", proof)
	resp, err := c.straight().Do(req)
	if err != nil {
		return nil, err
	}
	if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" && len(nonce) < 1000 {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.nonces == nil || len(c.nonces) > 100 {
			c.nonces = map[string]string{}
		}
		c.nonces[origin] = nonce
	}
	return resp, nil
}

// straight is the HTTP client without redirects: a proof is for one URL.
func (c *Client) straight() *http.Client {
	direct := *c.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &direct
}

// safeURL refuses a URL over which a token would be sent in clear.
func safeURL(u *url.URL) error {
	host := u.Hostname()
	ip := net.ParseIP(host)
	switch {
	case u.Scheme == "https" && host != "" && u.User == nil:
		return nil
	case u.Scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback()) && u.User == nil:
		return nil
	}
	return errors.New("not an https URL, nor an http URL of this machine")
}

// configured reports what the caller forgot.
func (c *Client) configured() error {
	switch {
	case c.HTTP == nil || c.Now == nil:
		return errors.New("client: HTTP or Now is not set")
	case c.Issuer == "" || c.ID == "":
		return errors.New("client: Issuer or ID is not set")
	case (c.Secret != "" || c.Public) && c.DPoP != nil:
		return nil
	case c.DPoP == nil || c.Key.Key == nil || c.Key.KeyID == "" || c.Key.Algorithm == "":
		return errors.New("client: DPoP or Key is not set, or Key has no KeyID or Algorithm")
	}
	return nil
}
