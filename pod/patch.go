// SPDX-License-Identifier: EUPL-1.2

package pod

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

// Patch implements ldp.Backend. A patch is applied in the transaction that
// permits it, to what is there then: of patches at the same time none is lost.
func (p *Pod) Patch(ctx context.Context, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return ldp.Written{}, refusal(who)
	}
	var podID string
	err := p.view(ctx, who, req.ID, func(tx store.Tx) error { // before the patch is read
		podID = tx.Pod()
		r, err := p.look(tx, who, req.ID, true)
		if err != nil {
			return err
		}
		return r.mayWrite(acl.Append, acl.Append)
	})
	if err == nil {
		err = req.Fault
	}
	if err != nil {
		return ldp.Written{}, err
	}
	patch, err := p.readPatch(ctx, req)
	if err != nil {
		return ldp.Written{}, err
	}
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	job := patching{p, patch, lacking{}, lacking{}}
	var done ldp.Written
	for range 100 {
		err = p.write(ctx, who, req.ID, func(tx store.Tx) (Action, ldp.ID, error) {
			var err error
			done, err = job.run(ctx, tx, &ch, who, req)
			return DidWrite, req.ID, err
		})
		var lack *lacking
		if !errors.As(err, &lack) {
			return done, err
		}
		if err := job.supply(ctx, podID, lack); err != nil {
			return ldp.Written{}, err
		}
	}
	return ldp.Written{}, fmt.Errorf("patch %s: %w", req.ID, ldp.Unavailable)
}

func (p *Pod) readPatch(ctx context.Context, req ldp.Patch) (patch *rdf.Patch, err error) {
	limits := p.rdfLimits()
	switch req.Type {
	case rdf.N3PatchType:
		patch, err = rdf.ParseN3Patch(ctx, req.Body, p.url(req.ID), limits)
	case rdf.SPARQLUpdateType:
		patch, err = rdf.ParseSPARQLUpdate(ctx, req.Body, p.url(req.ID), limits)
	default:
		return nil, ldp.Refuse(ldp.Unsupported, "A patch is text/n3 or application/sparql-update.")
	}
	switch e := err.(type) {
	case *rdf.SemanticError:
		return nil, ldp.Refuse(ldp.Unprocessable, "This is not a patch: "+e.Error()+".")
	case *rdf.UnsupportedError:
		return nil, ldp.Refuse(ldp.NotImplemented, e.Error()+".")
	}
	return patch, unreadable(err)
}

// A patching is one patch on its way, with the large bodies that its transaction
// needs, since a transaction neither reads nor writes Blobs.
type patching struct {
	*Pod
	patch  *rdf.Patch
	old    lacking // the blob that was read
	stored lacking // the result that was stored
}

// A lacking is the error of a transaction that needs the blob digest to be read,
// or body to be stored, and would then go on.
type lacking struct {
	digest string
	body   []byte
}

func (*lacking) Error() string { return "a large body has to be moved first" }

func (job *patching) supply(ctx context.Context, podID string, lack *lacking) (err error) {
	if lack.digest == "" {
		if err := job.sweepLater(ctx, podID); err != nil {
			return err
		}
		digest, _, err := job.Blobs.Put(ctx, podID, bytes.NewReader(lack.body), int64(len(lack.body)))
		job.stored = lacking{digest, lack.body}
		return err
	}
	blob, err := job.Blobs.Open(ctx, podID, lack.digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	body, err := io.ReadAll(blob)
	job.old = lacking{lack.digest, body}
	return err
}

// modes returns what the patch takes (Solid Protocol, N3 Patch): to insert,
// Append; a condition, Read; to delete, Read and Write.
func (job *patching) modes() (m acl.Mode) {
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

// run applies the patch in a transaction.
func (job *patching) run(ctx context.Context, tx store.Tx, ch *record.Change, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	r, err := job.look(tx, who, req.ID, true)
	if err != nil {
		return ldp.Written{}, err
	}
	if err := r.mayWrite(job.modes(), job.modes()); err != nil {
		return ldp.Written{}, err
	}
	if err := r.fits(req.Cond, nil, false); err != nil {
		return ldp.Written{}, err
	}
	c, err := job.apply(ctx, r)
	if err != nil {
		return ldp.Written{}, err
	}
	return job.store(ctx, tx, ch, r, c)
}

// apply returns what the resource is to become.
func (job *patching) apply(ctx context.Context, r *right) (*content, error) {
	if r.rec == nil && !job.patch.HasInserts() {
		return nil, ldp.Refuse(ldp.Conflict, "There is nothing to delete from: the resource does not exist.")
	}
	media, data, err := job.before(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := job.patch.Apply(data.Default()); err != nil {
		if e := (*rdf.LimitError)(nil); errors.As(err, &e) {
			return nil, unreadable(e)
		}
		return nil, ldp.Refuse(ldp.Conflict, "The patch can't be applied: "+err.Error()+".")
	}
	if r.id.IsContainer() {
		return &content{data: data}, nil
	}
	format, _ := rdf.FormatOf(media)
	if format == rdf.RDFXML { // which is read and not written
		format, media = rdf.Turtle, rdf.Turtle.MediaType()
	}
	body, err := rdf.WriteDataset(data, format, rdf.WriteOptions{})
	if err != nil {
		return nil, fmt.Errorf("write what was patched: %w", err)
	}
	limit := limitOf(job.MaxRDF, defaultRDF)
	if r.aux != "" {
		limit = inline
	}
	size := int64(len(body))
	switch {
	case size > limit:
		return nil, tooLarge(limit)
	case size <= inline:
		return &content{media: media, body: body, size: size, data: data}, nil
	}
	if bytes.Equal(body, job.stored.body) {
		return &content{media: media, digest: job.stored.digest, size: size, data: data}, nil
	}
	return nil, &lacking{body: body}
}

// before returns what the resource is: empty Turtle if it isn't there.
func (job *patching) before(ctx context.Context, r *right) (media string, data *rdf.Dataset, err error) {
	if r.rec == nil {
		return rdf.Turtle.MediaType(), new(rdf.Dataset), nil
	}
	media, body := r.rec.Media, r.rec.Body
	format, isRDF := rdf.FormatOf(media)
	switch {
	case r.id.IsContainer():
		format = rdf.NTriples
	case !isRDF:
		return "", nil, ldp.Refuse(ldp.Unsupported, "The resource is not RDF, and can't be patched. Replace it with PUT.")
	case r.rec.Digest != "" && r.rec.Digest != job.old.digest:
		return "", nil, &lacking{digest: r.rec.Digest}
	case r.rec.Digest != "":
		body = job.old.body
	}
	data, err = job.parse(ctx, body, format, r.id)
	return media, data, err
}
