// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"skrin/acl"
)

// TestSuiteAccounts does what the README says to somebody who runs a suite: two
// people of the demo, by a browser, and what their programs may then do.
func TestSuiteAccounts(t *testing.T) {
	r := startDemo(t, t.TempDir())
	users := map[string]solidUser{}
	for _, name := range []string{"Alva", "Nils"} {
		b := newBrowser(t)
		b.open(r.Base + "/me/")
		b.signIn(name)
		b.open(r.Base + "/me/apps")
		b.press("Skapa inloggning", "name", "suite")
		shown := regexp.MustCompile(`client_id (\S+) client_secret (\S+)`).FindStringSubmatch(b.text())
		if shown == nil {
			t.Fatalf("no credentials: %s", b.text())
		}
		u := newSolidUser(t, "", r.Base, shown[1], shown[2])
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(u.token, ".")[1])
		must(t, err)
		must(t, json.Unmarshal(payload, &struct {
			WebID *acl.WebID `json:"webid"`
		}{&u.webID}))
		users[name] = u
	}
	alva, nils := users["Alva"], users["Nils"]
	file := storage(alva.webID) + "suite/note"
	for _, c := range []struct {
		says   string
		who    solidUser
		method string
		status int
	}{
		{"she writes", alva, "PUT", 201},
		{"and reads", alva, "GET", 200},
		{"he may not", nils, "GET", 403},
	} {
		if got := c.who.do(c.method, file, "text/plain", "x"); got != c.status {
			t.Errorf("%s: %d, want %d", c.says, got, c.status)
		}
	}
	alva.let(file, nils.webID)
	if got := nils.do("GET", file, "", ""); got != 200 {
		t.Errorf("he is let: %d", got)
	}
}
