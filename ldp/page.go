// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the stylesheet
	"encoding/base64"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"skrin/ldp/rdf"
)

//go:embed page.css
var pageStyle string

// pagePolicy lets nothing run and nothing be fetched: the stylesheet is in the page.
var pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" + styleHash() + "'"

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pageHeaders prepares a page, and returns the language that it is to be in.
func (x *exchange) pageHeaders() *tongue {
	t := tongueOf(x.r)
	x.set("Content-Type", "text/html; charset=utf-8")
	x.set("Content-Language", t.lang)
	x.set("Vary", cmp.Or(x.header.Get("Vary"), "Accept")+", Accept-Language")
	x.set("Content-Security-Policy", pagePolicy)
	x.set("Referrer-Policy", "no-referrer")
	return t
}

// A view is what the page about a resource shows.
type view struct {
	g       *reading
	Trail   []step // the containers above, from the root
	Name    string // the last segment, decoded
	Modes   string
	Listing bool
	Said    []said // a triple each
	Pages   bool   // it is a page of a container; First and Next are those beside it, "" for none
	First   string
	Next    string
	err     error // what ended Members early
}

// A said is a triple as the page shows it, About what it is said. In a run of triples
// about one thing, the first has it.
type said struct{ About, Property, Value word }

// A word is a term as the page shows it.
type word struct {
	rdf.Term
	Text string // as people read it, an IRI in short
	Of   string // the host of the vocabulary that a property is of
}

type step struct{ Name, URL string }

// page shows a container or an RDF document to a person.
func (g *reading) page() error {
	v := &view{g: g, Trail: trail(g.id), Name: plain(g.id.Name()), Modes: string(modes(nil, g.res.Modes|g.res.Public)), Listing: g.res.Members != nil, Pages: g.shows != nil, Next: g.next}
	if g.shows != nil && g.shows.after != "" {
		v.First = g.url(window{size: g.shows.size})
	}
	if g.r.Method != http.MethodHead {
		graph, err := g.graph()
		if err != nil {
			return err
		}
		if graph != nil {
			for t := range graph.All() {
				v.Said = append(v.Said, said{g.word(t.S), g.property(t.P), g.word(t.O)})
			}
			v.group()
		}
	}
	t := g.pageHeaders()
	if g.r.Method == http.MethodHead {
		g.w.WriteHeader(http.StatusOK)
		return nil
	}
	w := &paged{g: g}
	if err := t.view.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if v.err != nil {
		return v.err
	}
	return g.flush(w.part)
}

// word shows an IRI of this server without the server.
func (g *reading) word(t rdf.Term) word {
	w := word{Term: t, Text: plain(t.Value)}
	if !t.IsIRI() {
		w.Text = seen(t.Value)
	}
	if path, ok := strings.CutPrefix(t.Value, g.Base); ok && strings.HasPrefix(path, "/") {
		w.Text = plain(path)
	}
	return w
}

// exact is an attribute that leads to a local path, or an address of the web or of mail, as it is:
// html/template would write the brackets and apostrophes in it as escapes, and "(1)" and
// "%281%29" are two resources (RFC 3986, section 6.2.2.2). To anything else it leads
// nowhere.
func exact(to string) template.HTMLAttr {
	path := strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")
	if !path && !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "mailto:") {
		return `href="#"`
	}
	return template.HTMLAttr(`href="` + template.HTMLEscapeString(to) + `"`)
}

// property shows the last part of a property's IRI, and whose it is.
func (g *reading) property(t rdf.Term) word {
	w := g.word(t)
	if i := strings.LastIndexAny(t.Value, "#/"); i >= 0 && i+1 < len(t.Value) {
		w.Text = plain(t.Value[i+1:])
		if u, err := url.Parse(t.Value); err == nil {
			w.Of = u.Host
		}
	}
	return w
}

// group puts what is said of one thing together, in the order in which the things
// come first, and leaves About out where it is that of the line above.
func (v *view) group() {
	first := map[rdf.Term]int{}
	for i, s := range v.Said {
		if _, ok := first[s.About.Term]; !ok {
			first[s.About.Term] = i
		}
	}
	slices.SortStableFunc(v.Said, func(a, b said) int { return first[a.About.Term] - first[b.About.Term] })
	for i := len(v.Said) - 1; i > 0; i-- {
		if v.Said[i].About.Term == v.Said[i-1].About.Term {
			v.Said[i].About = word{}
		}
	}
}

// paged collects a page and sends it in parts.
type paged struct {
	g    *reading
	part []byte
}

func (p *paged) Write(b []byte) (int, error) {
	if p.part = append(p.part, b...); len(p.part) >= part {
		if err := p.g.flush(p.part); err != nil {
			return 0, err
		}
		p.part = p.part[:0]
	}
	return len(b), nil
}

// A line is a member as the page shows it.
type line struct{ Name, URL, Type, Size, Modified string } // Type "" for a container

// Members yields the container's members; err is set where it ends early.
func (v *view) Members() iter.Seq[line] {
	return func(yield func(line) bool) {
		for m, err := range v.g.res.Members {
			if err != nil {
				v.err = fmt.Errorf("list: %w", err)
				return
			}
			l := line{Name: plain(m.ID.Name()), URL: string(m.ID), Type: bare(m.Type), Size: strconv.FormatInt(m.Size, 10)}
			if m.ID.IsContainer() {
				l.Type, l.Size = "", ""
			}
			if !m.Modified.IsZero() {
				l.Modified = m.Modified.UTC().Format("2006-01-02 15:04:05 UTC")
			}
			if !yield(l) {
				return
			}
		}
	}
}

func trail(id ID) []step {
	var steps []step
	for p := id.Parent(); p != ""; p = p.Parent() {
		steps = append([]step{{plain(p.Name()), string(p)}}, steps...)
	}
	return steps
}

// plain decodes percent escapes for people to read.
func plain(escaped string) string {
	if s, err := url.PathUnescape(escaped); err == nil {
		escaped = strings.ToValidUTF8(s, "\uFFFD")
	}
	return seen(escaped)
}

// seen shows where a text has a character that isn't seen and steers what shows it, such
// as a change of direction, by which "exe.txt" can look like "txt.exe".
func seen(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Cf, c) || unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' {
			return '\uFFFD'
		}
		return c
	}, s)
}
