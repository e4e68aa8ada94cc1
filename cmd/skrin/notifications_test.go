// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth/dpop"
	podchannel "skrin/pod/channel"
	"skrin/pod/notify"
)

const contextV1 = "https://www.w3.org/ns/solid/notification/v1"

// A channel is what the server answers to a subscriber.
type channel struct {
	ID, Type, Topic, ReceiveFrom, Sender, Calls, Trouble, EndAt, Rate string
}

// subscribe asks for a channel; more is added to the request.
func (w *world) subscribe(who *person, service, topic string, more map[string]any) (channel, answer) {
	w.t.Helper()
	body := map[string]any{"@context": []string{contextV1}, "type": "http://www.w3.org/ns/solid/notifications#" + service, "topic": w.Base + string(w.id(topic))}
	for name, value := range more {
		body[name] = value
	}
	text, err := json.Marshal(body)
	must(w.t, err)
	req, err := http.NewRequest("POST", w.Base+"/.notifications/"+service+"/", strings.NewReader(string(text)))
	must(w.t, err)
	req.Header.Set("Content-Type", "application/ld+json")
	a := w.send(who, req)
	var c channel
	if a.StatusCode == 200 {
		must(w.t, json.Unmarshal([]byte(a.body), &c))
	}
	return c, a
}

// A telling is a notification.
type telling struct {
	Context                                    []string `json:"@context"`
	ID, Type, Object, Target, State, Published string
}

func readTelling(t testing.TB, text []byte) telling {
	t.Helper()
	var n telling
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return n
}

