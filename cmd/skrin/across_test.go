// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// asMember, in the environment, makes the test binary a node of a demo that is
// spread over several: its value is a neighbour, as JSON.
const asMember = "SKRIN_TEST_AS_MEMBER"

// A neighbour is one node of the demo's.
type neighbour struct {
	Config config
	Homes  map[string]string
	Keys   map[string]jose.JSONWebKeySet // of the parties
	Port   string
}

// serveAsMember serves until the process is killed.
func serveAsMember(text string) error {
	var m neighbour
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	s, err := newServer(context.Background(), m.Config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := (&town{server: s, homes: m.Homes}).register(m.Keys); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+m.Port)
	if err != nil {
		return err
	}
	return s.Serve(context.Background(), l)
}

// spread starts the demo with its server as two processes behind a proxy, which sends
// each request to the other one.
func spread(t *testing.T, k keep) (*running, *machine) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	town, err := newTown(ctx, dir, 0, k, slog.New(slog.DiscardHandler))
	must(t, err)
	m := &machine{t: t, base: town.Base}
	first := freePorts(t)
	node := neighbour{
		Config: town.config, Homes: town.homes,
		Keys: map[string]jose.JSONWebKeySet{"arbetsformedlingen": town.authority.Keys(), "exempel-forsakring": town.insurer.Keys()},
	}
	for i := range 2 {
		node.Config.Dir, node.Config.Operators, node.Port = t.TempDir(), "", strconv.Itoa(first+i)
		text, err := json.Marshal(node)
		must(t, err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asMember+"="+string(text))
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		m.nodes, m.ports = append(m.nodes, cmd), append(m.ports, node.Port)
		t.Cleanup(func() { m.kill(i) })
		must(t, m.ready(i))
	}
	proxy := &http.Server{Handler: m.balance()}
	go proxy.Serve(town.listeners[0])
	for i, o := range town.outsiders {
		go serveHTTP(ctx, town.listeners[i+1], o.Handler(), town.log)
	}
	t.Cleanup(func() { cancel(); must(t, errors.Join(proxy.Close(), town.Close())) })
	return &running{town: town, t: t, dir: dir, log: new(lockedBuffer)}, m
}

// TestAcrossNodes: the main job in a real browser, on two nodes that are asked in
// turn: what one page begins, another node goes on with. Then a third party reads,
// in turn from both; and is refused by both when the person has taken it back.
func TestAcrossNodes(t *testing.T) {
	k := clusterOf(t, podtest.NewPostgres(t), podtest.NewS3(t))
	r, m := spread(t, k)
	if !testing.Short() {
		needBrowser(t)
		driveAt(t, 5*time.Minute, r.origins, &held{gate: make(chan struct{})}, "journey.mjs", "1280", "plain")
	}
	b := newBrowser(t)
	r.connect(b, "Britt Ek")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	evidence, _ := r.granted("Britt Ek")
	insurer := r.party("exempel-forsakring")
	reads := func(want int) {
		t.Helper()
		for range 6 {
			if got := statusOf(insurer.Get(t.Context(), evidence, credential.MediaType)); got != want {
				t.Errorf("the third party is answered %d, not %d", got, want)
			}
		}
	}
	reads(200)
	b.open(r.Base + "/me/sharing")
	b.press("Ta tillbaka")
	reads(403)
	for _, port := range m.ports {
		n, ok := m.answered.Load(port)
		if !ok || n.(*atomic.Int64).Load() < 20 {
			t.Errorf("node %s has hardly been asked: %v", port, n)
			continue
		}
		t.Logf("the node at %s has answered %d requests", port, n.(*atomic.Int64).Load())
	}
	people := 1
	if !testing.Short() {
		people++
	}
	sound(t, config{Base: r.Base, Dir: t.TempDir(), Key: r.Key, Demo: true, Token: time.Minute, keep: k}, people)
}
