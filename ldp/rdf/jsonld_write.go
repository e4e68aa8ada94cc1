// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/piprate/json-gold/ld"
)

// A jsonWriter writes graphs as JSON-LD, in the shape in which the Turtle writer
// shows them: nodes nest where they can, and IRIs that have a prefix are
// abbreviated. The context has prefixes only, so that a document means the same
// wherever it is read.
type jsonWriter struct{ *layout }

func writeJSONLD(graphs []named, opt WriteOptions) ([]byte, error) {
	if len(opt.Contexts) > 0 {
		return writeWithContexts(graphs, opt)
	}
	body, count, used, err := jsonGraphs(graphs, opt)
	if err != nil {
		return nil, err
	}
	dst := []byte{'{'}
	if len(used) > 0 {
		dst = append(dst, `"@context":{`...)
		for _, name := range slices.Sorted(maps.Keys(used)) {
			dst = append(appendJSONString(dst, name), ':')
			dst = append(appendJSONString(dst, used[name]), ',')
		}
		dst[len(dst)-1] = '}'
		dst = append(dst, ',')
	}
	if count == 1 {
		return append(append(dst, body[1:]...), '\n'), nil
	}
	dst = append(dst, `"@graph":[`...)
	return append(append(dst, body...), "]}\n"...), nil
}

// jsonGraphs returns the nodes of all graphs, how many there are side by side,
// and the prefixes used for them.
func jsonGraphs(graphs []named, opt WriteOptions) (body []byte, count int, used map[string]string, err error) {
	shared := sharedBlanks(graphs)
	names := newNamer(graphs[0].graph, opt)
	for _, n := range graphs {
		if err := n.check(); err != nil {
			return nil, 0, nil, err
		}
		names.avoid(n)
	}
	labels := map[Term]int{}
	for _, n := range graphs {
		l, err := newLayout(n.graph, names, labels, func(t Term) bool { return shared[t] })
		if err != nil {
			return nil, 0, nil, err
		}
		w := &jsonWriter{l}
		w.dst = body
		count += w.graph(n.name)
		body = w.dst
	}
	return body, count, names.used, nil
}

// avoid takes care that no prefix equals the scheme of an IRI in g, which would
// read back as another IRI, and that none is for a namespace that json-gold
// would refuse.
func (n *namer) avoid(g named) {
	note := func(t Term) {
		iri := t.Datatype
		if t.Kind == IRIKind {
			iri = t.Value
		}
		if scheme := iri[:schemeLen(iri)]; scheme != "" {
			n.taken[scheme], n.schemes[scheme] = true, true
		}
	}
	note(g.name)
	for _, t := range g.graph.dict.terms {
		note(t)
	}
	maps.DeleteFunc(n.prefixes, func(namespace, prefix string) bool { return n.schemes[prefix] || isOdd(namespace) })
}

// graph writes the nodes of the graph, inside a node for its name if it has one,
// and returns how many it wrote side by side.
func (w *jsonWriter) graph(name Term) int {
	if name.IsZero() {
		return w.nodes()
	}
	w.separate()
	w.dst = append(w.dst, `{"@id":`...)
	if name.Kind == BlankKind {
		w.blank(name)
	} else {
		w.iri(name.Value, w.abbreviate(name.Value))
	}
	w.dst = append(w.dst, `,"@graph":[`...)
	w.nodes()
	w.dst = append(w.dst, "]}"...)
	return 1
}

func (w *jsonWriter) nodes() int {
	roots := w.roots()
	for _, n := range roots {
		w.separate()
		w.node(n)
	}
	return len(roots)
}

// separate writes a comma after a value.
func (w *jsonWriter) separate() {
	if n := len(w.dst); n > 0 && strings.IndexByte("[{:,", w.dst[n-1]) < 0 {
		w.dst = append(w.dst, ',')
	}
}

// node writes the node object of n.
func (w *jsonWriter) node(n id) {
	w.dst = append(w.dst, '{')
	if !w.nested(n) && !w.hidden(n) {
		w.dst = append(w.dst, `"@id":`...)
		w.id(n)
	}
	all := w.push(n)
	for rest := all; len(rest) > 0; {
		end := 1
		for end < len(rest) && rest[end].p == rest[0].p && w.isType(rest[end]) == w.isType(rest[0]) {
			end++
		}
		w.property(rest[:end])
		rest = rest[end:]
	}
	w.pop(all)
	w.dst = append(w.dst, '}')
}

// isType reports whether s is written under "@type", which has IRIs only.
func (w *jsonWriter) isType(s statement) bool {
	return s.p == w.types && w.terms[s.o].Kind == IRIKind
}

func (w *jsonWriter) property(all []statement) {
	w.separate()
	isType := w.isType(all[0])
	if isType {
		w.dst = append(w.dst, `"@type"`...)
	} else {
		w.id(all[0].p)
	}
	w.dst = append(w.dst, ':')
	if len(all) > 1 {
		w.dst = append(w.dst, '[')
	}
	for _, s := range all {
		w.separate()
		if isType {
			w.id(s.o)
		} else {
			w.value(s.o)
		}
	}
	if len(all) > 1 {
		w.dst = append(w.dst, ']')
	}
}

