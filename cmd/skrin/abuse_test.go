// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skrin/auth/dpop"
)

// TestIdleConnections: 10,000 of them, or as many as this process may open both ends
// of, keep nobody from being served, and are gone when they end.
func TestIdleConnections(t *testing.T) {
	var files syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	n := min(10_000, (int(min(files.Cur, 1<<30))-2000)/2)
	if n < 10_000 {
		t.Logf("%d connections: the limit of open files is %d", n, files.Cur)
	}
	if n < 100 {
		t.Skip("the limit of open files is too low")
	}
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Connections: n + 100, Idle: time.Hour, HeaderTime: time.Hour} })
	address := strings.Replace(strings.TrimPrefix(w.Base, "http://"), "localhost", "127.0.0.1", 1)
	if a := w.ask(w.alice, "PUT", "/kept", "text/plain", "kept"); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	all := make([]net.Conn, n)
	defer func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range all {
		var err error
		if all[i], err = net.Dial("tcp", address); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if i%(n/20) == 0 {
			if a := w.ask(w.alice, "GET", "/kept", "", ""); a.StatusCode != 200 || a.body != "kept" {
				t.Fatalf("beside %d idle connections: %s %s", i, a.Status, a.body)
			}
		}
	}
	until(t, "the server has them all", func() bool { return w.guard.value(t, "skrin_connections") >= float64(n) })
	if a := w.ask(w.alice, "PUT", "/after", "text/plain", "x"); a.StatusCode != 201 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	for _, c := range all {
		c.Close()
	}
	until(t, "they are gone", func() bool { return w.guard.value(t, "skrin_connections") < 50 })
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
