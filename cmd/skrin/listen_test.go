// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// writeCertificate makes a certificate for localhost with that number.
func writeCertificate(t *testing.T, dir string, number int64) tlsSettings {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(number), DNSNames: []string{"localhost", "skrin.localhost"}, NotAfter: time.Now().Add(time.Hour), NotBefore: time.Now().Add(-time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	c := tlsSettings{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	must(t, os.WriteFile(c.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(t, os.WriteFile(c.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	at := time.Unix(1_800_000_000+number, 0) // file systems may not tell two moments apart
	must(t, errors.Join(os.Chtimes(c.Cert, at, at), os.Chtimes(c.Key, at, at)))
	return c
}

// TestCertificateIsReadAgain: HTTP/2 over TLS with a certificate of files, which is
// read anew when they have changed, and kept while they make no pair.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	ends := 0
	cert, err := newCertificate(writeCertificate(t, dir, 1), slog.New(slog.DiscardHandler), func(time.Time) { ends++ })
	must(t, err)
	cert.every = 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- front{TLS: &tls.Config{GetCertificate: cert.get}}.serve(ctx, l, http.HandlerFunc(nothing), slog.New(slog.DiscardHandler))
	}()
	seen := func() int64 {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		defer c.CloseIdleConnections()
		resp, err := c.Get("https://" + l.Addr().String())
		must(t, err)
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Errorf("it speaks %s", resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := seen(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	writeCertificate(t, dir, 2)
	if n := seen(); n != 2 {
		t.Errorf("after it was replaced, certificate %d", n)
	}
	must(t, os.WriteFile(cert.Cert, []byte("half"), 0o600))
	if n := seen(); n != 2 || ends != 2 {
		t.Errorf("after it was spoilt, certificate %d, read %d times", n, ends)
	}
	stop()
	must(t, <-ended)
}

// TestShutdownLosesNothing: what is under way when the server is told to end is
// answered, whole; nothing new is taken.
func TestShutdownLosesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	const all = 50
	entered, hold := make(chan struct{}, all), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	ended, ending := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- front{Ending: func() { close(ending) }, Grace: time.Minute}.serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			entered <- struct{}{}
			<-hold
			fmt.Fprint(w, "whole")
		}), slog.New(slog.DiscardHandler))
	}()
	answers := make(chan string, all)
	for range all {
		go func() {
			resp, err := http.Get("http://" + l.Addr().String())
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			answers <- fmt.Sprint(string(text), resp.StatusCode, err)
		}()
	}
	for range all {
		<-entered
	}
	stop()
	<-ending
	for { // until it takes no more
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(hold)
	for range all {
		if a := <-answers; a != "whole200 <nil>" {
			t.Errorf("answered %s", a)
		}
	}
	must(t, <-ended)
}

// TestReady: /readyz says which dependency is down, and when the server is about to
// end; /healthz says that the process lives.
func TestReady(t *testing.T) {
	w := newWorld(t)
	down := errors.New("secret: not to be told")
	for _, row := range []struct {
		is     string
		broken string
		ending bool
		status int
		want   string
	}{
		{"all is well", "", false, 200, `"status":"ok"`},
		{"blobs are down", "blobs", false, 503, `"blobs":"down"`},
		{"the store is down", "store", false, 503, `"store":"down"`},
		{"the keys are down", "keys", true, 503, `"keys":"down"`},
		{"it ends", "", true, 503, `"status":"ending"`},
	} {
		probes := newReadiness(w.chest)
		if row.broken != "" {
			probes.probes[row.broken] = func(context.Context) error { return down }
		}
		probes.draining.Store(row.ending)
		out := httptest.NewRecorder()
		probes.ServeHTTP(out, httptest.NewRequest("GET", "/readyz", nil))
		if out.Code != row.status || !strings.Contains(out.Body.String(), row.want) || strings.Contains(out.Body.String(), "secret") {
			t.Errorf("%s: %d %s", row.is, out.Code, out.Body)
		}
	}
	for path, status := range map[string]int{"/readyz": 200, "/healthz": 204} {
		resp, err := http.Get(w.Base + path)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if resp, err := http.Get(w.Base + "/metrics"); err != nil || resp.StatusCode == 200 {
		t.Errorf("people's listener serves metrics: %v, %v", resp, err)
	}
	out := httptest.NewRecorder()
	w.operator().ServeHTTP(out, httptest.NewRequest("GET", "/metrics", nil))
	if out.Code != 200 || !strings.Contains(out.Body.String(), "skrin_store_seconds_bucket") || !strings.Contains(out.Body.String(), "skrin_outbox_pods 0") {
		t.Errorf("%d %.2000s", out.Code, out.Body)
	}
}

// TestCertificatesAreKept: what ACME gives is kept for all nodes, and sealed.
func TestCertificatesAreKept(t *testing.T) {
	c := certificates{newWorld(t).records}
	if _, err := c.Get(t.Context(), "x"); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("nothing is kept, and it says %v", err)
	}
	for _, value := range []string{"one", "two"} {
		must(t, c.Put(t.Context(), "x", []byte(value)))
		if got, err := c.Get(t.Context(), "x"); err != nil || string(got) != value {
			t.Errorf("%q, %v", got, err)
		}
	}
	must(t, c.Delete(t.Context(), "x"))
	if _, err := c.Get(t.Context(), "x"); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("deleted, and it says %v", err)
	}
}

// TestTraces: a collector gets spans of the requests and the transactions in them,
// without whose they are.
func TestTraces(t *testing.T) {
	got := make(chan string, 64)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- string(text)
	}))
	defer collector.Close()
	w := newWorldOf(t, func(c *config) { c.Trace = traceSettings{Endpoint: collector.URL + "/v1/traces", Share: 1} })
	w.ask(w.alice, "GET", "/secret-name", "", "")
	flushed := make(chan struct{})
	w.guard.traces.flush <- flushed
	<-flushed
	text := <-got
	var sent struct {
		ResourceSpans []struct{ ScopeSpans []struct{ Spans []otlpSpan } }
	}
	must(t, json.Unmarshal([]byte(text), &sent))
	request, within := "", 0
	for _, s := range sent.ResourceSpans[0].ScopeSpans[0].Spans {
		if s.Name == "GET /{pod}/" {
			request = s.ID
		}
	}
	for _, s := range sent.ResourceSpans[0].ScopeSpans[0].Spans {
		if s.Parent == request && strings.HasPrefix(s.Name, "store ") {
			within++
		}
	}
	if request == "" || within == 0 || strings.Contains(text, "secret-name") || strings.Contains(text, string(w.root)) {
		t.Errorf("sent: %s", text)
	}
}

