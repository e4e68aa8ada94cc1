// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
	"skrin/pod/vocab"
	"strings"
)

// Limits of what is stored.
const (
	inline       = 64 << 10  // a longer body goes to Blobs; also what a container's own triples and a patch's group may take
	maxMediaType = 255       // bytes
	defaultBytes = 512 << 20 // of Pod.MaxBytes
	defaultRDF   = 8 << 20   // of Pod.MaxRDF
)

// Get implements ldp.Backend.
func (p *Pod) Get(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	switch {
	case req.ID.First() == spaces:
		return p.spaceGet(ctx, who, req)
	case isStorageDescription(req.ID):
		return p.storageDescription(req)
	}
	var res *ldp.Resource
	var rec *record.State
	var podID string
	err := p.read(ctx, who, req.ID, func(tx store.Tx) (acl.Mode, error) {
		r, err := p.look(tx, who, req.ID, false)
		if err != nil {
			return 0, err
		}
		if err := r.mayGet(tx); err != nil {
			return 0, err
		}
		if req.Choose(offers(r)...) == "" {
			return 0, ldp.Refuse(ldp.NotAcceptable, "The resource is not to be had in any of the types that the Accept header names.")
		}
		rec, podID = r.rec, tx.Pod()
		res = p.describe(r)
		if req.ID.IsContainer() {
			err = p.list(ctx, tx, r, res, req.After)
		}
		return res.Public, err
	})
	if err != nil || req.ID.IsContainer() {
		return res, err
	}
	if res.Body, err = p.open(ctx, podID, rec); err != nil {
		return nil, fmt.Errorf("get %s: %w", req.ID, err)
	}
	return res, nil
}

// offers returns the media types in which a resource can be had: as it is stored
// first.
func offers(r *right) []string {
	if r.id.IsContainer() {
		return []string{rdf.Turtle.MediaType(), rdf.JSONLD.MediaType()}
	}
	all := []string{r.rec.Media}
	if format, ok := rdf.FormatOf(r.rec.Media); ok {
		for _, f := range []rdf.Format{rdf.Turtle, rdf.JSONLD} {
			if f != format {
				all = append(all, f.MediaType())
			}
		}
	}
	return all
}

// describe returns the resource without its content.
func (p *Pod) describe(r *right) *ldp.Resource {
	tag, modified := r.rec.Validators()
	res := &ldp.Resource{ID: r.id, Type: r.rec.Media, Tag: tag, Modified: modified, Size: r.rec.Size, Description: p.description(r)}
	res.Modes, res.Public = r.modes()
	if torn := r.torn(); torn != "" && res.Modes.Has(acl.Control) {
		res.Notice = "The ACL document " + string(torn) + " is damaged, so that nobody but the owner has access. Write it anew."
	}
	return res
}

// description is what Describe tells, and what follows from what is stored.
func (p *Pod) description(r *right) ldp.Description {
	d := p.Describe(r.id)
	if d.Root {
		d.Owner = string(r.home.Owner)
	}
	if _, ok := rdf.FormatOf(r.rec.Media); !ok && !r.id.IsContainer() {
		d.Types = []string{vocab.LDP + "NonRDFSource"}
		d.Methods = without(d.Methods, "PATCH")
	}
	return d
}

// Options implements ldp.Backend. It is not a read that is logged: it tells no
// more of the content than whether that is RDF.
func (p *Pod) Options(ctx context.Context, who acl.Agent, id ldp.ID) (ldp.Description, error) {
	d := p.Describe(id)
	if id.First() == spaces || isStorageDescription(id) {
		return d, nil
	}
	err := p.view(ctx, who, id, func(tx store.Tx) error {
		r, err := p.look(tx, who, id, false)
		if err == nil {
			err = r.mayGet(tx)
		}
		if err == nil {
			d = p.description(r)
		}
		return err
	})
	switch ldp.KindOf(err) {
	case ldp.Unauthenticated, ldp.Forbidden, ldp.NotFound:
		err = nil
	}
	return d, err
}

func (p *Pod) open(ctx context.Context, podID string, rec *record.State) (io.ReadCloser, error) {
	if rec.Digest != "" {
		return p.Blobs.Open(ctx, podID, rec.Digest)
	}
	return seekCloser{bytes.NewReader(rec.Body)}, nil
}

