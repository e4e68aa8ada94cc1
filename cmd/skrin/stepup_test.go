// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"skrin/auth/authtest"
	"skrin/auth/login"
	"skrin/cmd/skrin/demo"
	"skrin/fixtures"
	"skrin/pod/registry"
)

const loa2, loa3 = "http://id.elegnamnden.se/loa/1.0/loa2", "http://id.elegnamnden.se/loa/1.0/loa3"

// A strangersEID plays an eID of the Swedish profile.
type strangersEID struct{ *authtest.EID }

func startEID(t *testing.T, base string) strangersEID {
	t.Helper()
	p := login.SwedishProfile()
	return strangersEID{authtest.StartEID(t, clientsDir, map[string]any{
		"client": "skrin", "secret": "TEST", "redirect": base + "/me/sign-in/prov-eid/back", "scope": p.Scopes, "names": []string{p.Claims[0].Name}, "levels": p.Levels,
	})}
}

// is makes the next one who signs in the person with the number, at the level.
func (e strangersEID) is(number, level string) {
	e.Is("x", level, map[string]any{login.SwedishProfile().Claims[0].Name: number})
}

// startWithSteps starts the demo with a second eID, and with what needs its level.
func startWithSteps(t *testing.T, needs map[string][]string) (*running, strangersEID) {
	t.Helper()
	var eid strangersEID
	dir := t.TempDir()
	r := start(t, dir, func(ctx context.Context, log *slog.Logger) (*town, error) {
		w, err := newTown(ctx, dir, 0, keep{}, log)
		if err != nil {
			return nil, err
		}
		eid = startEID(t, w.Base)
		w.EIDs, w.Steps = filepath.Join(dir, "eids"), filepath.Join(dir, "steps.json")
		write(t, filepath.Join(w.EIDs, "prov.json"), map[string]string{
			"id": "prov-eid", "name": "Prov-eID", "issuer": eid.Issuer, "client_id": "skrin", "client_secret": "TEST", "profile": "sweden",
		})
		write(t, w.Steps, needs)
		levels, err := w.ladders()
		if err != nil {
			return nil, err
		}
		if w.steps, err = loadSteps(w.Steps, levels, w.types); err != nil {
			return nil, err
		}
		if err := w.joinProvider(ctx); err != nil {
			return nil, err
		}
		return w, w.joinHandler(ctx)
	})
	return r, eid
}

