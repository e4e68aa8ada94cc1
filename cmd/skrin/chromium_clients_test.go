// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestChromiumAndInruptsClient: the whole code flow, with Inrupt's client as it is
// published and a real browser.
func TestChromiumAndInruptsClient(t *testing.T) {
	if testing.Short() {
		t.Skip("a real browser takes its time")
	}
	needClients(t)
	needBrowser(t)
	r := startDemo(t, t.TempDir())
	_, webID := r.alva(newBrowser(t))
	file := storage(webID) + "notes/hej.txt"
	var got inrupted
	r.nodeWith("inrupt.js", r.chromium, map[string]string{"issuer": r.Base, "redirect": "https://app.example/back", "file": file}, &got)
	if got.WebID != webID || !got.IsLoggedIn || got.Put/100 != 2 || got.Got != 200 || got.Text != "hej" || got.Stranger != 401 {
		t.Errorf("got %+v", got)
	}
}

// chromium opens an address in Chromium, where Alva signs in and lets the app in,
// and returns the address at which the browser leaves the server.
func (r *running) chromium(address string) string {
	r.t.Helper()
	tmp, err := os.MkdirTemp("", "skrin") // short: Chromium makes a socket in it
	if err != nil {
		r.t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(r.t.Context(), "/usr/bin/node", "approve.mjs", address)
	cmd.Dir = drivers
	cmd.Env = append(os.Environ(), "SKRIN_ORIGINS="+strings.Join(r.origins[:], " "), "TMPDIR="+tmp, "HOME="+tmp, "XDG_CONFIG_HOME="+tmp, "XDG_CACHE_HOME="+tmp)
	out, err := cmd.Output()
	var says struct {
		OK     bool
		Detail string
	}
	if bad := json.Unmarshal(out, &says); err != nil || bad != nil || !says.OK {
		r.t.Fatalf("Chromium: %v %v: %s", err, bad, out)
	}
	return says.Detail
}
