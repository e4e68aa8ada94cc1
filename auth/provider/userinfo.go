// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"skrin/auth"
	"skrin/auth/dpop"
)

const rememberTime = 5 * time.Second

// spent remembers the proofs of requests for userinfo, for all nodes. It is a
// dpop.Seen.
type spent struct{ p *Provider }

// Once implements dpop.Seen.
func (s spent) Once(ctx context.Context, key string, until time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rememberTime)
	defer cancel()
	used := errors.New("used")
	err := s.p.once(ctx, digest("userinfo", key), until.Add(skew), used)
	if errors.Is(err, used) {
		return false, nil
	}
	return err == nil, err
}

func (p *Provider) newUserinfo() *auth.Verifier {
	return &auth.Verifier{
		Base: p.Base, Issuers: auth.Only(p.Base, p), Cache: auth.NewCache(1024), Now: p.Now, Revoked: p.Revoked,
		Proofs: &dpop.Checker{Now: p.Now, MaxAge: time.Minute, MaxSkew: skew, Seen: spent{p}},
	}
}

// userinfo tells an app for whom it acts (OpenID Connect Core, section 5.3): her
// WebID, which is her sub, and nothing else. A party acts as itself, and isn't told
// of anybody.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	who, err := p.userinfos.Identify(r)
	if bad := new(auth.Error); errors.As(err, &bad) || err == nil && !who.Known() {
		w.Header().Set("WWW-Authenticate", p.userinfos.Challenge(err))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if err != nil {
		refused, status := p.answer(r.Context(), failed{err})
		writeRefusal(w, refused, status)
		return
	}
	if !isApp(who.Client) {
		w.Header().Set("WWW-Authenticate", `DPoP error="insufficient_scope", error_description="the token is of a party, which acts for nobody"`)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"sub": who.ID, "webid": who.ID}) // the client is gone: nobody to tell
}
