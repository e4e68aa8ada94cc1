// SPDX-License-Identifier: EUPL-1.2

package rdf

// lines reads N-Triples or N-Quads into d.
func (l *lexer) lines(d *Dataset, quads bool) {
	for l.next(); !l.atEnd(); l.next() {
		s := l.lineResource("the subject: an IRI or a blank node")
		l.blanks()
		if l.peek() != '<' {
			l.fail("expected the predicate: an IRI")
		}
		p := l.iriRef()
		l.blanks()
		o := l.lineObject()
		l.blanks()
		l.count()
		if c := l.peek(); quads && (c == '<' || c == '_') {
			name := l.terms.terms[l.lineResource("the name of a graph")]
			l.blanks()
			d.Graph(name).Add(l.terms.terms[s], l.terms.terms[p], l.terms.terms[o])
		} else {
			d.graph.add(s, p, o)
		}
		l.endOfLine()
	}
}

// blanks skips spaces and tabs.
func (l *lexer) blanks() {
	for l.peek() == ' ' || l.peek() == '\t' {
		l.pos++
	}
}

func (l *lexer) lineResource(what string) id {
	switch {
	case l.peek() == '<':
		return l.iriRef()
	case l.peek() == '_' && l.peekAt(1) == ':':
		return l.blankLabel()
	}
	l.fail("expected " + what)
	return 0
}

func (l *lexer) lineObject() id {
	if l.peek() == '"' {
		return l.literal()
	}
	return l.lineResource("the object: an IRI, a blank node or a literal")
}

func (l *lexer) endOfLine() {
	if l.peek() != '.' {
		l.fail("expected '.' at the end of the line")
	}
	l.pos++
	l.blanks()
	if c := l.peek(); !l.atEnd() && c != '\n' && c != '\r' && c != '#' {
		l.fail("expected the end of the line")
	}
}

// AppendNTriples appends one line of N-Triples and returns the longer slice. A
// triple that RDF does not allow is a *[TermError], and then nothing is
// appended.
//
// Blank nodes keep their labels, so lines of one graph may be written apart.
func AppendNTriples(dst []byte, t Triple) ([]byte, error) {
	if err := t.check(); err != nil {
		return dst, err
	}
	dst = append(appendTerm(dst, t.S), ' ')
	dst = append(appendTerm(dst, t.P), ' ')
	return append(appendTerm(dst, t.O), " .\n"...), nil
}

// check returns what is wrong with t as a triple.
func (t Triple) check() error {
	for _, term := range [...]Term{t.S, t.P, t.O} {
		if msg := term.valid(); msg != "" {
			return &TermError{msg}
		}
	}
	return checkPlaces(t.S, t.P)
}

func checkPlaces(s, p Term) error {
	switch {
	case s.Kind == LiteralKind:
		return &TermError{"the subject is a literal"}
	case p.Kind != IRIKind:
		return &TermError{"the predicate is not an IRI"}
	}
	return nil
}

// appendTerm appends t as N-Triples has it, without checking it.
func appendTerm(dst []byte, t Term) []byte {
	switch t.Kind {
	case IRIKind:
		dst = append(dst, '<')
		dst = append(dst, t.Value...)
		return append(dst, '>')
	case BlankKind:
		dst = append(dst, "_:"...)
		return append(dst, t.Value...)
	case varKind:
		dst = append(dst, '?')
		return append(dst, t.Value...)
	case LiteralKind:
		dst = appendQuoted(dst, t.Value)
		switch {
		case t.Lang != "":
			dst = append(dst, '@')
			dst = append(dst, t.Lang...)
		case t.Datatype != "":
			dst = append(dst, "^^<"...)
			dst = append(dst, t.Datatype...)
			dst = append(dst, '>')
		}
	}
	return dst
}

// appendQuoted appends s in quotes, escaped as the canonical form of N-Triples
// has it (RDF 1.2 N-Triples, section 3).
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if class[c]&plainByte != 0 || c == '\'' {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	}
	const hex = "0123456789ABCDEF"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendLines appends the triples of g in the order in which they were added,
// with the graph's name after each if it has one.
func appendLines(dst []byte, g *Graph, name Term) ([]byte, error) {
	if err := g.check(); err != nil {
		return dst, err
	}
	terms := g.dict.terms
	end := " .\n"
	if !name.IsZero() {
		end = " " + name.String() + end
	}
	for r := range g.match(row{}) {
		dst = append(appendTerm(dst, terms[r.s]), ' ')
		dst = append(appendTerm(dst, terms[r.p]), ' ')
		dst = append(appendTerm(dst, terms[r.o]), end...)
	}
	return dst, nil
}

// check returns what is wrong with the first triple that RDF does not allow. It
// looks at each term once.
func (g *Graph) check() error {
	checked := make([]bool, len(g.dict.terms))
	terms := g.dict.terms
	for r := range g.match(row{}) {
		for _, n := range [...]id{r.s, r.p, r.o} {
			if checked[n] {
				continue
			}
			checked[n] = true
			if msg := terms[n].valid(); msg != "" {
				return &TermError{msg}
			}
		}
		if err := checkPlaces(terms[r.s], terms[r.p]); err != nil {
			return err
		}
	}
	return nil
}
