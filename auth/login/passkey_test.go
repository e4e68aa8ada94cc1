// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"skrin/auth"
	"skrin/auth/login"
)

// A passkeyWorld is a server with passkeys, at which /in signs Alva in otherwise.
type passkeyWorld struct {
	*login.Passkeys
	t     testing.TB
	base  string
	rp    virtualwebauthn.RelyingParty
	recs  *memory
	later time.Duration // than it is
}

func newPasskeyWorld(t testing.TB, limit int) *passkeyWorld {
	t.Helper()
	w := &passkeyWorld{t: t, recs: newMemory()}
	mux := http.NewServeMux()
	var sessions *login.Sessions
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = cmp.Or(r.Header.Get("X-Test-From"), r.RemoteAddr)
		sessions.Wrap(mux).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.base = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	w.rp = virtualwebauthn.RelyingParty{Name: "Skrin", ID: "localhost", Origin: w.base}
	sessions = newSessions(t, w.recs, w.base)
	var err error
	w.Passkeys, err = login.NewPasskeys(login.PasskeyOptions{
		Base: w.base, Service: "Skrin", Sessions: sessions, Records: w.recs, Limit: auth.NewLimiter(limit, time.Hour, 100, time.Now),
		Now: func() time.Time { return time.Now().Add(w.later) },
		Fail: func(rw http.ResponseWriter, _ *http.Request, err error) {
			if refused := new(login.Refusal); errors.As(err, &refused) {
				rw.Header().Set("Retry-After", fmt.Sprint(int(refused.Wait/time.Second)+1))
				rw.WriteHeader(refused.Status)
				return
			}
			t.Error(err)
			rw.WriteHeader(http.StatusInternalServerError)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/me/sign-in/passkey", w)
	mux.Handle("/me/sign-in/passkey/", w)
	mux.HandleFunc("/in", func(_ http.ResponseWriter, r *http.Request) {
		if err := sessions.SignIn(r, "alva", "loa3"); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/me/sign-in", func(rw http.ResponseWriter, r *http.Request) {
		id, _, level, _ := sessions.Person(r)
		_ = json.NewEncoder(rw).Encode(signedIn{id, level, r.FormValue("next"), r.FormValue("anew")})
	})
	return w
}

func newClient() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar}
}

func (w *passkeyWorld) post(browser *http.Client, path, body string) (string, int) {
	w.t.Helper()
	resp, err := browser.Post(w.base+"/me/sign-in/passkey"+path, "application/json", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text), resp.StatusCode
}

func (w *passkeyWorld) who(browser *http.Client) signedIn {
	w.t.Helper()
	resp, err := browser.Get(w.base + "/me/sign-in")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var in signedIn
	if err := json.NewDecoder(resp.Body).Decode(&in); err != nil {
		w.t.Fatal(err)
	}
	return in
}

// A device is a phone with one passkey.
type device struct {
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

// newCredential makes a key pair whose coordinates don't begin with a zero byte:
// the virtual device leaves such bytes out, and one in a hundred of its keys
// would be no key at all.
func newCredential(t testing.TB) virtualwebauthn.Credential {
	t.Helper()
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		parsed, err := x509.ParsePKCS8PrivateKey(c.Key.Data)
		if err != nil {
			t.Fatal(err)
		}
		point, err := parsed.(*ecdsa.PrivateKey).PublicKey.Bytes() // 4, x, y
		if err != nil {
			t.Fatal(err)
		}
		if point[1] != 0 && point[33] != 0 {
			return c
		}
	}
}

// add makes a passkey on a new device for whoever has signed in in the browser.
func (w *passkeyWorld) add(browser *http.Client) (*device, int) {
	w.t.Helper()
	asked, status := w.post(browser, "/add/begin", "")
	if status != http.StatusOK {
		return nil, status
	}
	options, err := virtualwebauthn.ParseAttestationOptions(asked)
	if err != nil {
		w.t.Fatal(err)
	}
	d := &device{virtualwebauthn.NewAuthenticator(), newCredential(w.t)}
	_, status = w.post(browser, "/add/finish", virtualwebauthn.CreateAttestationResponse(w.rp, d.auth, d.cred, *options))
	d.auth.Options.UserHandle = []byte(options.UserID)
	d.auth.AddCredential(d.cred)
	return d, status
}

// sign answers what the browser is asked by the server at the origin.
func (w *passkeyWorld) sign(browser *http.Client, d *device, origin string) string {
	w.t.Helper()
	asked, _ := w.post(browser, "/begin", "")
	options, err := virtualwebauthn.ParseAssertionOptions(asked)
	if err != nil {
		w.t.Fatal(err, asked)
	}
	rp := w.rp
	rp.Origin = origin
	return virtualwebauthn.CreateAssertionResponse(rp, d.auth, d.cred, *options)
}

func TestPasskeys(t *testing.T) {
	w := newPasskeyWorld(t, 1000)
	hers := newClient()
	if _, status := w.add(hers); status != http.StatusForbidden {
		t.Fatalf("nobody adds a passkey: %d", status)
	}
	if _, err := hers.Get(w.base + "/in"); err != nil {
		t.Fatal(err)
	}
	phone, status := w.add(hers)
	if status != http.StatusOK {
		t.Fatal(status)
	}
	laptop, _ := w.add(hers)
	for _, d := range []*device{phone, laptop} {
		browser := newClient()
		answer := w.sign(browser, d, w.base)
		if _, status := w.post(browser, "/finish", answer); status != http.StatusOK {
			t.Fatal(status)
		}
		if got := w.who(browser); got.Person != "alva" || got.Level != login.PasskeyLevel {
			t.Errorf("got %+v", got)
		}
		if _, status := w.post(browser, "/finish", answer); status != http.StatusForbidden {
			t.Errorf("the same answer again: %d", status)
		}
	}
	if list, err := w.List(t.Context(), "alva"); err != nil || len(list) != 2 || list[0].Used.IsZero() {
		t.Errorf("passkeys %v, %v", list, err)
	}
	for what, answer := range map[string]func(*http.Client) string{
		"of another site":     func(b *http.Client) string { return w.sign(b, phone, "https://evil.example") },
		"to another question": func(b *http.Client) string { a := w.sign(b, phone, w.base); w.post(b, "/begin", ""); return a },
		"to another browser":  func(*http.Client) string { return w.sign(newClient(), phone, w.base) },
		"without the person": func(b *http.Client) string {
			d := *phone
			d.auth.Options.UserNotVerified = true
			return w.sign(b, &d, w.base)
		},
		"of an unknown passkey": func(b *http.Client) string {
			d := *phone
			d.cred = newCredential(t)
			return w.sign(b, &d, w.base)
		},
		"of somebody unknown": func(b *http.Client) string {
			d := *phone
			d.auth.Options.UserHandle = []byte("x")
			return w.sign(b, &d, w.base)
		},
		"that is nothing": func(b *http.Client) string { w.post(b, "/begin", ""); return "{}" },
	} {
		browser := newClient()
		text, status := w.post(browser, "/finish", answer(browser))
		if status != http.StatusForbidden || text != "" || w.who(browser).Person != "" {
			t.Errorf("an answer %s: %d %q", what, status, text)
		}
	}
	list, _ := w.List(t.Context(), "alva")
	if err := w.Remove(t.Context(), "alva", list[0].ID); err != nil {
		t.Fatal(err)
	}
	browser := newClient()
	if _, status := w.post(browser, "/finish", w.sign(browser, phone, w.base)); status != http.StatusForbidden {
		t.Errorf("a passkey that was removed: %d", status)
	}
	if _, status := w.post(browser, "/finish", w.sign(browser, laptop, w.base)); status != http.StatusOK {
		t.Errorf("the other: %d", status)
	}
}

func TestThePageOfPasskeys(t *testing.T) {
	w := newPasskeyWorld(t, 1000)
	browser := newClient()
	page := func(method, path string) string {
		r, _ := http.NewRequest(method, w.base+"/me/sign-in/passkey"+path, nil)
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	if got := page("GET", "/add"); !strings.Contains(got, `"Next":"/me/sign-in/passkey/add"`) {
		t.Errorf("nobody has signed in: %s", got)
	}
	if got := page("POST", "/codes"); strings.Contains(got, "<code>") {
		t.Errorf("codes for nobody: %s", got)
	}
	if _, err := browser.Get(w.base + "/in"); err != nil {
		t.Fatal(err)
	}
	w.add(browser)
	if got := page("GET", "/add?lang=en"); !strings.Contains(got, "Number: 1") || strings.Contains(got, "<code>") {
		t.Errorf("the page: %s", got)
	}
	if got := page("POST", "/codes?lang=en"); strings.Count(got, "<code>") != 10 {
		t.Errorf("the codes: %s", got)
	}
	w.later = time.Hour
	if got := page("GET", "/add?lang=en"); !strings.Contains(got, `"Person":"alva"`) || !strings.Contains(got, `"Anew":"1"`) {
		t.Errorf("a link to the page, an hour later, ends the sign-in, or asks for none: %s", got)
	}
	w.later = 0
	if got := page("GET", "?lang=nn&next=/me/log"); !strings.Contains(got, "Bruk passkey") || !strings.Contains(got, "next=%2Fme%2Flog") {
		t.Errorf("the page to sign in: %s", got)
	}
}

func TestRecoveryCodes(t *testing.T) {
	w := newPasskeyWorld(t, 1000)
	codes, err := w.RecoveryCodes(t.Context(), "alva")
	if err != nil || len(codes) != 10 {
		t.Fatal(codes, err)
	}
	use := func(code string) (signedIn, int) {
		browser := newClient()
		resp, err := browser.PostForm(w.base+"/me/sign-in/passkey/recover?next=/me/log&lang=sv", url.Values{"code": {code}})
		if err != nil {
			t.Error(err)
			return signedIn{}, 0
		}
		resp.Body.Close()
		return w.who(browser), resp.StatusCode
	}
	if got, status := use(strings.ToLower(strings.ReplaceAll(codes[0], "-", " "))); status != 200 || got.Person != "alva" || got.Level != login.RecoveryLevel {
		t.Errorf("got %+v, %d", got, status)
	}
	for what, code := range map[string]string{"a used code": codes[0], "no code": "", "a guess": "AAAAA-AAAAA-AAAAA-AAAAA"} {
		if got, status := use(code); status != http.StatusUnprocessableEntity || got.Person != "" {
			t.Errorf("%s: %+v, %d", what, got, status)
		}
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, _ := use(codes[1]); got.Person != "" {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d used one code at once", won.Load())
	}
	if _, err := w.RecoveryCodes(t.Context(), "alva"); err != nil {
		t.Fatal(err)
	}
	if got, _ := use(codes[2]); got.Person != "" {
		t.Error("new codes leave the old ones good")
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	w := newPasskeyWorld(t, 5)
	browser := newClient()
	for i := range 7 {
		resp, err := browser.PostForm(w.base+"/me/sign-in/passkey/recover", url.Values{"code": {"x"}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if limited := resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != ""; limited != (i >= 5) {
			t.Errorf("attempt %d: %d", i, resp.StatusCode)
		}
	}
}

// from is a browser at an address.
type from string

func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Test-From", string(f)+":1")
	return http.DefaultTransport.RoundTrip(r)
}

// TestAnAccountsAttemptsAreLimited: also if they come from everywhere; and who
// signs in well has all of them again.
func TestAnAccountsAttemptsAreLimited(t *testing.T) {
	const limit = 6
	w := newPasskeyWorld(t, limit)
	hers := newClient()
	if _, err := hers.Get(w.base + "/in"); err != nil {
		t.Fatal(err)
	}
	d, status := w.add(hers)
	if status != http.StatusOK {
		t.Fatal(status)
	}
	host := 0
	try := func(origin string) int {
		host++
		browser := newClient()
		browser.Transport = from(fmt.Sprintf("192.0.2.%d", host))
		_, status := w.post(browser, "/finish", w.sign(browser, d, origin))
		return status
	}
	for range limit - 1 {
		if got := try("https://evil.example"); got != http.StatusForbidden {
			t.Fatal(got)
		}
	}
	if got := try(w.base); got != http.StatusOK {
		t.Fatalf("within the limit her own device is answered %d", got)
	}
	for range limit {
		try("https://evil.example")
	}
	if got := try(w.base); got != http.StatusForbidden {
		t.Errorf("after %d attempts from as many addresses, one more is answered %d", limit, got)
	}
}

// TestNobodyLearnsWhoHasAnAccount: an answer for somebody who isn't there is
// refused as one that is bad for somebody who is, by the same bytes.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	w, elsewhere := newPasskeyWorld(t, 1000), newPasskeyWorld(t, 1000)
	devices := map[string]*device{}
	for name, at := range map[string]*passkeyWorld{"of somebody who is here": w, "of nobody": elsewhere} {
		browser := newClient()
		if _, err := browser.Get(at.base + "/in"); err != nil {
			t.Fatal(err)
		}
		d, status := at.add(browser)
		if status != http.StatusOK {
			t.Fatal(status)
		}
		devices[name] = d
	}
	codes := map[string]string{}
	for name, d := range devices {
		browser := newClient()
		body, status := w.post(browser, "/finish", w.sign(browser, d, "https://evil.example"))
		codes[name] = fmt.Sprint(status, " ", body)
	}
	if codes["of nobody"] != codes["of somebody who is here"] || !strings.HasPrefix(codes["of nobody"], "403") {
		t.Errorf("the answers differ: %q", codes)
	}
	one, _ := w.post(newClient(), "/begin", "")
	two, _ := w.post(newClient(), "/begin", "")
	if len(one) != len(two) || strings.Contains(one, "allowCredentials") {
		t.Errorf("what is asked depends on somebody: %s", one)
	}
}

// FuzzPasskeyAnswer shows that no bytes sign anybody in, add a passkey, or make the
// server fail.
func FuzzPasskeyAnswer(f *testing.F) {
	w := newPasskeyWorld(f, 2_000_000)
	hers := newClient()
	if _, err := hers.Get(w.base + "/in"); err != nil {
		f.Fatal(err)
	}
	d, _ := w.add(hers)
	stranger := newClient()
	f.Add(w.sign(stranger, d, "https://evil.example"))
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA","authenticatorData":"","signature":"","userHandle":"AA"}}`)
	f.Add("{}")
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		for path, browser := range map[string]*http.Client{"/finish": stranger, "/add/finish": hers} {
			w.post(browser, strings.TrimSuffix(path, "finish")+"begin", "")
			if _, status := w.post(browser, path, body); status != http.StatusForbidden && status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d for %q", path, status, body)
			}
		}
	})
}
