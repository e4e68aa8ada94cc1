// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/login"
	"skrin/cmd/skrin/demo"
	"skrin/fixtures"
	"skrin/pod/registry"
)

// demoCommand shows the main job on this machine, or Kompetansespor.
type demoCommand struct {
	Story  string `arg:"" optional:"" default:"alva" enum:"alva,kompetansespor" help:"alva: to click; kompetansespor: runs by itself, and ends."`
	ByHand bool   `help:"Don't run kompetansespor: wait for somebody to click."`
	Dir    string `help:"Directory to keep it in. Without one it is temporary, and removed at the end." type:"path"`
	Port   int    `default:"8080" help:"First of the ports on loopback, which follow each other; 0 for any that are free."`
}

// Run obeys kong.
func (c *demoCommand) Run(ctx context.Context) error {
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "skrin-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if c.Story == "kompetansespor" {
		return c.trail(ctx, dir, log)
	}
	t, err := newTown(ctx, dir, c.Port, keep{}, log)
	if err != nil {
		return err
	}
	defer t.Close()
	t.Tell(os.Stdout, c.Dir)
	return t.Serve(ctx)
}

// A town is the demo: the server and some organisations, each on a port of its
// own.
type town struct {
	*server
	authority *demo.Authority
	insurer   *demo.Insurer
	outsiders []outsider // all the organisations
	origins   []string   // of the server, and of each of them
	listeners []net.Listener
	homes     map[string]string // origins here, by those that the registrations in fixtures are written with
}

// An outsider is an organisation of the demo.
type outsider interface {
	Handler() http.Handler
	Keys() jose.JSONWebKeySet
	Close()
}

// The origins that the registrations in fixtures are written with.
const (
	authorityOrigin = "https://af.example.se"
	insurerOrigin   = "https://forsakring.example.se"
)

// newTown builds the demo in a directory, on three ports: the server, an
// authority and an insurer.
func newTown(ctx context.Context, dir string, port int, k keep, log *slog.Logger) (*town, error) {
	t, err := openTown(ctx, dir, port, 3, k, log)
	if err != nil {
		return nil, err
	}
	if err := t.settleTwo(dir); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// settleTwo opens the authority and the insurer.
func (t *town) settleTwo(dir string) (err error) {
	t.homes = map[string]string{authorityOrigin: t.origins[1], insurerOrigin: t.origins[2]}
	if t.authority, err = demo.NewAuthority(t.options(dir, 1, "arbetsformedlingen")); err != nil {
		return err
	}
	t.outsiders = append(t.outsiders, t.authority)
	if t.insurer, err = demo.NewInsurer(t.options(dir, 2, "exempel-forsakring"), demo.Trusted{Issuer: t.origins[1], Keys: t.authority.Keys()}); err != nil {
		return err
	}
	t.outsiders = append(t.outsiders, t.insurer)
	return t.register(map[string]jose.JSONWebKeySet{"arbetsformedlingen": t.authority.Keys(), "exempel-forsakring": t.insurer.Keys()})
}

// openTown opens the server, and as many ports.
func openTown(ctx context.Context, dir string, port, ports int, k keep, log *slog.Logger) (_ *town, err error) {
	t := new(town)
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := t.listen(port, ports); err != nil {
		return nil, err
	}
	key, err := demoKey(dir)
	if err != nil {
		return nil, err
	}
	operators, err := demoOperator(dir, time.Now())
	if err != nil {
		return nil, err
	}
	t.server, err = newServer(ctx, config{Base: t.origins[0], Dir: dir, Key: key, Demo: true, Contact: "mailto:hjalp@skrin.example", Operators: operators, Token: 5 * time.Minute, keep: k}, log)
	return t, err
}

// demoOperator makes the demo's operator, whose key is in the demo's directory,
// operator/TEST-key.pem, and returns the folder in which it is registered.
func demoOperator(dir string, now time.Time) (string, error) {
	folder, file := filepath.Join(dir, "operators"), filepath.Join(dir, "operator", "TEST-key.pem")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.MkdirAll(filepath.Dir(file), 0o700)); err != nil {
		return "", err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(file); err != nil {
			return "", err
		}
	}
	key, err := partyKey{file}.signing()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(operatorFile{
		ID: "demo", Name: "The demo's operator", Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}},
		Until: now.AddDate(1, 0, 0).Format(time.DateOnly),
	})
	if err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, "demo.json"), text, 0o600)
}

