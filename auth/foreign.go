// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp/rdf"
)

const (
	oidcIssuer = "http://www.w3.org/ns/solid/terms#oidcIssuer"
	hasMember  = "http://www.w3.org/2006/vcard/ns#hasMember"

	foreignEntries = 20_000
	foreignGroups  = 1_000 // of at most groupMembers members
	groupMembers   = 1_000
	profileLife    = 5 * time.Minute  // how long an issuer that a WebID drops stays good
	keysLife       = time.Hour        // how long a key that an issuer drops stays good
	groupLife      = time.Minute      // how long who is a member of a group stays one
	failureLife    = 30 * time.Second // how soon what failed is tried again
)

// Foreign finds the issuers of the WebIDs of others (Solid-OIDC, section 9): one
// is believed if the document that the WebID leads to names it. It also finds the
// members of groups of other servers (Web Access Control). What it fetches
// it remembers for minutes, failures too. It is safe for concurrent use.
type Foreign struct {
	client   *http.Client
	now      func() time.Time
	profiles generations[acl.WebID, *fetched[[]string]]
	issuers  generations[string, *fetched[[]jose.JSONWebKey]]
	groups   generations[string, *fetched[[]acl.WebID]]
}

// NewForeign makes a Foreign that fetches with the client, which should be
// [Guarded].
func NewForeign(client *http.Client, now func() time.Time) *Foreign {
	f := &Foreign{client: client, now: now}
	f.profiles.half, f.issuers.half, f.groups.half = foreignEntries/2, foreignEntries/20, foreignGroups/2
	return f
}

// A fetched is a value that is fetched when it is asked for, by one at a time.
type fetched[V any] struct {
	mu    sync.Mutex
	value V
	err   error
	begun time.Time // of the last fetch
}

// get returns the value, fetched again if it is older than life, or if it could
// not be fetched half a minute ago.
func (f *fetched[V]) get(now time.Time, life time.Duration, fetch func() (V, error)) (V, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		life = failureLife
	}
	if f.begun.IsZero() || now.Sub(f.begun) >= life {
		f.begun = now
		f.value, f.err = fetch()
	}
	return f.value, f.err
}

// Issuer is for [Verifier.Issuers].
func (f *Foreign) Issuer(ctx context.Context, issuer string, webID acl.WebID) (Issuer, error) {
	named, err := f.profiles.getOr(webID, &fetched[[]string]{}).get(f.now(), profileLife, func() ([]string, error) { return f.profile(ctx, webID) })
	if err != nil || !slices.Contains(named, issuer) {
		return nil, ErrNoIssuer
	}
	return foreignIssuer{f, issuer}, nil
}

// Member reports whether the document of a group (vcard:Group) says that who is
// a member, now or a minute ago. A document that can't be had, or has more than
// 1,000 members, says nothing of anybody: that is an error.
func (f *Foreign) Member(ctx context.Context, group string, who acl.WebID) (bool, error) {
	members, err := f.groups.getOr(group, &fetched[[]acl.WebID]{}).get(f.now(), groupLife, func() ([]acl.WebID, error) { return f.members(ctx, group) })
	return slices.Contains(members, who), err
}

func (f *Foreign) members(ctx context.Context, group string) ([]acl.WebID, error) {
	graph, err := f.graph(ctx, group)
	if err != nil {
		return nil, err
	}
	var members []acl.WebID
	for _, o := range graph.Objects(rdf.IRI(group), rdf.IRI(hasMember)) {
		if id, err := acl.ParseWebID(o.Value); err == nil && o.IsIRI() {
			members = append(members, id)
		}
	}
	if len(members) > groupMembers {
		return nil, errors.New("the group has more than 1,000 members")
	}
	return members, nil
}

// profile returns the issuers that the WebID's document names.
func (f *Foreign) profile(ctx context.Context, webID acl.WebID) ([]string, error) {
	graph, err := f.graph(ctx, string(webID))
	if err != nil {
		return nil, err
	}
	var named []string
	for _, o := range graph.Objects(rdf.IRI(string(webID)), rdf.IRI(oidcIssuer)) {
		if o.Kind == rdf.IRIKind {
			named = append(named, o.Value)
		}
	}
	return named, nil
}

// graph fetches an RDF document.
func (f *Foreign) graph(ctx context.Context, address string) (*rdf.Graph, error) {
	body, mediaType, base, err := f.fetch(ctx, address, "text/turtle, application/ld+json;q=0.9, application/rdf+xml;q=0.5")
	if err != nil {
		return nil, err
	}
	format, ok := rdf.FormatOf(mediaType)
	if !ok {
		return nil, errors.New("the document is not RDF")
	}
	graph, err := rdf.Read(ctx, body, format, base, rdf.Limits{Triples: 10_000})
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return graph, nil
}

type foreignIssuer struct {
	*Foreign
	name string
}

// Key obeys Issuer. An id that isn't known makes it look whether the issuer has
// new keys, every half a minute at most.
func (i foreignIssuer) Key(ctx context.Context, id string) (crypto.PublicKey, error) {
	e := i.issuers.getOr(i.name, &fetched[[]jose.JSONWebKey]{})
	for _, life := range []time.Duration{keysLife, failureLife} {
		keys, err := e.get(i.now(), life, func() ([]jose.JSONWebKey, error) { return i.keys(ctx) })
		if err != nil {
			return nil, ErrNoKey
		}
		for _, key := range keys {
			if key.KeyID == id {
				return key.Key, nil
			}
		}
	}
	return nil, ErrNoKey
}

// keys fetches the keys that the issuer publishes (OpenID Connect Discovery).
func (i foreignIssuer) keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	var about struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := i.fetchJSON(ctx, strings.TrimSuffix(i.name, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, err
	}
	if about.Issuer != i.name {
		return nil, errors.New("the issuer says that it is another")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := i.fetchJSON(ctx, about.JWKS, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && key.Use != "enc" && verifies(key.Key) { // of other kinds there may be some
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func verifies(key any) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048
	}
	return false
}

func (f *Foreign) fetchJSON(ctx context.Context, address string, v any) error {
	body, _, _, err := f.fetch(ctx, address, "application/json")
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// fetch gets a document, its media type, and the URL to which its relative
// references are relative. It goes on when the request that asked has ended:
// others may wait for the same.
func (f *Foreign) fetch(ctx context.Context, address, accept string) (body []byte, mediaType, base string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", "", fmt.Errorf("fetch: %w", err)
	}
	u.Fragment, u.RawFragment = "", ""
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, "", "", fmt.Errorf("fetch: %w", err)
	}
	r.Header.Set("Accept", accept)
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, "", "", fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, "", "", fmt.Errorf("fetch: status %d", resp.StatusCode)
	}
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", "", fmt.Errorf("fetch: %w", err)
	}
	return body, resp.Header.Get("Content-Type"), resp.Request.URL.String(), nil
}
