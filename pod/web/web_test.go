// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/web"
)

var _ web.Pod = (*pod.Pod)(nil)

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func parse(t *testing.T, s string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// find returns the elements of a name; of any for "".
func find(n *html.Node, name string) []*html.Node {
	var all []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (name == "" || d.Data == name) {
			all = append(all, d)
		}
	}
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// every is every page in every state.
var every = []call{
	{path: "/me/"}, {path: "/me/?done=agreed"}, {path: "/me/evidence"}, {path: "/me/sharing"}, {path: "/me/log"}, {path: "/me/log?before=50"}, {path: "/me/connections"}, {path: "/me/apps"}, {path: "/me/apps?done=removed"}, {path: "/me/apps", form: form("name", "Backup")},
	{path: "/me/evidence/e1"}, {path: "/me/evidence/e3"}, {path: "/me/evidence/e4"}, {path: "/me/evidence/e5"}, {path: "/me/evidence/none"}, {path: "/me/evidence?page=9"}, {path: "/me/evidence/e4/sd-jwt"},
	{path: "/me/sharing/c1"}, {path: "/me/sharing/c3"}, {path: "/me/sharing/c5"}, {path: "/me/sharing/c6"}, {path: "/me/sharing/none"},
	{path: "/me/log?who=ink&what=read&from=2026-11-01&to=2026-11-30"}, {path: "/me/log?from=yesterday"}, {path: "/me/log?who=nobody"}, {path: "/me/log/120"}, {path: "/me/log/112"}, {path: "/me/log/100000"},
	{path: "/me/settings/"}, {path: "/me/settings/?done=name"}, {path: "/me/settings/erase"},
	{path: "/me/files/"}, {path: "/me/files/notes/"}, {path: "/me/files/notes/empty/"}, {path: "/me/files/evidence/"}, {path: "/me/files/evidence/e1"}, {path: "/me/files/profile/card"}, {path: "/me/files/notes/%C3%A5.txt"},
	{path: "/me/files/notes/b%3Cb%3E.txt"}, {path: "/me/files/notes/broken.ttl"}, {path: "/me/files/notes/page.html"}, {path: "/me/files/notes/picture.png"}, {path: "/me/files/nothing"},
	{path: "/me/files/notes/", form: form("do", "folder", "name", "a/b")}, {path: "/me/files/notes/", form: form("do", "folder", "name", "empty")}, {path: "/me/files/notes/", form: form("do", "delete")},
	{path: "/me/files/notes/page.html", form: form("do", "copy", "name", "picture.png")}, {path: "/me/files/notes/page.html", form: form("do", "lend", "to", "person", "address", "bob", "what", "change")},
	{path: "/me/help/"}, {path: "/me/help/c0de"}, {path: "/me/help/x"}, {path: "/me/help/", form: form("do", "invite", "name", "", "whose", "Alva", "days", "30")}, {path: "/me/help/", form: form("do", "invite", "name", "Karin", "whose", "Alva", "days", "30", "what", "answer")},
	{path: "/me/for/m2/"}, {path: "/me/for/m2/evidence"}, {path: "/me/for/m2/sharing"}, {path: "/me/for/m2/sharing/c1"}, {path: "/me/for/m2/log"}, {path: "/me/for/m2/connections"}, {path: "/me/for/m2/requests/r-consent"}, {path: "/me/for/m2/requests/r-away"},
	{path: "/me/for/sees/"}, {path: "/me/for/sees/sharing"}, {path: "/me/for/sees/requests/r-consent"}, {path: "/me/for/sees/requests/r-missing"}, {path: "/me/for/sees/requests/r-connect"}, {path: "/me/for/ended/"}, {path: "/me/for/m2/settings/"},
	{path: "/me/answer/consent"}, {path: "/me/answer/choose"}, {path: "/me/answer/missing"}, {path: "/me/answer/waiting"}, {path: "/me/answer/slow"},
	{path: "/me/answer/away"}, {path: "/me/answer/trouble"}, {path: "/me/answer/connect"}, {path: "/me/answer/evil"}, {path: "/me/answer/app"}, {path: "/me/answer/evil-app"}, {path: "/me/answer/known-app"}, {path: "/me/answer/local-app"}, {path: "/me/answer/late"}, {path: "/me/answer/unknown"},
	{path: "/me/requests/r-consent"}, {path: "/me/sign-in", stranger: true}, {path: "/me/sign-in?next=/me/log&ended=1", stranger: true}, {path: "/me/sign-in?done=out", stranger: true},
	{path: web.NotSignedIn("exempel-eid", "/me/log", nil, true), stranger: true}, {path: web.NotSignedIn("exempel-eid", "/me/log", []string{"high"}, true)}, {path: web.NotSignedIn("exempel-eid", "/me/", nil, false), stranger: true},
	{path: "/me/words", stranger: true}, {path: "/me/words"}, {path: "/me/answer/much"}, {path: "/me/answer/much-missing"}, {path: "/me/sign-in?level=nobody-has-it"}, {path: "/me/sharing?after=c1"}, {path: "/me/sharing?after=none"},
	{path: "/me/nothing"}, {path: "/me/log?before=x"},
	{path: "/me/answer/choose", form: form("do", "agree", "choose", "1")}, {path: "/me/answer/consent", form: form("do", "agree", "evidence", "e1", "shown-e1", "old")},
	{path: "/me/answer/consent", form: form("do", "nonsense")}, {path: "/me/sharing", form: form("withdraw", "c1"), site: "cross-site"},
}

func TestPagesAreSound(t *testing.T) {
	for _, c := range every {
		b := newBench(t)
		for _, lang := range tongues {
			c.cookie = lang
			w := b.do(c)
			doc := parse(t, w.Body.String())
			bad := func(what string) { t.Errorf("%s %v in %s (%d): %s", c.path, c.form, lang, w.Code, what) }
			if got := attr(find(doc, "html")[0], "lang"); got != lang {
				bad("lang is " + got)
			}
			if h1 := find(doc, "h1"); len(h1) != 1 || !strings.HasPrefix(textOf(find(doc, "title")[0]), textOf(h1[0])) {
				bad("not one h1 that is the title")
			}
			for _, landmark := range []string{"header", "main", "footer"} {
				if len(find(doc, landmark)) != 1 {
					bad("not one " + landmark)
				}
			}
			if strings.Contains(w.Body.String(), "ZgotmplZ") {
				bad("a value stands where it can't be escaped")
			}
			checkElements(doc, bad)
			checkHeadings(doc, bad)
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
			} {
				if got := w.Header().Get(name); got != want {
					bad(name + ": " + got)
				}
			}
			csp := w.Header().Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'") || !strings.Contains(csp, "; frame-ancestors 'none'; base-uri 'none'") {
				bad("CSP: " + csp)
			}
			if len(w.Body.String()) > 30_000 {
				bad("larger than 30 kB")
			}
		}
	}
}