// options are those of the organisation on the i-th port.
func (t *town) options(dir string, i int, id string) demo.Options {
	return demo.Options{
		Origin: t.origins[i], Server: t.Base, ID: id, Dir: filepath.Join(dir, "parties", id),
		HTTP: &http.Client{Timeout: 20 * time.Second}, Log: t.log, Now: t.now,
	}
}

func (t *town) listen(port, ports int) error {
	for i := range ports {
		at := port
		if port != 0 {
			at += i
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at)))
		if err != nil {
			return fmt.Errorf("%w: choose other ports with --port", err)
		}
		t.listeners = append(t.listeners, l)
		t.origins = append(t.origins, fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port))
	}
	return nil
}

// register adds the registrations of fixtures whose keys are at hand.
func (t *town) register(keys map[string]jose.JSONWebKeySet) error {
	for id, set := range keys {
		b, err := registration(id)
		if err != nil {
			return err
		}
		if err := t.admits(b, set); err != nil {
			return fmt.Errorf("registration of %s: %w", id, err)
		}
	}
	return nil
}

// admits registers a party as its file says, with the origins of this demo.
func (t *town) admits(file []byte, keys jose.JSONWebKeySet) error {
	for there, here := range t.homes {
		file = bytes.ReplaceAll(file, []byte(there), []byte(here))
	}
	p, err := registry.ReadParty(file, t.Base)
	if err != nil {
		return err
	}
	p.Keys, p.Until = keys, t.now().AddDate(1, 0, 0) // the demo is made anew each time
	return t.parties.Add(p)
}

// registration returns the file in which a party is registered.
func registration(id string) ([]byte, error) {
	names, err := fs.Glob(fixtures.Files, "parties/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := fs.ReadFile(fixtures.Files, name)
		if err != nil {
			return nil, err
		}
		var f struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(b, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if f.ID == id {
			return b, nil
		}
	}
	return nil, fmt.Errorf("nobody with the id %q is in fixtures", id)
}

// Tell prints where to click.
func (t *town) Tell(w io.Writer, dir string) {
	fmt.Fprintf(w, `Skrin's demo runs. All people and organisations in it are made up.

  1. The authority    %s   save your certificate to your profile; sign in as Alva
  2. The insurer      %s   make a claim: it asks, you fetch, look and agree
  3. Your own pages   %s/me/   see who read what; withdraw, and go back to the insurer

`, t.origins[1], t.origins[2], t.origins[0])
	if dir == "" {
		fmt.Fprintln(w, "It is kept in a temporary directory and gone when you end it. Keep it with --dir.")
	} else {
		fmt.Fprintf(w, "It is kept in %s.\n", dir)
	}
	fmt.Fprintln(w, "End it with Ctrl-C.")
}

// Serve serves all of them until ctx is done.
func (t *town) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	serve := []func() error{func() error { return t.server.Serve(ctx, t.listeners[0]) }}
	for i, o := range t.outsiders {
		serve = append(serve, func() error { return serveHTTP(ctx, t.listeners[i+1], o.Handler(), t.log) })
	}
	errs := make([]error, len(serve))
	var wg sync.WaitGroup
	for i, run := range serve {
		wg.Go(func() {
			defer stop() // if one ends, all do
			errs[i] = run()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close releases everything, after Serve has returned.
func (t *town) Close() error {
	for _, l := range t.listeners {
		l.Close() // closed already if it was served
	}
	for _, o := range t.outsiders {
		o.Close()
	}
	if t.server == nil {
		return nil
	}
	return t.server.Close()
}

// demoEID is the sign-in of the demo: it believes whoever clicks.
func (s *server) demoEID() (*login.Demo, error) {
	cast := s.Cast
	if cast == nil {
		for _, p := range demo.People() {
			persona := login.Persona{Name: p.Name, Scheme: p.Scheme, Number: p.Number}
			for _, n := range p.Later {
				persona.Later = append(persona.Later, login.Identity{Scheme: n.Scheme, Number: n.Number})
			}
			cast = append(cast, persona)
		}
	}
	return login.NewDemo(login.DemoOptions{
		Demo: s.Demo, Cast: cast, Vault: s.vault, Sessions: s.sessions,
		Fail: s.failed,
	})
}
