// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

// A site is a Solid server under load.
type site struct {
	name  string
	kind  string // kindCSS, kindJSS, or "" for ours or one that runs
	base  string // origin
	pid   int    // of its first process; 0 if it runs elsewhere
	users []*user
	stage *stage        // what else is ready on a server of ours; nil on others
	began time.Duration // from its start until it answered
	idle  int64         // bytes that it held then
	scale scale
	close func()

	endpoint string            // of tokens
	next     *int              // the number of the next shot: none comes twice
	came     *atomic.Int64     // how many newcomers have come
	made     map[string]bool   // containers that stay as they are
	via      *http.Transport   // of what is asked with an http.Client
	nodes    []*site           // that it consists of, if it is several, who have its base
	resting  []*site           // nodes that are beside, and rest while something is asked of it
	dialed   atomic.Int64      // how often one of them was, with via
	do       func(i int) error // the ith request, where it isn't HTTP
	dir      string            // what it keeps is there
	mended   int               // files of it that were mended
}

// newSite returns one that nothing has been asked of.
func newSite(name, base string) *site {
	return &site{name: name, base: base, close: func() {}, next: new(int), came: new(atomic.Int64), made: map[string]bool{}, via: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// A scale is what the pods that fill a server of ours cost.
type scale struct {
	Pods  int     `json:"pods,omitempty"`
	Rate  float64 `json:"pods_made_per_second,omitempty"`
	Bytes float64 `json:"bytes_per_pod,omitempty"`
	Open  float64 `json:"open_seconds,omitempty"`       // of a start with all of them there
	Cold  float64 `json:"first_read_seconds,omitempty"` // of one of them, then
}

// A user has a pod, and an app that acts for its owner.
type user struct {
	WebID    string `json:"webid"`
	Pod      string `json:"pod"` // URL of the root, with a slash
	ID       string `json:"id"`  // client_id and client_secret
	Secret   string `json:"secret"`
	Evidence string `json:"evidence"`

	key   *dpop.Key
	token string
}

// A stage is what "skrin stage" tells of itself.
type stage struct {
	Base     string  `json:"base"`
	Listen   string  `json:"listen"`
	People   []*user `json:"people"`
	Consumer struct {
		ID      string          `json:"id"`
		Key     jose.JSONWebKey `json:"key"`
		DPoP    string          `json:"dpop"`
		Return  string          `json:"return"`
		Request json.RawMessage `json:"request"`
	} `json:"consumer"`
	SignIn   string  `json:"sign_in"`
	Newcomer int     `json:"newcomer"`
	Last     int     `json:"last"`
	Known    []*user `json:"known"`
	Opened   float64 `json:"opened"`
	Made     float64 `json:"made"`
	MadePods int     `json:"made_pods"`
	Bytes    int64   `json:"bytes"`
	Sample   string  `json:"sample"`
	Profiles string  `json:"profiles"`
}

// pids are the processes that the site consists of, as far as they are here.
func (s *site) pids() []int {
	var all []int
	for _, n := range s.nodes {
		all = append(all, n.pids()...)
	}
	if s.pid != 0 {
		all = append(all, tree(s.pid)...)
	}
	return all
}

// alone stops the nodes that don't belong to the site, as if they weren't there, until
// the function that it returns is called.
func (s *site) alone() (end func()) {
	if len(s.resting) == 0 {
		return func() {}
	}
	signal := func(sig syscall.Signal) {
		for _, n := range s.resting {
			_ = syscall.Kill(n.pid, sig) // else it has ended, which the next volley finds out
		}
		time.Sleep(awake)
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

// awake is how long it waits after nodes were stopped, or go on: until they have heard
// what they missed.
const awake = 100 * time.Millisecond

// fire sends shots to the site's nodes in turn: none of them gets all of one user's.
func (s *site) fire(ctx context.Context, shots []shot, conns int) (*volley, error) {
	nodes := []string{s.base}
	if len(s.nodes) > 0 {
		nodes = nil
		for _, n := range s.nodes {
			nodes = append(nodes, n.stage.Listen)
		}
	}
	return fire(ctx, nodes, len(s.users), shots, conns)
}

// A opener starts what it measures, or finds it.
type opener struct {
	Skrin   string // the program; built if ""
	People  string // file with users of a server that runs already, as "skrin stage" prints it
	Scratch string
	Users   int
	Pods    int      // that fill a server of ours, before it is started
	Stage   []string // more arguments for "skrin stage"
	Env     []string // more of its environment
}

// open makes a site ready. It is "skrin" for a server of ours, which is started;
// "css:FOLDER" for the Community Solid Server, and "jss:FOLDER" for the
// JavaScriptSolidServer, that is installed in a folder's node_modules; or the address
// of a server that runs.
func (o *opener) open(ctx context.Context, what string) (*site, error) {
	kind, folder, _ := strings.Cut(what, ":")
	var s *site
	var err error
	switch {
	case what == "skrin":
		s, err = o.skrin(ctx)
	case kind == kindCSS:
		s, err = o.css(ctx, folder)
	case kind == kindJSS:
		s, err = o.jss(ctx, folder)
	default:
		s, err = o.running(what)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err := s.signIn(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return s, nil
}

func (o *opener) running(base string) (*site, error) {
	s := newSite(base, strings.TrimSuffix(base, "/"))
	if o.People == "" {
		return nil, errors.New("whose pods? Name a file with users: --people")
	}
	b, err := os.ReadFile(o.People)
	if err != nil {
		return nil, err
	}
	var told stage
	if err := json.Unmarshal(b, &told); err != nil {
		return nil, fmt.Errorf("%s: %w", o.People, err)
	}
	s.users = told.People
	if told.Consumer.ID != "" {
		s.stage = &told
	}
	return s, nil
}

func (o *opener) skrin(ctx context.Context) (*site, error) {
	if err := o.build(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Scratch, "skrin-")
	if err != nil {
		return nil, err
	}
	looked := new(site)
	if o.Pods > 0 {
		if err := o.fill(ctx, dir, o.Pods); err != nil {
			return nil, err
		}
		if looked, err = o.look(ctx, dir); err != nil {
			return nil, err
		}
	}
	s, err := o.stage(ctx, dir, append([]string{"--people", fmt.Sprint(o.Users)}, o.Stage...)...)
	if err != nil || o.Pods == 0 {
		return s, err
	}
	s.scale, s.began, s.idle = looked.scale, looked.began, looked.idle
	return s, nil
}

// look starts a server of ours that is filled, looks at what that costs, and ends it.
func (o *opener) look(ctx context.Context, dir string) (*site, error) {
	s, err := o.stage(ctx, dir, "--people", "0", "--newcomers", "1")
	if err != nil {
		return nil, err
	}
	defer s.close()
	time.Sleep(settled)
	s.idle = memory(s.pids())
	return s, s.first(ctx)
}

// build makes the program, unless there is one.
func (o *opener) build(ctx context.Context) error {
	if o.Skrin != "" {
		return nil
	}
	o.Skrin = filepath.Join(o.Scratch, "skrin")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.Skrin, "skrin/cmd/skrin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// stage starts a server of ours on a directory.
func (o *opener) stage(ctx context.Context, dir string, args ...string) (*site, error) {
	cmd := exec.CommandContext(ctx, o.Skrin, append([]string{"stage", "--dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	s, err := started("skrin", cmd)
	if err != nil {
		return nil, err
	}
	var told stage
	if err := json.NewDecoder(out).Decode(&told); err != nil {
		s.close()
		return nil, fmt.Errorf("it doesn't start: %w", err)
	}
	s.base, s.users, s.stage = told.Base, told.People, &told
	if err := s.wait(ctx, told.Listen+"/healthz", began); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// first reads something of one of the pods that fill the server, and notes what they
// cost.
func (s *site) first(ctx context.Context) error {
	t := s.stage
	pods := float64(t.MadePods)
	s.scale = scale{Pods: t.MadePods, Rate: pods / t.Made, Bytes: float64(t.Bytes) / pods, Open: t.Opened}
	req, err := http.NewRequestWithContext(ctx, "GET", t.Sample, nil)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a read of %s is answered %s, %w", t.Sample, resp.Status, err)
	}
	s.scale.Cold = time.Since(began).Seconds()
	return nil
}

// fill makes pods in a directory, as many as there are not yet, by a process that
// ends.
func (o *opener) fill(ctx context.Context, dir string, pods int) error {
	cmd := exec.CommandContext(ctx, o.Skrin, "stage", "--dir", dir, "--people", "0", "--newcomers", "1", "--only", "--pods", fmt.Sprint(pods))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fill %s: %w", dir, err)
	}
	return nil
}

// started starts a program that is a site until it is closed.
func started(name string, cmd *exec.Cmd) (*site, error) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := newSite(name, "")
	s.pid = cmd.Process.Pid
	s.close = func() {
		_ = cmd.Cancel()
		_ = cmd.Wait()
	}
	return s, nil
}

// wait waits until the site answers.
func (s *site) wait(ctx context.Context, address string, began time.Time) error {
	for ctx.Err() == nil {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				s.began = time.Since(began)
				return nil
			}
		}
		if time.Since(began) > 2*time.Minute {
			return fmt.Errorf("it doesn't answer: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}

// call sends a request and reads JSON.
func call(req *http.Request, answer any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", req.Method, req.URL.Path, resp.Status, bytes.Join(bytes.Fields(b), []byte(" ")))
	}
	return json.Unmarshal(b, answer)
}

// signIn gets a token for every user.
func (s *site) signIn(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, "GET", s.base+"/.well-known/openid-configuration", nil)
	if err != nil {
		return err
	}
	var about struct {
		Token string `json:"token_endpoint"`
	}
	if err := call(req, &about); err != nil {
		return err
	}
	s.endpoint = about.Token
	for _, u := range s.users {
		if u.key, err = dpop.NewKey(); err != nil {
			return err
		}
		get := s.token
		if s.kind == kindJSS {
			get = s.jssToken
		}
		if err := get(ctx, u); err != nil {
			return fmt.Errorf("token of %s: %w", u.WebID, err)
		}
	}
	return nil
}

var tokenForm = url.Values{"grant_type": {"client_credentials"}, "scope": {"webid"}}.Encode()

func (s *site) token(ctx context.Context, u *user) error {
	proof, err := u.key.Proof("POST", s.endpoint, "", "", time.Now())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", s.endpoint, strings.NewReader(tokenForm))
	if err != nil {
		return err
	}
	req.SetBasicAuth(url.QueryEscape(u.ID), url.QueryEscape(u.Secret))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := call(req, &answer); err != nil {
		return err
	}
	u.token = answer.Token
	return nil
}

// shot writes a request of the user's; of a stranger's if u is nil.
func (u *user) shot(method, address string, body []byte, headers ...string) (shot, error) {
	if u == nil {
		return newShot(method, address, body, headers...)
	}
	proof, err := u.key.Proof(method, address, u.token, "", time.Now())
	if err != nil {
		return shot{}, err
	}
	return newShot(method, address, body, append(headers, "Authorization: DPoP "+u.token, "DPoP: "+proof)...)
}
