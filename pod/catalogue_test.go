// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"skrin/fixtures"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/registry"
	"skrin/pod/vocab"
)

var languages = []string{"sv", "nb", "nn", "en"}

// TestTheCatalogue: the types that are demanded are there, whole, in four
// languages, and somebody issues each.
func TestTheCatalogue(t *testing.T) {
	w := newTown(t)
	vocabulary, err := vocab.Core(base).Graph(t.Context())
	must(t, err)
	whole := func(what string, text registry.Text) {
		for _, lang := range languages {
			if text[lang] == "" {
				t.Errorf("%s is missing in %s", what, lang)
			}
		}
	}
	derived := 0
	for _, typ := range w.pod.Types.All() {
		whole(typ.ID+": title", typ.Title)
		whole(typ.ID+": about", typ.About)
		for _, f := range typ.Fields {
			whole(typ.ID+": "+f.Name, f.Title)
			for value, words := range f.Values {
				whole(typ.ID+": "+f.Name+" "+value, words)
			}
			if f.Derived {
				derived++
			}
		}
		if issuers, err := w.pod.Registry.Issuers(t.Context(), typ.ID); err != nil || len(issuers) == 0 {
			t.Errorf("%s: nobody issues it (%v)", typ.ID, err)
		}
		if typ.Basis == "" || len(typ.LifeEvents) == 0 {
			t.Errorf("%s has no legal basis, or belongs to no life event", typ.ID)
		}
		for _, e := range typ.LifeEvents {
			if _, ok := vocabulary.Object(rdf.IRI(base+"/ns/core#life-event-"+e), rdf.IRI("http://www.w3.org/2000/01/rdf-schema#label")); !ok {
				t.Errorf("%s: the vocabulary has no life event %q", typ.ID, e)
			}
		}
	}
	if n := len(w.pod.Types.All()); n < 12 || derived < 12 {
		t.Errorf("%d types with %d derived fields", n, derived)
	}
	for _, party := range w.pod.Registry.(*registry.Parties).All() {
		for _, u := range party.Uses {
			typ, ok := w.pod.Types.Type(u.Type)
			if !ok {
				t.Errorf("%s: %s is for %s, which isn't there", party.ID, u.ID, u.Type)
				continue
			}
			whole(party.ID+": "+u.ID, u.Why)
			for _, f := range u.Fields {
				if _, ok := typ.Field(f); !ok {
					t.Errorf("%s: %s is for a field %s, which isn't there", party.ID, u.ID, f)
				}
			}
		}
	}
}

const (
	libraryType = `{"id": "se:bibliotek:lanekort:1", "iri": "https://bibliotek.example.se/evidence#lanekort", "vct": "https://bibliotek.example.se/vct/lanekort/1",
	"title": {"sv": "Lånekort", "nb": "Lånekort", "nn": "Lånekort", "en": "Library card"}, "about": {"sv": "Visar att du får låna.", "en": "Shows that you may borrow."},
	"basis": "https://lagen.nu/2013:801", "life_events": ["new-in-country"],
	"fields": [
		{"name": "may_borrow", "concept": "https://bibliotek.example.se/evidence#mayBorrow", "datatype": "http://www.w3.org/2001/XMLSchema#boolean", "derived": true, "from": "fees", "title": {"sv": "Får låna", "en": "May borrow"}},
		{"name": "fees", "concept": "https://bibliotek.example.se/evidence#fees", "datatype": "http://www.w3.org/2001/XMLSchema#integer", "title": {"sv": "Avgifter", "en": "Fees"}}]}`
	library = `{"id": "bibliotek", "name": {"sv": "Biblioteket (exempel)", "en": "Library (example)"}, "number": "SE.5560000009", "home": "https://bibliotek.example.se/",
	"privacy": "https://bibliotek.example.se/integritet", "contact": "mailto:dso@bibliotek.example.se", "authority": "IMY", "issuer": "https://bibliotek.example.se",
	"redirects": ["https://bibliotek.example.se/callback"], "may_issue": ["se:bibliotek:lanekort:1"],
	"uses": [{"id": "fjarrlan", "purpose": "https://w3id.org/dpv#ServiceProvision", "why": {"sv": "Låna ut till dig.", "en": "Lend to you."}, "basis": "https://w3id.org/dpv/legal/eu/gdpr#A6-1-a",
		"type": "se:bibliotek:lanekort:1", "fields": ["may_borrow"], "days": 30}], "until": "2027-12-31"}`
)

