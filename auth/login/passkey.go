// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"skrin/auth"
)

// The levels of assurance of a sign-in by passkey, and by a recovery code.
const (
	PasskeyLevel  = "urn:skrin:level:passkey"
	RecoveryLevel = "urn:skrin:level:recovery"
)

const (
	kindPasskeys = "passkeys"       // by person
	kindHandle   = "passkey-handle" // by user handle: the person
	kindCeremony = "passkey-flow"   // by cookie: what the browser was asked
	kindRecovery = "recovery"       // by code: the person

	maxPasskeys   = 20 // of one person
	recoveryCodes = 10
	ceremonyLife  = 5 * time.Minute
	freshLogin    = 10 * time.Minute // how long ago the sign-in may be of who adds a passkey
	maxCeremony   = 64 << 10         // bytes of an answer
)

// PasskeyOptions is what Passkeys need. All fields are required.
type PasskeyOptions struct {
	Base     string // "https://host" of this server
	Service  string // as the person's device names it
	Mark     string // local URL of the service's picture
	Sessions *Sessions
	Records  auth.Records
	// Limit bounds attempts, by address and by account.
	Limit *auth.Limiter
	Now   func() time.Time
	Fail  func(http.ResponseWriter, *http.Request, error)
}

// Passkeys is sign-in by passkey (WebAuthn, discoverable: nobody types a name),
// and by a recovery code when all passkeys are lost. It is a [Method]. A person
// who has signed in adds passkeys at its paths add/begin and add/finish.
type Passkeys struct {
	o     PasskeyOptions
	web   *webauthn.WebAuthn
	pages map[string]*template.Template
}

//go:embed passkey.html passkey-add.html passkey-head.html passkey.js passkey.css
var passkeyFiles embed.FS

var passkeyTexts = map[string]map[string]string{
	"sv": {
		"title": "Logga in med passkey", "go": "Använd passkey", "failed": "Det gick inte. Försök igen.", "back": "Avbryt",
		"lost": "Har du ingen passkey kvar?", "code": "Återställningskod", "use": "Använd koden", "wrong": "Koden gäller inte.",
		"yours": "Dina passkeys", "count": "Antal:", "add": "Lägg till en passkey", "codes": "Återställningskoder", "keep": "Spara koderna. Varje kod gäller en gång, och vi visar dem bara nu.", "new": "Skapa nya koder",
		"about": "En passkey är en nyckel i din telefon eller dator. Du låser upp den med finger, ansikte eller kod.", "script": "Det här går bara i en webbläsare där JavaScript är på.", "none": "Du har ingen passkey här än.", "home": "Inställningar", "codes.about": "Med en kod kommer du in om du blir av med telefonen. Skriv upp koderna, och förvara dem på ett säkert ställe. Gör du nya gäller de gamla inte längre.",
	},
	"nb": {
		"title": "Logg inn med passkey", "go": "Bruk passkey", "failed": "Det gikk ikke. Prøv igjen.", "back": "Avbryt",
		"lost": "Har du ingen passkey igjen?", "code": "Gjenopprettingskode", "use": "Bruk koden", "wrong": "Koden gjelder ikke.",
		"yours": "Dine passkeyer", "count": "Antall:", "add": "Legg til en passkey", "codes": "Gjenopprettingskoder", "keep": "Ta vare på kodene. Hver kode gjelder én gang, og vi viser dem bare nå.", "new": "Lag nye koder",
		"about": "En passkey er en nøkkel i telefonen eller datamaskinen din. Du låser den opp med finger, ansikt eller kode.", "script": "Dette går bare i en nettleser der JavaScript er på.", "none": "Du har ingen passkey her ennå.", "home": "Innstillinger", "codes.about": "Med en kode kommer du inn hvis du mister telefonen. Skriv ned kodene, og ta vare på dem på et trygt sted. Lager du nye, gjelder de gamle ikke lenger.",
	},
	"nn": {
		"title": "Logg inn med passkey", "go": "Bruk passkey", "failed": "Det gjekk ikkje. Prøv igjen.", "back": "Avbryt",
		"lost": "Har du ingen passkey att?", "code": "Gjenopprettingskode", "use": "Bruk koden", "wrong": "Koden gjeld ikkje.",
		"yours": "Passkeyane dine", "count": "Tal:", "add": "Legg til ein passkey", "codes": "Gjenopprettingskodar", "keep": "Ta vare på kodane. Kvar kode gjeld éin gong, og vi viser dei berre no.", "new": "Lag nye kodar",
		"about": "Ein passkey er ein nøkkel i telefonen eller datamaskina di. Du låser han opp med finger, ansikt eller kode.", "script": "Dette går berre i ein nettlesar der JavaScript er på.", "none": "Du har ingen passkey her enno.", "home": "Innstillingar", "codes.about": "Med ein kode kjem du inn dersom du mistar telefonen. Skriv ned kodane, og ta vare på dei på ein trygg stad. Lagar du nye, gjeld dei gamle ikkje lenger.",
	},
	"en": {
		"title": "Sign in with a passkey", "go": "Use a passkey", "failed": "It did not work. Try again.", "back": "Cancel",
		"lost": "Have you lost your passkeys?", "code": "Recovery code", "use": "Use the code", "wrong": "The code is not valid.",
		"yours": "Your passkeys", "count": "Number:", "add": "Add a passkey", "codes": "Recovery codes", "keep": "Save the codes. Each is good once, and we show them only now.", "new": "Make new codes",
		"about": "A passkey is a key in your phone or computer. You unlock it with your finger, your face or a code.", "script": "This works only in a browser where JavaScript is on.", "none": "You have no passkey here yet.", "home": "Settings", "codes.about": "With a code you can get in if you lose your phone. Write the codes down, and keep them in a safe place. If you make new ones, the old ones are no longer good.",
	},
}

