// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/auth/login"
	"skrin/cmd/skrin/unlink"
	"skrin/ldp"
	"skrin/ldp/client"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/leak"
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// A crowd is a server with many people, each of whom shares the same evidence
// with the same recipients, who keep all that they receive. What the people do
// is in no order that one recipient could learn from another; and it is done
// through the pod's methods, as the pages do it, while the recipients, and the
// browsers that they send here, go through HTTP.
type crowd struct {
	*server
	issuer     registry.Party
	key        jose.JSONWebKey // the issuer's
	recipients []*recipient
	persons    []*member
	lists      *httptest.Server // the issuer's status lists
	listed     []*credential.StatusList
	tokens     []atomic.Pointer[string]   // the lists, signed
	given      map[credential.Status]bool // places that it has given out
	doors      *login.Sessions            // where people have signed in, by the pod's clock
	clock      atomic.Pointer[time.Time]  // the pod's; nil for the real one
	stop       func() error
}

// A member of the crowd.
type member struct {
	who      acl.Agent
	released string
	browser  *surfer
}

// A recipient keeps all that it receives.
type recipient struct {
	id       string
	party    registry.Party
	client   *client.Client
	hook     *httptest.Server
	mu       sync.Mutex
	dossiers []unlink.Dossier
	spaces   map[string]int // person by what the recipient knows: the space's id
	back     string         // where browsers come back to
	at       []string       // URL of the evidence, by person
	consents []string
}

const (
	crowdType  = "se:af:arbetsloshetsintyg:1"
	crowdForms = 2 // more forms than recipients
)

func newCrowd(ctx context.Context, dir string, persons, recipients int, by leak.Channel, log *slog.Logger) (*crowd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	crand.Read(key)
	base := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	w := &crowd{}
	if w.server, err = newServer(ctx, config{Base: base, Dir: dir, Key: key, Demo: true, Token: 10 * time.Minute}, log); err != nil {
		return nil, err
	}
	w.pod.Leak, w.pod.Now = by, w.time
	w.persons = make([]*member, persons)
	if w.doors, err = login.NewSessions(login.SessionOptions{Records: w.records, Base: w.Base, Now: w.time, Fail: w.failed}); err != nil {
		return nil, err
	}
	if err := w.registerIssuer(); err != nil {
		return nil, err
	}
	for i := range recipients {
		if err := w.registerRecipient("mottagare-"+strconv.Itoa(i), persons, true); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(ctx, l) }()
	w.stop = func() error { cancel(); return <-ended }
	return w, nil
}

// time is the pod's.
func (w *crowd) time() time.Time {
	if t := w.clock.Load(); t != nil {
		return *t
	}
	return time.Now()
}

func (w *crowd) set(t time.Time) { w.clock.Store(&t) }

func (w *crowd) close() error {
	err := w.stop()
	for _, r := range w.recipients {
		r.hook.Close()
	}
	w.lists.Close()
	if e := w.server.Close(); err == nil {
		err = e
	}
	return err
}

func crowdKey(id string) (jose.JSONWebKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	return jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"}, err
}

func (w *crowd) registerIssuer() (err error) {
	b, err := registration("arbetsformedlingen")
	if err != nil {
		return err
	}
	if w.issuer, err = registry.ReadParty(b, w.Base); err != nil {
		return err
	}
	if w.key, err = crowdKey("af-1"); err != nil {
		return err
	}
	if err := w.publish(); err != nil {
		return err
	}
	w.issuer.Keys.Keys, w.issuer.Notify = []jose.JSONWebKey{w.key.Public()}, ""
	return w.parties.Add(w.issuer)
}

// registerRecipient registers a consumer, which may hear notifications.
func (w *crowd) registerRecipient(id string, persons int, hears bool) error {
	b, err := registration("exempel-forsakring")
	if err != nil {
		return err
	}
	p, err := registry.ReadParty(bytes.ReplaceAll(b, []byte(`"exempel-forsakring"`), []byte(strconv.Quote(id))), w.Base)
	if err != nil {
		return err
	}
	key, err := crowdKey(id + "-1")
	if err != nil {
		return err
	}
	proofs, err := dpop.NewKey()
	if err != nil {
		return err
	}
	r := &recipient{id: id, spaces: map[string]int{}, dossiers: make([]unlink.Dossier, persons), at: make([]string, persons), consents: make([]string, persons)}
	r.client = &client.Client{HTTP: &http.Client{Timeout: 30 * time.Second}, Issuer: w.Base, ID: id, Key: key, DPoP: proofs, Now: time.Now}
	p.Keys.Keys, p.Notify, r.back = []jose.JSONWebKey{key.Public()}, "", p.Redirects[0]
	if hears {
		r.hook = httptest.NewServer(http.HandlerFunc(r.told))
		p.Notify = r.hook.URL
	}
	r.party = p
	w.recipients = append(w.recipients, r)
	return w.parties.Add(p)
}

