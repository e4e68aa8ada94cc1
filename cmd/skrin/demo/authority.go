// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
)

// An Authority is "Arbetsförmedlingen (exempel)": it connects to people's pods,
// and puts their unemployment certificate there, when they press its button or
// when the server tells it that they want one.
type Authority struct {
	*site
	key      jose.JSONWebKey
	client   *client.Client
	register []Person
	kind     certificate
	state    *file[register]
}

// NewAuthority opens the authority on its directory. It calls nobody yet.
func NewAuthority(o Options) (*Authority, error) {
	a, err := newAuthority(o)
	if err != nil {
		return nil, fmt.Errorf("demo authority: %w", err)
	}
	return a, nil
}

func newAuthority(o Options) (*Authority, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	key, err := openKey(o.Dir)
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key, register: People(), kind: unemployment()}
	if a.client, err = o.newClient(key); err != nil {
		return nil, err
	}
	if a.state, err = openFile[register](filepath.Join(o.Dir, "authority.json")); err != nil {
		return nil, err
	}
	a.site, err = newSite(o, "authority")
	return a, err
}

// Keys are the public keys of the authority: of its registration, and of the
// credentials that it signs. Its site has them at /.well-known/jwks.json.
func (a *Authority) Keys() jose.JSONWebKeySet { return published(a.key) }

// Handler serves the authority's site and its /notices.
func (a *Authority) Handler() http.Handler {
	mux := http.NewServeMux()
	a.common(mux)
	mux.Handle("GET /{$}", a.page(a.home))
	mux.Handle("POST /connect", a.page(a.connect))
	mux.Handle("GET /callback", a.page(a.callback))
	mux.Handle("GET /done", a.page(a.done))
	mux.Handle("GET /declined", a.page(a.declined))
	mux.Handle("POST /deposit", a.page(a.deposit))
	mux.Handle("POST /notices", a.notices(a.client, a.take))
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "max-age=3600")
		_ = json.NewEncoder(w).Encode(a.Keys())
	})
	return a.wrap(mux)
}

// A register is what the authority keeps of its customers' pods.
type register struct {
	Customers  map[string]customer // by their WebID
	Deliveries map[string]delivery // by the hash of their Idempotency-Key
}

const (
	maxCustomers  = 10_000
	maxDeliveries = 10_000
)

// A customer is somebody who is connected.
type customer struct {
	Person    int    // place in the register; -1 for one whom we don't know
	Deposit   string // where to put evidence
	Connected time.Time
}

// A delivery is one certificate on its way, or there.
type delivery struct {
	Customer string
	Made     time.Time
	Body     []byte // as it is sent, each time that it is tried; nil when it is there
	Location string
	Receipt  string // signed by the server: what we have instead of reading back
}

// person is whom a browser has shown itself to be: the WebID, and what we know.
func (a *Authority) person(r *http.Request) (string, customer, error) {
	v, err := a.visit(r)
	if err != nil || len(v.Mine) == 0 {
		return "", customer{}, err
	}
	state, err := a.state.get()
	webID := v.Mine[len(v.Mine)-1]
	c, ok := state.Customers[webID]
	if !ok {
		return "", customer{}, err
	}
	return webID, c, err
}

// registered gives the customer's entry, if there is one to attest.
func (a *Authority) registered(c customer) (Person, bool) {
	if c.Person < 0 || c.Person >= len(a.register) {
		return Person{}, false
	}
	p := a.register[c.Person]
	return p, !p.Registered.IsZero() && !p.Registered.After(a.today())
}

func (a *Authority) home(w http.ResponseWriter, r *http.Request) error {
	webID, _, err := a.person(r)
	if err != nil {
		return err
	}
	return a.show(w, r, http.StatusOK, "home", webID != "")
}

// connect asks the person for a place to put certificates.
func (a *Authority) connect(w http.ResponseWriter, r *http.Request) error {
	return a.begin(w, r, a.client, "", detail{Type: "evidence_deposit", EvidenceTypes: []string{a.kind.ID}})
}

