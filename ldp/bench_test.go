// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"skrin/acl"
	"skrin/ldp"
)

// A fixed Backend answers each Get with the same state, at no cost.
type fixed struct {
	*fake
	res  ldp.Resource
	body []byte
}

type reader struct{ bytes.Reader }

func (*reader) Close() error { return nil }

func (f *fixed) Get(_ context.Context, _ acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	req.Choose("text/turtle", "application/ld+json")
	res := f.res
	if f.body != nil {
		b := new(reader)
		b.Reset(f.body)
		res.Body = b
	}
	return &res, nil
}

// A sink is a ResponseWriter that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func benchmark(b *testing.B, h http.Handler, accept string) {
	r := httptest.NewRequest("GET", "/c/d/e/card", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&sink{make(http.Header)}, r)
	}
}

// kilobyte is a Turtle document of some 1,000 bytes.
func kilobyte() []byte {
	var b bytes.Buffer
	b.WriteString("@prefix foaf: <http://xmlns.com/foaf/0.1/>.\n@prefix solid: <http://www.w3.org/ns/solid/terms#>.\n<#me> a foaf:Person; foaf:name \"Alva\"; solid:oidcIssuer <https://pod.example>.\n")
	for i := 0; b.Len() < 1000; i++ {
		fmt.Fprintf(&b, "<#me> foaf:knows <https://friend%d.example/card#me>.\n", i)
	}
	return b.Bytes()
}

func newFixed(b *testing.B) *fixed {
	body := kilobyte()
	f := newFake(b)
	return &fixed{f, ldp.Resource{ID: "/c/d/e/card", Type: "text/turtle", Tag: "k7q2", Modified: clock, Size: int64(len(body)),
		Modes: acl.Read, Public: acl.Read, Description: f.Describe("/c/d/e/card")}, body}
}

// BenchmarkBare is what BenchmarkGet is to be compared with.
func BenchmarkBare(b *testing.B) {
	body := kilobyte()
	benchmark(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/turtle")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}), "")
}

func BenchmarkGet(b *testing.B) {
	benchmark(b, newHandler(newFixed(b), io.Discard), "text/turtle")
}

func BenchmarkGetJSONLD(b *testing.B) {
	h := newHandler(newFixed(b), io.Discard)
	h.Limits.Convert = 0
	benchmark(b, h, "application/ld+json")
}

func BenchmarkList1000(b *testing.B) {
	f := newFixed(b)
	f.res.Members, f.body = many(1000), nil
	h := newHandler(f, io.Discard)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/c/d/e/", nil))
	b.SetBytes(int64(w.Body.Len()))
	benchmark(b, h, "text/turtle")
}

func many(n int) iter.Seq2[ldp.Member, error] {
	return func(yield func(ldp.Member, error) bool) {
		for i := range n {
			if !yield(ldp.Member{ID: ldp.ID(fmt.Sprintf("/c/d/e/%06d.ttl", i)), Type: "text/turtle", Size: 1000, Modified: clock}, nil) {
				return
			}
		}
	}
}

// BenchmarkServed and BenchmarkServedBare are the same over a connection.
func BenchmarkServed(b *testing.B) { served(b, newHandler(newFixed(b), io.Discard)) }

func BenchmarkServedBare(b *testing.B) {
	body := kilobyte()
	served(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/turtle")
		w.Write(body)
	}))
}

// served asks over one connection that is kept, with a client that costs nothing:
// after the first answer it only counts bytes.
func served(b *testing.B, h http.Handler) {
	s := httptest.NewServer(h)
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET /c/d/e/card HTTP/1.1\r\nHost: pod.example\r\nAccept: text/turtle\r\n\r\n")
	buf := make([]byte, 16<<10)
	ask := func(want int) (n int) {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for n == 0 || n < want || want == 0 && !bytes.HasSuffix(buf[:n], kilobyte()) {
			m, err := conn.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
		return n
	}
	size := ask(0)
	b.ReportAllocs()
	for b.Loop() {
		if n := ask(size); n != size {
			b.Fatalf("an answer of %d bytes, and one of %d", size, n)
		}
	}
}
