// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"
)

// A syntax is one of the textual grammars that share tokens.
type syntax uint8

const (
	turtleSyntax syntax = iota
	trigSyntax
	n3Syntax     // Turtle with formulas and variables, as N3 Patch needs them
	sparqlSyntax // the tokens of SPARQL that its Update shares with Turtle
	linesSyntax  // N-Triples and N-Quads
)

// A lexer reads tokens off a document and numbers the terms that they stand
// for. It reports a fault by a panic with a fault, which parse turns into an
// error: a grammar of many small rules stays readable.
type lexer struct {
	ctx    context.Context
	in     string
	pos    int
	syntax syntax
	lim    Limits

	terms    *dict
	base     iriParts
	hasBase  bool
	prefixes map[string]string
	names    map[string]id // tokens seen before, under the present base and prefixes
	depth    int
	made     int // blank nodes that have no label in the document
	triples  int
}

// A fault carries an error from the place where it was found to parse.
type fault struct{ err error }

func newLexer(ctx context.Context, body []byte, s syntax, base string, lim Limits, terms *dict) (*lexer, error) {
	l := &lexer{ctx: ctx, in: string(body), syntax: s, lim: lim, terms: terms, prefixes: map[string]string{}, names: map[string]id{}}
	if terms.slots == nil {
		terms.init(8)
	}
	if !utf8.ValidString(l.in) {
		l.pos = firstInvalid(l.in)
		return nil, l.errorAt("the document is not valid UTF-8")
	}
	l.in = strings.TrimPrefix(l.in, "\uFEFF")
	if base != "" {
		if msg := invalidIRI(base); msg != "" {
			return nil, errors.New("base: " + msg)
		}
		l.base, l.hasBase = splitIRI(base), true
	}
	return l, nil
}

// parse runs a grammar to its end.
func parse(grammar func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fault:
			err = r.err
		default:
			panic(r)
		}
	}()
	grammar()
	return nil
}

func firstInvalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

func (l *lexer) fail(msg string) { panic(fault{l.errorAt(msg)}) }

func (l *lexer) exceed(what string, most int) { panic(fault{&LimitError{what, most}}) }

func (l *lexer) errorAt(msg string) *SyntaxError {
	before := l.in[:min(l.pos, len(l.in))]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[lineStart:]) + 1,
		Msg:    msg,
	}
}

// count is called for each triple.
func (l *lexer) count() {
	if l.triples++; l.triples > l.lim.Triples {
		l.exceed("triples", l.lim.Triples)
	}
	if l.triples&1023 == 0 && l.ctx.Err() != nil {
		panic(fault{l.ctx.Err()})
	}
}

func (l *lexer) enter() {
	if l.depth++; l.depth > l.lim.Depth {
		l.exceed("nesting", l.lim.Depth)
	}
}

func (l *lexer) leave() { l.depth-- }

// peek returns the next byte, or 0 at the end.
func (l *lexer) peek() byte { return l.peekAt(0) }

func (l *lexer) peekAt(n int) byte {
	if l.pos+n < len(l.in) {
		return l.in[l.pos+n]
	}
	return 0
}

func (l *lexer) atEnd() bool { return l.pos >= len(l.in) }