func checkElements(doc *html.Node, bad func(string)) {
	ids, labelled := map[string]bool{}, map[string]bool{}
	for _, n := range find(doc, "") {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				bad("two elements have the id " + id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = true
		}
	}
	for _, n := range find(doc, "") {
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				bad("inline " + a.Key)
			}
			if v := strings.ToLower(strings.TrimSpace(a.Val)); strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:text") {
				bad(a.Key + "=" + a.Val)
			}
			if a.Key == "aria-labelledby" || a.Key == "aria-describedby" {
				for _, id := range strings.Fields(a.Val) {
					if !ids[id] {
						bad(a.Key + " names nothing: " + id)
					}
				}
			}
		}
		switch n.Data {
		case "style":
			bad("inline style")
		case "script":
			if attr(n, "src") == "" {
				bad("inline script")
			}
		case "img":
			if !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" }) {
				bad("img without alt")
			}
		case "input", "select", "textarea":
			if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] && (n.Parent.Data != "label" || textOf(n.Parent) == "") {
				bad(n.Data + " without a label")
			}
		case "a", "button":
			if textOf(n) == "" {
				bad(n.Data + " without a name")
			}
		case "dd", "dt", "h2", "h3", "p", "legend", "summary":
			if textOf(n) == "" && attr(n, "hidden") == "" && attr(n, "id") != "live" && len(find(n, "img")) == 0 {
				bad(n.Data + " without words")
			}
		case "form":
			if m := attr(n, "method"); m != "post" && (m != "get" || attr(n, "action") == "") {
				bad("form with method " + m)
			}
		}
	}
}

// checkHeadings sees that no level is left out.
func checkHeadings(doc *html.Node, bad func(string)) {
	level := 0
	for _, n := range find(doc, "") {
		if len(n.Data) == 2 && n.Data[0] == 'h' && '1' <= n.Data[1] && n.Data[1] <= '6' {
			l, _ := strconv.Atoi(n.Data[1:])
			if l > level+1 {
				bad("heading level left out before " + textOf(n))
			}
			level = l
		}
	}
}

func TestHostileNamesAreText(t *testing.T) {
	w := newBench(t).do(call{path: "/me/answer/evil"})
	page := w.Body.String()
	doc := parse(t, page)
	ours := len(find(doc, "script")) - strings.Count(page, `<script src="/me/static/`)
	if n := ours + len(find(doc, "b")) + len(find(doc, "style")); n != 0 {
		t.Errorf("%d elements came from a name or a value:\n%s", n, page)
	}
	if strings.Contains(page, "\u202e") {
		t.Error("a name turns the direction of writing")
	}
	if !strings.Contains(textOf(doc), "<script>alert(1)</script>") || !strings.Contains(textOf(doc), "<script>alert(3)</script>") {
		t.Error("a name or a value isn't shown as it is")
	}
}

