// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/piprate/json-gold/ld"
)

// readJSONLD expands the document with json-gold and turns the result into
// triples itself: json-gold's own conversion drops what it finds invalid,
// panics on some documents, and its text output does not escape.
func readJSONLD(ctx context.Context, body []byte, base string, lim Limits) (*Dataset, error) {
	if msg := invalidIRI(base); base != "" && msg != "" {
		return nil, errors.New("base: " + msg)
	}
	document, err := decodeJSON(body, lim.Depth)
	if err != nil {
		return nil, err
	}
	switch document.(type) {
	case map[string]any, []any:
	default:
		return nil, &SyntaxError{Msg: "expected a JSON object or array"}
	}
	in := newInliner(ctx, lim)
	if base, err = in.document(document, base); err != nil {
		return nil, err
	}
	expanded, err := expand(ctx, document)
	if errors.Is(err, errMeaningless) {
		return nil, &SyntaxError{Msg: "the property " + quoteShort(in.meaningless()) + " has no meaning: expected a term of the document's contexts, or an absolute IRI"}
	}
	if err != nil {
		return nil, err
	}
	t := &toRDF{ctx: ctx, lim: lim, base: base, in: in, dataset: new(Dataset)}
	if err := t.nodes(expanded, t.dataset.Default()); err != nil {
		return nil, err
	}
	return t.dataset, nil
}

// expand runs json-gold's expansion. It has no contexts to load, since they are
// in the document; it fails on a property that no context defines; and it
// resolves nothing, since it has no base. It is stopped by ctx at the next node,
// and a panic of its is an error.
func expand(ctx context.Context, document any) (expanded []any, err error) {
	defer recoverGold(&err)
	opts := goldOptions()
	opts.SafeMode = true
	opts.ExpandedElementHandler = func(string, any) {
		if err := ctx.Err(); err != nil {
			panic(fault{err})
		}
	}
	expanded, err = ld.NewJsonLdProcessor().Expand(document, opts)
	if err != nil {
		return nil, goldError(err)
	}
	return expanded, nil
}

// goldBase is the base that json-gold is given: one that it can't parse, so that
// it leaves references alone, but for the empty one, which becomes this.
const goldBase = "%the base"

// goldOptions are the only options with which json-gold is used. Its defaults
// load contexts over HTTP and from files.
func goldOptions() *ld.JsonLdOptions {
	opts := ld.NewJsonLdOptions(goldBase)
	opts.DocumentLoader = noLoader{}
	opts.ProcessingMode = ld.JsonLd_1_1
	opts.Algorithm = ld.AlgorithmURDNA2015
	return opts
}

// A noLoader loads nothing.
type noLoader struct{}

func (noLoader) LoadDocument(iri string) (*ld.RemoteDocument, error) {
	return nil, &ContextError{iri}
}

func recoverGold(err *error) {
	switch r := recover().(type) {
	case nil:
	case fault:
		*err = r.err
	default:
		*err = &SyntaxError{Msg: "not valid JSON-LD"}
	}
}

// errMeaningless is that a property is not defined by any context.
var errMeaningless = errors.New("a property has no meaning")

// goldError says what the JSON-LD specification calls the fault. The details
// that json-gold adds may quote the document, and are left out.
func goldError(err error) error {
	var gold *ld.JsonLdError
	if !errors.As(err, &gold) {
		return &SyntaxError{Msg: "not valid JSON-LD"}
	}
	if gold.Code == ld.InvalidProperty {
		return errMeaningless
	}
	return &SyntaxError{Msg: "not valid JSON-LD: " + string(gold.Code)}
}

// toRDF turns an expanded document into triples (JSON-LD 1.1 API, section 8).
// Where the specification drops a value that is not well-formed, it fails.
type toRDF struct {
	ctx     context.Context
	lim     Limits
	base    string
	in      *inliner
	dataset *Dataset
	made    int
	triples int
}

func (t *toRDF) nodes(items []any, g *Graph) error {
	for _, item := range items {
		if _, err := t.item(item, g); err != nil {
			return err
		}
	}
	return nil
}