// rune returns the next character and its length.
func (l *lexer) rune() (rune, int) {
	if c := l.in[l.pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(l.in[l.pos:])
}

// space skips white space and comments.
func (l *lexer) space() {
	for l.pos < len(l.in) {
		switch c := l.in[l.pos]; {
		case class[c]&spaceByte != 0:
			l.pos++
		case c == '#':
			l.comment()
		default:
			return
		}
	}
}

func (l *lexer) comment() {
	n := strings.IndexAny(l.in[l.pos:], "\r\n")
	if n < 0 {
		n = len(l.in) - l.pos
	}
	l.pos += n
}

// next skips white space and returns the next byte.
func (l *lexer) next() byte {
	l.space()
	return l.peek()
}

// accept skips white space, and the byte c if it comes next.
func (l *lexer) accept(c byte) bool {
	if l.next() != c || l.atEnd() {
		return false
	}
	l.pos++
	return true
}

func (l *lexer) expect(c byte, what string) {
	if !l.accept(c) {
		l.fail("expected " + what)
	}
}

// keyword skips the word if it comes next, in any case, and no name goes on
// after it.
func (l *lexer) keyword(word string) bool {
	end := l.pos + len(word)
	if end > len(l.in) || !strings.EqualFold(l.in[l.pos:end], word) || l.nameGoesOn(end) {
		return false
	}
	l.pos = end
	return true
}

// nameGoesOn reports whether the character at end would lengthen a name.
func (l *lexer) nameGoesOn(end int) bool {
	r, _ := utf8.DecodeRuneInString(l.in[end:])
	return end < len(l.in) && (r == ':' || isNameRune(r))
}

// blank returns a new blank node, whose label no document can write: see label.
func (l *lexer) blank() id {
	l.made++
	return l.terms.intern(Blank(madeLabel(l.made)))
}

// label returns the blank node that the document calls s.
func (l *lexer) label(s string) id {
	if l.syntax != linesSyntax {
		s = userLabel(s)
	}
	return l.terms.intern(Blank(s))
}

// blankLabel reads BLANK_NODE_LABEL.
func (l *lexer) blankLabel() id {
	l.pos += len("_:")
	start, end := l.pos, l.pos
	for l.pos < len(l.in) {
		r, size := l.rune()
		if l.pos == start && !isLabelStart(r) || r != '.' && !isNameRune(r) {
			break
		}
		l.pos += size
		if r != '.' {
			end = l.pos
		}
	}
	if l.pos = end; end == start {
		l.fail("expected the label of a blank node")
	}
	l.short(end-start, "the length of a blank node's label")
	return l.label(l.in[start:end])
}

func (l *lexer) short(n int, what string) {
	if n > l.lim.IRI {
		l.exceed(what, l.lim.IRI)
	}
}

// iriRef reads IRIREF and resolves it.
func (l *lexer) iriRef() id {
	start := l.pos
	if n := l.knownIRI(); n != 0 {
		return n
	}
	end := l.plainIRI()
	if end < 0 {
		return l.internIRI(l.resolved(l.escapedIRI(start)))
	}
	ref := l.in[start+1 : end]
	l.short(len(ref), "the length of an IRI")
	if schemeLen(ref) > 0 {
		return l.internIRI(ref)
	}
	if n := l.names[l.in[start:l.pos]]; n != 0 {
		return n
	}
	n := l.internIRI(l.resolved(ref))
	l.names[l.in[start:l.pos]] = n
	return n
}

// knownIRI skips an IRIREF that is an IRI which was read before, and so need not
// be checked again: no IRI that has a number needs an escape or resolution.
func (l *lexer) knownIRI() id {
	end := strings.IndexByte(l.in[l.pos:], '>')
	if end < 1 || l.in[l.pos] != '<' {
		return 0
	}
	n := l.terms.find(Term{Kind: IRIKind, Value: l.in[l.pos+1 : l.pos+end]})
	if n != 0 {
		l.pos += end + 1
	}
	return n
}

// internIRI numbers an IRI.
func (l *lexer) internIRI(s string) id { return l.terms.intern(Term{Kind: IRIKind, Value: s}) }

// plainIRI skips an IRIREF without escapes and returns the place of its '>',
// or -1, having moved to an escape.
func (l *lexer) plainIRI() (end int) {
	if l.peek() != '<' {
		l.fail("expected an IRI in angle brackets")
	}
	for i := l.pos + 1; i < len(l.in); i++ {
		if class[l.in[i]]&notIRI == 0 {
			continue
		}
		l.pos = i
		switch l.in[i] {
		case '>':
			l.pos++
			return i
		case '\\':
			return -1
		}
		l.fail("this character can't be in an IRI")
	}
	l.pos = len(l.in)
	l.fail("expected '>' at the end of an IRI")
	return 0
}

// escapedIRI reads the IRIREF that begins at start and has \u escapes, the
// first of them here.
func (l *lexer) escapedIRI(start int) string {
	text := []byte(l.in[start+1 : l.pos])
	for {
		c := l.peek()
		switch {
		case c == '>':
			l.pos++
			return string(text)
		case c == '\\':
			l.pos++
			r := l.codePoint()
			if r < 0x80 && class[r]&notIRI != 0 {
				l.fail("an escape stands for a character that can't be in an IRI")
			}
			text = utf8.AppendRune(text, r)
		case class[c]&notIRI != 0:
			l.fail("this character can't be in an IRI")
		default:
			text = append(text, c)
			l.pos++
		}
		l.short(len(text), "the length of an IRI")
	}
}

// resolved returns the IRI that a reference stands for. An IRI with a scheme
// stands for itself, dot segments and all: were they removed, what is written
// would not read back the same.
func (l *lexer) resolved(ref string) string {
	switch {
	case schemeLen(ref) > 0:
		return ref
	case l.syntax == linesSyntax:
		l.fail("expected an absolute IRI")
	case !l.hasBase:
		l.fail("expected an absolute IRI: the document has no base")
	}
	iri := resolve(l.base, ref)
	l.short(len(iri), "the length of an IRI")
	return iri
}

// codePoint reads the rest of a \u or \U escape.
func (l *lexer) codePoint() rune {
	digits := 4
	switch l.peek() {
	case 'u':
	case 'U':
		digits = 8
	default:
		l.fail(`expected \u or \U`)
	}
	l.pos++
	var r uint32
	for range digits {
		c := l.peek()
		switch {
		case isDigit(c):
			r = r<<4 | uint32(c-'0')
		case isHex(c):
			r = r<<4 | uint32(c|0x20-'a'+10)
		default:
			l.fail("expected a hexadecimal digit")
		}
		l.pos++
	}
	if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
		l.fail("an escape stands for no character")
	}
	return rune(r)
}

