// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/ldp/rdf"
)

// A row is a sentence with the section of specs.md that says it, a request, and
// what the answer must be.
type row struct {
	why     string
	request string   // "PUT /c/new alva" and a line for each header, an empty line and the body
	status  int      //
	want    []string // "Name: value" is; "Name ~ text" contains; "Name !~ text" does not; "-Name" is absent. Name may be body or log
}

func run(t *testing.T, rows []row) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.why, func(t *testing.T) {
			f := newFake(t)
			var log bytes.Buffer
			h := newHandler(f, &log)
			w := httptest.NewRecorder()
			r := parse(t, c.request)
			if !strings.Contains(c.why, "without Origin") && r.Header.Get("Origin") == "" {
				r.Header.Set("Origin", "https://app.example")
			}
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d; body %s", w.Code, c.status, w.Body)
			}
			check(t, w, log.String(), c.want)
			checkAlways(t, f, w)
		})
	}
}

func parse(t testing.TB, text string) *http.Request {
	head, body, hasBody := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.Fields(lines[0])
	var r *http.Request
	if hasBody {
		r = httptest.NewRequest(first[0], first[1], strings.NewReader(body))
	} else {
		r = httptest.NewRequest(first[0], first[1], nil)
	}
	if len(first) > 2 {
		r.Header.Set("Authorization", "Test "+first[2])
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(strings.TrimSpace(l), ": ")
		if !ok {
			t.Fatalf("not a header: %q", l)
		}
		r.Header.Add(name, value)
	}
	return r
}

func check(t *testing.T, w *httptest.ResponseRecorder, log string, want []string) {
	t.Helper()
	value := func(name string) string {
		switch name {
		case "body":
			return w.Body.String()
		case "log":
			return log
		}
		return strings.Join(w.Result().Header.Values(name), " ++ ")
	}
	for _, s := range want {
		if name, ok := strings.CutPrefix(s, "-"); ok {
			if got := value(name); got != "" {
				t.Errorf("%s: %s, want none", name, got)
			}
			continue
		}
		if name, text, ok := strings.Cut(s, " !~ "); ok {
			if strings.Contains(value(name), text) {
				t.Errorf("%s: %s\nwant no %s", name, value(name), text)
			}
		} else if name, text, ok := strings.Cut(s, " ~ "); ok {
			if !strings.Contains(value(name), text) {
				t.Errorf("%s: %s\nwant in it %s", name, value(name), text)
			}
		} else if name, text, ok := strings.Cut(s, ": "); !ok || value(name) != text {
			t.Errorf("%s: %s\nwant %s", name, value(name), text)
		}
	}
}

// checkAlways holds for every answer (A12, I, architecture.md).
func checkAlways(t *testing.T, f *fake, w *httptest.ResponseRecorder) {
	t.Helper()
	res := w.Result()
	if f.open != 0 {
		t.Errorf("%d bodies were left open", f.open)
	}
	if len(res.Header["Vary"]) != 1 || !strings.HasPrefix(res.Header.Get("Vary"), "Accept, Authorization, Origin") {
		t.Errorf("Vary: %q", res.Header["Vary"])
	}
	if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("no nosniff, or no CORS: %v", res.Header)
	}
	if w.Body.Len() > 0 && res.Header.Get("Content-Type") == "" {
		t.Error("content without Content-Type")
	}
	if w.Body.Len() > 0 && res.StatusCode == http.StatusNoContent {
		t.Error("204 with content")
	}
	// A12: Expose-Headers lists all that are used; those that every script may
	// see, or that only browsers obey, need not be there.
	exposed := strings.ToLower(res.Header.Get("Access-Control-Expose-Headers")) + ", cache-control, content-language, content-length, content-type, " +
		"expires, last-modified, pragma, content-security-policy, cross-origin-resource-policy, referrer-policy, x-content-type-options, accept-encoding"
	for name := range res.Header {
		if res.Header.Get("Access-Control-Allow-Origin") != "*" && !strings.HasPrefix(name, "Access-Control-") && !strings.Contains(exposed+",", strings.ToLower(name)+",") {
			t.Errorf("%s is used and not exposed", name)
		}
	}
}

func TestPaths(t *testing.T) {
	run(t, []row{
		{"A2: a canonical path is served", "GET /c/a.ttl", 200, nil},
		{"A10: another spelling is redirected to the canonical one", "GET /c/%61.ttl?q=1", 308, []string{"Location: https://pod.example/c/a.ttl?q=1", "Link !~ acl"}},
		{"A10: also where it is put", "PUT /c/n%5b1%5d alva\nContent-Type: text/plain\n\nx", 308, []string{"Location: https://pod.example/c/n%5B1%5D"}},
		{"A10: a raw bracket too", "GET /c/n[1]", 308, []string{"Location: https://pod.example/c/n%5B1%5D"}},
		{"A12: but a preflight can't be redirected", "OPTIONS /c/n[1]\nOrigin: https://app.example\nAccess-Control-Request-Method: PUT", 204, []string{"-Location"}},
		{"a dot segment is refused", "GET /c/../private/x", 400, []string{"body ~ dot segment"}},
		{"an escaped dot segment is refused, not redirected", "GET /c/%2e%2e/private/x", 400, []string{"body ~ dot segment"}},
		{"an escaped slash is refused", "GET /c%2Fa.ttl", 400, []string{"body ~ encoded slash"}},
		{"an escaped slash beside a raw bracket is refused", "GET /c%2f[", 400, []string{"body ~ encoded slash"}},
		{"an escaped slash beside a raw quote is refused", "GET /c%2Fa.ttl\"", 400, []string{"body ~ encoded slash"}},
		{"two slashes are refused", "GET /c//a.ttl", 400, []string{"body ~ two slashes"}},
		{"NUL is refused", "GET /c/%00", 400, nil},
		{"what is no UTF-8 is refused", "GET /c/%FF", 400, []string{"body ~ UTF-8"}},
		{"A12: and the refusal can be read by scripts", "OPTIONS /c//a\nOrigin: https://app.example\nAccess-Control-Request-Method: GET", 204, nil},
		{"an OPTIONS that is no preflight is refused too", "OPTIONS /c//a", 400, nil},
		{"the query is no part of the name", "GET /c/a.ttl?x=/../y", 200, nil},
	})
}

