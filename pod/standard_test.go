// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/pebble"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

const (
	base   = "https://pod.example"
	turtle = "text/turtle"
	plain  = "text/plain"
)

var (
	stranger = acl.Agent{}
	bob      = acl.Agent{ID: "https://id.example/bob#me", Client: "https://app.example/id", Issuer: "https://idp.example"}
	noon     = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
)

// A bench is a server with one pod in it.
type bench struct {
	testing.TB
	*pod.Pod
	mem   *memory
	owner acl.Agent
	root  ldp.ID
	clock *clock
}

type clock struct {
	sync.Mutex
	t time.Time
}

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.t
}

func (c *clock) wait(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.t = c.t.Add(d)
}

func newBench(t testing.TB) *bench {
	t.Helper()
	mem, clock := newMemory(t), &clock{t: noon}
	p := &pod.Pod{Store: podtest.NewFake(t, mem), Blobs: memBlobs{mem}, Base: base, Issuer: base, Now: clock.now, Rand: rand.Reader}
	owner, err := p.Make(t.Context(), "person-1")
	if err != nil {
		t.Fatal(err)
	}
	return &bench{TB: t, Pod: p, mem: mem, owner: owner, root: rootOf(owner), clock: clock}
}

func rootOf(owner acl.Agent) ldp.ID {
	return ldp.ID(strings.TrimSuffix(strings.TrimPrefix(string(owner.ID), base), "profile/card#me"))
}

// id returns the path of a resource of the pod.
func (b *bench) id(path string) ldp.ID { return b.root + ldp.ID(path) }

// status is what HTTP would say.
func status(done ldp.Written, err error) int {
	switch {
	case err != nil:
		return int(ldp.KindOf(err))
	case done.Created:
		return 201
	}
	return 204
}

func (b *bench) put(who acl.Agent, path, media, body string, cond ...ldp.Conditions) int {
	req := ldp.Put{ID: b.id(path), Type: media, Body: strings.NewReader(body), Size: int64(len(body))}
	if len(cond) > 0 {
		req.Cond = cond[0]
	}
	return status(b.Pod.Put(b.Context(), who, req))
}

func (b *bench) post(who acl.Agent, path, slug, media, body string) (ldp.Written, error) {
	return b.Pod.Post(b.Context(), who, ldp.Post{ID: b.id(path), Slug: slug, Type: media, Body: strings.NewReader(body), Size: int64(len(body))})
}

func (b *bench) patch(who acl.Agent, path, media, body string, cond ...ldp.Conditions) int {
	req := ldp.Patch{ID: b.id(path), Type: media, Body: []byte(body)}
	if len(cond) > 0 {
		req.Cond = cond[0]
	}
	return status(b.Pod.Patch(b.Context(), who, req))
}

func (b *bench) delete(who acl.Agent, path string) int {
	return status(ldp.Written{}, b.Pod.Delete(b.Context(), who, ldp.Delete{ID: b.id(path)}))
}

func first(offers ...string) string { return offers[0] }

func (b *bench) read(who acl.Agent, path string) (*ldp.Resource, error) {
	return b.Pod.Get(b.Context(), who, ldp.Get{ID: b.id(path), Choose: first})
}

func (b *bench) get(who acl.Agent, path string) int {
	res, err := b.read(who, path)
	if err != nil {
		return int(ldp.KindOf(err))
	}
	if res.Body != nil {
		res.Body.Close()
	}
	return 200
}

// text returns a document as it is stored.
func (b *bench) text(path string) string {
	b.Helper()
	res, err := b.read(b.owner, path)
	if err != nil {
		b.Fatalf("read %s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || int64(len(body)) != res.Size {
		b.Fatalf("read %s: %d bytes of %d, %v", path, len(body), res.Size, err)
	}
	return string(body)
}

// graph returns a document as RDF.
func (b *bench) graph(path string) *rdf.Graph {
	b.Helper()
	g, err := rdf.Read(b.Context(), []byte(b.text(path)), rdf.Turtle, base+string(b.id(path)), rdf.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// list returns the names in a container.
func (b *bench) list(path string) string {
	b.Helper()
	res, err := b.read(b.owner, path)
	if err != nil {
		b.Fatalf("list %s: %v", path, err)
	}
	var names []string
	for m, err := range res.Members {
		if err != nil {
			b.Fatal(err)
		}
		names = append(names, m.ID.Name())
	}
	return strings.Join(names, " ")
}

func (b *bench) want(says string, got, want int) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %d, want %d", says, got, want)
	}
}

// must fails the test at once unless the status is a success.
func (b *bench) must(got int) {
	b.Helper()
	if got >= 300 {
		b.Fatalf("status %d", got)
	}
}

// A mode letter: R, A, W, C.
func modes(letters string) (m acl.Mode) {
	for i, c := range "RAWC" {
		if strings.ContainsRune(letters, c) {
			m |= 1 << i
		}
	}
	return m
}

// allow writes the ACL document of a resource: to the agents' class, own on the
// resource itself, below on what it holds.
func (b *bench) allow(class acl.WebID, path, own, below string) {
	b.Helper()
	of := b.id(path)
	d := acl.Document{Base: base, Path: string(of) + ".acl", Of: string(of)}
	grants := []acl.Grant{{To: class, On: d.Of, Modes: modes(own)}}
	if of.IsContainer() {
		grants = append(grants, acl.Grant{To: class, On: d.Of, Modes: modes(below), Inherit: true})
	}
	body, err := rdf.Write(acl.Project(grants, d), rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.must(b.put(b.owner, path+".acl", turtle, string(body)))
}

const (
	insert = `@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts { <urn:a> <urn:b> "new". }.`
	remove = `@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:deletes { <urn:a> <urn:b> "old". }.`
)

// TestPermissionTable is the table that Solid servers agreed on (specs.md, B1).
func TestPermissionTable(t *testing.T) {
	for d := range podtest.Decisions() {
		b := newBench(t)
		agent, class := bob, bob.ID
		if d.Stranger {
			agent, class = stranger, acl.Public
		}
		if d.OfContainer() { // all is allowed by the parent of C/
			b.must(b.put(b.owner, "P/", "", ""))
			b.allow(class, "P/", "RAWC", d.OnC)
		} else {
			b.must(b.put(b.owner, "P/C/", "", ""))
			b.allow(class, "P/C/", d.OnC, d.OnR)
		}
		target := "P/" + d.Target
		if d.Exists && d.Target == "C/R" {
			b.must(b.put(b.owner, target, turtle, `<urn:a> <urn:b> "old".`))
		} else if d.Exists {
			b.must(b.put(b.owner, target, "", ""))
		}
		var got int
		switch d.Method {
		case "GET", "HEAD":
			got = b.get(agent, target)
		case "POST":
			got = status(b.post(agent, target, "", plain, "x"))
		case "PUT":
			got = b.put(agent, target, turtle, `<urn:a> <urn:b> "new".`)
		case "insert":
			got = b.patch(agent, target, "text/n3", insert)
		case "delete":
			got = b.patch(agent, target, "text/n3", remove)
		case "DELETE":
			got = b.delete(agent, target)
		default: // what OPTIONS tells is told without looking
			continue
		}
		if got != d.Status {
			t.Errorf("%+v: %d", d, got)
		}
	}
}

func TestHiddenAndAbsentAreAlike(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "secret", plain, "x"))
	for _, who := range []acl.Agent{stranger, bob} {
		ask := func(id ldp.ID) (all []string) {
			say := func(_ any, err error) { all = append(all, fmt.Sprint(err)) }
			_, err := b.Pod.Get(t.Context(), who, ldp.Get{ID: id, Choose: first})
			say(nil, err)
			say(b.Pod.Put(t.Context(), who, ldp.Put{ID: id, Type: plain, Body: strings.NewReader("x"), Size: 1}))
			say(b.Pod.Put(t.Context(), who, ldp.Put{ID: id, Type: plain, Body: strings.NewReader("x"), Size: 1, Fault: ldp.Invalid}))
			say(b.Pod.Put(t.Context(), who, ldp.Put{ID: id, Type: plain, Body: strings.NewReader("x"), Size: 1, Cond: ldp.Conditions{NoneMatch: []string{"*"}}}))
			say(b.Pod.Post(t.Context(), who, ldp.Post{ID: id, Type: plain, Body: strings.NewReader("x"), Size: 1}))
			say(b.Pod.Patch(t.Context(), who, ldp.Patch{ID: id, Type: "text/n3", Body: []byte(insert)}))
			say(b.Pod.Patch(t.Context(), who, ldp.Patch{ID: id, Type: "text/n3", Body: []byte("}")}))
			say(nil, b.Pod.Delete(t.Context(), who, ldp.Delete{ID: id}))
			d, err := b.Pod.Options(t.Context(), who, id)
			say(nil, err)
			if !reflect.DeepEqual(d, b.Pod.Describe(id)) {
				t.Errorf("OPTIONS %s tells %+v", id, d)
			}
			return all
		}
		there := ask(b.id("secret"))
		for _, other := range []ldp.ID{b.id("absent"), b.id("a/b/c"), b.id(""), b.id("secret.acl"), b.id("absent.acl"), b.id("secret.meta"), b.id("x.acl.acl"), b.id("x.acl.meta"),
			b.id("secret/"), b.id(".acl"), "/nobody/secret", "/nobody/", "/nobody", "/", ldp.ID(strings.TrimSuffix(string(b.root), "/")), ldp.ID(strings.TrimSuffix(string(b.root), "/") + ".acl")} {
			if alike := ask(other); strings.Join(alike, "\n") != strings.Join(there, "\n") {
				t.Errorf("%s and a hidden resource differ:\n%q\n%q", other, alike, there)
			}
		}
	}
}

