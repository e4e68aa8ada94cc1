// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"time"

	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// A Holding is what an operator may know of one pod: that it is there, where its
// resources begin, and how much they are. With whom its owner deals isn't in it, and
// not with how many.
type Holding struct {
	Root   string    // URL of the pod's root
	Bytes  int64     // that count for its quota
	Leaves time.Time // when the owner wants all of it erased; zero while she stays
}

// Holding returns that of the pod with the id. It is for the operator, who is no
// agent.
func (p *Pod) Holding(ctx context.Context, id string) (found Holding, err error) {
	err = p.Store.View(ctx, store.Name("id/"+id), func(tx store.Tx) error {
		h, err := record.HomeOf(tx)
		if err != nil {
			return err
		}
		found = Holding{Root: p.Base + "/" + h.Name + "/", Leaves: h.Leaves}
		found.Bytes, err = resource.UsedOf(tx)
		return err
	})
	return found, err
}
