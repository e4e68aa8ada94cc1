// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// serveOptions are the settings as flags, with the file in which there may be
// more.
type serveOptions struct {
	Config   string `help:"File of settings (YAML); \"skrin config example\" prints one. Else SKRIN_CONFIG." type:"path"`
	settings `embed:""`

	given map[string]bool // the flags that were given
}

// configEnv names the file of settings where no flag does.
const configEnv = "SKRIN_CONFIG"

// AfterApply obeys kong.
func (c *serveOptions) AfterApply(k *kong.Context) error {
	c.given = map[string]bool{}
	for _, p := range k.Path {
		if p.Flag != nil {
			c.given[p.Flag.Name] = true
		}
	}
	return nil
}

// settle returns what is in force.
func (c *serveOptions) settle() *settled {
	s := settle(cmp.Or(c.Config, os.Getenv(configEnv)), os.Environ(), &c.settings, c.given)
	s.check()
	return s
}

// config reads the files, unless there are faults.
func (c *serveOptions) config() (config, error) {
	s := c.settle()
	if len(s.faults) > 0 {
		var all []error
		for _, f := range s.faults {
			all = append(all, f)
		}
		return config{}, errors.Join(all...)
	}
	return s.config()
}

// config reads the files that the settings name.
func (s *settled) config() (config, error) {
	key, err := readKey(s.KeyFile, false)
	if err != nil {
		return config{}, err
	}
	password, err := secretOf(s.PostgresPasswordFile, s.PostgresPassword)
	if err != nil {
		return config{}, err
	}
	pair, err := secretOf(s.S3KeyFile, s.S3AccessKey, s.S3SecretKey)
	if err != nil {
		return config{}, err
	}
	access, hidden, _ := strings.Cut(pair, "\n")
	k := keep{
		Postgres: s.Postgres, PostgresKeys: s.PostgresKeys, PostgresPassword: password,
		S3: s.S3, S3Region: s.S3Region, S3Access: strings.TrimSpace(access), S3Secret: strings.TrimSpace(hidden),
	}
	for _, file := range s.PodKeyFile {
		key, err := readKey(file, false)
		if err != nil {
			return config{}, err
		}
		k.PodKeys = append(k.PodKeys, key)
	}
	proxies, err := networks(s.Proxies)
	if err != nil {
		return config{}, err
	}
	bulk, err := rates(s.Limit.BulkParty)
	if err != nil {
		return config{}, err
	}
	return config{
		Base: s.Base, Apart: s.PodOrigin, Dir: s.Dir, Key: key, Parties: s.Parties, Types: s.Types, EIDs: s.EIDs, Token: 5 * time.Minute, keep: k,
		Listen: s.Listen, Admin: s.Admin, Redirect: s.Redirect, Proxies: proxies, Limit: s.Limit, Bulk: bulk,
		TLS: s.TLS, Log: s.Log, Trace: s.Trace, Grace: s.Grace, Drain: s.Drain,
	}, nil
}

// secretOf reads a file, or where there is none takes what is given, a line for
// each.
func secretOf(file string, given ...secret) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return strings.TrimSpace(string(b)), err
	}
	var lines []string
	for _, s := range given {
		lines = append(lines, string(s))
	}
	return strings.Join(lines, "\n"), nil
}

// serveCommand runs the server for real.
type serveCommand struct {
	serveOptions `embed:""`
}

// Run obeys kong.
func (c *serveCommand) Run(ctx context.Context) error {
	conf, err := c.config()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	s, err := newServer(ctx, conf, log)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", conf.Listen)
	if err != nil {
		return err
	}
	log.Info("skrin serves", "base", c.Base, "listen", l.Addr().String())
	return s.Serve(ctx, l)
}

// keyCommand prints a master key.
type keyCommand struct{}

// Run obeys kong.
func (keyCommand) Run() error {
	_, err := fmt.Print(newKey(false))
	return err
}

// serveHTTP serves h on l until ctx is done, and then lets what is under way
// end.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           deadlines(h, stall),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
