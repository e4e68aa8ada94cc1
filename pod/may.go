// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
)

// A right is all that decides what an agent may do to one resource, as one
// transaction saw it.
type right struct {
	who  acl.Agent
	now  time.Time
	home record.Home
	id   ldp.ID // what was asked for
	aux  string // its suffix, if it is an auxiliary resource

	// line is the resource, or what the auxiliary resource belongs to; its
	// container; and so on up to the root.
	line    []link
	rec     *record.State // of id; nil if there is none
	used    []byte        // what is under usedKey; read only for writing
	unasked []string      // groups that would have to be asked elsewhere
	done    []Activity    // what a write has done, if anybody wants to know
	former  []byte        // the rules of what is deleted, if anybody wants to know
}

// A link is one resource of a line.
type link struct {
	id    ldp.ID
	rec   *record.State // nil if there is none; read only for writing
	twin  bool          // there is one that differs in the slash; read only for writing
	rules []acl.Grant   // of its own ACL document; nil if it has none
	torn  bool          // it has one that can't be read, and that grants nothing
}

// may returns the right of who to do all of mode to the resource, or to what the
// auxiliary resource belongs to, whether that exists or not. Else it returns an
// error that is the same whatever is there.
func (p *Pod) may(tx store.Tx, who acl.Agent, mode acl.Mode, id ldp.ID) (*right, error) {
	r, err := p.look(tx, who, id, false)
	if err != nil {
		return nil, err
	}
	return r, r.need(0, mode)
}

// look reads, in one round trip, all that decides about a resource: the ACL
// documents of it and of all containers above; for writing also what exists of
// these.
func (p *Pod) look(tx store.Tx, who acl.Agent, id ldp.ID, writing bool) (*right, error) {
	subject, aux := id.Subject()
	r := &right{who: who, now: p.Now(), id: id, aux: aux}
	root := record.RootOf(id)
	depth := strings.Count(string(subject), "/")
	r.line = make([]link, 0, depth)
	keys := append(make([]string, 0, 3+3*depth), record.HomeKey, record.RecordKey(id))
	if writing {
		keys = append(keys, usedKey)
	}
	for up := subject; len(up) >= len(root); up = up.Parent() {
		r.line = append(r.line, link{id: up})
		keys = append(keys, record.RulesKey(up))
		if writing && up != id {
			keys = append(keys, record.RecordKey(up))
		}
		if writing {
			keys = append(keys, record.RecordKey(up.Twin()))
		}
	}
	if len(r.line) == 0 || r.line[len(r.line)-1].id != root {
		return nil, refusal(who) // "/pod" without a slash, or above every pod
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, err
	}
	if err := r.fill(values, writing); err != nil {
		return nil, fmt.Errorf("look at %s: %w", id, err)
	}
	return r, p.expandGroups(tx, r)
}

// fill takes the values in the order in which look asked for them. To read, only
// the nearest ACL document counts, so those above it are not looked at.
func (r *right) fill(values [][]byte, writing bool) (err error) {
	next := func() []byte { v := values[0]; values = values[1:]; return v }
	if r.home, err = record.DecodeHome(next()); err != nil {
		return err
	}
	if r.home.Moved != "" {
		return movedTo(r.home.Moved, strings.TrimPrefix(string(r.id), string(record.RootOf(r.id))))
	}
	if r.rec, err = record.DecodeState(next()); err != nil {
		return err
	}
	if writing {
		r.used = next()
	}
	decided := false
	for i := range r.line {
		l := &r.line[i]
		value := next()
		if decided {
			continue
		}
		if l.rules, err = record.DecodeRules(l.id, value); err != nil {
			l.rules, l.torn = []acl.Grant{}, true
		}
		if !writing {
			decided = l.rules != nil
			continue
		}
		if l.rec = r.rec; l.id != r.id {
			if l.rec, err = record.DecodeState(next()); err != nil {
				return err
			}
		}
		l.twin = next() != nil
	}
	return nil
}

// grants returns what is in effect on link i: what its own ACL document says, or
// else the nearest above it that has one (Web Access Control, section 5.1).
func (r *right) grants(i int) []acl.Grant {
	if !r.home.Leaves.IsZero() {
		return nil // it is the owner's alone
	}
	for _, l := range r.line[i:] {
		if l.rules != nil {
			return l.rules
		}
	}
	return nil
}

