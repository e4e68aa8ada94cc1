// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/pebble"
	"skrin/pod/registry"
	"skrin/pod/web"
)

// nobodyElse stands for all that the pages ask of others: Alva has signed in.
type nobodyElse struct {
	web.Asks
	web.Accounts
}

func (nobodyElse) Person(*http.Request) (string, time.Time, string, bool) {
	return "person-alva", time.Now(), "", true
}
func (nobodyElse) Ask(*http.Request, string) (web.Ask, error)            { return web.Ask{}, ldp.Gone }
func (nobodyElse) SignOut(*http.Request) error                           { return nil }
func (nobodyElse) Apps(context.Context, acl.WebID) ([]web.Helper, error) { return nil, nil }
func (nobodyElse) RemoveApp(context.Context, acl.WebID, string) error    { return nil }
func (nobodyElse) Scripts(context.Context, string) ([]web.Helper, error) { return nil, nil }
func (nobodyElse) RemoveScript(context.Context, string, string) error    { return nil }
func (nobodyElse) Ways(context.Context, string) ([]web.Way, error)       { return nil, nil }
func (nobodyElse) Visits(*http.Request) ([]web.Visit, error)             { return nil, nil }
func (nobodyElse) NewScript(context.Context, string, acl.WebID, string) (a, b string, err error) {
	return "", "", nil
}

// crowded gives Alva, on an embedded store in a directory, so many pieces of
// evidence and at least so many log entries; she has to do with a hundred parties.
func (w *town) crowded(evidence, entries int) {
	w.t.Helper()
	store, err := pebble.Open(w.t.TempDir(), pebble.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, store.Close()) })
	w.pod.Store = store
	w.alva, err = w.pod.Make(w.t.Context(), "person-alva")
	must(w.t, err)
	parties := w.pod.Registry.(*registry.Parties)
	like, err := parties.Party(w.t.Context(), insurer)
	must(w.t, err)
	deposit := w.connect()
	for i := range evidence { // each says something else
		w.deposit(deposit, w.issue(1, func(s *credential.Statement) {
			s.Claims[1].Value = time.Date(2020, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		}))
	}
	for i := range 100 {
		like.ID = fmt.Sprintf("forsakring-%d", i)
		like.WebID = acl.WebID(base + "/.parties/" + like.ID + "#org")
		must(w.t, parties.Add(like))
		w.answer(like.ID, like.ID, asks(), agree)
	}
	for n := 0; n < entries; n += 200 {
		must(w.t, w.pod.Freeze(w.t.Context(), w.alva, ""))
		must(w.t, w.pod.Thaw(w.t.Context(), w.alva, ""))
	}
}

// BenchmarkPages measures the time to each page, whole, of a person with 1,000
// pieces of evidence and 100,000 log entries: at most 20 ms is wanted.
func BenchmarkPages(b *testing.B) {
	w := newTown(b)
	w.crowded(1000, 100_000)
	site := web.Site{
		Pod: w.pod, Registry: w.pod.Registry, Types: w.pod.Types, Sessions: nobodyElse{}, Asks: nobodyElse{}, Apps: nobodyElse{}, Accounts: nobodyElse{},
		Base: base, Name: "Skrin", Zone: time.UTC, Now: w.pod.Now, Log: slog.New(slog.DiscardHandler),
	}
	h, err := site.Handler()
	must(b, err)
	first, more, err := w.pod.SharesAfter(b.Context(), w.alva, "", 50)
	must(b, err)
	pieces, _, err := w.pod.Pieces(b.Context(), w.alva, 0, 1)
	must(b, err)
	open, err := w.pod.Begin(b.Context(), w.alva, "open", insurer, []json.RawMessage{asks()})
	must(b, err)
	for _, path := range []string{"", "evidence", "evidence?page=50", "evidence/" + pieces[0].ID, "sharing", "sharing?after=" + more, "sharing/" + first[0].Consent.ID, "requests/" + open,
		"apps", "help/", "words", "log/100", "log", "log?before=50000", "log?who=forsakring-7", "log?what=read", "connections", "files/", "settings/"} {
		b.Run(path, func(b *testing.B) {
			size := 0
			for b.Loop() {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, httptest.NewRequest("GET", base+"/me/"+path, nil))
				if size = rec.Body.Len(); rec.Code != http.StatusOK {
					b.Fatalf("%d", rec.Code)
				}
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
