// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed contexts/*.jsonld
var contextFiles embed.FS

// embeddedContext returns the text of the JSON-LD context with the given IRI;
// contexts/README.md says where each comes from.
func embeddedContext(iri string) ([]byte, bool) {
	name := ""
	switch iri {
	case "https://www.w3.org/2018/credentials/v1":
		name = "credentials-v1"
	case "https://www.w3.org/ns/credentials/v2":
		name = "credentials-v2"
	case "https://w3id.org/security/data-integrity/v1":
		name = "data-integrity-v1"
	case "https://w3id.org/security/data-integrity/v2":
		name = "data-integrity-v2"
	case "https://w3id.org/security/multikey/v1":
		name = "multikey-v1"
	case "https://w3id.org/security/v1":
		name = "security-v1"
	case "https://w3id.org/security/v2":
		name = "security-v2"
	case "https://www.w3.org/ns/activitystreams", "https://www.w3.org/ns/activitystreams.jsonld":
		name = "activitystreams"
	case "https://www.w3.org/ns/solid/oidc-context.jsonld":
		name = "solid-oidc"
	case "https://www.w3.org/ns/solid/notification/v1":
		name = "solid-notification-v1"
	case "https://www.w3.org/ns/solid/notifications-context/v1":
		name = "solid-notifications-v1"
	case "http://data.europa.eu/snb/model/context/edc-ap":
		name = "edc-ap"
	default:
		return nil, false
	}
	text, err := contextFiles.ReadFile("contexts/" + name + ".jsonld")
	return text, err == nil
}

// CoreContext returns the JSON-LD context of Skrin's own vocabulary, whose terms
// are in the given namespace, such as "https://pod.example.se/ns/core#". It is
// for the server to serve, and for [Limits].LoadContext to return.
func CoreContext(namespace string) ([]byte, error) {
	if msg := invalidIRI(namespace); msg != "" {
		return nil, errors.New("core context: " + msg)
	}
	text, err := contextFiles.ReadFile("contexts/core.jsonld")
	if err != nil {
		return nil, err
	}
	own := appendJSONString(nil, namespace)
	return bytes.ReplaceAll(text, []byte(`"https://pod.example/ns/core#"`), own), nil
}

// An inliner puts the contexts that a JSON-LD document refers to in the place of
// the references, so that the JSON-LD processor loads nothing, and counts what
// they ask of it.
type inliner struct {
	ctx      context.Context
	lim      Limits
	contexts int  // in "@context" members, and contexts loaded
	terms    int  // members of all of them
	scoped   bool // one is nested in another, and so is applied again and again
	objects  int
	loading  []string // the contexts that are being loaded, one in the other
	base     string   // of the document
	vocab    bool     // a context has "@vocab"
	oddName  bool     // a member's name is an IRI that json-gold does not take for one
	odd      []string // datatypes of that kind; see hideDatatype

	names, termNames map[string]bool   // of the document's members, and of its contexts'
	tags             map[string]string // language tags as they are written, by their lower case
}

func newInliner(ctx context.Context, lim Limits) *inliner {
	return &inliner{ctx: ctx, lim: lim, names: map[string]bool{}, termNames: map[string]bool{}}
}

// document puts in the contexts of v, and returns the base that v's own
// contexts give it.
func (in *inliner) document(v any, base string) (string, error) {
	in.base = base
	if object, ok := v.(map[string]any); ok {
		var err error
		if base, err = takeBase(object, base); err != nil {
			return "", err
		}
	}
	if err := in.walk(v); err != nil {
		return "", err
	}
	if work := in.objects * in.terms; in.scoped && work > in.lim.Work {
		return "", &LimitError{"the terms of its contexts times its objects", in.lim.Work}
	}
	if in.vocab && in.oddName {
		return "", &SyntaxError{Msg: "a property is not a valid IRI"} // json-gold would take it for a term of @vocab
	}
	return base, nil
}

// isOdd reports whether s has the form of an IRI, and json-gold takes it for a
// relative one, because net/url can't parse it. JSON-LD goes by the form.
func isOdd(s string) bool {
	if schemeLen(s) == 0 {
		return false
	}
	_, err := url.Parse(s)
	return err != nil
}

