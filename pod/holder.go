// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/deposit"
	"skrin/pod/evidence"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// Holder keys (RFC 9901, section 4.3; 2026-11). A provider that binds what it
// signs to the person asks for public keys, one for each form, by a POST of
// {"count": 8} to /w/{id}/keys/, and puts each into one form (cnf). The private
// halves stay in the pod, which signs with them for the recipient of that form
// alone: in answer to a GET of the SD-JWT with the header Presentation-Nonce, whose
// value is the recipient's nonce. The audience of the proof is the recipient's id.
//
// A key is good for one form, so it links nothing. One that was not used for a week
// is forgotten when the provider asks for more.

// A KeyRequest is what a provider posts to keys/.
type KeyRequest struct {
	Count int `json:"count"` // from 1 to 32
}

// TypeKeys is the media type of the answer, a JWK set.
const TypeKeys = "application/jwk-set+json"

// giveKeys makes holder keys for a provider, and answers with their public halves.
func (p *Pod) giveKeys(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if _, _, err := p.mayDeposit(ctx, who, req.ID); err != nil {
		return ldp.Written{}, err
	}
	if req.Fault != nil {
		return ldp.Written{}, req.Fault
	}
	body, err := resource.ReadAll(req.Body, 1<<10)
	if err != nil {
		return ldp.Written{}, err
	}
	var ask KeyRequest
	if err := json.Unmarshal(body, &ask); err != nil || ask.Count < 1 || ask.Count > deposit.MaxForms {
		return ldp.Written{}, ldp.Refuse(ldp.Unprocessable, fmt.Sprintf(`Ask for 1 to %d keys: {"count": 8}, as application/json.`, deposit.MaxForms))
	}
	keys := map[string]evidence.HolderKey{}
	var public jose.JSONWebKeySet
	for range ask.Count {
		k, thumb, err := evidence.NewHolderKey(p.Rand, p.Now())
		if err != nil {
			return ldp.Written{}, err
		}
		keys[thumb] = k
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.Key.Public().Key, Algorithm: string(jose.ES256)})
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	answer, err := json.Marshal(public)
	if err != nil {
		return ldp.Written{}, err
	}
	done := ldp.Written{ID: req.ID + ldp.ID(id), Created: true, Receipt: answer, ReceiptType: TypeKeys, Description: p.spaceDescription(req.ID)}
	return done, p.inSpace(ctx, who, acl.Append, req.ID, func(tx store.Tx, a access) error {
		return evidence.KeepKeys(tx, a.space.ID, keys, p.Now())
	})
}
