// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth"
	"skrin/auth/dpop"
)

// Where the endpoints are, below Base. The callback is authorize and a slash
// and the interaction's id.
const (
	prefix         = "/.oidc"
	discoveryPath  = "/.well-known/openid-configuration"
	jwksPath       = prefix + "/jwks"
	parPath        = prefix + "/par"
	authorizePath  = prefix + "/authorize"
	tokenPath      = prefix + "/token"
	revokePath     = prefix + "/revoke"
	introspectPath = prefix + "/introspect"
	registerPath   = prefix + "/register"
	logoutPath     = prefix + "/logout"
	userinfoPath   = prefix + "/userinfo"
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
	mux.HandleFunc("POST "+revokePath, p.revoke)
	mux.HandleFunc("POST "+introspectPath, p.introspect)
	mux.HandleFunc("POST "+registerPath, p.register)
	mux.HandleFunc("GET "+userinfoPath, p.userinfo)
	mux.HandleFunc("POST "+userinfoPath, p.userinfo)
	mux.HandleFunc("GET "+logoutPath, p.logout)
	mux.HandleFunc("POST "+logoutPath, p.logout)
	mux.HandleFunc("GET "+authorizePath, p.authorize)
	mux.HandleFunc("POST "+authorizePath, p.authorize)
	mux.HandleFunc("GET "+authorizePath+"/{id}", p.callback)
	for _, path := range openPaths() {
		mux.HandleFunc("OPTIONS "+path, preflight)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", policy)
		if slices.Contains(openPaths(), r.URL.Path) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Expose-Headers", "DPoP-Nonce, Retry-After, WWW-Authenticate")
		}
		mux.ServeHTTP(w, r)
	})
}

// policy is what a browser may do with what is answered here: nothing. A page has its own.
const policy = "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

// openPaths are those that pages of any origin may ask: apps in browsers do.
func openPaths() []string {
	return []string{discoveryPath, jwksPath, tokenPath, registerPath, revokePath, parPath, userinfoPath}
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
	Registration       string   `json:"registration_endpoint"`
	Revocation         string   `json:"revocation_endpoint"`
	Introspection      string   `json:"introspection_endpoint"`
	Logout             string   `json:"end_session_endpoint"`
	Userinfo           string   `json:"userinfo_endpoint"`
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
		Registration: p.Base + registerPath, Revocation: p.Base + revokePath, Introspection: p.Base + introspectPath, Logout: p.Base + logoutPath, Userinfo: p.Base + userinfoPath,
		Scopes:        strings.Fields(appScopes),
		Claims:        []string{"iss", "sub", "aud", "azp", "exp", "iat", "nonce", "acr", "auth_time", "webid", "cnf"},
		ResponseTypes: []string{"code"}, ResponseModes: responseModes(),
		GrantTypes:   []string{"authorization_code", "refresh_token", "client_credentials"},
		SubjectTypes: []string{"pairwise", "public"}, IDTokenAlgs: []string{string(jose.ES256), string(jose.RS256)},
		AuthMethods: []string{"private_key_jwt", "client_secret_basic", "client_secret_post", "none"}, AuthAlgs: signing, ObjectAlgs: signing,
		ProofAlgs: strings.Fields(dpop.Algorithms), ChallengeMethods: []string{"S256"},
		DetailTypes: []string{EvidenceDeposit, EvidenceRequest}, ACRs: p.ACRs,
		RequestParameter: true, IssuerInResponse: true,
	})
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	publish(w, p.keys.public(r.Context()))
}

func publish(w http.ResponseWriter, document any) {
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", seconds(keysKnown)))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client is gone: nobody to tell
}

// par takes a pushed request (RFC 9126).
func (p *Provider) par(w http.ResponseWriter, r *http.Request) {
	p.backChannel(w, r, parPath, []use{assertion, object}, func(c *call, isApp bool) (err error) {
		if isApp {
			locales := r.PostForm.Get("ui_locales")
			c.locales, err = locales[:min(len(locales), maxLocales)], p.keepAppParameters(r)
		} else {
			c.locales, err = p.checkObject(r.PostForm.Get("request"))
		}
		if err == nil && len(r.Header.Values("DPoP")) > 0 { // then the code is bound to its key (RFC 9449, section 10.1)
			err = p.checkProof(c, r, parPath)
		}
		return err
	})
}

// token takes a request for tokens (RFC 6749, section 3.2).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.backChannel(w, r, tokenPath, []use{assertion}, func(c *call, _ bool) error {
		if r.PostForm.Has("authorization_details") {
			return refuse("invalid_request", "authorization_details are granted by the person, at the authorization endpoint")
		}
		return p.checkProof(c, r, tokenPath)
	})
}

// revoke takes a token back (RFC 7009).
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	p.backChannel(w, r, revokePath, []use{assertion}, func(*call, bool) error { return nil })
}

// introspect tells a party of its own tokens (RFC 7662).
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	p.backChannel(w, r, introspectPath, []use{assertion}, func(_ *call, isApp bool) error {
		if isApp {
			return refuse("unauthorized_client", "only registered parties may introspect")
		}
		return nil
	})
}

