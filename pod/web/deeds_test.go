// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/loan"
	"skrin/pod/web"
)

// What each form does, and where it leads.
func TestDeeds(t *testing.T) {
	for _, row := range []struct {
		what, path string
		form       url.Values
		status     int
		to, done   string
	}{
		{"a name", "/me/settings/", form("do", "name", "name", "  Alva   Ek "), 303, "/me/settings/?done=name", "call Alva Ek"},
		{"a passkey goes", "/me/settings/", form("do", "passkey", "id", "k1"), 303, "/me/settings/?done=passkey", "passkey k1"},
		{"a visit ends", "/me/settings/", form("do", "visit", "id", "v2"), 303, "/me/settings/?done=visit", "visit v2"},
		{"all others end", "/me/settings/", form("do", "others"), 303, "/me/settings/?done=others", "visit "},
		{"stay", "/me/settings/", form("do", "stay"), 303, "/me/settings/?done=stay", "stay"},
		{"nonsense", "/me/settings/", form("do", "x"), 400, "", ""},
		{"erase", "/me/settings/erase", form("do", "erase"), 303, "/me/settings/?done=erase", "leave"},
		{"do not erase", "/me/settings/erase", form("do", "keep"), 303, "/me/settings/", ""},
		{"pause one", "/me/sharing", form("pause", ink), 303, "/me/sharing?done=paused", "freeze ink"},
		{"pause all", "/me/sharing", form("pause", ""), 303, "/me/sharing?done=paused", "freeze"},
		{"end a pause", "/me/sharing", form("resume", ink), 303, "/me/sharing?done=resumed", "thaw ink"},
		{"end all pauses, which nobody offered", "/me/sharing", form("resume", ""), 400, "", ""},
		{"nonsense with shares", "/me/sharing", form("x", ""), 400, "", ""},
		{"disconnect", "/me/connections", form("party", af), 303, "/me/connections?done=disconnected", "disconnect af"},
		{"disconnect all, which nobody offered", "/me/connections", form("party", ""), 400, "", ""},
		{"nonsense with evidence", "/me/evidence/e1", form("do", "x"), 400, "", ""},
		{"what is gone already: pressed twice", "/me/evidence/none", form("do", "remove"), 303, "/me/evidence?done=gone", ""},
	} {
		b := newBench(t)
		w := b.do(call{path: row.path, form: row.form})
		done := strings.Join(append(b.pod.done, b.accounts.done...), ", ")
		if w.Code != row.status || w.Header().Get("Location") != row.to || done != row.done {
			t.Errorf("%s: %d to %q, did %q", row.what, w.Code, w.Header().Get("Location"), done)
		}
	}
}

// Whatever can't be taken is said at its field, where what was typed still stands.
func TestTypedIsKept(t *testing.T) {
	long := strings.Repeat("x", 61)
	for _, row := range []struct {
		what, path string
		form       url.Values
		status     int
		field      string
	}{
		{"a name that is too long", "/me/settings/", form("do", "name", "name", long), 422, `value="` + long + `" autocomplete="given-name" aria-describedby="name-wrong" aria-invalid="true"`},
		{"a folder that can't be called so", "/me/files/notes/", form("do", "folder", "name", "a/b"), 422, `value="a/b" aria-describedby="folder-wrong" aria-invalid="true"`},
		{"a folder that is there", "/me/files/notes/", form("do", "folder", "name", "empty"), 409, `value="empty" aria-describedby="folder-wrong" aria-invalid="true"`},
		{"a copy that can't be called so", "/me/files/notes/page.html", form("do", "copy", "name", "x\u202ey<"), 422, "value=\"x\uFFFDy&lt;\" aria-describedby=\"copy-wrong\" aria-invalid=\"true\""},
		{"what is too long to be mended", "/me/files/notes/", form("do", "folder", "name", strings.Repeat("a/", 3_000)), 422, `value="" aria-describedby="folder-wrong"`},
	} {
		b := newBench(t)
		w := b.do(call{path: row.path, form: row.form})
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.field) || len(b.pod.done) != 0 {
			t.Errorf("%s: %d %v %s", row.what, w.Code, b.pod.done, w.Body)
		}
	}
}