func TestOwnerIsNeverLockedOut(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.must(b.put(b.owner, ".acl", turtle, ""))
	b.must(b.put(b.owner, "x.acl", turtle, ""))
	b.want("read", b.get(b.owner, "x"), 200)
	b.want("write", b.put(b.owner, "x", plain, "y"), 204)
	b.want("take control again", b.delete(b.owner, "x.acl"), 204)
	other, err := b.Make(t.Context(), "person-2")
	if err != nil {
		t.Fatal(err)
	}
	b.want("the owner of another pod", b.get(other, "x"), 403)
}

func TestACLDocuments(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/x", turtle, ""))
	b.want("an inheriting resource has none", b.get(b.owner, "c/x.acl"), 404)
	b.want("the root has one", b.get(b.owner, ".acl"), 200)
	b.want("the root's can't be deleted", b.delete(b.owner, ".acl"), 405)
	b.want("nor the root itself", b.delete(b.owner, ""), 405)
	b.want("a stranger is not told so", b.delete(stranger, ""), 401)
	b.want("nor who signed in", b.delete(bob, ".acl"), 403)

	b.allow(bob.ID, "c/", "R", "RW")
	b.want("accessTo is for the container", b.get(bob, "c/"), 200)
	b.want("default is for what it holds", b.put(bob, "c/x", turtle, ""), 204)
	b.want("accessTo is not for what it holds, nor default for the container", b.put(bob, "c/", turtle, ""), 403)
	b.want("to read and write is not to read the ACL", b.get(bob, "c/x.acl"), 403)
	b.want("nor to write it", b.put(bob, "c/x.acl", turtle, ""), 403)
	b.want("nor to delete it", b.delete(bob, "c/.acl"), 403)

	b.allow(bob.ID, "c/x", "C", "")
	b.want("Control reads the ACL", b.get(bob, "c/x.acl"), 200)
	b.want("and nothing else", b.get(bob, "c/x"), 403)
	b.want("a resource with its own ACL inherits nothing", b.put(bob, "c/x", turtle, ""), 403)
	b.want("Control deletes the ACL", b.delete(bob, "c/x.acl"), 204)
	b.want("and then it inherits again, at once", b.get(bob, "c/x"), 200)
	b.allow(bob.ID, "c/", "", "")
	b.want("an ACL that was replaced is gone at once", b.get(bob, "c/x"), 403)

	b.must(b.put(b.owner, "c/d/e/f", turtle, ""))
	b.allow(acl.Public, "c/", "", "R")
	b.want("default holds all the way down", b.get(stranger, "c/d/e/f"), 200)
	b.allow(acl.Public, "c/d/", "", "")
	b.want("down to the next that has an ACL", b.get(stranger, "c/d/e/f"), 401)
	b.want("and beside it", b.get(stranger, "c/x"), 200)

	b.want("an ACL of nothing", b.put(b.owner, "c/absent.acl", turtle, ""), 409)
	b.want("an ACL of an ACL", b.put(b.owner, "c/.acl.acl", turtle, ""), 409)
	b.want("an ACL of a description", b.put(b.owner, "c/.meta.acl", turtle, ""), 409)
	b.want("an ACL that is no RDF", b.put(b.owner, "c/x.acl", plain, "all"), 415)
	before := b.text("c/.acl")
	b.want("an ACL that can't be read", b.put(b.owner, "c/.acl", turtle, "<> a\n ;;"), 400)
	b.want("an ACL with hidden graphs", b.put(b.owner, "c/.acl", "application/trig", "<urn:g> { <urn:a> <urn:b> <urn:c> }"), 422)
	if b.text("c/.acl") != before || b.get(stranger, "c/x") != 200 {
		t.Error("an ACL that was refused has changed something")
	}
	_, err := b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("c/.acl"), Type: turtle, Body: strings.NewReader("<> a\n ;;"), Size: -1})
	if !strings.Contains(fmt.Sprint(err), "line 2") {
		t.Errorf("the sender is not told where: %v", err)
	}
}