// backChannel reads a client's request, lets check see it, and lets the library
// answer it. uses are what has a jti in a request of a party.
func (p *Provider) backChannel(w http.ResponseWriter, r *http.Request, path string, uses []use, check func(c *call, isApp bool) error) {
	rec, err := p.ask(w, r, path, uses, check)
	if err == nil {
		rec.send(w)
		return
	}
	if errors.Is(err, auth.ErrSpent) {
		p.Spent(w, r, err)
		return
	}
	refused, status := p.answer(r.Context(), err)
	if path == introspectPath && refused.Code == string(goidc.ErrorCodeAccessDenied) { // another's token
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":false}`)
		return
	}
	writeRefusal(w, refused, status)
}

func (p *Provider) ask(w http.ResponseWriter, r *http.Request, path string, uses []use, check func(c *call, isApp bool) error) (*recorder, error) {
	if err := readForm(w, r); err != nil {
		return nil, err
	}
	c, library := &call{uses: uses, kids: kidsOf(r.PostForm)}, p.parties
	isApp := !r.PostForm.Has("client_assertion") // which parties must have, and apps can't
	if isApp {
		if err := clientSecret(r); err != nil {
			return nil, err
		}
		c.uses, library = nil, p.apps
	}
	if err := check(c, isApp); err != nil {
		return nil, err
	}
	if isApp && path == tokenPath {
		if isScriptRequest(r.PostForm) {
			return p.scriptToken(r.Context(), c, r.PostForm)
		}
		r.PostForm.Del("scope") // what was granted
	}
	rec := p.run(c, r, library, path)
	return rec, c.failure
}

// kidsOf are the ids of the keys that a request's signed parts name, unverified.
func kidsOf(form url.Values) (kids []string) {
	for _, name := range []string{"client_assertion", "request"} {
		parsed, err := jwt.ParseSigned(form.Get(name), clientAlgorithms())
		if err == nil && len(parsed.Headers) == 1 && parsed.Headers[0].KeyID != "" {
			kids = append(kids, parsed.Headers[0].KeyID)
		}
	}
	return kids
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
		c.proof, err = checker.Check(r.Context(), text, r.Method, p.Base+path, "", false)
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
		Redirect  string `json:"redirect_uri"`
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
	case !plainRedirect(claims.Redirect):
		return "", refuse("invalid_request", "redirect_uri is not one of those that are registered")
	case claims.Prompt == "none":
		return "", refuse("invalid_request", "prompt=none can't be: the person decides each time")
	}
	return claims.Locales, nil
}

const maxLocales = 200 // bytes

func badObject(reason string) error { return refuse("invalid_request_object", reason) }

// authorize takes a browser that a client sent.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost { // OpenID Connect Core, section 3.1.2.1
		if err := readForm(w, r); err != nil {
			p.stop(w, r, &call{failure: err})
			return
		}
		p.authorizeApp(w, r, r.PostForm)
		return
	}
	query := r.URL.Query()
	if isApp(query.Get("client_id")) {
		p.authorizeApp(w, r, query)
		return
	}
	// Under PAR nothing else counts (FAPI 2, section 5.3.2.2), so nothing else
	// reaches the library.
	kept := url.Values{"client_id": {query.Get("client_id")}, "request_uri": {query.Get("request_uri")}}
	r = r.Clone(r.Context())
	r.URL.RawQuery = kept.Encode()
	p.frontChannel(w, r, p.parties, authorizePath, "")
}

// callback takes the browser back when the person has decided.
func (p *Provider) callback(w http.ResponseWriter, r *http.Request) {
	library := p.parties
	if strings.HasPrefix(r.PathValue("id"), registeredPrefix) {
		library = p.apps
	}
	if to := p.frontChannel(w, r, library, r.URL.Path, ""); to != "" {
		p.back.keep(r.PathValue("id"), wayBack{p.browser(r), to, p.Now().Add(moment)})
	}
}

// frontChannel lets the library answer a browser, and returns where it sends it.
func (p *Provider) frontChannel(w http.ResponseWriter, r *http.Request, library http.Handler, path, locales string) (to string) {
	c := &call{locales: locales[:min(len(locales), maxLocales)]}
	rec := p.run(c, r, library, path)
	switch {
	case c.reason != "":
		p.Page(w, r, http.StatusBadRequest, c.reason)
	case !c.unsendable:
		rec.send(w)
		return rec.header.Get("Location")
	default:
		p.stop(w, r, c)
	}
	return ""
}

// stop answers a browser that can't be sent back to the client; to who isn't a
// browser it says why.
func (p *Provider) stop(w http.ResponseWriter, r *http.Request, c *call) {
	if errors.Is(c.failure, auth.ErrSpent) {
		p.Spent(w, r, c.failure)
		return
	}
	refused, status := p.answer(r.Context(), c.failure)
	if status < 500 && !strings.Contains(r.Header.Get("Accept"), "text/html") && isApp(r.URL.Query().Get("client_id")) {
		writeRefusal(w, refused, http.StatusBadRequest)
		return
	}
	switch {
	case status >= 500:
		p.Page(w, r, status, Unavailable)
	case c.ended:
		p.Page(w, r, http.StatusBadRequest, Expired)
	default:
		p.Page(w, r, http.StatusBadRequest, BadRequest)
	}
}