// Nobody takes away for good, by one press, what can't be had back (WCAG 2.2, 3.3.4).
func TestRemovalIsConfirmed(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]string{"/me/files/notes/page.html": "delete", "/me/evidence/e1": "remove", "/me/settings/": "passkey"} {
		n := 0
		for _, button := range find(parse(t, b.do(call{path: path}).Body.String()), "button") {
			if attr(button, "value") != want {
				continue
			}
			n++
			folded := button
			for folded != nil && folded.Data != "details" {
				folded = folded.Parent
			}
			if folded == nil || slices.ContainsFunc(folded.Attr, func(a html.Attribute) bool { return a.Key == "open" }) {
				t.Errorf("%s: %s is one press away", path, textOf(button))
			}
		}
		if n == 0 {
			t.Errorf("%s has no %s", path, want)
		}
	}
}

// Nobody shuts herself out.
func TestTheLastWayInStays(t *testing.T) {
	key := web.Way{ID: "k1", Added: now}
	for _, row := range []struct {
		what   string
		ways   []web.Way
		status int
		done   int
	}{
		{"a passkey beside another", []web.Way{key, {ID: "k2", Added: now}}, 303, 1},
		{"a passkey beside an eID", []web.Way{key, {Scheme: "se:personnummer"}}, 303, 1},
		{"the only passkey", []web.Way{key}, 409, 0},
		{"the only passkey, beside what has ended", []web.Way{key, {Scheme: "xx:passport", Until: now}}, 409, 0},
	} {
		b := newBench(t)
		b.accounts.ways = row.ways
		offered := strings.Contains(b.do(call{path: "/me/settings/"}).Body.String(), `value="passkey"`)
		w := b.do(call{path: "/me/settings/", form: form("do", "passkey", "id", "k1")})
		if w.Code != row.status || len(b.accounts.done) != row.done || offered != (row.done == 1) {
			t.Errorf("%s: %d, %v, offered: %t", row.what, w.Code, b.accounts.done, offered)
		}
	}
}

