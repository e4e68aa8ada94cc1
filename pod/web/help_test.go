// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skrin/pod/log"
)

// helpedPages are those of whom one helps, in her own addresses.
var helpedPages = []string{"", "evidence", "sharing", "sharing/c1", "log", "log?before=50", "connections", "requests/r-consent", "requests/r-connect", "requests/r-missing"}

// TestHelpingIsSaidEverywhere: each page of another says whose it is, in its frame
// and its title, and leads nowhere but to pages of the same person, and home.
func TestHelpingIsSaidEverywhere(t *testing.T) {
	b := newBench(t)
	for _, mandate := range []string{"m2", "sees"} {
		for _, path := range helpedPages {
			path = "/me/for/" + mandate + "/" + path
			w := b.do(call{path: path})
			doc := parse(t, w.Body.String())
			if w.Code != 200 {
				t.Errorf("%s: %d", path, w.Code)
				continue
			}
			if text := textOf(find(doc, "header")[0]); !strings.Contains(text, "Du hjälper Nils <b>.") {
				t.Errorf("%s: the frame says %q", path, text)
			}
			if title := textOf(find(doc, "title")[0]); !strings.Contains(title, "– Nils <b> –") {
				t.Errorf("%s: the title is %q", path, title)
			}
			for _, n := range slices.Concat(find(doc, "a"), find(doc, "form")) {
				to := attr(n, "href") + attr(n, "action")
				if !strings.HasPrefix(to, "/me/") || to == "/me/" || to == "/me/language" || strings.HasPrefix(to, "/me/words") || to == "/me/sign-out" || to == "/me/sign-in" || strings.HasPrefix(to, "/me/for/"+mandate+"/") {
					continue
				}
				t.Errorf("%s leads to %s", path, to)
			}
			answers := 0
			for _, n := range find(doc, "button") {
				if v := attr(n, "value"); v == "agree" || v == "decline" || v == "fetch" || attr(n, "name") == "withdraw" {
					answers++
				}
				if slices.Contains([]string{"pause", "resume", "party"}, attr(n, "name")) {
					t.Errorf("%s has a button that is the person's own: %s", path, textOf(n))
				}
			}
			if asks := strings.Contains(path, "requests/") || strings.HasSuffix(path, "sharing"); (answers > 0) != (asks && mandate == "m2") {
				t.Errorf("%s has %d buttons to answer", path, answers)
			}
		}
	}
	for _, path := range []string{"settings/", "files/", "apps", "help/", "evidence/e1", "evidence/e1/ttl", "log/export", "log/3", "settings/erase", "settings/export", "sharing/c1/receipt", "answer/consent"} {
		if w := b.do(call{path: "/me/for/m2/" + path}); w.Code != 404 {
			t.Errorf("another's %s: %d", path, w.Code)
		}
	}
	if w := b.do(call{path: "/me/for/over/"}); w.Code != 410 || strings.Contains(w.Body.String(), "Nils") {
		t.Errorf("what has ended: %d", w.Code)
	}
	if w := b.do(call{path: "/me/for/m2/", stranger: true}); w.Code != 303 || !strings.HasPrefix(w.Header().Get("Location"), "/me/sign-in?") {
		t.Errorf("a stranger: %d", w.Code)
	}
}

