// SPDX-License-Identifier: EUPL-1.2

// Package credential makes, presents and verifies SD-JWT verifiable
// credentials (RFC 9901, draft-ietf-oauth-sd-jwt-vc): statements signed by an
// issuer, of which the holder shows a part without the rest.
//
// An issuer calls Issue. A holder calls Parse, Verify, then Present with the
// names that it wants to show, and Bind if the recipient asks for proof that
// the holder holds the key in the credential. A recipient calls Parse and
// Verify. All are pure functions: whose keys are trusted, and whether a
// credential was revoked, is for the caller.
package credential

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// An Error says what is wrong with a credential, in words fit for its sender.
// It never holds a value from the credential.
type Error string

// Error gives the words.
func (e Error) Error() string { return string(e) }

// MediaType is the media type of a credential.
const MediaType = "application/dc+sd-jwt"

const (
	credentialType = "dc+sd-jwt"
	bindingType    = "kb+jwt"

	maxSize        = 128 << 10 // bytes of the compact form
	maxDisclosures = 512
	maxDepth       = 32 // of arrays and objects in one another, through disclosures too
)

func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA}
}

// protocol are the claims that say how to take the credential and not what it
// states. They are always visible (draft-ietf-oauth-sd-jwt-vc, section 3.2.2.2),
// except that an issuer other than us may hide iat.
var protocol = []string{"iss", "vct", "nbf", "exp", "cnf", "status", "vct#integrity"}

// A Credential is a parsed SD-JWT, with none, some or all of its disclosures,
// and perhaps bound to a recipient. Its signature need not have been verified.
type Credential struct {
	jwt         string // as signed by the issuer
	signed      *jose.JSONWebSignature
	disclosures []*disclosure
	claims      map[string]any // with what the disclosures reveal
	binding     string         // the key binding JWT, or ""
}

type disclosure struct {
	encoded string
	name    string // "" for an element of an array
	element bool
	value   any
	under   string // the top-level claim that it is, or is a part of; "" until it is found
}

func digest(encoded string) string {
	sum := sha256.Sum256([]byte(encoded))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Parse reads the compact form and checks all but signatures and times: its
// limits (128 kB, 512 disclosures), that each disclosure belongs to a digest
// under the issuer's signature, and that no claim hides another (RFC 9901,
// section 7.1, steps 1 and 3 to 5). It takes SHA-256 only. Errors about the
// credential are an Error.
func Parse(compact string) (*Credential, error) {
	if len(compact) > maxSize {
		return nil, Error("the credential is larger than 128 kB")
	}
	if strings.ContainsFunc(compact, notCompact) {
		return nil, Error("the credential is not in the compact form of an SD-JWT")
	}
	parts := strings.Split(compact, "~")
	if len(parts) < 2 {
		return nil, Error("the credential has no '~': is it a plain JWT?")
	}
	if len(parts)-2 > maxDisclosures {
		return nil, Error("the credential has more than 512 disclosures")
	}
	c := &Credential{jwt: parts[0], binding: parts[len(parts)-1]}
	var err error
	if c.signed, err = jose.ParseSignedCompact(c.jwt, algorithms()); err != nil {
		return nil, Error("the issuer's part is not a JWT signed with ES256, ES384 or EdDSA")
	}
	payload, err := decode(c.signed.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, err
	}
	for _, encoded := range parts[1 : len(parts)-1] {
		d, err := parseDisclosure(encoded)
		if err != nil {
			return nil, err
		}
		c.disclosures = append(c.disclosures, d)
	}
	c.claims, err = reveal(payload, c.disclosures)
	return c, err
}

func notCompact(r rune) bool {
	return r != '~' && r != '.' && r != '-' && r != '_' &&
		(r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func parseDisclosure(encoded string) (*disclosure, error) {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, Error("a disclosure is not base64url")
	}
	value, err := decode(text)
	if err != nil {
		return nil, err
	}
	list, _ := value.([]any)
	if len(list) != 2 && len(list) != 3 {
		return nil, Error("a disclosure is not an array of salt, name and value, or of salt and value")
	}
	if _, ok := list[0].(string); !ok {
		return nil, Error("the salt of a disclosure is not a string")
	}
	d := &disclosure{encoded: encoded, element: len(list) == 2, value: list[len(list)-1]}
	if d.element {
		return d, nil
	}
	name, ok := list[1].(string)
	if !ok {
		return nil, Error("the claim name in a disclosure is not a string")
	}
	if name == "_sd" || name == "..." {
		return nil, Error("a disclosure has a claim name that SD-JWT reserves")
	}
	d.name = name
	return d, nil
}

// Type returns the type (vct) that the credential claims to be of. Nothing has
// vouched for it before Verify.
func (c *Credential) Type() string {
	s, _ := c.claims["vct"].(string)
	return s
}

// Holder returns the public key that the credential is bound to, nil if it is bound
// to none.
func (c *Credential) Holder() (*jose.JSONWebKey, error) { return holderKey(c.claims) }

// Present gives the credential with only what the named claims need. A name is
// that of a top-level claim, and shows it whole. An error if the credential
// has no such claim, or has been bound to a recipient.
func (c *Credential) Present(names ...string) (*Credential, error) {
	if c.binding != "" {
		return nil, Error("the credential is bound to a recipient and can't be presented again")
	}
	for _, name := range names {
		if _, found := c.claims[name]; !found {
			return nil, Error("the credential has no claim of a name that was asked for")
		}
	}
	var some []string
	for _, d := range c.disclosures {
		if slices.Contains(names, d.under) {
			some = append(some, d.encoded)
		}
	}
	return Parse(compact(c.jwt, some))
}

// Disclosed gives, for each disclosure in the order of the compact form, the
// top-level claim that it is, or is a part of: what [Select] needs.
func (c *Credential) Disclosed() []string {
	var of []string
	for _, d := range c.disclosures {
		of = append(of, d.under)
	}
	return of
}

// Select gives what Present gives, of a compact form that was parsed before, without
// parsing it: disclosed is what Disclosed gave then. It makes the text of an answer,
// and vouches for nothing.
func Select(form string, disclosed []string, names ...string) (string, error) {
	parts := strings.Split(form, "~")
	if len(parts) != len(disclosed)+2 || parts[len(parts)-1] != "" {
		return "", Error("the credential doesn't have the disclosures that it had, or is bound")
	}
	var some []string
	for i, of := range disclosed {
		if slices.Contains(names, of) {
			some = append(some, parts[i+1])
		}
	}
	return compact(parts[0], some), nil
}

// String gives the compact form.
func (c *Credential) String() string { return c.unbound() + c.binding }

// unbound is what a key binding JWT signs (RFC 9901, section 4.3.1).
func (c *Credential) unbound() string {
	var all []string
	for _, d := range c.disclosures {
		all = append(all, d.encoded)
	}
	return compact(c.jwt, all)
}

func compact(jwt string, disclosures []string) string {
	return strings.Join(append([]string{jwt}, disclosures...), "~") + "~"
}
