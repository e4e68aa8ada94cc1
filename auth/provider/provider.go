// SPDX-License-Identifier: EUPL-1.2

// Package provider is the OpenID provider: it gives the parties their access
// tokens, sends a person to the page where she decides, and tells the party
// what she decided.
//
// The protocol is luikyv/go-oidc's, under its FAPI 2 profile. This package
// decides what that library is fed with and what becomes of its answers:
// everything is kept in auth.Records under compare-and-swap, so that a code is
// redeemed once whatever the race; codes, request URIs and JWT ids are kept as
// SHA-256; proofs are checked by auth/dpop; and whatever the library would
// render, redirect or advertise that isn't meant is replaced.
//
// There are two kinds of clients, and nothing that one of them may have is within
// reach of the other: they are served by two instances of the library, chosen by
// the form of the client's id.
//
// Solid apps act for a person, as her WebID. They register themselves (RFC 7591),
// or have the URL of a document about them as id. They use the authorization code
// with PKCE and get refresh tokens, each good once. A person's own scripts use
// client credentials that she has made.
//
// There is no grace for refresh tokens (decided in November 2026). Of several
// requests that bring the same one at once, one is answered with tokens; a token
// that is brought after it was used ends the family, its newest included, since
// nobody can tell a client that asks twice from a thief. A client that shares its
// tokens among processes must let one of them refresh; one that has lost an answer
// sends the person through the browser again, which asks her nothing. What we gave
// up: a few seconds in which the former token is taken once more would spare
// careless clients that, and give a thief just as long.
//
// Registered parties act as themselves, and never as a person. They must use
// private_key_jwt with the issuer as audience, a signed request object that is
// pushed, PKCE with S256, a redirect URI that is registered to the letter, and
// DPoP at the token endpoint. A request that is unsigned, expired, wrongly
// signed or for a foreign redirect URI is refused where it is pushed, and never
// redirected.
//
// What a client asks of the sign-in holds: with prompt=login or max_age the person
// has signed in since then, and with acr_values at one of these levels or above,
// or there is no code. Of the levels that nobody here can reach a party is told at
// once; an app's are left out, as OpenID Connect Core, section 3.1.2.1, has it.
// (Decided in November 2026: OpenID Connect lets a provider answer with less than
// acr_values; RFC 9470 asks for that level or an error, and a client that would
// take less can say so by naming less.) The ID token's acr tells how it was, and
// its auth_time when: a party as far as it asked, see authTime.
//
// The library looks at the wall clock by itself, so Options.Now must be it but
// in tests.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"
	op "github.com/luikyv/go-oidc/pkg/provider"

	"skrin/acl"
	"skrin/auth"
	"skrin/auth/dpop"
)

// The types of authorization_details (RFC 9396) that are understood.
const (
	EvidenceDeposit = "evidence_deposit"
	EvidenceRequest = "evidence_request"
)

const (
	skew           = auth.Skew
	maxBody        = 32 << 10         // bytes of a request's form
	maxObjectLife  = 10 * time.Minute // of a request object and of a client assertion
	pushedLife     = 5 * time.Minute  // of a request_uri
	maxTokenLife   = time.Hour
	maxCodeLife    = time.Minute // FAPI 2, section 5.3.2.1
	maxInteraction = time.Hour
)

// A Client is a registered party, as this package needs to know it.
type Client struct {
	ID    string
	Name  string
	WebID acl.WebID // the party's own
	// KeySet returns the public keys with which the party signs its assertions and
	// request objects. kid is that of the one that is looked for, as the request
	// says: a party that publishes its keys may have a new one.
	KeySet       func(kid string) jose.JSONWebKeySet
	RedirectURIs []string // exact
	// IdentityClaims is set for a party that may learn a person's number.
	IdentityClaims bool
	// Scope is set for an operator, who is no party: all it may have is tokens of
	// client credentials with this scope, one of Options.Scopes, for this Audience.
	Scope, Audience string
}

// Clients finds clients.
type Clients interface {
	// Client returns the client with the id, or ErrNoClient if there is none,
	// or its registration has ended.
	Client(ctx context.Context, id string) (Client, error)
}

// ErrNoClient is what [Clients] answer for an id that they don't know.
var ErrNoClient = errors.New("no such client")

