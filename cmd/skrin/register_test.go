// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
)

func TestTheRegisterIsPublishedAndSigned(t *testing.T) {
	r := startDemo(t, t.TempDir())
	get := func(path, accept string) (string, []byte) {
		req, _ := http.NewRequest("GET", r.Base+path, nil)
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, body)
		}
		return resp.Header.Get("Content-Type"), body
	}
	kind, plain := get("/.parties/", "*/*")
	_, signed := get("/.parties/", "application/jose")
	_, keys := get("/.oidc/jwks", "*/*")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(string(signed), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set)
	if err != nil || jws.Signatures[0].Header.ExtraHeaders["typ"] != registerType {
		t.Fatal(err)
	}
	for _, text := range [][]byte{plain, payload} {
		var got struct {
			Iss     string
			Parties []published
		}
		if err := json.Unmarshal(text, &got); err != nil || got.Iss != r.Base || len(got.Parties) != 2 || kind != "application/json" {
			t.Fatalf("%v %s", err, text)
		}
		for _, p := range got.Parties {
			for _, k := range p.Keys.Keys {
				if !k.IsPublic() {
					t.Errorf("%s: a private key is published", p.ID)
				}
			}
		}
	}
}

// TestAPartyThatIsStruckOffIsRefusedAtOnce: with a token that it got before.
func TestAPartyThatIsStruckOffIsRefusedAtOnce(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	evidence, _ := r.granted("Alva Lindqvist")
	insurer := r.party("exempel-forsakring")
	if _, err := insurer.Get(t.Context(), evidence, ""); err != nil {
		t.Fatal(err)
	}
	p, err := r.parties.Party(t.Context(), "exempel-forsakring")
	if err != nil {
		t.Fatal(err)
	}
	quickest := time.Hour
	for range 5 { // of which one may be unhindered by what else the machine does
		r.parties.Remove(p.ID)
		began := time.Now()
		if got := statusOf(insurer.Get(t.Context(), evidence, "")); got != http.StatusUnauthorized && got != 0 {
			t.Errorf("got %d", got)
		}
		quickest = min(quickest, time.Since(began))
		if err := r.parties.Add(p); err != nil {
			t.Fatal(err)
		}
		if quickest < time.Second {
			break
		}
	}
	if quickest > time.Second {
		t.Errorf("it took %v", quickest)
	}
	if _, err := r.party("exempel-forsakring").Get(t.Context(), evidence, ""); err != nil {
		t.Errorf("registered again: %v", err)
	}
}

// TestAPersonTakesHerCredentialsBack: what a script got with them is refused at
// once.
func TestAPersonTakesHerCredentialsBack(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	_, webID := r.alva(b)
	b.open(r.Base + "/me/apps")
	b.press("Skapa inloggning", "name", "backup")
	var told []string
	for n := range b.page.Descendants() {
		if n.Data == "code" {
			told = append(told, textOf(n))
		}
	}
	if len(told) != 2 {
		t.Fatalf("told %q", told)
	}
	id, secret := told[0], told[1]
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	token := scriptToken(t, r.Base, id, secret, key)
	read := func() int {
		proof, err := key.Proof("GET", storage(webID), token, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest("GET", storage(webID), nil)
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("DPoP", proof)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := read(); got != 200 {
		t.Fatalf("got %d", got)
	}
	b.open(r.Base + "/me/apps")
	b.press("Stäng ute: backup")
	if got := read(); got != 401 {
		t.Errorf("afterwards %d", got)
	}
}
