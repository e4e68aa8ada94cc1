// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

// newTestGuard stands around a handler, at a clock that stands still.
func newTestGuard(c config, log io.Writer, next http.Handler) (*guard, http.Handler) {
	now := time.Unix(1_800_000_000, 0)
	l := slog.New(slog.NewJSONHandler(log, nil))
	g := newGuard(c, l, func() time.Time { return now })
	return g, g.wrap(next, (&ldp.Handler{Log: l}).Fail)
}

// value returns what a metric has counted, over all of its labels that hold want.
func (g *guard) value(t *testing.T, name string, want ...string) (sum float64) {
	t.Helper()
	all, err := g.m.registry.Gather()
	must(t, err)
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			fits := true
			for _, w := range want {
				fits = fits && strings.Contains(m.String(), w)
			}
			if fits {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// TestLimits: what is over a limit is refused with a problem document that says
// when to come again, and counted; others are served.
func TestLimits(t *testing.T) {
	few := rate{3, time.Minute}
	alva := acl.Agent{ID: "https://alva.example/#me", Client: "app"}
	insurer := acl.Agent{ID: "https://pod.example.se/.parties/exempel-forsakring#it"}
	for _, row := range []struct {
		is     string
		c      config
		who    acl.Agent
		path   string
		other  func(r *http.Request) // makes it somebody else's, who is served
		limit  string
		status int
	}{
		{"an address", config{Limit: limitSettings{Address: few}}, acl.Agent{}, "/pod/x", func(r *http.Request) { r.RemoteAddr = "192.0.2.9:1" }, byAddress, 429},
		{"a household of IPv6 addresses", config{Limit: limitSettings{Address: few}}, acl.Agent{}, "/pod/v6", func(r *http.Request) { r.RemoteAddr = "[2001:db8:1::1]:1" }, byAddress, 429},
		{"a pod", config{Limit: limitSettings{Pod: few}}, acl.Agent{}, "/pod/x", func(r *http.Request) { r.URL.Path = "/other/x" }, byPod, 429},
		{"a space", config{Limit: limitSettings{Pod: few}}, acl.Agent{}, "/w/a/x", func(r *http.Request) { r.URL.Path = "/w/b/x" }, byPod, 429},
		{"a client", config{Limit: limitSettings{Client: few}}, alva, "/pod/x", func(r *http.Request) { r.Header.Set("Test-Client", "another app") }, byClient, 429},
		{"a party that reads in bulk", config{Limit: limitSettings{Bulk: few}}, insurer, "/w/a/x", func(r *http.Request) { r.Method = "POST" }, byBulk, 429},
		{"a party that lists in bulk", config{Limit: limitSettings{Bulk: few}}, insurer, "/pod/shared/", func(r *http.Request) { r.Method = "POST" }, byBulk, 429},
		{"tokens for one address", config{Limit: limitSettings{OAuth: few}}, acl.Agent{}, "/.oidc/token", func(r *http.Request) { r.URL.Path = "/pod/x" }, byOAuth, 429},
		{"a party beyond its own profile", config{Bulk: map[string]rate{"exempel-forsakring": few}}, insurer, "/w/a/x", func(r *http.Request) { r.Method = "PUT" }, byBulk, 429},
	} {
		t.Run(row.is, func(t *testing.T) {
			row.c.Base = "https://pod.example.se"
			var log bytes.Buffer
			var g *guard
			var h http.Handler
			g, h = newTestGuard(row.c, &log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				who := row.who
				if c := r.Header.Get("Test-Client"); c != "" {
					who.Client = c
				}
				if err := g.admit(who, r); err != nil {
					(&ldp.Handler{Log: g.log}).Fail(w, r, err)
				}
			}))
			ask := func(change func(*http.Request)) *httptest.ResponseRecorder {
				r := httptest.NewRequest("GET", row.path, nil)
				if strings.HasSuffix(row.path, "v6") {
					r.RemoteAddr = "[2001:db8::" + time.Now().Format("5") + "]:1"
				}
				change(r)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w
			}
			for i := range few.N {
				if w := ask(func(*http.Request) {}); w.Code != 200 {
					t.Fatalf("request %d: %d %s", i, w.Code, w.Body)
				}
			}
			w := ask(func(*http.Request) {})
			var p struct {
				Status   int
				Detail   string
				Instance string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != row.status || p.Status != row.status || p.Detail == "" ||
				p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") || w.Header().Get("Retry-After") != "20" ||
				w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if n := g.value(t, "skrin_refusals_total", `"`+row.limit+`"`); n != 1 {
				t.Errorf("counted %v refusals", n)
			}
			if row.limit == byBulk && (!strings.Contains(log.String(), `"party":"exempel-forsakring"`) || g.value(t, "skrin_bulk_reads_total", "exempel-forsakring") != 1) {
				t.Errorf("the operator isn't told: %s", &log)
			}
			if w := ask(row.other); w.Code != 200 {
				t.Errorf("others are refused: %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestPodLimitIsEachOnesOwn: whoever uses up what one kind of asker may ask of a pod,
// refused or not, keeps none of another kind from it.
func TestPodLimitIsEachOnesOwn(t *testing.T) {
	const base = "https://pod.example.se"
	askers := map[string]acl.Agent{
		"a stranger":                      {},
		"somebody who says who she is":    {ID: "https://mallory.example/#me", Issuer: "https://mallory.example"},
		"the owner":                       {ID: base + "/pod/profile/card#me", Client: "app"},
		"the owner of another pod":        {ID: base + "/pod2/profile/card#me"},
		"a party":                         {ID: base + "/.parties/exempel-forsakring#it"},
		"another party":                   {ID: base + "/.parties/udi#it"},
		"a document in the pod":           {ID: base + "/pod/profile/card#friend"},
		"the owner, as if by another way": {ID: base + "/pod/x/profile/card#me"},
	}
	together := []string{"somebody who says who she is", "the owner of another pod", "a document in the pod", "the owner, as if by another way"}
	for first, greedy := range askers {
		for second, other := range askers {
			g, _ := newTestGuard(config{Base: base, Limit: limitSettings{Pod: rate{3, time.Minute}}}, io.Discard, nil)
			r := httptest.NewRequest("GET", "/pod/x", nil)
			for range 3 {
				must(t, g.admit(greedy, r))
			}
			if g.admit(greedy, r) == nil {
				t.Errorf("%s has no limit", first)
			}
			share := first == second || slices.Contains(together, first) && slices.Contains(together, second)
			if refused := g.admit(other, r) != nil; refused != share {
				t.Errorf("%s has used up the limit, and %s is refused: %v", first, second, refused)
			}
		}
	}
}

// TestNearTheBoundOfMemory: a process that has nearly as much memory as it may begins
// nothing more, and says so; it still tells whether it lives, and streams that are
// bounded elsewhere go on. One with room serves.
func TestNearTheBoundOfMemory(t *testing.T) {
	for _, row := range []struct {
		is     string
		most   size
		path   string
		status int
	}{
		{"there is no bound", 0, "/pod/x", 200},
		{"there is room", 1 << 40, "/pod/x", 200},
		{"there is none", 1, "/pod/x", 503},
		{"to write neither", 1, "/.oidc/token", 503},
		{"it lives", 1, "/healthz", 200},
		{"it is ready or not", 1, "/readyz", 200},
		{"a subscriber listens on", 1, "/.notifications/channels/x/y", 200},
	} {
		g, h := newTestGuard(config{Limit: limitSettings{Memory: row.most}}, io.Discard, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", row.path, nil))
		refused := g.value(t, "skrin_refusals_total", `"`+byMemory+`"`)
		if w.Code != row.status || (w.Header().Get("Retry-After") != "") != (row.status == 503) || (refused == 1) != (row.status == 503) {
			t.Errorf("%s: %d %v %s, %v are counted", row.is, w.Code, w.Header(), w.Body, refused)
		}
	}
}

// TestBackPressure: beyond what may be under way at once, by all or by one
// address, requests are sent away and not queued; when those have ended, all are
// served again.
func TestBackPressure(t *testing.T) {
	for _, row := range []struct {
		is     string
		limits limitSettings
		status int
		limit  string
	}{
		{"of all", limitSettings{Requests: 4}, 503, byRequests},
		{"of one address", limitSettings{AddressRequests: 4}, 429, byTogether},
	} {
		t.Run(row.is, func(t *testing.T) {
			var log bytes.Buffer
			hold, entered := make(chan struct{}), make(chan struct{}, 5)
			g, h := newTestGuard(config{Limit: row.limits}, &log, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/healthz" {
					entered <- struct{}{}
					<-hold
				}
			}))
			ended := make(chan int, 4)
			ask := func() *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/pod/x", nil))
				return w
			}
			for range 4 {
				go func() { ended <- ask().Code }()
				<-entered
			}
			if n := g.value(t, "skrin_requests_under_way"); n != 4 {
				t.Errorf("under way: %v", n)
			}
			for range 10 {
				if w := ask(); w.Code != row.status || w.Header().Get("Retry-After") == "" {
					t.Errorf("%d %v", w.Code, w.Header())
				}
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 {
				t.Errorf("/healthz: %d", w.Code)
			}
			close(hold)
			for range 4 {
				if code := <-ended; code != 200 {
					t.Errorf("what was under way ended with %d", code)
				}
			}
			if w := ask(); w.Code != 200 {
				t.Errorf("afterwards: %d", w.Code)
			}
			if n := g.value(t, "skrin_refusals_total", `"`+row.limit+`"`); n != 10 {
				t.Errorf("counted %v refusals", n)
			}
			if len(g.together.n) != 0 || g.underWay.Load() != 0 {
				t.Errorf("left behind: %v, %d", g.together.n, g.underWay.Load())
			}
			if strings.Contains(log.String(), `"level":"ERROR"`) {
				t.Errorf("a limit is logged as a failure: %s", &log)
			}
		})
	}
}

// TestNothingPersonalIsCounted: neither the log nor the metrics hold a path, a pod,
// an address, or what a client made up; each line has its request's id.
func TestNothingPersonalIsCounted(t *testing.T) {
	var log bytes.Buffer
	c := config{Log: logSettings{Requests: true}, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	g, h := newTestGuard(c, &log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "panic") {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, path := range []string{"/alva/secret.ttl?token=hunter2", "/w/k7qspace/evidence/1", "/me/log/alva", "/.oidc/token?code=hunter2", "/.parties/alva", "/.alva/x", "/", "/alva", "/w/k7qspace/panic"} {
		for _, method := range []string{"GET", "ALVA"} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("User-Agent", "alva")
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			r.RemoteAddr = "203.0.113.8:1"
			r.Header.Set("X-Request-Id", "alva\nalva")
			w := httptest.NewRecorder()
			func() {
				defer func() { _ = recover() }()
				h.ServeHTTP(w, r)
			}()
			if id := w.Header().Get("X-Request-Id"); !strings.Contains(log.String(), `"request":"`+id+`"`) || len(id) < 8 {
				t.Errorf("no line has the id %q", id)
			}
		}
	}
	all, err := g.m.registry.Gather()
	must(t, err)
	told := log.String()
	for _, f := range all {
		told += f.String()
	}
	for _, private := range []string{"alva", "ALVA", "hunter2", "k7q", "203.0.113", "secret.ttl"} {
		if strings.Contains(told, private) {
			t.Errorf("%q is told", private)
		}
	}
	for _, want := range []string{`"route":"/{pod}/"`, `"route":"/w/{space}/"`, `"status":418`, `"status":500`, `"ms":0`} {
		if !strings.Contains(told, want) {
			t.Errorf("%s is not told in %s", want, log.String())
		}
	}
}

// TestRequestIDs: a trusted proxy's id is kept, anybody else's is not.
func TestRequestIDs(t *testing.T) {
	c := config{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	_, h := newTestGuard(c, io.Discard, http.NotFoundHandler())
	for _, row := range []struct {
		is, peer, id string
		kept         bool
	}{
		{"of a proxy", "192.0.2.1:1", "proxy-4711", true},
		{"of a stranger", "198.51.100.1:1", "proxy-4711", false},
		{"that isn't well formed", "192.0.2.1:1", "a b c d e f", false},
		{"that is too short to be one", "192.0.2.1:1", "1", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = row.peer
		r.Header.Set("X-Request-Id", row.id)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("X-Request-Id"); (got == row.id) != row.kept || got == "" {
			t.Errorf("%s: %q", row.is, got)
		}
	}
}

// TestOpsFiles: each metric that the dashboard and the alert rules name is there,
// with its labels, and each alert has what an operator needs.
func TestOpsFiles(t *testing.T) {
	w := newWorld(t)
	_, err := http.Get(w.Base + "/healthz")
	must(t, err)
	w.guard.m.bulk.WithLabelValues("x")
	w.guard.m.storeErrors.WithLabelValues("view")
	all, err := w.guard.m.registry.Gather()
	must(t, err)
	names := map[string]string{"up": "job"}
	for _, f := range all {
		text := ""
		for _, m := range f.Metric {
			text += m.String()
			for _, l := range m.Label { // a party is an organisation
				if !slices.Contains([]string{"route", "method", "status", "limit", "party", "do", "version", "go"}, l.GetName()) {
					t.Errorf("%s has the label %s: does it tell of a person?", f.GetName(), l.GetName())
				}
			}
		}
		names[f.GetName()], names[f.GetName()+"_bucket"] = text, text+`"le"`
	}
	name := regexp.MustCompile(`\b(?:skrin|go|process)_[a-z_]+|\bup\b`)
	label := regexp.MustCompile(`\{(\w+)=|by \(([\w, ]+)\)`)
	check := func(where, expr string) {
		found := name.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s: no metric in %q", where, expr)
		}
		for _, n := range found {
			text, ok := names[n]
			if !ok {
				t.Errorf("%s: there is no metric %s", where, n)
			}
			for _, m := range label.FindAllStringSubmatch(expr, -1) {
				for l := range strings.SplitSeq(m[1]+m[2], ", ") {
					if !strings.Contains(text, `"`+l+`"`) && !strings.Contains(text, l) {
						t.Errorf("%s: %s has no label %s", where, n, l)
					}
				}
			}
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	text, err := os.ReadFile(filepath.Join("ops", "alerts.yaml"))
	must(t, err)
	must(t, yaml.Unmarshal(text, &rules))
	seen, values := map[string]bool{}, `"skrin" "5xx"`
	for _, text := range names {
		values += text
	}
	for _, r := range rules.Groups[0].Rules {
		check(r.Alert, r.Expr)
		if f, err := time.ParseDuration(cmp.Or(r.For, "0s")); err != nil || f < 0 || strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || seen[r.Alert] {
			t.Errorf("%s: %s for %q", r.Alert, r.Expr, r.For)
		}
		seen[r.Alert] = true
		for _, m := range regexp.MustCompile(`(?:limit|status|do|job)="([^"]*)"`).FindAllStringSubmatch(r.Expr, -1) {
			if !strings.Contains(values, `"`+m[1]+`"`) {
				t.Errorf("%s: no metric has the value %q", r.Alert, m[1])
			}
		}
		if r.Annotations["summary"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err = os.ReadFile(filepath.Join("ops", "dashboard.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &board))
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	whole := string(text)
	for n := range names {
		if strings.HasPrefix(n, "skrin_") && !strings.HasSuffix(n, "_bucket") && !strings.Contains(whole, n) {
			t.Errorf("the dashboard doesn't show %s", n)
		}
	}
	if len(board.Panels) < 10 || len(rules.Groups[0].Rules) < 8 {
		t.Errorf("%d panels, %d rules", len(board.Panels), len(rules.Groups[0].Rules))
	}
}

// BenchmarkGuard is what the guard adds to a request, with all limits, metrics and
// the log.
func BenchmarkGuard(b *testing.B) {
	s := settle("", nil, new(settings), nil)
	s.Limit.Address, s.Limit.Client, s.Limit.Pod = rate{1e9, time.Second}, rate{1e9, time.Second}, rate{1e9, time.Second}
	c := config{Base: "https://pod.example.se", Limit: s.Limit, Log: s.Log}
	l := slog.New(slog.NewJSONHandler(io.Discard, nil))
	g := newGuard(c, l, time.Now)
	who := acl.Agent{ID: "https://alva.example/#me", Client: "app"}
	h := g.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.admit(who, r); err != nil {
			b.Error(err)
		}
	}), (&ldp.Handler{Log: l}).Fail)
	r := httptest.NewRequest("GET", "/pod/x", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// TestTheExhaustedAreRefusedFirst: who has had all that it may is refused before its
// proof is checked, and who has its token without its key takes nothing from it.
func TestTheExhaustedAreRefusedFirst(t *testing.T) {
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Client: rate{3, time.Hour}} })
	if a := w.ask(w.alice, "PUT", "/kept", "text/plain", "kept"); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	id, secret, err := w.provider.NewScript(t.Context(), "person-flood", w.owner.ID, "load")
	must(t, err)
	key, err := dpop.NewKey()
	must(t, err)
	other, err := dpop.NewKey()
	must(t, err)
	user := solidUser{t, w.owner.ID, key, scriptToken(t, w.Base, id, secret, key)}
	thief := solidUser{t, w.owner.ID, other, user.token}
	kept := w.Base + string(w.id("/kept"))
	for i, row := range []struct {
		who  solidUser
		want int
	}{{thief, 401}, {thief, 401}, {thief, 401}, {thief, 401}, {user, 200}, {user, 200}, {user, 200}, {user, 429}, {thief, 429}} {
		if got := row.who.do("GET", kept, "", ""); got != row.want {
			t.Errorf("request %d: %d, want %d", i, got, row.want)
		}
	}
}

// TestMetricsMove: what the other tests don't see move does.
func TestMetricsMove(t *testing.T) {
	w := newWorldOf(t, func(c *config) {
		c.Limit = limitSettings{Quota: 64 << 10, Registrations: rate{2, time.Hour}, Numbers: rate{1, time.Hour}}
	})
	moves := func(name, label string, by float64, do func()) {
		t.Helper()
		before := w.guard.value(t, name, label)
		if do(); w.guard.value(t, name, label)-before != by {
			t.Errorf("%s %s went from %v to %v", name, label, before, w.guard.value(t, name, label))
		}
	}
	moves("skrin_refusals_total", `"quota"`, 1, func() {
		if a := w.ask(w.alice, "PUT", "/much", "application/octet-stream", strings.Repeat("x", 128<<10)); a.StatusCode != 507 {
			t.Errorf("more than the quota: %s %s", a.Status, a.body)
		}
	})
	admit := w.admit()
	moves("skrin_refusals_total", `"registrations"`, 3, func() {
		for i, row := range []struct {
			from string
			want bool
		}{{"192.0.2.1:1", true}, {"192.0.2.1:2", true}, {"192.0.2.1:3", false}, {"[::ffff:192.0.2.1]:4", false},
			{"[2001:db8::1]:1", true}, {"[2001:db8::2]:1", true}, {"[2001:db8::3]:1", false}, {"[2001:db8:0:1::1]:1", true}} {
			r := httptest.NewRequest("POST", "/.oidc/register", nil)
			if r.RemoteAddr = row.from; admit(r) != row.want {
				t.Errorf("registration %d, from %s: not %v", i, row.from, row.want)
			}
		}
	})
	moves("skrin_refusals_total", `"numbers"`, 1, func() {
		if w.guard.renumbers("x") != nil || w.guard.renumbers("x") == nil {
			t.Error("changes of numbers aren't bounded by one")
		}
	})
	failing := podtest.NewFake(t, podtest.New(t))
	failing.Next(podtest.Fails)
	moves("skrin_store_errors_total", `"create"`, 1, func() {
		err := meteredStore{failing, w.guard.m, w.guard.traces}.Create(t.Context(), "x", func(store.Tx) error { return nil })
		if err == nil {
			t.Error("a commit that fails doesn't")
		}
	})
	moves("skrin_bulk_reads_total", `"insurer"`, 0, func() { // it is there before the first refusal, or that couldn't be seen as a change
		must(t, w.guard.admit(acl.Agent{ID: acl.WebID(w.Base + "/.parties/insurer#it")}, httptest.NewRequest("GET", "/x/y", nil)))
	})
	all, err := w.guard.m.registry.Gather()
	must(t, err)
	if !strings.Contains(fmt.Sprint(all), `value:"insurer"`) {
		t.Error("a party that reads has no count of refusals")
	}
	moves("skrin_streams", "", 1, func() {
		w.put("/heard", "text/plain", "x")
		c, a := w.subscribe(w.alice, "WebSocketChannel2023", "/heard", nil)
		if a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		w.dial(c)
		until(t, "the stream is counted", func() bool { return w.guard.value(t, "skrin_streams") == 1 })
	})
}
