// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/cmd/skrin/demo"
	"skrin/ldp/client"
	"skrin/pod"
	"skrin/pod/credential"
)

// A journey is a demo of its own in which one person lives one story.
type journey struct {
	*running
	b       *browser
	later   atomic.Int64 // by how much the pod's clock is ahead
	deposit string       // where the authority delivers
	body    []byte       // what it delivers
}

const (
	alva  = "Alva Lindqvist"
	agree = "Ja, dela"
)

// The twelve ways of the pilot's first case, the certificate of unemployment that
// an insurer needs, and how they end; after them those of its second case, the
// internship, and of Kompetansespor where it stops. The states of the pilot's
// own screen are all here: received, fetching, available, preview, consent,
// sharing, shared, timeout, missing, error.
var journeys = []struct {
	is string
	do func(*journey)
}{
	{"she agrees to what she sees, and the insurer reads that and no more", func(j *journey) {
		j.toConsent()
		j.b.sees("Inskriven i minst 30 dagar Ja", "De får inte se: Inskrivningsdag")
		j.b.press(agree)
		j.b.sees("Du uppfyller villkoret")
		j.reads(200, "registered30days", "registrationDate", "2026-10-01")
	}},
	{"she says no, and the insurer learns nothing", func(j *journey) {
		j.toConsent()
		j.b.press("Nej, dela inte")
		j.b.sees("Du delade inte ditt intyg", "Vi har inte fått veta något om dig")
		if evidence, _ := j.granted(alva); evidence != "" {
			j.t.Error("something was granted")
		}
	}},
	{"she isn't a jobseeker, and is told that there is nothing to fetch", func(j *journey) {
		j.connect(j.b, "Nils Berg")
		j.ask(j.b)
		j.b.press("Hämta från Arbetsförmedlingen")
		j.b.waitFor(j.b.at.String(), "Arbetsförmedlingen (exempel) har inget")
		j.b.press("Nej, dela inte")
		j.b.sees("Du delade inte ditt intyg")
	}},
	{"the authority is down: she is told, and it comes when the authority is back", func(j *journey) {
		down := &failing{next: j.notices.Client.Transport}
		j.notices.Client.Transport = down
		j.connect(j.b, alva)
		j.ask(j.b)
		j.b.press("Hämta från Arbetsförmedlingen")
		j.b.waitFor(j.b.at.String(), "svarar inte just nu")
		down.up.Store(true)
		j.b.waitFor(j.b.at.String(), "Vill du dela detta med Exempel Försäkring (exempel)?")
		j.b.press(agree)
		j.b.sees("Du uppfyller villkoret")
	}},
	{"the authority is late: she leaves, comes back another way, and answers", func(j *journey) {
		late := &held{next: j.notices.Client.Transport, gate: make(chan struct{})}
		j.t.Cleanup(late.open)
		j.notices.Client.Transport = late
		j.connect(j.b, alva)
		j.ask(j.b)
		j.b.press("Hämta från Arbetsförmedlingen")
		j.b.sees("Hämtar ditt intyg", "Inget delas nu")
		j.b.open(j.Base + "/me/")
		j.b.sees("Väntar på ditt svar")
		late.open()
		j.b.press("Titta och svara")
		j.b.waitFor(j.b.at.String(), "Vill du dela detta med Exempel Försäkring (exempel)?")
		j.b.press(agree)
		j.b.sees("Du uppfyller villkoret")
	}},
	{"somebody else opens her question, and sees nothing of it", func(j *journey) {
		j.toConsent()
		other := newBrowser(j.t)
		other.open(j.b.at.String())
		other.signIn("Nils Berg")
		other.sees("Frågan gäller inte längre", "inte till dig")
		if other.says("Inskriven") || other.says("Alva") {
			j.t.Errorf("it says %s", other.text())
		}
		j.b.press(agree)
		j.b.sees("Du uppfyller villkoret")
	}},
	{"she answers when the question's time has passed, and nothing is shared", func(j *journey) {
		j.toConsent()
		j.later.Store(int64(15 * 24 * time.Hour))
		j.b.press(agree)
		j.b.sees("Inget har delats")
		if evidence, _ := j.granted(alva); evidence != "" || j.b.status != http.StatusConflict {
			j.t.Errorf("%d, granted %q", j.b.status, evidence)
		}
	}},
	{"a party asks for more than it may, and she is never asked", func(j *journey) {
		j.connect(j.b, alva)
		detail := wanted()
		detail["fields"] = []string{"registered_at_least_30_days", "registration_date"}
		status, told, body := j.send(j.push("exempel-forsakring", j.origins[2]+"/callback", detail))
		if status < 400 || told != "invalid_authorization_details" || !strings.Contains(body, "field 2") {
			j.t.Errorf("%d %s %s", status, told, body)
		}
		j.b.open(j.Base + "/me/")
		j.b.sees("Inget väntar på ditt svar")
	}},
	{"she answers in part, and more only where she has chosen more", func(j *journey) {
		j.toConsent()
		j.b.press(agree)
		j.reads(200, "registered30days", "evidence#registered>")
		j.ask(j.b)
		j.b.press(agree, j.b.field("also-"), "registered")
		j.b.sees("Inskriven som arbetssökande Ja")
		if j.b.says("Inskrivningsdag") {
			j.t.Error("the insurer shows more than she chose")
		}
	}},
	{"she withdraws while the insurer reads, and no read that begins after it succeeds", func(j *journey) {
		j.toConsent()
		j.b.press(agree)
		j.withdrawsWhileRead()
	}},
	{"her yes ends by itself on its day", func(j *journey) {
		j.toConsent()
		j.b.press(agree)
		j.later.Store(int64((askedFor + 1) * 24 * time.Hour))
		j.reads(403, "")
	}},
	{"the insurer is struck off: it reads nothing, and asks nothing", func(j *journey) {
		j.toConsent()
		j.b.press(agree)
		j.reads(200, "registered30days")
		evidence, _ := j.granted(alva)
		insurer := j.party("exempel-forsakring")
		j.parties.Remove("exempel-forsakring")
		if s := statusOf(insurer.Get(j.t.Context(), evidence, pod.TypeTurtle)); s == 200 {
			j.t.Error("it still reads")
		}
		j.b.open(j.origins[2])
		j.b.press("Hämta mitt intyg")
		if j.b.at.Host == strings.TrimPrefix(j.Base, "http://") {
			j.t.Errorf("it still asks: %s", j.b.text())
		}
		j.b.open(j.Base + "/me/sharing")
		j.b.sees("exempel-forsakring") // she still sees to whom she had said yes
	}},
	{"the certificate comes twice, and she has one", func(j *journey) {
		j.connect(j.b, alva)
		for range 2 {
			if err := j.certify("same-key", true); err != nil {
				j.t.Fatal(err)
			}
		}
		j.b.open(j.Base + "/me/evidence")
		if n := strings.Count(j.b.text(), "Utfärdat av"); n != 1 || j.b.says("Ersatt") {
			j.t.Errorf("%d certificates: %s", n, j.b.text())
		}
	}},
	{"a newer certificate comes: she answers with that, and what she agreed to before stays what it was", func(j *journey) {
		j.toConsent()
		j.b.press(agree)
		j.reads(200, "true")
		if err := j.certify("newer", false); err != nil {
			j.t.Fatal(err)
		}
		j.b.open(j.Base + "/me/evidence")
		j.b.sees("Ersatt av ett nyare")
		j.ask(j.b)
		j.b.sees("Inskriven i minst 30 dagar Nej")
		j.b.press(agree)
		j.b.sees("Du uppfyller inte villkoret")
	}},
	{"she has changed her mind about the authority too: it delivers no more, and what she has stays", func(j *journey) {
		j.toConsent()
		_, j.deposit = j.granted(alva)
		if err := j.pod.Disconnect(j.t.Context(), j.owner(alva), "arbetsformedlingen"); err != nil {
			j.t.Fatal(err)
		}
		if err := j.certify("after", true); statusOf(nil, err) != 403 {
			j.t.Errorf("it delivers: %v", err)
		}
		j.b.open(j.Base + "/me/evidence")
		j.b.sees("Arbetslöshetsintyg")
	}},
	{"somebody with a protected identity gives the insurer what anybody gives", func(j *journey) {
		shape := map[string]string{}
		for _, name := range []string{alva, "Britt Ek"} {
			b := newBrowser(j.t)
			j.connect(b, name)
			j.ask(b)
			j.fetch(b)
			b.press(agree)
			evidence, _ := j.granted(name)
			answer := raw(j.t, j.party("exempel-forsakring"), evidence, pod.TypeTurtle)
			if strings.Contains(answer, name) || strings.Contains(strings.ToLower(answer), "protected") {
				j.t.Errorf("of %s the insurer is told %s", name, answer)
			}
			head, _, _ := strings.Cut(answer, "\r\n\r\n")
			var names []string
			for _, line := range strings.Split(head, "\r\n")[1:] {
				header, _, _ := strings.Cut(line, ":")
				names = append(names, header)
			}
			slices.Sort(names)
			shape[strings.Join(names, " ")] = name
		}
		if len(shape) != 1 {
			j.t.Errorf("their answers differ in form: %v", shape)
		}
	}},
}

