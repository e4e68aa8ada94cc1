// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// soundSettings are settings with which a server starts.
const soundSettings = "base: https://pod.example.se\ndir: /data\nkey-file: /master.key\n"

func settledFrom(t *testing.T, text string, environ []string, flags ...string) *settled {
	t.Helper()
	file := filepath.Join(t.TempDir(), "skrin.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	var c struct {
		serveOptions `embed:""`
	}
	k, err := kong.New(&c, kong.Name("skrin"), kong.Exit(func(int) {}), kong.PostBuild(helpful))
	must(t, err)
	_, err = k.Parse(flags)
	must(t, err)
	s := settle(file, environ, &c.settings, c.given)
	s.check()
	return s
}

// TestSettingsOverrule: a flag overrules the environment, which overrules the
// file, which overrules the standard; and each says where it comes from.
func TestSettingsOverrule(t *testing.T) {
	file, env, flag := soundSettings+"limit:\n  body: 1MiB\n", []string{"SKRIN_LIMIT_BODY=2MiB"}, []string{"--limit-body=3MiB"}
	for _, row := range []struct {
		is    string
		file  string
		env   []string
		flags []string
		want  size
		from  string
	}{
		{"nothing is set: the standard", soundSettings, nil, nil, 512 << 20, ""},
		{"the file overrules the standard", file, nil, nil, 1 << 20, "skrin.yaml:5"},
		{"the environment overrules the file", file, env, nil, 2 << 20, "SKRIN_LIMIT_BODY"},
		{"a flag overrules both", file, env, flag, 3 << 20, "--limit-body"},
	} {
		s := settledFrom(t, row.file, row.env, row.flags...)
		if s.Limit.Body != row.want || filepath.Base(s.from["limit-body"]) != filepath.Base(row.from) && row.from != "" {
			t.Errorf("%s: %v from %q, want %v from %q", row.is, s.Limit.Body, s.from["limit-body"], row.want, row.from)
		}
		if len(s.faults) > 0 {
			t.Errorf("%s: faults %v", row.is, s.faults)
		}
	}
}

