// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/registry"
	"skrin/pod/text"
)

//go:embed layout pages messages static
var files embed.FS

// languages are the ones that the pages are written in, with their own names.
var languages = []struct{ Code, Name string }{
	{"sv", "Svenska"}, {"nb", "Norsk bokmål"}, {"nn", "Norsk nynorsk"}, {"en", "English"},
}

const languageCookie = "skrin-language"

// chosenLanguage returns the language of the person's explicit choice, else the
// first that the party suggests or the browser accepts and we know, else English
// where the browser says something and Swedish where it is silent.
func chosenLanguage(r *http.Request, suggested []string) string {
	if c, err := r.Cookie(languageCookie); err == nil && isLanguage(c.Value) {
		return c.Value
	}
	for _, s := range append(slices.Clip(suggested), r.Header.Get("Accept-Language")) {
		if l, _ := ldp.PageLanguage(s); l != "" {
			return l
		}
	}
	if _, said := ldp.PageLanguage(r.Header.Get("Accept-Language")); said {
		return "en"
	}
	return "sv"
}

func isLanguage(code string) bool {
	return slices.ContainsFunc(languages, func(l struct{ Code, Name string }) bool { return l.Code == code })
}

func (v *visit) chooseLanguage() error {
	if l := v.r.PostFormValue("lang"); isLanguage(l) {
		http.SetCookie(v.w, &http.Cookie{
			Name: languageCookie, Value: l, Path: "/me/", MaxAge: 365 * 24 * 60 * 60,
			HttpOnly: true, Secure: strings.HasPrefix(v.Base, "https://"), SameSite: http.SameSiteLaxMode,
		})
	}
	return v.seeOther(local(v.r.PostFormValue("back")))
}

// A tongue is a language: its messages, its ways to write dates and numbers, and
// the pages in it.
type tongue struct {
	lang   string
	words  map[string]string
	months []string
	zone   *time.Location
	pages  map[string]func() (*template.Template, error) // by name; parsed when first asked for
}

func loadTongues(site string, zone *time.Location, assets map[string]asset) (map[string]*tongue, error) {
	all := map[string]*tongue{}
	for _, l := range languages {
		g := &tongue{lang: l.Code, zone: zone}
		b, err := files.ReadFile("messages/" + l.Code + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &g.words); err != nil {
			return nil, fmt.Errorf("messages/%s.json: %w", l.Code, err)
		}
		for key, words := range g.words {
			g.words[key] = strings.ReplaceAll(words, "{site}", site)
		}
		if g.months = strings.Fields(g.words["date.months"]); len(g.months) != 12 {
			return nil, fmt.Errorf("messages/%s.json: date.months needs twelve names", l.Code)
		}
		if g.pages, err = g.loadPages(assets); err != nil {
			return nil, err
		}
		all[l.Code] = g
	}
	return all, nil
}

// loadPages finds the pages. Each is parsed when it is first asked for, with the
// layout: all pages in all languages take 14 MB, and a server uses few of them.
func (g *tongue) loadPages(assets map[string]asset) (map[string]func() (*template.Template, error), error) {
	funcs := template.FuncMap{
		"t": g.say, "tn": g.count, "lang": func() string { return g.lang }, "languages": func() any { return languages },
		"text": g.text, "day": g.day, "lastDay": g.lastDay, "moment": g.moment, "clock": g.clock, "list": g.list,
		"number": organisation, "web": webAddress, "host": host, "contact": contactName, "contactOf": contact, "size": g.size,
		"tab": func(now, key, url string) any {
			return struct {
				Key, URL string
				Here     bool
			}{key, url, now == key}
		},
		"plain": plain, "exact": exact, "asset": func(name string) string { return "/me/static/" + name + "?v=" + assets[name].version },
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]func() (*template.Template, error){}
	for _, name := range names {
		pages[strings.TrimSuffix(path.Base(name), ".html")] = sync.OnceValues(func() (*template.Template, error) {
			return template.New("layout.html").Funcs(funcs).ParseFS(files, "layout/*.html", name)
		})
	}
	return pages, nil
}

// exact is an attribute with the local address of a page. html/template would write
// the brackets and apostrophes in it as escapes, and "(1)" and "%281%29" are two
// resources (RFC 3986, section 6.2.2.2).
func exact(attribute, path string) (template.HTMLAttr, error) {
	if !strings.HasPrefix(path, "/me/") || attribute != "href" && attribute != "action" {
		return "", fmt.Errorf("%s of %q: not a page of ours", attribute, path)
	}
	return template.HTMLAttr(attribute + `="` + template.HTMLEscapeString(path) + `"`), nil
}

