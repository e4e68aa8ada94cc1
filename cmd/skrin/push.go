// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/pod/credential"
)

// providerCommand is the integrator's kit of an authority.
type providerCommand struct {
	Connect askCommand    `cmd:"" help:"Ask a person for a place where evidence may be deposited."`
	Finish  finishCommand `cmd:"" help:"Take the answer that her browser brought."`
	Push    pushCommand   `cmd:"" help:"Sign and deposit evidence: a row of a table each."`
}

// A mapping says how a row becomes evidence.
type mapping struct {
	Type    string           `json:"type"`    // of the evidence (vct)
	Days    int              `json:"days"`    // for which it is good; 0 for 30
	Forms   int              `json:"forms"`   // signed forms, each for one recipient; 0 for 8
	Deposit string           `json:"deposit"` // the column with the address to which it may be deposited
	Key     string           `json:"key"`     // the column with what is the same when the row is sent again, and only then
	Claims  map[string]field `json:"claims"`  // by the claim's name
}

// A field says where a claim comes from.
type field struct {
	Column   string `json:"column"`
	As       string `json:"as"`       // string, boolean, integer, number or date; "" for string
	True     string `json:"true"`     // what stands for yes in a boolean; "" for true
	False    string `json:"false"`    // and for no; "" for false
	Optional bool   `json:"optional"` // an empty cell is no claim
}

// pushCommand deposits what a table holds.
type pushCommand struct {
	backEnd  `embed:""`
	Issuer   string `required:"" help:"The iss with which the party is registered."`
	Receipts string `required:"" help:"Folder for the delivery receipts. A row that has one there isn't sent again." type:"path"`
	Check    bool   `help:"Only check the rows, and send nothing."`
	JSON     bool   `name:"json" help:"Report as JSON."`
	Mapping  string `arg:"" help:"File that says how a row becomes evidence (JSON)." type:"existingfile"`
	Rows     string `arg:"" help:"The rows: CSV with a line of headings, or JSON lines (.jsonl)." type:"existingfile"`
}

// A pushed is what became of all rows.
type pushed struct {
	Sent    int      `json:"sent"`
	Before  int      `json:"sent_before"`
	Checked int      `json:"checked,omitempty"`
	Failed  []rowErr `json:"failed"`
}

// A rowErr says what is wrong with a row, and holds none of its values.
type rowErr struct {
	Row   int    `json:"row"` // from 1, without the headings
	Error string `json:"error"`
}

// Run obeys kong. It goes on after a row that fails, and fails at the end.
func (c *pushCommand) Run(ctx context.Context) error {
	m, err := readMapping(c.Mapping)
	if err != nil {
		return err
	}
	party, err := c.client()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Receipts, 0o700); err != nil {
		return err
	}
	rows, err := os.Open(c.Rows)
	if err != nil {
		return err
	}
	defer rows.Close()
	done, number := pushed{Failed: []rowErr{}}, 0
	shown := newBar(c.JSON)
	err = eachRow(rows, strings.HasSuffix(c.Rows, ".jsonl"), func(row map[string]string, fault error) error {
		number++
		if fault == nil {
			fault = c.push(ctx, party, m, row, &done)
		}
		if fault != nil {
			done.Failed = append(done.Failed, rowErr{number, fault.Error()})
		}
		shown.show(pace{int64(number), 0, "rows"})
		return ctx.Err()
	})
	shown.end()
	if err != nil {
		return err
	}
	return done.report(c.JSON)
}

func (p *pushed) report(asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
			return err
		}
	} else {
		for _, f := range p.Failed {
			fmt.Printf("row %d: %s\n", f.Row, f.Error)
		}
		fmt.Printf("%d sent, %d sent before, %d checked, %d failed\n", p.Sent, p.Before, p.Checked, len(p.Failed))
	}
	if len(p.Failed) > 0 {
		return fmt.Errorf("%d rows failed: mend them and run it again", len(p.Failed))
	}
	return nil
}

