// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/ldp/rdf"
	"skrin/pod/credential"
)

// An office is the authority, open, and the server that it knows.
type office struct {
	*place
	s   *skrin
	dir string
	log bytes.Buffer
	a   *Authority
}

func newOffice(t *testing.T) *office {
	o := &office{place: newPlace(t), s: newSkrin(t), dir: t.TempDir()}
	o.open(t)
	return o
}

// open starts the authority, anew if it was open.
func (o *office) open(t *testing.T) {
	t.Helper()
	if o.a != nil {
		o.a.Close()
	}
	a, err := NewAuthority(options(t, o.s, o.place, "af", o.dir, &o.log))
	if err != nil {
		t.Fatal(err)
	}
	o.a = a
	o.serve(a.Handler())
	t.Cleanup(a.Close)
}

func person(t *testing.T, short string) Person {
	t.Helper()
	i := slices.IndexFunc(People(), func(p Person) bool { return p.Short == short })
	if i < 0 {
		t.Fatalf("%s is not in the cast", short)
	}
	return People()[i]
}

var keyField = regexp.MustCompile(`name="key" value="([A-Z2-7]{26})"`)

func TestAPersonConnectsAndTheAuthorityDelivers(t *testing.T) {
	o := newOffice(t)
	alva := person(t, "alva")
	o.s.number = alva.Number
	b := newBrowser(t)
	status, page := b.press(o.URL+"/connect", nil)
	if status != 200 || !strings.Contains(page, "Alva Lindqvist, du är inskriven som arbetssökande sedan den 1 oktober 2026.") {
		t.Fatalf("after connecting: %d %s", status, page)
	}
	if len(o.s.deposits) != 0 || !strings.Contains(page, "inte lämnat något intyg") {
		t.Error("something was delivered before anyone asked for it")
	}
	key := url.Values{"key": {keyField.FindStringSubmatch(page)[1]}}
	for range 2 {
		if status, page = b.press(o.URL+"/deposit", key); status != 200 || !strings.Contains(page, "lämnat den 21 november 2026") {
			t.Errorf("after delivery: %d %s", status, page)
		}
	}
	if len(o.s.deposits) != 1 {
		t.Fatalf("two clicks made %d deliveries", len(o.s.deposits))
	}
	checkCertificate(t, o, o.s.deposits[0].body)
	o.open(t)
	if _, page = b.get(o.URL + "/done"); !strings.Contains(page, "lämnat den 21 november 2026") {
		t.Error("a restart forgot what was delivered")
	}
	if _, page := newBrowser(t).get(o.URL + "/done"); strings.Contains(page, "Alva") {
		t.Error("another browser is shown who she is")
	}
	searchNumbers(t, o.dir, o.log.String(), o.s.deposits[0].body, page)
}

// checkCertificate reads a deposit as the server does.

// Who comes from a question on the server connects, and is back at it; nobody is
// led anywhere else.
func TestAConnectionThatBeginsAtTheServer(t *testing.T) {
	o := newOffice(t)
	o.s.number = person(t, "alva").Number
	for _, row := range []struct {
		what, iss, target string
		status            int
		end               string
	}{
		{"from a question, and back to it", o.s.URL, o.s.URL + "/me/answer/x", 303, o.s.URL + "/me/answer/x"},
		{"from nowhere in particular", o.s.URL, "", 200, o.URL + "/done"},
		{"to another site", o.s.URL, "https://evil.example/", 400, ""},
		{"to a site with a name that begins the same", o.s.URL, o.s.URL + ".evil.example/", 400, ""},
		{"for another server", "https://evil.example", o.s.URL + "/me/answer/x", 400, ""},
	} {
		b := newBrowser(t)
		b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/me/answer/x" {
				return http.ErrUseLastResponse // we are there
			}
			return nil
		}
		resp, err := b.Get(o.URL + "/connect?" + url.Values{"iss": {row.iss}, "target_link_uri": {row.target}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if end := cmp.Or(resp.Header.Get("Location"), resp.Request.URL.String()); resp.StatusCode != row.status || row.end != "" && end != row.end {
			t.Errorf("%s: %d at %s", row.what, resp.StatusCode, end)
		}
	}
}

