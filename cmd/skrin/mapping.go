// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/credential"
)

// A mapping says how a row becomes evidence.
type mapping struct {
	Type      string           `json:"type"`      // of the evidence (vct)
	Days      int              `json:"days"`      // for which it is good; 0 for 30
	Forms     int              `json:"forms"`     // signed forms, each for one recipient; 0 for 8
	Separator string           `json:"separator"` // of the table's cells: "," ";" "|" or a tab; "" for ","
	Deposit   string           `json:"deposit"`   // the column with the address to which it may be deposited
	Key       string           `json:"key"`       // the column with what is the same when the row is sent again, and only then
	Claims    map[string]field `json:"claims"`    // by the claim's name
}

// A field says where a claim comes from.
type field struct {
	Column   string `json:"column"`
	As       string `json:"as"`       // string, boolean, integer, number or date; "" for string
	True     string `json:"true"`     // what stands for yes in a boolean; "" for true
	False    string `json:"false"`    // and for no; "" for false
	Optional bool   `json:"optional"` // an empty cell is no claim
}

// readMapping reads a mapping. A fault says its line.
func readMapping(file string) (m mapping, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return m, err
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s:%d: %w", file, lineOfFault(b, err), err)
	}
	if rest := bytes.TrimSpace(b[d.InputOffset():]); len(rest) > 0 {
		return m, fmt.Errorf("%s:%d: something follows the mapping", file, lineAt(b, int64(bytes.LastIndex(b, rest))))
	}
	m.Days, m.Forms, m.Separator = cmp.Or(m.Days, 30), cmp.Or(m.Forms, 8), cmp.Or(m.Separator, ",")
	if name, err := m.check(); err != nil {
		return m, fmt.Errorf("%s:%d: %w", file, lineOfKey(b, name), err)
	}
	return m, nil
}

// check says what can't be meant, and in which key.
func (m mapping) check() (key string, err error) {
	for _, name := range []string{"type", "deposit", "key"} {
		if map[string]string{"type": m.Type, "deposit": m.Deposit, "key": m.Key}[name] == "" {
			return name, fmt.Errorf("%s is needed: type, deposit, key and claims are", name)
		}
	}
	switch {
	case len(m.Claims) == 0:
		return "claims", errors.New("claims is needed: an object from each claim to its column")
	case m.Days < 0:
		return "days", errors.New("days must be positive")
	case m.Forms < 0 || m.Forms > 64:
		return "forms", errors.New("forms must be positive, and at most 64")
	case !slices.Contains([]string{",", ";", "|", "\t"}, m.Separator):
		return "separator", errors.New(`separator is one of ",", ";", "|" and "\t"`)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Claims)) {
		f := m.Claims[name]
		switch {
		case f.Column == "":
			return name, fmt.Errorf("the claim %s needs a column", name)
		case !slices.Contains([]string{"", "string", "boolean", "integer", "number", "date"}, f.As):
			return name, fmt.Errorf("the claim %s: \"as\" is string, boolean, integer, number or date", name)
		case f.As == "boolean" && cmp.Or(f.True, "true") == cmp.Or(f.False, "false"):
			return name, fmt.Errorf("the claim %s: \"true\" and \"false\" are the same", name)
		}
	}
	return "", nil
}

// lineOfFault is where a decoder has found a fault in text.
func lineOfFault(text []byte, err error) int {
	if e := new(json.SyntaxError); errors.As(err, &e) {
		return lineAt(text, e.Offset)
	}
	if e := new(json.UnmarshalTypeError); errors.As(err, &e) {
		return lineAt(text, e.Offset)
	}
	if _, name, ok := strings.Cut(err.Error(), `unknown field "`); ok { // which has no type of its own
		return lineOfKey(text, strings.TrimSuffix(name, `"`))
	}
	return lineAt(bytes.TrimSpace(text), int64(len(text))) // it is cut off
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:max(0, min(offset, int64(len(text))))], []byte("\n"))
}

// lineOfKey returns the line of an object's key in JSON; 1 if it isn't there.
func lineOfKey(text []byte, key string) int {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return 1
		}
		if t == key && strings.HasPrefix(strings.TrimSpace(string(text[d.InputOffset():])), ":") {
			return lineAt(text, d.InputOffset())
		}
	}
}

func (m mapping) separator() rune {
	c, _ := utf8.DecodeRuneInString(cmp.Or(m.Separator, ","))
	return c
}

// columns are those that the table must have.
func (m mapping) columns() []string {
	all := []string{m.Deposit, m.Key}
	for _, f := range m.Claims {
		if !f.Optional {
			all = append(all, f.Column)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// claims returns what a row says, in the order of names.
func (m mapping) claims(cells map[string]string) ([]credential.Claim, error) {
	var all []credential.Claim
	for _, name := range slices.Sorted(maps.Keys(m.Claims)) {
		f := m.Claims[name]
		cell, ok := cells[f.Column]
		cell = strings.TrimSpace(cell)
		switch {
		case cell == "" && f.Optional:
			continue
		case !ok:
			return nil, inColumn(f.Column, "it is missing")
		}
		value, err := f.value(cell)
		if err != nil {
			return nil, &cellErr{f.Column, err}
		}
		all = append(all, credential.Claim{Name: name, Value: value})
	}
	return all, nil
}

var errNotUTF8 = errors.New("it is not UTF-8: save the table as UTF-8")

// value reads a cell. The error doesn't repeat it.
func (f field) value(cell string) (any, error) {
	switch {
	case !utf8.ValidString(cell):
		return nil, errNotUTF8
	case cell == "":
		return nil, errors.New("it is empty; mark the claim as optional if that may be")
	}
	switch f.As {
	case "boolean":
		yes, no := cmp.Or(f.True, "true"), cmp.Or(f.False, "false")
		if cell != yes && cell != no {
			return nil, fmt.Errorf("it is neither %q nor %q", yes, no)
		}
		return cell == yes, nil
	case "integer":
		n, err := strconv.ParseInt(cell, 10, 64)
		if err != nil || n > 1<<53 || n < -1<<53 {
			return nil, errors.New("it is not an integer")
		}
		return n, nil
	case "number":
		n, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, errors.New("it is not a number with a decimal point")
		}
		return n, nil
	case "date":
		if _, err := time.Parse(time.DateOnly, cell); err != nil {
			return nil, errors.New("it is not a date like 2026-11-30")
		}
	}
	return cell, nil
}

// sign makes the forms of one piece of evidence, a line each.
func (m mapping) sign(key jose.JSONWebKey, issuer string, claims []credential.Claim, now time.Time) ([]byte, error) {
	var text []byte
	s := credential.Statement{Type: m.Type, Issuer: issuer, Issued: now, Expires: now.AddDate(0, 0, m.Days), Decoys: 4, Claims: claims}
	for range m.Forms {
		form, err := credential.Issue(key, s)
		if err != nil {
			return nil, err
		}
		text = append(append(text, form...), '\n')
	}
	return text, nil
}
