// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlNS = "http://www.w3.org/XML/1998/namespace"

// An xmlReader reads RDF/XML (RDF 1.1 XML Syntax, section 7). Its faults are
// panics with a fault, like those of a lexer.
type xmlReader struct {
	ctx     context.Context
	lim     Limits
	dec     *xml.Decoder
	graph   *Graph
	depth   int
	made    int
	triples int
	ids     map[string]bool // of rdf:ID, resolved
}

// An element is a start tag, with what it inherits.
type element struct {
	prefix, space, local string
	attrs                []attribute
	base, lang           string
	namespaces           map[string]string // by prefix; never changed once made
}

type attribute struct{ prefix, space, local, value string }

func readRDFXML(ctx context.Context, body []byte, base string, lim Limits) (*Dataset, error) {
	if msg := invalidIRI(base); base != "" && msg != "" {
		return nil, errors.New("base: " + msg)
	}
	if !utf8.Valid(body) {
		return nil, (&lexer{in: string(body), pos: firstInvalid(string(body))}).errorAt("the document is not valid UTF-8")
	}
	d := new(Dataset)
	x := &xmlReader{ctx: ctx, lim: lim, graph: d.Default(), ids: map[string]bool{}}
	x.dec = xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	if err := parse(func() { x.document(base) }); err != nil {
		return nil, err
	}
	return d, nil
}

func (x *xmlReader) fail(msg string) {
	line, column := x.dec.InputPos()
	panic(fault{&SyntaxError{Line: line, Column: column, Msg: msg}})
}

func (x *xmlReader) document(base string) {
	root := x.firstElement(&element{base: base, namespaces: map[string]string{"xml": xmlNS}})
	if root.is("RDF") {
		for _, a := range root.attrs {
			if a.space != xmlNS {
				x.fail("rdf:RDF has an attribute that it may not have")
			}
		}
		x.children(root, func(e *element) { x.node(e) })
	} else {
		x.node(root)
	}
	if e, _ := x.next(root); e != nil {
		x.fail("expected the end of the document")
	}
}

// firstElement returns the root of the document.
func (x *xmlReader) firstElement(outer *element) *element {
	e, text := x.next(outer)
	if e == nil || strings.TrimSpace(text) != "" {
		x.fail("expected an element")
	}
	return e
}

// raw returns the next token, or nil at the end of the document.
func (x *xmlReader) raw() xml.Token {
	token, err := x.dec.RawToken()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		x.fail("not well-formed XML")
	}
	return token
}

// next reads up to the next start tag, which it returns, or the end of outer.
// text is what stands before that.
func (x *xmlReader) next(outer *element) (e *element, text string) {
	var b strings.Builder
	for {
		switch token := x.raw().(type) {
		case nil:
			return nil, b.String()
		case xml.CharData:
			if b.Write(token); b.Len() > x.lim.Literal {
				panic(fault{&LimitError{"the length of a literal", x.lim.Literal}})
			}
		case xml.StartElement:
			if x.depth++; x.depth > x.lim.Depth {
				panic(fault{&LimitError{"nesting", x.lim.Depth}})
			}
			return x.open(token, outer), b.String()
		case xml.EndElement:
			x.close(token, outer)
			return nil, b.String()
		}
	}
}

// close checks that an end tag is that of e.
func (x *xmlReader) close(token xml.EndElement, e *element) {
	if token.Name.Space != e.prefix || token.Name.Local != e.local {
		x.fail("expected the end tag of another element")
	}
	x.depth--
}

// children calls do for each element in e, and allows nothing else in it.
func (x *xmlReader) children(e *element, do func(*element)) {
	for {
		child, text := x.next(e)
		if strings.TrimSpace(text) != "" {
			x.fail("text where an element was expected")
		}
		if child == nil {
			return
		}
		do(child)
	}
}

// open resolves the names of a start tag, and what xml:base and xml:lang say.
func (x *xmlReader) open(token xml.StartElement, outer *element) *element {
	e := &element{prefix: token.Name.Space, local: token.Name.Local, base: outer.base, lang: outer.lang, namespaces: outer.namespaces}
	x.declare(e, token.Attr)
	e.space = x.namespace(e, e.prefix)
	for _, a := range token.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		x.attribute(e, attribute{prefix: a.Name.Space, local: a.Name.Local, value: a.Value})
	}
	return e
}

// declare adds the namespaces that a start tag declares.
func (x *xmlReader) declare(e *element, attrs []xml.Attr) {
	own := false
	for _, a := range attrs {
		prefix := a.Name.Local
		switch {
		case a.Name.Space == "" && prefix == "xmlns":
			prefix = ""
		case a.Name.Space != "xmlns":
			continue
		}
		if !own {
			inherited := e.namespaces
			e.namespaces = make(map[string]string, len(inherited)+1)
			for prefix, space := range inherited {
				e.namespaces[prefix] = space
			}
			own = true
		}
		e.namespaces[prefix] = a.Value
		if len(e.namespaces) > x.lim.Contexts {
			panic(fault{&LimitError{"namespaces", x.lim.Contexts}})
		}
	}
}

