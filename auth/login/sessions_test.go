// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skrin/auth/login"
)

func newSessions(t testing.TB, m *memory, base string) *login.Sessions {
	t.Helper()
	s, err := login.NewSessions(login.SessionOptions{
		Records: m, Base: base, Now: time.Now,
		Fail: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusServiceUnavailable) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is a server with /in, /out and /who.
func site(s *login.Sessions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/in", func(w http.ResponseWriter, r *http.Request) {
		if err := s.SignIn(r, "alva", "loa3"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		if err := s.SignOut(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		id, at, level, ok := s.Person(r)
		if ok && !at.IsZero() {
			w.Write([]byte(id + " " + level))
		}
	})
	return s.Wrap(mux)
}

// visit asks for a path with the cookie, and returns the answer and the cookie
// that the browser has after it.
func visit(h http.Handler, path string, cookie *http.Cookie) (*httptest.ResponseRecorder, *http.Cookie) {
	r := httptest.NewRequest("GET", path, nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return w, cookie
}

func TestSessionCookie(t *testing.T) {
	for base, want := range map[string]http.Cookie{
		"https://skrin.example": {Name: "__Host-skrin", Secure: true},
		"http://localhost:8080": {Name: "skrin", Secure: false},
	} {
		_, c := visit(site(newSessions(t, newMemory(), base)), "/in", nil)
		if c == nil || c.Name != want.Name || c.Secure != want.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
			c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("%s: cookie = %+v", base, c)
		}
	}
}

func TestSessions(t *testing.T) {
	m := newMemory()
	h := site(newSessions(t, m, "https://skrin.example"))
	if w, c := visit(h, "/who", nil); w.Body.String() != "" || c != nil || m.saves != 0 {
		t.Errorf("a stranger is %q, has cookie %v and %d records", w.Body, c, m.saves)
	}
	_, first := visit(h, "/in", nil)
	if w, _ := visit(h, "/who", first); w.Body.String() != "alva loa3" {
		t.Errorf("after signing in: %q", w.Body)
	}
	if m.holds(first.Value) {
		t.Error("the token is stored in clear")
	}

	t.Run("signing in again changes the token and ends the old one", func(t *testing.T) {
		_, second := visit(h, "/in", first)
		if second.Value == first.Value {
			t.Error("the token is the same")
		}
		if w, _ := visit(h, "/who", first); w.Body.String() != "" {
			t.Errorf("the old token still is %q", w.Body)
		}
		first = second
	})
	t.Run("a planted token is not taken up", func(t *testing.T) {
		planted := &http.Cookie{Name: "__Host-skrin", Value: "planted"}
		if _, c := visit(h, "/in", planted); c.Value == "planted" {
			t.Error("the session has the token that somebody else picked")
		}
	})
	t.Run("another cookie's name is nobody", func(t *testing.T) {
		if w, _ := visit(h, "/who", &http.Cookie{Name: "skrin", Value: first.Value}); w.Body.String() != "" {
			t.Errorf("who = %q", w.Body)
		}
	})
	t.Run("reading again soon writes nothing", func(t *testing.T) {
		before := m.saves
		visit(h, "/who", first)
		if m.saves != before {
			t.Error("a page that changes nothing wrote a record")
		}
	})
	t.Run("signing out ends it", func(t *testing.T) {
		w, gone := visit(h, "/out", first)
		if w.Code != 200 || gone.MaxAge >= 0 {
			t.Errorf("status %d, cookie %+v", w.Code, gone)
		}
		if w, _ := visit(h, "/who", first); w.Body.String() != "" {
			t.Errorf("who = %q", w.Body)
		}
	})
	t.Run("no records, no pages", func(t *testing.T) {
		m.down = true
		if w, _ := visit(h, "/who", first); w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", w.Code)
		}
	})
}

// A request that began before the sign-out and ends after it does not bring the
// session back.
func TestSignOutIsFinal(t *testing.T) {
	s := newSessions(t, newMemory(), "https://skrin.example")
	h := site(s)
	_, c := visit(h, "/in", nil)
	slow := s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit(h, "/out", c)
		s.Person(r)
	}))
	visit(slow, "/", c)
	if w, _ := visit(h, "/who", c); w.Body.String() != "" {
		t.Errorf("who = %q", w.Body)
	}
}

