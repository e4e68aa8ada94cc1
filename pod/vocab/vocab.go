// SPDX-License-Identifier: EUPL-1.2

package vocab

import (
	"context"
	_ "embed"

	"skrin/ldp/rdf"
)

// The namespaces of what is read and written.
const (
	Type  = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type" // a property, and no namespace
	RDFS  = "http://www.w3.org/2000/01/rdf-schema#"
	XSD   = "http://www.w3.org/2001/XMLSchema#"
	SKOS  = "http://www.w3.org/2004/02/skos/core#"
	DCT   = "http://purl.org/dc/terms/"
	FOAF  = "http://xmlns.com/foaf/0.1/"
	Time  = "http://www.w3.org/2006/time#"
	PROV  = "http://www.w3.org/ns/prov#"
	CCCEV = "http://data.europa.eu/m8g/"

	LDP   = "http://www.w3.org/ns/ldp#"
	Solid = "http://www.w3.org/ns/solid/terms#"
	PIM   = "http://www.w3.org/ns/pim/space#"
	Stat  = "http://www.w3.org/ns/posix/stat#"
	ACL   = "http://www.w3.org/ns/auth/acl#"

	DPV     = "https://w3id.org/dpv#"
	DPVLoc  = "https://w3id.org/dpv/loc#"
	DPVGDPR = "https://w3id.org/dpv/legal/eu/gdpr#"
	DPVEU   = "https://w3id.org/dpv/legal/eu#"
	DPVSE   = "https://w3id.org/dpv/legal/se#"
	DPVNO   = "https://w3id.org/dpv/legal/no#"
	DPVISO  = "https://w3id.org/dpv/schema/dpv-27560#"
)

//go:embed core.ttl
var core []byte

// A Core is the server's own vocabulary: the origin of the server, which serves it
// at /ns/core.
type Core string

func (c Core) iri() string { return string(c) + "/ns/core" }

// Term returns the IRI of a term.
func (c Core) Term(name string) string { return c.iri() + "#" + name }

// Graph returns the vocabulary, with its definitions.
func (c Core) Graph(ctx context.Context) (*rdf.Graph, error) {
	return rdf.Read(ctx, core, rdf.Turtle, c.iri(), rdf.Limits{})
}

// LoadContext returns the JSON-LD context of the terms, for its IRI, which is the
// vocabulary's; nil for others, which are not fetched. It is what
// [rdf.Limits].LoadContext asks.
func (c Core) LoadContext(_ context.Context, iri string) ([]byte, error) {
	if iri != c.iri() {
		return nil, nil
	}
	return rdf.CoreContext(c.Term(""))
}
