// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp/client"
)

// A workload is one kind of request, again and again.
type workload struct {
	name    string
	says    string
	signs   int               // P-256 verifications that the answer can't do without: its limit does as many
	durable bool              // the answer promises that something is on the disk
	large   int64             // bytes of a large body: the limit reads it from the disk, or writes it there; 0 for none
	ours    bool              // only servers of ours can do it
	not     map[string]string // kinds of servers that can't do it, and why
	alone   bool              // to make it ready takes other servers minutes: they do it only where it is asked for by name
	grows   string            // what it has more of than others of this name; the first of them has least, and the report compares them with it

	conns int // at most so many at once; 0 for as many as asked
	most  int // at most so many in a volley; 0 for as many as the time allows

	prepare func(context.Context, *bench) error              // once for each site; not timed
	ready   func(ctx context.Context, b *bench, n int) error // before each volley of n; not timed
	shot    func(b *bench, i int) (shot, error)              // the ith; i never comes twice
	back    func(b *bench, i int) (shot, error)              // reads back what the ith has stored; nil if that isn't looked at
	act     func(context.Context, *bench) func(i int) error  // or, instead: something of several requests
}

// A bench is one site that a workload is prepared for.
type bench struct {
	*site
	party *client.Client // the third party, where there is one
	token string         // its
}

// tag keeps what one run makes apart from what another made.
var tag = strings.ToLower(rand.Text()[:6])

const note = "<#it> <http://purl.org/dc/terms/title> \"A made-up note\"; <http://purl.org/dc/terms/created> \"2026-11-21\"; <http://purl.org/dc/terms/description> "

// kilobyte is a Turtle document of 1,024 bytes.
var kilobyte = []byte(note + "\"" + strings.Repeat("Lorem ipsum dolor sit amet. ", 40)[:1024-len(note)-5] + "\" .\n")

const (
	turtle = "Content-Type: text/turtle"
	asRDF  = "Accept: text/turtle"
	asJSON = "Accept: application/ld+json"
)

// user takes users in turn.
func (b *bench) user(i int) *user { return b.users[i%len(b.users)] }

// at names something of the user's.
func (u *user) at(path string) string { return u.Pod + "bench-" + tag + "/" + path }

// puts stores things at the site as their owners, and fails if any isn't stored.
func (b *bench) puts(ctx context.Context, n int, what func(i int) (*user, string, []byte, string)) error {
	for done := 0; done < n; done += 2048 {
		shots, err := premake(min(2048, n-done), func(i int) (shot, error) {
			u, at, body, media := what(done + i)
			return u.shot("PUT", at, body, "Content-Type: "+media)
		})
		if err != nil {
			return err
		}
		conns := 16
		if b.kind == kindJSS {
			conns = 1 // it refuses some of several at once in one pod
		}
		v, err := b.fire(ctx, shots, conns)
		if err != nil {
			return err
		}
		if v.failed > 0 {
			return fmt.Errorf("%d of %d could not be stored: %s", v.failed, v.sent, v.why)
		}
	}
	return nil
}

// premake makes shots, on all cores.
func premake(n int, one func(i int) (shot, error)) ([]shot, error) {
	all := make([]shot, n)
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < n && errs[k] == nil; i += len(errs) {
				all[i], errs[k] = one(i)
			}
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

// documents gives each user a document; everybody may read it if public.
func documents(name string, public bool) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		err := b.puts(ctx, len(b.users), func(i int) (*user, string, []byte, string) {
			return b.users[i], b.users[i].at(name), kilobyte, "text/turtle"
		})
		if err != nil || !public {
			return err
		}
		return b.puts(ctx, len(b.users), func(i int) (*user, string, []byte, string) {
			u := b.users[i]
			acl := fmt.Sprintf(`@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#owner> a acl:Authorization; acl:agent <%s>; acl:accessTo <%s>; acl:mode acl:Read, acl:Write, acl:Control.
<#all> a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:accessTo <%[2]s>; acl:mode acl:Read.
`, u.WebID, u.at(name))
			return u, u.at(name) + ".acl", []byte(acl), "text/turtle"
		})
	}
}

