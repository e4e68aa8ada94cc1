// SPDX-License-Identifier: EUPL-1.2

package main

import (
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

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// A tape is a connection on which a client has sent all requests beforehand, and which
// takes the answers. It costs nothing, so that what is measured is the server.
type tape struct {
	request []byte
	left    int // times that the request is sent
	rest    []byte
	end     sync.Once
	ended   chan struct{}
}

// Read implements net.Conn.
func (c *tape) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		c.rest = c.request
		c.left--
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close implements net.Conn.
func (c *tape) Close() error                       { c.end.Do(func() { close(c.ended) }); return nil }
func (c *tape) Write(p []byte) (int, error)        { return len(p), nil }
func (c *tape) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *tape) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1024} }
func (c *tape) SetDeadline(time.Time) error        { return nil }
func (c *tape) SetReadDeadline(t time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(t time.Time) error { return nil }

// Accept implements net.Listener: there is one connection.
func (c *tape) Accept() (net.Conn, error) {
	if c.rest == nil {
		c.rest = []byte{}
		return c, nil
	}
	<-c.ended
	return nil, net.ErrClosed
}

// Addr implements net.Listener.
func (c *tape) Addr() net.Addr { return c.LocalAddr() }

// BenchmarkGetTurtle is a GET of a public kilobyte, as it is served but for the
// system's share, and beside it a handler that answers the same bytes.
func BenchmarkGetTurtle(b *testing.B) {
	c := config{Base: "https://pod.example.se", Dir: b.TempDir(), Key: make([]byte, keySize), Token: time.Minute}
	s, err := newServer(b.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	owner, err := s.pod.Make(b.Context(), "person")
	if err != nil {
		b.Fatal(err)
	}
	body := "<> <urn:n> \"" + strings.Repeat("x", 1000) + "\"."
	path := strings.TrimPrefix(strings.TrimSuffix(string(owner.ID), "#me"), c.Base) // everybody may read it
	if _, err := s.pod.Put(b.Context(), owner, ldp.Put{ID: ldp.ID(path), Type: "text/turtle", Size: -1, Body: strings.NewReader(
		fmt.Sprintf("<#me> <http://www.w3.org/ns/solid/terms#oidcIssuer> <%s>. %s", c.Base, body))}); err != nil {
		b.Fatal(err)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/turtle")
		io.WriteString(w, body)
	})
	for _, row := range []struct {
		name string
		http.Handler
	}{{"skrin", deadlines(s.handler, stall, nil)}, {"bare", bare}} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			request := []byte("GET " + path + " HTTP/1.1\r\nHost: pod.example.se\r\nAccept: text/turtle\r\n\r\n")
			t := &tape{request: request, left: b.N, ended: make(chan struct{})}
			srv := &http.Server{Handler: row, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
			began := cpuTime()
			b.ResetTimer()
			_ = srv.Serve(t)
			b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is how long this process has run.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails never
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPut is a small PUT that is durable when it is answered, as the server does
// it but for who asks: 64 clients write at once, each to the pod of one of 64
// people; embedded, and on PostgreSQL.
func BenchmarkPut(b *testing.B) {
	b.Run("embedded", func(b *testing.B) { benchPut(b, func(*config) {}) })
	b.Run("PostgreSQL", func(b *testing.B) {
		db, s3 := podtest.NewPostgres(b), podtest.NewS3(b).Options(b)
		benchPut(b, func(c *config) {
			c.Postgres, c.S3, c.S3Region, c.S3Access, c.S3Secret = db.Schema(), s3.Endpoint+"/"+s3.Bucket+"/"+s3.Prefix, s3.Region, s3.AccessKey, s3.SecretKey
		})
	})
}

func benchPut(b *testing.B, edit func(*config)) {
	const people, clients = 64, 64
	c := config{Base: "https://pod.example.se", Dir: b.TempDir(), Key: make([]byte, keySize), Token: time.Minute}
	edit(&c)
	s, err := newServer(b.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var owners []acl.Agent
	for i := range people {
		owner, err := s.pod.Make(b.Context(), fmt.Sprint("person-", i))
		if err != nil {
			b.Fatal(err)
		}
		owners = append(owners, owner)
	}
	var next atomic.Int64
	b.SetParallelism(clients / 2) // times the number of cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			who := owners[n%people]
			root := strings.TrimSuffix(strings.TrimPrefix(string(who.ID), c.Base), "profile/card#me")
			body := fmt.Sprintf("<> <urn:n> %d .", n)
			put := ldp.Put{ID: ldp.ID(fmt.Sprintf("%snotes/%d", root, n/people%100)), Type: "text/turtle", Body: strings.NewReader(body), Size: int64(len(body))}
			if _, err := s.pod.Put(b.Context(), who, put); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// BenchmarkIdentify is who asks, of a request with a token that is known: of one
// process, and of a node in a cluster, which keeps a row for each proof. Proofs are
// made beforehand; 64 requests come at once.
func BenchmarkIdentify(b *testing.B) {
	b.Run("embedded", func(b *testing.B) { benchIdentify(b, func(*config) {}) })
	b.Run("PostgreSQL", func(b *testing.B) {
		db, s3 := podtest.NewPostgres(b), podtest.NewS3(b).Options(b)
		benchIdentify(b, func(c *config) {
			c.Postgres, c.S3, c.S3Region, c.S3Access, c.S3Secret = db.Schema(), s3.Endpoint+"/"+s3.Bucket+"/"+s3.Prefix, s3.Region, s3.AccessKey, s3.SecretKey
		})
	})
}

func benchIdentify(b *testing.B, edit func(*config)) {
	c := config{Base: "https://pod.example.se", Dir: b.TempDir(), Key: make([]byte, keySize), Token: time.Hour}
	edit(&c)
	s, err := newServer(b.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	owner, err := s.pod.Make(b.Context(), "person")
	if err != nil {
		b.Fatal(err)
	}
	id, secret, err := s.provider.NewScript(b.Context(), "person", owner.ID, "bench")
	if err != nil {
		b.Fatal(err)
	}
	key, err := dpop.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	proof := func(method, at, token string) string {
		p, err := key.Proof(method, at, token, "", time.Now().Add(time.Second)) // not before the server began
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}.Encode()
	req := httptest.NewRequest("POST", "/.oidc/token", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof("POST", c.Base+"/.oidc/token", ""))
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, req)
	var got struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &got) != nil || got.Token == "" {
		b.Fatal(answer.Code, answer.Body)
	}
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = httptest.NewRequest("GET", "/x/", nil)
		requests[i].Header.Set("Authorization", "DPoP "+got.Token)
		requests[i].Header.Set("DPoP", proof("GET", c.Base+"/x/", got.Token))
	}
	v := s.verifier()
	var next atomic.Int64
	b.SetParallelism(32) // times the number of cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if who, err := v.Identify(requests[next.Add(1)-1]); err != nil || !who.Known() {
				b.Error(who, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkThirdPartyRead is a consumer's read of granted evidence, as the
// server does it: token and DPoP proof verified, permission decided, the log
// entry durable. 64 clients read at once, of 64 people. The proofs are made
// before; making them is the clients' work.
func BenchmarkThirdPartyRead(b *testing.B) {
	const people, clients = 64, 64
	w, err := newCrowd(b.Context(), b.TempDir(), people, 1, "", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	now, r := time.Now().UTC(), w.recipients[0]
	for i := range people {
		if err := w.settle(b.Context(), i, now); err != nil {
			b.Fatal(err)
		}
		if err := w.share(b.Context(), r, i, now); err != nil {
			b.Fatal(err)
		}
	}
	w.clock.Store(nil)
	token, err := r.client.Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	proofs := make([]string, b.N)
	for i := range proofs {
		if proofs[i], err = r.client.DPoP.Proof("GET", r.at[i%people], token, "", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	b.SetParallelism(clients / 2) // times the number of cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1) - 1)
			req := httptest.NewRequest("GET", r.at[i%people], nil)
			req.Header.Set("Accept", credential.MediaType)
			req.Header.Set("Authorization", "DPoP "+token)
			req.Header.Set("DPoP", proofs[i])
			answer := httptest.NewRecorder()
			w.handler.ServeHTTP(answer, req)
			if answer.Code != 200 {
				b.Errorf("%d %s", answer.Code, answer.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
