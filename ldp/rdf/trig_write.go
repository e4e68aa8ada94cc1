// SPDX-License-Identifier: EUPL-1.2

package rdf

// appendTriG appends the default graph and the named ones. A blank node that
// is in more than one of them, or names one, gets a label.
func appendTriG(dst []byte, graphs []named, opt WriteOptions) ([]byte, error) {
	names, labels, shared := newNamer(graphs[0].graph, opt), map[Term]int{}, sharedBlanks(graphs)
	var body []byte
	for _, n := range graphs {
		if err := n.check(); err != nil {
			return nil, err
		}
		l, err := newLayout(n.graph, names, labels, func(t Term) bool { return shared[t] })
		if err != nil {
			return nil, err
		}
		w := &turtleWriter{layout: l}
		w.dst = body
		w.graph(n.name)
		body = w.dst
	}
	return append(AppendPrefixes(dst, names.used), body...), nil
}

// graph writes the graph, in braces after its name if it has one.
func (w *turtleWriter) graph(name Term) {
	if name.IsZero() {
		w.document()
		return
	}
	w.line()
	if name.Kind == BlankKind {
		w.label(name)
	} else {
		w.dst = appendTerm(w.dst, name)
	}
	w.dst = append(w.dst, " {"...)
	w.indent++
	w.document()
	w.indent--
	w.dst = append(w.dst, "}\n"...)
}

// sharedBlanks returns the blank nodes that can't do without a label in TriG.
func sharedBlanks(graphs []named) map[Term]bool {
	owner, shared := map[Term]int{}, map[Term]bool{}
	for i, n := range graphs {
		if n.name.Kind == BlankKind {
			shared[n.name] = true
		}
		for b, t := range n.graph.dict.terms {
			if t.Kind != BlankKind || !n.graph.has(id(b)) {
				continue
			}
			if first, ok := owner[t]; ok && first != i {
				shared[t] = true
			}
			owner[t] = i
		}
	}
	return shared
}
