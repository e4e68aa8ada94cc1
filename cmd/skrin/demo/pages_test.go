// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// each shows every page of a site as it can look, in both languages.
func each(t *testing.T, s *site, pages map[string][]any, check func(t *testing.T, h http.Header, page string)) {
	for _, what := range []string{"absent", "foreign", "lost", "refused", "unreachable"} {
		pages["trouble"] = append(pages["trouble"], what)
	}
	for name, all := range pages {
		for _, data := range all {
			for _, lang := range []string{"sv", "en"} {
				t.Run(name+" "+lang, func(t *testing.T) {
					h := s.wrap(s.page(func(w http.ResponseWriter, r *http.Request) error { return s.show(w, r, 200, name, data) }))
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?lang="+lang, nil))
					if w.Code != 200 || !strings.Contains(w.Body.String(), `<html lang="`+lang+`">`) {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					check(t, w.Header(), w.Body.String())
				})
			}
		}
	}
}

func authorityPages(a *Authority) map[string][]any {
	alva := People()[0]
	sent := []delivery{{Made: a.today(), Location: "x"}}
	return map[string][]any{
		"home": {false, true}, "declined": {nil}, "trouble": {"none"},
		"done": {
			map[string]any{"Known": true, "Registered": true, "Person": alva, "Sent": sent, "Server": a.Server, "Key": "K"},
			map[string]any{"Known": true, "Registered": false, "Person": alva, "Sent": nil, "Server": a.Server, "Key": "K"},
			map[string]any{"Known": false, "Registered": false, "Person": alva, "Sent": nil, "Server": a.Server, "Key": "K"},
		},
	}
}

func insurerPages(in *Insurer) map[string][]any {
	day := in.today()
	read := claim{
		ID: "4711", State: verified, Location: "x", Fields: []string{theFact, "registered"}, Until: "2027-05-20",
		Facts: map[string]bool{theFact: true, "registered": true}, Issued: day, Expires: day.AddDate(0, 0, 30), Graph: "<script>alert(1)</script>",
	}
	not := read
	not.Facts = map[string]bool{theFact: false}
	var pages []any
	for _, c := range []claim{
		read, not, {ID: "1", State: asked}, {ID: "1", State: declined}, {ID: "1", State: granted, Location: "x"},
		{ID: "1", State: unverified, Location: "x"}, {ID: "1", State: ended, Location: "x", Refused: day},
		{ID: "1", State: withdrawn, Location: "x", Refused: day, Erased: day, EraseBy: "2026-12-21"},
	} {
		pages = append(pages, in.shown(c, "sv"))
	}
	return map[string][]any{"home": {[]string{}, []string{"4711", `<b>"`}}, "claim": pages, "trouble": {"ungranted"}}
}

func TestPagesAreForEverybody(t *testing.T) {
	c := newCompany(t)
	each(t, c.a.site, authorityPages(c.a), checkPage)
	each(t, c.in.site, insurerPages(c.in), checkPage)
}

// checkPage finds what keeps people out, or lets others in.
func checkPage(t *testing.T, h http.Header, page string) {
	t.Helper()
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://127.0.0.1:"} {
		if !strings.Contains(h.Get("Content-Security-Policy"), part) || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("Content-Security-Policy: %s", h.Get("Content-Security-Policy"))
		}
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
		t.Error("headers:", h)
	}
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s>, which the policy forbids", n.Data, a.Key)
			}
			if a.Key == "id" && ids[a.Val] {
				t.Errorf("id %s stands twice", a.Val)
			}
			if a.Key == "id" {
				ids[a.Val] = true
			}
		}
		if slices.Contains([]string{"title", "h1", "h2", "button", "a", "li", "dd", "dt", "p"}, n.Data) && strings.TrimSpace(words(n)) == "" {
			t.Errorf("an empty <%s>", n.Data)
		}
		if n.Data == "input" && attr(n, "type") != "hidden" {
			t.Errorf("a field without a label: %s", attr(n, "name"))
		}
		if n.Data == "svg" && attr(n, "aria-hidden") != "true" {
			t.Error("a picture without words")
		}
	}
	for element, n := range map[string]int{"h1": 1, "main": 1, "title": 1, "header": 1, "footer": 1, "script": 0, "b": 0} {
		if count[element] != n {
			t.Errorf("%d <%s>", count[element], element)
		}
	}
	if strings.Contains(page, "%!") || !strings.Contains(page, `class="example"`) || !strings.Contains(page, `name="viewport"`) {
		t.Errorf("the page is not whole: %s", page)
	}
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestWordsAreInBothLanguages(t *testing.T) {
	c := newCompany(t)
	key := regexp.MustCompile(`T "([a-z0-9.]+)"`)
	of, err := NewOffice(c.a.Options, Plans()[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*site{c.a.site, c.in.site, of.site} {
		for lang, other := range map[string]string{"sv": "en", "en": "sv"} {
			for k, text := range s.words[lang] {
				if theirs, ok := s.words[other][k]; !ok || strings.Count(text, "%s") != strings.Count(theirs, "%s") {
					t.Errorf("%s: %s is not in %s, or takes something else there", s.name, k, other)
				}
			}
		}
		for _, folder := range []string{"layout", s.folder} {
			files, err := fs.Glob(content, folder+"/*.html")
			if err != nil || len(files) == 0 {
				t.Fatal(folder, err)
			}
			for _, f := range files {
				text, _ := fs.ReadFile(content, f)
				for _, m := range key.FindAllSubmatch(text, -1) {
					if s.words["sv"][string(m[1])] == "" {
						t.Errorf("%s: there are no words for %s", f, m[1])
					}
				}
			}
		}
	}
}

func TestTheLanguageIsThePersons(t *testing.T) {
	o := newOffice(t)
	for _, row := range []struct{ query, cookie, header, lang string }{
		{"", "", "", "sv"},
		{"", "", "en-GB,en;q=0.9", "en"},
		{"", "", "de, en;q=0.5, sv;q=0.4", "en"},
		{"", "", "de", "sv"},
		{"", "", ";;;q=", "sv"},
		{"", "en", "sv", "en"},
		{"sv", "en", "en", "sv"},
		{"en", "", "sv", "en"},
		{"<b>", "", "sv", "sv"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?lang="+row.query, nil)
		r.Header.Set("Accept-Language", row.header)
		if row.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "authority_lang", Value: row.cookie})
		}
		w := httptest.NewRecorder()
		o.a.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Content-Language"); got != row.lang {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

func TestCookiesAreLocked(t *testing.T) {
	o := newOffice(t)
	for origin, prefix := range map[string]string{"https://af.example.se": "__Host-authority_", "http://127.0.0.1:1": "authority_"} {
		o.a.Origin = origin
		c := o.a.cookie("visit", "x")
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure != strings.HasPrefix(origin, "https") || !strings.HasPrefix(c.Name, prefix) {
			t.Errorf("%s: %s", origin, c)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m map[string]time.Time
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for i := range 30 {
		put(&m, string(rune('a'+i)), day.AddDate(0, 0, i), 10, func(t time.Time) time.Time { return t })
	}
	put(&m, "old", day, 10, func(t time.Time) time.Time { return t })
	if _, ok := m["old"]; !ok || len(m) != 10 {
		t.Errorf("there are %v", m)
	}
	if _, ok := m["a"]; ok {
		t.Error("the oldest is still there")
	}
}

// TestStyles: a page's style can be had, all of it at once, and looks like something.
func TestStyles(t *testing.T) {
	c := newCompany(t)
	for name, site := range map[string]http.Handler{"authority": c.a.Handler(), "insurer": c.in.Handler()} {
		get := func(path string) string {
			w := httptest.NewRecorder()
			site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
				t.Errorf("%s: %s: %d, %s", name, path, w.Code, w.Header().Get("Content-Type"))
			}
			return w.Body.String()
		}
		style := get("/style.css")
		if !strings.Contains(style, "body {") || strings.Contains(style, "@import") { // which a browser's tools may not fetch

			t.Errorf("%s: its pages have no style", name)
		}
	}
}
