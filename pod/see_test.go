// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"skrin/fixtures"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/registry"
)

const xsd = "http://www.w3.org/2001/XMLSchema#"

// drawValue draws a value of a datatype: as JSON for the provider, and in the
// lexical form in which it is shown.
func drawValue(r *rapid.T, datatype, name string) (any, string) {
	switch strings.TrimPrefix(datatype, xsd) {
	case "boolean":
		v := rapid.Bool().Draw(r, name)
		return v, fmt.Sprint(v)
	case "integer":
		v := rapid.IntRange(-1_000_000, 1_000_000).Draw(r, name)
		return v, fmt.Sprint(v)
	case "date":
		v := fmt.Sprintf("20%02d-%02d-%02d", rapid.IntRange(0, 40).Draw(r, name), rapid.IntRange(1, 12).Draw(r, name), rapid.IntRange(1, 28).Draw(r, name))
		return v, v
	case "anyURI":
		v := "https://example.org/" + rapid.StringMatching(`[a-z]{0,8}`).Draw(r, name)
		return v, v
	}
	v := rapid.StringOfN(rapid.RuneFrom([]rune(`aåö "\<>'{}@^.;#`+"\n\t\u00a0\u2028𝔸")), 0, 12, -1).Draw(r, name)
	return v, v
}

// drawType draws an evidence type of one to eight fields.
func drawType(r *rapid.T) registry.EvidenceType {
	t := registry.EvidenceType{ID: "x:type:1", IRI: "https://x.example/e#type", VCT: "https://x.example/vct/1", Title: registry.Text{"en": "Type"}}
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"boolean", "date", "string", "integer", "anyURI"}), 1, 8).Draw(r, "fields")
	for i, kind := range kinds {
		t.Fields = append(t.Fields, drawField(i, kind))
	}
	return t
}

func drawField(i int, kind string) registry.Field {
	name := fmt.Sprintf("field_%d", i)
	return registry.Field{Name: name, Concept: "https://x.example/e#c" + fmt.Sprint(i), Datatype: xsd + kind, Title: registry.Text{"en": name}}
}

