// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/cmd/skrin/demo"
)

const clientsDir = "../../fixtures/clients"

// needClients skips the test where the clients aren't installed; with
// SKRIN_TEST_ALL that is an error.
func needClients(t *testing.T) {
	t.Helper()
	_, err := os.Stat(filepath.Join(clientsDir, "node_modules", ".installed"))
	if err == nil {
		_, err = exec.LookPath("node")
	}
	switch {
	case err == nil:
	case os.Getenv("SKRIN_TEST_ALL") != "":
		t.Fatalf("%v: \"make deps\" installs it", err)
	default:
		t.Skipf("%v: \"make deps\" installs it", err)
	}
}

// node runs a script of fixtures/clients. It tells it what, opens in the browser
// what it asks for, and reads what it has done into done.
func (r *running) node(script string, b *browser, what, done any) {
	r.t.Helper()
	r.nodeWith(script, func(address string) string { return r.leave(b, address) }, what, done)
}

// nodeWith is node with any browser: open opens an address, and returns the one at
// which the browser leaves the server.
func (r *running) nodeWith(script string, open func(address string) string, what, done any) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "node", script)
	cmd.Dir, cmd.WaitDelay = clientsDir, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}()
	talk := json.NewEncoder(in)
	if err := talk.Encode(what); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var m struct {
			Open, Failed string
			Done         json.RawMessage
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue // a library's own chatter
		}
		switch {
		case m.Failed != "":
			r.t.Fatalf("%s: %s", script, m.Failed)
		case m.Open != "":
			if err := talk.Encode(open(m.Open)); err != nil {
				r.t.Fatal(err)
			}
		case m.Done != nil:
			if err := json.Unmarshal(m.Done, done); err != nil {
				r.t.Fatalf("%s: %v: %s", script, err, m.Done)
			}
			return
		}
	}
	r.t.Fatalf("%s ended: %v\n%s", script, lines.Err(), trouble.String())
}

// leave opens an address, lets the person decide if she is asked, and returns
// the address at which the browser leaves the server.
func (r *running) leave(b *browser, address string) string {
	r.t.Helper()
	left := ""
	b.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.String(), r.Base+"/") {
			left = req.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	defer func() { b.client.CheckRedirect = nil }()
	b.open(address)
	if left == "" && b.says("Logga in med") {
		b.signIn("Alva")
	}
	for _, yes := range []string{"Ja, släpp in", "Ja, anslut"} {
		if left == "" && b.says(yes) {
			b.press(yes)
		}
	}
	if left == "" {
		r.t.Fatalf("the browser stays at %s: %s", b.at, b.text())
	}
	return left
}

// alva signs Alva in, and returns her internal id and her WebID.
func (r *running) alva(b *browser) (person string, webID acl.WebID) {
	r.t.Helper()
	b.open(r.Base + "/me/")
	b.signIn("Alva")
	people := demo.People()
	i := slices.IndexFunc(people, func(p demo.Person) bool { return strings.HasPrefix(p.Name, "Alva") })
	var err error
	if person, err = r.vault.Person(r.t.Context(), people[i].Scheme, people[i].Number); err != nil {
		r.t.Fatal(err)
	}
	owner, err := r.pod.Owner(r.t.Context(), person)
	if err != nil {
		r.t.Fatal(err)
	}
	return person, owner.ID
}

func storage(webID acl.WebID) string { return strings.TrimSuffix(string(webID), "profile/card#me") }

// What Inrupt's client says of a session.
type inrupted struct {
	WebID      acl.WebID `json:"webId"`
	IsLoggedIn bool
	Put, Got   int
	Text       string
	Stranger   int
}

func (i inrupted) check(t *testing.T, webID acl.WebID) {
	t.Helper()
	if i.WebID != webID || !i.IsLoggedIn || i.Put != 201 && i.Put != 205 && i.Put != 204 || i.Got != 200 || i.Text != "hej" || i.Stranger != 401 {
		t.Errorf("got %+v, want %s", i, webID)
	}
}

