// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/pod/podtest"
)

const (
	n3Prefix = "@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; "
	n3Insert = n3Prefix + `solid:inserts { <urn:a> <urn:b> "new". }.`
	n3Delete = n3Prefix + `solid:deletes { <urn:a> <urn:b> "old". }.`
	n3Type   = "text/n3"
	turtle   = "text/turtle"
	plain    = "text/plain"
)

// TestB1DecisionTable is the table that Solid servers agreed on (specs.md, B1), over HTTP.
func TestB1DecisionTable(t *testing.T) {
	w := newWorld(t)
	i := 0
	for d := range podtest.Decisions() {
		i++
		person, to := w.bob, w.bob.id
		if d.Stranger {
			person, to = nil, acl.Public
		}
		parent := fmt.Sprintf("/t%d/", i)
		if d.OfContainer() { // all is allowed by the parent of C/
			w.put(parent, "", "")
			w.allow(parent, grant{to, "RAWC", d.OnC})
		} else {
			w.put(parent+"C/", "", "")
			w.allow(parent+"C/", grant{to, d.OnC, d.OnR})
		}
		target := parent + d.Target
		switch {
		case d.Exists && d.OfContainer():
			w.put(target, "", "")
		case d.Exists && d.Target == "C/R":
			w.put(target, turtle, `<urn:a> <urn:b> "old".`)
		}
		if got := w.ask(person, verb(d.Method), target, mediaOf(d.Method), bodyOf(d.Method)); got.StatusCode != d.Status {
			t.Errorf("%+v: %d", d, got.StatusCode)
		}
	}
}

// verb is the method of a table's request: insert and delete are patches.
func verb(method string) string {
	if method == "insert" || method == "delete" {
		return "PATCH"
	}
	return method
}

func mediaOf(method string) string {
	switch method {
	case "PUT", "POST":
		return turtle
	case "insert", "delete":
		return n3Type
	}
	return ""
}

func bodyOf(method string) string {
	switch method {
	case "PUT", "POST":
		return `<urn:a> <urn:b> "new".`
	case "insert":
		return n3Insert
	case "delete":
		return n3Delete
	}
	return ""
}

// TestB2ProtectedOperations is the Solid specification tests' matrix: who was
// given one mode, on the resource itself or on its container, does everything to
// a text, an RDF document, a container, and what isn't there.
func TestB2ProtectedOperations(t *testing.T) {
	w := newWorld(t)
	methods := []string{"GET", "HEAD", "PUT", "POST", "insert", "DELETE"}
	kinds := []string{"text", "rdf", "container", "missing"}
	// What the grantee is answered: a column for each method. "-" is not tried.
	for mode, table := range map[string]map[string]string{
		"R": {
			"text":      "200 200 403 403 403 403",
			"rdf":       "200 200 403 403 403 403",
			"container": "200 200 403 403 403 403",
			"missing":   "404 404 403 403 403 404",
		},
		"W": {
			"text":      "403 403 204 405 415 204",
			"rdf":       "403 403 204 405 204 204",
			"container": "403 403 204 201 204 403",
			"missing":   "403 403 201 405 201 403",
		},
		"A": {
			"text":      "403 403 403 405 415 403",
			"rdf":       "403 403 403 405 204 403",
			"container": "403 403 403 201 204 403",
			"missing":   "403 403 201 405 201 403",
		},
		"C": {
			"text":      "403 403 403 403 403 403",
			"rdf":       "403 403 403 403 403 403",
			"container": "403 403 403 403 403 403",
			"missing":   "403 403 403 403 403 403",
		},
	} {
		for _, to := range []struct {
			name     string
			class    acl.WebID
			grantees []*person
			others   []*person
		}{
			{"Bob", w.bob.id, []*person{w.bob}, []*person{nil}},
			{"who signed in", acl.Authenticated, []*person{w.bob}, []*person{nil}},
			{"everybody", acl.Public, []*person{w.bob, nil}, nil},
		} {
			for _, direct := range []bool{true, false} {
				for _, kind := range kinds {
					if direct && kind == "missing" {
						continue
					}
					for i, column := range strings.Fields(table[kind]) {
						try := func(who *person, want int) {
							path := w.stage(kind, direct, to.class, mode)
							a := w.ask(who, verb(methods[i]), path, mediaOf(methods[i]), bodyOf(methods[i]))
							if a.StatusCode != want {
								t.Errorf("%s on a %s (direct %v) with %s for %s, signed in %v: %d, want %d", methods[i], kind, direct, mode, to.name, who != nil, a.StatusCode, want)
							}
							if want >= 300 && strings.Contains(a.body, "secret") {
								t.Errorf("%s of a %s leaks: %s", methods[i], kind, a.body)
							}
						}
						var want int
						fmt.Sscan(column, &want)
						for _, who := range to.others {
							try(who, 401)
						}
						for _, who := range to.grantees {
							want := want
							if direct && methods[i] == "DELETE" && want == 204 {
								want = 403 // to delete takes Write on the container too
							}
							if want == 403 && who == nil {
								want = 401
							}
							try(who, want)
						}
					}
				}
			}
		}
	}
}

