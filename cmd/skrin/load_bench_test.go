// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp"
)

// BenchmarkOthers is how long others wait, who keep to their rate, while nobody else
// asks and while 32 clients send ten times what they may. An operation is a second
// of each; the figures are of all answers, with the clients in this process, so that
// their work is in it.
func BenchmarkOthers(b *testing.B) {
	const clients, others = 32, 8
	limit := rate{300, time.Minute} // 5 a second
	w := newWorldOf(b, func(c *config) { c.Limit = limitSettings{Client: limit, Requests: 1024} })
	if a := w.ask(w.alice, "PUT", "/kept", "text/plain", "kept"); a.StatusCode != 201 {
		b.Fatalf("%s %s", a.Status, a.body)
	}
	users := make([]solidUser, clients+others)
	for i := range users {
		id, secret, err := w.provider.NewScript(b.Context(), fmt.Sprint("person-", i), w.owner.ID, "load")
		must(b, err)
		key, err := dpop.NewKey()
		must(b, err)
		users[i] = solidUser{b, w.owner.ID, key, scriptToken(b, w.Base, id, secret, key)}
	}
	every := limit.Per / time.Duration(limit.N)
	kept := w.Base + string(w.id("/kept"))
	var waited, refused atomic.Int64
	second := func(flood bool) (took []time.Duration) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		end := time.Now().Add(time.Second)
		pace := func(u solidUser, every time.Duration, each func(status int, took time.Duration)) {
			wg.Go(func() {
				for at := time.Now().Add(rand.N(every)); at.Before(end); at = at.Add(every) { // none waits for another's clock
					time.Sleep(time.Until(at))
					began := time.Now()
					each(u.do("GET", kept, "", ""), time.Since(began))
				}
			})
		}
		for _, u := range users[clients:] {
			pace(u, every, func(status int, d time.Duration) {
				if status != http.StatusOK {
					waited.Add(1)
				}
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			})
		}
		if flood {
			for _, u := range users[:clients] {
				pace(u, every/10, func(status int, _ time.Duration) {
					if status == http.StatusTooManyRequests {
						refused.Add(1)
					}
				})
			}
		}
		wg.Wait()
		return took
	}
	for refused.Load() < 10*clients { // what may be asked at once is used up
		second(true)
	}
	var quiet, flooded []time.Duration
	b.ResetTimer()
	for b.Loop() {
		quiet = append(quiet, second(false)...)
		flooded = append(flooded, second(true)...)
	}
	b.StopTimer()
	at := func(all []time.Duration, part float64) float64 {
		slices.Sort(all)
		return all[min(int(part*float64(len(all))), len(all)-1)].Seconds() * 1000
	}
	b.ReportMetric(at(quiet, 0.5), "p50-quiet-ms")
	b.ReportMetric(at(quiet, 0.99), "p99-quiet-ms")
	b.ReportMetric(at(flooded, 0.5), "p50-flood-ms")
	b.ReportMetric(at(flooded, 0.99), "p99-flood-ms")
	b.ReportMetric(at(flooded, 0.99)/at(quiet, 0.99), "ratio")
	b.ReportMetric(float64(waited.Load()), "others-refused")
	b.ReportMetric(float64(refused.Load())/float64(b.N), "refused/op")
}

// BenchmarkStart is how long the program takes from its start to its first answer, on
// a store of 1,000 pods with ten resources each.
func BenchmarkStart(b *testing.B) {
	dir, err := os.MkdirTemp("", "skrin-st-")
	must(b, err)
	defer os.RemoveAll(dir)
	skrin := filepath.Join(dir, "skrin")
	if out, err := exec.Command("go", "build", "-o", skrin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	key, port := filepath.Join(dir, "master.key"), freePorts(b)
	must(b, os.WriteFile(key, []byte(newKey(false)), 0o600))
	must(b, os.Mkdir(filepath.Join(dir, "eids"), 0o700))
	flags := []string{"--base=https://pod.example.se", "--dir=" + filepath.Join(dir, "data"), "--key-file=" + key, "--eids=" + filepath.Join(dir, "eids"), fmt.Sprintf("--listen=127.0.0.1:%d", port)}
	c := config{Base: "https://pod.example.se", Dir: filepath.Join(dir, "data"), Token: time.Minute}
	c.Key, err = readKey(key, false)
	must(b, err)
	benchFill(b, c, 1000, 10)
	b.ResetTimer()
	for b.Loop() {
		cmd := exec.Command(skrin, append([]string{"serve"}, flags...)...)
		must(b, cmd.Start())
		for {
			resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/nobody/card", port))
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized { // the store was asked
					b.Fatal(resp.Status)
				}
				break
			} else if !errors.Is(err, syscall.ECONNREFUSED) {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		must(b, cmd.Process.Signal(syscall.SIGTERM))
		must(b, cmd.Wait())
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/start")
}

// benchFill makes so many pods with so many resources each.
func benchFill(b *testing.B, c config, pods, resources int) {
	b.Helper()
	s, err := newServer(b.Context(), c, slog.New(slog.DiscardHandler))
	must(b, err)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 32 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(pods); i = next.Add(1) {
				who, err := s.pod.Make(b.Context(), fmt.Sprint("person-", i))
				must(b, err)
				root := strings.TrimSuffix(strings.TrimPrefix(string(who.ID), c.Base), "profile/card#me")
				for n := range resources {
					_, err := s.pod.Put(b.Context(), who, ldp.Put{ID: ldp.ID(fmt.Sprint(root, "notes/", n)), Type: "text/turtle", Body: strings.NewReader("<> <urn:n> 1 ."), Size: 14})
					must(b, err)
				}
			}
		})
	}
	wg.Wait()
	must(b, s.Close())
}