// owner is the grant by which the owner is never locked out of link i.
func (r *right) owner(i int) []acl.Grant {
	return []acl.Grant{{To: r.home.Owner, On: string(r.line[i].id), Modes: acl.Read | acl.Write | acl.Control, Because: "owner"}}
}

// torn returns the ACL document that is in effect, if it can't be read.
func (r *right) torn() ldp.ID {
	for _, l := range r.line {
		if l.rules != nil && l.torn {
			return l.id + ldp.ACLSuffix
		}
		if l.rules != nil {
			break
		}
	}
	return ""
}

// allows reports whether the agent may do all of mode to link i.
func (r *right) allows(i int, mode acl.Mode) bool {
	path := string(r.line[i].id)
	if _, ok := acl.Decide(r.grants(i), r.who, mode, path, r.now); ok {
		return true
	}
	_, ok := acl.Decide(r.owner(i), r.who, mode, path, r.now)
	return ok
}

// need refuses unless the agent may do all of mode to link i. An ACL document
// takes Control, whatever is done to it.
func (r *right) need(i int, mode acl.Mode) error {
	if r.aux == ldp.ACLSuffix {
		mode = acl.Control
	}
	switch {
	case r.allows(i, mode):
		return nil
	case r.unasked != nil:
		return &unasked{refusal(r.who), r.unasked}
	}
	return refusal(r.who)
}

// modes returns what the agent, and everybody, may do to the resource.
func (r *right) modes() (user, public acl.Mode) {
	grants, path := r.grants(0), string(r.line[0].id)
	user = acl.Modes(grants, r.who, path, r.now) | acl.Modes(r.owner(0), r.who, path, r.now)
	public = acl.Modes(grants, acl.Agent{Origin: r.who.Origin}, path, r.now)
	if r.aux == ldp.ACLSuffix {
		return controlled(user), controlled(public)
	}
	return user, public
}

// controlled says what may be done to an ACL document by whoever has m on what
// it belongs to: everything or nothing.
func controlled(m acl.Mode) acl.Mode {
	if m.Has(acl.Control) {
		return acl.Read | acl.Append | acl.Write | acl.Control
	}
	return 0
}

// mayRead refuses unless the resource may be read, and then unless it is there.
func (r *right) mayRead() error {
	if err := r.need(0, acl.Read); err != nil {
		return err
	}
	if r.rec == nil {
		return absent()
	}
	return nil
}

// mayGet is mayRead for who wants the content. What describes a resource is linked
// from it, and so can be had from the beginning, empty (LDP, 5.2.3.12): it is not
// there to be deleted, and who writes it makes it. Its tag is zero.
func (r *right) mayGet(tx store.Tx) error {
	err := r.mayRead()
	subject := r.line[0].id
	if _, nested := subject.Subject(); r.rec != nil || r.aux != ldp.MetaSuffix || nested != "" || ldp.KindOf(err) != ldp.NotFound {
		return err
	}
	values, failed := tx.Get(record.RecordKey(subject))
	if failed != nil {
		return failed
	}
	described, failed := record.DecodeState(values[0])
	if failed != nil || described == nil {
		return cmp.Or(failed, err)
	}
	r.rec = &record.State{Modified: described.Modified, Media: rdf.Turtle.MediaType()}
	return nil
}

// mayWrite refuses unless the agent may change the resource, which takes update;
// or make it, which takes create on it and Append on the container, and Append
// likewise on every container that must be made on the way.
func (r *right) mayWrite(update, create acl.Mode) error {
	switch {
	case r.rec != nil:
		return r.need(0, update)
	case r.aux != "":
		return r.need(0, create)
	}
	if err := r.need(0, create); err != nil {
		return err
	}
	for i := 1; i < len(r.line); i++ {
		if err := r.need(i, acl.Append); err != nil || r.line[i].rec != nil {
			return err
		}
	}
	return nil
}

// mayDelete refuses unless the agent may remove the resource: Write on it and on
// its container, and Read too on a container. Whoever may read it is told that it
// isn't there.
func (r *right) mayDelete() error {
	if r.rec == nil {
		return r.mayRead()
	}
	mode := acl.Write
	if r.id.IsContainer() {
		mode |= acl.Read
	}
	if err := r.need(0, mode); err != nil || r.aux != "" || len(r.line) == 1 {
		return err
	}
	return r.need(1, acl.Write)
}

