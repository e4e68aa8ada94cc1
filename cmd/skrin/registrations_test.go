// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/cmd/skrin/parties"
	"skrin/ldp/client"
	"skrin/pod/podtest"
	"skrin/pod/registry"
)

// A county is servers on one storage, with an operator "anna" and nobody else.
type county struct {
	t     *testing.T
	dir   string
	base  string
	nodes []*server
	at    []string // where they listen; the first is base
	anna  string   // file of her private key
	c     config
}

// newCounty starts so many servers.
func newCounty(t *testing.T, n int, k keep) *county {
	t.Helper()
	dir, err := os.MkdirTemp("", "skrin-county-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &county{t: t, dir: dir, anna: filepath.Join(dir, "anna.key")}
	key := w.keyFile(w.anna)
	last := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	write(t, filepath.Join(dir, "operators", "anna.json"), operatorFile{"anna", "Anna (exempel)", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}, last, []string{mayParties, mayPods, mayKeys, mayJobs}})
	master := make([]byte, keySize)
	rand.Read(master)
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			w.base = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
		}
		w.c = config{
			Base: w.base, Dir: filepath.Join(dir, fmt.Sprint("node", i)), Key: master, Demo: true, Token: 5 * time.Minute,
			Operators: filepath.Join(dir, "operators"), keep: k,
		}
		s, err := newServer(t.Context(), w.c, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		t.Cleanup(func() {
			cancel()
			<-ended
			if err := s.Close(); err != nil {
				t.Errorf("node %d closed with %v", i, err)
			}
		})
		w.nodes, w.at = append(w.nodes, s), append(w.at, l.Addr().String())
	}
	return w
}

func (w *county) keyFile(path string) jose.JSONWebKey {
	w.t.Helper()
	key, err := crowdKey("1")
	if err != nil {
		w.t.Fatal(err)
	}
	write(w.t, path, key)
	return key
}

