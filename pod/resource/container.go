// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"unicode/utf8"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
	"skrin/pod/vocab"
)

// A listing is read in pages of so many members.
const Page = 256

// List adds to res what a container holds after a member, or all of it. The first page comes from the
// transaction that permitted it; each later one from one of its own, by view,
// which decides again. Of a container that changes meanwhile a listing may show some changes
// and not others.
func (tree *Tree) List(ctx context.Context, tx store.Tx, r *Right, res *ldp.Resource, after ldp.ID, view func(func(store.Tx) error) error) error {
	own, err := tree.own(ctx, r)
	if err != nil {
		return err
	}
	res.Graph, res.Type, res.Size = own, "", -1
	first, err := members(tx, r.id, after.Name())
	if err != nil {
		return err
	}
	next := func(after string) (found []ldp.Member, err error) {
		err = view(func(tx store.Tx) error {
			if _, err := tree.May(tx, r.who, acl.Read, r.id); err != nil {
				return err
			}
			found, err = members(tx, r.id, after)
			return err
		})
		return found, err
	}
	res.Members = func(yield func(ldp.Member, error) bool) {
		for found := first; ; {
			for _, m := range found {
				if !yield(m, nil) {
					return
				}
			}
			if len(found) < Page {
				return
			}
			var err error
			if found, err = next(found[len(found)-1].ID.Name()); err != nil {
				yield(ldp.Member{}, err)
				return
			}
		}
	}
	return nil
}

