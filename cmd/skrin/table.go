// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxRow = 1 << 20 // bytes

// A tableRow is one of a table.
type tableRow struct {
	number int // from 1, without the headings
	line   int // of the file, where it begins
	cells  map[string]string
}

// A rowErr says what is wrong with a row, and holds none of its values.
type rowErr struct {
	Row    int    `json:"row"`
	Line   int    `json:"line"`
	Column string `json:"column,omitempty"`
	Error  string `json:"error"`
}

func (r tableRow) fault(err error) *rowErr {
	f := &rowErr{Row: r.number, Line: r.line, Error: err.Error()}
	if c := new(cellErr); errors.As(err, &c) {
		f.Column, f.Error = c.column, c.err.Error()
	}
	return f
}

// String gives it a line.
func (f *rowErr) String() string {
	where := fmt.Sprintf("row %d (line %d)", f.Row, f.Line)
	if f.Column != "" {
		where += ", column " + f.Column
	}
	return where + ": " + f.Error
}

// A cellErr is what is wrong in a column.
type cellErr struct {
	column string
	err    error
}

func (e *cellErr) Error() string { return "column " + e.column + ": " + e.err.Error() }

func inColumn(name, wrong string) error { return &cellErr{name, errors.New(wrong)} }

// eachRow reads a table that m maps, CSV with headings or JSON lines, and calls visit
// for each row, with what is wrong with it where it can't be read. It holds a row at a
// time, of at most a megabyte.
func eachRow(r io.Reader, jsonLines bool, m mapping, visit func(tableRow, error) error) error {
	if jsonLines {
		return eachLine(r, visit)
	}
	bound := &rowBound{r: bufio.NewReader(r), left: maxRow}
	if text, _ := bound.r.Peek(2); len(text) == 2 && (text[0] == 0xFF && text[1] == 0xFE || text[0] == 0xFE && text[1] == 0xFF) {
		return errors.New("it is UTF-16: save it as UTF-8")
	}
	table := csv.NewReader(bound)
	table.Comma, table.ReuseRecord = m.separator(), true
	head, err := readHead(table, m)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		bound.left = maxRow
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		p := new(csv.ParseError)
		switch {
		case errors.As(err, &p) && p.Err != csv.ErrFieldCount:
			return fmt.Errorf("line %d: %w; what follows can't be told apart", p.StartLine, p.Err)
		case err != nil && p.Err == nil:
			return fmt.Errorf("after row %d: %w", n-1, err)
		}
		at := tableRow{number: n, cells: map[string]string{}}
		if len(cells) > 0 {
			at.line, _ = table.FieldPos(0)
		}
		for i, name := range head[:min(len(head), len(cells))] {
			at.cells[name] = strings.Clone(cells[i])
		}
		if err != nil {
			err = fmt.Errorf("it has %d cells, and there are %d headings: put a cell in quotes that has a %q in it", len(cells), len(head), m.separator())
		}
		if err := visit(at, err); err != nil {
			return err
		}
	}
}

// readHead reads the headings, of which m needs some.
func readHead(table *csv.Reader, m mapping) ([]string, error) {
	head, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: want a line of headings, and then the rows")
	}
	if err != nil {
		return nil, fmt.Errorf("the headings: %w", err)
	}
	head = slices.Clone(head)
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	count := map[string]int{}
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
		count[head[i]]++
	}
	for _, name := range m.columns() {
		switch {
		case count[name] > 1:
			return nil, fmt.Errorf("line 1: there are %d columns %q", count[name], name)
		case count[name] == 1:
			continue
		}
		for name, c := range map[string]rune{"semicolons": ';', "tabs": '\t', "commas": ',', "bars": '|'} {
			if c != m.separator() && len(head) == 1 && strings.ContainsRune(head[0], c) {
				return nil, fmt.Errorf("line 1: the headings are separated by %s: say \"separator\": %q in the mapping", name, string(c))
			}
		}
		if slices.ContainsFunc(head, func(s string) bool { return !utf8.ValidString(s) }) {
			return nil, fmt.Errorf("line 1: there is no column %q, and what there is isn't UTF-8: save the table as UTF-8", name)
		}
		return nil, fmt.Errorf("line 1: there is no column %q; there are %q", name, head)
	}
	return head, nil
}

// A rowBound ends a row that goes on for ever, as one does with a quote that is never
// closed.
type rowBound struct {
	r    *bufio.Reader
	left int // bytes until the end of the row must have come
}

// Read implements io.Reader.
func (b *rowBound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the next row is longer than a megabyte: is there a quote that is never closed?")
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// eachLine reads JSON lines; empty ones are no rows.
func eachLine(r io.Reader, visit func(tableRow, error) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRow)
	at := tableRow{}
	for lines.Scan() {
		at.line++
		text := lines.Bytes()
		if at.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		at.number++
		var err error
		at.cells, err = jsonRow(text)
		if err := visit(at, err); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than a megabyte", at.line+1)
	}
	return lines.Err()
}

// jsonRow reads an object of strings, numbers and booleans.
func jsonRow(line []byte) (map[string]string, error) {
	if !utf8.Valid(line) {
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var cells map[string]any
	if err := d.Decode(&cells); err != nil || cells == nil || len(bytes.TrimSpace(line[d.InputOffset():])) > 0 {
		return nil, errors.New("it is not a JSON object, alone on its line")
	}
	all := map[string]string{}
	for name, value := range cells {
		switch v := value.(type) {
		case nil:
		case string:
			all[name] = v
		case bool, json.Number:
			all[name] = fmt.Sprint(v)
		default:
			return nil, inColumn(name, "it is neither a string nor a number nor true or false")
		}
	}
	return all, nil
}