// Who runs the service, how it handles data and how accessible it is is on every page.
func TestWhoRunsItIsOnEveryPage(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct{ contact, privacy, accessibility, want string }{
		{"", "", "", "Vad betyder orden?"},
		{"mailto:hjalp@skrin.example", "https://skrin.example/data", "https://skrin.example/a11y", "Vad betyder orden? mailto:hjalp@skrin.example Kontakta oss https://skrin.example/data Så hanterar vi dina uppgifter https://skrin.example/a11y Tillgänglighet"},
		{"javascript:alert(1)", "javascript:alert(1)", "mailto:x@y.example", "Vad betyder orden?"},
	} {
		b.site.Contact, b.site.Privacy, b.site.Accessibility = row.contact, row.privacy, row.accessibility
		var err error
		if b.h, err = b.site.Handler(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []call{{path: "/me/"}, {path: "/me/sign-in", stranger: true}, {path: "/me/answer/consent"}, {path: "/me/nothing"}} {
			var got []string
			for _, a := range find(find(parse(t, b.do(c).Body.String()), "footer")[0], "a") {
				if href := attr(a, "href"); href != "/me/words" {
					got = append(got, href)
				}
				got = append(got, textOf(a))
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("%s with %+v: %q", c.path, row, got)
			}
		}
	}
}

func TestSettingsSayByWhat(t *testing.T) {
	text := textOf(parse(t, newBench(t).do(call{path: "/me/settings/"}).Body.String()))
	for _, want := range []string{"Vi känner igen dig på detta: svenskt personnummer, oidc:<b> och norskt D-nummer.", "Det här hade du förut, och det gäller inte längre: pass."} {
		if !strings.Contains(text, want) {
			t.Errorf("the settings don't say %q: %s", want, text)
		}
	}
}

// Who has evidence, none of which is valid, isn't told that there is none.
func TestNothingNewIsNotNothing(t *testing.T) {
	b := newBench(t)
	ended := b.pod.holdings[1:]
	for held, want := range map[string]string{"ended": "Inget nytt just nu. Alla dina intyg", "none": "Du har inga intyg än."} {
		if b.pod.holdings = ended; held == "none" {
			b.pod.holdings = nil
		}
		if text := textOf(parse(t, b.do(call{path: "/me/"}).Body.String())); !strings.Contains(text, want) {
			t.Errorf("who has %s: %s", held, text)
		}
	}
}

// What ends within two weeks is on the overview: what others may read, and evidence.
func TestWhatEndsSoonIsSaid(t *testing.T) {
	b := newBench(t)
	for i, expires := range []string{"2026-12-05", "2026-12-04", "2026-12-06"} {
		e := piece("s"+fmt.Sprint(i), "2026-11-01")
		e.Expires = day(expires)
		b.pod.holdings = append([]evidence.Evidence{e}, b.pod.holdings...)
	}
	revoked := piece("r", "2026-11-01")
	revoked.Ended, revoked.Expires = evidence.Revoked, day("2026-12-01")
	b.pod.holdings = append(b.pod.holdings, revoked)
	soon := ""
	for _, s := range find(parse(t, b.do(call{path: "/me/"}).Body.String()), "section") {
		if attr(s, "aria-labelledby") == "soon" {
			soon = textOf(s)
		}
	}
	const want = "Slutar snart Arbetslöshetsintyg från Arbetsförmedlingen (exempel), gäller till och med 3 december 2026 Arbetslöshetsintyg från Arbetsförmedlingen (exempel), gäller till och med 4 december 2026 Exempel Försäkring får läsa till och med 27 november 2026: Arbetslöshetsintyg"
	if soon != want {
		t.Errorf("%s\nwant\n%s", soon, want)
	}
	page := b.do(call{path: "/me/"}).Body.String()
	for _, to := range []string{`<a href="/me/evidence/s1">Arbetslöshetsintyg</a>`, `<a href="/me/sharing/c2">Exempel Försäkring</a>`} {
		if !strings.Contains(page, to) {
			t.Errorf("no way from the overview: %s", to)
		}
	}
}

// Who wants all to be erased has signed in a moment ago.
func TestEraseWantsAFreshSignIn(t *testing.T) {
	b := newBench(t)
	b.site.Now = func() time.Time { return now.Add(11 * time.Minute) }
	var err error
	if b.h, err = b.site.Handler(); err != nil {
		t.Fatal(err)
	}
	if w := b.do(call{path: "/me/settings/erase", form: form("do", "erase")}); len(b.pod.done) != 0 || w.Header().Get("Location") != "/me/settings/erase" {
		t.Errorf("an old sign-in erases: %v, to %s", b.pod.done, w.Header().Get("Location"))
	}
	if w := b.do(call{path: "/me/settings/erase"}); b.sessions.out || w.Header().Get("Location") != "/me/sign-in?anew=1&next=%2Fme%2Fsettings%2Ferase" {
		t.Errorf("%d to %s, signed out: %t", w.Code, w.Header().Get("Location"), b.sessions.out)
	}
	if w := b.do(call{path: "/me/sign-in?anew=1&next=%2Fme%2Fsettings%2Ferase"}); w.Code != 200 || !strings.Contains(w.Body.String(), "next=%2Fme%2Fsettings%2Ferase") {
		t.Errorf("the ways to sign in: %d, to %s", w.Code, w.Header().Get("Location"))
	}
}

// On every page of who leaves is the way back.
func TestLeavingIsSaidEverywhere(t *testing.T) {
	b := newBench(t)
	b.pod.own.Leaves, b.pod.own.Name = now.Add(48*time.Hour), "Alva <b>"
	for _, path := range []string{"/me/", "/me/evidence", "/me/settings/", "/me/answer/consent", "/me/files/"} {
		text := textOf(parse(t, b.do(call{path: path}).Body.String()))
		if !strings.Contains(text, "Allt raderas 23 november 2026 kl. 14.05") || !strings.Contains(text, "Behåll allt") || !strings.Contains(text, "Alva <b>") {
			t.Errorf("%s: %s", path, text)
		}
	}
	if text := textOf(parse(t, newBench(t).do(call{path: "/me/"}).Body.String())); strings.Contains(text, "raderas") {
		t.Error("who stays is told that she leaves")
	}
}

func TestPauseIsShown(t *testing.T) {
	b := newBench(t)
	if page := b.do(call{path: "/me/sharing"}).Body.String(); strings.Contains(page, "Pausad av dig") || !strings.Contains(page, `name="pause" value="ink"`) {
		t.Error("somebody is paused, or can't be")
	}
	b.pod.frozen = now
	if page := b.do(call{path: "/me/sharing"}).Body.String(); strings.Count(page, "Pausad av dig") != 2 || !strings.Contains(page, `name="resume" value="ink"`) {
		t.Error("what is paused isn't said to be")
	}
}

// What came of a withdrawal, in words.
func TestErasureIsSaid(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string][]string{
		"/me/sharing/c3": {"De är ombedda att radera senast 21 december 2026", "forsakring.example.se"},
		"/me/sharing/c5": {"De skulle ha raderat senast 21 oktober 2026, men har inte sagt att de har gjort det."},
		"/me/sharing/c6": {"De raderade 1 oktober 2026, men måste spara en del", "Deleted <b>", "Inskrivningsdatum och https://x.example/#other", "Bokföringslagen"},
		"/me/sharing/c1": {"Exempel Försäkring, 556000-0001", "Från Arbets", "21 maj 2027", "Inskriven i minst 30 dagar"},
	} {
		text := textOf(parse(t, b.do(call{path: path}).Body.String()))
		for _, w := range want {
			if !strings.Contains(text, w) && w != "Från Arbets" {
				t.Errorf("%s does not say %q: %s", path, w, text)
			}
		}
	}
}

