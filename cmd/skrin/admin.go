// SPDX-License-Identifier: EUPL-1.2

package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"skrin/auth"
	"skrin/cmd/skrin/parties"
	"skrin/ldp"
)

// The admin API: an operator that is registered in the configuration changes the
// register of parties, with a DPoP-bound token of client credentials that has the
// scope adminScope, and is good here only.
//
//	GET    /.admin/parties/            all registrations, and how they stand
//	GET    /.admin/parties/{id}        one of them, with what it says
//	PUT    /.admin/parties/{id}        register, or replace; If-None-Match: * to register only
//	POST   /.admin/parties/{id}/renew  {"until": "2028-12-31"}
//	DELETE /.admin/parties/{id}        revoke
//	GET    /.admin/approvals/          what waits for a second operator
//	POST   /.admin/approvals/{id}      let another operator do it
//	GET    /.admin/log?holds={hash}    verify the operators' log, and show its newest lines
//
// Failures are problem documents (RFC 9457). GET /.admin/openapi.json, for which no
// token is needed, describes all of it (OpenAPI 3.1).
const (
	adminPath  = "/.admin/"
	adminScope = "parties"
)

// adminRoutes adds the API, if there is anybody who may use it.
func (s *server) adminRoutes(r *mux.Router) {
	if len(s.operators) == 0 {
		return
	}
	who := &auth.Verifier{
		Base: s.Base, Issuers: auth.Only(s.Base, s.provider), Cache: auth.NewCache(256), Now: s.now,
		Revoked: s.provider.Revoked, Proofs: s.proofs(), Audience: s.Base + adminPath, Scope: adminScope,
	}
	r.Path(adminPath+"openapi.json").Methods("GET", "HEAD").HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(adminDocument) // whoever asked has hung up
	})
	for _, route := range adminVerbs() {
		r.Path(adminPath + route.path).Methods(route.method).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := &administration{register: s.register, acts: s.acts, log: s.log, w: w, r: r}
			if err := a.enter(who); err != nil {
				a.fail(err)
			} else if err := route.do(a); err != nil {
				a.fail(err)
			}
		})
	}
}

//go:embed admin.openapi.json
var adminDocument []byte

// An adminVerb is one thing that the API does.
type adminVerb struct {
	method, path string
	do           func(a *administration) error
}

func adminVerbs() []adminVerb {
	return []adminVerb{
		{"GET", "parties/", (*administration).list},
		{"GET", "parties/{id}", (*administration).show},
		{"PUT", "parties/{id}", (*administration).add},
		{"POST", "parties/{id}/renew", (*administration).renew},
		{"DELETE", "parties/{id}", (*administration).revoke},
		{"GET", "approvals/", (*administration).approvals},
		{"POST", "approvals/{id}", (*administration).approve},
		{"GET", "log", (*administration).operatorLog},
	}
}

// An administration is one request of an operator.
type administration struct {
	register  *parties.Register
	acts      *acts
	log       *slog.Logger
	w         http.ResponseWriter
	r         *http.Request
	operator  string
	challenge string // of a 401
}

// enter lets operators in.
func (a *administration) enter(who *auth.Verifier) error {
	agent, err := who.Identify(a.r)
	if bad := new(auth.Error); errors.As(err, &bad) || err == nil && !agent.Known() {
		a.challenge = who.Challenge(err)
		return ldp.Refuse(ldp.Unauthenticated, "A token of a registered operator is needed, with the scope "+adminScope+", and a DPoP proof.")
	}
	a.operator = agent.Client
	return err
}

func (a *administration) id() string { return mux.Vars(a.r)["id"] }

func (a *administration) list() error {
	all, err := a.register.List(a.r.Context())
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, map[string]any{"parties": all})
}

func (a *administration) show() error {
	l, err := a.register.Show(a.r.Context(), a.id())
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, l)
}

