// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"skrin/pod/status"
)

// TestKeptLists: what is kept of status lists comes back whole after another start
// of the server, whatever its size, and replaces what was kept before.
func TestKeptLists(t *testing.T) {
	dir, key := t.TempDir(), make([]byte, keySize)
	start := func() *server {
		s, err := newServer(t.Context(), config{Base: "https://pod.example.se", Dir: dir, Key: key, Token: time.Minute}, slog.New(slog.DiscardHandler))
		noError(t, err)
		return s
	}
	random := func(n int) []byte { b := make([]byte, n); rand.Read(b); return b }
	var last []byte
	for _, size := range []int{1, keptPiece - 1, keptPiece, keptPiece + 1, 3 << 20, 5} {
		s := start()
		var kept status.Keeper = s.pod.Statuses.Kept
		got, err := kept.Kept(t.Context(), "list x")
		noError(t, err)
		if !bytes.Equal(got, last) {
			t.Errorf("%d bytes were kept, %d came back", len(last), len(got))
		}
		last = random(size)
		noError(t, kept.Keep(t.Context(), "list x", last, time.Now().Add(time.Hour)))
		if err := kept.Keep(t.Context(), "list y", random(4<<20), time.Now().Add(time.Hour)); err == nil {
			t.Error("four megabytes are kept")
		}
		noError(t, s.Close())
	}
	s := start()
	defer s.Close()
	noError(t, s.pod.Statuses.Kept.Keep(t.Context(), "list x", last, time.Now().Add(-time.Hour)))
	if got, err := s.pod.Statuses.Kept.Kept(t.Context(), "list x"); err != nil || got != nil {
		t.Errorf("what has ended is kept: %v, %v", got, err)
	}
}