// literal reads a quoted string with its language or datatype.
func (l *lexer) literal() id {
	t := Term{Kind: LiteralKind, Value: l.quoted()}
	switch {
	case l.peek() == '@':
		l.pos++
		t.Lang = l.lang()
	case l.peek() == '^' && l.peekAt(1) == '^':
		l.pos += 2
		t.Datatype = l.datatype()
	}
	return l.terms.intern(t)
}

func (l *lexer) lang() string {
	start := l.pos
	for isAlpha(l.peek()) || isDigit(l.peek()) || l.peek() == '-' {
		l.pos++
	}
	tag := l.in[start:l.pos]
	if !isLang(tag) {
		l.pos = start
		l.fail("expected a language tag")
	}
	l.short(len(tag), "the length of a language tag")
	return tag
}

func (l *lexer) datatype() string {
	if l.syntax != linesSyntax {
		l.space()
	}
	var n id
	if l.peek() == '<' || l.syntax == linesSyntax {
		n = l.iriRef()
	} else {
		n = l.prefixedName()
	}
	if iri := l.terms.terms[n].Value; iri != xsdString {
		return iri
	}
	return ""
}

// quoted reads a string in any of its four quotes, or the one of N-Triples.
func (l *lexer) quoted() string {
	quote := l.in[l.pos : l.pos+1]
	if l.syntax == linesSyntax && quote != `"` {
		l.fail(`expected '"'`)
	}
	if triple := quote + quote + quote; l.syntax != linesSyntax && strings.HasPrefix(l.in[l.pos:], triple) {
		quote = triple
	}
	l.pos += len(quote)
	start := l.pos
	var text []byte // what came before start, unescaped
	for {
		l.plain(quote)
		if l.pos-start+len(text) > l.lim.Literal {
			l.exceed("the length of a literal", l.lim.Literal)
		}
		if l.peek() != '\\' {
			break
		}
		text = append(text, l.in[start:l.pos]...)
		l.pos++
		text = l.escape(text)
		start = l.pos
	}
	rest := l.in[start:l.pos]
	l.pos += len(quote)
	if text == nil {
		return rest
	}
	return string(append(text, rest...))
}

// plain moves on to the closing quote or the next backslash.
func (l *lexer) plain(quote string) {
	for i := l.pos; i < len(l.in); i++ {
		c := l.in[i]
		if class[c]&plainByte != 0 {
			continue
		}
		switch {
		case c == '\\' || c == quote[0] && (len(quote) == 1 || strings.HasPrefix(l.in[i:], quote)):
			l.pos = i
			return
		case (c == '\n' || c == '\r') && len(quote) == 1:
			l.pos = i
			l.fail("a line break in a string: expected the closing quote, or an escape")
		}
	}
	l.pos = len(l.in)
	l.fail("expected the closing quote of a string")
}