// live has the people connect, get evidence, share it and withdraw, and the
// recipients read and be refused.
func (w *crowd) live(ctx context.Context) error {
	now := time.Now().UTC()
	for i := range w.persons {
		if err := w.settle(ctx, i, now); err != nil {
			return fmt.Errorf("person %d: %w", i, err)
		}
		w.set(now.Add(-time.Duration(rand.Int64N(int64(time.Hour))))) // and answers all in this hour
		browser, err := w.signIn("person-" + strconv.Itoa(i))
		if err != nil {
			return fmt.Errorf("person %d: %w", i, err)
		}
		w.persons[i].browser = browser
	}
	for _, r := range w.recipients {
		for _, i := range rand.Perm(len(w.persons)) {
			w.set(now.Add(-time.Duration(rand.Int64N(int64(20 * time.Hour)))))
			if err := w.visits(ctx, r, i, now); err != nil {
				return fmt.Errorf("person %d, %s: %w", i, r.id, err)
			}
		}
	}
	w.clock.Store(nil)
	if err := w.everyOne(func(r *recipient, i int) error { return w.reads(ctx, r, i) }); err != nil {
		return err
	}
	if err := w.everyOne(func(r *recipient, i int) error { return w.withdraws(ctx, r, i) }); err != nil {
		return err
	}
	return w.allTold(ctx)
}

// everyOne does something for all recipients and persons in random order, four
// at a time.
func (w *crowd) everyOne(do func(*recipient, int) error) error {
	n := len(w.persons)
	order := rand.Perm(n * len(w.recipients))
	jobs := make(chan int)
	errs := make(chan error, len(order))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for k := range jobs {
				if err := do(w.recipients[k/n], k%n); err != nil {
					errs <- fmt.Errorf("person %d, %s: %w", k%n, w.recipients[k/n].id, err)
				}
			}
		})
	}
	for _, k := range order {
		jobs <- k
	}
	close(jobs)
	wg.Wait()
	close(errs)
	return <-errs
}

// agent is a party's back end.
func (w *crowd) agent(id string) acl.Agent {
	return acl.Agent{ID: acl.WebID(w.Base + "/.parties/" + id + "#org"), Client: id, Issuer: w.Base}
}

// settle makes a person with evidence, some day in the last weeks.
func (w *crowd) settle(ctx context.Context, i int, now time.Time) error {
	issued := now.AddDate(0, 0, -5*(1+rand.IntN(4))).Truncate(24 * time.Hour)
	w.set(issued.Add(time.Duration(rand.Int64N(int64(24 * time.Hour)))))
	who, err := w.pod.Make(ctx, "person-"+strconv.Itoa(i))
	if err != nil {
		return err
	}
	return w.furnish(ctx, i, who, issued)
}

// furnish has the issuer deposit evidence with somebody who has a pod.
func (w *crowd) furnish(ctx context.Context, i int, who acl.Agent, issued time.Time) error {
	out, err := w.answer(ctx, who, "connect"+crand.Text(), w.issuer.ID, consent.Detail{Type: consent.ToDeposit, EvidenceTypes: []string{crowdType}})
	if err != nil {
		return err
	}
	where, err := locationIn(out)
	if err != nil {
		return err
	}
	registered, long := rand.IntN(4) > 0, rand.IntN(2) > 0
	deposit := ldp.ID(strings.TrimPrefix(where, w.Base))
	holders, err := w.holders(ctx, deposit.Parent()+"keys/")
	if err != nil {
		return err
	}
	forms, err := w.forms(issued, registered, long, holders)
	if err != nil {
		return err
	}
	w.persons[i] = &member{who: who, released: fmt.Sprint(issued, registered, long)}
	body := strings.Join(forms, "\n")
	_, err = w.pod.Post(ctx, w.agent(w.issuer.ID), ldp.Post{
		ID: deposit, Type: credential.MediaType, Body: strings.NewReader(body), Size: int64(len(body)),
	})
	return err
}