func TestNotificationServices(t *testing.T) {
	w := newWorld(t)
	w.put("/open", plain, "x")
	w.allow("/open", grant{"http://xmlns.com/foaf/0.1/Agent", "R", ""})
	w.put("/hidden", plain, "x")
	storage := w.ask(nil, "GET", "/.well-known/solid", "", "").body
	for _, service := range notify.ChannelTypes() {
		address := w.Base + "/.notifications/" + service + "/"
		if !strings.Contains(storage, address) {
			t.Errorf("the description of the storage doesn't name %s", service)
		}
		req, _ := http.NewRequest("GET", address, nil)
		a := w.send(nil, req)
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/ld+json" || !strings.Contains(a.body, `"channelType":"`+service+`"`) {
			t.Errorf("%s: %d %s", service, a.StatusCode, a.body)
		}
	}
	ws := notify.WebSocket
	for _, row := range []struct {
		sentence      string
		who           *person
		service, path string
		more          map[string]any
		want          int
	}{
		{"whoever may read may subscribe", nil, ws, "/open", nil, 200},
		{"to what is hidden a stranger must sign in", nil, ws, "/hidden", nil, 401},
		{"to what is hidden nobody may", w.bob, ws, "/hidden", nil, 403},
		{"who may read all may", w.alice, ws, "/hidden", nil, 200},
		{"a list of one topic is a topic", w.alice, ws, "/hidden", map[string]any{"topic": []string{w.Base + string(w.id("/hidden"))}}, 200},
		{"the context of the editor's draft is known", w.alice, ws, "/hidden", map[string]any{"@context": "https://www.w3.org/ns/solid/notifications-context/v1"}, 200},
		{"another context isn't", w.alice, ws, "/hidden", map[string]any{"@context": []string{contextV1, "https://evil.example/c"}}, 422},
		{"without a context nothing means anything", w.alice, ws, "/hidden", map[string]any{"@context": nil}, 422},
		{"each type has a service of its own", w.alice, ws, "/hidden", map[string]any{"type": notify.Webhook}, 422},
		{"a topic is of this server", w.alice, ws, "/hidden", map[string]any{"topic": "https://elsewhere.example/"}, 422},
		{"and begins with its origin, not only with the same letters", w.alice, ws, "/hidden", map[string]any{"topic": w.Base + ".evil.example/"}, 422},
		{"what has ended can't begin", w.alice, ws, "/hidden", map[string]any{"endAt": "2020-01-01T00:00:00Z"}, 422},
		{"a time is one", w.alice, ws, "/hidden", map[string]any{"endAt": "tomorrow"}, 400},
		{"a rate is a duration", w.alice, ws, "/hidden", map[string]any{"rate": "PT10S"}, 200},
		{"and not a word", w.alice, ws, "/hidden", map[string]any{"rate": "often"}, 422},
		{"a month has no length", w.alice, ws, "/hidden", map[string]any{"rate": "P1M"}, 422},
		{"what can't be sent isn't accepted", w.alice, ws, "/hidden", map[string]any{"accept": "text/turtle"}, 422},
		{"a webhook has an address", w.alice, notify.Webhook, "/hidden", nil, 422},
		{"by https", w.alice, notify.Webhook, "/hidden", map[string]any{"sendTo": "http://hook.example/"}, 422},
		{"and without a password", w.alice, notify.Webhook, "/hidden", map[string]any{"sendTo": "https://a:b@hook.example/"}, 422},
		{"a webhook is somebody's", nil, notify.Webhook, "/open", map[string]any{"sendTo": "https://hook.example/"}, 401},
		{"a webhook", w.bob, notify.Webhook, "/open", map[string]any{"sendTo": "https://hook.example/"}, 200},
	} {
		if c, a := w.subscribe(row.who, row.service, row.path, row.more); a.StatusCode != row.want || a.StatusCode == 200 && (c.ID == "" || c.EndAt == "") {
			t.Errorf("%s: %d %s", row.sentence, a.StatusCode, a.body)
		}
	}
	for _, row := range []struct {
		method, path, media string
		want                int
	}{
		{"GET", "/.notifications/", "", 200}, {"HEAD", "/.notifications/", "", 200}, {"OPTIONS", "/.notifications/", "", 204},
		{"PUT", "/.notifications/", "", 405}, {"TIONS", "/.notifications/", "", 405}, {"T", "/.notifications/channels/x/y", "", 405}, {"DELETE", "/.notifications/" + ws + "/", "", 405},
		{"POST", "/.notifications/" + ws + "/", "text/turtle", 415},
		{"POST", "/.notifications/" + ws + "/", `application/ld+json; profile="https://evil.example/"`, 415},
		{"POST", "/.notifications/" + ws + "/", "application/ld+json", 400},
		{"GET", "/.notifications/nothing", "", 404}, {"GET", "/.notifications/channels/x/y", "", 404}, {"DELETE", "/.notifications/channels/x/y", "", 404},
		{"GET", "/.notifications/hooks", "", 403}, {"GET", "/.notifications/sender", "", 200},
	} {
		req, _ := http.NewRequest(row.method, w.Base+row.path, strings.NewReader(""))
		req.Header.Set("Content-Type", row.media)
		if a := w.send(nil, req); a.StatusCode != row.want && !(row.want == 403 && a.StatusCode == 401) {
			t.Errorf("%s %s: %d, want %d: %s", row.method, row.path, a.StatusCode, row.want, a.body)
		}
	}
}

// dial connects to a channel.
func (w *world) dial(c channel) *websocket.Conn {
	w.t.Helper()
	if !strings.HasPrefix(c.ReceiveFrom, "ws://") {
		w.t.Fatalf("receiveFrom is %q", c.ReceiveFrom)
	}
	conn, _, err := websocket.Dial(w.t.Context(), c.ReceiveFrom, nil)
	must(w.t, err)
	w.t.Cleanup(func() { conn.CloseNow() })
	return conn
}

func hear(t testing.TB, conn *websocket.Conn) telling {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, text, err := conn.Read(ctx)
	must(t, err)
	return readTelling(t, text)
}

