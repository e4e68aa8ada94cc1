// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"skrin/auth"
	"skrin/pod/store"
)

// A readiness tells whether the server can answer: "ok", or what each of the
// things that it depends on says. It asks them at most once a second, however
// often it is asked itself.
type readiness struct {
	probes   map[string]func(context.Context) error
	draining atomic.Bool // told to end

	mu     sync.Mutex
	asked  time.Time
	found  map[string]string
	failed bool
}

// probeTime is how long a dependency may take to say that it is there.
const probeTime = 3 * time.Second

// newReadiness looks for what isn't there, where all is kept.
func newReadiness(s *chest) *readiness {
	unless := func(err, fine error) error {
		if errors.Is(err, fine) {
			return nil
		}
		return err
	}
	return &readiness{probes: map[string]func(context.Context) error{
		"store": func(ctx context.Context) error {
			return unless(s.engine.View(ctx, "id/-", func(store.Tx) error { return nil }), store.ErrNoPod)
		},
		"keys": func(ctx context.Context) error {
			_, err := s.kept.keys.Load(ctx, "probe", "-")
			return unless(err, auth.ErrNoRecord)
		},
		"blobs": func(ctx context.Context) error {
			r, err := s.kept.blobs.Open(ctx, "-", strings.Repeat("0", 64))
			if err == nil {
				return r.Close()
			}
			return unless(err, store.ErrNoBlob)
		},
	}}
}

// look asks each dependency, all at once.
func (d *readiness) look(ctx context.Context) (found map[string]string, failed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.asked) < time.Second {
		return d.found, d.failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	errs := map[string]*error{}
	var wg sync.WaitGroup
	for name, probe := range d.probes {
		err := new(error)
		errs[name] = err
		wg.Go(func() { *err = probe(ctx) })
	}
	wg.Wait()
	d.asked, d.found, d.failed = time.Now(), map[string]string{}, false
	for name, err := range errs {
		d.found[name] = "ok"
		if *err != nil {
			d.found[name], d.failed = "down", true
		}
	}
	return d.found, d.failed
}

// ServeHTTP answers 200 when requests can be answered, else 503; and what is down.
func (d *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, failed := d.look(r.Context())
	status := "ok"
	switch {
	case failed:
		status = "down"
	case d.draining.Load():
		status, failed = "ending", true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if failed {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "depends_on": found}) // the client may have hung up
}

// operator returns what is served to the operator alone, on a listener of its own.
func (s *server) operator() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.guard.m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /healthz", nothing)
	mux.Handle("GET /readyz", s.ready)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
