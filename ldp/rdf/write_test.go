// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

func TestWriteTurtle(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"an authorization",
			`@prefix acl: <http://www.w3.org/ns/auth/acl#> . <#owner> acl:mode acl:Write, acl:Read ; acl:accessTo <./> ; a acl:Authorization ; acl:agent </alva#me> .`,
			`@prefix acl: <http://www.w3.org/ns/auth/acl#> .

<https://pod.example/alva/doc#owner>
    a acl:Authorization ;
    acl:accessTo <https://pod.example/alva/> ;
    acl:agent <https://pod.example/alva#me> ;
    acl:mode acl:Read, acl:Write .
`},
		{"nested nodes and lists",
			`<#a> :p [ :q [ :r 1 ] ; :s () ; :t ( 1 [ :u "x" ] ( <#b> ) ) ] .`,
			`@prefix ns: <https://pod.example/ns#> .

<https://pod.example/alva/doc#a> ns:p [
        ns:q [ ns:r 1 ] ;
        ns:s () ;
        ns:t ( 1 [ ns:u "x" ] ( <https://pod.example/alva/doc#b> ) )
    ] .
`},
		{"a node that is used twice has a label",
			`<#a> :p _:x, _:y . _:x :q _:y .`,
			`@prefix ns: <https://pod.example/ns#> .

<https://pod.example/alva/doc#a> ns:p [ ns:q _:b1 ], _:b1 .
`},
		{"nodes in a circle have one label between them",
			`_:x :p _:y . _:y :p _:x .`,
			`@prefix ns: <https://pod.example/ns#> .

_:b1 ns:p [ ns:p _:b1 ] .
`},
		{"a node that nobody refers to has none", `[] :p 1 .`, `@prefix ns: <https://pod.example/ns#> .

[] ns:p 1 .
`},
		{"literals are bare where Turtle knows their type",
			`<#a> :p 1, -1.50, 1e0, true, "1"^^<http://www.w3.org/2001/XMLSchema#boolean>, "1."^^<http://www.w3.org/2001/XMLSchema#decimal>, "x"@sv, "a\nb" .`,
			`@prefix ns: <https://pod.example/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

<https://pod.example/alva/doc#a> ns:p -1.50, "1"^^xsd:boolean, 1, "1."^^xsd:decimal, 1e0, "a\nb", true, "x"@sv .
`},
		{"a name that needs an escape is written in full", `<#a> :p <https://pod.example/ns#a.b>, <https://pod.example/ns#->, <https://pod.example/ns#> .`,
			`@prefix ns: <https://pod.example/ns#> .

<https://pod.example/alva/doc#a> ns:p <https://pod.example/ns#>, <https://pod.example/ns#->, <https://pod.example/ns#a.b> .
`},
		{"an empty graph", ``, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := turtle(t, tt.in)
			out, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{Prefixes: map[string]string{"ns": "https://pod.example/ns#"}})
			if err != nil || string(out) != tt.want {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestWriteJSONLD(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"an authorization", `<#owner> a acl:Authorization ; acl:accessTo <./> ; acl:mode acl:Write, acl:Read .`,
			`{"@context":{"acl":"http://www.w3.org/ns/auth/acl#"},"@id":"https://pod.example/alva/doc#owner","@type":"acl:Authorization","acl:accessTo":{"@id":"https://pod.example/alva/"},"acl:mode":[{"@id":"acl:Read"},{"@id":"acl:Write"}]}`},
		{"values", `[] acl:p 1, 01, true, 1.0, "x", "x"@sv-SE, (), ( [] ) .`,
			`{"@context":{"acl":"http://www.w3.org/ns/auth/acl#","xsd":"http://www.w3.org/2001/XMLSchema#"},"acl:p":[{"@list":[]},{"@list":[{}]},{"@type":"xsd:integer","@value":"01"},1,{"@type":"xsd:decimal","@value":"1.0"},true,"x",{"@language":"sv-SE","@value":"x"}]}`},
		{"a prefix that is the scheme of an IRI is not used", `<acl:x> acl:p <urn:y> .`,
			`{"@id":"acl:x","http://www.w3.org/ns/auth/acl#p":{"@id":"urn:y"}}`},
		{"a type that is no IRI is a property", `<#a> a "x", _:b . _:b a _:b .`, `{"@context":{"rdf":"http://www.w3.org/1999/02/22-rdf-syntax-ns#"},"@graph":[{"@id":"https://pod.example/alva/doc#a","rdf:type":[{"@id":"_:b1"},"x"]},{"@id":"_:b1","rdf:type":{"@id":"_:b1"}}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := turtle(t, "@prefix acl: <http://www.w3.org/ns/auth/acl#> . "+tt.in)
			out, err := rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{})
			if err != nil || string(out) != tt.want+"\n" {
				t.Errorf("%v\n%s", err, out)
			}
			if back, err := jsonld(string(out)); err != nil || !rdf.Isomorphic(g, back) {
				t.Error("does not read back", err)
			}
		})
	}
}

func TestWriteWithAContext(t *testing.T) {
	const as = "https://www.w3.org/ns/activitystreams"
	g := new(rdf.Graph)
	n := rdf.IRI("urn:n")
	g.Add(n, rdf.IRI(rdfNS+"type"), rdf.IRI(as+"#Update"))
	g.Add(n, rdf.IRI(as+"#object"), rdf.IRI("https://pod.example/x"))
	g.Add(n, rdf.IRI(as+"#published"), rdf.Typed("2026-11-21T00:00:00Z", "http://www.w3.org/2001/XMLSchema#dateTime"))
	out, err := rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{Contexts: []string{as}})
	want := `{"@context":"https://www.w3.org/ns/activitystreams","id":"urn:n","object":"https://pod.example/x","published":"2026-11-21T00:00:00Z","type":"Update"}` + "\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{Contexts: []string{as, "https://www.w3.org/ns/solid/notification/v1"}})
	if err != nil || !strings.HasPrefix(string(out), `{"@context":["https://www.w3.org/ns/activitystreams","https://www.w3.org/ns/solid/notification/v1"],"id"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{Contexts: []string{"https://other.example/"}}); err == nil {
		t.Error("written with a context that is not known")
	}
}

func TestWriteInParts(t *testing.T) {
	prefixes := map[string]string{"ldp": "http://www.w3.org/ns/ldp#", "bad prefix": "urn:x", "evil": "urn:a> . <urn:b"}
	out := rdf.AppendPrefixes(nil, prefixes)
	all := new(rdf.Graph)
	for _, name := range []string{"a", "b"} {
		part := turtle(t, `<./> <http://www.w3.org/ns/ldp#contains> <`+name+`> . <`+name+`> <http://purl.org/dc/terms/title> [ :p "x" ] .`)
		for triple := range part.All() {
			if triple.S.IsBlank() {
				triple.S.Value += name
			}
			if triple.O.IsBlank() {
				triple.O.Value += name
			}
			all.Add(triple.S, triple.P, triple.O)
		}
		var err error
		if out, err = rdf.AppendTurtle(out, part, rdf.WriteOptions{Prefixes: prefixes, Continue: true}); err != nil {
			t.Fatal(err)
		}
	}
	back, err := rdf.Read(context.Background(), out, rdf.Turtle, "", rdf.Limits{})
	if err != nil || !rdf.Isomorphic(all, back) || strings.Count(string(out), "@prefix") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := rdf.AppendTurtle(nil, turtle(t, `_:a :p _:b . _:c :p _:b .`), rdf.WriteOptions{Continue: true}); err == nil {
		t.Error("a label was written in a part, where another part may have the same")
	}
}

func TestPrefixesOfTheDocumentAreKept(t *testing.T) {
	g := turtle(t, `@prefix mine: <https://alva.example/v#> . @prefix unused: <urn:unused/> . <#a> mine:p 1 .`)
	p, err := sparql(`INSERT DATA { <#a> <https://alva.example/v#q> 2 }`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(g); err != nil {
		t.Fatal(err)
	}
	out := string(document(t, g, rdf.Turtle))
	if !strings.Contains(out, "mine:q 2") || strings.Contains(out, "unused") {
		t.Errorf("%s", out)
	}
}
