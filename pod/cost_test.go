// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
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

// TestDecisionCostsTheSame: the person's decision, and each read that follows
// from one, ask the store as often, and find as much there, in a pod with 1,000
// grants as in one with ten.
func TestDecisionCostsTheSame(t *testing.T) {
	costs := map[string]int{}
	for _, n := range []int{10, 1000} {
		w, m := newCounted(t, "person-alva-2")
		if testing.Short() {
			n /= 5
		}
		there := w.many(n)
		var took []string
		var err error
		measure := func(what string, do func()) {
			m.gets, m.pairs = 0, 0
			do()
			took = append(took, fmt.Sprintf("%s: %d times, %d found", what, m.gets, m.pairs))
		}
		measure("a read", func() { _, err = w.read(insurer, there, pod.TypeTurtle) })
		must(t, err)
		id, err := w.pod.Begin(t.Context(), w.alva, "one more", insurer, []json.RawMessage{asks()})
		must(t, err)
		var o consent.Offer
		measure("what is open", func() { _, err = w.pod.Requests(t.Context(), w.alva) })
		must(t, err)
		measure("a page of what is shared", func() { _, _, err = w.pod.SharesAfter(t.Context(), w.alva, "", 1) })
		must(t, err)
		measure("what ends soon", func() { _, err = w.pod.Ending(t.Context(), w.alva, w.now.AddDate(0, 0, 14), 5) })
		must(t, err)
		measure("the screen", func() { o, err = w.pod.Offer(t.Context(), w.alva, id) })
		must(t, err)
		measure("a yes", func() { _, err = w.pod.Answer(t.Context(), w.alva, id, agree(o)) })
		must(t, err)
		t.Logf("with %d grants: %v", n, took)
		costs[fmt.Sprint(took)]++
	}
	if len(costs) != 1 {
		t.Errorf("it depends on the number of grants: %v", costs)
	}
}

// TestAPartysReadAsksTwice: what a party reads asks the store twice, so that on a
// database it is three round trips: to begin with whether it may, the evidence with its
// signed form, and to commit with the log's entry; and once more for which evidence is
// the current one.
func TestAPartysReadAsksTwice(t *testing.T) {
	w, m := newCounted(t, "person-alva-2")
	once := w.many(1)
	standing := w.location(w.answer("standing", insurer, json.RawMessage(strings.Replace(string(asks()), `"use"`, `"standing":true,"use"`, 1)), agree))
	for there, want := range map[ldp.ID]int{once: 2, standing: 3} {
		for _, media := range []string{credential.MediaType, "text/turtle"} {
			m.gets, m.pairs, m.views = 0, 0, 0
			_, err := w.read(insurer, there, media)
			must(t, err)
			if m.gets != want || m.pairs != 0 || m.views != 0 {
				t.Errorf("%s: it asks %d times in its transaction, want %d, and %d times before", media, m.gets, want, m.views)
			}
		}
	}
}

// BenchmarkYes is the person's decision itself, in pods with few and with many
// grants. Each iteration adds one.
func BenchmarkYes(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d grants", n), func(b *testing.B) {
			w := newTown(b)
			w.pod.Store = podtest.New(b)
			var err error
			w.alva, err = w.pod.Make(b.Context(), "person-alva-2")
			must(b, err)
			w.many(n)
			i := 0
			for b.Loop() {
				i++
				w.answer(fmt.Sprint("again", i), insurer, asks(), agree)
			}
		})
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

// errRead is that a body was read.
var errRead = errors.New("the body was read")

// TestWriteAsksOnce: a small write of the owner's asks the store once, so that on a
// database it is two round trips: to begin and look, to commit. Of what anybody else sends,
// and of what may be large, no byte is read before it is permitted.
func TestWriteAsksOnce(t *testing.T) {
	b := newBench(t)
	b.Pod.Store = b.mem
	b.must(b.put(b.owner, "notes/a", turtle, "<> <urn:n> 1 ."))
	for _, path := range []string{"notes/a", "notes/b", "other/c/d"} {
		b.mem.gets, b.mem.views = 0, 0
		b.must(b.put(b.owner, path, turtle, "<> <urn:n> 2 ."))
		if b.mem.gets != 1 || b.mem.views != 0 {
			t.Errorf("%s: it asks the store %d times in its transaction, and %d times before", path, b.mem.gets, b.mem.views)
		}
	}
	for _, row := range []struct {
		says string
		who  acl.Agent
		path string
		size int64
		want error
	}{
		{"a stranger", acl.Agent{}, "notes/a", 10, ldp.Unauthenticated},
		{"another", bob, "notes/a", 10, ldp.Forbidden},
		{"the owner, where nothing can be, with much", b.owner, "evidence/x", 1 << 20, ldp.NotAllowed},
		{"the owner, where nothing can be, with who knows how much", b.owner, "evidence/x", -1, ldp.NotAllowed},
		{"the owner, little", b.owner, "notes/a", 10, errRead},
	} {
		req := ldp.Put{ID: b.id(row.path), Type: "text/plain", Body: iotest.ErrReader(errRead), Size: row.size}
		if _, err := b.Pod.Put(t.Context(), row.who, req); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.says, err, row.want)
		}
	}
}
