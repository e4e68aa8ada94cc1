// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"

	"skrin/ldp/client"
)

//go:embed layout authority insurer office
var content embed.FS

// A site is what the two web sites have in common: pages in two languages, for
// browsers without JavaScript, and what keeps them safe.
type site struct {
	Options
	folder string
	name   string // in its cookies
	pages  map[string]*template.Template
	words  map[string]map[string]string // by language, by key
	visits *file[visits]

	stop    context.Context // done when the site closes
	cancel  context.CancelFunc
	mu      sync.Mutex // guards closed, and running.Add against running.Wait
	closed  bool
	running sync.WaitGroup // requests
}

// newSite reads the pages in the folder.
func newSite(o Options, name string) (*site, error) {
	s := &site{Options: o, folder: name, name: name, pages: map[string]*template.Template{}, words: map[string]map[string]string{}}
	for _, folder := range []string{"layout", name} {
		for _, lang := range []string{"sv", "en"} {
			text, err := content.ReadFile(path.Join(folder, lang+".json"))
			if err != nil {
				return nil, err
			}
			words := s.words[lang]
			if err := json.Unmarshal(text, &words); err != nil {
				return nil, fmt.Errorf("%s/%s.json: %w", folder, lang, err)
			}
			s.words[lang] = words
		}
	}
	layout, err := template.ParseFS(content, "layout/layout.html")
	if err != nil {
		return nil, err
	}
	pages, err := fs.Glob(content, name+"/*.html")
	if err != nil {
		return nil, err
	}
	for _, page := range append(pages, "layout/trouble.html") {
		t, err := template.Must(layout.Clone()).ParseFS(content, page)
		if err != nil {
			return nil, err
		}
		s.pages[strings.TrimSuffix(path.Base(page), ".html")] = t
	}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.visits, err = openFile[visits](path.Join(o.Dir, "visits.json"))
	return s, err
}

// Close ends the calls to the server that are under way, and returns when every
// request has been answered. After it the site answers 503.
func (s *site) Close() {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}

// enter counts a request in, unless the site is closed.
func (s *site) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// wrap is what every request passes.
func (s *site) wrap(mux http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(s.page(func(http.ResponseWriter, *http.Request) error { return trouble{http.StatusForbidden, "foreign"} }))
	mux = origin.Handler(mux)
	policy := "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; " +
		"form-action 'self' " + s.Server // Chromium holds it also against the redirects that follow a form
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			http.Error(w, "closing", http.StatusServiceUnavailable)
			return
		}
		defer s.running.Done()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.stop, cancel)()
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

const maxBody = 300 << 10 // bytes: a notification and more

// common adds the routes that both sites have.
func (s *site) common(mux *http.ServeMux) {
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeContent(w, r, "style.css", time.Time{}, bytes.NewReader(s.style()))
	})
	mux.HandleFunc("GET /mark.svg", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, content, s.folder+"/mark.svg")
	})
	mux.Handle("/", s.page(func(http.ResponseWriter, *http.Request) error { return trouble{http.StatusNotFound, "absent"} }))
}

// style is how the pages look: those of public bodies alike, but for what an office
// has besides.
func (s *site) style() (text []byte) {
	files := map[string][]string{"authority": {"layout/public.css"}, "office": {"layout/public.css", "office/style.css"}, "insurer": {"insurer/style.css"}}
	for _, file := range files[s.folder] {
		part, err := content.ReadFile(file)
		if err != nil {
			panic(err) // it is in the program
		}
		text = append(text, part...)
	}
	return text
}

// A trouble is what a person is told instead of the page: its status, and the
// key of the words.
type trouble struct {
	status int
	what   string
}

func (t trouble) Error() string { return t.what }

// page answers with what h writes, or with a page that tells of its error.
func (s *site) page(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		t, ok := errors.AsType[trouble](err)
		if !ok {
			t = s.diagnose(err)
			s.Log.Error("request", "path", r.Pattern, "error", err)
		}
		if err := s.show(w, r, t.status, "trouble", t.what); err != nil {
			s.Log.Error("page", "error", err)
			http.Error(w, "error", http.StatusInternalServerError)
		}
	})
}

// diagnose tells what to say of an error that came from the server, or from us.
func (s *site) diagnose(err error) trouble {
	if _, ok := errors.AsType[*client.OAuthError](err); ok {
		return trouble{http.StatusBadGateway, "refused"}
	}
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status < 500 {
		return trouble{http.StatusBadGateway, "refused"}
	}
	return trouble{http.StatusBadGateway, "unreachable"}
}

// A view is what a template is given.
type view struct {
	Lang, Other string
	Data        any
	words       map[string]string
}

// T gives the words for a key; what follows fills their %s.
func (v view) T(key string, args ...any) string {
	if len(args) == 0 {
		return v.words[key]
	}
	return fmt.Sprintf(v.words[key], args...)
}

// Day gives a day in words, kept together: 1 oktober 2026.
func (v view) Day(t time.Time) string {
	months := strings.Fields(v.words["months"])
	return fmt.Sprintf("%d\u00a0%s %d", t.Day(), months[t.Month()-1], t.Year())
}

// show answers with a page.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	lang := s.language(w, r)
	v := view{lang, map[string]string{"sv": "en", "en": "sv"}[lang], data, s.words[lang]}
	var body bytes.Buffer // so that a template that fails has written nothing
	if err := s.pages[page].ExecuteTemplate(&body, "layout.html", v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", lang)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, err := body.WriteTo(w)
	return err
}

var languages = language.NewMatcher([]language.Tag{language.Swedish, language.English})

// language is what the person chose with ?lang=, then or now, or what the
// browser prefers.
func (s *site) language(w http.ResponseWriter, r *http.Request) string {
	chosen := r.URL.Query().Get("lang")
	if chosen == "sv" || chosen == "en" {
		http.SetCookie(w, s.cookie("lang", chosen))
	} else if c, err := r.Cookie(s.cookie("lang", "").Name); err == nil {
		chosen = c.Value
	}
	_, i := language.MatchStrings(languages, chosen, r.Header.Get("Accept-Language"))
	return []string{"sv", "en"}[i]
}

// cookie makes a cookie of the site's own name: cookies don't tell ports apart.
func (s *site) cookie(name, value string) *http.Cookie {
	c := &http.Cookie{
		Name: s.name + "_" + name, Value: value, Path: "/", MaxAge: int(visitLife / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if strings.HasPrefix(s.Origin, "https:") {
		c.Name, c.Secure = "__Host-"+c.Name, true
	}
	return c
}
