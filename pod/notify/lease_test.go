// SPDX-License-Identifier: EUPL-1.2

package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/notify"
	"skrin/pod/outbox"
	"skrin/pod/store"
)

// A slowly is a party's side of the line, on which each attempt takes nine seconds;
// meanwhile another node asks the outbox for something to do.
type slowly struct {
	clock *atomic.Int64 // seconds since 1970
	other func(underway string)

	mu  sync.Mutex
	all []string // ids of what was attempted
}

// RoundTrip implements http.RoundTripper.
func (s *slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(string(body), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	var token notify.Token
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &token); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, token.ID)
	s.clock.Add(9)
	s.other(token.ID)
	return nil, errors.New("no answer")
}

func (s *slowly) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// TestOneAttemptAtATime: one node has so much to tell that it isn't done when its
// lease ends. Another node then gets what is left, and nothing of which an attempt
// is under way; and who says too late what came of a lease that has become
// somebody else's changes nothing.
func TestOneAttemptAtATime(t *testing.T) {
	w := newTown(t, func(int) int { return http.StatusAccepted })
	w.stop()
	w.pod.Wake = nil
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	w.pod.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	for i := range 14 {
		w.register(fmt.Sprint("p", i), w.hook)
		w.want("alva", fmt.Sprint("p", i))
	}
	var id string
	must(t, w.pod.Store.View(t.Context(), "person/alva", func(tx store.Tx) error { id = tx.Pod(); return nil }))
	s := &slowly{clock: &clock}
	taken := map[string]bool{}
	s.other = func(underway string) {
		got, err := w.pod.Take(t.Context(), id, 100)
		if err != nil {
			t.Error(err)
		}
		for _, n := range got {
			if n.ID == underway {
				t.Errorf("another node is given %s while an attempt is under way", n.ID)
			}
			taken[n.ID] = true
		}
	}
	d := notify.New(w.pod, &http.Client{Transport: s}, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	eventually(t, "it has no time for more", func() bool { return s.attempts() >= 6 })
	time.Sleep(100 * time.Millisecond) // for more attempts than there may be
	stop()
	<-ended
	t.Logf("%d attempts; the other node got %d", s.attempts(), len(taken))

	take := func(limit int) []outbox.Notification {
		got, err := w.pod.Take(t.Context(), id, limit)
		must(t, err)
		return got
	}
	clock.Add(24 * 3600)
	first := take(1)
	clock.Add(120)
	second := take(1)
	if len(first) != 1 || len(second) != 1 || first[0].ID != second[0].ID {
		t.Fatalf("taken: %v, then %v", first, second)
	}
	must(t, w.pod.Delivered(t.Context(), id, first[0]))
	clock.Add(120)
	if third := take(1); len(third) != 1 || third[0].ID != first[0].ID {
		t.Errorf("who has lost the lease removes it: %v", third)
	} else {
		must(t, w.pod.Failed(t.Context(), id, third[0], "refused", true))
	}
	must(t, w.pod.Postponed(t.Context(), id, first[0], w.pod.Now().Add(time.Second)))
	must(t, w.pod.Failed(t.Context(), id, second[0], "refused", false))
	clock.Add(24 * 3600)
	for _, n := range take(100) {
		if n.ID == first[0].ID {
			t.Error("what was given up is back")
		}
	}
}
