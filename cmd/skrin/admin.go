// SPDX-License-Identifier: EUPL-1.2

package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"skrin/auth"
	"skrin/cmd/skrin/parties"
	"skrin/ldp"
	"skrin/pod/store"
)

// The admin API: an operator that is registered in the configuration does what the
// commands do, with a DPoP-bound token of client credentials that has the scope
// adminScope, and is good here only. What an operator may do besides looking and
// approving is in her file.
//
//	GET    /.admin/parties/            all registrations, and how they stand
//	GET    /.admin/parties/{id}        one of them, with what it says
//	PUT    /.admin/parties/{id}        register, or replace; If-None-Match: * to register only
//	POST   /.admin/parties/{id}/renew  {"until": "2028-12-31"}
//	DELETE /.admin/parties/{id}        revoke
//	GET    /.admin/types/              the types of evidence
//	GET    /.admin/types/{id}          one of them
//	GET    /.admin/pods/?after={id}    pods, and how much each holds; ?at={url} the one that a URL is in
//	GET    /.admin/pods/{id}           one of them
//	DELETE /.admin/pods/{id}           erase
//	POST   /.admin/keys/rotate         {"stolen": false}: new keys that sign
//	POST   /.admin/jobs/               {"do": "fsck"}: also backup, rotate, stats
//	GET    /.admin/jobs/{id}           how it goes, and what came of it
//	GET    /.admin/approvals/          what waits for a second operator
//	POST   /.admin/approvals/{id}      let another operator do it
//	GET    /.admin/log?holds={hash}    verify the operators' log, and show its newest lines
//
// What waits for a second operator is answered with 202 and the approval. Failures
// are problem documents (RFC 9457). GET /.admin/openapi.json, for which no token is
// needed, describes all of it (OpenAPI 3.1).
//
// There is no export, import, restore or move: whoever gets hold of an operator's
// key must not be able to carry people's papers off. They are done on the server's
// machine.
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
			a := &administration{server: s, w: w, r: r}
			err := a.enter(who, route.may)
			if err == nil {
				err = route.do(a)
			}
			if err != nil {
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
	may          string // what an operator must be allowed; "" for nothing
	do           func(a *administration) error
}

func adminVerbs() []adminVerb {
	return []adminVerb{
		{"GET", "parties/", "", (*administration).list},
		{"GET", "parties/{id}", "", (*administration).show},
		{"PUT", "parties/{id}", mayParties, (*administration).add},
		{"POST", "parties/{id}/renew", mayParties, (*administration).renew},
		{"DELETE", "parties/{id}", mayParties, (*administration).revoke},
		{"GET", "types/", "", (*administration).listTypes},
		{"GET", "types/{id}", "", (*administration).showType},
		{"GET", "pods/", mayPods, (*administration).listPods},
		{"GET", "pods/{id}", mayPods, (*administration).showPod},
		{"DELETE", "pods/{id}", mayPods, (*administration).erase},
		{"POST", "keys/rotate", mayKeys, (*administration).rotateKeys},
		{"POST", "jobs/", mayJobs, (*administration).startJob},
		{"GET", "jobs/{id}", mayJobs, (*administration).showJob},
		{"GET", "approvals/", "", (*administration).approvals},
		{"POST", "approvals/{id}", "", (*administration).approve},
		{"GET", "log", "", (*administration).operatorLog},
	}
}

// An administration is one request of an operator.
type administration struct {
	*server
	w         http.ResponseWriter
	r         *http.Request
	operator  string
	challenge string // of a 401
}

