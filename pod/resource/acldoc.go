// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/record"
	"skrin/pod/store"
)

// compile checks an ACL document and makes its grants the rules of what it
// belongs to, in the same transaction: nothing is decided by text that hasn't
// been understood. A document that leaves nobody with Control is no fault, since
// the owner always has it.
func (tree *Tree) compile(tx store.Tx, r *Right, c *Content) error {
	if len(c.Data.Names()) > 0 {
		return ldp.Refuse(ldp.Unprocessable, "An ACL document has no named graphs: what they grant would not be seen.")
	}
	of := r.line[0].ID
	grants, err := acl.Parse(c.Data.Default(), acl.Document{Base: tree.Base, Path: string(r.id), Of: string(of)})
	if err != nil {
		return ldp.Refuse(ldp.Unprocessable, err.Error()+".")
	}
	tx.Put(record.RulesKey(of), record.EncodeRules(grants))
	return nil
}
