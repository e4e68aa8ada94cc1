// SPDX-License-Identifier: EUPL-1.2

package archive

import (
	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/extract"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// A Desk is a pod that its owner takes with her, or brings: what it takes to read and
// write it in her name. Package pod begins the transactions, and permits them.
type Desk struct {
	*consent.Book
	Tree   *resource.Tree
	Who    acl.Agent // the owner
	View   extract.View
	Update func(func(store.Tx) error) error
}

// url returns the URL of a path.
func (d *Desk) url(id ldp.ID) string { return d.Base + string(id) }
