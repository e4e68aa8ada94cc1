// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod"
)

// BenchmarkThirdPartyRead is a consumer's read of granted evidence, as the
// server does it: token and DPoP proof verified, permission decided, the log
// entry durable. 64 clients read at once, of 64 people. The proofs are made
// before; making them is the clients' work.
func BenchmarkThirdPartyRead(b *testing.B) {
	const people, clients = 64, 64
	w, err := newCrowd(b.Context(), b.TempDir(), people, 1, "", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	now, r := time.Now().UTC(), w.recipients[0]
	for i := range people {
		if err := w.settle(b.Context(), i, now); err != nil {
			b.Fatal(err)
		}
		if err := w.share(b.Context(), r, i, now); err != nil {
			b.Fatal(err)
		}
	}
	w.clock.Store(nil)
	token, err := r.client.Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	proofs := make([]string, b.N)
	for i := range proofs {
		if proofs[i], err = r.client.DPoP.Proof("GET", r.at[i%people], token, "", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	b.SetParallelism(clients / 2) // times the number of cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1) - 1)
			req := httptest.NewRequest("GET", r.at[i%people], nil)
			req.Header.Set("Accept", pod.TypeSDJWT)
			req.Header.Set("Authorization", "DPoP "+token)
			req.Header.Set("DPoP", proofs[i])
			answer := httptest.NewRecorder()
			w.handler.ServeHTTP(answer, req)
			if answer.Code != 200 {
				b.Errorf("%d %s", answer.Code, answer.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