// TestWebSocketChannel: who subscribes is told what happens, in order, with the
// ETag; and nothing more once its access is withdrawn.
func TestWebSocketChannel(t *testing.T) {
	w := newWorld(t)
	w.put("/c/x", plain, "1")
	w.allow("/c/", grant{w.alice.id, "RWC", "RWC"}, grant{w.bob.id, "R", "R"})
	document, _ := w.subscribe(w.bob, notify.WebSocket, "/c/x", nil)
	container, _ := w.subscribe(w.bob, notify.WebSocket, "/c/", nil)
	one, two := w.dial(document), w.dial(container)
	etag := w.ask(w.alice, "PUT", "/c/x", plain, "2").Header.Get("ETag")
	n, topic := hear(t, one), w.Base+string(w.id("/c/x"))
	if n.Type != "Update" || n.Object != topic || n.State != etag || !strings.Contains(n.ID, topic) || len(n.Context) != 2 || n.Published == "" {
		t.Errorf("told %+v; the ETag is %s", n, etag)
	}
	w.ask(w.alice, "PUT", "/c/y", plain, "1")
	if n := hear(t, two); n.Type != "Add" || n.Object != w.Base+string(w.id("/c/y")) || n.Target != w.Base+string(w.id("/c/")) || n.State == "" {
		t.Errorf("told %+v", n)
	}
	w.ask(w.alice, "DELETE", "/c/x", "", "")
	if n := hear(t, one); n.Type != "Delete" || n.State != "" {
		t.Errorf("told %+v", n)
	}
	if n := hear(t, two); n.Type != "Remove" {
		t.Errorf("told %+v", n)
	}
	w.allow("/c/", grant{w.alice.id, "RWC", "RWC"})
	w.ask(w.alice, "PUT", "/c/x", plain, "3")
	for _, conn := range []*websocket.Conn{one, two} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, text, err := conn.Read(ctx)
		cancel()
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("after the withdrawal it reads %q, %v", text, err)
		}
	}
	if _, _, err := websocket.Dial(t.Context(), document.ReceiveFrom, nil); err == nil {
		t.Error("after the withdrawal it connects again")
	}
}

// TestChannelFeatures: state, rate, startAt and the end of a channel.
func TestChannelFeatures(t *testing.T) {
	w := newWorld(t)
	w.put("/x", plain, "1")
	etag := w.ask(w.alice, "GET", "/x", "", "").Header.Get("ETag")
	w.put("/x", plain, "2")
	late, _ := w.subscribe(w.alice, notify.WebSocket, "/x", map[string]any{"state": etag})
	if n := hear(t, w.dial(late)); n.Type != "Update" || n.State == etag {
		t.Errorf("who is late is told %+v", n)
	}
	slow, _ := w.subscribe(w.alice, notify.WebSocket, "/x", map[string]any{"rate": "PT0.3S"})
	conn := w.dial(slow)
	began := time.Now()
	told, last := 0, ""
	for i := range 20 {
		last = w.ask(w.alice, "PUT", "/x", plain, fmt.Sprint("n", i)).Header.Get("ETag")
	}
	for n := (telling{}); n.State != last; told++ {
		n = hear(t, conn)
	}
	if most := 2 + int(time.Since(began)/(300*time.Millisecond)); told > most || slow.Rate != "PT0.3S" {
		t.Errorf("told %d times, at most %d", told, most)
	}
	later, _ := w.subscribe(w.alice, notify.WebSocket, "/x", map[string]any{"startAt": time.Now().Add(time.Hour).Format(time.RFC3339)})
	early := w.dial(later)
	now, _ := w.subscribe(w.alice, notify.WebSocket, "/x", nil)
	conn = w.dial(now)
	w.ask(w.alice, "PUT", "/x", plain, "again")
	hear(t, conn)
	req, _ := http.NewRequest("DELETE", later.ID, nil)
	if a := w.send(w.alice, req); a.StatusCode != http.StatusResetContent {
		t.Errorf("unsubscribe: %d %s", a.StatusCode, a.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, text, err := early.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("before startAt it is told %s; at its end: %v", text, err)
	}
	if _, _, err := websocket.Dial(t.Context(), later.ReceiveFrom, nil); err == nil {
		t.Error("a channel that was ended can be connected to")
	}
	for life := 2 * time.Second; ; life *= 2 { // it may end before it is connected to
		brief, _ := w.subscribe(w.alice, notify.WebSocket, "/x", map[string]any{"endAt": time.Now().Add(life).Format(time.RFC3339)})
		conn, _, err := websocket.Dial(t.Context(), brief.ReceiveFrom, nil)
		if err != nil && life < 30*time.Second {
			continue
		}
		must(t, err)
		defer conn.CloseNow()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+life)
		defer cancel()
		if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("at its end: %v", err)
		}
		break
	}
}