func TestReading(t *testing.T) {
	run(t, []row{
		{"A6: GET of a document", "GET /c/a.ttl", 200, []string{
			"Content-Type: text/turtle", "body: " + turtle, "Content-Length: 46", "Etag: \"s6.ttl\"", "Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT",
			"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE", "Accept-Patch: text/n3, application/sparql-update", "Accept-Put ~ */*", "-Accept-Post"}},
		{"A6: HEAD is GET without content", "HEAD /c/a.ttl", 200, []string{"-body", "Content-Type: text/turtle", "Content-Length: 46", "Etag: \"s6.ttl\"", "Accept-Ranges: bytes"}},
		{"A6: OPTIONS tells what is supported", "OPTIONS /c/", 204, []string{"-body", "Allow: GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE", "Accept-Post ~ application/ld+json", "Accept-Patch ~ text/n3", "Accept-Put ~ text/turtle"}},
		{"A6: OPTIONS of what can't be patched, to who may read it", "OPTIONS /c/b.bin", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, DELETE", "-Accept-Patch"}},
		{"A6: a preflight is not about it", "OPTIONS /c/b.bin\nAccess-Control-Request-Method: PATCH", 204, []string{"Allow ~ PATCH"}},
		{"A6: 405 tells the same", "INVALID /c/b.bin", 405, []string{"Allow: GET, HEAD, OPTIONS, PUT, DELETE"}},
		{"A6: OPTIONS asks nobody's rights, and tells nothing", "OPTIONS /private/x", 204, []string{"-Etag", "-Wac-Allow"}},
		{"A6: OPTIONS works with bad credentials", "OPTIONS /c/ bad", 204, nil},
		{"A3: every resource links to the storage's description", "HEAD /c/b.bin", 200, []string{`Link ~ <https://pod.example/.well-known/solid>; rel="http://www.w3.org/ns/solid/terms#storageDescription"`}},
		{"A3: on OPTIONS too", "OPTIONS /c/b.bin", 204, []string{`Link ~ rel="http://www.w3.org/ns/solid/terms#storageDescription"`}},
		{"A3: the root is a storage, with its owner", "HEAD /", 200, []string{`Link ~ <http://www.w3.org/ns/pim/space#Storage>; rel="type"`, `Link ~ <https://pod.example/alva/card#me>; rel="http://www.w3.org/ns/solid/terms#owner"`}},
		{"A3: another container is not", "HEAD /c/", 200, []string{"Link !~ Storage>", "Link !~ terms#owner"}},
		{"F: the inbox is found by its link", "HEAD /", 200, []string{`Link ~ <https://pod.example/inbox/>; rel="http://www.w3.org/ns/ldp#inbox"`}},
		{"A5: acl and describedby are advertised", "GET /c/a.ttl", 200, []string{`Link ~ <https://pod.example/c/a.ttl.acl>; rel="acl"`, `Link ~ <https://pod.example/c/a.ttl.meta>; rel="describedby"`}},
		{"A5: not on an ACL", "GET /c/a.ttl.acl", 200, []string{`Link !~ rel="acl"`}},
		{"H 4.2.1.4: a document is an LDP resource", "GET /c/a.ttl", 200, []string{`Link ~ <http://www.w3.org/ns/ldp#Resource>; rel="type"`, "Link !~ BasicContainer"}},
		{"H 5.2.1.4: a container is a basic container", "GET /c/", 200, []string{`Link ~ <http://www.w3.org/ns/ldp#BasicContainer>; rel="type"`, `Link ~ <http://www.w3.org/ns/ldp#Resource>; rel="type"`}},
		{"A6: the root can't be deleted, and says so", "HEAD /", 200, []string{"Allow: GET, HEAD, OPTIONS, PUT, POST, PATCH"}},
		{"B: WAC-Allow of a stranger", "GET /c/a.ttl", 200, []string{`Wac-Allow: user="read",public="read"`}},
		{"B: WAC-Allow of the owner", "HEAD /private/x alva", 200, []string{`Wac-Allow: user="read write append control",public=""`}},
		{"A1: no credentials", "GET /private/x", 401, []string{`Www-Authenticate: DPoP algs="ES256"`, "Content-Type: application/problem+json", "-Etag", "-Last-Modified", "-Wac-Allow"}},
		{"A1: bad credentials, whatever is asked for", "GET /c/a.ttl bad", 401, []string{`Www-Authenticate: DPoP error="invalid_token", algs="ES256"`, "body !~ secret", "-log"}},
		{"who asks can't be found out", "GET /c/a.ttl down", 503, []string{"Retry-After: 5", "body !~ 10.0.0.7", "log ~ 10.0.0.7"}},
		{"B: hidden from whoever is known", "GET /private/x bob", 403, nil},
		{"B: absent and hidden are alike", "GET /private/absent bob", 403, nil},
		{"B: HEAD likewise, without content", "HEAD /c/absent", 404, []string{"-body", "Content-Type: application/problem+json"}},
		{"B: absent where one may read", "GET /c/absent", 404, []string{"-Www-Authenticate"}},
		{"A6: a method that nobody knows", "INVALID /c/a.ttl alva", 405, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE"}},
		{"A6: TRACE", "TRACE /c/a.ttl", 405, nil},
		{"A6: a method that nobody knows, with bad credentials", "INVALID /c/a.ttl bad", 401, nil},
		{"H: caches ask again, and others' caches keep nothing of mine", "GET /private/x alva", 200, []string{"Cache-Control: private, no-cache"}},
		{"H: what all may read, all may cache", "GET /c/a.ttl alva", 200, []string{"Cache-Control: no-cache"}},
	})
}

func TestNegotiation(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	run(t, []row{
		{"I: no Accept, the stored type", "GET /c/j", 200, []string{"Content-Type: application/ld+json", "Etag: \"s9.jsonld\""}},
		{"I: all is acceptable, the stored type", "GET /c/j\nAccept: */*", 200, []string{"Content-Type: application/ld+json"}},
		{"A4: a container is Turtle by default", "GET /c/", 200, []string{"Content-Type: text/turtle"}},
		{"A4: also with a long list", "GET /c/\nAccept: text/turtle,application/ld+json,application/rdf+xml;q=0.9,*/*;q=0.1", 200, []string{"Content-Type: text/turtle"}},
		{"A10: the stored bytes where the type matches", "GET /c/a.ttl\nAccept: text/turtle", 200, []string{"body: " + turtle}},
		{"A10: JSON-LD as Turtle", "GET /c/j\nAccept: text/turtle", 200, []string{"Content-Type: text/turtle", "Etag: \"s9.ttl\"", "body ~ <https://pod.example/c/j#it>", "body ~ \"Å\""}},
		{"A10: Turtle as JSON-LD", "GET /c/a.ttl\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "Etag: \"s6.jsonld\"", "body ~ https://pod.example/c/a.ttl#it"}},
		{"I: q decides", "GET /c/a.ttl\nAccept: text/turtle;q=0.5, application/ld+json;q=0.501", 200, []string{"Content-Type: application/ld+json"}},
		{"I: the more specific range decides", "GET /c/a.ttl\nAccept: text/turtle;q=0.2, text/*;q=0.9, */*;q=0.3", 200, []string{"Content-Type: application/ld+json"}},
		{"I: q=0 is not acceptable", "GET /c/a.ttl\nAccept: text/turtle;q=0, */*", 200, []string{"Content-Type: application/ld+json"}},
		{"I: several header lines are one list", "GET /c/a.ttl\nAccept: text/turtle;q=0.1\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json"}},
		{"I: a profile does not matter", "GET /c/a.ttl\nAccept: application/ld+json;profile=\"http://www.w3.org/ns/json-ld#compacted,x\"", 200, []string{"Content-Type: application/ld+json"}},
		{"I: case does not matter", "GET /c/a.ttl\nAccept: Application/LD+JSON;Q=1", 200, []string{"Content-Type: application/ld+json"}},
		{"A10: nothing acceptable", "GET /c/a.ttl\nAccept: image/png", 406, []string{"-Etag"}},
		{"A10: nothing acceptable of a binary", "GET /c/b.bin\nAccept: text/turtle", 406, nil},
		{"A10: nothing acceptable of a container", "GET /c/\nAccept: application/n-triples", 406, nil},
		{"a browser gets a page", "GET /c/a.ttl\nAccept: " + browser, 200, []string{"Content-Type: text/html; charset=utf-8", "Etag: \"s6.html-en\"", "Content-Language: en", "Vary: Accept, Authorization, Origin, Accept-Language", "body ~ <td>Å</td>", "Content-Security-Policy ~ default-src 'none'", "Referrer-Policy: no-referrer"}},
		{"a browser gets a page about a container", "GET /c/\nAccept: " + browser, 200, []string{"Content-Type: text/html; charset=utf-8", `body ~ <a href="/c/a.ttl">a.ttl</a>`, `body ~ <a href="/c/x%3Cb%3E">x&lt;b&gt;</a>`, "body !~ x<b>", `body ~ <a href="/">/</a>`}},
		{"HEAD of a page", "HEAD /c/\nAccept: " + browser, 200, []string{"-body", "Content-Type: text/html; charset=utf-8"}},
		{"a browser gets a binary as it is", "GET /c/b.bin\nAccept: " + browser, 200, []string{"Content-Type: application/octet-stream"}},
		{"an app that likes Turtle as well gets Turtle", "GET /c/a.ttl\nAccept: text/html, text/turtle", 200, []string{"Content-Type: text/turtle"}},
		{"rdflib gets Turtle", "GET /c/a.ttl\nAccept: image/*;q=0.9, */*;q=0.1, application/rdf+xml;q=0.9, application/xhtml+xml, text/xml;q=0.5, application/xml;q=0.5, text/html;q=0.9, text/plain;q=0.5, text/n3;q=1.0, text/turtle;q=1", 200, []string{"Content-Type: text/turtle"}},
		{"a browser gets a page about a failure", "GET /c/absent\nAccept: " + browser, 404, []string{"Content-Type: text/html; charset=utf-8", "body ~ <h1>There is nothing here</h1>", "body ~ 404 Not Found: There is nothing at this URL.", "Vary: Accept, Authorization, Origin, Accept-Language"}},
		{"a page is in the browser's language", "GET /c/\nAccept: " + browser + "\nAccept-Language: fi, no;q=0.9, en;q=0.8", 200, []string{"Content-Language: nb", "body ~ Det som er i mappen", `body ~ <html lang="nb">`, "Etag ~ .html-nb"}},
		{"and what has been seen in one language isn't what is asked for in another", "GET /c/a.ttl\nAccept: " + browser + "\nAccept-Language: sv\nIf-None-Match: \"s6.html-nn\"", 200, []string{"Content-Language: sv", "body ~ Det som sägs"}},
		{"and is in that one", "GET /c/a.ttl\nAccept: " + browser + "\nAccept-Language: sv\nIf-None-Match: \"s6.html-sv\"", 304, []string{"-body"}},
		{"a failure too", "GET /private/x\nAccept: " + browser + "\nAccept-Language: nn", 401, []string{"Content-Language: nn", "body ~ <h1>Dette er ikkje ope for alle</h1>", "body ~ 401 Unauthorized"}},
		{"a range is not the wish for a page", "GET /c/a.ttl\nAccept: text/*, */*;q=0.1", 200, []string{"Content-Type: text/turtle"}},
	})
}