// item adds what an expanded item says and returns the term that stands for it,
// which is zero for null.
func (t *toRDF) item(v any, g *Graph) (Term, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return Term{}, &SyntaxError{Msg: "not valid JSON-LD: expected an object"}
	}
	if value, ok := object["@value"]; ok {
		return t.value(value, object)
	}
	if list, ok := object["@list"]; ok {
		return t.list(arrayOf(list), g)
	}
	return t.node(object, g)
}

func (t *toRDF) node(object map[string]any, g *Graph) (Term, error) {
	s, err := t.subject(object["@id"])
	if err != nil {
		return Term{}, err
	}
	for _, property := range slices.Sorted(maps.Keys(object)) {
		if err := t.member(s, property, object[property], g); err != nil {
			return Term{}, err
		}
	}
	return s, nil
}

// member adds what one member of a node object says.
func (t *toRDF) member(s Term, property string, v any, g *Graph) error {
	switch property {
	case "@id", "@index":
		return nil
	case "@type":
		return t.types(s, arrayOf(v), g)
	case "@graph":
		return t.nodes(arrayOf(v), t.dataset.Graph(s))
	case "@included":
		return t.nodes(arrayOf(v), g)
	case "@reverse":
		return t.reverse(s, v, g)
	}
	p, err := t.iri(property)
	if err != nil {
		return err
	}
	for _, item := range arrayOf(v) {
		o, err := t.item(item, g)
		if err != nil {
			return err
		}
		if !o.IsZero() {
			if err := t.add(g, s, p, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *toRDF) types(s Term, types []any, g *Graph) error {
	for _, v := range types {
		o, err := t.subject(v)
		if err != nil {
			return err
		}
		if err := t.add(g, s, IRI(rdfType), o); err != nil {
			return err
		}
	}
	return nil
}

func (t *toRDF) reverse(o Term, v any, g *Graph) error {
	properties, _ := v.(map[string]any)
	for _, property := range slices.Sorted(maps.Keys(properties)) {
		p, err := t.iri(property)
		if err != nil {
			return err
		}
		for _, item := range arrayOf(properties[property]) {
			s, err := t.item(item, g)
			if err != nil {
				return err
			}
			if s.IsLiteral() || s.IsZero() {
				return &SyntaxError{Msg: "not valid JSON-LD: a literal is the subject of a reverse property"}
			}
			if err := t.add(g, s, p, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *toRDF) list(items []any, g *Graph) (Term, error) {
	head, last := IRI(rdfNil), Term{}
	for _, v := range items {
		o, err := t.item(v, g)
		if err != nil {
			return Term{}, err
		}
		if o.IsZero() {
			continue
		}
		cell := t.blank()
		if last.IsZero() {
			head = cell
		} else if err := t.add(g, last, IRI(rdfRest), cell); err != nil {
			return Term{}, err
		}
		if err := t.add(g, cell, IRI(rdfFirst), o); err != nil {
			return Term{}, err
		}
		last = cell
	}
	if last.IsZero() {
		return head, nil
	}
	return head, t.add(g, last, IRI(rdfRest), IRI(rdfNil))
}

func (t *toRDF) add(g *Graph, s, p, o Term) error {
	if t.triples++; t.triples > t.lim.Triples {
		return &LimitError{"triples", t.lim.Triples}
	}
	if t.triples&1023 == 0 && t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	for _, term := range [...]Term{s, p, o} {
		if term.Kind == LiteralKind && len(term.Value) > t.lim.Literal {
			return &LimitError{"the length of a literal", t.lim.Literal}
		}
		if term.Kind != LiteralKind && len(term.Value) > t.lim.IRI {
			return &LimitError{"the length of an IRI", t.lim.IRI}
		}
		if msg := term.valid(); msg != "" {
			return &SyntaxError{Msg: msg}
		}
	}
	g.Add(s, p, o)
	return nil
}

func (t *toRDF) blank() Term {
	t.made++
	return Blank(madeLabel(t.made))
}

// subject returns the term for the value of "@id": an IRI or a blank node.
func (t *toRDF) subject(v any) (Term, error) {
	switch v := v.(type) {
	case nil:
		return t.blank(), nil
	case string:
		if label, ok := strings.CutPrefix(v, "_:"); ok {
			return Blank(userLabel(label)), nil
		}
		return t.iri(v)
	}
	return Term{}, &SyntaxError{Msg: `expected a string as "@id" or "@type"`}
}

func (t *toRDF) iri(ref string) (Term, error) {
	switch {
	case ref == goldBase:
		ref = ""
	case ref == "": // what json-gold makes of a word that looks like a keyword
		return Term{}, &SyntaxError{Msg: "not valid JSON-LD: expected an IRI in place of a word that begins with '@'"}
	case strings.HasPrefix(ref, "_:"):
		return Term{}, &SyntaxError{Msg: "expected an IRI, found a blank node"}
	}
	iri, err := resolveRef(t.base, ref)
	if err == nil {
		if msg := invalidIRI(iri); msg != "" {
			err = errors.New(msg)
		}
	}
	if err != nil {
		return Term{}, &SyntaxError{Msg: err.Error()}
	}
	return IRI(iri), nil
}

// resolveRef is [ResolveIRI] where there may be no base. An IRI with a scheme
// stands for itself.
func resolveRef(base, ref string) (string, error) {
	switch {
	case schemeLen(ref) > 0:
		return ref, nil
	case base == "":
		return "", errors.New("expected an absolute IRI: the document has no base")
	}
	return ResolveIRI(base, ref)
}

// value returns the literal that a value object stands for (section 8.2.2).
func (t *toRDF) value(v any, object map[string]any) (Term, error) {
	datatype, _ := object["@type"].(string)
	if datatype == "@json" {
		text, err := appendCanonicalJSON(nil, v)
		return Typed(string(text), rdfJSON), err
	}
	if datatype != "" {
		iri, err := t.iri(t.in.shown(datatype))
		if err != nil {
			return Term{}, err
		}
		datatype = iri.Value
	}
	switch v := v.(type) {
	case nil:
		return Term{}, nil
	case string:
		if lang, ok := object["@language"].(string); ok {
			return LangString(v, cmp.Or(t.in.tags[lang], lang)), nil
		}
		return Typed(v, datatype), nil
	case bool:
		return typedOr(strconv.FormatBool(v), datatype, xsdBoolean), nil
	case json.Number:
		return t.number(v, datatype)
	}
	return Term{}, &SyntaxError{Msg: `expected a string, number or boolean as "@value"`}
}

func typedOr(s, datatype, otherwise string) Term {
	if datatype == "" {
		datatype = otherwise
	}
	return Typed(s, datatype)
}

// number returns a JSON number as an xsd:integer if it is one below 10^21, and
// else as an xsd:double in its canonical form.
func (t *toRDF) number(n json.Number, datatype string) (Term, error) {
	if integer := strings.TrimPrefix(n.String(), "-"); digitsOf(integer) == len(integer) && len(integer) <= 21 && datatype != xsdDouble {
		if integer == "0" {
			return typedOr(integer, datatype, xsdInteger), nil
		}
		return typedOr(n.String(), datatype, xsdInteger), nil
	}
	f, err := n.Float64()
	if err != nil {
		return Term{}, &SyntaxError{Msg: "a number is out of range"}
	}
	f += 0 // minus zero is zero
	if whole := strconv.FormatFloat(f, 'f', 0, 64); datatype != xsdDouble && f > -1e21 && f < 1e21 && f == math.Trunc(f) {
		return typedOr(whole, datatype, xsdInteger), nil
	}
	return typedOr(canonicalDouble(f), datatype, xsdDouble), nil
}

// canonicalDouble is the canonical form of XML Schema 1.1 Part 2, section
// 3.3.5.2, with the 16 digits that JSON-LD asks for.
func canonicalDouble(f float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', 15, 64), "E")
	mantissa = strings.TrimRight(mantissa, "0")
	if strings.HasSuffix(mantissa, ".") {
		mantissa += "0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	exponent = strings.TrimLeft(exponent[1:], "0")
	if exponent == "" {
		exponent = "0"
	}
	return mantissa + "E" + sign + exponent
}
