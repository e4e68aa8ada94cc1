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

	"pgregory.net/rapid"

	"skrin/fixtures"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/credential"
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
func drawType(r *rapid.T) pod.EvidenceType {
	t := pod.EvidenceType{ID: "x:type:1", IRI: "https://x.example/e#type", VCT: "https://x.example/vct/1", Title: pod.Text{"en": "Type"}}
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"boolean", "date", "string", "integer", "anyURI"}), 1, 8).Draw(r, "fields")
	for i, kind := range kinds {
		t.Fields = append(t.Fields, drawField(i, kind))
	}
	return t
}

func drawField(i int, kind string) pod.Field {
	name := fmt.Sprintf("field_%d", i)
	return pod.Field{Name: name, Concept: "https://x.example/e#c" + fmt.Sprint(i), Datatype: xsd + kind, Title: pod.Text{"en": name}}
}

func catalogueOf(r *rapid.T, t pod.EvidenceType) *pod.Catalogue {
	b, err := json.Marshal(t)
	if err != nil {
		r.Fatal(err)
	}
	c, err := pod.LoadCatalogue(fstest.MapFS{"t/x.json": {Data: b}}, "t")
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
// that the presentation discloses; whichever optional fields are chosen, and also
// after the catalogue has gained fields. 1,000 that were agreed to, 300 with
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
	parties := w.pod.Registry.(*pod.Parties)
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
	issuer, err := parties.Party(ctx, authority)
	ok(err)
	issuer.MayIssue = []string{typ.ID}
	ok(parties.Add(issuer))
	asker, err := parties.Party(ctx, insurer)
	ok(err)
	asker.Uses = []pod.Use{{ID: "u", Purpose: "https://w3id.org/dpv#Purpose", Why: pod.Text{"en": "why"}, Basis: "https://x.example/law", Type: typ.ID, Fields: all, Days: 300}}
	ok(parties.Add(asker))
	alva, err := w.pod.Make(ctx, rapid.StringMatching(`[a-z]{20}`).Draw(r, "person")+fmt.Sprint(w.next()))
	ok(err)

	// What the authority attests: some of the fields.
	values, claims := map[string]string{}, []credential.Claim{}
	for _, name := range some(r, all, 1, "attested") {
		f, _ := typ.Field(name)
		v, lexical := drawValue(r, f.Datatype, name)
		values[name] = lexical
		claims = append(claims, credential.Claim{Name: name, Value: v})
	}
	begin := func(key, party string, d pod.Detail) pod.Offer {
		b, err := json.Marshal(d)
		ok(err)
		id, err := w.pod.Begin(ctx, alva, key, party, []json.RawMessage{b})
		ok(err)
		o, err := w.pod.Offer(ctx, alva, id)
		ok(err)
		return o
	}
	o := begin("c", authority, pod.Detail{Type: pod.ToDeposit, EvidenceTypes: []string{typ.ID}})
	out, err := w.pod.Answer(ctx, alva, o.Request.ID, pod.Answer{Agree: true})
	ok(err)
	form, err := credential.Issue(w.keys[authority], credential.Statement{Type: typ.VCT, Issuer: issuer.Issuer, Issued: w.now, Expires: w.now.AddDate(1, 0, 0), Claims: claims, Decoys: 2})
	ok(err)
	_, err = w.pod.Post(ctx, w.agent(authority), post(w.location(out), pod.TypeSDJWT, form))
	ok(err)

	// What the insurer asks, and what the person sees and chooses.
	fields := some(r, all, 1, "asked")
	optional := some(r, except(all, fields), 0, "optional")
	o = begin("a", insurer, pod.Detail{Type: pod.ToRead, Use: "u", EvidenceType: typ.ID, Fields: fields, Optional: optional,
		Purpose: "https://w3id.org/dpv#Purpose", Until: "2027-01-01", Standing: rapid.Bool().Draw(r, "standing")})
	if !holdsAll(values, fields) {
		if len(o.Choices) != 0 {
			r.Fatalf("offered though %v aren't all in %v", fields, values)
		}
		return 0
	}
	if len(o.Choices) != 1 {
		r.Fatalf("%d choices", len(o.Choices))
	}
	choice := o.Choices[0]
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
	out, err = w.pod.Answer(ctx, alva, o.Request.ID, pod.Answer{Agree: true, Evidence: choice.Evidence.ID, Shown: choice.Shown, Optional: chosen, Lang: "sv"})
	ok(err)
	there := w.location(out)
	w.reads(r, typ, there, seen)

	// The catalogue gains fields, before and after those that were there.
	typ.Fields = append([]pod.Field{drawField(90, "string")}, append(slices.Clone(typ.Fields), drawField(91, "boolean"))...)
	w.pod.Types = catalogueOf(r, typ)
	w.reads(r, typ, there, seen)
	return len(seen)
}

// next counts.
func (w *town) next() int { w.count++; return w.count }

// reads fails if what the insurer reads isn't exactly want, in either form.
func (w *town) reads(r *rapid.T, typ pod.EvidenceType, there ldp.ID, want map[string]string) {
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
	compact, err := w.read(insurer, there, pod.TypeSDJWT)
	if err != nil {
		r.Fatal(err)
	}
	c, err := credential.Parse(compact)
	if err != nil {
		r.Fatal(err)
	}
	v, err := c.Verify(w.keyOf(authority), w.now, credential.Want{Type: typ.VCT, Issuer: "https://af.example.se"})
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

func factsOf(facts []pod.Fact) map[string]string {
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
