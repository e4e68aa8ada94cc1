// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth/provider"
)

// from makes w ask from another address of this machine.
func (w *world) from(address string) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	w.client.Transport = &http.Transport{DialContext: d.DialContext}
}

// TestLookUpsOfOneAddress: one address makes the server fetch only so much from
// others, by the WebIDs of tokens, the groups of an ACL and the ids of apps that it
// names. It is told so, it is counted, and others are served.
func TestLookUpsOfOneAddress(t *testing.T) {
	const most = 12
	var fetched atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer elsewhere.Close()
	for _, row := range []struct {
		is     string
		ask    func(w *world, n int) answer
		status int // of what is refused
	}{
		{"people of other servers", func(w *world, n int) answer {
			p := w.newPerson("mallory")
			p.id = acl.WebID(fmt.Sprintf("%s/%d#me", elsewhere.URL, n))
			w.sign(p)
			return w.ask(p, "GET", "/x", "", "")
		}, 429},
		{"groups of other servers", func(w *world, n int) answer {
			var rules strings.Builder
			for i := range 4 {
				fmt.Fprintf(&rules, "<#%d> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#accessTo> <./x>; <http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Read>; <http://www.w3.org/ns/auth/acl#agentGroup> <%s/%d/%d#it> .\n", i, elsewhere.URL, n, i)
			}
			fmt.Fprintf(&rules, "<#o> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#accessTo> <./x>; <http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Control>; <http://www.w3.org/ns/auth/acl#agent> <%s> .\n", w.alice.id)
			w.put("/x.acl", "text/turtle", rules.String())
			return w.ask(w.bob, "GET", "/x", "", "")
		}, 403},
		{"apps of other servers", func(w *world, n int) answer {
			req, err := http.NewRequest("GET", fmt.Sprintf("%s/.oidc/authorize?response_type=code&client_id=%s/%d", w.Base, elsewhere.URL, n), nil)
			must(t, err)
			return w.send(nil, req)
		}, 429},
		{"apps of other servers, to a browser", func(w *world, n int) answer {
			req, err := http.NewRequest("GET", fmt.Sprintf("%s/.oidc/authorize?response_type=code&client_id=%s/%d", w.Base, elsewhere.URL, n), nil)
			must(t, err)
			req.Header.Set("Accept", "text/html")
			return w.send(nil, req)
		}, 429},
		{"apps of other servers, that ask for tokens", func(w *world, n int) answer {
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {fmt.Sprintf("%s/%d", elsewhere.URL, n)}}
			req, err := http.NewRequest("POST", w.Base+"/.oidc/token", strings.NewReader(form.Encode()))
			must(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			proof, err := w.bob.key.Proof("POST", req.URL.String(), "", "", time.Now())
			must(t, err)
			req.Header.Set("DPoP", proof)
			return w.send(nil, req)
		}, 429},
	} {
		t.Run(row.is, func(t *testing.T) {
			w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Lookups: rate{most, time.Minute}} })
			w.put("/x", "text/plain", "x")
			fetched.Store(0)
			w.from("127.0.0.2")
			var last answer
			for n := range 20 {
				last = row.ask(w, n)
			}
			if n := fetched.Load(); n < most/2 || n > most {
				t.Errorf("%d were fetched", n)
			}
			if n := w.guard.value(t, "skrin_refusals_total", `"lookups"`); n == 0 {
				t.Error("it isn't counted")
			}
			if row.status != 0 && last.StatusCode != row.status || row.status == 429 && (last.Header.Get("Retry-After") == "" || last.lacks("looks up") != "") {
				t.Errorf("%s %v %s", last.Status, last.Header, last.body)
			}
			w.from("127.0.0.3")
			w.allow("/", grant{w.alice.id, "RWC", "RWC"}, grant{w.bob.id, "R", "R"})
			w.allow("/x", grant{w.bob.id, "R", ""})
			if a := w.ask(w.bob, "GET", "/x", "", ""); a.StatusCode != 200 {
				t.Errorf("others get %s %s", a.Status, a.body)
			}
			before := fetched.Load()
			if row.ask(w, 1000); fetched.Load() == before {
				t.Error("for others nothing is fetched")
			}
		})
	}
}

// TestASignInThatCanNotGoOnSaysWhy: of the server's own trouble, that it passes; of a
// request that was none, that it has ended.
func TestASignInThatCanNotGoOnSaysWhy(t *testing.T) {
	s, _ := newActs(t)
	for reason, want := range map[provider.Reason]int{provider.Unavailable: 503, provider.BadRequest: 303, provider.Expired: 303} {
		r := httptest.NewRequest("GET", "/.oidc/authorize?client_id=x", nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		s.oauthTrouble(w, r, 0, reason)
		if w.Code != want || (w.Header().Get("Retry-After") != "") != (want == 503) {
			t.Errorf("%s: %d %v", reason, w.Code, w.Header())
		}
	}
}