// escape reads what follows a backslash in a string.
func (l *lexer) escape(text []byte) []byte {
	if c := l.peek(); c == 'u' || c == 'U' {
		r := l.codePoint()
		if l.syntax == sparqlSyntax && strings.ContainsRune("\"'\\\n\r", r) { // SPARQL 1.1 Query, section 19.2
			l.fail("an escape stands for a character that can't be here")
		}
		return utf8.AppendRune(text, r)
	}
	const names, values = `tbnrf"'\`, "\t\b\n\r\f\"'\\"
	n := strings.IndexByte(names, l.peek())
	if n < 0 || l.atEnd() {
		l.fail("expected an escape: one of t, b, n, r, f, u, U, a quote or a backslash")
	}
	l.pos++
	return append(text, values[n])
}

// number reads an INTEGER, DECIMAL or DOUBLE.
func (l *lexer) number() id {
	start, datatype := l.pos, xsdInteger
	if c := l.peek(); c == '+' || c == '-' {
		l.pos++
	}
	digits := l.digits()
	if l.peek() == '.' && (isDigit(l.peekAt(1)) || digits > 0 && l.exponentAt(1)) {
		l.pos++
		digits += l.digits()
		datatype = xsdDecimal
	}
	if digits == 0 {
		l.fail("expected a number")
	}
	if l.exponentAt(0) {
		l.pos++
		if c := l.peek(); c == '+' || c == '-' {
			l.pos++
		}
		l.digits()
		datatype = xsdDouble
	}
	if l.pos-start > l.lim.Literal {
		l.exceed("the length of a literal", l.lim.Literal)
	}
	return l.terms.intern(Term{Kind: LiteralKind, Value: l.in[start:l.pos], Datatype: datatype})
}

func (l *lexer) digits() (n int) {
	for isDigit(l.peek()) {
		l.pos++
		n++
	}
	return n
}

// exponentAt reports whether an exponent stands n bytes from here.
func (l *lexer) exponentAt(n int) bool {
	if c := l.peekAt(n); c != 'e' && c != 'E' {
		return false
	}
	if c := l.peekAt(n + 1); c == '+' || c == '-' {
		n++
	}
	return isDigit(l.peekAt(n + 1))
}

// prefixedName reads PrefixedName.
func (l *lexer) prefixedName() id {
	start := l.pos
	prefix := l.prefixName()
	if l.peek() != ':' {
		l.pos = start
		l.fail("expected a term")
	}
	l.pos++
	local, raw := l.localName(), l.in[start:l.pos]
	if n := l.names[raw]; n != 0 {
		return n
	}
	namespace, ok := l.prefixes[prefix]
	if !ok {
		l.pos = start
		l.fail("the prefix " + quoteShort(prefix) + " is not declared")
	}
	l.short(len(namespace)+len(local), "the length of an IRI")
	n := l.internIRI(namespace + local)
	l.names[raw] = n
	return n
}

// prefixName reads PN_PREFIX, which may be empty.
func (l *lexer) prefixName() string {
	start, end := l.pos, l.pos
	for l.pos < len(l.in) && isAlpha(l.in[l.pos]) { // almost always this is all
		l.pos++
		end = l.pos
	}
	for l.pos < len(l.in) {
		r, size := l.rune()
		if l.pos == start && !isNameBase(r) || r != '.' && !isNameRune(r) {
			break
		}
		l.pos += size
		if r != '.' {
			end = l.pos
		}
	}
	l.pos = end
	l.short(end-start, "the length of a prefix")
	return l.in[start:end]
}

// localName reads PN_LOCAL, which may be empty, without its escapes.
func (l *lexer) localName() string {
	start, end := l.pos, l.pos
	for l.pos < len(l.in) {
		if c := l.in[l.pos]; class[c]&nameByte != 0 && (c != '-' || l.pos > start) {
			l.pos++
			end = l.pos
			continue
		}
		size := l.localRune(l.pos == start)
		if size == 0 {
			break
		}
		last := l.in[l.pos]
		l.pos += size
		if last != '.' {
			end = l.pos
		}
	}
	l.pos = end
	return unescapeLocal(l.in[start:end])
}

// localRune returns the length of the character or escape of a local name that
// comes next, or 0.
func (l *lexer) localRune(first bool) int {
	switch c := l.in[l.pos]; {
	case c == '.' && !first:
		return 1
	case c == '%':
		if !isHex(l.peekAt(1)) || !isHex(l.peekAt(2)) {
			l.fail("expected two hexadecimal digits after '%'")
		}
		return 3
	case c == '\\':
		if e := l.peekAt(1); e == 0 || strings.IndexByte("_~.-!$&'()*+,;=/?#@%", e) < 0 {
			l.fail("this character can't be escaped in a name")
		}
		return 2
	case c >= utf8.RuneSelf:
		r, size := utf8.DecodeRuneInString(l.in[l.pos:])
		if isNameRune(r) && (!first || isLabelStart(r)) {
			return size
		}
	}
	return 0
}

func unescapeLocal(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.ReplaceAll(s, `\`, "") // a backslash itself can't be escaped in a local name
}

// quoteShort quotes a name for a message, cut to a modest length.
func quoteShort(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return `"` + s + `"`
}
