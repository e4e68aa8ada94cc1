// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/pod/credential"
)

// BenchmarkWork is what requests cost a server: 64 connections, each of which has a
// request there when the one before is answered, of 64 people. Commits go to the disk;
// the network isn't in it. Proofs are made before. Of the figures, what the processor
// has worked for a request (cpu-ns/op), and what the server has allocated, hang least
// on what else the machine does.
func BenchmarkWork(b *testing.B) {
	s := newScene(b)
	for _, row := range []struct {
		name string
		make func(i int) []byte
	}{
		{"get-turtle", func(i int) []byte { return s.request(nil, "GET", s.at(i, "public"), "", "Accept: text/turtle") }},
		{"get-jsonld", func(i int) []byte {
			return s.request(nil, "GET", s.at(i, "public"), "", "Accept: application/ld+json")
		}},
		{"get-dpop", func(i int) []byte {
			return s.request(s.people[i%len(s.people)], "GET", s.at(i, "own"), "", "Accept: text/turtle")
		}},
		{"get-view", func(i int) []byte {
			return s.request(s.third, "GET", s.recipients[0].at[i%len(s.people)], "", "Accept: "+credential.MediaType)
		}},
		{"put-new", func(i int) []byte {
			return s.request(s.people[i%len(s.people)], "PUT", s.at(i, fmt.Sprint("new/", i)), s.body, "Content-Type: text/turtle", "If-None-Match: *")
		}},
		{"put-over", func(i int) []byte {
			return s.request(s.people[i%len(s.people)], "PUT", s.at(i, "own"), s.body, "Content-Type: text/turtle")
		}},
		{"patch-n3", func(i int) []byte {
			patch := fmt.Sprintf("@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts { <#it> <http://purl.org/dc/terms/subject> %d . }.", i/len(s.people)%8)
			return s.request(s.people[i%len(s.people)], "PATCH", s.at(i, "patched"), patch, "Content-Type: text/n3")
		}},
		{"token", func(i int) []byte { return s.token(s.people[i%len(s.people)]) }},
	} {
		next := 0 // no request comes twice
		b.Run(row.name, func(b *testing.B) {
			tapes := newReel(b.N, 64, func(i int) []byte { return row.make(next + i) })
			next += b.N
			srv := &http.Server{Handler: deadlines(s.handler, stall, nil), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
			b.ReportAllocs()
			before := usage()
			b.ResetTimer()
			_ = srv.Serve(tapes)
			b.StopTimer()
			after := usage()
			if bad := tapes.bad.Load(); bad != nil {
				b.Fatalf("%.300s", *bad)
			}
			each := func(n int64) float64 { return float64(n) / float64(b.N) }
			b.ReportMetric(each(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()), "cpu-ns/op")
			b.ReportMetric(each(after.Stime.Nano()-before.Stime.Nano()), "sys-ns/op")
			b.ReportMetric(each(after.Nvcsw-before.Nvcsw), "switches/op")
		})
	}
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails never
	return u
}

// A scene is a crowd whose people have documents, and an app each.
type scene struct {
	*crowd
	b      *testing.B
	body   string // a kilobyte of Turtle
	people []*caller
	third  *caller
}

// A caller is a program that acts for somebody.
type caller struct {
	id, secret string
	root       string // of the pod, as a URL
	key        *dpop.Key
	bearer     string // its access token
}

func newScene(b *testing.B) *scene {
	const people = 64
	w, err := newCrowd(b.Context(), b.TempDir(), people, 1, "", slog.New(slog.DiscardHandler))
	must(b, err)
	b.Cleanup(func() { _ = w.close() })
	s := &scene{crowd: w, b: b, body: "<#it> <http://purl.org/dc/terms/title> \"A made-up note\"; <http://purl.org/dc/terms/created> \"2026-11-21\"; <http://purl.org/dc/terms/description> \"" + strings.Repeat("Lorem ipsum dolor sit amet. ", 32) + "\" .\n"}
	now := time.Now().UTC()
	for i := range people {
		must(b, w.settle(b.Context(), i, now))
		must(b, w.share(b.Context(), w.recipients[0], i, now))
	}
	w.clock.Store(nil)
	for i := range people {
		s.people = append(s.people, s.app(i))
	}
	r := w.recipients[0]
	s.third = &caller{key: r.client.DPoP}
	s.third.bearer, err = r.client.Token(b.Context())
	must(b, err)
	return s
}

// app gives the ith person an app, and documents.
func (s *scene) app(i int) *caller {
	b, who := s.b, s.persons[i].who
	c := &caller{root: strings.TrimSuffix(string(who.ID), "profile/card#me")}
	root := ldp.ID(strings.TrimPrefix(c.root, s.Base))
	for name, body := range map[string]string{
		"public": s.body, "own": s.body, "patched": s.body,
		"public.acl": fmt.Sprintf(`<#owner> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#agent> <%s>; <http://www.w3.org/ns/auth/acl#accessTo> <public>;
			<http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Read>, <http://www.w3.org/ns/auth/acl#Write>, <http://www.w3.org/ns/auth/acl#Control>.
			<#all> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#agentClass> <http://xmlns.com/foaf/0.1/Agent>; <http://www.w3.org/ns/auth/acl#accessTo> <public>;
			<http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Read>.`, who.ID),
	} {
		if name == "public.acl" {
			defer func() {
				_, err := s.pod.Put(b.Context(), who, ldp.Put{ID: root + "notes/public.acl", Type: "text/turtle", Size: int64(len(body)), Body: strings.NewReader(body)})
				must(b, err)
			}()
			continue
		}
		_, err := s.pod.Put(b.Context(), who, ldp.Put{ID: root + "notes/" + ldp.ID(name), Type: "text/turtle", Size: int64(len(body)), Body: strings.NewReader(body)})
		must(b, err)
	}
	var err error
	c.id, c.secret, err = s.provider.NewScript(b.Context(), "person-"+fmt.Sprint(i), who.ID, "bench")
	must(b, err)
	c.key, err = dpop.NewKey()
	must(b, err)
	head, body, _ := bytes.Cut(s.token(c), []byte("\r\n\r\n"))
	req := httptest.NewRequest("POST", "/.oidc/token", bytes.NewReader(body))
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, req)
	var got struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &got) != nil || got.Token == "" {
		b.Fatal(answer.Code, answer.Body)
	}
	c.bearer = got.Token
	return c
}

