// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"skrin/auth"
)

// A Claim says in which claim of an ID token an eID tells a number, and what it
// must look like.
type Claim struct {
	Name   string
	Scheme string         // of the vault
	Form   *regexp.Regexp // nil for what the vault takes
	// Former is set for a number that the person had before: who had it then is
	// who has signed in now.
	Former bool
}

// A Profile is how a family of eID providers speaks OpenID Connect.
type Profile struct {
	Scopes []string
	Levels []string // authentication context classes, the lowest first
	// Claims are looked at in this order, and the first that is there names the
	// person.
	Claims []Claim
}

// SwedishProfile is the Swedish OpenID Connect profile (Sweden Connect, OIDC
// Sweden: claims and scopes 1.0).
func SwedishProfile() Profile {
	const claim = "https://id.oidc.se/claim/"
	twelve := regexp.MustCompile(`^[0-9]{12}$`)
	return Profile{
		Scopes: []string{"https://id.oidc.se/scope/naturalPersonNumber"},
		Levels: []string{"http://id.elegnamnden.se/loa/1.0/loa2", "http://id.elegnamnden.se/loa/1.0/loa3", "http://id.elegnamnden.se/loa/1.0/loa4"},
		Claims: []Claim{
			{Name: claim + "personalIdentityNumber", Scheme: "se:personnummer", Form: twelve},
			{Name: claim + "coordinationNumber", Scheme: "se:samordningsnummer", Form: twelve},
			{Name: claim + "previousCoordinationNumber", Scheme: "se:samordningsnummer", Form: twelve, Former: true},
		},
	}
}

// NorwegianProfile is that of ID-porten. A D-number is told in the claim of the
// birth number, and told apart by its first digit.
func NorwegianProfile() Profile {
	return Profile{
		Levels: []string{"idporten-loa-low", "idporten-loa-substantial", "idporten-loa-high"},
		Claims: []Claim{
			{Name: "pid", Scheme: "no:fodselsnummer", Form: regexp.MustCompile(`^[0-3][0-9]{10}$`)},
			{Name: "pid", Scheme: "no:dnummer", Form: regexp.MustCompile(`^[4-7][0-9]{10}$`)},
		},
	}
}

// GenericProfile is that of any OpenID provider: the person is its sub.
func GenericProfile(scheme string, levels ...string) Profile {
	return Profile{Levels: levels, Claims: []Claim{{Name: "sub", Scheme: scheme}}}
}

// EIDOptions is what an EID needs. All fields are required but Renumbered, and Secret or Key.
type EIDOptions struct {
	Name     string // as it is known to people: "BankID"
	Path     string // its ID: a-z and "-"
	Issuer   string
	Client   string
	Secret   string          // of client_secret_basic; or
	Key      jose.JSONWebKey // of private_key_jwt, with kid and alg
	Profile  Profile
	Least    string // the lowest of the profile's levels that is enough to sign in; "" for any answer
	Base     string // "https://host" of this server
	Vault    *Vault
	Sessions *Sessions
	Records  auth.Records
	HTTP     *http.Client // auth.Guarded
	Limit    *auth.Limiter
	Now      func() time.Time
	// Fail answers a request that went wrong on the server's side, or the eID's; or
	// a [Refusal].
	Fail func(http.ResponseWriter, *http.Request, error)
	// Renumbered, if set, is told of a person who has another number than before.
	Renumbered func(ctx context.Context, person string) error
	// Refuse tells a person by whose sign-in we don't know who she is, or not surely
	// enough: err wraps ErrNotIdentified, or ErrTooLow too. levels are those that
	// were asked for, and next is where she was going, as in the first request.
	Refuse func(w http.ResponseWriter, r *http.Request, next string, levels []string, err error)
}

// An EID is sign-in by somebody else's OpenID provider, a national eID as a rule.
// It is a [Method]. Besides next and lang its first request may have parameters
// level: the levels that are enough for what the person is about to do, of which
// the lowest that this eID knows is asked for.
type EID struct {
	o EIDOptions

	mu       sync.Mutex
	provider *oidc.Provider // nil until it could be fetched
	tried    time.Time
}