func TestContainers(t *testing.T) {
	const minimal = "GET /c/\nPrefer: return=representation; include=\"http://www.w3.org/ns/ldp#PreferMinimalContainer\""
	run(t, []row{
		{"A4: a container contains, and types itself", "GET /c/", 200, []string{
			"body ~ @base <https://pod.example/c/>.", "body ~ <> a ldp:Container, ldp:BasicContainer, ldp:Resource", "body ~ <> ldp:contains <a.ttl>.",
			"body ~ ldp:contains <d/>.", "body !~ pim/space#Storage"}},
		{"A4: with the members' metadata", "GET /c/", 200, []string{
			"body ~ <a.ttl> a ldp:Resource, <http://www.w3.org/ns/iana/media-types/text/turtle#Resource>; stat:size 46; dcterms:modified \"2026-11-21T12:00:00Z\"^^xsd:dateTime; stat:mtime 1795262400.",
			"body ~ <d/> a ldp:Resource, ldp:Container, ldp:BasicContainer; dcterms:modified", "body ~ media-types/text/plain#Resource>"}},
		{"A4: with its own triples", "GET /c/", 200, []string{`body ~ "it's"@en`}},
		{"A3: a storage is typed so", "GET /", 200, []string{"body ~ <http://www.w3.org/ns/pim/space#Storage>"}},
		{"A10: as JSON-LD", "GET /c/\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", `body ~ {"@id":"https://pod.example/c/a.ttl","@type":["ldp:Resource","http://www.w3.org/ns/iana/media-types/text/turtle#Resource"],"stat:size":46`, `body ~ "@language":"en"`}},
		{"H 7.2: the minimal container", minimal, 200, []string{"body !~ ldp:contains", "body !~ a.ttl", `body ~ "it's"@en`, "Preference-Applied: return=representation", "Vary: Accept, Authorization, Origin, Prefer", "Etag: \"s2.min-ttl\""}},
		{"H 7.2: as JSON-LD", minimal + "\nAccept: application/ld+json", 200, []string{"body !~ contains", "Etag: \"s2.min-jsonld\""}},
		{"H 7.2: containment left out", "GET /c/\nPrefer: return=representation; omit=\"http://www.w3.org/ns/ldp#PreferContainment\"", 200, []string{"body !~ ldp:contains", "Preference-Applied: return=representation"}},
		{"H 7.2: minimal and containment is all", "GET /c/\nPrefer: return=representation; include=\"http://www.w3.org/ns/ldp#PreferMinimalContainer http://www.w3.org/ns/ldp#PreferContainment\"", 200, []string{"body ~ ldp:contains", "Preference-Applied: return=representation"}},
		{"H 7.2: another preference is ignored", "GET /c/\nPrefer: wait=10, respond-async", 200, []string{"body ~ ldp:contains", "-Preference-Applied", "Etag: \"s2.ttl\""}},
	})
}

