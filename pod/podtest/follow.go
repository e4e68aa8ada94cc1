// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"context"
	"testing"
	"time"

	"skrin/pod/store"
)

func tellsFollowers(t *testing.T, s store.Store) {
	feed, ok := s.(store.Feed)
	if !ok {
		t.Skip("this is no engine, but stands in front of one")
	}
	FollowTest(t, feed, s)
}

// FollowTest holds a Feed to its contract, where s writes: perhaps another node.
func FollowTest(t *testing.T, feed store.Feed, s store.Store) {
	for _, id := range []string{"quiet", "loud", "failed"} {
		must(t, s.Create(t.Context(), id, func(store.Tx) error { return nil }))
	}
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan string, 1000), make(chan error, 1)
	go func() {
		ended <- feed.Follow(ctx, func(ids ...string) {
			if len(ids) == 0 {
				ids = []string{""}
			}
			for _, id := range ids {
				told <- id
			}
		})
	}()
	update := func(id string, fn func(store.Tx) error) error { return s.Update(t.Context(), store.Name("id/"+id), fn) }
	must(t, update("quiet", func(tx store.Tx) error { tx.Put("k", []byte("v")); return nil }))
	if err := update("failed", func(tx store.Tx) error { tx.Stir(); return errRehearsal }); err == nil {
		t.Fatal("the update did not fail")
	}
	seen := func() bool {
		deadline := time.After(5 * time.Second)
		for {
			must(t, update("loud", func(tx store.Tx) error { tx.Put("k", []byte("v")); tx.Stir(); return nil }))
			for waiting := true; waiting; {
				select {
				case id := <-told:
					switch id {
					case "loud":
						return true
					case "quiet", "failed":
						t.Errorf("told of pod %q", id)
					}
				case <-time.After(100 * time.Millisecond): // it may not have begun to follow
					waiting = false
				case <-deadline:
					return false
				}
			}
		}
	}
	if !seen() {
		t.Error("not told of a pod that was stirred")
	}
	stop()
	must(t, <-ended)
}
