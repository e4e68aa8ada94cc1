// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/ldp"
)

// A foreign is Community Solid Server, with a person of its own: Bob.
type foreign struct {
	t    *testing.T
	base string
	bob  solidUser

	id, secret string // Bob's client credentials
}

// A solidUser is somebody at a Solid server, with a token of her own issuer.
type solidUser struct {
	t     testing.TB
	webID acl.WebID
	key   *dpop.Key
	token string
}

func newSolidUser(t *testing.T, webID acl.WebID, issuer, id, secret string) solidUser {
	t.Helper()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return solidUser{t, webID, key, scriptToken(t, issuer, id, secret, key)}
}

// do sends a request with her token to whatever server, and returns the status.
func (u solidUser) do(method, address, mediaType, body string) int {
	u.t.Helper()
	proof, err := u.key.Proof(method, address, u.token, "", time.Now())
	if err != nil {
		u.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("Authorization", "DPoP "+u.token)
	req.Header.Set("DPoP", proof)
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// let writes the ACL of a file: its owner may do all, and another may read.
func (u solidUser) let(file string, other acl.WebID) {
	u.t.Helper()
	status := u.do("PUT", file+".acl", "text/turtle", fmt.Sprintf(`@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#owner> a acl:Authorization; acl:accessTo <%[1]s>; acl:agent <%[2]s>; acl:mode acl:Read, acl:Write, acl:Control.
<#other> a acl:Authorization; acl:accessTo <%[1]s>; acl:agent <%[3]s>; acl:mode acl:Read.`, file, u.webID, other))
	if status/100 != 2 {
		u.t.Fatalf("%s.acl: %d", file, status)
	}
}

// startCSS runs Community Solid Server until the test ends.
func startCSS(t *testing.T) *foreign {
	t.Helper()
	needClients(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	f := &foreign{t: t, base: fmt.Sprintf("http://localhost:%d", port)}
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed, []byte(`[{"email":"bob@example.org","password":"TEST-password","pods":[{"name":"bob"}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "node_modules/@solid/community-server/bin/server.js",
		"-p", fmt.Sprint(port), "-b", f.base+"/", "--seedConfig", seed, "-l", "warn")
	cmd.Dir, cmd.WaitDelay = clientsDir, time.Second
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		resp, err := http.Get(f.base + "/bob/profile/card")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("Community Solid Server does not start: %v\n%s", err, log.String())
		}
	}
	id, secret := f.credentials()
	f.id, f.secret = id, secret
	f.bob = newSolidUser(t, acl.WebID(f.base+"/bob/profile/card#me"), f.base, id, secret)
	return f
}

// account asks its account API.
func (f *foreign) account(method, address, token string, body, answer any) {
	f.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "CSS-Account-Token "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 || json.Unmarshal(got, answer) != nil {
		f.t.Fatalf("%s: %d %s", address, resp.StatusCode, got)
	}
}

func (f *foreign) credentials() (id, secret string) {
	f.t.Helper()
	var in struct{ Authorization string }
	f.account("POST", f.base+"/.account/login/password/", "", map[string]string{"email": "bob@example.org", "password": "TEST-password"}, &in)
	var about struct {
		Controls struct {
			Account struct{ ClientCredentials string }
		}
	}
	f.account("GET", f.base+"/.account/", in.Authorization, nil, &about)
	var made struct{ ID, Secret string }
	f.account("POST", about.Controls.Account.ClientCredentials, in.Authorization,
		map[string]string{"name": "test", "webId": f.base + "/bob/profile/card#me"}, &made)
	return made.ID, made.Secret
}

// agree is Bob's browser, which logs in and agrees, by the JSON that the pages of
// the server send.
func (f *foreign) agree(to string) {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	must(f.t, err)
	browser := &http.Client{Jar: jar}
	ask := func(method, address string, body any, answer any) {
		f.t.Helper()
		var in io.Reader
		if body != nil {
			text, err := json.Marshal(body)
			must(f.t, err)
			in = bytes.NewReader(text)
		}
		req, err := http.NewRequestWithContext(f.t.Context(), method, address, in)
		must(f.t, err)
		req.Header.Set("Accept", "application/json")
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := browser.Do(req)
		must(f.t, err)
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body)
		if resp.StatusCode/100 != 2 || answer != nil && json.Unmarshal(got, answer) != nil {
			f.t.Fatalf("%s %s: %d %s", method, address, resp.StatusCode, got)
		}
	}
	var next struct{ Location string }
	var controls struct {
		Controls struct {
			Password struct{ Login string }
			OIDC     struct{ WebID, Consent string }
		}
	}
	ask("GET", to, nil, nil)
	ask("GET", f.base+"/.account/", nil, &controls)
	ask("POST", controls.Controls.Password.Login, map[string]string{"email": "bob@example.org", "password": "TEST-password"}, &next)
	ask("GET", next.Location, nil, nil)
	ask("GET", f.base+"/.account/", nil, &controls)
	ask("POST", controls.Controls.OIDC.WebID, map[string]any{"webId": f.base + "/bob/profile/card#me", "remember": false}, &next)
	ask("GET", next.Location, nil, nil)
	ask("POST", controls.Controls.OIDC.Consent, map[string]any{"remember": true}, &next)
	ask("GET", next.Location, nil, nil)
}

// TestCommunitySolidServer: its users read from our pods with its tokens, and
// ours from its pods with ours; each only what they were let.
func TestCommunitySolidServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts another server")
	}
	f := startCSS(t)
	r := startDemo(t, t.TempDir())
	person, webID := r.alva(newBrowser(t))
	id, secret, err := r.provider.NewScript(t.Context(), person, webID, "test")
	if err != nil {
		t.Fatal(err)
	}
	alva, bob := newSolidUser(t, webID, r.Base, id, secret), f.bob
	for _, row := range []struct {
		what         string
		owner, other solidUser
		root         string
	}{
		{"Bob of the other server reads from Alva's pod", alva, bob, storage(webID)},
		{"Alva reads from Bob's pod at the other server", bob, alva, f.base + "/bob/"},
	} {
		t.Run(row.what, func(t *testing.T) {
			file, private := row.root+"note.txt", row.root+"private.txt"
			for _, address := range []string{file, private} {
				if got := row.owner.do("PUT", address, "text/plain", "hej"); got/100 != 2 {
					t.Fatalf("%s: %d", address, got)
				}
			}
			row.owner.let(file, row.other.webID)
			for _, want := range []struct {
				method, address string
				status          int
			}{{"GET", file, 200}, {"GET", private, 403}, {"PUT", file, 403}} {
				if got := row.other.do(want.method, want.address, "text/plain", ""); got != want.status {
					t.Errorf("%s %s: %d, want %d", want.method, want.address, got, want.status)
				}
			}
		})
	}
}

// TestImportFromCommunitySolidServer: Bob's pod at the other server, read by its
// own API, becomes Alva's here: what it says, and who may read it. A run that was
// interrupted takes no body twice.
func TestImportFromCommunitySolidServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts another server")
	}
	f := startCSS(t)
	root := f.base + "/bob/"
	large := strings.Repeat("large ", 100_000)
	for path, body := range map[string]string{"notes/a.ttl": "<> <urn:p> <b>, <" + root + "profile/card#me>.", "notes/deep/b.txt": "hej", "notes/large.bin": large, "secret.ttl": "<> <urn:p> 1."} {
		media := map[string]string{".ttl": "text/turtle", ".txt": "text/plain", ".bin": "application/octet-stream"}[filepath.Ext(path)]
		if got := f.bob.do("PUT", root+path, media, body); got/100 != 2 {
			t.Fatalf("%s: %d", path, got)
		}
	}
	f.bob.let(root+"notes/a.ttl", "https://carol.example/me")

	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "bob.tar.gz")
	if err := os.WriteFile(secret, []byte(f.secret), 0o600); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	fetch := fetchCommand{Root: root, File: filepath.Join(dir, "taken"), ID: f.id, Secret: secret, Most: 1 << 30, told: &told}
	if err := os.MkdirAll(filepath.Join(fetch.File, "by a folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := fetch.Run(t.Context()); err == nil || strings.Contains(told.String(), "here already; 1") {
		t.Fatalf("a file is made in place of a folder; %s", told.String())
	}
	if err := os.Rename(fetch.File+".parts", file+".parts"); err != nil {
		t.Fatal(err)
	}
	fetch.File = file
	if err := fetch.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(told.String()), "\n"); strings.Contains(lines[len(lines)-1], " 0 were here") {
		t.Errorf("nothing of the run before was of use: %s", told.String())
	}
	r := startDemo(t, t.TempDir())
	_, webID := r.alva(newBrowser(t))
	ids, err := r.engine.Pods(t.Context(), "", 2)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	o, err := r.run(t.Context(), errand{Do: "import", Pod: ids[0], From: file})
	if err != nil {
		t.Fatal(err)
	}
	if o.Imported.Vouched || o.Imported.Count["pod"] < 6 || o.Imported.From != root {
		t.Errorf("imported %+v", o.Imported)
	}
	carol := acl.Agent{ID: "https://carol.example/me", Issuer: "https://carol.example"}
	alva := acl.Agent{ID: webID, Issuer: r.Base}
	mine := ldp.ID(strings.TrimPrefix(storage(webID), r.Base))
	for _, row := range []struct {
		who  acl.Agent
		path ldp.ID
		want string // "" for refused
	}{
		{alva, "notes/a.ttl", string(webID)}, {carol, "notes/a.ttl", string(webID)}, {carol, "secret.ttl", ""}, {alva, "secret.ttl", "urn:p"},
		{alva, "notes/deep/b.txt", "hej"}, {carol, "notes/deep/b.txt", ""}, {alva, "notes/large.bin", large}, {carol, "profile/card", r.Base},
	} {
		res, err := r.pod.Get(t.Context(), row.who, ldp.Get{ID: mine + row.path, Choose: func(offers ...string) string { return offers[0] }})
		if (err == nil) != (row.want != "") {
			t.Errorf("%s reads %s: %v", row.who.ID, row.path, err)
		}
		if err != nil {
			continue
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(b), row.want) || strings.Contains(string(b), f.base) {
			t.Errorf("%s reads %.500s, %v", row.path, b, err)
		}
	}
	if o, err := r.run(t.Context(), errand{Do: "fsck"}); err != nil || len(o.Findings) > 0 {
		t.Errorf("fsck: %+v, %v", o.Findings, err)
	}
}
