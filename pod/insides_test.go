// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/pod/log"
)

// What the tests of package pod_test need of its insides.

func (p *Pod) SignCheckpoint(ctx context.Context, c log.Checkpoint) (string, error) {
	return log.SignCheckpoint(ctx, c, p.Sign)
}