func TestSessionEnds(t *testing.T) {
	for _, row := range []struct {
		name string
		step time.Duration // between requests
		lost time.Duration // since sign-in, when it is over
	}{
		{"after 15 minutes without a request", 15 * time.Minute, 15 * time.Minute},
		{"after an hour, though in use", 10 * time.Minute, 60 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := site(newSessions(t, newMemory(), "https://skrin.example"))
				_, c := visit(h, "/in", nil)
				for in := row.step; in <= row.lost; in += row.step {
					time.Sleep(row.step)
					w, _ := visit(h, "/who", c)
					if on := w.Body.String() != ""; on != (in < row.lost) {
						t.Errorf("after %v: signed in is %v", in, on)
					}
				}
			})
		})
	}
}

func newDemo(t *testing.T, demo bool) (*login.Demo, *login.Sessions, error) {
	t.Helper()
	now, m := day, newMemory()
	s := newSessions(t, m, "https://skrin.example")
	d, err := login.NewDemo(login.DemoOptions{
		Demo: demo, Vault: newVault(t, m, 1, &now), Sessions: s,
		Cast: []login.Persona{{Name: "Alva <b>", Scheme: pnr, Number: numberA}, {Name: "Nils", Scheme: pnr, Number: numberB}},
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			if refused := new(login.Refusal); errors.As(err, &refused) {
				w.Header().Set("Allow", refused.Allow)
				w.WriteHeader(refused.Status)
				return
			}
			http.Error(w, err.Error(), 500)
		},
	})
	return d, s, err
}

func TestDemoOnlyInADemo(t *testing.T) {
	if _, _, err := newDemo(t, false); err == nil {
		t.Error("the demo's eID was made outside a demo")
	}
}

func TestDemo(t *testing.T) {
	d, s, err := newDemo(t, true)
	if err != nil {
		t.Fatal(err)
	}
	var _ login.Method = d
	h := s.Wrap(d)
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for lang, title := range map[string]string{"sv": "Välj vem", "nb": "Velg hvem", "nn": "Vel kven", "en": "Choose who", "xx": "Välj vem"} {
		page := ask("GET", "/me/sign-in/exempel-eid?lang="+lang+"&next=/me/log", "").Body.String()
		if !strings.Contains(page, title) || strings.Contains(page, numberA) || strings.Contains(page, "<b>") || !strings.Contains(page, "18900101-••••") {
			t.Errorf("%s: the page is wrong:\n%s", lang, page)
		}
	}
	in := ask("POST", "/me/sign-in/exempel-eid?next=%2Fme%2Flog", "who=0")
	if got, want := in.Header().Get("Location"), "/me/sign-in?next=%2Fme%2Flog"; in.Code != 303 || got != want {
		t.Errorf("signing in: %d to %q; want 303 to %q", in.Code, got, want)
	}
	if !strings.Contains(in.Header().Get("Set-Cookie"), "__Host-skrin=") {
		t.Error("no session")
	}
	away := ask("POST", "/me/sign-in/exempel-eid?next="+url.QueryEscape("https://evil.example/"), "who=0")
	if got := away.Header().Get("Location"); !strings.HasPrefix(got, "/me/sign-in?next=https%3A") {
		t.Errorf("a foreign next leads to %q", got)
	}
	for _, body := range []string{"", "who=-1", "who=2", "who=x"} {
		if w := ask("POST", "/me/sign-in/exempel-eid", body); w.Code != 422 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q: status %d", body, w.Code)
		}
	}
	for path, want := range map[string]int{
		"/me/sign-in/exempel-eid/demo.css": 200, "/me/sign-in/exempel-eid/demo.html": 404, "/me/sign-in/exempel-eid/": 404,
	} {
		if w := ask("GET", path, ""); w.Code != want {
			t.Errorf("GET %s: %d; want %d", path, w.Code, want)
		}
	}
	if w := ask("DELETE", "/me/sign-in/exempel-eid", ""); w.Code != 405 {
		t.Errorf("DELETE: %d", w.Code)
	}
}

func TestDemoTextsAreWhole(t *testing.T) {
	for lang, texts := range login.DemoTexts {
		for key := range login.DemoTexts["en"] {
			if texts[key] == "" {
				t.Errorf("%s has no text for %q", lang, key)
			}
		}
		if len(texts) != len(login.DemoTexts["en"]) {
			t.Errorf("%s has texts that en has not", lang)
		}
	}
}
