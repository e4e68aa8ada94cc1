// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/pod/consent"
	"skrin/pod/space"
	"skrin/pod/store"
)

// A Deal is what a party does with a person's data: deposits a type of evidence,
// or reads for one of its uses.
type Deal struct {
	Party string
	Use   string // of the party; "" for deposits
	Type  string // id of the evidence type that it may deposit; "" for reads
}

// Deals returns the deals that a pod's owner has agreed to and that last, each
// once. It is for the operator's record of processing: no agent asks, and nothing
// is told of the evidence.
func (p *Pod) Deals(ctx context.Context, id string) (map[Deal]bool, error) {
	var found map[Deal]bool
	err := p.Store.View(ctx, store.Name("id/"+id), func(tx store.Tx) error {
		found = map[Deal]bool{}
		now := p.Now()
		if err := store.Each(tx, consent.Key(""), func(c *consent.Consent) bool {
			if c.Active(now) {
				found[Deal{Party: c.Request.Party, Use: c.Request.Use}] = true
			}
			return true
		}); err != nil {
			return err
		}
		return store.Each(tx, space.Key(""), func(s *space.Space) bool {
			if s.Ended.IsZero() && s.Moved == "" {
				for _, t := range s.Types {
					found[Deal{Party: s.Party, Type: t}] = true
				}
			}
			return true
		})
	})
	return found, err
}
