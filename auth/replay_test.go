// SPDX-License-Identifier: EUPL-1.2

package auth_test

import (
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
		if _, err := before.Check(proof, "GET", "https://pod.example.se/x", "", false); err != nil {
			t.Errorf("a proof %s is refused: %v", name, err)
		}
	}
	now = now.Add(time.Second)
	after := start()
	for name, proof := range proofs {
		if _, err := after.Check(proof, "GET", "https://pod.example.se/x", "", false); err == nil {
			t.Errorf("a proof %s is taken again after the restart", name)
		}
	}
}