// TestSettingsFaults: each fault says where it is and what it is.
func TestSettingsFaults(t *testing.T) {
	without := func(name string) string {
		var b strings.Builder
		for line := range strings.Lines(soundSettings) {
			if !strings.HasPrefix(line, name) {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	for _, row := range []struct {
		is    string
		text  string
		env   string
		where string
		says  string
	}{
		{"sound settings have none", soundSettings, "", "", ""},
		{"a name that there isn't", soundSettings + "bse: x\n", "", "skrin.yaml:4", "bse: there is no such setting"},
		{"a name spelt otherwise", soundSettings + "key_file: x\n", "", "skrin.yaml:4", "did you mean key-file?"},
		{"a name outside its group", soundSettings + "body: 1MiB\n", "", "skrin.yaml:4", "did you mean limit.body?"},
		{"a name twice", soundSettings + "dir: /other\n", "", "skrin.yaml:4", "it is set on line 2 already"},
		{"a size that is none", soundSettings + "limit:\n  body: lots\n", "", "skrin.yaml:5", "limit.body: not a size"},
		{"a rate that is none", soundSettings + "limit:\n  pod: 5\n", "", "skrin.yaml:5", "limit.pod: not a rate"},
		{"a time without a unit", soundSettings + "grace: 5\n", "", "skrin.yaml:4", "not a time"},
		{"a group that is a list", soundSettings + "limit: [1]\n", "", "skrin.yaml:4", "want names with values"},
		{"a value that is a group", soundSettings + "listen: {a: b}\n", "", "skrin.yaml:4", "want one value"},
		{"a name without a value", soundSettings + "listen:\n", "", "skrin.yaml:4", "it has no value"},
		{"an alias", soundSettings + "grace: &a 1s\nlisten: *a\n", "", "skrin.yaml:5", "want one value"},
		{"a secret in the file", soundSettings + "postgres-password: hunter2\n", "", "skrin.yaml:4", "a secret doesn't belong here"},
		{"no YAML", "base: [", "", "skrin.yaml", "not YAML"},
		{"the environment has what there isn't", soundSettings, "SKRIN_LIMIT_BODDY=1", "SKRIN_LIMIT_BODDY", "there is no such setting"},
		{"the environment has a size that is none", soundSettings, "SKRIN_LIMIT_BODY=1x", "SKRIN_LIMIT_BODY", "not a size"},
		{"no base URL", without("base"), "", "", "base: say what"},
		{"an http base URL", "base: http://pod.example.se\n" + without("base"), "", "skrin.yaml:1", "plain http is for the demo only"},
		{"a base URL with a path", "base: https://pod.example.se/x\n" + without("base"), "", "skrin.yaml:1", "nothing after it"},
		{"no master key", without("key-file"), "", "", "there is no master key"},
		{"a master key in the environment", without("key-file"), "SKRIN_KEY=x", "", ""},
		{"two master keys", soundSettings, "SKRIN_KEY=x", "skrin.yaml:3", "not from both"},
		{"a key management service without a token", soundSettings + "kms: {url: https://vault.example/v1/transit, key: skrin}\n", "", "skrin.yaml:4", "a key and a token"},
		{"no folder", without("dir"), "", "", "dir: say where"},
		{"open registration", soundSettings + "limit:\n  registrations: none\n", "", "skrin.yaml:5", "open registration of apps is for the demo only"},
		{"unlimited attempts to sign in", soundSettings + "limit:\n  logins: none\n", "", "skrin.yaml:5", "for the demo only"},
		{"plain http to the world", soundSettings + "listen: 0.0.0.0:80\n", "", "skrin.yaml:4", "would not be encrypted"},
		{"a certificate without its key", soundSettings + "tls: {cert: a.pem}\n", "", "skrin.yaml:4", "needs its private key"},
		{"a proxy that is everybody", soundSettings + "proxies: [0.0.0.0/0]\n", "", "skrin.yaml:4", "is not a network"},
		{"a page about data that anybody can change on the way", soundSettings + "privacy: http://example.se/data\n", "", "skrin.yaml:4", "https://"},
		{"a party's rate that is none", soundSettings + "limit: {bulk-party: [a]}\n", "", "skrin.yaml:4", "want a party's id and a rate"},
		{"a level that there isn't", soundSettings + "log: {level: loud}\n", "", "skrin.yaml:4", "debug, info, warn or error"},
		{"a database without a bucket", soundSettings + "postgres: postgres://db/x\n", "", "skrin.yaml:4", "a cluster needs both"},
		{"a pod origin on the same host", soundSettings + "pod-origin: https://pod.example.se\n", "", "skrin.yaml:4", "must be another host"},
		{"an empty variable is none", soundSettings, "SKRIN_LIMIT_BODY=", "", ""},
		{"less memory than a server needs", soundSettings + "limit:\n  memory: 255MiB\n", "", "skrin.yaml:5", "limit.memory: it must be at least 256MiB"},
		{"as much memory as it needs", soundSettings + "limit:\n  memory: 256MiB\n", "", "", ""},
		{"no bound on memory", soundSettings + "limit:\n  memory: 0\n", "", "", ""},
		{"no room", soundSettings + "limit: {body: 0}\n", "", "skrin.yaml:4", "more than 0"},
	} {
		s := settledFrom(t, row.text, []string{row.env})
		switch {
		case row.says == "" && len(s.faults) > 0:
			t.Errorf("%s: %v", row.is, s.faults)
		case row.says == "":
		case len(s.faults) == 0:
			t.Errorf("%s: no fault", row.is)
		case filepath.Base(s.faults[0].At) != row.where && (row.where != "" || s.faults[0].At != ""), !strings.Contains(s.faults[0].Error(), row.says):
			t.Errorf("%s: %v, want %q at %q", row.is, s.faults[0], row.says, row.where)
		}
	}
}

// TestSettingsAreMasked: what is printed holds no secret.
func TestSettingsAreMasked(t *testing.T) {
	s := settledFrom(t, soundSettings+"postgres: postgres://skrin:hunter2@db/skrin\ns3: https://s3/x\n",
		[]string{"SKRIN_POSTGRES_PASSWORD=hunter2", "SKRIN_S3_SECRET_KEY=hunter2"})
	asJSON, err := json.Marshal(s.checked())
	must(t, err)
	for _, text := range []string{s.checked().String(), string(asJSON)} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "SKRIN_S3_SECRET_KEY") {
			t.Errorf("printed:\n%s", text)
		}
	}
}

// TestExampleIsTheStandard: the example sets everything to what it is without,
// tells of every setting, and has no fault but the settings that have no standard.
func TestExampleIsTheStandard(t *testing.T) {
	var b bytes.Buffer
	must(t, writeExample(&b))
	s := &settled{from: map[string]string{}}
	s.readFile("example", b.Bytes())
	if len(s.faults) > 0 {
		t.Errorf("faults: %v\n%s", s.faults, &b)
	}
	for i, o := range settle("", nil, new(settings), nil).options() {
		if got := s.options()[i]; o.standard != "" && (got.text() != o.text() || s.from[o.name] == "") {
			t.Errorf("%s: the example says %q, the standard is %q", o.path, got.text(), o.text())
		}
		if !strings.Contains(b.String(), "# ") || manual()[o.name] == "" {
			t.Errorf("%s is not in the manual", o.path)
		}
	}
}

// TestManual: the manual is the comments, as Go reads them, and the flags are the
// settings.
func TestManual(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "settings.go", settingsSource, parser.ParseComments)
	must(t, err)
	told := map[string]bool{}
	for _, text := range manual() {
		told[text] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Doc != nil {
			if text := strings.Join(strings.Fields(f.Doc.Text()), " "); !told[text] {
				t.Errorf("%s: not in the manual: %q", f.Names[0], text)
			}
		}
		return true
	})
	var c struct {
		serveOptions `embed:""`
	}
	k, err := kong.New(&c, kong.Name("skrin"), kong.PostBuild(helpful))
	must(t, err)
	flags := map[string]string{}
	for _, f := range k.Model.Flags {
		flags[f.Name] = f.Help
	}
	for _, o := range new(settings).options() {
		if help, ok := flags[o.name]; ok != o.flag || ok && !strings.HasPrefix(help, manual()[o.name]) {
			t.Errorf("--%s: there is such a flag: %t, with the help %q", o.name, ok, help)
		}
	}
}

