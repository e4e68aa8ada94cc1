// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth"
)

// The kinds of records. The key of each is the digest of what the client or
// the browser holds, so that whoever reads the store can use none of it.
const (
	flowKind   = "oidc-flow"   // by interaction id: what is asked, and what was decided
	pushedKind = "oidc-pushed" // by request_uri: the interaction id
	codeKind   = "oidc-code"   // by code: what was granted
	onceKind   = "oidc-once"   // by client and jti, or by proof: that it was used
)

const maxRecord = 60 << 10 // bytes; auth.Records takes 64 KiB

// A failed is an error of the records: the answer is 503, and no detail.
type failed struct{ error }

func (f failed) Unwrap() error { return f.error }

// store is what the library keeps its state in.
type store struct{ p *Provider }

// A flow is one authorization request from where it is pushed until the code
// is made: the library's session, and what we know besides. It rides in the
// session's Store.
type flow struct {
	id       string
	version  uint64
	stored   []byte
	consent  consent // of an app's flow that ends well
	Browser  string  `json:"browser,omitempty"` // digest of the cookie; "" until a browser came
	Locales  string  `json:"locales,omitempty"`
	Until    int     `json:"until,omitempty"`    // Unix seconds; set when a browser came
	Decision []byte  `json:"decision,omitempty"` // sealed; nil until the person has decided
}

type storedFlow struct {
	Session goidc.AuthnSession `json:"session,omitzero"`
	Ours    flow               `json:"ours"`
}

// A grant is what we know of a grant besides the library. It rides in the
// grant's Store.
type grant struct {
	version  uint64
	decision Decision
	Flow     string `json:"flow,omitempty"`     // the interaction id, with which the decision is sealed
	Decision []byte `json:"decision,omitempty"` // sealed; removed with the redemption

	// Of an app's grant:
	refreshing bool    // it was loaded by a refresh token
	Consent    consent `json:"consent,omitzero"`
	Family     string  `json:"family,omitempty"` // digest of the first half of its refresh tokens
	Token      string  `json:"token,omitempty"`  // digest of the second half of the one that is good
}

type storedGrant struct {
	Grant goidc.Grant `json:"grant"`
	Ours  grant       `json:"ours"`
}

const rider = "skrin" // the key in a Store

func flowOf(s *goidc.AuthnSession) *flow { return s.Store[rider].(*flow) }
func grantOf(g *goidc.Grant) *grant      { return g.Store[rider].(*grant) }

func unix(seconds int) time.Time { return time.Unix(int64(seconds), 0) }

// SaveSession obeys goidc.AuthManager. A flow that has succeeded or failed
// leaves an empty record, so that of two who finish it at once one does.
func (s store) SaveSession(ctx context.Context, session *goidc.AuthnSession) error {
	ours := flowOf(session)
	kept := storedFlow{Session: *session, Ours: *ours}
	kept.Session.Store, kept.Session.PushedAuthReqID = nil, ""
	if session.Status != goidc.StatusPending {
		kept = storedFlow{} // its end is long past
	}
	value, err := marshal(kept)
	if err != nil || bytes.Equal(value, ours.stored) {
		return err
	}
	if ours.version == 0 && session.PushedAuthReqID != "" {
		err := s.p.Records.Save(ctx, pushedKind, digest(session.PushedAuthReqID), auth.Record{Value: []byte(session.ID), Until: unix(session.ExpiresAt)})
		if err != nil {
			return failed{fmt.Errorf("save pushed request: %w", err)}
		}
	}
	err = s.p.Records.Save(ctx, flowKind, digest(session.ID), auth.Record{Value: value, Version: ours.version, Until: unix(session.ExpiresAt)})
	if errors.Is(err, auth.ErrChanged) {
		return errors.Join(refuse("invalid_request", "the request was continued elsewhere at the same time"), err)
	}
	if err != nil {
		return failed{fmt.Errorf("save flow: %w", err)}
	}
	ours.version, ours.stored = ours.version+1, value
	return nil
}