// askedFor is for how many days the demo's insurer asks.
const askedFor = 180

// TestJourneys lives each of them over HTTP, with the whole server and real
// outsiders.
func TestJourneys(t *testing.T) {
	for _, row := range journeys {
		t.Run(row.is, func(t *testing.T) {
			t.Parallel()
			j := &journey{}
			j.running = start(t, t.TempDir(), func(ctx context.Context, log *slog.Logger) (*town, error) {
				town, err := newTown(ctx, t.TempDir(), 0, keep{}, log)
				if err == nil {
					town.pod.Now = func() time.Time { return time.Now().Add(time.Duration(j.later.Load())) }
				}
				return town, err
			})
			j.dir = j.Dir
			j.b = newBrowser(t)
			row.do(j)
		})
	}
	if len(journeys) < 12 {
		t.Error("there are twelve")
	}
}

// toConsent brings Alva to the page where she decides.
func (j *journey) toConsent() {
	j.t.Helper()
	j.connect(j.b, alva)
	j.ask(j.b)
	j.fetch(j.b)
	j.b.sees("Vill du dela detta med Exempel Försäkring (exempel)?")
}

// reads has the insurer read, as itself, what was granted last; it must hold one
// text, and none of the others.
func (j *journey) reads(status int, text string, not ...string) {
	j.t.Helper()
	evidence, _ := j.granted(alva)
	answer := raw(j.t, j.party("exempel-forsakring"), evidence, pod.TypeTurtle)
	got := http.StatusText(status)
	if !strings.Contains(answer, got) || !strings.Contains(answer, text) {
		j.t.Errorf("the insurer reads %s; want %d and %q", answer, status, text)
	}
	for _, n := range not {
		if strings.Contains(answer, n) {
			j.t.Errorf("the insurer reads %q in %s", n, answer)
		}
	}
}

