// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
)

// TestMain lets the test be the bare handler too, which the program starts as a
// process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		main()
		return
	}
	code := m.Run()
	if built.Scratch != "" {
		os.RemoveAll(built.Scratch)
	}
	os.Exit(code)
}

// built has built the program, once it was asked for.
var built opener

// program returns a skrin that was built for these tests.
func program(t *testing.T) string {
	t.Helper()
	if built.Skrin == "" {
		dir, err := os.MkdirTemp("", "skrinbench-test-")
		if err != nil {
			t.Fatal(err)
		}
		built.Scratch = dir
		if err := built.build(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return built.Skrin
}

// TestEveryWorkload measures a server of ours with every workload, a moment each:
// none may fail.
func TestEveryWorkload(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server, and stores some 20,000 documents")
	}
	dir := t.TempDir()
	c := runCommand{
		options: options{Skrin: program(t), Limit: true, Rounds: 1, Lasting: time.Millisecond, Users: 4, Scratch: dir, JSON: filepath.Join(dir, "figures.json")},
		Target:  "skrin", Vs: []string{"skrin"}, Conns: []int{8}, Pods: 20, Picture: filepath.Join(dir, "picture.svg"),
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
	measuresScale(t, program(t))
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
		media  string // that is wanted
		failed int
		bytes  int64
	}{
		{"a body with a length", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "12345") }, "", 0, 50},
		{"a body in chunks", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "123")
			w.(http.Flusher).Flush()
			io.WriteString(w, "45")
		}, "", 0, 50},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", 0, 0},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "", 10, 0},
		{"a refusal of several lines", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "not\n\tnow", http.StatusServiceUnavailable)
		}, "", 10, 90},
		{"a connection that is closed each time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "12345")
		}, "", 0, 50},
		{"the media type that was asked for", turtleOf("12345"), "text/turtle", 0, 50},
		{"Turtle where JSON-LD was asked for", turtleOf("12345"), "application/ld+json", 10, 50},
	} {
		t.Run(row.says, func(t *testing.T) {
			s := httptest.NewServer(row.answer)
			defer s.Close()
			shots, err := premake(10, func(int) (shot, error) {
				one, err := newShot("GET", s.URL+"/x", nil)
				one.media = row.media
				return one, err
			})
			if err != nil {
				t.Fatal(err)
			}
			v, err := fire(t.Context(), []string{s.URL}, 1, shots, 3)
			if err != nil || v.failed != row.failed || v.bytes != row.bytes || strings.Contains(v.why, "\n") {
				t.Errorf("%+v, %v: want %d failed, %d bytes", v, err, row.failed, row.bytes)
			}
		})
	}
}

func turtleOf(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/turtle; charset=utf-8")
		io.WriteString(w, body)
	}
}

// TestPeers holds a target against servers that refuse, that lose what they have
// acknowledged, and that can't do a workload at all: what succeeded is what counts, the
// rest is told, and the others go on.
func TestPeers(t *testing.T) {
	var mu sync.Mutex
	serve := func(name, kind string, keeps, answers func(path string) bool) *site {
		kept := map[string]bool{}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.Method == "PUT" && !answers(r.URL.Path):
				w.WriteHeader(500)
			case r.Method == "PUT":
				kept[r.URL.Path] = keeps(r.URL.Path)
				w.WriteHeader(201)
			case !kept[r.URL.Path]:
				w.WriteHeader(404)
			}
		}))
		t.Cleanup(s.Close)
		one := newSite(name, s.URL)
		one.kind, one.users = kind, []*user{{Pod: s.URL + "/"}}
		return one
	}
	all := func(string) bool { return true }
	even := func(path string) bool { return (path[len(path)-1]-'0')%2 == 0 }
	plain := func(method string) func(*bench, int) (shot, error) {
		return func(b *bench, i int) (shot, error) { return newShot(method, fmt.Sprintf("%s/%d", b.base, i), nil) }
	}
	m := &match{conns: 2, rounds: 3, lasting: time.Millisecond, w: &workload{
		name: "put", shot: plain("PUT"), back: plain("GET"), most: 10, not: map[string]string{kindCSS: "it has no time"},
	}}
	rows, not, err := m.run(t.Context(), []*site{
		serve("target", "", all, all), serve("refuses", kindJSS, all, even), serve("loses", "", even, all), serve("can't", kindCSS, all, all),
		serve("dead", "", all, func(string) bool { return false }),
	})
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	half := func(part, all int) bool { return max(2*part-all, all-2*part) <= m.rounds } // a round may have one more of either
	target, refuses, loses := rows[0], rows[1], rows[2]
	if target.Failed > 0 || target.Lost > 0 || target.Back == 0 || target.OfOther["refuses"] <= 0 || target.OfOther["loses"] <= 0 {
		t.Errorf("the target: %+v", target)
	}
	if !half(refuses.Failed, refuses.Sent) || refuses.Lost > 0 || refuses.Back == 0 {
		t.Errorf("%d of %d failed, %d of %d are lost: half are refused, and none is lost", refuses.Failed, refuses.Sent, refuses.Lost, refuses.Back)
	}
	if loses.Failed > 0 || !half(loses.Lost, loses.Back) || loses.Back == 0 {
		t.Errorf("%d failed, %d of %d are lost: none is refused, and half are lost", loses.Failed, loses.Lost, loses.Back)
	}
	if told := strings.Join(not, "; "); len(not) != 2 || !strings.Contains(told, "put on can't: it has no time") || !strings.Contains(told, "put on dead: all 4 failed") {
		t.Errorf("what is told of those that can't: %q", told)
	}
}

