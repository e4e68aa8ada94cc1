// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/acl"
	"skrin/ldp"
)

// spaces is the first segment of the paths of pairwise spaces.
const spaces = "w"

func (p *Pod) spaceGet(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	return nil, refused(who)
}

func (p *Pod) spacePut(ctx context.Context, who acl.Agent, req ldp.Put) (ldp.Written, error) {
	return ldp.Written{}, refused(who)
}

func (p *Pod) spacePost(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	return ldp.Written{}, refused(who)
}

func (p *Pod) spacePatch(ctx context.Context, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	return ldp.Written{}, refused(who)
}

func (p *Pod) spaceDelete(ctx context.Context, who acl.Agent, req ldp.Delete) error {
	return refused(who)
}

func (p *Pod) spaceDescribe(id ldp.ID) ldp.Description {
	return ldp.Description{Methods: []string{"GET", "HEAD", "OPTIONS"}}
}