// A person sees each value as it will be released, and the names only of what
// stays hidden.
func TestConsentShows(t *testing.T) {
	b := newBench(t)
	doc := parse(t, b.do(call{path: "/me/answer/consent"}).Body.String())
	text := textOf(find(doc, "main")[0])
	for _, want := range []string{
		"Exempel Försäkring", "556000-0001", "forsakring.example.se", "Avgöra om du har rätt", "Ditt samtycke", "Har du varit inskriven i minst 30 dagar? Ja",
		"Är du inskriven? Ja", "De får inte se: Inskrivningsdatum och Kontor.", "Från Arbetsförmedlingen (exempel), 20 november 2026", "21 maj 2027", "nyare intyg",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q:\n%s", want, text)
		}
	}
	for _, secret := range []string{"Kista", "1 oktober"} {
		if strings.Contains(text, secret) {
			t.Errorf("the page tells the hidden value %q", secret)
		}
	}
	for _, path := range []string{"/me/answer/consent", "/me/answer/choose"} {
		for _, n := range find(parse(t, b.do(call{path: path}).Body.String()), "input") {
			if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
				t.Errorf("%s: %s is ticked beforehand", path, attr(n, "name"))
			}
		}
	}
	buttons := find(parse(t, b.do(call{path: "/me/answer/consent"}).Body.String()), "button")
	for _, n := range buttons {
		if do := attr(n, "value"); (do == "agree" || do == "decline") && attr(n, "class") != "" {
			t.Errorf("%s has a look of its own", do)
		}
	}
	var names []string
	for _, n := range find(parse(t, b.do(call{path: "/me/answer/choose"}).Body.String()), "input") {
		names = append(names, attr(n, "name"))
	}
	for _, want := range []string{"also-e1", "also-e2", "shown-e1", "shown-e2"} {
		if !slices.Contains(names, want) {
			t.Errorf("of two choices each has its own %s; there are %v", want, names)
		}
	}
	connect := textOf(find(parse(t, b.do(call{path: "/me/answer/connect"}).Body.String()), "main")[0])
	for _, want := range []string{"Arbetslöshetsintyg", "kan inte läsa", "personnummer", "202100-2114"} {
		if !strings.Contains(connect, want) {
			t.Errorf("the connect page doesn't say %q", want)
		}
	}
}

func TestAnswer(t *testing.T) {
	agree := func(more ...string) url.Values {
		return form(append([]string{"do", "agree", "evidence", "e1", "shown-e1", "hash-e1", "days", ""}, more...)...)
	}
	const onward = "https://skrin.example/.oidc/continue/"
	for _, row := range []struct {
		what, path string
		form       url.Values
		status     int
		to         string
		want       *consent.Answer
	}{
		{"agree as asked", "/me/answer/consent", agree(), 303, onward + "consent", &consent.Answer{Agree: true, Evidence: "e1", Shown: "hash-e1", Lang: "sv"}},
		{"agree to more", "/me/answer/consent", agree("also-e1", "registered"), 303, onward + "consent", &consent.Answer{Agree: true, Evidence: "e1", Shown: "hash-e1", Lang: "sv", Optional: []string{"registered"}}},
		{"what was ticked at another choice doesn't count", "/me/answer/choose", agree("choose", "1", "also-e2", "registered"), 303, onward + "choose", &consent.Answer{Agree: true, Evidence: "e1", Shown: "hash-e1", Lang: "sv"}},
		{"agree for a week: the last day counts", "/me/answer/consent", form("do", "agree", "evidence", "e1", "shown-e1", "hash-e1", "days", "7"), 303, onward + "consent", &consent.Answer{Agree: true, Evidence: "e1", Shown: "hash-e1", Lang: "sv", Until: day("2026-11-29")}},
		{"agree for as long as nobody offered", "/me/answer/consent", form("do", "agree", "evidence", "e1", "shown-e1", "hash-e1", "days", "5000"), 400, "", nil},
		{"decline", "/me/answer/consent", form("do", "decline", "evidence", "e1"), 303, onward + "consent", &consent.Answer{Lang: "sv"}},
		{"decline, and say why", "/me/answer/consent", form("do", "decline", "evidence", "e1", "reason", "too_much"), 303, onward + "consent", &consent.Answer{Lang: "sv", Reason: consent.TooMuch}},
		{"agree, although a reason not to was chosen", "/me/answer/consent", agree("reason", "too_much"), 303, onward + "consent", &consent.Answer{Agree: true, Evidence: "e1", Shown: "hash-e1", Lang: "sv"}},
		{"decline what is missing", "/me/answer/missing", form("do", "decline"), 303, onward + "missing", &consent.Answer{Lang: "sv"}},
		{"connect", "/me/answer/connect", form("do", "agree"), 303, onward + "connect", &consent.Answer{Agree: true, Lang: "sv"}},
		{"connect from the overview", "/me/requests/r-connect", form("do", "agree"), 303, "/me/?done=agreed", &consent.Answer{Agree: true, Lang: "sv"}},
		{"decline from the overview", "/me/requests/r-consent", form("do", "decline"), 303, "/me/?done=declined", &consent.Answer{Lang: "sv"}},
		{"choose none", "/me/answer/choose", form("do", "agree", "choose", "1"), 422, "", nil},
		{"what was shown has changed", "/me/answer/consent", form("do", "agree", "evidence", "e1", "shown-e1", "old"), 409, "", nil},
		{"neither yes nor no", "/me/answer/consent", form("do", "perhaps"), 400, "", nil},
		{"too late", "/me/answer/late", agree(), 410, "", nil},
		{"nobody waits", "/me/answer/timed-out", agree(), 410, "", nil},
		{"pressed twice, and the first has ended the question", "/me/answer/twice", agree(), 303, "https://forsakring.example.se/cb?code=x", nil},
		{"pressed no, when a yes has ended the question: the party isn't visited as if she had said yes twice", "/me/answer/twice", form("do", "decline"), 410, "", nil},
		{"no such question", "/me/answer/unknown", agree(), 410, "", nil},
		{"another's question", "/me/requests/r-nobody", agree(), 410, "", nil},
	} {
		t.Run(row.what, func(t *testing.T) {
			b := newBench(t)
			w := b.do(call{path: row.path, form: row.form})
			if w.Code != row.status || w.Header().Get("Location") != row.to {
				t.Fatalf("%d to %q; want %d to %q\n%s", w.Code, w.Header().Get("Location"), row.status, row.to, w.Body)
			}
			if row.want == nil {
				if len(b.pod.answers) != 0 {
					t.Errorf("an answer was given: %+v", b.pod.answers)
				}
				return
			}
			got := b.pod.answers[0]
			if got.Agree != row.want.Agree || got.Reason != row.want.Reason || got.Evidence != row.want.Evidence || got.Shown != row.want.Shown || got.Lang != row.want.Lang ||
				!got.Until.Equal(row.want.Until) || !slices.Equal(got.Optional, row.want.Optional) {
				t.Errorf("answer %+v; want %+v", got, *row.want)
			}
		})
	}
}

