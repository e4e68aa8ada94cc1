// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// A problem is the body of a failure (RFC 9457).
type problem struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Instance string   `json:"instance"` // the request's id
	Errors   []string `json:"errors,omitempty"`
}

// A refusal is an error of Identify: the challenge is about its cause.
type refusal struct{ cause error }

func (e refusal) Error() string   { return "identify: " + e.cause.Error() }
func (e refusal) Unwrap() []error { return []error{Unauthenticated, e.cause} }

// unidentified classes an error of Identify: bad credentials, unless it says
// otherwise itself (the issuer can't be reached: Unavailable).
func unidentified(err error) error {
	var k Kind
	if errors.As(err, &k) && k != Unauthenticated {
		return err
	}
	return refusal{err}
}

// Fail answers an error as this Handler does, for routes beside it
// and for a handler around it that refuses a request.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) {
	x := &exchange{Handler: h, w: w, r: r, header: w.Header(), id: "/"}
	x.values = x.store[:0]
	if x.header["Access-Control-Allow-Origin"] == nil {
		x.cors()
	}
	x.fail(err)
}

// fail answers an error, and is the only one that does.
func (x *exchange) fail(err error) {
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody listens
	}
	kind, name := classify(err), x.requestID()
	if x.sent || kind >= Internal && kind != NotImplemented && !expected(kind, err) {
		x.Log.LogAttrs(x.r.Context(), slog.LevelError, "request failed", slog.String("request", name),
			slog.String("method", x.r.Method), slog.Int("status", int(kind)), slog.String("error", err.Error()))
	}
	if x.sent {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	p := problem{Type: "about:blank", Title: http.StatusText(int(kind)), Status: int(kind), Detail: advice(kind), Instance: name}
	x.failHeaders(kind, err)
	var fault *Fault
	if errors.As(err, &fault) && fault.Kind == kind && kind != Internal {
		p.Detail, p.Errors = fault.Detail, fault.Errors
		if name, value, ok := strings.Cut(fault.Header, ": "); ok {
			x.header.Set(name, value)
		}
	}
	x.problem(p)
}

// expected reports whether a failure of the 5xx is a limit that was set, and no
// fault of ours.
func expected(kind Kind, err error) bool {
	return (kind == Unavailable || kind == Full) && errors.As(err, new(*Fault))
}

func classify(err error) Kind {
	kind := KindOf(err)
	switch {
	case kind == Internal && errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	case http.StatusText(int(kind)) == "" || kind < 400 && kind != Moved:
		return Internal
	}
	return kind
}

// failHeaders replaces what a success had prepared by what the failure needs.
func (x *exchange) failHeaders(kind Kind, err error) {
	for _, name := range []string{"Etag", "Last-Modified", "Content-Length", "Content-Disposition", "Accept-Ranges", "Preference-Applied"} {
		delete(x.header, name)
	}
	x.set("Cache-Control", "no-store")
	switch kind {
	case Unauthenticated:
		var refused refusal
		errors.As(err, &refused)
		x.set("Www-Authenticate", x.Identifier.Challenge(refused.cause))
	case NotAllowed:
		d, err := x.Backend.Options(x.r.Context(), x.who, x.id)
		if err != nil {
			d = x.Backend.Describe(x.id)
		}
		x.set("Allow", strings.Join(d.Methods, ", "))
	case Unavailable:
		x.set("Retry-After", "5")
	case Conflict, Unsupported, Unprocessable:
		by := x.ConstrainedBy
		if by == "" {
			by = "https://solidproject.org/TR/protocol"
		}
		x.set("Link", `<`+by+`>; rel="http://www.w3.org/ns/ldp#constrainedBy"`)
	}
	if kind == Unsupported && x.r.Method == http.MethodPatch {
		x.set("Accept-Patch", "text/n3, application/sparql-update")
	}
}

// requestID returns the request's name, and sends it: the one that a handler
// around this one has set, or else our own.
func (x *exchange) requestID() string {
	if name := x.header.Get("X-Request-Id"); name != "" {
		return name
	}
	name := ""
	if x.RequestID != nil {
		name = x.RequestID(x.r)
	} else {
		name = rand.Text()
	}
	x.set("X-Request-Id", name)
	return name
}

// problem writes a problem: a page for a browser, JSON for a program.
func (x *exchange) problem(p problem) {
	if likesPages(x.r.Header["Accept"], typeProblem) {
		t := x.pageHeaders()
		x.w.WriteHeader(p.Status)
		if x.r.Method != http.MethodHead {
			// The page's template can't fail on these strings, and the client's
			// hanging up is no failure of ours.
			_ = t.problem.Execute(x.w, p.page())
		}
		return
	}
	body, _ := json.Marshal(p) // strings and a number can't fail
	x.set("Content-Type", typeProblem)
	x.set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(p.Status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client may have hung up
	}
}

// A problemPage is what the page about a problem shows: in plain words what has
// happened and what to do now, by their messages, and for whoever helps the rest, in
// English.
type problemPage struct {
	problem
	Title, Now string // keys of messages
	Reason     string
}

func (p problem) page() problemPage {
	key := "problem.other"
	switch Kind(p.Status) {
	case Unauthenticated, NotFound, TooMany, Unavailable:
		key = "problem." + strconv.Itoa(p.Status)
	case Gone:
		key = "problem.404"
	}
	return problemPage{p, key, key + ".now", p.Title}
}

// advice is what to say where a failure came without words.
func advice(k Kind) string {
	switch k {
	case Invalid:
		return "The request is not well formed."
	case Unauthenticated:
		return "Sign in, or send a valid access token."
	case Forbidden:
		return "You are signed in, and have no permission for this. Its owner can give it."
	case NotFound:
		return "There is nothing at this URL."
	case NotAllowed:
		return "The resource does not support this method. Allow lists those that it does."
	case NotAcceptable:
		return "The resource has no representation of a type that Accept lists."
	case Conflict:
		return "The request does not fit the state of the resource."
	case Gone:
		return "The resource has been removed."
	case Precondition:
		return "A precondition of the request does not hold. Read the resource again and retry."
	case TooLarge:
		return "The content is larger than this server takes."
	case Unsupported:
		return "The content's type is not supported here."
	case Range:
		return "The resource does not have the range that was asked for."
	case Unprocessable:
		return "The content is well formed, and means nothing that can be done."
	case TooMany:
		return "Too many requests. Wait, then retry."
	case NotImplemented:
		return "The server does not know how to do this."
	case Unavailable:
		return "The server can't answer just now. Retry in a while."
	case Full:
		return "There is no space left in this storage."
	}
	return "Something went wrong on the server. Tell its operator the request's id."
}
