// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"sync"

	"skrin/acl"
)

// Groups finds out who is in a group whose document is on another server (Web
// Access Control, section 4.2.2).
type Groups interface {
	// Member reports whether who is a member of the vcard:Group that the IRI
	// names. It may wait for the network, for seconds. Where it can't find out,
	// that is an error, and who is no member.
	Member(ctx context.Context, group string, who acl.WebID) (bool, error)
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
