// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/pod"
)

// Accounts are the ways in which a person signs in, and the browsers in which she
// has. The handler's requests have come through whatever they need to tell.
type Accounts interface {
	// Ways returns how the person can sign in.
	Ways(ctx context.Context, person string) ([]Way, error)
	// RemovePasskey takes one of the ways away.
	RemovePasskey(ctx context.Context, person, id string) error
	// Visits returns where who sends r has signed in, this browser among them.
	Visits(r *http.Request) ([]Visit, error)
	// EndVisit ends one of them, at once; "" for all but this one.
	EndVisit(r *http.Request, id string) error
}

// A Way is one in which a person signs in.
type Way struct {
	ID     string    // of a passkey; "" for what can't be removed here
	Scheme string    // of another: who names the person, "se:personnummer". What it names her is told nowhere
	Added  time.Time // of a passkey
	Used   time.Time // when it last was; zero for never
	Until  time.Time // when it ends; zero for no end
}

// A Visit is a browser in which the person has signed in.
type Visit struct {
	ID      string
	Browser string // "Firefox"; "" if it can't be told
	System  string // "Android"; "" if it can't be told
	Since   time.Time
	Used    time.Time
	Current bool // this one
}

// OneWay reports whether the person could sign in by nothing else, were a passkey gone.
func (c choices) OneWay() bool { return len(c.Passkeys)+len(c.Names) < 2 }

// A choices is the page of the settings.
type choices struct {
	Own      pod.Settings
	Passkeys []Way
	Name     string   // as she has filled it in
	Trouble  string   // what is wrong with it
	Names    []string // of the other ways
	Before   []string // of those that have ended
	Visits   []Visit
	Others   bool   // there are more visits than this
	Add      string // where passkeys are added; "" if nobody can sign in by them
}

func (v *visit) settings() error { return v.showSettings(http.StatusOK, v.own.Name, "") }

func (v *visit) showSettings(status int, name, trouble string) error {
	page, err := v.ways()
	if err != nil {
		return err
	}
	page.Own, page.Name, page.Trouble, page.Add = v.own, name, trouble, v.passkeys()
	if page.Visits, err = v.Accounts.Visits(v.r); err != nil {
		return fmt.Errorf("visits: %w", err)
	}
	page.Others = len(page.Visits) > 1
	return v.show(status, "settings", v.t("nav.settings"), "nav.settings", page)
}

// ways finds how the person can sign in.
func (v *visit) ways() (page choices, err error) {
	all, err := v.Accounts.Ways(v.r.Context(), v.person)
	if err != nil {
		return page, fmt.Errorf("ways to sign in: %w", err)
	}
	for _, w := range all {
		switch {
		case w.ID != "":
			page.Passkeys = append(page.Passkeys, w)
		case !w.Until.IsZero() && !v.Now().Before(w.Until):
			page.Before = append(page.Before, v.scheme(w.Scheme))
		default:
			page.Names = append(page.Names, v.scheme(w.Scheme))
		}
	}
	return page, nil
}

// passkeys returns the address at which a person adds passkeys, if there is one.
func (v *visit) passkeys() string {
	for _, m := range v.Methods {
		if m.ID() == "passkey" {
			return "/me/sign-in/passkey/add?lang=" + v.lang
		}
	}
	return ""
}

// schemes are the names of those who name people.
var schemes = map[string]string{
	"se:personnummer": "scheme.sweden", "se:samordningsnummer": "scheme.coordination", "no:fodselsnummer": "scheme.norway", "no:dnummer": "scheme.dnumber",
	"xx:passport": "scheme.passport",
}

func (v *visit) scheme(id string) string {
	if key, ok := schemes[id]; ok {
		return v.t(key)
	}
	return plain(id)
}

func (v *visit) changeSettings() error {
	form, ctx := v.r.PostForm, v.r.Context()
	var err error
	done := form.Get("do")
	switch done {
	case "name":
		name := strings.Join(strings.Fields(form.Get("name")), " ")
		if err = v.Pod.CallMe(ctx, v.who, name); ldp.KindOf(err) == ldp.Invalid {
			return v.showSettings(http.StatusUnprocessableEntity, plain(name), v.t("settings.name.wrong"))
		}
	case "passkey":
		ways, trouble := v.ways()
		if trouble != nil {
			return trouble
		}
		if ways.OneWay() {
			return ldp.Conflict // which the page doesn't offer
		}
		err = v.Accounts.RemovePasskey(ctx, v.person, form.Get("id"))
	case "visit":
		err = v.Accounts.EndVisit(v.r, form.Get("id"))
	case "others":
		err = v.Accounts.EndVisit(v.r, "")
	case "stay":
		err = v.Pod.Stay(ctx, v.who)
	default:
		return ldp.Invalid
	}
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return v.seeOther("/me/settings/?done=" + done)
}

// fresh is how long ago somebody may have signed in who wants what can't be taken
// back: who finds a browser open shall not.
const fresh = 10 * time.Minute

// erase asks whether all of it is to be erased.
func (v *visit) erase() error {
	if _, at, _, _ := v.Sessions.Person(v.r); v.Now().Sub(at) > fresh {
		return v.seeOther("/me/sign-in?" + url.Values{"next": {v.here()}, "anew": {"1"}}.Encode())
	}
	return v.show(http.StatusOK, "erase", v.t("erase.title"), "nav.settings", struct {
		Until time.Time
		Days  int
	}{v.Now().Add(pod.Regret), int(pod.Regret / (24 * time.Hour))})
}

func (v *visit) answerErase() error {
	if v.r.PostForm.Get("do") != "erase" {
		return v.seeOther("/me/settings/")
	}
	if _, at, _, _ := v.Sessions.Person(v.r); v.Now().Sub(at) > fresh {
		return v.seeOther("/me/settings/erase") // which sends her to sign in
	}
	if _, err := v.Pod.Leave(v.r.Context(), v.who); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return v.seeOther("/me/settings/?done=erase")
}

// archive sends all that the person has here: the file that another server takes
// in, or one that is made for people alone.
func (v *visit) archive() error {
	if v.r.URL.Query().Get("form") != "zip" {
		return v.download("application/gzip", "skrin.tar.gz", func(w io.Writer) error { return v.Pod.Export(v.r.Context(), v.who, "", w) })
	}
	return v.download("application/zip", "skrin.zip", func(w io.Writer) error { return v.Pod.Archive(v.r.Context(), v.who, w) })
}
