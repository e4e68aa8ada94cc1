// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"errors"
	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
)

// A Right is all that decides what an agent may do to one resource, as one
// transaction saw it.
type Right struct {
	who  acl.Agent
	Now  time.Time
	Home record.Home
	id   ldp.ID // what was asked for
	aux  string // its suffix, if it is an auxiliary resource

	// line is the resource, or what the auxiliary resource belongs to; its
	// container; and so on up to the root.
	line    []link
	Rec     *record.State     // of id; nil if there is none
	used    []byte            // what is under usedKey; read only for writing
	unasked []string          // groups that would have to be asked elsewhere
	Done    []record.Activity // what a write has done, if anybody wants to know
	former  []byte            // the rules of what is deleted, if anybody wants to know
}

// A link is one resource of a line.
type link struct {
	ID    ldp.ID
	rec   *record.State // nil if there is none; read only for writing
	twin  bool          // there is one that differs in the slash; read only for writing
	rules []acl.Grant   // of its own ACL document; nil if it has none
	torn  bool          // it has one that can't be read, and that grants nothing
}

// May returns the right of who to do all of mode to the resource, or to what the
// auxiliary resource belongs to, whether that exists or not. Else it returns an
// error that is the same whatever is there.
func (tree *Tree) May(tx store.Tx, who acl.Agent, mode acl.Mode, id ldp.ID) (*Right, error) {
	r, err := tree.Look(tx, who, id, false)
	if err != nil {
		return nil, err
	}
	return r, r.Need(0, mode)
}

// Look reads, in one round trip, all that decides about a resource: the ACL
// documents of it and of all containers above; for writing also what exists of
// these.
func (tree *Tree) Look(tx store.Tx, who acl.Agent, id ldp.ID, writing bool) (*Right, error) {
	subject, aux := id.Subject()
	r := &Right{who: who, Now: tree.Now(), id: id, aux: aux}
	root := record.RootOf(id)
	depth := strings.Count(string(subject), "/")
	r.line = make([]link, 0, depth)
	// A container's path begins that of what it holds, and so do their keys.
	state, rules := record.RecordKey(id), record.RulesKey(subject)
	keys := append(make([]string, 0, 3+3*depth), record.HomeKey, state)
	if writing {
		keys = append(keys, UsedKey)
	}
	for up := subject; len(up) >= len(root); up = up.Parent() {
		r.line = append(r.line, link{ID: up})
		keys = append(keys, rules[:len(rules)-len(subject)+len(up)])
		if writing && up != id {
			keys = append(keys, state[:len(state)-len(id)+len(up)])
		}
		if writing {
			keys = append(keys, record.RecordKey(up.Twin()))
		}
	}
	if len(r.line) == 0 || r.line[len(r.line)-1].ID != root {
		return nil, Refusal(who) // "/pod" without a slash, or above every pod
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, err
	}
	if err := r.fill(values, writing); err != nil {
		return nil, fmt.Errorf("look at %s: %w", id, err)
	}
	return r, tree.expandGroups(tx, r)
}