// holders are keys that a person's pod makes for the issuer.
func (w *crowd) holders(ctx context.Context, at ldp.ID) ([]jose.JSONWebKey, error) {
	body := fmt.Sprintf(`{"count":%d}`, len(w.recipients)+crowdForms)
	done, err := w.pod.Post(ctx, w.agent(w.issuer.ID), ldp.Post{ID: at, Type: "application/json", Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	err = json.Unmarshal(done.Receipt, &set)
	return set.Keys, err
}

// forms are signed forms of one statement, each bound to a key of its own, and with
// its own place in a status list, unless that is the leak.
func (w *crowd) forms(issued time.Time, registered, long bool, holders []jose.JSONWebKey) ([]string, error) {
	var all []string
	since := issued.AddDate(0, 0, -rand.IntN(300)).Format(time.DateOnly)
	places := w.spread(len(holders))
	for i, holder := range holders {
		if w.pod.Leak == leak.Holder {
			holder = holders[0]
		}
		form, err := credential.Issue(w.key, credential.Statement{
			Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: w.issuer.Issuer, Issued: issued, Expires: issued.AddDate(0, 0, 60), Decoys: 5, HolderKey: &holder,
			Status: w.status(places, i),
			Claims: []credential.Claim{{Name: "registered", Value: registered}, {Name: "registered_at_least_30_days", Value: long},
				{Name: "registration_date", Value: since}},
		})
		if err != nil {
			return nil, err
		}
		all = append(all, form)
	}
	return all, nil
}

// crowdLists is how many status lists the issuer has.
const crowdLists = 32

// spread returns n places for the forms of one evidence, in lists at random, unless
// one list or one place for all is the leak.
func (w *crowd) spread(n int) []credential.Status {
	all := make([]credential.Status, n)
	if w.lists == nil {
		return all
	}
	for i := range all {
		list := rand.IntN(crowdLists)
		switch {
		case w.pod.Leak == leak.Status && i > 0:
			all[i] = all[0]
			continue
		case w.pod.Leak == leak.List && i > 0:
			list = w.listOf(all[0])
		case i > 0 && i == n-1: // not all in one, which would be refused
			list = (w.listOf(all[0]) + 1 + rand.IntN(crowdLists-1)) % crowdLists
		}
		all[i] = w.place(list)
	}
	rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// place is a random one in a status list, that no other form has and next to
// which none stands.
func (w *crowd) place(list int) credential.Status {
	for {
		at := credential.Status{URI: w.listed[list].URI, Index: 2 * rand.IntN(w.listed[list].Len()/2)}
		if !w.given[at] {
			w.given[at] = true
			return at
		}
	}
}

// listOf returns the number of the list of a place.
func (w *crowd) listOf(at credential.Status) int {
	return slices.IndexFunc(w.listed, func(l *credential.StatusList) bool { return l.URI == at.URI })
}

// status is the ith of the places; nil where there are no lists.
func (w *crowd) status(places []credential.Status, i int) *credential.Status {
	if w.lists == nil {
		return nil
	}
	return &places[i]
}

// publish serves the issuer's status lists, in which nothing is revoked: on
// loopback, which a server that is itself at https would not ask.
func (w *crowd) publish() error {
	if strings.HasPrefix(w.Base, "https://") {
		return nil
	}
	w.given, w.tokens = map[credential.Status]bool{}, make([]atomic.Pointer[string], crowdLists)
	mux := http.NewServeMux()
	w.lists = httptest.NewServer(mux)
	now := time.Now()
	var uris []string
	for i := range crowdLists {
		list := credential.NewStatusList(fmt.Sprintf("%s/%d", w.lists.URL, i), 0)
		list.Issued, list.Expires = now.AddDate(0, -2, 0), now.AddDate(1, 0, 0) // the pod's clock goes back and forth
		token, err := list.Sign(w.key)
		if err != nil {
			return err
		}
		w.tokens[i].Store(&token)
		w.listed, uris = append(w.listed, list), append(uris, list.URI)
		mux.HandleFunc(fmt.Sprintf("/%d", i), func(out http.ResponseWriter, _ *http.Request) { io.WriteString(out, *w.tokens[i].Load()) })
	}
	aggregation, err := json.Marshal(map[string][]string{"status_lists": uris})
	mux.HandleFunc("/", func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(aggregation) })
	w.issuer.StatusLists = w.lists.URL + "/"
	return err
}

// revoke publishes the lists with what was set at these places meanwhile.
func (w *crowd) revoke(places ...credential.Status) error {
	for _, at := range places {
		i := w.listOf(at)
		w.listed[i].Set(at.Index, credential.Invalid)
		token, err := w.listed[i].Sign(w.key)
		if err != nil {
			return err
		}
		w.tokens[i].Store(&token)
	}
	return nil
}

// answer asks a person and agrees for the person.
func (w *crowd) answer(ctx context.Context, who acl.Agent, key, party string, d consent.Detail) (consent.Outcome, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return consent.Outcome{}, err
	}
	id, err := w.pod.Begin(ctx, who, key, party, []json.RawMessage{b})
	if err != nil {
		return consent.Outcome{}, err
	}
	o, err := w.pod.Offer(ctx, who, id)
	if err != nil {
		return consent.Outcome{}, err
	}
	a := consent.Answer{Agree: true, Lang: "sv"}
	if d.Type == consent.ToRead {
		a.Evidence, a.Shown = o.Choices[0].Evidence.ID, o.Choices[0].Shown
		a.Optional = []string{"registered"}
	}
	return w.pod.Answer(ctx, who, id, a)
}

func locationIn(out consent.Outcome) (string, error) {
	var d consent.Detail
	if err := json.Unmarshal(out.Details[0], &d); err != nil {
		return "", err
	}
	return d.Locations[0], nil
}

// share has a person agree to a recipient's request.
func (w *crowd) share(ctx context.Context, r *recipient, i int, now time.Time) error {
	out, err := w.answer(ctx, w.persons[i].who, r.id+crand.Text(), r.id, asked(now)) // a stage is begun again, and asks again
	if err != nil {
		return err
	}
	return w.granted(r, i, out.Subject, out.Details[0])
}

// granted notes what a recipient was granted.
func (w *crowd) granted(r *recipient, i int, subject string, detail json.RawMessage) error {
	var d consent.Detail
	if err := json.Unmarshal(detail, &d); err != nil {
		return err
	}
	r.at[i], r.consents[i], r.spaces[subject] = d.Locations[0], d.Consent, i
	r.dossiers[i] = unlink.Dossier{Person: i, Released: w.persons[i].released, Got: map[string][]string{}}
	return nil
}

// visits has a person come to a recipient's site, be sent here, where she has signed
// in, and come back with her yes, which the recipient exchanges for what it is told
// of her.
func (w *crowd) visits(ctx context.Context, r *recipient, i int, now time.Time) error {
	detail, err := json.Marshal(asked(now))
	if err != nil {
		return err
	}
	pending, err := r.client.Begin(ctx, client.AuthorizationRequest{RedirectURI: r.back, Scope: "openid webid", Details: []json.RawMessage{detail}})
	if err != nil {
		return err
	}
	back, err := w.agrees(ctx, r, i, pending.URL, asked(now))
	if err != nil {
		return err
	}
	tokens, err := r.client.Finish(ctx, pending, back)
	if err != nil {
		return err
	}
	var details []json.RawMessage
	if err := json.Unmarshal(tokens.AuthorizationDetails, &details); err != nil {
		return err
	}
	if err := w.granted(r, i, tokens.IDToken.Subject, details[0]); err != nil {
		return err
	}
	var claims json.RawMessage
	if err := tokens.IDToken.Claims(&claims); err != nil {
		return err
	}
	r.keep(i, "answer", back.Encode())
	r.keepMembers(i, "answer ID token", claims)
	r.keepMembers(i, "answer details", details[0])
	return nil
}

// agrees goes with a person's browser to where a recipient sends it, and agrees, by
// the method that the page would call. It returns what the browser brings back.
func (w *crowd) agrees(ctx context.Context, r *recipient, i int, address string, d consent.Detail) (url.Values, error) {
	p := w.persons[i]
	question, err := p.browser.sent(ctx, address)
	if err != nil {
		return nil, err
	}
	if _, err := w.answer(ctx, p.who, path.Base(question), r.id, d); err != nil {
		return nil, err
	}
	next, err := p.browser.sent(ctx, question)
	if err != nil {
		return nil, err
	}
	back, err := p.browser.sent(ctx, next)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, r.back) {
		return nil, fmt.Errorf("sent back to %q: %w", back, err)
	}
	return at.Query(), nil
}