func TestChangedIsSaid(t *testing.T) {
	w := newBench(t).do(call{path: "/me/answer/choose", form: form("do", "agree", "choose", "1", "evidence", "e1", "shown-e1", "old", "also-e1", "registered")})
	page := w.Body.String()
	if !strings.Contains(page, "Något har ändrats") || !strings.Contains(page, `value="hash-e1"`) || strings.Contains(page, " checked") {
		t.Errorf("the page doesn't show what is there now:\n%s", page)
	}
}

// Who forgets to choose ticks nothing twice.
func TestTicksStay(t *testing.T) {
	w := newBench(t).do(call{path: "/me/answer/choose", form: form("do", "agree", "choose", "1", "also-e2", "registered", "days", "7")})
	var ticked []string
	for _, n := range find(parse(t, w.Body.String()), "input") {
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
			ticked = append(ticked, attr(n, "name"))
		}
	}
	if w.Code != 422 || !slices.Equal(ticked, []string{"also-e2"}) || !strings.Contains(w.Body.String(), `value="7" selected`) {
		t.Errorf("%d: ticked are %v", w.Code, ticked)
	}
	ended := newBench(t).do(call{path: "/me/answer/timed-out"}).Body.String()
	if !strings.Contains(ended, `href="/me/sharing">Delat</a>`) {
		t.Errorf("no way from a question that is over to what is shared: %s", ended)
	}
}

