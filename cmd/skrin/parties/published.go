// SPDX-License-Identifier: EUPL-1.2

package parties

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth"
)

const (
	keysLife  = 10 * time.Minute // how long a key that a party no longer publishes stays good
	keysAgain = 30 * time.Second // how soon a kid that isn't known makes us look again
	keysKept  = time.Hour        // how long keys stay good that can't be fetched again
	keySets   = 10_000
	maxKeys   = 32 // of one party
	maxKid    = 256
)

// published are the keys that parties publish at URLs, remembered for minutes;
// how long a fetch may take is the client's to say.
//
// While a party's URL fails, its last good keys stay good for keysKept from when
// they were fetched, and after that it has none. An hour bridges what a party's
// web site has of restarts and bad days, and is no more than what a stolen key
// gains that the party has withdrawn while a thief keeps its URL from answering:
// an operator who hears of it strikes the party off within a second. A set that
// holds a private key ends all of it at once: the keys are anybody's. The memory is
// the process's: after a restart the URL has to answer.
type published struct {
	client *http.Client
	now    func() time.Time
	sets   *auth.Recall[string, jose.JSONWebKeySet]
}

func newPublished(client *http.Client, now func() time.Time) *published {
	return &published{client, now, auth.NewRecall[string, jose.JSONWebKeySet](keySets)}
}

// of returns pod.Party.Published of the party that publishes at the URL. Keys that
// can't be had are none.
func (p *published) of(address string) func(kid string) jose.JSONWebKeySet {
	return func(kid string) jose.JSONWebKeySet {
		var set jose.JSONWebKeySet
		for _, life := range []time.Duration{keysLife, keysAgain} {
			var err error
			if set, err = p.sets.GetOrKept(address, p.now(), life, keysKept, func() (jose.JSONWebKeySet, error) { return p.fetch(address) }); err != nil {
				return jose.JSONWebKeySet{}
			}
			if kid == "" || len(set.Key(kid)) > 0 {
				break
			}
		}
		return set
	}
}

func (p *published) fetch(address string) (jose.JSONWebKeySet, error) {
	doc, err := auth.Fetch(context.Background(), p.client, address, "application/jwk-set+json, application/json")
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	return readKeys(doc.Body)
}

// readKeys reads the keys of a set that are good for us; of other kinds there may
// be some. One that holds anything private is refused as a whole: its owner has
// published what he must not.
func readKeys(text []byte) (jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return jose.JSONWebKeySet{}, errors.New("not a JSON Web Key Set")
	}
	if len(raw.Keys) > maxKeys {
		return jose.JSONWebKeySet{}, errors.New("the key set has more than 32 keys")
	}
	var set jose.JSONWebKeySet
	for _, text := range raw.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(text, &k) != nil {
			continue
		}
		if !k.IsPublic() {
			return jose.JSONWebKeySet{}, fmt.Errorf("the key set has a key that isn't public: %w", auth.ErrRevoked)
		}
		if Good(k) && len(set.Key(k.KeyID)) == 0 {
			set.Keys = append(set.Keys, k)
		}
	}
	return set, nil
}

// Good reports whether a public key can verify what a party, or an operator, signs.
func Good(k jose.JSONWebKey) bool {
	if k.KeyID == "" || len(k.KeyID) > maxKid || k.Use != "" && k.Use != "sig" {
		return false
	}
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		return k.Valid() && (key.Curve == elliptic.P256() || key.Curve == elliptic.P384())
	case *rsa.PublicKey:
		return k.Valid() && key.N.BitLen() >= 2048 && key.N.BitLen() <= 4096
	case ed25519.PublicKey:
		return k.Valid()
	}
	return false
}
