// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth"
)

const (
	keysKind  = "oidc-keys"
	keysName  = "signing"
	keptPairs = 24 // in all: of a rotation each quarter, six years
	rsaBits   = 2048
	keysFresh = time.Minute     // how long another node's rotation may stay unnoticed here
	keysRetry = time.Second     // how soon an unknown key id makes us look again
	keysKnown = 5 * time.Minute // how long others may keep what we publish (max-age)

	// announced is how long a new pair is published before it signs: until every
	// node and everybody else has it.
	announced = 2 * (keysFresh + keysKnown)
)

// A keyring is the issuer's signing keys in pairs, for ES256 and for RS256, the
// newest pair first. Some Solid apps know RS256 only; everything else is signed
// with ES256. They are kept encrypted in one record.
//
// A new pair is published some minutes before it signs, so that nobody meets a
// signature whose key he can't find. Pairs before the one that it replaces are
// kept without their private halves: receipts and registers that they signed are
// verified years later.
type keyring struct {
	records auth.Records
	now     func() time.Time
	sealer  sealer

	mu      sync.Mutex
	pairs   []pair
	version uint64
	loaded  time.Time
}

// A pair signs from a time on, until the next one does.
type pair struct {
	From time.Time         `json:"from"`
	Keys []jose.JSONWebKey `json:"keys"`
}

// load reads the keys, and makes the first one. Of nodes that start at once,
// one makes it and the others read it.
func (k *keyring) load(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.read(ctx)
	if errors.Is(err, auth.ErrNoRecord) {
		if err = k.add(ctx, k.now()); errors.Is(err, auth.ErrChanged) {
			err = k.read(ctx)
		}
	}
	return err
}

func (k *keyring) read(ctx context.Context) error {
	record, err := k.records.Load(ctx, keysKind, keysName)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	var pairs []pair
	if err := k.sealer.open(record.Value, keysName, &pairs); err != nil {
		return err
	}
	if len(pairs) == 0 || len(pairs[0].Keys) != 2 {
		return errors.New("the record holds no pairs of keys")
	}
	k.pairs, k.version, k.loaded = pairs, record.Version, k.now()
	return nil
}

// newPair makes a pair that signs from a time on.
func newPair(from time.Time) (pair, error) {
	onP256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make key: %w", err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return pair{}, fmt.Errorf("make key: %w", err)
	}
	p := pair{From: from, Keys: []jose.JSONWebKey{
		{Key: onP256, Algorithm: string(jose.ES256), Use: "sig"},
		{Key: rsaKey, Algorithm: string(jose.RS256), Use: "sig"},
	}}
	for i := range p.Keys {
		sum, err := p.Keys[i].Thumbprint(crypto.SHA256)
		if err != nil {
			return pair{}, fmt.Errorf("make key: %w", err)
		}
		p.Keys[i].KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	return p, nil
}

// add makes a pair that signs from a time on, and saves it with the others.
func (k *keyring) add(ctx context.Context, from time.Time) error {
	fresh, err := newPair(from)
	if err != nil {
		return err
	}
	pairs, current := []pair{fresh}, k.current()
	for i, p := range k.pairs[:min(len(k.pairs), keptPairs-1)] {
		if i > current {
			p = p.public()
		}
		pairs = append(pairs, p)
	}
	return k.save(ctx, pairs)
}

func (k *keyring) save(ctx context.Context, pairs []pair) error {
	sealed, err := k.sealer.seal(pairs, keysName)
	if err != nil {
		return err
	}
	if err := k.records.Save(ctx, keysKind, keysName, auth.Record{Value: sealed, Version: k.version}); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	k.pairs, k.version, k.loaded = pairs, k.version+1, k.now()
	return nil
}

func (p pair) public() pair {
	q := pair{From: p.From}
	for _, key := range p.Keys {
		q.Keys = append(q.Keys, key.Public())
	}
	return q
}

// current is the place of the pair that signs now: the newest whose time has come.
func (k *keyring) current() int {
	now := k.now()
	return max(0, slices.IndexFunc(k.pairs, func(p pair) bool { return !now.Before(p.From) }))
}

// all returns the keys, those that sign now first, read again if they are older
// than fresh. While they can't be read, those that we have stay good.
func (k *keyring) all(ctx context.Context, fresh time.Duration) []jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.loaded) > fresh && k.read(ctx) != nil {
		k.loaded = k.now()
	}
	current := k.current()
	keys := slices.Clone(k.pairs[current].Keys)
	for i, p := range k.pairs {
		if i != current {
			keys = append(keys, p.Keys...)
		}
	}
	return keys
}

// private gives the library the keys; it signs with the first of an algorithm.
func (k *keyring) private(ctx context.Context) (goidc.JSONWebKeySet, error) {
	return goidc.JSONWebKeySet{Keys: k.all(ctx, keysFresh)}, nil
}

// public is what is published.
func (k *keyring) public(ctx context.Context) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, key := range k.all(ctx, keysFresh) {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
}

// Key obeys auth.Issuer. An id that isn't known makes it look, once a second
// at most, whether another node has made that key.
func (p *Provider) Key(ctx context.Context, id string) (crypto.PublicKey, error) {
	for _, fresh := range []time.Duration{keysFresh, keysRetry} {
		for _, key := range p.keys.all(ctx, fresh) {
			if key.KeyID == id {
				return key.Public().Key, nil
			}
		}
	}
	return nil, auth.ErrNoKey
}

// Rotate makes a new pair of signing keys, which everybody is shown at once and
// which signs twelve minutes later; what the former ones signed stays good.
func (p *Provider) Rotate(ctx context.Context) error {
	return p.rotate(ctx, func(k *keyring) error { return k.add(ctx, k.now().Add(announced)) })
}

// RotateOld is Rotate, if the newest pair is older than age. Any node may call it
// at any time.
func (p *Provider) RotateOld(ctx context.Context, age time.Duration) error {
	return p.rotate(ctx, func(k *keyring) error {
		if k.now().Before(k.pairs[0].From.Add(age)) {
			return nil
		}
		if err := k.add(ctx, k.now().Add(announced)); !errors.Is(err, auth.ErrChanged) {
			return err
		}
		return k.read(ctx) // another node was faster
	})
}

// Replace makes a new pair that signs at once, and forgets all others: somebody
// else has had them. Tokens that they signed are good no more, on this node within a
// minute (see auth.Verifier) and on others within two; apps and parties get new ones.
// What else they signed can't be told from what somebody forges.
func (p *Provider) Replace(ctx context.Context) error {
	return p.rotate(ctx, func(k *keyring) error {
		fresh, err := newPair(k.now())
		if err != nil {
			return err
		}
		return k.save(ctx, []pair{fresh})
	})
}

func (p *Provider) rotate(ctx context.Context, change func(*keyring) error) error {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	err := p.keys.read(ctx)
	if err == nil {
		err = change(p.keys)
	}
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	return nil
}
