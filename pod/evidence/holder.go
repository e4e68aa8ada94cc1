// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/space"
	"skrin/pod/store"
)

const (
	maxHolderKeys = 128 // of a space that are in no form yet
	holderKeyLife = 7 * 24 * time.Hour
)

// A HolderKey is a private key of the person's, of one signed form.
type HolderKey struct {
	Key  jose.JSONWebKey
	Made time.Time // the day
}

func freshKey(space, thumb string) string { return "z" + space + "\x00" + thumb }
func boundKey(thumb string) string        { return "z" + thumb }

// NewHolderKey returns a new key and its thumbprint.
func NewHolderKey(random io.Reader, now time.Time) (HolderKey, string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return HolderKey{}, "", fmt.Errorf("holder key: %w", err)
	}
	k := HolderKey{jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256)}, space.Day(now)}
	thumb, err := thumbprint(k.Key)
	return k, thumb, err
}

func thumbprint(k jose.JSONWebKey) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// KeepKeys stores new keys, by thumbprint, of which a provider gets the public halves.
// A provider that was given many which are in no form is refused.
func KeepKeys(tx store.Tx, space string, keys map[string]HolderKey, now time.Time) error {
	if err := forgetKeys(tx, space, len(keys), now); err != nil {
		return err
	}
	for thumb, k := range keys {
		if err := store.Save(tx, freshKey(space, thumb), k); err != nil {
			return err
		}
	}
	return nil
}

// forgetKeys makes room for so many keys, of those that were not used.
func forgetKeys(tx store.Tx, space string, more int, now time.Time) error {
	pairs, err := tx.Scan(freshKey(space, ""), "", maxHolderKeys+1)
	if err != nil {
		return err
	}
	left := len(pairs)
	for _, pair := range pairs {
		k, err := store.Decode[HolderKey](pair.Key, pair.Value)
		if err != nil {
			return err
		}
		if now.Sub(k.Made) > holderKeyLife {
			tx.Delete(pair.Key)
			left--
		}
	}
	if left+more > maxHolderKeys {
		return &ldp.Fault{Kind: ldp.TooMany, Detail: "You have been given many keys that are in no form yet. Use those.", Header: "Retry-After: 86400"}
	}
	return nil
}

// BindKeys takes the holder keys of a delivery from those that the provider was
// given: each must be of this space, and in no other form.
func BindKeys(tx store.Tx, space string, holders []string) error {
	for i, thumb := range holders {
		if thumb == "" {
			continue
		}
		k, err := store.Load[HolderKey](tx, freshKey(space, thumb))
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

// HolderOf returns the thumbprint of the key that a form is bound to; "" if it is
// bound to none.
func HolderOf(c *credential.Credential) (string, error) {
	key, err := c.Holder()
	if err != nil || key == nil {
		return "", err
	}
	return thumbprint(*key)
}

// HolderIn is HolderOf for a form as it is stored, given or not.
func HolderIn(form string) (string, error) {
	c, err := credential.Parse(decodeForm([]byte(form)).Compact)
	if err != nil {
		return "", err
	}
	return HolderOf(c)
}

// fits reports whether k is the private key with that thumbprint, and of the kind
// that holder keys are.
func (k HolderKey) fits(thumb string) bool {
	private, ok := k.Key.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() || !k.Key.Valid() {
		return false
	}
	is, err := thumbprint(k.Key.Public())
	return err == nil && is == thumb
}

// Bind proves to the recipient that the person's pod presents a credential to it,
// now, in answer to its nonce.
func Bind(tx store.Tx, compact, recipient, nonce string, now time.Time) (string, error) {
	c, err := credential.Parse(compact)
	if err != nil {
		return "", err
	}
	thumb, err := HolderOf(c)
	if err != nil {
		return "", err
	}
	if thumb == "" {
		return "", ldp.Refuse(ldp.Conflict, "The issuer has not bound this evidence to a key, so nothing can be proved. Read it without Presentation-Nonce.")
	}
	k, err := store.Load[HolderKey](tx, boundKey(thumb))
	if err != nil {
		return "", err
	}
	if k == nil {
		return "", errors.New("a form's holder key is gone")
	}
	return c.Bind(k.Key, recipient, nonce, now)
}

// CheckNonce refuses a nonce that is none.
func CheckNonce(nonce string) error {
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