// NewPasskeys makes Passkeys.
func NewPasskeys(o PasskeyOptions) (*Passkeys, error) {
	if o.Base == "" || o.Service == "" || o.Sessions == nil || o.Records == nil || o.Limit == nil || o.Now == nil || o.Fail == nil {
		return nil, errors.New("passkeys: all options are needed")
	}
	u, err := url.Parse(o.Base)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	web, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: o.Service, RPOrigins: []string{o.Base}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	p := &Passkeys{o: o, web: web, pages: map[string]*template.Template{}}
	for lang, texts := range passkeyTexts {
		t := func(key string) string { return texts[key] }
		page, err := template.New("").Funcs(template.FuncMap{"t": t}).ParseFS(passkeyFiles, "*.html")
		if err != nil {
			return nil, fmt.Errorf("passkeys: %w", err)
		}
		p.pages[lang] = page
	}
	return p, nil
}

// ID returns the method's path segment.
func (p *Passkeys) ID() string { return "passkey" }

// Name returns the method's name.
func (p *Passkeys) Name() string { return "passkey" }

// ServeHTTP serves the page, and what its script and a person's settings ask.
func (p *Passkeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxCeremony)
	switch own := Path + "/" + p.ID(); r.Method + " " + strings.TrimPrefix(r.URL.Path, own) {
	case "GET ":
		p.show(w, r, http.StatusOK)
	case "GET /add":
		p.showAdd(w, r, nil)
	case "POST /codes":
		p.newCodes(w, r)
	case "GET /passkey.js", "GET /passkey.css":
		http.ServeFileFS(w, r, passkeyFiles, strings.TrimPrefix(r.URL.Path, own+"/"))
	case "POST /begin":
		p.answer(w, r, p.begin)
	case "POST /finish":
		p.answer(w, r, p.finish)
	case "POST /add/begin":
		p.answer(w, r, p.beginAdd)
	case "POST /add/finish":
		p.answer(w, r, p.finishAdd)
	case "POST /recover":
		p.recover(w, r)
	default:
		p.o.Fail(w, r, notThere())
	}
}

func (p *Passkeys) show(w http.ResponseWriter, r *http.Request, status int) {
	lang, next := r.FormValue("lang"), r.FormValue("next")
	page, ok := p.pages[lang]
	if !ok {
		lang, page = "sv", p.pages["sv"]
	}
	own := Path + "/" + p.ID()
	var b bytes.Buffer
	err := page.ExecuteTemplate(&b, "passkey.html", map[string]any{
		"Service": p.o.Service, "Mark": p.o.Mark, "Lang": lang, "Own": own, "Back": Done(next), "Wrong": status != http.StatusOK,
		"Recover": own + "/recover?" + url.Values{"next": {next}, "lang": {lang}}.Encode(),
	})
	if err != nil {
		p.o.Fail(w, r, fmt.Errorf("show the passkey page: %w", err))
		return
	}
	p.send(w, status, b.Bytes())
}