func TestAnsweredGoesOn(t *testing.T) {
	b := newBench(t)
	b.pod.outcome = &consent.Outcome{Party: ink}
	w := b.do(call{path: "/me/answer/consent"})
	if got, want := w.Header().Get("Refresh"), "0; url=https://skrin.example/.oidc/continue/consent"; w.Code != 200 || got != want {
		t.Errorf("%d, Refresh %q; want %q", w.Code, got, want)
	}
	if !strings.Contains(w.Body.String(), `href="https://skrin.example/.oidc/continue/consent"`) {
		t.Error("no link onward")
	}
	w = b.do(call{path: "/me/answer/consent", form: form("do", "agree", "evidence", "e1", "shown-e1", "hash-e1")})
	if w.Code != 303 || w.Header().Get("Location") != "https://skrin.example/.oidc/continue/consent" {
		t.Errorf("answering twice: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// Who has answered, and answers the opposite on a page that was still open, is told
// which holds, and isn't sent on as if she had been heard.
func TestTheFirstAnswerHolds(t *testing.T) {
	yes, no := form("do", "agree", "evidence", "e1", "shown-e1", "hash-e1"), form("do", "decline")
	for _, row := range []struct {
		what     string
		declined bool
		form     url.Values
		status   int
		says     string
	}{
		{"no after yes", false, no, 409, "Du har redan sagt ja till Exempel Försäkring"},
		{"yes after no", true, yes, 409, "Du har redan sagt nej till Exempel Försäkring"},
		{"yes twice", false, yes, 303, ""},
		{"no twice", true, no, 303, ""},
	} {
		for _, path := range []string{"/me/answer/consent", "/me/requests/r-consent", "/me/for/m2/requests/r-consent"} {
			b := newBench(t)
			b.pod.outcome = &consent.Outcome{Party: ink, Declined: row.declined}
			w := b.do(call{path: path, form: row.form})
			page := w.Body.String()
			if w.Code != row.status || !strings.Contains(page, row.says) || len(b.pod.answers) != 0 || w.Header().Get("Refresh") != "" {
				t.Errorf("%s at %s: %d %s", row.what, path, w.Code, page)
			}
			if withdraw := strings.Contains(page, `/sharing">Delat</a>`); withdraw != (row.status == 409 && !row.declined) {
				t.Errorf("%s at %s: the way to withdraw: %v", row.what, path, withdraw)
			}
		}
	}
}

func TestFetch(t *testing.T) {
	b := newBench(t)
	if page := b.do(call{path: "/me/answer/missing"}).Body.String(); !strings.Contains(page, "Hämta från Arbetsförmedlingen (exempel)") {
		t.Fatalf("no way to get what is missing:\n%s", page)
	}
	w := b.do(call{path: "/me/answer/missing", form: form("do", "fetch", "from", af)})
	if w.Code != 303 || w.Header().Get("Location") != "/me/answer/missing" || b.pod.fetched != af {
		t.Fatalf("%d to %q, asked %q", w.Code, w.Header().Get("Location"), b.pod.fetched)
	}
	w = b.do(call{path: "/me/answer/missing"})
	page := w.Body.String()
	for _, want := range []string{"/me/static/live.js", "14.05", "Titta efter nu", `role="status"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the waiting page lacks %q", want)
		}
	}
	if strings.Contains(page, "http-equiv") {
		t.Error("the waiting page reloads by itself, which WCAG 2.2.1 forbids")
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; connect-src 'self'") {
		t.Errorf("CSP: %s", csp)
	}
	for path, want := range map[string]string{
		"/me/answer/struck": "gäller inte längre", "/me/answer/slow": "längre tid", "/me/answer/away": "Gå till af.example.se", "/me/answer/trouble": "svarar inte just nu",
	} {
		page := b.do(call{path: path}).Body.String()
		if !strings.Contains(page, want) || strings.Contains(page, "refresh") {
			t.Errorf("%s doesn't say %q, or reloads by itself", path, want)
		}
	}
}

func TestFormActionNamesTheParty(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]string{
		"/me/answer/consent": "form-action 'self' https://forsakring.example.se;", "/me/requests/r-consent": "form-action 'self';", "/me/": "form-action 'self';",
	} {
		if csp := b.do(call{path: path}).Header().Get("Content-Security-Policy"); !strings.Contains(csp, want) {
			t.Errorf("%s: %s", path, csp)
		}
	}
}

func TestStrangersSignInFirst(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]string{
		"/me/": "%2Fme%2F", "/me/log?before=3": "%2Fme%2Flog%3Fbefore%3D3", "/me/answer/consent": "%2Fme%2Fanswer%2Fconsent",
	} {
		w := b.do(call{path: path, stranger: true})
		if got := w.Header().Get("Location"); w.Code != 303 || got != "/me/sign-in?next="+want {
			t.Errorf("%s: %d to %q", path, w.Code, got)
		}
	}
	w := b.do(call{path: "/me/answer/consent", form: form("do", "agree"), stranger: true})
	if got := w.Header().Get("Location"); got != "/me/sign-in?next=%2Fme%2Fanswer%2Fconsent&ended=1" || len(b.pod.answers) != 0 {
		t.Errorf("a stranger's answer: %d to %q", w.Code, got)
	}
	page := b.do(call{path: "/me/sign-in?next=%2Fme%2Flog", stranger: true, lang: "nn"}).Body.String()
	if !strings.Contains(page, `href="/me/sign-in/exempel-eid?lang=nn&amp;next=%2Fme%2Flog"`) {
		t.Errorf("no way to sign in:\n%s", page)
	}
	for lang, words := range map[string]string{"sv": "inte tillräckligt säkert vem du är", "nb": "ikke sikkert nok hvem du er", "nn": "ikkje sikkert nok kven du er", "en": "did not say surely enough who you are"} {
		for _, stranger := range []bool{true, false} {
			w := b.do(call{path: web.NotSignedIn("exempel-eid", "/me/log", nil, true), stranger: stranger, lang: lang})
			if w.Code != 403 || !strings.Contains(w.Body.String(), words) || !strings.Contains(w.Body.String(), `href="/me/sign-in/exempel-eid?`) {
				t.Errorf("after too low a sign-in, in %s: %d %s", lang, w.Code, w.Body)
			}
		}
	}
	if w := b.do(call{path: web.NotSignedIn("nobody's", "/me/log", nil, true), stranger: true}); w.Code != 200 {
		t.Errorf("a way to sign in that there isn't: %d", w.Code)
	}
	if got := b.do(call{path: "/me/sign-in/exempel-eid", stranger: true}).Body.String(); got != "the method answers /me/sign-in/exempel-eid" {
		t.Error(got)
	}
	b.pod.made = false
	if w := b.do(call{path: "/me/"}); w.Code != 200 || !b.pod.made {
		t.Errorf("a first visit: %d, pod made: %v", w.Code, b.pod.made)
	}
	if w := b.do(call{path: "/me/sign-out", form: form("next", "/me/answer/consent")}); !b.sessions.out || w.Header().Get("Location") != "/me/sign-in?done=out&next=%2Fme%2Fanswer%2Fconsent" {
		t.Errorf("signing out: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// Who is about to answer leaves the page, and what she has chosen on it, by nothing that
// she may want to read first: what a word means is said in place, the rest opens beside.
func TestReadingOnKeepsTheAnswer(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/me/answer/consent", "/me/answer/choose", "/me/answer/much", "/me/answer/connect", "/me/answer/app", "/me/requests/r-consent", "/me/for/m2/requests/r-consent"} {
		main := find(parse(t, b.do(call{path: path}).Body.String()), "main")[0]
		for _, a := range find(main, "a") {
			if attr(a, "target") != "_blank" || !strings.Contains(textOf(a), "nytt fönster") {
				t.Errorf("%s leads away to %s", path, attr(a, "href"))
			}
		}
		if path == "/me/answer/app" {
			continue
		}
		text := textOf(main)
		for _, want := range []string{"har sett vilka de är", "datahanterare"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s doesn't say what registered means", path)
			}
		}
		if strings.Contains(text, "Rättslig grund") && !strings.Contains(text, "Det i lagen som gör att") {
			t.Errorf("%s doesn't say what a legal basis is", path)
		}
	}
}

// Whoever reads or writes for long can stay: the page knows how long a sign-in lasts,
// and asks whether it still does.
func TestStay(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct {
		stranger bool
		says     string
	}{{false, "in"}, {true, "out"}} {
		page := b.do(call{path: "/me/words", stranger: row.stranger})
		bar := strings.Contains(page.Body.String(), `data-idle="900" hidden`) && strings.Contains(page.Body.String(), "/me/static/stay.js?v=") && strings.Contains(page.Header().Get("Content-Security-Policy"), "connect-src 'self'")
		w := b.do(call{path: "/me/stay", form: form(), stranger: row.stranger})
		if w.Code != 200 || w.Body.String() != row.says || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || bar == row.stranger {
			t.Errorf("a stranger %t: %d %s; can stay: %t", row.stranger, w.Code, w.Body, bar)
		}
	}
	if w := b.do(call{path: "/me/stay", form: form(), site: "cross-site"}); w.Code != 403 || strings.Contains(w.Body.String(), "in\n") {
		t.Errorf("another site keeps the sign-in: %d", w.Code)
	}
}

func TestNextStaysHere(t *testing.T) {
	b := newBench(t)
	for next, want := range map[string]string{
		"/me/answer/x?y=1#z": "/me/answer/x?y=1#z", "/.oidc/authorize?client_id=a": "/.oidc/authorize?client_id=a", "/me/a%2Fb": "/me/a%2Fb",
		"": "/me/", "me/log": "/me/", "https://evil.example/": "/me/", "//evil.example/": "/me/", "///evil.example": "/me/", "/\\evil.example": "/me/",
		"\\\\evil.example": "/me/", "/%5Cevil.example": "/me/", "/%2Fevil.example": "/me/", "javascript:alert(1)": "/me/", "/\t/evil.example": "/me/",
		"/me/\r\nSet-Cookie: a=b": "/me/", " //evil.example": "/me/", "http:/me/": "/me/", "/me/å": "/me/", "/" + strings.Repeat("a", 3000): "/me/", "/%zz": "/me/",
	} {
		w := b.do(call{path: "/me/sign-in?" + form("next", next).Encode()})
		if got := w.Header().Get("Location"); w.Code != 303 || got != want {
			t.Errorf("next=%q leads to %q; want %q", next, got, want)
		}
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	for _, c := range []call{
		{path: "/me/sharing", form: form("withdraw", "c1")}, {path: "/me/answer/consent", form: form("do", "agree", "evidence", "e1", "shown-e1", "hash-e1")},
		{path: "/me/settings/erase", form: form("do", "erase")}, {path: "/me/evidence/e1", form: form("do", "remove")}, {path: "/me/files/notes/page.html", form: form("do", "delete")},
		{path: "/me/sign-out", form: form()}, {path: "/me/language", form: form("lang", "en")}, {path: "/me/sign-in/exempel-eid", form: form("who", "0")},
	} {
		for _, site := range []string{"cross-site", "same-site"} {
			b := newBench(t)
			c.site = site
			if w := b.do(c); w.Code != 403 || b.pod.withdrawn != "" || len(b.pod.answers) != 0 || len(b.pod.done) != 0 || b.pod.kind["/alva/notes/page.html"] == "" || b.pod.kind["/alva/evidence/e1"] == "" || b.sessions.out || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s from %s: %d", c.path, site, w.Code)
			}
		}
	}
}

func TestWithdraw(t *testing.T) {
	b := newBench(t)
	doc := parse(t, b.do(call{path: "/me/sharing"}).Body.String())
	var ids []string
	for _, n := range find(doc, "button") {
		if attr(n, "name") == "withdraw" {
			ids = append(ids, attr(n, "value"))
		}
	}
	if !slices.Equal(ids, []string{"c1", "c2"}) {
		t.Errorf("what can be withdrawn: %v; want what is active", ids)
	}
	w := b.do(call{path: "/me/sharing", form: form("withdraw", "c1")})
	if w.Code != 303 || w.Header().Get("Location") != "/me/sharing?done=withdrawn" || b.pod.withdrawn != "c1" {
		t.Errorf("%d to %q, withdrawn %q", w.Code, w.Header().Get("Location"), b.pod.withdrawn)
	}
	if page := b.do(call{path: "/me/sharing?done=withdrawn"}).Body.String(); !strings.Contains(page, "Du har tagit tillbaka det") {
		t.Error("the person isn't told")
	}
}

func TestLogIsPaged(t *testing.T) {
	b := newBench(t)
	seen, path := 0, "/me/log"
	for range 5 {
		doc := parse(t, b.do(call{path: path}).Body.String())
		path = ""
		for _, n := range find(doc, "span") {
			if attr(n, "class") == "clock" {
				seen++
			}
		}
		for _, n := range find(doc, "a") {
			if textOf(n) == "Äldre" {
				path = attr(n, "href")
			}
		}
		if path == "" {
			break
		}
	}
	if seen != 120 {
		t.Errorf("%d lines on all pages; want 120", seen)
	}
	text := textOf(parse(t, b.do(call{path: "/me/log"}).Body.String()))
	for _, want := range []string{
		"Exempel Försäkring försökte göra något som du inte har sagt ja till. Det stoppades.", "Exempel Försäkring läste ett intyg: Arbetslöshetsintyg.",
		"Uppgifter: Inskriven i minst 30 dagar", "Varför: Avgöra om du har rätt", "Du sa nej till gone-party.", "Arbetsförmedlingen (exempel) lämnade ett intyg",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log doesn't say %q", want)
		}
	}
}

func TestFailuresAreSaid(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		says   string
	}{
		{errors.New("secret detail"), 500, "Något gick fel hos oss"},
		{ldp.Refuse(ldp.Unavailable, "secret detail"), 503, "Vänta en halv minut"},
		{ldp.Refuse(ldp.Forbidden, "secret detail"), 403, "inloggad som rätt person"},
		{ldp.Refuse(ldp.Unprocessable, "secret detail"), 422, "Kontakta dem"},
	} {
		b := newBench(t)
		b.pod.err = row.err
		w := b.do(call{path: "/me/answer/consent"})
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d\n%s", row.err, w.Code, w.Body)
		}
		if (row.status >= 500) != strings.Contains(w.Body.String(), "uppge koden") || (row.status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: code or Retry-After is wrong", row.err)
		}
	}
	if w := newBench(t).do(call{path: "/me/sharing", form: form("withdraw", strings.Repeat("a", 70_000))}); w.Code != 413 {
		t.Errorf("a large form: %d", w.Code)
	}
}

