// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"skrin/ldp"
	"skrin/pod/store"
)

// A metrics is what the operator sees of the server in numbers. No label names a
// person, a pod, a WebID or an address.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	underWay    prometheus.Gauge
	refusals    *prometheus.CounterVec
	bulk        *prometheus.CounterVec
	store       *prometheus.HistogramVec
	storeErrors *prometheus.CounterVec
	certificate prometheus.Gauge
	stalled     prometheus.Counter
	parked      prometheus.Counter
}

// What refuses a request before it is answered: the values of the label limit.
const (
	byAddress     = "address"
	byTogether    = "address-requests"
	byRequests    = "requests"
	byMemory      = "memory"
	byClient      = "client"
	byPod         = "pod"
	byBulk        = "bulk"
	byQuota       = "quota"
	bySize        = "body"
	byRegistering = "registrations"
	byNumbers     = "numbers"
	byLogins      = "logins"
	byOAuth       = "oauth"
	byLookups     = "lookups"
	byCostly      = "costly"
)

// newMetrics makes the metrics, all at zero.
func newMetrics() *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	histograms := func(name, help, label string, from float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(from, 2.5, 12)}, []string{label})
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counters("skrin_requests_total", "Requests that were answered.", "route", "method", "status"),
		seconds:     histograms("skrin_request_seconds", "Time from a request's header to the end of its answer.", "route", 0.0005),
		underWay:    gauge("skrin_requests_under_way", "Requests that are being answered."),
		refusals:    counters("skrin_refusals_total", "Requests that a limit refused.", "limit"),
		bulk:        counters("skrin_bulk_reads_total", "Reads that were refused because a party read more than its profile.", "party"),
		store:       histograms("skrin_store_seconds", "Time of a transaction, with its commit and its retries.", "do", 0.00002),
		storeErrors: counters("skrin_store_errors_total", "Transactions that failed for a reason of the store's own.", "do"),
		certificate: gauge("skrin_certificate_ends_seconds", "When the TLS certificate that was read from files ends, in seconds since 1970; 0 without."),
		stalled:     prometheus.NewCounter(prometheus.CounterOpts{Name: "skrin_stalled_total", Help: "Answers that were given up because the client took or sent too little."}),
		parked:      prometheus.NewCounter(prometheus.CounterOpts{Name: "skrin_webhooks_parked_total", Help: "Webhooks of subscribers that are called no more, since they failed too long or said that they are gone."}),
	}
	for _, limit := range []string{byAddress, byTogether, byRequests, byMemory, byClient, byPod, byBulk, byQuota, bySize, byRegistering, byNumbers, byLogins, byOAuth, byLookups, byCostly} {
		m.refusals.WithLabelValues(limit)
	}
	for _, do := range []string{"view", "update", "create"} {
		m.storeErrors.WithLabelValues(do)
	}
	m.registry.MustRegister(m.requests, m.seconds, m.underWay, m.refusals, m.bulk, m.store, m.storeErrors, m.certificate, m.stalled, m.parked,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "skrin_build_info", Help: "1; the labels say which build this is."}, []string{"version", "go"})
	if info, ok := debug.ReadBuildInfo(); ok {
		build.WithLabelValues(info.Main.Version, info.GoVersion).Set(1)
	}
	m.registry.MustRegister(build)
	return m
}

// watchConnections adds how many connections are open, counted when asked.
func (m *metrics) watchConnections(open *atomic.Int64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "skrin_connections", Help: "Connections that are open, without those of WebSockets: skrin_streams has them."}, func() float64 { return float64(open.Load()) }))
}

// watchTurns adds how many costly documents are worked on, counted when asked.
func (m *metrics) watchTurns(t *ldp.Turns) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "skrin_costly_under_way", Help: "Large documents in JSON-LD that are being read."}, func() float64 { return float64(t.Busy()) }))
}

// watchOutbox adds how many pods have something that is due, counted when asked.
func (m *metrics) watchOutbox(s store.Store, now func() time.Time) {
	const most = 1000
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "skrin_outbox_pods", Help: "Pods with notifications or sweeps that are due, at most 1000; -1 if the store doesn't say.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		ids, err := s.Due(ctx, now(), most)
		if err != nil {
			return -1
		}
		return float64(len(ids))
	}))
}

