// SPDX-License-Identifier: EUPL-1.2

package dpop

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	proofType = "dpop+jwt"
	maxProof  = 8 << 10 // bytes
	maxID     = 256     // bytes
	minRSA    = 2048    // bits; go-jose's upper limit is 4096
)

// A Proof is what a checked proof says of itself.
type Proof struct {
	Thumbprint string // of the key that signed (RFC 7638, SHA-256): compare with the token's cnf.jkt
	ID         string // jti
	IssuedAt   time.Time
	HasATH     bool // it is bound to the access token that was presented with it
}

// Seen is a memory of the proofs that were used.
type Seen interface {
	// Once reports whether this is the first time that it is asked about the
	// key, 32 opaque bytes, and remembers it at least until the given time. It
	// must be atomic over all who share the memory, and answer false if it has
	// no room; if it can't be reached, an error. When ctx is done it answers the error
	// of that, and may have remembered the key.
	Once(ctx context.Context, key string, until time.Time) (bool, error)
}

// A Checker checks proofs. Now, MaxAge and Seen must be set.
type Checker struct {
	Now     func() time.Time
	MaxAge  time.Duration // how long after its iat a proof is good; a minute is usual
	MaxSkew time.Duration // how far in the future an iat may be: what clients' clocks are fast
	Seen    Seen

	// NotBefore refuses proofs with an earlier iat. Where Seen forgets at a
	// restart, set it to the start of the process plus MaxSkew: what was used
	// before then can't be used again, at the price that clients are refused
	// for the first MaxSkew.
	NotBefore time.Time

	// Nonce, if set, says whether a nonce (perhaps "") is one that this server
	// gave out and still takes; if not, the proof is refused with UseNonce.
	Nonce func(nonce string) bool

	// Known, if set, makes it faster to check what a client sends again and again.
	Known *Known
}

// Check checks a proof that came with a request with the method to the url,
// as the client sees it, in the order of RFC 9449, section 4.3. The claim ath
// must be the hash of the access token if present, and be present if
// requireATH. A proof is good once. All errors are an *Error, but those of Seen, which ctx is for.
//
// A stranger can make proofs that pass, so a server that wants its memory for
// clients checks their credentials first, or uses CheckBound.
func (c *Checker) Check(ctx context.Context, proof, method, url, accessToken string, requireATH bool) (Proof, error) {
	return c.check(ctx, proof, method, url, accessToken, "", requireATH)
}

// CheckBound is Check, and refuses, before it is remembered, a proof that was
// not made with the key of the thumbprint: the cnf.jkt of a verified token.
func (c *Checker) CheckBound(ctx context.Context, proof, method, url, accessToken, thumbprint string, requireATH bool) (Proof, error) {
	if thumbprint == "" {
		return Proof{}, invalid("the access token is not bound to a key; get one with a DPoP proof")
	}
	return c.check(ctx, proof, method, url, accessToken, thumbprint, requireATH)
}

func (c *Checker) check(ctx context.Context, proof, method, url, accessToken, thumbprint string, requireATH bool) (Proof, error) {
	came, said, err := c.parse(proof)
	if err != nil {
		return Proof{}, err
	}
	issued, err := c.claims(said, method, url)
	if err != nil {
		return Proof{}, err
	}
	if err := checkToken(said.Token, accessToken, requireATH); err != nil {
		return Proof{}, err
	}
	if err := came.verify(); err != nil {
		return Proof{}, invalid("the signature does not match the key in the header")
	}
	p := Proof{ID: said.ID, IssuedAt: issued, HasATH: said.Token != nil, Thumbprint: came.thumbprint}
	if p.Thumbprint == "" {
		if p.Thumbprint, err = Thumbprint(came.public); err != nil {
			return Proof{}, invalid("the key in the header has no thumbprint")
		}
	}
	if thumbprint != "" && p.Thumbprint != thumbprint {
		return Proof{}, invalid("the key is not the one to which the access token is bound")
	}
	if c.Nonce != nil && !c.Nonce(said.Nonce) {
		return Proof{}, &Error{UseNonce, "repeat the request with the nonce from the header DPoP-Nonce"}
	}
	key := sha256.Sum256([]byte(p.Thumbprint + " " + p.ID))
	first, err := c.Seen.Once(ctx, string(key[:]), issued.Add(c.MaxAge+time.Second))
	if err != nil {
		return Proof{}, fmt.Errorf("remember a proof: %w", err)
	}
	if !first {
		return Proof{}, invalid("the proof was used before, or too many are in use; make a new one for each request")
	}
	if came.thumbprint == "" && thumbprint != "" { // who has a token isn't a stranger, who could make us forget others
		c.Known.learn(came.header, came.public, p.Thumbprint)
	}
	return p, nil
}

