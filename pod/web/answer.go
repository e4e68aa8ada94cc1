// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/registry"
)

// patience is how long a page waits for evidence by itself. After it the person
// is told that it takes time, and asks for the page when it suits.
const patience = 2 * time.Minute

// moment is how long the answer to a form waits for evidence.
const moment = time.Second

// A question is what a party asks, on the page.
type question struct {
	Offer    consent.Offer
	Party    string // names, fit to be shown
	Type     string
	Titles   []string // ToDeposit: what would be delivered
	Needs    []string // ToRead: what the party wants to know
	Basis    string   // ToRead: the legal basis, in plain words
	Options  []option // ToRead: the evidence that would answer
	Ends     []end    // ToRead: how long, the longest first
	Excess   []string // ToRead: in what it asks for too much
	Sources  []source // ToRead: who could deliver what is missing
	Waiting  bool     // one of them was asked a moment ago
	Chosen   chosen   // what the person had filled in
	Trouble  string   // what is wrong with it, at the field that it is about
	Changed  bool     // something else is on the page than before
	AnswerBy time.Time
}

func (q question) live() bool { return q.Waiting }

// An option is one piece of evidence that would answer.
type option struct {
	ID, Shown          string
	Issuer             string
	Issued, Expires    time.Time
	Released, Optional []fact
	Hidden             []string
}

// An end is one choice of how long.
type end struct {
	Days  string // the form's value; "" for as long as asked
	Until time.Time
}

// A source is who could deliver evidence.
type source struct {
	ID, Name, Home string
	Connect        string // where the connection begins, and comes back here from; "" if one has to find the way
	Connected      bool
	Own            bool // the person can connect to it: nobody does so for another
	Asked          time.Time
	Waiting, Slow  bool   // asked a moment ago; a while ago
	Trouble        string // why nothing has come
}

// A chosen is what the person has filled in.
type chosen struct {
	Evidence string
	Optional []string
	Days     string
}

// request returns the id of the request that the page is about. At the end of a
// redirect the person sees it for the first time here. It is "" if an app asks.
func (v *visit) request() (string, error) {
	vars := mux.Vars(v.r)
	if id := vars["id"]; id != "" {
		return id, nil
	}
	ask, err := v.Asks.Ask(v.r, vars["ask"])
	if err != nil {
		return "", fmt.Errorf("find an ask: %w", err)
	}
	if !v.Now().Before(ask.Until) {
		return "", ldp.Gone
	}
	v.ask = &ask
	v.tongue = v.tongues[chosenLanguage(v.r, ask.Locales)]
	if ask.App != nil {
		return "", nil
	}
	return v.Pod.Begin(v.r.Context(), v.who, vars["ask"], ask.Party, ask.Details)
}

// waits returns where a party still waits, in this browser, for the answer to a
// request that was opened from the overview; "" if none does. Who went away to
// connect to an authority finds the way back like this.
func (v *visit) waits(id string) (string, error) {
	if v.ask != nil || v.acts != nil {
		return "", nil // we are there, or it is another who does
	}
	o, err := v.Pod.Offer(v.r.Context(), v.who, id)
	if err != nil {
		return "", err
	}
	if o.Request.Key == "" {
		return "", nil
	}
	if ask, err := v.Asks.Ask(v.r, o.Request.Key); err != nil || !v.Now().Before(ask.Until) {
		return "", nil // nobody waits any more, or another browser's party does
	}
	return "/me/answer/" + o.Request.Key, nil
}

// question shows what is asked, or goes on if it has been answered.
func (v *visit) question() error {
	id, err := v.request()
	if err != nil {
		return v.lost(err)
	}
	if v.ask != nil && v.ask.App != nil {
		return v.app()
	}
	o, answered, err := v.Pod.Outcome(v.r.Context(), v.who, id)
	if err != nil {
		return v.lost(err)
	}
	if !answered {
		waits, err := v.waits(id)
		switch {
		case err != nil:
			return v.lost(err)
		case waits != "":
			return v.seeOther(waits)
		}
		return v.put(http.StatusOK, id, question{})
	}
	onward, err := v.onward(o)
	if err != nil || v.ask == nil {
		return firstOf(err, func() error { return v.seeOther(onward) })
	}
	// A redirect would still be part of the form by which the person signed in,
	// whose page's policy doesn't know the party; a refresh is a new journey.
	v.w.Header().Set("Refresh", "0; url="+onward)
	return v.show(http.StatusOK, "onward", v.t("onward.title"), "", struct{ Party, URL string }{v.party(o.Party), onward})
}

// lost answers for a request that can't be found: it has ended, or is another
// person's, or never was.
func (v *visit) lost(err error) error {
	if k := ldp.KindOf(err); k == ldp.NotFound || k == ldp.Gone {
		return v.problem(endedAsk)
	}
	return err
}

// onward returns where the person goes after an answer.
func (v *visit) onward(o consent.Outcome) (string, error) {
	if v.ask != nil {
		return v.Asks.Finish(v.r, mux.Vars(v.r)["ask"], v.person, o)
	}
	if o.Declined {
		return v.to("/me/?done=declined"), nil
	}
	return v.to("/me/?done=agreed"), nil
}

