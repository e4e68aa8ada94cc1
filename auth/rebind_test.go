// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers every question for an address with what says is at the moment.
func nameServer(t *testing.T, says func() netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			q := m.Questions[0]
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class} // TTL 0
			switch at := says(); {
			case q.Type == dnsmessage.TypeA && at.Is4():
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: at.As4()}}}
			case q.Type == dnsmessage.TypeAAAA && at.Is6():
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: at.As16()}}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestANameThatChangesItsMind: what counts is the address that is dialled, each
// time; that the same name was good a moment ago helps nobody.
func TestANameThatChangesItsMind(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()
	var now atomic.Value
	client := guarded(true, nameServer(t, func() netip.Addr { return now.Load().(netip.Addr) }))
	client.Transport.(*guard).transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	address := "https://example.com" + server.URL[strings.LastIndex(server.URL, ":"):] // the name in the server's certificate
	get := func(at string) error {
		now.Store(netip.MustParseAddr(at))
		resp, err := client.Get(address)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return err
	}
	for _, private := range []string{"10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "0.0.0.0"} {
		if err := get("127.0.0.1"); err != nil {
			t.Fatalf("while the name leads to this machine: %v", err)
		}
		if err := get(private); !errors.Is(err, ErrGuarded) {
			t.Errorf("when it leads to %s: %v", private, err)
		}
	}
}

// TestASlowServerIsNotWaitedFor: whether it sends its header or its body by the
// drop, it has the client's time for all of it, and gives its place back.
func TestASlowServerIsNotWaitedFor(t *testing.T) {
	stop := make(chan struct{})
	drip := func(w http.ResponseWriter, r *http.Request) {
		for {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-stop:
				return
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/body", drip)
	mux.HandleFunc("/header", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(stop)
	client := Guarded(true)
	if client.Timeout != guardTime {
		t.Errorf("a request may take %v", client.Timeout)
	}
	client.Timeout = 200 * time.Millisecond
	for _, path := range []string{"/body", "/header"} {
		if _, err := Fetch(t.Context(), client, server.URL+path, "*/*"); err == nil {
			t.Errorf("%s was waited for", path)
		}
	}
	if n := len(client.Transport.(*guard).places); n != 0 {
		t.Errorf("%d places are not given back", n)
	}
}