// TestAListingNamesItsMembers: whatever is thought to be the base, the names that a
// listing is made of are those of the members.
func TestAListingNamesItsMembers(t *testing.T) {
	for _, container := range []ldp.ID{"/c/d/e/", "/a:b/", "/"} {
		f := newFake(t)
		f.store(container, "", "")
		want := map[string]bool{}
		for _, name := range []string{"a.ttl", "urn:x", "http:/", "x/", "..x", "...", "x%3F", "x%23y", "%20", ":", "a;b=c", "å/", "x:y/"} {
			id, _ := ldp.Respell(string(container) + name)
			f.store(ldp.ID(id), "text/plain", "x")
			want["https://pod.example"+id] = true
		}
		w := httptest.NewRecorder()
		newHandler(f, t.Output()).ServeHTTP(w, httptest.NewRequest("GET", string(container), nil))
		data, err := rdf.Read(t.Context(), w.Body.Bytes(), rdf.Turtle, "https://elsewhere.example/z/?x#y", rdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for c := range data.All() {
			if c.P.Value != "http://www.w3.org/ns/ldp#contains" {
				continue
			}
			if c.S.Value != "https://pod.example"+string(container) || !want[c.O.Value] && container != "/" {
				t.Errorf("%s contains %s", c.S.Value, c.O.Value)
			}
			delete(want, c.O.Value)
		}
		if len(want) > 0 {
			t.Errorf("missing in %s: %v", container, want)
		}
	}
}

// TestADateOfThisSecondTellsNothing: what has just changed may change again within
// the second, and the date stays.
func TestADateOfThisSecondTellsNothing(t *testing.T) {
	for after, want := range map[time.Duration]int{0: 200, time.Second: 200, 2 * time.Second: 304, -time.Second: 200} {
		h := newHandler(newFake(t), io.Discard)
		h.Now = func() time.Time { return clock.Add(after) }
		r := httptest.NewRequest("GET", "/c/a.ttl", nil)
		r.Header.Set("If-Modified-Since", "Sat, 21 Nov 2026 12:00:00 GMT")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v after a change: %d, want %d", after, w.Code, want)
		}
	}
}

