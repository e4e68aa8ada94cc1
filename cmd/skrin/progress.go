// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A printed command says what came of it as a text, or as one line of JSON.
type printed struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

// print writes to out what came of a command: answer as JSON, or else the text.
func (p printed) print(out io.Writer, answer any, text string) error {
	if p.JSON {
		return json.NewEncoder(out).Encode(answer)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// A pace is how far long work has come.
type pace struct {
	Done int64  `json:"done"`
	Of   int64  `json:"of,omitempty"` // 0 if it isn't known
	Unit string `json:"unit"`         // "pods", "keys", "bytes" …
}

// String draws it, in at most 60 columns.
func (s pace) String() string {
	const width = 24
	done, of, unit := s.Done, s.Of, s.Unit
	if unit == "bytes" {
		done, of, unit = done>>20, of>>20, "MB"
	}
	if s.Of <= 0 {
		return fmt.Sprintf("%d %s", done, unit)
	}
	part := min(max(s.Done, 0), s.Of)
	full := int(part * width / s.Of)
	return fmt.Sprintf("[%s%s] %3d %%  %d of %d %s", strings.Repeat("#", full), strings.Repeat("-", width-full), part*100/s.Of, done, of, unit)
}

// A bar shows on a terminal how far long work has come, on one line that is gone
// when it ends. Elsewhere it shows nothing.
type bar struct {
	out   io.Writer // nil for nothing
	every time.Duration
	last  time.Time
}

// newBar returns a bar on standard error, if that is a terminal and nobody wants
// it quiet.
func newBar(quiet bool) *bar {
	if quiet || !isTerminal(os.Stderr) {
		return &bar{}
	}
	return &bar{out: os.Stderr, every: 100 * time.Millisecond}
}

// isTerminal says whether a person looks at what is written to f, or types what is read.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	nothing, err2 := os.Stat(os.DevNull)
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && (err2 != nil || !os.SameFile(info, nothing))
}

// show draws a step; of many that come fast, some.
func (b *bar) show(s pace) {
	if b.out == nil || time.Since(b.last) < b.every {
		return
	}
	b.last = time.Now()
	fmt.Fprintf(b.out, "\r%s\x1b[K", s)
}

// end wipes the line.
func (b *bar) end() {
	if b.out != nil && !b.last.IsZero() {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// A counter tells of the bytes that pass through it.
type counter struct {
	r    io.Reader // or
	w    io.Writer
	done int64
	of   int64 // 0 or less if it isn't known
	told func(pace)
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.add(n)
	return n, err
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.add(n)
	return n, err
}

func (c *counter) add(n int) {
	c.done += int64(n)
	c.told(pace{c.done, max(c.of, 0), "bytes"})
}
