// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"io"
	"time"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/due"
	"skrin/pod/leak"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/status"
	"skrin/pod/store"
	"skrin/pod/vouch"
)

// A Pod is the door to all pods of one server. Its fields are set before its
// first use and not changed after; all but Wake, Groups, Statuses and Channels are required. Its methods are
// safe for concurrent use.
type Pod struct {
	Store     store.Store
	Blobs     store.Blobs
	Registry  registry.Registry   // who is registered
	Types     *registry.Catalogue // what evidence there is
	Sign      vouch.Signer        // signs receipts and records with the server's key
	Base      string              // "https://host": the origin of every URL, without a slash
	Issuer    string              // of the tokens of the people here; the same string as Base in most installations
	Now       func() time.Time    //
	Rand      io.Reader           // crypto/rand.Reader
	Wake      func()              // told after a commit that queued a notification; nil for nobody
	Groups    Groups              // finds members of groups of other servers; nil for none
	Dismissed Dismissed           // which programs act for nobody any more; nil for none
	Statuses  *status.Lists       // follows status lists; nil for a server of which nobody relies on them
	MaxBytes  int64               // of one resource; 0 for 512 MiB
	MaxRDF    int64               // bytes of one RDF document; 0 for 8 MiB
	MaxJSONLD int64               // bytes of one in JSON-LD that is sent; 0 for 1 MiB
	Turns     *ldp.Turns          // of documents that are costly to read; nil for no bound
	Quota     int64               // bytes that a pod's resources may hold together; 0 for no bound
	Channels  []string            // types of channels at /.notifications/, which a storage's description names; nil for none
	Leak      leak.Channel        // links people on purpose; "" everywhere but in the program that measures it

	tally tally
}

// tree is how the standard pods of the server are read and written.
func (p *Pod) tree() *resource.Tree {
	return &resource.Tree{
		Base: p.Base, Issuer: p.Issuer, Blobs: p.Blobs, Now: p.Now, Rand: p.Rand,
		MaxBytes: p.MaxBytes, MaxRDF: p.MaxRDF, MaxJSONLD: p.MaxJSONLD, Turns: p.Turns, Quota: p.Quota, Channels: p.Channels, Asks: p.Groups != nil,
		Door: door{p},
	}
}

// book is how requests and consents are read.
func (p *Pod) book() *consent.Book {
	return &consent.Book{Registry: p.Registry, Types: p.Types, Statuses: p.Statuses, Sign: p.Sign, Base: p.Base, Issuer: p.Issuer, Now: p.Now}
}

// A door is a Pod as the standard pods know it.
type door struct{ p *Pod }

// Written implements resource.Door: subscribers are told.
func (d door) Written(tx store.Tx, r *resource.Right) error { return d.p.journal(tx, r) }

// Unreferred implements resource.Door.
func (d door) Unreferred(tx store.Tx) error { return due.SweepSoon(tx, d.p.Now()) }

// Kept implements resource.Door.
func (d door) Kept(tx store.Tx, now time.Time) error { return due.ForgetBy(tx, now.Add(due.MarkKept)) }

// BeforeBlob implements resource.Door.
func (d door) BeforeBlob(ctx context.Context, pod string) error { return d.p.sweepLater(ctx, pod) }

// url returns the URL of a path.
func (p *Pod) url(id ldp.ID) string { return p.Base + string(id) }