func TestConditions(t *testing.T) {
	const later, same, earlier = "Sun, 22 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:00:00 GMT"
	run(t, []row{
		{"I: not modified, by tag", "GET /c/a.ttl\nIf-None-Match: \"x\", W/\"s6.ttl\"", 304, []string{"-body", "Etag: \"s6.ttl\"", "Last-Modified: " + same, "Cache-Control: no-cache", "Allow ~ GET"}},
		{"I: HEAD likewise", "HEAD /c/a.ttl\nIf-None-Match: \"s6.ttl\"", 304, []string{"Etag: \"s6.ttl\""}},
		{"I: any", "GET /c/a.ttl\nIf-None-Match: *", 304, nil},
		{"I: the tag of another representation is another", "GET /c/a.ttl\nIf-None-Match: \"s6.jsonld\"", 200, nil},
		{"I: a container", "GET /c/\nIf-None-Match: \"s2.ttl\"", 304, nil},
		{"I: the minimal container is another representation", "GET /c/\nIf-None-Match: \"s2.min-ttl\"", 200, nil},
		{"I: modified since", "GET /c/a.ttl\nIf-Modified-Since: " + earlier, 200, nil},
		{"I: not modified since", "GET /c/a.ttl\nIf-Modified-Since: " + same, 304, nil},
		{"I: If-None-Match overrules If-Modified-Since", "GET /c/a.ttl\nIf-None-Match: \"x\"\nIf-Modified-Since: " + same, 200, nil},
		{"I: a date that is none is ignored", "GET /c/a.ttl\nIf-Modified-Since: yesterday", 200, nil},
		{"I: If-Match holds for each representation", "GET /c/a.ttl\nIf-Match: \"s6.jsonld\"", 200, nil},
		{"I: If-Match does not hold", "GET /c/a.ttl\nIf-Match: \"s5.ttl\"", 412, []string{"-Etag"}},
		{"I: If-Match is strong", "GET /c/a.ttl\nIf-Match: W/\"s6.ttl\"", 412, nil},
		{"I: If-Match comes before If-None-Match", "GET /c/a.ttl\nIf-Match: \"x\"\nIf-None-Match: \"s6.ttl\"", 412, nil},
		{"I: If-Unmodified-Since does not hold", "GET /c/a.ttl\nIf-Unmodified-Since: " + earlier, 412, nil},
		{"I: If-Match overrules If-Unmodified-Since", "GET /c/a.ttl\nIf-Match: \"s6.ttl\"\nIf-Unmodified-Since: " + earlier, 200, nil},
		{"I: permission comes first", "GET /private/x\nIf-None-Match: *", 401, nil},
		{"I: existence comes first", "GET /c/absent\nIf-None-Match: *", 404, nil},
		{"A7: If-None-Match: * guards what exists", "PUT /c/a.ttl alva\nIf-None-Match: *\nContent-Type: text/plain\n\nx", 412, nil},
		{"A7: and lets make what does not", "PUT /c/new alva\nIf-None-Match: *\nContent-Type: text/plain\n\nx", 201, nil},
		{"I: put over a known state", "PUT /c/a.ttl alva\nIf-Match: \"s6.ttl\"\nContent-Type: text/plain\n\nx", 204, nil},
		{"I: put over another state", "PUT /c/a.ttl alva\nIf-Match: \"s5.ttl\"\nContent-Type: text/plain\n\nx", 412, nil},
		{"I: If-Match: * on what is missing", "PATCH /c/new alva\nIf-Match: *\nContent-Type: text/n3\n\nx", 412, nil},
		{"I: wrong If-Match on a POST", "POST /c/ alva\nIf-Match: \"x\"\nContent-Type: text/plain\n\nx", 412, nil},
		{"I: current If-None-Match on a POST", "POST /c/ alva\nIf-None-Match: \"s2.ttl\"\nContent-Type: text/plain\n\nx", 412, nil},
		{"I: unmodified since later", "DELETE /c/a.ttl alva\nIf-Unmodified-Since: " + later, 204, nil},
		{"I: unmodified since earlier", "DELETE /c/a.ttl alva\nIf-Unmodified-Since: " + earlier, 412, nil},
	})
}

