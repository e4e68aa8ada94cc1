// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth"
)

// A registration is RFC 7591's client metadata, as far as it means something
// here; what else an app sends is ignored, as the RFC has it.
type registration struct {
	ID           string   `json:"client_id,omitempty"`
	Secret       string   `json:"client_secret,omitempty"`
	Issued       int64    `json:"client_id_issued_at,omitempty"`
	SecretExpiry *int64   `json:"client_secret_expires_at,omitempty"` // 0, if there is a secret: never
	Name         string   `json:"client_name,omitempty"`
	Redirects    []string `json:"redirect_uris"`
	Logout       []string `json:"post_logout_redirect_uris,omitempty"`
	Grants       []string `json:"grant_types"`
	Responses    []string `json:"response_types"`
	Scope        string   `json:"scope"`
	Type         string   `json:"application_type"`
	Method       string   `json:"token_endpoint_auth_method"`
	Subject      string   `json:"subject_type"`
	Algorithm    string   `json:"id_token_signed_response_alg"`
	DPoP         bool     `json:"dpop_bound_access_tokens"`
}

// register takes an app's registration (RFC 7591). Anybody may register: it
// gives no rights but to ask a person. What no person has approved within a day
// is forgotten.
func (p *Provider) register(w http.ResponseWriter, r *http.Request) {
	if p.Admit != nil && !p.Admit(r) {
		w.Header().Set("Retry-After", "60")
		writeRefusal(w, &refusal{"temporarily_unavailable", "there are too many registrations; try again later"}, http.StatusTooManyRequests)
		return
	}
	answer, err := p.takeRegistration(w, r)
	if err != nil {
		refused, status := p.answer(r.Context(), err)
		writeRefusal(w, refused, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(answer) // the client is gone: nobody to tell
}

func (p *Provider) takeRegistration(w http.ResponseWriter, r *http.Request) (registration, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return registration{}, refuse("invalid_client_metadata", "Content-Type is not application/json")
	}
	var m registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&m); err != nil {
		return registration{}, refuse("invalid_client_metadata", "the body is not a JSON object of the right form, or is larger than 32 KiB")
	}
	a, err := m.app()
	if err != nil {
		return registration{}, err
	}
	return p.saveRegistration(r.Context(), m, a)
}

// app fills in what the metadata leave out, and checks them.
func (m *registration) app() (app, error) {
	m.Type, m.Algorithm = cmp.Or(m.Type, "web"), cmp.Or(m.Algorithm, string(jose.RS256)) // OpenID Connect Registration, section 2
	m.Method, m.Subject, m.DPoP = cmp.Or(m.Method, "client_secret_basic"), "public", true
	if len(m.Grants) == 0 {
		m.Grants = []string{"authorization_code"}
	}
	m.Grants = slices.DeleteFunc(m.Grants, func(g string) bool { return g != "authorization_code" && g != "refresh_token" })
	m.Responses = []string{"code"}
	if m.Scope == "" {
		m.Scope = appScopes
	}
	m.Scope = knownScopes(m.Scope)
	if slices.Contains(strings.Fields(m.Scope), "offline_access") && !slices.Contains(m.Grants, "refresh_token") {
		m.Grants = append(m.Grants, "refresh_token")
	}
	m.Name = readable(m.Name)
	a := app{
		Name: m.Name, Redirects: m.Redirects, Logout: m.Logout, Native: m.Type == "native",
		Refresh: slices.Contains(m.Grants, "refresh_token"), Algorithm: jose.SignatureAlgorithm(m.Algorithm),
	}
	switch {
	case len(m.Redirects) == 0:
		return app{}, refuse("invalid_redirect_uri", "redirect_uris is missing")
	case checkRedirects(m.Redirects, a.Native) != nil:
		return app{}, refuse("invalid_redirect_uri", checkRedirects(m.Redirects, a.Native).Error())
	case !slices.Contains(m.Grants, "authorization_code"):
		return app{}, refuse("invalid_client_metadata", "grant_types lacks authorization_code; client credentials are made by the person, for her own scripts")
	case m.Type != "web" && m.Type != "native":
		return app{}, refuse("invalid_client_metadata", "application_type is neither web nor native")
	case !slices.Contains([]string{"none", "client_secret_basic", "client_secret_post"}, m.Method):
		return app{}, refuse("invalid_client_metadata", "token_endpoint_auth_method is not none, client_secret_basic or client_secret_post")
	}
	if err := a.check(); err != nil {
		return app{}, refuse("invalid_client_metadata", err.Error())
	}
	return a, nil
}

func (p *Provider) saveRegistration(ctx context.Context, m registration, a app) (registration, error) {
	m.ID, m.Issued = registeredPrefix+rand.Text(), p.Now().Unix()
	m.Secret, m.SecretExpiry = "", nil
	if m.Method != "none" {
		m.Secret, m.SecretExpiry = rand.Text(), new(int64)
		a.Secret = digest(m.Secret)
	}
	value, err := marshal(a)
	if err != nil {
		return registration{}, err
	}
	if err := p.Records.Save(ctx, appKind, m.ID, auth.Record{Value: value, Until: p.Now().Add(unusedLife)}); err != nil {
		return registration{}, failed{fmt.Errorf("save registration: %w", err)}
	}
	return m, nil
}

// knownScopes leaves out of a scope what isn't known here.
func knownScopes(scope string) string {
	known := strings.Fields(appScopes)
	return strings.Join(slices.DeleteFunc(strings.Fields(scope), func(s string) bool { return !slices.Contains(known, s) }), " ")
}