// A surfer is a person's browser, which goes where it is told and shows nothing.
type surfer struct{ http.Client }

// signIn gives a person a browser in which she has signed in, at the clock's time.
func (w *crowd) signIn(person string) (*surfer, error) {
	answer := httptest.NewRecorder()
	var err error
	w.doors.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		err = w.doors.SignIn(r, person, "")
	})).ServeHTTP(answer, httptest.NewRequest("POST", w.Base+"/", nil))
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	here, err := url.Parse(w.Base)
	if err != nil {
		return nil, err
	}
	jar.SetCookies(here, answer.Result().Cookies())
	return &surfer{http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// sent opens a page and returns where it sends the browser.
func (s *surfer) sent(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return "", err
	}
	resp, err := s.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	to := resp.Header.Get("Location")
	if _, later, ok := strings.Cut(resp.Header.Get("Refresh"), "url="); ok {
		to = later
	}
	next, err := req.URL.Parse(to)
	if err != nil || to == "" {
		return "", fmt.Errorf("%s: %s, and not sent on", req.URL.Path, resp.Status)
	}
	return next.String(), nil
}

// asked is what a recipient asks of somebody.
func asked(now time.Time) consent.Detail {
	return consent.Detail{
		Type: consent.ToRead, Reference: "case-" + strconv.Itoa(rand.Int()), Use: "ink-2026", EvidenceType: crowdType, Fields: []string{"registered_at_least_30_days"},
		Optional: []string{"registered"}, Purpose: "https://w3id.org/dpv#CustomerClaimsManagement", Until: now.AddDate(0, 0, 30).Format(time.DateOnly), Standing: true,
	}
}

