// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"testing"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// many gives the insurer n grants in Alva's pod, and returns where one of them
// is.
func (w *town) many(n int) ldp.ID {
	w.t.Helper()
	w.deposit(w.connect(), w.issue(1, func(s *credential.Statement) { s.Expires = w.now.AddDate(1, 0, 0) }))
	var there ldp.ID
	for i := range n {
		there = w.location(w.answer(fmt.Sprint("ask", i), insurer, asks(), agree))
	}
	return there
}

// TestDecisionCostsTheSame: a read asks the store as often in a pod with 1,000
// grants as in one with ten.
func TestDecisionCostsTheSame(t *testing.T) {
	cost := map[int]int{}
	for _, n := range []int{10, 1000} {
		w := newTown(t)
		m := newMemory(t)
		w.pod.Store = m
		var err error
		w.alva, err = w.pod.Make(t.Context(), "person-alva-2")
		must(t, err)
		if testing.Short() {
			n /= 5
		}
		there := w.many(n)
		before := m.gets
		_, err = w.read(insurer, there, pod.TypeTurtle)
		must(t, err)
		cost[m.gets-before]++
		t.Logf("with %d grants a read asks the store %d times", n, m.gets-before)
	}
	if len(cost) != 1 {
		t.Errorf("it depends on the number of grants: %v", cost)
	}
}

// BenchmarkDecision is a read, with its durable log entry, in pods with few and
// with many grants.
func BenchmarkDecision(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d grants", n), func(b *testing.B) {
			w := newTown(b)
			w.pod.Store = podtest.New(b)
			var err error
			w.alva, err = w.pod.Make(b.Context(), "person-alva-2")
			must(b, err)
			there := w.many(n)
			for b.Loop() {
				if _, err := w.read(insurer, there, pod.TypeTurtle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