// TestEventStreams: the same by server-sent events, and by an answer that goes on.
func TestEventStreams(t *testing.T) {
	w := newWorld(t)
	w.put("/x", plain, "1")
	for _, row := range []struct{ service, media, before string }{
		{notify.EventSource, "text/event-stream", "data: "}, {notify.StreamingHTTP, "application/ld+json", ""},
	} {
		c, a := w.subscribe(w.alice, row.service, "/x", nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", c.ReceiveFrom, nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != row.media {
			t.Fatalf("%s: %v %v\n%s", row.service, resp, err, a.body)
		}
		defer resp.Body.Close()
		etag := w.ask(w.alice, "PUT", "/x", plain, row.service).Header.Get("ETag")
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), row.before+"{") {
		}
		if n := readTelling(t, []byte(strings.TrimPrefix(lines.Text(), row.before))); n.Type != "Update" || n.State != etag {
			t.Errorf("%s: told %+v", row.service, n)
		}
		again, err := http.DefaultClient.Do(req.Clone(ctx))
		must(t, err)
		defer again.Body.Close()
		for lines.Scan() {
		}
		if lines.Err() != nil || again.StatusCode != 200 {
			t.Errorf("%s: who connects again doesn't end what was connected before: %d, %v", row.service, again.StatusCode, lines.Err())
		}
	}
}

// An ear is a subscriber of any kind.
type ear struct {
	channel
	got   chan telling
	ended chan struct{} // is closed when there will be no more; not of a webhook
}

// hears subscribes alice to /x, and connects.
func (w *world) hears(service string, more map[string]any) *ear {
	w.t.Helper()
	e := &ear{got: make(chan telling, 100), ended: make(chan struct{})}
	if service == notify.Webhook {
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			e.got <- readTelling(w.t, body)
		}))
		w.t.Cleanup(hook.Close)
		more = maps.Clone(more)
		more["sendTo"] = hook.URL + "/"
	}
	var a answer
	if e.channel, a = w.subscribe(w.alice, service, "/x", more); e.ID == "" {
		w.t.Fatalf("%s: %s %s", service, a.Status, a.body)
	}
	switch service {
	case notify.WebSocket:
		conn := w.dial(e.channel)
		go func() {
			defer close(e.ended)
			for {
				_, text, err := conn.Read(w.t.Context())
				if err != nil {
					return
				}
				e.got <- readTelling(w.t, text)
			}
		}()
	case notify.EventSource, notify.StreamingHTTP:
		resp, err := http.Get(e.ReceiveFrom)
		must(w.t, err)
		w.t.Cleanup(func() { resp.Body.Close() })
		go func() {
			defer close(e.ended)
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				if text := strings.TrimPrefix(lines.Text(), "data: "); strings.HasPrefix(text, "{") {
					e.got <- readTelling(w.t, []byte(text))
				}
			}
		}()
	}
	return e
}

func (e *ear) next(t *testing.T) telling {
	t.Helper()
	select {
	case n := <-e.got:
		return n
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is told")
		return telling{}
	}
}

// TestEachFeatureOfEachChannel: what the server says of a kind of channel is true.
func TestEachFeatureOfEachChannel(t *testing.T) {
	for _, service := range []string{notify.WebSocket, notify.Webhook, notify.EventSource, notify.StreamingHTTP} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			req, err := http.NewRequest("GET", w.Base+"/.notifications/"+service+"/", nil)
			must(t, err)
			about := w.send(nil, req).body
			for _, f := range []string{`"state"`, `"startAt"`, `"endAt"`, `"rate"`} {
				if !strings.Contains(about, f) {
					t.Errorf("it doesn't advertise %s: %s", f, about)
				}
			}
			write := func(text string) (etag string) {
				return w.ask(w.alice, "PUT", "/x", plain, text).Header.Get("ETag")
			}
			w.put("/x", plain, "1")
			old := w.ask(w.alice, "GET", "/x", "", "").Header.Get("ETag")
			now := write("2")
			if n := w.hears(service, map[string]any{"state": old}).next(t); n.Type != "Update" || n.State != now {
				t.Errorf("state: who is late is told %+v", n)
			}
			all := w.hears(service, map[string]any{"state": now})
			starts := time.Now().Add(5 * time.Second) // and in whole seconds
			later := w.hears(service, map[string]any{"startAt": starts.Format(time.RFC3339Nano)})
			slow := w.hears(service, map[string]any{"rate": "PT1H"})
			brief := w.hears(service, map[string]any{"rate": "PT1H", "endAt": starts.Format(time.RFC3339Nano)})
			one := write("3")
			for is, e := range map[string]*ear{"who has the state": all, "who hears seldom": slow, "who hears seldom, and not for long": brief} {
				if n := e.next(t); n.State != one {
					t.Errorf("%s: told %+v", is, n)
				}
			}
			early := time.Now().Before(starts)
			if service != notify.Webhook {
				select {
				case <-brief.ended:
					if time.Now().Before(starts.Truncate(time.Second)) {
						t.Error("endAt: it ends too early")
					}
				case <-time.After(20 * time.Second):
					t.Error("endAt: it doesn't end, since it rests")
				}
			}
			until(t, "it has begun", func() bool { return time.Now().After(starts.Add(100 * time.Millisecond)) })
			two := write("4")
			if n := all.next(t); n.State != two {
				t.Errorf("told %+v", n)
			}
			if n := later.next(t); early && n.State != two {
				t.Errorf("startAt: before it, it is told %+v", n)
			}
			if len(slow.got)+len(brief.got) > 0 {
				t.Errorf("rate: told %d times more, and after endAt %d times", len(slow.got), len(brief.got))
			}
		})
	}
}