// callback learns who the person is: a WebID that is for us alone, and, as we
// are registered for it, the personal number, which ends here.
func (a *Authority) callback(w http.ResponseWriter, r *http.Request) error {
	_, tokens, err := a.finish(w, r, a.client)
	if _, ok := errors.AsType[*client.Declined](err); ok {
		http.Redirect(w, r, "/declined", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	var claims struct {
		Number string `json:"https://id.oidc.se/claim/personalIdentityNumber"`
	}
	var granted []detail
	if err := errors.Join(tokens.IDToken.Claims(&claims), json.Unmarshal(tokens.AuthorizationDetails, &granted)); err != nil {
		return errors.New("connect: the server's answer is not of the right form")
	}
	if tokens.WebID == "" || len(granted) != 1 || len(granted[0].Locations) != 1 || !a.ours(granted[0].Locations[0]) {
		return errors.New("connect: the server's answer has no WebID, or no place of its own to deposit")
	}
	known := customer{Person: -1, Deposit: granted[0].Locations[0], Connected: a.today()}
	if claims.Number != "" { // not everybody has one
		known.Person = slices.IndexFunc(a.register, func(p Person) bool { return p.Number == claims.Number })
	}
	err = a.state.change(func(s *register) error {
		put(&s.Customers, tokens.WebID, known, maxCustomers, func(c customer) time.Time { return c.Connected })
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.own(w, r, tokens.WebID); err != nil {
		return err
	}
	a.Log.Info("a pod was connected")
	http.Redirect(w, r, "/done", http.StatusSeeOther)
	return nil
}

// ours reports whether a URL is of the server, so that our token may go there.
func (s *site) ours(location string) bool { return strings.HasPrefix(location, s.Server+"/") }

func (a *Authority) declined(w http.ResponseWriter, r *http.Request) error {
	return a.show(w, r, http.StatusOK, "declined", nil)
}

// done shows how things stand between us and the person's pod.
func (a *Authority) done(w http.ResponseWriter, r *http.Request) error {
	webID, c, err := a.person(r)
	if err != nil {
		return err
	}
	if webID == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	state, err := a.state.get()
	if err != nil {
		return err
	}
	var sent []delivery
	for _, d := range state.Deliveries {
		if d.Customer == webID && d.Location != "" {
			sent = append(sent, d)
		}
	}
	slices.SortFunc(sent, func(x, y delivery) int {
		return cmp.Or(y.Made.Compare(x.Made), cmp.Compare(x.Location, y.Location))
	})
	p, registered := a.registered(c)
	return a.show(w, r, http.StatusOK, "done", map[string]any{
		"Known": c.Person >= 0, "Registered": registered, "Person": p, "Sent": sent, "Server": a.Server, "Key": rand.Text(),
	})
}

var formKey = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// deposit puts the certificate into the person's pod now. The form's key makes
// two clicks one delivery.
func (a *Authority) deposit(w http.ResponseWriter, r *http.Request) error {
	webID, c, err := a.person(r)
	if err != nil {
		return err
	}
	key := r.PostFormValue("key")
	p, registered := a.registered(c)
	switch {
	case webID == "":
		return trouble{http.StatusBadRequest, "lost"}
	case !registered:
		return trouble{http.StatusConflict, "none"}
	case !formKey.MatchString(key):
		return trouble{http.StatusBadRequest, "lost"}
	}
	if err := a.deliver(r.Context(), webID, "form/"+webID+"/"+key, c.Deposit, p); err != nil {
		return err
	}
	http.Redirect(w, r, "/done", http.StatusSeeOther)
	return nil
}

// take answers a notification that somebody wants a certificate. We answer when
// it is there; if that takes too long, the server asks again, and what was begun
// is taken up.
func (a *Authority) take(ctx context.Context, event client.Event) int {
	text, ok := event.Events[a.term("EvidenceWanted")]
	if !ok { // more forms of what the person has: the same, if nothing has changed today
		text, ok = event.Events[a.term("FormsWanted")]
	}
	if !ok {
		return http.StatusAccepted // nothing that we act on
	}
	var wanted struct {
		Location string   `json:"location"`
		Types    []string `json:"evidence_types"`
	}
	state, err := a.state.get()
	c, known := state.Customers[event.WebID]
	p, registered := a.registered(c)
	switch {
	case err != nil:
		return http.StatusServiceUnavailable
	case json.Unmarshal(text, &wanted) != nil || !a.ours(wanted.Location):
		return http.StatusBadRequest
	case !known || !registered || !slices.Contains(wanted.Types, a.kind.ID):
		return http.StatusNotFound // we hold no such evidence
	}
	if err := a.deliver(ctx, event.WebID, "notice/"+event.WebID+"/"+event.ID, wanted.Location, p); err != nil {
		a.Log.Error("deliver", "error", err)
		return http.StatusServiceUnavailable
	}
	return http.StatusAccepted
}