// say returns the message with its {names} replaced: say("k", "party", "AF").
func (g *tongue) say(key string, pairs ...any) (string, error) {
	words, ok := g.words[key]
	if !ok {
		return "", fmt.Errorf("no message %q in %s", key, g.lang)
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		old = append(old, "{"+fmt.Sprint(pairs[i])+"}", apart(fmt.Sprint(pairs[i+1])))
	}
	return strings.NewReplacer(old...).Replace(words), nil
}

// t is say for keys that are written in this package, and so exist: a test looks.
func (g *tongue) t(key string, pairs ...any) string {
	words, err := g.say(key, pairs...)
	if err != nil {
		panic(err)
	}
	return words
}

// count returns the message for n things: key.none, key.one or key.other.
func (g *tongue) count(key string, n int) (string, error) {
	switch n {
	case 0:
		return g.say(key + ".none")
	case 1:
		return g.say(key + ".one")
	}
	return g.say(key+".other", "n", g.grouped(strconv.Itoa(n)))
}

// n is count for keys that are written in this package.
func (g *tongue) n(key string, n int) string {
	words, err := g.count(key, n)
	if err != nil {
		panic(err)
	}
	return words
}

// A term is a word of the pages that not everybody knows, with what it means.
type term struct{ ID, Word, Text string }

// terms are keys of messages: the word, and what it means.
var terms = [][2]string{
	{"words.evidence", "words.evidence.text"},
	{"words.signed", "words.signed.text"},
	{"words.state", "words.state.text"},
	{"words.connection", "words.connection.text"},
	{"words.share", "words.share.text"},
	{"words.withdraw", "words.withdraw.text"},
	{"words.pause", "words.pause.text"},
	{"words.receipt", "words.receipt.text"},
	{"words.basis", "words.basis.text"},
	{"words.registered", "words.registered.text"},
	{"words.event", "words.event.text"},
	{"words.app", "words.app.text"},
	{"words.eid", "words.eid.text"},
	{"words.passkey", "words.passkey.text"},
}

// glossary explains the words, in the order of the alphabet.
func (v *visit) glossary() error {
	var all []term
	for _, key := range terms {
		all = append(all, term{strings.TrimPrefix(key[0], "words."), v.t(key[0]), v.t(key[1])})
	}
	order := alphabetical(v.lang)
	slices.SortFunc(all, func(a, b term) int { return order(a.Word, b.Word) })
	return v.show(http.StatusOK, "words", v.t("site.words"), "", all)
}

// text returns a foreign text in the language, fit to be shown.
func (g *tongue) text(t registry.Text) string { return plain(t.In(g.lang)) }

// plain makes what controls the direction of writing, or nothing visible,
// visible: nobody shall read something else than what is there.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if text.Steers(c) || strings.ContainsRune(blanks, c) {
			return '\uFFFD'
		}
		return c
	}, s)
}

// blanks are letters and marks that aren't seen, and ends of lines and paragraphs.
const blanks = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2028\u2029\u3164\uffa0"

// day writes a date that is a whole day: "21 november 2026".
func (g *tongue) day(t time.Time) string { return g.date(t.UTC()) }

// lastDay writes the last day before t.
func (g *tongue) lastDay(t time.Time) string { return g.date(t.UTC().Add(-time.Nanosecond)) }

// moment writes a date with the time of day, where the person is.
func (g *tongue) moment(t time.Time) string {
	return g.t("date.moment", "date", g.date(t.In(g.zone)), "clock", g.clock(t))
}

func (g *tongue) clock(t time.Time) string {
	t = t.In(g.zone)
	return g.t("date.clock", "hour", fmt.Sprintf("%02d", t.Hour()), "minute", fmt.Sprintf("%02d", t.Minute()))
}

func (g *tongue) date(t time.Time) string {
	return g.t("date.day", "day", t.Day(), "month", g.months[t.Month()-1], "year", t.Year())
}

// list writes "a, b and c".
func (g *tongue) list(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	some := make([]string, len(all))
	for i, s := range all {
		some[i] = apart(s)
	}
	last := len(some) - 1
	return strings.Join(some[:last], ", ") + " " + g.t("list.and") + " " + some[last]
}

// apart keeps a text in which something is written from right to left from turning the
// words and numbers around it (Unicode Standard Annex 9, section 2.4: isolates).
func apart(s string) string {
	if !strings.ContainsFunc(s, rightToLeft) {
		return s
	}
	return "\u2068" + s + "\u2069"
}

