// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/ldp/rdf"
)

// FuzzHandler sends whole requests. No request is our fault, none that is
// refused has an effect, and no answer splits its header or leaves the Base.
func FuzzHandler(f *testing.F) {
	for _, s := range []string{
		"GET /c/a.ttl HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
		"GET /c/ HTTP/1.1\r\nHost: h\r\nAccept: application/ld+json\r\nPrefer: return=representation; include=\"http://www.w3.org/ns/ldp#PreferMinimalContainer\"\r\n\r\n",
		"GET /c/?max-member-count=2&after=d%2F HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /c/ HTTP/1.1\r\nHost: h\r\nPrefer: return=representation; max-member-count=\"2\"\r\n\r\n",
		"GET /c/b.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=1-2\r\nIf-Range: \"s8.raw\"\r\n\r\n",
		"PUT /c/n%5b HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx",
		"PUT /c/n HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nContent-Type: text/turtle;a=\"b\"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"POST /c/ HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nSlug: %2e%2e/x\r\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\"\r\n\r\n",
		"POST /c/ HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nSlug: x\xf6\r\nContent-Type: text/plain\r\n\r\n",
		"PATCH /c/a.ttl HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nContent-Type: text/n3\r\nIf-Match: \"s6.ttl\", W/\"x\"\r\nContent-Length: 1\r\n\r\nx",
		"DELETE /c/a.ttl HTTP/1.1\r\nHost: h\r\nAuthorization: Test alva\r\nIf-None-Match: *\r\n\r\n",
		"OPTIONS /private/ HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: a,b\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		b := newFake(t)
		rev, count := b.rev, len(b.docs)
		var log bytes.Buffer
		w := httptest.NewRecorder()
		newHandler(b, &log).ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 && r.Header.Get("Authorization") != "Test down" {
			t.Fatalf("%d: %s", w.Code, log.String())
		}
		if w.Code >= 300 && (b.rev != rev || len(b.docs) != count) {
			t.Fatalf("%d, and something has changed", w.Code)
		}
		if b.open != 0 {
			t.Fatal("a body was left open")
		}
		for name, values := range w.Header() {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("%s: %q", name, values)
			}
		}
		if to := w.Header().Get("Location"); to != "" {
			path, ok := strings.CutPrefix(to, "https://pod.example")
			path, _, _ = strings.Cut(path, "?")
			if _, err := ldp.ParseID(path); !ok || err != nil {
				t.Fatalf("Location: %q: %v", to, err)
			}
		}
		checkSyntax(t, w)
	})
}

// checkSyntax holds answers to their Content-Type, where we made them.
func checkSyntax(t *testing.T, w *httptest.ResponseRecorder) {
	if w.Code == http.StatusPartialContent || w.Body.Len() == 0 {
		return
	}
	switch w.Header().Get("Content-Type") {
	case "application/problem+json":
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("no JSON: %s", w.Body)
		}
	case "text/turtle":
		if _, err := rdf.Read(t.Context(), w.Body.Bytes(), rdf.Turtle, "https://pod.example/", rdf.Limits{}); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
	case "application/ld+json":
		if _, err := rdf.Read(t.Context(), w.Body.Bytes(), rdf.JSONLD, "https://pod.example/", rdf.Limits{}); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
	}
}
