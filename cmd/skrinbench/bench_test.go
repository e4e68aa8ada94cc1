// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMain lets the test be the bare handler too, which the program starts as a
// process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestEveryWorkload measures a server of ours with every workload, a moment each:
// none may fail.
func TestEveryWorkload(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server, and stores some 20,000 documents")
	}
	dir := t.TempDir()
	o := &opener{Scratch: dir}
	if err := o.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := runCommand{
		Target: "skrin", Vs: "skrin", Skrin: o.Skrin, Limit: true, Conns: []int{8}, Rounds: 1, Lasting: time.Millisecond, Users: 4, Pods: 20, Scratch: dir,
		JSON: filepath.Join(dir, "figures.json"), Picture: filepath.Join(dir, "picture.svg"),
	}
	chosen, err := choose(nil, amount{20 << 20, 1000})
	if err != nil {
		t.Fatal(err)
	}
	r := &report{Date: "2026-11-21"}
	if err := c.measure(t.Context(), chosen, r); err != nil {
		t.Fatal(err)
	}
	for _, trouble := range r.Troubles {
		t.Error(trouble)
	}
	for _, s := range r.Sites {
		if s.Pods != 20 || s.Bytes < 1000 || s.Rate <= 0 || s.Open <= 0 || s.Cold <= 0 {
			t.Errorf("the pods that fill it: %+v", s)
		}
	}
	for _, w := range chosen {
		found := 0
		for _, x := range r.Rows {
			if x.Workload == w.name {
				found++
				if x.Failed > 0 || x.Rate <= 0 || x.P50 <= 0 {
					t.Errorf("%s at %s: %d failed (%s), %.0f/s", w.name, x.Site, x.Failed, x.Why, x.Rate)
				}
			}
		}
		if found < 2 && (!w.alone || found == 0) {
			t.Errorf("%s has %d rows, not one for each server", w.name, found)
		}
	}
	var text bytes.Buffer
	r.print(&text)
	t.Log("\n" + text.String())
	if err := c.save(r); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, r.picture())
	measuresScale(t, o.Skrin)
}

// measuresScale fills two servers, and holds one against the other; then once more,
// when they are filled already.
func measuresScale(t *testing.T, program string) {
	c := scaleCommand{Keep: t.TempDir(), Pods: []int{20, 40}, Skrin: program, Known: 50, Conns: 4, Rounds: 1, Shots: 60}
	for range 2 {
		for _, pods := range c.Pods {
			s, err := c.start(t.Context(), &opener{Skrin: program}, pods)
			if err != nil {
				t.Fatal(err)
			}
			for k := range asks {
				if err := c.volley(t.Context(), s, k); err != nil || s.why != "" {
					t.Error(err, s.why)
				}
			}
			s.close()
			if s.scale.Pods != pods || s.scale.Bytes < 1000 || s.idle == 0 || len(s.users) != 50 || s.p99[1][0] <= 0 {
				t.Errorf("%d pods: %+v, %d bytes idle, %d known", pods, s.scale, s.idle, len(s.users))
			}
			var text bytes.Buffer
			c.print(&text, []*scaled{s})
			t.Log("\n" + text.String())
		}
	}
}

func wellFormed(t *testing.T, picture []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFire counts what is answered, and what isn't as it should be.
func TestFire(t *testing.T) {
	for _, row := range []struct {
		says   string
		answer http.HandlerFunc
		failed int
		bytes  int64
	}{
		{"a body with a length", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "12345") }, 0, 50},
		{"a body in chunks", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "123")
			w.(http.Flusher).Flush()
			io.WriteString(w, "45")
		}, 0, 50},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 0, 0},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, 10, 0},
		{"a connection that is closed each time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "12345")
		}, 0, 50},
	} {
		t.Run(row.says, func(t *testing.T) {
			s := httptest.NewServer(row.answer)
			defer s.Close()
			shots, err := premake(10, func(int) (shot, error) { return newShot("GET", s.URL+"/x", nil) })
			if err != nil {
				t.Fatal(err)
			}
			v, err := fire(t.Context(), s.URL, shots, 3)
			if err != nil || v.failed != row.failed || v.bytes != row.bytes {
				t.Errorf("%+v, %v: want %d failed, %d bytes", v, err, row.failed, row.bytes)
			}
		})
	}
}

// TestBareVerifies: the limit answers the bytes that it is given.
func TestBareVerifies(t *testing.T) {
	s, err := bare(context.Background(), &workload{signs: 2}, []byte("hello"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	resp, err := http.Get(s.base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello" {
		t.Errorf("it answers %q", b)
	}
}

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(row.of); got != row.want {
			t.Errorf("%v: %v, not %v", row.of, got, row.want)
		}
	}
}

// FuzzAnswer reads what any server might answer: it ends, and never panics.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nok", "nothing", "HTTP/1.1 xxx\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			bufio.NewReader(there).ReadString('\n')
			go io.Copy(io.Discard, there)
			there.Write(answer)
		}()
		c := &conn{Conn: here, in: bufio.NewReader(here), discard: make([]byte, 1<<10)}
		s := shot{head: []byte("GET / HTTP/1.1\r\n\r\n")}
		n, _, err := c.exchange(&s)
		if err == nil && n > int64(len(answer)) {
			t.Errorf("%d bytes out of %d", n, len(answer))
		}
	})
}
