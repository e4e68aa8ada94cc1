// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"io"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/pod/archive"
	"skrin/pod/extract"
	"skrin/pod/store"
)

// Export writes the owner's whole pod as an archive (package parcel), sealed with
// the server's key: all documents with their rules, evidence with all its signed
// forms, spaces, requests, consents, grants and the log. What is written while it
// runs may be in it or not; each thing is whole. It is logged before a byte
// leaves, also where the operator asks in the owner's name (by is then
// "operator", else "").
func (p *Pod) Export(ctx context.Context, who acl.Agent, by string, w io.Writer) error {
	return archive.Export(ctx, p.desk(ctx, who), by, w)
}

// Import fills the owner's pod from an archive. vouching are the keys of servers
// whose seal is believed; nil for none. A seal tells of a pod, and not of a person:
// whoever gives vouching keys vouches that who is the person whose pod it was, or
// people could take each other's evidence for their own. The file is read twice:
// nothing is written before all of it was found whole.
func (p *Pod) Import(ctx context.Context, who acl.Agent, file io.ReadSeeker, vouching *jose.JSONWebKeySet) (*archive.Imported, error) {
	return archive.Import(ctx, p.desk(ctx, who), file, vouching)
}

// Archive writes all that the owner has here as a ZIP file: each resource of the
// pod as it was sent, its ACL documents and descriptions too, under files/; of
// each piece of evidence the signed form that is the owner's own; the signed
// records of what was agreed, and the receipts of what was erased; the log, as
// ExportLog writes it; what she calls herself; and an index that says what
// each file is. Of a pod that changes meanwhile it may hold some changes and not
// others. Nothing is kept in memory but a page of the pod at a time.
func (p *Pod) Archive(ctx context.Context, who acl.Agent, w io.Writer) error {
	s, err := p.Settings(ctx, who)
	if err != nil {
		return err
	}
	return archive.Zip(ctx, p.desk(ctx, who), s.Name, func(id string) (string, error) { return p.OwnForm(ctx, who, id) }, w)
}

// ExportLog writes the owner's whole log, oldest first, as it is now.
func (p *Pod) ExportLog(ctx context.Context, who acl.Agent, form extract.Form, w io.Writer) error {
	return extract.Write(ctx, p.book(), func(fn func(store.Tx) error) error { return p.viewOwn(ctx, who, fn) }, form, w)
}