func TestDownloads(t *testing.T) {
	for path, want := range map[string][3]string{
		"/me/settings/export":                 {"application/gzip", "attachment; filename=skrin.tar.gz", "the archive"},
		"/me/settings/export?form=zip":        {"application/zip", "attachment; filename=skrin.zip", "the archive"},
		"/me/evidence/e1/sd-jwt":              {"application/dc+sd-jwt", "attachment; filename=skrin-e1.sd-jwt", "a.b.c~"},
		"/me/evidence/e1/ttl":                 {"text/turtle", "attachment; filename=skrin-e1.ttl", "registered"},
		"/me/evidence/e1/jsonld":              {"application/ld+json", "attachment; filename=skrin-e1.jsonld", "registered"},
		"/me/sharing/c1/receipt":              {"application/jwt", "attachment; filename=skrin-receipt.jwt", "a.b.c"},
		"/me/sharing/c6/receipt?erased":       {"application/jwt", "attachment; filename=skrin-erasure.jwt", erasure},
		"/me/log/export":                      {"application/jsonl", "attachment; filename=skrin-log.jsonl", "the log\n"},
		"/me/log/export?form=ts10":            {"application/jsonl", "attachment; filename=skrin-log-ts10.jsonl", "the log\n"},
		"/me/log/export?form=rdf":             {"text/turtle", "attachment; filename=skrin-log.ttl", "the log\n"},
		"/me/files/notes/page.html?download":  {"text/html", "attachment; filename=page.html", "<script>alert(1)</script>"},
		"/me/files/notes/%C3%A5.txt?download": {"text/plain", "attachment; filename*=utf-8''%C3%A5.txt", "Hello <script>\u202e\tthere\n"},
	} {
		w := newBench(t).do(call{path: path})
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != want[0] || h.Get("Content-Disposition") != want[1] || !strings.Contains(w.Body.String(), want[2]) ||
			h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %q", path, w.Code, h, w.Body)
		}
	}
	for path, want := range map[string]int{
		"/me/evidence/e4/sd-jwt": 409, "/me/evidence/none/ttl": 404, "/me/evidence/e1/exe": 404, "/me/sharing/c1/receipt?erased": 404, "/me/sharing/none/receipt": 404, "/me/files/notes/none?download": 404,
	} {
		if w := newBench(t).do(call{path: path}); w.Code != want || w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

// A download that fails says so; one that breaks off is seen to be cut.
func TestBrokenDownloads(t *testing.T) {
	b := newBench(t)
	b.pod.broken = errors.New("no disk")
	if w := b.do(call{path: "/me/settings/export"}); w.Code != 500 || w.Header().Get("Content-Disposition") != "" || !strings.Contains(w.Body.String(), "fel hos oss") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	b.pod.half = true
	defer func() {
		if recover() == nil {
			t.Error("half an archive looks whole")
		}
	}()
	b.do(call{path: "/me/settings/export"})
}

func TestRemoveEvidence(t *testing.T) {
	b := newBench(t)
	text := textOf(parse(t, b.do(call{path: "/me/evidence/e1"}).Body.String()))
	for _, want := range []string{"slutar du också att dela det", "Exempel Försäkring, som annars får läsa till och med 21 maj 2027", "27 november 2026"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q: %s", want, text)
		}
	}
	if text := textOf(parse(t, b.do(call{path: "/me/evidence/e5"}).Body.String())); !strings.Contains(text, "inte det här intyget med någon") || !strings.Contains(text, "ett nyare intyg") {
		t.Errorf("of a piece that was superseded: %s", text)
	}
	w := b.do(call{path: "/me/evidence/e1", form: form("do", "remove")})
	if _, there := b.pod.kind["/alva/evidence/e1"]; w.Code != 303 || w.Header().Get("Location") != "/me/evidence?done=gone" || there {
		t.Errorf("%d to %s; there %v", w.Code, w.Header().Get("Location"), there)
	}
}

