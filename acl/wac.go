// SPDX-License-Identifier: EUPL-1.2

package acl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"skrin/ldp/rdf"
)

// The terms of Web Access Control.
const (
	ns      = "http://www.w3.org/ns/auth/acl#"
	rdfType = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
)

// The types of acl:condition that are understood. A server tells them in the
// Link header of an ACL resource, rel="http://www.w3.org/ns/auth/acl#condition".
const (
	ClientCondition = ns + "ClientCondition"
	IssuerCondition = ns + "IssuerCondition"
)

// MaxGrants is how many grants one ACL document may make.
const MaxGrants = 500

// ErrTooMany is the error of an ACL document that makes more than MaxGrants.
var ErrTooMany = errors.New("the ACL document makes more than 500 grants (agents times resources)")

// A Document is an ACL document's place.
type Document struct {
	Base string // "https://host", the origin of every path
	Path string // of the document itself, "/pod/notes/.acl"
	Of   string // of the resource whose access it controls, "/pod/notes/"
}

// of returns the resource's IRI.
func (d Document) of() rdf.Term { return rdf.IRI(d.Base + d.Of) }

// Parse returns what an ACL document grants (Web Access Control, section 4.2),
// in the order of its authorizations. An authorization counts if it has the type
// acl:Authorization, a mode that we know, a subject, and acl:accessTo or
// acl:default the very resource that the document belongs to; what it says of
// other resources is ignored. acl:default counts for containers alone.
//
// Where something is not understood, it grants less and never more:
//
//   - A mode that is unknown, an agent that is no WebID, is ignored.
//   - acl:origin alone grants nothing, since an Origin header proves nothing
//     about who sends it. With agents beside it, it narrows: a web page's script
//     may, only from that origin.
//   - An authorization with an acl:condition of a type that is unknown grants
//     nothing. Here we don't follow the editor's draft of 2026-04-20, by which a
//     server ignores such a condition, and so permits what the condition was
//     written to prevent.
//   - A condition is met by the clients or issuers that it names by IRI; groups
//     and classes of clients name none.
func Parse(g *rdf.Graph, d Document) ([]Grant, error) {
	var all []Grant
	for _, s := range g.Subjects(rdf.IRI(rdfType), rdf.IRI(ns+"Authorization")) {
		a := authorization{g, s, d}
		all = append(all, a.grants()...)
		if len(all) > MaxGrants {
			return nil, ErrTooMany
		}
	}
	return all, nil
}

// An authorization is a node of an ACL document.
type authorization struct {
	g   *rdf.Graph
	s   rdf.Term
	doc Document
}

func (a authorization) objects(property string) []rdf.Term {
	return a.g.Objects(a.s, rdf.IRI(ns+property))
}

func (a authorization) grants() []Grant {
	common := Grant{On: a.doc.Of, Modes: a.modes(), Because: a.doc.Path}
	if common.Modes == 0 || !a.narrow(&common) {
		return nil
	}
	to := a.subjects(common)
	var all []Grant
	if a.g.Has(a.s, rdf.IRI(ns+"accessTo"), a.doc.of()) {
		all = append(all, to...)
	}
	if a.g.Has(a.s, rdf.IRI(ns+"default"), a.doc.of()) && strings.HasSuffix(a.doc.Of, "/") {
		for _, g := range to {
			g.Inherit = true
			all = append(all, g)
		}
	}
	return all
}

func (a authorization) modes() (m Mode) {
	for _, o := range a.objects("mode") {
		if i := slices.Index(modeNames, strings.TrimPrefix(o.Value, ns)); i >= 0 && o.IsIRI() && strings.HasPrefix(o.Value, ns) {
			m |= 1 << i
		}
	}
	return m
}

var modeNames = []string{"Read", "Append", "Write", "Control"}

