// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"time"

	"skrin/acl"
	"skrin/ldp"
)

// A Space is the pod as one counterpart sees it: a WebID for the person that
// only this counterpart knows, and URLs that only it was given. There is one
// per person and party. Its id is random and means nothing.
type Space struct {
	ID      string
	Party   string    // the counterpart's id
	Key     []byte    // makes tags and names that only this space has; destroyed with it
	Types   []string  // evidence types that the party may deposit
	Created time.Time //
	Ended   time.Time // disconnected; zero while it lasts
}

// root returns the space's path, "/w/{id}/".
func (s *Space) root() ldp.ID { return ldp.ID("/w/" + s.ID + "/") }

// A Connection is a space as the person sees it.
type Connection struct {
	Space Space
	Party Party
}

// WebID returns the person's WebID in the space.
func (p *Pod) spaceWebID(s *Space) acl.WebID { return acl.WebID(p.url(s.root()) + "card#me") }