// parse gives the parts of a proof whose form and header are right. Nothing in
// it is verified yet.
func (c *Checker) parse(proof string) (signed, claims, error) {
	if proof == "" {
		return signed{}, claims{}, invalid("there is no DPoP proof")
	}
	if len(proof) > maxProof {
		return signed{}, claims{}, invalid("the proof is longer than 8 kB")
	}
	if !compact(proof) { // base64 would skip line ends
		return signed{}, claims{}, invalid("the proof is not a compact JWT")
	}
	came, err := c.read(proof)
	if err != nil {
		return signed{}, claims{}, err
	}
	said, err := readClaims(came.payload)
	if err != nil {
		return signed{}, claims{}, invalid("the claims are not a JSON object of the right form")
	}
	return came, said, nil
}

func (c *Checker) read(proof string) (signed, error) {
	header, key, ok := c.Known.find(proof)
	if ok {
		if came, ok := key.split(proof, header); ok {
			return came, nil
		}
	}
	parsed, err := jose.ParseSignedCompact(proof, allowed())
	if err != nil {
		return signed{}, invalid("the proof is not a compact JWT with an algorithm of " +
			Algorithms + " and a public key in its header")
	}
	if err := checkHeader(parsed.Signatures[0].Protected); err != nil {
		return signed{}, err
	}
	came := signed{header: header, payload: parsed.UnsafePayloadWithoutVerification(), public: parsed.Signatures[0].Protected.JSONWebKey.Key}
	came.verify = func() error { return parsed.DetachedVerify(came.payload, came.public) }
	return came, nil
}

// compact reports whether a proof consists of what compact JWTs are written in. It is
// looked up, since the characters of a proof are random, and the processor guesses
// wrong at each comparison of a range.
func compact(proof string) bool {
	for i := range len(proof) {
		if !letters[proof[i]] {
			return false
		}
	}
	return true
}

// letters are those of base64url, and the dot.
var letters = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") {
		in[c] = true
	}
	return in
}()

func allowed() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
}

func checkHeader(h jose.Header) error {
	if h.ExtraHeaders[jose.HeaderType] != proofType {
		return invalid("typ is not " + proofType)
	}
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, found := h.ExtraHeaders[name]; found {
			return invalid("the header has " + string(name) + ", which proofs don't use")
		}
	}
	if h.JSONWebKey == nil {
		return invalid("there is no jwk in the header")
	}
	if !fits(h.JSONWebKey.Key, jose.SignatureAlgorithm(h.Algorithm)) {
		return invalid("the key in the header is not a public key for its alg, or is too short")
	}
	return nil
}

func fits(public any, alg jose.SignatureAlgorithm) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return (alg == jose.RS256 || alg == jose.PS256) && key.N.BitLen() >= minRSA
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}

func (c *Checker) claims(said claims, method, url string) (issued time.Time, err error) {
	if said.Method != method {
		return issued, invalid("htm is not the method of this request")
	}
	if !sameURL(said.URL, url) {
		return issued, invalid("htu is not the URL of this request")
	}
	if said.ID == "" || len(said.ID) > maxID {
		return issued, invalid("jti must have 1 to 256 bytes")
	}
	if said.Issued < 1 || said.Issued > 1<<40 {
		return issued, invalid("iat is missing, or is not a time in seconds")
	}
	issued = time.Unix(int64(said.Issued), 0)
	switch now := c.Now(); {
	case now.Sub(issued) > c.MaxAge:
		return issued, invalid("iat is too long ago; is the clock right?")
	case issued.Sub(now) > c.MaxSkew:
		return issued, invalid("iat is in the future; is the clock right?")
	case issued.Before(c.NotBefore):
		return issued, invalid("the proof is older than this server's start; make a new one")
	}
	return issued, nil
}

func checkToken(hash *string, accessToken string, required bool) error {
	if hash == nil {
		if required {
			return invalid("ath is missing")
		}
		return nil
	}
	if accessToken == "" || subtle.ConstantTimeCompare([]byte(*hash), []byte(tokenHash(accessToken))) != 1 {
		return invalid("ath is not the hash of the access token that was sent")
	}
	return nil
}