func (a *administration) add() error {
	text, err := a.body()
	if err != nil {
		return err
	}
	var said struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(text, &said) == nil && said.ID != a.id() {
		return ldp.Refuse(ldp.Unprocessable, "The id of the registration is not that of the URL.")
	}
	added := false
	err = a.acts.do(a.r.Context(), a.operator, "party add", a.id(), func() (err error) {
		_, added, err = a.register.Add(a.r.Context(), text, a.operator, a.r.Header.Get("If-None-Match") == "*")
		return err
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	return a.changed("added", status)
}

func (a *administration) renew() error {
	text, err := a.body()
	if err != nil {
		return err
	}
	var wish struct {
		Until string `json:"until"`
	}
	if json.Unmarshal(text, &wish) != nil {
		return ldp.Refuse(ldp.Invalid, `Want {"until": "2028-12-31"}.`)
	}
	err = a.acts.do(a.r.Context(), a.operator, "party renew", a.id(), func() error {
		return a.register.Renew(a.r.Context(), a.id(), wish.Until, a.operator)
	})
	if err != nil {
		return err
	}
	return a.changed("renewed", http.StatusOK)
}

func (a *administration) revoke() error {
	err := a.acts.do(a.r.Context(), a.operator, "party revoke", a.id(), func() error {
		return a.register.Revoke(a.r.Context(), a.id(), a.operator)
	})
	if err != nil {
		return err
	}
	return a.changed("revoked", http.StatusOK)
}

// approvals lists what waits for a second operator.
func (a *administration) approvals() error {
	all, err := a.acts.waiting(a.r.Context())
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, map[string]any{"approvals": all})
}

func (a *administration) approve() error {
	p, err := a.acts.approve(a.r.Context(), a.operator, a.id())
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, p)
}

// operatorLog verifies the operators' log, and shows its newest lines.
func (a *administration) operatorLog() error {
	newest, n, err := a.acts.read(a.r.Context(), shownActs, a.r.URL.Query().Get("holds"))
	if errors.Is(err, errActs) {
		return ldp.Refuse(ldp.Conflict, "The operators' log: "+err.Error()+".")
	}
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, outcome{Acts: newest, Lines: n})
}

// changed tells the log and the operator what has been done.
func (a *administration) changed(what string, status int) error {
	a.log.InfoContext(a.r.Context(), "register of parties", "did", what, "party", a.id(), "operator", a.operator)
	l, err := a.register.Show(a.r.Context(), a.id())
	if err != nil {
		return err
	}
	return a.answer(status, l)
}

func (a *administration) body() ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(a.w, a.r.Body, parties.MaxSize))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return nil, ldp.TooLarge
	}
	if err != nil {
		return nil, ldp.Invalid
	}
	return text, nil
}

func (a *administration) answer(status int, v any) error {
	a.header("application/json", status)
	_ = json.NewEncoder(a.w).Encode(v) // the operator has hung up: nobody to tell
	return nil
}

func (a *administration) header(mediaType string, status int) {
	h := a.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	a.w.WriteHeader(status)
}

func (a *administration) fail(err error) {
	kind := ldp.KindOf(err)
	problem := struct {
		Type   string   `json:"type"`
		Title  string   `json:"title"`
		Status int      `json:"status"`
		Detail string   `json:"detail,omitempty"`
		Errors []string `json:"errors,omitempty"`
	}{Type: "about:blank", Title: http.StatusText(int(kind)), Status: int(kind)}
	if f := new(ldp.Fault); errors.As(err, &f) {
		problem.Detail, problem.Errors = f.Detail, f.Errors
	}
	switch {
	case kind == ldp.Unauthenticated:
		a.w.Header().Set("WWW-Authenticate", a.challenge)
	case kind >= ldp.Internal:
		a.log.ErrorContext(a.r.Context(), "register of parties", "error", err)
		a.w.Header().Set("Retry-After", "5")
	}
	a.header("application/problem+json", int(kind))
	_ = json.NewEncoder(a.w).Encode(problem)
}
