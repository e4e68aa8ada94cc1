// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"slices"
	"strings"
)

// The media types that this package knows by name.
const (
	typeTurtle  = "text/turtle"
	typeJSONLD  = "application/ld+json"
	typeHTML    = "text/html"
	typeProblem = "application/problem+json"
	typeN3Patch = "text/n3"
	typeSPARQL  = "application/sparql-update"
)

// choose returns the offer that the Accept headers rate highest, the earlier of
// equals; "" if they accept none. No header accepts all (RFC 9110, 12.5.1).
func choose(accept []string, offers ...string) string {
	best, bestQ := "", 0
	for _, offer := range offers {
		if q, _ := quality(accept, offer); q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best
}

// quality returns how much the Accept headers like a media type, in thousandths,
// and whether they name it. The most specific range decides; ranges' parameters
// but q are ignored.
func quality(accept []string, media string) (q int, named bool) {
	if len(accept) == 0 {
		return 1000, false
	}
	media = bare(media)
	main, _, _ := strings.Cut(media, "/")
	specific, listed := 0, false
	for _, line := range accept {
		for item := range elements(line, ',') {
			listed = true
			name, params, _ := strings.Cut(item, ";")
			name = strings.TrimSpace(name)
			s := 0
			switch {
			case strings.EqualFold(name, media):
				s = 3
			case len(name) == len(main)+2 && strings.HasSuffix(name, "/*") && strings.EqualFold(name[:len(main)], main):
				s = 2
			case name == "*/*":
				s = 1
			}
			if s > specific {
				q, specific = weight(params), s
			}
		}
	}
	if !listed {
		return 1000, false
	}
	return q, specific == 3
}

// likesPages reports whether the Accept headers name HTML, and rate it above the
// other type: so do browsers.
func likesPages(accept []string, other string) bool {
	page, named := quality(accept, typeHTML)
	q, _ := quality(accept, other)
	return named && page > q
}

// weight reads q among a range's parameters; what can't be read is 1.
func weight(params string) int {
	if params == "" {
		return 1000
	}
	for p := range elements(params, ';') {
		v, ok := strings.CutPrefix(p, "q=")
		if !ok {
			if v, ok = strings.CutPrefix(p, "Q="); !ok {
				continue
			}
		}
		whole, frac, _ := strings.Cut(v, ".")
		if whole != "0" || len(frac) > 3 {
			return 1000
		}
		q := 0
		for i, digit := 0, 100; i < len(frac); i, digit = i+1, digit/10 {
			if frac[i] < '0' || frac[i] > '9' {
				return 1000
			}
			q += int(frac[i]-'0') * digit
		}
		return q
	}
	return 1000
}

// bare returns a media type without its parameters.
func bare(media string) string {
	if i := strings.IndexByte(media, ';'); i >= 0 {
		media = media[:i]
	}
	return strings.TrimSpace(media)
}

// elements yields the non-empty elements of a list, trimmed, split at sep but
// not inside a quoted string or angle brackets.
func elements(list string, sep byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for list != "" {
			item, rest := cutList(list, sep)
			list = rest
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}

func cutList(list string, sep byte) (item, rest string) {
	quoted, angled := false, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !angled:
			quoted = !quoted
		case quoted:
		case c == '<':
			angled = true
		case c == '>':
			angled = false
		case c == sep && !angled:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// parameter returns a parameter's value in "; name=value" lists, unquoted.
func parameter(params, name string) (string, bool) {
	for p := range elements(params, ';') {
		n, v, ok := strings.Cut(p, "=")
		if ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return unquote(strings.TrimSpace(v)), true
		}
	}
	return "", false
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// Interaction models that a client can ask for (LDP, 5.2.3.4).
const (
	nsLDP = "http://www.w3.org/ns/ldp#"
	nsPIM = "http://www.w3.org/ns/pim/space#"
)

// linkTypes tells which interaction models the Link rel=type headers name. One that
// there isn't here can't be ignored (LDP, 5.2.3.4).
func linkTypes(lines []string) (container, nonRDF bool, fault error) {
	for _, line := range lines {
		for item := range elements(line, ',') {
			target, params, ok := strings.Cut(item, ">")
			if !ok || target == "" || target[0] != '<' {
				continue
			}
			rel, _ := parameter(params, "rel")
			if !slices.ContainsFunc(strings.Fields(rel), func(s string) bool { return strings.EqualFold(s, "type") }) {
				continue
			}
			switch target[1:] {
			case nsLDP + "BasicContainer", nsLDP + "Container":
				container = true
			case nsLDP + "NonRDFSource":
				nonRDF = true
			case nsLDP + "DirectContainer", nsLDP + "IndirectContainer":
				fault = Refuse(Conflict, "The Link header asks for a kind of container that there isn't here. Ask for ldp:BasicContainer.")
			}
		}
	}
	return container, nonRDF, fault
}

// A preference is what the Prefer headers ask (RFC 7240; LDP, 7.2).
type preference struct {
	minimal        bool // return=minimal
	representation bool // return=representation, with include or omit
	bare           bool // a container without its containment triples
	members        int  // at a time; 0 for all (LDP Paging, max-member-count)
}

func prefer(lines []string) preference {
	var p preference
	for _, line := range lines {
		for item := range elements(line, ',') {
			name, params, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(name, " ", ""), `"`, "")) {
			case "return=minimal":
				p.minimal = true
			case "return=representation":
				include, _ := parameter(params, "include")
				omit, _ := parameter(params, "omit")
				p.bare = (names(include, "PreferMinimalContainer") || names(include, "PreferEmptyContainer")) &&
					!names(include, "PreferContainment") || names(omit, "PreferContainment")
				p.representation = p.bare || names(include, "PreferContainment")
				if size, ok := parameter(params, sizeParameter); ok {
					n, _ := offset(size)
					p.members = int(min(n, largestPage))
				}
			}
		}
	}
	return p
}

func names(iris, term string) bool {
	for iri := range strings.FieldsSeq(iris) {
		if ns, ok := strings.CutSuffix(iri, term); ok && ns == nsLDP {
			return true
		}
	}
	return false
}

// entityTags reads If-Match (strong: weak tags match nothing there, RFC 9110,
// 13.1.1) or If-None-Match as [Conditions] wants them: without quotes, without
// the format's name. nil if there is no such header.
func entityTags(lines []string, strong bool) []string {
	if lines == nil {
		return nil
	}
	tags := []string{}
	for _, line := range lines {
		for item := range elements(line, ',') {
			weak := strings.HasPrefix(item, "W/")
			if item == "*" {
				tags = append(tags, item)
				continue
			}
			if tag := strings.TrimPrefix(item, "W/"); len(tag) > 2 && tag[0] == '"' && !(weak && strong) {
				tag, _, _ = strings.Cut(unquote(tag), ".")
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// hasTag reports whether If-None-Match names the entity tag, weakly compared.
func hasTag(lines []string, etag string) bool {
	for _, line := range lines {
		for item := range elements(line, ',') {
			if item == "*" || strings.TrimPrefix(item, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// short names the representation of a type in its entity tag.
func short(media string) string {
	switch bare(media) {
	case typeTurtle:
		return "ttl"
	case typeJSONLD:
		return "jsonld"
	case typeHTML:
		return "html"
	}
	return "raw"
}

// span is the range of bytes that a Range header asks for, of size bytes. ok is
// false where the header is to be ignored: another unit, malformed, several
// ranges (RFC 9110, 14.2, lets a server). length 0 is a range that can't be had.
func span(header string, size int64) (start, length int64, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return 0, 0, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || first == "" && last == "" {
		return 0, 0, false
	}
	from, okFrom := offset(first)
	to, okTo := offset(last)
	switch {
	case !okFrom || !okTo, first != "" && last != "" && to < from:
		return 0, 0, false
	case first == "":
		to = min(to, size)
		return size - to, to, true
	case last == "" || to >= size:
		to = size - 1
	}
	return from, max(0, to-from+1), true
}

// offset reads up to 18 digits; "" is 0.
func offset(s string) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || i >= 18 {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