// field finds the name of a field of the page that begins so.
func (b *browser) field(begin string) string {
	b.t.Helper()
	for n := range b.page.Descendants() {
		if strings.HasPrefix(attr(n, "name"), begin) {
			return attr(n, "name")
		}
	}
	b.t.Fatalf("%s has no field %s…", b.at, begin)
	return ""
}

// certify has the authority deliver a certificate for Alva, under an idempotency
// key, and says what came of it.
func (j *journey) certify(key string, long bool) error {
	j.t.Helper()
	_, deposit := j.granted(alva)
	if deposit == "" {
		deposit = j.deposit
	}
	j.deposit = deposit
	if j.body == nil || !long {
		authority, now := j.party("arbetsformedlingen"), time.Now()
		s := credential.Statement{
			Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: j.origins[1], Issued: now, Expires: now.AddDate(0, 1, 0), Decoys: 2,
			Claims: []credential.Claim{{Name: "registered", Value: true}, {Name: "registration_date", Value: "2026-10-01"}, {Name: "registered_at_least_30_days", Value: long}},
		}
		if holders, err := authority.HolderKeys(j.t.Context(), deposit, 1); err == nil { // or the delivery itself is refused
			s.HolderKey = &holders[0]
		}
		form, err := credential.Issue(authority.Key, s)
		if err != nil {
			j.t.Fatal(err)
		}
		j.body = []byte(form)
	}
	_, err := j.party("arbetsformedlingen").Post(j.t.Context(), deposit, client.Content{Type: credential.MediaType, Body: j.body, Key: key})
	return err
}

// withdrawsWhileRead has eight readers read on and on, and her withdraw.
func (j *journey) withdrawsWhileRead() {
	j.t.Helper()
	evidence, _ := j.granted(alva)
	var withdrawn, after atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		c := j.party("exempel-forsakring")
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := withdrawn.Load() > 0
				if status := statusOf(c.Get(j.t.Context(), evidence, pod.TypeTurtle)); began && status != 403 {
					j.t.Errorf("a read that began after the withdrawal: %d", status)
				} else if began {
					after.Add(1)
				}
			}
		})
	}
	j.b.open(j.Base + "/me/sharing")
	j.b.press("Ta tillbaka")
	withdrawn.Store(1)
	j.b.sees("Du har tagit tillbaka det")
	for end := time.Now().Add(10 * time.Second); after.Load() < 20 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if after.Load() == 0 {
		j.t.Error("nobody read after it")
	}
}

