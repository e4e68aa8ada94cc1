// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth/dpop"
	"skrin/cmd/skrin/demo"
	"skrin/ldp/client"
	"skrin/pod"
)

// A running demo, as somebody finds it who has started it.
type running struct {
	*town
	t    *testing.T
	dir  string
	log  *lockedBuffer
	stop func()
	back string // where a browser comes back to a party's command
}

// A lockedBuffer takes the log of several servers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startDemo runs the demo in a directory until the test ends, or stop is called.
func startDemo(t *testing.T, dir string) *running {
	t.Helper()
	return startKept(t, dir, keep{})
}

// startKept starts the demo on another storage than its directory.
func startKept(t *testing.T, dir string, k keep) *running {
	t.Helper()
	return start(t, dir, func(ctx context.Context, log *slog.Logger) (*town, error) { return newTown(ctx, dir, 0, k, log) })
}

// start starts a demo.
func start(t *testing.T, dir string, build func(context.Context, *slog.Logger) (*town, error)) *running {
	t.Helper()
	log := new(lockedBuffer)
	ctx, cancel := context.WithCancel(context.Background())
	town, err := build(ctx, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- town.Serve(ctx) }()
	r := &running{town: town, t: t, dir: dir, log: log}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
		if err := town.Close(); err != nil {
			t.Errorf("the demo closed with %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// signIn signs a person of the cast in, on the page where the browser is.
func (b *browser) signIn(name string) {
	b.t.Helper()
	b.press("Logga in med Exempel-eID")
	b.press("Logga in som " + name)
}

// waitFor opens a page again and again until it says words.
func (b *browser) waitFor(address, words string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		b.open(address)
		if b.says(words) {
			return
		}
		if time.Now().After(end) {
			b.sees(words)
		}
	}
}

// connect lets the authority deliver to somebody who isn't signed in yet.
func (r *running) connect(b *browser, name string) {
	r.t.Helper()
	b.open(r.origins[1])
	b.press("Spara intyg till min profil")
	b.signIn(name)
	b.sees("Vill du ansluta dig till Arbetsförmedlingen (exempel)?", "kan inte läsa något av det du har här", "får veta ditt personnummer")
	b.press("Ja, anslut")
	b.sees("Din profil är ansluten")
}

// ask lets the insurer ask.
func (r *running) ask(b *browser) {
	r.t.Helper()
	b.open(r.origins[2])
	b.press("Hämta mitt intyg")
}

// fetch gets what is missing from the authority.
func (r *running) fetch(b *browser) {
	r.t.Helper()
	b.sees("Ett intyg saknas", "Inget delas nu")
	b.press("Hämta från Arbetsförmedlingen")
	b.waitFor(b.at.String(), "Vill du dela detta med Exempel Försäkring (exempel)?")
}

// party is the back end of a party of the demo, with its own key: what its own
// system would be.
func (r *running) party(id string) *client.Client {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "parties", id, "TEST-key.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := client.ParseKey(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.client(id, key)
}

func (r *running) client(id string, key jose.JSONWebKey) *client.Client {
	r.t.Helper()
	proofs, err := dpop.NewKey()
	if err != nil {
		r.t.Fatal(err)
	}
	return &client.Client{HTTP: &http.Client{Timeout: 20 * time.Second}, Issuer: r.Base, ID: id, Key: key, DPoP: proofs, Now: time.Now}
}

// mallory registers Mallory, with a key of its own.
func (r *running) mallory() *client.Client {
	r.t.Helper()
	k, err := dpop.NewKey()
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := k.PEM()
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := client.ParseKey(text)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.register(map[string]jose.JSONWebKeySet{"mallory": {Keys: []jose.JSONWebKey{key.Public()}}}); err != nil {
		r.t.Fatal(err)
	}
	return r.client("mallory", key)
}

// granted is what the newest consent of somebody's gives the insurer to read.
func (r *running) granted(name string) (evidence, deposit string) {
	r.t.Helper()
	ctx := r.t.Context()
	who := r.owner(name)
	if shares, err := r.pod.Shares(ctx, who); err != nil {
		r.t.Fatal(err)
	} else if len(shares) > 0 {
		c := shares[0].Consent
		evidence = r.Base + "/w/" + c.Space + "/evidence/" + c.Grant
	}
	connections, err := r.pod.Connections(ctx, who)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(connections) > 0 {
		deposit = r.Base + "/w/" + connections[0].Space.ID + "/deposit/"
	}
	return evidence, deposit
}

// owner is somebody of the cast, as the owner of her pod.
func (r *running) owner(name string) acl.Agent {
	r.t.Helper()
	ctx := r.t.Context()
	person := ""
	for _, p := range demo.People() {
		if p.Name == name {
			var err error
			if person, err = r.vault.Person(ctx, p.Scheme, p.Number); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	who, err := r.pod.Owner(ctx, person)
	if err != nil {
		r.t.Fatal(err)
	}
	return who
}

// TestTheJourney is the main job as a person without JavaScript lives it, from
// the first visit to the refusal after the withdrawal.
func TestTheJourney(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.sees("Inskriven i minst 30 dagar Ja", "De får inte se: Inskrivningsdag", "Avgöra om du har rätt till ersättning")
	b.press("Ja, dela")
	b.sees("Du uppfyller villkoret", "Inskriven i minst 30 dagar Ja", "Vi har kontrollerat underskriften själva")
	if b.says("Inskrivningsdag") || b.says("2026-10-01") {
		t.Errorf("the insurer shows more than was granted: %s", b.text())
	}
	claim := b.at.String()

	evidence, deposit := r.granted("Alva Lindqvist")
	if s := statusOf(r.party("arbetsformedlingen").Get(t.Context(), deposit, "")); s != 403 {
		t.Errorf("the authority reads back: %d", s)
	}
	if s := statusOf(r.party("exempel-forsakring").Get(t.Context(), evidence, pod.TypeTurtle)); s != 200 {
		t.Errorf("the insurer reads as itself: %d", s)
	}

	b.open(r.Base + "/me/log")
	b.sees("Exempel Försäkring (exempel) läste ett intyg", "Arbetsförmedlingen (exempel) lämnade ett intyg", "försökte göra något som du inte har sagt ja till")
	b.open(r.Base + "/me/sharing")
	b.press("Ta tillbaka")
	b.sees("Du har tagit tillbaka det")
	if s := statusOf(r.party("exempel-forsakring").Get(t.Context(), evidence, pod.TypeTurtle)); s != 403 {
		t.Errorf("after the withdrawal the insurer reads: %d", s)
	}
	b.open(claim)
	b.press("Läs igen")
	b.sees("Åtkomsten har upphört")
	b.waitFor(claim, "Vi raderade det vi hade läst")
	b.open(r.Base + "/me/log")
	b.sees("Du tog tillbaka det du delade med Exempel Försäkring (exempel)", "försökte göra något")
}

// TestStartingAtTheInsurer: who isn't connected yet is sent to the authority, and
// finds the way back to the question, and from there to the insurer.
func TestStartingAtTheInsurer(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.ask(b)
	b.signIn("Alva Lindqvist")
	b.sees("Ett intyg saknas", "Du är inte ansluten till Arbetsförmedlingen (exempel) än")
	r.connect2(b)
	b.open(r.Base + "/me/")
	b.sees("Väntar på ditt svar")
	b.press("Titta och svara")
	r.fetch(b)
	b.press("Ja, dela")
	b.sees("Du uppfyller villkoret")
	other := newBrowser(t) // the insurer waits in the browser that it sent, in no other
	r.ask(b)
	other.open(r.Base + "/me/")
	other.signIn("Alva Lindqvist")
	other.press("Titta och svara")
	other.press("Ja, dela")
	other.sees("Klart. Du har sagt ja.")
}

// TestDecline: a no is a no, and nothing is made.
func TestDecline(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	b.open(r.origins[1])
	b.press("Spara intyg till min profil")
	b.signIn("Alva Lindqvist")
	b.press("Nej, anslut inte")
	if b.at.Host != strings.TrimPrefix(r.origins[1], "http://") || b.says("Din profil är ansluten") {
		t.Errorf("after a no at the connection: %s %s", b.at, b.text())
	}
	if _, deposit := r.granted("Alva Lindqvist"); deposit != "" {
		t.Error("a connection was made")
	}
	r.connect2(b)
	r.ask(b)
	r.fetch(b)
	b.press("Nej, dela inte")
	if b.at.Host != strings.TrimPrefix(r.origins[2], "http://") || b.says("Du uppfyller villkoret") {
		t.Errorf("after a no at the request: %s %s", b.at, b.text())
	}
	if evidence, _ := r.granted("Alva Lindqvist"); evidence != "" {
		t.Error("a consent was made")
	}
	b.open(r.Base + "/me/log")
	b.sees("Du sa nej till Exempel Försäkring (exempel)", "Du sa nej till Arbetsförmedlingen (exempel)")
}

// connect2 connects somebody who is signed in.
func (r *running) connect2(b *browser) {
	r.t.Helper()
	b.open(r.origins[1])
	b.press("Spara intyg till min profil")
	b.press("Ja, anslut")
	b.sees("Din profil är ansluten")
}

// TestNils: who isn't registered is told that there is nothing to fetch.
func TestNils(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Nils Berg")
	r.ask(b)
	b.press("Hämta från Arbetsförmedlingen")
	b.waitFor(b.at.String(), "Arbetsförmedlingen (exempel) har inget")
}

// TestTwoPeople: two people at one insurer have nothing in common there.
func TestTwoPeople(t *testing.T) {
	r := startDemo(t, t.TempDir())
	addresses := map[string]string{}
	for _, name := range []string{"Alva Lindqvist", "Britt Ek"} {
		b := newBrowser(t)
		r.connect(b, name)
		r.ask(b)
		r.fetch(b)
		b.press("Ja, dela")
		evidence, deposit := r.granted(name)
		for _, a := range []string{evidence, deposit} {
			space := strings.Split(a, "/")[4]
			if was, ok := addresses[space]; ok {
				t.Errorf("%s and %s share the space %s", was, name, space)
			}
			addresses[space] = name
		}
	}
	if len(addresses) != 4 {
		t.Errorf("%d spaces for two people and two parties", len(addresses))
	}
}

// statusOf returns the HTTP status of a client's answer.
func statusOf(_ *client.Resource, err error) int {
	if err == nil {
		return http.StatusOK
	}
	if p, ok := err.(*client.Problem); ok {
		return p.Status
	}
	return 0
}
