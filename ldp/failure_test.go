// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
)

// answer serves one request.
func answer(t testing.TB, b ldp.Backend, request string) (*httptest.ResponseRecorder, string) {
	var log bytes.Buffer
	w := httptest.NewRecorder()
	newHandler(b, &log).ServeHTTP(w, parse(t, request))
	return w, log.String()
}

// A fault of ours is told by a number and nothing else, and logged once.
func TestFaultOfOurs(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7: password=hunter2")
	for _, c := range []struct {
		why    string
		err    error
		status int
		header string
		logged bool
	}{
		{"an error without a Kind is ours", secret, 500, "", true},
		{"so is one of a Kind that is no failure", fmt.Errorf("%w: %w", ldp.Kind(200), secret), 500, "", true},
		{"an internal Fault's words are not told", &ldp.Fault{Kind: ldp.Internal, Detail: secret.Error()}, 500, "", true},
		{"the database is gone", fmt.Errorf("%w: %w", ldp.Unavailable, secret), 503, "Retry-After: 5", true},
		{"out of time", fmt.Errorf("%w: %w", context.DeadlineExceeded, secret), 503, "Retry-After: 5", true},
		{"out of space", fmt.Errorf("%w: %w", ldp.Full, secret), 507, "", true},
		{"not implemented is no fault", fmt.Errorf("%w: %w", ldp.NotImplemented, secret), 501, "", false},
		{"a Kind without words gets words", fmt.Errorf("%w: %w", ldp.Conflict, secret), 409, "", false},
		{"a Fault's header is sent", &ldp.Fault{Kind: ldp.TooMany, Detail: "Wait.", Header: "Retry-After: 60"}, 429, "Retry-After: 60", false},
		{"what has moved is elsewhere", &ldp.Fault{Kind: ldp.Moved, Detail: "Ask there.", Header: "Location: https://b.example/c/"}, 308, "Location: https://b.example/c/", false},
	} {
		for _, method := range []string{"GET", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"} {
			f := newFake(t)
			f.fails = c.err
			w, log := answer(t, f, method+" /c/ alva\nContent-Type: text/n3\n\nx")
			var p struct {
				Type, Title, Detail, Instance string
				Status                        int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%s: %v in %s", c.why, err, w.Body)
			}
			if w.Code != c.status || p.Status != c.status || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") {
				t.Errorf("%s, %s: %d %+v, header %v", c.why, method, w.Code, p, w.Header())
			}
			if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), "hunter2") {
				t.Errorf("%s, %s: told the cause: %s", c.why, method, w.Body)
			}
			if got := strings.Count(log, p.Instance); got != map[bool]int{true: 1}[c.logged] || c.logged != (log != "") {
				t.Errorf("%s, %s: logged %q", c.why, method, log)
			}
			if name, value, _ := strings.Cut(c.header, ": "); w.Header().Get(name) != value {
				t.Errorf("%s, %s: %s is %q", c.why, method, name, w.Header().Get(name))
			}
		}
	}
}

// The faults of a document are listed; what the handler prepared for a success
// is gone.
func TestFaultsOfTheClient(t *testing.T) {
	f := newFake(t)
	f.fails = ldp.Refuse(ldp.Unprocessable, "The document does not fit its type.", "name is missing", "<b> is no date")
	w, _ := answer(t, f, "PUT /c/new alva\nContent-Type: text/turtle\n\nx")
	check(t, w, "", []string{"body ~ \"errors\":[\"name is missing\",\"\\u003cb\\u003e is no date\"]", "body ~ does not fit its type"})
	w, _ = answer(t, f, "PUT /c/new alva\nAccept: text/html\nContent-Type: text/turtle\n\nx")
	check(t, w, "", []string{"body ~ <li>&lt;b&gt; is no date</li>", "Content-Type: text/html; charset=utf-8"})
}

