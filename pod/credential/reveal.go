// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"slices"
)

// A revealer puts disclosures in the places of their digests (RFC 9901,
// section 7.1, step 3).
type revealer struct {
	given map[string]*disclosure // by digest
	found map[string]bool        // the digests met so far
}

// reveal gives the claims that a payload and the disclosures make together,
// and notes with each disclosure the top-level claim it is part of.
func reveal(payload any, disclosures []*disclosure) (map[string]any, error) {
	object, ok := payload.(map[string]any)
	if !ok {
		return nil, Error("the issuer's claims are not an object")
	}
	if alg, found := object["_sd_alg"]; found && alg != "sha-256" {
		return nil, Error("the hash algorithm is not sha-256")
	}
	r := revealer{map[string]*disclosure{}, map[string]bool{}}
	for _, d := range disclosures {
		sum := digest(d.encoded)
		if r.given[sum] != nil {
			return nil, Error("a disclosure is given twice")
		}
		r.given[sum] = d
	}
	claims, err := r.object(object, "", 0)
	if err != nil {
		return nil, err
	}
	for _, d := range disclosures {
		if !r.found[digest(d.encoded)] {
			return nil, Error("a disclosure does not belong to what the issuer signed")
		}
		if d.under == d.name && slices.Contains(protocol, d.name) {
			return nil, Error("a claim that must always be visible is in a disclosure")
		}
	}
	delete(claims, "_sd_alg")
	return claims, nil
}

func (r revealer) value(v any, under string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch v := v.(type) {
	case map[string]any:
		return r.object(v, under, depth)
	case []any:
		return r.array(v, under, depth)
	}
	return v, nil
}

// object reveals the claims of an object; under is "" for the topmost.
func (r revealer) object(in map[string]any, under string, depth int) (map[string]any, error) {
	out := make(map[string]any, len(in))
	put := func(name string, v any) error {
		if name == "..." || name == "" && under == "" {
			return Error(`a claim is named "..." or has no name`)
		}
		if _, taken := out[name]; taken {
			return Error("two claims in one place have the same name")
		}
		revealed, err := r.value(v, top(under, name), depth+1)
		out[name] = revealed
		return err
	}
	for name, v := range in {
		if name == "_sd" {
			continue
		}
		if err := put(name, v); err != nil {
			return nil, err
		}
	}
	digests, ok := in["_sd"].([]any)
	if _, found := in["_sd"]; found && !ok {
		return nil, errDigests
	}
	for _, v := range digests {
		d, err := r.take(v, false)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		d.under = top(under, d.name)
		if err := put(d.name, d.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// top is the top-level claim of what is named in a place under another.
func top(under, name string) string {
	if under == "" {
		return name
	}
	return under
}

func (r revealer) array(in []any, under string, depth int) ([]any, error) {
	out := make([]any, 0, len(in))
	for _, v := range in {
		if object, ok := v.(map[string]any); ok && len(object) == 1 && object["..."] != nil {
			d, err := r.take(object["..."], true)
			if err != nil {
				return nil, err
			}
			if d == nil {
				continue // not shown: as if it were not there
			}
			d.under = under
			v = d.value
		}
		revealed, err := r.value(v, under, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, revealed)
	}
	return out, nil
}

const (
	errDigests = Error("the digests are not an array of strings")
	errDepth   = Error("the claims are nested more than 32 deep")
)

// take gives the disclosure of a digest, or nil if it was not given.
func (r revealer) take(v any, element bool) (*disclosure, error) {
	sum, ok := v.(string)
	if !ok {
		return nil, errDigests
	}
	if r.found[sum] {
		return nil, Error("a digest occurs twice")
	}
	r.found[sum] = true
	d := r.given[sum]
	if d != nil && d.element != element {
		return nil, Error("a disclosure of a claim stands for an element of an array, or the other way round")
	}
	return d, nil
}
