// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"skrin/acl"
)

// A Handler answers HTTP requests about the resources of a [Backend]. It is safe
// for concurrent use; its fields don't change while it serves.
//
// How paths are read (2026-11): one spelling of a path is canonical, see
// [ParseID]. A path that is spelt otherwise and means the same is redirected to
// the canonical one with 308, whatever the method, before anybody's rights are
// asked: the answer follows from the path alone, so it tells nothing. We gave up
// to serve it directly, because then a resource has several URLs, in DPoP proofs,
// ACLs and caches, and to refuse it, because browsers send "[" as it is. What
// has no canonical spelling (dot segments, encoded slashes, NUL) is 400. The
// query is not part of a resource's name, and is ignored but for that of a page of
// a container, see [window].
type Handler struct {
	Backend    Backend
	Identifier Identifier
	// Base is the scheme and authority of all resources, "https://pod.example",
	// without a slash at the end.
	Base string
	// Apart is the origin, like Base, of a Handler that is Isolated, to which
	// browsers are sent for what they load; "" if there is none.
	Apart string
	// Isolated says that this Handler answers on an origin of its own, where no
	// cookie is set and no page of ours lives: to nobody in particular, and
	// reads only. Where it is false, what a browser would run (HTML, SVG, XML)
	// is served as an attachment.
	Isolated bool
	// ConstrainedBy is the URL of a document about what requests must obey (LDP,
	// 4.2.1.6); "" for the Solid Protocol.
	ConstrainedBy string
	// Context returns JSON-LD contexts that stored documents refer to, as
	// [rdf.Limits] wants it; nil for the embedded ones alone.
	Context func(ctx context.Context, iri string) ([]byte, error)
	// RequestID names a request in the answer and in the log; nil for random.
	RequestID func(*http.Request) string
	Now       func() time.Time // nil for time.Now
	Log       *slog.Logger     // for failures of ours, 5xx, once each; must be set
	Limits    Limits
	Turns     *Turns // of documents that are costly to convert; nil for no bound
}

// Limits bound what one request may cost, in bytes. Zero is the default.
type Limits struct {
	Body    int64 // of what is put or posted; default 5 GiB
	Patch   int64 // of a patch; default 1 MiB
	Convert int64 // of an RDF document that is converted or shown; default 16 MiB
}

func (l Limits) body() int64    { return orElse(l.Body, 5<<30) }
func (l Limits) patch() int64   { return orElse(l.Patch, 1<<20) }
func (l Limits) convert() int64 { return orElse(l.Convert, 16<<20) }

func orElse(n, standard int64) int64 {
	if n > 0 {
		return n
	}
	return standard
}

// An exchange is one request and its answer.
type exchange struct {
	*Handler
	w     http.ResponseWriter
	r     *http.Request
	id    ID
	who   acl.Agent
	sent  bool    // the answer has begun: it can't become a failure any more
	shows *window // what is asked for of a container; nil for all

	header http.Header
	values []string // backing of the header's values
	store  [24]string
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Handler: h, w: w, r: r, header: w.Header()}
	x.values = x.store[:0]
	x.cors()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

func (x *exchange) serve() error {
	// The path as it was spelt: EscapedPath would mend a RawPath that is no
	// valid encoding, and so make `/a"%2Fb` into "/a%22/b".
	path := x.r.URL.RawPath
	if path == "" {
		path = x.r.URL.EscapedPath()
	}
	id, err := ParseID(path)
	if err != nil {
		return x.otherwise(path, err)
	}
	x.id = id
	if x.apart() {
		return nil
	}
	if done, err := x.turned(); done || err != nil {
		return err
	}
	if x.r.Method == http.MethodOptions {
		return x.options()
	}
	if !x.Isolated {
		if x.who, err = x.Identifier.Identify(x.r); err != nil {
			return unidentified(err)
		}
	}
	x.who.Origin = x.r.Header.Get("Origin")
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		return x.get()
	case http.MethodPut:
		return x.put()
	case http.MethodPost:
		return x.post()
	case http.MethodPatch:
		return x.patch()
	case http.MethodDelete:
		return x.delete()
	}
	return Refuse(NotAllowed, "The method is not known here. Allow lists those that are.")
}

// otherwise answers a path that is no ID. A browser can't be told anything in
// answer to a preflight, so that is granted, and the request itself refused.
func (x *exchange) otherwise(path string, err error) error {
	spelt, ok := Respell(path)
	id, bad := ParseID(spelt)
	switch {
	case x.r.Method == http.MethodOptions && ok && bad == nil:
		x.id = id
		return x.options()
	case x.r.Method == http.MethodOptions && x.r.Header.Get("Access-Control-Request-Method") != "":
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	case !ok:
		return err
	case bad != nil:
		return bad
	}
	x.redirect(http.StatusPermanentRedirect, x.Base+spelt)
	return nil
}

