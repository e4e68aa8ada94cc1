// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/credential"
	"skrin/pod/deposit"
)

const attestation = `@prefix cccev: <http://data.europa.eu/m8g/> . @prefix dct: <http://purl.org/dc/terms/> . @prefix af: <https://af.example.se/evidence#> .
@prefix time: <http://www.w3.org/2006/time#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<#evidence> a cccev:Evidence ; dct:conformsTo af:arbetsloshetsintyg ; dct:subject [ a <http://xmlns.com/foaf/0.1/Agent> ] ; dct:issued "2026-11-21"^^xsd:date ;
  cccev:validityPeriod [ time:hasEnd [ time:inXSDDate "2026-12-21"^^xsd:date ] ] ; cccev:supportsValue <#v1>, <#v2>, <#v3> .
<#v1> cccev:providesValueFor af:registered ; cccev:value true .
<#v2> cccev:providesValueFor af:registrationDate ; cccev:value "2026-10-01"^^xsd:date .
<#v3> cccev:providesValueFor af:registered30days ; cccev:value true .`

// signsRDF returns an RDF document for a deposit, with its detached signature.
func (w *town) signsRDF(at ldp.ID, turtle, typ string, key jose.JSONWebKey) string {
	w.t.Helper()
	g, err := rdf.Read(w.t.Context(), []byte(turtle), rdf.Turtle, base+string(at), rdf.Limits{})
	must(w.t, err)
	text, err := rdf.Canonical(w.t.Context(), g, rdf.Limits{})
	must(w.t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	must(w.t, err)
	signed, err := signer.Sign(text)
	must(w.t, err)
	jws, err := signed.DetachedCompactSerialize()
	must(w.t, err)
	return turtle + "\n<#evidence> <" + base + `/ns/core#detachedSignature> "` + jws + `" .`
}

// TestDetached: evidence in RDF with a signature of its own is kept, shown, read as
// RDF, and read as SD-JWT as soon as its issuer has delivered signed forms too.
func TestDetached(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	body := w.signsRDF(to, attestation, deposit.TypeDetached, w.keys[authority])
	done, err := w.pod.Post(t.Context(), w.agent(authority), post(to, "text/turtle", body))
	must(t, err)
	if !done.Created || len(done.Receipt) == 0 {
		t.Errorf("answered %+v", done)
	}
	there := w.location(w.answer("ask", insurer, asks(), agree))
	text, err := w.read(insurer, there, pod.TypeTurtle)
	must(t, err)
	if !strings.Contains(text, "registered30days") || strings.Contains(text, "2026-10-01") || strings.Contains(text, "detachedSignature") {
		t.Errorf("the insurer reads\n%s", text)
	}
	res, err := w.pod.Get(t.Context(), w.agent(insurer), read(there, pod.TypeTurtle))
	must(t, err)
	if got := res.Modified.Format("2006-01-02T15:04:05"); got != "2026-11-21T00:00:00" {
		t.Errorf("Last-Modified tells when it came: %s", got)
	}
	if _, err := w.read(insurer, there, credential.MediaType); !errors.Is(err, ldp.Unavailable) {
		t.Errorf("as SD-JWT: %v", err)
	}
	_, err = w.pod.Post(t.Context(), w.agent(authority), post(to, credential.MediaType, strings.Join(w.issue(2, nil), "\n")))
	must(t, err)
	if held, err := w.pod.Holdings(t.Context(), w.alva); err != nil || len(held) != 1 || held[0].Forms != 2 || held[0].Detached == "" {
		t.Errorf("with its signed forms she holds %+v, %v", held, err)
	}
	compact, err := w.read(insurer, there, credential.MediaType)
	must(t, err)
	w.verifies(compact, map[string]any{"registered_at_least_30_days": true})
}

func TestDetachedThatIsRefused(t *testing.T) {
	w := newTown(t)
	to := w.connect()
	key := w.keys[authority]
	signed := w.signsRDF(to, attestation, deposit.TypeDetached, key)
	edited := func(old, new string) string {
		return w.signsRDF(to, strings.Replace(attestation, old, new, 1), deposit.TypeDetached, key)
	}
	for what, body := range map[string]string{
		"signed by another":             w.signsRDF(to, attestation, deposit.TypeDetached, w.keys[employer]),
		"signed as something else":      w.signsRDF(to, attestation, "evidence-request+jwt", key),
		"signed for another person":     w.signsRDF(ldp.ID(strings.Replace(string(to), "/w/", "/w/x", 1)), attestation, deposit.TypeDetached, key),
		"changed afterwards":            strings.Replace(signed, "cccev:value true", "cccev:value false", 1),
		"with something added":          signed + ` <#evidence> <http://purl.org/dc/terms/title> "x" .`,
		"with two signatures":           signed + ` <#evidence> <` + base + `/ns/core#detachedSignature> "a..b" .`,
		"with a signature that is none": attestation + ` <#evidence> <` + base + `/ns/core#detachedSignature> "a.b.c" .`,
		"with signed forms too":         signed + ` <#evidence> <` + base + `/ns/core#signedForm> "` + w.issue(1, nil)[0] + `" .`,
		"of a type that it may not":     edited("af:arbetsloshetsintyg", "af:other"),
		"named after something else":    edited("<#evidence> a cccev", "<#it> a cccev"),
		"two pieces":                    edited("<#v1> cccev", "<#other> a cccev:Evidence . <#v1> cccev"),
		"expired":                       edited(`"2026-12-21"`, `"2026-11-20"`),
		"of the future":                 edited(`"2026-11-21"`, `"2026-11-23"`),
		"issued at no day":              edited(`dct:issued "2026-11-21"^^xsd:date ;`, ``),
		"with a value of another kind":  edited("registered ; cccev:value true", `registered ; cccev:value "true"`),
		"with a value in another form":  edited("registered ; cccev:value true", `registered ; cccev:value "1"^^xsd:boolean`),
		"with two values":               edited("registered ; cccev:value true", `registered ; cccev:value true, false`),
		"with a concept twice":          edited("af:registered30days", "af:registered"),
		"with a foreign concept":        edited("af:registered30days", "af:income"),
		"with no value at all":          edited("cccev:supportsValue <#v1>, <#v2>, <#v3>", `dct:title "x"`),
		"with a personal number":        edited("cccev:supportsValue", `dct:description "för 770523-2382" ; cccev:supportsValue`),
	} {
		if _, err := w.pod.Post(t.Context(), w.agent(authority), post(to, "text/turtle", body)); !errors.Is(err, ldp.Unprocessable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if held, err := w.pod.Holdings(t.Context(), w.alva); err != nil || len(held) != 0 {
		t.Errorf("she holds %+v, %v", held, err)
	}
	if _, err := w.pod.Post(t.Context(), w.agent(authority), post(to, "text/turtle", signed)); err != nil {
		t.Errorf("what they were made of: %v", err)
	}
}
