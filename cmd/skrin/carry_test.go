// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/acl"
)

// A place is a server that its operator moves pods from and to, by commands.
type place struct {
	*server
	t     *testing.T
	flags []string
}

func newPlace(t *testing.T, base string) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "skrin-pl-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	file, eids := filepath.Join(dir, "master.key"), filepath.Join(dir, "eids")
	must(t, os.WriteFile(file, []byte(newKey(false)), 0o600))
	must(t, os.Mkdir(eids, 0o700))
	key, err := readKey(file, false)
	must(t, err)
	p := &place{t: t, flags: []string{"--base=" + base, "--dir=" + dir, "--key-file=" + file, "--eids=" + eids}}
	p.server, err = newServer(t.Context(), config{Base: base, Dir: dir, Key: key, Demo: true, Token: time.Minute}, slog.New(slog.DiscardHandler))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); must(t, <-ended); must(t, p.Close()) })
	return p
}

// skrin runs a command as the operator, and returns what it prints.
func (p *place) skrin(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(os.Args[0], append(args, p.flags...)...)
	cmd.Env = append(os.Environ(), asSkrin+"=1")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("skrin %s: %v\n%s", args[0], err, said.String())
	}
	return string(out)
}

func (p *place) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, httptest.NewRequest("GET", p.Base+path, nil))
	return w
}

// only returns the id of the one pod.
func (p *place) only() string {
	p.t.Helper()
	ids, err := p.engine.Pods(p.t.Context(), "", 2)
	must(p.t, err)
	if len(ids) != 1 {
		p.t.Fatal(ids)
	}
	return ids[0]
}

// TestCarry: an operator exports a pod, another imports it with the first server's
// keys, and the first sends everybody on: by the commands, while both serve.
func TestCarry(t *testing.T) {
	old, other := newPlace(t, "https://old.example"), newPlace(t, "https://new.example")
	dir := t.TempDir()
	who, err := old.pod.Make(t.Context(), "alva")
	must(t, err)
	there, err := other.pod.Make(t.Context(), "alva")
	must(t, err)
	path := func(p *place, who acl.Agent) string {
		return strings.TrimSuffix(strings.TrimPrefix(string(who.ID), p.Base), "#me")
	}

	file, keys, outcome := filepath.Join(dir, "alva.tar.gz"), filepath.Join(dir, "jwks"), filepath.Join(dir, "outcome")
	asJSON := func(p *place, args ...string) {
		t.Helper()
		if text := p.skrin(append(args, "--json")...); !json.Valid([]byte(text)) {
			t.Errorf("%q: %s", args, text)
		}
	}
	asJSON(old, "pod", "show", old.only())
	asJSON(old, "export", old.only(), file, "--yes")
	must(t, os.WriteFile(keys, old.get("/.oidc/jwks").Body.Bytes(), 0o600))
	text := other.skrin("import", other.only(), file, "--sealed="+keys, "--json")
	if !strings.Contains(text, `"imported"`) {
		t.Fatal(text)
	}
	must(t, os.WriteFile(outcome, []byte(text), 0o600))
	if w := old.get(path(old, who)); w.Code != http.StatusOK {
		t.Errorf("before it has moved, the old server answers %d", w.Code)
	}
	asJSON(old, "moved", old.only(), outcome, "--yes")
	if w := old.get(path(old, who)); w.Code/100 != 3 || w.Header().Get("Location") != other.Base+path(other, there) {
		t.Errorf("the old server answers %d, %s", w.Code, w.Header().Get("Location"))
	}
	if w := other.get(path(other, there)); w.Code != http.StatusOK {
		t.Errorf("the new server answers %d %s", w.Code, w.Body)
	}
	for _, p := range []*place{old, other} {
		if out := p.skrin("fsck"); strings.Contains(out, "pod "+p.only()) {
			t.Error(out)
		}
	}
	asJSON(other, "approve")
	asJSON(other, "pod", "erase", other.only(), "--yes")
}