// members returns the members that come after a name, at most a page.
func members(tx store.Tx, container ldp.ID, after string) ([]ldp.Member, error) {
	prefix := record.MembersKey(container)
	if after != "" {
		after = prefix + after
	}
	pairs, err := tx.Scan(prefix, after, Page)
	if err != nil {
		return nil, err
	}
	found := make([]ldp.Member, len(pairs))
	for i, pair := range pairs {
		if found[i], err = record.DecodeMember(container+ldp.ID(pair.Key[len(prefix):]), pair.Value); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// own returns the container's own triples.
func (tree *Tree) own(ctx context.Context, r *Right) (*rdf.Graph, error) {
	if r.Rec == nil || len(r.Rec.Body) == 0 {
		return new(rdf.Graph), nil
	}
	return rdf.Read(ctx, r.Rec.Body, rdf.NTriples, "", rdf.Limits{})
}

// managed are the properties of a container and of its members that the server
// keeps (Solid Protocol, section 4.2.1).
var managed = []string{vocab.Stat + "size", vocab.Stat + "mtime", vocab.DCT + "modified"}

// keepOwn makes c a container's own triples. What the server itself says of the
// container and its members is left out, so that what was read can be put back:
// with no member or with all of them. What would change them is refused (Solid
// Protocol, sections 5.3 and 4.2.1).
func (tree *Tree) keepOwn(tx store.Tx, rec *record.State, r *Right, c *Content) error {
	if len(c.Data.Names()) > 0 {
		return ldp.Refuse(ldp.Unprocessable, "A container has no named graphs.")
	}
	said, err := tree.said(tx, r, c.Data.Default())
	if err != nil {
		return err
	}
	self, own := tree.url(r.id), new(rdf.Graph)
	for t := range c.Data.Default().All() {
		switch {
		case said.Has(t.S, t.P, t.O):
		case t.P.Value == vocab.LDP+"contains":
			return ldp.Refuse(ldp.Conflict, "What a container contains (ldp:contains) can't be written. Make or delete the members themselves.")
		case t.S.Value != self && strings.HasPrefix(t.S.Value, self) && !strings.HasPrefix(t.S.Value, self+"#") && slices.Contains(managed, t.P.Value):
			return ldp.Refuse(ldp.Conflict, "The size and time of a container's members can't be written.")
		case t.S.Value == self && (slices.Contains(managed, t.P.Value) || t.P.Value == vocab.Type && serverType(t.O)):
		default:
			own.Add(t.S, t.P, t.O)
		}
	}
	body, err := rdf.Write(own, rdf.NTriples, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	if len(body) > 4*Inline {
		return TooLarge(Inline)
	}
	rec.Media, rec.Digest, rec.Body, rec.Size = "", "", body, 0
	if r.Rec != nil {
		rec.Modified = r.Rec.Modified // follows containment alone (Solid Protocol, section 4.2.1)
	}
	return nil
}

// said returns what the listing says of a container's members, if sent names all
// of them; else nothing. No container is larger than what could be sent, so it
// takes one Scan.
func (tree *Tree) said(tx store.Tx, r *Right, sent *rdf.Graph) (*rdf.Graph, error) {
	said, self, n := new(rdf.Graph), rdf.IRI(tree.url(r.id)), 0
	contains := rdf.IRI(vocab.LDP + "contains")
	for t := range sent.All() {
		if t.S == self && t.P == contains {
			n++
		}
	}
	if n == 0 || r.Rec == nil {
		return said, nil
	}
	prefix := record.MembersKey(r.id)
	pairs, err := tx.Scan(prefix, "", n+1)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		m, err := record.DecodeMember(r.id+ldp.ID(pair.Key[len(prefix):]), pair.Value)
		if err != nil {
			return nil, err
		}
		if !sent.Has(self, contains, rdf.IRI(tree.url(m.ID))) {
			return new(rdf.Graph), nil
		}
		said.Add(self, contains, rdf.IRI(tree.url(m.ID)))
		saidOf(said, rdf.IRI(tree.url(m.ID)), m)
	}
	return said, nil
}

// saidOf adds what a listing says of one member.
func saidOf(g *rdf.Graph, member rdf.Term, m ldp.Member) {
	for _, t := range []string{"Resource", "Container", "BasicContainer"} {
		g.Add(member, rdf.IRI(vocab.Type), rdf.IRI(vocab.LDP+t))
	}
	if !m.ID.IsContainer() {
		media, _, _ := strings.Cut(m.Type, ";")
		g.Add(member, rdf.IRI(vocab.Type), rdf.IRI("http://www.w3.org/ns/iana/media-types/"+strings.TrimSpace(media)+"#Resource"))
		g.Add(member, rdf.IRI(vocab.Stat+"size"), rdf.Integer(m.Size))
	}
	g.Add(member, rdf.IRI(vocab.DCT+"modified"), rdf.DateTime(m.Modified))
	g.Add(member, rdf.IRI(vocab.Stat+"mtime"), rdf.Integer(m.Modified.Unix()))
}

// serverType reports whether a container has the type by being one.
func serverType(o rdf.Term) bool {
	switch o.Value {
	case vocab.LDP + "Container", vocab.LDP + "BasicContainer", vocab.LDP + "Resource", vocab.PIM + "Storage":
		return true
	}
	return false
}

// Add makes c a new member of the container that r is the right to.
func (tree *Tree) Add(ctx context.Context, tx store.Tx, ch *record.Change, r *Right, req ldp.Post, c *Content) (done ldp.Written, err error) {
	if err := r.extend(tx, ch, req.Slug, req.Container); err != nil {
		return done, err
	}
	if req.Container && c.Body != nil {
		format, _ := rdf.FormatOf(c.Media)
		if c.Data, err = tree.Parse(ctx, c.Body, format, r.id); err != nil {
			return done, err
		}
	}
	return tree.Write(ctx, tx, ch, r, c)
}

// MayPost refuses unless the agent may append to the container, and then unless
// it is one.
func (r *Right) MayPost(req ldp.Post) error {
	if err := r.Need(0, acl.Append); err != nil {
		return err
	}
	switch {
	case !r.id.IsContainer():
		return ldp.Refuse(ldp.NotAllowed, "Only a container takes a POST. Its URL ends with a slash.")
	case IsEvidence(r.id):
		return Fixed()
	case r.Rec == nil:
		return r.mayRead()
	case req.Fault != nil:
		return req.Fault
	}
	if name := segment(req.Slug); strings.HasSuffix(name, ldp.ACLSuffix) || strings.HasSuffix(name, ldp.MetaSuffix) {
		return ldp.Refuse(ldp.Forbidden, "A name that ends in .acl or .meta is an auxiliary resource's. Choose another Slug.")
	}
	tag, modified := r.Rec.Validators()
	return req.Cond.Check(tag, modified)
}

// extend turns the right to a container into that to a new member of it.
func (r *Right) extend(tx store.Tx, ch *record.Change, slug string, container bool) error {
	random := store.IDEncoding.EncodeToString(ch.Derive("name", string(r.id))[:16])
	name := segment(slug)
	candidates := []string{name, random[:8] + "-" + name}
	if name == "" {
		candidates = []string{random}
	}
	for _, name := range candidates {
		id, err := ldp.ParseID(string(r.id) + name)
		if err != nil {
			return err
		}
		if container {
			id += "/"
		}
		taken, err := tx.Get(record.RecordKey(id), record.RecordKey(id.Twin()))
		if err != nil {
			return err
		}
		if taken[0] == nil && taken[1] == nil && !ReservedPath(id) {
			r.id, r.Rec = id, nil
			r.line = slices.Insert(r.line, 0, link{ID: id})
			return nil
		}
	}
	return ldp.Refuse(ldp.Conflict, "The name is taken. Choose another Slug.")
}

// segment returns the Slug as a segment of a path, at most 200 bytes of it; ""
// if nothing of it can be one.
func segment(slug string) string {
	const hex = "0123456789ABCDEF"
	slug = strings.Trim(slug, " /\t\r\n")
	if !utf8.ValidString(slug) || strings.Trim(slug, ".") == "" {
		return ""
	}
	var b strings.Builder
	for _, c := range slug {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == '/' || c == '\\' {
			c = '-'
		}
		part := string(c)
		if c >= 0x80 || !strings.ContainsRune("-._~!$&'()*+,;=:@", c) && !isAlnum(c) {
			var e strings.Builder
			for _, octet := range []byte(part) {
				e.Write([]byte{'%', hex[octet>>4], hex[octet&15]})
			}
			part = e.String()
		}
		if b.Len()+len(part) > 200 {
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

func isAlnum(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// A Once is what makes a repeated POST do no second thing. The zero Once
// remembers nothing.
type Once struct {
	today, yesterday string // keys
	day              string // what all keys of today begin with
	print            string // digest of what was sent
}

// OnceOf returns what a request can be told by again, as who sends it.
func OnceOf(who acl.Agent, req ldp.Post, c *Content, ch *record.Change) Once {
	if req.Key == "" || !who.Known() {
		return Once{}
	}
	hash := func(parts ...string) string {
		h := sha256.New()
		for _, s := range parts {
			h.Write(store.AppendString(nil, s))
		}
		return string(h.Sum(nil))
	}
	key := hash(string(who.ID), string(req.ID), req.Key)
	day := func(ago int) string { return onceKey + ch.At.AddDate(0, 0, -ago).Format("20060102") }
	return Once{
		today: day(0) + key, yesterday: day(1) + key, day: day(0),
		print: hash(req.Slug, c.Media, c.digest, string(c.Body)),
	}
}

// Repeated returns what came of the same request before, or nothing.
func (tree *Tree) Repeated(tx store.Tx, o Once) (ldp.Written, error) {
	if o.today == "" {
		return ldp.Written{}, nil
	}
	values, err := tx.Get(o.today, o.yesterday)
	if err != nil {
		return ldp.Written{}, err
	}
	for _, v := range values {
		if v == nil {
			continue
		}
		in := store.Reader{Rest: v}
		print, id := in.Text(), ldp.ID(in.Text())
		if in.Err == nil && print != o.print {
			in.Err = ldp.Refuse(ldp.Unprocessable, "The Idempotency-Key was used for another request. Take a new one for each.")
		}
		return ldp.Written{ID: id, Created: true, Description: tree.Supports(id)}, in.Err
	}
	return ldp.Written{}, nil
}

// Remember notes the outcome, and forgets some of those that are too old. first says
// that it may be the first of its day.
func (o Once) Remember(tx store.Tx, id ldp.ID) (first bool, err error) {
	if o.today == "" {
		return false, nil
	}
	tx.Put(o.today, store.AppendString(store.AppendString(nil, o.print), string(id)))
	first = true
	old, err := tx.Scan(onceKey, "", 8)
	for _, pair := range old {
		if pair.Key < o.yesterday[:len(o.day)] {
			tx.Delete(pair.Key)
		}
		first = first && (pair.Key == o.today || !strings.HasPrefix(pair.Key, o.day))
	}
	return first, err
}

const (
	onceKey = "j"
)
