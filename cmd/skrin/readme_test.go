// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestREADME runs the README's examples for an authority and a third party, as
// they stand there, against the demo.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)<!-- run: (\\w+) -->\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		examples[m[1]] = m[2]
	}
	if len(examples) != 4 {
		t.Fatalf("the README has %d examples", len(examples))
	}
	work := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", work, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	_, deposit := r.granted("Alva Lindqvist")
	jwks := filepath.Join(work, "af.jwks")
	set, err := json.Marshal(r.authority.Keys())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jwks, set, 0o600); err != nil {
		t.Fatal(err)
	}
	key := func(id string) string { return filepath.Join(r.dir, "parties", id, "TEST-key.json") }
	run := func(name string, env ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", examples[name])
		cmd.Dir = work
		cmd.Env = append(os.Environ(), append(env, "PATH="+work+":"+os.Getenv("PATH"), "SERVER="+r.Base, "ISSUER="+r.origins[1])...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	if out := run("deposit", "KEY="+key("arbetsformedlingen"), "DEPOSIT="+deposit); !strings.Contains(out, "201") {
		t.Errorf("deposit: %s", out)
	}
	if out := run("push", "KEY="+key("arbetsformedlingen"), "DEPOSIT="+deposit); !strings.Contains(out, "1 sent, 0 sent before") {
		t.Errorf("push: %s", out)
	}
	if out := run("push", "KEY="+key("arbetsformedlingen"), "DEPOSIT="+deposit); !strings.Contains(out, "0 sent, 1 sent before") {
		t.Errorf("push again: %s", out)
	}
	r.ask(b)
	b.press("Ja, dela")
	evidence, _ := r.granted("Alva Lindqvist")
	out := run("read", "KEY="+key("exempel-forsakring"), "EVIDENCE="+evidence, "JWKS="+jwks)
	if strings.TrimSpace(out) != "{\n  \"registered_at_least_30_days\": true\n}" {
		t.Errorf("read: %s", out)
	}
	if again := run("consume", "KEY="+key("exempel-forsakring"), "EVIDENCE="+evidence, "JWKS="+jwks); again != out {
		t.Errorf("consumer read: %s", again)
	}
}

// TestREADMEPoints: what the README names is there.
func TestREADMEPoints(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile("`((?:acl|auth|ldp|pod|cmd|fixtures|docker)[\\w./-]*\\.?\\w*)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("..", "..", path[1])); err != nil {
			t.Errorf("the README names %s: %v", path[1], err)
		}
	}
}
