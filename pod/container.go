// SPDX-License-Identifier: EUPL-1.2

package pod

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
const page = 256

// list adds to res what a container holds after a member, or all of it. The first page comes from the
// transaction that permitted it; each later one from its own, which decides
// again. Of a container that changes meanwhile a listing may show some changes
// and not others.
func (p *Pod) list(ctx context.Context, tx store.Tx, r *right, res *ldp.Resource, after ldp.ID) error {
	own, err := p.own(ctx, r)
	if err != nil {
		return err
	}
	res.Graph, res.Type, res.Size = own, "", -1
	first, err := members(tx, r.id, after.Name())
	if err != nil {
		return err
	}
	next := func(after string) (found []ldp.Member, err error) {
		err = p.view(ctx, r.who, r.id, func(tx store.Tx) error {
			if _, err := p.may(tx, r.who, acl.Read, r.id); err != nil {
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
			if len(found) < page {
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
	pairs, err := tx.Scan(prefix, after, page)
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
func (p *Pod) own(ctx context.Context, r *right) (*rdf.Graph, error) {
	if r.rec == nil || len(r.rec.Body) == 0 {
		return new(rdf.Graph), nil
	}
	return rdf.Read(ctx, r.rec.Body, rdf.NTriples, "", rdf.Limits{})
}

// managed are the properties of a container and of its members that the server
// keeps (Solid Protocol, section 4.2.1).
var managed = []string{vocab.Stat + "size", vocab.Stat + "mtime", vocab.DCT + "modified"}

// keepOwn makes c a container's own triples. What the server itself says of the
// container and its members is left out, so that what was read can be put back:
// with no member or with all of them. What would change them is refused (Solid
// Protocol, sections 5.3 and 4.2.1).
func (p *Pod) keepOwn(tx store.Tx, rec *record.State, r *right, c *content) error {
	if len(c.data.Names()) > 0 {
		return ldp.Refuse(ldp.Unprocessable, "A container has no named graphs.")
	}
	said, err := p.said(tx, r, c.data.Default())
	if err != nil {
		return err
	}
	self, own := p.url(r.id), new(rdf.Graph)
	for t := range c.data.Default().All() {
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
	if len(body) > 4*inline {
		return tooLarge(inline)
	}
	rec.Media, rec.Digest, rec.Body, rec.Size = "", "", body, 0
	if r.rec != nil {
		rec.Modified = r.rec.Modified // follows containment alone (Solid Protocol, section 4.2.1)
	}
	return nil
}

// said returns what the listing says of a container's members, if sent names all
// of them; else nothing. No container is larger than what could be sent, so it
// takes one Scan.
func (p *Pod) said(tx store.Tx, r *right, sent *rdf.Graph) (*rdf.Graph, error) {
	said, self, n := new(rdf.Graph), rdf.IRI(p.url(r.id)), 0
	contains := rdf.IRI(vocab.LDP + "contains")
	for t := range sent.All() {
		if t.S == self && t.P == contains {
			n++
		}
	}
	if n == 0 || r.rec == nil {
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
		if !sent.Has(self, contains, rdf.IRI(p.url(m.ID))) {
			return new(rdf.Graph), nil
		}
		said.Add(self, contains, rdf.IRI(p.url(m.ID)))
		saidOf(said, rdf.IRI(p.url(m.ID)), m)
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

// Post implements ldp.Backend. The name is the Slug, as far as a path can have it
// and no other member has; else a random one. With a Key, a request that repeats
// one of the same agent within a day or two is answered as that was; a stranger's
// Key is ignored, since anybody might repeat it.
func (p *Pod) Post(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return p.spacePost(ctx, who, req)
	}
	check := func(tx store.Tx) (*right, error) {
		r, err := p.look(tx, who, req.ID, true)
		if err != nil {
			return nil, err
		}
		return r, r.mayPost(req)
	}
	var podID string
	sends := false
	err := p.view(ctx, who, req.ID, func(tx store.Tx) error {
		podID = tx.Pod()
		r, err := check(tx)
		if sends = err == nil && r.isSender(); sends {
			err = notification(req.Type, req.Container, req.Size)
		}
		if err == nil {
			err = p.hasRoom(tx, req.Size, nil)
		}
		return err
	})
	if err != nil {
		return ldp.Written{}, err
	}
	like := req.ID + "new" // the name isn't known yet, and doesn't matter to whether the body can be read
	if req.Container {
		like += "/"
	}
	c, err := p.take(ctx, podID, like, req.Type, req.Body, req.Size, sends)
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
		if err != nil {
			return "", "", err
		}
		once := keyOf(who, req, c, &ch)
		if done, err = p.repeated(tx, once); err != nil || done.ID != "" {
			return "", "", err
		}
		if done, err = p.add(ctx, tx, &ch, r, req, c); err != nil {
			return "", "", err
		}
		return DidWrite, done.ID, once.remember(tx, done.ID)
	})
	return done, err
}

// add makes c a new member of the container that r is the right to.
func (p *Pod) add(ctx context.Context, tx store.Tx, ch *record.Change, r *right, req ldp.Post, c *content) (done ldp.Written, err error) {
	if err := r.extend(tx, ch, req.Slug, req.Container); err != nil {
		return done, err
	}
	if req.Container && c.body != nil {
		format, _ := rdf.FormatOf(c.media)
		if c.data, err = p.parse(ctx, c.body, format, r.id); err != nil {
			return done, err
		}
	}
	return p.store(ctx, tx, ch, r, c)
}

// mayPost refuses unless the agent may append to the container, and then unless
// it is one.
func (r *right) mayPost(req ldp.Post) error {
	if err := r.need(0, acl.Append); err != nil {
		return err
	}
	switch {
	case !r.id.IsContainer():
		return ldp.Refuse(ldp.NotAllowed, "Only a container takes a POST. Its URL ends with a slash.")
	case isEvidence(r.id):
		return fixed()
	case r.rec == nil:
		return r.mayRead()
	case req.Fault != nil:
		return req.Fault
	}
	if name := segment(req.Slug); strings.HasSuffix(name, ldp.ACLSuffix) || strings.HasSuffix(name, ldp.MetaSuffix) {
		return ldp.Refuse(ldp.Forbidden, "A name that ends in .acl or .meta is an auxiliary resource's. Choose another Slug.")
	}
	tag, modified := r.rec.Validators()
	return req.Cond.Check(tag, modified)
}

// extend turns the right to a container into that to a new member of it.
func (r *right) extend(tx store.Tx, ch *record.Change, slug string, container bool) error {
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
		if taken[0] == nil && taken[1] == nil && !reservedPath(id) {
			r.id, r.rec = id, nil
			r.line = slices.Insert(r.line, 0, link{id: id})
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

// A once is what makes a repeated POST do no second thing. The zero once
// remembers nothing.
type once struct {
	today, yesterday string // keys
	day              string // what all keys of today begin with
	print            string // digest of what was sent
}

func keyOf(who acl.Agent, req ldp.Post, c *content, ch *record.Change) once {
	if req.Key == "" || !who.Known() {
		return once{}
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
	return once{
		today: day(0) + key, yesterday: day(1) + key, day: day(0),
		print: hash(req.Slug, c.media, c.digest, string(c.body)),
	}
}

// repeated returns what came of the same request before, or nothing.
func (p *Pod) repeated(tx store.Tx, o once) (ldp.Written, error) {
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
		return ldp.Written{ID: id, Created: true, Description: p.Describe(id)}, in.Err
	}
	return ldp.Written{}, nil
}

// remember notes the outcome, and forgets some of those that are too old.
func (o once) remember(tx store.Tx, id ldp.ID) error {
	if o.today == "" {
		return nil
	}
	tx.Put(o.today, store.AppendString(store.AppendString(nil, o.print), string(id)))
	old, err := tx.Scan(onceKey, "", 8)
	for _, pair := range old {
		if pair.Key < o.yesterday[:len(o.day)] {
			tx.Delete(pair.Key)
		}
	}
	return err
}

const (
	onceKey = "j"
)
