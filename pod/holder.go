// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/space"
	"skrin/pod/store"
)

// Holder keys (RFC 9901, section 4.3; 2026-11). A provider that binds what it
// signs to the person asks for public keys, one for each form, by a POST of
// {"count": 8} to /w/{id}/keys/, and puts each into one form (cnf). The private
// halves stay in the pod, which signs with them for the recipient of that form
// alone: in answer to a GET of the SD-JWT with the header Presentation-Nonce, whose
// value is the recipient's nonce. The audience of the proof is the recipient's id.
//
// A key is good for one form, so it links nothing. One that was not used for a week
// is forgotten when the provider asks for more.

// A KeyRequest is what a provider posts to keys/.
type KeyRequest struct {
	Count int `json:"count"` // from 1 to 32
}

// TypeKeys is the media type of the answer, a JWK set.
const TypeKeys = "application/jwk-set+json"

const (
	maxHolderKeys = 128 // of a space that are in no form yet
	holderKeyLife = 7 * 24 * time.Hour
)

// A holderKey is a private key of the person's.
type holderKey struct {
	Key  jose.JSONWebKey
	Made time.Time // the day
}

func freshKey(space, thumb string) string { return "z" + space + "\x00" + thumb }
func boundKey(thumb string) string        { return "z" + thumb }

// giveKeys makes holder keys for a provider, and answers with their public halves.
func (p *Pod) giveKeys(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if _, _, err := p.mayDeposit(ctx, who, req.ID); err != nil {
		return ldp.Written{}, err
	}
	if req.Fault != nil {
		return ldp.Written{}, req.Fault
	}
	body, err := readAll(req.Body, 1<<10)
	if err != nil {
		return ldp.Written{}, err
	}
	var ask KeyRequest
	if err := json.Unmarshal(body, &ask); err != nil || ask.Count < 1 || ask.Count > maxForms {
		return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, fmt.Sprintf(`Ask for 1 to %d keys: {"count": 8}, as application/json.`, maxForms))
	}
	keys := map[string]holderKey{}
	var public jose.JSONWebKeySet
	for range ask.Count {
		k, thumb, err := p.newHolderKey()
		if err != nil {
			return ldp.Written{}, err
		}
		keys[thumb] = k
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.Key.Public().Key, Algorithm: string(jose.ES256)})
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	answer, err := json.Marshal(public)
	if err != nil {
		return ldp.Written{}, err
	}
	done := ldp.Written{ID: req.ID + ldp.ID(id), Created: true, Receipt: answer, ReceiptType: TypeKeys, Description: p.spaceDescription(req.ID)}
	return done, p.inSpace(ctx, who, acl.Append, req.ID, func(tx store.Tx, a access) error {
		if err := p.forgetKeys(tx, a.space.ID, len(keys)); err != nil {
			return err
		}
		for thumb, k := range keys {
			if err := store.Save(tx, freshKey(a.space.ID, thumb), k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Pod) newHolderKey() (holderKey, string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), p.Rand)
	if err != nil {
		return holderKey{}, "", fmt.Errorf("holder key: %w", err)
	}
	k := holderKey{jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256)}, space.Day(p.Now())}
	thumb, err := thumbprint(k.Key)
	return k, thumb, err
}

func thumbprint(k jose.JSONWebKey) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// forgetKeys makes room for so many keys, of those that were not used.
func (p *Pod) forgetKeys(tx store.Tx, space string, more int) error {
	pairs, err := tx.Scan(freshKey(space, ""), "", maxHolderKeys+1)
	if err != nil {
		return err
	}
	left := len(pairs)
	for _, pair := range pairs {
		k, err := store.Decode[holderKey](pair.Key, pair.Value)
		if err != nil {
			return err
		}
		if p.Now().Sub(k.Made) > holderKeyLife {
			tx.Delete(pair.Key)
			left--
		}
	}
	if left+more > maxHolderKeys {
		return &ldp.Fault{Kind: ldp.TooMany, Detail: "You have been given many keys that are in no form yet. Use those.", Header: "Retry-After: 86400"}
	}
	return nil
}

// bindKeys takes the holder keys of a delivery from those that the provider was
// given: each must be of this space, and in no other form.
func bindKeys(tx store.Tx, space string, holders []string) error {
	for i, thumb := range holders {
		if thumb == "" {
			continue
		}
		k, err := store.Load[holderKey](tx, freshKey(space, thumb))
		if err != nil {
			return err
		}
		if k == nil {
			return ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", fmt.Sprintf("signed form %d: cnf: it is none of the keys that you were given for this person, or another form has it. POST to keys/ for more.", i+1))
		}
		tx.Delete(freshKey(space, thumb))
		if err := store.Save(tx, boundKey(thumb), k); err != nil {
			return err
		}
	}
	return nil
}

// holderOf returns the thumbprint of the key that a form is bound to; "" if it is
// bound to none.
func holderOf(c *credential.Credential) (string, error) {
	key, err := c.Holder()
	if err != nil || key == nil {
		return "", err
	}
	return thumbprint(*key)
}

// holderIn is holderOf for a form as it is stored, given or not.
func holderIn(form string) (string, error) {
	c, err := credential.Parse(decodeGiven([]byte(form)).form)
	if err != nil {
		return "", err
	}
	return holderOf(c)
}

// fits reports whether k is the private key with that thumbprint, and of the kind
// that holder keys are.
func (k holderKey) fits(thumb string) bool {
	private, ok := k.Key.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() || !k.Key.Valid() {
		return false
	}
	is, err := thumbprint(k.Key.Public())
	return err == nil && is == thumb
}

// bind proves to the recipient that the person's pod presents a credential to it,
// now, in answer to its nonce.
func (p *Pod) bind(tx store.Tx, compact, recipient, nonce string) (string, error) {
	c, err := credential.Parse(compact)
	if err != nil {
		return "", err
	}
	thumb, err := holderOf(c)
	if err != nil {
		return "", err
	}
	if thumb == "" {
		return "", ldp.Refuse(ldp.Conflict, "The issuer has not bound this evidence to a key, so nothing can be proved. Read it without Presentation-Nonce.")
	}
	k, err := store.Load[holderKey](tx, boundKey(thumb))
	if err != nil {
		return "", err
	}
	if k == nil {
		return "", errors.New("a form's holder key is gone")
	}
	return c.Bind(k.Key, recipient, nonce, p.Now())
}

// checkNonce refuses a nonce that is none.
func checkNonce(nonce string) error {
	for _, r := range nonce {
		if r <= ' ' || r > '~' {
			return ldp.Refuse(ldp.Invalid, "Presentation-Nonce must be of visible ASCII.")
		}
	}
	if nonce != "" && (len(nonce) < 8 || len(nonce) > 256) {
		return ldp.Refuse(ldp.Invalid, "Presentation-Nonce must have 8 to 256 characters.")
	}
	return nil
}
