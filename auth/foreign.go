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
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp/rdf"
)

const (
	oidcIssuer = "http://www.w3.org/ns/solid/terms#oidcIssuer"
	hasMember  = "http://www.w3.org/2006/vcard/ns#hasMember"

	foreignEntries = 20_000
	foreignIssuers = 16    // that one WebID names
	foreignKeys    = 32    // of one issuer
	foreignName    = 1_024 // bytes of an issuer's name, and of a key's id
	foreignGroups  = 1_000 // of at most groupMembers members
	groupMembers   = 1_000
	groupLife      = time.Minute     // how long who is a member of a group stays one
	profileLife    = 5 * time.Minute // how long an issuer that a WebID drops stays good
	keysLife       = time.Hour       // how long a key that an issuer drops stays good
)

// Foreign finds the issuers of the WebIDs of others (Solid-OIDC, section 9): one
// is believed if the document that the WebID leads to names it. What it fetches
// it remembers for minutes, failures too. It fetches 4 documents at once from
// those who have registered one name. It is safe for concurrent use.
type Foreign struct {
	client   *http.Client
	now      func() time.Time
	profiles *Recall[acl.WebID, []string]
	issuers  *Recall[string, []jose.JSONWebKey]
	groups   *Recall[string, []acl.WebID]
	hosts    hosts
}

// NewForeign makes a Foreign that fetches with the client, which should be
// [Guarded].
func NewForeign(client *http.Client, now func() time.Time) *Foreign {
	return &Foreign{
		client: client, now: now,
		profiles: NewRecall[acl.WebID, []string](foreignEntries), issuers: NewRecall[string, []jose.JSONWebKey](foreignEntries / 10),
		groups: NewRecall[string, []acl.WebID](foreignGroups), hosts: hosts{known: map[string]*host{}},
	}
}

// Issuer is for [Verifier.Issuers].
func (f *Foreign) Issuer(ctx context.Context, issuer string, webID acl.WebID) (Issuer, error) {
	named, err := f.profiles.Get(webID, f.now(), profileLife, func() ([]string, error) { return f.profile(ctx, webID) })
	if errors.Is(err, ErrSpent) {
		return nil, err
	}
	if err != nil || !slices.Contains(named, issuer) {
		return nil, ErrNoIssuer
	}
	return foreignIssuer{f, issuer}, nil
}

// Member reports whether the document of a group (vcard:Group) says that who is
// a member, now or a minute ago. A document that can't be had, or has more than
// 1,000 members, says nothing of anybody: that is an error.
func (f *Foreign) Member(ctx context.Context, group string, who acl.WebID) (bool, error) {
	members, err := f.groups.Get(group, f.now(), groupLife, func() ([]acl.WebID, error) { return f.members(ctx, group) })
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

// graph fetches a document of RDF, and reads it, also when the request that asked
// has ended: others wait for the same, and what fails is remembered.
func (f *Foreign) graph(ctx context.Context, address string) (*rdf.Graph, error) {
	doc, err := f.fetch(ctx, address, "text/turtle, application/ld+json;q=0.9, application/rdf+xml;q=0.5")
	if err != nil {
		return nil, err
	}
	format, ok := rdf.FormatOf(doc.MediaType)
	if !ok {
		return nil, errors.New("the document is not RDF")
	}
	graph, err := rdf.Read(context.WithoutCancel(ctx), doc.Body, format, doc.Base, rdf.Limits{Triples: 10_000})
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return graph, nil
}

// profile returns the issuers that the WebID's document names.
func (f *Foreign) profile(ctx context.Context, webID acl.WebID) ([]string, error) {
	graph, err := f.graph(ctx, string(webID))
	if err != nil {
		return nil, err
	}
	var named []string
	for _, o := range graph.Objects(rdf.IRI(string(webID)), rdf.IRI(oidcIssuer)) {
		if o.Kind == rdf.IRIKind && len(o.Value) <= foreignName {
			named = append(named, o.Value)
		}
	}
	if len(named) > foreignIssuers {
		return nil, errors.New("the WebID names more than 16 issuers")
	}
	return named, nil
}

type foreignIssuer struct {
	*Foreign
	name string
}

// Key obeys Issuer. An id that isn't known makes it look whether the issuer has
// new keys, every half a minute at most.
func (i foreignIssuer) Key(ctx context.Context, id string) (crypto.PublicKey, error) {
	for _, life := range []time.Duration{keysLife, failureLife} {
		keys, err := i.issuers.Get(i.name, i.now(), life, func() ([]jose.JSONWebKey, error) { return i.keys(ctx) })
		if errors.Is(err, ErrSpent) {
			return nil, err
		}
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
	doc, err := i.fetch(ctx, about.JWKS, "application/json")
	if err != nil {
		return nil, err
	}
	return readKeys(doc.Body)
}

// readKeys reads those keys of a set that can have signed a token; of other kinds
// there may be some.
func readKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > foreignKeys {
		return nil, errors.New("the issuer has more than 32 keys")
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && key.Use != "enc" && verifies(key.Key) && len(key.KeyID) <= foreignName {
			keys = append(keys, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID}) // without its certificates
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
	doc, err := f.fetch(ctx, address, "application/json")
	if err != nil {
		return err
	}
	return json.Unmarshal(doc.Body, v)
}

// fetch gets a document, in its host's turn.
func (f *Foreign) fetch(ctx context.Context, address, accept string) (Document, error) {
	leave, err := f.hosts.enter(address)
	if err != nil {
		return Document{}, err
	}
	defer leave()
	return Fetch(ctx, f.client, address, accept)
}
