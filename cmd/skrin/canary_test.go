// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"skrin/cmd/skrin/demo"
	"skrin/ldp/client"
)

// TestNoNumberAnywhere: after a whole run no personal number is in anything that
// was written or said, but encrypted in the store: not in a file, a key or value
// of the store, the log, the insurer's pages or what it was sent. Nor does the
// insurer learn Alva's name, her pod, or the authority's names for her.
func TestNoNumberAnywhere(t *testing.T) {
	dir := t.TempDir()
	r := startDemo(t, dir)
	heard := &posted{next: r.notices.Client.Transport}
	r.notices.Client.Transport = heard
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	claim := b.at.String()
	evidence, deposit := r.granted("Alva Lindqvist")
	insurer := r.party("exempel-forsakring")
	var sent []string
	for _, accept := range []string{"text/turtle", "application/ld+json", "application/dc+sd-jwt"} {
		sent = append(sent, accept+"\n"+raw(t, insurer, evidence, accept))
	}
	for _, address := range []string{evidence + "x", r.Base + "/w/x", strings.Replace(evidence, "evidence", "deposit", 1)} {
		sent = append(sent, "a refusal at "+address+"\n"+raw(t, insurer, address, "*/*"))
	}
	b.open(r.Base + "/me/sharing")
	b.press("Ta tillbaka")
	b.waitFor(claim, "Vi raderade")
	who, err := r.vault.Person(t.Context(), "se:personnummer", demo.People()[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := r.pod.Owner(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	metrics := httptest.NewRecorder()
	r.operator().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	if metrics.Code != 200 || metrics.Body.Len() < 1000 {
		t.Fatalf("the metrics are answered with %d, %d bytes", metrics.Code, metrics.Body.Len())
	}
	r.stop()

	everywhere := map[string][]byte{"the log": []byte(r.log.String()), "the metrics": metrics.Body.Bytes()}
	if len(sent) == 0 || len(heard.all()) == 0 {
		t.Fatal("nobody was told anything")
	}
	for i, body := range heard.all() {
		everywhere[fmt.Sprint("notification ", i)] = body
	}
	files(t, dir, everywhere)
	stored(t, filepath.Join(dir, "store"), everywhere)
	for _, page := range b.seen {
		everywhere["a page at "+strings.SplitN(page, "\n", 2)[0]] = []byte(page)
	}
	for i, body := range sent {
		everywhere["an answer to the insurer: "+strings.SplitN(sent[i], "\n", 2)[0]] = []byte(body)
	}
	if len(everywhere) < 100 {
		t.Fatalf("only %d places were searched", len(everywhere))
	}
	for place, content := range everywhere {
		for _, p := range demo.People() {
			forms := []string{p.Number, p.Number[2:], p.Number[:8] + "-" + p.Number[8:], p.Number[2:8] + "-" + p.Number[8:]}
			for _, n := range p.Later {
				forms = append(forms, n.Number)
			}
			for _, form := range forms {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("%s's number is in %s", p.Short, place)
				}
			}
		}
	}
	// Her name and what is attested of her are in her own pages, and nowhere that an
	// operator looks.
	for _, place := range slices.Sorted(maps.Keys(everywhere)) {
		operators := place == "the log" || place == "the metrics" || strings.HasPrefix(place, "notification ") ||
			strings.HasPrefix(place, "the file "+filepath.Join(dir, "store")) || strings.HasPrefix(place, "the store at ")
		for what, secret := range map[string]string{"name": "Lindqvist", "day of registration": "2026-10-01"} {
			if operators && bytes.Contains(everywhere[place], []byte(secret)) {
				t.Errorf("Alva's %s is in %s", what, place)
			}
		}
	}
	secrets := map[string]string{
		"Alva's name": "Lindqvist", "Alva's pod": strings.Split(string(owner.ID), "/")[3],
		"the authority's space": strings.Split(deposit, "/")[4], "Alva's internal id": who, "the date": "2026-10-01",
	}
	insurers := map[string][]byte{}
	files(t, filepath.Join(dir, "parties", "exempel-forsakring"), insurers)
	for i, body := range sent {
		insurers[sent[i]] = []byte(body)
	}
	for _, page := range b.seen {
		if strings.HasPrefix(page, r.origins[2]) {
			insurers[page] = []byte(page)
		}
	}
	for place, content := range insurers {
		for what, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("the insurer has %s: %.200s", what, place)
			}
		}
	}
}

// posted keeps the bodies of all that is posted, as they are and with what their
// JWTs say.
type posted struct {
	next http.RoundTripper
	mu   sync.Mutex
	kept [][]byte
}

// RoundTrip implements http.RoundTripper.
func (b *posted) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	said := append([]byte(r.URL.String()+"\n"), body...)
	for part := range bytes.SplitSeq(body, []byte(".")) {
		if text, err := base64.RawURLEncoding.DecodeString(string(part)); err == nil {
			said = append(append(said, '\n'), text...)
		}
	}
	b.mu.Lock()
	b.kept = append(b.kept, said)
	b.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return b.next.RoundTrip(r)
}

func (b *posted) all() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kept)
}

// raw returns all that a server answers a party: status, headers, body.
func raw(t *testing.T, c *client.Client, address, accept string) string {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := httputil.DumpResponse(resp, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files adds the names and the contents of all files below dir.
func files(t *testing.T, dir string, to map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		to["the file "+path] = append(b, path...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stored adds each key and value of the store, which in its files are packed.
func stored(t *testing.T, dir string, to map[string][]byte) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for all.First(); all.Valid(); all.Next() {
		key := string(all.Key())
		to["the store at "+key] = append([]byte(key), all.Value()...)
	}
	if err := all.Error(); err != nil {
		t.Fatal(err)
	}
}

type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(string, ...any)     {}
func (silent) Fatalf(f string, _ ...any) { panic(f) }
