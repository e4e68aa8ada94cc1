// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
	"skrin/ldp"
)

func newActs(t *testing.T) (*server, *atomic.Int64) {
	t.Helper()
	s, err := newServer(t.Context(), config{Base: "https://pod.example.se", Dir: t.TempDir(), Key: make([]byte, keySize), Token: time.Minute}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	at := new(atomic.Int64)
	at.Store(time.Now().UnixNano())
	s.acts.now = func() time.Time { return time.Unix(0, at.Load()) }
	return s, at
}

// TestTheOperatorsLogShowsWhatWasDoneToIt: whoever changes a line, leaves one out,
// adds one or cuts off the end is seen; 32 who write at once are all in it.
func TestTheOperatorsLogShowsWhatWasDoneToIt(t *testing.T) {
	s, _ := newActs(t)
	a := s.acts
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := a.add(t.Context(), act{By: "anna", Did: "erase", On: fmt.Sprint(i), Outcome: "begins"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	newest, n, err := a.read(t.Context(), 5, "")
	if err != nil || n != 32 || len(newest) != 5 || newest[4].Seq != 32 {
		t.Fatalf("%d lines, %+v, %v", n, newest, err)
	}
	if _, _, err := a.read(t.Context(), 5, newest[0].Hash); err != nil {
		t.Errorf("a line that it holds: %v", err)
	}
	if _, _, err := a.read(t.Context(), 5, "00"); !errors.Is(err, errActs) {
		t.Errorf("a line that it never held: %v", err)
	}
	load := func(key string) auth.Record {
		rec, err := s.records.Load(t.Context(), actKind, key)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	for what, key := range map[string]string{"a line is changed": actKey(7), "a line is left out": actKey(12), "the last line is left out": actKey(32), "a line is added": actKey(33)} {
		t.Run(what, func(t *testing.T) {
			var was auth.Record
			switch what {
			case "a line is changed":
				was = load(key)
				edited := was
				edited.Value = []byte(strings.Replace(string(was.Value), "anna", "eva", 1))
				must(t, s.records.Save(t.Context(), actKind, key, edited))
			case "a line is added":
				must(t, s.records.Save(t.Context(), actKind, key, auth.Record{Value: load(actKey(32)).Value}))
			default:
				was = load(key)
				must(t, s.records.Delete(t.Context(), actKind, key))
			}
			if _, _, err := a.read(t.Context(), 5, ""); !errors.Is(err, errActs) {
				t.Errorf("it is believed: %v", err)
			}
			must(t, s.records.Delete(t.Context(), actKind, key))
			if was.Value != nil {
				must(t, s.records.Save(t.Context(), actKind, key, auth.Record{Value: was.Value}))
			}
			if _, _, err := a.read(t.Context(), 5, ""); err != nil {
				t.Errorf("put right again: %v", err)
			}
		})
	}
	stranger := &acts{records: s.records, key: []byte("another"), now: time.Now}
	must(t, stranger.add(t.Context(), act{By: "anna", Did: "erase", On: "x", Outcome: "done"}))
	if _, _, err := a.read(t.Context(), 5, ""); !errors.Is(err, errActs) {
		t.Errorf("a line of who hasn't got the key: %v", err)
	}
}

// TestTwoOperatorsDoADangerousActTogether: who asks can't approve, what is approved is
// done once, by who asked, to what was asked, within the time.
func TestTwoOperatorsDoADangerousActTogether(t *testing.T) {
	s, at := newActs(t)
	a, ctx := s.acts, t.Context()
	try := func(by, on string) error { return a.approved(ctx, by, "erase", on, time.Hour) }
	if err := try("local", "p1"); !errors.Is(err, errUnapproved) {
		t.Fatalf("nobody has approved it: %v", err)
	}
	id := actID("erase", "p1")
	if _, err := a.approve(ctx, "local", id); !errors.Is(err, ldp.Forbidden) {
		t.Errorf("who asked approves: %v", err)
	}
	if _, err := a.approve(ctx, "anna", actID("erase", "p2")); !errors.Is(err, ldp.NotFound) {
		t.Errorf("what nobody asked is approved: %v", err)
	}
	if err := try("local", "p1"); !errors.Is(err, errUnapproved) {
		t.Errorf("nobody has approved it yet: %v", err)
	}
	if p, err := a.approve(ctx, "anna", id); err != nil || p.Other != "anna" || p.On != "p1" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := try("local", "p2"); !errors.Is(err, errUnapproved) {
		t.Errorf("another pod: %v", err)
	}
	var done atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if try("local", "p1") == nil {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("one approval was used %d times", done.Load())
	}
	_ = try("local", "p3")
	if _, err := a.approve(ctx, "anna", actID("erase", "p3")); err != nil {
		t.Error(err)
	}
	if err := try("eva", "p3"); !errors.Is(err, errUnapproved) {
		t.Errorf("somebody else than who asked: %v", err)
	}
	_ = try("local", "p4")
	at.Add(int64(time.Hour))
	if _, err := a.approve(ctx, "anna", actID("erase", "p4")); err == nil && try("local", "p4") == nil {
		t.Error("it is done after its time")
	}
	if _, _, err := a.read(ctx, 10, ""); err != nil {
		t.Error(err)
	}
}