// TestDamagedACL: what an ACL document that can't be read grants is nothing, not
// what the one above it grants; the owner is told, and can write it anew.
func TestDamagedACL(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/d/x", turtle, ""))
	b.allow(acl.Public, "", "RAW", "RAW")
	b.allow(acl.Public, "c/", "RAW", "RAW")
	must(t, b.Pod.Store.Update(t.Context(), store.Name("pod/"+b.root.First()), func(tx store.Tx) error {
		tx.Put("a"+string(b.id("c/")), []byte{99})
		return nil
	}))
	for _, who := range []acl.Agent{stranger, bob} {
		refused := map[bool]int{false: 401, true: 403}[who.Known()]
		b.want("read", b.get(who, "c/d/x"), refused)
		b.want("read what isn't there", b.get(who, "c/d/y"), refused)
		b.want("write", b.put(who, "c/d/x", turtle, ""), refused)
		b.want("delete", b.delete(who, "c/d/x"), refused)
		b.want("beside it", b.get(who, ".well-known/solid"), 200)
	}
	notice := func(path string) string {
		res, err := b.read(b.owner, path)
		must(t, err)
		return res.Notice
	}
	if got := notice("c/d/x"); !strings.Contains(got, string(b.id("c/.acl"))) {
		t.Errorf("the owner is told %q", got)
	}
	b.allow(acl.Public, "c/", "R", "R")
	b.want("written anew", b.get(stranger, "c/d/x"), 200)
	if got := notice("c/d/x"); got != "" {
		t.Errorf("the owner is told %q", got)
	}
}

func TestACLOfADeletedResourceDoesNotComeBack(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.must(b.put(b.owner, "x.meta", turtle, "<x> <urn:b> <urn:c>."))
	b.allow(acl.Public, "x", "R", "")
	b.must(b.delete(b.owner, "x"))
	if keys := b.mem.keys(); strings.Contains(keys, string(b.id("x"))) || strings.Contains(keys, "\x00x") {
		t.Errorf("left behind:\n%q", keys)
	}
	b.must(b.put(b.owner, "x", plain, "new"))
	b.want("a stranger reads the new one", b.get(stranger, "x"), 401)
	if res, err := b.read(b.owner, "x.meta"); err != nil || res.Size != 0 {
		t.Errorf("its description: %+v, %v", res, err)
	}
}

func TestWhoMayByConditionGroupAndOrigin(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.must(b.put(b.owner, "team", turtle, `<#we> <http://www.w3.org/2006/vcard/ns#hasMember> <https://id.example/bob#me>.`))
	rule := func(more string) {
		b.must(b.put(b.owner, "x.acl", turtle, `@prefix acl: <http://www.w3.org/ns/auth/acl#>.
			<#a> a acl:Authorization; acl:accessTo <x>; acl:mode acl:Read; `+more+`.`))
	}
	rule(`acl:agentGroup <team#we>`)
	b.want("a member of the group", b.get(bob, "x"), 200)
	b.want("another", b.get(acl.Agent{ID: "https://id.example/eve#me"}, "x"), 403)
	b.must(b.put(b.owner, "team", turtle, ``))
	b.want("a member no more, at once", b.get(bob, "x"), 403)
	rule(`acl:agentGroup <https://elsewhere.example/team#we>`)
	b.want("a member of a group that we can't read", b.get(bob, "x"), 403)
	rule(`acl:agent <https://id.example/bob#me>; acl:condition [ a acl:ClientCondition; acl:client <https://app.example/id> ]`)
	b.want("through the named client", b.get(bob, "x"), 200)
	b.want("through another", b.get(acl.Agent{ID: bob.ID, Client: "https://other.example/id"}, "x"), 403)
	rule(`acl:agent <https://id.example/bob#me>; acl:origin <https://app.example>`)
	b.want("a script from the named origin", b.get(acl.Agent{ID: bob.ID, Origin: "https://app.example"}, "x"), 200)
	b.want("a script from another", b.get(acl.Agent{ID: bob.ID, Origin: "https://evil.example"}, "x"), 403)
}

func TestSlashes(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "doc", turtle, ""))
	b.must(b.put(b.owner, "box/", "", ""))
	b.want("a container beside a document", b.put(b.owner, "doc/", "", ""), 409)
	b.want("a document beside a container", b.put(b.owner, "box", plain, "x"), 409)
	b.want("a document beside a container, by PATCH", b.patch(b.owner, "box", "text/n3", insert), 409)
	b.want("a member of a document", b.put(b.owner, "doc/x", plain, "x"), 409)
	b.want("a member of a member of a document", b.put(b.owner, "doc/y/x", plain, "x"), 409)
	b.want("the same by PATCH", b.patch(b.owner, "doc/y/x", "text/n3", insert), 409)
	b.want("POST below a document", status(b.post(b.owner, "doc/y/", "", plain, "x")), 404)
	b.want("GET with a slash more", b.get(b.owner, "doc/"), 404)
	b.want("GET with a slash less", b.get(b.owner, "box"), 404)
	done, err := b.post(b.owner, "", "doc", plain, "x")
	if err != nil || done.ID == b.id("doc") || !strings.HasSuffix(string(done.ID), "-doc") {
		t.Errorf("POST with a Slug that is taken: %s, %v", done.ID, err)
	}
	done, err = b.post(b.owner, "", "box", plain, "x")
	if err != nil || done.ID == b.id("box") {
		t.Errorf("POST with a container's name: %s, %v", done.ID, err)
	}
	b.must(b.delete(b.owner, "doc"))
	b.want("once the document is gone, a container", b.put(b.owner, "doc/", "", ""), 201)
}

func TestContainment(t *testing.T) {
	b := newBench(t)
	b.want("PUT makes the containers on the way", b.put(b.owner, "a/b/c/x", plain, "x"), 201)
	for path, want := range map[string]string{"": "a/ evidence/ inbox/ profile/ settings/", "a/": "b/", "a/b/": "c/", "a/b/c/": "x"} {
		if got := b.list(path); got != want {
			t.Errorf("%q holds %q, want %q", path, got, want)
		}
	}
	b.want("a container that isn't empty stays", b.delete(b.owner, "a/b/c/"), 409)
	b.want("a member goes", b.delete(b.owner, "a/b/c/x"), 204)
	b.want("it is gone", b.get(b.owner, "a/b/c/x"), 404)
	if got := b.list("a/b/c/"); got != "" {
		t.Errorf("left: %q", got)
	}
	b.want("an empty container goes", b.delete(b.owner, "a/b/c/"), 204)
	b.want("what is not there can't be deleted", b.delete(b.owner, "a/b/c/"), 404)
	b.want("auxiliary resources are no members", b.put(b.owner, "a/b/.meta", turtle, ""), 201)
	if got := b.list("a/b/"); got != "" {
		t.Errorf("listed: %q", got)
	}
	b.want("a description of nothing", b.put(b.owner, "a/none.meta", turtle, ""), 409)
	b.want("what the server itself answers for", b.put(b.owner, ".well-known/solid", turtle, ""), 405)
	b.want("or might", b.put(b.owner, ".well-known/x/y", turtle, ""), 405)
	if res, err := b.read(stranger, ".well-known/solid"); err != nil || res.Graph.Len() != 1 {
		t.Errorf("the storage's description: %v", err)
	}
}

func TestListingIsWholeAndInOrder(t *testing.T) {
	b := newBench(t)
	var want []string
	for i := range 600 {
		name := fmt.Sprintf("m%03d", i)
		b.must(b.put(b.owner, "many/"+name, plain, "x"))
		want = append(want, name)
	}
	if got := b.list("many/"); got != strings.Join(want, " ") {
		t.Errorf("listed %d", len(strings.Fields(got)))
	}
	res, err := b.read(b.owner, "many/")
	if err != nil {
		t.Fatal(err)
	}
	for range res.Members {
		break // a reader may stop
	}
	for m, err := range res.Members {
		if err != nil || m.Type != plain || m.Size != 1 || !m.Modified.Equal(noon) {
			t.Fatalf("%+v, %v", m, err)
		}
		break
	}
}