func TestRequestIDOfAWrapper(t *testing.T) {
	h := newHandler(newFake(t), t.Output())
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "from-outside")
	h.ServeHTTP(w, parse(t, "GET /c/absent"))
	check(t, w, "", []string{"body ~ \"instance\":\"from-outside\"", "X-Request-Id: from-outside"})
	h.RequestID = func(*http.Request) string { return "own" }
	w = httptest.NewRecorder()
	h.ServeHTTP(w, parse(t, "GET /c/absent"))
	check(t, w, "", []string{"body ~ \"instance\":\"own\"", "X-Request-Id: own"})
}

// Style rule 7: hidden and absent have the same status, headers and body.
func TestHiddenIsAbsent(t *testing.T) {
	for _, agent := range []string{"", " bob"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE", "INVALID"} {
			seen := func(path string) string {
				h := newHandler(newFake(t), t.Output())
				h.RequestID = func(*http.Request) string { return "id" }
				w := httptest.NewRecorder()
				h.ServeHTTP(w, parse(t, method+" "+path+agent+"\nIf-None-Match: *\nContent-Type: text/plain\n\nx"))
				return strings.ReplaceAll(fmt.Sprint(w.Code, w.Header(), w.Body), path, "")
			}
			if hidden, absent := seen("/private/x"), seen("/private/y"); hidden != absent {
				t.Errorf("%s%s: hidden %s\nabsent %s", method, agent, hidden, absent)
			}
		}
	}
}

// A reader that fails the test where it is read, or ends badly.
type badBody struct {
	t   *testing.T
	err error
}

func (b badBody) Read([]byte) (int, error) {
	if b.err == nil {
		b.t.Error("the content was read")
		return 0, io.EOF
	}
	return 0, b.err
}

func TestContent(t *testing.T) {
	request := func(method, agent string, body io.Reader) *http.Request {
		r := httptest.NewRequest(method, "/c/new", body)
		r.Header.Set("Content-Type", "text/n3")
		r.Header.Set("Authorization", agent)
		r.ContentLength = -1
		return r
	}
	serve := func(r *http.Request) int {
		w := httptest.NewRecorder()
		newHandler(newFake(t), t.Output()).ServeHTTP(w, r)
		return w.Code
	}
	if code := serve(request("PUT", "Test bob", badBody{t: t})); code != 403 {
		t.Errorf("put without permission: %d", code)
	}
	if code := serve(request("PUT", "Test alva", badBody{t, io.ErrUnexpectedEOF})); code != 400 {
		t.Errorf("content that breaks off is the client's fault: %d", code)
	}
	if code := serve(request("PATCH", "Test alva", badBody{t, io.ErrUnexpectedEOF})); code != 400 {
		t.Errorf("a patch that breaks off is the client's fault: %d", code)
	}
	if code := serve(request("PUT", "Test alva", strings.NewReader(strings.Repeat("x", 1001)))); code != 413 {
		t.Errorf("too much content of unknown length: %d", code)
	}
	known := request("PUT", "Test alva", badBody{t: t})
	known.ContentLength = 1001
	if code := serve(known); code != 413 {
		t.Errorf("too much content of known length, of which nothing need be read: %d", code)
	}
	if code := serve(request("PUT", "Test alva", strings.NewReader(strings.Repeat("x", 1000)))); code != 201 {
		t.Errorf("just enough content of unknown length: %d", code)
	}
	if code := serve(request("PATCH", "Test alva", strings.NewReader(strings.Repeat("x", 101)))); code != 413 {
		t.Errorf("too long a patch of unknown length: %d", code)
	}
}

