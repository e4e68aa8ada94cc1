// SPDX-License-Identifier: EUPL-1.2

// Package rdf is the door through which every byte of linked data enters and
// leaves: terms and graphs, readers and writers for Turtle, TriG, N-Triples,
// N-Quads, JSON-LD 1.1 and RDF/XML, patches in N3 and in SPARQL Update,
// renaming, isomorphism and the canonical form.
//
// # What it promises
//
// A document is hostile until it has been read. Every reader is bounded by
// [Limits], stops when its context is done, checks UTF-8, starts no goroutine
// and never panics. Nothing is repaired: what the syntax does not allow is a
// [SyntaxError] with a place, fit to be shown to the sender; what exceeds a
// limit is a [LimitError].
//
// What is written reads back isomorphic. A term can't become syntax: a writer
// escapes what may be escaped, and refuses a term that RDF does not allow.
// Generated documents have absolute IRIs only, and equal graphs give equal
// bytes.
//
// References are resolved by RFC 3986 ([ResolveIRI]), because the target of an
// authorization is such a reference. Blank nodes that a reader makes never
// collide with labels in the document.
//
// JSON-LD contexts are those embedded in this package, and otherwise those of
// a loader that the caller gives; nothing is fetched by itself.
//
// # Why this is our own
//
// Decided 2026-11. No Go library reads Turtle both rightly and safely: the one
// that was named (knakk/rdf) dies with its process on a 6-byte body, appends
// relative references to the base as text, which moves the target of an
// authorization, and writes typed literals unescaped, which lets a stored value
// become a triple. Its RDF/XML reader was meant to stay, and does not either: it
// turns a nested rdf:Description with rdf:about into a blank node, drops
// attributes after rdf:type, cuts text at a comment, merges its own blank nodes
// with the document's, and refuses every urn: and mailto:, all of it silently
// but the last. Tests use it to check ours against. piprate/json-gold expands
// and compacts JSON-LD, behind a recover and a check of every term. We gave up
// other people's maintenance of some 6,000 lines, and hold them to the W3C's
// tests instead.
package rdf
