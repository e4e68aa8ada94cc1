// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWaysToSignIn(t *testing.T) {
	const good = `{"id":"bankid","name":"BankID","issuer":"https://eid.example.se","client_id":"skrin","client_secret":"TEST","profile":"sweden","least":"http://id.elegnamnden.se/loa/1.0/loa3"}`
	for _, row := range []struct {
		what, file string
		ok         bool
	}{
		{"a Swedish eID", good, true},
		{"ID-porten", `{"id":"idporten","name":"ID-porten","issuer":"https://idporten.example.no","client_id":"x","client_secret":"TEST","profile":"norway"}`, true},
		{"any provider", `{"id":"x","name":"X","issuer":"https://x.example","client_id":"x","client_secret":"TEST","profile":"generic","scheme":"oidc:x"}`, true},
		{"an unknown profile", strings.Replace(good, "sweden", "atlantis", 1), false},
		{"an unknown field", strings.Replace(good, `"id"`, `"idd"`, 1), false},
		{"neither secret nor key", strings.Replace(good, `"client_secret":"TEST",`, "", 1), false},
		{"a least level that the profile has not", strings.Replace(good, "loa3", "loa9", 1), false},
		{"a generic one that doesn't say whose sub it is", `{"id":"x","name":"X","issuer":"https://x.example","client_id":"x","client_secret":"TEST","profile":"generic"}`, false},
		{"no JSON", "hello", false},
	} {
		t.Run(row.what, func(t *testing.T) {
			eids := t.TempDir()
			if err := os.WriteFile(filepath.Join(eids, "a.json"), []byte(row.file), 0o600); err != nil {
				t.Fatal(err)
			}
			c := config{Base: "https://pod.example.se", Dir: t.TempDir(), Key: bytes.Repeat([]byte{1}, 32), EIDs: eids, Token: 5 * time.Minute}
			s, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
			if (err == nil) != row.ok {
				t.Fatal(err)
			}
			if !row.ok {
				return
			}
			defer s.Close()
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, httptest.NewRequest("GET", "https://pod.example.se/me/sign-in", nil))
			if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "/me/sign-in/passkey") || strings.Contains(body, "Exempel-eID") || strings.Count(body, "/me/sign-in/") < 2 {
				t.Errorf("%d %s", w.Code, body)
			}
		})
	}
}

// TestWhoAsksThroughAProxy: whom a trusted proxy names is believed, and nobody
// else.
func TestWhoAsksThroughAProxy(t *testing.T) {
	proxies, err := networks([]string{"192.0.2.0/24", "loopback"})
	must(t, err)
	for _, row := range []struct {
		what   string
		peer   string
		fields []string
		want   string
	}{
		{"nothing is said", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"one address", "192.0.2.1:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"what the client says comes before", "192.0.2.1:1234", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"in a header of its own", "192.0.2.1:1234", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{"two proxies of ours", "192.0.2.1:1234", []string{"198.51.100.1, 203.0.113.7, 192.0.2.9"}, "203.0.113.7"},
		{"proxies of ours alone", "192.0.2.1:1234", []string{"192.0.2.8, 192.0.2.9"}, "192.0.2.8"},
		{"IPv6", "[::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"with a port", "192.0.2.1:1234", []string{"[2001:db8::1]:77"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"no address", "192.0.2.1:1234", []string{"203.0.113.7, somebody"}, "192.0.2.1"},
		{"a peer that is no proxy", "203.0.113.1:1234", []string{"198.51.100.1"}, "203.0.113.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = row.peer, row.fields
		if got := addressOf(r, proxies); got.String() != row.want {
			t.Errorf("%s: %s", row.what, got)
		}
	}
}
