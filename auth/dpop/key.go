// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Key is a client's private P-256 key for proofs. It may be used by many
// goroutines at once. Printed, it shows its thumbprint only.
type Key struct {
	private    *ecdsa.PrivateKey
	signer     jose.Signer
	thumbprint string
}

// NewKey makes a key from the system's randomness.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a DPoP key: %w", err)
	}
	return newKey(private)
}

// ParseKey reads a private P-256 key: PKCS #8 in PEM, or a JWK.
func ParseKey(text []byte) (*Key, error) {
	private, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("DPoP key: %w", err)
	}
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("DPoP key: not a private key on P-256")
	}
	return newKey(key)
}

func parsePrivate(text []byte) (any, error) {
	if block, _ := pem.Decode(text); block != nil {
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(bytes.TrimSpace(text), &jwk); err != nil {
		return nil, errors.New("neither PEM nor a JWK")
	}
	return jwk.Key, nil
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType(proofType)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, options)
	if err != nil {
		return nil, fmt.Errorf("DPoP key: %w", err)
	}
	thumbprint, err := Thumbprint(&private.PublicKey)
	return &Key{private, signer, thumbprint}, err
}

// Thumbprint gives the base64url SHA-256 thumbprint (RFC 7638) of a public
// key: the value of jkt in an access token's cnf claim.
func Thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Thumbprint gives the thumbprint of the key's public half.
func (k *Key) Thumbprint() string { return k.thumbprint }

// JWK gives the public half.
func (k *Key) JWK() jose.JSONWebKey { return jose.JSONWebKey{Key: &k.private.PublicKey} }

// PEM gives the private key as PKCS #8 in PEM, for ParseKey to read.
func (k *Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("DPoP key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// String tells keys apart without showing anything secret.
func (k *Key) String() string { return "DPoP key " + k.thumbprint }

// GoString is String, so that %#v shows nothing secret either.
func (k *Key) GoString() string { return k.String() }

// Proof makes a proof for one request with the method to the url, of which the
// query and fragment are left out. It is bound to the access token unless that
// is "" (as at a token endpoint), and repeats the server's nonce unless that
// is "". Each call has its own random jti: never send a proof twice.
func (k *Key) Proof(method, url, accessToken, nonce string, now time.Time) (string, error) {
	c := claims{
		ID: rand.Text(), Method: method, URL: withoutQuery(url),
		Issued: float64(now.Unix()), Nonce: nonce,
	}
	if _, ok := normal(c.URL); !ok {
		return "", errors.New("DPoP proof: not an absolute http or https URL")
	}
	if accessToken != "" {
		hash := tokenHash(accessToken)
		c.Token = &hash
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("DPoP proof: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("DPoP proof: %w", err)
	}
	return signed.CompactSerialize()
}