// NewEID makes an EID. The provider's description is fetched when somebody signs
// in.
func NewEID(o EIDOptions) (*EID, error) {
	switch {
	case o.Name == "" || o.Path == "" || o.Issuer == "" || o.Client == "" || o.Base == "" || o.Vault == nil || o.Sessions == nil ||
		o.Records == nil || o.HTTP == nil || o.Limit == nil || o.Now == nil || o.Fail == nil || o.Refuse == nil || len(o.Profile.Claims) == 0:
		return nil, errors.New("eID: an option is missing")
	case (o.Secret == "") == (o.Key.Key == nil):
		return nil, errors.New("eID: either a Secret or a Key is needed")
	case o.Least != "" && !slices.Contains(o.Profile.Levels, o.Least):
		return nil, errors.New("eID: the least level is none of the profile's")
	}
	return &EID{o: o}, nil
}

// ID returns the method's path segment.
func (e *EID) ID() string { return e.o.Path }

// Name returns the method's name.
func (e *EID) Name() string { return e.o.Name }

const (
	kindFlow  = "eid-flow" // by state: a sign-in that is under way
	flowLife  = 10 * time.Minute
	backPath  = "/back"
	maxAnswer = 4 << 10 // bytes of a code or state
)

// A flow is a sign-in that is under way.
type flow struct {
	At       string   `json:"at"`      // the Path of the eID that was asked
	Browser  string   `json:"browser"` // digest of the cookie
	Nonce    string   `json:"nonce"`
	Verifier string   `json:"verifier"` // PKCE
	Next     string   `json:"next"`
	Asked    []string `json:"asked,omitempty"` // the parameters level
	Least    string   `json:"least"`
	Begun    int64    `json:"begun"`
}

// ServeHTTP sends the browser to the eID, and takes it back.
func (e *EID) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own := Path + "/" + e.o.Path
	switch {
	case r.Method != http.MethodGet:
		e.o.Fail(w, r, onlyRead("GET"))
	case r.URL.Path == own:
		e.begin(w, r)
	case r.URL.Path == own+backPath:
		e.back(w, r)
	default:
		e.o.Fail(w, r, notThere())
	}
}

func (e *EID) begin(w http.ResponseWriter, r *http.Request) {
	if wait := e.o.Limit.Wait(address(r)); wait > 0 {
		e.o.Fail(w, r, tooMany(wait))
		return
	}
	to, err := e.start(w, r)
	if err != nil {
		e.o.Fail(w, r, fmt.Errorf("begin at the eID %s: %w", e.o.Path, err))
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (e *EID) start(w http.ResponseWriter, r *http.Request) (string, error) {
	config, _, err := e.config()
	if err != nil {
		return "", err
	}
	query := r.URL.Query()
	f := flow{At: e.o.Path, Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: query.Get("next"), Asked: query["level"], Least: e.least(query["level"]), Begun: e.o.Now().Unix()}
	browser, state := rand.Text(), rand.Text()
	f.Browser = digest(browser)
	value, err := json.Marshal(f)
	if err != nil {
		return "", err
	}
	if err := e.o.Records.Save(r.Context(), kindFlow, digest(state), auth.Record{Value: value, Until: e.o.Now().Add(flowLife)}); err != nil {
		return "", err
	}
	http.SetCookie(w, e.cookie(browser, int(flowLife/time.Second)))
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier), oauth2.SetAuthURLParam("prompt", "login")}
	if acrs := e.enough(f.Least); len(acrs) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(acrs, " ")))
	}
	if lang := query.Get("lang"); slices.Contains([]string{"sv", "nb", "nn", "en"}, lang) {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", lang))
	}
	return config.AuthCodeURL(state, options...), nil
}

// least is the higher of what is asked and what is needed in any case.
func (e *EID) least(asked []string) string {
	rung := slices.IndexFunc(e.o.Profile.Levels, func(level string) bool { return slices.Contains(asked, level) })
	if rung > slices.Index(e.o.Profile.Levels, e.o.Least) {
		return e.o.Profile.Levels[rung]
	}
	return e.o.Least
}

// enough are the levels that are at least so high.
func (e *EID) enough(least string) []string {
	if i := slices.Index(e.o.Profile.Levels, least); i >= 0 {
		return e.o.Profile.Levels[i:]
	}
	return nil
}

