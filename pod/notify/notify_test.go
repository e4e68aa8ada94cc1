// SPDX-License-Identifier: EUPL-1.2

package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/fixtures"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/notify"
	"skrin/pod/outbox"
	"skrin/pod/podtest"
	"skrin/pod/registry"
	"skrin/pod/store"
)

const certificate = "se:af:arbetsloshetsintyg:1"

// A town is a server with one provider, whose webhook the test answers.
type town struct {
	t    *testing.T
	pod  *pod.Pod
	key  jose.JSONWebKey
	hook *hook
	stop func()
}

// A hook answers notifications with what the test says, and remembers them.
type hook struct {
	mu     sync.Mutex
	status func(n int) int // of the n-th attempt, from 1
	to     string          // Location of its answers; "" for none
	tokens []notify.Token
	kinds  []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	signed, err := jose.ParseSignedCompact(string(body), []jose.SignatureAlgorithm{jose.ES256})
	var token notify.Token
	if err == nil {
		json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &token)
	}
	h.tokens, h.kinds = append(h.tokens, token), append(h.kinds, r.Header.Get("Content-Type"))
	status := h.status(len(h.tokens))
	h.mu.Unlock()
	if status == 0 {
		<-r.Context().Done() // a dead one: it takes the request, and never answers
		return
	}
	if h.to != "" {
		w.Header().Set("Location", h.to)
	}
	w.WriteHeader(status)
}

func (h *hook) got() []notify.Token {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.tokens)
}

func (w *town) Sign(_ context.Context, typ string, payload []byte) (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: w.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := s.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func newTown(t *testing.T, status func(n int) int) *town {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	w := &town{t: t, key: jose.JSONWebKey{Key: k, KeyID: "1", Algorithm: "ES256"}, hook: &hook{status: status}}
	types, err := registry.LoadCatalogue(fixtures.Files, "types")
	must(t, err)
	w.pod = &pod.Pod{
		Store: podtest.New(t), Registry: registry.NewParties(time.Now), Types: types, Sign: w,
		Base: "https://pod.example", Issuer: "https://pod.example", Now: time.Now, Rand: rand.Reader,
	}
	w.register("provider", w.hook)
	d := notify.New(w.pod, &http.Client{Timeout: 20 * time.Second}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(w.stop)
	return w
}

func (w *town) register(id string, hook http.Handler) {
	srv := httptest.NewServer(hook)
	w.t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	must(w.t, w.pod.Registry.(*registry.Parties).Add(registry.Party{
		ID: id, WebID: acl.WebID("http://pod.example/.parties/" + id + "#org"), Name: registry.Text{"en": id}, Issuer: "https://" + id + ".example",
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{w.key.Public()}}, MayIssue: []string{certificate}, Notify: srv.URL,
		Uses:  []registry.Use{{ID: "u", Purpose: "https://w3id.org/dpv#X", Why: registry.Text{"en": "x"}, Basis: "x", Type: certificate, Fields: []string{"registered"}, Days: 10}},
		Until: time.Now().AddDate(1, 0, 0),
	}))
}

// want lets a person ask a provider for evidence, and returns who and what.
func (w *town) want(person, provider string) (acl.Agent, string) {
	w.t.Helper()
	ctx := w.t.Context()
	who, err := w.pod.Make(ctx, person)
	must(w.t, err)
	id, err := w.pod.Begin(ctx, who, person+provider, provider, []json.RawMessage{json.RawMessage(`{"type":"evidence_deposit","evidence_types":["` + certificate + `"]}`)})
	must(w.t, err)
	_, err = w.pod.Answer(ctx, who, id, consent.Answer{Agree: true})
	must(w.t, err)
	id, err = w.pod.Begin(ctx, who, person+"asks"+provider, "provider", []json.RawMessage{json.RawMessage(fmt.Sprintf(
		`{"type":"evidence_request","use":"u","evidence_type":%q,"fields":["registered"],"purpose":"https://w3id.org/dpv#X","until":%q}`, certificate, time.Now().AddDate(0, 0, 5).Format(time.DateOnly)))})
	must(w.t, err)
	must(w.t, w.pod.Fetch(ctx, who, id, provider))
	return who, id
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something to be so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happens that %s", what)
		}
	}
}

func (w *town) waiting() int {
	w.t.Helper()
	pods, err := w.pod.Store.Due(w.t.Context(), time.Now().AddDate(0, 0, 2), 100)
	must(w.t, err)
	return len(pods)
}

func TestANotificationArrivesOnceAndSaysWhatItMust(t *testing.T) {
	w := newTown(t, func(int) int { return http.StatusAccepted })
	w.want("alva", "provider")
	eventually(t, "it is delivered", func() bool { return len(w.hook.got()) == 1 && w.waiting() == 0 })
	token := w.hook.got()[0]
	says := token.Events["https://pod.example/ns/core#EvidenceWanted"]
	space := strings.TrimSuffix(strings.TrimPrefix(token.Subject.URI, "https://pod.example/w/"), "/card#me")
	switch {
	case w.hook.kinds[0] != notify.MediaType, token.Issuer != "https://pod.example", token.Audience != "provider", token.ID == "":
		t.Errorf("%s %+v", w.hook.kinds[0], token)
	case says.Location != "https://pod.example/w/"+space+"/deposit/", len(says.Types) != 1, says.Types[0] != certificate:
		t.Errorf("it says %+v of %s", says, space)
	}
}

