// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
)

// A fake is a Backend in memory that does what the Backend's contract says, and
// shows where the Handler breaks its part of it: open counts bodies not closed.
type fake struct {
	t      testing.TB
	mu     sync.Mutex
	docs   map[ldp.ID]*doc
	keys   map[string]ldp.ID
	rev    int
	open   int   // bodies not closed
	listed error // what a listing ends with
	fails  error // what every method answers, if not nil
}

type doc struct {
	media string
	body  []byte
	tag   string
	mod   time.Time
}

var clock = time.Date(2026, 11, 21, 12, 0, 0, 5e8, time.UTC) // finer than HTTP can say

const (
	alva = acl.WebID("https://pod.example/alva/card#me") // owns all
	bob  = acl.WebID("https://bob.example/#me")          // is known, and may append to /inbox/
)

const turtle = "<#it> <http://purl.org/dc/terms/title> \"Å\" .\n"

func newFake(t testing.TB) *fake {
	f := &fake{t: t, docs: map[ldp.ID]*doc{}, keys: map[string]ldp.ID{}}
	for _, id := range []ldp.ID{"/", "/c/", "/c/d/", "/inbox/", "/private/"} {
		f.store(id, "", "")
	}
	f.store("/c/a.ttl", "text/turtle", turtle)
	f.store("/c/a.ttl.acl", "text/turtle", turtle)
	f.store("/c/b.bin", "application/octet-stream", "0123456789")
	f.store("/c/j", "application/ld+json", `{"@id":"#it","http://purl.org/dc/terms/title":"Å"}`)
	f.store("/c/p", "text/html", "<script>alert(1)</script>")
	f.store("/c/s", "image/svg+xml", "<svg/>")
	f.store("/c/t", "text/plain; charset=utf-8", "t")
	f.store("/c/x%3Cb%3E", "text/plain", "t")
	f.store("/private/x", "text/turtle", turtle)
	return f
}

func (f *fake) store(id ldp.ID, media, body string) *doc {
	f.rev++
	d := &doc{media, []byte(body), fmt.Sprintf("s%d", f.rev), clock}
	f.docs[id] = d
	return d
}

func rights(id ldp.ID, who acl.Agent) acl.Mode {
	switch {
	case who.ID == alva:
		return acl.Read | acl.Append | acl.Write | acl.Control
	case strings.HasPrefix(string(id), "/inbox/"):
		if who.Known() {
			return acl.Append
		}
		return 0
	case strings.HasPrefix(string(id), "/private/"):
		return 0
	}
	return acl.Read
}

func (f *fake) may(id ldp.ID, who acl.Agent, mode acl.Mode) error {
	switch {
	case f.fails != nil:
		return f.fails
	case rights(id, who).Has(mode):
		return nil
	case who.Known():
		return ldp.Forbidden
	}
	return ldp.Unauthenticated
}

func (f *fake) Describe(id ldp.ID) ldp.Description {
	d := ldp.Description{ACL: id + ldp.ACLSuffix, DescribedBy: id + ldp.MetaSuffix, Storage: "/.well-known/solid",
		Methods: []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}}
	if _, suffix := id.Subject(); suffix != "" {
		d.ACL, d.DescribedBy = "", ""
	}
	if id.IsContainer() {
		d.Methods = []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
	}
	if id == "/" {
		d.Root, d.Owner, d.Inbox, d.Methods = true, string(alva), "/inbox/", []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH"}
	}
	return d
}

func (f *fake) Options(_ context.Context, who acl.Agent, id ldp.ID) (ldp.Description, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.Describe(id)
	if f.fails != nil {
		return d, f.fails
	}
	if doc := f.docs[id]; doc != nil && f.may(id, who, acl.Read) == nil && doc.media != "" && !strings.Contains(doc.media, "turtle") {
		d.Methods = slices.DeleteFunc(d.Methods, func(m string) bool { return m == "PATCH" })
	}
	return d, nil
}

// A body counts itself closed. It can seek, and write itself.
type body struct {
	*bytes.Reader
	close func()
}

func (b body) Close() error { b.close(); return nil }

func (f *fake) Get(_ context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(req.ID, who, acl.Read); err != nil {
		return nil, err
	}
	d := f.docs[req.ID]
	if d == nil {
		return nil, ldp.NotFound
	}
	offers := []string{"text/turtle", "application/ld+json"}
	if _, ok := rdf.FormatOf(d.media); !ok && !req.ID.IsContainer() {
		offers = []string{d.media}
	} else if d.media == offers[1] {
		slices.Reverse(offers)
	}
	if req.Choose(offers...) == "" {
		return nil, ldp.NotAcceptable
	}
	r := &ldp.Resource{ID: req.ID, Type: d.media, Tag: d.tag, Modified: d.mod, Size: int64(len(d.body)),
		Modes: rights(req.ID, who), Public: rights(req.ID, acl.Agent{}), Description: f.Describe(req.ID)}
	if req.ID.IsContainer() {
		r.Members, r.Size = f.members(req.ID), -1
		r.Graph = &rdf.Graph{}
		r.Graph.Add(rdf.IRI("https://pod.example"+string(req.ID)), rdf.IRI("http://purl.org/dc/terms/title"), rdf.LangString("it's", "en"))
		return r, nil
	}
	f.open++
	r.Body = body{bytes.NewReader(d.body), func() { f.mu.Lock(); f.open--; f.mu.Unlock() }}
	return r, nil
}

func (f *fake) members(c ldp.ID) iter.Seq2[ldp.Member, error] {
	return func(yield func(ldp.Member, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(f.docs)) {
			d := f.docs[id]
			if _, suffix := id.Subject(); suffix != "" {
				continue
			}
			if id.Parent() == c && !yield(ldp.Member{ID: id, Type: d.media, Size: int64(len(d.body)), Modified: d.mod}, nil) {
				return
			}
		}
		if f.listed != nil {
			yield(ldp.Member{}, f.listed)
		}
	}
}

