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
	"time"
)

// serveCommand runs the server for real.
type serveCommand struct {
	Base    string `required:"" help:"Origin of every URL, like https://pod.example.se. A proxy in front ends TLS."`
	Listen  string `default:"127.0.0.1:8080" help:"Address to listen on."`
	Dir     string `required:"" help:"Directory in which everything is kept." type:"path"`
	KeyFile string `required:"" help:"File with the master key, as \"skrin key\" prints it." type:"path"`
	Proxied bool   `help:"Believe the last address in X-Forwarded-For: only behind a proxy that sets it, and then always, or all people share one limit of attempts."`
	EIDs    string `name:"eids" help:"Folder of eIDs to sign in by (.json)." type:"path"`
	Parties string `help:"Folder of registrations of authorities and consumers (.json)." type:"path"`
	Types   string `help:"Folder of evidence types (.json), instead of those that come with the program." type:"path"`
}

// Run obeys kong.
func (c *serveCommand) Run(ctx context.Context) error {
	key, err := readKey(c.KeyFile, false)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	s, err := newServer(ctx, config{Base: c.Base, Dir: c.Dir, Key: key, Parties: c.Parties, Types: c.Types, EIDs: c.EIDs, Proxied: c.Proxied, Token: 5 * time.Minute}, log)
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