// TestSettingsPaths: what a file names is beside that file.
func TestSettingsPaths(t *testing.T) {
	s := settledFrom(t, "key-file: master.key\npod-key-file: [a, /b]\n", nil)
	if !filepath.IsAbs(s.KeyFile) || filepath.Base(s.KeyFile) != "master.key" || !filepath.IsAbs(s.PodKeyFile[0]) || s.PodKeyFile[1] != "/b" {
		t.Errorf("%q, %q", s.KeyFile, s.PodKeyFile)
	}
}

// FuzzSettings: a file is read, or has faults that say where; never anything else.
func FuzzSettings(f *testing.F) {
	var b bytes.Buffer
	if err := writeExample(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(soundSettings))
	f.Add([]byte("limit: {body: 1GiB, pod: 1/1s}\nproxies: [loopback]\n"))
	f.Add([]byte("a: &a [*a]\n? [x]\n: y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &settled{from: map[string]string{}}
		s.readFile("f", text)
		s.check()
		for _, found := range s.faults {
			if found.Says == "" {
				t.Errorf("a fault that says nothing: %+v", found)
			}
		}
		for _, o := range s.options() {
			if s.from[o.name] == "" {
				continue
			}
			again := settled{from: map[string]string{}}
			if text := o.text(); o.value.Kind().String() != "slice" && again.optionNamed(o.name).set(text) == nil && again.optionNamed(o.name).text() != text {
				t.Errorf("%s: %q is read back as %q", o.name, text, again.optionNamed(o.name).text())
			}
		}
	})
}

// optionNamed returns the option of that name.
func (s *settled) optionNamed(name string) option {
	for _, o := range s.options() {
		if o.name == name {
			return o
		}
	}
	panic(name)
}
