// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// decodeJSON reads one JSON value into maps, slices, strings, json.Numbers,
// bools and nil. Unlike encoding/json it refuses text that is not UTF-8 and an
// object with two members of one name, which readers disagree about.
func decodeJSON(body []byte, depth int) (any, error) {
	if !utf8.Valid(body) {
		return nil, jsonError(body, firstInvalid(string(body)), "the document is not valid UTF-8")
	}
	d := &jsonDecoder{dec: json.NewDecoder(bytes.NewReader(body)), body: body, depth: depth}
	d.dec.UseNumber()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := d.dec.Token(); err != io.EOF {
		return nil, d.fail("expected the end of the document")
	}
	return v, nil
}

type jsonDecoder struct {
	dec   *json.Decoder
	body  []byte
	depth int
}

func (d *jsonDecoder) value(depth int) (any, error) {
	if depth > d.depth {
		return nil, &LimitError{"nesting", d.depth}
	}
	token, err := d.token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return d.object(depth)
	case json.Delim('['):
		return d.array(depth)
	}
	return token, nil
}

func (d *jsonDecoder) object(depth int) (any, error) {
	members := map[string]any{}
	for d.dec.More() {
		token, err := d.token()
		if err != nil {
			return nil, err
		}
		name := token.(string)
		if _, ok := members[name]; ok {
			return nil, d.fail("an object has two members named " + quoteShort(name))
		}
		if members[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := d.token()
	return members, err
}

func (d *jsonDecoder) array(depth int) (any, error) {
	items := []any{}
	for d.dec.More() {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.token()
	return items, err
}

func (d *jsonDecoder) token() (json.Token, error) {
	token, err := d.dec.Token()
	if err == nil {
		return token, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, jsonError(d.body, len(d.body), "the document ends in the middle of a JSON value")
	case errors.As(err, &syntax):
		return nil, jsonError(d.body, int(syntax.Offset)-1, "not valid JSON")
	}
	return nil, d.fail("not valid JSON")
}

func (d *jsonDecoder) fail(msg string) error { return jsonError(d.body, int(d.dec.InputOffset()), msg) }

func jsonError(body []byte, offset int, msg string) *SyntaxError {
	return (&lexer{in: string(body), pos: max(offset, 0)}).errorAt(msg)
}

// appendJSONString appends s in quotes with no more escapes than JSON needs,
// which is what RFC 8785 has too.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendJSONEscape(dst, c)
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendJSONEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	if n := strings.IndexByte("\b\t\n\f\r\"\\", c); n >= 0 {
		return append(dst, '\\', `btnfr"\`[n])
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
