// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"skrin/acl"
	"skrin/auth/dpop"
)

// Skew is how far the clock of an issuer may be from ours, either way, when we
// look at a token's iat, nbf and exp.
const Skew = 30 * time.Second

const (
	maxToken   = 16 << 10 // bytes
	accessType = "at+jwt" // RFC 9068, section 2.1
	audience   = "solid"  // Solid-OIDC, section 8.1

	// cachedLife is how long a token is good that was verified before, whatever its
	// exp says: then its issuer, and the key, are looked for again.
	cachedLife = time.Minute
)

// The codes of an [Error] (RFC 6750, section 3.1; RFC 9449, section 7.1). An
// Error may also have dpop.UseNonce.
const (
	InvalidRequest = "invalid_request"
	InvalidToken   = "invalid_token"
	InvalidProof   = dpop.InvalidProof
)

// An Error says why a request's credentials prove nothing. It is answered with
// 401 and [Verifier.Challenge]. Reason is a sentence for the client's developer;
// it never repeats a value from the request.
type Error struct {
	Code   string
	Reason string
}

// Error gives the code and the reason.
func (e *Error) Error() string { return e.Code + ": " + e.Reason }

// An Issuer is an OpenID provider whose tokens are believed.
type Issuer interface {
	// Key returns the public key with the id, RSA or on P-256, with which the
	// issuer signs access tokens; ErrNoKey if it has none such. It is asked for
	// each token that isn't cached, so it should be fast.
	Key(ctx context.Context, id string) (crypto.PublicKey, error)
}

// ErrNoKey is what an [Issuer] answers for a key that it does not have.
var ErrNoKey = errors.New("no such key")

// A Verifier tells who sends a request, by its DPoP-bound access token and the
// proof (RFC 9449, Solid-OIDC). Base, Issuers, Proofs, Cache and Now must be
// set. It is safe for concurrent use.
type Verifier struct {
	// Base is the server's URL as clients see it, without a final slash. A
	// proof's htu is compared with Base and the request's path: the Host header
	// is the client's to choose, and so says nothing.
	Base string
	// Issuers finds the issuer by its exact name. An error for which
	// errors.Is(err, ErrNoIssuer) says that it isn't believed. Where the
	// issuers of strangers' WebIDs are to be believed, this is the place that
	// must ask the WebID's profile.
	Issuers func(ctx context.Context, issuer string, webID acl.WebID) (Issuer, error)
	Proofs  *dpop.Checker
	Cache   *Cache
	Now     func() time.Time
	// Revoked, if set, says that a good token is good no more. It is asked for
	// each request, whether the token is cached or not, so it should be fast.
	Revoked func(ctx context.Context, t Token) (bool, error)
	// Before, if set, may refuse whom a good token names before the proof is checked,
	// which costs the most. Who asks may then be another, who has the token alone: so
	// it must refuse nothing that it wouldn't refuse the holder, and count nothing.
	Before func(acl.Agent) error
	// Audience is whom tokens must be for; "" for solid, as Solid-OIDC has it.
	Audience string
	// Scope is one that tokens must have; "" for any.
	Scope string
}

// A Token is what identifies a verified access token.
type Token struct {
	Agent acl.Agent
	Grant string // claim grant_id of our own tokens: all that came of one grant have it in common
}

// ErrNoIssuer is what [Verifier.Issuers] answers for one that isn't believed.
var ErrNoIssuer = errors.New("not a trusted issuer")

// Only believes one issuer, whoever the agent is.
func Only(name string, issuer Issuer) func(context.Context, string, acl.WebID) (Issuer, error) {
	return func(_ context.Context, asked string, _ acl.WebID) (Issuer, error) {
		if asked != name {
			return nil, ErrNoIssuer
		}
		return issuer, nil
	}
}

// Identify returns the agent that the request's credentials prove, or the zero
// Agent if there is no Authorization header. It returns an *Error if they are
// bad. Any other error is the server's own: then nothing is known, and the
// answer is 503.
func (v *Verifier) Identify(r *http.Request) (acl.Agent, error) {
	token, proof, err := credentials(r.Header)
	if err != nil || token == "" {
		return acl.Agent{}, err
	}
	known, err := v.token(r.Context(), token)
	if err != nil {
		return acl.Agent{}, err
	}
	if v.Before != nil {
		if err := v.Before(known.agent); err != nil {
			return acl.Agent{}, err
		}
	}
	// A proof is good once, so there is nothing about it to be cached.
	_, err = v.Proofs.CheckBound(r.Context(), proof, r.Method, v.Base+r.URL.EscapedPath(), token, known.thumbprint, false)
	if refused, ok := errors.AsType[*dpop.Error](err); ok {
		return acl.Agent{}, &Error{refused.Code, refused.Reason}
	}
	if err != nil {
		return acl.Agent{}, fmt.Errorf("check proof: %w", err)
	}
	if v.Revoked != nil {
		revoked, err := v.Revoked(r.Context(), Token{known.agent, known.grant})
		if err != nil {
			return acl.Agent{}, fmt.Errorf("ask whether a token was revoked: %w", err)
		}
		if revoked {
			return acl.Agent{}, badToken("it was revoked, or its client is no longer registered")
		}
	}
	agent := known.agent
	agent.Origin = r.Header.Get("Origin")
	return agent, nil
}

