// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp/rdf"
)

// A reading is the answer to a GET or HEAD as it takes shape.
type reading struct {
	*exchange
	res    *Resource
	picked string // media type of the representation; "" until Choose was called
	bare   bool   // a container without its containment triples
	etag   string
	next   string // URL of the page after this one; "" if there is none
}

func (x *exchange) get() error {
	g := reading{exchange: x}
	seen := x.moment("If-Modified-Since")
	noneMatch := x.r.Header["If-None-Match"]
	res, err := x.Backend.Get(x.r.Context(), x.who, Get{ID: x.id, After: x.after(), Choose: g.choose,
		NoneMatch: entityTags(noneMatch, false), Since: seen, Nonce: x.r.Header.Get("Presentation-Nonce")})
	if err != nil {
		return err
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	g.res = res
	if g.picked == "" {
		g.picked = res.Type
	}
	g.headers()
	// RFC 9110, section 13.2.2, in its order.
	must := Conditions{Match: entityTags(x.r.Header["If-Match"], true), UnmodifiedSince: x.moment("If-Unmodified-Since")}
	if err := must.Check(res.Tag, res.Modified); err != nil {
		return err
	}
	if hasTag(noneMatch, g.etag) || noneMatch == nil && x.unchanged(res.Modified, seen) {
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return g.represent()
}

// unchanged reports whether what was modified then is what a client saw that says
// since when. The very second of a change that is only just over is too coarse to
// tell: there may have been two changes in it (RFC 9110, section 8.8.2.2).
func (x *exchange) unchanged(modified, seen time.Time) bool {
	now := time.Now
	if x.Now != nil {
		now = x.Now
	}
	second := modified.Truncate(time.Second)
	return !seen.IsZero() && !modified.IsZero() && (second.Before(seen) || second.Equal(seen) && now().Sub(modified) >= 2*time.Second)
}

// choose is what [Get] calls Choose. A browser that likes a page better than all
// that there is gets a page, made from RDF.
func (g *reading) choose(offers ...string) string {
	accept := g.r.Header["Accept"]
	if g.id.IsContainer() {
		offers = []string{typeTurtle, typeJSONLD}
	}
	g.picked = choose(accept, offers...)
	for _, offer := range offers {
		if _, ok := rdf.FormatOf(offer); ok && likesPages(accept, g.picked) {
			g.picked = typeHTML
			return offer
		}
	}
	return g.picked
}

func (g *reading) headers() {
	format := short(g.picked)
	if g.id.IsContainer() && g.r.Header["Prefer"] != nil {
		p := prefer(g.r.Header["Prefer"])
		if p.representation {
			g.set("Preference-Applied", "return=representation")
			g.set("Vary", "Accept, Authorization, Origin, Prefer")
		}
		if g.bare = p.bare; g.bare {
			format = "min-" + format
		}
	}
	if g.shows != nil {
		format = g.shows.format(format)
	}
	if g.pageOf() {
		format += "-" + tongueOf(g.r).lang
	}
	g.etag = entityTag(g.res.Tag, format)
	g.describe(g.res.Description, g.etag)
	g.set("Wac-Allow", wacAllow(g.res.Modes, g.res.Public))
	if !g.res.Modified.IsZero() {
		g.set("Last-Modified", date(g.res.Modified))
	}
	if g.res.Notice != "" {
		g.set("Warning", `299 - "`+g.res.Notice+`"`)
	}
	if g.res.Public.Has(acl.Read) {
		g.set("Cache-Control", "no-cache")
	} else {
		g.set("Cache-Control", "private, no-cache")
	}
}

// pageOf reports whether the answer is a page of ours about the resource.
func (g *reading) pageOf() bool { return g.picked == typeHTML && bare(g.res.Type) != typeHTML }

// represent writes the representation that was picked.
func (g *reading) represent() error {
	if g.shows != nil && g.res.Members != nil {
		if err := g.turn(); err != nil {
			return err
		}
	}
	if g.pageOf() {
		return g.page()
	}
	// It is anybody's: nothing in it may run on our origin.
	g.set("Content-Security-Policy", "default-src 'none'; sandbox")
	g.set("Cross-Origin-Resource-Policy", "cross-origin")
	switch {
	case g.res.Members != nil:
		return g.list()
	case g.res.Body != nil && strings.EqualFold(bare(g.res.Type), bare(g.picked)):
		return g.stored()
	}
	graph, err := g.graph()
	if err != nil {
		return err
	}
	body, err := g.written(graph)
	if err != nil {
		return err
	}
	g.set("Content-Type", g.picked)
	g.set("Content-Length", strconv.Itoa(len(body)))
	return g.send(body)
}

// send sends a whole body that is in memory.
func (g *reading) send(body []byte) error {
	g.sent = true
	g.w.WriteHeader(http.StatusOK)
	if g.r.Method == http.MethodHead {
		return nil
	}
	_, err := g.w.Write(body)
	return err
}

// stored sends the bytes as they were written, whole or in part.
func (g *reading) stored() error {
	g.set("Content-Type", g.res.Type)
	if active(g.res.Type, g.Isolated) {
		g.set("Content-Disposition", "attachment")
	}
	status, body, length := http.StatusOK, io.Reader(g.res.Body), g.res.Size
	seeker, ok := body.(io.Seeker)
	if ok && length >= 0 {
		g.set("Accept-Ranges", "bytes")
		if start, n, ok := g.span(); ok {
			if n == 0 {
				return &Fault{Kind: Range, Detail: "The resource does not have the range that was asked for.", Header: fmt.Sprintf("Content-Range: bytes */%d", length)}
			}
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return fmt.Errorf("seek: %w", err)
			}
			g.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+n-1, length))
			status, body, length = http.StatusPartialContent, io.LimitReader(body, n), n
		}
	}
	if length >= 0 {
		g.set("Content-Length", strconv.FormatInt(length, 10))
	}
	g.sent = true
	g.w.WriteHeader(status)
	if g.r.Method == http.MethodHead {
		return nil
	}
	n, err := io.Copy(g.w, body)
	if err == nil && length >= 0 && n != length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("send after %d bytes: %w", n, err)
	}
	return nil
}

