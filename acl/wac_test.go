// SPDX-License-Identifier: EUPL-1.2

package acl

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
	"skrin/ldp/rdf"
)

var (
	notes    = Document{Base: "https://pod.example", Path: "/p/notes/.acl", Of: "/p/notes/"}
	prefixes = `@prefix acl: <http://www.w3.org/ns/auth/acl#>. @prefix foaf: <http://xmlns.com/foaf/0.1/>. @prefix : <#>. `
)

func parse(t testing.TB, turtle string, d Document) []Grant {
	t.Helper()
	g, err := rdf.Read(t.Context(), []byte(prefixes+turtle), rdf.Turtle, d.Base+d.Path, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := Parse(g, d)
	if err != nil {
		t.Fatal(err)
	}
	return grants
}

func TestParse(t *testing.T) {
	made := func(g Grant) Grant { g.Because = "/p/notes/.acl"; return g }
	whole := func(more string) string {
		return `:a a acl:Authorization; acl:agent <https://id.example/alva#me>; acl:accessTo <./>; acl:mode acl:Read` + more + `.`
	}
	read := made(grant(alva, "/p/notes/", Read))
	for _, c := range []struct {
		says   string
		turtle string
		want   []Grant
	}{
		{"an authorization is a grant", whole(""), []Grant{read}},
		{"a relative IRI is that of the ACL document", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <https://pod.example/p/notes/>; acl:default <.>; acl:mode acl:Read.`,
			[]Grant{made(grant(Public, "/p/notes/", Read)), made(below(Public, "/p/notes/", Read))}},
		{"without its type it is nothing", `:a acl:agent <https://id.example/alva#me>; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"without a subject it is nothing", `:a a acl:Authorization; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"without a resource it is nothing", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:mode acl:Read.`, nil},
		{"without a mode it is nothing", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>.`, nil},
		{"each subject has a grant of its own, with all modes", `:a a acl:Authorization; acl:accessTo <./>; acl:mode acl:Read, acl:Control;
			acl:agent <https://id.example/alva#me>, <https://id.example/nils#me>; acl:agentClass acl:AuthenticatedAgent; acl:agentGroup <https://id.example/team#we>.`,
			[]Grant{made(grant(Authenticated, "/p/notes/", Read|Control)), made(grant(alva, "/p/notes/", Read|Control)), made(grant(nils, "/p/notes/", Read|Control)),
				made(Grant{Group: "https://id.example/team#we", On: "/p/notes/", Modes: Read | Control})}},

		{"an unknown mode is ignored", whole(`, acl:Admin, <https://other.example/Write>, "http://www.w3.org/ns/auth/acl#Write"`), []Grant{read}},
		{"an unknown mode alone is nothing", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Admin.`, nil},
		{"an unknown class is nobody", `:a a acl:Authorization; acl:agentClass foaf:Person; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"foaf:Agent as an agent is nobody", `:a a acl:Authorization; acl:agent foaf:Agent; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"an agent without a WebID is nobody", `:a a acl:Authorization; acl:agent <mailto:alva@id.example>, "https://id.example/alva#me", []; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"who is named as a literal of the class is nobody", `:a a acl:Authorization; acl:agentClass "http://xmlns.com/foaf/0.1/Agent"; acl:accessTo <./>; acl:mode acl:Read.`, nil},

		{"another resource is ignored", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo </p/other/>, <./x>, </p/notes>, <https://evil.example/p/notes/>; acl:mode acl:Read.`, nil},
		{"another container's default is ignored", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:default </p/>, </>; acl:mode acl:Read.`, nil},
		{"a resource named by a literal is ignored", `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo "https://pod.example/p/notes/"; acl:mode acl:Read.`, nil},

		{"an origin alone grants nothing", `:a a acl:Authorization; acl:origin <https://app.example>; acl:accessTo <./>; acl:mode acl:Read.`, nil},
		{"an origin narrows", whole(`; acl:origin <https://app.example>`), []Grant{read.but(func(g *Grant) { g.Origins = []string{"https://app.example"} })}},
		{"an origin is one without a path", whole(`; acl:origin <https://app.example:8080/>`), []Grant{read.but(func(g *Grant) { g.Origins = []string{"https://app.example:8080"} })}},
		{"an origin that can't be read narrows to none", whole(`; acl:origin "app"`), []Grant{read.but(func(g *Grant) { g.Origins = []string{} })}},

		{"a client condition narrows", whole(`; acl:condition [ a acl:ClientCondition; acl:client <https://app.example/id>, "dyn-7" ]`),
			[]Grant{read.but(func(g *Grant) { g.Clients = []string{"https://app.example/id", "dyn-7"} })}},
		{"an issuer condition narrows", whole(`; acl:condition [ a acl:IssuerCondition; acl:issuer <https://idp.example> ]`),
			[]Grant{read.but(func(g *Grant) { g.Issuers = []string{"https://idp.example"} })}},
		{"all conditions must hold", whole(`; acl:condition [ a acl:ClientCondition; acl:client <https://a.example>, <https://b.example> ], [ a acl:ClientCondition; acl:client <https://b.example>, <https://c.example> ]`),
			[]Grant{read.but(func(g *Grant) { g.Clients = []string{"https://b.example"} })}},
		{"a class of clients names no client", whole(`; acl:condition [ a acl:ClientCondition; acl:clientClass <https://other.example/All> ]`),
			[]Grant{read.but(func(g *Grant) { g.Clients = []string{} })}},
		{"an unknown condition is met by nobody", whole(`; acl:condition [ a <https://other.example/TimeCondition> ]`), nil},
		{"a condition without a type is met by nobody", whole(`; acl:condition [ acl:client <https://app.example/id> ]`), nil},
		{"a condition of two types is met by nobody", whole(`; acl:condition [ a acl:ClientCondition, <https://other.example/TimeCondition>; acl:client <https://app.example/id> ]`), nil},
		{"an unknown condition closes its own authorization only", whole(`; acl:condition [ a <https://other.example/C> ]`) +
			`:b a acl:Authorization; acl:agent <https://id.example/alva#me>; acl:accessTo <./>; acl:mode acl:Read.`, []Grant{read}},
	} {
		if got := parse(t, c.turtle, notes); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.says, got, c.want)
		}
	}
}

func TestNothingIsInheritedFromADocument(t *testing.T) {
	d := Document{Base: "https://pod.example", Path: "/p/x.acl", Of: "/p/x"}
	got := parse(t, `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:default <x>; acl:accessTo <x>; acl:mode acl:Read.`, d)
	if len(got) != 1 || got[0].Inherit {
		t.Errorf("got %+v", got)
	}
}

func TestParseIsBounded(t *testing.T) {
	doc := prefixes + `:a a acl:Authorization; acl:accessTo <./>; acl:mode acl:Read; acl:agent <https://id.example/0>`
	for i := range MaxGrants {
		doc += fmt.Sprintf(", <https://id.example/agent%d>", i)
	}
	g, err := rdf.Read(t.Context(), []byte(doc+"."), rdf.Turtle, "https://pod.example/p/notes/.acl", rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(g, notes); err != ErrTooMany {
		t.Errorf("%d grants: %v", MaxGrants+1, err)
	}
}

func TestParseOfProjectIsTheSame(t *testing.T) {
	lists := [][]string{nil, {}, {"https://a.example"}, {"https://b.example", "https://a.example:8443"}}
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Grant {
			g := anyGrant(t)
			g.On, g.Until, g.Because = notes.Of, time.Time{}, notes.Path
			g.Modes = Mode(rapid.IntRange(1, 15).Draw(t, "some mode"))
			if g.To == "" {
				g.Group = "https://g.example/#a"
			}
			if g.Group != "" {
				g.To = ""
			}
			g.Clients = rapid.SampledFrom(append(lists, []string{"dyn-7"})).Draw(t, "clients")
			g.Origins = rapid.SampledFrom(lists).Draw(t, "origins")
			return g
		}), 0, 5).Draw(t, "grants")
		text, err := rdf.Write(Project(grants, notes), rdf.NTriples, rdf.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := rdf.Read(t.Context(), text, rdf.NTriples, "", rdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(g, notes)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(grants, again, func(a, b Grant) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("\n%+v became\n%+v by\n%s", grants, again, text)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(prefixes + `:a a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read; acl:origin <https://a.example>; acl:condition [ a acl:ClientCondition; acl:client <https://app.example/id> ].`)
	f.Fuzz(func(t *testing.T, doc string) {
		g, err := rdf.Read(t.Context(), []byte(doc), rdf.Turtle, "https://pod.example/p/notes/.acl", rdf.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		grants, _ := Parse(g, notes)
		for _, gr := range grants {
			if gr.On != notes.Of || gr.Modes == 0 || gr.Because != notes.Path || (gr.To == "") == (gr.Group == "") {
				t.Errorf("made %+v", gr)
			}
		}
	})
}