func checkCertificate(t *testing.T, o *office, body string) {
	t.Helper()
	at := o.s.URL + "/w/abc/deposit/"
	g, err := rdf.Read(t.Context(), []byte(body), rdf.Turtle, at, rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	it := rdf.IRI(at + "#evidence")
	if !g.Has(it, rdf.IRI(rdfType), rdf.IRI(cccev+"Evidence")) || !g.Has(it, rdf.IRI(dct+"conformsTo"), rdf.IRI("https://af.example.se/evidence#arbetsloshetsintyg")) {
		t.Errorf("it is no certificate:\n%s", body)
	}
	forms := g.Objects(it, rdf.IRI(o.s.URL+"/ns/core#signedForm"))
	if len(forms) != 8 {
		t.Errorf("%d signed forms", len(forms))
	}
	keys := o.a.Keys()
	for _, form := range forms {
		c, err := credential.Parse(form.Value)
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.Verify(func(string, string) (jose.JSONWebKey, error) { return keys.Keys[0], nil }, o.s.clock(),
			credential.Want{Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: o.URL})
		if err != nil {
			t.Fatal(err)
		}
		if v.Claims["registered"] != true || v.Claims["registration_date"] != "2026-10-01" || v.Claims["registered_at_least_30_days"] != true {
			t.Errorf("it says %v", v.Claims)
		}
		if day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC); !v.Issued.Equal(day) || !v.Expires.Equal(day.AddDate(0, 0, 30)) {
			t.Errorf("it is good from %s to %s", v.Issued, v.Expires)
		}
	}
	for name, value := range map[string]rdf.Term{
		"registered": rdf.Bool(true), "registrationDate": rdf.Typed("2026-10-01", "http://www.w3.org/2001/XMLSchema#date"), "registered30days": rdf.Bool(true),
	} {
		values := g.Subjects(rdf.IRI(cccev+"providesValueFor"), rdf.IRI("https://af.example.se/evidence#"+name))
		if len(values) != 1 || !g.Has(values[0], rdf.IRI(cccev+"value"), value) || !g.Has(it, rdf.IRI(cccev+"supportsValue"), values[0]) {
			t.Errorf("the linked data does not say %s of %s", value, name)
		}
	}
	if strings.Contains(body, "card") {
		t.Error("the certificate names the person's WebID")
	}
}

// searchNumbers finds personal numbers where none may be.
func searchNumbers(t *testing.T, dir string, texts ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", d.Name(), info.Mode())
		}
		text, err := os.ReadFile(path)
		texts = append(texts, string(text))
		return err
	})
	if err != nil || len(texts) < 3 {
		t.Fatal("nothing to search", err)
	}
	for _, p := range People() {
		for _, text := range texts {
			if strings.Contains(text, p.Number) || strings.Contains(text, p.Number[2:]) {
				t.Errorf("the number of %s is in %.80s…", p.Short, text)
			}
		}
	}
}

func TestWhetherThirtyDaysHavePassed(t *testing.T) {
	o := newOffice(t)
	for _, row := range []struct {
		who, today string
		registered bool
		thirty     bool
	}{
		{"alva", "2026-09-30", false, false}, // the day before
		{"alva", "2026-10-01", true, false},
		{"alva", "2026-10-30", true, false},
		{"alva", "2026-10-31", true, true},
		{"britt", "2026-11-21", true, false},
		{"nils", "2026-11-21", false, false},
	} {
		day, _ := time.Parse(time.DateOnly, row.today)
		o.s.now = day.Add(23 * time.Hour)
		i := slices.IndexFunc(People(), func(p Person) bool { return p.Short == row.who })
		p, ok := o.a.registered(customer{Person: i})
		if ok != row.registered {
			t.Errorf("%s on %s: registered = %t", row.who, row.today, ok)
		}
		if ok && o.a.facts(p)[2].Value != row.thirty {
			t.Errorf("%s on %s: thirty days = %v", row.who, row.today, o.a.facts(p)[2].Value)
		}
	}
}

