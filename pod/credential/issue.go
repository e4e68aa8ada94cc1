// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Claim is one fact that the holder can show or hide. Value is what
// encoding/json can write.
type Claim struct {
	Name  string
	Value any
}

// A Status points into a status list, where a recipient sees whether the
// credential was revoked (draft-ietf-oauth-status-list).
type Status struct {
	URI   string `json:"uri"`
	Index int    `json:"idx"`
}

// A Statement is what an issuer is about to sign.
type Statement struct {
	Type   string // vct: an IRI that names the kind of credential
	Issuer string // iss: an https URL
	Claims []Claim

	// Issued is rounded down and Expires up to a whole day in UTC, so that
	// times do not tell which credentials were made together.
	Issued, Expires time.Time

	Decoys    int              // digests of nothing, which hide how many claims there are; at most 100
	HolderKey *jose.JSONWebKey // the public key that Bind proves possession of; nil: anyone may present it
	Status    *Status
}

// Issue signs a statement and gives the compact form with all disclosures.
// Each claim can be disclosed by itself, under a salt of 128 bits; the order
// of the digests and of the disclosures tells nothing. The private key has a
// KeyID, and an Algorithm of ES256, ES384 or EdDSA.
func Issue(key jose.JSONWebKey, s Statement) (string, error) {
	if key.KeyID == "" || !slices.Contains(algorithms(), jose.SignatureAlgorithm(key.Algorithm)) {
		return "", errors.New("issue: the key needs an id, and an algorithm of ES256, ES384 or EdDSA")
	}
	payload, disclosures, err := s.payload()
	if err != nil {
		return "", fmt.Errorf("issue: %w", err)
	}
	jwt, err := sign(key, credentialType, payload)
	if err != nil {
		return "", fmt.Errorf("issue: %w", err)
	}
	made := compact(jwt, disclosures)
	if _, err := Parse(made); err != nil { // never hand out what a recipient would refuse
		return "", fmt.Errorf("issue: %w", err)
	}
	return made, nil
}

func sign(key jose.JSONWebKey, typ jose.ContentType, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType(typ)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// payload gives what is signed, and the disclosures in the order of their digests.
func (s Statement) payload() (map[string]any, []string, error) {
	const day = 24 * time.Hour
	issued, expires := s.Issued.UTC().Truncate(day), s.Expires.UTC().Add(day-1).Truncate(day)
	switch {
	case s.Type == "" || s.Issuer == "":
		return nil, nil, errors.New("no type or no issuer")
	case !expires.After(issued):
		return nil, nil, errors.New("it would have expired before it was issued")
	case s.Decoys < 0 || s.Decoys > 100:
		return nil, nil, errors.New("the number of decoys is not from 0 to 100")
	}
	payload := map[string]any{
		"vct": s.Type, "iss": s.Issuer, "iat": issued.Unix(), "exp": expires.Unix(), "_sd_alg": "sha-256",
	}
	if s.Status != nil {
		payload["status"] = map[string]any{"status_list": s.Status}
	}
	if s.HolderKey != nil {
		if !s.HolderKey.IsPublic() {
			return nil, nil, errors.New("the holder's key is not a public key")
		}
		payload["cnf"] = map[string]any{"jwk": jose.JSONWebKey{Key: s.HolderKey.Key}} // no kid: it could link
	}
	disclosures, err := disclose(s.Claims)
	if err != nil {
		return nil, nil, err
	}
	digests := make([]string, 0, len(disclosures)+s.Decoys)
	for _, d := range disclosures {
		digests = append(digests, digest(d))
	}
	for range s.Decoys {
		digests = append(digests, digest(rand.Text()))
	}
	slices.Sort(digests)
	payload["_sd"] = digests
	return payload, disclosures, nil
}

func disclose(claims []Claim) ([]string, error) {
	disclosures := make([]string, 0, len(claims))
	for _, c := range claims {
		if c.Name == "" || strings.HasPrefix(c.Name, "_sd") || c.Name == "iat" || slices.Contains(protocol, c.Name) {
			return nil, fmt.Errorf("a claim can't be named %q", c.Name)
		}
		var salt [16]byte
		rand.Read(salt[:])
		text, err := json.Marshal([]any{base64.RawURLEncoding.EncodeToString(salt[:]), c.Name, c.Value})
		if err != nil {
			return nil, fmt.Errorf("claim %q: %w", c.Name, err)
		}
		if value, err := decode(text); err != nil || reserved(value) {
			return nil, fmt.Errorf("claim %q: its value has a name that SD-JWT reserves, or one twice", c.Name)
		}
		disclosures = append(disclosures, base64.RawURLEncoding.EncodeToString(text))
	}
	slices.SortFunc(disclosures, func(a, b string) int { return strings.Compare(digest(a), digest(b)) })
	return disclosures, nil
}

// reserved reports whether a name that SD-JWT reserves is anywhere in a value,
// where a recipient would take it for a digest.
func reserved(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if name == "_sd" || name == "..." || reserved(child) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, reserved)
	}
	return false
}

type bindingClaims struct {
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	Issued   int64  `json:"iat"`
	Hash     string `json:"sd_hash"`
}

// Bind gives the compact form with a key binding JWT (RFC 9901, section 4.3),
// by which the audience sees that the holder presented it, to the audience
// alone, in answer to its nonce. The holder's private key is the one whose
// public half is in the credential, with its Algorithm.
func (c *Credential) Bind(holder jose.JSONWebKey, audience, nonce string, now time.Time) (string, error) {
	if c.binding != "" {
		return "", Error("the credential is bound to a recipient already")
	}
	if audience == "" || nonce == "" {
		return "", errors.New("bind: no audience or no nonce")
	}
	if !c.heldBy(holder.Public()) {
		return "", Error("the credential is not for the holder of this key")
	}
	unbound := c.unbound()
	holder.KeyID = ""
	binding, err := sign(holder, bindingType, bindingClaims{audience, nonce, now.Unix(), digest(unbound)})
	if err != nil {
		return "", fmt.Errorf("bind: %w", err)
	}
	return unbound + binding, nil
}

// heldBy reports whether the public key is the one in the credential.
func (c *Credential) heldBy(public jose.JSONWebKey) bool {
	held, err := holderKey(c.claims)
	if err != nil || held == nil {
		return false
	}
	a, err1 := held.Thumbprint(crypto.SHA256)
	b, err2 := public.Thumbprint(crypto.SHA256)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}
