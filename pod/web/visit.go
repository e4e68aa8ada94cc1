// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/mandate"
)

// A visit is one request for a page.
type visit struct {
	*site
	*tongue
	w      http.ResponseWriter
	r      *http.Request
	person string    // who has signed in; "" for nobody
	who    acl.Agent // the owner of the person's pod; the zero Agent on public pages
	own    pod.Settings
	acts   *mandate.Mandate     // by which the person acts for another, whose pages these are; nil for her own
	names  map[acl.WebID]string // names of those who act for her, once they are looked up
	ask    *Ask                 // what the page answers, if it ends a redirect
}

// A page answers a visit. Its error is answered by the one function fail.
type page func(*visit) error

// public serves a page that needs no sign-in.
func (s *site) public(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{site: s, w: w, r: r}
		v.tongue = s.tongues[chosenLanguage(r, nil)]
		v.person, _, _, _ = s.Sessions.Person(r)
		v.serve(p)
	})
}

// personal serves a page of the signed-in person's own; others are sent to sign
// in, and come back. Every path that takes a POST has a page at which to come
// back.
func (s *site) personal(p page) http.Handler {
	return s.public(func(v *visit) error {
		if v.person == "" {
			return v.signInAgain()
		}
		who, err := v.Pod.Owner(v.r.Context(), v.person)
		if errors.Is(err, pod.ErrNoPod) {
			who, err = v.Pod.Make(v.r.Context(), v.person)
		}
		if err != nil {
			return fmt.Errorf("find the pod of a person: %w", err)
		}
		v.who = who
		if v.own, err = v.Pod.Settings(v.r.Context(), who); err != nil {
			return fmt.Errorf("settings of a person: %w", err)
		}
		return p(v)
	})
}

// signInAgain sends the person to sign in, and back here.
func (v *visit) signInAgain() error {
	next, ended := v.here(), ""
	if v.r.Method == http.MethodPost {
		ended = "&ended=1"
	}
	return v.seeOther("/me/sign-in?" + url.Values{"next": {next}}.Encode() + ended)
}

func (v *visit) serve(p page) {
	err := v.parse()
	if err == nil {
		err = p(v)
	}
	if err != nil {
		v.fail(err)
	}
}

func (v *visit) parse() error {
	if err := v.r.ParseForm(); err != nil {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return ldp.TooLarge
		}
		return ldp.Invalid
	}
	return nil
}

// here returns the local address of the page that is asked for.
func (v *visit) here() string {
	if v.r.Method == http.MethodPost {
		return v.r.URL.EscapedPath()
	}
	return v.r.URL.RequestURI()
}

func (v *visit) seeOther(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// A frame is what every page is given.
type frame struct {
	Title  string
	Site   string
	Nav    string // key of the entry in the menu; "" for a page without a menu
	Here   string // local address, to come back to
	Signed bool
	Notice string // what has just been done
	Live   bool   // the page asks for itself again
	Idle   int    // after how many seconds without a request the sign-in ends; 0 for nobody's
	Own    pod.Settings
	For    *mandate.Mandate // by which the person acts for another; nil for herself
	Data   any

	Contact, Privacy, Accessibility string // of whoever runs it; "" for none
}

// At returns the address of one of the pages, of whomever they are.
func (f frame) At(path string) string {
	if f.For != nil {
		return acting(f.For.ID, path)
	}
	return path
}

// Answers reports whether the person may answer and withdraw.
func (f frame) Answers() bool { return f.For == nil || f.For.Answers() }

// show answers with a page. nav is the key of its entry in the menu, or "".
func (v *visit) show(status int, name, title, nav string, data any) error {
	f := frame{
		Title: title, Site: v.Name, Nav: nav, Here: v.here(), Signed: v.person != "",
		Notice: v.notice(), Own: v.own, For: v.acts, Data: data,
		Contact: contact(v.Site.Contact), Privacy: webAddress(v.Site.Privacy), Accessibility: webAddress(v.Site.Accessibility),
	}
	if l, ok := data.(interface{ live() bool }); ok {
		f.Live = l.live()
	}
	if f.Signed {
		f.Idle = int(v.Idle / time.Second)
	}
	var b bytes.Buffer
	page, err := v.pages[name]()
	if err == nil {
		err = page.ExecuteTemplate(&b, "layout.html", f)
	}
	if err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := v.w.Header()
	returnOrigin := ""
	if v.ask != nil {
		returnOrigin = v.ask.ReturnOrigin
	}
	h.Set("Content-Security-Policy", policy(returnOrigin, f.Live || f.Idle > 0))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		v.w.Write(b.Bytes())
	}
	return nil
}