func TestInruptsClient(t *testing.T) {
	needClients(t)
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	person, webID := r.alva(b)
	file := storage(webID) + "notes.txt"
	t.Run("with a person's own credentials", func(t *testing.T) {
		id, secret, err := r.provider.NewScript(t.Context(), person, webID, "backup")
		if err != nil {
			t.Fatal(err)
		}
		var got inrupted
		r.node("inrupt.js", nil, map[string]string{"issuer": r.Base, "id": id, "secret": secret, "file": file}, &got)
		got.check(t, webID)
	})
	t.Run("as an app that registers itself", func(t *testing.T) {
		var got inrupted
		r.node("inrupt.js", newBrowser(t), map[string]string{"issuer": r.Base, "redirect": "https://app.example/back", "file": file}, &got)
		got.check(t, webID)
	})
	t.Run("as an app with a client ID document", func(t *testing.T) {
		const back = "https://doc.example/back"
		doc := serveDocument(t, back)
		var got inrupted
		r.node("inrupt.js", newBrowser(t), map[string]string{"issuer": r.Base, "id": doc, "redirect": back, "file": file}, &got)
		got.check(t, webID)
	})
}

// serveDocument serves a client ID document, and returns its address.
func serveDocument(t *testing.T, redirect string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/ld+json")
		json.NewEncoder(w).Encode(map[string]any{
			"@context":  []string{"https://www.w3.org/ns/solid/oidc-context.jsonld"},
			"client_id": "http://" + r.Host + r.URL.Path, "client_name": "Notes", "redirect_uris": []string{redirect},
			"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid webid offline_access",
		})
	}))
	t.Cleanup(server.Close)
	return server.URL + "/id"
}

func TestOpenIDClient(t *testing.T) {
	needClients(t)
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	_, webID := r.alva(b)
	t.Run("as a Solid app, with PAR, PKCE and DPoP", func(t *testing.T) {
		var got struct {
			Claims                   map[string]any
			Type                     string
			Read, Refreshed, Revoked int
			Rotated                  bool
		}
		r.node("openid.js", b, map[string]any{"issuer": r.Base, "redirect": "https://app.example/back", "file": storage(webID)}, &got)
		if got.Claims["webid"] != string(webID) || got.Type != "dpop" || got.Read != 200 || got.Refreshed != 200 || !got.Rotated || got.Revoked != 401 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("as a party, with private_key_jwt, a signed request and authorization_details", func(t *testing.T) {
		key := r.party("arbetsformedlingen").Key
		key.KeyID = r.authority.Keys().Keys[0].KeyID
		p, err := r.parties.Party(t.Context(), "arbetsformedlingen")
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Claims             map[string]any
			Details            []map[string]any
			Active, Afterwards bool
		}
		r.node("openid.js", b, map[string]any{
			"issuer": r.Base, "redirect": p.Redirects[0], "party": p.ID, "key": key,
			"details": []any{map[string]any{"type": "evidence_deposit", "evidence_types": p.MayIssue}}, "file": r.Base,
		}, &got)
		if got.Claims["webid"] == string(webID) || !strings.HasPrefix(got.Claims["webid"].(string), r.Base+"/w/") || len(got.Details) != 1 || !got.Active || got.Afterwards {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOtherServersBelieveOurTokens(t *testing.T) {
	needClients(t)
	r := startDemo(t, t.TempDir())
	person, webID := r.alva(newBrowser(t))
	id, secret, err := r.provider.NewScript(t.Context(), person, webID, "backup")
	if err != nil {
		t.Fatal(err)
	}
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	token := scriptToken(t, r.Base, id, secret, key)
	const elsewhere = "https://other.example/private/"
	proof, err := key.Proof("GET", elsewhere, token, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		WebID  acl.WebID `json:"webid"`
		Client string
	}
	r.node("verifier.js", nil, map[string]string{"authorization": "DPoP " + token, "proof": proof, "method": "GET", "url": elsewhere}, &got)
	if got.WebID != webID || got.Client != id {
		t.Errorf("got %+v", got)
	}
}

// scriptToken gets an access token with a person's own credentials.
func scriptToken(t testing.TB, base, id, secret string, key *dpop.Key) string {
	t.Helper()
	proof, err := key.Proof("POST", base+"/.oidc/token", "", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/.oidc/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var answer struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Token == "" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return answer.Token
}
