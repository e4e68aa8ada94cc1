// SPDX-License-Identifier: EUPL-1.2

package notify_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/notify"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/registry"
)

// A node is one of those that serve a cluster.
type node struct {
	pod *pod.Pod
	srv *httptest.Server
}

type everybody struct{ acl.Agent }

func (e everybody) Identify(*http.Request) (acl.Agent, error) { return e.Agent, nil }
func (everybody) Challenge(error) string                      { return "" }

// newNode starts a node on a database, where who asks is the agent.
func newNode(t *testing.T, url string, who acl.Agent) *node {
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, Now: time.Now})
	must(t, err)
	n := &node{pod: &pod.Pod{
		Store: db, Blobs: podtest.NewBlobs(t), Registry: registry.NewParties(time.Now),
		Base: "https://pod.example", Issuer: "https://pod.example", Now: time.Now, Rand: rand.Reader,
	}}
	hub := &notify.Hub{Pod: n.pod, Feed: db, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	n.srv = httptest.NewServer(&notify.Handler{
		Pod: n.pod, Hub: hub, Identifier: everybody{who}, Issuer: n.pod.Issuer,
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), int(ldp.KindOf(err)))
		},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended; n.srv.Close(); must(t, db.Close()) })
	return n
}

// TestNodes: a channel that was made on one node is connected to on another, and
// hears of what a third one writes.
func TestNodes(t *testing.T) {
	server := podtest.NewPostgres(t)
	url := server.Schema()
	first := newNode(t, url, acl.Agent{})
	owner, err := first.pod.Make(t.Context(), "alva")
	must(t, err)
	second, third := newNode(t, url, owner), newNode(t, url, owner)
	root := strings.TrimSuffix(strings.TrimPrefix(string(owner.ID), "https://pod.example"), "profile/card#me")
	resp, err := http.Post(second.srv.URL+"/.notifications/WebSocketChannel2023/", "application/ld+json", strings.NewReader(fmt.Sprintf(
		`{"@context":"https://www.w3.org/ns/solid/notification/v1","type":"WebSocketChannel2023","topic":"https://pod.example%sx"}`, root)))
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	var c struct{ ReceiveFrom string }
	must(t, json.Unmarshal(body, &c))
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(c.ReceiveFrom, "wss://pod.example", "ws"+strings.TrimPrefix(third.srv.URL, "http"), 1), nil)
	must(t, err)
	defer conn.CloseNow()
	for i := range 50 {
		_, err = first.pod.Put(t.Context(), owner, ldp.Put{ID: ldp.ID(root + "x"), Type: "text/plain", Body: strings.NewReader(fmt.Sprint(i)), Size: int64(len(fmt.Sprint(i)))})
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range 50 {
		_, text, err := conn.Read(ctx)
		must(t, err)
		if want := map[bool]string{true: `"type":"Create"`, false: `"type":"Update"`}[i == 0]; !strings.Contains(string(text), want) {
			t.Errorf("%d: told %s", i, text)
		}
	}
}