// push deposits one row, unless there is a receipt for it.
func (c *pushCommand) push(ctx context.Context, party *client.Client, m mapping, row map[string]string, done *pushed) error {
	claims, err := m.claims(row)
	if err != nil {
		return err
	}
	if row[m.Key] == "" || row[m.Deposit] == "" {
		return fmt.Errorf("the columns %s and %s must not be empty", m.Key, m.Deposit)
	}
	sum := sha256.Sum256([]byte(m.Type + "\x00" + row[m.Key]))
	key := hex.EncodeToString(sum[:16])
	receipt := filepath.Join(c.Receipts, key+".jwt")
	if _, err := os.Stat(receipt); err == nil {
		done.Before++
		return nil
	}
	if c.Check {
		done.Checked++
		return nil
	}
	text, err := m.sign(party.Key, c.Issuer, claims, time.Now())
	if err != nil {
		return err
	}
	w, err := patiently(ctx, func() (*client.Written, error) {
		return party.Post(ctx, row[m.Deposit], client.Content{Type: "application/dc+sd-jwt", Body: text, Key: key})
	})
	if err != nil {
		return err
	}
	if err := save(receipt, bytes.NewReader(w.Body)); err != nil {
		return err
	}
	done.Sent++
	return nil
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

// patiently tries again what failed for a reason that passes. The idempotency key
// makes sure that nothing is deposited twice.
func patiently[T any](ctx context.Context, try func() (T, error)) (T, error) {
	for n := range 4 {
		result, err := try()
		p := new(client.Problem)
		if err == nil || errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests || n == 3 {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(time.Second << n):
		}
	}
	panic("not reached")
}

func readMapping(file string) (m mapping, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	if m.Days == 0 {
		m.Days = 30
	}
	if m.Forms == 0 {
		m.Forms = 8
	}
	switch {
	case m.Type == "" || m.Deposit == "" || m.Key == "" || len(m.Claims) == 0:
		return m, fmt.Errorf("%s: type, deposit, key and claims are needed", file)
	case m.Days < 0 || m.Forms < 0 || m.Forms > 64:
		return m, fmt.Errorf("%s: days must be positive, and forms at most 64", file)
	}
	for name, f := range m.Claims {
		if f.Column == "" || !slices.Contains([]string{"", "string", "boolean", "integer", "number", "date"}, f.As) {
			return m, fmt.Errorf("%s: %s: needs a column, and \"as\" is string, boolean, integer, number or date", file, name)
		}
	}
	return m, nil
}

// claims returns what a row says, in the order of names.
func (m mapping) claims(row map[string]string) ([]credential.Claim, error) {
	var all []credential.Claim
	for name, f := range m.Claims {
		cell, ok := row[f.Column]
		switch {
		case cell == "" && f.Optional:
			continue
		case !ok:
			return nil, fmt.Errorf("there is no column %s", f.Column)
		}
		value, err := f.value(strings.TrimSpace(cell))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Column, err)
		}
		all = append(all, credential.Claim{Name: name, Value: value})
	}
	slices.SortFunc(all, func(a, b credential.Claim) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// value reads a cell. The error doesn't repeat it.
func (f field) value(cell string) (any, error) {
	switch f.As {
	case "boolean":
		yes, no := "true", "false"
		if f.True != "" {
			yes = f.True
		}
		if f.False != "" {
			no = f.False
		}
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
	if cell == "" {
		return nil, errors.New("it is empty; mark the claim as optional if that may be")
	}
	return cell, nil
}

const maxRow = 1 << 20 // bytes

// eachRow reads CSV with headings, or JSON lines, and calls visit for each row,
// with what is wrong with it where it can't be read.
func eachRow(r io.Reader, jsonLines bool, visit func(map[string]string, error) error) error {
	if jsonLines {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxRow)
		for lines.Scan() {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			if err := visit(jsonRow(lines.Bytes())); err != nil {
				return err
			}
		}
		return lines.Err()
	}
	table := csv.NewReader(r)
	head, err := table.Read()
	if err != nil {
		return fmt.Errorf("the headings: %w", err)
	}
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	for {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if p := new(csv.ParseError); errors.As(err, &p) && p.Err != csv.ErrFieldCount {
			return fmt.Errorf("the rows: %w", err) // what follows can't be told apart
		} else if err != nil && p.Err == nil {
			return err
		}
		row := map[string]string{}
		for i, name := range head {
			if i < len(cells) {
				row[name] = cells[i]
			}
		}
		if err != nil {
			err = errors.New("it has more or fewer cells than there are headings")
		}
		if err := visit(row, err); err != nil {
			return err
		}
	}
}

// jsonRow reads an object of strings, numbers and booleans.
func jsonRow(line []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var cells map[string]any
	if err := d.Decode(&cells); err != nil || cells == nil {
		return nil, errors.New("it is not a JSON object")
	}
	row := map[string]string{}
	for name, value := range cells {
		switch v := value.(type) {
		case nil:
		case string:
			row[name] = v
		case bool, json.Number:
			row[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%s is neither a string nor a number nor true or false", name)
		}
	}
	return row, nil
}

// consumerCommand is the integrator's kit of a third party.
type consumerCommand struct {
	Ask    askCommand    `cmd:"" help:"Ask a person for evidence, in her browser or in her inbox."`
	Finish finishCommand `cmd:"" help:"Take the answer that her browser brought."`
	Read   readCommand   `cmd:"" help:"Read evidence that was granted, and verify it."`
	Verify verifyCommand `cmd:"" help:"Verify evidence from standard input, offline."`
}

// readCommand reads and verifies.
type readCommand struct {
	backEnd       `embed:""`
	verifyCommand `embed:""`
	URL           string `arg:"" help:"The address that was granted."`
}

// Run obeys kong. It prints the claims.
func (c *readCommand) Run(ctx context.Context) error {
	party, err := c.client()
	if err != nil {
		return err
	}
	got, err := party.Get(ctx, c.URL, "application/dc+sd-jwt")
	if err != nil {
		return err
	}
	return c.verify(bytes.NewReader(got.Body))
}
