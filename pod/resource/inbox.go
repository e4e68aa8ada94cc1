// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"slices"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/record"
	"skrin/pod/store"
)

// What others may put into an inbox (Linked Data Notifications, section 3.3.1):
// notifications in RDF of at most [Inline] bytes, so many a day. Who may at all,
// its ACL document says, and that what is there is neither read nor changed: they
// have Append.
const (
	inboxTotal  = 2000 // of all senders, a day
	inboxSender = 200  // of one WebID, a day
)

// isSender reports whether the agent puts something into the inbox without having
// a right to change what is there. An ACL document takes Control, and is none.
func (r *Right) isSender() bool {
	return r.aux != ldp.ACLSuffix && strings.HasPrefix(string(r.id), string(record.RootOf(r.id))+Inbox) && !r.allows(0, acl.Write)
}

// notification refuses what a sender sends and an inbox doesn't take, before it is
// read: of containers also those that a longer path would need.
func (r *Right) notification(media string, container bool, size int64) error {
	_, isRDF := rdf.FormatOf(media)
	absent := func(above link) bool { return above.rec == nil }
	switch {
	case container, slices.ContainsFunc(r.line[1:], absent):
		return ldp.Refuse(ldp.Conflict, "An inbox takes notifications, and no containers.")
	case !isRDF:
		return ldp.Refuse(ldp.Unsupported, "An inbox takes notifications in RDF: application/ld+json or text/turtle.")
	case size > Inline:
		return TooLarge(Inline)
	}
	return nil
}

// countSender refuses a sender that has sent too much today.
func (tree *Tree) countSender(tx store.Tx, r *Right) error {
	first, err := Daily{"d", inboxTotal, inboxSender, "This inbox takes no more today."}.Count(tx, r)
	if err != nil || !first {
		return err
	}
	return tree.Door.Kept(tx, r.Now)
}
