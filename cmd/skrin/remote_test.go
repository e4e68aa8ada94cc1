// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/ldp/client"
)

// A terminal is a person's, with the binary itself.
type terminal struct {
	t           *testing.T
	skrin, work string
	env         []string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	k := &terminal{t: t, work: t.TempDir()}
	k.skrin = filepath.Join(k.work, "skrin")
	if out, err := exec.Command("go", "build", "-o", k.skrin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return k
}

// forget begins anew: with no login, and a secret in the environment.
func (k *terminal) forget(secret string) {
	k.env = append(os.Environ(), "XDG_CONFIG_HOME="+k.t.TempDir(), "SKRIN_CLIENT_SECRET="+secret)
}

func (k *terminal) file() string {
	for _, v := range k.env {
		if dir, ok := strings.CutPrefix(v, "XDG_CONFIG_HOME="); ok {
			return filepath.Join(dir, "skrin", "login.json")
		}
	}
	return ""
}

func (k *terminal) command(in string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.t.Context(), k.skrin, args...)
	cmd.Dir, cmd.Stdin, cmd.Env = k.work, strings.NewReader(in), k.env
	return cmd
}

func (k *terminal) run(in string, args ...string) (string, error) {
	cmd := k.command(in, args...)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	return string(out) + trouble.String(), err
}

func (k *terminal) does(want, in string, args ...string) {
	k.t.Helper()
	out, err := k.run(in, args...)
	if err != nil || want != "" && strings.TrimSpace(out) != want {
		k.t.Fatalf("skrin %s: %v\n%s\nwant %s", strings.Join(args, " "), err, out, want)
	}
}

