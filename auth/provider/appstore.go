// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/acl"
	"skrin/auth"
)

const (
	approvalKind = "oidc-approval" // by WebID and client: that the person has approved the app
	familyKind   = "oidc-family"   // by a refresh token's first half: the grant, and the one token that is good
	revokedKind  = "oidc-revoked"  // by grant id: its access tokens are good no more

	refreshIdle = 30 * 24 * time.Hour  // a refresh token that isn't used so long ends
	refreshLife = 180 * 24 * time.Hour // all that came of one code end
	randomLen   = 26                   // of rand.Text
)

// A consent is what an app's tokens say of the person.
type consent struct {
	Person   string    `json:"person"`
	WebID    acl.WebID `json:"webid"`
	AuthTime time.Time `json:"auth_time"`
	ACR      string    `json:"acr,omitempty"`
}

// appStore is what the library keeps the state of apps in. A refresh token has
// two halves. The first names its family, all that came of one code; the second
// is good once. Whoever brings a second half that was replaced has stolen it, or
// was stolen from: the family ends.
type appStore struct{ store }

// Client obeys goidc.DCRManager.
func (s appStore) Client(ctx context.Context, id string) (*goidc.Client, error) {
	a, err := s.p.findApp(ctx, id)
	if err != nil {
		return nil, err
	}
	callOf(ctx).app = a
	return a.library(), nil
}

// SaveGrant obeys goidc.GrantManager.
func (s appStore) SaveGrant(ctx context.Context, g *goidc.Grant) error {
	ours := grantOf(g)
	if g.RevokedAt != 0 {
		if err := s.p.revokeGrant(ctx, g.ID); err != nil {
			return err
		}
	}
	switch {
	case ours.refreshing:
		return s.saveFamily(ctx, g)
	case g.AuthCode == "":
		return nil
	}
	fresh := g.AuthCodeConsumedAt != 0 && g.RevokedAt == 0 && g.RefreshToken != ""
	if fresh {
		ours.Family = digest(g.RefreshToken[:randomLen])
	}
	if err := s.store.SaveGrant(ctx, g); err != nil {
		return err
	}
	switch {
	case g.RevokedAt != 0 && ours.Family != "": // the code was brought again (RFC 6749, section 4.1.2)
		return s.endFamily(ctx, ours.Family)
	case fresh:
		ours.version = 0
		return s.saveFamily(ctx, g)
	}
	return nil
}

// GrantByAuthCode obeys goidc.AuthManager. It makes the first refresh token, so
// that none is kept in clear while the code waits.
func (s appStore) GrantByAuthCode(ctx context.Context, code string) (*goidc.Grant, error) {
	g, err := s.store.GrantByAuthCode(ctx, code)
	if err != nil {
		return nil, err
	}
	if callOf(ctx).app.Refresh && g.AuthCodeConsumedAt == 0 && slices.Contains(strings.Fields(g.Scopes), "offline_access") {
		g.RefreshToken = rand.Text() + rand.Text()
		g.RefreshTokenExpiresAt = int(s.p.Now().Add(refreshIdle).Unix())
	}
	return g, nil
}

// saveFamily saves the grant with its new refresh token. It is here that one
// refresh token is used once: of those who loaded the same version, one saves.
func (s appStore) saveFamily(ctx context.Context, g *goidc.Grant) error {
	ours := grantOf(g)
	kept := storedGrant{Grant: *g, Ours: *ours}
	kept.Ours.Token = digest(g.RefreshToken[min(len(g.RefreshToken), randomLen):])
	kept.Grant.AuthCode, kept.Grant.RefreshToken, kept.Grant.Store = "", "", nil
	value, err := marshal(kept)
	if err != nil {
		return err
	}
	until := s.p.Now().Add(refreshIdle)
	if end := unix(g.CreatedAt).Add(refreshLife); end.Before(until) {
		until = end
	}
	err = s.p.Records.Save(ctx, familyKind, ours.Family, auth.Record{Value: value, Version: ours.version, Until: until})
	if errors.Is(err, auth.ErrChanged) {
		return refuse("invalid_grant", "the refresh token was used")
	}
	if err != nil {
		return failed{fmt.Errorf("save refresh token: %w", err)}
	}
	ours.version++
	return nil
}

// newRefreshToken obeys goidc.RandomFunc: the next of the family that the call
// is about.
func newRefreshToken(ctx context.Context) string { return callOf(ctx).family + rand.Text() }

