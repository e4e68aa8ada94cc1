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
type jsonWriter struct {
	*shapes
	*namer
	terms  []Term
	labels map[Term]int
	types  id
	dst    []byte
}

func writeJSONLD(graphs []named, opt WriteOptions) ([]byte, error) {
	if opt.Context != "" {
		return writeWithContext(graphs, opt)
	}
	body, used, err := jsonGraphs(graphs, opt)
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
	dst = append(dst, `"@graph":[`...)
	return append(append(dst, body...), "]}\n"...), nil
}

// jsonGraphs returns the nodes of all graphs, and the prefixes used for them.
func jsonGraphs(graphs []named, opt WriteOptions) (body []byte, used map[string]string, err error) {
	shared := sharedBlanks(graphs)
	names := newNamer(graphs[0].graph, opt)
	for _, n := range graphs {
		if err := errors.Join(n.check(), n.graph.check()); err != nil {
			return nil, nil, err
		}
		names.avoidSchemes(n)
	}
	labels := map[Term]int{}
	for _, n := range graphs {
		w := &jsonWriter{namer: names, terms: n.graph.dict.terms, labels: labels, types: n.graph.dict.find(IRI(rdfType)), dst: body}
		w.shapes = newShapes(n.graph, func(b id) bool { return shared[w.terms[b]] }, w.compare)
		w.graph(n.name)
		body = w.dst
	}
	return body, names.used, nil
}

// avoidSchemes takes care that no prefix equals the scheme of an IRI, which
// would read back as another IRI.
func (n *namer) avoidSchemes(g named) {
	avoid := func(iri string) {
		scheme := iri[:schemeLen(iri)]
		n.taken[scheme] = true
		maps.DeleteFunc(n.prefixes, func(_, prefix string) bool { return prefix == scheme })
	}
	seen := map[string]bool{}
	for _, t := range append(g.graph.dict.terms, g.name) {
		for _, iri := range [...]string{t.Value, t.Datatype} {
			if scheme := iri[:schemeLen(iri)]; scheme != "" && !seen[scheme] {
				seen[scheme] = true
				avoid(iri)
			}
		}
	}
}

// graph writes the nodes of the graph, inside a node for its name if it has one.
func (w *jsonWriter) graph(name Term) {
	if name.IsZero() {
		w.roots()
		return
	}
	w.separate()
	w.dst = append(w.dst, `{"@id":`...)
	w.id(name)
	w.dst = append(w.dst, `,"@graph":[`...)
	w.roots()
	w.dst = append(w.dst, "]}"...)
}

func (w *jsonWriter) roots() {
	var roots []id
	for n := range w.g.subjects {
		if w.g.subjects[n].n > 0 && !w.nested(id(n)) {
			roots = append(roots, id(n))
		}
	}
	slices.SortFunc(roots, w.compare)
	for _, n := range roots {
		w.separate()
		w.node(n)
	}
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
	if w.terms[n].Kind == IRIKind || w.apart(n) || !w.nested(n) && w.g.count(w.g.objects, n) > 0 {
		w.dst = append(w.dst, `"@id":`...)
		w.id(w.terms[n])
	}
	rows := slices.SortedFunc(w.g.match(row{s: n}), w.compareRows)
	for len(rows) > 0 {
		end := slices.IndexFunc(rows, func(r row) bool { return w.key(r) != w.key(rows[0]) })
		if end < 0 {
			end = len(rows)
		}
		w.property(rows[:end])
		rows = rows[end:]
	}
	w.dst = append(w.dst, '}')
}

// key returns what groups rows under one member: their predicate, or 0 for
// "@type".
func (w *jsonWriter) key(r row) id {
	if r.p == w.types && w.terms[r.o].Kind == IRIKind {
		return 0
	}
	return r.p
}

func (w *jsonWriter) property(rows []row) {
	w.separate()
	isType := w.key(rows[0]) == 0
	if isType {
		w.dst = append(w.dst, `"@type"`...)
	} else {
		w.iri(w.terms[rows[0].p].Value)
	}
	w.dst = append(w.dst, ':')
	if len(rows) > 1 {
		w.dst = append(w.dst, '[')
	}
	for _, r := range rows {
		w.separate()
		if isType {
			w.iri(w.terms[r.o].Value)
		} else {
			w.value(r.o)
		}
	}
	if len(rows) > 1 {
		w.dst = append(w.dst, ']')
	}
}

func (w *jsonWriter) compareRows(a, b row) int { return compareRows(w.terms, w.types, a, b) }

func (w *jsonWriter) compare(a, b id) int { return compareTerms(w.terms[a], w.terms[b]) }

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
		w.id(t)
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

func (w *jsonWriter) id(t Term) {
	if t.Kind == IRIKind {
		w.iri(t.Value)
		return
	}
	if w.labels[t] == 0 {
		w.labels[t] = len(w.labels) + 1
	}
	w.dst = append(w.dst, `"_:b`...)
	w.dst = strconv.AppendInt(w.dst, int64(w.labels[t]), 10)
	w.dst = append(w.dst, '"')
}

func (w *jsonWriter) iri(iri string) {
	if m := w.abbreviate(iri); m.prefix != "" {
		iri = m.prefix + ":" + iri[m.cut:]
	}
	w.dst = appendJSONString(w.dst, iri)
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
		w.iri(t.Datatype)
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

// writeWithContext compacts the graphs with json-gold. Since that is not our
// own, the result is read again and compared.
func writeWithContext(graphs []named, opt WriteOptions) ([]byte, error) {
	body, _, err := jsonGraphs(graphs, WriteOptions{Continue: true})
	if err != nil {
		return nil, err
	}
	body = append(append([]byte{'['}, body...), ']')
	lim := Limits{Bytes: max(2*len(body), 1<<20), Triples: len(body), IRI: len(body), Literal: len(body)}.withDefaults()
	in := &inliner{ctx: context.Background(), lim: lim}
	local, err := in.local(opt.Context)
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	nodes, err := decodeJSON(body, lim.Depth)
	if err != nil {
		return nil, err
	}
	compacted, err := compact(nodes, local)
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	compacted["@context"] = opt.Context
	out, err := json.Marshal(compacted)
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), readsBack(out, graphs, lim)
}

func compact(nodes, local any) (compacted map[string]any, err error) {
	defer recoverGold(&err)
	compacted, err = ld.NewJsonLdProcessor().Compact(nodes, map[string]any{"@context": local}, goldOptions())
	if err != nil {
		return nil, goldError(err)
	}
	return compacted, nil
}

// readsBack returns an error if the document does not say what the graphs say.
func readsBack(document []byte, graphs []named, lim Limits) error {
	got, err := ReadDataset(context.Background(), document, JSONLD, "", lim)
	if err != nil {
		return fmt.Errorf("write: the compacted document does not read back: %w", err)
	}
	want := new(Dataset)
	for _, n := range graphs {
		for t := range n.graph.All() {
			want.Graph(n.name).Add(t.S, t.P, t.O)
		}
	}
	if same, err := CompareDatasets(got, want, lim); !same {
		return errors.Join(errors.New("write: the context does not fit the graph"), err)
	}
	return nil
}