func (k *terminal) refuses(says string, args ...string) {
	k.t.Helper()
	if out, err := k.run("", args...); err == nil || !strings.Contains(out, says) {
		k.t.Errorf("skrin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// logsIn logs in by the browser that open sends.
func (k *terminal) logsIn(server string, open func(to string), args ...string) {
	k.t.Helper()
	cmd := k.command("", append([]string{"login", server, "--json"}, args...)...)
	trouble, err := cmd.StderrPipe()
	must(k.t, err)
	must(k.t, cmd.Start())
	said := ""
	for lines := bufio.NewScanner(trouble); lines.Scan(); {
		if to, ok := strings.CutPrefix(lines.Text(), "Open in your browser: "); ok {
			open(to)
			continue
		}
		said += lines.Text() + "\n"
	}
	if err := cmd.Wait(); err != nil {
		k.t.Fatalf("login: %v\n%s", err, said)
	}
}

// commands runs all of them in a container of a pod.
func (k *terminal) commands(pod, root string, change func(address string)) {
	k.t.Helper()
	k.does("", "<#a> <#b> 1.", "put", root+"c/a.ttl", "--type", "text/turtle")
	if out, err := k.run("", "get", root+"c/a.ttl"); err != nil || !strings.Contains(out, "#b") {
		k.t.Errorf("get: %v %s", err, out)
	}
	k.does("", `@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts { <#a> <#b> 2 }.`, "patch", root+"c/a.ttl")
	must(k.t, os.WriteFile(filepath.Join(k.work, "b.txt"), bytes.Repeat([]byte("text "), 100_000), 0o600))
	k.does("", "", "cp", "b.txt", root+"c/")
	k.does("", "", "cp", root+"c/b.txt", "back.txt")
	if back, err := os.ReadFile(filepath.Join(k.work, "back.txt")); err != nil || len(back) != 500_000 {
		k.t.Errorf("copied back: %d bytes, %v", len(back), err)
	}
	k.does(root+"c/note", "hej", "post", root+"c/", "--slug", "note", "--type", "text/plain")
	out, err := k.run("", "ls", root+"c/")
	if members := strings.Fields(out); err != nil || !slices.Equal(slices.Sorted(slices.Values(members)), []string{"a.ttl", "b.txt", "note"}) {
		k.t.Errorf("ls: %v %s", err, out)
	}
	k.json(pod, root)
	if out, err := k.run("", "acl", pod); err != nil || !strings.Contains(out, "acl:Control") && !strings.Contains(out, "#Control") {
		k.t.Errorf("acl: %v %s", err, out)
	}
	must(k.t, os.WriteFile(filepath.Join(k.work, "bad.ttl"), []byte("no Turtle"), 0o600))
	k.refuses("400", "acl", root+"c/note", "--set", "bad.ttl")
	k.watches(root+"c/note", change)
	k.does("", "", "rm", root+"c/note")
	k.refuses("404", "get", root+"c/note")
}

// json has each command answer in JSON.
func (k *terminal) json(pod, root string) {
	k.t.Helper()
	must(k.t, os.WriteFile(filepath.Join(k.work, "bytes"), []byte{0xff, 0}, 0o600))
	for _, row := range []struct{ want, in, args string }{
		{root + "c/j 201", "hej", "put --type text/plain " + root + "c/j"},
		{root + "c/j 200 hej", "", "get " + root + "c/j"},
		{root + "c/k 201", "", "cp bytes " + root + "c/k"},
		{root + "c/k 200 /wA=", "", "get " + root + "c/k"},
		{root + "c/l 201", "x", "post --slug l --type text/plain " + root + "c/"},
	} {
		out, err := k.run(row.in, append(strings.Fields(row.args), "--json")...)
		var d performed
		if err == nil {
			err = json.Unmarshal([]byte(out), &d)
		}
		body := d.Body
		if d.Base64 != nil {
			body = base64.StdEncoding.EncodeToString(d.Base64)
		}
		if got := strings.TrimSpace(fmt.Sprintln(d.URL, d.Status, body)); err != nil || got != row.want {
			k.t.Errorf("skrin %s --json: %s, %v; want %s", row.args, got, err, row.want)
		}
	}
	var members []string
	if out, err := k.run("", "ls", "--json", root+"c/"); err != nil || json.Unmarshal([]byte(out), &members) != nil || len(members) != 6 {
		k.t.Errorf("ls --json: %v %s", err, out)
	}
	var d performed
	if out, err := k.run("", "acl", "--json", pod); err != nil || json.Unmarshal([]byte(out), &d) != nil || !strings.Contains(d.Body, "Control") {
		k.t.Errorf("acl --json: %v %s", err, out)
	}
	for _, name := range []string{"j", "k", "l"} {
		if out, err := k.run("", "rm", "--json", root+"c/"+name); err != nil || json.Unmarshal([]byte(out), &d) != nil || d.Status/100 != 2 {
			k.t.Errorf("rm --json: %v %s", err, out)
		}
	}
}

// watches has a resource change while skrin watches it.
func (k *terminal) watches(address string, change func(address string)) {
	k.t.Helper()
	cmd := k.command("", "watch", address)
	out, err := cmd.StdoutPipe()
	must(k.t, err)
	says, err := cmd.StderrPipe()
	must(k.t, err)
	must(k.t, cmd.Start())
	defer func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() }()
	if line := bufio.NewScanner(says); !line.Scan() || line.Text() != "watching" {
		k.t.Fatalf("watch says %q", line.Text())
	}
	change(address)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || readTelling(k.t, lines.Bytes()).Type != "Update" {
		k.t.Errorf("watch prints %s", lines.Text())
	}
}

// TestRemote: a person's commands do what they say, by the binary itself: with
// the credentials of a script that she has made, kept where nobody else reads
// them.
func TestRemote(t *testing.T) {
	w, k := newWorld(t), newTerminal(t)
	id, secret, err := w.provider.NewScript(t.Context(), "person-1", w.owner.ID, "terminal")
	must(t, err)
	k.forget(secret)
	root := w.Base + string(w.root)
	k.refuses("aren't logged in", "ls", root)
	k.refuses("invalid_client", "login", w.Base, "--id", id+"x")
	if out, _ := k.run("", "login", w.Base, "--id", id+"x"); strings.Contains(out, secret) {
		t.Error("the secret is printed")
	}
	k.does("", "", "login", w.Base, "--id", id)
	if info, err := os.Stat(k.file()); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the login is kept as %v, %v", info, err)
	}
	k.commands(root, root, func(address string) {
		until(t, "it is connected", func() bool { return w.hub.Streams() == 1 })
		w.put(strings.TrimPrefix(address, root), plain, "changed")
	})
	must(t, os.Chmod(k.file(), 0o644))
	k.refuses("can be read by others", "ls", root)
}

// TestLogin: a person logs in by her browser, and her commands go on when the
// token ends, many at once too; until she shuts the app out.
func TestLogin(t *testing.T) {
	r, k, b := startDemo(t, t.TempDir()), newTerminal(t), newBrowser(t)
	person, webID := r.alva(b)
	root := storage(webID)
	k.forget("")
	k.logsIn(r.Base, func(to string) {
		b.open(to)
		b.sees("Vill du släppa in skrin")
		b.press("Ja, släpp in")
		b.sees("You can close this window")
	})
	kept, err := readLogin(k.file())
	if err != nil || kept.WebID != string(webID) || kept.Refresh == "" || kept.Secret != "" {
		t.Fatalf("kept: %v", err)
	}
	k.commands(root, root, func(address string) {
		until(t, "it is connected", func() bool { return r.hub.Streams() == 1 })
		k.does("", "changed", "put", address, "--type", "text/plain")
	})
	kept.End = time.Now()
	must(t, kept.save(k.file()))
	var wg sync.WaitGroup
	for range 4 { // a refresh token that comes twice would end the login
		wg.Go(func() {
			if out, err := k.run("", "ls", root); err != nil {
				t.Errorf("ls after the token's end: %v %s", err, out)
			}
		})
	}
	wg.Wait()
	renewed, err := readLogin(k.file())
	if err != nil || renewed.Refresh == kept.Refresh {
		t.Errorf("the refresh token is the old one, or %v", err)
	}
	must(t, apps{r.provider, r.pod, r.hub}.Disapprove(t.Context(), webID, kept.ID))
	renewed.End = time.Now()
	must(t, renewed.save(k.file()))
	k.refuses("skrin login", "ls", root)
	_ = person
}

// TestLoginByDocument: a login may have a name on the web instead of a registration.
func TestLoginByDocument(t *testing.T) {
	r, k, b := startDemo(t, t.TempDir()), newTerminal(t), newBrowser(t)
	_, webID := r.alva(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	back := "http://" + l.Addr().String() + "/return"
	l.Close()
	var id string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/ld+json")
		fmt.Fprintf(w, `{"@context": ["https://www.w3.org/ns/solid/oidc-context.jsonld"], "client_id": %q, "client_name": "At a terminal",
			"redirect_uris": [%q], "scope": "openid webid offline_access", "grant_types": ["authorization_code", "refresh_token"]}`, id, back)
	}))
	defer site.Close()
	id = site.URL + "/terminal.jsonld"
	k.forget("")
	k.refuses("go together", "login", r.Base, "--id", id)
	k.logsIn(r.Base, func(to string) {
		b.open(to)
		b.sees("Vill du släppa in At a terminal?")
		b.press("Ja, släpp in")
	}, "--id", id, "--return", back)
	k.does("", "hej", "put", storage(webID)+"note", "--type", "text/plain")
}