// stage makes a container with one resource of a kind, to which a mode is given:
// by its own ACL document, or by its container's, which gives it on both.
func (w *world) stage(kind string, direct bool, to acl.WebID, mode string) string {
	w.t.Helper()
	w.rows++
	parent := fmt.Sprintf("/stage%d/", w.rows)
	path := parent + map[string]string{"text": "r.txt", "rdf": "r.ttl", "container": "r/", "missing": "r"}[kind]
	switch kind {
	case "text":
		w.put(path, plain, "secret")
	case "rdf":
		w.put(path, turtle, `<urn:a> <urn:b> "secret".`)
	case "container":
		w.put(path, "", "")
	case "missing":
		w.put(parent, "", "")
	}
	if direct {
		w.allow(path, grant{to, mode, mode})
	} else {
		w.allow(parent, grant{to, mode, mode})
	}
	return path
}

// TestB2WACAllow is what the header says to Bob and to a stranger.
func TestB2WACAllow(t *testing.T) {
	w := newWorld(t)
	for i, c := range []struct {
		bob, public          string // modes given
		toBob, toStranger    string // the header
		statusBob, statusAny int
	}{
		{"R", "", `user="read",public=""`, "", 200, 401},
		{"RC", "", `user="read control",public=""`, "", 200, 401},
		{"RA", "", `user="read append",public=""`, "", 200, 401},
		{"RW", "", `user="read write append",public=""`, "", 200, 401},
		{"RAW", "R", `user="read write append",public="read"`, `user="read",public="read"`, 200, 200},
		{"", "RA", `user="read append",public="read append"`, `user="read append",public="read append"`, 200, 200},
		{"", "R", `user="read",public="read"`, `user="read",public="read"`, 200, 200},
		{"", "RC", `user="read control",public="read control"`, `user="read control",public="read control"`, 200, 200},
		{"", "RW", `user="read write append",public="read write append"`, `user="read write append",public="read write append"`, 200, 200},
		{"", "RAW", `user="read write append",public="read write append"`, `user="read write append",public="read write append"`, 200, 200},
		{"A", "R", `user="read append",public="read"`, `user="read",public="read"`, 200, 200},
		{"W", "", "", "", 403, 401},
	} {
		for _, direct := range []bool{true, false} {
			for _, name := range []string{"x", "y/"} {
				at := fmt.Sprintf("/wac%d-%v/", i, direct)
				w.put(at, "", "")
				w.put(at+name, map[bool]string{true: "", false: turtle}[strings.HasSuffix(name, "/")], "")
				on := at
				if direct {
					on = at + name
				}
				w.allow(on, grant{w.alice.id, "RWC", "RWC"}, grant{w.bob.id, c.bob, c.bob}, grant{acl.Public, c.public, c.public})
				for _, method := range []string{"GET", "HEAD"} {
					for _, who := range []struct {
						person *person
						header string
						status int
					}{{w.bob, c.toBob, c.statusBob}, {nil, c.toStranger, c.statusAny}, {w.alice, "", 200}} {
						a := w.ask(who.person, method, at+name, "", "")
						got := a.Header.Get("Wac-Allow")
						if who.person == w.alice {
							if !strings.HasPrefix(got, `user="read write append control",public=`) {
								t.Errorf("%s as Alice: %s", method, got)
							}
							continue
						}
						if got != who.header || a.StatusCode != who.status {
							t.Errorf("%s %s (direct %v) with %q for Bob and %q for everybody: %d %s, want %d %s", method, name, direct, c.bob, c.public, a.StatusCode, got, who.status, who.header)
						}
					}
				}
			}
		}
	}
}

