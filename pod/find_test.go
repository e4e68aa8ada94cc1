// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/log"
)

// TestFind: whatever is asked for, all pages together hold what the whole log has
// of it, once, and newest first.
func TestFind(t *testing.T) {
	w := newTown(t)
	w.connect()
	w.answer("ask", insurer, asks(), func(consent.Offer) consent.Answer { return consent.Answer{} })
	w.deposit(w.connect2(), w.issue(1, nil))
	w.answer("ask again", insurer, asks(), agree)
	start := w.now
	for i := range 2500 { // every hour the one or the other is stopped, or goes on
		w.now = w.now.Add(time.Hour)
		party, do := authority, w.pod.Freeze
		if i%200 == 0 || i%200 == 100 {
			party = insurer
		}
		if i%200 >= 100 != (i%2 == 0) {
			do = w.pod.Thaw
		}
		must(t, do(t.Context(), w.alva, party))
	}
	all, err := w.pod.Log(t.Context(), w.alva, 0, 10_000)
	must(t, err)
	if len(all) < 2100 {
		t.Fatalf("only %d entries", len(all))
	}
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	for _, row := range []struct {
		what   string
		filter log.Filter
		want   func(log.Entry) bool
	}{
		{"all", log.Filter{}, func(log.Entry) bool { return true }},
		{"of one party", log.Filter{Party: authority}, func(e log.Entry) bool { return e.Party == authority }},
		{"of nobody", log.Filter{Party: "nobody"}, func(log.Entry) bool { return false }},
		{"one kind", log.Filter{Actions: []log.Action{log.DidThaw}}, func(e log.Entry) bool { return e.Action == log.DidThaw }},
		{"some days", log.Filter{From: day(3), Until: day(5)}, func(e log.Entry) bool { return !e.Time.Before(day(3)) && e.Time.Before(day(5)) }},
		{"before all", log.Filter{Until: day(-1)}, func(log.Entry) bool { return false }},
		{"after all", log.Filter{From: day(1000)}, func(log.Entry) bool { return false }},
		{"all of it, of one party, in some days", log.Filter{Party: insurer, From: day(2), Until: day(4)}, func(e log.Entry) bool {
			return e.Party == insurer && !e.Time.Before(day(2)) && e.Time.Before(day(4))
		}},
	} {
		var got, want []uint64
		for _, e := range all {
			if row.want(e) {
				want = append(want, e.Seq)
			}
		}
		before := uint64(0)
		for range 1000 {
			entries, more, err := w.pod.Find(t.Context(), w.alva, row.filter, before, 7)
			must(t, err)
			for _, e := range entries {
				got = append(got, e.Seq)
			}
			if before = more; more == 0 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, want %d", row.what, len(got), len(want))
		}
	}
	if _, more, err := w.pod.Find(t.Context(), w.alva, log.Filter{Party: "nobody"}, 0, 7); err != nil || more == 0 {
		t.Errorf("all of a long log is looked at for one page: %v", err)
	}
	if _, _, err := w.pod.Find(t.Context(), w.agent(insurer), log.Filter{}, 0, 1); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
}

// TestPieces: evidence is found a part at a time, what is current first, then the
// newest; what was removed isn't found.
func TestPieces(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	deposit := w.connect()
	for i := range 5 { // each takes the place of the one before
		w.now = w.now.Add(time.Hour)
		w.deposit(deposit, w.issue(1, func(s *credential.Statement) { s.Claims[1].Value = fmt.Sprintf("2026-10-%02d", i+1) }))
	}
	days := func(from, n, total int) string {
		t.Helper()
		some, all, err := w.pod.Pieces(ctx, w.alva, from, n)
		must(t, err)
		if all != total {
			t.Errorf("there are %d, want %d", all, total)
		}
		s := ""
		for _, e := range some {
			s += e.Facts[1].Value[8:] + string(e.Ended[:min(1, len(e.Ended))]) + " "
		}
		return s
	}
	for _, row := range []struct {
		from, n int
		want    string
	}{{0, 2, "05 04s "}, {2, 2, "03s 02s "}, {4, 2, "01s "}, {5, 2, ""}, {90, 2, ""}, {-1, 1, "05 "}, {0, 0, ""}} {
		if got := days(row.from, row.n, 5); got != row.want {
			t.Errorf("from %d on, %d: %q, want %q", row.from, row.n, got, row.want)
		}
	}
	newest, _, err := w.pod.Pieces(ctx, w.alva, 0, 1)
	must(t, err)
	one, err := w.pod.Piece(ctx, w.alva, newest[0].ID)
	if err != nil || one.ID != newest[0].ID {
		t.Errorf("one piece: %v, %v", one, err)
	}
	must(t, w.pod.RemoveEvidence(ctx, w.alva, newest[0].ID))
	if got := days(0, 9, 4); got != "04s 03s 02s 01s " {
		t.Errorf("after the removal: %q", got)
	}
	for _, id := range []string{newest[0].ID, "", "x", "../p"} {
		if _, err := w.pod.Piece(ctx, w.alva, id); ldp.KindOf(err) != ldp.NotFound {
			t.Errorf("%q is found: %v", id, err)
		}
	}
}
