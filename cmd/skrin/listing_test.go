// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/ldp"
)

// A watch is a ResponseWriter that notes when the first byte comes, and how many.
type watch struct {
	header http.Header
	begun  time.Time
	first  time.Duration
	bytes  int
}

func (w *watch) Header() http.Header { return w.header }
func (w *watch) WriteHeader(int)     {}

func (w *watch) Write(p []byte) (int, error) {
	if w.bytes == 0 {
		w.first = time.Since(w.begun)
	}
	w.bytes += len(p)
	return len(p), nil
}

// BenchmarkListing lists containers of the store that the server uses: what a
// member costs must not depend on how many there are, and the first byte must come
// within 5 ms.
func BenchmarkListing(b *testing.B) {
	for _, members := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(members, " members"), func(b *testing.B) {
			w := newWorld(b)
			var all sync.WaitGroup
			for c := range 32 {
				all.Go(func() {
					for i := c; i < members; i += 32 {
						w.put(fmt.Sprintf("/many/%05d", i), plain, "x")
					}
				})
			}
			all.Wait()
			h := &ldp.Handler{Backend: w.pod, Identifier: as{w.owner}, Base: w.Base, Log: w.log}
			r := httptest.NewRequest("GET", string(w.id("/many/")), strings.NewReader(""))
			var first, whole time.Duration
			b.ReportAllocs()
			for b.Loop() {
				out := &watch{header: http.Header{}, begun: time.Now()}
				h.ServeHTTP(out, r)
				first, whole = first+out.first, whole+time.Since(out.begun)
				if out.bytes < 100*members {
					b.Fatalf("%d bytes", out.bytes)
				}
			}
			b.ReportMetric(float64(first.Microseconds())/float64(b.N), "µs-to-first-byte")
			b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N)/float64(members), "ns/member")
		})
	}
}
