// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"skrin/ldp"
)

// An App is a program of somebody else's that wants to act in the person's name.
type App struct {
	Name    string // as it calls itself: nobody has checked it
	Address string // where the browser goes after the answer: "https://app.example"
	Offline bool   // it wants to go on when the person has closed it
	Onward  string // where the browser goes at once, if she has approved it before; or ""
}

// app asks whether an app may act for the person.
func (v *visit) app() error {
	if v.ask.App.Onward != "" {
		return v.goOn(v.ask.App.Onward)
	}
	return v.show(http.StatusOK, "app", v.t("app.title", "app", v.appName()), "", v.ask.App)
}

// appName is how the app is called on the page.
func (v *visit) appName() string {
	if name := plain(v.ask.App.Name); name != "" {
		return name
	}
	return plain(v.ask.App.Address)
}

// answerApp takes the answer.
func (v *visit) answerApp() error {
	do := v.r.PostForm.Get("do")
	if do != "agree" && do != "decline" {
		return ldp.Invalid
	}
	onward, err := v.Asks.FinishApp(v.r, mux.Vars(v.r)["ask"], v.person, v.who.ID, do == "agree")
	if err != nil {
		return v.lost(err)
	}
	if origin(v.ask.ReturnOrigin) == "" { // an installed app's own scheme, which no policy can name
		return v.goOn(onward)
	}
	return v.seeOther(onward)
}

// goOn leads away by a page of its own. A redirect would still be part of the
// form before it, whose page's policy doesn't know where it ends; a refresh is a
// new journey.
func (v *visit) goOn(to string) error {
	v.w.Header().Set("Refresh", "0; url="+to)
	return v.show(http.StatusOK, "onward", v.t("onward.title"), "", struct{ Party, URL string }{v.appName(), to})
}