func (x *xmlReader) namespace(e *element, prefix string) string {
	space, ok := e.namespaces[prefix]
	if !ok && prefix != "" {
		x.fail("the prefix " + quoteShort(prefix) + " is not declared")
	}
	return space
}

func (x *xmlReader) attribute(e *element, a attribute) {
	if a.prefix != "" {
		a.space = x.namespace(e, a.prefix)
	}
	switch {
	case a.space == xmlNS && a.local == "base":
		base, err := resolveRef(e.base, a.value)
		if err != nil {
			x.fail("xml:base: " + err.Error())
		}
		e.base, _, _ = strings.Cut(base, "#")
	case a.space == xmlNS && a.local == "lang":
		e.lang = a.value
	}
	if a.space == "" && len(a.local) >= 3 && strings.EqualFold(a.local[:3], "xml") {
		return // reserved, and to be ignored
	}
	for _, b := range e.attrs {
		if b.space == a.space && b.local == a.local {
			x.fail("an element has an attribute twice")
		}
	}
	if len(e.attrs) == x.lim.Contexts {
		panic(fault{&LimitError{"attributes", x.lim.Contexts}})
	}
	e.attrs = append(e.attrs, a)
}

// is reports whether e is the element of that name in RDF's namespace.
func (e *element) is(local string) bool { return e.space == rdfNS && e.local == local }

// isSyntaxName reports whether a name of RDF's namespace is syntax (section 5.1).
func isSyntaxName(local string) bool {
	switch local {
	case "RDF", "ID", "about", "parseType", "resource", "nodeID", "datatype", "aboutEach", "aboutEachPrefix", "bagID":
		return true
	}
	return false
}

// name returns the IRI of an element or attribute name.
func (x *xmlReader) name(space, local string) Term {
	if space == "" {
		x.fail("expected a name with a namespace")
	}
	return x.checkIRI(space + local)
}

func (x *xmlReader) checkIRI(iri string) Term {
	if msg := invalidIRI(iri); msg != "" {
		x.fail(msg)
	}
	if len(iri) > x.lim.IRI {
		panic(fault{&LimitError{"the length of an IRI", x.lim.IRI}})
	}
	return IRI(iri)
}

func (x *xmlReader) resolve(e *element, ref string) Term {
	iri, err := resolveRef(e.base, ref)
	if err != nil {
		x.fail(err.Error())
	}
	return x.checkIRI(iri)
}

// id resolves an rdf:ID, which no other element may have.
func (x *xmlReader) id(e *element, value string) Term {
	x.ncName(value)
	t := x.resolve(e, "#"+value)
	if x.ids[t.Value] {
		x.fail("two elements have the same rdf:ID")
	}
	x.ids[t.Value] = true
	return t
}

func (x *xmlReader) nodeID(value string) Term {
	x.ncName(value)
	t := Blank(userLabel(value))
	if msg := t.valid(); msg != "" {
		x.fail("rdf:nodeID: " + msg)
	}
	return t
}

// ncName fails if s is not a name without a colon.
func (x *xmlReader) ncName(s string) {
	for i, r := range s {
		if i == 0 && r != '_' && !isNameBase(r) || !isNameRune(r) && r != '.' {
			x.fail("expected an XML name without a colon")
		}
	}
	if s == "" || len(s) > x.lim.IRI {
		x.fail("expected an XML name without a colon")
	}
}

func (x *xmlReader) blank() Term {
	x.made++
	return Blank(madeLabel(x.made))
}

func (x *xmlReader) add(s, p, o Term) {
	if x.triples++; x.triples > x.lim.Triples {
		panic(fault{&LimitError{"triples", x.lim.Triples}})
	}
	if x.triples&1023 == 0 && x.ctx.Err() != nil {
		panic(fault{x.ctx.Err()})
	}
	x.graph.Add(s, p, o)
}

// text returns the literal of a string in e.
func (x *xmlReader) text(e *element, value string) Term {
	t := LangString(value, e.lang)
	if e.lang != "" && !isLang(e.lang) {
		x.fail("expected a language tag as xml:lang")
	}
	return t
}

// rdfAttribute returns the local name that an attribute has in RDF's
// namespace, which a few may leave out.
func (x *xmlReader) rdfAttribute(a attribute) (local string, ok bool) {
	if a.space == "" {
		switch a.local {
		case "ID", "about", "resource", "parseType", "type":
			return a.local, true
		}
		x.fail("an attribute has no namespace")
	}
	return a.local, a.space == rdfNS
}

// node reads a node element (section 7.2.11) and returns its subject.
func (x *xmlReader) node(e *element) Term {
	if e.space == rdfNS && (isSyntaxName(e.local) || e.local == "li") {
		x.fail("an element of this name can't be a node")
	}
	s := x.subject(e)
	if !e.is("Description") {
		x.add(s, IRI(rdfType), x.name(e.space, e.local))
	}
	x.propertyAttributes(s, e, "ID", "nodeID", "about")
	x.properties(s, e)
	return s
}