// showAdd shows the page on which a person who has just signed in adds a
// passkey, and gets recovery codes.
func (p *Passkeys) showAdd(w http.ResponseWriter, r *http.Request, codes []string) {
	own := Path + "/" + p.ID()
	person, err := p.fresh(r)
	if err != nil { // she signs in, and comes back
		http.Redirect(w, r, Again(own+"/add", nil, true), http.StatusSeeOther)
		return
	}
	h, err := p.load(r.Context(), person)
	if err != nil {
		p.o.Fail(w, r, fmt.Errorf("show passkeys: %w", err))
		return
	}
	lang := r.FormValue("lang")
	page, ok := p.pages[lang]
	if !ok {
		lang, page = "sv", p.pages["sv"]
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, "passkey-add.html", map[string]any{"Service": p.o.Service, "Mark": p.o.Mark, "Lang": lang, "Own": own, "Count": len(h.Keys), "Codes": codes}); err != nil {
		p.o.Fail(w, r, fmt.Errorf("show passkeys: %w", err))
		return
	}
	p.send(w, http.StatusOK, b.Bytes())
}

func (p *Passkeys) newCodes(w http.ResponseWriter, r *http.Request) {
	var codes []string
	if person, err := p.fresh(r); err == nil {
		if codes, err = p.RecoveryCodes(r.Context(), person); err != nil {
			p.o.Fail(w, r, err)
			return
		}
	}
	p.showAdd(w, r, codes)
}

func (p *Passkeys) send(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(page)
}

// errRefused is that a device's answer proves nothing; why isn't told.
var errRefused = errors.New("the answer is not good")

// answer answers a script in JSON.
func (p *Passkeys) answer(w http.ResponseWriter, r *http.Request, do func(http.ResponseWriter, *http.Request) (any, error)) {
	if wait := p.o.Limit.Wait(address(r)); wait > 0 {
		p.o.Fail(w, r, tooMany(wait))
		return
	}
	v, err := do(w, r)
	if errors.Is(err, errRefused) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if err != nil {
		p.o.Fail(w, r, fmt.Errorf("passkey: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser is gone: nobody to tell
}

func (p *Passkeys) begin(w http.ResponseWriter, r *http.Request) (any, error) {
	options, data, err := p.web.BeginDiscoverableLogin()
	if err != nil {
		return nil, err
	}
	return options, p.keep(w, r, data)
}

// keep remembers what a browser was asked.
func (p *Passkeys) keep(w http.ResponseWriter, r *http.Request, data *webauthn.SessionData) error {
	value, err := json.Marshal(data)
	if err != nil {
		return err
	}
	cookie := p.cookie(rand.Text(), int(ceremonyLife/time.Second))
	http.SetCookie(w, cookie)
	return p.o.Records.Save(r.Context(), kindCeremony, digest(cookie.Value), auth.Record{Value: value, Until: p.o.Now().Add(ceremonyLife)})
}

func (p *Passkeys) cookie(value string, age int) *http.Cookie {
	c := &http.Cookie{Name: "skrin-passkey", Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if strings.HasPrefix(p.o.Base, "https://") {
		c.Name, c.Secure = "__Host-skrin-passkey", true
	}
	return c
}

// take returns what the browser was asked, once.
func (p *Passkeys) take(r *http.Request) (webauthn.SessionData, error) {
	var data webauthn.SessionData
	cookie, err := r.Cookie(p.cookie("", 0).Name)
	if err != nil {
		return data, errRefused
	}
	key := digest(cookie.Value)
	record, err := p.o.Records.Load(r.Context(), kindCeremony, key)
	if errors.Is(err, auth.ErrNoRecord) || err == nil && json.Unmarshal(record.Value, &data) != nil || err == nil && data.Challenge == "" {
		return data, errRefused
	}
	if err != nil {
		return data, err
	}
	record.Value = []byte("{}")
	err = p.o.Records.Save(r.Context(), kindCeremony, key, record)
	if errors.Is(err, auth.ErrChanged) {
		return data, errRefused
	}
	return data, err
}

func (p *Passkeys) finish(_ http.ResponseWriter, r *http.Request) (any, error) {
	data, err := p.take(r)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(r.Body)
	if err != nil {
		return nil, errRefused
	}
	var who *holder
	var trouble error
	credential, err := p.web.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		who, trouble = p.holder(r.Context(), handle)
		return who, trouble
	}, data, parsed)
	if trouble != nil {
		return nil, trouble
	}
	if who != nil && p.o.Limit.Wait("account "+who.person) > 0 {
		return nil, errRefused
	}
	if err != nil || credential.Authenticator.CloneWarning {
		return nil, errRefused
	}
	if err := p.used(r.Context(), who.person, credential); err != nil {
		return nil, err
	}
	p.o.Limit.Reset("account " + who.person)
	return map[string]bool{"ok": true}, p.o.Sessions.SignIn(r, who.person, PasskeyLevel)
}

// A holder is a person with her passkeys.
type holder struct {
	person  string
	version uint64
	Handle  []byte   `json:"handle"` // by which her devices know her: random
	Keys    []key    `json:"keys,omitempty"`
	Codes   []string `json:"codes,omitempty"` // digests of recovery codes
}

type key struct {
	Credential webauthn.Credential `json:"credential"`
	Added      time.Time           `json:"added"`
	Used       time.Time           `json:"used,omitzero"`
}

// The methods of webauthn.User. A device shows no name of the person's: we know
// none.

func (h *holder) WebAuthnID() []byte          { return h.Handle }
func (h *holder) WebAuthnName() string        { return "Skrin" }
func (h *holder) WebAuthnDisplayName() string { return "Skrin" }

func (h *holder) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(h.Keys))
	for i, k := range h.Keys {
		all[i] = k.Credential
	}
	return all
}

