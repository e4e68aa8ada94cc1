// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestDeadlines: what moves takes as long as it takes; what stalls ends. On a machine
// with much else to do, half a deadline may take a whole one: then all of it is tried
// again with longer ones.
func TestDeadlines(t *testing.T) {
	var faults []string
	for _, each := range []time.Duration{300 * time.Millisecond, time.Second, 4 * time.Second} {
		if faults = deadlinesOf(t, each); len(faults) == 0 {
			return
		}
		t.Logf("deadlines of %v: %q", each, faults)
	}
	t.Errorf("%q", faults)
}

// deadlinesOf returns what is wrong with deadlines of that length.
func deadlinesOf(t *testing.T, each time.Duration) (faults []string) {
	t.Helper()
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	ended := make(chan error, 1)
	h := http.NewServeMux()
	h.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for range 6 {
			time.Sleep(each / 2)
			_, _ = io.WriteString(w, "part ")
			_ = http.NewResponseController(w).Flush()
		}
	})
	h.HandleFunc("/bits", func(w http.ResponseWriter, r *http.Request) { // more than is held back, a little at a time
		for range 60 {
			time.Sleep(each / 20)
			_, _ = w.Write(make([]byte, 300))
		}
	})
	h.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		ended <- err
	})
	h.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	h.HandleFunc("/take", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})
	s := httptest.NewServer(deadlines(h, each, nil))
	defer s.Close()
	defer s.CloseClientConnections() // so that what is waited for fails the test, and doesn't hang it

	resp, err := http.Get(s.URL + "/slow")
	must(t, err)
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || strings.Count(string(b), "part") != 6 {
		wrong("an answer that moves was cut: %q, %v", b, err)
	}

	time.Sleep(each + each/2) // the connection is used again, and its last deadline has passed
	for _, path := range []string{"/bits", "/slow"} {
		resp, err := http.Get(s.URL + path)
		must(t, err)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			wrong("%s, on a connection that was used before, was cut: %v", path, err)
		}
		resp.Body.Close()
		time.Sleep(each + each/2)
	}

	open := func(request string) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, request)
		must(t, err)
		return conn
	}
	stops := func(says string) {
		select {
		case err := <-ended:
			if err == nil {
				wrong("%s: no error", says)
			}
		case <-time.After(10*time.Second + 4*each):
			wrong("%s is waited for", says)
		}
	}
	open("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	stops("a client that reads nothing")

	conn := open("PUT /take HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
	for range 6 { // slowly, and within each
		time.Sleep(each / 2)
		if _, err := io.WriteString(conn, "ab"); err != nil {
			wrong("a body that moves was cut: %v", err)
			break
		}
	}
	if err := <-ended; err != nil {
		wrong("a body that moves was cut: %v", err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 200 {
		wrong("the answer: %v", err)
	}
	open("PUT /take HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nab")
	stops("a client that sends nothing more")

	conn = open("PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nab")
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if b, err := io.ReadAll(conn); err != nil {
		wrong("the rest of a body that was refused is waited for: %q, %v", b, err)
	}
	return faults
}
