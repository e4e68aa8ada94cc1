// SPDX-License-Identifier: EUPL-1.2

package pod

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
func (p *Pod) compile(tx store.Tx, r *right, c *content) error {
	if len(c.data.Names()) > 0 {
		return ldp.Refuse(ldp.Unprocessable, "An ACL document has no named graphs: what they grant would not be seen.")
	}
	of := r.line[0].id
	grants, err := acl.Parse(c.data.Default(), acl.Document{Base: p.Base, Path: string(r.id), Of: string(of)})
	if err != nil {
		return ldp.Refuse(ldp.Unprocessable, err.Error()+".")
	}
	tx.Put(record.RulesKey(of), record.EncodeRules(grants))
	return nil
}
