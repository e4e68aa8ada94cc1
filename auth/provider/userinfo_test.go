// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"skrin/auth/dpop"
)

// TestUserinfo: an app is told for whom it acts, as in its ID token, and nothing
// else; a party, who acts for nobody, and who has no good token and proof, are
// told nothing.
func TestUserinfo(t *testing.T) {
	w := newWorld(t)
	app := w.newApp(nil)
	tokens := app.redeem(app.code(nil))
	token := tokens.text("access_token")
	party := w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof()).text("access_token")
	proof := func(key *dpop.Key, method, path, token string) string {
		text, err := key.Proof(method, w.Base+path, token, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	used := proof(app.dpop, "GET", userinfoPath, token)
	for _, row := range []struct {
		what, method, scheme, token, proof string
		status                             int
	}{
		{"an app", "GET", "DPoP", token, used, 200},
		{"an app that posts", "POST", "DPoP", token, proof(app.dpop, "POST", userinfoPath, token), 200},
		{"the same proof again", "GET", "DPoP", token, used, 401},
		{"the token as bearer", "GET", "Bearer", token, "", 401},
		{"no proof", "GET", "DPoP", token, "", 401},
		{"a proof of another key", "GET", "DPoP", token, proof(w.ins.dpop, "GET", userinfoPath, token), 401},
		{"a proof for another endpoint", "GET", "DPoP", token, proof(app.dpop, "GET", tokenPath, token), 401},
		{"the ID token", "GET", "DPoP", tokens.text("id_token"), proof(app.dpop, "GET", userinfoPath, tokens.text("id_token")), 401},
		{"nothing", "GET", "", "", "", 401},
		{"a party", "GET", "DPoP", party, proof(w.ins.dpop, "GET", userinfoPath, party), 403},
	} {
		r, _ := http.NewRequest(row.method, w.Base+userinfoPath, nil)
		if row.scheme != "" {
			r.Header.Set("Authorization", row.scheme+" "+row.token)
		}
		if row.proof != "" {
			r.Header.Set("DPoP", row.proof)
		}
		got := w.do(http.DefaultClient, r)
		if got.status != row.status || row.status != 200 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: %s", row.what, got)
		}
		sub := w.decode(tokens.text("id_token"), "JWT")["sub"]
		if row.status == 200 && (len(got.json) != 2 || got.json["webid"] != string(alva) || got.json["sub"] != sub) {
			t.Errorf("%s is told %s", row.what, got)
		}
	}
}