func TestListingStopsWhenTheRightEnds(t *testing.T) {
	b := newBench(t)
	for i := range 300 {
		b.must(b.put(b.owner, fmt.Sprintf("many/%03d", i), plain, "x"))
	}
	b.allow(bob.ID, "many/", "R", "")
	res, err := b.read(bob, "many/")
	if err != nil {
		t.Fatal(err)
	}
	b.must(b.delete(b.owner, "many/.acl"))
	n := 0
	for _, err = range res.Members {
		n++
	}
	if n != 257 || ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("%d members, then %v", n, err)
	}
}

func TestTagsAndTimes(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/d/x", plain, "one"))
	state := func(path string) (string, time.Time) {
		res, err := b.read(b.owner, path)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Tag) != 16 {
			t.Fatalf("the tag %q is not 96 bits", res.Tag)
		}
		return res.Tag, res.Modified
	}
	for _, c := range []struct {
		says       string
		do         func() int
		path       string
		tag, moved bool // what changes
	}{
		{"a new member changes the container", func() int { return b.put(b.owner, "c/d/y", plain, "y") }, "c/d/", true, true},
		{"and what is listed of the container", func() int { return b.put(b.owner, "c/d/z", plain, "z") }, "c/", true, false},
		{"and nothing above that", func() int { return b.put(b.owner, "c/d/v", plain, "v") }, "", false, false},
		{"a member that grows changes the listing only", func() int { return b.put(b.owner, "c/d/x", plain, "longer") }, "c/d/", true, false},
		{"and nothing above", func() int { return b.put(b.owner, "c/d/x", plain, "longer still") }, "c/", false, false},
		{"a member that goes changes the container", func() int { return b.delete(b.owner, "c/d/y") }, "c/d/", true, true},
		{"own triples change the tag only", func() int { return b.put(b.owner, "c/d/", turtle, "<> <urn:a> <urn:b>.") }, "c/d/", true, false},
		{"the same bytes again are another state", func() int { return b.put(b.owner, "c/d/x", plain, "longer still") }, "c/d/x", true, true},
		{"an ACL changes no state", func() int { return b.put(b.owner, "c/d/x.acl", turtle, "") }, "c/d/x", false, false},
		{"what fails changes nothing", func() int { b.put(b.owner, "c/d/", plain, "x"); return 0 }, "c/d/", false, false},
	} {
		tag, modified := state(c.path)
		b.clock.wait(10 * time.Second)
		b.must(c.do())
		newTag, newModified := state(c.path)
		if (newTag != tag) != c.tag || (!newModified.Equal(modified)) != c.moved {
			t.Errorf("%s: tag changed %v, time changed %v", c.says, newTag != tag, !newModified.Equal(modified))
		}
	}
	b.clock.wait(time.Millisecond * 700)
	b.must(b.put(b.owner, "c/d/x", plain, "x"))
	if _, modified := state("c/d/x"); modified.Nanosecond() != 0 {
		t.Errorf("the time has parts of a second: %v", modified)
	}
}

func TestConditions(t *testing.T) {
	b := newBench(t)
	none, any := ldp.Conditions{NoneMatch: []string{"*"}}, ldp.Conditions{Match: []string{"*"}}
	b.want("If-Match on what isn't there", b.put(b.owner, "x", plain, "x", any), 412)
	b.want("If-None-Match: * makes", b.put(b.owner, "x", plain, "x", none), 201)
	b.want("and doesn't replace", b.put(b.owner, "x", plain, "y", none), 412)
	res, err := b.read(b.owner, "x")
	if err != nil {
		t.Fatal(err)
	}
	b.want("the right tag", b.put(b.owner, "x", plain, "z", ldp.Conditions{Match: []string{res.Tag}}), 204)
	b.want("the old tag", b.put(b.owner, "x", plain, "z", ldp.Conditions{Match: []string{res.Tag}}), 412)
	b.want("a tag on PATCH of what isn't there", b.patch(b.owner, "y", "text/n3", insert, any), 412)
	err = b.Pod.Delete(t.Context(), b.owner, ldp.Delete{ID: b.id("x"), Cond: ldp.Conditions{Match: []string{res.Tag}}})
	b.want("the old tag on DELETE", int(ldp.KindOf(err)), 412)
	_, err = b.Pod.Post(t.Context(), b.owner, ldp.Post{ID: b.id(""), Type: plain, Body: strings.NewReader(""), Cond: ldp.Conditions{Match: []string{"other"}}})
	b.want("another tag on POST", int(ldp.KindOf(err)), 412)
	b.want("a stranger is not told", b.put(stranger, "x", plain, "y", none), 401)
}