// Options are what a Provider needs. All must be set but Admit, Scopes, ACRs, Reach and Log.
type Options struct {
	Base    string // the server's URL as clients see it, without a final slash; also the issuer's name
	Records auth.Records
	Clients Clients
	// Key encrypts what is secret at rest, the signing keys and the claims of
	// decisions: 32 random bytes. Without it they can't be read again.
	Key []byte
	// CheckDetails says whether a client may ask for these
	// authorization_details, none or many, each of a known type. The text of
	// its error is sent to the client.
	CheckDetails func(ctx context.Context, client string, details []json.RawMessage) error
	// InteractionURL is the page where the person decides.
	InteractionURL func(id string) string
	// Page answers a browser that can't be sent back to the client.
	Page func(w http.ResponseWriter, r *http.Request, status int, reason Reason)
	// Spent answers who names an app whose document isn't fetched, for it has had as
	// much as it may: errors.Is(err, auth.ErrSpent).
	Spent func(w http.ResponseWriter, r *http.Request, err error)
	// SignedIn tells who has signed in in the browser that sends r; nil for nobody.
	SignedIn func(r *http.Request) (*Visitor, error)
	// SignOut ends the sign-in of the browser that sends r.
	SignOut func(r *http.Request) error
	// Fetch gets client ID documents: auth.Guarded.
	Fetch *http.Client
	// Admit, if set, says whether one more app may register now.
	Admit func(r *http.Request) bool

	Scopes []string // that Clients may have instead of those of parties

	ACRs []string // authentication context classes that may be asked for
	// Reach says whether a sign-in at a level is enough for who asks for one of
	// these; needed with ACRs.
	Reach func(level string, enough []string) bool
	Log   *slog.Logger
	Now   func() time.Time

	TokenLife       time.Duration // of access tokens; at most an hour, 5 minutes are usual
	CodeLife        time.Duration // at most a minute
	InteractionLife time.Duration // how long the person may take; at most an hour
}

// A Reason is why a browser can't be sent back to the client.
type Reason string

// The reasons.
const (
	Expired      Reason = "expired"       // the request has ended, or was used
	OtherBrowser Reason = "other browser" // it was begun in another browser
	BadRequest   Reason = "bad request"   // it is not what a registered client sends
	Unavailable  Reason = "unavailable"   // our fault; later it may work
)

// A Provider is an OpenID provider. It is safe for concurrent use, as many of
// them as there are nodes over one Records.
type Provider struct {
	Options
	keys    *keyring
	secrets sealer
	proofs  dpop.Checker
	parties http.Handler // the library, as it serves registered parties
	apps    http.Handler // and as it serves Solid apps

	back        *waysBack
	revocations *revocations
	documents   *auth.Recall[string, app]
	userinfos   *auth.Verifier // of those who ask for userinfo
}

// New makes a Provider, and its first signing key if there is none yet.
func New(ctx context.Context, o Options) (*Provider, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("OpenID provider: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Provider{
		Options:     o,
		secrets:     newSealer(o.Key, "decisions"),
		proofs:      dpop.Checker{Now: o.Now, MaxAge: time.Minute, MaxSkew: skew},
		back:        new(waysBack),
		revocations: &revocations{records: o.Records, now: o.Now},
		documents:   auth.NewRecall[string, app](maxDocuments),
		keys:        &keyring{records: o.Records, now: o.Now, sealer: newSealer(o.Key, "signing keys")},
	}
	if err := p.keys.load(ctx); err != nil {
		return nil, fmt.Errorf("OpenID provider: signing keys: %w", err)
	}
	p.userinfos = p.newUserinfo()
	parties, err := op.New(o.Base, store{p}, p.keys.private, p.configure()...)
	if err != nil {
		return nil, fmt.Errorf("OpenID provider: %w", err)
	}
	apps, err := op.New(o.Base, appStore{store{p}}, p.keys.private, p.configureApps()...)
	if err != nil {
		return nil, fmt.Errorf("OpenID provider: for apps: %w", err)
	}
	p.parties, p.apps = parties.Handler(), apps.Handler()
	return p, nil
}

func (o *Options) check() error {
	u, err := url.Parse(o.Base)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || o.Base != u.Scheme+"://"+u.Host:
		return errors.New("the Base is not scheme://host")
	case o.Records == nil || o.Clients == nil || o.CheckDetails == nil || o.InteractionURL == nil || o.Page == nil || o.Spent == nil || o.Now == nil ||
		o.SignedIn == nil || o.SignOut == nil || o.Fetch == nil || o.Reach == nil && len(o.ACRs) > 0:
		return errors.New("an option is missing")
	case len(o.Key) != 32:
		return errors.New("the Key does not have 32 bytes")
	case o.TokenLife < time.Second || o.TokenLife > maxTokenLife:
		return errors.New("the TokenLife is not between a second and an hour")
	case o.CodeLife < time.Second || o.CodeLife > maxCodeLife:
		return errors.New("the CodeLife is not between a second and a minute")
	case o.InteractionLife < time.Second || o.InteractionLife > maxInteraction:
		return errors.New("the InteractionLife is not between a second and an hour")
	}
	return nil
}