func TestWhatIsNotReceivedIsTriedAgain(t *testing.T) {
	w := newTown(t, func(n int) int { return map[bool]int{true: 500, false: 202}[n == 1] })
	who, id := w.want("alva", "provider")
	eventually(t, "the person is told of the trouble", func() bool {
		o, err := w.pod.Offer(t.Context(), who, id)
		must(t, err)
		return o.Suppliers[0].Trouble == "refused"
	})
	eventually(t, "it is delivered at the second try", func() bool { return len(w.hook.got()) == 2 && w.waiting() == 0 })
	if got := w.hook.got(); got[0].ID != got[1].ID {
		t.Error("the second try has another jti")
	}
}

// TestARedirectIsNoReceipt: what stands where it leads to, as a page to sign in
// does, has not received anything, and isn't told.
func TestARedirectIsNoReceipt(t *testing.T) {
	page := &hook{status: func(int) int { return http.StatusOK }}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		w := newTown(t, func(int) int { return status })
		w.hook.to = srv.URL
		who, id := w.want("alva", "provider")
		eventually(t, "the person is told of the trouble", func() bool {
			o, err := w.pod.Offer(t.Context(), who, id)
			must(t, err)
			return o.Suppliers[0].Trouble == "refused" || w.waiting() == 0
		})
		w.stop()
		if w.waiting() != 1 || len(page.got()) != 0 {
			t.Errorf("%d: %d notifications wait, and %d came where it leads to", status, w.waiting(), len(page.got()))
		}
	}
}

func TestNothingToDeliverIsFinal(t *testing.T) {
	w := newTown(t, func(int) int { return http.StatusNotFound })
	who, id := w.want("nils", "provider")
	eventually(t, "it is given up", func() bool { return w.waiting() == 0 })
	if o, err := w.pod.Offer(t.Context(), who, id); err != nil || o.Suppliers[0].Trouble != "none" {
		t.Errorf("the person is told %+v, %v", o.Suppliers, err)
	}
	if n := len(w.hook.got()); n != 1 {
		t.Errorf("%d tries", n)
	}
}

// TestADeadPartyHoldsUpNobody: with more people waiting for a party that never
// answers than there are workers, another party is told at once.
func TestADeadPartyHoldsUpNobody(t *testing.T) {
	w := newTown(t, func(int) int { return http.StatusAccepted })
	dead := &hook{status: func(int) int { return 0 }}
	w.register("dead", dead)
	for i := range 30 {
		w.want(fmt.Sprint("person", i), "dead")
	}
	eventually(t, "the dead one is tried", func() bool { return len(dead.got()) >= 4 })
	began := time.Now()
	w.want("alva", "provider")
	eventually(t, "the other is told", func() bool { return len(w.hook.got()) == 1 })
	if d := time.Since(began); d > 8*time.Second { // the dead one's time-out is 10 s
		t.Errorf("it took %v", d)
	}
	if n := len(dead.got()); n > 4 {
		t.Errorf("%d attempts at the dead one at once", n)
	}
	w.stop()
}

// TestWhatWasQueuedBeforeTheStart is delivered after it.
func TestWhatWasQueuedBeforeTheStart(t *testing.T) {
	w := newTown(t, func(int) int { return http.StatusAccepted })
	w.stop()
	w.pod.Wake = nil
	w.want("alva", "provider")
	if len(w.hook.got()) != 0 {
		t.Fatal("it was delivered by nobody")
	}
	d := notify.New(w.pod, http.DefaultClient, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	eventually(t, "it is delivered", func() bool { return len(w.hook.got()) == 1 && w.waiting() == 0 })
	cancel()
	<-ended
}

// TestABacklogIsWorkedOffWithoutAPause: what is due in many more pods than one sweep
// takes, for parties that answer, and behind pods of which nothing can be done (the day
// of whose end has come), is told in less time than the pauses between sweeps alone
// would last.
func TestABacklogIsWorkedOffWithoutAPause(t *testing.T) {
	const pods, pauses = 2560, 38 * time.Second // so many pods by 128 every two seconds
	w := newTown(t, func(int) int { return http.StatusAccepted })
	w.stop()
	w.pod.Wake = nil
	for i := range 200 {
		who, err := w.pod.Make(t.Context(), fmt.Sprint("leaver", i))
		must(t, err)
		_, err = w.pod.Leave(t.Context(), who)
		must(t, err)
	}
	due := time.Now().Add(2 * pod.Regret)
	w.pod.Now = func() time.Time { return time.Now().Add(3 * pod.Regret) }
	for i := range pods {
		n := outbox.Notification{Party: fmt.Sprint("p", i%32), Event: outbox.FormsWanted, Space: "s"}
		if i < 32 {
			w.register(n.Party, w.hook)
		}
		person := fmt.Sprint("person", i)
		_, err := w.pod.Make(t.Context(), person)
		must(t, err)
		must(t, w.pod.Store.Update(t.Context(), store.Name("person/"+person), func(tx store.Tx) error {
			tx.Due(due)
			return outbox.Queue(tx, n, rand.Reader, due)
		}))
	}
	d := notify.New(w.pod, http.DefaultClient, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	began := time.Now()
	go func() { defer close(ended); d.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for time.Since(began) < pauses/2 && len(w.hook.got()) < pods {
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(w.hook.got()); n < pods {
		t.Errorf("after %v %d of %d are told", time.Since(began), n, pods)
	}
	t.Logf("it took %v", time.Since(began))
}
