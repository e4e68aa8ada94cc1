// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"context"
	"io"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A Tree is what all standard pods of a server have in common: what it takes to
// read and write a resource in a transaction that somebody else has begun, and
// what happens then. It is safe for concurrent use.
type Tree struct {
	Base      string // "https://host": the origin of every URL, without a slash
	Issuer    string // of the tokens of the people here
	Blobs     store.Blobs
	Now       func() time.Time
	Rand      io.Reader
	MaxBytes  int64      // of one resource; 0 for 512 MiB
	MaxRDF    int64      // bytes of one RDF document; 0 for 8 MiB
	MaxJSONLD int64      // bytes of one in JSON-LD that is sent; 0 for 1 MiB
	Turns     *ldp.Turns // of documents that are costly to read; nil for no bound
	Quota     int64      // bytes that a pod's resources may hold together; 0 for no bound
	Channels  []string   // types of channels that a storage's description names
	Asks      bool       // whether groups of other servers can be asked: a refusal may be [Unasked]
	Door      Door       // is told what happens
}

// A Door is what reads and writes the pods, and has more to do than that.
type Door interface {
	// Written is called at the end of each write, in its transaction.
	Written(store.Tx, *Right) error
	// Unreferred is called when a blob is referred to no more.
	Unreferred(store.Tx) error
	// Kept is called when the first was stored of what is kept for the day of now.
	Kept(tx store.Tx, now time.Time) error
	// BeforeBlob is called before a blob is stored.
	BeforeBlob(ctx context.Context, pod string) error
}

// url returns the URL of a path.
func (tree *Tree) url(id ldp.ID) string { return tree.Base + string(id) }