func TestStaticFiles(t *testing.T) {
	b := newBench(t)
	sum := 0
	for _, n := range find(parse(t, b.do(call{path: "/me/answer/waiting"}).Body.String()), "") {
		for _, name := range []string{"src", "href"} {
			if path := attr(n, name); strings.HasPrefix(path, "/me/static/") {
				w := b.do(call{path: path, stranger: true})
				if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
					t.Errorf("%s: %d %v", path, w.Code, w.Header())
				}
				sum += w.Body.Len()
			}
		}
	}
	if sum == 0 || sum > 20_000 {
		t.Errorf("the static files are %d bytes; want at most 20000", sum)
	}
	for path, want := range map[string]int{"/me/static/nothing.css": 404, "/me/static/..%2Fmessages%2Fsv.json": 404, "/me/static/": 404, "/me": 303, "/me//log": 404} {
		if w := b.do(call{path: path, stranger: true}); w.Code != want {
			t.Errorf("%s: %d; want %d", path, w.Code, want)
		}
	}
	for path, want := range map[string]string{"/me/log": "GET, HEAD", "/me/sign-out": "POST", "/me/help/x": "GET, HEAD, POST", "/me/for/m2/log": "GET, HEAD"} {
		r := httptest.NewRequest("PUT", "https://skrin.example"+path, nil)
		w := httptest.NewRecorder()
		if b.h.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != want {
			t.Errorf("PUT %s: %d, Allow: %s; want %s", path, w.Code, w.Header().Get("Allow"), want)
		}
	}
	if w := b.do(call{path: "/me/static/skrin.css"}); w.Header().Get("Cache-Control") != "no-store" {
		t.Error("an address without a version is kept")
	}
}

