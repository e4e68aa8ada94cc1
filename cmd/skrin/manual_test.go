// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// anyFile takes the name of a file that isn't there.
func anyFile(ctx *kong.DecodeContext, target reflect.Value) error {
	return ctx.Scan.PopValueInto("file", target.Addr().Interface())
}

// lenient is the parser of the command line, on a machine that has every file.
func lenient(t *testing.T) *kong.Kong {
	t.Helper()
	p, err := newParser(new(commands), kong.NamedMapper("existingfile", kong.MapperFunc(anyFile)), kong.NamedMapper("existingdir", kong.MapperFunc(anyFile)))
	must(t, err)
	return p
}

// TestManualOfCommands: each command has a section of the manual, with an example that the
// command line takes; and there is no section of a command that isn't there.
func TestManualOfCommands(t *testing.T) {
	parts := sections()
	for _, leaf := range lenient(t).Model.Leaves(true) {
		path := leaf.Path()
		text, ok := parts[path]
		delete(parts, path)
		examples := 0
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			if !strings.HasPrefix(line, "    skrin ") {
				continue
			}
			examples++
			if i := slices.Index(words, "|"); i > 0 {
				words = words[:i]
			}
			k, err := lenient(t).Parse(words[1:])
			if err != nil || !strings.HasPrefix(k.Command(), path) {
				t.Errorf("%s: %v", strings.TrimSpace(line), err)
			}
		}
		if !ok || examples == 0 && path != "completion" {
			t.Errorf("%s: the manual has no section of it with an example", path)
		}
		if leaf.Help == "" || leaf.Detail != text {
			t.Errorf("%s: --help doesn't tell what the manual does", path)
		}
	}
	delete(parts, "")
	for name := range parts {
		t.Errorf("the manual tells of %q, which isn't there", name)
	}
}

// TestCandidates: a line is completed with what can stand there, and nothing else.
func TestCandidates(t *testing.T) {
	for _, row := range []struct {
		is, line string
		want     []string
	}{
		{"the beginning of a command", "po", []string{"pod", "post"}},
		{"a command under a command", "pod ", []string{"list", "show", "erase"}},
		{"a flag", "backup --keys", []string{"--keys-to"}},
		{"a flag of the settings, after another with its value", "serve --dir x --limit-bod", []string{"--limit-body"}},
		{"a flag that can be taken back", "serve --no-log-req", []string{"--no-log-requests"}},
		{"one of a few words", "completion ", []string{"bash", "zsh", "fish"}},
		{"the beginning of one of a few words", "demo kom", []string{"kompetansespor"}},
		{"a file for a flag", "pod list --key ", []string{fileNames}},
		{"a file for a flag, as bash cuts the line", "pod list --key = an", []string{fileNames}},
		{"a file for an argument", "party add ", []string{fileNames}},
		{"the argument after one", "restore x ", nil},
		{"what only the operator knows", "pod show ", nil},
		{"a switch takes no value", "fsck --json ", nil},
		{"what is hidden", "compl", []string{"completion"}},
		{"what there isn't", "xyz", nil},
	} {
		var got []string
		for _, found := range candidates(lenient(t).Model.Node, strings.Split(row.line, " ")) {
			name, _, _ := strings.Cut(found, "\t")
			got = append(got, name)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q is completed with %q", row.is, row.line, got)
		}
	}
}

// TestShellsComplete: the shells that are at hand take what completion prints, and
// bash completes with it.
func TestShellsComplete(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "skrin"), []byte("#!/bin/sh\n"+asSkrin+"=1 exec "+os.Args[0]+" \"$@\"\n"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "anna.pem"), nil, 0o600))
	for shell, script := range map[string]string{
		"bash": `source <(skrin completion bash)
			try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _skrin; echo "$*: ${COMPREPLY[*]}"; }
			try skrin po; try skrin pod list --aft; try skrin completion z; try skrin pod list --key an`,
		"zsh":  `autoload -Uz compinit && compinit -D && source <(skrin completion zsh) && whence -w _skrin`,
		"fish": `skrin completion fish | source; complete -C "skrin pod " | cut -f 1 | tr '\n' ' '`,
	} {
		program, err := exec.LookPath(shell)
		switch {
		case err != nil && os.Getenv("SKRIN_TEST_ALL") != "":
			t.Errorf("no %s is at hand: fixtures/servers/install.sh installs it", shell)
			continue
		case err != nil:
			t.Logf("no %s is at hand", shell)
			continue
		}
		cmd := exec.CommandContext(t.Context(), program, "-c", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		want := map[string]string{
			"bash": "skrin po: pod post\nskrin pod list --aft: --after\nskrin completion z: zsh\nskrin pod list --key an: \n",
			"zsh":  "_skrin: function\n",
			"fish": "erase list show ",
		}[shell]
		if err != nil || string(out) != want {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if got := slices.Sorted(maps.Keys(shells)); !slices.Equal(got, []string{"bash", "fish", "zsh"}) {
		t.Errorf("completion knows %q", got)
	}
}

// TestAWrongCommandLine: is told in a few lines, with where to read more, and not where
// a script looks for the command's output.
func TestAWrongCommandLine(t *testing.T) {
	for _, row := range []struct{ line, says string }{
		{"", `expected one of "demo"`},
		{"pod", `expected one of "list"`},
		{"serve --base", "--base"},
		{"token --server x --nonsense", "unknown flag --nonsense"},
		{"party add nosuch.json --server x", "nosuch.json: no such file"},
		{"log verify manual.go", "missing flags: --keys"},
	} {
		var out, told strings.Builder
		code := 0
		p, err := newParser(new(commands), kong.Writers(&out, &told), kong.Exit(func(c int) { code = c; panic("exit") }))
		must(t, err)
		func() {
			defer func() { _ = recover() }()
			understood(p, strings.Fields(row.line))
		}()
		if said := told.String(); code != 80 || out.Len() > 0 || strings.Count(said, "\n") > 8 || !strings.Contains(said, row.says) || !strings.Contains(said, "--help") {
			t.Errorf("skrin %s: status %d\n%s%s", row.line, code, out.String(), told.String())
		}
	}
}

// TestCtrlC: ends at once what doesn't heed it, such as a command that waits for what
// is typed; and what heeds it says no more than that it was interrupted.
func TestCtrlC(t *testing.T) {
	for line, want := range map[string]bool{
		"issue --key k --issuer https://a --type t":   false,
		"verify --keys k --issuer https://a --type t": false,
		"serve":                      true,
		"restore b --keys k --dir d": true,
		"provider push --server x --id i --key k --issuer https://a --receipts r m.json r": true,
	} {
		k, err := lenient(t).Parse(strings.Fields(line))
		must(t, err)
		if _, heeds := chosen(t.Context(), k); heeds != want {
			t.Errorf("skrin %s heeds Ctrl-C: %v", line, heeds)
		}
	}
	if got := plainly(fmt.Errorf("read x: %w", context.Canceled)); got != "interrupted" {
		t.Error(got)
	}
}
