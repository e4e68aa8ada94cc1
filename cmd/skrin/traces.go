// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The traces are spans of requests, and in them of the store's transactions. They
// carry the route's template, the method and the status, and nothing of what was
// asked for or by whom. A nil *traces traces nothing.
type traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// newTraces returns nil where no collector is named.
func newTraces(c traceSettings, log *slog.Logger) *traces {
	if c.Endpoint == "" {
		return nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces were not sent", "error", err) }))
	p := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.TraceIDRatioBased(c.Share)),
		sdk.WithBatcher(&otlp{url: c.Endpoint, http: &http.Client{Timeout: 10 * time.Second}}, sdk.WithMaxQueueSize(2048)),
	)
	return &traces{p, p.Tracer("skrin")}
}

// Close sends what is left.
func (t *traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// request begins the span of a request. What a stranger says of a trace that it
// belongs to isn't believed: it would decide what is traced here.
func (t *traces) request(r *http.Request, route string) (*http.Request, func(status int)) {
	if t == nil {
		return r, func(int) {}
	}
	method := knownMethod(r.Method)
	ctx, span := t.tracer.Start(r.Context(), method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.route", route), attribute.String("http.request.method", method)))
	return r.WithContext(ctx), func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// span begins a span within that of ctx, if there is one.
func (t *traces) span(ctx context.Context, name string) (context.Context, func()) {
	if t == nil {
		return ctx, func() {}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, func() { span.End() }
}

// An otlp sends spans by OTLP over HTTP, as JSON (opentelemetry-proto, OTLP/HTTP,
// "JSON Protobuf Encoding").
//
// Why not otlptracehttp (2026-11): it brings gRPC and its protocol buffers, 2.3 MB,
// with which the binary would be larger than the 40 MB that it may have. All that
// is sent here is the forty lines below, of a format that doesn't change.
type otlp struct {
	url  string
	http *http.Client
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

func otlpSpanOf(s sdk.ReadOnlySpan) otlpSpan {
	nanos := func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
	out := otlpSpan{
		Trace: s.SpanContext().TraceID().String(), ID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
		Start: nanos(s.StartTime()), End: nanos(s.EndTime()),
	}
	if s.Parent().IsValid() {
		out.Parent = s.Parent().SpanID().String()
	}
	for _, a := range s.Attributes() {
		v := otlpValue{String: a.Value.AsString()}
		if a.Value.Type() == attribute.INT64 {
			v = otlpValue{Int: strconv.FormatInt(a.Value.AsInt64(), 10)}
		}
		out.Attributes = append(out.Attributes, otlpAttribute{string(a.Key), v})
	}
	if s.Status().Code == codes.Error {
		out.Status.Code = 2
	}
	return out
}

// ExportSpans implements sdk.SpanExporter.
func (o *otlp) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	var all []otlpSpan
	for _, s := range spans {
		all = append(all, otlpSpanOf(s))
	}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": []otlpAttribute{{"service.name", otlpValue{String: "skrin"}}}},
		"scopeSpans": []any{map[string]any{"scope": map[string]string{"name": "skrin"}, "spans": all}},
	}}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.http.Do(req)
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

// Shutdown implements sdk.SpanExporter.
func (o *otlp) Shutdown(context.Context) error { return nil }