// Put implements ldp.Backend. A blob that is replaced stays, for readers who have
// begun, until the sweep finds that no resource refers to it; so does one whose
// transaction failed.
func (p *Pod) Put(ctx context.Context, who acl.Agent, req ldp.Put) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return ldp.Written{}, refusal(who)
	}
	check := func(tx store.Tx) (*right, error) {
		r, err := p.look(tx, who, req.ID, true)
		if err != nil {
			return nil, err
		}
		if err := r.mayWrite(acl.Write, acl.Append); err != nil {
			return nil, err
		}
		return r, r.fits(req.Cond, req.Fault, req.NonRDF)
	}
	var podID string
	sends := false
	early := func(tx store.Tx) error { // before a byte of the body is read
		podID = tx.Pod()
		r, err := check(tx)
		if sends = err == nil && r.isSender(); sends {
			err = notification(req.Type, req.ID.IsContainer(), req.Size)
		}
		if err == nil {
			err = p.hasRoom(tx, req.Size, r.rec)
		}
		return err
	}
	small := req.Fault == nil && p.smallOfOwner(who, req.ID, req.Size)
	if !small {
		if err := p.view(ctx, who, req.ID, early); err != nil {
			return ldp.Written{}, err
		}
	}
	c, err := p.take(ctx, podID, req.ID, req.Type, req.Body, req.Size, sends || small)
	if err != nil {
		return ldp.Written{}, err
	}
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	var done ldp.Written
	err = p.write(ctx, who, req.ID, func(tx store.Tx) (Action, ldp.ID, error) {
		r, err := check(tx)
		if err == nil {
			done, err = p.store(ctx, tx, &ch, r, c)
		}
		return DidWrite, req.ID, err
	})
	return done, err
}

// smallOfOwner reports whether a body of size bytes, below 0 for not known, is so
// small, and comes from whom so much may be taken before it is known that it may
// be written: from the owner, who is hardly ever refused. What is kept in Blobs
// is never so small. The transaction that writes decides in any case.
func (p *Pod) smallOfOwner(who acl.Agent, id ldp.ID, size int64) bool {
	return who.Known() && size >= 0 && size <= inline && p.ownName(who) == store.Name("pod/"+id.First())
}

// fits refuses what can't be written whoever asks: what would stand beside its
// twin, an auxiliary resource of nothing or of another; and what the request's
// form or conditions forbid.
func (r *right) fits(cond ldp.Conditions, fault error, nonRDF bool) error {
	if fault != nil {
		return fault
	}
	if err := r.fitsPath(); err != nil {
		return err
	}
	if nonRDF && (r.id.IsContainer() || r.aux != "") {
		return ldp.Refuse(ldp.Conflict, "This can only be an RDF source. Leave out the Link header that asks for a non-RDF source.")
	}
	tag, modified := r.rec.Validators()
	if r.rec == nil && r.aux == ldp.MetaSuffix && cond.NoneMatch == nil {
		tag, _ = new(record.State).Validators() // as who has read it knows it; If-None-Match guards what was written
	}
	return cond.Check(tag, modified)
}

func (r *right) fitsPath() error {
	switch {
	case isEvidence(r.id):
		return fixed()
	case reservedPath(r.id):
		return ldp.Refuse(ldp.NotAllowed, "The server itself keeps what is under .well-known/ and evidence/ here. Choose another path.")
	}
	if r.aux != "" {
		if _, nested := r.line[0].id.Subject(); nested != "" {
			return ldp.Refuse(ldp.Conflict, "An auxiliary resource has no auxiliary resources.")
		}
		if r.line[0].rec == nil {
			return ldp.Refuse(ldp.Conflict, "What this would describe does not exist. Make that first.")
		}
	}
	for _, l := range r.line {
		if l.rec != nil {
			break
		}
		if l.twin {
			return ldp.Refuse(ldp.Conflict, "The same URL with or without its last slash exists: a document and a container can't share a name.")
		}
	}
	return nil
}

// A content is a body that has been taken in and is to become a resource.
type content struct {
	media  string
	body   []byte // nil if it is in a blob
	digest string
	size   int64
	data   *rdf.Dataset // what it says, if it is RDF
}