func TestHandlerWantsAll(t *testing.T) {
	s := newBench(t).site
	s.Zone = nil
	if _, err := s.Handler(); err == nil {
		t.Error("a Site without a Zone serves")
	}
}

func TestAnApp(t *testing.T) {
	b := newBench(t)
	w := b.do(call{path: "/me/answer/app"})
	if got := w.Body.String(); !strings.Contains(got, "Anteckningar") || !strings.Contains(got, "https://app.example") ||
		!strings.Contains(w.Header().Get("Content-Security-Policy"), "form-action 'self' https://app.example;") {
		t.Errorf("%v %s", w.Header(), got)
	}
	for _, row := range []struct {
		what, path, do string
		status         int
		to, finished   string
	}{
		{"approved", "app", "agree", 303, "https://skrin.example/.oidc/continue/app", "true"},
		{"declined", "app", "decline", 303, "https://skrin.example/.oidc/continue/app", "false"},
		{"answered with nonsense", "app", "x", 400, "", ""},
		{"an installed app is approved", "local-app", "agree", 200, "0; url=https://skrin.example/.oidc/continue/local-app", "true"},
		{"one that is approved goes on", "known-app", "", 200, "0; url=https://skrin.example/.oidc/authorize/known-app", ""},
	} {
		b.asks.finished = nil
		c := call{path: "/me/answer/" + row.path}
		if row.do != "" {
			c.form = form("do", row.do)
		}
		w := b.do(c)
		finished := strings.Join(b.asks.finished, " ")
		if w.Code != row.status || w.Header().Get("Location")+w.Header().Get("Refresh") != row.to || !strings.HasSuffix(finished, row.finished) || (finished == "") != (row.finished == "") {
			t.Errorf("%s: %d %v %s", row.what, w.Code, w.Header(), finished)
		}
	}
}

