// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"skrin/acl"
	"skrin/ldp"
	podchannel "skrin/pod/channel"
	"skrin/pod/notify"
)

// BenchmarkDelivery is how long after a write has begun its notification is with
// the subscriber, so the commit is in it too: by WebSocket: of 1,000 different people who listen to one resource,
// and of 10,000 who listen to one each, of 100 are written one after another. All
// are in this process; of the 10,000, as many as its open files allow. An
// operation is one write; p50, p99 and max are of the notifications.
func BenchmarkDelivery(b *testing.B) {
	for _, row := range []struct {
		name              string
		people, resources int
	}{{"1000OnOne", 1000, 1}, {"10000OnDistinct", 10000, 10000}} {
		b.Run(row.name, func(b *testing.B) {
			var files syscall.Rlimit
			must(b, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
			row.people = min(row.people, int(files.Cur-500)/2)
			row.resources = min(row.resources, row.people)
			w := newWorld(b)
			w.allow("/", grant{acl.Public, "R", "R"}, grant{w.owner.ID, "RWC", "RWC"})
			var mu sync.Mutex
			var took []time.Duration
			wrote := make([]time.Time, row.resources)
			var told sync.WaitGroup
			listen := func(i int) {
				path := fmt.Sprint("/", i%row.resources)
				s, err := w.pod.Subscribe(b.Context(), acl.Agent{ID: acl.WebID(fmt.Sprintf("https://id.example/%d#me", i))}, podchannel.Subscription{Topic: w.id(path), Channel: notify.WebSocket})
				must(b, err)
				address := "ws" + strings.TrimPrefix(w.Base, "http") + "/.notifications/channels/" + s.Topic.First() + "/" + s.ID
				conn, _, err := websocket.Dial(b.Context(), address, nil)
				must(b, err)
				b.Cleanup(func() { conn.CloseNow() })
				go func() {
					for {
						if _, _, err := conn.Read(context.WithoutCancel(b.Context())); err != nil {
							return
						}
						now := time.Now()
						mu.Lock()
						took = append(took, now.Sub(wrote[i%row.resources]))
						mu.Unlock()
						told.Done()
					}
				}()
			}
			for i := range row.people {
				listen(i)
			}
			b.ResetTimer()
			for n := range b.N {
				i := n * 97 % row.resources
				told.Add(row.people / row.resources)
				body := fmt.Sprint(n)
				mu.Lock()
				wrote[i] = time.Now()
				mu.Unlock()
				_, err := w.pod.Put(b.Context(), w.owner, ldp.Put{ID: w.id(fmt.Sprint("/", i)), Type: plain, Body: strings.NewReader(body), Size: int64(len(body))})
				must(b, err)
				if row.resources == 1 || n%100 == 99 {
					told.Wait()
				}
			}
			told.Wait()
			slices.Sort(took)
			at := func(part float64) float64 {
				return max(0, took[min(int(part*float64(len(took))), len(took)-1)].Seconds()*1000)
			}
			b.ReportMetric(float64(row.people), "people")
			b.ReportMetric(at(0.5), "p50-ms")
			b.ReportMetric(at(0.99), "p99-ms")
			b.ReportMetric(at(1), "max-ms")
		})
	}
}