// A listener is a webhook.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	got  []telling
	last *http.Request
	say  func(n int) int
}

func newListener(t *testing.T, say func(n int) int) *listener {
	l := &listener{say: say}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		l.got, l.last = append(l.got, readTelling(t, body)), r
		status := l.say(len(l.got))
		l.mu.Unlock()
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

func (l *listener) told() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happens that %s", what)
		}
	}
}

// TestWebhookChannel: a webhook is told who calls it, in a way that can be
// proved with what the server publishes; a dead one holds up nobody, and says so
// to who asks; one that is gone is parked, and one without access ended.
func TestWebhookChannel(t *testing.T) {
	w := newWorld(t)
	w.put("/x", plain, "1")
	w.allow("/x", grant{w.alice.id, "RWC", ""}, grant{w.bob.id, "R", ""})
	alive := newListener(t, func(int) int { return 200 })
	dead := newListener(t, func(int) int { return 0 })
	gone := newListener(t, func(int) int { return 410 })
	once := newListener(t, func(int) int { return 200 })
	hook := func(who *person, l *listener) channel {
		c, a := w.subscribe(who, notify.Webhook, "/x", map[string]any{"sendTo": l.URL + "/hook"})
		if c.ID == "" {
			t.Fatal(a.body)
		}
		return c
	}
	state := func(c channel) (now channel) {
		req, _ := http.NewRequest("GET", c.ID, nil)
		a := w.send(w.alice, req)
		if a.StatusCode == 200 {
			must(t, json.Unmarshal([]byte(a.body), &now))
		}
		return now
	}
	var down []channel
	for range 8 {
		down = append(down, hook(w.alice, dead))
	}
	live, parked := hook(w.alice, alive), hook(w.alice, gone)
	hook(w.bob, once)
	etag := w.ask(w.alice, "PUT", "/x", plain, "2").Header.Get("ETag")
	until(t, "the living one is told", func() bool { return alive.told() == 1 })
	if n := alive.got[0]; n.Type != "Update" || n.State != etag {
		t.Errorf("told %+v", n)
	}
	w.proved(alive.last, alive.URL+"/hook", live.Sender)
	until(t, "what is gone is parked", func() bool { return state(parked).Calls == "parked" })
	if n := w.guard.value(t, "skrin_webhooks_parked_total"); n != 1 {
		t.Errorf("%v are counted as parked", n)
	}
	until(t, "the other one is told", func() bool { return once.told() == 1 })

	w.allow("/x", grant{w.alice.id, "RWC", ""})
	w.ask(w.alice, "PUT", "/x", plain, "3")
	until(t, "the living one is told again", func() bool { return alive.told() == 2 })
	until(t, "the dead one fails", func() bool { return state(down[0]).Calls == "failing" && state(down[0]).Trouble == "unreachable" })
	if once.told() != 1 || gone.told() != 1 {
		t.Errorf("after the withdrawal %d calls, after 410 %d", once.told(), gone.told())
	}
	hooks, err := w.pod.Hooks(t.Context(), w.owner)
	if err != nil || len(hooks) != 10 {
		t.Errorf("the owner sees %d webhooks, %v", len(hooks), err)
	}
}