func marshal(v any) ([]byte, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if len(value) > maxRecord {
		return nil, refuse("invalid_request", "the request is too large")
	}
	return value, nil
}

// Session obeys goidc.AuthManager.
func (s store) Session(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	session, err := s.p.flow(ctx, id)
	callOf(ctx).ended = errors.Is(err, goidc.ErrNotFound)
	return session, err
}

// flow loads a flow that has not ended.
func (p *Provider) flow(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	record, err := p.Records.Load(ctx, flowKind, digest(id))
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, goidc.ErrNotFound
	}
	if err != nil {
		return nil, failed{fmt.Errorf("load flow: %w", err)}
	}
	var kept storedFlow
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return nil, failed{fmt.Errorf("decode flow: %w", err)}
	}
	if !p.Now().Before(unix(kept.Session.ExpiresAt)) {
		return nil, goidc.ErrNotFound
	}
	kept.Ours.id, kept.Ours.version, kept.Ours.stored = id, record.Version, record.Value
	kept.Session.Store = map[string]any{rider: &kept.Ours}
	return &kept.Session, nil
}

// SessionByPushedAuthReqID obeys goidc.PARManager.
func (s store) SessionByPushedAuthReqID(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	record, err := s.p.Records.Load(ctx, pushedKind, digest(id))
	if errors.Is(err, auth.ErrNoRecord) {
		callOf(ctx).ended = true
		return nil, goidc.ErrNotFound
	}
	if err != nil {
		return nil, failed{fmt.Errorf("load pushed request: %w", err)}
	}
	return s.Session(ctx, string(record.Value))
}

// SaveGrant obeys goidc.GrantManager. It is here that a code is redeemed once:
// of those who loaded the same version, one saves. A grant without a code, of
// client credentials, is in its token and need not be kept, unless it is revoked.
func (s store) SaveGrant(ctx context.Context, g *goidc.Grant) error {
	if g.AuthCode == "" {
		if g.RevokedAt == 0 {
			return nil
		}
		return s.p.revokeGrant(ctx, g.ID)
	}
	ours := grantOf(g)
	kept := storedGrant{Grant: *g, Ours: *ours}
	kept.Grant.AuthCode, kept.Grant.RefreshToken, kept.Grant.Store = "", "", nil
	if g.AuthCodeConsumedAt != 0 || g.RevokedAt != 0 {
		kept.Ours.Decision = nil
	}
	value, err := marshal(kept)
	if err != nil {
		return err
	}
	err = s.p.Records.Save(ctx, codeKind, digest(g.AuthCode), auth.Record{Value: value, Version: ours.version, Until: unix(g.AuthCodeExpiresAt)})
	if errors.Is(err, auth.ErrChanged) {
		return refuse("invalid_grant", "the authorization code was redeemed")
	}
	if err != nil {
		return failed{fmt.Errorf("save grant: %w", err)}
	}
	ours.version++
	return nil
}

// GrantByAuthCode obeys goidc.AuthManager.
func (s store) GrantByAuthCode(ctx context.Context, code string) (*goidc.Grant, error) {
	record, err := s.p.Records.Load(ctx, codeKind, digest(code))
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, goidc.ErrNotFound
	}
	if err != nil {
		return nil, failed{fmt.Errorf("load grant: %w", err)}
	}
	var kept storedGrant
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return nil, failed{fmt.Errorf("decode grant: %w", err)}
	}
	ours := &kept.Ours
	ours.version = record.Version
	if ours.Decision != nil {
		if err := s.p.secrets.open(ours.Decision, ours.Flow, &ours.decision); err != nil {
			return nil, failed{err}
		}
	}
	kept.Grant.AuthCode, kept.Grant.Store = code, map[string]any{rider: ours}
	return &kept.Grant, nil
}