func (e *EID) cookie(value string, age int) *http.Cookie {
	c := &http.Cookie{Name: "skrin-eid", Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if strings.HasPrefix(e.o.Base, "https://") {
		c.Name, c.Secure = "__Host-skrin-eid", true
	}
	return c
}

// config returns how to speak to the provider; what it says of itself is fetched
// until it could be, every five seconds at most.
func (e *EID) config() (*oauth2.Config, *oidc.Provider, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider == nil {
		if e.o.Now().Sub(e.tried) < 5*time.Second {
			return nil, nil, errors.New("the eID could not be reached a moment ago")
		}
		e.tried = e.o.Now()
		// The provider keeps this context for its keys: it must not end with a request.
		p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), e.o.HTTP), e.o.Issuer)
		if err != nil {
			return nil, nil, err
		}
		e.provider = p
	}
	config := &oauth2.Config{
		ClientID: e.o.Client, ClientSecret: e.o.Secret, Endpoint: e.provider.Endpoint(),
		RedirectURL: e.o.Base + Path + "/" + e.o.Path + backPath, Scopes: append([]string{"openid"}, e.o.Profile.Scopes...),
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if e.o.Key.Key != nil {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return config, e.provider, nil
}

// What an eID's answer lacks that is of no use: who somebody is; or that it says
// so surely enough (an error that is both).
var (
	ErrNotIdentified = errors.New("the eID's answer identifies nobody")
	ErrTooLow        = fmt.Errorf("the level is too low: %w", ErrNotIdentified)
)

func (e *EID) back(w http.ResponseWriter, r *http.Request) {
	f, err := e.take(r)
	if err != nil {
		e.o.Fail(w, r, fmt.Errorf("back from the eID %s: %w", e.o.Path, err))
		return
	}
	http.SetCookie(w, e.cookie("", -1))
	if f == nil || r.URL.Query().Has("error") { // it has ended, or the person has thought better of it
		next := ""
		if f != nil {
			next = f.Next
		}
		http.Redirect(w, r, Done(next), http.StatusSeeOther)
		return
	}
	err = e.signIn(r, f)
	if err != nil {
		err = fmt.Errorf("sign in by the eID %s: %w", e.o.Path, err)
	}
	switch {
	case errors.Is(err, ErrNotIdentified):
		e.o.Refuse(w, r, f.Next, f.Asked, err)
	case err != nil:
		e.o.Fail(w, r, err)
	default:
		http.Redirect(w, r, Done(f.Next), http.StatusSeeOther)
	}
}

// take returns the flow that the browser comes back to, once; nil if there is
// none, or it is another browser's or another eID's.
func (e *EID) take(r *http.Request) (*flow, error) {
	query := r.URL.Query()
	cookie, err := r.Cookie(e.cookie("", 0).Name)
	if err != nil || len(query.Get("state")) > maxAnswer || len(query.Get("code")) > maxAnswer {
		return nil, nil
	}
	key := digest(query.Get("state"))
	record, err := e.o.Records.Load(r.Context(), kindFlow, key)
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := new(flow)
	if json.Unmarshal(record.Value, f) != nil || f.At != e.o.Path || f.Browser != digest(cookie.Value) {
		return nil, nil
	}
	record.Value = []byte("null") // whoever comes after finds no browser in it
	err = e.o.Records.Save(r.Context(), kindFlow, key, record)
	if errors.Is(err, auth.ErrChanged) {
		return nil, nil
	}
	return f, err
}

func (e *EID) signIn(r *http.Request, f *flow) error {
	query := r.URL.Query()
	if iss := query.Get("iss"); iss != "" && iss != e.o.Issuer { // RFC 9207
		return fmt.Errorf("the answer is another issuer's: %w", ErrNotIdentified)
	}
	config, provider, err := e.config()
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(oidc.ClientContext(r.Context(), e.o.HTTP), 15*time.Second)
	defer stop()
	options, err := e.assertion(config.Endpoint.TokenURL)
	if err != nil {
		return err
	}
	tokens, err := config.Exchange(ctx, query.Get("code"), append(options, oauth2.VerifierOption(f.Verifier))...)
	if err != nil {
		return errors.New("the eID does not redeem the code") // its answer may say anything, and is not for the log
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := provider.Verifier(&oidc.Config{
		ClientID: e.o.Client, Now: e.o.Now, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256, oidc.PS256, oidc.ES384},
	}).Verify(ctx, raw)
	if err != nil {
		return fmt.Errorf("the ID token is not good: %w", ErrNotIdentified)
	}
	var claims map[string]any
	if token.Nonce != f.Nonce || token.Claims(&claims) != nil {
		return fmt.Errorf("the ID token is for something else: %w", ErrNotIdentified)
	}
	read, err := e.o.Profile.read(claims, e.enough(f.Least), f.Begun)
	if err != nil {
		return err
	}
	person, err := e.person(ctx, read)
	if err != nil {
		return err
	}
	return e.o.Sessions.SignIn(r, person, read.level)
}

// An identified is what the claims of an ID token say.
type identified struct {
	now    Identity
	former *Identity // of the same person, who has now in its place; nil for none
	level  string
}

// read reads the claims of an ID token whose signature is good, for a sign-in that
// was begun then and must be at one of the levels, if any are given. Its errors
// wrap ErrNotIdentified, and repeat nothing of the claims.
func (p *Profile) read(claims map[string]any, enough []string, begun int64) (id identified, err error) {
	id.level, _ = claims["acr"].(string)
	if len(enough) > 0 && !slices.Contains(enough, id.level) {
		return id, ErrTooLow
	}
	if at, ok := claims["auth_time"].(float64); ok && at < float64(begun)-auth.Skew.Seconds() {
		return id, fmt.Errorf("the person was not asked anew: %w", ErrNotIdentified)
	}
	found := false
	for _, c := range p.Claims {
		number, _ := claims[c.Name].(string)
		if number == "" || c.Form != nil && !c.Form.MatchString(number) {
			continue
		}
		one := Identity{Scheme: c.Scheme, Number: number}
		switch {
		case one.check() != nil:
		case c.Former && id.former == nil:
			id.former = &one
		case !c.Former && !found:
			id.now, found = one, true
		}
	}
	if !found {
		return id, fmt.Errorf("none of the claims has a number: %w", ErrNotIdentified)
	}
	if id.former != nil && id.former.Scheme == id.now.Scheme && id.former.Number == id.now.Number {
		id.former = nil
	}
	return id, nil
}

// assertion is what authenticates us by private_key_jwt (OpenID Connect Core,
// section 9).
func (e *EID) assertion(audience string) ([]oauth2.AuthCodeOption, error) {
	if e.o.Key.Key == nil {
		return nil, nil
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(e.o.Key.Algorithm), Key: e.o.Key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	now := e.o.Now()
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: e.o.Client, Subject: e.o.Client, Audience: jwt.Audience{e.o.Issuer, audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		return nil, err
	}
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", text),
	}, nil
}

// person finds who that is, or makes one. A number that the person had before
// leads to the same person, and has ended.
func (e *EID) person(ctx context.Context, id identified) (string, error) {
	if id.former != nil {
		who, err := e.o.Vault.Replace(ctx, *id.former, id.now)
		if err == nil && who != "" && e.o.Renumbered != nil {
			err = e.o.Renumbered(ctx, who)
		}
		if err != nil {
			return "", err
		}
	}
	return e.o.Vault.Person(ctx, id.now.Scheme, id.now.Number)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// address is where a request comes from, as the server sees it: of IPv6 the /64,
// which is one household's.
func address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	household, _ := ip.WithZone("").Prefix(64) // of an IPv6 address there is one
	return household.String()
}

// A Refusal is given to Fail for a request that isn't served for a reason of its
// own: who asks is told the Detail.
type Refusal struct {
	Status int // of HTTP: 404, 405 or 429
	Detail string
	Wait   time.Duration // with 429: until it may be tried again
	Allow  string        // with 405: the methods there are
}

// Error implements error.
func (r *Refusal) Error() string { return r.Detail }

// tooMany refuses who comes too often.
func tooMany(wait time.Duration) error {
	return &Refusal{Status: http.StatusTooManyRequests, Detail: "Too many attempts. Wait a little, and try again.", Wait: wait}
}

func notThere() error {
	return &Refusal{Status: http.StatusNotFound, Detail: "There is no such page."}
}

func onlyRead(allow string) error {
	return &Refusal{Status: http.StatusMethodNotAllowed, Detail: "This page doesn't take that method.", Allow: allow}
}
