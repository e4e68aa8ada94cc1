// SPDX-License-Identifier: EUPL-1.2

package auth

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
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
)

// abroad is another server: an issuer, and a WebID that names it.
type abroad struct {
	*httptest.Server
	profile, mediaType string
	issuer             string // what discovery says; the server's own URL if ""
	keys               []jose.JSONWebKey
	profiles, sets     atomic.Int32 // how often they were fetched
	down               atomic.Bool
}

func newAbroad(t testing.TB, keys ...jose.JSONWebKey) *abroad {
	a := &abroad{mediaType: "text/turtle; charset=utf-8", keys: keys}
	mux := http.NewServeMux()
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	a.profile = fmt.Sprintf("<#me> <%s> <%s> .", oidcIssuer, a.URL)
	mux.HandleFunc("/bob", func(w http.ResponseWriter, _ *http.Request) {
		a.profiles.Add(1)
		w.Header().Set("Content-Type", a.mediaType)
		fmt.Fprint(w, a.profile)
	})
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		issuer := a.issuer
		if issuer == "" {
			issuer = a.URL
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": a.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		a.sets.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: a.keys})
	})
	return a
}

func (a *abroad) webID() acl.WebID { return acl.WebID(a.URL + "/bob#me") }

func TestForeignIssuers(t *testing.T) {
	for _, row := range []struct {
		what   string
		change func(*abroad)
		ok     bool
	}{
		{"the WebID names the issuer", func(*abroad) {}, true},
		{"in JSON-LD", func(a *abroad) {
			a.mediaType = "application/ld+json"
			a.profile = fmt.Sprintf(`{"@id":"#me","%s":{"@id":"%s"}}`, oidcIssuer, a.URL)
		}, true},
		{"it names another", func(a *abroad) { a.profile = "<#me> <" + oidcIssuer + "> <https://other.example> ." }, false},
		{"it names it with a final slash", func(a *abroad) { a.profile = fmt.Sprintf("<#me> <%s> <%s/> .", oidcIssuer, a.URL) }, false},
		{"it names it as text", func(a *abroad) { a.profile = fmt.Sprintf("<#me> <%s> %q .", oidcIssuer, a.URL) }, false},
		{"somebody else in the document names it", func(a *abroad) { a.profile = strings.Replace(a.profile, "#me", "#you", 1) }, false},
		{"it is no RDF", func(a *abroad) { a.profile = "hello" }, false},
		{"it is HTML", func(a *abroad) { a.mediaType = "text/html" }, false},
		{"it needs a context from elsewhere", func(a *abroad) {
			a.mediaType, a.profile = "application/ld+json", `{"@context":"https://evil.example/c"}`
		}, false},
		{"it can't be had", func(a *abroad) { a.down.Store(true) }, false},
		{"the issuer says that it is another", func(a *abroad) { a.issuer = "https://other.example" }, false},
		{"the key is not one of the issuer's", func(a *abroad) { a.keys[0].KeyID = "k2" }, false},
		{"the issuer's key is another", func(a *abroad) {
			other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			a.keys[0].Key = &other.PublicKey
		}, false},
	} {
		t.Run(row.what, func(t *testing.T) {
			w := newWorld(t)
			a := newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"})
			row.change(a)
			w.Issuers = NewForeign(Guarded(true), w.Now).Issuer
			d := w.draft()
			d.claims["iss"], d.claims["webid"] = a.URL, a.webID()
			got, err := w.Identify(d.request(t, d.token(t)))
			if want := (acl.Agent{ID: a.webID(), Client: "af", Issuer: a.URL}); row.ok && (err != nil || got != want) {
				t.Errorf("got %+v, %v", got, err)
			}
			if refused, ok := errors.AsType[*Error](err); !row.ok && (!ok || refused.Code != InvalidToken) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestForeignRemembersLittle: whatever the documents hold that strangers have us
// fetch, what is kept of each is small; there are 20,000 of them at most.
func TestForeignRemembersLittle(t *testing.T) {
	const documents, each = 30, 16 << 10 // bytes that are kept of one
	w := newWorld(t)
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line+"\n", i)
		}
		return b.String()
	}
	var keys []jose.JSONWebKey
	for i := range 4000 {
		keys = append(keys, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: fmt.Sprint("k", i)})
	}
	for is, row := range map[string]struct {
		profile string // in which %s is the issuer
		keys    []jose.JSONWebKey
		good    bool // it is an issuer all the same
	}{
		"a long document":   {"<#me> <" + oidcIssuer + "> <%s> .\n#" + strings.Repeat("x", 1000<<10), keys[:1], true},
		"many issuers":      {many(5000, "<#me> <"+oidcIssuer+"> <https://issuer.example/%d/"+strings.Repeat("x", 40)+"> .") + "#%s", keys[:1], false},
		"issuers of length": {many(200, "<#me> <"+oidcIssuer+"> <https://issuer.example/%d/"+strings.Repeat("x", 4000)+"> .") + "#%s", keys[:1], false},
		"many keys":         {"<#me> <" + oidcIssuer + "> <%s> .", keys, false},
	} {
		t.Run(is, func(t *testing.T) {
			f := NewForeign(Guarded(true), w.Now)
			var before, after runtime.MemStats
			for n := range documents + 1 {
				if n == 1 { // what the first one costs besides
					runtime.GC()
					runtime.ReadMemStats(&before)
				}
				a := newAbroad(t, row.keys...)
				a.profile = fmt.Sprintf(row.profile, a.URL)
				issuer, err := f.Issuer(t.Context(), a.URL, a.webID())
				if err == nil {
					_, err = issuer.Key(t.Context(), "k0")
				}
				if row.good != (err == nil) {
					t.Fatalf("document %d: %v", n, err)
				}
				a.profile, a.keys = "", nil
				a.Close()
			}
			f.client.CloseIdleConnections()
			kept := int64(each + 1)
			for end := time.Now().Add(10 * time.Second); kept > each && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				runtime.GC() // connections that are being closed hold something for a while
				runtime.ReadMemStats(&after)
				kept = (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / documents
			}
			if kept > each {
				t.Errorf("%d bytes are kept of a document, want at most %d", kept, each)
			}
			runtime.KeepAlive(f)
		})
	}
}

