// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
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

// asListeners has this program, started as a process of its own, so that the open
// files of the server are the server's, listen to the channels whose addresses it
// reads, a line each.
const asListeners = "SKRIN_TEST_LISTENERS"

// listenAll connects to one after another, says so, and of each notification prints
// the number of its listener and the time, in nanoseconds. It ends with its standard
// input.
func listenAll(ctx context.Context) error {
	in := bufio.NewScanner(os.Stdin)
	told := make(chan string, 1000)
	go func() {
		for line := range told {
			fmt.Println(line)
		}
	}()
	for i := 0; in.Scan() && in.Text() != ""; i++ {
		conn, _, err := websocket.Dial(ctx, in.Text(), nil)
		if err != nil {
			return err
		}
		told <- "open"
		go func() {
			for {
				_, text, err := conn.Read(ctx)
				if err != nil || !strings.Contains(string(text), `"Create"`) && !strings.Contains(string(text), `"Update"`) {
					told <- fmt.Sprintf("%d got %q, %v", i, text, err)
					return
				}
				told <- fmt.Sprint(i, time.Now().UnixNano())
			}
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// listeners starts that process, which listens at the addresses, and returns what
// gives the next listener that was told, and when.
func listeners(b *testing.B, addresses []string) (next func() (int, time.Time, bool)) {
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), asListeners+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	lines := bufio.NewScanner(out)
	b.Cleanup(func() {
		in.Close()
		for lines.Scan() { // what it says while it ends
		}
		must(b, cmd.Wait())
	})
	_, err = io.WriteString(in, strings.Join(addresses, "\n")+"\n\n")
	must(b, err)
	for i := range addresses {
		if !lines.Scan() || lines.Text() != "open" {
			b.Fatalf("listener %d: %q", i, lines.Text())
		}
	}
	return func() (i int, at time.Time, ok bool) {
		var nano int64
		lines.Scan()
		if n, err := fmt.Sscan(lines.Text(), &i, &nano); n != 2 || err != nil {
			b.Errorf("a listener said %q", lines.Text())
			return 0, at, false
		}
		return i, time.Unix(0, nano), true
	}
}

// BenchmarkDelivery is how long after a write has begun, so the commit is in it too,
// its notification is with the subscriber, by WebSocket: of 1,000 different people
// who listen to one resource, and of 10,000 who listen to one each, of which 100 are
// written one after another. They are in a process of their own. An operation is
// one write; p50, p99 and max are of the notifications.
func BenchmarkDelivery(b *testing.B) {
	for _, row := range []struct {
		name              string
		people, resources int
	}{{"1000OnOne", 1000, 1}, {"10000OnDistinct", 10_000, 10_000}} {
		b.Run(row.name, func(b *testing.B) {
			var files syscall.Rlimit
			must(b, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
			if files.Cur < uint64(row.people+1000) {
				b.Fatalf("the limit of open files is %d", files.Cur)
			}
			w := newWorld(b)
			w.allow("/", grant{acl.Public, "R", "R"}, grant{w.owner.ID, "RWC", "RWC"})
			addresses := make([]string, row.people)
			for i := range addresses {
				s, err := w.pod.Subscribe(b.Context(), acl.Agent{ID: acl.WebID(fmt.Sprintf("https://id.example/%d#me", i))}, podchannel.Subscription{Topic: w.id(fmt.Sprint("/", i%row.resources)), Channel: notify.WebSocket})
				must(b, err)
				addresses[i] = "ws" + strings.TrimPrefix(w.Base, "http") + "/.notifications/channels/" + s.Topic.First() + "/" + s.ID
			}
			next := listeners(b, addresses)
			if n := w.hub.Streams(); n != row.people {
				b.Fatalf("%d people listen", n)
			}
			var mu sync.Mutex
			wrote := make([]time.Time, row.resources)
			each := row.people / row.resources // are told of one write
			var took []time.Duration
			hear := func(n int) {
				for range n {
					i, at, ok := next()
					if !ok {
						return
					}
					mu.Lock()
					took = append(took, at.Sub(wrote[i%row.resources]))
					mu.Unlock()
				}
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				batch := 1
				if row.resources > 1 {
					batch = min(100, b.N-n)
				}
				heard := make(chan struct{})
				go func() { defer close(heard); hear(batch * each) }()
				for range batch {
					i := n * 97 % row.resources
					mu.Lock()
					wrote[i] = time.Now()
					mu.Unlock()
					body := fmt.Sprint(n)
					_, err := w.pod.Put(b.Context(), w.owner, ldp.Put{ID: w.id(fmt.Sprint("/", i)), Type: plain, Body: strings.NewReader(body), Size: int64(len(body))})
					must(b, err)
					n++
				}
				<-heard
			}
			b.StopTimer()
			if len(took) != each*b.N {
				b.Fatalf("%d were told of %d writes", len(took), b.N)
			}
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
