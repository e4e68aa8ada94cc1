// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"sync"

	"skrin/acl"
	"skrin/pod/store"
)

// Groups finds out who is in a group whose document is on another server (Web
// Access Control, section 4.2.2).
type Groups interface {
	// Member reports whether who is a member of the vcard:Group that the IRI
	// names. It may wait for the network, for seconds. Where it can't find out,
	// that is an error, and who is no member.
	Member(ctx context.Context, group string, who acl.WebID) (bool, error)
}

// maxGroups is how many groups are looked into for one request.
const maxGroups = 16

// An unasked is a refusal that may be none: groups elsewhere have to be asked.
type unasked struct {
	error
	groups []string
}

func (u *unasked) Unwrap() error { return u.error }

// A knowing Tx is one with what was found out about groups before it began.
type knowing struct {
	store.Tx
	found map[string]bool // group to whether the agent is a member
}

// find asks all groups at once. One that does not answer has no members.
func (p *Pod) find(ctx context.Context, who acl.Agent, groups []string) map[string]bool {
	var mu sync.Mutex
	var all sync.WaitGroup
	found := map[string]bool{}
	for _, group := range groups {
		all.Go(func() {
			member, err := p.Groups.Member(ctx, group, who.ID)
			mu.Lock()
			defer mu.Unlock()
			found[group] = member && err == nil
		})
	}
	all.Wait()
	return found
}