// at is the URL of something of one of the people, in turn.
func (s *scene) at(i int, name string) string {
	return s.people[i%len(s.people)].root + "notes/" + name
}

// token asks for one.
func (s *scene) token(c *caller) []byte {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.secret}, "scope": {"webid"}}.Encode()
	proof, err := c.key.Proof("POST", s.Base+"/.oidc/token", "", "", time.Now())
	must(s.b, err)
	return s.request(nil, "POST", s.Base+"/.oidc/token", form, "Content-Type: application/x-www-form-urlencoded", "DPoP: "+proof)
}

// request is one as it is sent; c is nil for a stranger.
func (s *scene) request(c *caller, method, at, body string, headers ...string) []byte {
	text := []byte(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n", method, strings.TrimPrefix(at, s.Base), strings.TrimPrefix(s.Base, "http://")))
	if c != nil {
		proof, err := c.key.Proof(method, at, c.bearer, "", time.Now())
		must(s.b, err)
		headers = append(headers, "Authorization: DPoP "+c.bearer, "DPoP: "+proof)
	}
	if body != "" {
		headers = append(headers, fmt.Sprint("Content-Length: ", len(body)))
	}
	for _, h := range headers {
		text = append(append(text, h...), "\r\n"...)
	}
	return append(append(text, "\r\n"...), body...)
}

// A reel is a listener with connections on which all requests have been sent.
type reel struct {
	tapes []*recorded
	bad   atomic.Pointer[string] // an answer that is no success
	open  sync.WaitGroup
}

// recorded is a tape of several requests.
type recorded struct {
	tape
	reel     *reel
	requests [][]byte
	waiting  int // answers that are still to come
}

// newReel distributes n requests to connections.
func newReel(n, conns int, request func(i int) []byte) *reel {
	r := &reel{tapes: make([]*recorded, min(n, conns))}
	for i := range r.tapes {
		r.tapes[i] = &recorded{tape: tape{ended: make(chan struct{})}, reel: r}
	}
	for i := range n {
		t := r.tapes[i%len(r.tapes)]
		t.requests = append(t.requests, request(i))
		t.waiting++
	}
	r.open.Add(len(r.tapes))
	return r
}

// Accept implements net.Listener.
func (r *reel) Accept() (net.Conn, error) {
	if len(r.tapes) == 0 {
		r.open.Wait()
		return nil, net.ErrClosed
	}
	t := r.tapes[0]
	r.tapes = r.tapes[1:]
	return t, nil
}

// Close implements net.Listener.
func (r *reel) Close() error { return nil }

// Addr implements net.Listener.
func (r *reel) Addr() net.Addr { return new(tape).LocalAddr() }

// Read implements net.Conn.
func (t *recorded) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		if len(t.requests) == 0 {
			<-t.ended // no earlier: else the last request is given up
			return 0, io.EOF
		}
		t.rest, t.requests = t.requests[0], t.requests[1:]
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Write implements net.Conn.
func (t *recorded) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 ")) {
		return len(p), nil
	}
	if p[9] != '2' {
		text := string(p)
		t.reel.bad.CompareAndSwap(nil, &text)
	}
	if t.waiting--; t.waiting == 0 {
		close(t.ended)
	}
	return len(p), nil
}

// Close implements net.Conn.
func (t *recorded) Close() error { t.end.Do(t.reel.open.Done); return nil }
