// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/acl"
	"skrin/ldp"
)

func (p *Pod) Patch(ctx context.Context, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	return ldp.Written{}, ldp.Refuse(ldp.NotImplemented, "todo")
}