// members makes a container of n members in the first user's pod.
func members(name string, n int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		u := b.users[0]
		return b.puts(ctx, n, func(i int) (*user, string, []byte, string) {
			return u, u.at(fmt.Sprintf("%s/%06d.txt", name, i)), []byte("x"), "text/plain"
		})
	}
}

// get reads a document of each user's in turn, by its owner or by anybody, in the media
// type that accept names.
func get(name, accept string, own bool) func(*bench, int) (shot, error) {
	return func(b *bench, i int) (shot, error) {
		u := b.user(i)
		at := u.at(name)
		if !own {
			u = nil
		}
		return u.want(at, accept)
	}
}

// want reads what must come in the media type that accept names.
func (u *user) want(at, accept string) (shot, error) {
	s, err := u.shot("GET", at, nil, accept)
	_, s.media, _ = strings.Cut(accept, ": ")
	return s, err
}

// forJSON is the name of what is stored as Turtle and read as JSON-LD:
// JavaScriptSolidServer answers everything called .ttl as Turtle, whatever it is asked
// for.
func (b *bench) forJSON() string {
	if b.kind == kindJSS {
		return "public.jsonld"
	}
	return "public.ttl"
}

func list(n int, accept string) func(*bench, int) (shot, error) {
	return func(b *bench, i int) (shot, error) {
		u := b.users[0]
		return u.want(u.at(fmt.Sprintf("list-%d/", n)), accept)
	}
}

// patch inserts one of eight triples: what is changed stays as large as it is.
func patch(name, media, form string, users int) func(*bench, int) (shot, error) {
	return func(b *bench, i int) (shot, error) {
		u := b.users[i%min(users, len(b.users))]
		body := fmt.Sprintf(form, fmt.Sprintf("<#it> <http://purl.org/dc/terms/subject> \"%d\"", i/len(b.users)%8))
		return u.shot("PATCH", u.at(name), []byte(body), "Content-Type: "+media)
	}
}

const (
	n3     = "@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts { %s . }."
	sparql = "INSERT DATA { %s . }"
)

func put(name string, distinct bool, headers ...string) func(*bench, int) (shot, error) {
	return func(b *bench, i int) (shot, error) {
		u := b.user(i)
		at := u.at(name)
		if distinct {
			at = u.at(fmt.Sprintf("%s/%d.ttl", name, i))
		}
		return u.shot("PUT", at, kilobyte, append(headers, turtle)...)
	}
}

// created reads back what put-new has stored.
func created(b *bench, i int) (shot, error) {
	u := b.user(i)
	return u.want(u.at(fmt.Sprintf("new/%d.ttl", i)), asRDF)
}

// into puts into one container of the first user's.
func into(name string) func(*bench, int) (shot, error) {
	return func(b *bench, i int) (shot, error) {
		u := b.users[0]
		return u.shot("PUT", u.at(fmt.Sprintf("%s/new-%d.ttl", name, i)), kilobyte, turtle)
	}
}

// amount says how much workloads have: bytes of a large body, and the members of the
// largest container.
type amount struct {
	large   int64
	members int
}