// TestLoginRefused: her no is a no.
func TestLoginRefused(t *testing.T) {
	r, k, b := startDemo(t, t.TempDir()), newTerminal(t), newBrowser(t)
	r.alva(b)
	k.forget("")
	cmd := k.command("", "login", r.Base)
	trouble, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(trouble)
	lines.Scan()
	b.open(strings.TrimPrefix(lines.Text(), "Open in your browser: "))
	b.press("Nej, släpp inte in")
	lines.Scan()
	if err := cmd.Wait(); err == nil || !strings.Contains(lines.Text(), "declined") {
		t.Errorf("%v: %s", err, lines.Text())
	}
	if _, err := os.Stat(k.file()); err == nil {
		t.Error("a login is kept")
	}
}

// TestServersDoNotSteerTheTerminal: what a server says in its refusal is printed
// without what a terminal obeys.
func TestServersDoNotSteerTheTerminal(t *testing.T) {
	for said, want := range map[string]string{
		"å, no":                       "å, no",
		"\x1b[2J\x1b]0;title\x07gone": "[2J]0;titlegone",
		"over\rwritten":               "overwritten",
		"\u009b31mred":                "31mred",
		"turned \u202eround":          "turned round",
		"one fault\nand another":      "one fault\nand another",
		"no text: \x9b":               "no text: \uFFFD",
	} {
		if got := legible((&client.Problem{Status: 422, Title: "T", Detail: said}).Error()); got != "422 T: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRemoteElsewhere: the same commands at Community Solid Server, by a script's
// credentials and by a browser.
func TestRemoteElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts another server")
	}
	f, k := startCSS(t), newTerminal(t)
	change := func(address string) {
		k.does("", "changed", "put", address, "--type", "text/plain")
	}
	k.forget(f.secret)
	k.does("", "", "login", f.base, "--id", f.id)
	k.commands(f.base+"/bob/", f.base+"/bob/script/", change)
	k.forget("")
	k.logsIn(f.base, f.agree)
	k.commands(f.base+"/bob/", f.base+"/bob/browser/", change)
	kept, err := readLogin(k.file())
	must(t, err)
	kept.End = time.Now()
	must(t, kept.save(k.file()))
	k.does("", "", "rm", f.base+"/bob/browser/c/a.ttl")
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
