// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/leak"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/text"
	"skrin/pod/vocab"
)

// checkForms verifies every form and that all say the same.
func (r *Reader) checkForms(ctx context.Context, party registry.Party, types []string, forms []string) (*Delivery, []string) {
	var d *Delivery
	var faults []string
	var places []*status.Place
	var holders []string
	marks := map[string]bool{}
	for i, form := range forms {
		one, err := r.checkForm(ctx, party, types, form)
		switch {
		case err != nil:
			faults = append(faults, fmt.Sprintf("signed form %d: %s", i+1, err))
		case r.Leak != leak.Status && r.Leak != leak.Holder && slices.ContainsFunc(one.marks, func(m string) bool { return marks[m] }):
			faults = append(faults, fmt.Sprintf("signed form %d shares a digest, salt, status index or holder key with another: each needs its own.", i+1))
		case r.Leak != leak.Status && slices.ContainsFunc(places, func(at *status.Place) bool { return status.Neighbours(at, one.place) }):
			faults = append(faults, fmt.Sprintf("signed form %d is the neighbour of another in the status list: give them random places.", i+1))
		case d == nil:
			d = one
		case !d.same(one):
			faults = append(faults, fmt.Sprintf("signed form %d says something else than the first.", i+1))
		}
		if err == nil {
			if r.Leak == leak.Holder && slices.Contains(holders, one.holder) {
				one.holder = "" // it is bound already
			}
			places, holders = append(places, one.place), append(holders, one.holder)
			for _, m := range one.marks {
				marks[m] = true
			}
		}
	}
	if faults == nil && r.Leak != leak.Status && r.Leak != leak.List && r.Statuses.Tells(party.ID, places) {
		faults = append(faults, "status: all forms are in one of your lists, which tells their recipients that they may know one person. Spread them over your lists at random.")
	}
	if faults != nil {
		return nil, faults
	}
	d.forms, d.holders = forms, holders
	d.allMarks = slices.Collect(maps.Keys(marks))
	for _, at := range places {
		if at != nil && !slices.Contains(d.places[at.List], at.Index) {
			if d.places == nil {
				d.places = status.Places{}
			}
			d.places[at.List] = append(d.places[at.List], at.Index)
		}
	}
	return d, faults
}

// checkForm verifies one SD-JWT VC. Its error is for the provider and names no
// value.
func (r *Reader) checkForm(ctx context.Context, party registry.Party, types []string, form string) (*Delivery, error) {
	c, err := credential.Parse(form)
	if err != nil {
		return nil, err
	}
	t, ok := r.Types.Find(func(t *registry.EvidenceType) bool { return t.VCT == c.Type() })
	if !ok || !slices.Contains(party.MayIssue, t.ID) || !slices.Contains(types, t.ID) {
		return nil, errors.New("vct: you may not deliver evidence of this type to this person")
	}
	v, err := c.Verify(party.Key, r.Round.Now(), credential.Want{Type: t.VCT, Issuer: party.Issuer})
	if err != nil {
		return nil, err
	}
	d := &Delivery{Type: t, issued: v.Issued, expires: v.Expires, marks: c.Marks()}
	switch {
	case v.Issued.IsZero() || v.Expires.IsZero():
		return nil, errors.New("iat and exp are both needed")
	case !v.Issued.Equal(space.Day(v.Issued)) || !v.Expires.Equal(space.Day(v.Expires)):
		return nil, errors.New("iat and exp must be at midnight UTC: exact times would link people")
	}
	for _, f := range t.Fields {
		value, ok := v.Claims[f.Name]
		if !ok {
			continue
		}
		lexical, err := lexicalForm(value, f.Datatype)
		if err != nil {
			return nil, fmt.Errorf("claim %s: %w", f.Name, err)
		}
		d.Facts = append(d.Facts, evidence.Fact{Field: f.Name, Value: lexical})
	}
	for name := range v.Claims {
		if _, ok := t.Field(name); !ok {
			return nil, fmt.Errorf("claim %q does not belong to the type", clip(name))
		}
	}
	if len(d.Facts) == 0 {
		return nil, errors.New("it has none of the type's claims")
	}
	if d.holder, err = evidence.HolderOf(c); err != nil {
		return nil, err
	}
	d.place, err = r.Statuses.Check(ctx, party, v.Status, r.Round)
	return d, err
}

func (d *Delivery) same(e *Delivery) bool {
	return d.Type == e.Type && d.issued.Equal(e.issued) && d.expires.Equal(e.expires) && slices.Equal(d.Facts, e.Facts)
}

// lexicalForm returns a JSON value as its datatype's canonical lexical form.
func lexicalForm(value any, datatype string) (string, error) {
	switch v := value.(type) {
	case bool:
		if datatype == vocab.XSD+"boolean" {
			return strconv.FormatBool(v), nil
		}
	case json.Number:
		if n, err := v.Int64(); datatype == vocab.XSD+"integer" && err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	case string:
		if text.HasNumber(v) {
			return "", errors.New("it holds what looks like a personal number, which has no place in evidence")
		}
		switch datatype {
		case vocab.XSD + "date":
			if _, err := time.Parse(time.DateOnly, v); err == nil {
				return v, nil
			}
		case vocab.XSD + "string", vocab.XSD + "anyURI":
			if len(v) <= 4096 {
				return v, nil
			}
		}
	}
	return "", errors.New("the value is not of the datatype " + strings.TrimPrefix(datatype, vocab.XSD))
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