// Grant obeys goidc.GrantManager. Introspection and revocation ask for the grant
// of an access token whose signature is verified: all that is kept of it is
// whether it was revoked.
func (s store) Grant(ctx context.Context, id string) (*goidc.Grant, error) {
	revoked, err := s.p.grantRevoked(ctx, id)
	if err != nil {
		return nil, failed{fmt.Errorf("load grant: %w", err)}
	}
	g := &goidc.Grant{ID: id, Subject: callOf(ctx).client.ID, Store: map[string]any{rider: &grant{}}}
	if revoked {
		g.RevokedAt = 1
	}
	return g, nil
}

// Client obeys goidc.DCRManager: it is how the library asks for any client.
func (s store) Client(ctx context.Context, id string) (*goidc.Client, error) {
	c, err := s.p.Clients.Client(ctx, id)
	if errors.Is(err, ErrNoClient) || isApp(id) {
		return nil, goidc.ErrNotFound
	}
	if err != nil {
		return nil, failed{fmt.Errorf("find client: %w", err)}
	}
	keys := c.keys(callOf(ctx).kids)
	if c.ID != id || c.WebID == "" || !allPublic(keys) {
		return nil, failed{errors.New("a client's registration lacks its WebID, or has a key that isn't public")}
	}
	callOf(ctx).client = c
	if c.Scope != "" {
		return operator(c, keys), nil
	}
	return &goidc.Client{ID: c.ID, ClientMeta: goidc.ClientMeta{
		Name: c.Name, RedirectURIs: c.RedirectURIs, JWKS: &goidc.JSONWebKeySet{Keys: keys.Keys},
		GrantTypes:    []goidc.GrantType{goidc.GrantAuthorizationCode, goidc.GrantClientCredentials},
		ResponseTypes: []goidc.ResponseType{goidc.ResponseTypeCode},
		ScopeIDs:      "openid webid", SubIdentifierType: goidc.SubIdentifierPublic, IDTokenSigAlg: jose.ES256,
		TokenAuthnMethod: goidc.AuthnMethodPrivateKeyJWT, JARIsRequired: true, PARIsRequired: true, DPoPTokenBindingIsRequired: true,
	}}, nil
}

func allPublic(set jose.JSONWebKeySet) bool {
	for _, key := range set.Keys {
		if !key.IsPublic() {
			return false
		}
	}
	return true
}

// operator is a client that gets tokens by client credentials, and no more.
func operator(c Client, keys jose.JSONWebKeySet) *goidc.Client {
	return &goidc.Client{ID: c.ID, ClientMeta: goidc.ClientMeta{
		Name: c.Name, JWKS: &goidc.JSONWebKeySet{Keys: keys.Keys}, GrantTypes: []goidc.GrantType{goidc.GrantClientCredentials},
		ScopeIDs: c.Scope, SubIdentifierType: goidc.SubIdentifierPublic, IDTokenSigAlg: jose.ES256,
		TokenAuthnMethod: goidc.AuthnMethodPrivateKeyJWT, JARIsRequired: true, PARIsRequired: true, DPoPTokenBindingIsRequired: true,
	}}
}

// keys are the client's, looked for by the ids that a request names. There may be
// none: then nothing that it signs is good.
func (c *Client) keys(kids []string) (set jose.JSONWebKeySet) {
	if c.KeySet == nil {
		return set
	}
	if len(kids) == 0 {
		return c.KeySet("")
	}
	for _, kid := range kids {
		set = c.KeySet(kid) // the last is as fresh as the others
	}
	return set
}

// SaveClient and DeleteClient complete goidc.DCRManager; their routes aren't
// mounted.
func (s store) SaveClient(context.Context, *goidc.Client) error { return errors.ErrUnsupported }
func (s store) DeleteClient(context.Context, string) error      { return errors.ErrUnsupported }

// once records that something was used; it returns used if it was already.
func (p *Provider) once(ctx context.Context, key string, until time.Time, used error) error {
	err := p.Records.Save(ctx, onceKind, key, auth.Record{Until: until})
	if errors.Is(err, auth.ErrChanged) {
		return used
	}
	if err != nil {
		return failed{fmt.Errorf("record use: %w", err)}
	}
	return nil
}
