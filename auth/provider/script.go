// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth/dpop"
)

// isScriptRequest reports whether a token request is that of a person's script:
// client credentials. It is answered here and not by the library, which would verify
// the proof a second time, and make no ID token.
func isScriptRequest(form url.Values) bool {
	return form.Get("grant_type") == string(goidc.GrantClientCredentials) && strings.HasPrefix(form.Get("client_id"), scriptPrefix)
}

// scriptToken answers a script whose proof was checked. It has an ID token too, into
// which clients look for the WebID, unless it asks for a scope without openid.
func (p *Provider) scriptToken(ctx context.Context, c *call, form url.Values) (*recorder, error) {
	a, err := p.findApp(ctx, form.Get("client_id"))
	unknown := errors.Is(err, goidc.ErrNotFound)
	if err != nil && !unknown {
		return nil, err
	}
	if unknown || a.Person == "" || checkSecret(ctx, a.Secret, form.Get("client_secret")) != nil {
		return nil, refuse("invalid_client", "there is no such script, or its client_secret is wrong")
	}
	// Only now is the proof remembered: strangers can't fill the store.
	err = p.once(ctx, c.proofKey, c.proofUntil, refuse(dpop.InvalidProof, "the proof was used before; make a new one for each request"))
	if err != nil {
		return nil, err
	}
	now := p.Now()
	claims := map[string]any{
		"iss": p.Base, "sub": a.WebID, "webid": a.WebID, "aud": []string{"solid"}, "client_id": a.ID, "scope": "webid", "grant_id": rand.Text(), "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Unix() + int64(seconds(p.TokenLife)), "cnf": map[string]string{"jkt": c.proof.Thumbprint},
	}
	answer := map[string]any{"token_type": "DPoP", "expires_in": seconds(p.TokenLife), "scope": "webid"}
	if answer["access_token"], err = p.signClaims(ctx, accessType, claims); err != nil {
		return nil, failed{err}
	}
	if !form.Has("scope") || slices.Contains(strings.Fields(form.Get("scope")), goidc.ScopeOpenID.ID) {
		for _, name := range []string{"grant_id", "client_id", "scope", "jti"} {
			delete(claims, name)
		}
		claims["aud"], claims["azp"] = []string{a.ID, "solid"}, a.ID
		if answer["id_token"], err = p.signClaims(ctx, "JWT", claims); err != nil {
			return nil, failed{err}
		}
	}
	rec := &recorder{header: map[string][]string{"Content-Type": {"application/json"}}}
	return rec, json.NewEncoder(rec).Encode(answer)
}

const accessType = "at+jwt" // RFC 9068, section 2.1

func (p *Provider) signClaims(ctx context.Context, typ string, claims map[string]any) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return p.sign(ctx, typ, text)
}
