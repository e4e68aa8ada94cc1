// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// drivers is where the programs are that drive Chromium.
const drivers = "../../fixtures/browser"

// TestChromium lives the main job, and the unhappy ways, in a real browser. Each
// program in fixtures/browser has a demo of its own.
func TestChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("a real browser takes its time")
	}
	needBrowser(t)
	for name, args := range map[string][]string{
		"journey/phone":               {"journey.mjs", "320"},
		"journey/phone, no scripts":   {"journey.mjs", "320", "plain"},
		"journey/desktop":             {"journey.mjs", "1280"},
		"journey/desktop, no scripts": {"journey.mjs", "1280", "plain"},
		"journey/keyboard":            {"journey.mjs", "1280", "keyboard"},
		"journey/bokmål":              {"journey.mjs", "320", "nb"},
		"journey/nynorsk":             {"journey.mjs", "320", "nn"},
		"journey/English":             {"journey.mjs", "1280", "en"},
		"unhappy":                     {"unhappy.mjs"},
		"own":                         {"own.mjs"},
		"own, no scripts":             {"own.mjs", "plain"},
		"pages":                       {"pages.mjs"},
		"passkey":                     {"passkey.mjs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drive(t, startDemo(t, t.TempDir()), 9*time.Minute, args...)
		})
	}
	t.Run("kompetansespor", func(t *testing.T) {
		t.Parallel()
		drive(t, startTrail(t, t.TempDir()), 3*time.Minute, "kompetansespor.mjs")
	})
}

// TestScreenshots writes pictures of every page into a folder, for people to
// look at, if SKRIN_SCREENSHOTS names one (in fixtures/browser): only of the stops
// whose names SKRIN_STOPS finds, a regular expression, and only as SKRIN_VIEWS says,
// like "sv.phone.dark nb.desktop".
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SKRIN_SCREENSHOTS")
	if folder == "" {
		t.Skip("SKRIN_SCREENSHOTS names no folder: run make screenshots")
	}
	needBrowser(t)
	drive(t, startDemo(t, t.TempDir()), 25*time.Minute, "screenshots.mjs", folder, os.Getenv("SKRIN_STOPS"), os.Getenv("SKRIN_VIEWS"))
}

// needBrowser ends the test where there is no browser: as a failure where all
// tests are wanted.
func needBrowser(t *testing.T) {
	t.Helper()
	for _, file := range []string{"/usr/bin/chromium", "/usr/bin/node", drivers + "/node_modules/playwright-core", drivers + "/node_modules/axe-core"} {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if os.Getenv("SKRIN_TEST_ALL") != "" {
			t.Fatalf("%s is missing: run fixtures/browser/install.sh", file)
		}
		t.Skipf("%s is missing: run fixtures/browser/install.sh", file)
	}
}

// drive runs a driver against a demo, and each of its steps as a test.
func drive(t *testing.T, r *running, limit time.Duration, args ...string) {
	t.Helper()
	held := &held{next: r.notices.Client.Transport, gate: make(chan struct{})}
	t.Cleanup(held.open)
	r.notices.Client.Transport = held // before anything is there to notify of
	driveAt(t, limit, r.origins[:], held, args...)
	if t.Failed() {
		t.Logf("log of the demo:\n%s", r.log)
	}
}

// driveAt runs a driver against the servers of origins.
func driveAt(t *testing.T, limit time.Duration, origins []string, held *held, args ...string) {
	t.Helper()
	tmp, err := os.MkdirTemp("", "skrin") // short: Chromium makes a socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/node", args...)
	cmd.Dir = drivers
	cmd.Env = append(os.Environ(), "SKRIN_ORIGINS="+strings.Join(origins, " "), "TMPDIR="+tmp, "HOME="+tmp, "XDG_CONFIG_HOME="+tmp, "XDG_CACHE_HOME="+tmp)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends its browser
	cmd.WaitDelay = 10 * time.Second
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		told(t, lines.Bytes(), held)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", args[0], err, trouble.String())
	}
}

// told takes a line of a driver's.
func told(t *testing.T, line []byte, held *held) {
	var says struct {
		Name, Detail string
		OK, Deliver  bool
		MS           int
	}
	switch err := json.Unmarshal(line, &says); {
	case err != nil:
		t.Errorf("the driver says %q", line)
	case says.Deliver:
		held.open()
	default:
		t.Run(says.Name, func(t *testing.T) {
			if t.Logf("%s (%d ms)", says.Detail, says.MS); !says.OK {
				t.Fail()
			}
		})
	}
}

// held keeps notifications back, for as long as a driver looks at the page on
// which a person waits.
type held struct {
	next http.RoundTripper
	gate chan struct{}
	once sync.Once
}

func (h *held) open() { h.once.Do(func() { close(h.gate) }) }

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	<-h.gate
	return h.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}
