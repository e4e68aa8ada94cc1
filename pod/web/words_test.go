// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var tongues = []string{"sv", "nb", "nn", "en"}

func messages(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("messages/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// used returns every key that the pages and the code name.
func used(t *testing.T, known map[string]string) map[string]bool {
	t.Helper()
	sections := map[string]bool{}
	for key := range known {
		section, _, _ := strings.Cut(key, ".")
		sections[section] = true
	}
	keys := map[string]bool{}
	add := func(pattern, literal string) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(literal).FindAllStringSubmatch(string(b), -1) {
				section, _, _ := strings.Cut(m[1], ".")
				if sections[section] || pattern != "*.go" {
					keys[m[1]] = true
				}
			}
		}
	}
	for _, pages := range []string{"pages/*.html", "layout/*.html"} {
		add(pages, `\bt "([^"]+)"`)
		add(pages, `"(nav\.[a-z]+)"`)
		add(pages, `\btn "([^"]+)"`)
	}
	add("*.go", `"([a-z]+(?:\.[a-z]+)+)"`)
	for _, notKey := range []string{"layout.html", "home.html"} {
		delete(keys, notKey)
	}
	return keys
}

func TestMessagesAreWhole(t *testing.T) {
	sv := messages(t, "sv")
	keys := used(t, sv)
	covered := map[string]bool{}
	for key := range keys {
		_, one := sv[key]
		_, many := sv[key+".other"]
		switch {
		case one:
			covered[key] = true
		case many:
			covered[key+".none"], covered[key+".one"], covered[key+".other"] = true, true, true
		default:
			t.Errorf("%q is used, and there is no such message", key)
		}
	}
	for key := range sv {
		if !covered[key] {
			t.Errorf("the message %q is not used", key)
		}
	}
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	holes := func(s string) string {
		all := placeholder.FindAllString(s, -1)
		slices.Sort(all)
		return strings.Join(slices.Compact(all), " ")
	}
	for _, lang := range tongues[1:] {
		m := messages(t, lang)
		for key := range maps.Keys(sv) {
			switch {
			case m[key] == "":
				t.Errorf("%s has no message %q", lang, key)
			case holes(m[key]) != holes(sv[key]):
				t.Errorf("%s: %q has %s, in sv %s", lang, key, holes(m[key]), holes(sv[key]))
			}
		}
		for key := range m {
			if _, ok := sv[key]; !ok {
				t.Errorf("%s has %q, which sv has not", lang, key)
			}
		}
	}
}

// No page speaks of how it is made.
func TestNoJargon(t *testing.T) {
	jargon := regexp.MustCompile(`(?i)\b(webid|rdf|pods?|grants?|token|oauth|consumer|provider|uri|url|cookie)\b`)
	for _, lang := range tongues {
		for key, words := range messages(t, lang) {
			if word := jargon.FindString(words); word != "" {
				t.Errorf("%s: %q says %q", lang, key, word)
			}
		}
	}
}

// lix is the Swedish measure of how hard a text is to read: words per sentence,
// and how many of a hundred words are longer than six letters.
func lix(text string) float64 {
	words := strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	long := 0
	for _, w := range words {
		if len([]rune(w)) > 6 {
			long++
		}
	}
	sentences := max(1, len(regexp.MustCompile(`[.!?:]+(\s|$)`).FindAllString(text, -1)))
	return float64(len(words))/float64(sentences) + 100*float64(long)/float64(len(words))
}

// The sentences of the consent page, as it is rendered for a usual request, and
// each of the messages with which we explain what is asked.
func TestConsentIsPlain(t *testing.T) {
	b := newBench(t)
	for _, lang := range []string{"sv", "nb"} {
		for _, path := range []string{"/me/answer/consent", "/me/answer/connect", "/me/answer/choose", "/me/answer/missing", "/me/answer/much", "/me/answer/much-missing"} {
			doc := parse(t, b.do(call{path: path, cookie: lang}).Body.String())
			var all []string
			for _, p := range append(find(doc, "h1"), find(doc, "p")...) {
				if s := strings.TrimSpace(textOf(p)); strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") {
					all = append(all, s)
				}
			}
			text := strings.Join(all, " ")
			if got := lix(text); got > 40 || len(all) < 3 {
				t.Errorf("%s %s: LIX %.0f of %d sentences: %s", lang, path, got, len(all), text)
			}
		}
		var all []string
		for key, words := range messages(t, lang) {
			if section, _, _ := strings.Cut(key, "."); (section == "ask" || section == "excess" || section == "connect" || section == "missing") && strings.ContainsAny(words, ".?") {
				all = append(all, strings.ReplaceAll(words, "{party}", "AF"))
			}
		}
		if got := lix(strings.Join(all, " ")); got > 40 {
			t.Errorf("%s: the messages have LIX %.0f", lang, got)
		}
	}
}

func TestLanguage(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct{ what, path, accept, cookie, want string }{
		{"nothing said: Swedish", "/me/", "", "", "sv"},
		{"Norwegian is bokmål", "/me/", "no", "", "nb"},
		{"Danish reads bokmål", "/me/", "da-DK, en;q=0.5", "", "nb"},
		{"nynorsk", "/me/", "nn-NO", "", "nn"},
		{"the first that we know", "/me/", "fi, sv;q=0.8, en;q=0.5", "", "sv"},
		{"the order is that of the weights", "/me/", "en;q=0.3, nb;q=0.9", "", "nb"},
		{"none that we know: English", "/me/", "fi, ar", "", "en"},
		{"the choice comes first", "/me/", "en", "nn", "nn"},
		{"a choice that isn't one", "/me/", "en", "xx", "en"},
		{"what the party suggests", "/me/answer/norsk", "en", "", "nb"},
		{"the choice before what the party suggests", "/me/answer/norsk", "en", "sv", "sv"},
		{"a header that is no list", "/me/", "\"'<>;;;q=", "", "en"},
		{"a header without end", "/me/", strings.Repeat("nb,", 10000), "", "sv"},
	} {
		w := b.do(call{path: row.path, lang: row.accept, cookie: row.cookie})
		if got := attr(find(parse(t, w.Body.String()), "html")[0], "lang"); got != row.want || w.Header().Get("Content-Language") != row.want {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
	for _, row := range []struct{ lang, back, want, cookie string }{
		{"nb", "/me/log?before=3", "/me/log?before=3", "skrin-language=nb"},
		{"nb", "https://evil.example/", "/me/", "skrin-language=nb"},
		{"xx", "/me/log", "/me/log", ""},
	} {
		w := b.do(call{path: "/me/language", stranger: true, form: form("lang", row.lang, "back", row.back)})
		if w.Code != 303 || w.Header().Get("Location") != row.want || !strings.HasPrefix(w.Header().Get("Set-Cookie"), row.cookie) || (row.cookie == "") != (w.Header().Get("Set-Cookie") == "") {
			t.Errorf("%v: %d %v", row, w.Code, w.Header())
		}
	}
}
