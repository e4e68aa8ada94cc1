// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"io"

	"skrin/acl"
	"skrin/pod/extract"
	"skrin/pod/store"
)

// ExportLog writes the owner's whole log, oldest first, as it is now.
func (p *Pod) ExportLog(ctx context.Context, who acl.Agent, form extract.Form, w io.Writer) error {
	return extract.Write(ctx, p.book(), func(fn func(store.Tx) error) error { return p.viewOwn(ctx, who, fn) }, form, w)
}
