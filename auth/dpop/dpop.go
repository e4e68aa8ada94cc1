// SPDX-License-Identifier: EUPL-1.2

// Package dpop makes and checks DPoP proofs (RFC 9449): small signed JWTs by
// which a client shows, with each request, that it holds the private key to
// which its access token is bound.
//
// What a proof says is decided here alone; whether the access token is good,
// and is bound to the proof's key, is for the caller, who compares
// [Proof.Thumbprint] with the token's cnf.jkt, or lets [Checker.CheckBound]
// do so.
package dpop

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// The error codes of RFC 9449, sections 5 and 8, for WWW-Authenticate and for
// the body of a token endpoint's answer.
const (
	InvalidProof = "invalid_dpop_proof"
	UseNonce     = "use_dpop_nonce"
)

// Algorithms is what Check accepts, in the form of the parameter algs of a
// WWW-Authenticate: DPoP challenge and of dpop_signing_alg_values_supported.
const Algorithms = "ES256 RS256 PS256 EdDSA"

// An Error says why a proof was refused. Reason is a sentence for the client's
// developer; it never repeats a value from the request.
type Error struct {
	Code   string // InvalidProof or UseNonce
	Reason string
}

// Error gives the code and the reason.
func (e *Error) Error() string { return e.Code + ": " + e.Reason }

func invalid(reason string) error { return &Error{InvalidProof, reason} }

// FromRequest gives the one DPoP header field, or "" if there is none, and an
// *Error if there are several (RFC 9449, section 4.3, check 1).
func FromRequest(h http.Header) (string, error) {
	switch proofs := h.Values("DPoP"); len(proofs) {
	case 0:
		return "", nil
	case 1:
		return proofs[0], nil
	default:
		return "", invalid("there is more than one DPoP header; send one")
	}
}

// tokenHash is the value of the claim ath for an access token.
func tokenHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