// subjects returns common once for each agent, class and group.
func (a authorization) subjects(common Grant) []Grant {
	var all []Grant
	for _, o := range a.objects("agentClass") {
		if class := WebID(o.Value); o.IsIRI() && (class == Public || class == Authenticated) {
			common.To = class
			all = append(all, common)
		}
	}
	for _, o := range a.objects("agent") {
		id, err := ParseWebID(o.Value)
		if err == nil && o.IsIRI() && id != Public && id != Authenticated {
			common.To = id
			all = append(all, common)
		}
	}
	for _, o := range a.objects("agentGroup") {
		if _, err := ParseWebID(o.Value); err == nil && o.IsIRI() {
			common.To, common.Group = "", o.Value
			all = append(all, common)
		}
	}
	return all
}

// narrow adds to g what the authorization demands besides a subject; false if
// that can't be understood, or met.
func (a authorization) narrow(g *Grant) bool {
	for _, o := range a.objects("origin") {
		if g.Origins == nil {
			g.Origins = []string{}
		}
		if u, err := url.Parse(o.Value); err == nil && u.Host != "" {
			g.Origins = append(g.Origins, u.Scheme+"://"+u.Host)
		}
	}
	for _, c := range a.objects("condition") {
		of := func(property string) []string {
			names := []string{}
			for _, o := range a.g.Objects(c, rdf.IRI(ns+property)) {
				if o.Value != "" && !o.IsBlank() {
					names = append(names, o.Value)
				}
			}
			return names
		}
		types := a.g.Objects(c, rdf.IRI(rdfType))
		if len(types) != 1 {
			return false
		}
		switch types[0] {
		case rdf.IRI(ClientCondition):
			g.Clients = both(g.Clients, of("client"))
		case rdf.IRI(IssuerCondition):
			g.Issuers = both(g.Issuers, of("issuer"))
		default:
			return false
		}
	}
	return true
}

// both returns the names that are in both lists; nil stands for all names.
func both(a, b []string) []string {
	if a == nil {
		return b
	}
	return slices.DeleteFunc(b, func(s string) bool { return !slices.Contains(a, s) })
}

// Project returns grants on the resource as the ACL document that would make
// them; grants on other resources are left out. It is for reading: fields, a
// purpose and an end can't be said in such a document, and a projection of
// grants that have them says more than they do. Of grants without,
// [Parse] makes the same grants again.
func Project(grants []Grant, d Document) *rdf.Graph {
	g := new(rdf.Graph)
	for i, gr := range grants {
		if gr.On != d.Of {
			continue
		}
		s := rdf.IRI(fmt.Sprintf("%s%s#%d", d.Base, d.Path, i+1))
		say := func(property string, o rdf.Term) { g.Add(s, rdf.IRI(ns+property), o) }
		g.Add(s, rdf.IRI(rdfType), rdf.IRI(ns+"Authorization"))
		if gr.Inherit {
			say("default", d.of())
		} else {
			say("accessTo", d.of())
		}
		switch {
		case gr.Group != "":
			say("agentGroup", rdf.IRI(gr.Group))
		case gr.To == Public || gr.To == Authenticated:
			say("agentClass", rdf.IRI(string(gr.To)))
		default:
			say("agent", rdf.IRI(string(gr.To)))
		}
		for i, name := range modeNames {
			if gr.Modes&(1<<i) != 0 {
				say("mode", rdf.IRI(ns+name))
			}
		}
		for _, o := range gr.Origins {
			say("origin", rdf.IRI(o))
		}
		if gr.Origins != nil && len(gr.Origins) == 0 {
			say("origin", rdf.String("null")) // narrowed to no origin, which is not the same as not narrowed
		}
		demand(g, s, ClientCondition, "client", gr.Clients)
		demand(g, s, IssuerCondition, "issuer", gr.Issuers)
	}
	return g
}

// demand adds a condition to the authorization s.
func demand(g *rdf.Graph, s rdf.Term, condition, property string, names []string) {
	if names == nil {
		return
	}
	c := g.Fresh()
	g.Add(s, rdf.IRI(ns+"condition"), c)
	g.Add(c, rdf.IRI(rdfType), rdf.IRI(condition))
	for _, name := range names {
		// A client's name need not be an IRI (RFC 6749, section 2.2).
		if strings.Contains(name, ":") {
			g.Add(c, rdf.IRI(ns+property), rdf.IRI(name))
		} else {
			g.Add(c, rdf.IRI(ns+property), rdf.String(name))
		}
	}
}
