// SPDX-License-Identifier: EUPL-1.2

// Package web is the person's pages, under /me/.
//
// They are made on the server and work without JavaScript. Everything that they
// show or do is a method of the pod with the signed-in person as the agent; here
// is only how it looks and what it is called, in four languages. A request of a
// party is put before the person at /me/answer/{ask}, where an OAuth redirect
// waits for the answer, or at /me/requests/{id}, where nobody waits.
//
// The words are in messages/, one file a language; the pages in pages/; the one
// stylesheet, with every colour, size and distance as a property, in static/.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/channel"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/extract"
	"skrin/pod/loan"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/registry"
	"skrin/pod/space"
)

// A Pod is what the pages use of a pod.Pod.
type Pod interface {
	Keeper
	Held
	Asked
	Given
	Filed
	Helping
}

// A Keeper finds and makes pods, and tells what is in them.
type Keeper interface {
	Make(ctx context.Context, person string) (acl.Agent, error)
	Owner(ctx context.Context, person string) (acl.Agent, error)
	Settings(ctx context.Context, who acl.Agent) (pod.Settings, error)
	CallMe(ctx context.Context, who acl.Agent, name string) error
	Leave(ctx context.Context, who acl.Agent) (time.Time, error)
	Stay(ctx context.Context, who acl.Agent) error
}

// Held is what is in a pod, and what has happened there.
type Held interface {
	Pieces(ctx context.Context, who acl.Agent, from, n int) (some []evidence.Evidence, total int, err error)
	Piece(ctx context.Context, who acl.Agent, id string) (evidence.Evidence, error)
	ReadCounts(ctx context.Context, who acl.Agent, since time.Time) ([]pod.ReadCount, error)
	Hooks(ctx context.Context, who acl.Agent) ([]channel.Subscription, error)
	Unsubscribe(ctx context.Context, who acl.Agent, name, id string) error
	Export(ctx context.Context, who acl.Agent, by string, w io.Writer) error
	OwnForm(ctx context.Context, who acl.Agent, evidence string) (string, error)
	Find(ctx context.Context, who acl.Agent, f log.Filter, before uint64, limit int) (entries []log.Entry, more uint64, err error)
	ExportLog(ctx context.Context, who acl.Agent, form extract.Form, w io.Writer) error
	Archive(ctx context.Context, who acl.Agent, w io.Writer) error
}

// Asked is what parties ask, and the answers.
type Asked interface {
	Begin(ctx context.Context, who acl.Agent, key, party string, details []json.RawMessage) (string, error)
	Requests(ctx context.Context, who acl.Agent) ([]consent.Offer, error)
	Offer(ctx context.Context, who acl.Agent, request string) (consent.Offer, error)
	Fetch(ctx context.Context, who acl.Agent, request, supplier string) error
	Answer(ctx context.Context, who acl.Agent, request string, a consent.Answer) (consent.Outcome, error)
	Outcome(ctx context.Context, who acl.Agent, request string) (consent.Outcome, bool, error)
}

// Given is what came of the answers.
type Given interface {
	SharesAfter(ctx context.Context, who acl.Agent, after string, n int) (some []consent.Share, more string, err error)
	Ending(ctx context.Context, who acl.Agent, by time.Time, n int) ([]consent.Share, error)
	SharesOf(ctx context.Context, who acl.Agent, e *evidence.Evidence, n int) (some []consent.Share, total int, err error)
	Share(ctx context.Context, who acl.Agent, id string) (consent.Share, error)
	Withdraw(ctx context.Context, who acl.Agent, consent string) error
	Connections(ctx context.Context, who acl.Agent) ([]space.Connection, error)
	Counterparts(ctx context.Context, who acl.Agent) ([]space.Connection, error)
	Freeze(ctx context.Context, who acl.Agent, party string) error
	Thaw(ctx context.Context, who acl.Agent, party string) error
	Disconnect(ctx context.Context, who acl.Agent, party string) error
}

// Filed is the person's files, and what others may do to them.
type Filed interface {
	Get(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error)
	Put(ctx context.Context, who acl.Agent, req ldp.Put) (ldp.Written, error)
	Post(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error)
	Delete(ctx context.Context, who acl.Agent, req ldp.Delete) error
	Loans(ctx context.Context, who acl.Agent) ([]loan.Loan, error)
	LoansOn(ctx context.Context, who acl.Agent, id ldp.ID) ([]loan.Loan, error)
	Lend(ctx context.Context, who acl.Agent, l loan.Loan) error
	Unlend(ctx context.Context, who acl.Agent, l loan.Loan) error
}