func write(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// party returns a registration of the insurer, and its client at a node.
func (w *county) party() (registration registry.PartyFile, at func(node int) *client.Client) {
	w.t.Helper()
	text, err := registrationOf(w.t, "exempel-forsakring")
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := crowdKey("1")
	if err != nil {
		w.t.Fatal(err)
	}
	text.Keys.Keys, text.Until = []jose.JSONWebKey{key.Public()}, time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	proofs, err := dpop.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	return text, func(node int) *client.Client {
		return through(&client.Client{Issuer: w.base, ID: text.ID, Key: key, DPoP: proofs, Now: time.Now}, w.at[node])
	}
}

func registrationOf(t *testing.T, id string) (f registry.PartyFile, err error) {
	t.Helper()
	text, err := registration(id)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	return f, err
}

// as asks for something as c, and returns the status; 0 if it can't even get a token.
func (w *county) as(c *client.Client, method, path string) int {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// known reports whether a node takes c for somebody. What it asks for isn't there.
func (w *county) known(c *client.Client) bool {
	switch got := w.as(c, "GET", "/nobodys-pod/x"); got {
	case 0, http.StatusUnauthorized:
		return false
	case http.StatusNotFound, http.StatusForbidden:
		return true
	default:
		w.t.Fatalf("got %d", got)
		return false
	}
}

// within waits for at most a second until all clients are known, or are not. What its
// own requests take isn't counted: the machine may have much else to do.
func (w *county) within(want bool, what string, all ...*client.Client) {
	w.t.Helper()
	const pause = 20 * time.Millisecond
	pauses := 0
	for i, c := range all {
		for w.known(c) != want {
			if pauses++; pauses > int(time.Second/pause) {
				w.t.Fatalf("%s, and a second later node %d: known is %t", what, i, !want)
			}
			time.Sleep(pause)
		}
	}
}

// TestParties: an operator registers a party over HTTP, renews and revokes it; it
// is known, and refused, on every node within a second, with the token that it
// has. The same on one directory and on a cluster.
func TestParties(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *county{
		"embedded": func(t *testing.T) *county { return newCounty(t, 1, keep{}) },
		"cluster": func(t *testing.T) *county {
			db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
			return newCounty(t, 2, clusterOf(t, db, s3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			last := len(w.at) - 1
			file, at := w.party()
			here, there := at(0), at(last)
			anna := &anywhere{Server: w.base, Operator: "anna", Key: w.anna}
			do := func(e errand) parties.Listing {
				t.Helper()
				o, err := anna.outcome(t.Context(), e)
				if err != nil || len(o.Parties) != 1 {
					t.Fatalf("%s: %+v, %v", e.Do, o, err)
				}
				return o.Parties[0]
			}
			if w.known(here) || w.known(there) {
				t.Fatal("who isn't registered is known")
			}
			text, _ := json.Marshal(file)
			if l := do(errand{Do: "party add", Text: text}); l.State != parties.Active || l.By != "anna" {
				t.Errorf("added as %+v", l)
			}
			w.within(true, "registered", here, there)
			if l := do(errand{Do: "party show", Party: file.ID}); l.File == nil || l.File.Contact != file.Contact || len(l.File.Uses) != len(file.Uses) {
				t.Errorf("shown as %+v", l)
			}
			until := time.Now().AddDate(2, 0, 0).Format(time.DateOnly)
			if l := do(errand{Do: "party renew", Party: file.ID, Until: until}); l.File.Until != until {
				t.Errorf("renewed as %+v", l)
			}
			do(errand{Do: "party list"})
			if last > 0 {
				w.oneProofOnce(here)
			}
			if l := do(errand{Do: "party revoke", Party: file.ID}); l.State != parties.Revoked {
				t.Errorf("revoked as %+v", l)
			}
			if w.known(here) {
				t.Error("revoked on this node, and not refused at once")
			}
			w.within(false, "revoked", here, there)
			if _, err := at(last).Token(t.Context()); err == nil {
				t.Error("a revoked party gets a new token")
			}
			w.adminRefuses()
			w.onDirectory(text, here, there)
		})
	}
}

// oneProofOnce sends one proof to all nodes.
func (w *county) oneProofOnce(c *client.Client) {
	w.t.Helper()
	token, err := c.Token(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for range 3 {
		proof, err := c.DPoP.Proof("GET", w.base+"/nobodys-pod/x", token, "", time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		taken := 0
		for _, node := range append(w.at, w.at...) {
			req, _ := http.NewRequest("GET", "http://"+node+"/nobodys-pod/x", nil)
			req.Header.Set("Authorization", "DPoP "+token)
			req.Header.Set("DPoP", proof)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				w.t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				taken++
			}
		}
		if taken != 1 {
			w.t.Errorf("one proof is taken %d times", taken)
		}
	}
}

// adminRefuses: who isn't an operator changes nothing, and an operator is nobody
// elsewhere.
func (w *county) adminRefuses() {
	t := w.t
	t.Helper()
	for _, path := range []string{"/.admin/parties/", "/.admin/parties/exempel-forsakring"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			req, _ := http.NewRequest(method, w.base+path, nil)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.StatusCode; got != http.StatusUnauthorized && got != http.StatusMethodNotAllowed {
				t.Errorf("a stranger's %s %s: %d", method, path, got)
			}
		}
	}
	key, err := (partyKey{w.anna}).signing()
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	as := func(id, scope string) *client.Client {
		return &client.Client{HTTP: &http.Client{Timeout: 20 * time.Second}, Issuer: w.base, ID: id, Key: key, DPoP: proofs, Now: time.Now, Scope: scope}
	}
	anna := as("anna", adminScope)
	if got := w.as(anna, "GET", "/.admin/parties/"); got != 200 {
		t.Errorf("anna gets %d", got)
	}
	if got := w.as(anna, "GET", "/.admin/parties/nobody"); got != 404 {
		t.Errorf("of who isn't registered anna gets %d", got)
	}
	if w.known(anna) {
		t.Error("an operator's token is good for resources")
	}
	if got := w.as(as("anna", "webid"), "GET", "/"); got != 0 {
		t.Errorf("an operator gets a token of a party's scope: %d", got)
	}
	if got := w.as(as("nils", adminScope), "GET", "/.admin/parties/"); got != 0 {
		t.Errorf("who isn't an operator gets %d", got)
	}
	if _, err := anna.Begin(t.Context(), client.AuthorizationRequest{RedirectURI: "https://example.se/", Details: []json.RawMessage{[]byte(`{"type":"evidence_deposit"}`)}}); err == nil {
		t.Error("an operator asks a person for something")
	}
	w.partyIsNoOperator()
}

// partyIsNoOperator: neither with its own tokens nor by asking for the scope.
func (w *county) partyIsNoOperator() {
	t := w.t
	t.Helper()
	file, at := w.party()
	text, _ := json.Marshal(file)
	if _, _, err := w.nodes[0].register.Add(t.Context(), text, "", false); err != nil {
		t.Fatal(err)
	}
	party := at(0)
	if !w.known(party) {
		t.Error("the party isn't known")
	}
	if got := w.as(party, "GET", "/.admin/parties/"); got != http.StatusUnauthorized {
		t.Errorf("a party lists the register: %d", got)
	}
	greedy := at(0)
	greedy.Scope = adminScope
	if _, err := greedy.Token(t.Context()); err == nil {
		t.Error("a party gets a token with the scope of operators")
	}
}

// onDirectory does it without HTTP: by the socket of the server that runs.
func (w *county) onDirectory(text []byte, all ...*client.Client) {
	t := w.t
	t.Helper()
	o := done(t, w.c, errand{Do: "party add", Text: text})
	if len(o.Parties) != 1 || o.Parties[0].State != parties.Active || o.Parties[0].By != "" {
		t.Errorf("added as %+v", o.Parties)
	}
	w.within(true, "registered by the command line", all...)
	done(t, w.c, errand{Do: "party revoke", Party: o.Parties[0].ID})
	w.within(false, "revoked by the command line", all...)
	if _, err := send(t.Context(), w.c, errand{Do: "party add", Text: []byte(`{"id":"x","name":{"en":"x"},"until":"2027-01-01"}`)}); err == nil || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("what isn't whole: %v", err)
	}
}

// TestWithoutOperatorsThereIsNoAdminAPI: and what isn't safe stops the server.
func TestWithoutOperatorsThereIsNoAdminAPI(t *testing.T) {
	r := startDemo(t, t.TempDir())
	resp, err := http.Get(r.Base + "/.admin/parties/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", resp.StatusCode)
	}
	key, err := crowdKey("1")
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
	now := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for name, f := range map[string]operatorFile{
		"with a private key":       {"anna", "Anna", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}, "2027-01-01", nil},
		"with a shared secret":     {"anna", "Anna", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "1"}}}, "2027-01-01", nil},
		"without keys":             {"anna", "Anna", jose.JSONWebKeySet{}, "2027-01-01", nil},
		"without a name":           {"anna", "", public, "2027-01-01", nil},
		"without an end":           {"anna", "Anna", public, "", nil},
		"for ever":                 {"anna", "Anna", public, "2099-01-01", nil},
		"who may what there isn't": {"anna", "Anna", public, "2027-01-01", []string{"all"}},
		"who is the machine":       {local, "Anna", public, "2027-01-01", nil},
		"with an app's id":         {"app_anna", "Anna", public, "2027-01-01", nil},
	} {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readOperator(text, now); err == nil {
			t.Errorf("an operator %s is taken", name)
		}
	}
	good, _ := json.Marshal(operatorFile{"anna", "Anna", public, "2027-01-01", nil})
	op, err := readOperator(good, now)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]bool{"2027-01-01": true, "2027-01-02": false} {
		at, _ := time.Parse(time.DateOnly, day)
		if _, ok := (operators{"anna": op}).client("anna", "https://x", at); ok != want {
			t.Errorf("on %s she is an operator: %t", day, ok)
		}
	}
}
