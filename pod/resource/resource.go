// SPDX-License-Identifier: EUPL-1.2

package resource

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
	Inline        = 64 << 10  // a longer body goes to Blobs; also what a container's own triples and a patch's group may take
	maxMediaType  = 255       // bytes
	DefaultBytes  = 512 << 20 // of Pod.MaxBytes
	DefaultJSONLD = 1 << 20   // of Pod.MaxJSONLD
	DefaultRDF    = 8 << 20   // of Pod.MaxRDF
)

// Offers returns the media types in which a resource can be had: as it is stored
// first.
func Offers(r *Right) []string {
	switch format, ok := rdf.FormatOf(r.Rec.Media); {
	case r.id.IsContainer() || ok && r.Rec.Media == turtleFirst[0]:
		return turtleFirst
	case ok && format == rdf.JSONLD:
		return []string{r.Rec.Media, rdf.Turtle.MediaType()}
	case ok && format == rdf.Turtle:
		return []string{r.Rec.Media, rdf.JSONLD.MediaType()}
	case ok:
		return []string{r.Rec.Media, rdf.Turtle.MediaType(), rdf.JSONLD.MediaType()}
	}
	return []string{r.Rec.Media}
}

var turtleFirst = []string{rdf.Turtle.MediaType(), rdf.JSONLD.MediaType()}

// Describe returns the resource without its content.
func (tree *Tree) Describe(r *Right) *ldp.Resource {
	tag, modified := r.Rec.Validators()
	res := &ldp.Resource{ID: r.id, Type: r.Rec.Media, Tag: tag, Modified: modified, Size: r.Rec.Size, Description: tree.Description(r)}
	res.Modes, res.Public = r.modes()
	if torn := r.torn(); torn != "" && res.Modes.Has(acl.Control) {
		res.Notice = "The ACL document " + string(torn) + " is damaged, so that nobody but the owner has access. Write it anew."
	}
	return res
}

// Description is what supports tells, and what follows from what is stored.
func (tree *Tree) Description(r *Right) ldp.Description {
	d := tree.Supports(r.id)
	if d.Root {
		d.Owner = string(r.Home.Owner)
	}
	if _, ok := rdf.FormatOf(r.Rec.Media); !ok && !r.id.IsContainer() {
		d.Types = []string{vocab.LDP + "NonRDFSource"}
		d.Methods = without(d.Methods, "PATCH")
	}
	return d
}

// Open returns the content of a resource; the caller closes it.
func (tree *Tree) Open(ctx context.Context, podID string, rec *record.State) (io.ReadCloser, error) {
	if rec.Digest != "" {
		return tree.Blobs.Open(ctx, podID, rec.Digest)
	}
	return seekCloser{bytes.NewReader(rec.Body)}, nil
}

// Fits refuses what can't be written whoever asks: what would stand beside its
// twin, an auxiliary resource of nothing or of another; and what the request's
// form or conditions forbid.
func (r *Right) Fits(cond ldp.Conditions, fault error, nonRDF bool) error {
	if fault != nil {
		return fault
	}
	if err := r.FitsPath(); err != nil {
		return err
	}
	if nonRDF && (r.id.IsContainer() || r.aux != "") {
		return ldp.Refuse(ldp.Conflict, "This can only be an RDF source. Leave out the Link header that asks for a non-RDF source.")
	}
	tag, modified := r.Rec.Validators()
	if r.Rec == nil && r.aux == ldp.MetaSuffix && cond.NoneMatch == nil {
		tag, _ = new(record.State).Validators() // as who has read it knows it; If-None-Match guards what was written
	}
	return cond.Check(tag, modified)
}

