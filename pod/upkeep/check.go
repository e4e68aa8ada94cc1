// SPDX-License-Identifier: EUPL-1.2

package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/consent"
	"skrin/pod/due"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
)

// A Finding is what [Check] found amiss. It names kinds and places, and no
// content.
type Finding struct {
	Pod   string `json:"pod"`
	Fault string `json:"fault"`
	At    string `json:"at,omitempty"` // a key
}

// An Inventory is how much [Check] has looked at.
type Inventory struct {
	Resources, Rules, Grants, Consents, Entries, Blobs int
	Orphans                                            int // blobs that nothing refers to, which is no fault
}

// Check proves what must hold of a pod, on one snapshot of it: that its names
// lead to it; that each resource is in its container, and each member there; that
// each ACL document compiles to the rules that are enforced; that each blob
// referred to is there; that the log's chain is whole; that each grant has its
// consent, and each consent its grant; that each index finds just what there is; that what
// is kept for a time will end. It is for the operator: no agent asks, and
// nothing is told of what the pod holds.
func Check(ctx context.Context, s store.Store, tree *resource.Tree, id string) (Inventory, []Finding, error) {
	c := &check{Store: s, Tree: tree, ctx: ctx, id: id}
	err := s.View(ctx, store.Name("id/"+id), func(tx store.Tx) error {
		c.seen, c.found, c.tx = Inventory{}, nil, tx
		for _, look := range []func() error{c.read, c.containment, c.rules, c.log, c.grants, c.indexes, c.lapses, c.used} {
			if err := look(); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = errors.Join(c.names(), c.blobs())
	}
	return c.seen, c.found, err
}

// A check is one pod while it is looked at.
type check struct {
	*resource.Tree
	Store store.Store
	ctx   context.Context
	id    string
	tx    store.Tx

	seen  Inventory
	found []Finding

	home    record.Home
	spaces  []string
	places  []store.Name // by which status lists find it
	records map[ldp.ID]*record.State
	members map[ldp.ID][]byte
	ruled   map[ldp.ID][]byte
}

func (c *check) fault(at, format string, args ...any) {
	c.found = append(c.found, Finding{c.id, fmt.Sprintf(format, args...), at})
}

// keys visits all values whose keys begin with prefix.
func (c *check) keys(prefix string, visit func(rest string, value []byte)) error {
	const page = 256
	for after := ""; ; {
		pairs, err := c.tx.Scan(prefix, after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			visit(strings.TrimPrefix(pair.Key, prefix), pair.Value)
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

// read reads what the looks after it hold against each other.
func (c *check) read() (err error) {
	c.records, c.members, c.ruled, c.spaces, c.places = map[ldp.ID]*record.State{}, map[ldp.ID][]byte{}, map[ldp.ID][]byte{}, nil, nil
	c.home, err = record.HomeOf(c.tx)
	if errors.Is(err, store.ErrNoKey) {
		return err
	}
	if err != nil {
		c.fault(record.HomeKey, "the pod doesn't know whose it is: it was half erased, or damaged")
	}
	return errors.Join(
		c.keys("r", func(path string, value []byte) {
			rec, err := record.DecodeState(value)
			if id, e := ldp.ParseID(path); err != nil || e != nil || record.RootOf(id) != ldp.ID("/"+c.home.Name+"/") {
				c.fault("r"+path, "a resource can't be read, or is not in this pod's paths")
				return
			}
			c.records[ldp.ID(path)] = rec
			c.seen.Resources++
		}),
		c.keys("m", func(rest string, value []byte) {
			container, name, _ := strings.Cut(rest, "\x00")
			c.members[ldp.ID(container+name)] = value
		}),
		c.keys("a", func(path string, value []byte) { c.ruled[ldp.ID(path)] = value }),
		store.Each(c.tx, space.Key(""), func(s *space.Space) bool { c.spaces = append(c.spaces, s.ID); return true }),
		status.Each(c.tx, func(n store.Name) { c.places = append(c.places, n) }),
	)
}

// containment holds paths against listings.
func (c *check) containment() error {
	for id, rec := range c.records {
		of, aux := id.Subject()
		switch {
		case aux != "" && c.records[of] == nil:
			c.fault("r"+string(id), "it belongs to a resource that isn't there")
		case aux != "" || id == record.RootOf(id):
		case c.records[id.Parent()] == nil:
			c.fault("r"+string(id), "its container isn't there")
		case c.members[id] == nil:
			c.fault("r"+string(id), "its container doesn't list it")
		case !bytes.Equal(c.members[id], rec.Member()):
			c.fault("r"+string(id), "its container lists it with another type, size or time")
		}
	}
	for id := range c.members {
		if c.records[id] == nil {
			c.fault("m"+string(id.Parent()), "it lists what isn't there")
		}
	}
	return nil
}

// used holds the count of what the pod holds against what it does.
func (c *check) used() error {
	values, err := c.tx.Get(resource.UsedKey)
	if err != nil || values[0] == nil {
		return err
	}
	counted, err := resource.UsedOf(c.tx)
	for _, rec := range c.records {
		counted -= rec.Cost()
	}
	if err == nil && counted != 0 {
		c.fault(resource.UsedKey, "the count of what the pod holds is %d bytes beside it", counted)
	}
	return err
}

// rules holds ACL documents against what is enforced.
func (c *check) rules() error {
	for of := range c.ruled {
		if c.records[of+ldp.ACLSuffix] == nil {
			c.fault("a"+string(of), "rules are enforced without a document that makes them")
		}
	}
	for id, rec := range c.records {
		of, aux := id.Subject()
		if aux != ldp.ACLSuffix {
			continue
		}
		c.seen.Rules++
		compiled, err := c.compiled(id, of, rec)
		if err != nil {
			c.fault("r"+string(id), "an ACL document can't be understood")
			continue
		}
		enforced, err := record.DecodeRules(of, c.ruled[of])
		if err != nil || c.ruled[of] == nil || !slices.Equal(sorted(compiled), sorted(enforced)) {
			c.fault("a"+string(of), "other rules are enforced than the ACL document makes")
		}
	}
	return nil
}

// sorted returns each grant as it is stored, in one order.
func sorted(grants []acl.Grant) []string {
	var all []string
	for _, g := range grants {
		all = append(all, string(record.EncodeRules([]acl.Grant{g})))
	}
	slices.Sort(all)
	return all
}

func (c *check) compiled(id, of ldp.ID, rec *record.State) ([]acl.Grant, error) {
	format, ok := rdf.FormatOf(rec.Media)
	if !ok {
		return nil, store.ErrLayout
	}
	data, err := c.Parse(c.ctx, rec.Body, format, id)
	if err != nil {
		return nil, err
	}
	return acl.Parse(data.Default(), acl.Document{Base: c.Base, Path: string(id), Of: string(of)})
}

// log walks the chain.
func (c *check) log() error {
	head, err := store.Load[log.Head](c.tx, "h")
	if err != nil {
		return err
	}
	if head == nil {
		head = new(log.Head)
	}
	prev := ""
	err = store.Each(c.tx, "l", func(e *log.Entry) bool {
		c.seen.Entries++
		sum, err := e.Sum()
		if err != nil || e.Seq != uint64(c.seen.Entries) || e.Prev != prev || e.Hash != sum {
			c.fault(log.Key(e.Seq), "the log's chain is broken here")
		}
		prev = e.Hash
		return true
	})
	if head.Seq != uint64(c.seen.Entries) || head.Hash != prev {
		c.fault("h", "the log doesn't end where its head says")
	}
	return err
}

// grants holds grants against consents.
func (c *check) grants() error {
	consents := map[string]*consent.Consent{}
	err := store.Each(c.tx, consent.Key(""), func(x *consent.Consent) bool { consents[x.Grant] = x; c.seen.Consents++; return true })
	if err != nil {
		return err
	}
	err = store.Each(c.tx, "g", func(g *consent.Grant) bool {
		c.seen.Grants++
		x := consents[g.ID]
		delete(consents, g.ID)
		switch {
		case x == nil || g.Rule.Because != x.ID:
			c.fault("g"+g.ID, "a grant that no consent has made")
		case !slices.Equal(g.Rule.Fields, x.Fields) || g.Rule.Until.After(x.Until):
			c.fault("g"+g.ID, "a grant gives more than its consent")
		case !x.Withdrawn.IsZero() && g.Rule.Until.After(x.Withdrawn):
			c.fault("g"+g.ID, "a grant goes on after its consent was withdrawn")
		case !slices.Contains(c.spaces, x.Space):
			c.fault("g"+g.ID, "a grant in a space that isn't there")
		}
		return true
	})
	for _, x := range consents {
		if x.Withdrawn.IsZero() && x.Grant != "" {
			c.fault("c"+x.ID, "a consent without its grant")
		}
	}
	return err
}

// indexes holds what finds things in some order against what there is.
func (c *check) indexes() error {
	for _, x := range indexes() {
		if err := c.index(x); err != nil {
			return err
		}
	}
	return nil
}

// lapses looks whether the pod will be looked at when what is kept for a time ends.
func (c *check) lapses() error {
	at, err := due.ForgetsAt(c.tx)
	if err != nil || !at.IsZero() {
		return err
	}
	for _, prefix := range []string{"x", "J"} {
		kept, err := c.tx.Scan(prefix, "", 1)
		if err != nil {
			return err
		}
		for _, pair := range kept {
			c.fault(pair.Key, "nobody will see that it is kept no longer than it must be")
		}
	}
	return nil
}

func (c *check) index(x index) error {
	entries := map[string][]byte{}
	err := errors.Join(
		c.keys(x.by, func(rest string, value []byte) { entries[x.by+rest] = value }),
		c.keys(x.of, func(rest string, value []byte) {
			at, says, err := x.entry(x.of+rest, value)
			found, ok := entries[at]
			delete(entries, at)
			switch {
			case err != nil:
				c.fault(x.of+rest, "it can't be read, and so not found among the %s", x.what)
			case at != "" && !ok:
				c.fault(x.of+rest, "the %s are not all found in their order", x.what)
			case at != "" && !bytes.Equal(found, says):
				c.fault(at, "what finds one of the %s says something else of it", x.what)
			}
		}),
	)
	for key := range entries {
		c.fault(key, "in the order of the %s it finds what isn't there, or isn't there any more", x.what)
	}
	return err
}

// names looks whether the pod is found by its names.
func (c *check) names() error {
	names := []store.Name{store.Name("pod/" + c.home.Name), store.Name("person/" + c.home.Person)}
	for _, space := range c.spaces {
		names = append(names, store.Name("w/"+space))
	}
	names = append(names, c.places...)
	for _, name := range names {
		err := c.Store.View(c.ctx, name, func(tx store.Tx) error {
			if tx.Pod() != c.id {
				return store.ErrNoPod
			}
			return nil
		})
		if errors.Is(err, store.ErrNoPod) {
			kind, _, _ := strings.Cut(string(name), "/")
			c.fault("", "it is not found by a name of its own, of the kind %s/", kind)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// blobs looks for what resources refer to. What nothing refers to may be on its
// way; only what was stored a day ago and more is an orphan.
func (c *check) blobs() error {
	stored := map[string]time.Time{}
	err := c.Blobs.List(c.ctx, c.id, func(digest string, at time.Time) error { stored[digest] = at; return nil })
	if err != nil {
		return err
	}
	c.seen.Blobs = len(stored)
	unused := maps.Clone(stored)
	for id, rec := range c.records {
		if rec.Digest == "" {
			continue
		}
		if _, ok := stored[rec.Digest]; !ok && !c.replaced(id, rec.Digest) {
			c.fault("r"+string(id), "its content isn't there")
		}
		delete(unused, rec.Digest)
	}
	for _, at := range unused {
		if c.Now().Sub(at) > 24*time.Hour {
			c.seen.Orphans++
		}
	}
	return nil
}

// replaced reports whether the resource has another content by now, or none.
func (c *check) replaced(id ldp.ID, digest string) (yes bool) {
	err := c.Store.View(c.ctx, store.Name("id/"+c.id), func(tx store.Tx) error {
		values, err := tx.Get(record.RecordKey(id))
		if err != nil {
			return err
		}
		rec, err := record.DecodeState(values[0])
		yes = rec == nil || rec.Digest != digest
		return err
	})
	return yes && err == nil
}
