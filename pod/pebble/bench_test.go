// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"skrin/auth"
	"skrin/pod/store"
)

// The transaction of these benchmarks: 2 keys are read, 3 written, 1.2 kB.
var benchValue = []byte(strings.Repeat("v", 400))

func benchStore(b *testing.B, pods int) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), Options{Now: time.Now})
	must(b, err)
	b.Cleanup(func() { must(b, s.Close()) })
	var wg sync.WaitGroup
	for i := range pods {
		wg.Go(func() {
			must(b, s.Create(context.Background(), fmt.Sprint("p", i), func(tx store.Tx) error {
				for k := range 1000 / pods {
					tx.Put(fmt.Sprintf("k%04d", k), benchValue)
				}
				return nil
			}))
		})
	}
	wg.Wait()
	return s
}

// spread runs op b.N times from n goroutines.
func spread(b *testing.B, n int, op func(worker, i int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range n {
		wg.Go(func() {
			for i := left.Add(-1); i >= 0; i = left.Add(-1) {
				if err := op(w, int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// BenchmarkBare is what the database does by itself: the measure of the others.
func BenchmarkBare(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b, 1)
			spread(b, n, func(w, i int) error {
				batch := s.db.NewBatch()
				for k := range 3 {
					_ = batch.Set(fmt.Appendf(nil, "x%d/k%d", w, k), benchValue, nil)
				}
				return batch.Commit(pebble.Sync)
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, row := range []struct{ writers, pods int }{{1, 1}, {64, 64}, {64, 1}} {
		b.Run(fmt.Sprintf("%d-on-%d-pods", row.writers, row.pods), func(b *testing.B) {
			s := benchStore(b, row.pods)
			spread(b, row.writers, func(w, i int) error {
				return s.Update(context.Background(), store.Name(fmt.Sprint("id/p", w%row.pods)), func(tx store.Tx) error {
					if _, err := tx.Get("k0001", "k0002"); err != nil {
						return err
					}
					for k := range 3 {
						tx.Put(fmt.Sprintf("k%04d", k), benchValue)
					}
					return nil
				})
			})
		})
	}
}

func BenchmarkView(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("5-keys-%d", n), func(b *testing.B) {
			s := benchStore(b, 1)
			spread(b, n, func(w, i int) error {
				return s.View(context.Background(), "id/p0", func(tx store.Tx) error {
					_, err := tx.Get("k0001", "k0300", "k0500", "none", "k0900")
					return err
				})
			})
		})
	}
	b.Run("scan-1000", func(b *testing.B) {
		s := benchStore(b, 1)
		spread(b, 1, func(w, i int) error {
			return s.View(context.Background(), "id/p0", func(tx store.Tx) error {
				found, err := tx.Scan("", "", 1000)
				if len(found) != 1000 {
					return fmt.Errorf("%d keys", len(found))
				}
				return err
			})
		})
	})
}

func BenchmarkSnapshot(b *testing.B) {
	s := benchStore(b, 1)
	spread(b, 1, func(int, int) error { return s.db.NewSnapshot().Close() })
}

func BenchmarkSave(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b, 1)
			spread(b, n, func(w, i int) error {
				return s.Save(context.Background(), "kind", fmt.Sprint(i), auth.Record{Value: benchValue, Until: time.Now().Add(time.Hour)})
			})
		})
	}
}