// failing reaches nobody until it is up.
type failing struct {
	next http.RoundTripper
	up   atomic.Bool
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.up.Load() {
		return nil, errors.New("no route to host")
	}
	return f.next.RoundTrip(r)
}

// internship is the pilot's second case: an authority decides, and a host asks.
func internship(t *testing.T, eligible bool) []demo.Plan {
	t.Helper()
	var plans []demo.Plan
	text := `[{"id": "arbetsformedlingen", "gives": {"type": "se:af:praktikprogram:1", "days": 30,
	    "facts": {"eligible": true, "category": "nedsatt arbetsförmåga", "decision_date": "{today}", "eligible_until": "{today+180}"}},
	  "words": {"sv": {"site.name": "Arbetsförmedlingen (exempel)", "home.button": "Spara beslutet"}, "en": {"site.name": "Arbetsförmedlingen (example)"}}},
	 {"id": "exempel-larosate", "gives": {"type": "se:larosate:kursintyg:1", "days": 30, "facts": {"course": "Programmering", "passed": true, "completed": "{today}"}},
	  "words": {"sv": {"site.name": "Exempel Lärosäte (exempel)", "home.button": "Spara kursintyget"}, "en": {"site.name": "Exempel University (example)"}}},
	 {"id": "exempel-praktikvard", "asks": {"use": "praktik-2026", "fields": ["eligible"], "days": 30, "needs": {"eligible": true}},
	  "words": {"sv": {"site.name": "Exempel Praktikvärd (exempel)", "home.button": "Sök praktik"}, "en": {"site.name": "Exempel Internship Host (example)"}}}]`
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	plans[0].Gives.Facts["eligible"] = eligible
	return plans
}

// TestInternship: the host learns whether she is eligible, and not why.
func TestInternship(t *testing.T) {
	for _, eligible := range []bool{true, false} {
		plans := internship(t, eligible)
		r := startPlans(t, t.TempDir(), plans)
		b := newBrowser(t)
		w := &trail{walker: b.walker, name: alva, told: func(string, string) {}}
		if err := w.walk(r.origins[1:3], plans[:2]); err != nil {
			t.Fatal(err)
		}
		err := w.visit(r.origins[3], plans[2])
		if eligible && (err != nil || !b.says("Ja")) {
			t.Errorf("eligible: %v %s", err, b.text())
		}
		if !eligible && (err == nil || !b.says("Du uppfyller inte villkoren")) {
			t.Errorf("not eligible: %v %s", err, b.text())
		}
		evidence, _ := r.granted(alva)
		answer := raw(t, r.party("exempel-praktikvard"), evidence, pod.TypeTurtle)
		if !strings.Contains(answer, "internshipEligible") || strings.Contains(answer, "nedsatt") || strings.Contains(answer, "internshipCategory") {
			t.Errorf("the host reads %s", answer)
		}
	}
}

// TestKompetansesporStops: where an office says no, or she comes to one too
// early, nothing is delivered, and she is told.
func TestKompetansesporStops(t *testing.T) {
	t.Run("the pay is too low: UDI says no, and the police have nothing to see", func(t *testing.T) {
		plans := demo.Plans()
		plans[0].Gives.Facts["salary_at_least_floor"] = false
		r := startPlans(t, t.TempDir(), plans)
		b := newBrowser(t)
		w := &trail{walker: b.walker, name: "Priya Raman", told: func(string, string) {}}
		if err := w.walk(r.origins[1:3], plans[:2]); err == nil || !b.says("Du uppfyller inte villkoren") {
			t.Errorf("UDI: %v %s", err, b.text())
		}
		if err := w.visit(r.origins[3], plans[2]); err == nil || !b.says("Ett intyg saknas") {
			t.Errorf("the police: %v %s", err, b.text())
		}
		person, _ := r.whoIs("xx:passport")
		if got := r.schemes(person); len(got) != 1 || got[0] != "xx:passport" {
			t.Errorf("she is known by %v", got)
		}
	})
	t.Run("she comes to the police before UDI, and is told where to go first", func(t *testing.T) {
		plans := demo.Plans()
		r := startPlans(t, t.TempDir(), plans)
		b := newBrowser(t)
		w := &trail{walker: b.walker, name: "Priya Raman", told: func(string, string) {}}
		if err := w.visit(r.origins[3], plans[2]); err == nil {
			t.Fatal("the police have seen what isn't there")
		}
		b.sees("Ett intyg saknas", "Du är inte ansluten till UDI (exempel) än")
	})
}
