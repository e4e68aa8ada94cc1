// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"skrin/ldp/rdf"
)

func jsonld(body string) (*rdf.Graph, error) {
	return rdf.Read(context.Background(), []byte(body), rdf.JSONLD, here, rdf.Limits{})
}

func TestContextsAreKnown(t *testing.T) {
	const as, notify, oidc = "https://www.w3.org/ns/activitystreams#", "http://www.w3.org/ns/solid/notifications#", "http://www.w3.org/ns/solid/oidc#"
	tests := []struct {
		name, body string
		has        rdf.Triple
	}{
		{"a credential",
			`{"@context": "https://www.w3.org/ns/credentials/v2", "id": "urn:c", "type": "VerifiableCredential", "issuer": "https://af.example"}`,
			rdf.Triple{S: rdf.IRI("urn:c"), P: rdf.IRI("https://www.w3.org/2018/credentials#issuer"), O: rdf.IRI("https://af.example")}},
		{"a credential of the first version",
			`{"@context": "https://www.w3.org/2018/credentials/v1", "id": "urn:c", "type": "VerifiableCredential", "issuer": "https://af.example"}`,
			rdf.Triple{S: rdf.IRI("urn:c"), P: rdf.IRI("https://www.w3.org/2018/credentials#issuer"), O: rdf.IRI("https://af.example")}},
		{"a key",
			`{"@context": "https://w3id.org/security/multikey/v1", "id": "urn:k", "type": "Multikey", "controller": "https://af.example", "publicKeyMultibase": "z6"}`,
			rdf.Triple{S: rdf.IRI("urn:k"), P: rdf.IRI("https://w3id.org/security#controller"), O: rdf.IRI("https://af.example")}},
		{"a proof",
			`{"@context": "https://w3id.org/security/data-integrity/v2", "id": "urn:p", "type": "DataIntegrityProof", "verificationMethod": "urn:k"}`,
			rdf.Triple{S: rdf.IRI("urn:p"), P: rdf.IRI("https://w3id.org/security#verificationMethod"), O: rdf.IRI("urn:k")}},
		{"an old proof, whose context refers to another",
			`{"@context": "https://w3id.org/security/v2", "id": "urn:p", "creator": "urn:k"}`,
			rdf.Triple{S: rdf.IRI("urn:p"), P: rdf.IRI("http://purl.org/dc/terms/creator"), O: rdf.IRI("urn:k")}},
		{"a notification, with two contexts",
			`{"@context": ["https://www.w3.org/ns/activitystreams", "https://www.w3.org/ns/solid/notification/v1"], "id": "urn:n", "type": "Update", "object": "https://pod.example/x", "state": "1"}`,
			rdf.Triple{S: rdf.IRI("urn:n"), P: rdf.IRI(as + "object"), O: rdf.IRI("https://pod.example/x")}},
		{"a subscription",
			`{"@context": ["https://www.w3.org/ns/solid/notifications-context/v1"], "type": "WebhookChannel2023", "id": "urn:s", "topic": "https://pod.example/x", "sendTo": "https://app.example/hook"}`,
			rdf.Triple{S: rdf.IRI("urn:s"), P: rdf.IRI(notify + "sendTo"), O: rdf.IRI("https://app.example/hook")}},
		{"a client's identifier document",
			`{"@context": ["https://www.w3.org/ns/solid/oidc-context.jsonld"], "client_id": "https://app.example/id", "redirect_uris": ["https://app.example/cb"], "client_name": "App", "default_max_age": 3600}`,
			rdf.Triple{S: rdf.IRI("https://app.example/id"), P: rdf.IRI(oidc + "redirect_uris"), O: rdf.IRI("https://app.example/cb")}},
		{"a qualification",
			`{"@context": "http://data.europa.eu/snb/model/context/edc-ap", "id": "urn:c", "type": ["VerifiableCredential", "EuropeanDigitalCredential"], "displayParameter": {"id": "urn:d", "title": {"sv": "Examen"}}}`,
			rdf.Triple{S: rdf.IRI("urn:d"), P: rdf.IRI("http://purl.org/dc/terms/title"), O: rdf.LangString("Examen", "sv")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := jsonld(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if !g.Has(tt.has.S, tt.has.P, tt.has.O) {
				out, _ := rdf.Write(g, rdf.NTriples, rdf.WriteOptions{})
				t.Errorf("no %v in\n%s", tt.has, out)
			}
		})
	}
}

func TestCredentialsOfAPresentationAreGraphs(t *testing.T) {
	body := `{"@context": "https://www.w3.org/ns/credentials/v2", "id": "urn:p", "type": "VerifiablePresentation", "verifiableCredential":
		{"@context": "https://www.w3.org/ns/credentials/v2", "id": "urn:c", "type": "VerifiableCredential", "issuer": "urn:i"}}`
	d, err := rdf.ReadDataset(context.Background(), []byte(body), rdf.JSONLD, "", rdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	issuer := rdf.IRI("https://www.w3.org/2018/credentials#issuer")
	if len(d.Names()) != 1 || !d.Graph(d.Names()[0]).Has(rdf.IRI("urn:c"), issuer, rdf.IRI("urn:i")) || d.Default().Len() != 2 {
		t.Errorf("graphs %v, %d triples in the default one", d.Names(), d.Default().Len())
	}
}

func TestContextsThatAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"a base in a context of a node":     `{"urn:p": {"@context": {"@base": "http://evil/"}, "@id": "x"}}`,
		"a base in a context of a context":  `{"@context": {"@context": {"@base": "http://evil/"}}, "@id": "x", "urn:p": 1}`,
		"a base in a context of a term":     `{"@context": {"p": {"@id": "urn:p", "@context": {"@base": "http://evil/"}}}, "p": {"@id": "x", "urn:p": 1}}`,
		"a context to merge with":           `{"@context": {"@import": "https://www.w3.org/ns/activitystreams"}, "@id": "x", "urn:p": 1}`,
		"a number for a context":            `{"@context": 1, "@id": "x", "urn:p": 1}`,
		"a version that is a string":        `{"@context": {"@version": "1.1"}, "@id": "x", "urn:p": 1}`,
		"a base that is a number":           `{"@context": {"@base": 1}, "@id": "x", "urn:p": 1}`,
		"a relative base, with no base":     `{"@context": [{"@base": null}, {"@base": "x/"}], "@id": "x", "urn:p": 1}`,
		"a relative IRI, with no base":      `{"@context": {"@base": null}, "@id": "x", "urn:p": 1}`,
		"a context beside the document":     `{"@context": "context.jsonld", "@id": "x", "urn:p": 1}`,
		"a context by another way than TLS": `{"@context": "http://www.w3.org/ns/credentials/v2", "@id": "x", "urn:p": 1}`,
	} {
		lim := rdf.Limits{LoadContext: func(context.Context, string) ([]byte, error) { return nil, nil }}
		if g, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, here, lim); err == nil {
			t.Errorf("%s: read as %s", name, document(t, g, rdf.NTriples))
		}
	}
}