func catalogueOf(r *rapid.T, t registry.EvidenceType) *registry.Catalogue {
	b, err := json.Marshal(t)
	if err != nil {
		r.Fatal(err)
	}
	c, err := registry.LoadCatalogue(fstest.MapFS{"t/x.json": {Data: b}}, "t")
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// some draws some of the names, each at most once.
func some(r *rapid.T, all []string, least int, what string) []string {
	shuffled := rapid.Permutation(all).Draw(r, what)
	return shuffled[:rapid.IntRange(least, len(shuffled)).Draw(r, what+": how many")]
}

// TestWhatYouSeeIsWhatTheyGet: for random types, evidence and requests, the
// facts on the screen are those in the RDF that the party reads, and the claims
// that the presentation discloses; whichever optional fields and whose evidence
// are chosen, bound to a holder key or not, and also after the catalogue has gained
// fields. 1,000 that were agreed to, 300 with
// -short, 10,000 with SKRIN_TEST_LONG in the environment.
func TestWhatYouSeeIsWhatTheyGet(t *testing.T) {
	want := 1_000
	switch {
	case testing.Short():
		want = 300
	case os.Getenv("SKRIN_TEST_LONG") != "":
		want = 10_000
	}
	w := newTownOf(t, fixtures.Files)
	w.pod.Store = newMemory(t)
	agreed, facts := 0, 0
	for agreed < want && !t.Failed() {
		rapid.Check(t, func(r *rapid.T) {
			if seen := w.seeOnce(r); agreed < want && seen > 0 {
				agreed, facts = agreed+1, facts+seen
			}
		})
	}
	t.Logf("%d requests were agreed to, %d facts released", agreed, facts)
}

// seeOnce has one person asked for one thing, and returns how many facts the
// party received.
func (w *town) seeOnce(r *rapid.T) int {
	parties := w.pod.Registry.(*registry.Parties)
	ctx := w.t.Context()
	ok := func(err error) {
		r.Helper()
		if err != nil {
			r.Fatalf("%v %+v", err, err)
		}
	}
	typ := drawType(r)
	w.pod.Types = catalogueOf(r, typ)
	var all []string
	for _, f := range typ.Fields {
		all = append(all, f.Name)
	}
	asker, err := parties.Party(ctx, insurer)
	ok(err)
	asker.Uses = []registry.Use{{ID: "u", Purpose: "https://w3id.org/dpv#Purpose", Why: registry.Text{"en": "why"}, Basis: "https://x.example/law", Type: typ.ID, Fields: all, Days: 300}}
	ok(parties.Add(asker))
	alva, err := w.pod.Make(ctx, rapid.StringMatching(`[a-z]{20}`).Draw(r, "person")+fmt.Sprint(w.next()))
	ok(err)

	begin := func(key, party string, d consent.Detail) consent.Offer {
		b, err := json.Marshal(d)
		ok(err)
		id, err := w.pod.Begin(ctx, alva, key, party, []json.RawMessage{b})
		ok(err)
		o, err := w.pod.Offer(ctx, alva, id)
		ok(err)
		return o
	}

	// What each of one or two issuers attests: some of the fields; the authority
	// perhaps something else before, which is superseded.
	attest := func(by string, daysAgo int) attested {
		party, err := parties.Party(ctx, by)
		ok(err)
		party.MayIssue = []string{typ.ID}
		ok(parties.Add(party))
		o := begin(fmt.Sprint("c", by, w.next()), by, consent.Detail{Type: consent.ToDeposit, EvidenceTypes: []string{typ.ID}})
		out, err := w.pod.Answer(ctx, alva, o.Request.ID, consent.Answer{Agree: true})
		ok(err)
		e := attested{by: by, issuer: party.Issuer, values: map[string]string{}, bound: rapid.Bool().Draw(r, "bound")}
		s := credential.Statement{Type: typ.VCT, Issuer: party.Issuer, Issued: w.now.AddDate(0, 0, -daysAgo), Expires: w.now.AddDate(1, 0, 0), Decoys: 2}
		for _, name := range some(r, all, 1, "attested") {
			f, _ := typ.Field(name)
			v, lexical := drawValue(r, f.Datatype, name)
			e.values[name] = lexical
			s.Claims = append(s.Claims, credential.Claim{Name: name, Value: v})
		}
		if e.bound {
			done, err := w.pod.Post(ctx, w.agent(by), post(w.location(out).Parent()+"keys/", "application/json", `{"count":1}`))
			ok(err)
			var set jose.JSONWebKeySet
			ok(json.Unmarshal(done.Receipt, &set))
			s.HolderKey = &set.Keys[0]
		}
		form, err := credential.Issue(w.keys[by], s)
		ok(err)
		_, err = w.pod.Post(ctx, w.agent(by), post(w.location(out), credential.MediaType, form))
		ok(err)
		return e
	}
	var held []attested
	if rapid.Bool().Draw(r, "two issuers") {
		held = append(held, attest(employer, 0))
	}
	if rapid.Bool().Draw(r, "superseded") {
		attest(authority, 1)
	}
	held = append(held, attest(authority, 0))

	// What the insurer asks, and what the person sees and chooses.
	fields := some(r, all, 1, "asked")
	optional := some(r, except(all, fields), 0, "optional")
	o := begin("a", insurer, consent.Detail{Type: consent.ToRead, Use: "u", EvidenceType: typ.ID, Fields: fields, Optional: optional,
		Purpose: "https://w3id.org/dpv#Purpose", Until: "2027-01-01", Standing: rapid.Bool().Draw(r, "standing")})
	held = slices.DeleteFunc(held, func(e attested) bool { return !holdsAll(e.values, fields) })
	if len(o.Choices) != len(held) {
		r.Fatalf("%d choices, of %v for %v", len(o.Choices), held, fields)
	}
	if len(held) == 0 {
		return 0
	}
	choice := o.Choices[rapid.IntRange(0, len(o.Choices)-1).Draw(r, "choice")]
	e := held[slices.IndexFunc(held, func(e attested) bool { return e.by == choice.Evidence.Issuer })]
	values := e.values
	var offered []string
	seen := factsOf(choice.Released)
	for _, f := range choice.Optional {
		offered = append(offered, f.Field)
	}
	chosen := some(r, offered, 0, "chosen")
	for _, f := range choice.Optional {
		if slices.Contains(chosen, f.Field) {
			seen[f.Field] = f.Value
		}
	}
	for name, v := range seen {
		if values[name] != v {
			r.Fatalf("the screen says %s is %q; attested %q", name, v, values[name])
		}
	}
	out, err := w.pod.Answer(ctx, alva, o.Request.ID, consent.Answer{Agree: true, Evidence: choice.Evidence.ID, Shown: choice.Shown, Optional: chosen, Lang: "sv"})
	ok(err)
	there := w.location(out)
	w.reads(r, typ, e, there, seen)

	// The catalogue gains fields, before and after those that were there.
	typ.Fields = append([]registry.Field{drawField(90, "string")}, append(slices.Clone(typ.Fields), drawField(91, "boolean"))...)
	w.pod.Types = catalogueOf(r, typ)
	w.reads(r, typ, e, there, seen)
	return len(seen)
}

// An attested is evidence of one issuer.
type attested struct {
	by, issuer string
	values     map[string]string
	bound      bool // to a holder key
}

// next counts.
func (w *town) next() int { w.count++; return w.count }

// reads fails if what the insurer reads isn't exactly want, in either form.
func (w *town) reads(r *rapid.T, typ registry.EvidenceType, e attested, there ldp.ID, want map[string]string) {
	r.Helper()
	turtle, err := w.read(insurer, there, pod.TypeTurtle)
	if err != nil {
		r.Fatal(err)
	}
	g, err := rdf.Read(w.t.Context(), []byte(turtle), rdf.Turtle, base+string(there), rdf.Limits{})
	if err != nil {
		r.Fatal(err)
	}
	got := map[string]string{}
	const cccev = "http://data.europa.eu/m8g/"
	for t := range g.Match(rdf.Term{}, rdf.IRI(cccev+"providesValueFor"), rdf.Term{}) {
		v, _ := g.Object(t.S, rdf.IRI(cccev+"value"))
		for _, f := range typ.Fields {
			if f.Concept == t.O.Value {
				got[f.Name] = v.Value
			}
		}
	}
	if !maps.Equal(got, want) {
		r.Fatalf("the screen showed %q, the RDF says %q:\n%s", want, got, turtle)
	}
	nonce := map[bool]string{true: fmt.Sprint("nonce-", 1_000_000+w.next())}[e.bound]
	compact, err := w.readFor(insurer, there, credential.MediaType, nonce)
	if err != nil {
		r.Fatal(err)
	}
	c, err := credential.Parse(compact)
	if err != nil {
		r.Fatal(err)
	}
	v, err := c.Verify(w.keyOf(e.by), w.now, credential.Want{Type: typ.VCT, Issuer: e.issuer, Binding: bindingFor(nonce)})
	if err != nil {
		r.Fatal(err)
	}
	claims := map[string]string{}
	for name, value := range v.Claims {
		claims[name] = fmt.Sprint(value)
	}
	if !maps.Equal(claims, want) {
		r.Fatalf("the screen showed %q, the presentation discloses %q", want, claims)
	}
}

func factsOf(facts []evidence.Fact) map[string]string {
	m := map[string]string{}
	for _, f := range facts {
		m[f.Field] = f.Value
	}
	return m
}

func except(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

func holdsAll(values map[string]string, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { _, ok := values[n]; return !ok })
}
