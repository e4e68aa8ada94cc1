// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"skrin/auth/dpop"
)

// Where the endpoints are, below Base. The callback is authorize and a slash
// and the interaction's id.
const (
	prefix        = "/.oidc"
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = prefix + "/jwks"
	parPath       = prefix + "/par"
	authorizePath = prefix + "/authorize"
	tokenPath     = prefix + "/token"
)

// Handler serves /.well-known/openid-configuration and everything below
// /.oidc/: mount it at both. Request bodies are limited to 32 KiB; the limit of
// the header is the server's.
func (p *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+discoveryPath, p.discover)
	mux.HandleFunc("GET "+jwksPath, p.jwks)
	mux.HandleFunc("POST "+parPath, p.par)
	mux.HandleFunc("POST "+tokenPath, p.token)
	mux.HandleFunc("GET "+authorizePath, p.authorize)
	mux.HandleFunc("GET "+authorizePath+"/{id}", p.callback)
	for _, path := range []string{discoveryPath, jwksPath, tokenPath} {
		mux.HandleFunc("OPTIONS "+path, preflight)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		switch r.URL.Path {
		case discoveryPath, jwksPath, tokenPath:
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate")
		}
		mux.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	w.Header().Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// metadata is OpenID Connect Discovery 1.0, section 3, with RFC 8414, 9101,
// 9126, 9207, 9396 and 9449. It says what is true: what isn't served isn't
// named.
type metadata struct {
	Issuer             string   `json:"issuer"`
	Authorization      string   `json:"authorization_endpoint"`
	Token              string   `json:"token_endpoint"`
	JWKS               string   `json:"jwks_uri"`
	PAR                string   `json:"pushed_authorization_request_endpoint"`
	Scopes             []string `json:"scopes_supported"`
	Claims             []string `json:"claims_supported"`
	ResponseTypes      []string `json:"response_types_supported"`
	ResponseModes      []string `json:"response_modes_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	SubjectTypes       []string `json:"subject_types_supported"`
	IDTokenAlgs        []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods        []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs           []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ObjectAlgs         []string `json:"request_object_signing_alg_values_supported"`
	ProofAlgs          []string `json:"dpop_signing_alg_values_supported"`
	ChallengeMethods   []string `json:"code_challenge_methods_supported"`
	DetailTypes        []string `json:"authorization_details_types_supported"`
	ACRs               []string `json:"acr_values_supported,omitempty"`
	RequestParameter   bool     `json:"request_parameter_supported"`
	RequestURI         bool     `json:"request_uri_parameter_supported"`
	SignedOnly         bool     `json:"require_signed_request_object"`
	PushedOnly         bool     `json:"require_pushed_authorization_requests"`
	IssuerInResponse   bool     `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameter    bool     `json:"claims_parameter_supported"`
	RequestURIRegister bool     `json:"require_request_uri_registration"`
}

func (p *Provider) discover(w http.ResponseWriter, r *http.Request) {
	var signing []string
	for _, alg := range clientAlgorithms() {
		signing = append(signing, string(alg))
	}
	publish(w, metadata{
		Issuer: p.Base, Authorization: p.Base + authorizePath, Token: p.Base + tokenPath, JWKS: p.Base + jwksPath, PAR: p.Base + parPath,
		Scopes:        []string{"openid", "webid"},
		Claims:        []string{"iss", "sub", "aud", "azp", "exp", "iat", "nonce", "acr", "auth_time", "webid"},
		ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "fragment"},
		GrantTypes:   []string{"authorization_code", "client_credentials"},
		SubjectTypes: []string{"pairwise", "public"}, IDTokenAlgs: []string{string(jose.ES256)},
		AuthMethods: []string{"private_key_jwt"}, AuthAlgs: signing, ObjectAlgs: signing,
		ProofAlgs: strings.Fields(dpop.Algorithms), ChallengeMethods: []string{"S256"},
		DetailTypes: []string{EvidenceDeposit, EvidenceRequest}, ACRs: p.ACRs,
		RequestParameter: true, SignedOnly: true, PushedOnly: true, IssuerInResponse: true,
	})
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	publish(w, p.keys.public(r.Context()))
}

func publish(w http.ResponseWriter, document any) {
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client is gone: nobody to tell
}

// par takes a pushed authorization request (RFC 9126).
func (p *Provider) par(w http.ResponseWriter, r *http.Request) {
	c := &call{uses: []use{assertion, object}}
	err := readForm(w, r)
	if err == nil {
		c.locales, err = p.checkObject(r.PostForm.Get("request"))
	}
	if err == nil && len(r.Header.Values("DPoP")) > 0 { // then the code is bound to its key (RFC 9449, section 10.1)
		err = p.checkProof(c, r, parPath)
	}
	p.backChannel(w, r, c, parPath, err)
}