// abuse is what one attacker does, bounded; it returns how often the server
// defended itself as it should.
type abuse struct {
	is      string
	do      func(t *testing.T, w *world, address string) int
	atLeast int
}

// TestAbuse: while one client does what it shouldn't, others are served; when it
// ends, the server is as before, and has lost nothing.
func TestAbuse(t *testing.T) {
	limits := limitSettings{
		Header: 16 << 10, HeaderTime: time.Second, Stall: time.Second, Idle: time.Minute, Connections: 3000,
		Body: 1 << 20, RDF: 1 << 20, Requests: 64, AddressRequests: 32,
	}
	w := newWorldOf(t, func(c *config) { c.Limit = limits })
	address := strings.Replace(strings.TrimPrefix(w.Base, "http://"), "localhost", "127.0.0.1", 1)
	before := runtime.NumGoroutine()
	if a := w.ask(w.alice, "PUT", "/kept", "text/plain", "kept"); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	for _, row := range []abuse{
		{"header fields that come a byte at a time", slowHeaders, 40},
		{"header fields without end", headerFlood, 20},
		{"bodies that stand still", slowBodies, 20},
		{"connections that say nothing", idle, 400},
		{"bodies that are too large, with and without a length", hugeBodies, 10},
		{"bodies that unpack to a thousand times their size", bombs, 5},
	} {
		t.Run(row.is, func(t *testing.T) {
			stop, served := make(chan struct{}), make(chan int, 1)
			go func() { // somebody else, meanwhile
				n := 0
				for {
					select {
					case <-stop:
						served <- n
						return
					default:
					}
					if a := w.ask(w.alice, "GET", "/kept", "", ""); a.StatusCode == 200 && a.body == "kept" {
						n++
					} else if a.StatusCode != 429 && a.StatusCode != 503 {
						t.Errorf("another is answered %s", a.Status)
					}
				}
			}()
			n := row.do(t, w, address)
			close(stop)
			if others := <-served; others == 0 || n < row.atLeast {
				t.Errorf("defended %d times, others were served %d times", n, others)
			}
			if a := w.ask(w.alice, "PUT", "/after", "text/plain", row.is); a.StatusCode/100 != 2 {
				t.Errorf("afterwards: %s %s", a.Status, a.body)
			}
		})
	}
	for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before+100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
	if a := w.ask(w.alice, "GET", "/kept", "", ""); a.body != "kept" {
		t.Errorf("lost: %s %s", a.Status, a.body)
	}
	if w.guard.value(t, "skrin_stalled_total") < 20 || w.guard.underWay.Load() != 0 {
		t.Errorf("%v were given up, %d are under way", w.guard.value(t, "skrin_stalled_total"), w.guard.underWay.Load())
	}
}