func (x *xmlReader) subject(e *element) (s Term) {
	for _, a := range e.attrs {
		local, ok := x.rdfAttribute(a)
		if !ok {
			continue
		}
		was := s
		switch local {
		case "ID":
			s = x.id(e, a.value)
		case "nodeID":
			s = x.nodeID(a.value)
		case "about":
			s = x.resolve(e, a.value)
		default:
			continue
		}
		if !was.IsZero() {
			x.fail("expected one of rdf:ID, rdf:nodeID and rdf:about")
		}
	}
	if s.IsZero() {
		return x.blank()
	}
	return s
}

// propertyAttributes adds what the attributes of e say of s. Those that are
// syntax must be among the allowed.
func (x *xmlReader) propertyAttributes(s Term, e *element, allowed ...string) {
	for _, a := range e.attrs {
		if a.space == xmlNS {
			continue
		}
		local, isRDF := x.rdfAttribute(a)
		switch {
		case isRDF && slices.Contains(allowed, local):
		case isRDF && (isSyntaxName(local) || local == "Description" || local == "li"):
			x.fail("an attribute can't be here")
		case isRDF && local == "type":
			x.add(s, IRI(rdfType), x.resolve(e, a.value))
		default:
			x.add(s, x.name(a.space, a.local), x.text(e, a.value))
		}
	}
}

// properties reads the property elements in e.
func (x *xmlReader) properties(s Term, e *element) {
	items := 0
	x.children(e, func(child *element) {
		p := Term{}
		switch {
		case child.is("li"):
			items++
			p = IRI(rdfNS + "_" + strconv.Itoa(items))
		case child.space == rdfNS && (isSyntaxName(child.local) || child.local == "Description"):
			x.fail("an element of this name can't be a property")
		default:
			p = x.name(child.space, child.local)
		}
		x.property(s, p, child)
	})
}

// property reads a property element (section 7.2.14), and what its rdf:ID says.
func (x *xmlReader) property(s, p Term, e *element) {
	var statement Term
	rdf := map[string]string{}
	others := false
	for _, a := range e.attrs {
		if a.space == xmlNS {
			continue
		}
		local, isRDF := x.rdfAttribute(a)
		switch {
		case isRDF && local == "ID":
			statement = x.id(e, a.value)
		case isRDF && isSyntaxName(local):
			rdf[local] = a.value
		default:
			others = true
		}
	}
	o := x.object(e, rdf, others)
	x.add(s, p, o)
	if !statement.IsZero() {
		x.add(statement, IRI(rdfType), IRI(rdfNS+"Statement"))
		x.add(statement, IRI(rdfNS+"subject"), s)
		x.add(statement, IRI(rdfNS+"predicate"), p)
		x.add(statement, IRI(rdfNS+"object"), o)
	}
}

// object reads what a property element says its object is. rdf has those of its
// attributes that are syntax.
func (x *xmlReader) object(e *element, rdf map[string]string, others bool) Term {
	parseType, parsed := rdf["parseType"]
	datatype, typed := rdf["datatype"]
	_, resource := rdf["resource"]
	_, nodeID := rdf["nodeID"]
	switch {
	case parsed && (len(rdf) > 1 || others), resource && nodeID, typed && (len(rdf) > 1 || others):
		x.fail("two attributes can't be together")
	case parsed:
		return x.parseType(e, parseType)
	case resource || nodeID || others:
		return x.emptyProperty(e, rdf)
	case len(rdf) > 0 && !typed:
		x.fail("an attribute can't be here")
	}
	child, text := x.next(e)
	if child != nil {
		if strings.TrimSpace(text) != "" || typed {
			x.fail("expected text, or one element")
		}
		o := x.node(child)
		x.children(e, func(*element) { x.fail("expected one element in a property") })
		return o
	}
	if typed {
		return Typed(text, x.resolve(e, datatype).Value)
	}
	return x.text(e, text)
}

// emptyProperty reads an empty property element (section 7.2.21).
func (x *xmlReader) emptyProperty(e *element, rdf map[string]string) Term {
	var o Term
	if ref, ok := rdf["resource"]; ok {
		o = x.resolve(e, ref)
	} else if label, ok := rdf["nodeID"]; ok {
		o = x.nodeID(label)
	} else {
		o = x.blank()
	}
	x.propertyAttributes(o, e, "ID", "resource", "nodeID")
	x.children(e, func(*element) { x.fail("expected an empty element") })
	return o
}

func (x *xmlReader) parseType(e *element, kind string) Term {
	switch kind {
	case "Resource":
		o := x.blank()
		x.properties(o, e)
		return o
	case "Collection":
		return x.collection(e)
	}
	return Typed(x.xmlLiteral(e), rdfNS+"XMLLiteral")
}

func (x *xmlReader) collection(e *element) Term {
	head, last := IRI(rdfNil), Term{}
	x.children(e, func(child *element) {
		item, cell := x.node(child), x.blank()
		if last.IsZero() {
			head = cell
		} else {
			x.add(last, IRI(rdfRest), cell)
		}
		x.add(cell, IRI(rdfFirst), item)
		last = cell
	})
	if !last.IsZero() {
		x.add(last, IRI(rdfRest), IRI(rdfNil))
	}
	return head
}