// TestMend removes the quota files that JavaScriptSolidServer has broken, and no
// others.
func TestMend(t *testing.T) {
	dir := t.TempDir()
	file := func(pod, text string) string {
		name := filepath.Join(dir, pod, ".quota.json")
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, cut, twice := file("good", `{"limit": 5, "used": 1}`), file("cut", ""), file("twice", `{"limit": 5, "used": 1}1}`)
	for _, kind := range []string{kindCSS, kindJSS} {
		s := &site{kind: kind, dir: dir}
		if err := s.mend(); err != nil {
			t.Fatal(err)
		}
		for name, broken := range map[string]bool{good: false, cut: true, twice: true} {
			_, err := os.Stat(name)
			if gone := errors.Is(err, fs.ErrNotExist); gone != (broken && kind == kindJSS) {
				t.Errorf("%s: %s is gone: %t", kind, name, gone)
			}
		}
		if want := map[string]int{kindCSS: 0, kindJSS: 2}[kind]; s.mended != want {
			t.Errorf("%s: %d are mended, not %d", kind, s.mended, want)
		}
	}
}

// TestGeneratorIsTold: a figure that the generator set has a mark.
func TestGeneratorIsTold(t *testing.T) {
	for _, x := range []struct {
		server, generator float64
		mark              string
	}{{10, 9, ""}, {10, 11, "G"}, {0, 11, ""}} { // what runs elsewhere is not known
		r := report{Rows: []row{{Workload: "w", Site: "skrin", Rate: 123, P50: 1, Server: x.server, Generator: x.generator}}}
		var text bytes.Buffer
		r.print(&text)
		if !strings.Contains(text.String(), " 123"+x.mark+" ") {
			t.Errorf("server %v, generator %v: want the mark %q in\n%s", x.server, x.generator, x.mark, &text)
		}
	}
}

// TestNodesInTurn: each node gets every other shot, and none all of a user's.
func TestNodesInTurn(t *testing.T) {
	for _, users := range []int{1, 3, 64} {
		count, of := map[int]int{}, map[[2]int]bool{}
		for i := range 8 * users {
			n := nodeOf(i, users, 2)
			count[n]++
			of[[2]int{i % users, n}] = true
		}
		if count[0] != count[1] || len(of) != 2*users {
			t.Errorf("%d users: the nodes get %d and %d shots; there are %d pairs of a user and a node, not %d", users, count[0], count[1], len(of), 2*users)
		}
	}
}

// TestTables: what doesn't reach its target is told, and what does is not.
func TestTables(t *testing.T) {
	plain := func(workload, site string, rate float64) row {
		return row{Workload: workload, Site: site, Conns: 64, Rate: rate, P50: 1, P99: 4, Server: 10, Sent: 4}
	}
	ours := func(workload string, rate, ofLimit, css, jss float64) row {
		x := plain(workload, "skrin", rate)
		x.OfLimit, x.OfOther = ofLimit, map[string]float64{kindCSS: css, kindJSS: jss}
		return x
	}
	slow := ours("get-dpop", 800, 0.8, 61, 3.5)
	slow.P99, slow.Failed, slow.Why = 6, 1, "status 503"
	refuses := plain("put-new", kindJSS, 1)
	refuses.Failed, refuses.Why, refuses.Lost, refuses.Back = 1, "status 500", 2, 3
	grown := plain("put-into-1000", "skrin", 5)
	grown.Grows, grown.OfLeast = "put-into", 1.6
	r := &report{
		Date: "2026-11-22", Disk: diskLimit{10, 900},
		Sites: []about{{Name: "skrin", Start: 0.2, Memory: 50e6}, {Name: kindCSS, Start: 5, Memory: 300e6}, {Name: kindJSS, Start: 0.1, Memory: 90e6}},
		Rows: []row{
			plain("get-turtle", "limit", 1000), ours("get-turtle", 600, 0.6, 59, 6.1), plain("get-turtle", kindCSS, 1), plain("get-turtle", kindJSS, 1),
			slow,
			plain("put-new", "limit", 1000), ours("put-new", 400, 0.4, 51, 4.5), refuses,
			plain("put-over", "limit", 800), ours("put-over", 500, 0.6, 51, 4.5),
			ours("patch-n3", 340, 0.2, 51, 3.5), ours("patch-n3-one", 160, 0.1, 51, 3.5),
			grown,
		},
		Troubles: []string{"token on jss: it has none"},
	}
	var b bytes.Buffer
	r.tables(&b)
	text := b.String()
	t.Log("\n" + text)
	for _, want := range []string{
		"get-turtle, times CSS (59, not 60)", "put-new, of the group commits (0.44, not 0.5)", "patch-n3, of put-over (0.68, not 0.7)", "p99 of get-dpop (6.0 × p50, not 5; the limit's is not known)",
		"idle memory, of jss's (0.56, not 0.5)", "start, of jss's (2.00, not 1)", "get-dpop: 1 of 4: status 503 failed", "put-into-1000 (1.60 × of the least, not 1.5)",
		"| put-new | JSS | 1 | 75.0 % |", "1 of 4: status 500, 2 of 3 that succeeded are not there", "* Not measured: token on jss: it has none.", "| 600 | 1.00 | 4.00 | 4.0 | 4.0 | 10 | 0 % | 0.60 | 0.6 | 59 | 60 | 6.10 | 6 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables don't say %q", want)
		}
	}
	_, missed, _ := strings.Cut(text, "Not met: ")
	for _, met := range []string{"times JSS", "put-over, of the limit", "patch-n3-one", "of css's", "idle memory (", "start ("} {
		if strings.Contains(missed, met) {
			t.Errorf("%q is met, and told as missed: %s", met, missed)
		}
	}
}

