// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth"
	"skrin/auth/authtest"
	"skrin/auth/login"
)

const clientsDir = "../../fixtures/clients"

// An eidWorld is a server where one signs in by an eID.
type eidWorld struct {
	*authtest.EID
	t      *testing.T
	base   string
	mux    *http.ServeMux
	o      login.EIDOptions
	vault  *login.Vault
	failed error

	renumbered []string // who has another number
	refused    []string // where she was going, and the levels that were asked for
}

func newEIDWorld(t *testing.T, profile login.Profile, least string, byKey bool) *eidWorld {
	t.Helper()
	w := &eidWorld{t: t}
	mux := http.NewServeMux()
	records := newMemory()
	var sessions *login.Sessions
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { sessions.Wrap(mux).ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	w.base = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	sessions = newSessions(t, records, w.base)
	var err error
	if w.vault, err = login.NewVault(login.VaultOptions{Records: records, Key: []byte(strings.Repeat("k", 32)), Now: time.Now, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	o := login.EIDOptions{
		Name: "Prov-eID", Path: "prov-eid", Client: "skrin", Profile: profile, Least: least, Base: w.base, Vault: w.vault, Sessions: sessions,
		Records: records, HTTP: auth.Guarded(true), Limit: auth.NewLimiter(1000, time.Second, 100, time.Now), Now: time.Now,
		Fail: func(rw http.ResponseWriter, _ *http.Request, err error) {
			if refused := new(login.Refusal); errors.As(err, &refused) {
				rw.Header().Set("Retry-After", fmt.Sprint(int(refused.Wait/time.Second)+1))
				rw.WriteHeader(refused.Status)
				return
			}
			w.failed = err
			rw.WriteHeader(http.StatusBadGateway)
		},
		Renumbered: func(_ context.Context, person string) error { w.renumbered = append(w.renumbered, person); return nil },
		Refuse: func(rw http.ResponseWriter, _ *http.Request, next string, levels []string, err error) {
			w.failed, w.refused = err, append([]string{next}, levels...)
			rw.WriteHeader(http.StatusForbidden)
		},
	}
	names := []string{}
	for _, c := range profile.Claims {
		names = append(names, c.Name)
	}
	config := map[string]any{
		"client": "skrin", "redirect": w.base + "/me/sign-in/prov-eid/back", "scope": append([]string{}, profile.Scopes...), "names": names, "levels": profile.Levels,
	}
	if byKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o.Key = jose.JSONWebKey{Key: key, KeyID: "1", Algorithm: "ES256", Use: "sig"}
		config["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{o.Key.Public()}}
	} else {
		o.Secret = "TEST-secret-of-the-eid"
		config["secret"] = o.Secret
	}
	w.EID = authtest.StartEID(t, clientsDir, config)
	o.Issuer = w.Issuer
	eid, err := login.NewEID(o)
	if err != nil {
		t.Fatal(err)
	}
	w.mux, w.o = mux, o
	mux.Handle("/me/sign-in/prov-eid", eid)
	mux.Handle("/me/sign-in/prov-eid/", eid)
	mux.HandleFunc("/me/sign-in", func(rw http.ResponseWriter, r *http.Request) {
		id, _, level, _ := sessions.Person(r)
		_ = json.NewEncoder(rw).Encode(signedIn{Person: id, Level: level, Next: r.FormValue("next")})
	})
	return w
}

type signedIn struct{ Person, Level, Next, Anew string }

// signIn signs in with a fresh browser.
func (w *eidWorld) signIn(query string) (signedIn, int) {
	w.t.Helper()
	jar, _ := cookiejar.New(nil)
	return w.get(&http.Client{Jar: jar}, w.base+"/me/sign-in/prov-eid?next=/me/log&lang=sv"+query)
}

func (w *eidWorld) get(browser *http.Client, address string) (signedIn, int) {
	w.t.Helper()
	resp, err := browser.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var in signedIn
	_ = json.Unmarshal(body, &in) // a failure is no JSON
	return in, resp.StatusCode
}

const (
	swedish = "https://id.oidc.se/claim/"
	loa     = "http://id.elegnamnden.se/loa/1.0/"
)

func TestASwedishEID(t *testing.T) {
	w := newEIDWorld(t, login.SwedishProfile(), loa+"loa3", true)
	w.Is("x1", loa+"loa3", map[string]any{swedish + "personalIdentityNumber": "199001012385"})
	first, status := w.signIn("")
	want, err := w.vault.Person(t.Context(), "se:personnummer", "199001012385")
	if err != nil || first.Person != want || first.Level != loa+"loa3" || first.Next != "/me/log" {
		t.Fatalf("got %+v, %d, %v, want %s", first, status, w.failed, want)
	}
	if again, _ := w.signIn(""); again.Person != first.Person {
		t.Errorf("the next time she is %s", again.Person)
	}
	if got, _ := w.signIn("&level=" + url.QueryEscape(loa+"loa4")); got.Person != "" {
		t.Errorf("loa3 is enough for what asks for loa4: %+v", got)
	}
	if !errors.Is(w.failed, login.ErrTooLow) || !slices.Equal(w.refused, []string{"/me/log", loa + "loa4"}) {
		t.Errorf("she is told %v, of %v", w.failed, w.refused)
	}
	w.Is("x1", loa+"loa4", map[string]any{swedish + "personalIdentityNumber": "199001012385"})
	if got, _ := w.signIn("&level=" + url.QueryEscape(loa+"loa4")); got.Person != first.Person || got.Level != loa+"loa4" {
		t.Errorf("stepped up: %+v, %v", got, w.failed)
	}
	for what, row := range map[string]struct {
		acr    string
		claims map[string]any
	}{
		"a level that is too low":      {loa + "loa2", map[string]any{swedish + "personalIdentityNumber": "199001012385"}},
		"no number":                    {loa + "loa3", nil},
		"a number with a hyphen":       {loa + "loa3", map[string]any{swedish + "personalIdentityNumber": "19900101-2385"}},
		"a number that isn't text":     {loa + "loa3", map[string]any{swedish + "personalIdentityNumber": 199001012385}},
		"only a number of former days": {loa + "loa3", map[string]any{swedish + "previousCoordinationNumber": "199001612385"}},
	} {
		w.Is("x2", row.acr, row.claims)
		got, status := w.signIn("")
		if got.Person != "" || status != http.StatusForbidden || errors.Is(w.failed, login.ErrTooLow) != (what == "a level that is too low") || w.failed == nil || strings.Contains(w.failed.Error(), "1990") {
			t.Errorf("%s: %+v, %d, %v", what, got, status, w.failed)
		}
	}
}

// A newcomer has a coordination number first, and a personal number later.
func TestANumberThatChangesLosesNobody(t *testing.T) {
	w := newEIDWorld(t, login.SwedishProfile(), loa+"loa2", false)
	w.Is("n1", loa+"loa2", map[string]any{swedish + "coordinationNumber": "199001612385"})
	newcomer, _ := w.signIn("")
	w.Is("n2", loa+"loa3", map[string]any{swedish + "personalIdentityNumber": "199001012385", swedish + "previousCoordinationNumber": "199001612385"})
	if resident, _ := w.signIn(""); resident.Person != newcomer.Person || newcomer.Person == "" {
		t.Fatalf("%+v became %+v, %v", newcomer, resident, w.failed)
	}
	if w.signIn(""); !slices.Equal(w.renumbered, []string{newcomer.Person}) {
		t.Errorf("told of the change: %v", w.renumbered)
	}
	if number, err := w.vault.Number(t.Context(), newcomer.Person, "se:personnummer"); err != nil || number != "199001012385" {
		t.Errorf("the number is %s, %v", number, err)
	}
	w.Is("n1", loa+"loa2", map[string]any{swedish + "coordinationNumber": "199001612385"})
	if got, _ := w.signIn(""); got.Person != "" {
		t.Errorf("the old number still signs in: %+v", got)
	}
}

func TestANorwegianEID(t *testing.T) {
	w := newEIDWorld(t, login.NorwegianProfile(), "idporten-loa-substantial", false)
	for number, scheme := range map[string]string{"17912099997": "no:fodselsnummer", "57912075186": "no:dnummer"} {
		w.Is("x", "idporten-loa-high", map[string]any{"pid": number})
		got, _ := w.signIn("")
		if want, err := w.vault.Person(t.Context(), scheme, number); err != nil || got.Person != want {
			t.Errorf("%s: got %+v, %v %v", scheme, got, err, w.failed)
		}
	}
}

func TestAnyOpenIDProvider(t *testing.T) {
	w := newEIDWorld(t, login.GenericProfile("oidc:example", "low", "high"), "", false)
	w.Is("somebody", "low", nil)
	got, _ := w.signIn("")
	if want, err := w.vault.Person(t.Context(), "oidc:example", "somebody"); err != nil || got.Person != want {
		t.Errorf("got %+v, %v %v", got, err, w.failed)
	}
	w.Declines()
	if got, status := w.signIn(""); got.Person != "" || status != 200 || got.Next != "/me/log" {
		t.Errorf("she thinks better of it: %+v, %d", got, status)
	}
}

func TestAnAnswerOfTheEIDBelongsToTheBrowserAndIsGoodOnce(t *testing.T) {
	w := newEIDWorld(t, login.GenericProfile("oidc:example", "low"), "", false)
	w.Is("somebody", "low", nil)
	back := ""
	jar, _ := cookiejar.New(nil)
	hers := &http.Client{Jar: jar}
	hers.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.Contains(r.URL.Path, "/back") {
			back = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	w.get(hers, w.base+"/me/sign-in/prov-eid?next=/me/")
	hers.CheckRedirect = nil
	if back == "" {
		t.Fatal("she did not come back")
	}
	other, _ := cookiejar.New(nil)
	if got, _ := w.get(&http.Client{Jar: other}, back); got.Person != "" {
		t.Errorf("another browser: %+v", got)
	}
	mallorys := &http.Client{Jar: other}
	w.get(&http.Client{Jar: other, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, w.base+"/me/sign-in/prov-eid")
	if got, _ := w.get(mallorys, back); got.Person != "" {
		t.Errorf("another browser, with a cookie of its own: %+v", got)
	}
	u, _ := url.Parse(back)
	before := jar.Cookies(u)
	if got, status := w.get(hers, back); got.Person == "" {
		t.Errorf("her own browser: %d, %v", status, w.failed)
	}
	if got, _ := w.get(hers, strings.Replace(back, "state=", "state=x", 1)); got.Next != "" {
		t.Errorf("another state: %+v", got)
	}
	fresh, _ := cookiejar.New(nil)
	fresh.SetCookies(u, before)
	if got, status := w.get(&http.Client{Jar: fresh}, back); status != http.StatusOK || got.Next != "" || got.Person != "" {
		t.Errorf("a second time, the eID is asked: %+v, %d", got, status)
	}
}

// TestAnAnswerOfTheEIDIsForTheOneThatWasAsked: what was begun at one eID doesn't end
// at another, which knows nothing of the levels that the first demands.
func TestAnAnswerOfTheEIDIsForTheOneThatWasAsked(t *testing.T) {
	w := newEIDWorld(t, login.GenericProfile("oidc:example", "low", "high"), "high", false)
	other := w.o
	other.Path, other.Profile, other.Least = "other-eid", login.GenericProfile("oidc:other", "1", "2"), "2"
	eid, err := login.NewEID(other)
	if err != nil {
		t.Fatal(err)
	}
	w.mux.Handle("/me/sign-in/other-eid", eid)
	w.Is("somebody", "low", nil)
	jar, _ := cookiejar.New(nil)
	to := ""
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		to = r.URL.String()
		return http.ErrUseLastResponse
	}}
	w.get(browser, w.base+"/me/sign-in/other-eid")
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("acr_values") != "2" {
		t.Fatalf("sent to %s, %v", to, err)
	}
	q := u.Query()
	q.Del("acr_values")
	q.Set("redirect_uri", w.base+"/me/sign-in/prov-eid/back")
	u.RawQuery = q.Encode()
	browser.CheckRedirect = nil
	if got, status := w.get(browser, u.String()); got.Person != "" {
		t.Errorf("signed in as %+v, %d", got, status)
	}
}