func TestTheAuthorityDeliversWhenItIsAsked(t *testing.T) {
	o := newOffice(t)
	wanted := map[string]any{"location": o.s.URL + "/w/abc/deposit/", "evidence_types": []string{"se:af:arbetsloshetsintyg:1"}}
	want := func(why, id string, says map[string]any, status, deposits int) {
		t.Helper()
		if got := o.s.notify(o.URL, "af", id, "EvidenceWanted", says); got != status {
			t.Errorf("%s: answered %d, not %d", why, got, status)
		}
		if len(o.s.deposits) != deposits {
			t.Errorf("%s: %d deposits, not %d", why, len(o.s.deposits), deposits)
		}
	}
	want("of somebody who is not connected", "e1", wanted, 404, 0)
	o.s.number = person(t, "nils").Number
	newBrowser(t).press(o.URL+"/connect", nil)
	want("of Nils, who is not registered", "e2", wanted, 404, 0)
	o.s.number = ""
	o.a.register = append(o.a.register, Person{Name: "No Number", Registered: o.s.now.AddDate(-1, 0, 0)})
	newBrowser(t).press(o.URL+"/connect", nil)
	want("of somebody without a number", "e3", wanted, 404, 0)
	o.s.number = person(t, "alva").Number
	newBrowser(t).press(o.URL+"/connect", nil)
	want("another type", "e4", map[string]any{"location": wanted["location"], "evidence_types": []string{"x"}}, 404, 0)
	want("to be put elsewhere", "e5", map[string]any{"location": "https://evil.example/", "evidence_types": wanted["evidence_types"]}, 400, 0)
	if got := o.s.notify(o.URL, "somebody-else", "e6", "EvidenceWanted", wanted); got != 400 {
		t.Errorf("for another audience: answered %d", got)
	}
	if got := o.s.notify(o.URL, "af", "e7", "SomethingElse", wanted); got != 202 {
		t.Errorf("an event that we don't act on: answered %d", got)
	}
	o.s.status = 503
	want("the server is out of order", "e8", wanted, 503, 1)
	o.open(t)
	o.s.status = 200
	want("asked again, after a restart", "e8", wanted, 202, 2)
	if o.s.deposits[0] != o.s.deposits[1] {
		t.Error("the second try is not the same as the first: it would be delivered twice")
	}
	want("asked once more", "e8", wanted, 202, 2)
	want("asked for a new one", "e9", wanted, 202, 3)
	o.s.status = 403
	want("the server refuses", "e10", wanted, 503, 4)
	o.s.status = 200
	want("and then does not", "e10", wanted, 202, 5)
	if o.s.deposits[3].body == o.s.deposits[4].body {
		t.Error("what was refused is sent again as it was")
	}
	searchNumbers(t, o.dir, o.log.String(), o.s.deposits[0].body)
}

func TestANotificationIsTakenOnce(t *testing.T) {
	o := newOffice(t)
	answer, taken := http.StatusServiceUnavailable, 0
	o.serve(o.a.wrap(o.a.notices(o.a.client, func(context.Context, client.Event) int { taken++; return answer })))
	for _, row := range []struct {
		id     string
		status int
		taken  int
	}{{"e1", 503, 1}, {"e1", 202, 2}, {"e1", 202, 2}, {"e2", 202, 3}} {
		answer = row.status
		if got := o.s.notify(o.URL, "af", row.id, "EvidenceWanted", nil); got != row.status || taken != row.taken {
			t.Errorf("%+v: answered %d, taken %d times", row, got, taken)
		}
	}
}

