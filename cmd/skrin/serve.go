// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// serveOptions say what is served. Secrets come from files, or from the
// environment, and never from the command line, which others can see.
type serveOptions struct {
	Base      string `help:"(required) Origin of every URL, like https://pod.example.se. A proxy in front ends TLS."`
	Apart     string `name:"pod-origin" env:"SKRIN_POD_ORIGIN" help:"Another host, like https://skrin-data.example, on which browsers are shown what is in pods, so that hostile content never meets the pages of people: best a domain of its own. The proxy sends it here too, with its Host."`
	Dir       string `help:"(required) Directory in which everything is kept; in a cluster, what passes through." type:"path"`
	KeyFile   string `help:"(required) File with the master key, as \"skrin key\" prints it." type:"path"`
	Proxied   bool   `help:"Believe the last address in X-Forwarded-For: only behind a proxy that sets it, and then always, or all people share one limit of attempts."`
	EIDs      string `name:"eids" help:"Folder of eIDs to sign in by (.json)." type:"path"`
	Parties   string `help:"Folder of registrations of authorities and consumers (.json)." type:"path"`
	Operators string `help:"Folder of operators who may register parties over HTTP (.json); without one nobody can." type:"path"`
	Steps     string `help:"File that says what needs which level of assurance (.json): an object from an action to the levels that are enough." type:"path"`
	Types     string `help:"Folder of evidence types (.json), instead of those that come with the program." type:"path"`

	PodKeyFile []string `help:"Files with master keys of the pods' keys, the one to use first. Without, one is derived from the master key. To rotate: put a new one first, run \"skrin rotate\", take the old one away." type:"path"`

	Postgres             string `help:"URL of a cluster's database, like postgres://skrin@db/skrin."`
	PostgresKeys         string `help:"URL of the database of the pods' keys, to be backed up apart. Without, the same."`
	PostgresPasswordFile string `help:"File with the database's password; else SKRIN_POSTGRES_PASSWORD." type:"path"`
	S3                   string `name:"s3" help:"URL of a cluster's bucket, like https://s3.example.se/skrin."`
	S3Region             string `name:"s3-region" help:"The bucket's region."`
	S3KeyFile            string `name:"s3-key-file" help:"File with the bucket's access key and, on the next line, secret key; else SKRIN_S3_ACCESS_KEY and SKRIN_S3_SECRET_KEY." type:"path"`
}

// config reads the files.
func (c *serveOptions) config() (config, error) {
	if c.Base == "" || c.Dir == "" || c.KeyFile == "" {
		return config{}, errors.New("--base, --dir and --key-file are all needed")
	}
	key, err := readKey(c.KeyFile, false)
	if err != nil {
		return config{}, err
	}
	password, err := secret(c.PostgresPasswordFile, "SKRIN_POSTGRES_PASSWORD")
	if err != nil {
		return config{}, err
	}
	pair, err := secret(c.S3KeyFile, "SKRIN_S3_ACCESS_KEY", "SKRIN_S3_SECRET_KEY")
	if err != nil {
		return config{}, err
	}
	access, hidden, _ := strings.Cut(pair, "\n")
	k := keep{
		Postgres: c.Postgres, PostgresKeys: c.PostgresKeys, PostgresPassword: password,
		S3: c.S3, S3Region: c.S3Region, S3Access: strings.TrimSpace(access), S3Secret: strings.TrimSpace(hidden),
	}
	for _, file := range c.PodKeyFile {
		key, err := readKey(file, false)
		if err != nil {
			return config{}, err
		}
		k.PodKeys = append(k.PodKeys, key)
	}
	return config{Base: c.Base, Apart: c.Apart, Dir: c.Dir, Key: key, Parties: c.Parties, Operators: c.Operators, Steps: c.Steps, Types: c.Types, EIDs: c.EIDs, Proxied: c.Proxied, Token: 5 * time.Minute, keep: k}, nil
}

// secret reads a file, or where there is none the environment, a line for each.
func secret(file string, names ...string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return strings.TrimSpace(string(b)), err
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, os.Getenv(name))
	}
	return strings.Join(lines, "\n"), nil
}

// serveCommand runs the server for real.
type serveCommand struct {
	serveOptions `embed:""`
	Listen       string `default:"127.0.0.1:8080" help:"Address to listen on."`
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
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	log.Info("skrin serves", "base", c.Base, "listen", l.Addr().String())
	return s.Serve(ctx, l)
}

// readyCommand asks a node whether it is ready: for the health check of a container,
// in which there is nothing else that could ask.
type readyCommand struct {
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
	if resp.StatusCode != http.StatusNoContent {
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
type newKeyCommand struct{}

// Run obeys kong.
func (newKeyCommand) Run() error {
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
