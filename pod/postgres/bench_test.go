// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/store"
)

// BenchmarkUpdate is a durable write of 1 KiB by 64 clients, each to a pod of its
// own, with a read of four keys before it; BenchmarkView the same read.
func BenchmarkUpdate(b *testing.B) {
	bench(b, func(s *postgres.Store, name store.Name) error {
		return s.Update(b.Context(), name, func(tx store.Tx) error {
			if _, err := tx.Get("k", "l", "m", "n"); err != nil {
				return err
			}
			tx.Put("k", make([]byte, 1<<10))
			return nil
		})
	})
}

func BenchmarkView(b *testing.B) {
	bench(b, func(s *postgres.Store, name store.Name) error {
		return s.View(b.Context(), name, func(tx store.Tx) error { _, err := tx.Get("k", "l", "m", "n"); return err })
	})
}

func bench(b *testing.B, call func(*postgres.Store, store.Name) error) {
	s, err := postgres.Open(b.Context(), postgres.Options{URL: podtest.NewPostgres(b).Schema() + "&pool_max_conns=64", Now: time.Now})
	must(b, err)
	defer func() { must(b, s.Close()) }()
	for i := range 64 {
		must(b, s.Create(b.Context(), fmt.Sprint(i), func(tx store.Tx) error { tx.Put("k", nil); return nil }))
	}
	var next atomic.Int32
	b.SetParallelism(32) // on two cores 64 clients
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		name := store.Name(fmt.Sprint("id/", next.Add(1)%64))
		for p.Next() {
			if err := call(s, name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