func TestForeignFetchesSeldom(t *testing.T) {
	w := newWorld(t)
	a := newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"})
	f := NewForeign(Guarded(true), w.Now)
	ask := func(key string) error {
		issuer, err := f.Issuer(context.Background(), a.URL, a.webID())
		if err == nil {
			_, err = issuer.Key(context.Background(), key)
		}
		return err
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := ask("k1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 10 {
		if err := ask("k9"); !errors.Is(err, ErrNoKey) {
			t.Error(err)
		}
	}
	if a.profiles.Load() != 1 || a.sets.Load() != 1 {
		t.Errorf("fetched %d and %d times, want once", a.profiles.Load(), a.sets.Load())
	}
	w.clock = w.clock.Add(failureLife)
	a.keys = append(a.keys, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k9"})
	if err := ask("k9"); err != nil {
		t.Errorf("the issuer's new key: %v", err)
	}
	a.down.Store(true)
	w.clock = w.clock.Add(profileLife)
	if err := ask("k1"); !errors.Is(err, ErrNoIssuer) {
		t.Errorf("the profile can't be had any more: %v", err)
	}
	a.down.Store(false)
	if err := ask("k1"); !errors.Is(err, ErrNoIssuer) {
		t.Errorf("it was tried again at once: %v", err)
	}
	w.clock = w.clock.Add(failureLife + time.Second)
	if err := ask("k1"); err != nil {
		t.Errorf("later: %v", err)
	}
}

// Whoever names another's WebID and leaves at once must not make it unknown to
// the others for half a minute.
func TestWhoLeavesSpoilsNothing(t *testing.T) {
	w := newWorld(t)
	for mediaType, profile := range map[string]string{
		"text/turtle":         "<#me> <" + oidcIssuer + "> <%s> .\n" + strings.Repeat("<#me> <#a> <#b> .\n", 2000),
		"application/ld+json": `{"@id": "#me", "` + oidcIssuer + `": {"@id": "%s"}}`,
	} {
		t.Run(mediaType, func(t *testing.T) {
			a := newAbroad(t, jose.JSONWebKey{Key: &w.key.PublicKey, KeyID: "k1"})
			a.profile, a.mediaType = fmt.Sprintf(profile, a.URL), mediaType
			f := NewForeign(Guarded(true), w.Now)
			gone, leave := context.WithCancel(t.Context())
			leave()
			_, _ = f.Issuer(gone, a.URL, a.webID())
			if _, err := f.Issuer(t.Context(), a.URL, a.webID()); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

func TestForeignStaysOutOfOurNetwork(t *testing.T) {
	w := newWorld(t)
	a := newAbroad(t)
	f := NewForeign(Guarded(false), w.Now)
	if _, err := f.Issuer(context.Background(), a.URL, a.webID()); !errors.Is(err, ErrNoIssuer) || a.profiles.Load() != 0 {
		t.Errorf("%v, %d fetches", err, a.profiles.Load())
	}
}
