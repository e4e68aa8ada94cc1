// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth/dpop"
)

// A use is something with a jti that is good once. The library asks for all of
// them through one function, in this order.
type use int

const (
	assertion use = iota
	object
	proof
)

// A call is one request, while the library is at work on it. It rides in the
// request's context.
type call struct {
	uses    []use    // what is yet to be asked for
	kids    []string // of the keys with which the request says that its parts are signed
	client  Client   // as the library loaded it
	app     app      // likewise
	family  string   // first half of the refresh token that was brought
	locales string   // ui_locales of the request object, which the library ignores

	proof      dpop.Proof
	proofKey   string // what is to be remembered of the proof once the client is known
	proofUntil time.Time

	failure    error  // what the library would have answered, with its causes
	unsendable bool   // the failure can't be sent to the client by a redirect
	ended      bool   // there is no such flow, or no more
	reason     Reason // why we stopped a browser
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// Once obeys dpop.Seen. It says yes and notes the key: whether the proof was
// used before is asked when the client is authenticated, so that strangers
// can't fill the store.
func (c *call) Once(_ context.Context, key string, until time.Time) (bool, error) {
	c.proofKey, c.proofUntil = base64.RawURLEncoding.EncodeToString([]byte(key)), until.Add(skew) // nodes' clocks differ
	return true, nil
}

const maxID = 256 // bytes of a jti

// consume obeys goidc.ConsumeJTIFunc: it refuses a jti that was used before. It
// is called when the signature over the jti has been verified.
func (p *Provider) consume(ctx context.Context, id string) error {
	c := callOf(ctx)
	if len(c.uses) == 0 {
		return errors.New("a jti that isn't expected")
	}
	what := c.uses[0]
	c.uses = c.uses[1:]
	code, name := "invalid_client", "client assertion"
	switch what {
	case proof:
		if id != c.proof.ID {
			return refuse(dpop.InvalidProof, "the proof is not the one that was checked")
		}
		return p.once(ctx, c.proofKey, c.proofUntil, refuse(dpop.InvalidProof, "the proof was used before; make a new one for each request"))
	case object:
		code, name = "invalid_request_object", "request object"
	}
	if id == "" || len(id) > maxID {
		return refuse(code, "jti of the "+name+" must have 1 to 256 bytes")
	}
	until := p.Now().Add(maxObjectLife + 2*skew) // past the end of the longest that is taken
	return p.once(ctx, digest(c.client.ID, name, id), until, refuse(code, "the "+name+" was used before; make a new one for each request"))
}

// A refusal is an error for the client (RFC 6749, section 5.2).
type refusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (r *refusal) Error() string { return r.Code + ": " + r.Description }

func refuse(code, description string) error { return &refusal{code, plain(description)} }

// plain makes text of the characters that an error_description may have, and
// at most 300 of them.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}

// answer turns what failed in the library into a refusal and its status. Ours
// goes before the library's, whose descriptions are said at their deepest,
// where it names the fault.
func (p *Provider) answer(ctx context.Context, err error) (*refusal, int) {
	if _, ok := errors.AsType[failed](err); ok {
		p.Log.ErrorContext(ctx, "OpenID provider", "error", err)
		return &refusal{"temporarily_unavailable", "the server can't do this now; try again later"}, http.StatusServiceUnavailable
	}
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		theirs, ok := errors.AsType[goidc.Error](err)
		if !ok {
			p.Log.ErrorContext(ctx, "OpenID provider", "error", err)
			return &refusal{"server_error", "the server failed"}, http.StatusInternalServerError
		}
		refused = &refusal{string(theirs.Code), plain(deepest(theirs))}
	}
	if refused.Code == "expired_token" { // of the device flow; what it means of a code is this
		refused = &refusal{"invalid_grant", "the authorization code was tried before"}
	}
	if refused.Code == "invalid_client" {
		if errors.Is(err, goidc.ErrNotFound) {
			refused = &refusal{refused.Code, "there is no client with this client_id, or its registration has ended"}
		}
		return refused, http.StatusUnauthorized
	}
	return refused, http.StatusBadRequest
}

func deepest(e goidc.Error) string {
	text := e.Description
	for err := e.Unwrap(); err != nil; err = errors.Unwrap(err) {
		if inner, ok := err.(goidc.Error); ok {
			text = inner.Description
			continue
		}
		return err.Error()
	}
	return text
}

// writeRefusal answers a client.
func writeRefusal(w http.ResponseWriter, refused *refusal, status int) {
	w.Header().Set("Content-Type", "application/json")
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `DPoP algs="`+dpop.Algorithms+`"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="client"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refused) // the client is gone: nobody to tell
}

// A recorder holds the library's answer back until we know that it is meant.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// send sends what was recorded.
func (r *recorder) send(w http.ResponseWriter) {
	for _, name := range []string{"Content-Type", "Location", "Set-Cookie"} {
		if values := r.header.Values(name); len(values) > 0 {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(cmp.Or(r.status, http.StatusServiceUnavailable)) // 0 if the client was gone
	_, _ = w.Write(r.body.Bytes())
}

// run lets the library do its work on a request for a path of ours.
func (p *Provider) run(c *call, r *http.Request, library http.Handler, path string) *recorder {
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	r.RequestURI = path // what it takes for the proof's htu, after Base
	rec := &recorder{header: http.Header{}}
	library.ServeHTTP(rec, r)
	return rec
}
