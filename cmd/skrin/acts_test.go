// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/store"
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
	if err := try("eva", "p3"); !errors.Is(err, errUnapproved) || !strings.Contains(err.Error(), "anna approved it") {
		t.Errorf("somebody else than who asked: %v", err)
	}
	must(t, try("local", "p3")) // which took nothing from who did
	if err := try("eva", "p3"); !errors.Is(err, errUnapproved) {
		t.Errorf("by who may now ask anew: %v", err)
	}
	if _, err := a.approve(ctx, "local", actID("erase", "p3")); err != nil {
		t.Errorf("what eva asks: %v", err)
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

// TestASecondRequestForTheSameAct: leaves the first as it is, and tells whose that
// is and how to approve it. When its time has passed, anybody may ask anew; of those
// who ask at once, one does.
func TestASecondRequestForTheSameAct(t *testing.T) {
	s, at := newActs(t)
	a, ctx := s.acts, t.Context()
	try := func(by string) error { return a.approved(ctx, by, "erase", "p1", time.Hour) }
	id := actID("erase", "p1")
	_ = try("anna")
	at.Add(int64(30 * time.Minute))
	for range 2 {
		if err := try("eva"); !errors.Is(err, errUnapproved) || !strings.Contains(err.Error(), "anna asked for the same") || !strings.Contains(err.Error(), "skrin approve "+id) {
			t.Errorf("eva is told: %v", err)
		}
	}
	all, err := a.waiting(ctx)
	if err != nil || len(all) != 1 || all[0].By != "anna" || !all[0].Until.Equal(time.Unix(0, at.Load()).Add(30*time.Minute).UTC().Truncate(time.Second)) {
		t.Fatalf("what waits: %+v, %v", all, err)
	}
	if _, err := a.approve(ctx, "eva", id); err != nil {
		t.Fatalf("eva approves: %v", err)
	}
	if err := try("eva"); err == nil {
		t.Error("who approved does it")
	}
	must(t, try("anna"))

	_ = try("anna")
	at.Add(int64(time.Hour))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := try(fmt.Sprint("op", i)); !errors.Is(err, errUnapproved) {
				t.Errorf("op%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if all, err := a.waiting(ctx); err != nil || len(all) != 1 || !strings.HasPrefix(all[0].By, "op") {
		t.Errorf("eight ask at once: %+v, %v", all, err)
	}
}

// TestOperatorsActTogether: with two-people, a pod is erased when a registered
// operator has let it be done over the admin API; the log has each step, for the
// command line and for the API.
func TestOperatorsActTogether(t *testing.T) {
	w := newCounty(t, 1, keep{})
	s := w.nodes[0]
	s.TwoPeople = time.Hour
	w.operable()
	if _, err := s.pod.Make(t.Context(), "somebody"); err != nil {
		t.Fatal(err)
	}
	id := ""
	must(t, s.store.View(t.Context(), store.Name("person/somebody"), func(tx store.Tx) error { id = tx.Pod(); return nil }))
	if _, err := send(t.Context(), w.c, errand{Do: "erase", Pod: "nosuch"}); err == nil || errors.Is(err, errUnapproved) {
		t.Errorf("what isn't there waits to be erased: %v", err)
	}
	erase := errand{Do: "erase", Pod: id}
	_, err := send(t.Context(), w.c, erase)
	if !errors.Is(err, errUnapproved) || exitCode(err) != 5 || !strings.Contains(err.Error(), actID("erase", id)) {
		t.Fatalf("alone: %v", err)
	}
	anna := anywhere{Server: w.base, Operator: "anna", Key: w.anna}
	o, err := anna.outcome(t.Context(), errand{Do: "approvals"})
	if err != nil || len(o.Approvals) != 1 || o.Approvals[0].On != id || o.Approvals[0].By != local {
		t.Fatalf("anna sees %+v, %v", o.Approvals, err)
	}
	if _, err := anna.outcome(t.Context(), erase); !errors.Is(err, errUnapproved) || !strings.Contains(err.Error(), "local asked for the same") {
		t.Errorf("anna asks for it too: %v", err)
	}
	if err := (&approveCommand{ID: "x"}).Run(t.Context()); err == nil {
		t.Error("who doesn't say who she is approves")
	}
	if err := (&approveCommand{anywhere: anna, ID: "000000000000"}).Run(t.Context()); err == nil {
		t.Error("what doesn't wait is approved")
	}
	must(t, (&approveCommand{anywhere: anna, ID: o.Approvals[0].ID}).Run(t.Context()))
	if _, err := send(t.Context(), w.c, erase); err != nil {
		t.Fatalf("together: %v", err)
	}
	if _, err := s.pod.Owner(t.Context(), "somebody"); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("the pod is there: %v", err)
	}
	if _, err := anna.outcome(t.Context(), errand{Do: "party revoke", Party: "nobody"}); err == nil {
		t.Error("nobody is revoked")
	}
	seen := done(t, w.c, errand{Do: "log operator"})
	want := []string{"local asked erase", "anna approved erase", "local begins erase", "local done erase", "anna begins party revoke", "anna failed party revoke"}
	for i, l := range seen.Acts {
		if got := l.By + " " + l.Outcome + " " + l.Did; i >= len(want) || got != want[i] {
			t.Errorf("line %d is %q", i, got)
		}
	}
	if seen.Lines != uint64(len(want)) {
		t.Errorf("%d lines: %+v", seen.Lines, seen.Acts)
	}
	must(t, s.records.Delete(t.Context(), actKind, actKey(3)))
	if _, err := send(t.Context(), w.c, errand{Do: "log operator"}); err == nil {
		t.Error("a log with a hole is whole")
	}
}

// TestDangerousActsAsk: where nobody can be asked nothing is done, and the exit code
// says why.
func TestDangerousActsAsk(t *testing.T) {
	w := newCounty(t, 1, keep{})
	w.operable()
	for what, run := range map[string]func() error{
		"erase":         func() error { return (&eraseCommand{Pod: "x"}).Run(t.Context()) },
		"stolen keys":   func() error { return (&keyRotateCommand{Stolen: true}).Run(t.Context()) },
		"party revoked": func() error { return (&partyRevoke{ID: "x"}).Run(t.Context()) },
		"exported":      func() error { return (&exportCommand{Pod: "x", To: filepath.Join(t.TempDir(), "x")}).Run(t.Context()) },
		"moved":         func() error { return (&movedCommand{Pod: "x"}).Run(t.Context()) },
	} {
		if err := run(); !errors.Is(err, errUnsure) || exitCode(err) != 4 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if seen := done(t, w.c, errand{Do: "log operator"}); seen.Lines != 0 {
		t.Errorf("something was done: %+v", seen.Acts)
	}
	for _, row := range []struct {
		err  error
		code int
	}{{errFaults, 3}, {fmt.Errorf("x: %w", errActs), 3}, {errUnsure, 4}, {toldError{"x", errUnapproved}, 5}, {toldError{"x", errActs}, 3}, {errors.New("x"), 1}} {
		if got := exitCode(row.err); got != row.code {
			t.Errorf("%v: %d", row.err, got)
		}
	}
}

// operable waits until the first server hears errands.
func (w *county) operable() {
	w.t.Helper()
	for range 500 {
		if c, err := net.Dial("unix", socketOf(w.c.Dir)); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("nobody hears errands")
}