// value writes an object.
func (w *jsonWriter) value(n id) {
	t := w.terms[n]
	switch {
	case t.Kind == LiteralKind:
		w.literal(t)
	case t.Value == rdfNil && t.Kind == IRIKind:
		w.dst = append(w.dst, `{"@list":[]}`...)
	case w.isList(n):
		w.list(n)
	case w.nested(n):
		w.node(n)
	default:
		w.dst = append(w.dst, `{"@id":`...)
		w.id(n)
		w.dst = append(w.dst, '}')
	}
}

func (w *jsonWriter) list(n id) {
	w.dst = append(w.dst, `{"@list":[`...)
	for item := range w.items(n) {
		w.separate()
		w.value(item)
	}
	w.dst = append(w.dst, "]}"...)
}

// id writes an IRI or the label of a blank node.
func (w *jsonWriter) id(n id) {
	if w.terms[n].Kind == BlankKind {
		w.blank(w.terms[n])
		return
	}
	w.iri(w.terms[n].Value, w.name(n))
}

func (w *jsonWriter) blank(t Term) {
	w.dst = append(w.dst, '"')
	w.label(t)
	w.dst = append(w.dst, '"')
}

func (w *jsonWriter) iri(iri string, as name) {
	if as.prefix == "" {
		w.dst = appendJSONString(w.dst, iri)
		return
	}
	w.dst = append(w.dst, '"')
	w.dst = append(w.dst, as.prefix...)
	w.dst = append(w.dst, ':')
	w.dst = append(w.dst, iri[as.cut:]...)
	w.dst = append(w.dst, '"')
}

// literal writes a literal as a JSON string, boolean or integer where that
// reads back the same, and else as a value object.
func (w *jsonWriter) literal(t Term) {
	switch {
	case t.Lang != "":
		w.dst = append(w.dst, `{"@language":`...)
		w.dst = appendJSONString(w.dst, t.Lang)
	case t.Datatype == "":
		w.dst = appendJSONString(w.dst, t.Value)
		return
	case t.Datatype == xsdBoolean && isBare(t), t.Datatype == xsdInteger && isJSONInteger(t.Value):
		w.dst = append(w.dst, t.Value...)
		return
	default:
		w.dst = append(w.dst, `{"@type":`...)
		w.iri(t.Datatype, w.abbreviate(t.Datatype))
	}
	w.dst = append(w.dst, `,"@value":`...)
	w.dst = appendJSONString(w.dst, t.Value)
	w.dst = append(w.dst, '}')
}

// isJSONInteger reports whether s is an integer that every JSON reader keeps.
func isJSONInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && -1<<53 < n && n < 1<<53 && s == strconv.FormatInt(n, 10)
}

// writeWithContexts compacts the graphs with json-gold. Since that is not our
// own, the result is read again and compared.
func writeWithContexts(graphs []named, opt WriteOptions) ([]byte, error) {
	body, _, _, err := jsonGraphs(graphs, WriteOptions{Continue: true})
	if err != nil {
		return nil, err
	}
	body = append(append([]byte{'['}, body...), ']')
	lim := Limits{Bytes: max(2*len(body), 1<<20), Triples: len(body), IRI: len(body), Literal: len(body)}.withDefaults()
	out, err := compact(body, opt.Contexts, lim)
	if err == nil {
		err = readsBack(out, graphs, lim)
	}
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	return out, nil
}

// compact returns the document with the contexts as its own.
func compact(body []byte, contexts []string, lim Limits) (out []byte, err error) {
	defer recoverGold(&err)
	nodes, err := decodeJSON(body, lim.Depth)
	if err != nil {
		return nil, err
	}
	named := []any{}
	for _, iri := range contexts {
		named = append(named, iri)
	}
	in := newInliner(context.Background(), lim)
	local, err := in.local(named)
	if err != nil {
		return nil, err
	}
	opts := goldOptions()
	opts.Base = "" // all IRIs are absolute, and are to stay so
	compacted, err := ld.NewJsonLdProcessor().Compact(nodes, map[string]any{"@context": local}, opts)
	if err != nil {
		return nil, goldError(err)
	}
	compacted["@context"] = named
	if len(named) == 1 {
		compacted["@context"] = named[0]
	}
	out, err = json.Marshal(compacted)
	return append(out, '\n'), err
}

// readsBack returns an error if the document does not say what the graphs say.
func readsBack(document []byte, graphs []named, lim Limits) error {
	got, err := ReadDataset(context.Background(), document, JSONLD, "", lim)
	if err != nil {
		return fmt.Errorf("the compacted document does not read back: %w", err)
	}
	want := new(Dataset)
	for _, n := range graphs {
		for t := range n.graph.All() {
			want.Graph(n.name).Add(t.S, t.P, t.O)
		}
	}
	if same, err := CompareDatasets(got, want, lim); !same {
		return errors.Join(errors.New("the contexts do not fit the graph"), err)
	}
	return nil
}