// keep adds to what is known of a person.
func (r *recipient) keep(i int, channel, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dossiers[i].Got[channel] = append(r.dossiers[i].Got[channel], value)
}

// reads has a recipient get all that it can of a person, and try what it can't.
func (w *crowd) reads(ctx context.Context, r *recipient, i int) error {
	at := r.at[i]
	space := at[:strings.Index(at, "/evidence/")]
	tag := ""
	for _, q := range []struct{ name, method, url, accept, want string }{
		{"turtle", "GET", at, pod.TypeTurtle, "200"},
		{"json-ld", "GET", at, pod.TypeJSONLD, "200"},
		{"sd-jwt", "GET", at, credential.MediaType, "200"},
		{"proven", "GET", at, credential.MediaType, "200"},
		{"head", "HEAD", at, pod.TypeTurtle, "200"},
		{"list", "GET", space + "/evidence/", pod.TypeTurtle, "200"},
		{"card", "GET", space + "/card", pod.TypeTurtle, "200"},
		{"unchanged", "GET", at, pod.TypeTurtle, "304"},
		{"wrong accept", "GET", at, "image/png", "406"},
		{"foreign path", "GET", at + "x", pod.TypeTurtle, "403"},
		{"deposit", "POST", space + "/deposit/", pod.TypeTurtle, "403"},
		{"delete", "DELETE", at, pod.TypeTurtle, "405"},
		{"options", "OPTIONS", at, pod.TypeTurtle, "204"},
	} {
		status, etag, err := r.request(ctx, i, q.name, q.method, q.url, q.accept, map[bool]string{true: tag}[q.name == "unchanged"])
		if err != nil {
			return err
		}
		if status != q.want && q.want[0] == '2' {
			return fmt.Errorf("%s: %s, not %s", q.name, status, q.want)
		}
		if q.name == "turtle" {
			tag = etag
		}
	}
	return nil
}

