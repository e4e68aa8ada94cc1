// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/netutil"

	"skrin/auth"
)

// A front is how a handler is served on a listener. Its zero value is for the
// demo's parties.
type front struct {
	Limit  limitSettings // of headers, time and connections; what is zero has its standard
	TLS    *tls.Config   // nil for none
	Drain  time.Duration // how long it goes on when it is told to end
	Grace  time.Duration // how long what is under way may take then; 0 for 20 s
	Ending func()        // told at once when it is told to end; may be nil
	Conns  func(net.Conn, http.ConnState)
	Gave   func()      // told of each client that was given up; may be nil
	Full   func() bool // says that no new connections are taken; may be nil
}

// standardHeader is how large the header of a request may be.
const standardHeader size = 64 << 10

// serve serves h on l until ctx is done, and then lets what is under way end.
func (f front) serve(ctx context.Context, l net.Listener, h http.Handler, to *slog.Logger) error {
	if f.Limit.Connections > 0 {
		l = netutil.LimitListener(l, f.Limit.Connections)
	}
	if f.Full != nil {
		l = closing{l, f.Full}
	}
	srv := &http.Server{
		Handler:           deadlines(h, cmp.Or(f.Limit.Stall, stall), f.Gave),
		ReadHeaderTimeout: cmp.Or(f.Limit.HeaderTime, 10*time.Second),
		IdleTimeout:       cmp.Or(f.Limit.Idle, 2*time.Minute),
		MaxHeaderBytes:    int(cmp.Or(f.Limit.Header, standardHeader)),
		ErrorLog:          log.New(quiet{to}, "", 0),
		TLSConfig:         f.TLS,
		ConnState:         f.Conns,
	}
	ended := make(chan error, 1)
	failed, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		<-failed.Done()
		if f.Ending != nil && ctx.Err() != nil {
			f.Ending()
			time.Sleep(f.Drain)
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(f.Grace, 20*time.Second))
		defer cancel()
		ended <- srv.Shutdown(grace)
	}()
	var err error
	if f.TLS != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		stop()
		return errors.Join(err, <-ended)
	}
	return <-ended
}

// A quiet logger passes on what net/http says, without the addresses of clients
// that stand in it. Panics are failures of ours; the rest is for debugging.
type quiet struct{ log *slog.Logger }

// Write implements io.Writer.
func (q quiet) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if rest, ok := strings.CutPrefix(text, "http: panic serving "); ok {
		_, rest, _ = strings.Cut(rest, ": ")
		q.log.Error("panic", "error", rest)
		return len(line), nil
	}
	q.log.Debug("connection", "error", text[strings.LastIndex(text, ": ")+1:])
	return len(line), nil
}

// serveHTTP serves h on l as what is zero in a front says.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	return front{}.serve(ctx, l, h, log)
}

// A certificate is read from files, and again when they have changed.
type certificate struct {
	tlsSettings
	log   *slog.Logger
	told  func(ends time.Time)
	every time.Duration // how often the files are looked at

	mu     sync.Mutex
	looked time.Time
	stamp  [2]time.Time // when the files were changed
	loaded *tls.Certificate
}

// newCertificate reads it the first time.
func newCertificate(c tlsSettings, log *slog.Logger, told func(ends time.Time)) (*certificate, error) {
	f := &certificate{tlsSettings: c, log: log, told: told, every: 10 * time.Second}
	return f, f.load()
}

func (f *certificate) load() error {
	f.looked = time.Now()
	var stamp [2]time.Time
	for i, name := range []string{f.Cert, f.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		stamp[i] = info.ModTime()
	}
	if f.loaded != nil && stamp == f.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Cert, err)
	}
	f.loaded, f.stamp = &pair, stamp
	f.told(pair.Leaf.NotAfter)
	return nil
}

// get is for tls.Config. A pair that can't be read, as when one of the two files
// has been replaced and the other not yet, leaves the former in use.
func (f *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= f.every {
		if err := f.load(); err != nil {
			f.log.Error("the TLS certificate can't be read anew", "error", err)
		}
	}
	return f.loaded, nil
}

// encryption returns how people's connections are encrypted, and what answers
// plain http: a redirect, and ACME's challenges.
//
// Why autocert and not certmagic (2026-11): with certmagic the binary would pass
// its 40 MB, and what it has more (other challenges, its own clustering) isn't
// needed for two hosts whose certificates are kept with all other records.
func (s *server) encryption() (*tls.Config, http.Handler, error) {
	var plain http.Handler = http.HandlerFunc(s.sendOn)
	switch {
	case s.TLS.Cert != "":
		f, err := newCertificate(s.TLS, s.log, func(ends time.Time) { s.guard.m.certificate.Set(float64(ends.Unix())) })
		return &tls.Config{GetCertificate: f.get, MinVersion: tls.VersionTLS12}, plain, err
	case s.TLS.ACME != "":
		var hosts []string
		for _, origin := range []string{s.Base, s.Apart} {
			if u, err := url.Parse(origin); err == nil && u.Host != "" {
				hosts = append(hosts, u.Hostname())
			}
		}
		m := &autocert.Manager{
			Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(hosts...), Email: s.TLS.Mail, Cache: certificates{s.records},
		}
		if s.TLS.ACME != "letsencrypt" {
			m.Client = &acme.Client{DirectoryURL: s.TLS.ACME}
		}
		c := m.TLSConfig()
		c.MinVersion = tls.VersionTLS12
		return c, m.HTTPHandler(plain), nil
	}
	return nil, plain, nil
}

// sendOn sends who comes by plain http to the base URL, with 301 as the Solid
// Protocol has it (section 2.1). What was sent by plain http is not to be sent
// again by itself, so that 308 would be no better.
func (s *server) sendOn(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, s.Base+r.URL.RequestURI(), http.StatusMovedPermanently)
}

// certificates keeps what ACME gave among the records, sealed, and so for all
// nodes of a cluster.
type certificates struct{ auth.Records }

const certificateKind = "acme"

// Get implements autocert.Cache.
func (c certificates) Get(ctx context.Context, name string) ([]byte, error) {
	r, err := c.Load(ctx, certificateKind, name)
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, autocert.ErrCacheMiss
	}
	return r.Value, err
}

// Put implements autocert.Cache.
func (c certificates) Put(ctx context.Context, name string, value []byte) error {
	const tries = 3 // nodes may write at once
	var err error
	for range tries {
		var old auth.Record
		if old, err = c.Load(ctx, certificateKind, name); err != nil && !errors.Is(err, auth.ErrNoRecord) {
			return err
		}
		err = c.Save(ctx, certificateKind, name, auth.Record{Value: value, Until: time.Now().AddDate(1, 0, 0), Version: old.Version})
		if !errors.Is(err, auth.ErrChanged) {
			break
		}
	}
	return err
}

// Delete implements autocert.Cache.
func (c certificates) Delete(ctx context.Context, name string) error {
	return c.Records.Delete(ctx, certificateKind, name)
}