// take reads a body, checks it and stores it as a blob if it is large: durable,
// and seen by nobody. Of a small one, it takes no more than the store does.
func (p *Pod) take(ctx context.Context, podID string, id ldp.ID, media string, body io.Reader, size int64, small bool) (*content, error) {
	if media == "" && id.IsContainer() {
		return &content{data: new(rdf.Dataset)}, nil
	}
	if _, _, err := mime.ParseMediaType(media); err != nil || len(media) > maxMediaType {
		return nil, ldp.Refuse(ldp.Invalid, "The Content-Type is not a media type, or is longer than 255 bytes.")
	}
	_, aux := id.Subject()
	format, isRDF := rdf.FormatOf(media)
	if !isRDF && (aux != "" || id.IsContainer()) {
		return nil, ldp.Refuse(ldp.Unsupported, "This is an RDF source. Send it as text/turtle or application/ld+json.")
	}
	limit := limitOf(p.MaxBytes, defaultBytes)
	switch {
	case small || aux != "" || id.IsContainer():
		limit = inline
	case isRDF:
		limit = limitOf(p.MaxRDF, defaultRDF)
	}
	if size > limit {
		return nil, tooLarge(limit)
	}
	c := &content{media: media}
	body = &counted{body, limit}
	var err error
	if isRDF {
		c.body, err = io.ReadAll(body)
		c.size = int64(len(c.body))
	} else {
		c.body, err = io.ReadAll(io.LimitReader(body, inline+1))
		c.size = int64(len(c.body))
		if err == nil && c.size > inline {
			if err := p.sweepLater(ctx, podID); err != nil {
				return nil, err
			}
			c.digest, c.size, err = p.Blobs.Put(ctx, podID, io.MultiReader(bytes.NewReader(c.body), body), limit)
			c.body = nil
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, cutShort()
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case size >= 0 && c.size != size:
		return nil, cutShort()
	case !isRDF:
		return c, nil
	}
	if c.data, err = p.parse(ctx, c.body, format, id); err != nil {
		return nil, err
	}
	return c, p.spill(ctx, podID, c)
}

// spill moves a body that is too long for the store to a blob.
func (p *Pod) spill(ctx context.Context, podID string, c *content) (err error) {
	if len(c.body) > inline {
		if err := p.sweepLater(ctx, podID); err != nil {
			return err
		}
		c.digest, c.size, err = p.Blobs.Put(ctx, podID, bytes.NewReader(c.body), int64(len(c.body)))
		c.body = nil
	}
	return err
}

func limitOf(set, standard int64) int64 {
	if set > 0 {
		return set
	}
	return standard
}

func cutShort() error {
	return ldp.Refuse(ldp.Invalid, "The body is not as long as its Content-Length.")
}

func tooLarge(limit int64) error {
	return ldp.Refuse(ldp.TooLarge, fmt.Sprintf("The body is larger than the %d bytes that are allowed here.", limit))
}

// counted reads at most left bytes; one more is an error.
type counted struct {
	r    io.Reader
	left int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b[:min(int64(len(b)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		return 0, ldp.Refuse(ldp.TooLarge, "The body is larger than what is allowed here.")
	}
	return n, err
}

// rdfLimits are those of a document that somebody sends.
func (p *Pod) rdfLimits() rdf.Limits {
	return rdf.Limits{Bytes: int(limitOf(p.MaxRDF, defaultRDF)), LoadContext: vocab.Core(p.Base).LoadContext}
}

// parse reads RDF as the content of the resource id.
func (p *Pod) parse(ctx context.Context, body []byte, format rdf.Format, id ldp.ID) (*rdf.Dataset, error) {
	d, err := rdf.ReadDataset(ctx, body, format, p.url(id), p.rdfLimits())
	return d, unreadable(err)
}

// unreadable turns the reader's error into one that the sender may see.
func unreadable(err error) error {
	switch e := err.(type) {
	case *rdf.SyntaxError:
		return ldp.Refuse(ldp.Invalid, "The document can't be read: "+e.Error()+".")
	case *rdf.ContextError:
		return ldp.Refuse(ldp.Unprocessable, "The document can't be understood: "+e.Error()+".")
	case *rdf.LimitError:
		return ldp.Refuse(ldp.Unprocessable, "The document can't be taken: "+e.Error()+".")
	}
	return err
}

// store makes c the state of the resource, with all that follows from it, in one
// transaction.
func (p *Pod) store(ctx context.Context, tx store.Tx, ch *record.Change, r *right, c *content) (ldp.Written, error) {
	rec := &record.State{Tag: ch.Tag(r.id), Modified: ch.At.Unix(), Media: c.media, Body: c.body, Digest: c.digest, Size: c.size}
	created := r.rec == nil
	var err error
	switch {
	case created && r.isSender():
		if err = notification(c.media, r.id.IsContainer(), c.size); err == nil {
			err = p.countSender(tx, r)
		}
	case r.id.IsContainer():
		err = p.keepOwn(tx, rec, r, c)
	case r.aux == ldp.ACLSuffix:
		err = p.compile(tx, r, c)
	case p.isProfile(r):
		err = p.protect(r, c)
	}
	if err != nil {
		return ldp.Written{}, err
	}
	if !created && r.rec.Digest != "" && r.rec.Digest != rec.Digest {
		if err := p.sweepSoon(tx); err != nil {
			return ldp.Written{}, err
		}
	}
	if err := p.charge(tx, r, r.growth(rec)); err != nil {
		return ldp.Written{}, err
	}
	if r.aux != "" {
		tx.Put(record.RecordKey(r.id), rec.Encode())
		r.did(ch, made(created), r.id, "", rec.Media)
	} else {
		r.save(tx, ch, 0, rec)
	}
	if err := p.journal(tx, r); err != nil {
		return ldp.Written{}, err
	}
	tag, modified := rec.Validators()
	return ldp.Written{ID: r.id, Created: created, Tag: tag, Modified: modified, Description: p.Describe(r.id)}, nil
}

// save makes rec the state of link i, and tells the containers above: a new
// member changes what the container has, and so its time; a change of what its
// listing says of a member changes only its tag.
func (r *right) save(tx store.Tx, ch *record.Change, i int, rec *record.State) {
	l := &r.line[i]
	old := l.rec
	l.rec = rec
	tx.Put(record.RecordKey(l.id), rec.Encode())
	if i == 0 || old == nil {
		r.did(ch, made(old == nil), l.id, "", rec.Media)
	}
	if i+1 == len(r.line) {
		return
	}
	if old == nil {
		r.did(ch, Added, l.id, r.line[i+1].id, "")
	}
	line := rec.Member()
	if old != nil && bytes.Equal(old.Member(), line) {
		return
	}
	above := r.line[i+1]
	tx.Put(record.MembersKey(above.id)+l.id.Name(), line)
	r.touch(tx, ch, i+1, old == nil)
}

// made is the kind of a write.
func made(created bool) string {
	if created {
		return Created
	}
	return Updated
}

// touch changes the tag of container i, and its time if its members are others
// now; it makes the container if there is none.
func (r *right) touch(tx store.Tx, ch *record.Change, i int, contains bool) {
	l := r.line[i]
	next := record.State{Tag: ch.Tag(l.id), Modified: ch.At.Unix()}
	if l.rec != nil {
		next = *l.rec
		next.Tag = ch.Tag(l.id)
		if contains {
			next.Modified = ch.At.Unix()
		}
	}
	r.save(tx, ch, i, &next)
}

// Delete implements ldp.Backend.
func (p *Pod) Delete(ctx context.Context, who acl.Agent, req ldp.Delete) error {
	if req.ID.First() == spaces {
		return refusal(who)
	}
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return err
	}
	err = p.write(ctx, who, req.ID, func(tx store.Tx) (Action, ldp.ID, error) {
		return DidDelete, req.ID, p.delete(ctx, tx, &ch, who, req)
	})
	if isEvidence(req.ID) {
		p.wake(err)
	}
	return err
}

func (p *Pod) delete(ctx context.Context, tx store.Tx, ch *record.Change, who acl.Agent, req ldp.Delete) error {
	r, err := p.look(tx, who, req.ID, true)
	if err != nil {
		return err
	}
	if err := r.mayDelete(); err != nil {
		return err
	}
	if err := p.canGo(tx, r); err != nil {
		return err
	}
	tag, modified := r.rec.Validators()
	if err := req.Cond.Check(tag, modified); err != nil {
		return err
	}
	if isEvidence(r.id) {
		if err := p.endEvidence(ctx, tx, r.id); err != nil {
			return err
		}
	}
	less, err := r.shrinkage(tx)
	if err == nil {
		err = p.charge(tx, r, -less)
	}
	if err != nil {
		return err
	}
	if r.aux == "" && r.home.Watched(r.now) {
		rules, err := tx.Get(record.RulesKey(r.id))
		if err != nil {
			return err
		}
		r.former = rules[0]
	}
	r.remove(tx, ch)
	if err := p.journal(tx, r); err != nil {
		return err
	}
	if r.rec.Digest != "" {
		return p.sweepSoon(tx)
	}
	return nil
}

// canGo refuses to remove what has to stay.
func (p *Pod) canGo(tx store.Tx, r *right) error {
	root := r.line[0].id == record.RootOf(r.id)
	switch {
	case root && r.aux != ldp.MetaSuffix:
		return ldp.Refuse(ldp.NotAllowed, "The pod's root container and its ACL can't be deleted.")
	case isEvidence(r.id) && (r.aux != "" || r.id.IsContainer()):
		return fixed()
	case p.isProfile(r):
		return ldp.Refuse(ldp.Conflict, "This document says who the owner of the pod is. It can be changed, and not deleted.")
	case r.aux != "" || !r.id.IsContainer():
		return nil
	}
	members, err := tx.Scan(record.MembersKey(r.id), "", 1)
	if err == nil && len(members) > 0 {
		err = ldp.Refuse(ldp.Conflict, "The container is not empty. Delete what it holds first.")
	}
	return err
}

// remove takes away the resource and what belongs to it.
func (r *right) remove(tx store.Tx, ch *record.Change) {
	tx.Delete(record.RecordKey(r.id))
	r.did(ch, Deleted, r.id, "", "")
	if r.aux == ldp.ACLSuffix {
		tx.Delete(record.RulesKey(r.line[0].id))
	}
	if r.aux != "" {
		return
	}
	tx.Delete(record.RulesKey(r.id))
	tx.Delete(record.RecordKey(r.id + ldp.ACLSuffix))
	tx.Delete(record.RecordKey(r.id + ldp.MetaSuffix))
	tx.Delete(record.MembersKey(r.line[1].id) + r.id.Name())
	r.did(ch, Removed, r.id, r.line[1].id, "")
	r.touch(tx, ch, 1, true)
}

// Describe implements ldp.Backend.
func (p *Pod) Describe(id ldp.ID) ldp.Description {
	if id.First() == spaces {
		return p.spaceDescription(id)
	}
	if isStorageDescription(id) {
		return ldp.Description{Storage: id, Methods: []string{"GET", "HEAD", "OPTIONS"}}
	}
	subject, aux := id.Subject()
	root := record.RootOf(id)
	d := ldp.Description{
		Storage: root + storageDescription,
		Root:    id == root,
		Methods: []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"},
	}
	switch {
	case aux == "":
		d.ACL, d.DescribedBy = id+ldp.ACLSuffix, id+ldp.MetaSuffix
	case aux == ldp.MetaSuffix:
		d.ACL = subject + ldp.ACLSuffix
	case aux == ldp.ACLSuffix:
		d.Conditions = []string{acl.ClientCondition, acl.IssuerCondition}
	}
	switch id {
	case root, root + card:
		d.Inbox = root + inbox
	case root + inbox:
		d.AcceptPost = []string{rdf.JSONLD.MediaType(), rdf.Turtle.MediaType()}
	}
	if id.IsContainer() {
		d.Methods = append(d.Methods, "POST")
	}
	switch {
	case isEvidence(id) && aux == "" && !id.IsContainer():
		d.Methods = []string{"GET", "HEAD", "OPTIONS", "DELETE"}
	case isEvidence(id):
		d.Methods = []string{"GET", "HEAD", "OPTIONS"}
	case subject == root && aux != ldp.MetaSuffix:
		d.Methods = without(d.Methods, "DELETE")
	}
	return d
}

func without(list []string, s string) []string {
	var rest []string
	for _, x := range list {
		if x != s {
			rest = append(rest, x)
		}
	}
	return rest
}

// spaces is the first segment of the paths of pairwise spaces.
const spaces = "w"

// reservedPath reports whether the server itself answers for a path of a pod, or
// keeps there what others delivered.
func reservedPath(id ldp.ID) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(id), string(record.RootOf(id))), "/")
	return name == ".well-known" || name+"/" == evidences
}
