// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

// An issuer is what the server says of itself at
// /.well-known/openid-configuration (OpenID Connect Discovery).
type issuer struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	PAR           string `json:"pushed_authorization_request_endpoint"`
	JWKS          string `json:"jwks_uri"`
	Registration  string `json:"registration_endpoint"`
	SaysWho       bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207

	keys    *keySet
	fetched time.Time
}

// discover gives the server's metadata, at most an hour old. While the server
// can't be reached, what is known stays in use.
func (c *Client) discover(ctx context.Context) (*issuer, error) {
	if err := c.configured(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	known := c.issuer
	c.mu.Unlock()
	if known != nil && c.Now().Sub(known.fetched) < time.Hour {
		return known, nil
	}
	var is issuer
	if err := c.getJSON(ctx, wellKnown(c.Issuer), &is); err != nil {
		if known != nil {
			return known, nil
		}
		return nil, fmt.Errorf("discovery of %q: %w", c.Issuer, err)
	}
	if (c.Secret != "" || c.Public) && is.PAR == "" {
		is.PAR = is.Token // which such a client doesn't use, and other servers lack
	}
	if err := is.check(c.Issuer); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	is.fetched = c.Now()
	is.keys = &keySet{url: is.JWKS, fetch: c.getJSON, now: c.Now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known != nil && known.JWKS == is.JWKS {
		is.keys = known.keys
	}
	c.issuer = &is
	return &is, nil
}

func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

func (is *issuer) check(expected string) error {
	if is.Issuer != expected {
		return fmt.Errorf("the server calls itself %.200q, and not %q: name it as it does", is.Issuer, expected)
	}
	for name, endpoint := range map[string]string{
		"authorization": is.Authorization, "token": is.Token, "pushed authorization request": is.PAR, "jwks": is.JWKS,
	} {
		u, err := url.Parse(endpoint)
		if err != nil || safeURL(u) != nil {
			return fmt.Errorf("the server has no %s endpoint with an https URL", name)
		}
	}
	return nil
}

// getJSON fetches a JSON document of at most 1 MB.
func (c *Client) getJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if err := safeURL(req.URL); err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.straight().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := readAll(resp.Body, maxJSON)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %d", address, resp.StatusCode)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is no JSON of the right form: %w", address, err)
	}
	return nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return text, err
}

// An OAuthError is a refusal by the token or the authorization endpoint (RFC
// 6749, sections 4.1.2.1 and 5.2).
type OAuthError struct {
	Status      int    // of HTTP; 0 if it came with the browser
	Code        string `json:"error"` // such as invalid_client
	Description string `json:"error_description"`
}

// Error gives code and description.
func (e *OAuthError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the server refuses: %s: %s", e.Code, e.Description), ": ")
}

// callIssuer posts a form to an endpoint of the issuer, as this client
// (private_key_jwt, RFC 7523) and with a DPoP proof, and once more if the
// server asks for a nonce.
func (c *Client) callIssuer(ctx context.Context, endpoint string, form url.Values, into any) error {
	err := c.callOnce(ctx, endpoint, form, into)
	if refused, ok := errors.AsType[*OAuthError](err); ok && refused.Code == dpop.UseNonce {
		return c.callOnce(ctx, endpoint, form, into)
	}
	return err
}

func (c *Client) callOnce(ctx context.Context, endpoint string, form url.Values, into any) error {
	switch {
	case c.Public:
		form.Set("client_id", c.ID)
	case c.Secret == "":
		if err := c.assert(form); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if c.Secret != "" { // RFC 6749, section 2.3.1
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := c.prove(req, "")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := readAll(resp.Body, maxJSON)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		return json.Unmarshal(text, into)
	}
	refused := &OAuthError{Status: resp.StatusCode}
	if json.Unmarshal(text, refused) != nil || refused.Code == "" {
		return problem(resp, text)
	}
	return refused
}

// assert adds to a form what proves that it is this client's.
func (c *Client) assert(form url.Values) error {
	now := c.Now()
	assertion, err := c.sign("JWT", map[string]any{
		"iss": c.ID, "sub": c.ID, "aud": c.Issuer, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		return err
	}
	form.Set("client_id", c.ID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	return nil
}

// sign makes a JWT with the client's key.
func (c *Client) sign(typ jose.ContentType, claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType(typ)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(c.Key.Algorithm), Key: c.Key}, options)
	if err != nil {
		return "", fmt.Errorf("the client's key: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("the client's key: %w", err)
	}
	return signed.CompactSerialize()
}

// issuerAlgorithms are what the issuer may sign with.
func issuerAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}
}

// A keySet is the issuer's public keys. It obeys oidc.KeySet.
type keySet struct {
	url   string
	fetch func(ctx context.Context, url string, into any) error
	now   func() time.Time

	mu      sync.Mutex // held while the keys are fetched
	keys    []jose.JSONWebKey
	fetched time.Time // when they came
	tried   time.Time // when they were last asked for
}

// VerifySignature gives the payload of a JWT that one of the keys signed.
func (s *keySet) VerifySignature(ctx context.Context, compact string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(compact, issuerAlgorithms())
	if err != nil {
		return nil, errors.New("not a JWT that is signed with an algorithm that we take")
	}
	header := signed.Signatures[0].Protected
	key, err := s.key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return nil, errors.New("the key is for another algorithm")
	}
	return signed.Verify(key.Key)
}

// key gives the key with an id. One that is not known, or for longer than an
// hour, is looked for at the issuer: at most every ten seconds, as anyone can
// send us an unknown id.
func (s *keySet) key(ctx context.Context, id string) (jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.find(id); ok {
		return key, nil
	}
	if s.now().Sub(s.tried) > 10*time.Second {
		s.tried = s.now()
		if err := s.update(ctx); err != nil {
			return jose.JSONWebKey{}, fmt.Errorf("the issuer's keys: %w", err)
		}
	}
	if key, ok := s.find(id); ok {
		return key, nil
	}
	return jose.JSONWebKey{}, errors.New("the issuer has no such key")
}

func (s *keySet) find(id string) (jose.JSONWebKey, bool) {
	for _, key := range s.keys {
		if key.KeyID == id && s.now().Sub(s.fetched) < time.Hour {
			return key, true
		}
	}
	return jose.JSONWebKey{}, false
}

func (s *keySet) update(ctx context.Context) error {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.fetch(ctx, s.url, &set); err != nil {
		return err
	}
	s.keys, s.fetched = nil, s.now()
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil { // others are not for us (RFC 7517, section 5)
			s.keys = append(s.keys, key)
		}
	}
	return nil
}

// problem reads a failure: a problem document (RFC 9457), or the bare status.
func problem(resp *http.Response, text []byte) *Problem {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(text, p) != nil {
		*p = Problem{}
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	p.Header = resp.Header
	return p
}