func TestBodies(t *testing.T) {
	b := newBench(t)
	b.Pod.MaxRDF, b.Pod.MaxBytes = 100<<10, 200<<10
	long := func(n int) string { return strings.Repeat("x", n) }
	b.want("small", b.put(b.owner, "small", plain, long(64<<10)), 201)
	if len(b.mem.blobs) != 0 {
		t.Error("a small body is a blob")
	}
	b.want("large", b.put(b.owner, "large", plain, long(64<<10+1)), 201)
	if len(b.mem.blobs) != 1 || b.text("large") != long(64<<10+1) || b.text("small") != long(64<<10) {
		t.Error("a large body is not as it was")
	}
	b.want("the largest", b.put(b.owner, "largest", plain, long(200<<10)), 201)
	b.want("too large", b.put(b.owner, "x", plain, long(200<<10+1)), 413)
	b.want("too large, and the size isn't said", status(b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("x"), Type: plain, Body: strings.NewReader(long(200<<10 + 1)), Size: -1})), 413)
	b.want("too large for RDF", b.put(b.owner, "x", turtle, "#"+long(100<<10)), 413)
	b.want("shorter than was said", status(b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("x"), Type: plain, Body: strings.NewReader("abc"), Size: 4})), 400)
	b.want("cut off", status(b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("x"), Type: plain, Body: io.MultiReader(strings.NewReader("abc"), broken{}), Size: -1})), 400)
	b.want("a large RDF document", b.put(b.owner, "rdf", turtle, "<> <urn:a> \""+long(90<<10)+"\"."), 201)
	b.want("malformed Turtle", b.put(b.owner, "x", turtle, "<> <urn:a>"), 400)
	b.want("malformed JSON-LD", b.put(b.owner, "x", "application/ld+json", "{"), 400)
	b.want("a context that isn't ours", b.put(b.owner, "x", "application/ld+json", `{"@context": "https://evil.example/c", "a": 1}`), 422)
	b.want("a type that is none", b.put(b.owner, "x", "plain\nx", "x"), 400)
	b.want("nothing of these was stored", b.get(b.owner, "x"), 404)
	b.want("RDF with parameters", b.put(b.owner, "p", "text/turtle; charset=UTF-8", "<> <urn:a> <b>."), 201)
	if res, err := b.read(b.owner, "p"); err != nil || res.Type != "text/turtle; charset=UTF-8" || b.text("p") != "<> <urn:a> <b>." {
		t.Errorf("not as it was sent: %v", err)
	}
	for _, fault := range []ldp.Kind{ldp.Invalid, ldp.Unsupported, ldp.Conflict} { // whose headers then say nothing of the body
		b.want("a fault of the form", status(b.Pod.Put(t.Context(), b.owner, ldp.Put{ID: b.id("x"), Body: strings.NewReader("x"), Size: 1, Fault: fault})), int(fault))
	}
	b.want("a body isn't read for who may not", status(b.Pod.Put(t.Context(), bob, ldp.Put{ID: b.id("x"), Type: plain, Body: broken{}, Size: -1})), 403)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestContainersOwnTriples(t *testing.T) {
	b := newBench(t)
	self := base + string(b.id("c/"))
	b.must(b.put(b.owner, "c/x", plain, "x"))
	own := func() string {
		res, err := b.read(b.owner, "c/")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := rdf.Write(res.Graph, rdf.NTriples, rdf.WriteOptions{})
		return string(text)
	}
	b.want("replace", b.put(b.owner, "c/", turtle, `<> <urn:title> "T"; a <http://www.w3.org/ns/ldp#BasicContainer>, <urn:Box>; <http://purl.org/dc/terms/modified> "x".`), 204)
	before := own()
	if want := fmt.Sprintf("<%s> <urn:title> \"T\" .\n<%s> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:Box> .\n", self, self); before != want {
		t.Errorf("got %s", before)
	}
	b.want("containment", b.put(b.owner, "c/", turtle, `<> <http://www.w3.org/ns/ldp#contains> <y>.`), 409)
	b.want("containment of another", b.put(b.owner, "c/", turtle, `<urn:a> <http://www.w3.org/ns/ldp#contains> <urn:b>.`), 409)
	b.want("a member's size", b.put(b.owner, "c/", turtle, `<x> <http://www.w3.org/ns/posix/stat#size> 7.`), 409)
	b.want("no RDF", b.put(b.owner, "c/", plain, `x`), 415)
	b.want("a new container with containment", b.put(b.owner, "d/", turtle, `<> <http://www.w3.org/ns/ldp#contains> <y>.`), 409)
	if own() != before || b.list("c/") != "x" {
		t.Error("what was refused has changed something")
	}
	b.want("nothing at all", b.put(b.owner, "c/", "", ""), 204)
	if own() != "" || b.list("c/") != "x" {
		t.Errorf("left %q", own())
	}
	done, err := b.Pod.Post(t.Context(), b.owner, ldp.Post{ID: b.id("c/"), Slug: "sub", Container: true, Type: turtle, Body: strings.NewReader(`<> <urn:title> "S".`), Size: -1})
	if err != nil || done.ID != b.id("c/sub/") {
		t.Fatalf("made %s, %v", done.ID, err)
	}
	if res, err := b.read(b.owner, "c/sub/"); err != nil || !res.Graph.Has(rdf.IRI(base+string(done.ID)), rdf.IRI("urn:title"), rdf.String("S")) {
		t.Errorf("its own triples: %v", err)
	}
}

func TestSlugs(t *testing.T) {
	b := newBench(t)
	for slug, want := range map[string]string{
		"note.ttl": "note.ttl", "två ord": "tv%C3%A5%20ord", "a/b": "a-b", "../../etc": "..-..-etc", "a%b": "a%25b", "trail/": "trail", "new\nline": "new-line", "q?x#y": "q%3Fx%23y",
	} {
		done, err := b.post(b.owner, "", slug, plain, "x")
		if err != nil || done.ID != b.id(want) {
			t.Errorf("%q became %s, want %s: %v", slug, done.ID, want, err)
		}
	}
	for _, slug := range []string{"", ".", "..", "\xff", "/", ".well-known", strings.Repeat("å", 300)} {
		done, err := b.post(b.owner, "", slug, plain, "x")
		if _, bad := ldp.ParseID(string(done.ID)); err != nil || bad != nil || strings.Contains(string(done.ID), "/.well-known") {
			t.Errorf("%q became %s: %v, %v", slug, done.ID, err, bad)
		}
	}
	for _, slug := range []string{"x.acl", ".meta", "x.acl/", "x.acl /", " x.meta\t", "/x.acl /", strings.Repeat("x", 196) + ".acl and more"} {
		b.want(fmt.Sprintf("a name of an ACL or a description: %.20q", slug), status(b.post(b.owner, "", slug, plain, "x")), 403)
	}
	b.want("POST to a document", status(b.post(b.owner, "note.ttl", "", plain, "x")), 405)
}

func TestIdempotencyKey(t *testing.T) {
	b := newBench(t)
	b.allow(acl.Public, "inbox/", "A", "")
	send := func(who acl.Agent, key, body string) (ldp.Written, error) {
		return b.Pod.Post(t.Context(), who, ldp.Post{ID: b.id("inbox/"), Type: turtle, Key: key, Body: strings.NewReader("#" + body), Size: -1})
	}
	one, err := send(bob, "k", "x")
	if err != nil {
		t.Fatal(err)
	}
	again, err := send(bob, "k", "x")
	if err != nil || again.ID != one.ID || !again.Created {
		t.Errorf("the same again made %s, %v", again.ID, err)
	}
	_, err = send(bob, "k", "y")
	b.want("the same key for something else", int(ldp.KindOf(err)), 422)
	if other, err := send(b.owner, "k", "x"); err != nil || other.ID == one.ID {
		t.Errorf("another agent's key is its own: %v", err)
	}
	for range 2 {
		if _, err := send(stranger, "k", "x"); err != nil {
			t.Error(err)
		}
	}
	if n := len(strings.Fields(b.list("inbox/"))); n != 4 {
		t.Errorf("%d were made", n)
	}
	b.clock.wait(49 * time.Hour)
	if late, err := send(bob, "k2", "x"); err != nil || late.ID == one.ID {
		t.Error(err)
	}
	if n := strings.Count("\n"+b.mem.keys(), "\nj2"); n != 1 {
		t.Errorf("%d keys are remembered after two days", n)
	}
}

func TestProfileIsProtected(t *testing.T) {
	b := newBench(t)
	me := string(b.owner.ID)
	doc := func(issuer string) string {
		return fmt.Sprintf("<%s> <http://www.w3.org/ns/solid/terms#oidcIssuer> %s; <urn:name> \"A\".", me, issuer)
	}
	b.want("with another issuer", b.put(b.owner, "profile/card", turtle, doc("<https://evil.example>")), 409)
	b.want("with one more", b.put(b.owner, "profile/card", turtle, doc("<"+base+">, <https://evil.example>")), 409)
	b.want("with none", b.put(b.owner, "profile/card", turtle, ""), 409)
	b.want("no RDF at all", b.put(b.owner, "profile/card", "image/png", "x"), 409)
	b.want("gone", b.delete(b.owner, "profile/card"), 409)
	b.want("with the same", b.put(b.owner, "profile/card", turtle, doc("<"+base+">")), 204)
	b.want("a stranger reads it", b.get(stranger, "profile/card"), 200)
	b.want("a stranger doesn't write it", b.put(stranger, "profile/card", turtle, doc("<"+base+">")), 401)
}