// oddDatatype and a number stand for an IRI that json-gold would refuse as a
// datatype.
const oddDatatype = "urn:x-odd-datatype:"

// hideDatatype replaces an odd datatype, as our own writer writes it, while
// json-gold looks.
func (in *inliner) hideDatatype(object map[string]any) {
	datatype, _ := object["@type"].(string)
	_, isValue := object["@value"]
	if isValue && (isOdd(datatype) || strings.HasPrefix(datatype, oddDatatype)) {
		in.odd = append(in.odd, datatype)
		object["@type"] = oddDatatype + strconv.Itoa(len(in.odd)-1)
	}
}

// shown returns the datatype that hideDatatype hid behind iri.
func (in *inliner) shown(iri string) string {
	if rest, ok := strings.CutPrefix(iri, oddDatatype); ok {
		if n, err := strconv.Atoi(rest); err == nil && n < len(in.odd) {
			return in.odd[n]
		}
	}
	return iri
}

// takeBase takes the "@base" members out of the document's own contexts. The
// processor resolves references otherwise than RFC 3986 has it; so we resolve
// them, after it.
func takeBase(object map[string]any, base string) (string, error) {
	now := base
	for _, c := range arrayOf(object["@context"]) {
		members, ok := c.(map[string]any)
		if c == nil {
			now = base
		}
		value, has := members["@base"]
		if !ok || !has {
			continue
		}
		delete(members, "@base")
		switch ref := value.(type) {
		case nil:
			now = ""
		case string:
			var err error
			if now, err = resolveRef(now, ref); err != nil {
				return "", &SyntaxError{Msg: `"@base": ` + err.Error()}
			}
		default:
			return "", &SyntaxError{Msg: `expected a string or null as "@base"`}
		}
	}
	return now, nil
}