// A listing that fails before its first part has left is a failure; after, it
// breaks off, so that half of it does not look like all.
func TestListingThatFails(t *testing.T) {
	for _, accept := range []string{"text/turtle", "application/ld+json", "text/html"} {
		f := newFake(t)
		f.listed = errors.New("disk on fire")
		w, log := answer(t, f, "GET /c/\nAccept: "+accept)
		if w.Code != 500 || strings.Contains(w.Body.String(), "a.ttl") || !strings.Contains(log, "disk on fire") || w.Header().Get("Etag") != "" {
			t.Errorf("%s: %d %s", accept, w.Code, w.Body)
		}
		for i := range 2000 {
			f.store(ldp.ID(fmt.Sprintf("/c/m%04d", i)), "text/plain", "")
		}
		var late bytes.Buffer
		s := httptest.NewServer(newHandler(f, &late))
		r, _ := http.NewRequest("GET", s.URL+"/c/", nil)
		r.Header.Set("Accept", accept)
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(res.Body); err == nil || res.StatusCode != 200 {
			t.Errorf("%s: half a listing looked whole: %d", accept, res.StatusCode)
		}
		res.Body.Close()
		s.Close()
		if strings.Count(late.String(), "disk on fire") != 1 {
			t.Errorf("%s: logged %q", accept, late.String())
		}
	}
}

// A body that is shorter than was told breaks off too.
func TestBodyThatIsShort(t *testing.T) {
	f := &fixed{newFake(t), ldp.Resource{Type: "text/turtle", Tag: "a", Size: 10}, []byte("12345")}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("half a body looked whole")
		}
	}()
	answer(t, f, "GET /c/t")
}

// The first part leaves while the Backend is still reading the members.
func TestListingIsStreamed(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	b := &slow{fake: f, wait: release}
	s := httptest.NewServer(newHandler(b, t.Output()))
	defer s.Close()
	for _, accept := range []string{"text/turtle", "application/ld+json", "text/html"} {
		r, _ := http.NewRequest("GET", s.URL+"/c/", nil)
		r.Header.Set("Accept", accept)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		res, err := s.Client().Do(r.WithContext(ctx))
		if err != nil {
			t.Fatalf("%s: nothing came before the end: %v", accept, err)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 4096)); err != nil {
			t.Errorf("%s: %v", accept, err)
		}
		release <- struct{}{}
		rest, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Contains(rest, []byte("009999")) {
			t.Errorf("%s: the end is missing: %v", accept, err)
		}
		res.Body.Close()
		cancel()
	}
}

type slow struct {
	*fake
	wait chan struct{}
}