// Helping is how one person acts for another.
type Helping interface {
	Invite(ctx context.Context, who acl.Agent, m mandate.Mandate) (code string, err error)
	Mandates(ctx context.Context, who acl.Agent) ([]mandate.Mandate, error)
	Dismiss(ctx context.Context, who acl.Agent, id string) error
	Invitation(ctx context.Context, who acl.Agent, code string) (mandate.Mandate, error)
	TakeOn(ctx context.Context, who acl.Agent, code string) (mandate.Mandate, error)
	Helped(ctx context.Context, who acl.Agent) ([]mandate.Mandate, error)
	ActFor(ctx context.Context, who acl.Agent, id string) (acl.Agent, mandate.Mandate, error)
}

// Sessions tell who has signed in. The handler's requests have come through
// whatever they need to do so.
type Sessions interface {
	// Person returns who has signed in, when and at which level; false for nobody.
	Person(r *http.Request) (id string, at time.Time, level string, ok bool)
	// SignOut ends the session.
	SignOut(r *http.Request) error
}

// A Method is a way to sign in. It answers everything under /me/sign-in/{ID};
// the first request is a GET with the parameters next and lang. When somebody
// has signed in it redirects to /me/sign-in with the parameter next as it was.
type Method interface {
	ID() string   // a-z and "-"
	Name() string // as it is known to people
	http.Handler
	// Reaches reports whether one can sign in by it at one of the levels of
	// assurance; then its first request has them as parameters level.
	Reaches(levels []string) bool
}

// An Ask is an OAuth authorization that waits for the person.
type Ask struct {
	Party        string            // who asks
	Details      []json.RawMessage // authorization_details (RFC 9396)
	Until        time.Time         // nobody waits any more from this moment on
	ReturnOrigin string            // "https://host": where the browser goes after the answer
	Locales      []string          // ui_locales: languages that the party suggests
	App          *App              // an app asks, and no party; there are no Details then
}

// Asks are the authorizations that wait. Errors wrap an ldp.Kind: NotFound or
// Gone for one that doesn't exist or has ended.
type Asks interface {
	//
	// r is the browser's request: an Ask may belong to the browser that began it.
	Ask(r *http.Request, id string) (Ask, error)
	// Finish tells the outcome, and returns the URL at which the browser goes on.
	// The same outcome twice is no error as long as the Ask lasts.
	Finish(r *http.Request, id, person string, o consent.Outcome) (continueURL string, err error)
	// Again returns where the browser was sent a moment ago when the Ask ended, for
	// who has pressed twice; "" if it wasn't.
	Again(r *http.Request, id string) (continueURL string)
	// FinishApp tells whether the app of an Ask may act for the person, as webID.
	FinishApp(r *http.Request, id, person string, webID acl.WebID, allow bool) (continueURL string, err error)
}

// A Site is the person's pages of one server. All fields but Methods, Contact,
// Privacy, Accessibility and Idle are required.
type Site struct {
	Pod      Pod
	Registry registry.Registry   // names of parties
	Types    *registry.Catalogue // names of evidence and its fields
	Sessions Sessions
	Asks     Asks
	Apps     Apps
	Accounts Accounts
	Methods  []Method         // ways to sign in, the best first
	Base     string           // "https://host" of this server
	Name     string           // of the service, as people know it: "Skrin"
	Contact  string           // where a person asks whoever runs it: a web or mailto: address; "" if nowhere
	Privacy  string           // web address of how whoever runs it handles data (GDPR, article 13); "" for none
	Idle     time.Duration    // how long a sign-in lasts without a request; 0 if it is no matter
	Zone     *time.Location   // in which times of day are told
	Now      func() time.Time //
	Log      *slog.Logger     // is told of failures of the server's own

	// Accessibility is the web address of the accessibility statement that public bodies
	// must have (directive (EU) 2016/2102, article 7); "" for none.
	Accessibility string
}

// Ended is the page for a browser that comes back to an authorization which has
// ended, or which another browser began.
const Ended = "/me/ended"

// maxBody is the most bytes that a form without a file may have.
const maxBody = 64 << 10

// A site is a Site that serves.
type site struct {
	Site
	tongues map[string]*tongue
	assets  map[string]asset
}

// Handler returns the handler of everything under /me/. It fails if the Site, a
// page or a message file is not whole.
func (s Site) Handler() (http.Handler, error) {
	if s.Pod == nil || s.Registry == nil || s.Types == nil || s.Sessions == nil || s.Asks == nil || s.Apps == nil || s.Accounts == nil ||
		s.Base == "" || s.Name == "" || s.Zone == nil || s.Now == nil || s.Log == nil {
		return nil, errors.New("pages: a field of the Site is missing")
	}
	in := &site{Site: s}
	var err error
	if in.assets, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if in.tongues, err = loadTongues(s.Name, s.Zone, in.assets); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(in.public(func(v *visit) error { return v.problem(foreignForm) }))
	return guard(cross.Handler(in.routes())), nil
}

