// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
)

// TestSlowHostHoldsUpNobodyElse: whoever names many WebIDs of a server that never
// answers keeps nobody from signing in from another one.
func TestSlowHostHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t)
	release, came := make(chan struct{}), make(chan struct{}, 2*guardRequests)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came <- struct{}{}
		<-release
	}))
	defer slow.Close()
	name := strings.Replace(slow.URL, "127.0.0.1", "localhost", 1)
	f := NewForeign(Guarded(true), w.Now)
	var asked sync.WaitGroup
	var ended atomic.Int32
	for i := range hostLookups + hostWaiting {
		asked.Go(func() {
			_, _ = f.Issuer(t.Context(), name, acl.WebID(fmt.Sprintf("%s/%d", name, i)))
			ended.Add(1)
		})
	}
	for range hostLookups {
		<-came
	}
	a := newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"})
	issuer, err := f.Issuer(t.Context(), a.URL, a.webID())
	if err == nil {
		_, err = issuer.Key(t.Context(), "k1")
	}
	if err != nil || ended.Load() != 0 {
		t.Errorf("from another server: %v, when %d of the slow one had ended", err, ended.Load())
	}
	close(release)
	asked.Wait()
	if len(f.hosts.known) != 0 {
		t.Errorf("%d hosts are remembered of which nothing is fetched", len(f.hosts.known))
	}
}

func TestRegistrable(t *testing.T) {
	for address, want := range map[string]string{
		"https://example.org/me":         "example.org",
		"https://A.b.Example.org.:8443/": "example.org",
		"https://a.example.co.uk/":       "example.co.uk",
		"https://192.0.2.7:8443/":        "192.0.2.7",
		"https://[::ffff:192.0.2.7]/":    "192.0.2.7",
		"https://[2001:db8:1:2::3]/":     "2001:db8:1::/48",
		"http://localhost:8080/":         "localhost",
		"https://co.uk/":                 "co.uk",
		"://":                            "",
	} {
		if got := registrable(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}