// GrantByRefreshToken obeys goidc.RefreshTokenManager.
func (s appStore) GrantByRefreshToken(ctx context.Context, token string) (*goidc.Grant, error) {
	if len(token) != 2*randomLen {
		return nil, goidc.ErrNotFound
	}
	family := digest(token[:randomLen])
	record, err := s.p.Records.Load(ctx, familyKind, family)
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, goidc.ErrNotFound
	}
	if err != nil {
		return nil, failed{fmt.Errorf("load refresh token: %w", err)}
	}
	var kept storedGrant
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return nil, failed{fmt.Errorf("decode refresh token: %w", err)}
	}
	if kept.Grant.ID == "" {
		return nil, refuse("invalid_grant", "the refresh token was revoked")
	}
	if subtle.ConstantTimeCompare([]byte(kept.Ours.Token), []byte(digest(token[randomLen:]))) != 1 {
		if err := errors.Join(s.p.revokeGrant(ctx, kept.Grant.ID), s.endFamily(ctx, family)); err != nil {
			return nil, err
		}
		return nil, refuse("invalid_grant", "the refresh token was used before: all that came of the same code is revoked")
	}
	if ok, err := s.p.approved(ctx, kept.Ours.Consent.WebID, kept.Grant.ClientID); err != nil || !ok {
		return nil, errors.Join(err, s.endFamily(ctx, family), refuse("invalid_grant", "the person no longer lets the app act for her"))
	}
	ours := &kept.Ours
	ours.refreshing, ours.version = true, record.Version
	callOf(ctx).family = token[:randomLen]
	kept.Grant.RefreshToken, kept.Grant.Store = token, map[string]any{rider: ours}
	return &kept.Grant, nil
}

// endFamily leaves an empty record for as long as the family would have lived,
// so that whoever is at work on it now doesn't bring it back.
func (s appStore) endFamily(ctx context.Context, family string) error {
	for range 60 { // each time that it fails, somebody else has used a token
		record, err := s.p.Records.Load(ctx, familyKind, family)
		if errors.Is(err, auth.ErrNoRecord) {
			return nil
		}
		if err == nil {
			record.Value = []byte("{}")
			err = s.p.Records.Save(ctx, familyKind, family, record)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, auth.ErrChanged) {
			return failed{fmt.Errorf("end refresh tokens: %w", err)}
		}
	}
	return failed{errors.New("end refresh tokens: they change all the time")}
}

// approved reports whether the person lets the app act for her.
func (p *Provider) approved(ctx context.Context, webID acl.WebID, client string) (bool, error) {
	_, err := p.Records.Load(ctx, approvalKind, approvalKey(webID, client))
	if errors.Is(err, auth.ErrNoRecord) {
		return false, nil
	}
	if err != nil {
		return false, failed{fmt.Errorf("load approval: %w", err)}
	}
	return true, nil
}

func approvalKey(webID acl.WebID, client string) string {
	return digest(string(webID)) + "." + digest(client)
}

// An Approval is that a person lets an app act for her.
type Approval struct {
	Client string    `json:"client"`
	Name   string    `json:"name,omitempty"`
	Since  time.Time `json:"since"`
}

// approve remembers that the person has approved the app, or prolongs it.
func (p *Provider) approve(ctx context.Context, webID acl.WebID, a app) error {
	until := p.Now().Add(usedLife)
	record, err := p.Records.Load(ctx, approvalKind, approvalKey(webID, a.ID))
	known := err == nil
	if err != nil && !errors.Is(err, auth.ErrNoRecord) {
		return failed{fmt.Errorf("load approval: %w", err)}
	}
	if known && until.Sub(record.Until) < 24*time.Hour {
		return nil
	}
	if !known {
		if record.Value, err = marshal(Approval{a.ID, a.Name, p.Now().UTC()}); err != nil {
			return err
		}
	}
	record.Until = until
	err = p.Records.Save(ctx, approvalKind, approvalKey(webID, a.ID), record)
	if err != nil && !errors.Is(err, auth.ErrChanged) { // then it was approved elsewhere meanwhile
		return failed{fmt.Errorf("save approval: %w", err)}
	}
	return p.keepApp(ctx, a.ID)
}

// Approvals lists the apps that act for the person with the WebID, at most 100.
func (p *Provider) Approvals(ctx context.Context, webID acl.WebID) ([]Approval, error) {
	keys, err := p.Records.List(ctx, approvalKind, digest(string(webID))+".", "", 100)
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	var all []Approval
	for _, key := range keys {
		record, err := p.Records.Load(ctx, approvalKind, key)
		if errors.Is(err, auth.ErrNoRecord) {
			continue
		}
		a := Approval{}
		if err == nil {
			err = json.Unmarshal(record.Value, &a)
		}
		if err != nil {
			return nil, fmt.Errorf("list approvals: %w", err)
		}
		all = append(all, a)
	}
	return all, nil
}

// Disapprove ends what an app may do for the person: its access tokens are
// refused from now on, and its refresh tokens give no new ones.
func (p *Provider) Disapprove(ctx context.Context, webID acl.WebID, client string) error {
	err := p.Records.Delete(ctx, approvalKind, approvalKey(webID, client))
	if err == nil {
		err = p.revocations.tell(ctx)
	}
	if err != nil {
		return fmt.Errorf("disapprove: %w", err)
	}
	return nil
}