func TestEvidenceIsPaged(t *testing.T) {
	b := newBench(t)
	for i := range 100 {
		b.pod.holdings = append(b.pod.holdings, piece(fmt.Sprintf("x%d", i), "2026-11-20", full...))
	}
	seen := map[string]bool{}
	path, pages := "/me/evidence", 0
	for path != "" && pages < 30 {
		w := b.do(call{path: path})
		if w.Body.Len() > 30_000 {
			t.Errorf("%s has %d bytes", path, w.Body.Len())
		}
		doc := parse(t, w.Body.String())
		path, pages = "", pages+1
		for _, a := range find(doc, "a") {
			if id, ok := strings.CutPrefix(attr(a, "href"), "/me/evidence/"); ok {
				seen[id] = true
			}
			if textOf(a) == "Äldre" {
				path = attr(a, "href")
			}
		}
	}
	if len(seen) != 104 || pages != 11 {
		t.Errorf("%d pieces on %d pages", len(seen), pages)
	}
}

func TestLogIsSearched(t *testing.T) {
	b := newBench(t)
	count := func(path string) (n int, older string) {
		doc := parse(t, b.do(call{path: path}).Body.String())
		for _, s := range find(doc, "span") {
			if attr(s, "class") == "clock" {
				n++
			}
		}
		for _, a := range find(doc, "a") {
			if textOf(a) == "Äldre" {
				older = attr(a, "href")
			}
		}
		return n, older
	}
	want := 0
	for _, e := range b.pod.entries {
		if e.Party == ink {
			want++
		}
	}
	n, path := 0, "/me/log?who=ink"
	for path != "" {
		var m int
		m, path = count(path)
		n += m
	}
	if n != want || n == 0 {
		t.Errorf("%d events of the insurer; want %d", n, want)
	}
	if n, _ := count("/me/log?from=2026-11-21&to=2026-11-21"); n != 5 { // every three hours, 14.05 the last
		t.Errorf("%d events of one day, where the person is", n)
	}
	if n, _ := count("/me/log?what=refused"); n == 0 || n == 50 {
		t.Errorf("%d refusals", n)
	}
	page := b.do(call{path: "/me/log?from=soon&who=ink"}).Body.String()
	if !strings.Contains(page, `id="from-wrong">Skriv dagen så här: <span class="whole">2026-11-21</span>`) || strings.Contains(page, "to-wrong") || !strings.Contains(page, `value="soon"`) || !strings.Contains(page, `value="ink" selected`) {
		t.Error("what is wrong with a day isn't said, or what was filled in is gone")
	}
}

func TestUnknownEvent(t *testing.T) {
	b := newBench(t)
	b.site.Contact = "mailto:hjalp@skrin.example"
	var err error
	if b.h, err = b.site.Handler(); err != nil {
		t.Fatal(err)
	}
	text := textOf(parse(t, b.do(call{path: "/me/log/120"}).Body.String()))
	for _, want := range []string{"Exempel Försäkring försökte", "Pausa Exempel Försäkring", "forsakring.example.se", "hjalp@skrin.example", "www.imy.se"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q: %s", want, text)
		}
	}
}

// send uploads a file.
func (b *bench) send(path, field, name, kind, body string) *httptest.ResponseRecorder {
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, _ := m.CreatePart(map[string][]string{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, field, name)}, "Content-Type": {kind}})
	part.Write([]byte(body))
	m.Close()
	r := httptest.NewRequest("POST", "https://skrin.example"+path, &form)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Person", "alva")
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

