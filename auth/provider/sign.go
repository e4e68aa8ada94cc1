// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
)

// Sign signs what the server vouches for besides tokens (receipts, records,
// notifications) with the current key, as a compact JWS (RFC 7515) with that
// typ. It refuses the types of tokens, so that nothing that it signs can be
// taken for one.
func (p *Provider) Sign(ctx context.Context, typ string, payload []byte) (string, error) {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") { // as a reader compares (RFC 7515, section 4.1.9)
	case "", "jwt", "at+jwt", "dpop+jwt", "oauth-authz-req+jwt":
		return "", errors.New("sign: this type is a token's")
	}
	return p.sign(ctx, typ, payload)
}

// AgentToken makes an access token with which the server itself acts as one of
// its own WebIDs, where that is to be proved to others; it is bound to the key
// with this thumbprint (RFC 9449), and lives as long as all of ours.
func (p *Provider) AgentToken(ctx context.Context, webID acl.WebID, thumbprint string) (string, error) {
	now := p.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": p.Base, "sub": webID, "webid": webID, "azp": webID, "client_id": webID, "aud": []string{string(webID), "solid"},
		"iat": now.Unix(), "exp": now.Add(p.TokenLife).Unix(), "jti": rand.Text(), "cnf": map[string]string{"jkt": thumbprint},
	})
	if err != nil {
		return "", err
	}
	return p.sign(ctx, "at+jwt", claims)
}

func (p *Provider) sign(ctx context.Context, typ string, payload []byte) (string, error) {
	keys := p.keys.all(ctx, keysFresh)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: keys[0]}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}