// walk visits every object of a document.
func (in *inliner) walk(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := in.walk(item); err != nil {
				return err
			}
		}
	case map[string]any:
		in.objects++
		in.hideDatatype(v)
		for name, member := range v {
			in.note(name, member)
			in.names[name] = true
			in.oddName = in.oddName || isOdd(name)
			if name == "@context" {
				inlined, err := in.local(member)
				if err != nil {
					return err
				}
				v[name] = inlined
				continue
			}
			if err := in.walk(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// local returns the value of an "@context" member with no references in it.
func (in *inliner) local(v any) (any, error) {
	if err := in.count(); err != nil {
		return nil, err
	}
	inlined := []any{}
	for i, c := range arrayOf(v) {
		if i > 0 {
			if err := in.count(); err != nil {
				return nil, err
			}
		}
		switch c := c.(type) {
		case nil:
			inlined = append(inlined, nil)
		case string:
			loaded, err := in.load(c)
			if err != nil {
				return nil, err
			}
			inlined = append(inlined, arrayOf(loaded)...)
		case map[string]any:
			if err := in.members(c); err != nil {
				return nil, err
			}
			inlined = append(inlined, c)
		default:
			return nil, &SyntaxError{Msg: `expected a string, an object or null as "@context"`}
		}
	}
	return inlined, nil
}

// note remembers how a language tag is written, which the processor forgets: a
// tag is the value of "@language", or a name in a language map.
func (in *inliner) note(name string, value any) {
	tag := name
	if name == "@language" {
		tag, _ = value.(string)
	}
	lower := strings.ToLower(tag)
	if lower == tag || !isLang(tag) {
		return
	}
	if in.tags == nil {
		in.tags = map[string]string{}
	}
	if old, ok := in.tags[lower]; !ok || tag < old {
		in.tags[lower] = tag
	}
}

func (in *inliner) count() error {
	if in.contexts++; in.contexts > in.lim.Contexts {
		return &LimitError{"contexts", in.lim.Contexts}
	}
	return in.ctx.Err()
}

// maxTerms is how many members the contexts of a document have, together. Where each
// is made of the next, json-gold calls itself for each; and it copies all of them for
// each context.
const maxTerms = 10_000

// members looks at the members of a context: at what it says of itself, and for
// contexts nested in its terms.
func (in *inliner) members(c map[string]any) error {
	if in.terms += len(c); in.terms > maxTerms {
		return &LimitError{"terms of its contexts", maxTerms}
	}
	for name, value := range c {
		in.note(name, value)
		in.termNames[name] = true
		if err := in.keyword(c, name, value); err != nil {
			return err
		}
		if term, ok := value.(map[string]any); ok {
			in.note("@language", term["@language"])
			if err := in.scope(term); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyword refuses what json-gold would do by itself, and otherwise than we do.
func (in *inliner) keyword(c map[string]any, name string, value any) error {
	switch name {
	case "@base":
		return &SyntaxError{Msg: `"@base" is understood in the document's own context only`}
	case "@context":
		return &SyntaxError{Msg: `a context has the member "@context"`}
	case "@import":
		return &SyntaxError{Msg: `"@import" is not understood here: list the context in "@context"`}
	case "@vocab":
		in.vocab = true
	case "@version":
		if value != json.Number("1.1") {
			return &SyntaxError{Msg: `expected 1.1 as "@version"`}
		}
		c[name] = 1.1 // json-gold knows it as a float64 only
	}
	return nil
}

// scope looks at the context of a term, if it has one.
func (in *inliner) scope(term map[string]any) error {
	nested, has := term["@context"]
	if !has {
		return nil
	}
	isGraph := slices.Contains(arrayOf(term["@container"]), any("@graph"))
	switch {
	case isGraph && nested == nil && len(in.loading) > 0:
		// So the credentials of a presentation are defined. json-gold would forget
		// that they are graphs. What is in one has its own context.
		delete(term, "@context")
		return nil
	case isGraph || term["@id"] == "@nest":
		return &SyntaxError{Msg: `a term for "@nest" or "@graph" with a context of its own is not understood here`}
	}
	in.scoped = true
	inlined, err := in.local(nested)
	term["@context"] = inlined
	return err
}

// load returns the context with the given IRI, with no references in it.
func (in *inliner) load(ref string) (any, error) {
	base := in.base
	if n := len(in.loading); n > 0 {
		base = in.loading[n-1]
	}
	iri, err := resolveRef(base, ref)
	if err != nil {
		return nil, &SyntaxError{Msg: `"@context": ` + err.Error()}
	}
	for _, outer := range in.loading {
		if outer == iri {
			return nil, &SyntaxError{Msg: "a context refers to itself"}
		}
	}
	text, ok := embeddedContext(iri)
	if !ok {
		if text, err = in.fetch(iri); err != nil {
			return nil, err
		}
	}
	document, err := decodeJSON(text, in.lim.Depth)
	if err != nil {
		return nil, fmt.Errorf("the context %s: %w", quoteShort(iri), err)
	}
	object, _ := document.(map[string]any)
	c, ok := object["@context"]
	if !ok {
		return nil, &SyntaxError{Msg: "the document " + quoteShort(iri) + " has no context"}
	}
	for _, part := range arrayOf(c) {
		if members, ok := part.(map[string]any); ok {
			delete(members, "@base") // JSON-LD 1.1 API, section 4.1.2, step 5.7
		}
	}
	in.loading = append(in.loading, iri)
	defer func() { in.loading = in.loading[:len(in.loading)-1] }()
	return in.local(c)
}

func (in *inliner) fetch(iri string) ([]byte, error) {
	if in.lim.LoadContext == nil || !strings.HasPrefix(iri, "https://") && !strings.HasPrefix(iri, "http://") {
		return nil, &ContextError{iri}
	}
	text, err := in.lim.LoadContext(in.ctx, iri)
	switch {
	case err != nil:
		return nil, fmt.Errorf("load a JSON-LD context: %w", err)
	case text == nil:
		return nil, &ContextError{iri}
	case len(text) > in.lim.Bytes:
		return nil, &LimitError{"bytes of a context", in.lim.Bytes}
	}
	return text, nil
}

// meaningless returns a member's name that cannot be a property, or "": json-gold
// says only that there is one.
func (in *inliner) meaningless() string {
	for _, name := range slices.Sorted(maps.Keys(in.names)) {
		if !in.termNames[name] && !strings.ContainsAny(name, ":@") {
			return name
		}
	}
	return ""
}

// arrayOf returns v as the array that JSON-LD takes a single value for.
func arrayOf(v any) []any {
	if array, ok := v.([]any); ok {
		return array
	}
	return []any{v}
}
