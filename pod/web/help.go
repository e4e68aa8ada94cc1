// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/mandate"
)

// One person acts for another under addresses of their own, /me/for/{mandate}/…,
// and not by something that the browser remembers: so that no page is ever of
// another person than it says.

// helpPath is where a person sees who helps her, and whom she helps.
const helpPath = "/me/help/"

// acting returns the address of one of the pages for whom one acts for.
func acting(mandate, path string) string {
	return "/me/for/" + mandate + strings.TrimPrefix(path, "/me")
}

// to returns the address of a page of whomever these are of.
func (v *visit) to(path string) string { return frame{For: v.acts}.At(path) }

// helping serves a page of somebody whom the signed-in person acts for.
func (s *site) helping(p page) http.Handler {
	return s.personal(func(v *visit) error {
		who, m, err := v.Pod.ActFor(v.r.Context(), v.who, mux.Vars(v.r)["for"])
		if ldp.KindOf(err) == ldp.Gone {
			return v.problem(endedHelp)
		}
		if err != nil {
			return fmt.Errorf("act for another: %w", err)
		}
		v.who, v.acts, v.own = who, &m, pod.Settings{}
		return p(v)
	})
}

// helper names who acts for the person.
func (v *visit) helper(who acl.WebID) string {
	if v.names == nil {
		v.names = map[acl.WebID]string{}
		all, err := v.Pod.Mandates(v.r.Context(), v.who)
		if err != nil {
			v.Log.ErrorContext(v.r.Context(), "names of helpers", "error", err)
		}
		for _, m := range slices.Backward(all) { // the newest name counts
			v.names[m.To] = m.Name
		}
	}
	if name := plain(v.names[who]); name != "" {
		return name
	}
	return plain(string(who))
}

// partNames are the parts of a pod at which a helper looks.
var partNames = map[string]string{
	"requests": "home.waiting", "evidence": "nav.evidence", "sharing": "nav.sharing", "log": "nav.log", "connections": "nav.connections",
}

func (v *visit) partName(part string) string {
	if key, ok := partNames[part]; ok {
		return v.t(key)
	}
	return plain(part)
}

// spans are for how long somebody can be appointed, in days.
var spans = []int{30, 182, 365, 730}

// A helpPage is who helps the person, and whom she helps.
type helpPage struct {
	Holding, Waiting, Past []mandate.Mandate
	Helped                 []mandate.Mandate
	Spans                  []end
	Name, Whose, What      string // as she has filled it in
	Days                   string
	Link                   string // of an invitation that was just made: it is told once
	Trouble, Field         string // what is wrong, at which field
}

func (v *visit) help() error {
	return v.showHelp(http.StatusOK, helpPage{Whose: v.own.Name, What: "see", Days: "182"})
}

func (v *visit) showHelp(status int, page helpPage) error {
	all, err := v.Pod.Mandates(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("who helps: %w", err)
	}
	for _, m := range all {
		switch {
		case m.Holds(v.Now()):
			page.Holding = append(page.Holding, m)
		case m.Open(v.Now()):
			page.Waiting = append(page.Waiting, m)
		case m.To != "" && len(page.Past) < recent:
			page.Past = append(page.Past, m)
		}
	}
	if page.Helped, err = v.Pod.Helped(v.r.Context(), v.who); err != nil {
		return fmt.Errorf("whom one helps: %w", err)
	}
	for _, days := range spans {
		page.Spans = append(page.Spans, end{fmt.Sprint(days), v.after(days)})
	}
	return v.show(status, "help", v.t("help.title"), "nav.settings", page)
}

// changeHelp makes an invitation, or ends what the person has given or taken on.
func (v *visit) changeHelp() error {
	form, ctx := v.r.PostForm, v.r.Context()
	var err error
	switch form.Get("do") {
	case "invite":
		return v.invite()
	case "dismiss":
		err = v.Pod.Dismiss(ctx, v.who, form.Get("id"))
	case "resign":
		who, _, gone := v.Pod.ActFor(ctx, v.who, form.Get("id"))
		if err = gone; err == nil {
			err = v.Pod.Dismiss(ctx, who, form.Get("id"))
		} else if ldp.KindOf(err) == ldp.Gone {
			err = nil // it has ended already
		}
	default:
		err = ldp.Invalid
	}
	if err != nil {
		return fmt.Errorf("end a mandate: %w", err)
	}
	return v.seeOther(helpPath + "?done=dismissed")
}

func (v *visit) invite() error {
	form := v.r.PostForm
	tidy := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	page := helpPage{Name: tidy(form.Get("name")), Whose: tidy(form.Get("whose")), What: form.Get("what"), Days: form.Get("days")}
	m := mandate.Mandate{Name: page.Name, Whose: page.Whose, Modes: acl.Read}
	if page.What == "answer" {
		m.Modes |= acl.Write
	}
	i := slices.IndexFunc(spans, func(days int) bool { return fmt.Sprint(days) == page.Days })
	if i < 0 {
		return ldp.Invalid
	}
	m.Until = v.after(spans[i])
	code, err := v.Pod.Invite(v.r.Context(), v.who, m)
	switch ldp.KindOf(err) {
	case ldp.Invalid:
		page.Trouble, page.Field = v.t("help.name.wrong"), "invite"
		return v.showHelp(http.StatusUnprocessableEntity, page)
	case ldp.Conflict:
		page.Trouble, page.Field = v.t("help.many"), "invite"
		return v.showHelp(http.StatusConflict, page)
	}
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return v.showHelp(http.StatusOK, helpPage{Name: page.Name, Whose: page.Whose, What: "see", Days: "182", Link: v.Base + helpPath + code})
}

// invitation asks who has its code whether she will act for another.
func (v *visit) invitation() error {
	m, err := v.Pod.Invitation(v.r.Context(), v.who, mux.Vars(v.r)["code"])
	if ldp.KindOf(err) == ldp.Gone {
		return v.problem(endedHelp)
	}
	if err != nil {
		return fmt.Errorf("find an invitation: %w", err)
	}
	return v.show(http.StatusOK, "invitation", v.t("invite.title", "name", plain(m.Whose)), "", struct {
		Answers, Own bool
		Name         string
		Until        time.Time
	}{m.Answers(), m.Owner == v.who.ID, plain(m.Whose), m.Until})
}

func (v *visit) answerInvitation() error {
	switch v.r.PostForm.Get("do") {
	case "decline":
		return v.seeOther("/me/")
	case "agree":
	default:
		return ldp.Invalid
	}
	m, err := v.Pod.TakeOn(v.r.Context(), v.who, mux.Vars(v.r)["code"])
	switch {
	case errors.Is(err, ldp.Gone):
		return v.problem(endedHelp)
	case err != nil:
		return fmt.Errorf("take on a mandate: %w", err)
	}
	return v.seeOther(acting(m.ID, "/me/") + "?done=helps")
}
