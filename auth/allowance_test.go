// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestLookUpsForOneAsker: what is fetched for one who asks is counted, document by
// document. Who has spent what it may is told so, and has nothing more fetched; what
// was fetched before it still knows, and others learn what it couldn't.
func TestLookUpsForOneAsker(t *testing.T) {
	w := newWorld(t)
	first, second := newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"}), newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"})
	w.Issuers = NewForeign(Guarded(true), w.Now).Issuer
	refusal := errors.New("come again")
	identify := func(a *abroad, left *int) error {
		d := w.draft()
		d.claims["iss"], d.claims["webid"] = a.URL, a.webID()
		r := d.request(t, d.token(t))
		_, err := w.Identify(r.WithContext(WithAllowance(r.Context(), func() error {
			if *left == 0 {
				return fmt.Errorf("%w: %w", ErrSpent, refusal)
			}
			*left--
			return nil
		})))
		return err
	}
	mallory, bob := 4, 4
	for _, row := range []struct {
		is   string
		of   *abroad
		left *int
		ok   bool
		rest int
	}{
		{"a profile, a description and keys are three documents", first, &mallory, true, 1},
		{"what is known costs nothing", first, &mallory, true, 1},
		{"the fourth is had, and no fifth", second, &mallory, false, 0},
		{"nor later", second, &mallory, false, 0},
		{"who has spent all is still known", first, &mallory, true, 0},
		{"others have the rest fetched: nothing of the refusal is remembered", second, &bob, true, 2},
		{"and then it is known to all", second, &mallory, true, 0},
	} {
		err := identify(row.of, row.left)
		if (err == nil) != row.ok || !row.ok && (!errors.Is(err, ErrSpent) || !errors.Is(err, refusal)) || *row.left != row.rest {
			t.Errorf("%s: %v, %d left", row.is, err, *row.left)
		}
	}
	if n := second.profiles.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// TestFetchAsksFirst: without an allowance there is no bound; what isn't allowed isn't
// dialled.
func TestFetchAsksFirst(t *testing.T) {
	hits := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer s.Close()
	if _, err := Fetch(t.Context(), Guarded(true), s.URL, "*/*"); err != nil || hits != 1 {
		t.Errorf("%v, %d", err, hits)
	}
	if _, err := Fetch(WithAllowance(t.Context(), func() error { return ErrSpent }), Guarded(true), s.URL, "*/*"); !errors.Is(err, ErrSpent) || hits != 1 {
		t.Errorf("%v, %d", err, hits)
	}
}
