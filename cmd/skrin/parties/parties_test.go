// SPDX-License-Identifier: EUPL-1.2

package parties

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth"
	"skrin/fixtures"
	"skrin/ldp"
	"skrin/pod/pebble"
	"skrin/pod/registry"
)

// counted are records that count what they are asked, and can be out of reach.
type counted struct {
	auth.Records
	mu     sync.Mutex
	loads  int
	down   bool
	loaded func(kind string)       // is told of each Load, when it has been done
	saving func(kind string) error // can fail a Save
}

func (c *counted) Load(ctx context.Context, kind, key string) (auth.Record, error) {
	r, err := c.load(ctx, kind, key)
	if c.loaded != nil {
		c.loaded(kind)
	}
	return r, err
}

func (c *counted) load(ctx context.Context, kind, key string) (auth.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loads++
	if c.down {
		return auth.Record{}, errors.New("the store can't be reached")
	}
	return c.Records.Load(ctx, kind, key)
}

func (c *counted) Save(ctx context.Context, kind, key string, r auth.Record) error {
	if c.saving != nil {
		if err := c.saving(kind); err != nil {
			return err
		}
	}
	return c.Records.Save(ctx, kind, key, r)
}

// A town is a cluster of nodes on one store, at a time of its own.
type town struct {
	t       *testing.T
	now     time.Time
	records *counted
	fixed   *registry.Parties
}

const base = "https://pod.example.se"

