package pod

import (
	"skrin/acl"
	"skrin/ldp"
)

type record struct {
	Name  string
	Owner acl.WebID
}

func ownerOf(tx Tx) (*record, error) { return load[record](tx, "p") }

func (p *Pod) plant(tx Tx, id ldp.ID, typ string, body []byte) error { return nil }
