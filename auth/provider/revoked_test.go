// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth"
)

// A revocationTown is two nodes over the same records, on one clock.
type revocationTown struct {
	*world
	here, there *revocations
	asked       *counting
	at          atomic.Int64
}

func newRevocationTown(t testing.TB) *revocationTown {
	c := &counting{}
	w := newWorld(t, func(o *Options) { c.Records, o.Records = o.Records, c })
	town := &revocationTown{world: w, asked: c}
	now := func() time.Time { return time.Unix(0, town.at.Load()) }
	town.at.Store(time.Now().UnixNano())
	town.here, town.there = &revocations{records: c, now: now}, &revocations{records: c, now: now}
	w.revocations = town.here
	return town
}

// good asks a node whether a token is good.
func (w *revocationTown) good(node *revocations, token auth.Token) (bool, error) {
	p := *w.Provider
	p.revocations = node
	revoked, err := p.Revoked(w.t.Context(), token)
	return !revoked, err
}

// TestWhatIsRevokedIsRefusedHereAtOnceAndElsewhereWithinASecond: a grant, an app's
// approval, a script; while what is good costs the records next to nothing.
func TestWhatIsRevokedIsRefusedHereAtOnceAndElsewhereWithinASecond(t *testing.T) {
	w := newRevocationTown(t)
	app := w.newApp(nil)
	if got := app.redeem(app.code(nil)); got.status != 200 {
		t.Fatal(got)
	}
	script, _, err := w.NewScript(t.Context(), "p1", alva, "Backup")
	if err != nil {
		t.Fatal(err)
	}
	token := func(client, grant string) auth.Token {
		who := acl.Agent{ID: alva, Client: client, Issuer: w.Base}
		if client == "ins" {
			who.ID = w.clients["ins"].WebID
		}
		return auth.Token{Agent: who, Grant: grant}
	}
	tokens := []auth.Token{token(app.id, "g1"), token(app.id, "g2"), token(script, "g3"), token("ins", "g4")}
	want := func(when string, node *revocations, good ...bool) {
		t.Helper()
		for i, token := range tokens {
			if got, err := w.good(node, token); err != nil || got != good[i] {
				t.Errorf("%s, token %d is good: %t, %v", when, i, got, err)
			}
		}
	}
	want("at first", w.here, true, true, true, true)
	want("at first", w.there, true, true, true, true)
	before := w.asked.asked.Load()
	for range 1000 {
		want("again", w.here, true, true, true, true)
	}
	if n := w.asked.asked.Load() - before; n != 0 {
		t.Errorf("4,000 requests at one moment asked the records %d times", n)
	}
	for range 100 {
		w.at.Add(int64(verdictsFresh))
		want("later", w.here, true, true, true, true)
	}
	if n := w.asked.asked.Load() - before; n != 100 {
		t.Errorf("50 seconds of requests asked the records %d times", n)
	}
	want("now", w.there, true, true, true, true)
	for i, step := range []struct {
		what string
		do   func() error
		good []bool
	}{
		{"a grant is revoked", func() error { return w.revokeGrant(t.Context(), "g1") }, []bool{false, true, true, true}},
		{"a party's grant is revoked", func() error { return w.revokeGrant(t.Context(), "g4") }, []bool{false, true, true, false}},
		{"a script is removed", func() error { return w.RemoveScript(t.Context(), "p1", script) }, []bool{false, true, false, false}},
		{"an app is disapproved", func() error { return w.Disapprove(t.Context(), alva, app.id) }, []bool{false, false, false, false}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(i, err)
		}
		want(step.what+", here", w.here, step.good...)
		w.at.Add(int64(verdictsFresh))
		want(step.what+", there", w.there, step.good...)
	}
	w.at.Add(int64(verdictsFresh))
	w.records.Lock()
	w.records.broken = true
	w.records.Unlock()
	if good, err := w.good(w.there, tokens[3]); err == nil {
		t.Errorf("nobody knows whether it was revoked, and it is good: %t", good)
	}
}

// TestRevocationsUnderARaceAreExactHere: a token that was revoked is refused in the
// same process from then on, whoever looks at it meanwhile.
func TestRevocationsUnderARaceAreExactHere(t *testing.T) {
	w := newRevocationTown(t)
	id := w.clients["ins"].WebID
	for round := range 200 {
		token := auth.Token{Agent: acl.Agent{ID: id, Client: "ins", Issuer: w.Base}, Grant: fmt.Sprint("race ", round)}
		var done atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for !done.Load() {
					if _, err := w.good(w.here, token); err != nil {
						t.Error(err)
					}
					w.at.Add(int64(10 * time.Millisecond))
				}
			})
		}
		if err := w.revokeGrant(t.Context(), token.Grant); err != nil {
			t.Fatal(err)
		}
		if good, err := w.good(w.here, token); good || err != nil {
			t.Fatalf("round %d: it is good: %t, %v", round, good, err)
		}
		done.Store(true)
		wg.Wait()
		if good, _ := w.good(w.here, token); good {
			t.Fatalf("round %d: it is good again", round)
		}
	}
}

// TestVerdictsAreBounded: remembering what was found good is bounded.
func TestVerdictsAreBounded(t *testing.T) {
	g := &goodTokens{all: map[auth.Token]struct{}{}}
	for i := range 2*maxVerdicts + 10 {
		g.add(auth.Token{Grant: fmt.Sprint(i)})
		if len(g.all) > maxVerdicts {
			t.Fatalf("%d are remembered", len(g.all))
		}
	}
}

// BenchmarkRevoked is what a request pays to know that its token is good still.
func BenchmarkRevoked(b *testing.B) {
	w := newWorld(b)
	app := w.newApp(nil)
	app.redeem(app.code(nil))
	token := auth.Token{Agent: acl.Agent{ID: alva, Client: app.id, Issuer: w.Base}, Grant: "g"}
	for b.Loop() {
		if revoked, err := w.Revoked(b.Context(), token); revoked || err != nil {
			b.Fatal(revoked, err)
		}
	}
}

// BenchmarkScriptToken is the token endpoint for a person's script: client
// credentials, and a DPoP proof that is made beforehand.
func BenchmarkScriptToken(b *testing.B) {
	w := newWorld(b)
	id, secret, err := w.NewScript(b.Context(), "p1", alva, "backup")
	if err != nil {
		b.Fatal(err)
	}
	proofs := make([]string, b.N)
	for i := range proofs {
		if proofs[i], err = w.ins.dpop.Proof("POST", w.Base+tokenPath, "", "", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"webid"}}.Encode()
	h := w.Handler()
	b.ResetTimer()
	for i := range b.N {
		r := httptest.NewRequest("POST", tokenPath, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", proofs[i])
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, r); answer.Code != 200 {
			b.Fatal(answer.Code, answer.Body)
		}
	}
}