// notices are what the parameter done may say.
var notices = map[string]string{
	"withdrawn": "notice.withdrawn",
	"agreed":    "notice.agreed",
	"declined":  "notice.declined",
	"out":       "notice.out",
	"removed":   "notice.removed",

	"paused": "notice.paused", "resumed": "notice.resumed", "disconnected": "notice.disconnected", "gone": "notice.gone",
	"name": "notice.saved", "passkey": "notice.passkey", "visit": "notice.visit", "others": "notice.visit", "stay": "notice.stay", "erase": "notice.erase",
	"dismissed": "notice.dismissed", "helps": "notice.helps", "hook": "notice.hook",
	"uploaded": "notice.uploaded", "made": "notice.made", "deleted": "notice.deleted", "lent": "notice.lent", "unlent": "notice.unlent",
}

func (v *visit) notice() string {
	key, ok := notices[v.r.URL.Query().Get("done")]
	if !ok || v.r.Method == http.MethodPost {
		return ""
	}
	return v.t(key)
}

// A problem is why a page can't be had, and what can be done about it.
type problem struct {
	status      int
	title, text string // keys of messages
}

var (
	noPage      = problem{http.StatusNotFound, "problem.nopage.title", "problem.nopage.text"}
	noMethod    = problem{http.StatusMethodNotAllowed, "problem.nopage.title", "problem.nopage.text"}
	foreignForm = problem{http.StatusForbidden, "problem.foreign.title", "problem.foreign.text"}
	endedAsk    = problem{http.StatusGone, "problem.ended.title", "problem.ended.text"}
	endedHelp   = problem{http.StatusGone, "problem.help.title", "problem.help.text"}
	noForm      = problem{http.StatusConflict, "problem.noform.title", "problem.noform.text"}
	ownFault    = problem{http.StatusInternalServerError, "problem.internal.title", "problem.internal.text"}
)

var problems = map[ldp.Kind]problem{
	ldp.Invalid:       {http.StatusBadRequest, "problem.invalid.title", "problem.invalid.text"},
	ldp.Forbidden:     {http.StatusForbidden, "problem.forbidden.title", "problem.forbidden.text"},
	ldp.NotFound:      noPage,
	ldp.Conflict:      {http.StatusConflict, "problem.conflict.title", "problem.conflict.text"},
	ldp.Gone:          endedAsk,
	ldp.TooLarge:      {http.StatusRequestEntityTooLarge, "problem.large.title", "problem.large.text"},
	ldp.Unprocessable: {http.StatusUnprocessableEntity, "problem.unfit.title", "problem.unfit.text"},
	ldp.TooMany:       {http.StatusTooManyRequests, "problem.busy.title", "problem.busy.text"},
	ldp.Unavailable:   {http.StatusServiceUnavailable, "problem.busy.title", "problem.busy.text"},
	ldp.Full:          {http.StatusServiceUnavailable, "problem.busy.title", "problem.busy.text"},
}

// fail answers an error. What is the server's own fault is logged, under a code
// that the page tells.
func (v *visit) fail(err error) {
	p, ok := problems[ldp.KindOf(err)]
	if !ok {
		p = ownFault
	}
	code := ""
	if p.status >= 500 {
		code = strings.ToLower(rand.Text()[:10])
		v.Log.ErrorContext(v.r.Context(), "page failed", "code", code, "error", err)
	}
	if err := v.tell(p, code); err != nil {
		v.Log.ErrorContext(v.r.Context(), "page of a failure failed", "error", err)
		http.Error(v.w, "Internal error", http.StatusInternalServerError)
	}
}

func (v *visit) problem(p problem) error { return v.tell(p, "") }

func (v *visit) tell(p problem, code string) error {
	if p.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "30")
	}
	return v.show(p.status, "problem", v.t(p.title), "", struct {
		Text, Code string
		Sharing    bool // that is where to look now
	}{v.t(p.text), code, p == endedAsk && v.person != ""})
}

// local returns next if it is an address on this server, and otherwise the home
// page. What isn't plainly local isn't: no scheme, no host, no backslash, which
// browsers read as a slash, no control characters, which they leave out.
func local(next string) string {
	const home = "/me/"
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2048 {
		return home
	}
	if strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return home
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return home
	}
	return next
}
