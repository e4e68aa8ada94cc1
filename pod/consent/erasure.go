// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/registry"
	"skrin/pod/text"
)

// An ErasureReceipt is the payload of the JWS (typ erasure-receipt+jwt, signed
// with a key that is registered for the party) that a party posts to its inbox/
// in the person's pod when it has erased what it had read under a consent that
// was withdrawn (GDPR, articles 17 and 19).
type ErasureReceipt struct {
	Issuer   string   `json:"iss"` // the party's id
	Audience string   `json:"aud"` // this server
	Consent  string   `json:"consent"`
	Erased   string   `json:"erased"`                   // the day, "2026-12-01"
	Method   string   `json:"method"`                   // in the party's words
	Under    string   `json:"retained_under,omitempty"` // the law, if something must stay
	Retained []string `json:"retained,omitempty"`       // and what: concepts, never values
}

// TypeErasure is the typ of the JWS.
const TypeErasure = "erasure-receipt+jwt"

// Overdue returns the owner's shares whose party should have erased by now, and
// hasn't said that it has.
func Overdue(shares []Share, now time.Time) []Share {
	var late []Share
	for _, s := range shares {
		if c := s.Consent; !c.EraseBy.IsZero() && c.Erased.IsZero() && now.After(c.EraseBy.AddDate(0, 0, 1)) {
			late = append(late, s)
		}
	}
	return late
}

// ReadErasure returns what the receipt of a Consent says. It was verified when it
// was taken.
func ReadErasure(jws string) (*ErasureReceipt, error) {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	r := new(ErasureReceipt)
	return r, json.Unmarshal(signed.UnsafePayloadWithoutVerification(), r)
}

// Erasure reads a party's receipt, or says what is wrong with it.
func (b *Book) Erasure(party registry.Party, jws string) (*ErasureReceipt, []string) {
	payload, err := party.CheckSigned(jws, TypeErasure)
	if err != nil {
		return nil, []string{fmt.Sprintf("the JWS: %v.", err)}
	}
	r := new(ErasureReceipt)
	if err := json.Unmarshal(payload, r); err != nil {
		return nil, []string{"the payload is not of the form of a receipt."}
	}
	var faults []string
	if r.Issuer != party.ID || r.Audience != b.Issuer {
		faults = append(faults, "iss must be your id, and aud this server.")
	}
	if _, err := time.Parse(time.DateOnly, r.Erased); err != nil {
		faults = append(faults, "erased: a day like 2026-12-01 is needed.")
	}
	if len(r.Method) > 500 || len(r.Retained) > 50 || text.HasNumber(r.Method) || slices.ContainsFunc(r.Retained, text.HasNumber) {
		faults = append(faults, "method and retained: at most 500 bytes and 50 concepts, and no personal number.")
	}
	return r, faults
}