func TestUpload(t *testing.T) {
	for _, row := range []struct {
		what, path, field, name, body string
		status                        int
		there                         ldp.ID
	}{
		{"a file", "/me/files/notes/", "file", "new.txt", "hello", 303, "/alva/notes/new.txt"},
		{"one of a name that is taken", "/me/files/notes/", "file", "page.html", "hello", 303, "/alva/notes/page (2).html"},
		{"one larger than any other form", "/me/files/notes/", "file", "large.txt", strings.Repeat("x", 1<<20), 303, "/alva/notes/large.txt"},
		{"nothing chosen", "/me/files/notes/", "file", "", "", 422, ""},
		{"a name that can't be", "/me/files/notes/", "file", "x.acl", "a", 422, ""},
		{"another field", "/me/files/notes/", "x", "x", "a", 400, ""},
		{"onto a file", "/me/files/notes/page.html", "file", "x", "a", 400, ""},
	} {
		b := newBench(t)
		before := len(b.pod.kind)
		w := b.send(row.path, row.field, row.name, "text/plain", row.body)
		if w.Code != row.status || row.there != "" && b.pod.body[row.there] != row.body || row.there == "" && len(b.pod.kind) != before {
			t.Errorf("%s: %d to %q; there are %d bytes", row.what, w.Code, w.Header().Get("Location"), len(b.pod.body[row.there]))
		}
	}
	b := newBench(t)
	if w := b.send("/me/sharing", "file", "x", "text/plain", strings.Repeat("x", 1<<20)); w.Code != 400 && w.Code != 413 {
		t.Errorf("a large form elsewhere: %d", w.Code)
	}
}

func TestFiles(t *testing.T) {
	for _, row := range []struct {
		what, path string
		form       url.Values
		status     int
		to         string
		there      ldp.ID
		gone       ldp.ID
	}{
		{what: "a folder", path: "/me/files/notes/", form: form("do", "folder", "name", "Å och ä"), status: 303, to: "/me/files/notes/%C3%85%20och%20%C3%A4/?done=made", there: "/alva/notes/%C3%85%20och%20%C3%A4/"},
		{what: "one that is there", path: "/me/files/notes/", form: form("do", "folder", "name", "empty"), status: 409},
		{what: "one with a slash", path: "/me/files/notes/", form: form("do", "folder", "name", "a/b"), status: 422},
		{what: "one that leads up", path: "/me/files/notes/", form: form("do", "folder", "name", ".."), status: 422},
		{what: "one that is an ACL document", path: "/me/files/notes/", form: form("do", "folder", "name", ".acl"), status: 422},
		{what: "a copy", path: "/me/files/notes/page.html", form: form("do", "copy", "name", "copy.html"), status: 303, to: "/me/files/notes/copy.html?done=made", there: "/alva/notes/copy.html"},
		{what: "a copy onto another file", path: "/me/files/notes/page.html", form: form("do", "copy", "name", "picture.png"), status: 409},
		{what: "a copy of a folder", path: "/me/files/notes/", form: form("do", "copy", "name", "x"), status: 422},
		{what: "a file goes", path: "/me/files/notes/page.html", form: form("do", "delete"), status: 303, to: "/me/files/notes/?done=deleted", gone: "/alva/notes/page.html"},
		{what: "one that is gone already: pressed twice", path: "/me/files/notes/gone.txt", form: form("do", "delete"), status: 303, to: "/me/files/notes/?done=deleted"},
		{what: "a folder that isn't empty stays", path: "/me/files/notes/", form: form("do", "delete"), status: 409, there: "/alva/notes/"},
		{what: "nonsense", path: "/me/files/notes/", form: form("do", "x"), status: 400},
		{what: "a way out of the files", path: "/me/files/%2E%2E/x", status: 404},
		{what: "another spelling", path: "/me/files/notes/%c3%a5.txt", status: 200},
	} {
		b := newBench(t)
		w := b.do(call{path: row.path, form: row.form})
		_, there := b.pod.kind[row.there]
		_, stays := b.pod.kind[row.gone]
		if w.Code != row.status || w.Header().Get("Location") != row.to || row.there != "" && !there || row.gone != "" && stays {
			t.Errorf("%s: %d to %q", row.what, w.Code, w.Header().Get("Location"))
		}
	}
	text := textOf(parse(t, newBench(t).do(call{path: "/me/files/profile/card"}).Body.String()))
	piece := newBench(t).do(call{path: "/me/files/evidence/e1"}).Body.String()
	for _, want := range []string{"Ett av dina intyg.", `<dd><span lang="nb">Bevis</span> <span class="soft">(nb)</span></dd>`, "<dt>check date</dt><dd>20 november 2026</dd>", "<dt>registered</dt><dd>Ja</dd>"} {
		if !strings.Contains(strings.ReplaceAll(piece, "\u00a0", " "), want) {
			t.Errorf("evidence as a file lacks %q: %s", want, piece)
		}
	}
	for _, want := range []string{"family name <b>Ek\uFFFD", "homepage alert(1)", "utan namn", "card"} {
		if !strings.Contains(text, want) {
			t.Errorf("a document in words lacks %q: %s", want, text)
		}
	}
}

