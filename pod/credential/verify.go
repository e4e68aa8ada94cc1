// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Skew is how much a sender's clock may be fast.
const Skew = time.Minute

// Keys gives the public key with the id (perhaps "") of the issuer, which is
// the Issuer that Want names, or an error if the caller trusts none.
type Keys func(issuer, kid string) (jose.JSONWebKey, error)

// Want is what a recipient accepts. Type and Issuer must be set.
type Want struct {
	Type    string
	Issuer  string
	Binding *Binding // nil: a credential bound to a recipient is refused; not nil: one that is not
}

// A Binding is the proof that a recipient asks of the holder.
type Binding struct {
	Audience, Nonce string
	MaxAge          time.Duration // of the proof
}

// Verified is what a good credential says.
type Verified struct {
	Issuer, Type string
	Issued       time.Time      // zero if it does not say
	Expires      time.Time      // zero if it does not say
	Claims       map[string]any // all that is disclosed, and any other visible claim; numbers are json.Number
	Status       *Status        // where to see whether it was revoked; nil if it can't be
	HolderKey    *jose.JSONWebKey
}

// Verify checks the issuer's signature (ES256, ES384, EdDSA), that the
// credential is of the wanted type and issuer, and that now is within its time,
// give or take Skew at the start and none at the end; and the holder's proof, if
// wanted. Errors about the credential are an Error; those of keys are wrapped.
func (c *Credential) Verify(keys Keys, now time.Time, want Want) (Verified, error) {
	if err := checkHeader(c.signed, credentialType); err != nil {
		return Verified{}, err
	}
	v := Verified{Issuer: want.Issuer, Type: want.Type}
	if c.claims["iss"] != want.Issuer || want.Issuer == "" {
		return Verified{}, Error("iss is not the issuer that was expected")
	}
	if c.claims["vct"] != want.Type || want.Type == "" {
		return Verified{}, Error("vct is not the type that was expected")
	}
	key, err := keys(want.Issuer, c.signed.Signatures[0].Protected.KeyID)
	if err != nil {
		return Verified{}, fmt.Errorf("the issuer's key: %w", err)
	}
	if err := verify(c.signed, key); err != nil {
		return Verified{}, Error("the signature is not the issuer's")
	}
	if err := v.times(c.claims, now); err != nil {
		return Verified{}, err
	}
	if v.HolderKey, err = holderKey(c.claims); err != nil {
		return Verified{}, err
	}
	if err := v.status(c.claims); err != nil {
		return Verified{}, err
	}
	if err := c.checkBinding(v.HolderKey, now, want.Binding); err != nil {
		return Verified{}, err
	}
	v.Claims = maps.Clone(c.claims)
	for _, name := range append(protocol, "iat") {
		delete(v.Claims, name)
	}
	return v, nil
}

func checkHeader(signed *jose.JSONWebSignature, typ string) error {
	extra := signed.Signatures[0].Protected.ExtraHeaders
	if extra[jose.HeaderType] != typ {
		return Error("typ is not " + typ)
	}
	if extra["crit"] != nil || extra["b64"] != nil {
		return Error("the header has crit or b64, which we don't take")
	}
	return nil
}

// verify checks a signature by one key; go-jose takes no private one. A key that
// names its algorithm is good for no other.
func verify(signed *jose.JSONWebSignature, key jose.JSONWebKey) error {
	if key.Algorithm != "" && key.Algorithm != signed.Signatures[0].Protected.Algorithm {
		return jose.ErrUnsupportedAlgorithm
	}
	return signed.DetachedVerify(signed.UnsafePayloadWithoutVerification(), key.Key)
}

func (v *Verified) times(claims map[string]any, now time.Time) (err error) {
	if v.Issued, err = when(claims, "iat"); err != nil {
		return err
	}
	if v.Expires, err = when(claims, "exp"); err != nil {
		return err
	}
	start, err := when(claims, "nbf")
	switch latest := now.Add(Skew); {
	case err != nil:
		return err
	case start.After(latest):
		return Error("the credential is not valid yet")
	case v.Issued.After(latest):
		return Error("the credential was issued in the future")
	case !v.Expires.IsZero() && !now.Before(v.Expires):
		return Error("the credential has expired")
	}
	return nil
}

// when gives the time of a claim in seconds, or the zero Time if there is none.
func when(claims map[string]any, name string) (time.Time, error) {
	value, found := claims[name]
	if !found {
		return time.Time{}, nil
	}
	number, _ := value.(json.Number)
	seconds, err := number.Float64()
	if err != nil || seconds < 1 || seconds > 1<<40 {
		return time.Time{}, Error(name + " is not a time in seconds")
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

// holderKey gives the key in the claim cnf, or nil if there is none.
func holderKey(claims map[string]any) (*jose.JSONWebKey, error) {
	confirmation, found := claims["cnf"]
	if !found {
		return nil, nil
	}
	object, _ := confirmation.(map[string]any)
	text, err := json.Marshal(object["jwk"])
	if err != nil {
		return nil, Error("cnf has no jwk")
	}
	var key jose.JSONWebKey
	if json.Unmarshal(text, &key) != nil || !key.IsPublic() {
		return nil, Error("cnf has no public key in a jwk")
	}
	return &key, nil
}

func (v *Verified) status(claims map[string]any) error {
	status, found := claims["status"]
	if !found {
		return nil
	}
	object, _ := status.(map[string]any)
	list, _ := object["status_list"].(map[string]any)
	uri, _ := list["uri"].(string)
	number, _ := list["idx"].(json.Number)
	index, err := number.Int64()
	if uri == "" || err != nil || index < 0 || index > 1<<31-1 {
		return Error("status does not point into a status list")
	}
	v.Status = &Status{uri, int(index)}
	return nil
}

func (c *Credential) checkBinding(key *jose.JSONWebKey, now time.Time, want *Binding) error {
	switch {
	case want == nil && c.binding == "":
		return nil
	case want == nil:
		return Error("the credential is bound to a recipient, which was not asked for")
	case c.binding == "":
		return Error("there is no proof that the holder presents the credential")
	case key == nil:
		return Error("the credential has no holder's key")
	}
	signed, err := jose.ParseSignedCompact(c.binding, algorithms())
	if err != nil {
		return Error("the holder's proof is not a JWT signed with ES256, ES384 or EdDSA")
	}
	if err := checkHeader(signed, bindingType); err != nil {
		return err
	}
	if err := verify(signed, *key); err != nil {
		return Error("the holder's proof is not signed with the key in the credential")
	}
	claims, err := decode(signed.UnsafePayloadWithoutVerification())
	if err != nil {
		return err
	}
	return c.checkProof(claims, now, *want)
}

func (c *Credential) checkProof(claims any, now time.Time, want Binding) error {
	said, _ := claims.(map[string]any)
	made, err := when(said, "iat")
	switch {
	case err != nil:
		return err
	case said["aud"] != want.Audience || want.Audience == "":
		return Error("the holder's proof is for another audience")
	case said["nonce"] != want.Nonce || want.Nonce == "":
		return Error("the holder's proof does not answer the nonce")
	case said["sd_hash"] != digest(c.unbound()):
		return Error("the holder's proof is for another presentation")
	case made.After(now.Add(Skew)) || now.Sub(made) > want.MaxAge:
		return Error("the holder's proof is too old, or from the future")
	}
	return nil
}
