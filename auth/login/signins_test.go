// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"skrin/auth/login"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	phone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// signInSite is a server with /in?who=, /list, /end?id=, /others and /all?who=.
func signInSite(t *testing.T, s *login.Sessions) func(path, agent string, cookie *http.Cookie) ([]login.SignIn, *http.Cookie) {
	t.Helper()
	mux := http.NewServeMux()
	act := func(path string, do func(r *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	act("/in", func(r *http.Request) error { return s.SignIn(r, r.FormValue("who"), "loa3") })
	act("/end", func(r *http.Request) error { return s.End(r, r.FormValue("id")) })
	act("/others", s.EndOthers)
	act("/all", func(r *http.Request) error { return s.EndAll(r.Context(), r.FormValue("who")) })
	mux.HandleFunc("/list", func(w http.ResponseWriter, r *http.Request) {
		all, err := s.SignIns(r)
		if err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(all)
	})
	h := s.Wrap(mux)
	return func(path, agent string, cookie *http.Cookie) (all []login.SignIn, after *http.Cookie) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("User-Agent", agent)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		_ = json.Unmarshal(w.Body.Bytes(), &all)
		for _, c := range w.Result().Cookies() {
			cookie = c
		}
		return all, cookie
	}
}

// TestAPersonSeesWhereSheHasSignedIn: when, when last, and in what; nothing of
// what others do, and nothing that opens anything.
func TestAPersonSeesWhereSheHasSignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		visit := signInSite(t, newSessions(t, m, "https://skrin.example"))
		if all, _ := visit("/list", firefox, nil); all != nil {
			t.Errorf("a stranger sees %+v", all)
		}
		began := time.Now().UTC().Truncate(time.Second)
		_, desk := visit("/in?who=alva", firefox, nil)
		_, _ = visit("/in?who=nils", firefox, nil)
		time.Sleep(2 * time.Minute)
		_, pocket := visit("/in?who=alva", phone, nil)
		time.Sleep(3 * time.Minute)
		visit("/list", firefox, desk)
		all, _ := visit("/list", phone, pocket)
		if len(all) != 2 || all[0].Browser != "Safari" && all[0].Browser != "Firefox" {
			t.Fatalf("got %+v", all)
		}
		byBrowser := map[string]login.SignIn{}
		for _, in := range all {
			byBrowser[in.Browser+" "+in.System] = in
		}
		here, there := byBrowser["Safari iPhone"], byBrowser["Firefox Linux"]
		if !here.Current || there.Current || !there.Since.Equal(began) || !there.Used.Equal(began.Add(5*time.Minute)) || there.Level != "loa3" {
			t.Errorf("here %+v, there %+v", here, there)
		}
		if m.holds(firefox) {
			t.Error("the whole User-Agent is kept")
		}
		time.Sleep(login.Idle)
		_, desk = visit("/in?who=alva", firefox, desk)
		if all, _ := visit("/list", firefox, desk); len(all) != 1 {
			t.Errorf("what has ended is listed: %+v", all)
		}
	})
}

func TestAPersonEndsWhatIsNotHers(t *testing.T) {
	m := newMemory()
	visit := signInSite(t, newSessions(t, m, "https://skrin.example"))
	on := func(c *http.Cookie) bool { all, _ := visit("/list", firefox, c); return all != nil }
	in := func(who string) *http.Cookie { _, c := visit("/in?who="+who, firefox, nil); return c }
	own, other, third, nils := in("alva"), in("alva"), in("alva"), in("nils")
	idOf := func(c *http.Cookie) string {
		all, _ := visit("/list", firefox, c)
		for _, s := range all {
			if s.Current {
				return s.ID
			}
		}
		return ""
	}
	visit("/end?id="+idOf(nils), firefox, own)
	visit("/end?id=nonsense", firefox, own)
	if !on(own) || !on(other) || !on(third) || !on(nils) {
		t.Error("the end of what isn't hers has ended something")
	}
	visit("/end?id="+idOf(other), firefox, own)
	if !on(own) || on(other) || !on(third) || !on(nils) {
		t.Error("one was to be ended, and no other")
	}
	visit("/others", firefox, own)
	if !on(own) || on(third) || !on(nils) {
		t.Error("all but her own were to be ended")
	}
	_, gone := visit("/end?id="+idOf(own), firefox, own)
	if on(own) || gone.MaxAge >= 0 {
		t.Error("her own was to be ended, with its cookie")
	}
	again := in("alva")
	visit("/all?who=alva", firefox, nil)
	if on(again) || !on(nils) {
		t.Error("all of hers were to be ended")
	}
}

func TestManySignInsAreAllEnded(t *testing.T) {
	visit := signInSite(t, newSessions(t, newMemory(), "https://skrin.example"))
	for range 250 {
		visit("/in?who=alva", firefox, nil)
	}
	_, own := visit("/in?who=alva", firefox, nil)
	if all, _ := visit("/list", firefox, own); len(all) != 251 {
		t.Errorf("%d are listed", len(all))
	}
	visit("/others", firefox, own)
	if all, _ := visit("/list", firefox, own); len(all) != 1 {
		t.Errorf("%d are left", len(all))
	}
}

func TestDevices(t *testing.T) {
	for agent, want := range map[string][2]string{
		firefox: {"Firefox", "Linux"},
		phone:   {"Safari", "iPhone"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0": {"Edge", "Windows"},
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36":               {"Chrome", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":         {"Safari", "macOS"},
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/138.0 Mobile/15E148 Safari/604.1": {"Chrome", "iPad"},
		"curl/8.14": {"", ""}, "": {"", ""}, "<script>alert(1)</script>": {"", ""},
	} {
		if browser, system := login.Device(agent); browser != want[0] || system != want[1] {
			t.Errorf("%s: %q on %q", agent, browser, system)
		}
	}
}
