// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestKeysRotateWithoutAFailedRequest: on two nodes, while both give tokens, and
// somebody who keeps the published keys for as long as he may verifies all that
// are good, whichever node gave them, at every moment before, during and after.
func TestKeysRotateWithoutAFailedRequest(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w.keys.now = clock
	o := w.Options
	other, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	other.keys.now = clock
	nodes := []*Provider{w.Provider, other}
	key := w.keys.public(t.Context()).Keys[0].KeyID

	type issued struct {
		token string
		at    time.Time
	}
	var tokens []issued
	var known jose.JSONWebKeySet // by who verifies
	var fetched time.Time
	signers := map[string]bool{}
	for step := range 120 { // of half a minute
		signed, err := nodes[step%2].Sign(t.Context(), "test", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		access := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof()).text("access_token")
		tokens = append(tokens, issued{signed, clock()}, issued{access, clock()})
		if clock().Sub(fetched) >= keysKnown {
			known, fetched = nodes[step/7%2].keys.public(t.Context()), clock()
		}
		for _, i := range tokens {
			if clock().Sub(i.at) > maxTokenLife {
				continue
			}
			parsed, err := jose.ParseSignedCompact(i.token, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			id := parsed.Signatures[0].Header.KeyID
			signers[id] = true
			if len(known.Key(id)) != 1 {
				t.Fatalf("step %d: the key of what was signed %v ago isn't known", step, clock().Sub(i.at))
			}
			if _, err := parsed.Verify(known.Key(id)[0]); err != nil {
				t.Fatal(err)
			}
			for _, node := range nodes {
				if _, err := node.Key(t.Context(), id); err != nil {
					t.Fatalf("step %d: a node doesn't know the key: %v", step, err)
				}
			}
		}
		if step == 20 { // who verifies, and the other node, have just looked
			if err := other.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		now = now.Add(30 * time.Second)
		mu.Unlock()
	}
	if len(signers) != 2 || !signers[key] {
		t.Errorf("%d keys have signed", len(signers))
	}
}

// TestKeysRotateByThemselves: when they are old, once, whichever nodes look; what
// an old one signed can be verified years later, and its private half is gone.
func TestKeysRotateByThemselves(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	other, err := New(t.Context(), w.Options)
	if err != nil {
		t.Fatal(err)
	}
	w.keys.now, other.keys.now = func() time.Time { return now }, func() time.Time { return now }
	first, err := w.Sign(t.Context(), "test", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	const quarter = 90 * 24 * time.Hour
	for range 3 * 365 { // a day at a time
		for _, node := range []*Provider{w.Provider, other} {
			if err := node.RotateOld(t.Context(), quarter); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(24 * time.Hour)
	}
	if n := len(w.keys.pairs); n != 13 {
		t.Errorf("after three years there are %d pairs", n)
	}
	for i, p := range w.keys.pairs {
		for _, k := range p.Keys {
			if i > 1 && !k.IsPublic() {
				t.Errorf("the private half of pair %d is kept", i)
			}
		}
	}
	parsed, err := jwt.ParseSigned(first, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	set := other.keys.public(t.Context())
	found := set.Key(parsed.Headers[0].KeyID)
	if len(found) != 1 || parsed.Claims(found[0].Key, &struct{}{}) != nil {
		t.Error("what was signed three years ago can't be verified")
	}
	again, err := other.Sign(t.Context(), "test", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if parsed, _ := jwt.ParseSigned(again, []jose.SignatureAlgorithm{jose.ES256}); len(set.Key(parsed.Headers[0].KeyID)) != 1 {
		t.Error("what is signed now can't be verified")
	}
}

// TestKeysThatSomebodyElseHasHadAreGoodNoMore: at once.
func TestKeysThatSomebodyElseHasHadAreGoodNoMore(t *testing.T) {
	w := newWorld(t)
	old := w.keys.public(t.Context()).Keys[0].KeyID
	if err := w.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Replace(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := w.keys.public(t.Context())
	if len(set.Keys) != 2 || len(set.Key(old)) != 0 {
		t.Errorf("%d keys are published", len(set.Keys))
	}
	if _, err := w.Key(t.Context(), old); err == nil {
		t.Error("the old key is good")
	}
	w.decode(w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof()).text("access_token"), "at+jwt")
}
