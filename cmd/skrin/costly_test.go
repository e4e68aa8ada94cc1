// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/ldp/rdf"
)

// jsonLD returns a document of about so many bytes.
func jsonLD(size int) string {
	var b strings.Builder
	b.WriteString(`{"@graph":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"@id":"#%d","urn:p":{"@list":[1,2,3]},"urn:q":[{"@id":"#x"},"text"]}`, i)
	}
	return b.String() + "]}"
}

// TestLargeJSONLDIsRefused: JSON-LD takes thirty times as long to read as other RDF, so
// less of it is taken; who sends more is told what to send instead, and that is taken.
func TestLargeJSONLDIsRefused(t *testing.T) {
	w := newWorld(t)
	large := jsonLD(1<<20 + 1)
	g, err := rdf.Read(t.Context(), []byte(large), rdf.JSONLD, "https://x.example/", rdf.Limits{Bytes: 8 << 20})
	must(t, err)
	same, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
	must(t, err)
	for _, row := range []struct {
		is, method, path, media, body string
		status                        int
	}{
		{"more than 1 MiB", "PUT", "/a", "application/ld+json", large, 413},
		{"more than 1 MiB, posted", "POST", "/", "application/ld+json", large, 413},
		{"the same as Turtle", "PUT", "/a", "text/turtle", string(same), 201},
		{"1 MiB", "PUT", "/b", "application/ld+json", jsonLD(1<<20 - 200), 201},
	} {
		a := w.ask(w.alice, row.method, row.path, row.media, row.body)
		if a.StatusCode != row.status || row.status == 413 && (!strings.Contains(a.body, "1048576 bytes") || !strings.Contains(a.body, "text/turtle")) {
			t.Errorf("%s: %s %s", row.is, a.Status, a.body)
		}
	}
}

// TestCostlyDocumentsTakeTurns: of many large documents in JSON-LD, written, read as
// another format and patched, few are worked on at once, some wait, and who sends more is
// told to come back. Meanwhile others are served, each of them. None of what was taken is
// lost.
func TestCostlyDocumentsTakeTurns(t *testing.T) {
	const atOnce, senders, others = 2, 40, 100
	w := newWorldOf(t, func(c *config) { c.Limit = limitSettings{Costly: atOnce} })
	large := jsonLD(96 << 10)
	if a := w.ask(w.alice, "PUT", "/doc", "application/ld+json", large); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	w.put("/small", "text/plain", "x")
	var most atomic.Int64
	stop := make(chan struct{})
	var looked sync.WaitGroup
	looked.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				most.Store(max(most.Load(), int64(w.guard.value(t, "skrin_costly_under_way"))))
			}
		}
	})
	var taken, later atomic.Int64
	var all sync.WaitGroup
	send := func(method, path, media, body string, header map[string]string) {
		req, err := http.NewRequest(method, w.Base+string(w.id(path)), strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		if media != "" {
			req.Header.Set("Content-Type", media)
		}
		switch a := w.send(w.alice, req); {
		case a.StatusCode/100 == 2:
			taken.Add(1)
		case a.StatusCode == 503 && a.Header.Get("Retry-After") != "" && strings.Contains(a.body, "text/turtle"):
			later.Add(1)
		default:
			t.Errorf("%s %s: %s %s", method, path, a.Status, a.body)
		}
	}
	for i := range senders {
		all.Go(func() { send("PUT", fmt.Sprint("/new", i), "application/ld+json", large, nil) })
		all.Go(func() { send("GET", "/doc", "", "", map[string]string{"Accept": "text/turtle"}) })
		all.Go(func() {
			send("PATCH", "/doc", "text/n3", fmt.Sprintf("@prefix solid: <http://www.w3.org/ns/solid/terms#>. <> a solid:InsertDeletePatch; solid:inserts { <#n%d> <urn:p> 1 . }.", i), nil)
		})
	}
	for range others {
		if a := w.ask(w.bob, "GET", "/small", "", ""); a.StatusCode != 403 {
			t.Errorf("another: %s", a.Status)
		}
		if a := w.ask(w.alice, "GET", "/small", "", ""); a.StatusCode != 200 {
			t.Errorf("another: %s", a.Status)
		}
	}
	all.Wait()
	close(stop)
	looked.Wait()
	if taken.Load()+later.Load() != 3*senders || taken.Load() < atOnce || later.Load() == 0 {
		t.Errorf("%d were taken, %d were told to come back", taken.Load(), later.Load())
	}
	if n := most.Load(); n < 1 || n > atOnce {
		t.Errorf("%d were worked on at once", n)
	}
	if n := w.guard.value(t, "skrin_refusals_total", `"costly"`); int64(n) != later.Load() {
		t.Errorf("%v refusals are counted, of %d", n, later.Load())
	}
	until(t, "all turns have ended", func() bool { return w.guard.value(t, "skrin_costly_under_way") == 0 })
	if a := w.ask(w.alice, "PUT", "/after", "application/ld+json", large); a.StatusCode != 201 {
		t.Errorf("afterwards: %s %s", a.Status, a.body)
	}
}