// enter lets operators in who may do it.
func (a *administration) enter(who *auth.Verifier, may string) error {
	agent, err := who.Identify(a.r)
	if bad := new(auth.Error); errors.As(err, &bad) || err == nil && !agent.Known() {
		a.challenge = who.Challenge(err)
		return ldp.Refuse(ldp.Unauthenticated, "A token of a registered operator is needed, with the scope "+adminScope+", and a DPoP proof.")
	}
	if a.operator = agent.Client; err == nil && !a.operators.may(a.operator, may) {
		return ldp.Refuse(ldp.Forbidden, "Your registration as an operator doesn't say that you may do this ("+may+").")
	}
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
	var wish struct {
		Until string `json:"until"`
	}
	if err := a.wish(&wish, `{"until": "2028-12-31"}`); err != nil {
		return err
	}
	err := a.acts.do(a.r.Context(), a.operator, "party renew", a.id(), func() error {
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

func (a *administration) listTypes() error {
	return a.answer(http.StatusOK, map[string]any{"types": a.types.All()})
}

func (a *administration) showType() error {
	o, err := a.errand(errand{Do: "type show", Type: a.id()})
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, o.Types[0])
}

// errand does one as the operator who asks.
func (a *administration) errand(e errand) (outcome, error) {
	e.by = a.operator
	o, err := a.run(a.r.Context(), e)
	if errors.Is(err, store.ErrNoPod) || errors.Is(err, store.ErrNoKey) && e.Do == "pod show" {
		err = ldp.Refuse(ldp.NotFound, "There is no such pod.")
	}
	return o, err
}

func (a *administration) listPods() error {
	q := a.r.URL.Query()
	e := errand{Do: "pod list", After: q.Get("after")}
	if at := q.Get("at"); at != "" {
		if !strings.HasPrefix(at, a.Base+"/") {
			return ldp.Refuse(ldp.Invalid, "at: want a URL of this server.")
		}
		e = errand{Do: "pod show", Pod: at}
	} else if n := q.Get("most"); n != "" {
		var err error
		if e.Most, err = strconv.Atoi(n); err != nil || e.Most < 0 {
			return ldp.Refuse(ldp.Invalid, "most: want a number.")
		}
	}
	o, err := a.errand(e)
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, map[string]any{"holdings": o.Holdings})
}

func (a *administration) showPod() error {
	o, err := a.errand(errand{Do: "pod show", Pod: a.id()})
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, o.Holdings[0])
}

func (a *administration) erase() error { return a.dangerous(errand{Do: "erase", Pod: a.id()}) }

func (a *administration) rotateKeys() error {
	var wish struct {
		Stolen bool `json:"stolen"`
	}
	if err := a.wish(&wish, `{"stolen": false}`); err != nil {
		return err
	}
	if !wish.Stolen {
		return a.dangerous(errand{Do: "sign anew"})
	}
	return a.dangerous(errand{Do: "replace signing keys"})
}

// dangerous does what may wait for a second operator: then it answers with what is
// to be approved.
func (a *administration) dangerous(e errand) error {
	o, err := a.errand(e)
	if errors.Is(err, errUnapproved) {
		p, _, err := a.acts.asked(a.r.Context(), actID(e.Do, e.on()))
		if err != nil {
			return err
		}
		return a.answer(http.StatusAccepted, p)
	}
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, o)
}

func (a *administration) startJob() error {
	var wish struct {
		Do string `json:"do"`
	}
	if err := a.wish(&wish, `{"do": "fsck"}`); err != nil {
		return err
	}
	e := errand{Do: wish.Do, by: a.operator}
	switch e.Do {
	case "fsck", "rotate", "stats":
	case "backup":
		if a.Backups == "" {
			return ldp.Refuse(ldp.Conflict, "The server's settings don't say where backups may be made (backups and backup-keys).")
		}
		e.To, e.Keys = filepath.Join(a.Backups, a.now().UTC().Format("20060102T150405Z")), a.BackupKeys
	default:
		return ldp.Refuse(ldp.Unprocessable, "do: backup, fsck, rotate or stats.")
	}
	j, err := a.jobs.start(a.r.Context(), e)
	if err != nil {
		return err
	}
	a.w.Header().Set("Location", adminPath+"jobs/"+j.ID)
	return a.answer(http.StatusCreated, j)
}

func (a *administration) showJob() error {
	j, err := a.jobs.look(a.r.Context(), a.id())
	if err != nil {
		return err
	}
	return a.answer(http.StatusOK, j)
}

// wish reads a body of JSON, of which form is an example.
func (a *administration) wish(into any, form string) error {
	text, err := a.body()
	if err == nil && json.Unmarshal(text, into) != nil {
		err = ldp.Refuse(ldp.Invalid, "Want "+form+".")
	}
	return err
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
		a.log.ErrorContext(a.r.Context(), "admin API", "error", err)
		a.w.Header().Set("Retry-After", "5")
	}
	a.header("application/problem+json", int(kind))
	_ = json.NewEncoder(a.w).Encode(problem)
}
