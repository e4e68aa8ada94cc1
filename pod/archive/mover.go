// SPDX-License-Identifier: EUPL-1.2

package archive

import (
	"strings"

	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
)

// A mover renames what is in the pod of an archive to what it is here.
type mover struct {
	*Desk
	seed *record.Change
	base string // of the server it comes from
	root string // the path of the pod there
	to   string // the URL of the pod here

	owner, me string // the owner's WebID there and here
}

// old returns the URL that a path of the archive had.
func (m *mover) old(rest string) string { return m.base + m.root + rest }

// iri returns an IRI as it is here: those of the pod, of its spaces, and of what
// each server has the same.
func (m *mover) iri(s string) string {
	if s == m.owner {
		return m.me
	}
	rest, ok := strings.CutPrefix(s, m.base)
	if !ok {
		return s
	}
	if in, ok := strings.CutPrefix(rest, m.root); ok {
		return m.to + in
	}
	if in, ok := strings.CutPrefix(rest, "/w/"); ok {
		space, in, _ := strings.Cut(in, "/")
		if store.IsID(space) {
			return m.Base + "/w/" + m.spaceFor(space) + "/" + in
		}
	}
	for _, common := range []string{"/ns/core", "/.parties/"} {
		if strings.HasPrefix(rest, common) {
			return m.Base + rest
		}
	}
	return s
}

func (m *mover) term(t rdf.Term) rdf.Term {
	if t.IsIRI() {
		t.Value = m.iri(t.Value)
	}
	return t
}

// dataset returns d renamed. Blank nodes keep their labels, since a dataset's
// graphs may share them.
func (m *mover) dataset(d *rdf.Dataset) *rdf.Dataset {
	out := new(rdf.Dataset)
	if d == nil {
		return out
	}
	for _, name := range append([]rdf.Term{{}}, d.Names()...) {
		from, to := d.Graph(name), out.Graph(m.term(name))
		for prefix, namespace := range from.Prefixes() {
			to.SetPrefix(prefix, m.iri(namespace))
		}
		for t := range from.All() {
			to.Add(m.term(t.S), m.term(t.P), m.term(t.O))
		}
	}
	return out
}

// spaceFor returns the id that a space of the archive has here; the owner's own is
// none, and keeps its name.
func (m *mover) spaceFor(old string) string {
	if !store.IsID(old) {
		return old
	}
	return store.IDEncoding.EncodeToString(m.seed.Derive("space", old)[:16])
}
