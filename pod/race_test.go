// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// TestWithdrawalAgainstReaders: while 32 readers read without a pause, the person
// withdraws. No read that began after Withdraw had returned succeeds.
func TestWithdrawalAgainstReaders(t *testing.T) {
	w := newTown(t)
	w.pod.Store = podtest.New(t)
	var err error
	w.alva, err = w.pod.Make(t.Context(), "person-alva-2")
	must(t, err)
	w.deposit(w.connect(), w.issue(2, nil))
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	before, after := 0, 0
	for round := range rounds {
		there := w.location(w.answer(fmt.Sprint("ask", round), insurer, asks(), agree))
		consent := w.shares()[0].Consent.ID
		for _, s := range w.shares() {
			if s.Active {
				consent = s.Consent.ID
			}
		}
		var withdrawn atomic.Bool
		var good, late, refused atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				accept := []string{pod.TypeTurtle, credential.MediaType}[i%2]
				for ctx.Err() == nil {
					began := withdrawn.Load()
					_, err := w.read(insurer, there, accept)
					switch {
					case err == nil && began:
						late.Add(1)
					case err == nil:
						good.Add(1)
					case ldp.KindOf(err) == ldp.Forbidden && began:
						refused.Add(1)
					case ldp.KindOf(err) != ldp.Forbidden:
						t.Errorf("a read: %v", err)
					}
				}
			})
		}
		for end := time.Now().Add(10 * time.Second); good.Load() < 64 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		must(t, w.pod.Withdraw(t.Context(), w.alva, consent))
		withdrawn.Store(true)
		for end := time.Now().Add(10 * time.Second); refused.Load() < 64 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		stop()
		wg.Wait()
		if late.Load() != 0 || good.Load() == 0 || refused.Load() == 0 {
			t.Errorf("round %d: %d reads before, %d after the withdrawal, %d refused", round, good.Load(), late.Load(), refused.Load())
		}
		before, after = before+int(good.Load()), after+int(refused.Load())
	}
	t.Logf("%d reads before the withdrawals, %d refused after", before, after)
}