func (f *fake) Put(_ context.Context, who acl.Agent, req ldp.Put) (ldp.Written, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(req.ID, who, acl.Append); err != nil {
		return ldp.Written{}, err
	}
	d := f.docs[req.ID]
	if d != nil {
		if err := f.may(req.ID, who, acl.Write); err != nil {
			return ldp.Written{}, err
		}
	}
	return f.change(req.ID, req.Type, req.Body, req.Cond, req.Fault)
}

func (f *fake) change(id ldp.ID, media string, content io.Reader, cond ldp.Conditions, fault error) (ldp.Written, error) {
	if fault != nil {
		return ldp.Written{}, fault
	}
	old, tag, mod := f.docs[id], "", time.Time{}
	if old != nil {
		tag, mod = old.tag, old.mod
	}
	if err := cond.Check(tag, mod); err != nil {
		return ldp.Written{}, err
	}
	if f.docs[id.Twin()] != nil {
		return ldp.Written{}, ldp.Refuse(ldp.Conflict, "The other one exists.")
	}
	b, err := io.ReadAll(content)
	if err != nil {
		return ldp.Written{}, fmt.Errorf("put: %w", err)
	}
	for p := id.Parent(); p != "" && f.docs[p] == nil; p = p.Parent() {
		f.store(p, "", "")
	}
	d := f.store(id, media, string(b))
	return ldp.Written{ID: id, Created: old == nil, Tag: d.tag, Modified: d.mod, Description: f.Describe(id)}, nil
}

func (f *fake) Post(_ context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(req.ID, who, acl.Append); err != nil {
		return ldp.Written{}, err
	}
	switch {
	case f.docs[req.ID] == nil:
		return ldp.Written{}, ldp.NotFound
	case !req.ID.IsContainer():
		return ldp.Written{}, ldp.NotAllowed
	case req.Key != "" && f.keys[req.Key] != "":
		return ldp.Written{ID: f.keys[req.Key], Description: f.Describe(f.keys[req.Key])}, nil
	}
	if req.Fault != nil {
		return ldp.Written{}, req.Fault
	}
	if err := req.Cond.Check(f.docs[req.ID].tag, f.docs[req.ID].mod); err != nil {
		return ldp.Written{}, err
	}
	if !utf8.ValidString(req.Slug) {
		f.t.Errorf("a Slug that isn't UTF-8: %q", req.Slug)
	}
	name, _ := ldp.Respell("/" + strings.ReplaceAll(req.Slug, "/", ""))
	if _, err := ldp.ParseID(name); err != nil {
		name = ""
	}
	id := req.ID + ldp.ID(strings.TrimPrefix(name, "/"))
	for i := 0; id == req.ID || f.docs[id] != nil || f.docs[id.Twin()] != nil; i++ {
		id = req.ID + ldp.ID(fmt.Sprintf("new%d", i))
	}
	if req.Container {
		id += "/"
	}
	f.keys[req.Key] = id
	w, err := f.change(id, req.Type, req.Body, ldp.Conditions{}, nil)
	if req.ID == "/inbox/" {
		w.Receipt, w.ReceiptType = []byte(`{"received":true}`), "application/json"
	}
	return w, err
}

func (f *fake) Patch(_ context.Context, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(req.ID, who, acl.Append); err != nil {
		return ldp.Written{}, err
	}
	if d := f.docs[req.ID]; d != nil && req.Fault == nil {
		if _, ok := rdf.FormatOf(d.media); !ok && !req.ID.IsContainer() {
			return ldp.Written{}, ldp.Refuse(ldp.Unsupported, "It is no RDF.")
		}
	}
	return f.change(req.ID, "text/turtle", bytes.NewReader(req.Body), req.Cond, req.Fault)
}

func (f *fake) Delete(_ context.Context, who acl.Agent, req ldp.Delete) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(req.ID, who, acl.Write); err != nil {
		return err
	}
	d := f.docs[req.ID]
	switch {
	case d == nil:
		return ldp.NotFound
	case req.ID == "/":
		return ldp.Refuse(ldp.NotAllowed, "The root stays.")
	}
	if err := req.Cond.Check(d.tag, d.mod); err != nil {
		return err
	}
	for id := range f.docs {
		if id.Parent() == req.ID {
			return ldp.Refuse(ldp.Conflict, "The container is not empty.")
		}
	}
	delete(f.docs, req.ID)
	return nil
}

// The agents say who they are: "Authorization: Test alva".
type agents struct{}

func (agents) Identify(r *http.Request) (acl.Agent, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return acl.Agent{}, nil
	case "Test alva":
		return acl.Agent{ID: alva}, nil
	case "Test bob":
		return acl.Agent{ID: bob}, nil
	case "Test down":
		return acl.Agent{}, fmt.Errorf("the issuer at 10.0.0.7 does not answer: %w", ldp.Unavailable)
	}
	return acl.Agent{}, errors.New("secret: bad signature")
}

func (agents) Challenge(err error) string {
	if err != nil {
		return `DPoP error="invalid_token", algs="ES256"`
	}
	return `DPoP algs="ES256"`
}

func newHandler(b ldp.Backend, log io.Writer) *ldp.Handler {
	return &ldp.Handler{Backend: b, Identifier: agents{}, Base: "https://pod.example",
		Log: slog.New(slog.NewTextHandler(log, nil)), Limits: ldp.Limits{Body: 1000, Patch: 100, Convert: 1000}, Now: func() time.Time { return clock.Add(time.Hour) }}
}
