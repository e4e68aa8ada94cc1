// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

const here = "https://pod.example/alva/doc"

// turtle reads a graph, in which a prefix is declared, references are to here,
// and the last dot may be left out.
func turtle(t testing.TB, text string) *rdf.Graph {
	t.Helper()
	if text = strings.TrimSpace(text); text != "" && !strings.HasSuffix(text, ".") {
		text += " ."
	}
	g, err := rdf.Read(context.Background(), []byte("@prefix : <https://pod.example/ns#> . "+text), rdf.Turtle, here, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func n3(body string) (*rdf.Patch, error) {
	body = "@prefix : <https://pod.example/ns#> . @prefix solid: <http://www.w3.org/ns/solid/terms#> .\n" + body
	return rdf.ParseN3Patch(context.Background(), []byte(body), here, rdf.Limits{})
}

func sparql(body string) (*rdf.Patch, error) {
	return rdf.ParseSPARQLUpdate(context.Background(), []byte("PREFIX : <https://pod.example/ns#>\n"+body), here, rdf.Limits{})
}

func TestPatchApply(t *testing.T) {
	const p = "<> a solid:InsertDeletePatch "
	const alan = `<#a> :name "Alan" ; :knows <#b>, <#c> . <#b> :name "Bea" . <#c> :name "Cy" . `
	tests := []struct {
		name   string
		parse  func(string) (*rdf.Patch, error)
		patch  string
		before string
		after  string
		err    error
	}{
		{"inserts go in", n3, p + `; solid:inserts { <#a> :p 1 } .`, ``, `<#a> :p 1`, nil},
		{"what is there may be inserted again", n3, p + `; solid:inserts { <#a> :p 1 } .`, `<#a> :p 1`, `<#a> :p 1`, nil},
		{"a patch may do nothing", n3, p + `.`, `<#a> :p 1`, `<#a> :p 1`, nil},
		{"an empty condition holds, also of an empty resource", n3, p + `; solid:where {} ; solid:inserts { <#a> :p 1 } .`, ``, `<#a> :p 1`, nil},
		{"deletes go out before inserts go in", n3, p + `; solid:deletes { <#a> :p 1 } ; solid:inserts { <#a> :p 1 , 2 } .`, `<#a> :p 1`, `<#a> :p 1, 2`, nil},
		{"a triple named twice in deletes is one", n3, p + `; solid:deletes { <#a> :p 1 , 1 } .`, `<#a> :p 1`, ``, nil},
		{"a triple to delete that is not there is a conflict", n3, p + `; solid:deletes { <#a> :p 1 , 2 } .`, `<#a> :p 1`, ``, rdf.ErrMissing},
		{"1 and 01 are not the same literal", n3, p + `; solid:deletes { <#a> :p 01 } .`, `<#a> :p 1`, ``, rdf.ErrMissing},
		{"the condition binds variables", n3, p + `; solid:where { ?x :name "Bea" } ; solid:deletes { ?x :name "Bea" } ; solid:inserts { ?x :name "Bo" } .`,
			alan, `<#a> :name "Alan" ; :knows <#b>, <#c> . <#b> :name "Bo" . <#c> :name "Cy" .`, nil},
		{"a condition may join", n3, p + `; solid:where { <#a> :knows ?x . ?x :name "Cy" } ; solid:inserts { ?x :found true } .`, alan, alan + `<#c> :found true .`, nil},
		{"a condition that nothing fulfils is a conflict", n3, p + `; solid:where { ?x :name "Dan" } ; solid:inserts { ?x :p 1 } .`, alan, ``, rdf.ErrNoMatch},
		{"a condition on an empty resource is a conflict", n3, p + `; solid:where { ?x ?y ?z } .`, ``, ``, rdf.ErrNoMatch},
		{"two ways to fulfil a condition are a conflict", n3, p + `; solid:where { <#a> :knows ?x } ; solid:deletes { <#a> :knows ?x } .`, alan, ``, rdf.ErrAmbiguous},
		{"a variable stands for one term", n3, p + `; solid:where { ?x :knows ?x } ; solid:inserts { ?x :p 1 } .`, alan, ``, rdf.ErrNoMatch},
		{"a predicate may be a variable", n3, p + `; solid:where { <#b> ?p "Bea" } ; solid:deletes { <#b> ?p "Bea" } .`, `<#b> :name "Bea"`, ``, nil},
		{"ways that differ in a blank node of the condition only are one", n3, p + `; solid:where { ?x :knows [] } ; solid:inserts { ?x :p 1 } .`, alan, alan + `<#a> :p 1 .`, nil},
		{"an inserted blank node is a new one", n3, p + `; solid:inserts { <#a> :p _:b . _:b :q 1 } .`, `<#a> :p _:b . _:b :q 1 .`, `<#a> :p _:b, _:c . _:b :q 1 . _:c :q 1 .`, nil},
		{"a list may be inserted", n3, p + `; solid:inserts { <#a> :p (1 2) } .`, ``, `<#a> :p (1 2)`, nil},
		{"a literal can't become a subject", n3, p + `; solid:where { <#a> :name ?x } ; solid:inserts { ?x :p 1 } .`, alan, ``, rdf.ErrInvalid},
		{"references are to the resource", n3, `<p> a solid:InsertDeletePatch ; solid:inserts { <> :p <other>, </x> } .`, ``,
			`<https://pod.example/alva/doc> :p <https://pod.example/alva/other>, <https://pod.example/x>`, nil},

		{"INSERT DATA inserts", sparql, `INSERT DATA { <#a> :p 1 }`, ``, `<#a> :p 1`, nil},
		{"DELETE DATA deletes what is there", sparql, `DELETE DATA { <#a> :p 1, 2 }`, `<#a> :p 1`, ``, nil},
		{"operations follow each other", sparql, `INSERT DATA { <#a> :p 1 } ; DELETE DATA { <#a> :p 1 } ; INSERT DATA { <#a> :p 2 } ;`, ``, `<#a> :p 2`, nil},
		{"an update is made for every solution", sparql, `DELETE { ?x :name ?n } INSERT { ?x :label ?n } WHERE { ?x :name ?n }`, `<#a> :name "A" . <#b> :name "B"`, `<#a> :label "A" . <#b> :label "B"`, nil},
		{"DELETE WHERE deletes what it finds", sparql, `DELETE WHERE { <#a> ?p ?o }`, alan, `<#b> :name "Bea" . <#c> :name "Cy" .`, nil},
		{"no solution is no change", sparql, `DELETE { ?x :p 1 } WHERE { ?x :q 1 }`, `<#a> :p 1`, `<#a> :p 1`, nil},
		{"each solution gets its own blank node", sparql, `INSERT { ?x :p [] } WHERE { ?x :q 1 }`, `<#a> :q 1 . <#b> :q 1`, `<#a> :q 1 ; :p [] . <#b> :q 1 ; :p [] .`, nil},
		{"a dollar marks a variable too", sparql, `INSERT { $x :p 2 } WHERE { ?x :p 1 }`, `<#a> :p 1`, `<#a> :p 1, 2`, nil},
		{"keywords have no case", sparql, `base <http://b/> insert data { <x> a :T ; :p TRUE }`, ``, `<http://b/x> a :T ; :p true`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			patch, err := tt.parse(tt.patch)
			if err != nil {
				t.Fatal(err)
			}
			g := turtle(t, tt.before)
			want := turtle(t, tt.after)
			if tt.err != nil {
				want = turtle(t, tt.before)
			}
			if err := patch.Apply(g); !errors.Is(err, tt.err) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if !rdf.Isomorphic(g, want) {
				out, _ := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
				t.Fatalf("the resource is\n%s", out)
			}
		})
	}
}

func TestPatchRefused(t *testing.T) {
	const p = "<> a solid:InsertDeletePatch "
	tests := []struct {
		name  string
		parse func(string) (*rdf.Patch, error)
		patch string
		as    string // the error's type
	}{
		{"not N3", n3, `<> a solid:InsertDeletePatch ; solid:inserts { <#a> :p } .`, "*rdf.SyntaxError"},
		{"an open brace", n3, p + `; solid:inserts { <#a> :p 1 .`, "*rdf.SyntaxError"},
		{"no patch in the document", n3, `<#a> :p 1 .`, "*rdf.SemanticError"},
		{"two patches in the document", n3, p + `. <#b> a solid:InsertDeletePatch .`, "*rdf.SemanticError"},
		{"two inserts", n3, p + `; solid:inserts { <#a> :p 1 } , { <#a> :p 2 } .`, "*rdf.SemanticError"},
		{"inserts that is no formula", n3, p + `; solid:inserts <#a> .`, "*rdf.SemanticError"},
		{"a nested formula", n3, p + `; solid:inserts { <#a> :p { <#b> :p 1 } } .`, "*rdf.SemanticError"},
		{"a formula that is no part of the patch", n3, p + `; :note { <#a> :p 1 } .`, "*rdf.SemanticError"},
		{"a variable that the condition does not have", n3, p + `; solid:inserts { ?x :p 1 } .`, "*rdf.SemanticError"},
		{"a deleted variable that the condition does not have", n3, p + `; solid:where { ?y :p 1 } ; solid:deletes { ?x :p 1 } .`, "*rdf.SemanticError"},
		{"a blank node in deletes", n3, p + `; solid:deletes { _:b :p 1 } .`, "*rdf.SemanticError"},
		{"a list in deletes", n3, p + `; solid:deletes { <#a> :p (1) } .`, "*rdf.SemanticError"},
		{"a blank node of inserts that is in the condition", n3, p + `; solid:where { _:b :p 1 } ; solid:inserts { _:b :p 2 } .`, "*rdf.SemanticError"},
		{"a blank node of inserts that is the patch", n3, `_:b a solid:InsertDeletePatch ; solid:inserts { _:b :p 2 } .`, "*rdf.SemanticError"},

		{"not SPARQL", sparql, `INSERT DATA { <#a> :p }`, "*rdf.SyntaxError"},
		{"a query", sparql, `SELECT * WHERE { ?s ?p ?o }`, "*rdf.SyntaxError"},
		{"a variable in DATA", sparql, `INSERT DATA { ?x :p 1 }`, "*rdf.SyntaxError"},
		{"a blank node in DELETE DATA", sparql, `DELETE DATA { _:b :p 1 }`, "*rdf.SyntaxError"},
		{"a blank node in DELETE", sparql, `DELETE { ?x :p [] } WHERE { ?x :p 1 }`, "*rdf.SyntaxError"},
		{"a quote as an escape, which ends a string in SPARQL", sparql, `INSERT DATA { <#a> :p "x\u0022 . <#b> :p \u0022" }`, "*rdf.SyntaxError"},
		{"text after the request", sparql, `INSERT DATA { <#a> :p 1 } x`, "*rdf.SyntaxError"},
		{"another graph", sparql, `INSERT DATA { GRAPH <#g> { <#a> :p 1 } }`, "*rdf.UnsupportedError"},
		{"another graph by WITH", sparql, `WITH <#g> DELETE { ?s :p 1 } WHERE { ?s :p 1 }`, "*rdf.UnsupportedError"},
		{"a filter", sparql, `DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(?o > 1) }`, "*rdf.UnsupportedError"},
		{"a filter after a dot", sparql, `DELETE { ?s ?p ?o } WHERE { ?s ?p ?o . filter(?o > 1) }`, "*rdf.UnsupportedError"},
		{"an optional part", sparql, `DELETE { ?s ?p ?o } WHERE { ?s :p 1 OPTIONAL { ?s ?p ?o } }`, "*rdf.UnsupportedError"},
		{"a union", sparql, `DELETE { ?s :p 1 } WHERE { { ?s :q 1 } UNION { ?s :r 1 } }`, "*rdf.UnsupportedError"},
		{"a path of two steps", sparql, `INSERT { ?s :p 1 } WHERE { ?s :q/:r 1 }`, "*rdf.UnsupportedError"},
		{"a path backwards", sparql, `INSERT { ?s :p 1 } WHERE { ?s ^:q 1 }`, "*rdf.UnsupportedError"},
		{"a path of any length", sparql, `INSERT { ?s :p 1 } WHERE { ?s :q* ?o }`, "*rdf.UnsupportedError"},
		{"a path of a choice", sparql, `INSERT { ?s :p 1 } WHERE { ?s (:q|:r) ?o }`, "*rdf.UnsupportedError"},
		{"a path that may be missing", sparql, `INSERT { ?s :p 1 } WHERE { ?s :q? ?o }`, "*rdf.UnsupportedError"},
		{"CLEAR", sparql, `CLEAR ALL`, "*rdf.UnsupportedError"},
		{"LOAD, after something harmless", sparql, `INSERT DATA {} ; LOAD <http://evil/>`, "*rdf.UnsupportedError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.parse(tt.patch)
			if got := fmt.Sprintf("%T", err); got != tt.as {
				t.Errorf("%s (%v), want %s", got, err, tt.as)
			}
		})
	}
}

