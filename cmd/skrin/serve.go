// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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

// at makes what is wrong with what a setting names a fault of the setting.
func (s *settled) at(name string, err error) error {
	i := slices.IndexFunc(s.options(), func(o option) bool { return o.name == name })
	return fault{s.from[name], s.options()[i].path, err.Error()}
}

// config reads the files that the settings name. An error is a fault.
func (s *settled) config() (config, error) {
	for name, folder := range map[string]string{"parties": s.Parties, "operators": s.Operators, "eids": s.EIDs, "types": s.Types} {
		if folder == "" {
			continue
		}
		if _, err := os.ReadDir(folder); err != nil { // else it would be as if it were empty
			return config{}, s.at(name, err)
		}
	}
	text, err := secretOf(s.KeyFile, s.MasterKey)
	if err != nil {
		return config{}, s.at("key-file", err)
	}
	key, err := parseKey(cmp.Or(s.KeyFile, "SKRIN_KEY"), text, false)
	if err != nil {
		return config{}, s.at("key-file", err)
	}
	token, err := secretOf(s.KMS.TokenFile, s.KMS.Token)
	if err != nil {
		return config{}, s.at("kms-token-file", err)
	}
	password, err := secretOf(s.PostgresPasswordFile, s.PostgresPassword)
	if err != nil {
		return config{}, s.at("postgres-password-file", err)
	}
	pair, err := secretOf(s.S3KeyFile, s.S3AccessKey, s.S3SecretKey)
	if err != nil {
		return config{}, s.at("s3-key-file", err)
	}
	access, hidden, _ := strings.Cut(pair, "\n")
	k := keep{
		Postgres: s.Postgres, PostgresKeys: s.PostgresKeys, PostgresPassword: password,
		S3: s.S3, S3Region: s.S3Region, S3Access: strings.TrimSpace(access), S3Secret: strings.TrimSpace(hidden),
		KMS: s.KMS.URL, KMSKey: s.KMS.Key, KMSToken: token,
	}
	for _, file := range s.PodKeyFile {
		key, err := readKey(file, false)
		if err != nil {
			return config{}, s.at("pod-key-file", err)
		}
		k.PodKeys = append(k.PodKeys, key)
	}
	proxies, err := networks(s.Proxies)
	if err != nil {
		return config{}, s.at("proxies", err)
	}
	bulk, err := rates(s.Limit.BulkParty)
	if err != nil {
		return config{}, s.at("limit-bulk-party", err)
	}
	return config{
		Base: s.Base, Apart: s.PodOrigin, Dir: s.Dir, Key: key, Parties: s.Parties, Types: s.Types, EIDs: s.EIDs, Contact: s.Contact, Privacy: s.Privacy, Accessibility: s.Accessibility, Operators: s.Operators, Steps: s.Steps, Token: 5 * time.Minute, keep: k,
		Listen: s.Listen, Admin: s.Admin, Redirect: s.Redirect, Proxies: proxies, Limit: s.Limit, Bulk: bulk,
		TLS: s.TLS, Log: s.Log, Trace: s.Trace, Grace: s.Grace, Drain: s.Drain, TwoPeople: s.TwoPeople, Backups: s.Backups, BackupKeys: s.BackupKeys,
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
	var level slog.Level
	if err := level.UnmarshalText([]byte(conf.Log.Level)); err != nil {
		return err
	}
	bound(conf.Limit.Memory)
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s, err := newServer(ctx, conf, log)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.serveAll(ctx)
}

// serveAll serves on each address that is set, until ctx is done.
func (s *server) serveAll(ctx context.Context) error {
	encrypt, plain, err := s.encryption()
	if err != nil {
		return err
	}
	s.encrypt = encrypt
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// The operator's listener outlives people's, to tell that they end.
	outlives, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var all []func() error
	for _, f := range []struct {
		address string
		serve   func(l net.Listener) error
	}{
		{s.Listen, func(l net.Listener) error { defer end(); return s.Serve(ctx, l) }},
		{s.Admin, func(l net.Listener) error { return serveHTTP(outlives, l, s.operator(), s.log) }},
		{s.Redirect, func(l net.Listener) error { return serveHTTP(outlives, l, plain, s.log) }},
	} {
		if f.address == "" {
			continue
		}
		l, err := net.Listen("tcp", f.address)
		if err != nil {
			return err
		}
		defer l.Close()
		all = append(all, func() error { return f.serve(l) })
	}
	s.log.Info("skrin serves", "base", s.Base, "listen", s.Listen, "admin", s.Admin)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, run := range all {
		wg.Go(func() {
			defer stop() // if one ends, all do
			errs[i] = run()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// readyCommand asks a node whether it is ready: for the health check of a container,
// in which there is nothing else that could ask.
type readyCommand struct {
	printed
	URL string `arg:"" default:"http://127.0.0.1:8080/readyz" help:"Where the node tells."`
}

// Run obeys kong.
func (c *readyCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", c.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.JSON {
		told := performed{URL: c.URL, Status: resp.StatusCode, Type: resp.Header.Get("Content-Type")}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if told.Body = string(text); err == nil {
			err = c.print(os.Stdout, told, "")
		}
		if err != nil {
			return err
		}
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", c.URL, resp.Status)
	}
	return nil
}

// keyCommand is about the keys of the server.
type keyCommand struct {
	New    newKeyCommand    `cmd:"" default:"1" help:"Print a new master key for serve --key-file."`
	Rotate keyRotateCommand `cmd:"" help:"Make new keys with which the server signs tokens and receipts; it does so by itself every 90 days."`
}

// newKeyCommand prints a master key.
type newKeyCommand struct{ printed }

// Run obeys kong.
func (c newKeyCommand) Run() error {
	key := strings.TrimSpace(newKey(false))
	return c.print(os.Stdout, map[string]string{"key": key}, key)
}
