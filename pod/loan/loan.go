// SPDX-License-Identifier: EUPL-1.2

// Package loan is what the owner of a standard pod lets others do, as she thinks of it:
// a [Loan] is to one of them, and all ACL documents of the pod come to a list of loans.
// It reads and writes these documents in a transaction that somebody else has begun and
// permitted, and who begins it logs it.
package loan

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// A Loan is what the owner lets others do to a resource of hers, by the ACL
// document of that resource. What lies in a folder is lent with it, unless it has
// an ACL document of its own.
type Loan struct {
	On     ldp.ID
	To     acl.WebID // an agent, acl.Public or acl.Authenticated; "" if it is a Group
	Group  string    // IRI of a vcard:Group
	Modes  acl.Mode  //
	Below  bool      // what is in the folder too
	Made   bool      // it was so when the pod was made: apps rely on it
	Narrow bool      // only through some programs
}

func (l *Loan) same(g acl.Grant) bool { return g.To == l.To && g.Group == l.Group }

// All returns what the owner lets others do, by path and then in the order of the
// ACL documents. One whose document is damaged grants nothing, and is left out.
func All(tx store.Tx) ([]Loan, error) {
	h, err := record.HomeOf(tx)
	if err != nil {
		return nil, err
	}
	var all []Loan
	for after := ""; ; {
		pairs, err := tx.Scan(record.RulesKey(""), after, resource.Page)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			after = pair.Key
			on := ldp.ID(strings.TrimPrefix(pair.Key, record.RulesKey("")))
			if rules, err := record.DecodeRules(on, pair.Value); err == nil {
				all = append(all, loansOf(h, on, rules)...)
			}
		}
		if len(pairs) < resource.Page {
			return all, nil
		}
	}
}

// loansOf puts together what one ACL document grants to each but the owner.
func loansOf(h record.Home, on ldp.ID, rules []acl.Grant) []Loan {
	var all []Loan
	for _, g := range rules {
		if g.To == h.Owner {
			continue
		}
		i := slices.IndexFunc(all, func(l Loan) bool { return l.same(g) })
		if i < 0 {
			i = len(all)
			all = append(all, Loan{On: on, To: g.To, Group: g.Group})
		}
		l := &all[i]
		l.Modes |= g.Modes
		l.Below = l.Below || g.Inherit
		l.Narrow = l.Narrow || g.Clients != nil || g.Issuers != nil || g.Origins != nil
	}
	for i := range all {
		all[i].Made = all[i].made(h.Name)
	}
	return all
}

// made reports whether a loan is one with which a pod begins; see [resource.Tree.Furnish].
func (l *Loan) made(pod string) bool {
	switch path := strings.TrimPrefix(string(l.On), "/"+pod+"/"); path {
	case resource.Card, resource.PublicTypes:
		return l.To == acl.Public && l.Modes == acl.Read
	case resource.Inbox:
		return l.To == acl.Authenticated && l.Modes == acl.Append && !l.Below
	}
	return false
}

// On returns what the owner lets others do to one resource, by its own ACL document,
// or else by that of the nearest folder above it that has one, which each Loan names.
func On(tx store.Tx, id ldp.ID) ([]Loan, error) {
	h, err := record.HomeOf(tx)
	if err != nil {
		return nil, err
	}
	if id.First() != h.Name {
		return nil, resource.Absent()
	}
	rules, from, err := rulesOn(tx, id)
	return loansOf(h, from, rules), err
}

// Make lets somebody do what the loan says, in the place of what they might before;
// in a folder, to all that is in it. Everybody else may what they might.
func Make(ctx context.Context, tx store.Tx, tree *resource.Tree, ch *record.Change, l Loan) error {
	h, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	if err := l.check(h.Owner); err != nil {
		return err
	}
	grants := []acl.Grant{{To: l.To, Group: l.Group, Modes: l.Modes}}
	if l.On.IsContainer() {
		grants = append(grants, acl.Grant{To: l.To, Group: l.Group, Modes: l.Modes, Inherit: true})
	}
	return l.rewrite(ctx, tx, tree, ch, h, grants...)
}

// End ends all that somebody may do by the ACL document of On. To end what isn't lent
// is no error.
func End(ctx context.Context, tx store.Tx, tree *resource.Tree, ch *record.Change, l Loan) error {
	h, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	return l.rewrite(ctx, tx, tree, ch, h)
}

func (l *Loan) check(owner acl.WebID) error {
	switch {
	case l.Modes == 0 || l.Modes&^(acl.Read|acl.Append|acl.Write) != 0:
		return ldp.Refuse(ldp.Invalid, "Lend reading, adding or changing.")
	case l.Modes.Has(acl.Append) && (l.To == acl.Public || l.To == acl.Authenticated):
		return ldp.Refuse(ldp.Invalid, "Only somebody who is named may change anything.")
	case l.To == owner || (l.To == "") == (l.Group == ""):
		return ldp.Refuse(ldp.Invalid, "Lend to one other person, one group or everybody.")
	case l.Group != "":
		u, err := url.Parse(l.Group)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || len(l.Group) > 1024 {
			return ldp.Refuse(ldp.Invalid, "A group is named by its web address.")
		}
		return nil
	}
	if _, err := acl.ParseWebID(string(l.To)); err != nil {
		return ldp.Refuse(ldp.Invalid, "A person is named by their web address.")
	}
	return nil
}

// rewrite writes the ACL document of On anew: without what it granted to whom l is
// about, and with these grants.
func (l *Loan) rewrite(ctx context.Context, tx store.Tx, tree *resource.Tree, ch *record.Change, h record.Home, grants ...acl.Grant) error {
	if resource.IsEvidence(l.On) {
		return resource.Fixed()
	}
	if _, aux := l.On.Subject(); aux != "" || l.On.First() != h.Name {
		return resource.Absent()
	}
	values, err := tx.Get(record.RecordKey(l.On))
	if err != nil {
		return err
	}
	if values[0] == nil {
		return resource.Absent()
	}
	rules, _, err := rulesOn(tx, l.On)
	if err != nil {
		return err
	}
	rules = append(slices.DeleteFunc(rules, l.same), grants...)
	return tree.Place(ctx, tx, ch, l.On+ldp.ACLSuffix, tree.Rules(l.On, rules...))
}

// rulesOn returns what is granted on a resource, as its own ACL document would say
// it (of a folder, also what is granted on all that is in it), and whose document
// it comes from.
func rulesOn(tx store.Tx, id ldp.ID) (own []acl.Grant, from ldp.ID, err error) {
	var keys []string
	var line []ldp.ID
	for up := id; up != "/" && up != ""; up = up.Parent() {
		line, keys = append(line, up), append(keys, record.RulesKey(up))
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return nil, "", err
	}
	for i, value := range values {
		if value == nil {
			continue
		}
		rules, err := record.DecodeRules(line[i], value)
		if err != nil {
			return nil, "", ldp.Refuse(ldp.Conflict, "The ACL document that is in effect is damaged. Write it anew.")
		}
		if i == 0 {
			return rules, id, nil
		}
		for _, g := range rules {
			if !g.Inherit {
				continue
			}
			g.On, g.Inherit = string(id), false
			own = append(own, g)
			if g.Inherit = true; id.IsContainer() {
				own = append(own, g)
			}
		}
		return own, line[i], nil
	}
	return nil, id, nil
}