// Challenge returns the WWW-Authenticate header for a 401: err is Identify's
// error, or nil where there were no credentials. The parameter as_uri tells
// clients that know nothing of us where to get a token.
func (v *Verifier) Challenge(err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, `DPoP realm=%q, as_uri=%q, scope="openid webid", algs=%q`, v.Base, v.Base, dpop.Algorithms)
	if refused, ok := errors.AsType[*Error](err); ok {
		fmt.Fprintf(&b, `, error=%q, error_description=%q`, refused.Code, refused.Reason)
	}
	return b.String()
}

// credentials gives the access token and the proof; no token if there is no
// Authorization header.
func credentials(h http.Header) (token, proof string, err error) {
	fields := h.Values("Authorization")
	if len(fields) == 0 {
		return "", "", nil
	}
	if len(fields) > 1 {
		return "", "", &Error{InvalidRequest, "there is more than one Authorization header; send one"}
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "DPoP") { // RFC 9110, section 11.1: whatever the case
		return "", "", &Error{InvalidToken, "the authorization scheme is not DPoP: tokens are bound to a key here, and need a proof"}
	}
	token = strings.Trim(token, " ")
	if token == "" || len(token) > maxToken {
		return "", "", &Error{InvalidToken, "the access token is empty, or longer than 16 kB"}
	}
	if proof, err = dpop.FromRequest(h); err != nil {
		return "", "", &Error{InvalidProof, "there is more than one DPoP header; send one"}
	}
	if proof == "" {
		return "", "", &Error{InvalidProof, "there is no DPoP header"}
	}
	return token, proof, nil
}

// An identity is what a verified token proves to whoever holds the key.
type identity struct {
	agent      acl.Agent
	grant      string
	thumbprint string
	until      time.Time // it is known no longer
}

// token returns what a token proves, from the cache if it was verified before.
func (v *Verifier) token(ctx context.Context, token string) (identity, error) {
	digest, now := sha256.Sum256([]byte(token)), v.Now()
	if known, ok := v.Cache.get(digest); ok && now.Before(known.until) {
		return known, nil
	}
	known, err := v.verify(ctx, token, now)
	if err != nil {
		return identity{}, err
	}
	if soon := now.Add(cachedLife); soon.Before(known.until) {
		known.until = soon
	}
	v.Cache.put(digest, known)
	return known, nil
}

type accessClaims struct {
	jwt.Claims
	WebID        string `json:"webid"`
	Client       string `json:"client_id"`
	Grant        string `json:"grant_id"`
	Scope        string `json:"scope"`
	Confirmation struct {
		Thumbprint string `json:"jkt"`
	} `json:"cnf"`
}

// verify checks a token as RFC 9068, section 4, and Solid-OIDC, section 9, ask.
func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (identity, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil || len(parsed.Headers) != 1 {
		return identity{}, badToken("the access token is not a JWT that is signed with ES256 or RS256")
	}
	header := parsed.Headers[0]
	// Without this, an ID token would do as an access token.
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); strings.TrimPrefix(strings.ToLower(typ), "application/") != accessType {
		return identity{}, badToken("typ is not at+jwt: it is not an access token")
	}
	var claims accessClaims // not to be believed before the signature is verified
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return identity{}, badToken("the claims are not a JSON object of the right form")
	}
	webID, err := acl.ParseWebID(claims.WebID)
	if err != nil {
		return identity{}, badToken("webid is missing, or is no WebID")
	}
	issuer, err := v.Issuers(ctx, claims.Issuer, webID)
	if errors.Is(err, ErrNoIssuer) {
		return identity{}, badToken("the issuer is not one that is trusted here")
	}
	if err != nil {
		return identity{}, fmt.Errorf("find issuer: %w", err)
	}
	key, err := issuer.Key(ctx, header.KeyID)
	if errors.Is(err, ErrNoKey) {
		return identity{}, badToken("it is signed with a key that the issuer does not have")
	}
	if err != nil {
		return identity{}, fmt.Errorf("find the issuer's key: %w", err)
	}
	// The key's type decides: ES256 with a key on P-256, RS256 with an RSA key.
	if err := parsed.Claims(key); err != nil {
		return identity{}, badToken("the signature is wrong")
	}
	if err := claims.check(now, cmp.Or(v.Audience, audience)); err != nil {
		return identity{}, err
	}
	if v.Scope != "" && !slices.Contains(strings.Fields(claims.Scope), v.Scope) {
		return identity{}, badToken("it lacks the scope that is needed here")
	}
	return identity{
		agent:      acl.Agent{ID: webID, Client: claims.Client, Issuer: claims.Issuer},
		grant:      claims.Grant,
		thumbprint: claims.Confirmation.Thumbprint,
		until:      claims.Expiry.Time().Add(Skew),
	}, nil
}

func (c *accessClaims) check(now time.Time, audience string) error {
	switch {
	case !slices.Contains(c.Audience, audience):
		return badToken("aud does not contain " + audience)
	case c.Expiry == nil || c.IssuedAt == nil:
		return badToken("exp or iat is missing")
	case !now.Before(c.Expiry.Time().Add(Skew)):
		return badToken("it has expired; get a new one")
	case c.IssuedAt.Time().After(now.Add(Skew)):
		return badToken("iat is in the future")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(Skew)):
		return badToken("nbf is in the future")
	case c.Client == "":
		return badToken("client_id is missing")
	case c.Confirmation.Thumbprint == "":
		return badToken("it is not bound to a key (cnf.jkt); get one with a DPoP proof")
	}
	return nil
}

func badToken(reason string) error { return &Error{InvalidToken, reason} }