// proved checks a call as its receiver would.
func (w *world) proved(r *http.Request, hook, sender string) {
	w.t.Helper()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	var keys jose.JSONWebKeySet
	var discovery struct {
		Keys string `json:"jwks_uri"`
	}
	req, _ := http.NewRequest("GET", w.Base+"/.well-known/openid-configuration", nil)
	must(w.t, json.Unmarshal([]byte(w.send(nil, req).body), &discovery))
	req, _ = http.NewRequest("GET", discovery.Keys, nil)
	must(w.t, json.Unmarshal([]byte(w.send(nil, req).body), &keys))
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || !ok {
		w.t.Fatalf("the token %q: %v", token, err)
	}
	payload, err := signed.Verify(keys.Key(signed.Signatures[0].Protected.KeyID)[0])
	must(w.t, err)
	var claims struct {
		Iss, WebID string
		Cnf        struct{ JKT string }
	}
	must(w.t, json.Unmarshal(payload, &claims))
	checker := &dpop.Checker{Now: time.Now, MaxAge: time.Minute, MaxSkew: time.Minute, Seen: dpop.NewMemory(10, time.Now)}
	if _, err := checker.CheckBound(w.t.Context(), r.Header.Get("DPoP"), "POST", hook, token, claims.Cnf.JKT, false); err != nil {
		w.t.Errorf("the proof: %v", err)
	}
	if claims.Iss != w.Base || claims.WebID != sender {
		w.t.Errorf("the token says %s", payload)
	}
	req, _ = http.NewRequest("GET", sender, nil)
	if doc := w.send(nil, req).body; !strings.Contains(doc, claims.WebID) || !strings.Contains(doc, claims.Iss) {
		w.t.Errorf("the sender's document is %s", doc)
	}
}

// TestManySubscribers: each of many is told, of one resource and of distinct
// ones; and none is left when they have gone. cmd/skrinbench has more of them,
// and measures.
func TestManySubscribers(t *testing.T) {
	w := newWorld(t)
	const many = 100
	var conns []*websocket.Conn
	for i := range many {
		path := "/one"
		if i%2 == 1 {
			path = fmt.Sprint("/each/", i)
		}
		c, a := w.subscribe(w.alice, notify.WebSocket, path, nil)
		if c.ID == "" {
			t.Fatal(a.body)
		}
		conns = append(conns, w.dial(c))
	}
	w.put("/one", plain, "x")
	for i := 1; i < many; i += 2 {
		w.put(fmt.Sprint("/each/", i), plain, "x")
	}
	for i, conn := range conns {
		if n := hear(t, conn); n.Type != "Create" {
			t.Errorf("%d is told %+v", i, n)
		}
		conn.Close(websocket.StatusNormalClosure, "")
	}
	until(t, "nobody is connected", func() bool { return w.hub.Streams() == 0 })
}

// TestNotificationsEnd: when the server stops, streams end at once, so that it
// isn't held up.
func TestNotificationsEnd(t *testing.T) {
	w := newWorld(t)
	w.put("/x", plain, "1")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	hub := &notify.Hub{Pod: w.pod, Feed: w.engine, Log: w.log}
	go func() { defer close(ended); hub.Run(ctx) }()
	h := &notify.Handler{Pod: w.pod, Hub: hub, Identifier: identifier{w.verifier(), w.guard}, Fail: func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), 500) }}
	srv := httptest.NewServer(h)
	defer srv.Close()
	c, _ := w.subscribe(w.alice, notify.WebSocket, "/x", nil)
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(c.ReceiveFrom, strings.TrimPrefix(w.Base, "http"), strings.TrimPrefix(srv.URL, "http"), 1), nil)
	must(t, err)
	defer conn.CloseNow()
	stop()
	_, _, err = conn.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the stream ends with %v", err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error(errors.New("the hub doesn't end"))
	}
}

