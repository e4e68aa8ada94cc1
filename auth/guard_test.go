// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAddressesThatAreRefused(t *testing.T) {
	for address, public := range map[string]bool{
		"193.10.1.1:443": true, "8.8.8.8:443": true, "[2a00:801::1]:443": true,
		"127.0.0.1:80": false, "127.9.9.9:80": false, "[::1]:80": false, "0.0.0.0:80": false, "[::]:80": false,
		"10.0.0.1:80": false, "172.16.0.1:80": false, "172.31.255.1:80": false, "192.168.1.1:80": false, "100.64.0.1:80": false,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "[fe80::1%lo]:80": false, "[fc00::1]:80": false, "[fd12::1]:80": false,
		"[::ffff:127.0.0.1]:80": false, "[::ffff:10.0.0.1]:80": false, "[64:ff9b::7f00:1]:80": false, "[2002:7f00:1::]:80": false,
		"[2001:0:7f00:1::]:80": false, "224.0.0.1:80": false, "[ff02::1]:80": false, "255.255.255.255:80": false, "240.0.0.1:80": false,
		"192.0.2.1:80": false, "198.18.0.1:80": false, "203.0.113.1:80": false, "[2001:db8::1]:80": false, "localhost:80": false, "": false,
	} {
		if err := checkAddress(address, false); (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, ok := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "10.0.0.1:80": false} {
		if err := checkAddress(address, true); (err == nil) != ok {
			t.Errorf("with loopback allowed, %s: %v", address, err)
		}
	}
}

func TestGuardedClient(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/small", http.StatusFound) })
	mux.HandleFunc("/small", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "1234567890") })
	mux.HandleFunc("/declared", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "65")
		io.WriteString(w, strings.Repeat("x", 65))
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			io.WriteString(w, "1234567890")
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()

	if _, err := GuardedClient(GuardOptions{}).Get(srv.URL + "/small"); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("loopback, not allowed: %v", err)
	}
	t.Setenv("HTTP_PROXY", srv.URL)
	c := GuardedClient(GuardOptions{AllowLoopback: true, MaxBody: 64, Timeout: 500 * time.Millisecond})
	for path, want := range map[string]error{"/small": nil, "/declared": ErrTooLarge, "/chunked": ErrTooLarge} {
		resp, err := c.Get(srv.URL + path)
		if err == nil {
			var b []byte
			b, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if len(b) > 64 {
				t.Errorf("%s: %d bytes", path, len(b))
			}
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	resp, err := c.Get(srv.URL + "/redirect")
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("a redirect is followed: %v %v", resp, err)
	}
	began := time.Now()
	if _, err := c.Get(srv.URL + "/slow"); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("a slow server is waited for: %v", err)
	}
}
