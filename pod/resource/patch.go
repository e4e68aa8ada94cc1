// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
)

// ReadPatch reads a patch of one of the formats that there are.
func (tree *Tree) ReadPatch(ctx context.Context, req ldp.Patch) (patch *rdf.Patch, err error) {
	limits := tree.rdfLimits()
	switch req.Type {
	case rdf.N3PatchType:
		patch, err = rdf.ParseN3Patch(ctx, req.Body, tree.url(req.ID), limits)
	case rdf.SPARQLUpdateType:
		patch, err = rdf.ParseSPARQLUpdate(ctx, req.Body, tree.url(req.ID), limits)
	default:
		return nil, ldp.Refuse(ldp.Unsupported, "A patch is text/n3 or application/sparql-update.")
	}
	switch e := err.(type) {
	case *rdf.SemanticError:
		return nil, ldp.Refuse(ldp.Unprocessable, "This is not a patch: "+e.Error()+".")
	case *rdf.UnsupportedError:
		return nil, ldp.Refuse(ldp.NotImplemented, e.Error()+".")
	}
	return patch, Unreadable(err)
}

// A Patching is one patch on its way, with the large bodies that its transaction
// needs, since a transaction neither reads nor writes Blobs.
type Patching struct {
	*Tree
	patch  *rdf.Patch
	old    Lacking // the blob that was read
	leave  func()  // ends the turn of a costly document; nil while there is none
	stored Lacking // the result that was stored
}

// Patching begins a patch.
func (tree *Tree) Patching(patch *rdf.Patch) *Patching { return &Patching{Tree: tree, patch: patch} }

// A Lacking is the error of a transaction that needs the blob digest to be read,
// or body to be stored, and would then go on.
type Lacking struct {
	digest string
	body   []byte
	format rdf.Format
}

func (*Lacking) Error() string { return "a large body has to be moved first" }

// Supply moves what is lacking. A document that is costly to read is waited for here, and
// its turn lasts until Done: no transaction waits.
func (job *Patching) Supply(ctx context.Context, podID string, lack *Lacking) (err error) {
	if lack.digest == "" {
		if err := job.Door.BeforeBlob(ctx, podID); err != nil {
			return err
		}
		digest, _, err := job.Blobs.Put(ctx, podID, bytes.NewReader(lack.body), int64(len(lack.body)))
		job.stored = Lacking{digest, lack.body, lack.format}
		return err
	}
	blob, err := job.Blobs.Open(ctx, podID, lack.digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	body, err := io.ReadAll(blob)
	job.old = Lacking{lack.digest, body, lack.format}
	if err == nil && job.leave == nil {
		job.leave, err = job.Turns.Enter(ctx, lack.format, len(body))
	}
	return err
}

// Done ends the turn of a patch, if it has one.
func (job *Patching) Done() {
	if job.leave != nil {
		job.leave()
	}
}

// modes returns what the patch takes (Solid Protocol, N3 Patch): to insert,
// Append; a condition, Read; to delete, Read and Write.
func (job *Patching) modes() (m acl.Mode) {
	if job.patch.HasInserts() {
		m |= acl.Append
	}
	if job.patch.HasWhere() {
		m |= acl.Read
	}
	if job.patch.HasDeletes() {
		m |= acl.Read | acl.Write
	}
	if m == 0 {
		return acl.Append // a patch that does nothing is told nothing
	}
	return m
}

// Run applies the patch in a transaction.
func (job *Patching) Run(ctx context.Context, tx store.Tx, ch *record.Change, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	r, err := job.Look(tx, who, req.ID, true)
	if err != nil {
		return ldp.Written{}, err
	}
	if err := r.MayWrite(job.modes(), job.modes()); err != nil {
		return ldp.Written{}, err
	}
	if err := r.Fits(req.Cond, nil, false); err != nil {
		return ldp.Written{}, err
	}
	c, err := job.apply(ctx, r)
	if err != nil {
		return ldp.Written{}, err
	}
	return job.Write(ctx, tx, ch, r, c)
}

// apply returns what the resource is to become.
func (job *Patching) apply(ctx context.Context, r *Right) (*Content, error) {
	if r.Rec == nil && !job.patch.HasInserts() {
		return nil, ldp.Refuse(ldp.Conflict, "There is nothing to delete from: the resource does not exist.")
	}
	media, data, err := job.before(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := job.patch.Apply(data.Default()); err != nil {
		if e := (*rdf.LimitError)(nil); errors.As(err, &e) {
			return nil, Unreadable(e)
		}
		return nil, ldp.Refuse(ldp.Conflict, "The patch can't be applied: "+err.Error()+".")
	}
	if r.id.IsContainer() {
		return &Content{Data: data}, nil
	}
	format, _ := rdf.FormatOf(media)
	if format == rdf.RDFXML { // which is read and not written
		format, media = rdf.Turtle, rdf.Turtle.MediaType()
	}
	body, err := rdf.WriteDataset(data, format, rdf.WriteOptions{})
	if err != nil {
		return nil, fmt.Errorf("write what was patched: %w", err)
	}
	limit, refusal := job.limitOf(format)
	if r.aux != "" {
		limit, refusal = Inline, TooLarge(Inline)
	}
	size := int64(len(body))
	switch {
	case size > limit:
		return nil, refusal
	case size <= Inline:
		return &Content{Media: media, Body: body, Size: size, Data: data}, nil
	}
	if bytes.Equal(body, job.stored.body) {
		return &Content{Media: media, digest: job.stored.digest, Size: size, Data: data}, nil
	}
	return nil, &Lacking{body: body, format: format}
}

// before returns what the resource is: empty Turtle if it isn't there.
func (job *Patching) before(ctx context.Context, r *Right) (media string, data *rdf.Dataset, err error) {
	if r.Rec == nil {
		return rdf.Turtle.MediaType(), new(rdf.Dataset), nil
	}
	media, body := r.Rec.Media, r.Rec.Body
	format, isRDF := rdf.FormatOf(media)
	switch {
	case r.id.IsContainer():
		format = rdf.NTriples
	case !isRDF:
		return "", nil, ldp.Refuse(ldp.Unsupported, "The resource is not RDF, and can't be patched. Replace it with PUT.")
	case r.Rec.Digest != "" && r.Rec.Digest != job.old.digest:
		return "", nil, &Lacking{digest: r.Rec.Digest, format: format}
	case r.Rec.Digest != "":
		body = job.old.body
	}
	data, err = job.Parse(ctx, body, format, r.id)
	return media, data, err
}
