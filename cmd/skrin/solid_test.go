// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/ldp/rdf"
)

// A world is the joined server with a person's pod in it, and another server
// with an OpenID provider and two people of the wider Solid world: Alice, to whom
// the pod's owner gave everything, and Bob, to whom nothing was given.
type world struct {
	*server
	t          testing.TB
	owner      acl.Agent
	root       ldp.ID // of the pod
	abroad     *httptest.Server
	key        *ecdsa.PrivateKey // with which the other server signs
	alice, bob *person
	client     *http.Client
	rows       int // containers made for rows
}

// A person has a WebID abroad, an access token, and the key that it is bound to.
type person struct {
	id    acl.WebID
	key   *dpop.Key
	token string
}

// newWorld starts all of it, until the test ends.
func newWorld(t testing.TB) *world { return newWorldOf(t, func(*config) {}) }

// newWorldOf is newWorld with another configuration.
func newWorldOf(t testing.TB, edit func(*config)) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dir := t.TempDir()
	key, err := demoKey(dir)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	c := config{
		Base: fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port), Dir: dir, Key: key, Demo: true, Token: 5 * time.Minute,
	}
	edit(&c)
	s, err := newServer(ctx, c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		must(t, s.Close())
	})
	w := &world{server: s, t: t, client: &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	w.openAbroad()
	w.owner, err = s.pod.Make(t.Context(), "person-1")
	must(t, err)
	w.root = ldp.ID(strings.TrimSuffix(strings.TrimPrefix(string(w.owner.ID), s.Base), "profile/card#me"))
	w.allow("/", grant{w.owner.ID, "RWC", "RWC"}, grant{w.alice.id, "RWC", "RWC"})
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openAbroad starts the other server: WebID documents, and what an OpenID
// provider publishes of itself. Its tokens are made here, without signing in.
func (w *world) openAbroad() {
	w.t.Helper()
	var err error
	w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	mux := http.NewServeMux()
	w.abroad = httptest.NewServer(mux)
	w.t.Cleanup(w.abroad.Close)
	answer := func(path, media string, body func() any) {
		mux.HandleFunc(path, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", media)
			if s, ok := body().(string); ok {
				fmt.Fprint(rw, s)
				return
			}
			_ = json.NewEncoder(rw).Encode(body())
		})
	}
	answer("/.well-known/openid-configuration", "application/json", func() any {
		return map[string]string{"issuer": w.abroad.URL, "jwks_uri": w.abroad.URL + "/keys"}
	})
	answer("/keys", "application/json", func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k", Algorithm: "ES256"}}}
	})
	for _, name := range []string{"alice", "bob"} {
		answer("/"+name, "text/turtle", func() any {
			return fmt.Sprintf("<#me> <http://www.w3.org/ns/solid/terms#oidcIssuer> <%s>; <http://www.w3.org/ns/pim/space#storage> <%s>.", w.abroad.URL, w.Base+string(w.root))
		})
	}
	w.alice, w.bob = w.newPerson("alice"), w.newPerson("bob")
}

func (w *world) newPerson(name string) *person {
	key, err := dpop.NewKey()
	must(w.t, err)
	p := &person{id: acl.WebID(w.abroad.URL + "/" + name + "#me"), key: key}
	w.sign(p)
	return p
}

// sign gives a person a token of the other server's.
func (w *world) sign(p *person) {
	w.t.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": w.abroad.URL, "aud": "solid", "sub": p.id, "webid": p.id, "client_id": "https://app.example/id",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(), "cnf": map[string]string{"jkt": p.key.Thumbprint()},
	})
	must(w.t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: w.key}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "k"))
	must(w.t, err)
	signed, err := signer.Sign(claims)
	must(w.t, err)
	p.token, err = signed.CompactSerialize()
	must(w.t, err)
}

// An answer is a response with its whole body.
type answer struct {
	*http.Response
	body string
}

// send sends a request as who, nil for a stranger.
func (w *world) send(who *person, req *http.Request) answer {
	w.t.Helper()
	if who != nil {
		proof, err := who.key.Proof(req.Method, req.URL.String(), who.token, "", time.Now())
		must(w.t, err)
		req.Header.Set("Authorization", "DPoP "+who.token)
		req.Header.Set("DPoP", proof)
	}
	resp, err := w.client.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return answer{resp, string(body)}
}

// ask is send for a request without odd headers; path is from the pod's root,
// "/c/x". The body's type may be "".
func (w *world) ask(who *person, method, path, media, body string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.Base+string(w.id(path)), strings.NewReader(body))
	must(w.t, err)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	return w.send(who, req)
}

func (w *world) id(path string) ldp.ID { return w.root + ldp.ID(strings.TrimPrefix(path, "/")) }

// put makes or replaces a resource as the owner, without HTTP: it is what a
// table's rows start from.
func (w *world) put(path, media, body string) {
	w.t.Helper()
	_, err := w.pod.Put(w.t.Context(), w.owner, ldp.Put{ID: w.id(path), Type: media, Body: strings.NewReader(body), Size: int64(len(body))})
	must(w.t, err)
}

// A grant is what a row of a table gives: letters of modes on the resource
// itself, and on what it holds.
type grant struct {
	to         acl.WebID
	own, below string
}