func TestRanges(t *testing.T) {
	run(t, []row{
		{"I: first six", "GET /c/b.bin\nRange: bytes=0-5", 206, []string{"body: 012345", "Content-Range: bytes 0-5/10", "Content-Length: 6", "Accept-Ranges: bytes"}},
		{"I: from the sixth", "GET /c/b.bin\nRange: bytes=5-", 206, []string{"body: 56789", "Content-Range: bytes 5-9/10"}},
		{"I: the last four", "GET /c/b.bin\nRange: bytes=-4", 206, []string{"body: 6789", "Content-Range: bytes 6-9/10"}},
		{"I: the last hundred are all", "GET /c/b.bin\nRange: bytes=-100", 206, []string{"body: 0123456789", "Content-Range: bytes 0-9/10"}},
		{"I: one", "GET /c/b.bin\nRange: bytes=9-9", 206, []string{"body: 9"}},
		{"I: up to beyond the end", "GET /c/b.bin\nRange: bytes=8-999999999999999999", 206, []string{"body: 89", "Content-Range: bytes 8-9/10"}},
		{"I: beyond the end", "GET /c/b.bin\nRange: bytes=10-", 416, []string{"Content-Range: bytes */10", "body !~ 0123"}},
		{"I: beyond the end, both", "GET /c/b.bin\nRange: bytes=10-12", 416, []string{"Content-Range: bytes */10"}},
		{"I: the last none", "GET /c/b.bin\nRange: bytes=-0", 416, nil},
		{"I: malformed is ignored", "GET /c/b.bin\nRange: bytes=5-2", 200, []string{"body: 0123456789", "-Content-Range"}},
		{"I: malformed beyond the end is ignored", "GET /c/b.bin\nRange: bytes=50-20", 200, nil},
		{"I: no number is ignored", "GET /c/b.bin\nRange: bytes=a-b", 200, nil},
		{"I: too large a number is ignored", "GET /c/b.bin\nRange: bytes=0-9999999999999999999", 200, nil},
		{"I: another unit is ignored", "GET /c/b.bin\nRange: lines=1-2", 200, nil},
		{"I: several are answered whole", "GET /c/b.bin\nRange: bytes=0-1,3-4", 200, []string{"body: 0123456789"}},
		{"I: HEAD has no ranges", "HEAD /c/b.bin\nRange: bytes=0-5", 200, []string{"Content-Length: 10"}},
		{"I: If-Range holds by tag", "GET /c/b.bin\nRange: bytes=0-0\nIf-Range: \"s8.raw\"", 206, nil},
		{"I: If-Range is strong", "GET /c/b.bin\nRange: bytes=0-0\nIf-Range: W/\"s8.raw\"", 200, nil},
		{"I: If-Range does not hold by tag", "GET /c/b.bin\nRange: bytes=0-0\nIf-Range: \"s7.raw\"", 200, nil},
		{"I: If-Range holds by date", "GET /c/b.bin\nRange: bytes=0-0\nIf-Range: Sat, 21 Nov 2026 12:00:00 GMT", 206, nil},
		{"I: If-Range does not hold by date", "GET /c/b.bin\nRange: bytes=0-0\nIf-Range: Sun, 22 Nov 2026 12:00:00 GMT", 200, nil},
		{"I: If-None-Match comes first", "GET /c/b.bin\nRange: bytes=0-0\nIf-None-Match: \"s8.raw\"", 304, nil},
	})
}