func newTown(t *testing.T) *town {
	w := &town{t: t, now: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)}
	store, err := pebble.OpenMemory(pebble.Options{Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.records, w.fixed = &counted{Records: store}, registry.NewParties(w.clock)
	return w
}

func (w *town) clock() time.Time { return w.now }

func (w *town) node() *Register {
	types, err := registry.LoadCatalogue(fixtures.Files, "types")
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := New(Options{
		Records: w.records, Fixed: w.fixed, Types: types, Base: base, Reserved: func(id string) bool { return id == "anna" },
		Fetch: auth.Guarded(true), Now: w.clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func newKey(t testing.TB, kid string) jose.JSONWebKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func publicKey(t testing.TB, kid string) jose.JSONWebKey {
	k := newKey(t, kid)
	return k.Public()
}

// insurer returns a registration, changed.
func insurer(t testing.TB, change func(f *registry.PartyFile)) []byte {
	text, err := fixtures.Files.ReadFile("parties/forsakring.json")
	if err != nil {
		t.Fatal(err)
	}
	var f registry.PartyFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	f.Keys.Keys = []jose.JSONWebKey{publicKey(t, "1")}
	if change != nil {
		change(&f)
	}
	text, err = json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const id = "exempel-forsakring"

func (w *town) add(r *Register, text []byte) {
	w.t.Helper()
	if got, _, err := r.Add(w.t.Context(), text, "anna", false); err != nil || got != id {
		w.t.Fatal(got, err)
	}
}

func registered(r *Register) (bool, error) {
	_, err := r.Party(context.Background(), id)
	if errors.Is(err, registry.ErrNoParty) {
		return false, nil
	}
	return err == nil, err
}

// TestARegistrationIsKeptWhole: nothing that an operator registers is left out.
func TestARegistrationIsKeptWhole(t *testing.T) {
	w := newTown(t)
	r := w.node()
	var f registry.PartyFile
	w.add(r, insurer(t, func(file *registry.PartyFile) {
		file.Initiate, file.Notify, file.StatusLists = "https://example.se/begin", "https://example.se/told", "https://example.se/lists"
		file.Issuer, file.MayIssue, file.Identity = "https://example.se", []string{"se:af:arbetsloshetsintyg:1"}, true
		file.Renumbers = []registry.Renumbering{{From: "xx:passport", To: "no:dnummer"}}
		f = *file
	}))
	l, err := r.Show(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	sent, kept := reflect.ValueOf(f), reflect.ValueOf(*l.File)
	for i := range sent.NumField() {
		name := sent.Type().Field(i).Name
		if sent.Field(i).IsZero() && name != "KeysAt" {
			t.Errorf("%s isn't tried", name)
		}
		a, _ := json.Marshal(sent.Field(i).Interface())
		b, _ := json.Marshal(kept.Field(i).Interface())
		if string(a) != string(b) {
			t.Errorf("%s: %s is kept of %s", name, b, a)
		}
	}
}

// TestEveryNodeKnowsWithinASecond: what is added, renewed and revoked on one node
// holds there at once, and on the others within a second.
func TestEveryNodeKnowsWithinASecond(t *testing.T) {
	w := newTown(t)
	here, there := w.node(), w.node()
	hold := func(want bool) {
		t.Helper()
		if got, err := registered(here); got != want || err != nil {
			t.Errorf("here: %t, %v", got, err)
		}
		w.now = w.now.Add(time.Second)
		if got, err := registered(there); got != want || err != nil {
			t.Errorf("there, a second later: %t, %v", got, err)
		}
	}
	hold(false)
	w.add(here, insurer(t, nil))
	hold(true)
	if err := there.Revoke(t.Context(), id, "anna"); err != nil {
		t.Fatal(err)
	}
	here, there = there, here
	hold(false)
	w.add(there, insurer(t, nil))
	here, there = there, here
	hold(true)
	w.now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) // the day after its last
	hold(false)
	if l, err := here.Show(t.Context(), id); err != nil || l.State != Ended {
		t.Errorf("shown as %+v, %v", l, err)
	}
	if err := here.Renew(t.Context(), id, "2028-12-31", "anna"); err != nil {
		t.Fatal(err)
	}
	hold(true)
	all, err := here.All(t.Context())
	if err != nil || len(all) != 1 || all[0].Contact == "" || len(all[0].Uses) == 0 || len(all[0].Keys.Keys) != 1 {
		t.Errorf("after all that: %+v, %v", all, err)
	}
}

// TestARevocationOvertakesACopyThatIsBeingMade: a request that began to read the
// register before a revocation, and ends after it, leaves no copy behind in which
// the party is still registered.
func TestARevocationOvertakesACopyThatIsBeingMade(t *testing.T) {
	w := newTown(t)
	r := w.node()
	w.add(r, insurer(t, nil))
	read, goOn, told := make(chan bool), make(chan bool), make(chan bool)
	var first atomic.Bool
	w.records.loaded = func(kind string) {
		if kind == kindParty && first.CompareAndSwap(false, true) {
			close(read)
			<-goOn
		}
	}
	w.records.saving = func(kind string) error {
		if kind == kindVersion {
			close(told)
		}
		return nil
	}
	slow, revoked := make(chan bool), make(chan error)
	go func() { got, _ := registered(r); slow <- got }()
	<-read // as it was before
	go func() { revoked <- r.Revoke(t.Context(), id, "anna") }()
	<-told
	close(goOn)
	if got := <-slow; !got {
		t.Error("the test is wrong: the request has not read what was before")
	}
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	if got, err := registered(r); got || err != nil {
		t.Errorf("when the revocation is done: %t, %v", got, err)
	}
}

// TestARevocationThatFailedIsDoneAgain: if it was kept, and the other nodes could
// not be told, the operator hears of it, and the second try tells them.
func TestARevocationThatFailedIsDoneAgain(t *testing.T) {
	w := newTown(t)
	here, there := w.node(), w.node()
	w.add(here, insurer(t, nil))
	if got, err := registered(there); !got || err != nil {
		t.Fatal(got, err)
	}
	w.records.saving = func(kind string) error {
		if kind == kindVersion {
			return errors.New("the store can't be reached")
		}
		return nil
	}
	if err := here.Revoke(t.Context(), id, "anna"); !errors.Is(err, ldp.Unavailable) {
		t.Errorf("the operator is told %v", err)
	}
	w.records.saving = nil
	if err := here.Revoke(t.Context(), id, "anna"); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	if got, err := registered(there); got || err != nil {
		t.Errorf("there, a second later: %t, %v", got, err)
	}
}

// TestAFileIsWorthLessThanTheRecords: a party that is registered in a file on each
// node is revoked on all, and stays so.
func TestAFileIsWorthLessThanTheRecords(t *testing.T) {
	w := newTown(t)
	p, err := registry.ReadParty(insurer(t, nil), base)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fixed.Add(p); err != nil {
		t.Fatal(err)
	}
	r := w.node()
	if got, err := registered(r); !got || err != nil {
		t.Fatal(got, err)
	}
	if err := r.Revoke(t.Context(), id, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Register{r, w.node()} {
		if got, err := registered(r); got || err != nil {
			t.Errorf("it is registered: %t, %v", got, err)
		}
		if all, err := r.All(t.Context()); len(all) != 0 || err != nil {
			t.Errorf("it is published: %v, %v", all, err)
		}
		if all, err := r.List(t.Context()); err != nil || len(all) != 1 || all[0].State != Revoked || !all[0].Fixed {
			t.Errorf("it is listed as %+v, %v", all, err)
		}
		if ids, err := r.Issuers(t.Context(), "se:af:arbetsloshetsintyg:1"); len(ids) != 0 || err != nil {
			t.Errorf("issuers %v, %v", ids, err)
		}
	}
	if err := r.Renew(t.Context(), id, "2027-01-31", "anna"); !errors.Is(err, ldp.Conflict) {
		t.Errorf("renewed: %v", err)
	}
	w.add(r, insurer(t, nil))
	if got, err := registered(r); !got || err != nil {
		t.Errorf("added again: %t, %v", got, err)
	}
}

// TestWithoutTheRecordsNobodyIsRegistered: an error of the server's own, and no old
// copy.
func TestWithoutTheRecordsNobodyIsRegistered(t *testing.T) {
	w := newTown(t)
	r := w.node()
	w.add(r, insurer(t, nil))
	if got, err := registered(r); !got || err != nil {
		t.Fatal(got, err)
	}
	w.records.down = true
	w.now = w.now.Add(time.Second)
	if got, err := registered(r); got || !errors.Is(err, ldp.Unavailable) {
		t.Errorf("got %t, %v", got, err)
	}
	w.records.down = false
	if got, err := registered(r); !got || err != nil {
		t.Errorf("when they are back: %t, %v", got, err)
	}
}

// TestARequestCostsNoRead: whatever the number of parties.
func TestARequestCostsNoRead(t *testing.T) {
	reads := func(parties int) int {
		w := newTown(t)
		r := w.node()
		for i := range parties {
			text := insurer(t, func(f *registry.PartyFile) { f.ID = fmt.Sprintf("party-%d", i) })
			if _, _, err := r.Add(t.Context(), text, "anna", true); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Party(t.Context(), "party-0"); err != nil {
			t.Fatal(err)
		}
		w.records.loads = 0
		for range 1000 { // for ten seconds
			if _, err := r.Party(t.Context(), "party-0"); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(10 * time.Millisecond)
		}
		return w.records.loads
	}
	few, many := reads(2), reads(200)
	if few != many || many > 20 {
		t.Errorf("1,000 requests in ten seconds read %d records with 2 parties, and %d with 200", few, many)
	}
}

func TestWhatIsNotRegistered(t *testing.T) {
	w := newTown(t)
	r := w.node()
	for name, change := range map[string]func(f *registry.PartyFile){
		"without a name":                      func(f *registry.PartyFile) { f.Name = nil },
		"without keys":                        func(f *registry.PartyFile) { f.Keys.Keys = nil },
		"with a private key":                  func(f *registry.PartyFile) { f.Keys.Keys = []jose.JSONWebKey{newKey(t, "1")} },
		"with a shared secret for a key":      func(f *registry.PartyFile) { f.Keys.Keys = []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "1"}} },
		"with a key without a kid":            func(f *registry.PartyFile) { f.Keys.Keys[0].KeyID = "" },
		"with keys inline and by URL":         func(f *registry.PartyFile) { f.KeysAt = "https://example.se/jwks" },
		"with keys at an address without TLS": func(f *registry.PartyFile) { f.Keys.Keys, f.KeysAt = nil, "http://example.se/jwks" },
		"returning without TLS":               func(f *registry.PartyFile) { f.Redirects = []string{"http://example.se/back"} },
		"returning to a fragment":             func(f *registry.PartyFile) { f.Redirects = []string{"https://example.se/back#x"} },
		"returning to a script":               func(f *registry.PartyFile) { f.Redirects = []string{"javascript:alert(1)"} },
		"notified without TLS":                func(f *registry.PartyFile) { f.Notify = "http://example.se/" },
		"without a contact for erasure":       func(f *registry.PartyFile) { f.Contact = "" },
		"with nothing to do":                  func(f *registry.PartyFile) { f.Uses = nil },
		"for evidence that there isn't":       func(f *registry.PartyFile) { f.Uses[0].Type = "se:nobody:nothing:1" },
		"for a field that there isn't":        func(f *registry.PartyFile) { f.Uses[0].Fields = []string{"all"} },
		"without a legal basis":               func(f *registry.PartyFile) { f.Uses[0].Basis = "" },
		"issuing what there isn't":            func(f *registry.PartyFile) { f.Issuer, f.MayIssue = "https://example.se", []string{"nothing"} },
		"without an end":                      func(f *registry.PartyFile) { f.Until = "" },
		"that has ended":                      func(f *registry.PartyFile) { f.Until = "2026-09-30" },
		"for ever":                            func(f *registry.PartyFile) { f.Until = "2099-12-31" },
		"as an operator":                      func(f *registry.PartyFile) { f.ID = "anna" },
		"by a name that turns":                func(f *registry.PartyFile) { f.Name["sv"] = "Bank\u202eknaB" },
		"by a name that hides something":      func(f *registry.PartyFile) { f.Name["en"] = "Skatte\u200bverket" },
		"by a name without end":               func(f *registry.PartyFile) { f.Name["en"] = strings.Repeat("å", 101) },
		"for a reason that turns":             func(f *registry.PartyFile) { f.Uses[0].Why["sv"] = "a\u2066b" },
		"for a reason without end":            func(f *registry.PartyFile) { f.Uses[0].Why["en"] = strings.Repeat("a", 401) },
		"under an app's id":                   func(f *registry.PartyFile) { f.ID = "app_x" },
	} {
		if _, _, err := r.Add(t.Context(), insurer(t, change), "anna", false); !errors.Is(err, ldp.Unprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"not JSON": "x", "an unknown field": `{"id":"x","admin":true}`, "nothing": ""} {
		if _, _, err := r.Add(t.Context(), []byte(text), "anna", false); !errors.Is(err, ldp.Unprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := r.Add(t.Context(), []byte(strings.Repeat(" ", MaxSize+1)), "anna", false); !errors.Is(err, ldp.TooLarge) {
		t.Errorf("too large: %v", err)
	}
	if all, err := r.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("registered is %v, %v", all, err)
	}
	for what, err := range map[string]error{"renewed": r.Renew(t.Context(), id, "2028-01-01", ""), "revoked": r.Revoke(t.Context(), id, "")} {
		if !errors.Is(err, ldp.NotFound) {
			t.Errorf("who isn't registered is %s: %v", what, err)
		}
	}
	w.add(r, insurer(t, nil))
	if _, _, err := r.Add(t.Context(), insurer(t, nil), "", true); !errors.Is(err, ldp.Precondition) {
		t.Errorf("added twice: %v", err)
	}
	for _, until := range []string{"", "soon", "2026-09-30", "2099-01-01"} {
		if err := r.Renew(t.Context(), id, until, ""); !errors.Is(err, ldp.Unprocessable) {
			t.Errorf("renewed until %q: %v", until, err)
		}
	}
}

// TestARecordThatCanNotBeReadIsNobody: also where a file says otherwise.
func TestARecordThatCanNotBeReadIsNobody(t *testing.T) {
	w := newTown(t)
	p, err := registry.ReadParty(insurer(t, nil), base)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fixed.Add(p); err != nil {
		t.Fatal(err)
	}
	for version, text := range []string{"x", `{"file":{"id":"another"}}`, `{"file":{"id":"exempel-forsakring"}}`} {
		if err := w.records.Save(t.Context(), kindParty, id, auth.Record{Value: []byte(text), Version: uint64(version)}); err != nil {
			t.Fatal(err)
		}
		if got, err := registered(w.node()); got || err != nil {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
}

// TestKeysByURL: they are fetched once in a while, again for a kid that isn't
// known, and not more often than every half a minute, whoever asks.
func TestKeysByURL(t *testing.T) {
	w := newTown(t)
	r := w.node()
	served, fetches := []jose.JSONWebKey{publicKey(t, "1")}, 0
	var answer func(http.ResponseWriter)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetches++
		if answer != nil {
			answer(rw)
			return
		}
		_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: served})
	}))
	defer server.Close()
	has := r.published.of(server.URL)
	find := func(kid string) bool { set := has(kid); return len(set.Key(kid)) == 1 }
	for range 100 {
		if !find("1") {
			t.Fatal("the key isn't found")
		}
	}
	if fetches != 1 {
		t.Errorf("fetched %d times", fetches)
	}
	served = []jose.JSONWebKey{publicKey(t, "2"), publicKey(t, "3")}
	for range 100 {
		find("2")
	}
	if fetches != 1 {
		t.Errorf("an unknown kid makes us fetch %d times at once", fetches)
	}
	w.now = w.now.Add(keysAgain)
	if !find("2") || !find("3") || find("1") {
		t.Error("the new keys aren't found, or an old one is")
	}
	for range 100 {
		find("unknown")
	}
	if fetches != 2 {
		t.Errorf("fetched %d times", fetches)
	}
	for what, bad := range map[string]func(http.ResponseWriter){
		"an error": func(rw http.ResponseWriter) { http.Error(rw, "no", 500) },
		"a page":   func(rw http.ResponseWriter) { fmt.Fprint(rw, "<html>") },
		"a private key": func(rw http.ResponseWriter) {
			_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{newKey(t, "2")}})
		},
		"what is too large":  func(rw http.ResponseWriter) { _, _ = rw.Write(make([]byte, 2<<20)) },
		"too many keys":      func(rw http.ResponseWriter) { fmt.Fprint(rw, `{"keys":[`+strings.Repeat("{},", 40)+`{}]}`) },
		"a symmetric key":    func(rw http.ResponseWriter) { fmt.Fprint(rw, `{"keys":[{"kty":"oct","kid":"2","k":"c2VjcmV0"}]}`) },
		"a way to elsewhere": func(rw http.ResponseWriter) { rw.Header().Set("Location", "https://10.0.0.1/"); rw.WriteHeader(302) },
	} {
		answer = nil
		w.now = w.now.Add(keysLife)
		find("2")
		answer = bad
		w.now = w.now.Add(keysLife)
		stolen := what == "a private key" || what == "a symmetric key"
		if got := find("2"); got == stolen {
			t.Errorf("%s: the last good key is found: %t", what, got)
		}
		if find("unknown"); find("2") == stolen {
			t.Errorf("%s: an unknown kid has ended, or brought back, the last good key", what)
		}
		w.now = w.now.Add(keysKept - keysLife - 1)
		if got := find("2"); got == stolen {
			t.Errorf("%s: within the hour the last good key is found: %t", what, got)
		}
		w.now = w.now.Add(1)
		if find("2") {
			t.Errorf("%s: after the hour a key is found", what)
		}
	}
}

// TestAKeyThatWasWithdrawnIsNotKept: what the party no longer publishes is not
// among what is kept when its URL fails afterwards.
func TestAKeyThatWasWithdrawnIsNotKept(t *testing.T) {
	w := newTown(t)
	r := w.node()
	served, fails := []jose.JSONWebKey{publicKey(t, "1")}, false
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if fails {
			http.Error(rw, "no", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: served})
	}))
	defer server.Close()
	find := func(kid string) bool { set := r.published.of(server.URL)(kid); return len(set.Key(kid)) == 1 }
	if !find("1") {
		t.Fatal("the key isn't found")
	}
	served = []jose.JSONWebKey{publicKey(t, "2")}
	w.now = w.now.Add(keysLife)
	if !find("2") {
		t.Error("the new key isn't found")
	}
	fails = true
	w.now = w.now.Add(keysLife)
	if find("1") || !find("2") {
		t.Error("the withdrawn key is kept, or the good one isn't")
	}
}

func FuzzReadKeys(f *testing.F) {
	key, _ := json.Marshal(publicKey(f, "1"))
	f.Add([]byte(`{"keys":[` + string(key) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA","kid":"x"},{"kty":"RSA","n":"AQ","e":"AQAB","kid":"y"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := readKeys(text)
		for _, k := range set.Keys {
			if err != nil || !k.IsPublic() || !Good(k) || len(set.Key(k.KeyID)) != 1 {
				t.Errorf("%q gives key %+v, %v", text, k, err)
			}
		}
	})
}
