// Package rdf placeholder until the branch lands.
package rdf

// Graph is a set of triples.
type Graph struct{}
