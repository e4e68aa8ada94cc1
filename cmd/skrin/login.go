// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp/client"
)

// A keptLogin is what a person's commands act by, in a file that only its owner
// reads: a script's secret, or the tokens of a login in her browser.
type keptLogin struct {
	Server  string    `json:"server"`
	ID      string    `json:"id"`
	Secret  string    `json:"secret,omitempty"`
	Key     string    `json:"key"` // to which tokens are bound, PEM
	WebID   string    `json:"webid,omitempty"`
	Refresh string    `json:"refresh,omitempty"`
	Token   string    `json:"token,omitempty"`
	End     time.Time `json:"end,omitzero"` // of Token
}

// remote is a flag of all of them.
type remote struct {
	Login string `help:"File of the login; by default login.json in skrin's folder among your settings." env:"SKRIN_LOGIN" type:"path"`
	JSON  bool   `name:"json" help:"Answer in JSON."`
}

func (r remote) file() (string, error) {
	if r.Login != "" {
		return r.Login, nil
	}
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "skrin", "login.json"), err
}

// client returns the client of the login. Its HTTP client has no time-out of its
// own, since a long transfer takes long: ctx has.
func (r remote) client() (*client.Client, error) {
	file, err := r.file()
	if err != nil {
		return nil, err
	}
	k, err := readLogin(file)
	if err != nil {
		return nil, err
	}
	c, err := k.client()
	if err == nil && c.Public {
		c.Login = func(ctx context.Context) (string, time.Time, error) { return renewed(ctx, c, file) }
	}
	return c, err
}

func readLogin(file string) (k keptLogin, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return k, errors.New("you aren't logged in: see skrin login --help")
	}
	if err != nil {
		return k, err
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("%s can be read by others: chmod 600, and log in anew", file)
	}
	if err := json.Unmarshal(text, &k); err != nil {
		return k, fmt.Errorf("%s is no login: log in again", file)
	}
	return k, nil
}

func (k keptLogin) client() (*client.Client, error) {
	key, err := dpop.ParseKey([]byte(k.Key))
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return &client.Client{HTTP: &http.Client{}, Issuer: k.Server, ID: k.ID, Secret: k.Secret, Public: k.Secret == "", DPoP: key, Now: time.Now}, nil
}

// save keeps a login, whole or not at all.
func (k keptLogin) save(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return save(file, strings.NewReader(string(out))) // os.CreateTemp makes it 0600
}

// renewed gives the token of a login, a new one if need be. A refresh token is good
// once, so of several commands one at a time renews, and the others find what it
// has kept.
func renewed(ctx context.Context, c *client.Client, file string) (string, time.Time, error) {
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", time.Time{}, err
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", time.Time{}, fmt.Errorf("%s: %w", lock.Name(), err)
	}
	k, err := readLogin(file)
	if err != nil {
		return "", time.Time{}, err
	}
	if time.Until(k.End) > time.Minute {
		return k.Token, k.End, nil
	}
	if k.Refresh == "" {
		return "", time.Time{}, errors.New("the login has ended: skrin login")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	t, err := c.Refresh(ctx, k.Refresh)
	if refused := new(client.OAuthError); errors.As(err, &refused) && refused.Code == "invalid_grant" {
		return "", time.Time{}, errors.New("the server has ended the login: skrin login")
	}
	if err != nil {
		return "", time.Time{}, err
	}
	k.Refresh, k.Token, k.End = t.RefreshToken, t.AccessToken, t.Expires
	return k.Token, k.End, k.save(file)
}

// loginCommand logs a person in by her browser, or keeps a script's credentials.
type loginCommand struct {
	remote     `embed:""`
	Server     string        `arg:"" help:"The OpenID provider, like https://pod.example.se."`
	ID         string        `name:"id" help:"The id of a script that you made on the server's pages, to log in without a browser; or the URL of a client ID document."`
	SecretFile string        `help:"File with the script's secret; else SKRIN_CLIENT_SECRET. Not on the command line, which others can see." type:"existingfile"`
	Return     string        `help:"With a client ID document: its redirect URI on this machine, like http://localhost:4711/return."`
	Wait       time.Duration `default:"10m" help:"How long to wait for you."`
}

// Run obeys kong.
func (c *loginCommand) Run(ctx context.Context) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	key, err := dpop.NewKey()
	if err != nil {
		return err
	}
	pem, err := key.PEM()
	if err != nil {
		return err
	}
	server, err := issuerAt(ctx, c.Server)
	if err != nil {
		return err
	}
	k := keptLogin{Server: server, ID: c.ID, Key: string(pem)}
	if c.ID != "" && !isURL(c.ID) {
		err = c.byScript(ctx, &k)
	} else {
		err = c.byBrowser(ctx, &k)
	}
	if err != nil {
		return err
	}
	if err := k.save(file); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"server": k.Server, "webid": k.WebID})
	}
	return nil
}

// byScript tries a script's credentials.
func (c *loginCommand) byScript(ctx context.Context, k *keptLogin) error {
	text, err := secretOf(c.SecretFile, secret(os.Getenv("SKRIN_CLIENT_SECRET")))
	if err != nil || text == "" {
		return errors.Join(err, errors.New("no secret: give --secret-file, or set SKRIN_CLIENT_SECRET"))
	}
	k.Secret = text
	try, err := k.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = try.Token(ctx)
	return err
}

// byBrowser sends the person to the server, and waits for her to come back (RFC
// 8252). Without a client ID document it registers this login, as an app.
func (c *loginCommand) byBrowser(ctx context.Context, k *keptLogin) error {
	l, back, err := c.listen()
	if err != nil {
		return err
	}
	app, err := k.client()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	app.HTTP.Timeout = 30 * time.Second
	if k.ID == "" {
		name := "skrin"
		if host, err := os.Hostname(); err == nil {
			name += " (" + host + ")"
		}
		if k.ID, err = app.Register(ctx, name, back.String()); err != nil {
			return errors.Join(err, l.Close())
		}
		app.ID = k.ID
	}
	query, pending, err := comeBackOn(ctx, l, back, c.Wait, func() (client.Pending, error) {
		p, err := app.BeginLogin(ctx, back.String())
		if err == nil {
			fmt.Fprintf(os.Stderr, "Open in your browser: %s\n", p.URL)
		}
		return p, err
	})
	if err != nil {
		return err
	}
	t, err := app.Finish(ctx, pending, query)
	if err != nil {
		return err
	}
	k.WebID, k.Refresh, k.Token, k.End = t.WebID, t.RefreshToken, t.AccessToken, t.Expires
	return nil
}

// listen takes a port of this machine: any, or the one of --return.
func (c *loginCommand) listen() (net.Listener, *url.URL, error) {
	if (c.ID == "") != (c.Return == "") {
		return nil, nil, errors.New("a client ID document and --return go together")
	}
	address := "127.0.0.1:0"
	if c.Return != "" {
		back, err := url.Parse(c.Return)
		if err != nil || !loopback(back) || back.Port() == "" {
			return nil, nil, errors.New("--return: want a redirect URI on this machine, like http://localhost:4711/return")
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", back.Port()))
		return l, back, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	return l, &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/return"}, nil
}

// issuerAt returns how a server calls itself as an issuer: what was typed, with or
// without a slash at its end.
func issuerAt(ctx context.Context, server string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var is struct{ Issuer string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&is)
	if err != nil || strings.TrimSuffix(is.Issuer, "/") != strings.TrimSuffix(server, "/") {
		return "", fmt.Errorf("%s is no OpenID provider of that name", server)
	}
	return is.Issuer, nil
}
