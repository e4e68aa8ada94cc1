// SPDX-License-Identifier: EUPL-1.2

package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/auth"
	"skrin/pod/pebble"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

const crashWriters = 32

// TestCrash kills 32 writers. Each makes the steps 1, 2, 3… in its own pod and
// adds one to a number in a pod of all; a step is two values, one of them large,
// a name that moves on, and a Due time, in one commit; then a record.
func TestCrash(t *testing.T) {
	var longest time.Duration
	podtest.Crash(t, crashWrite, func(dir string, acked []string) { longest = max(longest, checkCrash(t, dir, acked)) })
	t.Logf("the longest time to open was %v", longest.Round(time.Millisecond))
}

func crashPod(w int) store.Name         { return store.Name(fmt.Sprint("id/p", w)) }
func crashName(w int, n int) store.Name { return store.Name(fmt.Sprint("pod/", w, "-", n)) }

func large(n int) []byte { return []byte(strings.Repeat(fmt.Sprintf("%08d", n), 1+n%5000)) }

func crashWrite(dir string, acked func(string)) {
	s, err := pebble.Open(dir, pebble.Options{Now: time.Now})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	never := func(err error) {
		if err != nil && !errors.Is(err, store.ErrTaken) {
			panic(err)
		}
	}
	never(s.Create(ctx, "all", func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil }))
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			never(s.Create(ctx, fmt.Sprint("p", w), func(tx store.Tx) error {
				tx.Put("n", []byte("0"))
				tx.Put("large", large(0))
				return nil
			}))
			for {
				n := 0
				never(s.Update(ctx, crashPod(w), func(tx store.Tx) (err error) { n, err = crashStep(tx, w); return err }))
				acked(fmt.Sprint("step,", w, ",", n))
				never(s.Save(ctx, "crash", fmt.Sprint(w, "-", n), auth.Record{Value: fmt.Append(nil, n)}))
				acked(fmt.Sprint("record,", w, ",", n))
				never(s.Update(ctx, "id/all", func(tx store.Tx) error { _, err := next(tx); return err }))
				acked("all,0,0")
			}
		})
	}
	wg.Wait()
}

// next adds one to the number under n.
func next(tx store.Tx) (int, error) {
	values, err := tx.Get("n")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(values[0]))
	tx.Put("n", fmt.Append(nil, n+1))
	return n + 1, err
}

func crashStep(tx store.Tx, w int) (int, error) {
	n, err := next(tx)
	tx.Put("large", large(n))
	tx.Release(crashName(w, n-1))
	tx.Claim(crashName(w, n))
	tx.Due(time.Unix(int64(n), 0))
	return n, err
}

// checkCrash looks at what a killed process has left, and returns how long it took to
// open.
func checkCrash(t *testing.T, dir string, acked []string) (took time.Duration) {
	began := time.Now()
	s := openDir(t, dir, time.Now)
	took = time.Since(began)
	defer func() { must(t, s.Close()) }()
	var steps [crashWriters]int
	added := 0
	for _, line := range acked {
		part := strings.Split(line, ",")
		w, _ := strconv.Atoi(part[1])
		n, _ := strconv.Atoi(part[2])
		switch part[0] {
		case "step":
			steps[w] = n
		case "record":
			if r, err := s.Load(t.Context(), "crash", fmt.Sprint(w, "-", n)); err != nil || string(r.Value) != fmt.Sprint(n) {
				t.Errorf("record %d-%d is %q, %v", w, n, r.Value, err)
			}
		case "all":
			added++
		}
	}
	for w, n := range steps {
		checkStep(t, s, w, n)
	}
	// All rounds add to one number; this round's are the latest.
	var all int
	must(t, s.Update(t.Context(), "id/all", func(tx store.Tx) error {
		values, err := tx.Get("n")
		all, _ = strconv.Atoi(string(values[0]))
		tx.Put("n", []byte("0"))
		return err
	}))
	if all < added || all > added+crashWriters {
		t.Errorf("%d were added, and %d acknowledged", all, added)
	}
	return took
}

// checkStep looks at a writer's pod: the step that was acknowledged last is
// there, or the one after, and it is whole.
func checkStep(t *testing.T, s *pebble.Store, w, acked int) {
	t.Helper()
	err := s.View(t.Context(), crashPod(w), func(tx store.Tx) error {
		values, err := tx.Get("n", "large")
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(values[0]))
		if acked != 0 && n != acked && n != acked+1 {
			t.Errorf("writer %d: step %d was acknowledged, step %d is there", w, acked, n)
		}
		if string(values[1]) != string(large(n)) {
			t.Errorf("writer %d: step %d is half there", w, n)
		}
		for step := max(1, n-1); step <= n+1; step++ {
			err := s.View(t.Context(), crashName(w, step), func(store.Tx) error { return nil })
			if errors.Is(err, store.ErrNoPod) == (step == n) {
				t.Errorf("writer %d: at step %d the name of step %d: %v", w, n, step, err)
			}
		}
		return nil
	})
	if err != nil && !(errors.Is(err, store.ErrNoPod) && acked == 0) {
		t.Errorf("writer %d: %v", w, err)
	}
}