// watchChannels adds how many streams and calls of subscribers go on, counted when
// asked.
func (m *metrics) watchChannels(streams, calls func() int) {
	gauge := func(name, help string, n func() int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(n()) }))
	}
	gauge("skrin_streams", "Streams of notifications to which a subscriber is connected.", streams)
	gauge("skrin_webhook_calls", "Webhooks of subscribers that are being called.", calls)
}

// served counts a request that was answered.
func (m *metrics) served(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, knownMethod(method), classOf(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
	switch ldp.Kind(status) {
	case ldp.Full:
		m.refusals.WithLabelValues(byQuota).Inc()
	case ldp.TooLarge:
		m.refusals.WithLabelValues(bySize).Inc()
	}
}

func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE":
		return method
	}
	return "other"
}

func classOf(status int) string {
	switch status / 100 {
	case 1, 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	}
	return "5xx"
}

// routes are the templates by which requests are counted and logged, with the
// beginnings of the paths that they stand for; the first that fits holds.
var routeTable = []struct{ begins, route string }{
	{"/me/", "/me/"},
	{"/w/", "/w/{space}/"},
	{"/.oidc/token", "/.oidc/token"},
	{"/.oidc/par", "/.oidc/par"},
	{"/.oidc/auth", "/.oidc/authorize"},
	{"/.oidc/reg", "/.oidc/register"},
	{"/.oidc/", "/.oidc/"},
	{"/.well-known/", "/.well-known/"},
	{"/.notifications/", "/.notifications/"},
	{"/.parties/", "/.parties/"},
	{"/.admin/", "/.admin/"},
	{"/.status/", "/.status/"},
	{"/.identities/", "/.identities/"},
	{"/ns/", "/ns/"},
	{"/healthz", "/healthz"},
	{"/readyz", "/readyz"},
	{"/favicon.ico", "/favicon.ico"},
	{"/.", "/.other"},
}

// routeOf returns the template of a path. It says nothing about whose pod it is.
func routeOf(path string) string {
	for _, r := range routeTable {
		if strings.HasPrefix(path, r.begins) {
			return r.route
		}
	}
	switch path {
	case "/":
		return "/"
	case "/me":
		return "/me/"
	}
	return "/{pod}/"
}

// A meteredStore is a store.Store that is timed.
type meteredStore struct {
	store.Store
	m      *metrics
	traces *traces
}

// A measured transaction is one that is timed, in the span that end ends.
type measured struct {
	ctx   context.Context
	began time.Time
	end   func()
	own   error // of what it runs
}

func (s meteredStore) begin(ctx context.Context, do string) *measured {
	m := &measured{began: time.Now()}
	m.ctx, m.end = s.traces.span(ctx, do)
	return m
}

func (s meteredStore) ended(m *measured, do string, err error) error {
	m.end()
	s.m.store.WithLabelValues(do).Observe(time.Since(m.began).Seconds())
	if err != nil && !errors.Is(err, m.own) && !errors.Is(err, store.ErrNoPod) && !errors.Is(err, store.ErrTaken) && m.ctx.Err() == nil {
		s.m.storeErrors.WithLabelValues(do).Inc()
	}
	return err
}

// View implements store.Store.
func (s meteredStore) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	m := s.begin(ctx, "store view")
	return s.ended(m, "view", s.Store.View(m.ctx, name, func(tx store.Tx) error { m.own = fn(tx); return m.own }))
}

// Update implements store.Store.
func (s meteredStore) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	m := s.begin(ctx, "store update")
	return s.ended(m, "update", s.Store.Update(m.ctx, name, func(tx store.Tx) error { m.own = fn(tx); return m.own }))
}

// Create implements store.Store.
func (s meteredStore) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	m := s.begin(ctx, "store create")
	return s.ended(m, "create", s.Store.Create(m.ctx, id, func(tx store.Tx) error { m.own = fn(tx); return m.own }))
}

// A together bounds how much goes on at once, by key.
type together struct {
	most int // 0 for no bound
	mu   sync.Mutex
	n    map[string]int
}

// enter says whether one more may begin; if so, leave must follow.
func (t *together) enter(key string) bool {
	if t.most == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	if t.n[key] >= t.most {
		return false
	}
	t.n[key]++
	return true
}

func (t *together) leave(key string) {
	if t.most == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[key]--; t.n[key] <= 0 {
		delete(t.n, key)
	}
}