func (s *slow) Get(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	res, err := s.fake.Get(ctx, who, req)
	if err != nil {
		return nil, err
	}
	all := many(10_000)
	res.Members = func(yield func(ldp.Member, error) bool) {
		n := 0
		for m, err := range all {
			if n++; n == 9_000 {
				select {
				case <-s.wait:
				case <-ctx.Done():
					yield(m, ctx.Err())
					return
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
	return res, nil
}

// Both listings say the same, whatever a member's type was stored as, and both
// can be read.
func TestListingsAgree(t *testing.T) {
	f := newFake(t)
	for i, media := range []string{"", "text/plain", "text/plain; charset=utf-8", "x> <urn:evil> <urn:e", `a"b/c`, "a/b/c", "a/b#c", "A/B", "a/b%zz", "ünï/code", "a/\n"} {
		f.store(ldp.ID(fmt.Sprintf("/c/m%d!$&'()*+,;=:@", i)), media, "x")
	}
	read := func(request string, format rdf.Format) *rdf.Graph {
		w, _ := answer(t, f, request)
		g, err := rdf.Read(t.Context(), w.Body.Bytes(), format, "", rdf.Limits{})
		if err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		return g
	}
	for _, path := range []string{"/", "/c/", "/c/d/"} {
		ttl, json := read("GET "+path, rdf.Turtle), read("GET "+path+"\nAccept: application/ld+json", rdf.JSONLD)
		if ttl.Len() != json.Len() || ttl.Len() < 4 {
			t.Errorf("%s: %d triples in Turtle, %d in JSON-LD", path, ttl.Len(), json.Len())
		}
		for triple := range ttl.All() {
			if !json.Has(triple.S, triple.P, triple.O) {
				t.Errorf("%s: not in JSON-LD: %v", path, triple)
			}
			if strings.Contains(fmt.Sprint(triple), "evil") {
				t.Errorf("a media type became a triple: %v", triple)
			}
		}
	}
}

// The page's policy names the stylesheet that is in the page, and nothing else.
func TestPagePolicy(t *testing.T) {
	w, _ := answer(t, newFake(t), "GET /c/\nAccept: text/html")
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, ok := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !ok || !strings.Contains(w.Header().Get("Content-Security-Policy"), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("policy %s\nstyle %q", w.Header().Get("Content-Security-Policy"), style)
	}
	if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), " style=") {
		t.Error("the page has a script or a style that the policy forbids")
	}
}

// What is stored can't become markup, or a link that runs.
func TestPageEscapes(t *testing.T) {
	f := newFake(t)
	f.store("/c/h", "text/turtle", `<javascript:alert(1)> <urn:p> "<script>alert(1)</script>", "hej"@sv, _:b .`)
	w, _ := answer(t, f, "GET /c/h\nAccept: text/html")
	check(t, w, "", []string{"body !~ <script>", "body !~ href=\"javascript:", `body ~ <span lang="sv">hej</span>`, "body ~ &lt;script&gt;alert(1)&lt;/script&gt;"})
}

// A link on a page leads to the very resource.
func TestPageLinksAreExact(t *testing.T) {
	f := newFake(t)
	f.store("/c/a(1)'s.txt", "text/plain", "x")
	f.store("/c/h", "text/turtle", `<http://h/c/a(1)> <urn:p> <https://x.example/?a=1&b=(2)>, <mailto:a@x.example>, <urn:x>, <//evil> .`)
	w, _ := answer(t, f, "GET /c/\nAccept: text/html")
	check(t, w, "", []string{`body ~ <a href="/c/a(1)&#39;s.txt">a(1)&#39;s.txt</a>`})
	w, _ = answer(t, f, "GET /c/h\nAccept: text/html")
	check(t, w, "", []string{`body ~ href="http://h/c/a(1)"`, `body ~ href="https://x.example/?a=1&amp;b=(2)"`, `body ~ href="mailto:a@x.example"`, `body !~ href="urn:`})
}

// What turns the direction of writing is shown, and turns nothing.
func TestPageTurnsNothing(t *testing.T) {
	f := newFake(t)
	f.store("/c/a%E2%80%AEgpj.exe", "text/plain", "x")
	w, _ := answer(t, f, "GET /c/\nAccept: text/html")
	check(t, w, "", []string{"body ~ >a\uFFFDgpj.exe</a>", "body !~ \u202e"})
	f.store("/c/h", "text/turtle", "<urn:s> <urn:p> \"a\u202eb\", \"c\u2066d\"@sv, \"e\\nf\" .")
	w, _ = answer(t, f, "GET /c/h\nAccept: text/html")
	check(t, w, "", []string{"body ~ a\uFFFDb", `body ~ <span lang="sv">c` + "\uFFFDd", "body ~ e\nf", "body !~ \u202e", "body !~ \u2066"})
}

// A document that can't be converted can still be had as it is.
func TestUnconvertible(t *testing.T) {
	f := newFake(t)
	f.store("/c/named", "application/ld+json", `{"@id":"urn:g","@graph":[{"@id":"urn:s","urn:p":"o"}]}`)
	f.store("/c/large", "text/turtle", "#"+strings.Repeat("x", 1000))
	f.store("/c/broken", "text/turtle", "<a")
	for _, c := range []struct {
		path, accept string
		status       int
	}{
		{"/c/named", "application/ld+json", 200},
		{"/c/named", "text/turtle", 406},
		{"/c/named", "text/html", 406},
		{"/c/large", "text/turtle", 200},
		{"/c/large", "application/ld+json", 406},
		{"/c/broken", "application/ld+json", 406},
	} {
		if w, _ := answer(t, f, "GET "+c.path+"\nAccept: "+c.accept); w.Code != c.status {
			t.Errorf("%s as %s: %d %s", c.path, c.accept, w.Code, w.Body)
		}
	}
}
