// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"maps"
	"slices"
	"strings"
)

// A namer abbreviates IRIs and remembers the prefixes that it used for it.
type namer struct {
	prefixes  map[string]string // by namespace
	taken     map[string]bool   // the names of these, and those that must not be used
	wellKnown bool              // also use those that everybody knows
	used      map[string]string // by name
	schemes   map[string]bool   // of IRIs, where they must not be prefixes
}

func newNamer(g *Graph, opt WriteOptions) *namer {
	n := &namer{prefixes: namespaces(opt.Prefixes), taken: map[string]bool{}, wellKnown: !opt.Continue, used: map[string]string{}, schemes: map[string]bool{}}
	for _, name := range n.prefixes {
		n.taken[name] = true
	}
	if opt.Continue {
		return n
	}
	for namespace, name := range namespaces(g.prefixes) {
		if !n.taken[name] && n.prefixes[namespace] == "" {
			n.prefixes[namespace] = name
		}
	}
	for _, name := range n.prefixes {
		n.taken[name] = true
	}
	return n
}

// A name is an IRI as it is written: with a prefix if that is not empty.
type name struct {
	prefix string
	cut    int32 // where the local name begins
	known  bool
}

// abbreviate finds a prefix for the namespace of an IRI, which ends at its last
// '#' or '/'. Only plain local names are written with one.
func (n *namer) abbreviate(iri string) name {
	cut := strings.LastIndexAny(iri, "#/") + 1
	if !isPlainName(iri[cut:]) {
		return name{known: true}
	}
	namespace := iri[:cut]
	prefix := n.prefixes[namespace]
	if prefix == "" && n.wellKnown {
		prefix = n.common(namespace)
	}
	if prefix != "" {
		n.used[prefix] = namespace
	}
	return name{prefix: prefix, cut: int32(cut), known: true}
}

// common returns the well-known prefix of a namespace if that name is free.
func (n *namer) common(namespace string) string {
	prefix := wellKnown(namespace)
	if other, ok := n.used[prefix]; n.taken[prefix] || ok && other != namespace {
		return ""
	}
	return prefix
}

// namespaces turns prefixes around. Of two names for one namespace the lesser
// is taken.
func namespaces(prefixes map[string]string) map[string]string {
	found := make(map[string]string, len(prefixes))
	for name, namespace := range prefixes {
		if old, ok := found[namespace]; isPrefix(name, namespace) && (!ok || name < old) {
			found[namespace] = name
		}
	}
	return found
}

// isPrefix reports whether a prefix may be declared. Only plain names are used.
func isPrefix(name, namespace string) bool {
	return isPlainName(name) && (isAlpha(name[0])) && invalidIRI(namespace) == ""
}

// isPlainName reports whether s can be a local name without escapes, in ASCII.
func isPlainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&nameByte == 0 || s[i] == ':' {
			return false
		}
	}
	return s != "" && s[0] != '-'
}

// AppendPrefixes appends a declaration for each prefix and returns the longer
// slice. Names and namespaces that Turtle does not allow are left out, here as
// where prefixes are used.
func AppendPrefixes(dst []byte, prefixes map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(prefixes)) {
		if isPrefix(name, prefixes[name]) {
			dst = append(dst, "@prefix "+name+": <"+prefixes[name]+"> .\n"...)
		}
	}
	return dst
}
