// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skrin/auth/dpop"
)

// asCrowd has this program, started as a process of its own, open connections: to
// the address, so many, on each so many bytes of a header that doesn't end.
const asCrowd = "SKRIN_TEST_CROWD"

// crowdAt opens them, says so, and ends with its standard input. Where the server
// closes some, it goes on.
func crowdAt(order string) {
	var address string
	var n, size int
	if _, err := fmt.Sscan(order, &address, &n, &size); err != nil {
		panic(err)
	}
	header := []byte("GET / HTTP/1.1\r\nHost: x\r\nX-Crowd: " + strings.Repeat("x", size))
	all := make([]net.Conn, n)
	open := 0
	for i := range all {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		if size > 0 {
			_, err = conn.Write(header)
		}
		if all[i] = conn; err == nil {
			open++
		}
	}
	fmt.Println(open)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// callers starts such a process, and returns how many connections it could open, and
// what closes them.
func callers(t *testing.T, address string, n, size int) (open func() int, leave func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", asCrowd, address, n, size))
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	open = func() (n int) {
		_, err := fmt.Fscan(out, &n)
		must(t, err)
		return n
	}
	return open, func() { in.Close(); must(t, cmd.Wait()) }
}

// TestIdleConnections: 10,000 of them keep nobody from being served, and are gone
// when they end.
func TestIdleConnections(t *testing.T) {
	const n = 10_000
	var files syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Max < n+1000 {
		t.Fatalf("the limit of open files is %d", files.Max)
	}
	files.Cur = files.Max
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files))
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Connections: n + 100, Idle: time.Hour, HeaderTime: time.Hour} })
	address := strings.Replace(strings.TrimPrefix(w.Base, "http://"), "localhost", "127.0.0.1", 1)
	if a := w.ask(w.alice, "PUT", "/kept", "text/plain", "kept"); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	open, leave := callers(t, address, n, 0)
	var all, served int
	told := make(chan int)
	go func() { told <- open() }()
	for all == 0 {
		select {
		case all = <-told:
		default:
		}
		if a := w.ask(w.alice, "GET", "/kept", "", ""); a.StatusCode != 200 || a.body != "kept" {
			t.Fatalf("meanwhile: %s %s", a.Status, a.body)
		}
		served++
	}
	if all != n || served < 2 {
		t.Errorf("%d connections, beside which %d were served", all, served)
	}
	until(t, "the server has them all", func() bool { return w.guard.value(t, "skrin_connections") >= n })
	if a := w.ask(w.alice, "PUT", "/after", "text/plain", "x"); a.StatusCode != 201 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	leave()
	until(t, "they are gone", func() bool { return w.guard.value(t, "skrin_connections") < 50 })
}

// TestMemoryIsBounded: 8,000 connections that send 60 kB of a header each, and
// don't end it, would take half a gigabyte. A server that may have 256 MiB keeps
// below that, and serves again when they are gone.
func TestMemoryIsBounded(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the memory of a process is read from /proc")
	}
	const bound = 256 << 20
	s := newShell(t)
	pid := s.serve("--limit-memory=256MiB", "--limit-header-time=1h", "--limit-requests=64")
	most := int64(0)
	look := func() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		must(t, err)
		_, rest, _ := strings.Cut(string(text), "RssAnon:")
		var kb int64
		_, err = fmt.Sscan(rest, &kb)
		must(t, err)
		most = max(most, kb<<10)
	}
	open, leave := callers(t, fmt.Sprintf("127.0.0.1:%d", s.port), 8000, 60_000)
	told := make(chan int)
	go func() { told <- open() }()
	for all := -1; all < 0; look() {
		select {
		case all = <-told:
			t.Logf("%d were taken", all)
		default:
		}
	}
	look()
	leave()
	t.Logf("the process had %d MB at most", most>>20)
	if most > bound {
		t.Errorf("the process had %d bytes", most)
	}
	if most < bound/4 {
		t.Errorf("the process had %d bytes only: this shows nothing", most)
	}
	s.answers()
}

// TestTenTimesTheirRate: of 32 clients that each send ten times what they may, what
// they may is served, the rest is told to wait, and all that was answered with yes is
// there; who keeps to the limit notices nothing; and who waits is served again.
func TestTenTimesTheirRate(t *testing.T) {
	const clients = 32
	limit := rate{10, time.Minute}
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Client: limit, Requests: 2 * clients} })
	flood := w.Base + string(w.root) + "flood/"
	users := make([]solidUser, clients)
	for i := range users {
		id, secret, err := w.provider.NewScript(t.Context(), fmt.Sprint("person-", i), w.owner.ID, "flood")
		must(t, err)
		key, err := dpop.NewKey()
		must(t, err)
		users[i] = solidUser{t, w.owner.ID, key, scriptToken(t, w.Base, id, secret, key)}
	}
	began := time.Now()
	var mu sync.Mutex
	var kept []string
	var refused, others atomic.Int64
	var wg sync.WaitGroup
	for i, u := range users {
		wg.Go(func() {
			for n := range 10 * limit.N {
				name := fmt.Sprintf("c%dn%d", i, n)
				switch status := u.do("PUT", flood+name, "text/plain", name); status {
				case http.StatusCreated:
					mu.Lock()
					kept = append(kept, name)
					mu.Unlock()
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("answered %d", status)
				}
			}
		})
	}
	for range limit.N - 2 { // somebody who keeps to it, meanwhile
		if a := w.ask(w.alice, "PUT", "/mine", "text/plain", "x"); a.StatusCode/100 != 2 {
			t.Errorf("another is answered %s", a.Status)
		} else {
			others.Add(1)
		}
	}
	wg.Wait()
	most := clients * (limit.N + 1 + int(time.Since(began)/(limit.Per/time.Duration(limit.N))))
	if len(kept) < clients*limit.N || len(kept) > most || len(kept)+int(refused.Load()) != clients*10*limit.N {
		t.Errorf("%d were served and %d refused; at least %d and at most %d may be", len(kept), refused.Load(), clients*limit.N, most)
	}
	if got := w.guard.value(t, "skrin_refusals_total", `"`+byClient+`"`); got != float64(refused.Load()) {
		t.Errorf("%v refusals are counted, of %d", got, refused.Load())
	}
	listing := w.ask(w.alice, "GET", "/flood/", "", "")
	for _, name := range kept {
		if !strings.Contains(listing.body, name) {
			t.Fatalf("%s was answered with 201 and is not there: %s", name, listing.Status)
		}
	}
	if w.guard.underWay.Load() != 0 || len(w.guard.together.n) != 0 {
		t.Errorf("%d are under way, %d addresses", w.guard.underWay.Load(), len(w.guard.together.n))
	}
	until(t, "who has waited is served again", func() bool {
		return users[0].do("PUT", flood+"later", "text/plain", "later")/100 == 2
	})
}
