// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"context"
	"sync"
	"testing"
	"time"

	"skrin/ldp/rdf"
)

// TestTurns: one at a time, 32 wait, and one more is refused at once and counted; what
// is cheap waits for nobody.
func TestTurns(t *testing.T) {
	refused := 0
	turns := NewTurns(1, func() { refused++ })
	leave, err := turns.Enter(t.Context(), rdf.JSONLD, cheap+1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range turnsWait {
		all.Go(func() {
			if _, err := turns.Enter(ctx, rdf.JSONLD, cheap+1); err == nil {
				t.Error("two are worked on at once")
			}
		})
	}
	for end := time.Now().Add(5 * time.Second); turns.waiting.Load() < turnsWait && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := turns.Enter(soon, rdf.JSONLD, cheap+1); KindOf(err) != Unavailable || refused != 1 {
		t.Errorf("one more: %v, %d refused", err, refused)
	}
	for size, format := range map[int]rdf.Format{cheap: rdf.JSONLD, cheap + 1: rdf.Turtle} {
		if free, err := turns.Enter(t.Context(), format, size); err != nil {
			t.Errorf("%d bytes of %v: %v", size, format, err)
		} else {
			free()
		}
	}
	stop()
	all.Wait()
	leave()
	if turns.Busy() != 0 || turns.waiting.Load() != 0 {
		t.Errorf("%d are worked on, %d wait", turns.Busy(), turns.waiting.Load())
	}
}
