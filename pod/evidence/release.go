// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"slices"

	"skrin/pod/registry"
)

// Release returns what a recipient gets of evidence when these fields were
// released: those facts, in the type's order, and nothing else. The request page
// shows, and a read serves, what this function returns.
func Release(t *registry.EvidenceType, e *Evidence, fields []string) (released []Fact, hidden []string) {
	for _, f := range t.Fields {
		i := slices.IndexFunc(e.Facts, func(x Fact) bool { return x.Field == f.Name })
		switch {
		case i < 0:
		case slices.Contains(fields, f.Name):
			released = append(released, e.Facts[i])
		default:
			hidden = append(hidden, f.Name)
		}
	}
	return released, hidden
}

// Names returns the names of the fields.
func Names(facts []Fact) []string {
	var s []string
	for _, f := range facts {
		s = append(s, f.Field)
	}
	return s
}