// clientAlgorithms are what parties may sign with; proofAlgorithms are those of
// auth/dpop, which checks first.
func clientAlgorithms() []goidc.SignatureAlgorithm {
	return []goidc.SignatureAlgorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA}
}

func proofAlgorithms() []goidc.SignatureAlgorithm {
	var algs []goidc.SignatureAlgorithm
	for alg := range strings.FieldsSeq(dpop.Algorithms) {
		algs = append(algs, goidc.SignatureAlgorithm(alg))
	}
	return algs
}

// configure turns off or replaces every default of the library that isn't
// meant. The traps that it has are told in libraries.md, section 3.
func (p *Provider) configure() []op.Option {
	signing, proofs := clientAlgorithms(), proofAlgorithms()
	options := []op.Option{
		op.WithProfile(goidc.ProfileFAPI2), op.WithProfileValidation(),
		// No WithPathPrefix: the library would look for it twice in a proof's htu.
		op.WithAuthorizeEndpoint(authorizePath), op.WithTokenEndpoint(tokenPath), op.WithPAREndpoint(parPath),
		op.WithAuthCodeGrant(store{p}, goidc.ResponseTypeCode), op.WithClientCredentialsGrant(),
		op.WithAuthCodeFunc(random), op.WithPARIDFunc(random), op.WithAuthnSessionIDFunc(random), op.WithGrantIDFunc(random), op.WithJWTIDFunc(random),
		op.WithAuthCodeLifetime(seconds(p.CodeLife)), op.WithAuthSessionLifetime(seconds(p.InteractionLife)),
		op.WithPARRequired(store{p}), op.WithPARLifetime(seconds(pushedLife)), op.WithPARSessionHandler(p.pushed),
		op.WithJARRequired(signing[0], signing...),
		op.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		op.WithDPoPRequired(proofs[0], proofs...), op.WithTokenBindingRequired(),
		op.WithPrivateKeyJWTAuthn(signing[0], signing...), op.WithDefaultAuthn(goidc.AuthnMethodPrivateKeyJWT),
		op.WithJWTLifetime(seconds(maxObjectLife)), op.WithJWTLeewayTime(seconds(skew)), op.WithJTIConsumer(p.consume),
		op.WithDCR(store{p}), // only so that it asks us for clients: its routes aren't mounted
		op.WithRAR(EvidenceDeposit, EvidenceRequest),
		op.WithScopes(p.scopes()...),
		op.WithIssuerResponseParameter(),
		op.WithPolicies(goidc.NewPolicy("person", func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true }, p.authenticate)),
		op.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewJWTTokenOptions(jose.ES256, seconds(p.TokenLife))
		}),
		op.WithGrantHandler(granted), op.WithTokenClaims(accessClaims), op.WithIDTokenClaims(idClaims),
		op.WithIDTokenSignatureAlgs(jose.ES256), op.WithIDTokenLifetime(seconds(p.TokenLife)),
		op.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }), op.WithTokenRevocationEndpoint(revokePath),
		op.WithTokenRevocationRevokeGrantOnAccessToken(), op.WithTokenIntrospectionEndpoint(introspectPath),
		op.WithTokenIntrospection(func(_ context.Context, c *goidc.Client, t goidc.TokenInfo) bool { return t.ClientID == c.ID }),
		op.WithErrorHandler(func(ctx context.Context, err error) { callOf(ctx).failure = err }),
		op.WithErrorRenderer(func(_ http.ResponseWriter, r *http.Request, err error) error {
			callOf(r.Context()).unsendable = true
			return nil
		}),
		op.WithHTTPClientFunc(func(context.Context) *http.Client { return &http.Client{Transport: offline{}} }),
	}
	return append(options, p.acrs()...)
}

// acrs tells the library of the levels that may be asked for.
func (p *Provider) acrs() []op.Option {
	if len(p.ACRs) == 0 {
		return nil
	}
	all := make([]goidc.ACR, len(p.ACRs))
	for i, acr := range p.ACRs {
		all[i] = goidc.ACR(acr)
	}
	return []op.Option{op.WithACRs(all[0], all...)}
}

// scopes are those of parties and those of operators.
func (p *Provider) scopes() []goidc.Scope {
	all := []goidc.Scope{goidc.ScopeOpenID, goidc.NewScope("webid")}
	for _, name := range p.Scopes {
		all = append(all, goidc.NewScope(name))
	}
	return all
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// offline refuses: nothing that we ask of the library needs another server.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the OpenID library may not call other servers")
}
