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
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth"
)

const (
	keysKind  = "oidc-keys"
	keysName  = "signing"
	keptPairs = 3
	rsaBits   = 2048
	keysFresh = time.Minute // how long another node's rotation may stay unnoticed here
	keysRetry = time.Second // how soon an unknown key id makes us look again
)

// A keyring is the issuer's signing keys in pairs, for ES256 and for RS256, the
// current pair first. Some Solid apps know RS256 only; everything else is signed
// with ES256. They are kept encrypted in one record.
type keyring struct {
	records auth.Records
	now     func() time.Time
	sealer  sealer

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	version uint64
	loaded  time.Time
}

// load reads the keys, and makes the first one. Of nodes that start at once,
// one makes it and the others read it.
func (k *keyring) load(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.read(ctx)
	if errors.Is(err, auth.ErrNoRecord) {
		if err = k.add(ctx); errors.Is(err, auth.ErrChanged) {
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
	var keys []jose.JSONWebKey
	if err := k.sealer.open(record.Value, keysName, &keys); err != nil {
		return err
	}
	k.keys, k.version, k.loaded = keys, record.Version, k.now()
	return nil
}

// add makes a new pair the current one, and keeps the youngest of the others.
func (k *keyring) add(ctx context.Context) error {
	onP256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	keys := []jose.JSONWebKey{
		{Key: onP256, Algorithm: string(jose.ES256), Use: "sig"},
		{Key: rsaKey, Algorithm: string(jose.RS256), Use: "sig"},
	}
	for i := range keys {
		sum, err := keys[i].Thumbprint(crypto.SHA256)
		if err != nil {
			return fmt.Errorf("make key: %w", err)
		}
		keys[i].KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	keys = append(keys, k.keys[:min(len(k.keys), 2*(keptPairs-1))]...)
	sealed, err := k.sealer.seal(keys, keysName)
	if err != nil {
		return err
	}
	if err := k.records.Save(ctx, keysKind, keysName, auth.Record{Value: sealed, Version: k.version}); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	k.keys, k.version, k.loaded = keys, k.version+1, k.now()
	return nil
}

// all returns the keys, read again if they are older than fresh. While they
// can't be read, those that we have stay good.
func (k *keyring) all(ctx context.Context, fresh time.Duration) []jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.loaded) > fresh && k.read(ctx) != nil {
		k.loaded = k.now()
	}
	return k.keys
}

// private gives the library the keys to sign with; it takes the first.
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

// Rotate makes a new pair of signing keys. The two before it stay published, so that
// what they signed stays good: don't call it twice within the life of a token.
func (p *Provider) Rotate(ctx context.Context) error {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	if err := p.keys.read(ctx); err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	if err := p.keys.add(ctx); err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	return nil
}
