// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// needed returns the path of a tool, which "make deps" installs. Without it the test is
// skipped, but with SKRIN_TEST_ALL that is an error.
func needed(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	switch {
	case err == nil:
	case os.Getenv("SKRIN_TEST_ALL") != "":
		t.Fatalf("no %s: make deps", tool)
	default:
		t.Skipf("no %s: make deps", tool)
	}
	return path
}

// unit writes the systemd unit with the program of this test, and returns its lines and
// its file.
func unit(t *testing.T) (text, file string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("ops", "skrin.service"))
	must(t, err)
	text, file = string(b), filepath.Join(t.TempDir(), "skrin.service")
	program, err := filepath.Abs(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "/usr/local/bin/skrin", program)), 0o600))
	return text, file
}

// TestUnit: systemd finds nothing wrong with the unit, and its exposure below 2 of 10.
func TestUnit(t *testing.T) {
	analyze := needed(t, "systemd-analyze")
	text, file := unit(t)
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--no-pager", "--threshold=19", file).CombinedOutput()
	level := regexp.MustCompile(`exposure level for .*: ([\d.]+)`).FindSubmatch(out)
	if err != nil || level == nil {
		t.Errorf("security: %v\n%s", err, out)
	} else {
		t.Logf("exposure %s", level[1])
	}
	// What the settings' standards and the comment at its head promise.
	for _, line := range []string{
		"LoadCredential=master.key:/etc/skrin/master.key", "StateDirectory=skrin", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}

// TestUnitLetsTheServerWork: all that the server asks of the kernel, from its start over
// the registration of a party to its end, the unit allows: system calls, kinds of sockets, and where
// it writes.
func TestUnitLetsTheServerWork(t *testing.T) {
	analyze, strace := needed(t, "systemd-analyze"), needed(t, "strace")
	text, _ := unit(t)
	s := newShell(t)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), strace, "-f", "-qq", "-s", "200", "-o", trace, os.Args[0], "serve", "--config", "skrin.yaml")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), asSkrin+"=1")
	must(t, cmd.Start())
	s.answers()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", s.port))
	must(t, err)
	resp.Body.Close()
	out, err := s.command(t.Context(), "party add party.json --config skrin.yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, syscall.Kill(childOf(t, cmd.Process.Pid), syscall.SIGTERM))
	must(t, cmd.Wait())
	b, err := os.ReadFile(trace)
	must(t, err)
	allowed := filterOf(t, analyze, text)
	families := strings.Fields(regexp.MustCompile(`(?m)^RestrictAddressFamilies=(.*)$`).FindStringSubmatch(text)[1])
	writes := regexp.MustCompile(`openat\([^,]+, "([^"]*)", [A-Z_|]*(?:O_WRONLY|O_RDWR|O_CREAT)`)
	call, seen := regexp.MustCompile(`^\d+ +([a-z0-9_]+)\(`), map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if m := call.FindStringSubmatch(line); m != nil && !seen[m[1]] {
			seen[m[1]] = true
			if !allowed[m[1]] {
				t.Errorf("the unit forbids %s", line)
			}
		}
		if m := regexp.MustCompile(`\bsocket\((AF_\w+)`).FindStringSubmatch(line); m != nil && !slices.Contains(families, m[1]) {
			t.Errorf("the unit forbids %s", line)
		}
		if m := writes.FindStringSubmatch(line); m != nil && m[1] != os.DevNull && !strings.HasPrefix(m[1], filepath.Join(s.dir, "data")) && filepath.IsAbs(m[1]) {
			t.Errorf("it writes outside of its state directory: %s", line)
		}
		if strings.Contains(line, "PROT_WRITE|PROT_EXEC") {
			t.Errorf("the unit forbids %s", line)
		}
	}
	if len(seen) < 20 || !seen["accept4"] || !seen["fdatasync"] && !seen["fsync"] {
		t.Errorf("only %v were seen", seen)
	}
}

// childOf waits for the only child of a process.
func childOf(t *testing.T, pid int) (child int) {
	t.Helper()
	until(t, "it has a child", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		must(t, err)
		n, _ := fmt.Sscan(string(b), &child)
		return n == 1
	})
	return child
}

// filterOf returns the system calls that the lines SystemCallFilter of a unit allow.
func filterOf(t *testing.T, analyze, unit string) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(unit, -1) {
		for groups := strings.Fields(line[2]); len(groups) > 0; groups = groups[1:] {
			if !strings.HasPrefix(groups[0], "@") {
				allowed[groups[0]] = line[1] == ""
				continue
			}
			out, err := exec.CommandContext(t.Context(), analyze, "syscall-filter", groups[0]).Output()
			must(t, err)
			for _, name := range strings.Split(string(out), "\n")[1:] {
				if name = strings.TrimSpace(name); name != "" && name[0] != '#' {
					groups = append(groups, name)
				}
			}
		}
	}
	return allowed
}