func TestMake(t *testing.T) {
	b := newBench(t)
	again, err := b.Make(t.Context(), "person-1")
	if err != nil || again != b.owner {
		t.Errorf("made another: %v, %v", again, err)
	}
	if _, err := b.Owner(t.Context(), "nobody"); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("the owner of no pod: %v", err)
	}
	if name := b.root.First(); len(name) != 26 || strings.Contains(b.mem.keys(), "person-1") {
		t.Errorf("the name %q is not 128 random bits, or a key holds the person's id", name)
	}
	g, me := b.graph("profile/card"), rdf.IRI(string(b.owner.ID))
	for property, want := range map[string]string{
		"http://www.w3.org/ns/solid/terms#oidcIssuer":      base,
		"http://www.w3.org/ns/pim/space#storage":           base + string(b.root),
		"http://www.w3.org/ns/ldp#inbox":                   base + string(b.id("inbox/")),
		"http://www.w3.org/ns/pim/space#preferencesFile":   base + string(b.id("settings/prefs.ttl")),
		"http://www.w3.org/ns/solid/terms#publicTypeIndex": base + string(b.id("settings/publicTypeIndex.ttl")),
	} {
		if all := g.Objects(me, rdf.IRI(property)); len(all) != 1 || all[0] != rdf.IRI(want) {
			t.Errorf("%s is %v, want %s", property, all, want)
		}
	}
	for path, want := range map[string]int{"": 401, "profile/": 401, "profile/card": 200, "inbox/": 401, "settings/": 401,
		"settings/prefs.ttl": 401, "settings/privateTypeIndex.ttl": 401, "settings/publicTypeIndex.ttl": 200, ".acl": 401} {
		b.want("a stranger reads "+path, b.get(stranger, path), want)
		if b.get(b.owner, path) != 200 {
			t.Errorf("the owner can't read %q", path)
		}
	}
	b.want("a stranger writes to the inbox", status(b.post(stranger, "inbox/", "", turtle, "")), 401)
	done, err := b.post(bob, "inbox/", "hello", turtle, "")
	if err != nil || done.ID != b.id("inbox/hello") {
		t.Errorf("who signed in writes to the inbox: %v", err)
	}
	b.want("and doesn't read it", b.get(bob, "inbox/hello"), 403)
	b.want("nor replace it", b.put(bob, "inbox/hello", turtle, ""), 403)

	res, err := b.read(b.owner, "")
	if err != nil || !res.Root || res.Owner != string(b.owner.ID) || res.ACL != b.id(".acl") || res.Storage != b.id(".well-known/solid") ||
		res.Modes != acl.Read|acl.Append|acl.Write|acl.Control || res.Public != 0 || strings.Contains(strings.Join(res.Methods, " "), "DELETE") {
		t.Errorf("the root is described as %+v, %v", res, err)
	}
}

func TestRacesToMakeAPodHaveOneWinner(t *testing.T) {
	b := newBench(t)
	ids := make(chan acl.WebID, 8)
	for range cap(ids) {
		go func() {
			who, err := b.Make(t.Context(), "person-2")
			if err != nil {
				t.Error(err)
			}
			ids <- who.ID
		}()
	}
	one := <-ids
	for range cap(ids) - 1 {
		if other := <-ids; other != one {
			t.Errorf("%s and %s", one, other)
		}
	}
}

func TestRacesOfIfNoneMatchHaveOneWinner(t *testing.T) {
	b := newBench(t)
	got := make(chan int, 16)
	for i := range cap(got) {
		go func() {
			got <- b.put(b.owner, "race", plain, fmt.Sprint(i), ldp.Conditions{NoneMatch: []string{"*"}})
		}()
	}
	made := 0
	for range cap(got) {
		switch s := <-got; s {
		case 201:
			made++
		case 412:
		default:
			t.Errorf("status %d", s)
		}
	}
	if made != 1 {
		t.Errorf("%d won", made)
	}
}

// TestFailingCommits: a commit that fails, or seems to, is an error, and the same
// request again comes to the same.
func TestFailingCommits(t *testing.T) {
	b := newBench(t)
	fake := b.Pod.Store.(*podtest.Fake)
	fake.Next(podtest.Fails)
	b.want("failed", b.put(b.owner, "x", plain, "x"), 503)
	b.want("nothing has happened", b.get(b.owner, "x"), 404)
	fake.Next(podtest.SeemsToFail)
	b.want("seems to have failed", b.put(b.owner, "x", plain, "x"), 503)
	b.want("once more", b.put(b.owner, "x", plain, "x"), 204)
	post := func() (ldp.Written, error) {
		return b.Pod.Post(t.Context(), b.owner, ldp.Post{ID: b.id("inbox/"), Type: plain, Key: "k", Body: strings.NewReader("x"), Size: 1})
	}
	fake.Next(podtest.SeemsToFail)
	if _, err := post(); ldp.KindOf(err) != ldp.Unavailable {
		t.Error(err)
	}
	if _, err := post(); err != nil || len(strings.Fields(b.list("inbox/"))) != 1 {
		t.Errorf("the repeated POST: %v, %q", err, b.list("inbox/"))
	}
	fake.Next(podtest.SeemsToFail)
	if _, err := b.Make(t.Context(), "person-3"); err == nil {
		t.Error("no error")
	}
	if _, err := b.Make(t.Context(), "person-3"); err != nil {
		t.Error(err)
	}
}

func TestGetIsOneTransaction(t *testing.T) {
	b := newBench(t)
	deep := strings.Repeat("level/", 9)
	b.must(b.put(b.owner, deep+"x", plain, strings.Repeat("x", 1000)))
	b.mem.gets, b.mem.views = 0, 0
	b.must(b.get(b.owner, deep+"x"))
	if b.mem.views != 1 || b.mem.gets != 1 {
		t.Errorf("%d transactions and %d round trips", b.mem.views, b.mem.gets)
	}
}

// TestListingIsReadAsItIsSent: the first member costs one transaction, however
// many there are, and all of them one for each page.
func TestListingIsReadAsItIsSent(t *testing.T) {
	b := newBench(t)
	const members = 1000
	for i := range members {
		b.must(b.put(b.owner, fmt.Sprintf("many/%04d", i), plain, "x"))
	}
	b.mem.gets, b.mem.views = 0, 0
	res, err := b.read(b.owner, "many/")
	must(t, err)
	n := 0
	for _, err := range res.Members {
		must(t, err)
		if n++; n == 1 && b.mem.views != 1 {
			t.Errorf("the first member takes %d transactions", b.mem.views)
		}
	}
	if n != members || b.mem.views != 4 {
		t.Errorf("%d members take %d transactions", n, b.mem.views)
	}
}

