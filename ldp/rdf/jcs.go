// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf16"
)

// appendCanonicalJSON appends v, as decodeJSON returns it, in the form of
// RFC 8785, which is the lexical form of rdf:JSON.
func appendCanonicalJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		return appendCanonicalObject(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendCanonicalJSON(dst, item); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case string:
		return appendJSONString(dst, v), nil
	case json.Number:
		return appendCanonicalNumber(dst, v)
	case float64:
		return appendCanonicalNumber(dst, json.Number(string(mustJSON(v))))
	case bool, nil:
		return append(dst, mustJSON(v)...), nil
	}
	return nil, &SyntaxError{Msg: "not a JSON value"}
}

func appendCanonicalObject(dst []byte, object map[string]any) ([]byte, error) {
	names := slices.SortedFunc(maps.Keys(object), func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, name), ':')
		var err error
		if dst, err = appendCanonicalJSON(dst, object[name]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendCanonicalNumber writes a number as ECMAScript does, which encoding/json
// does too but for minus zero.
func appendCanonicalNumber(dst []byte, n json.Number) ([]byte, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, &SyntaxError{Msg: "a number is out of range"}
	}
	if f == 0 {
		return append(dst, '0'), nil
	}
	return append(dst, mustJSON(f)...), nil
}

// mustJSON encodes a finite number, a boolean or nil.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