// options answers OPTIONS, to everybody: whoever can't be identified is a
// stranger. A preflight of a browser has no credentials, and only asks for CORS.
func (x *exchange) options() error {
	d := x.Backend.Describe(x.id)
	if x.r.Header["Access-Control-Request-Method"] == nil {
		if who, err := x.Identifier.Identify(x.r); err == nil && !x.Isolated {
			x.who = who
		}
		x.who.Origin = x.r.Header.Get("Origin")
		var err error
		if d, err = x.Backend.Options(x.r.Context(), x.who, x.id); err != nil {
			return err
		}
	}
	x.describe(d, "")
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// set sets a header, whose name is in Go's canonical form.
func (x *exchange) set(name, value string) {
	x.values = append(x.values, value)
	n := len(x.values)
	x.header[name] = x.values[n-1 : n : n]
}

const (
	exposed = "Accept-Patch, Accept-Post, Accept-Put, Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, " +
		"Last-Modified, Link, Location, Preference-Applied, Retry-After, Updates-Via, Vary, WAC-Allow, Warning, WWW-Authenticate, X-Request-Id"
	methods = "GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE"
	// usual are the request headers that a script may send where a browser
	// didn't ask. Accept is not among them: it is listed when asked for.
	usual = "Authorization, Content-Type, DPoP, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, " +
		"If-Range, Idempotency-Key, Link, Prefer, Range, Slug"
)

// cors grants scripts of every origin the sight of the answer: whether they get
// anything is for access control to say (Solid Protocol, CORS). Credentials are
// allowed because old clients insist on sending them; no cookie is ever read here.
func (x *exchange) cors() {
	x.set("Vary", "Accept, Authorization, Origin")
	x.set("X-Content-Type-Options", "nosniff")
	origin := x.r.Header["Origin"]
	if len(origin) == 0 || origin[0] == "" {
		x.set("Access-Control-Allow-Origin", "*")
		return
	}
	x.set("Access-Control-Allow-Origin", origin[0])
	x.set("Access-Control-Expose-Headers", exposed)
	x.set("Access-Control-Allow-Credentials", "true")
	allowed := usual
	if asked := x.r.Header.Get("Access-Control-Request-Headers"); asked != "" && listOfTokens(asked) {
		allowed = asked
	}
	x.set("Access-Control-Allow-Headers", allowed)
	if x.r.Method == http.MethodOptions {
		x.set("Access-Control-Allow-Methods", methods)
		x.set("Access-Control-Max-Age", "7200")
	}
}

func listOfTokens(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !unreserved(c) && strings.IndexByte("!#$&'*+^`|%, ", c) < 0 {
			return false
		}
	}
	return true
}

// describe sets the headers that tell what a resource is and takes (Solid
// Protocol, reading and auxiliary resources). etag is "" where none is known.
func (x *exchange) describe(d Description, etag string) {
	x.set("Allow", strings.Join(d.Methods, ", "))
	for _, m := range d.Methods {
		switch m {
		case http.MethodPut:
			x.set("Accept-Put", "text/turtle, application/ld+json, */*")
		case http.MethodPatch:
			x.set("Accept-Patch", "text/n3, application/sparql-update")
		case http.MethodPost:
			if d.AcceptPost == nil {
				x.set("Accept-Post", "text/turtle, application/ld+json, */*")
			} else {
				x.set("Accept-Post", strings.Join(d.AcceptPost, ", "))
			}
		}
	}
	x.set("Link", x.links(d, ""))
	if etag != "" {
		x.set("Etag", etag)
	}
}

// links is the value of Link. What is not a type is said of anchor, if that is
// not "".
func (x *exchange) links(d Description, anchor string) string {
	b := make([]byte, 0, 768)
	b = append(b, `<http://www.w3.org/ns/ldp#Resource>; rel="type"`...)
	if x.id.IsContainer() {
		b = append(b, `, <http://www.w3.org/ns/ldp#BasicContainer>; rel="type", <http://www.w3.org/ns/ldp#Container>; rel="type"`...)
	}
	for _, t := range d.Types {
		b = link(b, "", t, "type")
	}
	if d.Root {
		b = link(b, "", nsPIM+"Storage", "type")
	}
	if d.Owner != "" {
		b = link(b, "", d.Owner, "http://www.w3.org/ns/solid/terms#owner")
	}
	for _, c := range d.Conditions {
		b = link(b, "", c, "http://www.w3.org/ns/auth/acl#condition")
	}
	for _, l := range [...]struct {
		to  ID
		rel string
	}{
		{d.ACL, "acl"},
		{d.DescribedBy, "describedby"},
		{d.Storage, "http://www.w3.org/ns/solid/terms#storageDescription"},
		{d.Inbox, "http://www.w3.org/ns/ldp#inbox"},
	} {
		if l.to != "" {
			b = link(b, x.Base, string(l.to), l.rel)
			if anchor != "" {
				b = append(append(append(b, `; anchor="`...), anchor...), '"')
			}
		}
	}
	return string(b)
}

func link(b []byte, base, to, rel string) []byte {
	b = append(b, ", <"...)
	b = append(b, base...)
	b = append(b, to...)
	b = append(b, `>; rel="`...)
	b = append(b, rel...)
	return append(b, '"')
}

// wacAllow is the value of WAC-Allow. Who may write may append, and what
// everybody may the agent may too.
func wacAllow(user, public acl.Mode) string {
	b := make([]byte, 0, 80)
	b = append(b, `user="`...)
	b = modes(b, user|public)
	b = append(b, `",public="`...)
	b = modes(b, public)
	return string(append(b, '"'))
}

func modes(b []byte, m acl.Mode) []byte {
	start := len(b)
	for _, one := range [...]struct {
		mode acl.Mode
		name string
	}{{acl.Read, "read"}, {acl.Write, "write"}, {acl.Append, "append"}, {acl.Control, "control"}} {
		if !m.Has(one.mode) {
			continue
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, one.name...)
	}
	return b
}

// EntityTag returns the strong ETag of a state in one representation: media is a
// resource's type as it is stored, "" for a container.
func EntityTag(tag, media string) string {
	if media == "" {
		media = typeTurtle
	}
	return entityTag(tag, short(media))
}

// entityTag makes the strong tag of a representation. A tag whose state is not
// told has none.
func entityTag(tag, format string) string {
	if tag == "" {
		return ""
	}
	return `"` + tag + "." + format + `"`
}

// moment reads a header that is a date; the zero Time if it is absent, or none.
func (x *exchange) moment(name string) time.Time {
	v := x.r.Header.Get(name)
	if v == "" {
		return time.Time{}
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}
	}
	return t
}

func date(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