// onDisk is a bench whose pods are in the store that the server uses.
func onDisk(b *testing.B) *bench {
	store, err := pebble.Open(b.TempDir(), pebble.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(b, err)
	b.Cleanup(func() { must(b, store.Close()) })
	p := newBench(b)
	p.Pod.Store = store
	owner, err := p.Make(b.Context(), "person-2")
	must(b, err)
	p.owner, p.root = owner, rootOf(owner)
	return p
}

const document = 1000 // bytes, about

// BenchmarkGet reads a document ten levels deep, of which an ACL nine levels up
// decides. A read by another waits until its entry in the log is durable.
func BenchmarkGet(b *testing.B) {
	p := onDisk(b)
	deep := strings.Repeat("level/", 9)
	p.must(p.put(p.owner, deep+"x", turtle, "<> <urn:a> \""+strings.Repeat("x", document)+"\"."))
	p.allow(bob.ID, "level/", "R", "R")
	for _, c := range []struct {
		by  string
		who acl.Agent
	}{{"the owner", p.owner}, {"another, logged", bob}} {
		b.Run(c.by, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.must(p.get(c.who, deep+"x"))
			}
		})
	}
}

// BenchmarkPut replaces a document, durably, one writer after the other.
func BenchmarkPut(b *testing.B) {
	p := onDisk(b)
	body := "<> <urn:a> \"" + strings.Repeat("x", document) + "\"."
	b.ReportAllocs()
	for b.Loop() {
		p.must(p.put(p.owner, "level/x", turtle, body))
	}
}

func TestPatch(t *testing.T) {
	b := newBench(t)
	n3 := func(body string) string {
		return `@prefix solid: <http://www.w3.org/ns/solid/terms#>. @prefix ex: <urn:ex:>. _:p a solid:InsertDeletePatch; ` + body + `.`
	}
	const sparql = "application/sparql-update"
	b.must(b.put(b.owner, "x", turtle, "@prefix my: <urn:my:>. <#a> my:name \"old\"."))
	b.must(b.put(b.owner, "text", plain, "x"))
	b.must(b.put(b.owner, "c/y", turtle, ""))
	for _, c := range []struct {
		says, path, media, body string
		want                    int
	}{
		{"insert", "x", "text/n3", n3(`solid:inserts { <#a> ex:b "new". }`), 204},
		{"replace where", "x", "text/n3", n3(`solid:where { ?a <urn:my:name> "old". }; solid:deletes { ?a <urn:my:name> "old". }; solid:inserts { ?a <urn:my:name> "newer". }`), 204},
		{"a condition that doesn't hold", "x", "text/n3", n3(`solid:where { ?a <urn:my:name> "old". }; solid:inserts { ?a ex:b "x". }`), 409},
		{"delete what isn't there", "x", "text/n3", n3(`solid:deletes { <#a> ex:b "old". }`), 409},
		{"make", "m/n/new", "text/n3", n3(`solid:inserts { <> ex:b [ ex:c 1 ]. }`), 201},
		{"make by deleting", "none", "text/n3", n3(`solid:deletes { <> ex:b "x". }`), 409},
		{"make on a condition", "none", "text/n3", n3(`solid:where { ?a ex:b ?c. }; solid:inserts { ?a ex:b "x". }`), 409},
		{"no N3", "x", "text/n3", `}`, 400},
		{"no patch", "x", "text/n3", `<> a <urn:b>.`, 422},
		{"another type", "x", turtle, ``, 415},
		{"of what isn't RDF", "text", "text/n3", n3(`solid:inserts { <> ex:b "x". }`), 415},
		{"SPARQL", "x", sparql, `INSERT DATA { <#a> <urn:ex:s> 1 }`, 204},
		{"SPARQL that makes", "sparql", sparql, `INSERT DATA { <> <urn:ex:s> 1 }`, 201},
		{"SPARQL that only deletes, of nothing", "none", sparql, `DELETE DATA { <> <urn:ex:s> 1 }`, 409},
		{"SPARQL that is none", "x", sparql, `INSERT`, 400},
		{"SPARQL that we don't do", "x", sparql, `DROP ALL`, 501},
		{"a container's own triples", "c/", "text/n3", n3(`solid:inserts { <> ex:title "T". }`), 204},
		{"its containment", "c/", "text/n3", n3(`solid:inserts { <> <http://www.w3.org/ns/ldp#contains> <z>. }`), 409},
		{"its containment, less", "c/", "text/n3", n3(`solid:deletes { <> <http://www.w3.org/ns/ldp#contains> <y>. }`), 409},
		{"a new container", "d/e/", "text/n3", n3(`solid:inserts { <> ex:title "T". }`), 201},
		{"a description", "x.meta", "text/n3", n3(`solid:inserts { <x> ex:title "T". }`), 201},
		{"a description of nothing", "none.meta", "text/n3", n3(`solid:inserts { <x> ex:title "T". }`), 409},
		{"another issuer", "profile/card", "text/n3", n3(`solid:inserts { <#me> solid:oidcIssuer <https://evil.example>. }`), 409},
		{"no issuer", "profile/card", sparql, `DELETE WHERE { ?me <http://www.w3.org/ns/solid/terms#oidcIssuer> ?any }`, 409},
		{"a name", "profile/card", "text/n3", n3(`solid:inserts { <#me> ex:name "Alva". }`), 204},
		{"a JSON-LD document", "j", "text/n3", n3(`solid:inserts { <> ex:b "x". }`), 204},
	} {
		if c.path == "j" {
			b.must(b.put(b.owner, "j", "application/ld+json", `{"@id": "", "urn:ex:a": "y"}`))
		}
		b.want(c.says, b.patch(b.owner, c.path, c.media, c.body), c.want)
	}
	x, g := rdf.IRI(base+string(b.id("x"))+"#a"), b.graph("x")
	if g.Len() != 3 || !g.Has(x, rdf.IRI("urn:ex:b"), rdf.String("new")) || !g.Has(x, rdf.IRI("urn:my:name"), rdf.String("newer")) || !g.Has(x, rdf.IRI("urn:ex:s"), rdf.Integer(1)) {
		t.Errorf("patched to\n%s", b.text("x"))
	}
	if !strings.Contains(b.text("x"), "my:name") {
		t.Errorf("the prefix was lost:\n%s", b.text("x"))
	}
	if res, err := b.read(b.owner, "j"); err != nil || res.Type != "application/ld+json" {
		t.Errorf("the type has changed: %v", err)
	}
	if res, err := b.read(b.owner, "c/"); err != nil || res.Graph.Len() != 1 || b.list("c/") != "y" {
		t.Errorf("the container's own triples: %v", err)
	}
}

