// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/mandate"
	"skrin/pod/registry"
)

// How much the pages show at once.
const (
	recent   = 5                   // pieces of evidence on the home page
	holding  = 50                  // of those that come first, and so hold, are looked at for what ends soon
	soon     = 14 * 24 * time.Hour // what ends within it is on the home page
	soonest  = 20                  // so many of it
	pageSize = 50                  // lines of the log
)

// party returns the name of a party, its id if it is no longer registered.
func (v *visit) party(id string) string {
	p, err := v.Registry.Party(v.r.Context(), id)
	if errors.Is(err, registry.ErrNoParty) {
		return plain(id)
	}
	if err != nil {
		v.Log.ErrorContext(v.r.Context(), "name of a party", "error", err)
		return plain(id)
	}
	return v.text(p.Name)
}

// A line is a request that waits for an answer, on the home page.
type line struct {
	ID, Words string
	By        time.Time
}

func (v *visit) home() error {
	offers, err := v.Pod.Requests(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list requests: %w", err)
	}
	var lines []line
	for _, o := range offers {
		if len(o.Types) == 0 {
			continue
		}
		words := v.t("home.asks", "party", v.text(o.Party.Name), "type", v.text(o.Types[0].Title))
		if o.Request.Kind == consent.ToDeposit {
			words = v.t("home.connects", "party", v.text(o.Party.Name))
		}
		lines = append(lines, line{o.Request.ID, words, o.Request.AnswerBy})
	}
	newest, held, err := v.Pod.Pieces(v.r.Context(), v.who, 0, holding)
	if err != nil {
		return fmt.Errorf("list evidence: %w", err)
	}
	var cards, expiring []card
	for i, e := range newest {
		if e.State(v.Now()) != evidence.Current {
			continue
		}
		if i < recent {
			cards = append(cards, v.card(e))
		}
		if !e.Expires.After(v.Now().Add(soon)) && len(expiring) < soonest {
			expiring = append(expiring, v.card(e))
		}
	}
	slices.SortStableFunc(expiring, func(a, b card) int { return a.Expires.Compare(b.Expires) })
	ending, err := v.Pod.Ending(v.r.Context(), v.who, v.Now().Add(soon), soonest)
	if err != nil {
		return fmt.Errorf("what ends soon: %w", err)
	}
	var shares []share
	for _, s := range slices.Backward(ending) { // what ends first
		shares = append(shares, v.share(s))
	}
	var helped []mandate.Mandate
	if v.acts == nil {
		if helped, err = v.Pod.Helped(v.r.Context(), v.who); err != nil {
			return fmt.Errorf("whom one helps: %w", err)
		}
	}
	return v.show(200, "home", v.t("nav.home"), "nav.home", struct {
		Lines    []line
		Cards    []card
		Held     int // pieces of evidence in all
		Expiring []card
		Soon     []share
		Helped   []mandate.Mandate
	}{lines, cards, held, expiring, shares, helped})
}

// signIn lists the ways to sign in, and sends on whoever has; who has, but not at
// one of the levels that are asked for, or who is to do it anew, signs in again.
// Until she has, the sign-in before is good: a link must not end it.
func (v *visit) signIn() error {
	query := v.r.URL.Query()
	next := local(query.Get("next"))
	levels := query["level"]
	trouble, again, help := v.signInTrouble()
	if v.person != "" && levels == nil && trouble == "" && !query.Has("anew") {
		return v.seeOther(next)
	}
	type way struct{ Name, URL string }
	var ways []way
	for _, m := range v.Methods {
		if levels == nil || m.Reaches(levels) {
			ways = append(ways, way{m.Name(), "/me/sign-in/" + m.ID() + "?" + url.Values{"next": {next}, "lang": {v.lang}, "level": levels}.Encode()})
		}
	}
	status, title := http.StatusOK, v.t("signin.title")
	if trouble != "" {
		status, title = http.StatusForbidden, v.t("signin.trouble.title")
	}
	return v.show(status, "sign-in", title, "", struct {
		Ways                 []way
		Ended, Onward, Step  bool
		Anew                 bool
		Trouble, Again, Help string
	}{ways, query.Has("ended"), asked(next), levels != nil, query.Has("anew"), trouble, again, help})
}

// asked reports whether somebody's question is at a local address.
func asked(path string) bool {
	return strings.HasPrefix(path, "/me/answer/") || strings.HasPrefix(path, "/me/requests/")
}

// NotSignedIn returns the address of the page that tells a person why a way to sign
// in, which has that ID, didn't do, and what to do now: whatever it said is not sure
// enough (low), or not who she is. next and levels are those of the sign-in.
func NotSignedIn(method, next string, levels []string, low bool) string {
	why := "nobody"
	if low {
		why = "low"
	}
	return "/me/sign-in?" + url.Values{"next": {next}, "level": levels, "by": {method}, "trouble": {why}}.Encode()
}

// signInTrouble says what NotSignedIn is about, what to do now, and who can help; ""
// for nothing.
func (v *visit) signInTrouble() (trouble, again, help string) {
	query := v.r.URL.Query()
	i := slices.IndexFunc(v.Methods, func(m Method) bool { return m.ID() == query.Get("by") })
	if i < 0 {
		return "", "", ""
	}
	name := v.Methods[i].Name()
	switch query.Get("trouble") {
	case "low":
		return v.t("signin.trouble.low", "name", name), v.t("signin.again.low", "name", name), v.t("signin.help.low", "name", name)
	case "nobody":
		return v.t("signin.trouble.nobody", "name", name), v.t("signin.again.nobody"), v.t("signin.help.nobody", "name", name)
	}
	return "", "", ""
}

// stay says whether somebody is signed in, for static/stay.js; to ask is to use the
// sign-in, which so lasts.
func (v *visit) stay() error {
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	says := "out"
	if v.person != "" {
		says = "in"
	}
	_, err := io.WriteString(v.w, says)
	return err
}

func (v *visit) signOut() error {
	if err := v.Sessions.SignOut(v.r); err != nil {
		return err
	}
	next := local(v.r.PostForm.Get("next"))
	return v.seeOther("/me/sign-in?" + url.Values{"done": {"out"}, "next": {next}}.Encode())
}