// TestHelping: what is done for another is done as her helper, and leads back to
// her pages.
func TestHelping(t *testing.T) {
	for _, row := range []struct {
		what, path, to, did string
		form                []string
		status              int
	}{
		{"declines", "/me/for/m2/requests/r-consent", "/me/for/m2/?done=declined", "", []string{"do", "decline"}, 303},
		{"withdraws", "/me/for/m2/sharing", "/me/for/m2/sharing?done=withdrawn", "", []string{"withdraw", "c1"}, 303},
		{"takes on", "/me/help/c0de", "/me/for/m2/?done=helps", "take on c0de", []string{"do", "agree"}, 303},
		{"doesn't", "/me/help/c0de", "/me/", "", []string{"do", "decline"}, 303},
		{"takes on what has ended", "/me/help/other", "", "", []string{"do", "agree"}, 410},
		{"ends a helper's mandate", "/me/help/", "/me/help/?done=dismissed", "dismiss m1", []string{"do", "dismiss", "id", "m1"}, 303},
		{"stops helping", "/me/help/", "/me/help/?done=dismissed", "dismiss m2 https://skrin.example/nils/profile/card#me", []string{"do", "resign", "id", "m2"}, 303},
		{"invites", "/me/help/", "", "invite Karin Ek Alva read write 2026-12-22", []string{"do", "invite", "name", " Karin  Ek", "whose", "Alva", "what", "answer", "days", "30"}, 200},
		{"invites without a name", "/me/help/", "", "", []string{"do", "invite", "name", "", "whose", "Alva", "days", "30"}, 422},
		{"invites too many", "/me/help/", "", "", []string{"do", "invite", "name", "many", "whose", "Alva", "days", "30"}, 409},
		{"invites for as long as nobody offered", "/me/help/", "", "", []string{"do", "invite", "name", "Karin", "whose", "Alva", "days", "9999"}, 400},
	} {
		b := newBench(t)
		w := b.do(call{path: row.path, form: form(row.form...)})
		if got := strings.Join(b.pod.done, ", "); w.Code != row.status || w.Header().Get("Location") != row.to || got != row.did {
			t.Errorf("%s: %d to %q, did %q; want %d to %q, %q", row.what, w.Code, w.Header().Get("Location"), got, row.status, row.to, row.did)
		}
		if row.what == "invites" && !strings.Contains(w.Body.String(), "https://skrin.example/me/help/c0de") {
			t.Error("the link isn't told")
		}
		if row.status == 422 && !strings.Contains(w.Body.String(), `aria-describedby="name-wrong"`) {
			t.Error("what is wrong isn't said at its field")
		}
	}
}

// TestEveryActionHasWords: whatever can be in the log is told in every language,
// in whole words, and can be searched for.
func TestEveryActionHasWords(t *testing.T) {
	source, err := os.ReadFile("../log/entry.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`\bDid\w+ +Action = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(all) < 30 {
		t.Fatalf("only %d actions are found", len(all))
	}
	b := newBench(t)
	for _, m := range all {
		b.pod.entries = []log.Entry{{Seq: 1, Time: now, Action: log.Action(m[1]), Party: ink, Type: typeID, By: karin.To, Path: "/alva/notes/", Why: "log"}}
		for _, lang := range tongues {
			words := messages(t, lang)
			page := parse(t, b.do(call{path: "/me/log", cookie: lang}).Body.String())
			list := find(page, "ol")
			if len(list) != 1 {
				t.Fatalf("%s in %s: %d lists", m[1], lang, len(list))
			}
			other := strings.ReplaceAll(words["log.other"], "{party}", "")
			said := textOf(list[0])
			if strings.ContainsAny(said, "{}") || strings.Contains(said, strings.TrimSuffix(strings.TrimSpace(other), ".")) || !strings.Contains(said, "Karin") {
				t.Errorf("%s in %s: %q", m[1], lang, said)
			}
		}
		found := false
		for _, kind := range []string{"read", "refused", "shared", "arrived", "erased"} {
			found = found || strings.Contains(b.do(call{path: "/me/log?what=" + kind}).Body.String(), `class="clock"`)
		}
		if !found {
			t.Errorf("%s is of no kind that can be searched for", m[1])
		}
	}
}

// TestCountsAndHooks: what is only counted is said on the log's first page; who is
// told of changes is on the page of apps, and can be ended there.
func TestCountsAndHooks(t *testing.T) {
	b := newBench(t)
	page := textOf(parse(t, b.do(call{path: "/me/log"}).Body.String()))
	for _, want := range []string{"Anteckningar läste 3 gånger och skrev 2 gånger, i ditt namn.", "det som alla får läsa lästes 4 gånger.", "läste 1 gång och skrev 0 gånger, i ditt namn."} {
		if !strings.Contains(page, want) {
			t.Errorf("the log doesn't say %q", want)
		}
	}
	if strings.Contains(b.do(call{path: "/me/log?before=50"}).Body.String(), "Anteckningar läste") {
		t.Error("older pages say it again")
	}
	body := b.do(call{path: "/me/apps"}).Body.String()
	if !strings.Contains(body, "told.example") || strings.Contains(body, "secret=1") || strings.Contains(body, "over.example") || !strings.Contains(body, "Går inte att nå") {
		t.Errorf("the page of apps says\n%s", body)
	}
	w := b.do(call{path: "/me/apps", form: form("hook", "h1")})
	if w.Code != 303 || !slices.Equal(b.pod.done, []string{"unsubscribe alva h1"}) {
		t.Errorf("%d, did %q", w.Code, b.pod.done)
	}
}