// TestScheduled: what waits for a processor is counted.
func TestScheduled(t *testing.T) {
	before := scheduled()
	var wg sync.WaitGroup
	for range 100 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for began := time.Now(); time.Since(began) < time.Millisecond; {
			}
		})
	}
	wg.Wait()
	if waited := scheduled().since(before).quantile(0.99); waited < 5*time.Millisecond || waited > time.Minute {
		t.Errorf("the last of a hundred that take a millisecond each waited %v", waited)
	}
}

// TestBareVerifies: the limit answers the bytes that it is given.
func TestBareVerifies(t *testing.T) {
	s, err := bare(context.Background(), &workload{signs: 2}, []byte("hello"), "text/turtle", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	resp, err := http.Get(s.base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello" || resp.Header.Get("Content-Type") != "text/turtle" {
		t.Errorf("it answers %q, %s", b, resp.Header.Get("Content-Type"))
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

// TestALimitAnswersARead: wherever a mix begins, what its limit answers is what a read
// is answered; and where there is none, what the first is.
func TestALimitAnswersARead(t *testing.T) {
	for next := range 20 {
		for reads, want := range map[int]int{17: next, 0: next} {
			if reads > 0 && next >= reads {
				want = 20 // the first of the next round
			}
			at := next
			b := &bench{site: &site{next: &at}}
			s, err := b.telling(&workload{shot: func(_ *bench, i int) (shot, error) {
				made := shot{size: int64(i)}
				if i%20 < reads {
					made.media = "text/turtle"
				}
				return made, nil
			}})
			if err != nil || s.size != int64(want) || at != want+1 || (s.media != "") != (reads > 0) {
				t.Errorf("from %d, with %d reads: %+v, then %d: %v", next, reads, s, at, err)
			}
		}
	}
}
