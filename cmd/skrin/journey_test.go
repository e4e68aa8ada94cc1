// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"
)

// A running demo, as somebody finds it who has started it.
type running struct {
	*town
	t    *testing.T
	dir  string
	log  *bytes.Buffer
	stop func()
}

// startDemo runs the demo in a directory until the test ends, or stop is called.
func startDemo(t *testing.T, dir string) *running {
	t.Helper()
	log := new(bytes.Buffer)
	ctx, cancel := context.WithCancel(context.Background())
	town, err := newTown(ctx, dir, 0, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- town.Serve(ctx) }()
	r := &running{town: town, t: t, dir: dir, log: log}
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
		if err := town.Close(); err != nil {
			t.Errorf("the demo closed with %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// signIn signs a person of the cast in, on the page where the browser is.
func (b *browser) signIn(name string) {
	b.t.Helper()
	b.press("Logga in med Exempel-eID")
	b.press("Logga in som " + name)
}

func (r *running) connect(b *browser, name string) {
	r.t.Helper()
	b.open(r.origins[1])
	b.press("Spara intyg till min profil")
	b.signIn(name)
}

// TestTheJourney is the main job as a person without JavaScript lives it.
func TestTheJourney(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	t.Log(b.at, b.text())
}

// waitFor opens a page again and again until it says words.
func (b *browser) waitFor(address, words string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		b.open(address)
		if b.says(words) {
			return
		}
		if time.Now().After(end) {
			b.sees(words)
		}
	}
}