// fill takes the values in the order in which look asked for them. To read, only
// the nearest ACL document counts, so those above it are not looked at.
func (r *Right) fill(values [][]byte, writing bool) (err error) {
	next := func() []byte { v := values[0]; values = values[1:]; return v }
	if r.Home, err = record.DecodeHome(next()); err != nil {
		return err
	}
	if r.Home.Moved != "" {
		return MovedTo(r.Home.Moved, strings.TrimPrefix(string(r.id), string(record.RootOf(r.id))))
	}
	if r.Rec, err = record.DecodeState(next()); err != nil {
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
		if l.rules, err = record.DecodeRules(l.ID, value); err != nil {
			l.rules, l.torn = []acl.Grant{}, true
		}
		if !writing {
			decided = l.rules != nil
			continue
		}
		if l.rec = r.Rec; l.ID != r.id {
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
func (r *Right) grants(i int) []acl.Grant {
	if !r.Home.Leaves.IsZero() {
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
func (r *Right) owner(i int) []acl.Grant {
	return []acl.Grant{{To: r.Home.Owner, On: string(r.line[i].ID), Modes: acl.Read | acl.Write | acl.Control, Because: "owner"}}
}

// torn returns the ACL document that is in effect, if it can't be read.
func (r *Right) torn() ldp.ID {
	for _, l := range r.line {
		if l.rules != nil && l.torn {
			return l.ID + ldp.ACLSuffix
		}
		if l.rules != nil {
			break
		}
	}
	return ""
}

// allows reports whether the agent may do all of mode to link i.
func (r *Right) allows(i int, mode acl.Mode) bool {
	path := string(r.line[i].ID)
	if _, ok := acl.Decide(r.grants(i), r.who, mode, path, r.Now); ok {
		return true
	}
	_, ok := acl.Decide(r.owner(i), r.who, mode, path, r.Now)
	return ok
}

// Need refuses unless the agent may do all of mode to link i. An ACL document
// takes Control, whatever is done to it.
func (r *Right) Need(i int, mode acl.Mode) error {
	if r.aux == ldp.ACLSuffix {
		mode = acl.Control
	}
	switch {
	case r.allows(i, mode):
		return nil
	case r.unasked != nil:
		return &Unasked{Refusal(r.who), r.unasked}
	}
	return Refusal(r.who)
}

// modes returns what the agent, and everybody, may do to the resource.
func (r *Right) modes() (user, public acl.Mode) {
	grants, path := r.grants(0), string(r.line[0].ID)
	user = acl.Modes(grants, r.who, path, r.Now) | acl.Modes(r.owner(0), r.who, path, r.Now)
	public = acl.Modes(grants, acl.Agent{Origin: r.who.Origin}, path, r.Now)
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
func (r *Right) mayRead() error {
	if err := r.Need(0, acl.Read); err != nil {
		return err
	}
	if r.Rec == nil {
		return Absent()
	}
	return nil
}

// MayGet is mayRead for who wants the content. What describes a resource is linked
// from it, and so can be had from the beginning, empty (LDP, 5.2.3.12): it is not
// there to be deleted, and who writes it makes it. Its tag is zero.
func (r *Right) MayGet(tx store.Tx) error {
	err := r.mayRead()
	subject := r.line[0].ID
	if _, nested := subject.Subject(); r.Rec != nil || r.aux != ldp.MetaSuffix || nested != "" || ldp.KindOf(err) != ldp.NotFound {
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
	r.Rec = &record.State{Modified: described.Modified, Media: rdf.Turtle.MediaType()}
	return nil
}

// MayWrite refuses unless the agent may change the resource, which takes update;
// or make it, which takes create on it and Append on the container, and Append
// likewise on every container that must be made on the way.
func (r *Right) MayWrite(update, create acl.Mode) error {
	switch {
	case r.Rec != nil:
		return r.Need(0, update)
	case r.aux != "":
		return r.Need(0, create)
	}
	if err := r.Need(0, create); err != nil {
		return err
	}
	for i := 1; i < len(r.line); i++ {
		if err := r.Need(i, acl.Append); err != nil || r.line[i].rec != nil {
			return err
		}
	}
	return nil
}

// mayDelete refuses unless the agent may remove the resource: Write on it and on
// its container, and Read too on a container. Whoever may read it is told that it
// isn't there.
func (r *Right) mayDelete() error {
	if r.Rec == nil {
		return r.mayRead()
	}
	mode := acl.Write
	if r.id.IsContainer() {
		mode |= acl.Read
	}
	if err := r.Need(0, mode); err != nil || r.aux != "" || len(r.line) == 1 {
		return err
	}
	return r.Need(1, acl.Write)
}

// Absent is the answer to who may know that there is nothing.
func Absent() error { return ldp.Refuse(ldp.NotFound, "There is no such resource.") }

// expandGroups makes of each grant to a group that has the agent as a member a
// grant to the agent. Groups of the same pod are read in the transaction, if their
// document is RDF of at most [Inline] bytes; others must have been found before.
func (tree *Tree) expandGroups(tx store.Tx, r *Right) error {
	if !r.who.Known() {
		return nil
	}
	member, keys := map[string]bool{}, []string{}
	var here []string
	known, _ := tx.(*Knowing)
	for _, l := range r.line {
		for _, g := range l.rules {
			id, local := tree.local(g.Group)
			_, seen := member[g.Group]
			switch {
			case g.Group == "" || seen || len(member) == maxGroups:
				continue
			case local && record.RootOf(id) == record.RootOf(r.id):
				here, keys = append(here, g.Group), append(keys, record.RecordKey(id))
			case known == nil && tree.Asks:
				r.unasked = append(r.unasked, g.Group)
			}
			member[g.Group] = known != nil && known.Found[g.Group]
		}
	}
	if err := tree.readGroups(tx, r.who, here, keys, member); err != nil {
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

func (tree *Tree) readGroups(tx store.Tx, who acl.Agent, groups, keys []string, member map[string]bool) error {
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
		member[group] = tree.hasMember(rec, group, who.ID)
	}
	return nil
}

// local returns the path of an IRI of this server, without its fragment.
func (tree *Tree) local(iri string) (ldp.ID, bool) {
	path, ok := strings.CutPrefix(iri, tree.Base)
	if !ok {
		return "", false
	}
	path, _, _ = strings.Cut(path, "#")
	id, err := ldp.ParseID(path)
	return id, err == nil
}

// hasMember reports whether a group's document says that who is a member.
func (tree *Tree) hasMember(rec *record.State, group string, who acl.WebID) bool {
	if rec == nil || rec.Digest != "" || !bytes.Contains(rec.Body, []byte("hasMember")) {
		return false
	}
	format, ok := rdf.FormatOf(rec.Media)
	if !ok {
		return false
	}
	doc, _, _ := strings.Cut(group, "#")
	g, err := rdf.Read(context.Background(), rec.Body, format, doc, tree.rdfLimits())
	return err == nil && g.Has(rdf.IRI(group), rdf.IRI("http://www.w3.org/2006/vcard/ns#hasMember"), rdf.IRI(string(who)))
}

// did notes what a write has done, for [Door].Written, if anybody wants to know.
func (r *Right) did(ch *record.Change, kind string, object, target ldp.ID, media string) {
	if !r.Home.Watched(r.Now) {
		return
	}
	a := record.Activity{Kind: kind, Object: object, Target: target, At: ch.At}
	if kind == record.Deleted && len(r.former) <= record.MostRules {
		a.Rules = r.former
	}
	if kind != record.Deleted {
		tag := ch.Tag(a.Topic())
		a.State = ldp.EntityTag(tag.String(), media)
	}
	r.Done = append(r.Done, a)
}

// Refused reports whether an error says that an agent may not.
func Refused(err error) bool {
	return errors.Is(err, ldp.Forbidden) || errors.Is(err, ldp.Unauthenticated)
}

// maxGroups is how many groups are looked into for one request.
const maxGroups = 16

// An Unasked is a refusal that may be none: groups elsewhere have to be asked.
type Unasked struct {
	error
	Groups []string
}

// Unwrap returns the refusal.
func (u *Unasked) Unwrap() error { return u.error }

// A Knowing Tx is one with what was found out about groups before it began.
type Knowing struct {
	store.Tx
	Found map[string]bool // group to whether the agent is a member
}

// MovedTo sends whoever asks to where it is now.
func MovedTo(root string, rest string) error {
	return &ldp.Fault{Kind: ldp.Moved, Detail: "This has moved to another server. Ask there.", Header: "Location: " + root + rest}
}

// Refusal is the one answer to whoever may not, whether or not there is
// anything.
func Refusal(who acl.Agent) error {
	if !who.Known() {
		return ldp.Refuse(ldp.Unauthenticated, "Say who you are: send a DPoP-bound access token.")
	}
	return ldp.Refuse(ldp.Forbidden, "You may not do this here. If you were given access to it, the access may have ended.")
}