// workloads are all of them.
func workloads(of amount) []*workload {
	all := []*workload{
		{name: "get-turtle", says: "public Turtle of 1 kB, by anybody", prepare: documents("public.ttl", true), shot: get("public.ttl", asRDF, false)},
		{name: "get-jsonld", says: "the same as JSON-LD, stored as Turtle",
			prepare: func(ctx context.Context, b *bench) error { return documents(b.forJSON(), true)(ctx, b) },
			shot:    func(b *bench, i int) (shot, error) { return get(b.forJSON(), asJSON, false)(b, i) }},
		{name: "get-dpop", says: "private Turtle of 1 kB, by the owner's app", signs: 1, prepare: documents("private.ttl", false), shot: get("private.ttl", asRDF, true)},
		{name: "get-view", says: "granted evidence, by a third party, with a durable log entry", signs: 1, durable: true, ours: true, prepare: consumer, shot: view},
		{name: "put-new", says: "a new document of 1 kB", signs: 1, durable: true, shot: put("new", true, "If-None-Match: *"), back: created},
		{name: "put-over", says: "over a document of 1 kB", signs: 1, durable: true, prepare: documents("over.ttl", false), shot: put("over.ttl", false)},
		{name: "patch-n3", says: "N3 Patch, documents in turn", signs: 1, durable: true, prepare: documents("patched.ttl", false), shot: patch("patched.ttl", "text/n3", n3, 1<<20)},
		{name: "patch-n3-one", says: "N3 Patch, one document", signs: 1, durable: true, prepare: documents("patched.ttl", false), shot: patch("patched.ttl", "text/n3", n3, 1)},
		{name: "patch-sparql", says: "SPARQL Update, documents in turn", signs: 1, durable: true, prepare: documents("patched.ttl", false), shot: patch("patched.ttl", "application/sparql-update", sparql, 1<<20)},
		{name: "delete", says: "delete a document", signs: 1, durable: true, most: 5000, ready: toDelete, shot: remove},
		{name: "token", says: "client credentials for an access token", signs: 1, shot: token, not: map[string]string{
			kindJSS: "its client credentials name no WebID; an app gets a token for a password, which is hashed for some 100 ms each time"}},
		{name: "pod-create", says: "account, keys, containers, rights, profile", durable: true, conns: 4, most: 2000, act: podCreate},
		{name: "consent", says: "ask, look, agree, token, first read", signs: 1, durable: true, ours: true, most: 2000, prepare: consumer, act: consent},
		{name: "mixed", says: "70 % get-dpop, 15 % get-turtle, 10 % put-over, 5 % patch-n3", signs: 1, prepare: mixedReady, shot: mixed},
	}
	for _, n := range []int{100, 1000, 10_000} {
		name := fmt.Sprintf("list-%d", n)
		all = append(all,
			&workload{name: name, says: fmt.Sprintf("a container of %d, as Turtle", n), signs: 1, conns: 16, alone: n > 1000, prepare: container(name, n), shot: list(n, asRDF)},
			&workload{name: name + "-jsonld", says: "the same as JSON-LD", signs: 1, conns: 16, alone: n > 1000, prepare: container(name, n), shot: list(n, asJSON)})
	}
	all = append(all, bodies("", of.large, map[string]string{kindJSS: "it refuses bodies of more than 10 MiB, and has no setting for it"})...)
	all = append(all, bodies("-8", 8<<20, nil)...)
	return append(all, growing(of.members)...)
}

// bodies are the workloads of large bodies.
func bodies(suffix string, size int64, not map[string]string) []*workload {
	most, says := int(max(1, 400<<20/size)), fmt.Sprintf("%d MiB, one after the other", size>>20)
	return []*workload{
		{name: "upload" + suffix, says: says, not: not, signs: 1, durable: true, large: size, conns: 1, most: most, shot: upload(size)},
		{name: "download" + suffix, says: says, not: not, signs: 1, large: size, conns: 1, most: 2 * most, prepare: uploaded(size), shot: download},
	}
}

// growing are the workloads that show what it costs that there is more.
func growing(members int) (all []*workload) {
	for _, n := range []int{0, 10, 1000, 10_000, 100_000} {
		if n > members {
			break
		}
		name := fmt.Sprintf("into-%d", n)
		all = append(all, &workload{name: "put-" + name, says: fmt.Sprintf("a new document into a container of %d", n), grows: "put-into", alone: true, conns: 1, most: 1000, prepare: container(name, n), shot: into(name)})
		if n > 0 {
			all = append(all, &workload{name: "get-in-" + name[len("into-"):], says: fmt.Sprintf("a document in a container of %d", n), grows: "get-in", alone: true, prepare: container(name, n), shot: getIn(name)})
		}
	}
	for _, depth := range []int{1, 10} {
		name := strings.Repeat("level/", depth-1) + "deep.ttl"
		all = append(all, &workload{name: fmt.Sprintf("get-deep-%d", depth), says: fmt.Sprintf("get-dpop, %d levels below the pod's root", depth), grows: "get-deep", alone: true, prepare: documents(name, false), shot: get(name, asRDF, true)})
	}
	for i, n := range []int{10, 1000} {
		all = append(all, &workload{name: fmt.Sprintf("get-view-of-%d", n), says: fmt.Sprintf("get-view in a pod with %d grants", n), grows: "get-view-of", alone: true, ours: true, conns: 1, prepare: grants(i, n), shot: viewOf(i)})
	}
	return all
}