// holder finds a person by the handle that her device tells.
func (p *Passkeys) holder(ctx context.Context, handle []byte) (*holder, error) {
	found, err := p.o.Records.Load(ctx, kindHandle, digest(string(handle)))
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, errRefused
	}
	if err != nil {
		return nil, err
	}
	return p.load(ctx, string(found.Value))
}

// load returns what is kept of a person; nothing, for one who is new.
func (p *Passkeys) load(ctx context.Context, person string) (*holder, error) {
	h := &holder{person: person}
	record, err := p.o.Records.Load(ctx, kindPasskeys, person)
	if errors.Is(err, auth.ErrNoRecord) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(record.Value, h)
	}
	h.version = record.Version
	return h, err
}

// update changes what is kept of a person.
func (p *Passkeys) update(ctx context.Context, person string, change func(*holder) error) error {
	for range maxTries {
		h, err := p.load(ctx, person)
		if err == nil {
			err = change(h)
		}
		if err != nil {
			return err
		}
		value, err := json.Marshal(h)
		if err != nil {
			return err
		}
		err = p.o.Records.Save(ctx, kindPasskeys, person, auth.Record{Value: value, Version: h.version})
		if !errors.Is(err, auth.ErrChanged) {
			return err
		}
	}
	return auth.ErrChanged
}

func (h *holder) find(id []byte) int {
	return slices.IndexFunc(h.Keys, func(k key) bool { return bytes.Equal(k.Credential.ID, id) })
}

// used notes that a passkey was used. One that was removed meanwhile is refused.
func (p *Passkeys) used(ctx context.Context, person string, c *webauthn.Credential) error {
	return p.update(ctx, person, func(h *holder) error {
		i := h.find(c.ID)
		if i < 0 {
			return errRefused
		}
		h.Keys[i].Credential, h.Keys[i].Used = *c, p.o.Now()
		return nil
	})
}

// fresh returns who has signed in, not long ago: who finds a browser open must
// not be able to make it their own.
func (p *Passkeys) fresh(r *http.Request) (string, error) {
	person, at, _, ok := p.o.Sessions.Person(r)
	if !ok || p.o.Now().Sub(at) > freshLogin {
		return "", errRefused
	}
	return person, nil
}

func (p *Passkeys) beginAdd(w http.ResponseWriter, r *http.Request) (any, error) {
	person, err := p.fresh(r)
	if err != nil {
		return nil, err
	}
	h, err := p.handled(r.Context(), person)
	if err != nil {
		return nil, err
	}
	if len(h.Keys) >= maxPasskeys {
		return nil, errRefused
	}
	options, data, err := p.web.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, err
	}
	return options, p.keep(w, r, data)
}

