// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/cmd/skrin/demo"
	"skrin/fixtures"
	"skrin/pod/credential"
	"skrin/pod/registry"
)

// A presented is a presentation, and what it says.
type presented struct {
	Compact  string `json:"compact"`
	VCT      string `json:"vct"`
	Nonce    string `json:"nonce,omitempty"`
	Audience string `json:"audience,omitempty"`
	place    *credential.Status
	says     map[string]any
}

// An issuerKey is a public key, and whose.
type issuerKey struct {
	Issuer string          `json:"iss"`
	Key    jose.JSONWebKey `json:"jwk"`
}

// verifies has @sd-jwt/sd-jwt-vc verify presentations with the network off, and
// with the status lists at hand, and returns what each said to it; nil for one that
// it refused.
func (r *running) verifies(keys []issuerKey, all []presented, lists map[string]string) []map[string]any {
	r.t.Helper()
	var done struct {
		Accepted int
		Refused  map[string]string
		Told     []map[string]any
	}
	r.node("sdjwt.js", nil, map[string]any{"keys": keys, "presentations": all, "lists": lists}, &done)
	r.t.Logf("%d of %d accepted; refused: %v", done.Accepted, len(all), slices.Compact(slices.Sorted(maps.Values(done.Refused))))
	return done.Told
}

