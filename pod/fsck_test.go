// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"skrin/pod/store"
)

// TestCheckFinds breaks each thing that must hold of a pod, alone, and sees that it
// is found, and where.
func TestCheckFinds(t *testing.T) {
	edit := func(prefix string, change func(key string, value []byte) []byte) func(*testing.T, *town, store.Tx) {
		return func(t *testing.T, w *town, tx store.Tx) {
			found, err := tx.Scan(prefix, "", 1)
			must(t, err)
			if len(found) == 0 {
				t.Fatalf("there is nothing under %q to break", prefix)
			}
			key := found[0].Key
			if value := change(key, bytes.Clone(found[0].Value)); value != nil {
				tx.Put(key, value)
			} else {
				tx.Delete(key)
			}
		}
	}
	gone := func(string, []byte) []byte { return nil }
	set := func(field string, value any) func(string, []byte) []byte {
		return func(_ string, b []byte) []byte {
			all := map[string]any{}
			must(t, json.Unmarshal(b, &all))
			if rest, ok := strings.CutPrefix(field, "Rule."); ok {
				all["Rule"].(map[string]any)[rest] = value
			} else {
				all[field] = value
			}
			b, err := json.Marshal(all)
			must(t, err)
			return b
		}
	}
	// asked edits the request that is open.
	asked := func(change func(string, []byte) []byte) func(*testing.T, *town, store.Tx) {
		return func(t *testing.T, w *town, tx store.Tx) {
			open, err := tx.Scan("Q", "", 2)
			must(t, err)
			if len(open) != 1 {
				t.Fatalf("%d requests are open", len(open))
			}
			edit("q"+open[0].Key[17:], change)(t, w, tx)
		}
	}
	for _, row := range []struct {
		broken string
		by     func(*testing.T, *town, store.Tx)
		found  string
	}{
		{"the pod forgets whose it is", edit("p", gone), "doesn't know whose it is"},
		{"a resource's value is damaged", edit("r{root}notes/empty", func(_ string, b []byte) []byte { return append([]byte{99}, b[1:]...) }), "can't be read"},
		{"a resource is in another pod's path", func(t *testing.T, w *town, tx store.Tx) {
			values, err := tx.Get("r" + w.root() + "notes/empty")
			must(t, err)
			tx.Put("r/elsewhere/x", values[0])
		}, "not in this pod's paths"},
		{"an ACL document outlives what it is of", edit("r{root}notes/a.ttl", gone), "belongs to a resource that isn't there"},
		{"a container is gone from around its members", edit("r{root}notes/deep/", gone), "its container isn't there"},
		{"a listing leaves a member out", edit("m{root}notes/\x00empty", gone), "doesn't list it"},
		{"a listing says another size", edit("m{root}notes/\x00empty", func(_ string, b []byte) []byte { b[len(b)-1] ^= 1; return b }), "another type, size or time"},
		{"a listing has what isn't there", edit("r{root}notes/empty", gone), "lists what isn't there"},
		{"rules are enforced that no document makes", edit("r{root}notes/a.ttl.acl", gone), "without a document"},
		{"an ACL document is no RDF any more", edit("r{root}notes/a.ttl.acl", func(_ string, b []byte) []byte { return append(b, " <broken"...) }), "can't be understood"},
		{"the rules that are enforced give more", func(t *testing.T, w *town, tx store.Tx) {
			values, err := tx.Get("a" + w.root() + "notes/")
			must(t, err)
			tx.Put("a"+w.root()+"notes/a.ttl", values[0])
		}, "other rules are enforced"},
		{"no rules are enforced where a document makes some", edit("a{root}notes/a.ttl", gone), "other rules are enforced"},
		{"an entry of the log says something else", edit("l", set("action", "agree")), "chain is broken"},
		{"an entry of the log is gone", edit("l", gone), "chain is broken"},
		{"the log's end is cut off", edit("h", set("Seq", 1)), "doesn't end where its head says"},
		{"a grant has no consent", edit("c", gone), "no consent has made"},
		{"a grant gives more fields", edit("g", set("Rule.Fields", []string{"registered_at_least_30_days", "registration_date"})), "more than its consent"},
		{"a grant lasts longer", edit("g", set("Rule.Until", "2099-01-01T00:00:00Z")), "more than its consent"},
		{"a consent is withdrawn and its grant goes on", edit("c", set("Withdrawn", "2026-11-21T10:00:00Z")), "goes on after its consent"},
		{"a grant's space is gone", func(t *testing.T, w *town, tx store.Tx) {
			all, err := tx.Scan("w", "", 10)
			must(t, err)
			for _, p := range all {
				tx.Delete(p.Key)
			}
		}, "space that isn't there"},
		{"a consent is not found by when it ends", edit("C", gone), "consents are not all found"},
		{"what finds a consent is about other evidence", edit("C", set("Evidence", "x")), "consents says something else"},
		{"what finds a consent outlives it", func(_ *testing.T, _ *town, tx store.Tx) { tx.Put("C0123456789abcdefx", []byte("{}")) }, "in the order of the consents it finds what isn't there"},
		{"a consent is found by another end too", func(t *testing.T, _ *town, tx store.Tx) {
			found, err := tx.Scan("C", "", 1)
			must(t, err)
			tx.Put("C0123456789abcdef"+found[0].Key[17:], found[0].Value)
		}, "in the order of the consents it finds what isn't there"},
		{"an open request is not listed", edit("Q", gone), "open requests are not all found"},
		{"an answered request is still listed as open", asked(set("State", "agreed")), "in the order of the open requests it finds"},
		{"what lists an open request outlives it", asked(gone), "in the order of the open requests it finds"},
		{"evidence is not found by when it came", edit("R", gone), "evidence are not all found"},
		{"what finds evidence outlives it", edit("e", gone), "in the order of the evidence it finds"},
		{"an answer is not found by when it ends", edit("J", gone), "answers to idempotency keys are not all found"},
		{"what finds an answer outlives it", edit("i", gone), "in the order of the answers to idempotency keys it finds"},
		{"nobody looks when an answer ends", edit("B", gone), "nobody will see that"},
		{"a consent's grant is gone", edit("g", gone), "without its grant"},
		{"the pod is not found by its path", func(_ *testing.T, w *town, tx store.Tx) { tx.Release(store.Name("pod/" + strings.Trim(w.root(), "/"))) }, "of the kind pod/"},
		{"nor by its owner", func(_ *testing.T, _ *town, tx store.Tx) { tx.Release("person/person-alva") }, "of the kind person/"},
		{"a blob is gone", func(t *testing.T, w *town, _ store.Tx) { clear(w.pod.Blobs.(memBlobs).blobs) }, "its content isn't there"},
	} {
		t.Run(row.broken, func(t *testing.T) {
			w, _ := furnished(t)
			w.keptForATime()
			var id string
			must(t, w.pod.Store.View(t.Context(), "person/person-alva", func(tx store.Tx) error { id = tx.Pod(); return nil }))
			if _, found, err := w.pod.Check(t.Context(), id); err != nil || len(found) > 0 {
				t.Fatalf("it is broken before: %+v, %v", found, err)
			}
			must(t, w.pod.Store.Update(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
				row.by(t, w, rooted{tx, w.root()})
				return nil
			}))
			_, found, err := w.pod.Check(t.Context(), id)
			must(t, err)
			for _, f := range found {
				if strings.Contains(f.Fault, row.found) && f.Pod == id {
					return
				}
			}
			t.Errorf("found: %+v", found)
		})
	}
}

// rooted is a Tx in whose prefixes {root} is the pod's.
type rooted struct {
	store.Tx
	root string
}

func (tx rooted) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	return tx.Tx.Scan(strings.Replace(prefix, "{root}", tx.root, 1), after, limit)
}