// token takes a request for tokens (RFC 6749, section 3.2).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	c := &call{uses: []use{assertion}}
	err := readForm(w, r)
	if err == nil && r.PostForm.Has("authorization_details") {
		err = refuse("invalid_request", "authorization_details are granted by the person, at the authorization endpoint")
	}
	if err == nil {
		err = p.checkProof(c, r, tokenPath)
	}
	p.backChannel(w, r, c, tokenPath, err)
}

// backChannel lets the library answer a client's request, unless err is already
// known.
func (p *Provider) backChannel(w http.ResponseWriter, r *http.Request, c *call, path string, err error) {
	if err == nil {
		rec := p.run(c, r, path)
		if c.failure == nil {
			rec.send(w)
			return
		}
		err = c.failure
	}
	refused, status := p.answer(r.Context(), err)
	writeRefusal(w, refused, status)
}

// readForm reads the parameters, each of which may be given once (RFC 6749,
// section 3.2).
func readForm(w http.ResponseWriter, r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return refuse("invalid_request", "Content-Type is not application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return refuse("invalid_request", "the body is not a form, or is larger than 32 KiB")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return refuse("invalid_request", "the parameter "+name+" is given more than once")
		}
	}
	return nil
}

// checkProof checks the one proof of a request, but not yet that it is used for
// the first time.
func (p *Provider) checkProof(c *call, r *http.Request, path string) error {
	text, err := dpop.FromRequest(r.Header)
	if err == nil {
		checker := p.proofs
		checker.Seen = c
		c.proof, err = checker.Check(text, r.Method, p.Base+path, "", false)
	}
	if refused, ok := errors.AsType[*dpop.Error](err); ok {
		return refuse(refused.Code, refused.Reason)
	}
	c.uses = append(c.uses, proof)
	return err
}

// checkObject checks of a request object (RFC 9101) what the library doesn't.
// The library verifies the signature, iss, aud, nbf and exp of the same bytes.
func (p *Provider) checkObject(text string) (locales string, err error) {
	if text == "" {
		return "", refuse("invalid_request", "request is missing: send the request as a signed request object (RFC 9101)")
	}
	parsed, err := jwt.ParseSigned(text, clientAlgorithms())
	if err != nil || len(parsed.Headers) != 1 {
		return "", badObject("it is not a JWT that is signed with an algorithm that is supported")
	}
	switch parsed.Headers[0].ExtraHeaders[jose.HeaderType] {
	case nil, "oauth-authz-req+jwt", "JWT":
	default:
		return "", badObject("typ is not oauth-authz-req+jwt")
	}
	var claims struct {
		jwt.Claims
		Locales   string `json:"ui_locales"`
		Method    string `json:"code_challenge_method"`
		Challenge string `json:"code_challenge"`
		Prompt    string `json:"prompt"`
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", badObject("the claims are not a JSON object of the right form")
	}
	switch {
	case claims.Expiry == nil || claims.NotBefore == nil:
		return "", badObject("exp or nbf is missing")
	case claims.Expiry.Time().After(p.Now().Add(maxObjectLife)):
		return "", badObject("exp is more than 10 minutes ahead")
	case claims.ID == "":
		return "", badObject("jti is missing")
	case len(claims.Locales) > maxLocales:
		return "", badObject("ui_locales is too long")
	case len(claims.Challenge) != 43 || claims.Method != "S256":
		return "", refuse("invalid_request", "code_challenge is missing or wrong, or code_challenge_method is not S256 (RFC 7636)")
	case claims.Prompt == "none":
		return "", refuse("invalid_request", "prompt=none can't be: the person decides each time")
	}
	return claims.Locales, nil
}

const maxLocales = 200 // bytes

func badObject(reason string) error { return refuse("invalid_request_object", reason) }

// authorize takes a browser that a client sent, with a request_uri.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	// Under PAR nothing else counts (FAPI 2, section 5.3.2.2), so nothing else
	// reaches the library.
	kept := url.Values{"client_id": {query.Get("client_id")}, "request_uri": {query.Get("request_uri")}}
	r = r.Clone(r.Context())
	r.URL.RawQuery = kept.Encode()
	p.frontChannel(w, r, authorizePath)
}

// callback takes the browser back when the person has decided.
func (p *Provider) callback(w http.ResponseWriter, r *http.Request) {
	p.frontChannel(w, r, r.URL.Path)
}

func (p *Provider) frontChannel(w http.ResponseWriter, r *http.Request, path string) {
	c := &call{}
	rec := p.run(c, r, path)
	switch {
	case c.reason != "":
		p.Page(w, r, http.StatusBadRequest, c.reason)
	case !c.unsendable:
		rec.send(w)
	default:
		p.stop(w, r, c)
	}
}

// stop answers a browser that can't be sent back to the client.
func (p *Provider) stop(w http.ResponseWriter, r *http.Request, c *call) {
	_, status := p.answer(r.Context(), c.failure)
	switch {
	case status >= 500:
		p.Page(w, r, status, Unavailable)
	case c.ended:
		p.Page(w, r, http.StatusBadRequest, Expired)
	default:
		p.Page(w, r, http.StatusBadRequest, BadRequest)
	}
}
