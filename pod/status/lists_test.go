// SPDX-License-Identifier: EUPL-1.2

package status_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/credential"
	"skrin/pod/podtest"
	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/store"
)

const (
	aggregation = "https://af.example.se/status"
	first       = aggregation + "/1"
)

// An issuer has status lists, and sees what of them is fetched.
type issuer struct {
	t       *testing.T
	now     time.Time
	key     jose.JSONWebKey
	party   registry.Party
	lists   *status.Lists
	uris    []string
	size    int
	bad     map[string]int // places that are revoked, by list
	changed []store.Name
}

func newIssuer(t *testing.T) *issuer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), uris: []string{first}, bad: map[string]int{},
		key: jose.JSONWebKey{Key: k, KeyID: "af-1", Algorithm: "ES256", Use: "sig"}}
	i.party = registry.Party{ID: "af", Issuer: "https://af.example.se", StatusLists: aggregation}
	i.party.Keys.Keys = []jose.JSONWebKey{i.key.Public()}
	i.lists = &status.Lists{Key: make([]byte, 32), Fetch: i.fetch}
	return i
}

func (i *issuer) fetch(_ context.Context, url, _ string) ([]byte, error) {
	if url == aggregation {
		return json.Marshal(map[string]any{"status_lists": i.uris})
	}
	list := credential.NewStatusList(url, i.size)
	list.Issued = i.now
	if place, ok := i.bad[url]; ok {
		list.Set(place, credential.Invalid)
	}
	token, err := list.Sign(i.key)
	return []byte(token), err
}

func (i *issuer) parties(_ context.Context, visit func(registry.Party) error) error {
	return visit(i.party)
}

func (i *issuer) round() status.Round {
	return status.Round{Now: func() time.Time { return i.now }, Changed: func(_ context.Context, place store.Name) error {
		i.changed = append(i.changed, place)
		return nil
	}}
}

// later lets a while pass, and what is due be fetched.
func (i *issuer) later(d time.Duration) error {
	i.now = i.now.Add(d)
	return i.lists.Refresh(i.t.Context(), i.parties, i.round())
}

// TestListsThatAreGoneMakeRoom: an issuer that has other lists each day takes no more
// room than what it has at once.
func TestListsThatAreGoneMakeRoom(t *testing.T) {
	i := newIssuer(t)
	i.size = 1 << 23 // entries; of all lists together there may be 1<<28
	for day := range 33 {
		i.uris = []string{fmt.Sprintf("%s/%d", aggregation, 100+day)}
		if err := i.later(25 * time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAPartyHasItsTime: of a party whose lists come slowly so many are fetched as
// its time allows, and the others first the next time.
func TestAPartyHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		i.uris = nil
		for n := range 20 {
			i.uris = append(i.uris, fmt.Sprintf("%s/slow/%02d", aggregation, n))
		}
		tried := map[string]bool{}
		i.lists.Fetch = func(ctx context.Context, url, accept string) ([]byte, error) {
			if url == aggregation {
				return i.fetch(ctx, url, accept)
			}
			time.Sleep(10 * time.Second)
			tried[url] = true
			return nil, errors.New("nobody answers")
		}
		for round := range 4 {
			begun := time.Now()
			err := i.later(2 * time.Minute)
			if took := time.Since(begun); took > time.Minute+10*time.Second || err == nil {
				t.Errorf("round %d took %v: %v", round, took, err)
			}
		}
		if len(tried) != len(i.uris) {
			t.Errorf("%d lists were tried in four rounds, want %d", len(tried), len(i.uris))
		}
	})
}

// TestAPlaceFindsItsPod: what changes in a list is told by the name of the pod that has
// the place, and of nothing else; nobody can have a place twice; and a place that was
// given up is free, and finds nobody.
func TestAPlaceFindsItsPod(t *testing.T) {
	i := newIssuer(t)
	s := podtest.NewFake(t, podtest.New(t))
	for _, id := range []string{"alva", "nils"} {
		if err := s.Create(t.Context(), id, func(tx store.Tx) error { tx.Claim(store.Name("pod/" + id)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	in := func(pod string, do func(store.Tx) error) error {
		return s.Update(t.Context(), store.Name("pod/"+pod), do)
	}
	places := status.Places{first: {77, 4711}}
	occupy := func(evidence string, places status.Places) func(store.Tx) error {
		return func(tx store.Tx) error { return i.lists.Occupy(tx, evidence, places) }
	}
	if err := in("alva", occupy("e1", places)); err != nil {
		t.Fatal(err)
	}
	for _, pod := range []string{"alva", "nils"} {
		if err := in(pod, occupy("e2", status.Places{first: {77}})); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s takes a place that is taken: %v", pod, err)
		}
	}
	if err := i.later(0); err != nil || i.changed != nil {
		t.Fatalf("nothing is revoked, and told is %v: %v", i.changed, err)
	}
	i.bad[first] = 77
	if err := i.later(time.Hour); err != nil || len(i.changed) != 1 {
		t.Fatalf("told is %v: %v", i.changed, err)
	}
	holder := ""
	find := func(tx store.Tx) (err error) { holder, err = status.HolderOf(tx, i.changed[0]); return err }
	if err := s.View(t.Context(), i.changed[0], find); err != nil || holder != "e1" {
		t.Errorf("the place is that of %q: %v", holder, err)
	}
	if said, known := i.lists.At(places, i.now); said != credential.Invalid || !known {
		t.Errorf("the lists say %v, known %t", said, known)
	}
	var names []store.Name
	err := in("alva", func(tx store.Tx) error {
		names = nil
		if err := status.Each(tx, func(n store.Name) { names = append(names, n) }); err != nil {
			return err
		}
		i.lists.Vacate(tx, places)
		return nil
	})
	if err != nil || len(names) != 2 || !slices.Contains(names, i.changed[0]) {
		t.Errorf("the pod is found by %v: %v", names, err)
	}
	if err := s.View(t.Context(), i.changed[0], find); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("a place that was given up: %v", err)
	}
	if err := in("nils", occupy("e2", status.Places{first: {77}})); err != nil {
		t.Errorf("a place that is free: %v", err)
	}
}

// TestWithoutLists: where nobody relies on lists, nothing is followed and everything
// holds.
func TestWithoutLists(t *testing.T) {
	i := newIssuer(t)
	var none *status.Lists
	if err := errors.Join(none.Refresh(t.Context(), i.parties, i.round()), none.Recall(t.Context(), i.parties, i.now)); err != nil {
		t.Error(err)
	}
	if at, err := none.Check(t.Context(), i.party, &credential.Status{URI: first, Index: 1}, i.round()); at != nil || err != nil {
		t.Errorf("a place is %v: %v", at, err)
	}
	if said, known := none.At(status.Places{first: {1}}, i.now); said != credential.Valid || !known {
		t.Errorf("it is %v, known %t", said, known)
	}
	none.Vacate(nil, status.Places{first: {1}})
}