// TestB2ACLResources is who sees and writes an ACL document, and what follows.
func TestB2ACLResources(t *testing.T) {
	w := newWorld(t)
	rule := func(text string) string {
		return "\nContent-Type: text/turtle\n\n@prefix acl: <http://www.w3.org/ns/auth/acl#>. " + text
	}
	const bobReads = `<#b> a acl:Authorization; acl:agent <BOB>; acl:mode acl:Read; `
	aliceAll := `<#a> a acl:Authorization; acl:agent <` + string(w.alice.id) + `>; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read, acl:Write, acl:Control. `
	bob := func(s string) string { return strings.ReplaceAll(s, "BOB", string(w.bob.id)) }
	get := func(path, who string, status int, first ...string) row {
		return row{ask: "GET " + path + " " + who, status: status, first: first}
	}
	named := func(says string, r row, want ...string) row {
		r.says, r.want = says, want
		return r
	}
	toC := bob("PUT c/.acl alice" + rule(aliceAll+bobReads+"acl:default <./>."))
	w.run([]row{
		named("B: an inheriting resource has no ACL document of its own", get("doc.ttl.acl", "alice", 404)),
		named("B: nor a container", get("c/.acl", "alice", 404)),
		named("B: the root's is there, in Turtle, and gives Control", get("/.acl", "alice", 200), "Content-Type: text/turtle", "body ~ Control"),
		named("B: HEAD too", row{ask: "HEAD /.acl alice", status: 200}, "Content-Type: text/turtle", "-body"),
		named("B 1.1: the conditions that are understood are told", row{ask: "HEAD /.acl alice", status: 200},
			`Link ~ <http://www.w3.org/ns/auth/acl#ClientCondition>; rel="http://www.w3.org/ns/auth/acl#condition"`,
			`Link ~ <http://www.w3.org/ns/auth/acl#IssuerCondition>; rel="http://www.w3.org/ns/auth/acl#condition"`),
		named("B 1.1: through the client of the condition", get("c/x", "bob", 200,
			bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:default <./>; acl:condition [ a acl:ClientCondition; acl:client <https://app.example/id> ]."))),
		),
		named("B 1.1: through another", get("c/x", "bob", 403,
			bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:default <./>; acl:condition [ a acl:ClientCondition; acl:client <https://other.example/id> ]."))),
		),
		named("B 1.1: by the issuer of the condition", get("c/x", "bob", 200,
			bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:default <./>; acl:condition [ a acl:IssuerCondition; acl:issuer <"+w.abroad.URL+"> ]."))),
		),
		named("B 1.1: by another", get("c/x", "bob", 403,
			bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:default <./>; acl:condition [ a acl:IssuerCondition; acl:issuer <https://other.example> ]."))),
		),
		named("B 1.1: a condition of an unknown type permits nothing", get("c/x", "bob", 403,
			bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:default <./>; acl:condition [ a <urn:Unknown> ]."))),
		),
		named("B: acl:origin narrows: from that origin", row{ask: "GET c/x bob\nOrigin: https://app.example", status: 200, first: []string{
			bob("PUT c/.acl alice" + rule(aliceAll+bobReads+"acl:default <./>; acl:origin <https://app.example>."))}}),
		named("B: from another", row{ask: "GET c/x bob\nOrigin: https://evil.example", status: 403, first: []string{
			bob("PUT c/.acl alice" + rule(aliceAll+bobReads+"acl:default <./>; acl:origin <https://app.example>."))}}),
		named("B: a script of any origin reads what is public", row{ask: "GET c/x\nOrigin: https://evil.example", status: 200, want: nil, first: []string{
			"PUT c/.acl alice" + rule(aliceAll+"<#p> a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:default <./>; acl:mode acl:Read.")}},
			"Access-Control-Allow-Origin: https://evil.example", "Access-Control-Allow-Headers ~ Authorization"),
		named("B: as JSON-LD", row{ask: "GET /.acl alice\nAccept: application/ld+json", status: 200}, "Content-Type: application/ld+json"),
		named("B: one who signed in does not see it", get("/.acl", "bob", 403)),
		named("B: nor a stranger", row{ask: "GET /.acl", status: 401}),
		named("B: nor whether there is one", row{ask: "GET doc.ttl.acl", status: 401}),
		named("B: Link rel=acl", get("doc.ttl", "alice", 200), `Link ~ <$doc.ttl.acl>; rel="acl"`),
		named("B: a container's Link rel=acl", get("c/", "alice", 200), `Link ~ <$c/.acl>; rel="acl"`),
		named("B: what was written is there, to the letter", get("c/.acl", "alice", 200, toC), "body ~ "+string(w.bob.id)),
		named("B: acl:default gives the members", get("c/x", "bob", 200, toC)),
		named("B: and not the container itself", get("c/", "bob", 403, toC)),
		named("B: acl:accessTo gives the container", get("c/", "bob", 200, bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:accessTo <./>.")))),
		named("B: and not the members", get("c/x", "bob", 403, bob("PUT c/.acl alice"+rule(aliceAll+bobReads+"acl:accessTo <./>.")))),
		named("B: what is made later inherits too", get("c/later/deep/y", "bob", 200, toC, "PUT c/later/deep/y alice\nContent-Type: text/plain\n\ny")),
		named("B: an ACL document nearer by replaces it", get("c/x", "bob", 403, toC, "PUT c/x.acl alice"+rule(strings.ReplaceAll(aliceAll, "<./>", "<x>")))),
		named("B: an ACL document that is deleted has no effect at once", get("c/x", "bob", 403, toC, "DELETE c/.acl alice")),
		named("B: an ACL document that is patched has effect at once", get("c/x", "bob", 403, toC,
			bob("PATCH c/.acl alice\nContent-Type: application/sparql-update\n\nDELETE DATA { <$c/.acl#b> <http://www.w3.org/ns/auth/acl#agent> <BOB> }"))),
		named("B: a mode that is unknown gives nothing", get("c/x", "bob", 403, bob("PUT c/.acl alice"+rule(aliceAll+`<#b> a acl:Authorization; acl:agent <BOB>; acl:default <./>; acl:mode <urn:Everything>.`)))),
		named("B: an authorization without its type gives nothing", get("c/x", "bob", 403, bob("PUT c/.acl alice"+rule(aliceAll+`<#b> acl:agent <BOB>; acl:default <./>; acl:mode acl:Read.`)))),
		named("B: a group whose document is in the pod", get("c/x", "bob", 200,
			bob("PUT team alice\nContent-Type: text/turtle\n\n<#we> a <http://www.w3.org/2006/vcard/ns#Group>; <http://www.w3.org/2006/vcard/ns#hasMember> <BOB>."),
			"PUT c/.acl alice"+rule(aliceAll+`<#g> a acl:Authorization; acl:agentGroup <../team#we>; acl:default <./>; acl:mode acl:Read.`))),
		named("B: Control gives the ACL document", get("c/x.acl", "bob", 404, bob("PUT c/.acl alice"+rule(aliceAll+`<#b> a acl:Authorization; acl:agent <BOB>; acl:default <./>; acl:mode acl:Control.`)))),
		named("B: and not the resource", get("c/x", "bob", 403, bob("PUT c/.acl alice"+rule(aliceAll+`<#b> a acl:Authorization; acl:agent <BOB>; acl:default <./>; acl:mode acl:Control.`)))),
		named("B: to write a resource is not to write its ACL document", row{ask: "PUT c/x.acl bob" + rule(aliceAll), status: 403, first: []string{
			bob("PUT c/.acl alice" + rule(aliceAll+`<#b> a acl:Authorization; acl:agent <BOB>; acl:default <./>; acl:mode acl:Read, acl:Write.`))}}),
		named("A9: the root's ACL document can't be deleted", row{ask: "DELETE /.acl alice", status: 405}, "Allow !~ DELETE"),
		named("A5: the ACL document goes with its resource", row{ask: "GET c/x bob", status: 403, first: []string{
			bob("PUT c/x.acl alice" + rule(strings.ReplaceAll(aliceAll, "<./>", "<x>")+bobReads+"acl:accessTo <x>.")), "GET c/x bob", "DELETE c/x alice", "PUT c/x alice\nContent-Type: text/plain\n\nnew"}}),
		named("B: an ACL document that can't be read is refused, and says where", row{ask: "PUT c/.acl alice\nContent-Type: text/turtle\n\n<> a\n ;;", status: 400}, "body ~ line 2"),
		named("B: and the one before it holds", get("c/x", "bob", 200, toC)),
	})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if a := w.ask(w.alice, method, "/", "", ""); strings.Count(a.Header.Get("Link"), `rel="acl"`) != 1 {
			t.Errorf("%s: not one Link rel=acl: %s", method, a.Header.Get("Link"))
		}
	}
}

// TestRemoteGroups: members of a group are found in its document, on another
// server; and where that can't be had, nobody is one.
func TestRemoteGroups(t *testing.T) {
	w := newWorld(t)
	const hasMember = "<http://www.w3.org/2006/vcard/ns#hasMember>"
	for i, c := range []struct {
		says, media, document string
		status                int // with which the document is answered
		bob                   int // is answered to Bob
	}{
		{"a member", turtle, "<#we> " + hasMember + " </bob#me>.", 200, 200},
		{"in JSON-LD", "application/ld+json", `{"@id":"#we","http://www.w3.org/2006/vcard/ns#hasMember":{"@id":"/bob#me"}}`, 200, 200},
		{"of another group of the document", turtle, "<#they> " + hasMember + " </bob#me>.", 200, 403},
		{"another member", turtle, "<#we> " + hasMember + " </alice#me>.", 200, 403},
		{"as text", turtle, "<#we> " + hasMember + ` "` + string(w.bob.id) + `".`, 200, 403},
		{"a document that can't be read", turtle, "<#we> " + hasMember + " </bob#me>", 200, 403},
		{"no RDF", "text/html", "<#we> " + hasMember + " </bob#me>.", 200, 403},
		{"a server that fails", turtle, "<#we> " + hasMember + " </bob#me>.", 500, 403},
		{"a group that is too large", turtle, "<#we> " + hasMember + " </bob#me>" + manyMembers(1001) + ".", 200, 403},
		{"a document that is too large", turtle, "<#we> " + hasMember + " </bob#me>. #" + strings.Repeat("x", 1<<20), 200, 403},
	} {
		t.Run(c.says, func(t *testing.T) {
			w.t = t
			path := fmt.Sprintf("/team%d", i)
			w.abroad.Config.Handler.(*http.ServeMux).HandleFunc(path, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", c.media)
				rw.WriteHeader(c.status)
				fmt.Fprint(rw, c.document)
			})
			at := fmt.Sprintf("/of-team%d", i)
			w.put(at, plain, "x")
			w.put(at+".acl", turtle, `@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#g> a acl:Authorization; acl:agentGroup <`+w.abroad.URL+path+`#we>; acl:accessTo <.`+at+`>; acl:mode acl:Read.`)
			for range 2 { // found, and remembered
				if a := w.ask(w.bob, "GET", at, "", ""); a.StatusCode != c.bob {
					t.Errorf("GET: %d, want %d: %s", a.StatusCode, c.bob, a.body)
				}
			}
			if a := w.ask(w.bob, "PUT", at, plain, "y"); a.StatusCode != 403 {
				t.Errorf("PUT: %d", a.StatusCode)
			}
			if a := w.ask(nil, "GET", at, "", ""); a.StatusCode != 401 {
				t.Errorf("a stranger: %d", a.StatusCode)
			}
		})
	}
	t.Run("a group on no server", func(t *testing.T) {
		w.t = t
		w.put("/of-none", plain, "x")
		w.put("/of-none.acl", turtle, `@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#g> a acl:Authorization; acl:agentGroup <http://127.0.0.1:1/team#we>, <https://10.0.0.1/team#we>; acl:accessTo <./of-none>; acl:mode acl:Read.`)
		if a := w.ask(w.bob, "GET", "/of-none", "", ""); a.StatusCode != 403 {
			t.Errorf("GET: %d", a.StatusCode)
		}
	})
}

// TestGroupsThatNeverAnswer: a server that takes connections and says nothing is
// given up, for all groups at once, and has no members; and it is asked nothing
// where the answer doesn't hang on it.
func TestGroupsThatNeverAnswer(t *testing.T) {
	w := newWorld(t)
	client := auth.Guarded(true)
	client.Timeout = time.Second
	w.pod.Groups = auth.NewForeign(client, time.Now)
	var asked atomic.Int32
	ended := make(chan struct{}, 100)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	defer silent.Close()
	var groups []string
	for i := range 8 { // as many as it takes connections of ours
		groups = append(groups, fmt.Sprintf("<%s/%d#we>", silent.URL, i))
	}
	w.put("/silent", plain, "x")
	w.put("/silent.acl", turtle, `@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#a> a acl:Authorization; acl:agent <`+string(w.alice.id)+`>; acl:accessTo <./silent>; acl:mode acl:Read.
<#g> a acl:Authorization; acl:agentGroup `+strings.Join(groups, ", ")+`; acl:accessTo <./silent>; acl:mode acl:Read, acl:Write.`)
	for _, c := range []struct {
		who    *person
		method string
		status int
		asked  int32 // at most, in all
	}{
		{w.alice, "GET", 200, 0},
		{nil, "GET", 401, 0},
		{w.bob, "GET", 403, 8},
		{w.bob, "PUT", 403, 8}, // it is remembered that nothing came
		{w.bob, "OPTIONS", 204, 8},
	} {
		if a := w.ask(c.who, c.method, "/silent", plain, ""); a.StatusCode != c.status || asked.Load() > c.asked {
			t.Errorf("%s: %d after %d questions, want %d after at most %d", c.method, a.StatusCode, asked.Load(), c.status, c.asked)
		}
	}
	for range asked.Load() {
		select {
		case <-ended:
		case <-t.Context().Done():
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", <https://id.example/%d#me>", i)
	}
	return b.String()
}

// TestForgedOwner: another OpenID provider can't vouch for the pod's owner.
func TestForgedOwner(t *testing.T) {
	w := newWorld(t)
	forged := w.newPerson("owner")
	forged.id = w.owner.ID
	w.sign(forged)
	if a := w.ask(forged, "GET", "/", "", ""); a.StatusCode != 401 {
		t.Errorf("GET with a foreign provider's token about the owner: %d", a.StatusCode)
	}
}
