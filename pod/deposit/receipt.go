// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"skrin/pod/space"
	"skrin/pod/vouch"
)

// A Receipt is what a provider keeps of a delivery that it can't read back: the payload
// of the JWS that answers a deposit.
type Receipt struct {
	Issuer   string       `json:"iss"`
	Audience string       `json:"aud"`      // the provider
	Location string       `json:"location"` // as in the Location header
	Type     string       `json:"evidence_type,omitempty"`
	Digests  []string     `json:"digests,omitempty"` // hexadecimal SHA-256 of each signed form, or of the detached signature
	Received string       `json:"received"`
	Rows     []ReceiptRow `json:"rows,omitempty"` // of a batch, instead of Type and Digests
}

// A ReceiptRow is what a receipt says of one row of a batch.
type ReceiptRow struct {
	Type      string   `json:"evidence_type"`
	Digests   []string `json:"digests"`
	Reference string   `json:"reference,omitempty"`
}

// NewReceipt says what a provider has delivered, and where.
func NewReceipt(rows []*Delivery, location, issuer, provider string, now time.Time) Receipt {
	r := Receipt{Issuer: issuer, Audience: provider, Location: location, Received: space.Day(now).Format(time.DateOnly)}
	for _, d := range rows {
		r.Rows = append(r.Rows, ReceiptRow{Type: d.Type.ID, Digests: digestsOf(slices.Concat(d.forms, d.detached)), Reference: d.reference})
	}
	if len(rows) == 1 && rows[0].reference == "" {
		r.Type, r.Digests, r.Rows = r.Rows[0].Type, r.Rows[0].Digests, nil
	}
	return r
}

// SignReceipt returns a receipt as a provider gets it.
func SignReceipt(ctx context.Context, sign vouch.Signer, r Receipt) (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return sign.Sign(ctx, "delivery-receipt+jwt", b)
}

func digestsOf(forms []string) []string {
	var all []string
	for _, form := range forms {
		sum := sha256.Sum256([]byte(form))
		all = append(all, hex.EncodeToString(sum[:]))
	}
	return all
}
