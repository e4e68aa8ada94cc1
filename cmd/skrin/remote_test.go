// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRemote: a person's commands do what they say, by the binary itself: with
// the credentials of a script that she has made, kept where nobody else reads
// them.
func TestRemote(t *testing.T) {
	w, work := newWorld(t), t.TempDir()
	skrin := filepath.Join(work, "skrin")
	if out, err := exec.Command("go", "build", "-o", skrin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	id, secret, err := w.provider.NewScript(t.Context(), "person-1", w.owner.ID, "terminal")
	must(t, err)
	run := func(in string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), skrin, args...)
		cmd.Dir, cmd.Stdin = work, strings.NewReader(in)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(work, "settings"), "SKRIN_CLIENT_SECRET="+secret)
		var trouble bytes.Buffer
		cmd.Stderr = &trouble
		out, err := cmd.Output()
		return string(out) + trouble.String(), err
	}
	does := func(want, in string, args ...string) {
		t.Helper()
		out, err := run(in, args...)
		if err != nil || want != "" && strings.TrimSpace(out) != want {
			t.Fatalf("skrin %s: %v\n%s\nwant %s", strings.Join(args, " "), err, out, want)
		}
	}
	refuses := func(says string, args ...string) {
		t.Helper()
		if out, err := run("", args...); err == nil || !strings.Contains(out, says) || strings.Contains(out, secret) {
			t.Errorf("skrin %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	root := w.Base + string(w.root)
	refuses("aren't logged in", "ls", root)
	refuses("invalid_client", "login", w.Base, "--id", id+"x")
	does("", "", "login", w.Base, "--id", id)
	file := filepath.Join(work, "settings", "skrin", "login.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the login is kept as %v, %v", info, err)
	}
	does("", "<#a> <#b> 1.", "put", root+"c/a.ttl", "--type", "text/turtle")
	does("<#a> <#b> 1.", "", "get", root+"c/a.ttl")
	does("", `@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts { <#a> <#b> 2 }.`, "patch", root+"c/a.ttl")
	must(t, os.WriteFile(filepath.Join(work, "b.txt"), bytes.Repeat([]byte("text "), 100_000), 0o600))
	does("", "", "cp", "b.txt", root+"c/")
	does("", "", "cp", root+"c/b.txt", "back.txt")
	if back, err := os.ReadFile(filepath.Join(work, "back.txt")); err != nil || len(back) != 500_000 {
		t.Errorf("copied back: %d bytes, %v", len(back), err)
	}
	does(root+"c/note", "hej", "post", root+"c/", "--slug", "note", "--type", "text/plain")
	does("a.ttl\nb.txt\nnote", "", "ls", root+"c/")
	does(`["`+root+`c/a.ttl","`+root+`c/b.txt","`+root+`c/note"]`, "", "ls", "--json", root+"c/")
	if out, err := run("", "acl", root); err != nil || !strings.Contains(out, "acl:Control") && !strings.Contains(out, "#Control") {
		t.Errorf("acl: %v %s", err, out)
	}
	must(t, os.WriteFile(filepath.Join(work, "bad.ttl"), []byte("no Turtle"), 0o600))
	refuses("400", "acl", root+"c/note", "--set", "bad.ttl")
	w.watched(t, skrin, work, root+"c/note")
	does("", "", "rm", root+"c/note")
	refuses("404", "get", root+"c/note")
	must(t, os.Chmod(file, 0o644))
	refuses("can be read by others", "ls", root)
}

// watched changes a resource while skrin watches it.
func (w *world) watched(t *testing.T, skrin, work, address string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), skrin, "watch", address)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(work, "settings"))
	out, err := cmd.StdoutPipe()
	must(t, err)
	says, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() }()
	if line := bufio.NewScanner(says); !line.Scan() || line.Text() != "watching" {
		t.Fatalf("watch says %q", line.Text())
	}
	until(t, "it is connected", func() bool { return w.hub.Streams() == 1 })
	w.put(strings.TrimPrefix(address, w.Base+string(w.root)), plain, "changed")
	lines := bufio.NewScanner(out)
	if !lines.Scan() || readTelling(t, lines.Bytes()).Type != "Update" {
		t.Errorf("watch prints %s", lines.Text())
	}
}

// FuzzLinked: whatever a server says in Link, what is found in it is a URL.
func FuzzLinked(f *testing.F) {
	f.Add(`<a.acl>; rel="acl", <b>; rel=acl`)
	f.Add(`<`)
	f.Add(`<%zz>; rel="acl"`)
	request := httptest.NewRequest("GET", "https://pod.example/x/y", nil)
	f.Fuzz(func(t *testing.T, field string) {
		resp := &http.Response{Header: http.Header{"Link": {field}}, Request: request}
		place, err := linked(resp, "acl")
		if err == nil {
			if _, err := request.URL.Parse(place); err != nil {
				t.Errorf("%q in %q: %v", place, field, err)
			}
		}
	})
}
