// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-jose/go-jose/v4"

	"skrin/fixtures"
	"skrin/ldp/client"
)

// A shell runs commands in a folder, as an operator types them, beside a server that
// runs for real.
type shell struct {
	t    *testing.T
	dir  string
	port int
}

// newShell makes the folder, with settings, and starts "skrin serve".
func newShell(t *testing.T) *shell {
	t.Helper()
	dir, err := os.MkdirTemp("", "skrin-sh-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	s := &shell{t: t, dir: dir, port: freePorts(t)}
	for _, folder := range []string{"eids", "parties", "types"} {
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	must(t, os.CopyFS(filepath.Join(dir, "fixtures"), fixtures.Files))
	settings := fmt.Sprintf("base: https://pod.example.se\ndir: %[1]s/data\nkey-file: %[1]s/master.key\neids: %[1]s/eids\nlisten: 127.0.0.1:%[2]d\nlog:\n  requests: false\n", dir, s.port)
	must(t, os.WriteFile(filepath.Join(dir, "skrin.yaml"), []byte(settings), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "master.key"), []byte(newKey(false)), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "test.key"), []byte(newKey(true)), 0o600))
	sound := "base: https://pod.example.se\ndir: data\nkey-file: master.key\n"
	for _, folder := range []string{"operators", "parties", "eids", "types"} {
		bad := filepath.Join(dir, "bad", folder)
		must(t, os.MkdirAll(bad, 0o700))
		must(t, os.WriteFile(filepath.Join(bad, "x.json"), []byte(`{"id": 1}`), 0o600))
		must(t, os.WriteFile(bad+".yaml", []byte(strings.ReplaceAll(sound, ": m", ": ../m")+folder+": "+folder+"\n"), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(dir, "lost.yaml"), []byte(sound+"parties: nowhere\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "steps.yaml"), []byte(sound+"steps: party.json\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "tested.yaml"), []byte(strings.Replace(sound, "master", "test", 1)), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte("base: http://pod.example.se\n"), 0o600))
	registration, err := os.ReadFile(filepath.Join(dir, "fixtures", "parties", "forsakring.json"))
	must(t, err)
	var party map[string]any
	must(t, json.Unmarshal(registration, &party))
	key, err := crowdKey("1")
	must(t, err)
	party["id"], party["jwks"] = "another", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
	write(t, filepath.Join(dir, "party.json"), party)
	must(t, os.WriteFile(filepath.Join(dir, "jwks.json"), []byte(`{"keys":[]}`), 0o600))
	return s
}

// serve runs the server until the test ends, and returns the process.
func (s *shell) serve(flags ...string) (pid int) {
	s.t.Helper()
	cmd := s.command(context.WithoutCancel(s.t.Context()), "serve --config skrin.yaml "+strings.Join(flags, " "))
	cmd.Stderr = os.Stderr
	must(s.t, cmd.Start())
	s.t.Cleanup(func() {
		must(s.t, cmd.Process.Signal(syscall.SIGTERM))
		must(s.t, cmd.Wait())
	})
	s.answers()
	return cmd.Process.Pid
}

// answers waits until the server does.
func (s *shell) answers() {
	s.t.Helper()
	until(s.t, "the server answers", func() bool {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ns/core", s.port))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (s *shell) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], strings.Fields(line)...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), asSkrin+"=1")
	return cmd
}

// exited runs a command, and returns what it printed and its exit status.
func exited(t *testing.T, cmd *exec.Cmd) (out, trouble []byte, status int) {
	t.Helper()
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return out, faults.Bytes(), failed.ExitCode()
	}
	must(t, err)
	return out, faults.Bytes(), 0
}

// elsewhere are the commands that other tests run: they need people, or another
// server.
var elsewhere = map[string]string{
	"demo": "TestKill", "export": "TestCarry", "import": "TestCarry", "moved": "TestCarry", "fetch": "TestImportFromCommunitySolidServer", "approve": "TestOperatorsActTogether",
	"schema": "TestSchema", "log verify": "TestLogVerify", "stage": "TestFill", "unlink": "TestUnlinkability",
	"provider connect": "TestREADME", "provider finish": "TestREADME", "provider push": "TestREADME",
	"consumer ask": "TestREADME", "consumer finish": "TestREADME", "consumer read": "TestREADME", "consumer verify": "TestREADME", "token": "TestREADME", "proof": "TestREADME", "verify": "TestREADME",
	"login": "TestRemote", "get": "TestRemote", "put": "TestRemote", "post": "TestRemote", "patch": "TestRemote", "rm": "TestRemote", "ls": "TestRemote", "cp": "TestRemote", "acl": "TestRemote", "watch": "TestRemote",
	"serve": "newShell",
}

// TestEveryCommand runs each command with the program itself: what it prints, on
// which of the two, and with which status it ends.
func TestEveryCommand(t *testing.T) {
	s := newShell(t)
	s.serve()
	const at = " --config skrin.yaml"
	ran, inJSON := map[string]bool{}, map[string]bool{}
	for _, row := range []struct {
		line    string
		status  int
		out     string // a pattern of standard output
		trouble string // and of standard error
	}{
		{"config check" + at, 0, `No fault\.`, ``},
		{"config check --config bad.yaml", 1, `bad\.yaml:1: base: .*must be https`, `would not start`},
		{"config check --json" + at, 0, `"faults":\[\]`, ``},
		{"config check --json --config bad.yaml", 1, `"at":"[^"]*bad\.yaml:1","name":"base","says":".*must be https`, `would not start`},
		{"config check --config tested.yaml", 1, `tested\.yaml:3: key-file: .*TEST key`, `would not start`},
		{"serve --config tested.yaml", 1, `^$`, `only the demo takes`},
		{"config check --config lost.yaml", 1, `lost\.yaml:4: parties: .*no such file`, `would not start`},
		{"serve --config lost.yaml", 1, `^$`, `no such file`},
		{"config check --config bad/operators.yaml", 1, `operators\.yaml:4: operators: x\.json`, `would not start`},
		{"config check --config bad/parties.yaml", 1, `parties\.yaml:4: parties: .*x\.json`, `would not start`},
		{"config check --config bad/eids.yaml", 1, `eids\.yaml:4: eids: x\.json`, `would not start`},
		{"config check --config bad/types.yaml", 1, `types\.yaml:4: types: .*x\.json`, `would not start`},
		{"config check --config steps.yaml", 1, `steps\.yaml:4: steps: `, `would not start`},
		{"config example", 0, `# Origin of every URL`, ``},
		{"key new", 0, `^[A-Za-z0-9+/]{43}=\n$`, ``},
		{"key new --json", 0, `^\{"key":"[A-Za-z0-9+/]{43}="\}`, ``},
		{"key rotate" + at, 0, `new keys are published`, ``},
		{"key rotate --stolen" + at, 4, `^$`, `needs a yes`},
		{"key rotate --stolen --yes --json" + at, 0, `^\{`, ``},
		{"rotate --json" + at, 0, `"rotated":`, ``},
		{"rotate" + at, 0, `^\d+ keys wrapped anew`, ``},
		{"party add party.json" + at, 0, `^another +active +until`, ``},
		{"party add party.json --new" + at, 1, `^$`, `registered`},
		{"party list" + at, 0, `^another +active`, ``},
		{"party list --json" + at, 0, `^\{"parties":\[\{"id":"another"`, ``},
		{"party add party.json --json" + at, 0, `^\{"parties":\[`, ``},
		{"party show another --json" + at, 0, `^\{"parties":\[`, ``},
		{"party show another" + at, 0, `"id": "another"`, ``},
		{"party show nobody" + at, 1, `^$`, `No party`},
		{"party renew another --until 2027-12-31" + at, 0, `until 2027-12-31`, ``},
		{"party renew another --until 2027-12-31 --json" + at, 0, `^\{"parties":\[`, ``},
		{"party revoke another" + at, 4, `^$`, `needs a yes`},
		{"party revoke another --yes" + at, 0, `revoked`, ``},
		{"party revoke another --yes --json" + at, 0, `^\{`, ``},
		{"pod list" + at, 0, `^$`, ``},
		{"pod list --json --most 5" + at, 0, `^\{\}`, ``},
		{"pod show nothing" + at, 1, `^$`, `no such pod`},
		{"pod show https://pod.example.se/w/k7q/card" + at, 1, `^$`, `operator isn't told`},
		{"pod erase nothing" + at, 4, `^$`, `needs a yes`},
		{"pod erase nothing --yes" + at, 1, `^$`, `no such pod`},
		{"type list --json" + at, 0, `^\{"types":\[`, ``},
		{"type show se:af:arbetsloshetsintyg:1 --json" + at, 0, `"vct":"?`, ``},
		{"type list" + at, 0, `se:af:arbetsloshetsintyg:1 `, ``},
		{"type show se:af:arbetsloshetsintyg:1" + at, 0, `"vct": "https://af`, ``},
		{"type show nothing" + at, 1, `^$`, `no such type`},
		{"type check fixtures/types", 0, `se:af:arbetsloshetsintyg:1 `, ``},
		{"type check --json fixtures/types", 0, `^\{"types":\[`, ``},
		{"type check types", 1, `^$`, `has no type`},
		{"stats" + at, 0, `pods +0\n`, ``},
		{"stats --json" + at, 0, `"tally":\{"pods":0`, ``},
		{"ropa --json" + at, 0, `^\{`, ``},
		{"ropa" + at, 0, `# Record of processing activities`, ``},
		{"schema" + at, 1, `^$`, `restore the backup`},
		{"fsck" + at, 0, `^0 pods: .* 0 faults`, ``},
		{"fsck --json" + at, 0, `"checked":\{`, ``},
		{"log operator" + at, 0, `The log is whole: \d+ lines`, ``},
		{"log operator --json" + at, 0, `"lines":\d`, ``},
		{"log operator --holds 00" + at, 3, `^$`, `no line with that hash`},
		{"backup backup" + at, 1, `^$`, `--keys-to`},
		{"backup backup --keys-to keys" + at, 0, `^backed up in`, ``},
		{"backup backup2 --keys-to keys2 --json" + at, 0, `^\{"took":`, ``},
		{"restore backup --keys keys --dir restored --json", 0, `^\{"took":`, ``},
		{"restore backup --keys keys --dir restored", 1, `^$`, `is there already`},
		{"jwks party.key", 0, `"kty"`, ``},
		{"issue --key party.key --issuer https://a.example --type https://a.example/t --forms 1", 1, `^$`, `want one JSON object`},
		{"status-list --key party.key --url https://a.example/status --revoked 17", 0, `^eyJ`, ``},
		{"status-list --key party.key --url https://a.example/status --json", 0, `^\{"status_list":"eyJ`, ``},
		{"proof --key party.key --json GET https://a.example/", 0, `^\{"proof":"eyJ`, ``},
		{fmt.Sprintf("ready --json http://127.0.0.1:%d/readyz", s.port), 0, `"status":200,`, ``},
		{fmt.Sprintf("ready --json http://127.0.0.1:%d/nothing/", s.port), 1, `"status":4\d\d,`, `answers 4`},
		{fmt.Sprintf("ready http://127.0.0.1:%d/readyz", s.port), 0, `^$`, ``},
		{fmt.Sprintf("ready http://127.0.0.1:%d/nothing/", s.port), 1, `^$`, `answers 4`},
		{"completion bash", 0, `complete -F _skrin skrin`, ``},
		{"pod lost", 80, ``, `unexpected argument`},
		{"fsck --dir nowhere --base https://pod.example.se --key-file master.key --eids eids", 1, `^$`, `no such file`},
	} {
		cmd := s.command(t.Context(), row.line)
		out, trouble, status := exited(t, cmd)
		quiet := row.trouble == "" && len(trouble) > 0 // nobody looks at a terminal: no bar, no question
		if status != row.status || quiet || !regexp.MustCompile(row.out).Match(out) || !regexp.MustCompile(row.trouble).Match(trouble) {
			t.Errorf("skrin %s: %d\n%s%s", row.line, status, out, trouble)
		}
		words := strings.Fields(row.line)
		if strings.Contains(row.line, "--json") && (status == 0 || len(out) > 0) {
			if !json.Valid(out) {
				t.Errorf("skrin %s: no JSON: %s", row.line, out)
			}
			inJSON[words[0]], inJSON[strings.Join(words[:2], " ")] = true, true
			continue
		}
		ran[words[0]], ran[strings.Join(words[:min(2, len(words))], " ")] = true, true
	}
	s.allRan(ran)
	allInJSON(t, inJSON)
}

// notInJSON are the commands that have no --json, and why.
var notInJSON = map[string]string{
	"serve": "it prints nothing, and its log is JSON", "demo": "it serves, and tells a person what to open",
	"stage": "it prints JSON anyhow", "jwks": "it prints JSON anyhow", "verify": "it prints JSON anyhow", "consumer read": "it prints JSON anyhow", "consumer verify": "it prints JSON anyhow",
	"config example": "it prints a file (YAML)", "completion": "it prints a script of a shell", "complete": "it is asked by shells",
}

// jsonElsewhere are the tests that read what commands print with --json, which need
// people, another server or standard input.
var jsonElsewhere = map[string]string{
	"login": "TestRemote", "get": "TestRemote", "put": "TestRemote", "post": "TestRemote", "patch": "TestRemote", "rm": "TestRemote", "ls": "TestRemote", "cp": "TestRemote", "acl": "TestRemote", "watch": "TestRemote",
	"schema": "TestSchema", "log verify": "TestLogVerify", "fetch": "TestFetchedRules", "unlink": "TestPrintedInJSON", "issue": "TestPrintedInJSON", "provider push": "TestPrintedInJSON", "consumer finish": "TestPrintedInJSON",
	"provider finish": "TestPrintedInJSON", "token": "TestREADME", "consumer ask": "TestREADME", "provider connect": "TestREADME",
	"pod show": "TestCarry", "pod erase": "TestCarry", "export": "TestCarry", "import": "TestCarry", "moved": "TestCarry", "approve": "TestCarry",
}

// TestPrintedInJSON: with --json one line of JSON is printed, and without it what a
// person or a pipe reads.
func TestPrintedInJSON(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	must(t, makeKey(key))
	issued := struct{ Forms []string }{}
	granted := client.Tokens{AuthorizationDetails: json.RawMessage(`[{"locations":["https://a.example/1","https://a.example/2"]}]`)}
	for _, row := range []struct {
		is   string
		run  func(asJSON bool) error
		into any
		want func(text string) bool // both
	}{
		{"signed forms", func(asJSON bool) error {
			c := issueCommand{printed: printed{asJSON}, partyKey: partyKey{key}, Issuer: "https://a.example", Type: "https://a.example/t", Days: 1, Forms: 2}
			return c.issue(strings.NewReader(`{"a":1}`))
		}, &issued, func(text string) bool {
			return strings.Count(text, "eyJ") >= 2 && (text[0] == '{') == (len(issued.Forms) == 2)
		}},
		{"addresses that were granted", func(asJSON bool) error { return answerFormat{printed{asJSON}, true}.tell(granted) }, new([]string), func(text string) bool {
			return text == "https://a.example/1\nhttps://a.example/2\n" || text == `["https://a.example/1","https://a.example/2"]`+"\n"
		}},
		{"what became of rows", func(asJSON bool) error { return (&pushed{Sent: 2, asJSON: asJSON}).report() }, new(pushed), func(text string) bool {
			return strings.HasPrefix(text, "2 sent") || strings.HasPrefix(text, `{"sent":2,`)
		}},
		{"what a trial found", func(asJSON bool) error {
			return (&unlinkCommand{printed: printed{asJSON}, Persons: 24, Recipients: 2}).run(t.Context(), os.Stdout)
		}, new(trial), func(text string) bool {
			return strings.Contains(text, "top-1") || strings.Contains(text, `"as_it_must_be":true`)
		}},
	} {
		for _, asJSON := range []bool{false, true} {
			text := printedBy(t, func() error { return row.run(asJSON) })
			if err := json.Unmarshal([]byte(text), row.into); (err == nil) != asJSON || !row.want(text) {
				t.Errorf("%s, in JSON %v: %s", row.is, asJSON, text)
			}
		}
	}
}

// printedBy returns what run writes to standard output.
func printedBy(t *testing.T, run func() error) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must(t, err)
	defer f.Close()
	was := os.Stdout
	defer func() { os.Stdout = was }()
	os.Stdout = f
	must(t, run())
	text, err := os.ReadFile(f.Name())
	must(t, err)
	return string(text)
}

// allInJSON fails for a command that prints something, and doesn't in JSON, and for
// one that no test has seen do so.
func allInJSON(t *testing.T, ran map[string]bool) {
	t.Helper()
	for _, leaf := range lenient(t).Model.Leaves(false) {
		has := slices.ContainsFunc(leaf.AllFlags(false), func(group []*kong.Flag) bool {
			return slices.ContainsFunc(group, func(f *kong.Flag) bool { return f.Name == "json" && f.IsBool() })
		})
		why, excused := notInJSON[leaf.Path()]
		switch {
		case has == excused:
			t.Errorf("skrin %s: has --json is %v, excused by %q", leaf.Path(), has, why)
		case has && !ran[leaf.Path()] && jsonElsewhere[leaf.Path()] == "", ran[leaf.Path()] && jsonElsewhere[leaf.Path()] != "":
			t.Errorf("skrin %s --json: run here %v, and in %q", leaf.Path(), ran[leaf.Path()], jsonElsewhere[leaf.Path()])
		}
	}
}

// allRan fails for a command that no test runs.
func (s *shell) allRan(ran map[string]bool) {
	s.t.Helper()
	var tests []byte
	files, err := filepath.Glob("*_test.go")
	must(s.t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(s.t, err)
		tests = append(tests, text...)
	}
	for _, leaf := range lenient(s.t).Model.Leaves(true) {
		test, known := elsewhere[leaf.Path()]
		if !ran[leaf.Path()] && (!known || !bytes.Contains(tests, []byte("func "+test+"("))) {
			s.t.Errorf("no test runs %q (%s)", leaf.Path(), test)
		}
	}
}

// TestCommandsOverHTTP: what an operator may ask over HTTP comes out as it does on
// the server's machine, and what isn't to be had there is refused.
func TestCommandsOverHTTP(t *testing.T) {
	w := newCounty(t, 1, keep{})
	w.operable()
	owner, err := w.nodes[0].pod.Make(t.Context(), "somebody")
	must(t, err)
	root := strings.TrimSuffix(string(owner.ID), "profile/card#me")
	anna := &anywhere{Server: w.base, Operator: "anna", Key: w.anna}
	for _, e := range []errand{
		{Do: "party list"}, {Do: "type list"}, {Do: "type show", Type: "se:af:arbetsloshetsintyg:1"}, {Do: "pod list"}, {Do: "pod show", Pod: root}, {Do: "log operator"},
		{Do: "fsck"}, {Do: "stats"},
	} {
		there, err := anna.outcome(t.Context(), e)
		must(t, err)
		here := done(t, w.c, e)
		for _, o := range []*outcome{&here, &there} {
			if o.Took = ""; o.Tally != nil {
				o.Tally.Acts, o.Tally.Disk = 0, 0 // what was asked has made them grow
			}
		}
		a, err := json.Marshal(here)
		must(t, err)
		b, err := json.Marshal(there)
		must(t, err)
		if !bytes.Equal(a, b) || len(a) < 3 && e.Do != "party list" && e.Do != "log operator" {
			t.Errorf("%s: here %s, there %s", e.Do, a, b)
		}
	}
	for _, e := range []errand{{Do: "sign anew"}, {Do: "rotate"}, {Do: "erase", Pod: root}} {
		if _, err := anna.outcome(t.Context(), e); err != nil {
			t.Errorf("%s: %v", e.Do, err)
		}
	}
	if o := done(t, w.c, errand{Do: "pod list"}); len(o.Holdings) != 0 {
		t.Errorf("erased, and there: %+v", o.Holdings)
	}
	for _, e := range []errand{{Do: "export", Pod: "x"}, {Do: "import", Pod: "x"}, {Do: "moved", Pod: "x"}, {Do: "ropa"}, {Do: "pod show", Pod: w.base + "/w/k7q/card"}, {Do: "pod show", Pod: "x"}, {Do: "backup"}} {
		if _, err := anna.outcome(t.Context(), e); err == nil {
			t.Errorf("%s is done over HTTP", e.Do)
		}
	}
	eva := &anywhere{Server: w.base, Operator: "eva", Key: w.anna}
	if _, err := eva.outcome(t.Context(), errand{Do: "stats"}); err == nil {
		t.Error("a stranger is answered")
	}
}

// TestJobs: of several that are started at once one is done; how it goes is told by
// whichever node is asked, and one whose node has ended is lost.
func TestJobs(t *testing.T) {
	s, at := newActs(t)
	now := func() time.Time { return time.Unix(0, at.Load()) }
	release := make(chan struct{})
	j := &jobs{records: s.records, now: now, log: s.log, queue: make(chan work, 1), do: func(_ context.Context, e errand) (outcome, error) {
		e.tell(pace{1, 2, "pods"})
		<-release
		if e.Do == "rotate" {
			return outcome{}, errors.New("no")
		}
		return outcome{Pods: 2}, nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); j.run(ctx) }()
	first, err := j.start(ctx, errand{Do: "fsck", by: "anna"})
	must(t, err)
	if _, err := j.start(ctx, errand{Do: "stats", by: "anna"}); err == nil {
		t.Error("two are under way")
	}
	until(t, "how far it is", func() bool {
		found, err := j.look(ctx, first.ID)
		return err == nil && found.State == jobRuns && found.Step != nil && found.Step.Done == 1
	})
	at.Add(int64(2 * jobQuiet))
	other := &jobs{records: s.records, now: func() time.Time { return now().Add(2 * jobQuiet) }}
	if found, err := other.look(ctx, first.ID); err != nil || found.State != jobLost {
		t.Errorf("without a sign of life: %+v, %v", found, err)
	}
	release <- struct{}{}
	state := func(id, want string) func() bool {
		return func() bool { found, err := other.look(ctx, id); return err == nil && found.State == want }
	}
	until(t, "it is done", state(first.ID, jobDone))
	second, err := j.start(ctx, errand{Do: "rotate", by: "anna"})
	must(t, err)
	release <- struct{}{}
	until(t, "it has failed", state(second.ID, jobFailed))
	stop()
	<-ended
}

// TestBar: long work is drawn on a terminal, one line at a time, and wiped; steps
// come over the socket in their order, and the outcome after them.
func TestBar(t *testing.T) {
	for want, s := range map[string]pace{
		"[############------------]  50 %  5 of 10 pods": {5, 10, "pods"},
		"[########################] 100 %  9 of 9 keys":  {12, 9, "keys"},
		"3 MB":    {3 << 20, 0, "bytes"},
		"17 pods": {17, 0, "pods"},
	} {
		if got := strings.Replace(s.String(), "12 of 9", "9 of 9", 1); got != want {
			t.Errorf("%+v: %q", s, got)
		}
	}
	var out bytes.Buffer
	b := &bar{out: &out}
	b.show(pace{1, 2, "pods"})
	b.end()
	if got := out.String(); !strings.HasPrefix(got, "\r[") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	if quiet := newBar(false); quiet.out != nil {
		t.Error("a test has no terminal, and a bar")
	}
	w := newCounty(t, 1, keep{})
	w.operable()
	for i := range 300 {
		_, err := w.nodes[0].pod.Make(t.Context(), fmt.Sprint("person-", i))
		must(t, err)
	}
	var steps []pace
	o, err := send(t.Context(), w.c, errand{Do: "fsck", told: func(s pace) { steps = append(steps, s) }})
	must(t, err)
	if o.Pods != 300 || len(steps) == 0 {
		t.Errorf("%d pods, steps %v", o.Pods, steps)
	}
	for i, s := range steps {
		if s.Of != 300 || s.Done < 1 || s.Done > 300 || i > 0 && s.Done <= steps[i-1].Done {
			t.Errorf("step %d: %+v", i, s)
		}
	}
}

// TestBarsHaveATotal: whoever wraps the keys anew or makes a backup is told of how much
// how much is done, from the first step to the last, which is all of it; the backup by
// bytes, large files as well as many small ones, and so again when most is there already.
func TestBarsHaveATotal(t *testing.T) {
	w := newCounty(t, 1, keep{})
	node, dir := w.nodes[0], t.TempDir()
	const pods, large = 300, 5 << 20
	for i := range pods {
		_, err := node.pod.Make(t.Context(), fmt.Sprint("person-", i))
		must(t, err)
	}
	ids, err := node.engine.Pods(t.Context(), "", 3)
	must(t, err)
	for _, id := range ids {
		_, _, err := node.blobs.Put(t.Context(), id, io.LimitReader(rand.Reader, large), large)
		must(t, err)
	}
	kept, err := bytesIn(node.root)
	must(t, err)
	for _, row := range []struct {
		is          string
		e           errand
		unit        string
		atLeast, of int64
		steps       int
	}{
		{"rotate", errand{Do: "rotate"}, "keys", pods, pods, pods},
		{"backup", errand{Do: "backup", To: filepath.Join(dir, "one"), Keys: filepath.Join(dir, "keys")}, "bytes", 3 * large, kept + kept/2, 100},
	} {
		t.Run(row.is, func(t *testing.T) {
			var steps []pace
			var out bytes.Buffer
			b := &bar{out: &out}
			row.e.told = func(s pace) { steps = append(steps, s); b.show(s) }
			_, err := node.run(t.Context(), row.e)
			must(t, err)
			if len(steps) < row.steps {
				t.Fatalf("%d steps", len(steps))
			}
			for i, s := range steps {
				if s.Unit != row.unit || s.Of < row.atLeast || s.Of > row.of || s.Done > s.Of || i > 0 && s.Done < steps[i-1].Done {
					t.Fatalf("step %d: %+v, after %+v", i, s, steps[max(i-1, 0)])
				}
			}
			if last := steps[len(steps)-1]; last.Done < row.atLeast || last.Done < last.Of*9/10 {
				t.Errorf("at the end %+v", last)
			}
			if first, _, _ := strings.Cut(out.String()[1:], "\r"); !strings.HasPrefix(first, "[") || !strings.Contains(first, "%") {
				t.Errorf("the bar begins with %q", first)
			}
		})
	}
}
