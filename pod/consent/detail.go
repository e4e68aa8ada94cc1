// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/text"
)

// A Detail is one authorization detail (RFC 9396) of ours, as a party sends it
// and as it is granted. It is also a copy-paste reference for integrators.
type Detail struct {
	Type      RequestKind `json:"type"`
	Reference string      `json:"reference,omitempty"` // the party's own, at most 128 bytes; never a personal number
	// evidence_deposit
	EvidenceTypes []string `json:"evidence_types,omitempty"`
	// evidence_request
	Use          string   `json:"use,omitempty"`             // id of the registered use
	EvidenceType string   `json:"evidence_type,omitempty"`   //
	Fields       []string `json:"fields,omitempty"`          // must have
	Optional     []string `json:"optional_fields,omitempty"` // the person may add
	Purpose      string   `json:"purpose,omitempty"`         // IRI, as registered for the use
	Until        string   `json:"until,omitempty"`           // last day, "2027-05-21"
	Standing     bool     `json:"standing,omitempty"`        // later evidence of the type too
	MaxAge       string   `json:"max_age,omitempty"`         // of the evidence when it is read, in days: "P7D"
	Reads        int      `json:"reads,omitempty"`           // how often it is read, at most: 1 for once
	// as granted
	HolderKeys string   `json:"holder_keys,omitempty"` // evidence_deposit: where to POST for keys to bind what is signed to
	Locations  []string `json:"locations,omitempty"`   // where to deposit, or what to read
	Consent    string   `json:"consent,omitempty"`     // id of the consent
}

// answerTime is how long an open request waits for its answer.
const answerTime = 14 * 24 * time.Hour

// readDetails reads the details of one question: one, or a request to read and
// then one to deposit.
func readDetails(details []json.RawMessage) ([]Detail, error) {
	if len(details) < 1 || len(details) > 2 {
		return nil, ldp.Refuse(ldp.Invalid, "authorization_details must have one element, or an evidence_request and an evidence_deposit.")
	}
	all := make([]Detail, len(details))
	for i, text := range details {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&all[i]); err != nil {
			return nil, ldp.Refuse(ldp.Invalid, "authorization_details: an element is not of the form that its type asks for, or has a member that is not known.")
		}
	}
	if len(all) == 2 && (all[0].Type != ToRead || all[1].Type != ToDeposit || all[1].Reference != "" || all[1].Locations != nil || all[1].HolderKeys != "" || all[1].Consent != "") {
		return nil, ldp.Refuse(ldp.Invalid, "authorization_details: two elements must be an evidence_request, and then an evidence_deposit with nothing but its evidence_types.")
	}
	return all, nil
}

const maxReads = 100_000

// days reads a duration in whole days (ISO 8601, "P7D"); "" is 0.
func days(s string) (int, bool) {
	if s == "" {
		return 0, true
	}
	digits, ok := strings.CutPrefix(s, "P")
	digits, ok2 := strings.CutSuffix(digits, "D")
	n, err := strconv.ParseUint(digits, 10, 12)
	return int(n), ok && ok2 && err == nil && n > 0 && n <= 3660
}

// Parse turns a party's details into an open Request without an id: one
// detail, or an evidence_request and, for who answers a person with evidence of
// its own, the evidence_deposit that goes with it.
func (b *Book) Parse(ctx context.Context, id string, details []json.RawMessage) (*Request, error) {
	party, err := b.Registry.Party(ctx, id)
	if errors.Is(err, registry.ErrNoParty) {
		return nil, ldp.Refuse(ldp.Forbidden, "This organisation is not registered here, or its registration has ended.")
	}
	if err != nil {
		return nil, err
	}
	all, err := readDetails(details)
	if err != nil {
		return nil, err
	}
	d := all[0]
	now := b.Now().UTC().Truncate(time.Second)
	r := &Request{Kind: d.Type, Party: id, Reference: d.Reference, State: Open, Created: now, AnswerBy: now.Add(answerTime)}
	var faults []string
	if len(d.Reference) > 128 || text.HasNumber(d.Reference) {
		faults = append(faults, "reference: at most 128 bytes, and no personal number.")
	}
	if d.Locations != nil || d.Consent != "" || d.HolderKeys != "" {
		faults = append(faults, "locations, holder_keys and consent are for the answer, not for the request.")
	}
	switch d.Type {
	case ToDeposit:
		faults = append(faults, r.deposit(&party, &d)...)
	case ToRead:
		faults = append(faults, b.toRead(r, &party, &d)...)
	default:
		faults = append(faults, "type: must be evidence_deposit or evidence_request.")
	}
	if len(all) == 2 {
		var along Request
		faults = append(faults, along.deposit(&party, &all[1])...)
		r.Along = along.Types
	}
	if faults != nil {
		return nil, ldp.Refuse(ldp.Unprocessable, "authorization_details can't be accepted.", faults...)
	}
	return r, nil
}