// and returns the files of fsys, and more.
func and(t *testing.T, fsys fs.FS, more map[string]string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	must(t, fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		all[name] = &fstest.MapFile{Data: b}
		return err
	}))
	for name, text := range more {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

// TestANewTypeIsTwoFiles: with them, and no code, evidence of a new type is
// delivered, shown, released and logged.
func TestANewTypeIsTwoFiles(t *testing.T) {
	w := newTownOf(t, and(t, fixtures.Files, map[string]string{"types/lanekort.json": libraryType, "parties/bibliotek.json": library}))
	out := w.answer("connect", "bibliotek", json.RawMessage(`{"type":"evidence_deposit","evidence_types":["se:bibliotek:lanekort:1"]}`),
		func(o consent.Offer) consent.Answer { return consent.Answer{Agree: true} })
	form, err := credential.Issue(w.keys["bibliotek"], credential.Statement{
		Type: "https://bibliotek.example.se/vct/lanekort/1", Issuer: "https://bibliotek.example.se", Issued: w.now, Expires: w.now.AddDate(1, 0, 0),
		Claims: []credential.Claim{{Name: "may_borrow", Value: true}, {Name: "fees", Value: 120}},
	})
	must(t, err)
	_, err = w.pod.Post(t.Context(), w.agent("bibliotek"), post(w.location(out), credential.MediaType, form))
	must(t, err)
	var offer consent.Offer
	out = w.answer("ask", "bibliotek", json.RawMessage(`{"type":"evidence_request","use":"fjarrlan","evidence_type":"se:bibliotek:lanekort:1","fields":["may_borrow"],
		"purpose":"https://w3id.org/dpv#ServiceProvision","until":"2026-12-01"}`), func(o consent.Offer) consent.Answer { offer = o; return agree(o) })
	if title := offer.Types[0].Title.In("nn"); title != "Lånekort" || fmt.Sprint(offer.Choices[0].Released) != "[{may_borrow true}]" {
		t.Errorf("the person is shown %q: %v", title, offer.Choices[0].Released)
	}
	for _, accept := range []string{pod.TypeTurtle, credential.MediaType} {
		body, err := w.read("bibliotek", w.location(out), accept)
		must(t, err)
		if strings.Contains(body, "120") || accept == pod.TypeTurtle && !strings.Contains(body, "mayBorrow") {
			t.Errorf("%s:\n%s", accept, body)
		}
	}
	if e := w.log(); fmt.Sprint(e[len(e)-1].Fields) != "[may_borrow]" {
		t.Errorf("the log says %+v", e[len(e)-1])
	}
}

func TestTypesThatAreRefused(t *testing.T) {
	for _, row := range []struct{ is, old, new, fault string }{
		{"as it is", "", "", ""},
		{"with an unknown member", `"basis"`, `"basics"`, "unknown"},
		{"with an id that would break a key", `se:bibliotek:lanekort:1`, `se:x y`, "id"},
		{"without a vct", `"vct": "https://bibliotek.example.se/vct/lanekort/1"`, `"vct": ""`, "vct"},
		{"with a datatype that we can't check", `XMLSchema#integer`, `XMLSchema#decimal`, "datatype"},
		{"with a derived field that isn't yes or no", `XMLSchema#boolean`, `XMLSchema#date`, "yes or no"},
		{"derived from what isn't there", `"from": "fees"`, `"from": "debts"`, "derived from"},
		{"with a field twice", `"name": "fees"`, `"name": "may_borrow"`, "from"},
		{"without a title", `"title": {"sv": "Avgifter", "en": "Fees"}`, `"title": {}`, "title"},
		{"with a code that has words in no language we know", `"title": {"sv": "Avgifter", "en": "Fees"}`, `"title": {"en": "Fees"}, "values": {"1": {"fi": "yksi"}}`, "words"},
	} {
		text := strings.Replace(libraryType, row.old, row.new, 1)
		_, err := registry.LoadCatalogue(fstest.MapFS{"types/x.json": {Data: []byte(text)}}, "types")
		if (err == nil) != (row.fault == "") || err != nil && !strings.Contains(err.Error(), row.fault) {
			t.Errorf("%s: %v, want %q", row.is, err, row.fault)
		}
	}
}

// TestThePublishedCatalogue: who may issue what, and who may ask what and why,
// is public, and can be followed from the index.
func TestThePublishedCatalogue(t *testing.T) {
	w := newTown(t)
	core := func(s string) rdf.Term { return rdf.IRI(base + "/ns/core#" + s) }
	public := registry.Publisher{Base: base, Issuer: w.pod.Issuer, Registry: w.pod.Registry, Types: w.pod.Types}
	index := public.Index(w.pod.Registry.(*registry.Parties).All())
	af := rdf.IRI("https://af.example.se/evidence#arbetsloshetsintyg")
	if !index.Has(af, rdf.IRI("http://www.w3.org/2000/01/rdf-schema#seeAlso"), rdf.IRI(base+"/.parties/types/"+certified)) {
		t.Error("the index doesn't name the certificate")
	}
	typ, _ := w.pod.Types.Type(certified)
	g, err := public.TypeGraph(t.Context(), typ)
	must(t, err)
	for _, x := range []struct{ s, p, o rdf.Term }{
		{af, core("hasConcept"), rdf.IRI("https://af.example.se/evidence#registered30days")},
		{rdf.IRI("https://af.example.se/evidence#registered30days"), core("derivedFrom"), rdf.IRI("https://af.example.se/evidence#registrationDate")},
		{af, core("lifeEvent"), core("life-event-lose-and-find-job")},
		{rdf.IRI(base + "/.parties/" + authority + "#org"), core("mayIssue"), af},
	} {
		if !g.Has(x.s, x.p, x.o) {
			t.Errorf("the type's document lacks %v %v %v", x.s, x.p, x.o)
		}
	}
	party, err := w.pod.Registry.Party(t.Context(), insurer)
	must(t, err)
	use := rdf.IRI(base + "/.parties/" + insurer + "#use-ink-2026")
	if p := public.Profile(party); !p.Has(use, core("acceptedEvidenceType"), af) || len(p.Objects(use, core("wantsConcept"))) != 2 {
		t.Error("the insurer's document doesn't say what it may ask for")
	}
}
