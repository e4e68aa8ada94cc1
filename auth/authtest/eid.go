// SPDX-License-Identifier: EUPL-1.2

package authtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An EID plays an eID: oidc-provider from npm, an OpenID provider that isn't ours.
type EID struct {
	Issuer string
	t      testing.TB
	talk   *json.Encoder
	lines  *bufio.Scanner
}

// StartEID starts an eID, as fixtures/clients/eid.js takes its config, until the
// test ends. dir is fixtures/clients; where it isn't installed the test is skipped,
// or fails if SKRIN_TEST_ALL is in the environment.
func StartEID(t testing.TB, dir string, config map[string]any) *EID {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".installed")); err != nil {
		if os.Getenv("SKRIN_TEST_ALL") != "" {
			t.Fatalf("%v: \"make deps\" installs it", err)
		}
		t.Skipf("%v: \"make deps\" installs it", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "eid.js")
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(trouble.String())
		}
	})
	e := &EID{t: t, talk: json.NewEncoder(in), lines: bufio.NewScanner(out)}
	var first struct{ Issuer string }
	e.say(config, &first)
	e.Issuer = first.Issuer
	return e
}

func (e *EID) say(what, answer any) {
	e.t.Helper()
	if err := e.talk.Encode(what); err != nil {
		e.t.Fatal(err)
	}
	for e.lines.Scan() {
		if json.Unmarshal(e.lines.Bytes(), answer) == nil {
			return
		}
	}
	e.t.Fatal("the eID is gone")
}

// Is makes the next one who signs in somebody.
func (e *EID) Is(sub, acr string, claims map[string]any) {
	e.t.Helper()
	e.say(map[string]any{"sub": sub, "acr": acr, "claims": claims}, new(struct{}))
}

// Declines makes the next one who comes say no.
func (e *EID) Declines() {
	e.t.Helper()
	e.say(map[string]any{"declines": true}, new(struct{}))
}
