// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// The traces are OpenTelemetry spans of requests, and in them of the store's
// transactions. They carry the route's template, the method and the status, and
// nothing of what was asked for or by whom. They are sent by OTLP over HTTP, as
// JSON (opentelemetry-proto, "JSON Protobuf Encoding"). A nil *traces traces nothing.
//
// Why not OpenTelemetry's SDK (2026-11): with its exporter, which brings gRPC, it
// is 3 MB, and without it 1 MB, with which the binary is larger than the 40 MB that
// it may have. What is traced here is two kinds of spans, in a format that doesn't
// change. We gave up: other exporters, propagation, and sampling by others.
type traces struct {
	traceSettings
	log   *slog.Logger
	http  *http.Client
	queue chan otlpSpan
	flush chan chan struct{}
	stop  chan struct{}
	ended chan struct{}
}

const (
	spansAtOnce = 512
	spansWait   = 2048 // what comes when so many wait is lost
)

// newTraces returns nil where no collector is named.
func newTraces(c traceSettings, log *slog.Logger) *traces {
	if c.Endpoint == "" {
		return nil
	}
	t := &traces{c, log, &http.Client{Timeout: 10 * time.Second}, make(chan otlpSpan, spansWait), make(chan chan struct{}), make(chan struct{}), make(chan struct{})}
	go t.run()
	return t
}

// run sends what is queued, until Close.
func (t *traces) run() {
	defer close(t.ended)
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	var all []otlpSpan
	send := func() {
		if len(all) > 0 {
			if err := t.send(all); err != nil {
				t.log.Warn("traces were not sent", "error", err)
			}
			all = nil
		}
	}
	rest := func() {
		for len(t.queue) > 0 {
			all = append(all, <-t.queue)
		}
		send()
	}
	for {
		select {
		case <-t.stop:
			rest()
			return
		case s := <-t.queue:
			if all = append(all, s); len(all) >= spansAtOnce {
				send()
			}
		case <-every.C:
			send()
		case done := <-t.flush:
			rest()
			close(done)
		}
	}
}

// Close sends what is left. What ends afterwards is lost.
func (t *traces) Close() error {
	if t != nil {
		close(t.stop)
		<-t.ended
	}
	return nil
}

// A spanKey finds the span in a context.
type spanKey struct{}

func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// sampled says whether to trace a request.
func (t *traces) sampled() bool {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	return err == nil && float64(n.Int64()) < t.Share*1_000_000
}

// request begins the span of a request. What a stranger says of a trace that it
// belongs to isn't believed: it would decide what is traced here.
func (t *traces) request(r *http.Request, route string) (*http.Request, func(status int)) {
	if t == nil || !t.sampled() {
		return r, func(int) {}
	}
	method := knownMethod(r.Method)
	s := &otlpSpan{Trace: random(16), ID: random(8), Name: method + " " + route, Kind: 2, Start: nanos(time.Now())}
	return r.WithContext(context.WithValue(r.Context(), spanKey{}, s)), func(status int) {
		s.Attributes = []otlpAttribute{
			{"http.route", otlpValue{String: route}}, {"http.request.method", otlpValue{String: method}},
			{"http.response.status_code", otlpValue{Int: strconv.Itoa(status)}},
		}
		if status >= 500 {
			s.Status.Code = 2
		}
		t.done(*s)
	}
}

// span begins a span within that of ctx, if there is one.
func (t *traces) span(ctx context.Context, name string) (context.Context, func()) {
	if t == nil {
		return ctx, func() {}
	}
	within, ok := ctx.Value(spanKey{}).(*otlpSpan)
	if !ok {
		return ctx, func() {}
	}
	s := otlpSpan{Trace: within.Trace, ID: random(8), Parent: within.ID, Name: name, Kind: 1, Start: nanos(time.Now())}
	return ctx, func() { t.done(s) }
}

// done queues a span that has ended, and never waits.
func (t *traces) done(s otlpSpan) {
	s.End = nanos(time.Now())
	select {
	case t.queue <- s:
	default:
	}
}

type otlpValue struct {
	String string `json:"stringValue,omitempty"`
	Int    string `json:"intValue,omitempty"`
}

type otlpAttribute struct {
	Key   string    `json:"key"`
	Value otlpValue `json:"value"`
}

type otlpSpan struct {
	Trace      string          `json:"traceId"`
	ID         string          `json:"spanId"`
	Parent     string          `json:"parentSpanId,omitempty"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
	Status     struct {
		Code int `json:"code,omitempty"`
	} `json:"status"`
}

// send sends spans to the collector.
func (t *traces) send(all []otlpSpan) error {
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": []otlpAttribute{{"service.name", otlpValue{String: "skrin"}}}},
		"scopeSpans": []any{map[string]any{"scope": map[string]string{"name": "skrin"}, "spans": all}},
	}}})
	if err != nil {
		return err
	}
	resp, err := t.http.Post(t.Endpoint, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", resp.Status)
	}
	return nil
}
