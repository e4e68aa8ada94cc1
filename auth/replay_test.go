// SPDX-License-Identifier: EUPL-1.2

package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
	"skrin/auth/dpop"
	"skrin/pod/pebble"
)

// TestAProofIsUsedOnceAcrossARestart: whatever its date, a proof that was used
// before a restart is refused after it.
func TestAProofIsUsedOnceAcrossARestart(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := func() time.Time { return now }
	records, err := pebble.OpenMemory(pebble.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	start := func() *dpop.Checker {
		return &dpop.Checker{
			Now: clock, MaxAge: time.Minute, MaxSkew: 10 * time.Second, NotBefore: now,
			Seen: &auth.Replay{Memory: dpop.NewMemory(1000, clock), Records: records, MaxAge: time.Minute, Now: clock},
		}
	}
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	proofs := map[string]string{}
	for name, age := range map[string]time.Duration{"of now": 0, "of a slow clock": -5 * time.Second, "of a fast clock": 5 * time.Second} {
		if proofs[name], err = key.Proof("GET", "https://pod.example.se/x", "", "", now.Add(age)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(-5 * time.Second) // so that all of them are good before the restart
	before := start()
	now = now.Add(5 * time.Second)
	for name, proof := range proofs {
		if _, err := before.Check(t.Context(), proof, "GET", "https://pod.example.se/x", "", false); err != nil {
			t.Errorf("a proof %s is refused: %v", name, err)
		}
	}
	now = now.Add(time.Second)
	after := start()
	for name, proof := range proofs {
		if _, err := after.Check(t.Context(), proof, "GET", "https://pod.example.se/x", "", false); err == nil {
			t.Errorf("a proof %s is taken again after the restart", name)
		}
	}
}

// TestAProofIsUsedOnceInACluster: of nodes that share their records one takes a
// proof, whatever its date, also if that node is gone; and none while the records
// can't be reached.
func TestAProofIsUsedOnceInACluster(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := func() time.Time { return now }
	records, err := pebble.OpenMemory(pebble.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	node := func() *dpop.Checker {
		return &dpop.Checker{
			Now: clock, MaxAge: time.Minute, MaxSkew: 10 * time.Second,
			Seen: &auth.Replay{Memory: dpop.NewMemory(1000, clock), Records: records, Shared: true, MaxAge: time.Minute, Now: clock},
		}
	}
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	check := func(c *dpop.Checker, proof string) error {
		_, err := c.Check(t.Context(), proof, "GET", "https://pod.example.se/x", "", false)
		return err
	}
	for name, age := range map[string]time.Duration{"of now": 0, "of a slow clock": -50 * time.Second, "of a fast clock": 5 * time.Second} {
		proof, err := key.Proof("GET", "https://pod.example.se/x", "", "", now.Add(age))
		if err != nil {
			t.Fatal(err)
		}
		var taken atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if check(node(), proof) == nil {
					taken.Add(1)
				}
			})
		}
		wg.Wait()
		if taken.Load() != 1 {
			t.Errorf("a proof %s is taken by %d nodes", name, taken.Load())
		}
	}
	proof, err := key.Proof("GET", "https://pod.example.se/x", "", "", now)
	if err != nil {
		t.Fatal(err)
	}
	first := node()
	if err := check(first, proof); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute) // the last moment
	if err := check(node(), proof); err == nil {
		t.Error("it is taken again at the end of its life")
	}
	given, err := key.Proof("GET", "https://pod.example.se/x", "", "", now)
	if err != nil {
		t.Fatal(err)
	}
	refused := new(dpop.Error)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := node().Check(gone, given, "GET", "https://pod.example.se/x", "", false); !errors.Is(err, context.Canceled) || errors.As(err, &refused) {
		t.Errorf("of a request that was given up: %v", err)
	}
	late, err := key.Proof("GET", "https://pod.example.se/x", "", "", now)
	if err != nil {
		t.Fatal(err)
	}
	records.Close()
	if err := check(node(), late); err == nil || errors.As(err, &refused) {
		t.Errorf("without the records: %v; it isn't the client's fault", err)
	}
}