// container makes a container of n members in the first user's pod, if it isn't
// there.
func container(name string, n int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		if b.made[name] {
			return nil
		}
		if err := members(name, n)(ctx, b); err != nil {
			return err
		}
		b.made[name] = true
		return nil
	}
}

func getIn(name string) func(*bench, int) (shot, error) {
	return func(b *bench, _ int) (shot, error) {
		u := b.users[0]
		return u.shot("GET", u.at(name+"/000000.txt"), nil)
	}
}

// grants has a user agree n times.
func grants(who, n int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		if err := consumer(ctx, b); err != nil {
			return err
		}
		agree := consent(ctx, b)
		for range n {
			if err := agree(who); err != nil {
				return err
			}
		}
		return nil
	}
}

func toDelete(ctx context.Context, b *bench, n int) error {
	return b.puts(ctx, n, func(i int) (*user, string, []byte, string) {
		u := b.user(*b.next + i)
		return u, u.at(fmt.Sprintf("gone/%d.ttl", *b.next+i)), kilobyte, "text/turtle"
	})
}

func remove(b *bench, i int) (shot, error) {
	u := b.user(i)
	return u.shot("DELETE", u.at(fmt.Sprintf("gone/%d.ttl", i)), nil)
}

func token(b *bench, i int) (shot, error) {
	u := b.user(i)
	proof, err := u.key.Proof("POST", b.endpoint, "", "", time.Now())
	if err != nil {
		return shot{}, err
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(url.QueryEscape(u.ID), url.QueryEscape(u.Secret))
	return newShot("POST", b.endpoint, []byte(tokenForm), "Content-Type: application/x-www-form-urlencoded", "Authorization: "+req.Header.Get("Authorization"), "DPoP: "+proof)
}

func upload(size int64) func(*bench, int) (shot, error) {
	return func(b *bench, _ int) (shot, error) {
		u := b.users[0]
		s, err := u.shot("PUT", u.at("large.bin"), nil, "Content-Type: application/octet-stream", fmt.Sprintf("Content-Length: %d", size))
		s.size = size
		return s, err
	}
}

func uploaded(size int64) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		s, err := upload(size)(b, 0)
		if err != nil {
			return err
		}
		v, err := b.fire(ctx, []shot{s}, 1)
		if err == nil && v.failed > 0 {
			err = errors.New(v.why)
		}
		return err
	}
}

func download(b *bench, i int) (shot, error) {
	u := b.users[0]
	return u.shot("GET", u.at("large.bin"), nil)
}

func mixedReady(ctx context.Context, b *bench) error {
	for name, public := range map[string]bool{"public.ttl": true, "private.ttl": false, "over.ttl": false, "patched.ttl": false} {
		if err := documents(name, public)(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func mixed(b *bench, i int) (shot, error) {
	switch k := i % 20; {
	case k < 14:
		return get("private.ttl", asRDF, true)(b, i)
	case k < 17:
		return get("public.ttl", asRDF, false)(b, i)
	case k < 19:
		return put("over.ttl", false)(b, i)
	default:
		return patch("patched.ttl", "text/n3", n3, 1<<20)(b, i)
	}
}

// consumer lets the third party sign in.
func consumer(ctx context.Context, b *bench) error {
	c := &b.stage.Consumer
	proofs, err := dpop.ParseKey([]byte(c.DPoP))
	if err != nil {
		return err
	}
	b.party = &client.Client{HTTP: &http.Client{Timeout: 20 * time.Second, Transport: b.via}, Issuer: b.base, ID: c.ID, Key: c.Key, DPoP: proofs, Now: time.Now}
	b.token, err = b.party.Token(ctx)
	return err
}

func view(b *bench, i int) (shot, error) { return b.view(b.user(i)) }

func viewOf(who int) func(*bench, int) (shot, error) {
	return func(b *bench, _ int) (shot, error) { return b.view(b.user(who)) }
}

func (b *bench) view(u *user) (shot, error) {
	at := u.Evidence
	proof, err := b.party.DPoP.Proof("GET", at, b.token, "", time.Now())
	if err != nil {
		return shot{}, err
	}
	return newShot("GET", at, nil, "Accept: application/dc+sd-jwt", "Authorization: DPoP "+b.token, "DPoP: "+proof)
}
