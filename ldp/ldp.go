// SPDX-License-Identifier: EUPL-1.2

// Package ldp speaks HTTP about resources: the Linked Data Platform's Basic
// Containers as the Solid Protocol profiles them.
//
// It turns requests into operations on a [Backend] and results into responses:
// methods, paths, headers, content negotiation, ranges, conditional requests,
// CORS, and failures as problem documents (RFC 9457). Who asks, it is told by an
// [Identifier]. What is stored, who may do it and what comes of it, the Backend
// knows; this package never decides.
package ldp

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"skrin/acl"
	"skrin/ldp/rdf"
)

// An Identifier tells who sends a request.
type Identifier interface {
	// Identify returns the agent that the request's credentials prove; the zero
	// Agent if it has none; an error if it has bad ones, or one that wraps
	// another Kind than Unauthenticated if that can't be found out. The Handler
	// fills in Agent.Origin.
	Identify(*http.Request) (acl.Agent, error)
	// Challenge returns the WWW-Authenticate header for a 401; err is
	// Identify's error, or nil where credentials were missing.
	Challenge(err error) string
}

// A Backend holds resources. Each method decides by itself whether who may, and
// in the transaction that does it. Errors wrap a [Kind]. Permission is decided
// before existence is told: a stranger gets Unauthenticated and a known agent
// Forbidden for hidden and for absent resources alike; NotFound only whoever
// may read. A Backend is safe for concurrent use.
type Backend interface {
	// Get reads a resource. The caller closes the Resource's Body. Where reads
	// are logged, the entry is durable when Get returns.
	Get(ctx context.Context, who acl.Agent, req Get) (*Resource, error)
	// Put makes or replaces a resource, and the containers above it.
	Put(ctx context.Context, who acl.Agent, req Put) (Written, error)
	// Post makes a resource in a container, under a name that the Backend picks.
	Post(ctx context.Context, who acl.Agent, req Post) (Written, error)
	// Patch changes an RDF resource, or makes it.
	Patch(ctx context.Context, who acl.Agent, req Patch) (Written, error)
	// Delete removes a resource and its auxiliary resources.
	Delete(ctx context.Context, who acl.Agent, req Delete) error
	// Options describes a resource that who may read as Get does. Of one that is
	// hidden or absent it tells what Describe does, and is no error.
	Options(ctx context.Context, who acl.Agent, id ID) (Description, error)
	// Describe tells what may be told of id to an agent whose rights are not yet
	// known: only what follows from the ID's form.
	Describe(id ID) Description
}

// A Get asks for the state of a resource.
type Get struct {
	ID ID
	// After is a member of the container, or was: who asks wants those after it
	// alone. The Backend may use it to save work, and need not; "" for all.
	After ID
	// Choose picks a media type among those offered, best first; "" if the
	// client accepts none. The Backend calls it before it logs a read, with the
	// same offers if more than once, and answers NotAcceptable for "".
	Choose func(offers ...string) string
	// NoneMatch (tags as in [Conditions]) and Since are If-None-Match and
	// If-Modified-Since. The handler answers them; the Backend may use them to
	// save work, and need not.
	NoneMatch []string
	Since     time.Time
	// Nonce is the header Presentation-Nonce: the client wants proof that what it
	// is given is presented to it, now, by whom it is about (RFC 9901, section
	// 4.3). The Backend refuses where it can't give any; "" if absent.
	Nonce string
}

// A Put replaces the whole state of a resource. For a container Body is empty,
// or the container's own triples.
type Put struct {
	ID   ID
	Type string // media type with parameters; "" if there was no content
	Body io.Reader
	Size int64 // bytes of Body; -1 if not known
	Cond Conditions
	// NonRDF is set when the client says that the resource is an LDP Non-RDF
	// Source.
	NonRDF bool
	// Fault, if not nil, is what is wrong with the request's form: no
	// Content-Type, too large. Whether the agent may is told first, so the
	// Backend decides that as if the request were good, returns Fault if it
	// may, and changes nothing.
	Fault error
}

// A Post asks a container to take a new member.
type Post struct {
	ID        ID     // the container
	Slug      string // the name that the client would like (RFC 5023), decoded; UTF-8, otherwise unchecked
	Container bool   // the new member shall be a container
	Type      string
	Body      io.Reader
	Size      int64
	Cond      Conditions
	Key       string // Idempotency-Key; "" if absent. The same key does no second thing
	Fault     error  // as in [Put]
}

// A Patch changes the graph of a resource.
type Patch struct {
	ID   ID
	Type string // text/n3 or application/sparql-update
	Body []byte
	Cond Conditions
	// Fault is as in [Put]; Body may be missing then. What the patch would need
	// can't be known, so Append is enough to be told.
	Fault error
}

// A Delete removes a resource.
type Delete struct {
	ID   ID
	Cond Conditions
}

// A Resource is the state of one resource, as one agent may see it.
type Resource struct {
	ID   ID
	Type string // media type of Body, as stored or as chosen
	// Tag names this state: different states, different tags, [A-Za-z0-9_-]. A
	// container's state includes what its Members say of themselves.
	Tag      string
	Modified time.Time
	Size     int64 // bytes of Body; -1 if not known
	// Body is the bytes; nil for a container. It is an io.Seeker where ranges can
	// be had, and best an io.WriterTo where the bytes are in memory.
	Body io.ReadCloser
	// Members yields a container's members in ascending order of their IDs,
	// read as they are asked for; nil for other resources.
	Members iter.Seq2[Member, error]
	// Graph is what the Backend says about the resource in RDF where it doesn't
	// come from Body: a container's own triples; a generated document.
	Graph *rdf.Graph
	// Notice, if not "", is what the agent should know about the resource: a
	// sentence in ASCII without quotation marks. It is sent as a Warning.
	Notice string
	// Modes and Public are what the agent and everybody may do (WAC-Allow).
	Modes, Public acl.Mode
	Description
}

// A Description is what follows from a resource's ID.
type Description struct {
	ACL         ID     // rel=acl; "" if there is none
	DescribedBy ID     // rel=describedby; "" if there is none
	Storage     ID     // the storage's description
	Root        bool   // it is the storage's root container
	Owner       string // rel=solid:owner, on the root; "" if not told
	Inbox       ID     // rel=ldp:inbox; "" if there is none
	// Conditions are the types of acl:condition that are understood; only of an
	// ACL resource (Web Access Control, editor's draft 1.1).
	Conditions []string
	Types      []string
	// Methods are what the resource supports: a subset of GET, HEAD, OPTIONS,
	// PUT, POST, PATCH, DELETE.
	Methods []string
	// AcceptPost is what may be posted; nil for the usual.
	AcceptPost []string
}

// A Member is one line of a container's listing.
type Member struct {
	ID       ID
	Type     string // media type; "" for a container
	Size     int64  // bytes; 0 for a container
	Modified time.Time
}

// A Written is the outcome of a write.
type Written struct {
	ID       ID     // what was written; where a Post put it
	Created  bool   // it did not exist before; a Post has always made something
	Tag      string // of the new state; "" where the agent may not know it
	Modified time.Time
	// Receipt, if not nil, is sent as the body of the answer.
	Receipt     []byte
	ReceiptType string
	Description
}