// TestStepUp: who has signed in, but not surely enough for what she is about to
// do, is sent to sign in again, and comes back to where she was; what needs no
// more goes on. The eID is a real OpenID provider that isn't ours.
func TestStepUp(t *testing.T) {
	const certificate = "se:af:arbetsloshetsintyg:1"
	r, eid := startWithSteps(t, map[string][]string{answerType + certificate: {loa3}, "export": {loa2}, "passkey": {loa3}})
	b := newBrowser(t)
	b.open(r.Base + "/me/")
	b.signIn("Alva Lindqvist")
	b.open(r.Base + "/me/sharing")
	b.sees("Dela")
	alva := numberOf(t, "Alva")

	b.open(r.origins[1])
	b.press("Spara intyg till min profil")
	b.sees("logga in igen", "Prov-eID")
	if b.says("Exempel-eID") || b.says("Vill du ansluta") {
		t.Errorf("the page is %s", b.text())
	}
	t.Run("at too low a level she comes no further", func(t *testing.T) {
		eid.is(alva, loa2)
		b.press("Logga in med Prov-eID")
		b.sees("Den inloggningen räckte inte", "Prov-eID visade inte tillräckligt säkert vem du är", "säkraste sättet")
		if b.status != http.StatusForbidden || b.says("Exempel-eID") {
			t.Errorf("%d, and the page is %s", b.status, b.text())
		}
	})
	eid.is(alva, loa3)
	b.press("Logga in med Prov-eID")
	b.sees("Vill du ansluta dig till Arbetsförmedlingen (exempel)?")
	b.press("Ja, anslut")
	b.sees("Din profil är ansluten")

	t.Run("a form is no way around the page", func(t *testing.T) {
		low := newBrowser(t)
		low.open(r.Base + "/me/")
		low.signIn("Alva Lindqvist")
		low.open(r.origins[1])
		low.press("Spara intyg till min profil")
		low.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		ask := low.at.Query().Get("next")
		req, _ := http.NewRequest("POST", r.Base+ask, strings.NewReader("answer=yes"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := low.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		to := resp.Header.Get("Location")
		if !strings.HasPrefix(ask, "/me/answer/") || resp.StatusCode != 303 || !strings.HasPrefix(to, "/me/sign-in?") || !strings.Contains(to, "loa3") {
			t.Errorf("posted to %q, she is answered %d and sent to %s", ask, resp.StatusCode, to)
		}
	})
	t.Run("a higher level is enough for what needs a lower", func(t *testing.T) {
		b.open(r.Base + "/me/log/export")
		if b.says("logga in igen") {
			t.Error("with level 3, what needs level 2 asks again")
		}
	})
}

// TestStepUpForAnother: what takes a level for oneself takes it for another too.
func TestStepUpForAnother(t *testing.T) {
	for _, row := range []struct{ path, own, mandate string }{
		{"/me/for/m1/requests/r1", "/me/requests/r1", "m1"},
		{"/me/for/m1/sharing", "/me/sharing", "m1"},
		{"/me/for/m1", "/me/", "m1"},
		{"/me/requests/r1", "/me/requests/r1", ""},
		{"/me/forms", "/me/forms", ""},
	} {
		if own, mandate := forWhom(row.path); own != row.own || mandate != row.mandate {
			t.Errorf("%s is %s by %q; want %s by %q", row.path, own, mandate, row.own, row.mandate)
		}
	}
}

// TestStepUpForWhatComesAlong: where a party asks and would answer with evidence of
// its own, either may need a level, also where the question is opened from the
// overview.
func TestStepUpForWhatComesAlong(t *testing.T) {
	r, _ := startWithSteps(t, map[string][]string{answerType + "no:udi:oppholdstillatelse:1": {loa3}})
	text, err := fixtures.Files.ReadFile("parties/udi.json")
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), `"home":`, `"jwks_uri": "https://udi.example.no/jwks", "home":`, 1))
	if _, _, err := r.server.register.Add(t.Context(), text, "", false); err != nil {
		t.Fatal(said(err))
	}
	b := newBrowser(t)
	b.open(r.Base + "/me/")
	b.signIn("Alva Lindqvist")
	id, err := r.pod.Begin(t.Context(), r.owner("Alva Lindqvist"), "k", "udi", []json.RawMessage{
		json.RawMessage(`{"type":"evidence_request","use":"arbeid-2026","evidence_type":"no:arbeidsgiver:ansettelsestilbud:1","fields":["salary_at_least_floor"],
			"purpose":"https://w3id.org/dpv#PublicBenefit","until":"` + time.Now().AddDate(0, 0, 5).Format(time.DateOnly) + `"}`),
		json.RawMessage(`{"type":"evidence_deposit","evidence_types":["no:udi:oppholdstillatelse:1"]}`),
	})
	if err != nil {
		t.Fatal(said(err))
	}
	b.open(r.Base + "/me/requests/" + id)
	b.sees("logga in igen", "Prov-eID")
}