func (s *site) routes() *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Path("/me").Methods("GET", "HEAD").Handler(http.RedirectHandler("/me/", http.StatusSeeOther))
	for path, page := range map[string]struct {
		get, post page
		help      bool // who acts for another sees it too, at the address that v.to gives
	}{
		"/me/":                     {get: (*visit).home, help: true},
		"/me/evidence":             {get: (*visit).evidence, help: true},
		"/me/evidence/{id}":        {get: (*visit).piece, post: (*visit).removePiece},
		"/me/evidence/{id}/{form}": {get: (*visit).savePiece},
		"/me/sharing":              {get: (*visit).sharing, post: (*visit).changeSharing, help: true},
		"/me/sharing/{id}":         {get: (*visit).receipt, help: true},
		"/me/sharing/{id}/receipt": {get: (*visit).saveReceipt},
		"/me/log":                  {get: (*visit).log, help: true},
		"/me/log/export":           {get: (*visit).saveLog},
		"/me/log/{seq:[0-9]+}":     {get: (*visit).unknown},
		"/me/connections":          {get: (*visit).connections, post: (*visit).disconnect, help: true},
		filesPath + "{path:.*}":    {get: (*visit).files, post: (*visit).changeFiles},
		"/me/apps":                 {get: (*visit).apps, post: (*visit).changeApps},
		"/me/settings/":            {get: (*visit).settings, post: (*visit).changeSettings},
		"/me/settings/erase":       {get: (*visit).erase, post: (*visit).answerErase},
		"/me/settings/export":      {get: (*visit).archive},
		"/me/answer/{ask}":         {get: (*visit).question, post: (*visit).answer},
		"/me/requests/{id}":        {get: (*visit).question, post: (*visit).answer, help: true},
		helpPath:                   {get: (*visit).help, post: (*visit).changeHelp},
		helpPath + "{code}":        {get: (*visit).invitation, post: (*visit).answerInvitation},
	} {
		r.Path(path).Methods("GET", "HEAD").Handler(s.personal(page.get))
		if page.post != nil {
			r.Path(path).Methods("POST").Handler(s.personal(page.post))
		}
		if !page.help {
			continue
		}
		r.Path(acting("{for}", path)).Methods("GET", "HEAD").Handler(s.helping(page.get))
		if page.post != nil {
			r.Path(acting("{for}", path)).Methods("POST").Handler(s.helping(page.post))
		}
	}
	r.Path(Ended).Methods("GET", "HEAD").Handler(s.public(func(v *visit) error { return v.problem(endedAsk) }))
	r.Path("/me/words").Methods("GET", "HEAD").Handler(s.public((*visit).glossary))
	r.Path("/me/sign-in").Methods("GET", "HEAD").Handler(s.public((*visit).signIn))
	r.Path("/me/sign-out").Methods("POST").Handler(s.public((*visit).signOut))
	r.Path("/me/stay").Methods("POST").Handler(s.public((*visit).stay))
	r.Path("/me/language").Methods("POST").Handler(s.public((*visit).chooseLanguage))
	r.Path("/me/static/{name}").Methods("GET", "HEAD").HandlerFunc(s.static)
	for _, m := range s.Methods {
		r.Path("/me/sign-in/" + m.ID()).Handler(m)
		r.PathPrefix("/me/sign-in/" + m.ID() + "/").Handler(m)
	}
	r.NotFoundHandler = s.public(func(v *visit) error { return v.problem(noPage) })
	r.MethodNotAllowedHandler = s.public(func(v *visit) error {
		v.w.Header().Set("Allow", strings.Join(allowed(r, v.r), ", "))
		return v.problem(noMethod)
	})
	return r
}

// allowed returns the methods by which the address of a request can be asked for (RFC
// 9110, section 10.2.1).
func allowed(routes *mux.Router, r *http.Request) (methods []string) {
	for _, m := range []string{"GET", "HEAD", "POST"} {
		as := r.Clone(r.Context())
		as.Method = m
		if match := new(mux.RouteMatch); routes.Match(as, match) && match.MatchErr == nil {
			methods = append(methods, m)
		}
	}
	return methods
}

// policy is the Content-Security-Policy of every page. Chromium applies
// form-action to the redirects that follow a form as well, so a page whose form
// ends at a party adds that party's origin.
func policy(returnOrigin string, asks bool) string {
	p := "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'"
	if o := origin(returnOrigin); o != "" {
		p += " " + o
	}
	p += "; frame-ancestors 'none'; base-uri 'none'"
	if asks {
		p += "; connect-src 'self'" // static/live.js asks for the page again, static/stay.js to stay
	}
	return p
}

// origin returns the scheme and host of a URL; "" if it isn't http or https, or
// has anything in its host that could end a directive.
func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return ""
	}
	for _, c := range u.Host {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == ':' || c == '[' || c == ']') {
			return ""
		}
	}
	return u.Scheme + "://" + u.Host
}

// guard sets what every answer has, and bounds what every request may bring.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy("", false))
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		limit := int64(maxBody)
		if strings.HasPrefix(r.URL.Path, filesPath) && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
			limit = maxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
