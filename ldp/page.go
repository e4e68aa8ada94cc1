// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"crypto/sha256"
	_ "embed" // the templates and the stylesheet
	"encoding/base64"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"skrin/ldp/rdf"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.html
	pageText string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(pageStyle) },
		"plain": plain,
	}).Parse(pageText))
	problemPage = pages.Lookup("problem")
	viewPage    = pages.Lookup("view")

	// pagePolicy lets nothing run and nothing be fetched: the stylesheet is in
	// the page.
	pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" + styleHash() + "'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (x *exchange) pageHeaders() {
	x.set("Content-Type", "text/html; charset=utf-8")
	x.set("Content-Security-Policy", pagePolicy)
	x.set("Referrer-Policy", "no-referrer")
}

// A view is what the page about a resource shows.
type view struct {
	g       *reading
	Trail   []step // the containers above, from the root
	Name    string // the last segment, decoded
	Modes   string
	Listing bool
	Triples []rdf.Triple
	err     error // what ended Members early
}

type step struct{ Name, URL string }

// page shows a container or an RDF document to a person.
func (g *reading) page() error {
	v := &view{g: g, Trail: trail(g.id), Name: plain(g.id.Name()), Modes: string(modes(nil, g.res.Modes|g.res.Public)), Listing: g.res.Members != nil}
	if g.r.Method != http.MethodHead {
		graph, err := g.graph()
		if err != nil {
			return err
		}
		if graph != nil {
			for t := range graph.All() {
				v.Triples = append(v.Triples, t)
			}
		}
	}
	g.pageHeaders()
	if g.r.Method == http.MethodHead {
		g.w.WriteHeader(http.StatusOK)
		return nil
	}
	w := &paged{g: g}
	if err := viewPage.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if v.err != nil {
		return v.err
	}
	return g.flush(w.part)
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
type line struct{ Name, URL, Type, Size, Modified string }

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
				l.Type, l.Size = "container", ""
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
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return escaped
}
