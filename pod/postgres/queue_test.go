// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/store"
)

// TestHeldPod: while somebody holds one pod, whose row is locked, and many more want
// to write to it than the process has connections, by whatever name, other pods are
// written and read; who waits too long, or in too long a queue, is told to come
// again, who gives up gives up at once, and when the pod is free all that wait get
// through.
func TestHeldPod(t *testing.T) {
	s, err := postgres.Open(t.Context(), postgres.Options{URL: podtest.NewPostgres(t).Schema(), Now: time.Now, Timeout: 30 * time.Second})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	names := []store.Name{"id/held", "pod/held", "w/held"}
	nothing := func(store.Tx) error { return nil }
	must(t, s.Create(t.Context(), "held", func(tx store.Tx) error {
		tx.Claim(names[1])
		tx.Claim(names[2])
		tx.Put("n", []byte("0"))
		return nil
	}))
	must(t, s.Create(t.Context(), "other", func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil }))
	for _, name := range names { // as it is found from now on
		must(t, s.Update(t.Context(), name, nothing))
	}

	holds, free := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(free) })
	var all sync.WaitGroup
	defer all.Wait()
	defer release()
	all.Go(func() {
		err := s.Update(t.Context(), names[0], func(tx store.Tx) error { _, err := count(tx, 0); close(holds); <-free; return err })
		if err != nil {
			t.Errorf("who holds the pod: %v", err)
		}
	})
	<-holds
	const many = 60
	for i := range many {
		all.Go(func() {
			err := s.Update(t.Context(), names[i%3], func(tx store.Tx) error { _, err := count(tx, 1); return err })
			if err != nil {
				t.Errorf("who waits by %s: %v", names[i%3], err)
			}
		})
	}
	for postgres.Waiting(s, "held") < many+1 {
		time.Sleep(time.Millisecond)
	}
	for i := range 50 {
		must(t, s.Update(t.Context(), "id/other", func(tx store.Tx) error { _, err := count(tx, 1); return err }))
		must(t, s.View(t.Context(), names[i%3], func(tx store.Tx) error { _, err := count(tx, 0); return err })) // and this one, as it was
	}
	gone, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		if err := s.Update(gone, names[1], nothing); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up: %v", err)
		}
	})
	for postgres.Waiting(s, "held") < many+2 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for postgres.Waiting(s, "held") > many+1 {
		time.Sleep(time.Millisecond)
	}
	crowd, leave := context.WithCancel(t.Context())
	for range postgres.MaxWaiting - many - 1 {
		all.Go(func() { _ = s.Update(crowd, names[2], nothing) })
	}
	for postgres.Waiting(s, "held") < postgres.MaxWaiting {
		time.Sleep(time.Millisecond)
	}
	if err := s.Update(t.Context(), names[1], nothing); !errors.Is(err, ldp.Unavailable) {
		t.Errorf("one too many: %v", err)
	}
	leave()
	release()
	all.Wait()
	must(t, s.View(t.Context(), "id/held", func(tx store.Tx) error {
		n, err := count(tx, 0)
		if n != many {
			err = fmt.Errorf("%d have written, not %d: %w", n, many, err)
		}
		return err
	}))
	if n := postgres.Waiting(s, "held"); n != 0 {
		t.Errorf("%d wait at the end", n)
	}
}
