// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// stall is how long one read of a request's body, or one write of an answer, may
// take. A body of any length is taken and sent as long as it moves: a client that
// takes less than 32 kB in that time is given up.
const stall = time.Minute

// deadlines gives each read and each write of h a deadline of its own, in place
// of one for all of a request, which would cut long downloads.
// gave, which may be nil, is told of each client that is given up.
func deadlines(h http.Handler, each time.Duration, gave func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		sends := r.Body != http.NoBody
		if sends {
			r.Body = &patientBody{r.Body, c, each, gave}
		}
		h.ServeHTTP(&patientWriter{w, c, each, gave, 0}, r)
		// What the server itself still has to send, and what is left of the body,
		// which it reads to use the connection again.
		_ = c.SetWriteDeadline(time.Now().Add(each))
		if sends {
			_ = c.SetReadDeadline(time.Now().Add(each))
		}
	})
}

type patientBody struct {
	io.ReadCloser
	c    *http.ResponseController
	each time.Duration
	gave func()
}

// Read implements io.Reader. Where no deadline can be set, there is none.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.c.SetReadDeadline(time.Now().Add(b.each))
	n, err := b.ReadCloser.Read(p)
	late(err, b.gave)
	if err == io.EOF { // the deadline must not end the request
		_ = b.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

type patientWriter struct {
	http.ResponseWriter
	c     *http.ResponseController
	each  time.Duration
	gave  func()
	since int // bytes written since a deadline was set
}

// heldBack is how much net/http holds back at least: so much can be written without
// anything being sent.
const heldBack = 2 << 10

// Write implements io.Writer, in parts that a slow client can take in time.
func (w *patientWriter) Write(p []byte) (int, error) {
	const part = 32 << 10
	n := 0
	for {
		now := p[n:min(len(p), n+part)]
		if w.since += len(now); w.since >= heldBack {
			w.since = len(now)
			_ = w.c.SetWriteDeadline(time.Now().Add(w.each))
		}
		m, err := w.ResponseWriter.Write(now)
		late(err, w.gave)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is for http.ResponseController: what was held back is sent now.
func (w *patientWriter) FlushError() error {
	w.since = 0
	_ = w.c.SetWriteDeadline(time.Now().Add(w.each))
	err := w.c.Flush()
	late(err, w.gave)
	return err
}

// Flush implements http.Flusher.
func (w *patientWriter) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// late tells gave if a deadline has passed.
func late(err error, gave func()) {
	if err != nil && gave != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		gave()
	}
}
