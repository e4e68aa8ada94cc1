// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

// ParseKey reads a client's private key, PKCS #8 in PEM or a JWK, for
// Client.Key. Where the text does not say, the id is the key's thumbprint and
// the algorithm follows from its kind. Register Key.Public() with the server.
func ParseKey(text []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if block, _ := pem.Decode(text); block != nil {
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return key, fmt.Errorf("client's key: %w", err)
		}
		key.Key = private
	} else if err := json.Unmarshal(bytes.TrimSpace(text), &key); err != nil {
		return jose.JSONWebKey{}, errors.New("client's key: neither PEM nor a JWK")
	}
	algorithm, public := usual(key.Key)
	if algorithm == "" {
		return jose.JSONWebKey{}, errors.New("client's key: not a private key for ES256, ES384, PS256 or EdDSA")
	}
	if key.Algorithm == "" {
		key.Algorithm = string(algorithm)
	}
	if key.KeyID == "" {
		var err error
		if key.KeyID, err = dpop.Thumbprint(public); err != nil {
			return jose.JSONWebKey{}, fmt.Errorf("client's key: %w", err)
		}
	}
	return key, nil
}

// usual gives the algorithm that we take for a private key, and its public half.
func usual(private any) (jose.SignatureAlgorithm, crypto.PublicKey) {
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return jose.ES256, key.Public()
		case 384:
			return jose.ES384, key.Public()
		}
	case *rsa.PrivateKey:
		if key.N.BitLen() >= 2048 {
			return jose.PS256, key.Public()
		}
	case ed25519.PrivateKey:
		return jose.EdDSA, key.Public()
	}
	return "", nil
}