// TestChannelsOfWhatMayNoMore: a program of somebody's that listens to another's pod
// hears nothing more once she has taken its access away: its stream ends, its webhook
// isn't called, and it can't connect again.
func TestChannelsOfWhatMayNoMore(t *testing.T) {
	w := newWorld(t)
	other, err := w.pod.Make(t.Context(), "another person")
	must(t, err)
	id, _, err := w.provider.NewScript(t.Context(), "another person", other.ID, "listener")
	must(t, err)
	who := acl.Agent{ID: other.ID, Client: id, Issuer: w.Base}
	w.put("/shared", plain, "x")
	w.allow("/shared", grant{other.ID, "R", ""}, grant{w.owner.ID, "RWC", ""})
	s, err := w.pod.Subscribe(t.Context(), who, podchannel.Subscription{Topic: w.id("/shared"), Channel: notify.WebSocket})
	must(t, err)
	address := "ws" + strings.TrimPrefix(w.Base, "http") + "/.notifications/channels/" + s.Topic.First() + "/" + s.ID
	conn, _, err := websocket.Dial(t.Context(), address, nil)
	must(t, err)
	defer conn.CloseNow()
	w.put("/shared", plain, "y")
	if _, text, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(text), "Update") {
		t.Fatalf("%s, %v", text, err)
	}
	helpers := apps{w.provider, w.pod, w.hub}
	must(t, helpers.RemoveScript(t.Context(), "another person", id))
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the stream goes on: %v", err)
	}
	w.put("/shared", plain, "z")
	if may, err := w.pod.MayHear(t.Context(), who, s.Topic); may || err != nil {
		t.Errorf("its webhook is called: %t, %v", may, err)
	}
	if _, _, err := websocket.Dial(t.Context(), address, nil); err == nil {
		t.Error("it connects again")
	}
	if may, err := w.pod.MayHear(t.Context(), acl.Agent{ID: other.ID, Issuer: w.Base}, s.Topic); !may || err != nil {
		t.Errorf("she herself may not: %v", err)
	}
}

// TestAWebhookThatRedirects: to an address inside isn't followed there, whatever the
// status; it is a call that failed, and says so.
func TestAWebhookThatRedirects(t *testing.T) {
	w := newWorld(t)
	w.put("/x", plain, "1")
	var called atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		asked := make(chan struct{}, 10)
		hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, inside.URL+"/latest/meta-data/", status)
			asked <- struct{}{}
		}))
		defer hook.Close()
		c, a := w.subscribe(w.alice, notify.Webhook, "/x", map[string]any{"sendTo": hook.URL + "/"})
		if c.ID == "" {
			t.Fatal(a.body)
		}
		w.ask(w.alice, "PUT", "/x", plain, fmt.Sprint(status))
		<-asked
		until(t, "it fails", func() bool {
			req, err := http.NewRequest("GET", c.ID, nil)
			must(t, err)
			var now channel
			must(t, json.Unmarshal([]byte(w.send(w.alice, req).body), &now))
			return now.Calls == "failing" && now.Trouble == "refused"
		})
	}
	if n := called.Load(); n > 0 {
		t.Errorf("what is inside was asked %d times", n)
	}
}

// TestASubscriberWhoReadsNothing: holds up nobody; who comes back again
// and again has one stream.
func TestASubscriberWhoReadsNothing(t *testing.T) {
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Stall: time.Second} })
	w.put("/x", plain, "1")
	c, _ := w.subscribe(w.alice, notify.WebSocket, "/x", nil)
	w.dial(c) // and nobody reads
	other, _ := w.subscribe(w.alice, notify.WebSocket, "/x", nil)
	conn := w.dial(other)
	for i := range 300 {
		etag := w.ask(w.alice, "PUT", "/x", plain, fmt.Sprint("n", i)).Header.Get("ETag")
		for n := (telling{}); n.State != etag; {
			n = hear(t, conn)
		}
	}
	storm, _ := w.subscribe(w.alice, notify.WebSocket, "/x", nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if conn, _, err := websocket.Dial(t.Context(), storm.ReceiveFrom, nil); err == nil {
				t.Cleanup(func() { conn.CloseNow() })
			}
		})
	}
	wg.Wait()
	until(t, "of a hundred connections of one channel one is left", func() bool { return w.hub.Streams() <= 3 })
}