// span returns the range that is asked for, if it is to be honoured (RFC 9110,
// 13.1.5 and 14.2).
func (g *reading) span() (start, length int64, ok bool) {
	asked := g.r.Header.Get("Range")
	if asked == "" || g.r.Method != http.MethodGet {
		return 0, 0, false
	}
	if v := g.r.Header.Get("If-Range"); v != "" && (v != g.etag || g.etag == "") && (g.res.Modified.IsZero() || v != date(g.res.Modified)) {
		return 0, 0, false
	}
	return span(asked, g.res.Size)
}

// active reports whether a browser is to save content rather than to show it.
// PDF viewers don't work in a sandbox, so a PDF is always saved.
func active(media string, isolated bool) bool {
	media = strings.ToLower(bare(media))
	switch {
	case media == "application/pdf":
		return true
	case isolated:
		return false
	}
	return media == typeHTML || media == "text/xml" || media == "text/xsl" || media == "application/xml" ||
		strings.HasSuffix(media, "+xml") || strings.HasPrefix(media, "multipart/")
}

// graph returns the resource's state as RDF.
func (g *reading) graph() (*rdf.Graph, error) {
	if g.res.Body == nil {
		return g.res.Graph, nil
	}
	f, ok := rdf.FormatOf(g.res.Type)
	if !ok {
		return nil, fmt.Errorf("%s can't be converted: %w", g.res.Type, NotAcceptable)
	}
	limit := g.Limits.convert()
	if g.res.Size > limit {
		return nil, Refuse(NotAcceptable, "The document is too large to be converted. Ask for the type "+bare(g.res.Type)+".")
	}
	body, err := io.ReadAll(io.LimitReader(g.res.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	leave, err := g.Turns.Enter(g.r.Context(), f, len(body))
	if err != nil {
		return nil, err
	}
	defer leave()
	graph, err := rdf.Read(g.r.Context(), body, f, g.Base+string(g.id), rdf.Limits{Bytes: int(limit), LoadContext: g.Context})
	if err != nil {
		return nil, g.unconvertible(err)
	}
	return graph, nil
}

// unconvertible answers for a document that this package can't read or write as
// a graph: one with named graphs, one that exceeds a limit. Its stored type can
// be had all the same.
func (g *reading) unconvertible(err error) error {
	var syntax *rdf.SyntaxError
	var limit *rdf.LimitError
	var term *rdf.TermError
	if errors.As(err, &syntax) || errors.As(err, &limit) || errors.As(err, &term) {
		return Refuse(NotAcceptable, "The document can't be converted. Ask for the type "+bare(g.res.Type)+".")
	}
	return fmt.Errorf("convert %s: %w", g.res.Type, err)
}

// written writes a graph in the format that was picked.
func (g *reading) written(graph *rdf.Graph) ([]byte, error) {
	f, ok := rdf.FormatOf(g.picked)
	if !ok {
		return nil, fmt.Errorf("write %s: %w", g.picked, NotAcceptable)
	}
	body, err := rdf.Write(graph, f, rdf.WriteOptions{})
	if err != nil {
		return nil, g.unconvertible(err)
	}
	return body, nil
}