// many runs do so many times at once, and counts how often it returns true.
func many(t *testing.T, times int, do func(i int) bool) (n int) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range times {
		wg.Go(func() {
			if do(i) {
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n
}

// ended says whether the server ends the connection, having answered or not.
func ended(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	return err == nil || strings.Contains(err.Error(), "reset")
}

func slowHeaders(t *testing.T, _ *world, address string) int {
	return many(t, 40, func(int) bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
		go func() {
			for range 200 {
				if _, err := fmt.Fprint(conn, "X"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		return ended(conn)
	})
}

func headerFlood(t *testing.T, w *world, _ string) int {
	return many(t, 20, func(int) bool {
		req, err := http.NewRequest("GET", w.Base+"/", nil)
		if err != nil {
			return false
		}
		for i := range 1000 {
			req.Header.Set(fmt.Sprint("X-Flood-", i), strings.Repeat("x", 100))
		}
		resp, err := w.client.Do(req)
		if err != nil {
			return true // cut off while it sent
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge
	})
}

func slowBodies(t *testing.T, w *world, address string) int {
	return many(t, 20, func(i int) bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /.oidc/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nx=%d", address, i)
		return ended(conn)
	})
}

func idle(t *testing.T, _ *world, address string) int {
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for range 400 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		all = append(all, conn)
	}
	return len(all)
}

func hugeBodies(t *testing.T, w *world, _ string) int {
	return many(t, 10, func(i int) bool {
		var body io.Reader = io.LimitReader(zeros{}, 64<<20)
		req, err := http.NewRequest("PUT", w.Base+string(w.id(fmt.Sprint("/huge", i))), body)
		if err != nil {
			return false
		}
		if i%2 == 0 {
			req.ContentLength = 64 << 20
		}
		req.Header.Set("Content-Type", "application/octet-stream")
		proof, err := w.alice.key.Proof("PUT", req.URL.String(), w.alice.token, "", time.Now())
		if err != nil {
			return false
		}
		req.Header.Set("Authorization", "DPoP "+w.alice.token)
		req.Header.Set("DPoP", proof)
		resp, err := w.client.Do(req)
		if err != nil {
			return true // cut off while it sent
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusRequestEntityTooLarge
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bombs: nothing that is sent is unpacked, so it is kept as it came, or refused.
func bombs(t *testing.T, w *world, _ string) int {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, err := io.CopyN(z, zeros{}, 100<<20)
	must(t, errors.Join(err, z.Close()))
	return many(t, 5, func(i int) bool {
		req, err := http.NewRequest("PUT", w.Base+string(w.id(fmt.Sprint("/bomb", i))), bytes.NewReader(small.Bytes()))
		if err != nil {
			return false
		}
		req.Header.Set("Content-Type", "text/turtle")
		req.Header.Set("Content-Encoding", "gzip")
		return w.send(w.alice, req).StatusCode/100 == 4
	})
}
