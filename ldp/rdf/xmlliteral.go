// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
)

// xmlLiteral returns the content of e as exclusive canonical XML with comments,
// which is the lexical form that RDF/XML gives an XML literal.
func (x *xmlReader) xmlLiteral(e *element) string {
	var b strings.Builder
	x.xmlContent(&b, e, map[string]string{"": "", "xml": xmlNS})
	return b.String()
}

// xmlContent writes what is in e; shown are the namespaces that what is around
// it has declared.
func (x *xmlReader) xmlContent(b *strings.Builder, e *element, shown map[string]string) {
	for {
		if b.Len() > x.lim.Literal {
			panic(fault{&LimitError{"the length of a literal", x.lim.Literal}})
		}
		switch token := x.raw().(type) {
		case nil:
			x.fail("expected an end tag")
		case xml.CharData:
			xmlText.WriteString(b, string(token))
		case xml.Comment:
			b.WriteString("<!--" + string(token) + "-->")
		case xml.ProcInst:
			b.WriteString("<?" + strings.TrimSpace(token.Target+" "+string(token.Inst)) + "?>")
		case xml.EndElement:
			x.close(token, e)
			return
		case xml.StartElement:
			if x.depth++; x.depth > x.lim.Depth {
				panic(fault{&LimitError{"nesting", x.lim.Depth}})
			}
			child := x.open(token, e)
			x.xmlContent(b, child, child.writeStart(b, shown))
			b.WriteString("</" + qualified(child.prefix, child.local) + ">")
		}
	}
}

// writeStart writes a start tag with the namespaces that it uses, and returns
// all that are declared then.
func (e *element) writeStart(b *strings.Builder, shown map[string]string) map[string]string {
	b.WriteString("<" + qualified(e.prefix, e.local))
	used := map[string]string{e.prefix: e.space}
	for _, a := range e.attrs {
		if a.prefix != "" {
			used[a.prefix] = a.space
		}
	}
	now := maps.Clone(shown)
	for _, prefix := range slices.Sorted(maps.Keys(used)) {
		if space, ok := now[prefix]; ok && space == used[prefix] {
			continue
		}
		now[prefix] = used[prefix]
		b.WriteString(" " + strings.TrimSuffix("xmlns:"+prefix, ":") + `="`)
		xmlAttribute.WriteString(b, used[prefix])
		b.WriteString(`"`)
	}
	attrs := slices.SortedFunc(slices.Values(e.attrs), func(a, c attribute) int {
		return cmp.Or(strings.Compare(a.space, c.space), strings.Compare(a.local, c.local))
	})
	for _, a := range attrs {
		b.WriteString(" " + qualified(a.prefix, a.local) + `="`)
		xmlAttribute.WriteString(b, a.value)
		b.WriteString(`"`)
	}
	b.WriteString(">")
	return now
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// The escapes of canonical XML. They are never changed.
var (
	xmlText      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	xmlAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)