// allow writes the ACL document of a resource as the owner.
func (w *world) allow(path string, grants ...grant) {
	w.t.Helper()
	d := acl.Document{Base: w.Base, Path: string(w.id(path)) + ".acl", Of: string(w.id(path))}
	var all []acl.Grant
	for _, g := range grants {
		all = append(all, acl.Grant{To: g.to, On: d.Of, Modes: modesOf(g.own)})
		if strings.HasSuffix(d.Of, "/") {
			all = append(all, acl.Grant{To: g.to, On: d.Of, Modes: modesOf(g.below), Inherit: true})
		}
	}
	body, err := rdf.Write(acl.Project(all, d), rdf.Turtle, rdf.WriteOptions{})
	must(w.t, err)
	w.put(path+".acl", "text/turtle", string(body))
}

func modesOf(letters string) (m acl.Mode) {
	for i, c := range "RAWC" {
		if strings.ContainsRune(letters, c) {
			m |= 1 << i
		}
	}
	return m
}

// A row is one sentence of a specification. Its request is written as HTTP has
// it: "PUT c/new alice", headers, an empty line, the body. The path is relative
// to a container that is furnished anew for each row ("./" is that itself), or
// with a slash in front to the pod's root; the agent is alice, bob, or left out for a
// stranger. Before it come the requests of first, which must succeed. "$" stands
// for the container's URL, "$etag" and "$body" for the tag and the body that the
// last of first was answered with.
//
// What is wanted of the answer: "Name: value", "Name ~ part", "Name !~ part",
// "-Name" for a header that is absent; "body" is the body.
type row struct {
	says   string
	ask    string
	status int
	want   []string
	first  []string
}

// furnished is what each row's container holds.
var furnished = []struct{ path, media, body string }{
	{"", "", ""},
	{"doc.ttl", "text/turtle", "<> <http://purl.org/dc/terms/title> \"old\" .\n"},
	{"doc.jsonld", "application/ld+json", `{"@id":"#it","http://purl.org/dc/terms/title":"old"}`},
	{"text", "text/plain; charset=utf-8", "0123456789"},
	{"c/x", "text/plain", "x"},
	{"empty/", "", ""},
}

// run runs rows, each in a container of its own.
func (w *world) run(rows []row) {
	t := w.t.(*testing.T)
	for _, row := range rows {
		t.Run(row.says, func(t *testing.T) {
			w := *w
			w.t = t
			w.rows++
			at := fmt.Sprintf("/row-%s/", strings.ToLower(rand.Text()[:12]))
			for _, f := range furnished {
				w.put(at+f.path, f.media, f.body)
			}
			etag, body := "", ""
			for _, first := range row.first {
				a := w.request(strings.ReplaceAll(first, "$body", body), at, etag)
				if a.StatusCode >= 300 {
					t.Fatalf("first, %s: %d %s", first, a.StatusCode, a.body)
				}
				etag, body = a.Header.Get("Etag"), a.body
			}
			a := w.request(strings.ReplaceAll(row.ask, "$body", body), at, etag)
			if a.StatusCode != row.status {
				t.Errorf("status %d, want %d: %s", a.StatusCode, row.status, a.body)
			}
			for _, want := range row.want {
				want = strings.ReplaceAll(strings.ReplaceAll(want, "$etag", etag), "$", w.Base+string(w.id(at)))
				if fault := a.lacks(want); fault != "" {
					t.Errorf("want %s: %s", want, fault)
				}
			}
		})
	}
}

// request sends what a row says.
func (w *world) request(text, at, etag string) answer {
	w.t.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "$etag", etag), "$", w.Base+string(w.id(at)))
	head, body, hasBody := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.Split(lines[0], " ")
	path := at + strings.TrimPrefix(first[1], "./")
	if strings.HasPrefix(first[1], "/") {
		path = first[1]
	}
	var content io.Reader
	if hasBody {
		content = bytes.NewBufferString(body)
	}
	req, err := http.NewRequest(first[0], w.Base+string(w.root)+path[1:], content)
	must(w.t, err)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	var who *person
	if len(first) > 2 {
		who = map[string]*person{"alice": w.alice, "bob": w.bob}[first[2]]
	}
	return w.send(who, req)
}

// lacks says what an answer is instead of what is wanted; "" if it is that.
func (a answer) lacks(want string) string {
	value := func(name string) (string, bool) {
		if name == "body" {
			return a.body, a.body != ""
		}
		values := a.Header.Values(name)
		return strings.Join(values, "\n"), len(values) > 0
	}
	for _, op := range []struct {
		sep string
		ok  func(got, want string) bool
	}{
		{" !~ ", func(got, want string) bool { return !strings.Contains(got, want) }},
		{" ~ ", strings.Contains},
		{": ", func(got, want string) bool { return got == want }},
	} {
		if name, part, ok := strings.Cut(want, op.sep); ok && !strings.Contains(name, " ") {
			if got, _ := value(name); !op.ok(got, part) {
				return "it is " + got
			}
			return ""
		}
	}
	if got, ok := value(strings.TrimPrefix(want, "-")); ok {
		return "it is " + got
	}
	return ""
}
