// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"skrin/pod/store"
)

// agreesWithModel runs random transactions on two pods and on two maps.
func agreesWithModel(t *testing.T, s store.Store) {
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		model := map[string]pairs{}
		for _, id := range []string{fmt.Sprint("a", run), fmt.Sprint("a", run, "\x00")} {
			create(t, s, id, nil)
			model[id] = pairs{}
		}
		ids := slices.Sorted(maps.Keys(model))
		for range rapid.IntRange(1, 8).Draw(r, "transactions") {
			transact(r, s, rapid.SampledFrom(ids).Draw(r, "pod"), model)
		}
	})
}

var errModel = errors.New("rolled back")

// awkward draws strings of the bytes at which orders and prefixes go wrong.
func awkward(least, most int) *rapid.Generator[string] {
	bytes := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\x00\xff")), least, most)
	return rapid.Map(bytes, func(b []byte) string { return string(b) })
}

// A step is one write of a transaction: a Put, or a Delete if delete is set.
type step struct {
	delete     bool
	key, value string
}

// transact runs one random transaction in the pod and in the model.
func transact(r *rapid.T, s store.Store, id string, model map[string]pairs) {
	text := awkward(1, 3)
	steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{rapid.Bool().Draw(r, "delete"), text.Draw(r, "key"), text.Draw(r, "value")}
	}), 0, 6).Draw(r, "steps")
	var outcome error
	if rapid.Bool().Draw(r, "roll back") {
		outcome = errModel
	}
	var has pairs
	err := s.Update(r.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		has = maps.Clone(model[id])
		for _, st := range steps {
			if st.delete {
				tx.Delete(st.key)
				delete(has, st.key)
			} else {
				tx.Put(st.key, []byte(st.value))
				has[st.key] = st.value
			}
			sameScan(r, tx, has)
		}
		return outcome
	})
	if err != outcome {
		r.Fatalf("Update returns %v, want %v", err, outcome)
	}
	if err == nil {
		model[id] = has
	}
	err = s.View(r.Context(), store.Name("id/"+id), func(tx store.Tx) error { sameScan(r, tx, model[id]); return nil })
	if err != nil {
		r.Fatal(err)
	}
}

// sameScan fails unless Scan and Get find what the model holds.
func sameScan(r *rapid.T, tx store.Tx, has pairs) {
	text := awkward(0, 2)
	prefix, after, limit := text.Draw(r, "prefix"), text.Draw(r, "after"), rapid.IntRange(1, 5).Draw(r, "limit")
	var want []string
	for _, k := range slices.Sorted(maps.Keys(has)) {
		if strings.HasPrefix(k, prefix) && k > after && len(want) < limit {
			want = append(want, k+"="+has[k])
		}
	}
	found, err := tx.Scan(prefix, after, limit)
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Key+"="+string(p.Value))
		if v, err := tx.Get(p.Key); err != nil || string(v[0]) != string(p.Value) {
			r.Fatalf("Get(%q) is %q, %v; Scan says %q", p.Key, v, err, p.Value)
		}
	}
	if !slices.Equal(got, want) {
		r.Fatalf("Scan(%q, %q, %d) is %q, want %q", prefix, after, limit, got, want)
	}
}
