// SPDX-License-Identifier: EUPL-1.2

// Package vouch reads and checks what somebody vouches for: a compact JWS (RFC
// 7515), signed with ES256, whose header says by its typ what it is.
package vouch

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// MediaType is the media type of what is signed so.
const MediaType = "application/jwt"

// A Signer signs what the server vouches for, as a compact JWS whose header has the
// given typ. The key is among those that the server publishes.
type Signer interface {
	Sign(ctx context.Context, typ string, payload []byte) (string, error)
}

// Check verifies a JWS of that typ with one of the signer's public keys, and
// returns the payload.
func Check(jws, typ string, keys jose.JSONWebKeySet) ([]byte, error) {
	return CheckBy(jws, typ, func(string) jose.JSONWebKeySet { return keys })
}

// CheckBy is Check for who looks for the key with the kid.
func CheckBy(jws, typ string, keys func(kid string) jose.JSONWebKeySet) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, errors.New("it is not a JWS signed with ES256")
	}
	if again, err := signed.CompactSerialize(); err != nil || again != jws {
		return nil, errors.New("it is not in the form that it was signed in")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != typ {
		return nil, fmt.Errorf("its typ is not %s", typ)
	}
	set := keys(header.KeyID)
	for _, key := range set.Key(header.KeyID) {
		if payload, err := signed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("it is not signed with a key that is published or registered")
}

// TypeOf returns the typ of a JWS that has not been verified; "" if it is none.
func TypeOf(jws string) string {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return ""
	}
	typ, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	return typ
}
