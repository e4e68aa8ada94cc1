// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The kinds of other servers that are started here.
const (
	kindCSS = "css" // Community Solid Server
	kindJSS = "jss" // JavaScriptSolidServer
)

// settled is how long a server is left alone before its idle memory is looked at.
const settled = 3 * time.Second

// peer starts another server on an empty folder, makes its users, ends it, and
// starts it again: so what its start and its idle memory cost is told of a server
// with users, as it is of ours.
func (o *opener) peer(ctx context.Context, kind string, command func(dir string, port int) *exec.Cmd, account func(ctx context.Context, base, name string) (*user, error)) (*site, error) {
	dir, err := os.MkdirTemp(o.Scratch, kind+"-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	told, err := os.Create(dir + ".log")
	if err != nil {
		return nil, err
	}
	defer told.Close() // the server has its own
	start := func() (*site, error) {
		cmd := command(dir, port)
		cmd.Stderr = told
		began := time.Now()
		s, err := started(kind, cmd)
		if err != nil {
			return nil, err
		}
		s.kind, s.base, s.dir = kind, fmt.Sprintf("http://localhost:%d", port), dir
		if err := s.wait(ctx, s.base+"/.well-known/openid-configuration", began); err != nil {
			s.close()
			return nil, fmt.Errorf("%w: see %s", err, told.Name())
		}
		return s, nil
	}
	first, err := start()
	if err != nil {
		return nil, err
	}
	var users []*user
	for i := range o.Users { // one after the other: JavaScriptSolidServer loses accounts otherwise
		u, err := account(ctx, first.base, fmt.Sprintf("u%d", i))
		if err != nil {
			first.close()
			return nil, fmt.Errorf("account %d: %w", i, err)
		}
		users = append(users, u)
	}
	first.close()
	s, err := start()
	if err != nil {
		return nil, err
	}
	time.Sleep(settled)
	s.users, s.scale.Pods, s.idle = users, len(users), memory(s.pids())
	return s, nil
}

// css starts the Community Solid Server with files, WAC and no cluster: the setting
// that people run.
func (o *opener) css(ctx context.Context, folder string) (*site, error) {
	home := filepath.Join(folder, "node_modules", "@solid", "community-server")
	return o.peer(ctx, kindCSS, func(dir string, port int) *exec.Cmd {
		return exec.CommandContext(ctx, "node", filepath.Join(home, "bin", "server.js"),
			"-c", filepath.Join(home, "config", "file.json"), "-f", dir, "-p", fmt.Sprint(port), "-l", "error")
	}, func(ctx context.Context, base, name string) (*user, error) { return cssAccount(ctx, base, name, true) })
}

// cssAccount makes an account with a pod over the Community Solid Server's account
// API, and credentials if wanted.
func cssAccount(ctx context.Context, base, name string, credentials bool) (*user, error) {
	var made struct{ Authorization string }
	if err := cssCall(ctx, "POST", base+"/.account/account/", "", map[string]string{}, &made); err != nil {
		return nil, err
	}
	var about struct {
		Controls struct {
			Password struct{ Create string }
			Account  struct{ Pod, ClientCredentials string }
		}
	}
	if err := cssCall(ctx, "GET", base+"/.account/", made.Authorization, nil, &about); err != nil {
		return nil, err
	}
	var nothing, pod struct{ Pod, WebID string }
	in := map[string]string{"email": name + "@example.org", "password": password}
	if err := cssCall(ctx, "POST", about.Controls.Password.Create, made.Authorization, in, &nothing); err != nil {
		return nil, err
	}
	if err := cssCall(ctx, "POST", about.Controls.Account.Pod, made.Authorization, map[string]string{"name": name}, &pod); err != nil {
		return nil, err
	}
	u := &user{WebID: pod.WebID, Pod: pod.Pod}
	if !credentials {
		return u, nil
	}
	var c struct{ ID, Secret string }
	err := cssCall(ctx, "POST", about.Controls.Account.ClientCredentials, made.Authorization, map[string]string{"name": "bench", "webId": u.WebID}, &c)
	u.ID, u.Secret = c.ID, c.Secret
	return u, err
}

// password is that of every account on a peer.
const password = "TEST-password"

func cssCall(ctx context.Context, method, address, token string, body, answer any) error {
	authorization := ""
	if token != "" {
		authorization = "CSS-Account-Token " + token
	}
	return callJSON(ctx, method, address, body, answer, "Authorization", authorization)
}

// callJSON sends JSON, with a header if it has a value, and reads JSON.
func callJSON(ctx context.Context, method, address string, body, answer any, header, value string) error {
	text, err := json.Marshal(body) // "null" too: without a body CSS answers 500
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if value != "" {
		req.Header.Set(header, value)
	}
	return call(req, answer)
}

// jss starts JavaScriptSolidServer on loopback with its own identity provider, its
// content negotiation (without which it refuses Turtle), and nothing else: what
// would reach other hosts is off, as it comes.
func (o *opener) jss(ctx context.Context, folder string) (*site, error) {
	program := filepath.Join(folder, "node_modules", "javascript-solid-server", "bin", "jss.js")
	return o.peer(ctx, kindJSS, func(dir string, port int) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "node", program, "start", "--host", "localhost", "--port", fmt.Sprint(port),
			"--root", dir, "--idp", "--idp-issuer", fmt.Sprintf("http://localhost:%d/", port), "--conneg", "--quiet")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TOKEN_SECRET="+tag) // it warns without; the tokens used here are signed by its identity provider
		return cmd
	}, jssAccount)
}

// jssAccount makes an account with a pod.
func jssAccount(ctx context.Context, base, name string) (*user, error) {
	u := &user{ID: name + "@example.org", Secret: password}
	var made struct {
		WebID string `json:"webId"`
		Pod   string `json:"podUri"`
	}
	err := callJSON(ctx, "POST", base+"/.pods", map[string]string{"name": name, "email": u.ID, "password": u.Secret}, &made, "", "")
	u.WebID, u.Pod = made.WebID, made.Pod
	return u, err
}

// jssToken gets a token bound to the user's key, for a password: the client
// credentials of JavaScriptSolidServer name no WebID.
func (s *site) jssToken(ctx context.Context, u *user) error {
	address := s.base + "/idp/credentials"
	proof, err := u.key.Proof("POST", address, "", "", time.Now())
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if err := callJSON(ctx, "POST", address, map[string]string{"email": u.ID, "password": u.Secret}, &answer, "DPoP", proof); err != nil {
		return err
	}
	if answer.Type != "DPoP" {
		return fmt.Errorf("the token of %s is bound to no key: %s", u.WebID, answer.Type)
	}
	u.token = answer.Token
	return nil
}

// mend removes the quota files that JavaScriptSolidServer has broken: it reads, counts
// up and writes a pod's file without a lock, so that of two writes at once a file can
// be left that isn't JSON, and after that it refuses everything that would make the pod
// larger. Without the file it counts from nothing. What is refused while a volley lasts
// stays refused.
func (s *site) mend() error {
	if s.kind != kindJSS {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*", ".quota.json"))
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if json.Valid(text) {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
		s.mended++
	}
	return nil
}