func TestPatchTakesWhatItDoes(t *testing.T) {
	const solid = `@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; `
	for _, c := range []struct {
		says, modes, media, body string
		want                     int
	}{
		{"to insert takes Append", "A", "text/n3", insert, 204},
		{"Read is not enough", "R", "text/n3", insert, 403},
		{"Control is not enough", "C", "text/n3", insert, 403},
		{"a condition takes Read too", "A", "text/n3", solid + `solid:where { ?a <urn:b> "old". }; solid:inserts { ?a <urn:b> "x". }.`, 403},
		{"a condition with Read", "RA", "text/n3", solid + `solid:where { ?a <urn:b> "old". }; solid:inserts { ?a <urn:b> "x". }.`, 204},
		{"to delete takes Write", "RA", "text/n3", remove, 403},
		{"and Read", "W", "text/n3", remove, 403},
		{"to delete with both", "RW", "text/n3", remove, 204},
		{"in SPARQL too", "RA", "application/sparql-update", `DELETE DATA { <urn:a> <urn:b> "old" }`, 403},
		{"or by one of several steps", "RA", "application/sparql-update", `INSERT DATA { <urn:a> <urn:b> "x" }; DELETE WHERE { ?a ?b ?c }`, 403},
		{"what can't be read is told to who may append", "A", "text/n3", "}", 400},
		{"and to nobody else", "R", "text/n3", "}", 403},
	} {
		b := newBench(t)
		b.must(b.put(b.owner, "x", turtle, `<urn:a> <urn:b> "old".`))
		b.allow(bob.ID, "x", c.modes, "")
		b.want(c.says, b.patch(bob, "x", c.media, c.body), c.want)
	}
}

func TestPatchOfACL(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.allow(acl.Public, "x", "R", "")
	rule := `<x.acl#more> a <http://www.w3.org/ns/auth/acl#Authorization>; <http://www.w3.org/ns/auth/acl#accessTo> <x>;
		<http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Write>; <http://www.w3.org/ns/auth/acl#agent> <https://id.example/bob#me>`
	b.want("before", b.put(bob, "x", plain, "y"), 403)
	b.want("who may not control it", b.patch(bob, "x.acl", "application/sparql-update", "INSERT DATA { "+rule+" }"), 403)
	b.must(b.patch(b.owner, "x.acl", "application/sparql-update", "INSERT DATA { "+rule+" }"))
	b.want("after", b.put(bob, "x", plain, "y"), 204)
	b.want("and what was there holds", b.get(stranger, "x"), 200)
	b.must(b.patch(b.owner, "x.acl", "application/sparql-update", "DELETE DATA { "+rule+" }"))
	b.want("taken back", b.put(bob, "x", plain, "z"), 403)
}

func TestPatchOfLargeDocuments(t *testing.T) {
	b := newBench(t)
	big := func(n int) string { return strings.Repeat("x", n) }
	b.must(b.put(b.owner, "grows", turtle, `<> <urn:a> "`+big(60<<10)+`".`))
	b.must(b.patch(b.owner, "grows", "application/sparql-update", `INSERT DATA { <> <urn:b> "`+big(10<<10)+`" }`))
	b.must(b.patch(b.owner, "grows", "application/sparql-update", `INSERT DATA { <> <urn:c> "c" }`))
	if g := b.graph("grows"); g.Len() != 3 || len(b.mem.blobs) != 2 {
		t.Errorf("%d triples, %d blobs", g.Len(), len(b.mem.blobs))
	}
	b.must(b.patch(b.owner, "grows", "application/sparql-update", `DELETE WHERE { ?x <urn:a> ?y }`))
	if g := b.graph("grows"); g.Len() != 2 || len(b.mem.blobs) != 2 {
		t.Errorf("%d triples, %d blobs", g.Len(), len(b.mem.blobs))
	}
	b.Pod.MaxRDF = 100 << 10
	b.want("over the limit", b.patch(b.owner, "grows", "application/sparql-update", `INSERT DATA { <> <urn:d> "`+big(95<<10)+`" }`), 413)
}

func TestConcurrentPatchesLoseNothing(t *testing.T) {
	b := newBench(t)
	for _, start := range []string{"", `<> <urn:pad> "` + strings.Repeat("x", 70<<10) + `".`} { // in the store; in a blob
		b.must(b.put(b.owner, "x", turtle, start))
		before := b.graph("x").Len()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if s := b.patch(b.owner, "x", "application/sparql-update", fmt.Sprintf("INSERT DATA { <> <urn:n> %d }", i)); s != 204 {
					t.Errorf("patch %d: %d", i, s)
				}
			})
		}
		all.Wait()
		if n := b.graph("x").Len(); n != before+10 {
			t.Errorf("%d of 10 are left", n-before)
		}
	}
}

// TestManyAtOnce mixes all operations, and then looks whether what is contained
// and what is there agree.
func TestManyAtOnce(t *testing.T) {
	b := newBench(t)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for j := range 20 {
				path := fmt.Sprintf("c%d/d/x%d", (i+j)%3, j%4)
				var got int
				switch (i*7 + j) % 6 {
				case 0, 1:
					got = b.put(b.owner, path, plain, fmt.Sprint(i, j))
				case 2:
					got = b.patch(b.owner, path+".ttl", "text/n3", insert)
				case 3:
					got = b.delete(b.owner, path)
				case 4:
					got = b.get(b.owner, path[:5])
				case 5:
					got = b.delete(b.owner, path[:5])
				}
				if got >= 500 {
					t.Errorf("%s: %d", path, got)
				}
			}
		})
	}
	all.Wait()
	b.wellFormed()
}

// wellFormed fails unless each resource is listed in its container and nothing
// else is.
func (b *bench) wellFormed() {
	b.Helper()
	there, listed := map[string]bool{}, map[string]bool{}
	for key := range strings.SplitSeq(b.mem.keys(), "\n") {
		id := ldp.ID(key[1:])
		switch _, aux := id.Subject(); key[0] {
		case 'r':
			if aux == "" && id != b.root {
				there[string(id)] = true
			}
		case 'm':
			container, name, _ := strings.Cut(key[1:], "\x00")
			listed[container+name] = true
		}
	}
	for id := range there {
		if !listed[id] {
			b.Errorf("%s is not listed", id)
		}
		if up := ldp.ID(id).Parent(); up != b.root && !there[string(up)] {
			b.Errorf("%s has no container", id)
		}
		if there[string(ldp.ID(id).Twin())] {
			b.Errorf("%s has a twin", id)
		}
	}
	for id := range listed {
		if !there[id] {
			b.Errorf("%s is listed and not there", id)
		}
	}
}

// A meanwhile is a body during whose reading something happens.
type meanwhile struct {
	happens func()
	io.Reader
}

func (m *meanwhile) Read(b []byte) (int, error) {
	if m.happens != nil {
		m.happens()
		m.happens = nil
	}
	return m.Reader.Read(b)
}

// TestRightThatEndsMeanwhile: what counts is who may in the transaction, and not
// when the request came.
func TestRightThatEndsMeanwhile(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/x", plain, "x"))
	body := func() io.Reader {
		b.allow(bob.ID, "c/", "RAW", "RAW")
		return &meanwhile{func() { b.must(b.delete(b.owner, "c/.acl")) }, strings.NewReader("y")}
	}
	b.want("PUT", status(b.Pod.Put(t.Context(), bob, ldp.Put{ID: b.id("c/x"), Type: plain, Body: body(), Size: -1})), 403)
	b.want("PUT of something new", status(b.Pod.Put(t.Context(), bob, ldp.Put{ID: b.id("c/y"), Type: plain, Body: body(), Size: -1})), 403)
	b.want("POST", status(b.Pod.Post(t.Context(), bob, ldp.Post{ID: b.id("c/"), Type: plain, Body: body(), Size: -1})), 403)
	if b.text("c/x") != "x" || b.list("c/") != "x" {
		t.Error("it was written all the same")
	}
}