// TestAClientAsksForASureOrFreshSignIn: an app that asks for a level, or for a
// sign-in anew, has the person sign in again, whoever she is in this browser, and
// gets its code after that; a level that nobody here has is left out.
func TestAClientAsksForASureOrFreshSignIn(t *testing.T) {
	r, eid := startWithSteps(t, nil)
	alva := numberOf(t, "Alva")
	client := registerApp(t, r.Base)
	ask := func(more url.Values) string {
		q := url.Values{
			"client_id": {client}, "redirect_uri": {"https://app.example/back"}, "response_type": {"code"}, "scope": {"openid webid"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
		}
		maps.Copy(q, more)
		return r.Base + "/.oidc/authorize?" + q.Encode()
	}
	b := newBrowser(t)
	b.open(ask(url.Values{"acr_values": {"urn:nobody " + loa3}}))
	b.sees("Prov-eID")
	if b.says("Exempel-eID") {
		t.Errorf("a stranger is asked to sign in in ways that don't reach: %s", b.text())
	}
	eid.is(alva, loa3)
	b.press("Logga in med Prov-eID")
	b.sees("Anteckningar")

	b = newBrowser(t)
	b.open(r.Base + "/me/")
	b.signIn("Alva Lindqvist")
	b.open(ask(url.Values{"acr_values": {"urn:nobody"}}))
	b.sees("Anteckningar")
	b.open(ask(url.Values{"max_age": {"600"}}))
	b.sees("Anteckningar")
	b.open(ask(url.Values{"acr_values": {loa2}}))
	b.sees("logga in igen", "Prov-eID")
	eid.is(alva, loa2)
	b.press("Logga in med Prov-eID")
	b.sees("Anteckningar")
	time.Sleep(1100 * time.Millisecond) // a sign-in is known to the second
	b.open(ask(url.Values{"prompt": {"login"}}))
	b.sees("Logga in med Exempel-eID")
	b.press("Logga in med Prov-eID")
	b.sees("Anteckningar")
	time.Sleep(1100 * time.Millisecond)
	b.open(ask(url.Values{"max_age": {"0"}}))
	b.sees("Logga in med Exempel-eID")
}

// registerApp registers a Solid app, and returns its client_id.
func registerApp(t *testing.T, base string) string {
	t.Helper()
	resp, err := http.Post(base+"/.oidc/register", "application/json", strings.NewReader(`{"client_name": "Anteckningar",
		"redirect_uris": ["https://app.example/back"], "scope": "openid webid", "token_endpoint_auth_method": "none"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.ID == "" {
		t.Fatal(resp.Status, err)
	}
	return said.ID
}

func numberOf(t *testing.T, name string) string {
	t.Helper()
	people := demo.People()
	i := slices.IndexFunc(people, func(p demo.Person) bool { return strings.HasPrefix(p.Name, name) })
	if i < 0 {
		t.Fatal(name)
	}
	return people[i].Number
}

// TestStepsThatProtectNothingStopTheServer: a level or an action that isn't known
// would protect nothing.
func TestStepsThatProtectNothingStopTheServer(t *testing.T) {
	types, err := registry.LoadCatalogue(fixtures.Files, "types")
	if err != nil {
		t.Fatal(err)
	}
	levels := login.Levels{login.OwnLevels(), login.SwedishProfile().Levels, login.NorwegianProfile().Levels}
	for text, ok := range map[string]bool{
		`{"erase": ["` + loa3 + `", "idporten-loa-high"], "answer:se:af:arbetsloshetsintyg:1": ["` + loa2 + `"]}`: true,
		`{"passkey": ["urn:skrin:level:passkey"]}`:                                                                true,
		`{}`:                                   true,
		`{"everything": ["` + loa3 + `"]}`:     false,
		`{"answer:nothing": ["` + loa3 + `"]}`: false,
		`{"erase": ["loa3"]}`:                  false,
		`{"erase": []}`:                        false,
		`{"erase": "loa3"}`:                    false,
		``:                                     false,
	} {
		s := steps{levels: levels}
		if err := s.read([]byte(text), types); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, row := range []struct {
		level  string
		enough []string
		want   bool
	}{
		{loa3, []string{loa3}, true}, {loa3, []string{loa2}, true}, {loa2, []string{loa3}, false},
		{"idporten-loa-high", []string{loa2}, false}, {"idporten-loa-high", []string{loa3, "idporten-loa-substantial"}, true},
		{login.PasskeyLevel, []string{loa2}, false}, {login.RecoveryLevel, []string{login.PasskeyLevel}, false},
		{"", []string{loa2}, false}, {"unknown", []string{"unknown"}, false}, {loa3, nil, false},
	} {
		if got := levels.Reach(row.level, row.enough); got != row.want {
			t.Errorf("%q for %q: %t", row.level, row.enough, got)
		}
	}
}