func TestAPersonDoesNotConnect(t *testing.T) {
	o := newOffice(t)
	o.s.decline = true
	b := newBrowser(t)
	if status, page := b.press(o.URL+"/connect", nil); status != 200 || !strings.Contains(page, "helt i sin ordning") {
		t.Errorf("declined: %d %s", status, page)
	}
	if status, page := b.get(o.URL + "/callback?state=x&code=y&iss=" + o.s.URL); status != 400 || !strings.Contains(page, "Vi hittar inte ditt ärende") {
		t.Errorf("an answer to nothing: %d %s", status, page)
	}
	if status, _ := b.press(o.URL+"/deposit", nil); status != 400 {
		t.Errorf("delivery for somebody unknown: %d", status)
	}
	req, _ := http.NewRequest(http.MethodPost, o.URL+"/connect", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if resp, err := b.Do(req); err != nil || resp.StatusCode != 403 {
		t.Errorf("a form of another site: %v %v", resp.Status, err)
	}
	o.s.Close()
	if status, page := b.press(o.URL+"/connect", nil); status != 502 || !strings.Contains(page, "Vi når inte din profil") {
		t.Errorf("the server is away: %d %s", status, page)
	}
}

// A company is the insurer, open, with the authority that it trusts.
type company struct {
	*place
	*office
	dir    string
	log    bytes.Buffer
	in     *Insurer
	holder jose.JSONWebKey // the person's
	signed *credential.Credential
}

func newCompany(t *testing.T) *company {
	c := &company{place: newPlace(t), office: newOffice(t), dir: t.TempDir()}
	c.open(t)
	return c
}

func (c *company) open(t *testing.T) {
	t.Helper()
	if c.in != nil {
		c.in.Close()
	}
	in, err := NewInsurer(options(t, c.s, c.place, "forsakring", c.dir, &c.log), Trusted{c.office.URL, c.a.Keys()})
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	c.place.serve(in.Handler())
	t.Cleanup(in.Close)
}

// hold puts evidence where the insurer will read it, signed with the key, and bound
// to a key of the person's, with which whoever asks for proof is answered.
func (c *company) hold(t *testing.T, key jose.JSONWebKey, show ...string) {
	t.Helper()
	facts := c.a.facts(person(t, "alva"))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.holder = jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256)}
	public := c.holder.Public()
	form, err := credential.Issue(key, credential.Statement{
		Type: c.a.kind.VCT, Issuer: c.office.URL, Claims: facts, Issued: c.a.today(), Expires: c.a.today().Add(goodFor), Decoys: 3, HolderKey: &public,
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := credential.Parse(form)
	if err != nil {
		t.Fatal(err)
	}
	if signed, err = signed.Present(show...); err != nil {
		t.Fatal(err)
	}
	turtle, err := rdf.Write(c.a.graph(facts, c.s.URL+"/w/abc/evidence/e1"), rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.s.evidence = map[string]string{"application/dc+sd-jwt": signed.String(), "text/turtle": string(turtle)}
	c.signed = signed
	c.proves("forsakring", "", 0)
}

// proves says what answers a read that asks for proof: one to the audience, with
// the nonce ("" for the one that was asked for), made so long ago.
func (c *company) proves(audience, nonce string, ago time.Duration) {
	c.s.prove = func(asked string) string {
		proven, err := c.signed.Bind(c.holder, audience, cmp.Or(nonce, asked), c.s.now.Add(-ago))
		return cmp.Or(proven, fmt.Sprint(err))
	}
}

func TestAPersonLetsTheInsurerReadAndWithdraws(t *testing.T) {
	c := newCompany(t)
	c.hold(t, c.a.key, theFact, "registered")
	at := c.place.URL
	b := newBrowser(t)
	status, page := b.press(at+"/claims", nil)
	if status != 200 || !strings.Contains(page, "Du uppfyller villkoret") || !strings.Contains(page, `<dd id="registered_at_least_30_days">Ja</dd>`) {
		t.Fatalf("after the consent: %d %s", status, page)
	}
	for _, words := range []string{"den 21 november 2026 och giltigt till den 21 december 2026", "till och med den 20 maj 2027"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if status, _ := newBrowser(t).get(at + "/claims/4711"); status != 404 {
		t.Errorf("another browser sees the claim: %d", status)
	}
	if status, page = b.press(at+"/claims/4711/read", url.Values{"as": {"turtle"}}); status != 200 || !strings.Contains(page, "providesValueFor") {
		t.Errorf("read as linked data: %d %s", status, page)
	}
	c.open(t)
	if _, page = b.get(at + "/claims/4711"); !strings.Contains(page, "Du uppfyller villkoret") {
		t.Error("a restart forgot the claim")
	}
	withdrawal := map[string]any{"location": c.s.URL + "/w/abc/evidence/e1", "consent": "c1", "reference": "skade/4711", "erase_by": "2026-12-21"}
	other := map[string]any{"location": withdrawal["location"], "consent": "c2"}
	if got := c.s.notify(at, "forsakring", "w1", "ConsentWithdrawn", other); got != 202 {
		t.Errorf("another consent: answered %d", got)
	}
	c.s.about = c.s.URL + "/w/xyz/card#me"
	if got := c.s.notify(at, "forsakring", "w1b", "ConsentWithdrawn", withdrawal); got != 202 {
		t.Errorf("another person's: answered %d", got)
	}
	c.s.about = ""
	if _, page = b.get(at + "/claims/4711"); !strings.Contains(page, "Du uppfyller villkoret") {
		t.Error("the withdrawal of another consent, or another person's, erased this one")
	}
	for range 2 {
		if got := c.s.notify(at, "forsakring", "w2", "ConsentWithdrawn", withdrawal); got != 202 {
			t.Errorf("withdrawn: answered %d", got)
		}
	}
	c.s.status = 403
	for _, what := range []string{"", "/read"} {
		if what == "" {
			_, page = b.get(at + "/claims/4711")
		} else {
			_, page = b.press(at+"/claims/4711"+what, nil)
		}
		for _, words := range []string{"Åtkomsten har upphört", "Du har återkallat", "Vi raderade det vi hade läst. Det skedde den 21 november 2026", "Det skulle ske senast den 21 december 2026"} {
			if !strings.Contains(page, words) {
				t.Errorf("after the withdrawal and %q the page does not say %q", what, words)
			}
		}
	}
	if !strings.Contains(page, "nekades") {
		t.Error("the page does not tell that the read was refused")
	}
	kept, err := os.ReadFile(filepath.Join(c.dir, "claims.json"))
	if err != nil || bytes.Contains(kept, []byte("providesValueFor")) || bytes.Contains(kept, []byte(theFact+`":true`)) {
		t.Errorf("the insurer kept %s, %v", kept, err)
	}
	searchNumbers(t, c.dir, c.log.String(), page)
}

// What comes of a read that something overtakes.
func TestAReadIsOvertaken(t *testing.T) {
	c := newCompany(t)
	c.hold(t, c.a.key, theFact)
	newBrowser(t).press(c.place.URL+"/claims", nil)
	for what, row := range map[string]struct {
		meanwhile func(*claim)
		kept      bool
	}{
		"nothing":      {func(*claim) {}, true},
		"a withdrawal": {func(c *claim) { c.State, c.Facts = withdrawn, nil }, false},
		"a new answer": {func(c *claim) { c.State, c.Facts, c.Consent = granted, nil, "c2" }, false},
	} {
		state, _ := c.in.state.get()
		before := state.Claims["4711"]
		if err := c.in.change("4711", row.meanwhile); err != nil {
			t.Fatal(err)
		}
		if err := c.in.read(t.Context(), before, false); err != nil {
			t.Fatal(err)
		}
		state, _ = c.in.state.get()
		if kept := state.Claims["4711"].Facts != nil; kept != row.kept {
			t.Errorf("%s: kept = %t", what, kept)
		}
		if err := c.in.change("4711", func(c *claim) { *c = before }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATokenGoesNowhereElse(t *testing.T) {
	c := newCompany(t)
	c.s.place = c.office.URL
	if status, _ := newBrowser(t).press(c.office.URL+"/connect", nil); status != 502 {
		t.Errorf("the authority was sent elsewhere: %d", status)
	}
	if status, _ := newBrowser(t).press(c.place.URL+"/claims", nil); status != 502 {
		t.Errorf("the insurer was sent elsewhere: %d", status)
	}
}

func TestAnAnswerIsTakenOnceAndByOneBrowser(t *testing.T) {
	o := newOffice(t)
	o.s.number = person(t, "alva").Number
	b, other := newBrowser(t), newBrowser(t)
	at, _ := url.Parse(o.URL)
	var callback string
	b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == "/callback" {
			callback = req.URL.String()
			other.Jar.SetCookies(at, b.Jar.Cookies(at)) // somebody knows the cookie, or planted it
		}
		return nil
	}
	if status, page := b.press(o.URL+"/connect", nil); status != 200 || !strings.Contains(page, "Alva") {
		t.Fatalf("%d %s", status, page)
	}
	if _, page := other.get(o.URL + "/done"); strings.Contains(page, "Alva") {
		t.Error("who knew the cookie before sees what is new")
	}
	if status, _ := b.get(callback); status != 400 {
		t.Errorf("the same answer again: %d", status)
	}
}

func TestTheInsurerIsRefused(t *testing.T) {
	c := newCompany(t)
	c.hold(t, c.a.key, theFact)
	at := c.place.URL
	b := newBrowser(t)
	b.press(at+"/claims", nil)
	c.s.status = 403
	if _, page := b.press(at+"/claims/4711/read", nil); !strings.Contains(page, "Åtkomsten har upphört") || strings.Contains(page, "<dd") {
		t.Errorf("refused: %s", page)
	}
	c.s.status = 503
	if status, page := b.press(at+"/claims/4711/read", nil); status != 502 || !strings.Contains(page, "Vi når inte din profil") {
		t.Errorf("the server is out of order: %d %s", status, page)
	}
	c.s.decline = true
	if _, page := b.press(at+"/claims", nil); !strings.Contains(page, "Ärende 4712") || !strings.Contains(page, "Du delade inte ditt intyg") {
		t.Errorf("declined: %s", page)
	}
	if status, _ := b.press(at+"/claims/4712/read", nil); status != 409 {
		t.Errorf("a read of what was not granted: %d", status)
	}
	c.s.decline, c.s.status = false, 200
	if _, page := b.press(at+"/claims/4712/ask", nil); !strings.Contains(page, "Du uppfyller villkoret") {
		t.Errorf("asked again: %s", page)
	}
}

func TestTheInsurerBelievesNothingElse(t *testing.T) {
	c := newCompany(t)
	at := c.place.URL
	forger := c.a.key
	forger.Key = c.s.key.Key
	now := c.s.now
	for what, prepare := range map[string]func(){
		"signed by another": func() { c.hold(t, forger, theFact) },
		"expired":           func() { c.hold(t, c.a.key, theFact); c.s.now = c.s.now.AddDate(0, 0, 40) },
		"without the fact":  func() { c.hold(t, c.a.key, "registered") },
		"not a credential":  func() { c.s.prove = func(string) string { return "<p>hello" } },
		"nothing":           func() { c.s.prove = func(string) string { return "" } },
		"without proof":     func() { c.hold(t, c.a.key, theFact); c.s.prove = func(string) string { return c.signed.String() } },
		"proven to another": func() { c.hold(t, c.a.key, theFact); c.proves("another", "", 0) },
		"proven before":     func() { c.hold(t, c.a.key, theFact); c.proves("forsakring", "an older nonce", 0) },
		"proven long ago":   func() { c.hold(t, c.a.key, theFact); c.proves("forsakring", "", 2*proofLife) },
		"bound to no key":   func() { c.hold(t, c.a.key, theFact); c.s.prove = nil },
	} {
		c.s.now = now
		prepare()
		if _, page := newBrowser(t).press(at+"/claims", nil); !strings.Contains(page, "Vi kan inte lita på svaret") || strings.Contains(page, "<dd") {
			t.Errorf("%s: %s", what, page)
		}
	}
	c.hold(t, c.a.key, theFact)
	b := newBrowser(t)
	b.press(at+"/claims", nil)
	c.s.evidence["text/turtle"] = strings.ReplaceAll(c.s.evidence["text/turtle"], "true", "false")
	if _, page := b.press(at+"/claims/4721/read", url.Values{"as": {"turtle"}}); !strings.Contains(page, "Vi kan inte lita på svaret") {
		t.Errorf("linked data that says something else than what is signed: %s", page)
	}
}

func TestItDoesNotStart(t *testing.T) {
	o := newOffice(t)
	for why, spoil := range map[string]func(*Options){
		"no origin":            func(p *Options) { p.Origin = "" },
		"an origin with path":  func(p *Options) { p.Origin += "/" },
		"no server":            func(p *Options) { p.Server = "" },
		"no id":                func(p *Options) { p.ID = "" },
		"no clock":             func(p *Options) { p.Now = nil },
		"a directory's a file": func(p *Options) { p.Dir = filepath.Join(o.dir, "TEST-key.json") },
	} {
		p := options(t, o.s, o.place, "af", t.TempDir(), &o.log)
		spoil(&p)
		if _, err := NewAuthority(p); err == nil {
			t.Errorf("%s: it started", why)
		}
	}
	if _, err := NewInsurer(options(t, o.s, o.place, "x", t.TempDir(), &o.log), Trusted{}); err == nil {
		t.Error("an insurer started that trusts nobody")
	}
}