// answer takes what the person decided, or asks for missing evidence.
func (v *visit) answer() error {
	id, err := v.request()
	if ldp.KindOf(err) == ldp.Gone {
		to := v.Asks.Again(v.r, mux.Vars(v.r)["ask"])
		if declined := v.r.PostForm.Get("do") == "decline"; to != "" && declined == refused(to) {
			return v.seeOther(to) // a second click
		}
	}
	if err != nil {
		return v.lost(err)
	}
	if v.ask != nil && v.ask.App != nil {
		return v.answerApp()
	}
	form := v.r.PostForm
	switch form.Get("do") {
	case "fetch":
		if err := v.Pod.Fetch(v.r.Context(), v.who, id, form.Get("from")); err != nil {
			return fmt.Errorf("fetch evidence: %w", err)
		}
		if err := v.await(id); err != nil {
			return v.lost(err)
		}
		return v.seeOther(v.here())
	case "decline":
		return v.decide(id, chosen{}, consent.Answer{Lang: v.lang, Reason: form.Get("reason")})
	case "agree":
		return v.agree(id)
	}
	return ldp.Invalid
}

// await gives evidence that was asked for a moment to arrive, so that most people
// never see a page that waits. What takes longer is no error.
func (v *visit) await(id string) error {
	ctx, cancel := context.WithTimeout(v.r.Context(), moment)
	defer cancel()
	for {
		o, err := v.Pod.Offer(v.r.Context(), v.who, id)
		if err != nil {
			return err
		}
		if len(o.Choices) > 0 || !slices.ContainsFunc(o.Suppliers, func(s consent.Supplier) bool { return !s.Asked.IsZero() && s.Trouble == "" }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (v *visit) agree(id string) error {
	form := v.r.PostForm
	c := chosen{Evidence: form.Get("evidence"), Days: form.Get("days")}
	c.Optional = form["also-"+c.Evidence]
	a := consent.Answer{Agree: true, Evidence: c.Evidence, Optional: c.Optional, Shown: form.Get("shown-" + c.Evidence), Lang: v.lang}
	if form.Has("choose") && c.Evidence == "" {
		return v.put(http.StatusUnprocessableEntity, id, question{Chosen: c, Trouble: v.t("ask.choose.missing")})
	}
	if c.Days != "" {
		days, err := strconv.Atoi(c.Days)
		if err != nil || !slices.Contains(shorter, days) {
			return ldp.Invalid
		}
		a.Until = v.after(days)
	}
	return v.decide(id, c, a)
}

// decide gives the answer and goes on.
func (v *visit) decide(id string, c chosen, a consent.Answer) error {
	o, err := v.Pod.Answer(v.r.Context(), v.who, id, a)
	if ldp.KindOf(err) == ldp.Conflict {
		return v.conflict(id, c, a)
	}
	if err != nil {
		return v.lost(fmt.Errorf("answer a request: %w", err))
	}
	onward, err := v.onward(o)
	return firstOf(err, func() error { return v.seeOther(onward) })
}

// refused reports whether a way back to a party tells that the person said no (RFC
// 6749, section 4.1.2.1).
func refused(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Query().Has("error")
}

// conflict says what stands in the way of an answer: it was given already, its
// time has passed, or the page shows something else by now. Who has said yes, and
// says no on a page that was still open, is told that it is yes that holds.
func (v *visit) conflict(id string, c chosen, a consent.Answer) error {
	o, answered, err := v.Pod.Outcome(v.r.Context(), v.who, id)
	if err != nil {
		return v.lost(err)
	}
	if answered {
		onward, err := v.onward(o)
		switch {
		case err != nil:
			return err
		case o.Declined == a.Agree:
			return v.show(http.StatusConflict, "answered", v.t("onward.title"), "", struct {
				Party, Onward string
				Declined      bool
			}{v.party(o.Party), onward, o.Declined})
		}
		return v.seeOther(onward)
	}
	return v.put(http.StatusConflict, id, question{Chosen: chosen{Days: c.Days}, Changed: true})
}

// firstOf returns err, or what next returns if err is nil.
func firstOf(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// put puts the request before the person.
func (v *visit) put(status int, id string, q question) error {
	o, err := v.Pod.Offer(v.r.Context(), v.who, id)
	if err != nil {
		return v.lost(err)
	}
	if !v.Now().Before(o.Request.AnswerBy) || len(o.Types) == 0 {
		return v.problem(endedAsk)
	}
	if _, err := v.Registry.Party(v.r.Context(), o.Request.Party); errors.Is(err, registry.ErrNoParty) {
		return v.problem(endedAsk) // the page says that who asks is registered
	} else if err != nil {
		return fmt.Errorf("find who asks: %w", err)
	}
	q.Offer, q.Party, q.AnswerBy = o, v.text(o.Party.Name), o.Request.AnswerBy
	if o.Request.Kind == consent.ToDeposit {
		return v.show(status, "connect", v.t("connect.title", "party", q.Party), "", q)
	}
	v.fill(&q)
	switch {
	case len(q.Options) > 0:
		return v.show(status, "consent", v.t("ask.title", "party", q.Party), "", q)
	case q.Waiting:
		return v.show(status, "missing", v.t("missing.waiting"), "", q)
	}
	return v.show(status, "missing", v.t("missing.title"), "", q)
}

// fill puts a request to read into words.
func (v *visit) fill(q *question) {
	o, t := &q.Offer, q.Offer.Types[0]
	q.Type = v.text(t.Title)
	q.Basis = v.basis(o.Use.Basis)
	for _, f := range o.Request.Fields {
		q.Needs = append(q.Needs, v.label(t, f))
	}
	for _, c := range o.Choices {
		also := v.facts(t, c.Optional)
		for i, f := range also { // of a form that lacks something; never of what has changed
			also[i].Ticked = q.Trouble != "" && slices.Contains(v.r.PostForm["also-"+c.Evidence.ID], f.Field)
		}
		q.Options = append(q.Options, option{
			ID: c.Evidence.ID, Shown: c.Shown, Issuer: v.party(c.Evidence.Issuer), Issued: c.Evidence.Issued, Expires: c.Evidence.Expires,
			Released: v.facts(t, c.Released), Optional: also, Hidden: v.titles(t, c.Hidden),
		})
	}
	q.Ends = v.ends(o.Request.Until)
	for _, e := range o.Excess() {
		q.Excess = append(q.Excess, v.t(excesses[e.Kind], "fields", v.list(v.titles(t, e.Fields)), "instead", v.list(v.titles(t, e.Instead))))
	}
	for _, s := range o.Suppliers {
		age := v.Now().Sub(s.Asked)
		asked := !s.Asked.IsZero() && s.Trouble == ""
		q.Sources = append(q.Sources, source{
			ID: s.Party.ID, Name: v.text(s.Party.Name), Home: webAddress(s.Party.Home), Connect: v.initiate(s.Party), Own: v.acts == nil, Connected: s.Connected, Asked: s.Asked,
			Waiting: asked && age < patience, Slow: asked && age >= patience, Trouble: v.trouble(s),
		})
		q.Waiting = q.Waiting || (asked && age < patience && len(o.Choices) == 0)
	}
}

// initiate returns where a connection to a provider begins that leads back to this
// question (OpenID Connect Core 1.0, section 4: initiated by a third party).
func (v *visit) initiate(p registry.Party) string {
	u, err := url.Parse(webAddress(p.Initiate))
	if err != nil || u.Host == "" {
		return ""
	}
	q := u.Query()
	q.Set("iss", v.Base)
	q.Set("target_link_uri", v.Base+v.r.URL.EscapedPath())
	u.RawQuery = q.Encode()
	return u.String()
}

// shorter are the ends that the person may choose instead of the one asked for,
// in days after today.
var shorter = []int{90, 30, 7, 0}

// after returns the end of the day that is so many days after today.
func (v *visit) after(days int) time.Time {
	return v.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, days+1)
}

func (v *visit) ends(asked time.Time) []end {
	all := []end{{"", asked}}
	for _, days := range shorter {
		if until := v.after(days); until.Before(asked) {
			all = append(all, end{strconv.Itoa(days), until})
		}
	}
	return all
}

// A whyNot is a reason to say no that one can choose.
type whyNot struct{ ID, Key string }

// WhyNot are the reasons.
func (q question) WhyNot() []whyNot {
	return []whyNot{{consent.TooMuch, "why.toomuch"}, {consent.Stranger, "why.stranger"}, {consent.OtherWay, "why.otherway"}, {consent.NotNow, "why.notnow"}}
}

// excesses are keys of messages that warn of what asks for too much.
var excesses = map[consent.ExcessKind]string{
	consent.Unregistered: "excess.unregistered", consent.Everything: "excess.everything", consent.YesOrNo: "excess.yesorno",
	consent.Needless: "excess.needless", consent.Later: "excess.later", consent.Long: "excess.long",
}

var troubles = map[string]string{
	"none": "missing.none", "refused": "missing.refused", "unreachable": "missing.unreachable",
}

func (v *visit) trouble(s consent.Supplier) string {
	if s.Trouble == "" {
		return ""
	}
	key, ok := troubles[s.Trouble]
	if !ok {
		key = "missing.refused"
	}
	return v.t(key, "party", v.text(s.Party.Name))
}

// bases are the lawful bases of the GDPR's article 6(1), by the end of their IRI.
var bases = map[string]string{
	"A6-1-a": "basis.consent", "A6-1-b": "basis.contract", "A6-1-c": "basis.obligation",
	"A6-1-d": "basis.vital", "A6-1-e": "basis.task", "A6-1-f": "basis.interest",
}

// basis puts a legal basis into words; one that we don't know stands as it is.
func (v *visit) basis(iri string) string {
	for end, key := range bases {
		if strings.HasSuffix(iri, "#"+end) || strings.HasSuffix(iri, ":"+end) {
			return v.t(key)
		}
	}
	return plain(iri)
}