// rightToLeft reports whether a character is in a block that Unicode keeps for scripts
// written from right to left.
func rightToLeft(c rune) bool {
	return 0x590 <= c && c <= 0x8ff || 0xfb1d <= c && c <= 0xfdff || 0xfe70 <= c && c <= 0xfefe || 0x10800 <= c && c <= 0x10fff || 0x1e800 <= c && c <= 0x1efff
}

// A fact is a field and its value in plain words.
type fact struct {
	Field, Label, Value string
	Ticked              bool // the person has said that she shares it too
}

// facts puts facts of a type into words, exactly as many as there are.
func (g *tongue) facts(t *registry.EvidenceType, all []evidence.Fact) []fact {
	var out []fact
	for _, f := range all {
		field, _ := t.Field(f.Field)
		out = append(out, fact{Field: f.Field, Label: g.label(t, f.Field), Value: g.meaning(field, f.Value)})
	}
	return out
}

// label returns what a field asks, or else what it is called.
func (g *tongue) label(t *registry.EvidenceType, name string) string {
	field, _ := t.Field(name)
	if q := g.text(field.Question); q != "" {
		return q
	}
	return g.title(t, name)
}

// title returns what a field is called.
func (g *tongue) title(t *registry.EvidenceType, name string) string {
	field, ok := t.Field(name)
	if !ok {
		return plain(name)
	}
	return g.text(field.Title)
}

// titles returns what fields are called.
func (g *tongue) titles(t *registry.EvidenceType, names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, g.title(t, name))
	}
	return out
}

// xsd is the namespace of the datatypes of fields.
const xsd = "http://www.w3.org/2001/XMLSchema#"

// meaning writes the value of a field in plain words.
func (g *tongue) meaning(f registry.Field, value string) string {
	if words := g.text(f.Values[value]); words != "" {
		return words
	}
	return g.value(f.Datatype, value)
}

// value writes a value in plain words; what can't be read as its datatype says
// is written as it is.
func (g *tongue) value(datatype, s string) string {
	switch strings.TrimPrefix(datatype, xsd) {
	case "boolean":
		switch s {
		case "true", "1":
			return g.t("value.yes")
		case "false", "0":
			return g.t("value.no")
		}
	case "date":
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			return g.day(t)
		}
	case "integer":
		return g.grouped(plain(s))
	}
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") // of an address, say
	for i, l := range lines {
		lines[i] = plain(l)
	}
	return strings.Join(lines, "\n")
}

// grouped writes an integer of five digits or more, as money has and no year, in groups
// of three.
func (g *tongue) grouped(s string) string {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) < 5 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return s
	}
	sign, rest := s[:len(s)-len(digits)], ""
	for ; len(digits) > 3; digits = digits[:len(digits)-3] {
		rest = g.t("number.group") + digits[len(digits)-3:] + rest
	}
	return sign + digits + rest
}

// organisation writes an organisation number as its country does.
func organisation(s string) string {
	country, n, _ := strings.Cut(s, ".")
	switch {
	case country == "SE" && len(n) == 10:
		return n[:6] + "-" + n[6:]
	case country == "NO" && len(n) == 9:
		return n[:3] + "\u00a0" + n[3:6] + "\u00a0" + n[6:]
	}
	return plain(s)
}

// webAddress returns s if it is a web address, else "".
func webAddress(s string) string {
	if origin(s) == "" {
		return ""
	}
	return s
}

// host returns the host of a web address.
func host(s string) string {
	_, h, _ := strings.Cut(origin(s), "://")
	return h
}

// Mark is the local URL of the picture that stands for the service.
const Mark = "/me/static/mark.svg"

// An asset is a static file. Its version is part of the address that the pages
// use, so that a browser may keep it for ever.
type asset struct {
	body    []byte
	kind    string
	version string
}

// kinds are the media types of static files; the machine's own list may differ.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func loadAssets() (map[string]asset, error) {
	entries, err := files.ReadDir("static")
	if err != nil {
		return nil, err
	}
	all := map[string]asset{}
	for _, e := range entries {
		b, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		all[e.Name()] = asset{b, kinds[path.Ext(e.Name())], base64.RawURLEncoding.EncodeToString(sum[:9])}
	}
	return all, nil
}

func (s *site) static(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[mux.Vars(r)["name"]]
	if !ok {
		s.public(func(v *visit) error { return v.problem(noPage) }).ServeHTTP(w, r)
		return
	}
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", a.kind)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}