// FitsPath is Fits for the path alone.
func (r *Right) FitsPath() error {
	switch {
	case IsEvidence(r.id):
		return Fixed()
	case ReservedPath(r.id):
		return ldp.Refuse(ldp.NotAllowed, "The server itself keeps what is under .well-known/ and evidence/ here. Choose another path.")
	}
	if r.aux != "" {
		if _, nested := r.line[0].ID.Subject(); nested != "" {
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

// A Content is a body that has been taken in and is to become a resource.
type Content struct {
	Media  string
	Body   []byte // nil if it is in a blob
	digest string
	Size   int64
	Data   *rdf.Dataset // what it says, if it is RDF
}

// Take reads a body, checks it and stores it as a blob if it is large: durable,
// and seen by nobody. Of a small one, it takes no more than the store does.
func (tree *Tree) Take(ctx context.Context, podID string, id ldp.ID, media string, body io.Reader, size int64, small bool) (*Content, error) {
	if media == "" && id.IsContainer() {
		return &Content{Data: new(rdf.Dataset)}, nil
	}
	if _, _, err := mime.ParseMediaType(media); err != nil || len(media) > maxMediaType {
		return nil, ldp.Refuse(ldp.Invalid, "The Content-Type is not a media type, or is longer than 255 bytes.")
	}
	_, aux := id.Subject()
	format, isRDF := rdf.FormatOf(media)
	if !isRDF && (aux != "" || id.IsContainer()) {
		return nil, ldp.Refuse(ldp.Unsupported, "This is an RDF source. Send it as text/turtle or application/ld+json.")
	}
	limit := LimitOf(tree.MaxBytes, DefaultBytes)
	refusal := TooLarge(limit)
	switch {
	case small || aux != "" || id.IsContainer():
		limit, refusal = Inline, TooLarge(Inline)
	case isRDF:
		limit, refusal = tree.limitOf(format)
	}
	if size > limit {
		return nil, refusal
	}
	c := &Content{Media: media}
	body = &counted{body, limit, refusal}
	var err error
	if isRDF {
		c.Body, err = readAll(body, size)
		c.Size = int64(len(c.Body))
	} else {
		c.Body, err = readAll(io.LimitReader(body, Inline+1), size)
		c.Size = int64(len(c.Body))
		if err == nil && c.Size > Inline {
			if err := tree.Door.BeforeBlob(ctx, podID); err != nil {
				return nil, err
			}
			c.digest, c.Size, err = tree.Blobs.Put(ctx, podID, io.MultiReader(bytes.NewReader(c.Body), body), limit)
			c.Body = nil
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, cutShort()
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case size >= 0 && c.Size != size:
		return nil, cutShort()
	case !isRDF:
		return c, nil
	}
	if c.Data, err = tree.parseInTurn(ctx, c.Body, format, id); err != nil {
		return nil, err
	}
	return c, tree.Spill(ctx, podID, c)
}

// readAll is io.ReadAll of what says that it has size bytes, below 0 for not known: it
// makes room for them at once, if they are few, and for more as they come.
func readAll(r io.Reader, size int64) ([]byte, error) {
	const first = 4 << 10
	b := make([]byte, 0, min(max(size, 511), first)+1) // with room to see that there is no more
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

func (tree *Tree) parseInTurn(ctx context.Context, body []byte, format rdf.Format, id ldp.ID) (*rdf.Dataset, error) {
	leave, err := tree.Turns.Enter(ctx, format, len(body))
	if err != nil {
		return nil, err
	}
	defer leave()
	return tree.Parse(ctx, body, format, id)
}

// limitOf returns how many bytes a document of a format may have, and what refuses a
// larger one.
func (tree *Tree) limitOf(format rdf.Format) (limit int64, refusal error) {
	limit = LimitOf(tree.MaxRDF, DefaultRDF)
	less := LimitOf(tree.MaxJSONLD, DefaultJSONLD)
	if format != rdf.JSONLD || less >= limit {
		return limit, TooLarge(limit)
	}
	return less, ldp.Refuse(ldp.TooLarge, fmt.Sprintf("The document is larger than the %d bytes of JSON-LD that are taken, since it takes long to read. Send it as text/turtle, of which %d bytes are taken, or in several resources.", less, limit))
}

// Spill moves a body that is too long for the store to a blob.
func (tree *Tree) Spill(ctx context.Context, podID string, c *Content) (err error) {
	if len(c.Body) > Inline {
		if err := tree.Door.BeforeBlob(ctx, podID); err != nil {
			return err
		}
		c.digest, c.Size, err = tree.Blobs.Put(ctx, podID, bytes.NewReader(c.Body), int64(len(c.Body)))
		c.Body = nil
	}
	return err
}

// LimitOf returns the limit that is set, or else the standard one.
func LimitOf(set, standard int64) int64 {
	if set > 0 {
		return set
	}
	return standard
}

func cutShort() error {
	return ldp.Refuse(ldp.Invalid, "The body is not as long as its Content-Length.")
}

// TooLarge refuses a body that is longer than so many bytes.
func TooLarge(limit int64) error {
	return ldp.Refuse(ldp.TooLarge, fmt.Sprintf("The body is larger than the %d bytes that are allowed here.", limit))
}

// ReadAll reads a body of at most so many bytes; nil for none.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, ldp.Refuse(ldp.Invalid, "The body could not be read to its end.")
	}
	if int64(len(b)) > limit {
		return nil, TooLarge(limit)
	}
	return b, nil
}

// counted reads at most left bytes; one more is an error.
type counted struct {
	r       io.Reader
	left    int64
	refusal error
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b[:min(int64(len(b)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		return 0, c.refusal
	}
	return n, err
}

// rdfLimits are those of a document that somebody sends.
func (tree *Tree) rdfLimits() rdf.Limits {
	return rdf.Limits{Bytes: int(LimitOf(tree.MaxRDF, DefaultRDF)), LoadContext: vocab.Core(tree.Base).LoadContext}
}

// Parse reads RDF as the content of the resource id.
func (tree *Tree) Parse(ctx context.Context, body []byte, format rdf.Format, id ldp.ID) (*rdf.Dataset, error) {
	d, err := rdf.ReadDataset(ctx, body, format, tree.url(id), tree.rdfLimits())
	return d, Unreadable(err)
}

// Unreadable turns the reader's error into one that the sender may see.
func Unreadable(err error) error {
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

// Expect refuses a body that is not to be taken, before a byte of it is read: for which
// there is no room where it takes the place of instead, or that a sender may not put into
// an inbox. It says whether it comes from a sender.
func (tree *Tree) Expect(tx store.Tx, r *Right, media string, container bool, size int64, instead *record.State) (sends bool, err error) {
	if sends = r.isSender(); sends {
		if err := r.notification(media, container, size); err != nil {
			return sends, err
		}
	}
	return sends, tree.hasRoom(tx, size, instead)
}

// Write makes c the state of the resource, with all that follows from it, in one
// transaction.
func (tree *Tree) Write(ctx context.Context, tx store.Tx, ch *record.Change, r *Right, c *Content) (ldp.Written, error) {
	rec := &record.State{Tag: ch.Tag(r.id), Modified: ch.At.Unix(), Media: c.Media, Body: c.Body, Digest: c.digest, Size: c.Size}
	created := r.Rec == nil
	var err error
	switch {
	case created && r.isSender():
		if err = r.notification(c.Media, r.id.IsContainer(), c.Size); err == nil {
			err = tree.countSender(tx, r)
		}
	case r.id.IsContainer():
		err = tree.keepOwn(tx, rec, r, c)
	case r.aux == ldp.ACLSuffix:
		err = tree.compile(tx, r, c)
	case tree.isProfile(r):
		err = tree.protect(r, c)
	}
	if err != nil {
		return ldp.Written{}, err
	}
	if !created && r.Rec.Digest != "" && r.Rec.Digest != rec.Digest {
		if err := tree.Door.Unreferred(tx); err != nil {
			return ldp.Written{}, err
		}
	}
	if err := tree.charge(tx, r, r.growth(rec)); err != nil {
		return ldp.Written{}, err
	}
	if r.aux != "" {
		tx.Put(record.RecordKey(r.id), rec.Encode())
		r.did(ch, made(created), r.id, "", rec.Media)
	} else {
		r.save(tx, ch, 0, rec)
	}
	if err := tree.Door.Written(tx, r); err != nil {
		return ldp.Written{}, err
	}
	tag, modified := rec.Validators()
	return ldp.Written{ID: r.id, Created: created, Tag: tag, Modified: modified, Description: tree.Supports(r.id)}, nil
}

// save makes rec the state of link i, and tells the containers above: a new
// member changes what the container has, and so its time; a change of what its
// listing says of a member changes only its tag.
func (r *Right) save(tx store.Tx, ch *record.Change, i int, rec *record.State) {
	l := &r.line[i]
	old := l.rec
	l.rec = rec
	tx.Put(record.RecordKey(l.ID), rec.Encode())
	if i == 0 || old == nil {
		r.did(ch, made(old == nil), l.ID, "", rec.Media)
	}
	if i+1 == len(r.line) {
		return
	}
	if old == nil {
		r.did(ch, record.Added, l.ID, r.line[i+1].ID, "")
	}
	line := rec.Member()
	if old != nil && bytes.Equal(old.Member(), line) {
		return
	}
	above := r.line[i+1]
	tx.Put(record.MembersKey(above.ID)+l.ID.Name(), line)
	r.touch(tx, ch, i+1, old == nil)
}

// made is the kind of a write.
func made(created bool) string {
	if created {
		return record.Created
	}
	return record.Updated
}

// touch changes the tag of container i, and its time if its members are others
// now; it makes the container if there is none.
func (r *Right) touch(tx store.Tx, ch *record.Change, i int, contains bool) {
	l := r.line[i]
	next := record.State{Tag: ch.Tag(l.ID), Modified: ch.At.Unix()}
	if l.rec != nil {
		next = *l.rec
		next.Tag = ch.Tag(l.ID)
		if contains {
			next.Modified = ch.At.Unix()
		}
	}
	r.save(tx, ch, i, &next)
}

// LookGoing returns the right of who to remove a resource as req asks. It refuses if
// who may not, or if the resource has to stay.
func (tree *Tree) LookGoing(tx store.Tx, who acl.Agent, req ldp.Delete) (*Right, error) {
	r, err := tree.Look(tx, who, req.ID, true)
	if err != nil {
		return nil, err
	}
	if err := r.mayDelete(); err != nil {
		return nil, err
	}
	if err := tree.canGo(tx, r); err != nil {
		return nil, err
	}
	tag, modified := r.Rec.Validators()
	return r, req.Cond.Check(tag, modified)
}

// Remove takes away a resource, and what belongs to it, of which LookGoing has returned
// the right.
func (tree *Tree) Remove(tx store.Tx, ch *record.Change, r *Right) error {
	less, err := r.shrinkage(tx)
	if err != nil {
		return err
	}
	if err := tree.charge(tx, r, -less); err != nil {
		return err
	}
	if err := r.remember(tx); err != nil {
		return err
	}
	r.remove(tx, ch)
	if err := tree.Door.Written(tx, r); err != nil {
		return err
	}
	if r.Rec.Digest == "" {
		return nil
	}
	return tree.Door.Unreferred(tx)
}

// canGo refuses to remove what has to stay.
func (tree *Tree) canGo(tx store.Tx, r *Right) error {
	root := r.line[0].ID == record.RootOf(r.id)
	switch {
	case root && r.aux != ldp.MetaSuffix:
		return ldp.Refuse(ldp.NotAllowed, "The pod's root container and its ACL can't be deleted.")
	case IsEvidence(r.id) && (r.aux != "" || r.id.IsContainer()):
		return Fixed()
	case tree.isProfile(r):
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

// remember keeps the rules of what is about to be removed, if anybody wants to know
// what is done: who might read it by them hears that it is gone.
func (r *Right) remember(tx store.Tx) error {
	if r.aux != "" || !r.Home.Watched(r.Now) {
		return nil
	}
	rules, err := tx.Get(record.RulesKey(r.id))
	if err == nil {
		r.former = rules[0]
	}
	return err
}

// remove takes away the resource and what belongs to it.
func (r *Right) remove(tx store.Tx, ch *record.Change) {
	tx.Delete(record.RecordKey(r.id))
	r.did(ch, record.Deleted, r.id, "", "")
	if r.aux == ldp.ACLSuffix {
		tx.Delete(record.RulesKey(r.line[0].ID))
	}
	if r.aux != "" {
		return
	}
	tx.Delete(record.RulesKey(r.id))
	tx.Delete(record.RecordKey(r.id + ldp.ACLSuffix))
	tx.Delete(record.RecordKey(r.id + ldp.MetaSuffix))
	tx.Delete(record.MembersKey(r.line[1].ID) + r.id.Name())
	r.did(ch, record.Removed, r.id, r.line[1].ID, "")
	r.touch(tx, ch, 1, true)
}

// Supports tells what a path of a standard pod supports, from its form alone.
func (tree *Tree) Supports(id ldp.ID) ldp.Description {
	if IsStorageDescription(id) {
		return ldp.Description{Storage: id, Methods: []string{"GET", "HEAD", "OPTIONS"}}
	}
	subject, aux := id.Subject()
	root := record.RootOf(id)
	d := ldp.Description{
		Storage: root + storageDescription,
		Root:    id == root,
		Methods: documentMethods,
	}
	switch {
	case aux == "":
		d.ACL, d.DescribedBy = id+ldp.ACLSuffix, id+ldp.MetaSuffix
	case aux == ldp.MetaSuffix:
		d.ACL = subject + ldp.ACLSuffix
	case aux == ldp.ACLSuffix:
		d.Conditions = []string{acl.ClientCondition, acl.IssuerCondition}
	}
	switch strings.TrimPrefix(string(id), string(root)) {
	case "", Card:
		d.Inbox = root + Inbox
	case Inbox:
		d.AcceptPost = []string{rdf.JSONLD.MediaType(), rdf.Turtle.MediaType()}
	}
	if id.IsContainer() {
		d.Methods = append(d.Methods, "POST")
	}
	switch {
	case IsEvidence(id) && aux == "" && !id.IsContainer():
		d.Methods = []string{"GET", "HEAD", "OPTIONS", "DELETE"}
	case IsEvidence(id):
		d.Methods = []string{"GET", "HEAD", "OPTIONS"}
	case subject == root && aux != ldp.MetaSuffix:
		d.Methods = without(d.Methods, "DELETE")
	}
	return d
}

// documentMethods are those of a document that is RDF.
var documentMethods = []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}

func without(list []string, s string) []string {
	var rest []string
	for _, x := range list {
		if x != s {
			rest = append(rest, x)
		}
	}
	return rest
}

// ReservedPath reports whether the server itself answers for a path of a pod, or
// keeps there what others delivered.
func ReservedPath(id ldp.ID) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(id), string(record.RootOf(id))), "/")
	return name == ".well-known" || name+"/" == EvidenceFolder
}

// What authorities delivered is in the person's own pod under evidence/, as RDF
// (2026-11):
//
//   - It is to be read there and not written: it is what was signed.
//   - It is shared by consents alone, never by an ACL document. One can't say
//     which fields, what for and until when; and an app that was given a folder
//     above it would have been given it too. So evidence/ has an ACL document of
//     its own, which names the owner and can't be changed.
//   - The owner removes a piece by DELETE. That ends, in one transaction, the
//     evidence with all its signed forms, and every consent under which it would
//     be read now, standing ones too; each is logged, and each consumer told, as
//     where the person withdraws it. What is delivered later, nobody reads before
//     the person is asked again.
//
// We gave up that a person can file evidence elsewhere, or annotate it, without
// making a copy; a copy is a document of the person's and no evidence.
const EvidenceFolder = "evidence/"

// IsEvidence reports whether a path is evidence/, or in it.
func IsEvidence(id ldp.ID) bool {
	path, ok := strings.CutPrefix(string(id), string(record.RootOf(id)))
	return ok && strings.HasPrefix(path, EvidenceFolder)
}

// Fixed refuses what can't be done under evidence/.
func Fixed() error {
	return ldp.Refuse(ldp.NotAllowed, "What authorities delivered is kept as they signed it, and is shared on the pages of this server alone. It can be read and deleted here.")
}

// SetBody makes b the content of a resource.
func SetBody(res *ldp.Resource, b []byte) {
	res.Size = int64(len(b))
	res.Body = seekCloser{bytes.NewReader(b)}
}

// A seekCloser is a body in memory.
type seekCloser struct{ *bytes.Reader }

func (seekCloser) Close() error { return nil }
