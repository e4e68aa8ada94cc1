// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

// A Persona is a person of the demo.
type Persona struct {
	Name   string // "Alva"
	Scheme string
	Number string     // from the authorities' published test series, never a real one
	Later  []Identity // what replaces it, in order: signed in by the one that is valid
}

// Masked returns the date of birth in the number, and hides the rest:
// "19900101-••••" for one with the century, "010190-••••" for others.
func (p Persona) Masked() string {
	shown := 6
	if len(p.Number) == 12 {
		shown = 8
	}
	return p.Number[:min(shown, len(p.Number))] + "-••••"
}

// DemoOptions is what the demo eID needs. All fields are required.
type DemoOptions struct {
	Demo     bool // the server runs a demo. False in anything else, and then there is no such method
	Cast     []Persona
	Vault    *Vault
	Sessions *Sessions
	// Fail answers a request that went wrong on the server's side.
	Fail func(http.ResponseWriter, *http.Request, error)
}

// Demo is the demo's eID: a page that lists the cast and believes whoever
// clicks. It is a [Method].
type Demo struct {
	o     DemoOptions
	pages map[string]*template.Template // by language
}

// DemoLevel is the level of assurance that the demo's eID gives: none.
const DemoLevel = "urn:skrin:level:demo"

//go:embed demo.html demo.css
var demoFiles embed.FS

// demoTexts are the demo page's few sentences. They are here, and not with those
// of the person's pages, since an eID is somebody else's site.
var demoTexts = map[string]map[string]string{
	"sv": {
		"title": "Välj vem du är", "note": "Bara för demonstration. Alla personer är påhittade.",
		"as": "Logga in som", "back": "Avbryt", "gone": "Den personen finns inte i listan. Välj en annan.",
	},
	"nb": {
		"title": "Velg hvem du er", "note": "Bare for demonstrasjon. Alle personene er oppdiktet.",
		"as": "Logg inn som", "back": "Avbryt", "gone": "Den personen finnes ikke i listen. Velg en annen.",
	},
	"nn": {
		"title": "Vel kven du er", "note": "Berre for demonstrasjon. Alle personane er oppdikta.",
		"as": "Logg inn som", "back": "Avbryt", "gone": "Den personen finst ikkje i lista. Vel ein annan.",
	},
	"en": {
		"title": "Choose who you are", "note": "For demonstration only. All these people are made up.",
		"as": "Sign in as", "back": "Cancel", "gone": "That person is not in the list. Choose another.",
	},
}

// NewDemo makes the demo's eID. It refuses to where the server doesn't run a demo.
func NewDemo(o DemoOptions) (*Demo, error) {
	if !o.Demo {
		return nil, errors.New("the demo's eID signs in whoever asks: it exists in a demo only")
	}
	if o.Vault == nil || o.Sessions == nil || o.Fail == nil || len(o.Cast) == 0 {
		return nil, errors.New("demo eID: Cast, Vault, Sessions and Fail are all needed")
	}
	d := &Demo{o: o, pages: map[string]*template.Template{}}
	for lang, texts := range demoTexts {
		t := func(key string) string { return texts[key] }
		page, err := template.New("demo.html").Funcs(template.FuncMap{"t": t}).ParseFS(demoFiles, "demo.html")
		if err != nil {
			return nil, fmt.Errorf("demo eID: %w", err)
		}
		d.pages[lang] = page
	}
	return d, nil
}

// ID returns the method's path segment.
func (d *Demo) ID() string { return "exempel-eid" }

// Name returns the method's name.
func (d *Demo) Name() string { return "Exempel-eID" }

// A demoPage is what the page shows.
type demoPage struct {
	Lang, Action, Back, Style string
	Cast                      []Persona
	Gone                      bool
}

// ServeHTTP shows the cast, and signs in the one who is chosen.
func (d *Demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own := Path + "/" + d.ID()
	switch {
	case r.URL.Path == own+"/demo.css" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.ServeFileFS(w, r, demoFiles, "demo.css")
	case r.URL.Path != own:
		d.o.Fail(w, r, notThere())
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		d.show(w, r, http.StatusOK)
	case r.Method == http.MethodPost:
		d.signIn(w, r)
	default:
		d.o.Fail(w, r, onlyRead("GET, HEAD, POST"))
	}
}

func (d *Demo) show(w http.ResponseWriter, r *http.Request, status int) {
	lang, next := r.FormValue("lang"), r.FormValue("next")
	page, ok := d.pages[lang]
	if !ok {
		lang, page = "sv", d.pages["sv"]
	}
	own := Path + "/" + d.ID()
	query := "?" + url.Values{"next": {next}, "lang": {lang}}.Encode()
	var b bytes.Buffer
	err := page.Execute(&b, demoPage{
		Lang: lang, Action: own + query, Back: Done(next), Style: own + "/demo.css",
		Cast: d.o.Cast, Gone: status == http.StatusUnprocessableEntity,
	})
	if err != nil {
		d.o.Fail(w, r, fmt.Errorf("show the demo eID: %w", err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// person finds who the persona is here, by the first number that has not ended.
func (d *Demo) person(ctx context.Context, p Persona) (string, error) {
	person, err := d.o.Vault.Person(ctx, p.Scheme, p.Number)
	for _, id := range p.Later {
		if !errors.Is(err, ErrEnded) {
			break
		}
		person, err = d.o.Vault.Person(ctx, id.Scheme, id.Number)
	}
	return person, err
}

func (d *Demo) signIn(w http.ResponseWriter, r *http.Request) {
	i, err := strconv.Atoi(r.PostFormValue("who"))
	if err != nil || i < 0 || i >= len(d.o.Cast) {
		d.show(w, r, http.StatusUnprocessableEntity)
		return
	}
	person, err := d.person(r.Context(), d.o.Cast[i])
	if err == nil {
		err = d.o.Sessions.SignIn(r, person, DemoLevel)
	}
	if err != nil {
		d.o.Fail(w, r, fmt.Errorf("demo eID: %w", err))
		return
	}
	http.Redirect(w, r, Done(r.FormValue("next")), http.StatusSeeOther)
}