func TestAppsAndScripts(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct {
		what   string
		form   url.Values
		status int
		says   string
	}{
		{"both are listed", nil, 200, "Anteckningar"},
		{"an app is shut out", form("app", "app_1"), 303, ""},
		{"a script is removed", form("script", "script_1"), 303, ""},
		{"a script is made, and its secret is told", form("name", "Backup"), 200, "S3CRET"},
		{"a script without a name", form("name", " "), 422, "id=\"name-wrong\""},
		{"a script with too long a name: what was typed is still there", form("name", strings.Repeat("å", 81)), 422, `value="` + strings.Repeat("å", 81) + `"`},
		{"one too many", form("name", "many"), 409, "Stäng ute något först"},
	} {
		w := b.do(call{path: "/me/apps", form: row.form})
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.says) {
			t.Errorf("%s: %d %s", row.what, w.Code, w.Body)
		}
	}
}

// An onlooker, who isn't signed in, is told nothing of anybody who is here: not by a
// page, not by where it leads, and not by a difference between what is and what isn't.
func TestAnOnlookerLearnsNothing(t *testing.T) {
	b := newBench(t)
	b.pod.own.Name = "Alva Ek"
	at := func(path string) string {
		w := b.do(call{path: path, stranger: true})
		return fmt.Sprintln(w.Code, w.Header(), w.Body)
	}
	for _, c := range every {
		if c.form != nil {
			continue
		}
		if got := at(c.path); strings.Contains(got, "Alva") || strings.Contains(got, "Nils") || strings.Contains(got, "Karin") || strings.Contains(got, "Försäkring") {
			t.Errorf("%s tells a stranger: %s", c.path, got)
		}
	}
	for is, isnt := range map[string]string{
		"/me/evidence/e1": "/me/evidence/xx", "/me/sharing/c1": "/me/sharing/xx", "/me/log/118": "/me/log/999", "/me/requests/r-consent": "/me/requests/x-xxxxxxx",
		"/me/for/m2/": "/me/for/xx/", "/me/help/c0de": "/me/help/xxxx", "/me/files/notes/": "/me/files/xxxxx/", "/me/answer/consent": "/me/answer/xxxxxxx",
	} {
		strip := func(s, path string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, path, ""), url.QueryEscape(path), "")
		}
		if a, b := strip(at(is), is), strip(at(isnt), isnt); a != b {
			t.Errorf("%s and %s differ for a stranger:\n%s\n%s", is, isnt, a, b)
		}
	}
}