// types are the evidence types, with a value for each field.
func evidenceTypes(t *testing.T) (all []registry.EvidenceType) {
	t.Helper()
	names, err := fs.Glob(fixtures.Files, "types/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fixtures.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var e registry.EvidenceType
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func valueFor(f registry.Field) any {
	switch {
	case strings.HasSuffix(f.Datatype, "#boolean"):
		return rand.IntN(2) == 0
	case strings.HasSuffix(f.Datatype, "#integer"):
		return rand.IntN(1_000_000)
	case strings.HasSuffix(f.Datatype, "#date"):
		return time.Date(2020+rand.IntN(10), 1, 1+rand.IntN(300), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	case strings.HasSuffix(f.Datatype, "#anyURI"):
		return fmt.Sprintf("http://data.europa.eu/esco/skill/%d", rand.Int())
	}
	return []string{"åäö ✓", "tabell 7100", "\"quoted\" \\ <tag>", strings.Repeat("x", rand.IntN(300))}[rand.IntN(4)]
}

// randomPresentation issues evidence of a random type, with random values, and
// presents a random part of it, now and then bound to who asks.
func randomPresentation(t *testing.T, key, holder jose.JSONWebKey, issuer string, types []registry.EvidenceType) presented {
	t.Helper()
	kind := types[rand.IntN(len(types))]
	now := time.Now()
	public := holder.Public()
	s := credential.Statement{Type: kind.VCT, Issuer: issuer, Issued: now, Expires: now.AddDate(0, 1, 0), Decoys: rand.IntN(8)}
	bound := rand.IntN(2) == 0
	if bound {
		s.HolderKey = &public
	}
	p := presented{VCT: kind.VCT, says: map[string]any{}}
	if rand.IntN(2) == 0 {
		p.place = &credential.Status{URI: issuer + "/status/1", Index: rand.IntN(credential.MinStatusList)}
		s.Status = p.place
	}
	var names []string
	for _, f := range kind.Fields {
		value := valueFor(f)
		s.Claims = append(s.Claims, credential.Claim{Name: f.Name, Value: value})
		if rand.IntN(2) == 0 {
			names = append(names, f.Name)
			p.says[f.Name] = value
		}
	}
	compact, err := credential.Issue(key, s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := credential.Parse(compact)
	if err == nil {
		c, err = c.Present(names...)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Compact = c.String()
	if bound {
		p.Nonce, p.Audience = fmt.Sprint("nonce-", rand.Int()), "https://forsakring.example.se"
		if p.Compact, err = c.Bind(holder, p.Audience, p.Nonce, now); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestOthersVerifyOurEvidence: a verifier that somebody else has written, with
// the issuers' keys and no network, believes 1,000 presentations and what was
// read from a running server, finds exactly the facts that were released, and
// refuses what was tampered with.
func TestOthersVerifyOurEvidence(t *testing.T) {
	needClients(t)
	r := startTrail(t, t.TempDir())
	b := newBrowser(t)
	w := &trail{walker: b.walker, name: "Priya Raman", told: func(string, string) {}}
	if err := w.walk(r.origins[1:], demo.Plans()); err != nil {
		t.Fatal(err)
	}
	const issuer = "https://issuer.example.se"
	key, err := crowdKey("issuer-1")
	must(t, err)
	holder, err := crowdKey("holder-1")
	must(t, err)
	keys := []issuerKey{{issuer, key.Public()}}
	all := r.readAll()
	for i, o := range r.outsiders {
		keys = append(keys, issuerKey{r.origins[i+1], o.Keys().Keys[0]})
	}
	types := evidenceTypes(t)
	for range 1000 {
		all = append(all, randomPresentation(t, key, holder, issuer, types))
	}
	list := credential.NewStatusList(issuer+"/status/1", 0)
	list.Issued, list.Expires = time.Now(), time.Now().Add(time.Hour)
	lists := r.statusLists(list, key)
	for i, told := range r.verifies(keys, all, lists) {
		if told == nil {
			t.Errorf("presentation %d was refused: %+v", i, all[i])
		} else if want := asJSON(t, all[i].says); !reflect.DeepEqual(told, want) {
			t.Errorf("presentation %d tells %v, want %v", i, told, want)
		}
	}
	r.refuses(keys, randomPresentation(t, key, holder, issuer, types), all, lists)

	// What is revoked or suspended is refused by its list, and nothing else is.
	gone := map[int]bool{}
	for _, p := range all {
		if p.place != nil && rand.IntN(3) == 0 {
			list.Set(p.place.Index, credential.Invalid+credential.StatusValue(rand.IntN(2)))
		}
	}
	for i, p := range all {
		gone[i] = p.place != nil && list.At(p.place.Index) != credential.Valid
	}
	for i, told := range r.verifies(keys, all, r.statusLists(list, key)) {
		if (told == nil) != gone[i] {
			t.Errorf("presentation %d: revoked: %t, refused: %t", i, gone[i], told == nil)
		}
	}
	foreign := r.statusLists(list, holder)
	list.Issued, list.Expires = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	for is, lists := range map[string]map[string]string{"without its list": nil, "with a list that has expired": r.statusLists(list, key), "with a list that another has signed": foreign} {
		for i, told := range r.verifies(keys, all[:40], lists) {
			if all[i].place != nil && told != nil {
				t.Errorf("%s presentation %d is believed", is, i)
			}
		}
	}
}

// statusLists is the signed list by its address.
func (r *running) statusLists(list *credential.StatusList, key jose.JSONWebKey) map[string]string {
	r.t.Helper()
	token, err := list.Sign(key)
	must(r.t, err)
	return map[string]string{list.URI: token}
}

// readAll reads as SD-JWT VC all that Priya has granted, as each of the
// recipients.
func (r *running) readAll() (all []presented) {
	r.t.Helper()
	_, owner := r.whoIs("no:fodselsnummer")
	shares, err := r.pod.Shares(r.t.Context(), owner)
	must(r.t, err)
	for _, s := range shares {
		c := s.Consent
		res, err := r.party(s.Party.ID).Get(r.t.Context(), r.Base+"/w/"+c.Space+"/evidence/"+c.Grant, credential.MediaType)
		must(r.t, err)
		p := presented{Compact: string(res.Body), VCT: s.Type.VCT, says: map[string]any{}}
		for _, plan := range demo.Plans() {
			if plan.Gives != nil && plan.Gives.Type == s.Type.ID {
				for _, f := range c.Fields {
					p.says[f] = plan.Gives.Facts[f]
				}
			}
		}
		for f, v := range p.says {
			if text, ok := v.(string); ok && strings.HasPrefix(text, "{today") {
				days := 0
				fmt.Sscanf(text, "{today+%d}", &days)
				p.says[f] = time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly)
			}
		}
		all = append(all, p)
	}
	if len(all) != 3 {
		r.t.Errorf("%d grants were read", len(all))
	}
	return all
}

func asJSON(t *testing.T, says map[string]any) (m map[string]any) {
	t.Helper()
	text, err := json.Marshal(says)
	must(t, err)
	must(t, json.Unmarshal(text, &m))
	return m
}

// refuses fails the test unless the verifier refuses presentations that were
// changed.
func (r *running) refuses(keys []issuerKey, good presented, others []presented, lists map[string]string) {
	r.t.Helper()
	for len(good.says) == 0 || good.Nonce == "" { // one that is bound and says something
		good = others[rand.IntN(len(others))]
	}
	parts := strings.Split(good.Compact, "~")
	change := func(edit func(*presented)) presented { p := good; edit(&p); return p }
	flip := func(s string) string {
		i := len(s) - 20
		return s[:i] + map[bool]string{true: "B", false: "A"}[s[i] == 'A'] + s[i+1:]
	}
	bad := map[string]presented{
		"a changed signature": change(func(p *presented) { p.Compact = strings.Join(append([]string{flip(parts[0])}, parts[1:]...), "~") }),
		"a changed disclosure": change(func(p *presented) {
			p.Compact = strings.Join(append([]string{parts[0], flip(parts[1])}, parts[2:]...), "~")
		}),
		"a disclosure left out":       change(func(p *presented) { p.Compact = strings.Join(append([]string{parts[0]}, parts[2:]...), "~") }),
		"another nonce":               change(func(p *presented) { p.Nonce = "another" }),
		"another audience":            change(func(p *presented) { p.Audience = "https://mallory.example.se" }),
		"without the holder's proof":  change(func(p *presented) { p.Compact = strings.Join(parts[:len(parts)-1], "~") + "~" }),
		"another type than was asked": change(func(p *presented) { p.VCT = "https://example.se/other" }),
	}
	names := slices.Sorted(maps.Keys(bad))
	var all []presented
	for _, name := range names {
		all = append(all, bad[name])
	}
	for i, told := range r.verifies(keys, all, lists) {
		if told != nil {
			r.t.Errorf("%s: it is believed: %v", names[i], told)
		}
	}
	for i, told := range r.verifies(nil, others[:20], lists) {
		if told != nil {
			r.t.Errorf("without keys it believes presentation %d", i)
		}
	}
}