func (b *Book) toRead(r *Request, party *registry.Party, d *Detail) (faults []string) {
	use, ok := party.Use(d.Use)
	if !ok {
		return []string{"use: you have no registered use with this id."}
	}
	fault := func(bad bool, words string) {
		if bad {
			faults = append(faults, words)
		}
	}
	_, known := b.Types.Type(d.EvidenceType)
	fault(d.EvidenceTypes != nil, "evidence_types: an evidence_request asks for one evidence_type.")
	fault(d.EvidenceType != use.Type || !known, "evidence_type: it is not the one registered for this use.")
	fault(d.Purpose != use.Purpose, "purpose: it is not the one registered for this use.")
	fault(len(d.Fields) == 0, "fields: name at least one.")
	all := slices.Concat(d.Fields, d.Optional)
	for i, f := range all {
		fault(!slices.Contains(use.Fields, f), fmt.Sprintf("field %d: you are not registered to ask for it in this use.", i+1))
		fault(slices.Contains(all[:i], f), fmt.Sprintf("field %d stands twice.", i+1))
	}
	until, err := time.Parse(time.DateOnly, d.Until)
	end := until.AddDate(0, 0, 1) // the last day counts
	fault(err != nil, "until: a day like 2027-05-21 is needed.")
	fault(err == nil && !end.After(b.Now()), "until: the day has passed.")
	fault(err == nil && until.After(space.Day(b.Now()).AddDate(0, 0, use.Days)), fmt.Sprintf("until: your registration allows at most %d days from today.", use.Days))
	age, ok := days(d.MaxAge)
	fault(!ok, "max_age: a duration in days like P7D is needed, of at most 3660.")
	fault(d.Reads < 0 || d.Reads > maxReads, fmt.Sprintf("reads: from 1 to %d, or leave it out.", maxReads))
	r.MaxAge, r.Reads = age, d.Reads
	r.Use, r.Types, r.Fields, r.Optional, r.Until, r.Standing = d.Use, []string{d.EvidenceType}, d.Fields, d.Optional, end, d.Standing
	return faults
}

// granted returns the details of an answered request, as the party is told them.
func (b *Book) granted(r *Request, s *space.Space, c *Consent) ([]json.RawMessage, error) {
	d := Detail{Type: r.Kind, Reference: r.Reference}
	switch r.Kind {
	case ToDeposit:
		d.EvidenceTypes, d.Locations = r.Types, []string{b.Base + string(s.Deposit())}
		d.HolderKeys = b.Base + string(s.Keys())
	case ToRead:
		d.Use, d.EvidenceType, d.Fields = r.Use, r.Types[0], c.Fields
		d.Until = c.Until.AddDate(0, 0, -1).Format(time.DateOnly)
		d.Standing, d.Consent, d.Reads = r.Standing, c.ID, r.Reads
		if r.MaxAge > 0 {
			d.MaxAge = fmt.Sprintf("P%dD", r.MaxAge)
		}
		d.Locations = []string{b.Base + string(s.Evidence(c.Grant))}
	}
	all := []Detail{d}
	if r.Along != nil {
		all = append(all, Detail{Type: ToDeposit, EvidenceTypes: r.Along, Locations: []string{b.Base + string(s.Deposit())}, HolderKeys: b.Base + string(s.Keys())})
	}
	var granted []json.RawMessage
	for _, d := range all {
		b, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		granted = append(granted, b)
	}
	return granted, nil
}

func (r *Request) deposit(party *registry.Party, d *Detail) (faults []string) {
	if d.Use != "" || d.EvidenceType != "" || d.Fields != nil || d.Optional != nil || d.Purpose != "" || d.Until != "" || d.Standing || d.MaxAge != "" || d.Reads != 0 {
		faults = append(faults, "evidence_deposit takes only type, reference and evidence_types.")
	}
	if len(d.EvidenceTypes) == 0 {
		faults = append(faults, "evidence_types: name at least one.")
	}
	for i, t := range d.EvidenceTypes {
		if !slices.Contains(party.MayIssue, t) || slices.Contains(d.EvidenceTypes[:i], t) {
			faults = append(faults, fmt.Sprintf("evidence_types[%d]: you are not registered to issue it, or it stands twice.", i))
		}
	}
	r.Types = d.EvidenceTypes
	return faults
}