func TestWriting(t *testing.T) {
	long := strings.Repeat("x", 1001)
	run(t, []row{
		{"A7: PUT makes", "PUT /c/e/f/new.ttl alva\nContent-Type: text/turtle; charset=UTF-8\n\n" + turtle, 201, []string{"Location: https://pod.example/c/e/f/new.ttl", "-body", "Etag ~ .ttl\"", `Link ~ <https://pod.example/c/e/f/new.ttl.acl>; rel="acl"`, `Link ~ rel="describedby"`, "Content-Length: 0"}},
		{"N: PUT replaces", "PUT /c/a.ttl alva\nContent-Type: text/turtle\n\n" + turtle, 204, []string{"-body", "-Location", "Etag ~ .ttl\""}},
		{"A1: PUT without Content-Type", "PUT /c/new alva\n\nx", 400, []string{"body ~ Content-Type"}},
		{"A1: POST without Content-Type", "POST /c/ alva\n\nx", 400, nil},
		{"A1: PATCH without Content-Type", "PATCH /c/a.ttl alva\n\nx", 400, nil},
		{"A1: no credentials come before that", "PUT /c/new\n\nx", 401, []string{"Www-Authenticate ~ DPoP"}},
		{"A1: on POST too", "POST /c/\n\nx", 401, nil},
		{"A1: on PATCH too", "PATCH /c/a.ttl\n\nx", 401, nil},
		{"A1: also before 415", "PATCH /c/a.ttl\nContent-Type: text/plain\n\nx", 401, nil},
		{"A1: also before 413", "PUT /c/new\nContent-Type: text/plain\n\n" + long, 401, nil},
		{"B: no permission comes before 400", "PUT /c/new bob\n\nx", 403, nil},
		{"N: PUT of a container needs no content", "PUT /c/new/ alva", 201, []string{"Location: https://pod.example/c/new/", `Link ~ ldp#BasicContainer>; rel="type"`, "Etag ~ .ttl\""}},
		{"A1: PUT of an empty document still says what it is", "PUT /c/new alva", 400, nil},
		{"an empty text is a text", "PUT /c/new alva\nContent-Type: text/plain", 201, nil},
		{"a Content-Type that is none", "PUT /c/new alva\nContent-Type: turtle\n\nx", 400, []string{"body ~ not a media type"}},
		{"a Content-Type that is a range", "PUT /c/new alva\nContent-Type: */*\n\nx", 400, nil},
		{"two Content-Types", "PUT /c/new alva\nContent-Type: text/plain\nContent-Type: text/html\n\nx", 400, nil},
		{"A2: PUT beside its twin", "PUT /c/d alva\nContent-Type: text/plain\n\nx", 409, []string{`Link ~ rel="http://www.w3.org/ns/ldp#constrainedBy"`, "body ~ The other one exists."}},
		{"A7: a container that is to be no RDF source", "PUT /c/new/ alva\nLink: <http://www.w3.org/ns/ldp#NonRDFSource>; rel=\"type\"", 409, nil},
		{"H 5.2.3.4: a container without a slash", "PUT /c/new alva\nContent-Type: text/turtle\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\"\n\n", 409, nil},
		{"another link does not matter", "PUT /c/new alva\nContent-Type: text/turtle\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"up\", <http://www.w3.org/ns/ldp#Resource>; rel=\"type\"\n\n", 201, nil},
		{"a part can't be put", "PUT /c/b.bin alva\nContent-Type: text/plain\nContent-Range: bytes 0-1/10\n\nx", 400, nil},
		{"I: encoded content", "PUT /c/new alva\nContent-Type: text/plain\nContent-Encoding: gzip\n\nx", 415, []string{"Accept-Encoding: identity"}},
		{"I: identity is no encoding", "PUT /c/new alva\nContent-Type: text/plain\nContent-Encoding: identity\n\nx", 201, nil},
		{"too much content", "PUT /c/new alva\nContent-Type: text/plain\n\n" + long, 413, []string{"body ~ 1000 bytes"}},
		{"A7: POST makes", "POST /c/ alva\nContent-Type: text/turtle\nSlug: note\n\n" + turtle, 201, []string{"Location: https://pod.example/c/note", "-body", "Link !~ BasicContainer"}},
		{"A7: Slug is decoded once", "POST /c/ alva\nContent-Type: text/turtle\nSlug: a%2Fb%2525\n\n" + turtle, 201, []string{"Location: https://pod.example/c/ab%25"}},
		{"A7: Slug is percent-encoded UTF-8", "POST /c/ alva\nContent-Type: text/turtle\nSlug: %C3%A5 b\n\n" + turtle, 201, []string{"Location: https://pod.example/c/%C3%A5%20b"}},
		{"A7: a Slug that isn't UTF-8 is none", "POST /c/ alva\nContent-Type: text/turtle\nSlug: %F6\n\n" + turtle, 201, []string{"Location: https://pod.example/c/new0"}},
		{"A7: nor is it in bytes", "POST /c/ alva\nContent-Type: text/turtle\nSlug: \xf6\n\n" + turtle, 201, []string{"Location: https://pod.example/c/new0"}},
		{"A7: a link has several relations", "POST /c/ alva\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"item type\"\nSlug: boxes", 201, []string{"Location: https://pod.example/c/boxes/"}},
		{"H 5.2.3.4: a container of another kind is not made", "POST /c/ alva\nContent-Type: text/turtle\nLink: <http://www.w3.org/ns/ldp#DirectContainer>; rel=\"type\"\n\n", 409, []string{"Link ~ constrainedBy"}},
		{"H 5.2.3.4: nor by PUT", "PUT /c/new/ alva\nLink: <http://www.w3.org/ns/ldp#IndirectContainer>; rel=\"type\"", 409, []string{"Link ~ constrainedBy"}},
		{"A7: POST makes a container", "POST /c/ alva\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\"\nSlug: box", 201, []string{"Location: https://pod.example/c/box/"}},
		{"A7: also with a type unquoted and in company", "POST /c/ alva\nLink: <http://www.w3.org/ns/ldp#Resource>;rel=\"type\", <http://www.w3.org/ns/ldp#Container>; rel=type\nContent-Type: text/turtle\nSlug: box\n\n", 201, []string{"Location: https://pod.example/c/box/"}},
		{"A7: POST into what is not there", "POST /c/absent/ alva\nContent-Type: text/turtle\n\n" + turtle, 404, nil},
		{"A7: POST to a document", "POST /c/a.ttl alva\nContent-Type: text/turtle\n\n" + turtle, 405, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE"}},
		{"POST with a key", "POST /c/ alva\nContent-Type: text/turtle\nIdempotency-Key: \"k1\"\n\n" + turtle, 201, nil},
		{"POST with too long a key", "POST /c/ alva\nContent-Type: text/turtle\nIdempotency-Key: " + long + "\n\n" + turtle, 400, nil},
		{"POST of nothing", "POST /c/ alva", 400, nil},
		{"F: an inbox takes JSON-LD with a profile, and gives a receipt", "POST /inbox/ bob\nContent-Type: application/ld+json; profile=\"http://www.w3.org/ns/json-ld#compacted\"\n\n{}", 201, []string{`body: {"received":true}`, "Content-Type: application/json", "Location ~ https://pod.example/inbox/"}},
		{"F: and shows nothing", "GET /inbox/ bob", 403, nil},
		{"A8: PATCH changes", "PATCH /c/a.ttl alva\nContent-Type: text/n3\n\nx", 204, []string{"Etag ~ .ttl\""}},
		{"A8: PATCH makes", "PATCH /c/g/new alva\nContent-Type: text/n3; charset=utf-8\n\nx", 201, []string{"Location: https://pod.example/c/g/new"}},
		{"J: SPARQL Update likewise", "PATCH /c/g/new alva\nContent-Type: application/sparql-update\n\nx", 201, nil},
		{"A8: another type", "PATCH /c/a.ttl alva\nContent-Type: text/turtle\n\nx", 415, []string{"Accept-Patch: text/n3, application/sparql-update"}},
		{"A8: a patch of no RDF", "PATCH /c/b.bin alva\nContent-Type: text/n3\n\nx", 415, nil},
		{"too long a patch", "PATCH /c/a.ttl alva\nContent-Type: text/n3\n\n" + long[:101], 413, nil},
		{"A9: DELETE", "DELETE /c/a.ttl alva", 204, []string{"-body"}},
		{"A9: what is not there", "DELETE /c/absent alva", 404, nil},
		{"A9: what holds something", "DELETE /c/ alva", 409, []string{"body ~ not empty"}},
		{"A9: the root", "DELETE / alva", 405, []string{"Allow !~ DELETE"}},
		{"RFC 7240: minimal is what there is", "PUT /c/new alva\nPrefer: return=minimal\nContent-Type: text/plain\n\nx", 201, []string{"Preference-Applied: return=minimal", "-body"}},
		{"RFC 7240: also where it deletes", "DELETE /c/a.ttl alva\nPrefer: return=\"minimal\"", 204, []string{"Preference-Applied: return=minimal"}},
		{"RFC 7240: nothing applied where it failed", "DELETE /c/ alva\nPrefer: return=minimal", 409, []string{"-Preference-Applied"}},
	})
}

func TestCORS(t *testing.T) {
	const origin = "\nOrigin: https://app.example"
	const preflight = origin + "\nAccess-Control-Request-Method: PUT"
	granted := []string{"Access-Control-Allow-Origin: https://app.example", "Vary: Accept, Authorization, Origin", "Access-Control-Expose-Headers ~ WAC-Allow", "Access-Control-Expose-Headers !~ *"}
	run(t, []row{
		{"A12: GET", "GET /c/a.ttl" + origin, 200, granted},
		{"A12: HEAD", "HEAD /c/" + origin, 200, granted},
		{"A12: 401", "GET /private/x" + origin, 401, granted},
		{"A12: 401 of bad credentials", "GET /c/ bad" + origin, 401, granted},
		{"A12: 403", "GET /private/x bob" + origin, 403, granted},
		{"A12: 404", "GET /c/absent" + origin, 404, granted},
		{"A12: 400 of a path", "GET /c//" + origin, 400, granted},
		{"A12: 304", "GET /c/a.ttl" + origin + "\nIf-None-Match: *", 304, granted},
		{"A12: 308", "GET /c/%61" + origin, 308, granted},
		{"A12: 201", "PUT /c/new alva" + origin + "\nContent-Type: text/plain\n\nx", 201, granted},
		{"A12: a preflight", "OPTIONS /private/x" + preflight, 204, append([]string{"-body", "Access-Control-Allow-Methods ~ PUT", "Access-Control-Allow-Methods ~ PATCH", "Access-Control-Allow-Methods ~ DELETE"}, granted...)},
		{"A12: the headers that are asked for, in their case", "OPTIONS /c/" + preflight + "\nAccess-Control-Request-Headers: X-CUSTOM, content-Type", 204, []string{"Access-Control-Allow-Headers: X-CUSTOM, content-Type"}},
		{"A12: Accept where it is asked for", "OPTIONS /c/" + preflight + "\nAccess-Control-Request-Headers: Accept", 204, []string{"Access-Control-Allow-Headers: Accept"}},
		{"A12: Accept not where it is not", "OPTIONS /c/" + preflight, 204, []string{"Access-Control-Allow-Headers !~ Accept"}},
		{"A12: what is no list of names is not repeated", "OPTIONS /c/" + preflight + "\nAccess-Control-Request-Headers: <script>", 204, []string{"Access-Control-Allow-Headers !~ script"}},
		{"A12: without Origin all", "GET /c/", 200, []string{"Access-Control-Allow-Origin: *", "-Access-Control-Allow-Credentials"}},
		{"A12: an origin that is null", "GET /c/\nOrigin: null", 200, []string{"Access-Control-Allow-Origin: null"}},
	})
}

func TestIsolation(t *testing.T) {
	sandboxed := []string{"Content-Security-Policy: default-src 'none'; sandbox", "Cross-Origin-Resource-Policy: cross-origin"}
	run(t, []row{
		{"HTML of a pod runs nothing, and is saved", "GET /c/p\nAccept: text/html", 200, append([]string{"Content-Disposition: attachment", "body ~ <script>"}, sandboxed...)},
		{"SVG likewise", "GET /c/s", 200, append([]string{"Content-Disposition: attachment"}, sandboxed...)},
		{"text is shown", "GET /c/t", 200, append([]string{"-Content-Disposition"}, sandboxed...)},
		{"Turtle is sandboxed too", "GET /c/a.ttl", 200, sandboxed},
	})
	apart := func(edit func(*ldp.Handler), rows []row) {
		for _, c := range rows {
			t.Run(c.why, func(t *testing.T) {
				f := newFake(t)
				h := newHandler(f, t.Output())
				edit(h)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, parse(t, c.request))
				if w.Code != c.status {
					t.Errorf("status %d, want %d; body %s", w.Code, c.status, w.Body)
				}
				check(t, w, "", c.want)
			})
		}
	}
	there := []string{"Location: https://data.example/c/p?x", "Cache-Control: no-store", "Vary ~ Sec-Fetch-Dest", "-body"}
	apart(func(h *ldp.Handler) { h.Apart = "https://data.example" }, []row{
		{"what a browser opens is shown apart", "GET /c/p?x\nSec-Fetch-Dest: document", 307, there},
		{"so is what it frames", "GET /c/p?x\nSec-Fetch-Dest: iframe", 307, there},
		{"what it would run", "GET /c/p?x\nSec-Fetch-Dest: script", 307, there},
		{"pictures, from scripts' point of view too", "GET /c/p?x\nSec-Fetch-Dest: image\nOrigin: https://app.example", 307, append(there, "Access-Control-Allow-Origin: https://app.example")},
		{"also what is hidden, or isn't there", "HEAD /hidden/x\nSec-Fetch-Dest: document", 307, []string{"Location: https://data.example/hidden/x"}},
		{"a program that fetches gets it", "GET /c/p\nSec-Fetch-Dest: empty", 200, []string{"body ~ <script>", "Content-Disposition: attachment"}},
		{"so does one that is no browser", "GET /c/p", 200, sandboxed},
		{"what is no reading stays, and isn't known to be a browser's", "POST /c/ alva\nContent-Type: text/plain\nSec-Fetch-Dest: document\n\nx", 201, nil},
	})
	back := []string{"Location: https://pod.example/c/p", "-body"}
	apart(func(h *ldp.Handler) { h.Isolated = true }, []row{
		{"HTML is shown where the data has an origin of its own", "GET /c/p\nSec-Fetch-Dest: document", 200, append([]string{"-Content-Disposition", "body ~ <script>"}, sandboxed...)},
		{"the URL of a resource is one all the same", "GET /c/p", 200, []string{"Link ~ <https://pod.example/c/p.acl>; rel=\"acl\""}},
		{"a write there is sent back", "PUT /c/p\nContent-Type: text/html\n\nx", 308, back},
		{"so is who shows a token", "GET /c/p alva", 308, back},
		{"a preflight is answered", "OPTIONS /c/p\nOrigin: https://app.example\nAccess-Control-Request-Method: GET", 204, []string{"Access-Control-Allow-Origin: https://app.example"}},
	})
}

var _ ldp.Backend = (*fake)(nil)