// Every link of a folder leads to what it names, whatever characters are in the name, and
// a file's own forms lead back to it.
func TestEveryNameCanBeOpened(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a (1).txt", "Alva's.txt", "100%.txt", "a&b=c;d.txt", "a+b.txt", "what?.txt", "no#1.txt", "ö~[x]{y}.txt", "\"q\"<b>.txt"} {
		w := b.do(call{path: "/me/files/notes/page.html", form: form("do", "copy", "name", name)})
		to, _, _ := strings.Cut(w.Header().Get("Location"), "?")
		page := b.do(call{path: to})
		if w.Code != 303 || page.Code != 200 || textOf(find(parse(t, page.Body.String()), "h1")[0]) != name {
			t.Errorf("%s: %d to %s, which answers %d", name, w.Code, to, page.Code)
		}
		folder, found := parse(t, b.do(call{path: "/me/files/notes/"}).Body.String()), ""
		for _, a := range find(folder, "a") {
			if textOf(a) == name {
				found = attr(a, "href")
			}
		}
		save := ""
		for _, a := range find(parse(t, page.Body.String()), "a") {
			if textOf(a) == "Ladda ner" {
				save = attr(a, "href")
			}
		}
		if found != to || save != to+"?download" {
			t.Errorf("%s is at %s; the folder leads to %s, and %s saves it", name, to, found, save)
		}
	}
}

func TestLendInWords(t *testing.T) {
	b := newBench(t)
	text := textOf(parse(t, b.do(call{path: "/me/sharing"}).Body.String()))
	for _, want := range []string{
		"notes https://bob.example/<b>#me får läsa, ändra och ta bort i hela mappen.", "notes Gruppen https://friends.example/#us får läsa och lägga till i hela mappen. Bara genom vissa program.",
		"notes/page.html Alla får läsa", "Alla som har loggat in någonstans får lägga till, men inte läsa", "får allt som du får", "profile/card Alla får läsa",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("what is lent lacks %q: %s", want, text)
		}
	}
	if text := textOf(parse(t, b.do(call{path: "/me/files/notes/picture.png"}).Body.String())); !strings.Contains(text, "Det följer av mappen notes.") {
		t.Errorf("from where it comes isn't said: %s", text)
	}
	for _, row := range []struct {
		form   url.Values
		status int
		want   string
	}{
		{form("do", "lend", "to", "person", "address", " https://carl.example/#me ", "what", "change"), 303, "https://carl.example/#me read write"},
		{form("do", "lend", "to", "group", "address", "https://x.example/#g", "what", "read"), 303, "https://x.example/#g read"},
		{form("do", "lend", "to", "everybody", "address", "https://x.example/#g", "what", "change"), 303, "http://xmlns.com/foaf/0.1/Agent read"},
		{form("do", "lend", "to", "person", "address", "bob", "what", "read"), 422, ""},
		{form("do", "lend"), 422, ""},
	} {
		b := newBench(t)
		before := len(b.pod.loans)
		w := b.do(call{path: "/me/files/notes/picture.png", form: row.form})
		got := ""
		if len(b.pod.loans) > before {
			l := b.pod.loans[before]
			got = string(l.To) + l.Group + " " + l.Modes.String()
		}
		if w.Code != row.status || got != row.want {
			t.Errorf("%v: %d, lent %q", row.form, w.Code, got)
		}
	}
	w := b.do(call{path: "/me/files/notes/", form: form("do", "unlend", "agent", "https://bob.example/<b>#me", "back", "sharing")})
	if w.Header().Get("Location") != "/me/sharing?done=unlent" || slices.ContainsFunc(b.pod.loans, func(l loan.Loan) bool { return strings.Contains(string(l.To), "bob") }) {
		t.Errorf("%d to %q; %v", w.Code, w.Header().Get("Location"), b.pod.loans)
	}
}