// handled gives the person a handle, if she has none yet. The way from the
// handle to her comes first, so that no passkey leads to nobody.
func (p *Passkeys) handled(ctx context.Context, person string) (*holder, error) {
	h, err := p.load(ctx, person)
	if err != nil || h.Handle != nil {
		return h, err
	}
	handle := make([]byte, 32)
	rand.Read(handle)
	if err := p.o.Records.Save(ctx, kindHandle, digest(string(handle)), auth.Record{Value: []byte(person)}); err != nil {
		return nil, err
	}
	err = p.update(ctx, person, func(h *holder) error {
		if h.Handle == nil {
			h.Handle = handle
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.load(ctx, person)
}

func (p *Passkeys) finishAdd(_ http.ResponseWriter, r *http.Request) (any, error) {
	person, err := p.fresh(r)
	if err != nil {
		return nil, err
	}
	data, err := p.take(r)
	if err != nil {
		return nil, err
	}
	h, err := p.load(r.Context(), person)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(r.Body)
	if err != nil {
		return nil, errRefused
	}
	credential, err := p.web.CreateCredential(h, data, parsed)
	if err != nil {
		return nil, errRefused
	}
	return map[string]bool{"ok": true}, p.update(r.Context(), person, func(h *holder) error {
		if h.find(credential.ID) >= 0 || len(h.Keys) >= maxPasskeys {
			return errRefused
		}
		h.Keys = append(h.Keys, key{Credential: *credential, Added: p.o.Now()})
		return nil
	})
}

// A Passkey is one of a person's.
type Passkey struct {
	ID          string
	Added, Used time.Time
}

// List returns a person's passkeys.
func (p *Passkeys) List(ctx context.Context, person string) ([]Passkey, error) {
	h, err := p.load(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	var all []Passkey
	for _, k := range h.Keys {
		all = append(all, Passkey{digest(string(k.Credential.ID)), k.Added, k.Used})
	}
	return all, nil
}

// Remove removes one of a person's passkeys: it signs nobody in any more.
func (p *Passkeys) Remove(ctx context.Context, person, id string) error {
	err := p.update(ctx, person, func(h *holder) error {
		h.Keys = slices.DeleteFunc(h.Keys, func(k key) bool { return digest(string(k.Credential.ID)) == id })
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove a passkey: %w", err)
	}
	return nil
}

// RecoveryCodes makes new recovery codes for a person, each good once, in the
// place of those that she had. They are told once; what is kept is their hashes.
func (p *Passkeys) RecoveryCodes(ctx context.Context, person string) ([]string, error) {
	var codes, digests, old []string
	for range recoveryCodes {
		text := rand.Text()[:20] // 100 bits
		codes = append(codes, text[:5]+"-"+text[5:10]+"-"+text[10:15]+"-"+text[15:])
		digests = append(digests, digest(text))
	}
	err := p.update(ctx, person, func(h *holder) error { old, h.Codes = h.Codes, digests; return nil })
	for _, d := range old {
		err = errors.Join(err, p.o.Records.Delete(ctx, kindRecovery, d))
	}
	for _, d := range digests {
		if err == nil {
			err = p.o.Records.Save(ctx, kindRecovery, d, auth.Record{Value: []byte(person)})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make recovery codes: %w", err)
	}
	return codes, nil
}

func (p *Passkeys) recover(w http.ResponseWriter, r *http.Request) {
	if wait := p.o.Limit.Wait(address(r)); wait > 0 {
		p.o.Fail(w, r, tooMany(wait))
		return
	}
	person, err := p.useCode(r.Context(), r.PostFormValue("code"))
	if err == nil {
		err = p.o.Sessions.SignIn(r, person, RecoveryLevel)
	}
	switch {
	case errors.Is(err, errRefused):
		p.show(w, r, http.StatusUnprocessableEntity)
	case err != nil:
		p.o.Fail(w, r, fmt.Errorf("recovery code: %w", err))
	default:
		http.Redirect(w, r, Done(r.FormValue("next")), http.StatusSeeOther)
	}
}

// useCode uses up a recovery code. Of several at once one succeeds.
func (p *Passkeys) useCode(ctx context.Context, code string) (person string, err error) {
	d := digest(strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code[:min(len(code), 64)])))
	record, err := p.o.Records.Load(ctx, kindRecovery, d)
	if errors.Is(err, auth.ErrNoRecord) || err == nil && len(record.Value) == 0 {
		return "", errRefused
	}
	if err != nil {
		return "", err
	}
	person = string(record.Value)
	record.Value = nil
	if err := p.o.Records.Save(ctx, kindRecovery, d, record); errors.Is(err, auth.ErrChanged) {
		return "", errRefused
	} else if err != nil {
		return "", err
	}
	h, err := p.load(ctx, person)
	if err == nil && !slices.Contains(h.Codes, d) { // one that new codes have replaced
		err = errRefused
	}
	return person, err
}