func TestPatchModes(t *testing.T) {
	tests := []struct {
		name                   string
		parse                  func(string) (*rdf.Patch, error)
		patch                  string
		where, inserts, delete bool
	}{
		{"an empty patch needs nothing", n3, `<> a solid:InsertDeletePatch ; solid:where {} ; solid:inserts {} ; solid:deletes {} .`, false, false, false},
		{"inserts alone need append", n3, `<> a solid:InsertDeletePatch ; solid:inserts { <#a> :p 1 } .`, false, true, false},
		{"a condition needs read", n3, `<> a solid:InsertDeletePatch ; solid:where { <#a> :p 1 } ; solid:inserts { <#a> :p 2 } .`, true, true, false},
		{"deletes need write", n3, `<> a solid:InsertDeletePatch ; solid:deletes { <#a> :p 1 } .`, false, false, true},
		{"any step counts", sparql, `INSERT DATA { <#a> :p 1 } ; DELETE WHERE { ?s :p 1 }`, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.parse(tt.patch)
			if err != nil {
				t.Fatal(err)
			}
			if p.HasWhere() != tt.where || p.HasInserts() != tt.inserts || p.HasDeletes() != tt.delete {
				t.Errorf("where %t, inserts %t, deletes %t", p.HasWhere(), p.HasInserts(), p.HasDeletes())
			}
		})
	}
}

func TestPatchWorkIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "<#a%d> :p <#b%d> . ", i, i)
	}
	g := turtle(t, b.String())
	for _, patch := range []string{
		`INSERT DATA { <#new> :p 1 } ; DELETE WHERE { <#a1> :p ?o } ; INSERT { ?a :q ?f } WHERE { ?a :p ?b . ?c :p ?d . ?e :p ?f . ?g :p ?h }`,
		`INSERT { ?a :q ?f } WHERE { ?a :p ?b . ?c :p ?d . ?e :p ?f . ?g :p ?h }`,
		`INSERT { ?a :q ?e } WHERE { ?a ?b ?c . ?d ?b ?e . ?f ?b ?g }`,
	} {
		p, err := sparql(patch)
		if err != nil {
			t.Fatal(err)
		}
		var limit *rdf.LimitError
		before := g.Clone()
		if err := p.Apply(g); !errors.As(err, &limit) {
			t.Errorf("%v, want a limit", err)
		}
		if !rdf.Isomorphic(g, before) {
			t.Errorf("the graph has %d triples after a patch that failed", g.Len())
		}
	}
}
