// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
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
