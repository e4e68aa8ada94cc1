// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"slices"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod"
)

// TestFind: whatever is asked for, all pages together hold what the whole log has
// of it, once, and newest first.
func TestFind(t *testing.T) {
	w := newTown(t)
	w.connect()
	w.answer("ask", insurer, asks(), func(pod.Offer) pod.Answer { return pod.Answer{} })
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
		filter pod.LogFilter
		want   func(pod.Entry) bool
	}{
		{"all", pod.LogFilter{}, func(pod.Entry) bool { return true }},
		{"of one party", pod.LogFilter{Party: authority}, func(e pod.Entry) bool { return e.Party == authority }},
		{"of nobody", pod.LogFilter{Party: "nobody"}, func(pod.Entry) bool { return false }},
		{"one kind", pod.LogFilter{Actions: []pod.Action{pod.DidThaw}}, func(e pod.Entry) bool { return e.Action == pod.DidThaw }},
		{"some days", pod.LogFilter{From: day(3), Until: day(5)}, func(e pod.Entry) bool { return !e.Time.Before(day(3)) && e.Time.Before(day(5)) }},
		{"before all", pod.LogFilter{Until: day(-1)}, func(pod.Entry) bool { return false }},
		{"after all", pod.LogFilter{From: day(1000)}, func(pod.Entry) bool { return false }},
		{"all of it, of one party, in some days", pod.LogFilter{Party: insurer, From: day(2), Until: day(4)}, func(e pod.Entry) bool {
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
	if _, _, err := w.pod.Find(t.Context(), w.agent(insurer), pod.LogFilter{}, 0, 1); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
}
