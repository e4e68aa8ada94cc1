// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/text"
)

// TypeRows is the media type of a batch: JSON lines, each a [Row]. All of it is
// accepted in one transaction, or nothing is and the answer names the faults of
// each row.
const TypeRows = "application/jsonl"

// A Row is one evidence of a batch.
type Row struct {
	Forms     []string `json:"forms"`               // its signed forms, as of a single deposit
	Reference string   `json:"reference,omitempty"` // the provider's own, at most 128 bytes; it comes back in the receipt
}

// Limits of a batch.
const (
	maxRows   = 64
	maxBatch  = 4 << 20 // bytes
	maxFaults = 100     // that are told
)

// parseRows reads the rows of a batch, which are not empty lines.
func parseRows(body []byte) (rows []Row, faults []string) {
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(rows) == maxRows {
			return rows, append(faults, fmt.Sprintf("there are more than %d rows.", maxRows))
		}
		var row Row
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&row); err != nil || dec.More() {
			faults = append(faults, fmt.Sprintf(`row %d: want {"forms":["…"],"reference":"…"}, and nothing else on the line.`, len(rows)+1))
			row = Row{Forms: []string{""}}
		}
		rows = append(rows, row)
	}
	if rows == nil {
		faults = append(faults, "there is no row.")
	}
	return rows, faults
}

// OfRow says in a refusal that it is about a row, numbered from 0.
func OfRow(i int, err error) error {
	f, ok := errors.AsType[*ldp.Fault](err)
	if !ok {
		return err
	}
	g := *f
	g.Errors = slices.Clone(f.Errors)
	for j := range g.Errors {
		g.Errors[j] = fmt.Sprintf("row %d: %s", i+1, g.Errors[j])
	}
	return &g
}

// readRows reads a batch and checks all of its rows.
func (r *Reader) readRows(ctx context.Context, party registry.Party, types []string, body []byte) ([]*Delivery, error) {
	rows, faults := parseRows(body)
	var all []*Delivery
	marks := map[string]int{}
	for i, row := range rows {
		d, of := r.readRow(ctx, party, types, row)
		for _, f := range of {
			faults = append(faults, fmt.Sprintf("row %d: %s", i+1, f))
		}
		if of != nil {
			continue
		}
		for _, m := range d.allMarks {
			if other, ok := marks[m]; ok && other != i {
				faults = append(faults, fmt.Sprintf("row %d: it shares a digest, salt, status index or holder key with row %d.", i+1, other+1))
				break
			}
			marks[m] = i
		}
		all = append(all, d)
	}
	if faults != nil {
		return nil, ldp.Refuse(ldp.Unprocessable, "Nothing of the batch is accepted.", faults[:min(len(faults), maxFaults)]...)
	}
	return all, nil
}

func (r *Reader) readRow(ctx context.Context, party registry.Party, types []string, row Row) (*Delivery, []string) {
	switch {
	case len(row.Forms) == 0:
		return nil, []string{"forms: the evidence is not signed."}
	case len(row.Forms) > MaxForms:
		return nil, []string{fmt.Sprintf("forms: there are more than %d.", MaxForms)}
	case len(row.Reference) > 128 || text.HasNumber(row.Reference):
		return nil, []string{"reference: at most 128 bytes, and no personal number."}
	}
	d, faults := r.checkForms(ctx, party, types, row.Forms)
	if faults == nil {
		d.reference = row.Reference
	}
	return d, faults
}