func TestBaseOfTheDocument(t *testing.T) {
	for body, want := range map[string]string{
		`{"@id": "x", "urn:p": 1}`: "https://pod.example/alva/x",
		`{"@id": "", "urn:p": 1}`:  "https://pod.example/alva/doc",
		`{"@context": {"@base": "https://b.example/c/"}, "@id": "x", "urn:p": 1}`:                "https://b.example/c/x",
		`{"@context": [{"@base": "sub/"}, {"@base": "deep/"}], "@id": "../x", "urn:p": 1}`:       "https://pod.example/alva/sub/x",
		`{"@context": [{"@base": "https://b.example/"}, null], "@id": "x", "urn:p": 1}`:          "https://pod.example/alva/x",
		`{"@context": {"@base": "https://b.example/"}, "@id": "https://c.example/", "urn:p": 1}`: "https://c.example/",
	} {
		g, err := jsonld(body)
		if err != nil || !g.Has(rdf.IRI(want), rdf.IRI("urn:p"), rdf.Integer(1)) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestContextsOfOthers(t *testing.T) {
	const body = `{"@context": "https://other.example/c", "@id": "urn:s", "p": "v"}`
	t.Run("are refused, with a word on what to do", func(t *testing.T) {
		_, err := jsonld(body)
		var unknown *rdf.ContextError
		if !errors.As(err, &unknown) || unknown.IRI != "https://other.example/c" || !strings.Contains(err.Error(), "not known here") {
			t.Error(err)
		}
	})
	t.Run("are what the loader gives, asked once", func(t *testing.T) {
		asked := 0
		lim := rdf.Limits{LoadContext: func(_ context.Context, iri string) ([]byte, error) {
			asked++
			return []byte(`{"@context": {"p": "urn:` + iri + `"}}`), nil
		}}
		g, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, "", lim)
		if err != nil || asked != 1 || !g.Has(rdf.IRI("urn:s"), rdf.IRI("urn:https://other.example/c"), rdf.String("v")) {
			t.Error(asked, err)
		}
	})
	t.Run("that can't be loaded now are not the sender's fault", func(t *testing.T) {
		down := errors.New("the network is down")
		lim := rdf.Limits{LoadContext: func(context.Context, string) ([]byte, error) { return nil, down }}
		_, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, "", lim)
		var syntax *rdf.SyntaxError
		if !errors.Is(err, down) || errors.As(err, &syntax) {
			t.Error(err)
		}
	})
	t.Run("may not refer to themselves", func(t *testing.T) {
		lim := rdf.Limits{LoadContext: func(_ context.Context, iri string) ([]byte, error) {
			return []byte(`{"@context": ["https://other.example/c", {"p": "urn:p"}]}`), nil
		}}
		if _, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, "", lim); err == nil {
			t.Error("read")
		}
	})
	t.Run("may not go on for ever", func(t *testing.T) {
		n := 0
		lim := rdf.Limits{LoadContext: func(context.Context, string) ([]byte, error) {
			n++
			return []byte(`{"@context": "https://other.example/` + strings.Repeat("x", n) + `"}`), nil
		}}
		var limit *rdf.LimitError
		if _, err := rdf.Read(context.Background(), []byte(body), rdf.JSONLD, "", lim); !errors.As(err, &limit) {
			t.Error(err)
		}
	})
	t.Run("can be the server's own", func(t *testing.T) {
		text, err := rdf.CoreContext("https://pod.example.se/ns/core#")
		if err != nil {
			t.Fatal(err)
		}
		lim := rdf.Limits{LoadContext: func(context.Context, string) ([]byte, error) { return text, nil }}
		own := `{"@context": "https://pod.example.se/ns/core", "id": "urn:s", "type": "Evidence", "supersedes": "urn:o"}`
		g, err := rdf.Read(context.Background(), []byte(own), rdf.JSONLD, "", lim)
		if err != nil || !g.Has(rdf.IRI("urn:s"), rdf.IRI("https://pod.example.se/ns/core#supersedes"), rdf.IRI("urn:o")) {
			t.Error(err)
		}
	})
}
