// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"errors"
	"strconv"
	"time"
)

// A Kind is a class of failure on which a client can act. It is an error, so
// that it can be wrapped: fmt.Errorf("If-Match: %w", ldp.Precondition). What an
// error wraps besides its Kind is for the log, never for the client, but for
// the details of a [Fault].
type Kind int

// The kinds, each the HTTP status that it is answered with (RFC 9110).
const (
	Moved           Kind = 308 // a Fault with a Location
	Invalid         Kind = 400
	Unauthenticated Kind = 401
	Forbidden       Kind = 403
	NotFound        Kind = 404
	NotAllowed      Kind = 405
	NotAcceptable   Kind = 406
	Conflict        Kind = 409
	Gone            Kind = 410
	Precondition    Kind = 412
	TooLarge        Kind = 413
	Unsupported     Kind = 415
	Range           Kind = 416
	Unprocessable   Kind = 422
	TooMany         Kind = 429
	Internal        Kind = 500
	NotImplemented  Kind = 501
	Unavailable     Kind = 503
	Full            Kind = 507
)

// Error returns the status as text.
func (k Kind) Error() string { return "status " + strconv.Itoa(int(k)) }

// A Fault is a failure with words for the client: what is wrong with the request
// and what would mend it. It never holds a personal number, a token, a key or a
// value of evidence, nor anything that the agent may not know.
type Fault struct {
	Kind   Kind
	Detail string   // one or two plain sentences in English
	Errors []string // each fault of a document that has several
	Header string   // optional: `Name: value`, a header that the answer must carry
}

// Error implements error.
func (f *Fault) Error() string { return f.Kind.Error() + ": " + f.Detail }

// Unwrap returns the Kind, so that errors.Is(err, ldp.Conflict) holds.
func (f *Fault) Unwrap() error { return f.Kind }

// Refuse makes a Fault.
func Refuse(k Kind, detail string, faults ...string) error {
	return &Fault{Kind: k, Detail: detail, Errors: faults}
}

// KindOf returns the Kind that err wraps, or Internal.
func KindOf(err error) Kind {
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}

// Conditions are the preconditions of a request (RFC 9110, section 13). A
// resource's state is named by its tag, which is opaque; the entity tag of a
// representation is the tag, a dot and the format's short name, and all
// representations of one state satisfy If-Match alike.
type Conditions struct {
	Match           []string  // If-Match: tags without quotes or format; "*" for any
	NoneMatch       []string  // If-None-Match, likewise
	UnmodifiedSince time.Time // zero if absent
}

// Check returns a Precondition error if the conditions of a writing request
// don't hold for a resource with this tag and time of change; an empty tag
// means that there is no such resource.
func (c Conditions) Check(tag string, modified time.Time) error {
	switch {
	case c.Match != nil && !matches(c.Match, tag):
		return Refuse(Precondition, "If-Match does not hold: the resource has changed, or does not exist. Read it again and retry.")
	case c.Match == nil && !c.UnmodifiedSince.IsZero() && tag != "" && modified.Truncate(time.Second).After(c.UnmodifiedSince):
		return Refuse(Precondition, "If-Unmodified-Since does not hold: the resource has changed. Read it again and retry.")
	case c.NoneMatch != nil && matches(c.NoneMatch, tag):
		return Refuse(Precondition, "If-None-Match does not hold: the resource already exists in that state.")
	}
	return nil
}

func matches(tags []string, tag string) bool {
	if tag == "" {
		return false
	}
	for _, t := range tags {
		if t == "*" || t == tag {
			return true
		}
	}
	return false
}
