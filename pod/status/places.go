// SPDX-License-Identifier: EUPL-1.2

package status

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"

	"skrin/pod/store"
)

// name is what finds the pod whose credential has a place.
func (s *Lists) name(at Place) store.Name {
	m := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(m, "%d %s", at.Index, at.List)
	return store.Name("s/" + store.IDEncoding.EncodeToString(m.Sum(nil)[:20]))
}

// places begins the keys of places: all small letters are taken.
const places = "P"

// placeKey is where a pod keeps whose a place is.
func placeKey(name store.Name) string { return places + strings.TrimPrefix(string(name), "s/") }

// Each visits the names by which lists find the pod.
func Each(tx store.Tx, visit func(store.Name)) error {
	const page = 500
	for after := ""; ; {
		pairs, err := tx.Scan(places, after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			visit(store.Name("s/" + strings.TrimPrefix(pair.Key, places)))
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

// HolderOf returns the id of the evidence of the pod that has the place with the name; "" for
// none.
func HolderOf(tx store.Tx, place store.Name) (string, error) {
	id, err := store.Load[string](tx, placeKey(place))
	if err != nil || id == nil {
		return "", err
	}
	return *id, nil
}

// Occupy gives evidence with the id the places of its forms. It is [store.ErrTaken] if
// other evidence has one: of the same pod here, of another when the transaction commits.
func (s *Lists) Occupy(tx store.Tx, id string, places Places) error {
	for uri, indexes := range places {
		for _, i := range indexes {
			name := s.name(Place{uri, i})
			holder, err := HolderOf(tx, name)
			if err != nil {
				return err
			}
			if holder != "" {
				return store.ErrTaken
			}
			tx.Claim(name)
			if err := store.Save(tx, placeKey(name), id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Vacate gives up the places of evidence that is removed.
func (s *Lists) Vacate(tx store.Tx, places Places) {
	if s == nil {
		return
	}
	for uri, indexes := range places {
		for _, i := range indexes {
			name := s.name(Place{uri, i})
			tx.Release(name)
			tx.Delete(placeKey(name))
		}
	}
}
