// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// A Problem is an answer that is not a success (RFC 9457).
type Problem struct {
	Status   int         `json:"-"` // of HTTP
	Type     string      `json:"type"`
	Title    string      `json:"title"`
	Detail   string      `json:"detail"`   // what to mend
	Instance string      `json:"instance"` // the request's id, for the operator
	Errors   []string    `json:"errors"`   // each fault of a document that has several
	Header   http.Header `json:"-"`        // such as Retry-After, WWW-Authenticate
}

// Error gives status, detail and faults.
func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s", p.Status, p.Title)
	for _, more := range append([]string{p.Detail}, p.Errors...) {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// A Resource is what a Get read.
type Resource struct {
	Type string // media type with its parameters
	ETag string // for Content.IfMatch
	Body []byte // at most 32 MB
}

// Content is what is written.
type Content struct {
	Type    string // media type
	Body    []byte
	Slug    string // Post: the name that one would like
	IfMatch string // only if the resource still has this ETag
	IfNone  bool   // Put: only if there is no such resource
	// Key is an Idempotency-Key: a Post that is repeated with it does no second
	// thing, so it can be repeated when it is not known whether it arrived.
	Key string
}

// Written is what came of a Put or Post.
type Written struct {
	Location string // the URL of what was written
	ETag     string
	Created  bool
	Type     string // of the Body
	Body     []byte // such as a delivery receipt
}

// Get reads a resource, in a media type that Accept names ("" for any). What
// is not a success is a *Problem, as with all of Get, Put, Post and Delete.
func (c *Client) Get(ctx context.Context, url, accept string) (*Resource, error) {
	header := http.Header{}
	if accept != "" {
		header.Set("Accept", accept)
	}
	resp, body, err := c.call(ctx, http.MethodGet, url, header, nil)
	if err != nil {
		return nil, err
	}
	return &Resource{resp.Header.Get("Content-Type"), resp.Header.Get("ETag"), body}, nil
}

// GetBound reads a credential (application/dc+sd-jwt) with proof that it is presented
// to this client, now: a key binding JWT (RFC 9901, section 4.3) whose aud is the
// client's ID and whose nonce is nonce, 8 to 256 visible characters that were never
// used before. A *Problem of status 409 if the issuer has bound it to no key.
func (c *Client) GetBound(ctx context.Context, url, nonce string) (*Resource, error) {
	header := http.Header{"Accept": {"application/dc+sd-jwt"}, "Presentation-Nonce": {nonce}}
	resp, body, err := c.call(ctx, http.MethodGet, url, header, nil)
	if err != nil {
		return nil, err
	}
	return &Resource{resp.Header.Get("Content-Type"), resp.Header.Get("ETag"), body}, nil
}

// HolderKeys asks a person's pod for n public keys, 1 to 32, to bind to it what is
// then deposited at the location: each goes into the cnf of one form and no other.
func (c *Client) HolderKeys(ctx context.Context, deposit string, n int) ([]jose.JSONWebKey, error) {
	address, err := url.JoinPath(deposit, "../keys/")
	if err != nil {
		return nil, fmt.Errorf("holder keys: %w", err)
	}
	written, err := c.Post(ctx, address, Content{Type: "application/json", Body: fmt.Appendf(nil, `{"count":%d}`, n)})
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(written.Body, &set); err != nil || len(set.Keys) != n {
		return nil, errors.New("holder keys: the answer is not a set of as many keys")
	}
	return set.Keys, nil
}

// Ask posts an evidence_request, an authorization detail as for Begin, to the inbox/
// of a person whom the client knows, with no browser at hand. The id is the
// client's own for the request: to send it again does no second thing. The answer
// is told by a notification (RequestAnswered), and can be read at the Location.
func (c *Client) Ask(ctx context.Context, webID, id string, detail any) (*Written, error) {
	space, ok := strings.CutSuffix(webID, "card#me")
	if !ok || id == "" {
		return nil, errors.New("ask: not the WebID of a person in a space of this client's, or no id")
	}
	now := c.Now()
	request, err := c.sign("evidence-request+jwt", map[string]any{
		"iss": c.ID, "aud": c.Issuer, "sub": webID, "jti": id, "iat": now.Unix(), "exp": now.Add(objectLife).Unix(),
		"authorization_details": []any{detail},
	})
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	return c.Post(ctx, space+"inbox/", Content{Type: "application/jwt", Body: []byte(request)})
}

// Put makes or replaces a resource.
func (c *Client) Put(ctx context.Context, url string, content Content) (*Written, error) {
	return c.write(ctx, http.MethodPut, url, content)
}

// Post adds a resource to a container.
func (c *Client) Post(ctx context.Context, url string, content Content) (*Written, error) {
	return c.write(ctx, http.MethodPost, url, content)
}

// Patch changes an RDF resource: an N3 Patch (text/n3) or a SPARQL Update.
func (c *Client) Patch(ctx context.Context, url string, content Content) (*Written, error) {
	return c.write(ctx, http.MethodPatch, url, content)
}

// Delete removes a resource.
func (c *Client) Delete(ctx context.Context, url string) error {
	_, _, err := c.call(ctx, http.MethodDelete, url, http.Header{}, nil)
	return err
}

func (c *Client) write(ctx context.Context, method, address string, content Content) (*Written, error) {
	header := http.Header{}
	for name, value := range map[string]string{
		"Content-Type": content.Type, "Slug": url.PathEscape(content.Slug),
		"If-Match": content.IfMatch, "Idempotency-Key": content.Key,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if content.IfNone {
		header.Set("If-None-Match", "*")
	}
	resp, body, err := c.call(ctx, method, address, header, content.Body)
	if err != nil {
		return nil, err
	}
	w := &Written{
		Location: address, ETag: resp.Header.Get("ETag"), Created: resp.StatusCode == http.StatusCreated,
		Type: resp.Header.Get("Content-Type"), Body: body,
	}
	if place, err := resp.Location(); err == nil {
		w.Location = place.String()
	}
	return w, nil
}

// call sends one request and reads the answer whole.
func (c *Client) call(ctx context.Context, method, address string, header http.Header, content []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", strings.ToLower(method), err)
	}
	req.Header = header
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", strings.ToLower(method), err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := readAll(resp.Body, maxBody)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", strings.ToLower(method), err)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, problem(resp, text)
	}
	return resp, text, nil
}
