// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"cmp"
	"slices"
	"time"

	"skrin/pod/resource"
	"skrin/pod/status"
	"skrin/pod/store"
)

// CurrentID returns the id of the current evidence of a type and issuer; "" for none.
func CurrentID(tx store.Tx, typ, issuer string) (string, error) {
	id, err := store.Load[string](tx, currentKey(typ, issuer))
	if err != nil || id == nil {
		return "", err
	}
	return *id, nil
}

// CurrentOf returns that evidence; nil for none.
func CurrentOf(tx store.Tx, typ, issuer string) (*Evidence, error) {
	id, err := CurrentID(tx, typ, issuer)
	if err != nil || id == "" {
		return nil, err
	}
	return store.Load[Evidence](tx, Key(id))
}

// All returns all evidence, the newest first, with what status lists say of it now.
func All(tx store.Tx, lists *status.Lists, now time.Time) ([]Evidence, error) {
	var all []Evidence
	err := store.Each(tx, Key(""), func(e *Evidence) bool {
		e.Ask(lists, now)
		all = append(all, *e)
		return true
	})
	slices.SortFunc(all, newerFirst)
	return all, err
}

// NewestOf returns the evidence of a type that no newer one of its issuer has
// replaced, newest first, with what status lists say of it now.
func NewestOf(tx store.Tx, typ string, lists *status.Lists, now time.Time) ([]Evidence, error) {
	var keys []string
	if err := store.Each(tx, currentKey(typ, ""), func(id *string) bool { keys = append(keys, Key(*id)); return true }); err != nil || keys == nil {
		return nil, err
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, err
	}
	var all []Evidence
	for i, value := range values {
		if value == nil {
			continue
		}
		e, err := store.Decode[Evidence](keys[i], value)
		if err != nil {
			return nil, err
		}
		e.Ask(lists, now)
		all = append(all, *e)
	}
	slices.SortFunc(all, newerFirst)
	return all, nil
}

func newerFirst(a, b Evidence) int {
	return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.ID, a.ID))
}

// Page returns at most n pieces of evidence, from the one numbered from on, and how
// many there are: first the one of each type and issuer that was current when it
// came, then the others, each the newest first. It reads no more of them than it
// returns.
func Page(tx store.Tx, from, n int, lists *status.Lists, now time.Time) (some []Evidence, total int, err error) {
	ids, err := newestFirst(tx)
	if err != nil {
		return nil, 0, err
	}
	total = len(ids)
	from = min(max(from, 0), total)
	var keys []string
	for _, id := range ids[from:min(total, from+n)] {
		keys = append(keys, Key(id))
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, 0, err
	}
	for i, value := range values {
		e, err := store.Decode[Evidence](keys[i], value)
		if err != nil {
			return nil, 0, err
		}
		e.Ask(lists, now)
		some = append(some, *e)
	}
	return some, total, nil
}

// newestFirst returns the ids of all evidence, in the order of [Page].
func newestFirst(tx store.Tx) ([]string, error) {
	current := map[string]bool{}
	if err := store.Each(tx, "k", func(id *string) bool { current[*id] = true; return true }); err != nil {
		return nil, err
	}
	var first, rest []string
	for after := ""; ; {
		pairs, err := tx.Scan("R", after, 1000)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			after = pair.Key
			if id := pair.Key[1+16:]; current[id] {
				first = append(first, id)
			} else {
				rest = append(rest, id)
			}
		}
		if len(pairs) < 1000 {
			return append(first, rest...), nil
		}
	}
}

// Find returns the evidence with the id, which may be any text; Absent if there is
// none.
func Find(tx store.Tx, id string) (*Evidence, error) {
	if !store.IsID(id) {
		return nil, resource.Absent()
	}
	e, err := store.Load[Evidence](tx, Key(id))
	if err == nil && e == nil {
		err = resource.Absent()
	}
	return e, err
}