// request sends a request as the recipient and keeps all of the answer.
func (r *recipient) request(ctx context.Context, i int, name, method, address, accept, tag string) (status, etag string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Accept", accept)
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	if name == "proven" {
		req.Header.Set("Presentation-Nonce", crand.Text())
	}
	began := time.Now()
	resp, err := r.client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	r.keep(i, name+" took", strconv.FormatInt(time.Since(began).Microseconds(), 10))
	r.keep(i, name+" at", strconv.FormatInt(began.UnixMicro(), 10))
	r.keep(i, name+" status", resp.Status)
	for header, values := range resp.Header {
		r.keep(i, name+" header "+header, strings.Join(values, ", "))
	}
	r.keep(i, name+" body", string(body))
	if accept == credential.MediaType && resp.StatusCode == http.StatusOK {
		r.keepJWT(i, name, string(body))
	}
	return strconv.Itoa(resp.StatusCode), resp.Header.Get("Etag"), nil
}

// keepJWT keeps the decoded parts of what is a JWT, or an SD-JWT.
func (r *recipient) keepJWT(i int, name, compact string) {
	parts := strings.FieldsFunc(compact, func(c rune) bool { return c == '.' || c == '~' })
	for k, part := range parts {
		if b, err := base64.RawURLEncoding.DecodeString(part); err == nil && k != 2 {
			r.keepMembers(i, name+" part "+strconv.Itoa(min(k, 3)), b)
		} else {
			r.keep(i, name+" part "+strconv.Itoa(k), part)
		}
	}
}

// keepMembers keeps each member of a JSON object, and of those in it, on its own.
func (r *recipient) keepMembers(i int, name string, object []byte) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		r.keep(i, name, string(object)) // it is no object
		return
	}
	for member, value := range members {
		r.keepMembers(i, name+" "+member, value)
	}
}

// told takes a notification.
func (r *recipient) told(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	var token struct {
		Subject struct{ URI string } `json:"sub_id"`
	}
	parts := strings.Split(string(body), ".")
	if err == nil && len(parts) == 3 {
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		err = json.Unmarshal(payload, &token)
	}
	_, rest, _ := strings.Cut(token.Subject.URI, "/w/")
	space, _, _ := strings.Cut(rest, "/")
	i, ok := r.spaces[space]
	if err != nil || !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.keep(i, "notice at", strconv.FormatInt(time.Now().UnixMicro(), 10))
	for header, values := range req.Header {
		r.keep(i, "notice header "+header, strings.Join(values, ", "))
	}
	r.keepJWT(i, "notice", string(body))
	w.WriteHeader(http.StatusNoContent)
}

// withdraws has a person withdraw, and the recipient find out.
func (w *crowd) withdraws(ctx context.Context, r *recipient, i int) error {
	if err := w.pod.Withdraw(ctx, w.persons[i].who, r.consents[i]); err != nil {
		return err
	}
	status, _, err := r.request(ctx, i, "ended", "GET", r.at[i], pod.TypeTurtle, "")
	if err != nil {
		return err
	}
	if status != "403" {
		return fmt.Errorf("after the withdrawal: %s", status)
	}
	return w.erases(ctx, r, i)
}

// erases has the recipient say that it has erased.
func (w *crowd) erases(ctx context.Context, r *recipient, i int) error {
	b, err := json.Marshal(consent.ErasureReceipt{
		Issuer: r.id, Audience: w.Base, Consent: r.consents[i], Erased: time.Now().UTC().Format(time.DateOnly), Method: "deleted",
	})
	if err != nil {
		return err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: r.client.Key}, (&jose.SignerOptions{}).WithType("erasure-receipt+jwt"))
	if err != nil {
		return err
	}
	signed, err := signer.Sign(b)
	if err != nil {
		return err
	}
	jws, err := signed.CompactSerialize()
	if err != nil {
		return err
	}
	at := r.at[i]
	done, err := r.client.Post(ctx, at[:strings.Index(at, "evidence/")]+"inbox/", client.Content{Type: vouch.MediaType, Body: []byte(jws)})
	if err != nil {
		return fmt.Errorf("erasure receipt: %w", err)
	}
	r.keep(i, "erased", fmt.Sprintf("%+v", done))
	return nil
}

// allTold waits until everybody has been notified.
func (w *crowd) allTold(ctx context.Context) error {
	for end := time.Now().Add(2 * time.Minute); ; {
		missing := 0
		for _, r := range w.recipients {
			r.mu.Lock()
			for _, d := range r.dossiers {
				if d.Got["notice at"] == nil {
					missing++
				}
			}
			r.mu.Unlock()
		}
		if missing == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d notifications have not come", missing)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