func absent() error { return ldp.Refuse(ldp.NotFound, "There is no such resource.") }

// view is Store.View on the pod that a path is in. Where there is no such pod, the
// answer is the same as where there is one that the agent may not see.
func (p *Pod) view(ctx context.Context, who acl.Agent, id ldp.ID, fn func(store.Tx) error) error {
	return p.knowingly(ctx, who, fn, func(fn func(store.Tx) error) error {
		return p.Store.View(ctx, store.Name("pod/"+id.First()), fn)
	})
}

// update is Store.Update likewise.
func (p *Pod) update(ctx context.Context, who acl.Agent, id ldp.ID, fn func(store.Tx) error) error {
	return p.knowingly(ctx, who, fn, func(fn func(store.Tx) error) error {
		return p.Store.Update(ctx, store.Name("pod/"+id.First()), fn)
	})
}

// knowingly runs a transaction; and once more if whether it is permitted hangs on
// groups whose documents are elsewhere, which are asked between the two: no
// transaction waits for the network.
func (p *Pod) knowingly(ctx context.Context, who acl.Agent, fn func(store.Tx) error, run func(func(store.Tx) error) error) error {
	err := run(fn)
	if ask := (*unasked)(nil); errors.As(err, &ask) {
		found := p.find(ctx, who, ask.groups)
		err = run(func(tx store.Tx) error { return fn(&knowing{tx, found}) })
	}
	if errors.Is(err, store.ErrNoPod) {
		return refusal(who)
	}
	return err
}

// expandGroups makes of each grant to a group that has the agent as a member a
// grant to the agent. Groups of the same pod are read in the transaction, if their
// document is RDF of at most [inline] bytes; others must have been found before.
func (p *Pod) expandGroups(tx store.Tx, r *right) error {
	if !r.who.Known() {
		return nil
	}
	member, keys := map[string]bool{}, []string{}
	var here []string
	known, _ := tx.(*knowing)
	for _, l := range r.line {
		for _, g := range l.rules {
			id, local := p.local(g.Group)
			_, seen := member[g.Group]
			switch {
			case g.Group == "" || seen || len(member) == maxGroups:
				continue
			case local && record.RootOf(id) == record.RootOf(r.id):
				here, keys = append(here, g.Group), append(keys, record.RecordKey(id))
			case known == nil && p.Groups != nil:
				r.unasked = append(r.unasked, g.Group)
			}
			member[g.Group] = known != nil && known.found[g.Group]
		}
	}
	if err := p.readGroups(tx, r.who, here, keys, member); err != nil {
		return err
	}
	for i := range r.line {
		for j, g := range r.line[i].rules {
			if member[g.Group] {
				r.line[i].rules[j] = g.For(r.who.ID)
			}
		}
	}
	return nil
}

func (p *Pod) readGroups(tx store.Tx, who acl.Agent, groups, keys []string, member map[string]bool) error {
	if len(groups) == 0 {
		return nil
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return err
	}
	for i, group := range groups {
		rec, err := record.DecodeState(values[i])
		if err != nil {
			return err
		}
		member[group] = p.hasMember(rec, group, who.ID)
	}
	return nil
}

// local returns the path of an IRI of this server, without its fragment.
func (p *Pod) local(iri string) (ldp.ID, bool) {
	path, ok := strings.CutPrefix(iri, p.Base)
	if !ok {
		return "", false
	}
	path, _, _ = strings.Cut(path, "#")
	id, err := ldp.ParseID(path)
	return id, err == nil
}

// hasMember reports whether a group's document says that who is a member.
func (p *Pod) hasMember(rec *record.State, group string, who acl.WebID) bool {
	if rec == nil || rec.Digest != "" || !bytes.Contains(rec.Body, []byte("hasMember")) {
		return false
	}
	format, ok := rdf.FormatOf(rec.Media)
	if !ok {
		return false
	}
	doc, _, _ := strings.Cut(group, "#")
	g, err := rdf.Read(context.Background(), rec.Body, format, doc, p.rdfLimits())
	return err == nil && g.Has(rdf.IRI(group), rdf.IRI("http://www.w3.org/2006/vcard/ns#hasMember"), rdf.IRI(string(who)))
}
