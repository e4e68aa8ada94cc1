// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/ldp/client"
	"skrin/pod/credential"
)

// The commands here are for the back end of a provider or a consumer that has no
// SDK at hand: what curl can't make by itself.

// partyKey is a flag of them.
type partyKey struct {
	Key string `required:"" help:"File with the party's private key (JWK, or PKCS #8 in PEM)." type:"existingfile"`
}

func (k partyKey) signing() (jose.JSONWebKey, error) {
	b, err := os.ReadFile(k.Key)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	return client.ParseKey(b)
}

func (k partyKey) dpop() (*dpop.Key, error) {
	b, err := os.ReadFile(k.Key)
	if err != nil {
		return nil, err
	}
	return dpop.ParseKey(b)
}

// tokenCommand gets an access token.
type tokenCommand struct {
	backEnd
	printed
}

// Run obeys kong.
func (c *tokenCommand) Run(ctx context.Context) error {
	party, err := c.client()
	if err != nil {
		return err
	}
	token, err := party.Token(ctx)
	if err != nil {
		return err
	}
	return c.print(os.Stdout, map[string]string{"access_token": token}, token)
}

// proofCommand makes a DPoP proof.
type proofCommand struct {
	partyKey
	printed
	Token  string `help:"The access token that the proof goes with." env:"TOKEN"`
	Method string `arg:"" help:"The request's method, like GET."`
	URL    string `arg:"" help:"The request's URL."`
}

// Run obeys kong.
func (c *proofCommand) Run() error {
	key, err := c.dpop()
	if err != nil {
		return err
	}
	proof, err := key.Proof(c.Method, c.URL, c.Token, "", time.Now())
	if err != nil {
		return err
	}
	return c.print(os.Stdout, map[string]string{"proof": proof}, proof)
}

// issueCommand signs evidence.
type issueCommand struct {
	partyKey
	printed
	Issuer string `required:"" help:"The iss with which the party is registered."`
	Type   string `required:"" help:"The type of evidence (vct)."`
	Days   int    `default:"30" help:"How many days it is good."`
	Forms  int    `default:"8" help:"How many forms, each for one recipient."`
	Holder string `help:"File with the public keys that the pod has given (JWKS, from keys/): a form is bound to each." type:"existingfile"`
	Status string `help:"URL of the status list in which the forms stand."`
	Places []int  `help:"Their places in it, one for each form: random ones."`
}

// Run obeys kong. It reads the claims, a JSON object, from standard input, and
// prints a form a line.
func (c *issueCommand) Run() error { return c.issue(os.Stdin) }

func (c *issueCommand) issue(in io.Reader) error {
	key, err := c.signing()
	if err != nil {
		return err
	}
	var claims map[string]any
	if err := json.NewDecoder(io.LimitReader(in, 1<<20)).Decode(&claims); err != nil {
		return fmt.Errorf("claims: want one JSON object on standard input: %w", err)
	}
	now := time.Now()
	s := credential.Statement{Type: c.Type, Issuer: c.Issuer, Issued: now, Expires: now.AddDate(0, 0, c.Days), Decoys: 4}
	for name, value := range claims {
		s.Claims = append(s.Claims, credential.Claim{Name: name, Value: value})
	}
	slices.SortFunc(s.Claims, func(a, b credential.Claim) int { return strings.Compare(a.Name, b.Name) })
	holders, err := c.holders()
	if err != nil {
		return err
	}
	forms := make([]string, c.Forms)
	for i := range forms {
		if holders != nil {
			s.HolderKey = &holders[i]
		}
		if c.Status != "" {
			s.Status = &credential.Status{URI: c.Status, Index: c.Places[i]}
		}
		if forms[i], err = credential.Issue(key, s); err != nil {
			return err
		}
	}
	return c.print(os.Stdout, map[string][]string{"forms": forms}, strings.Join(forms, "\n"))
}

// holders reads the keys to bind to, and sees that there is for each form what it
// needs.
func (c *issueCommand) holders() ([]jose.JSONWebKey, error) {
	if c.Status != "" && len(c.Places) != c.Forms {
		return nil, fmt.Errorf("--places: %d forms need as many", c.Forms)
	}
	if c.Holder == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.Holder)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Holder, err)
	}
	if len(set.Keys) != c.Forms {
		return nil, fmt.Errorf("%s has %d keys, for %d forms", c.Holder, len(set.Keys), c.Forms)
	}
	return set.Keys, nil
}

// statusListCommand signs a status list.
type statusListCommand struct {
	partyKey
	printed
	URL       string        `required:"" name:"url" help:"Where it will be published: what the forms refer to."`
	Size      int           `default:"131072" help:"For how many forms."`
	Revoked   []int         `help:"The places that are revoked."`
	Suspended []int         `help:"The places that are suspended."`
	TTL       time.Duration `default:"15m" help:"How long readers may keep it."`
	Days      int           `default:"7" help:"How many days it is good."`
}

// Run obeys kong. It prints the list, to be served as application/statuslist+jwt.
func (c *statusListCommand) Run() error {
	key, err := c.signing()
	if err != nil {
		return err
	}
	list := credential.NewStatusList(c.URL, c.Size)
	list.Issued, list.TTL = time.Now(), c.TTL
	list.Expires = list.Issued.AddDate(0, 0, c.Days)
	for v, places := range map[credential.StatusValue][]int{credential.Suspended: c.Suspended, credential.Invalid: c.Revoked} {
		for _, i := range places {
			if i < 0 || i >= list.Len() {
				return fmt.Errorf("there is no place %d", i)
			}
			list.Set(i, v)
		}
	}
	token, err := list.Sign(key)
	if err != nil {
		return err
	}
	return c.print(os.Stdout, map[string]string{"status_list": token}, token)
}

// verifyCommand verifies evidence without asking anybody.
type verifyCommand struct {
	Keys   string `required:"" help:"File with the issuer's public keys (JWKS)." type:"existingfile"`
	Issuer string `required:"" help:"The issuer (iss) that is expected."`
	Type   string `required:"" help:"The type of evidence (vct) that is expected."`

	Audience   string `help:"The id for which the holder proves that it presents; with --nonce."`
	Nonce      string `help:"The nonce that the proof answers."`
	StatusList string `help:"File with the issuer's status list, in which it must be valid." type:"existingfile"`
}

// Run obeys kong. It reads an SD-JWT VC from standard input, and prints the
// disclosed claims.
func (c *verifyCommand) Run() error { return c.verify(os.Stdin) }

func (c *verifyCommand) verify(form io.Reader) error {
	if (c.Nonce == "") != (c.Audience == "") {
		return errors.New("--audience and --nonce belong together: a proof is for somebody, in answer to something")
	}
	b, err := os.ReadFile(c.Keys)
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(b, &keys); err != nil {
		return fmt.Errorf("%s: %w", c.Keys, err)
	}
	text, err := io.ReadAll(io.LimitReader(form, 1<<20))
	if err != nil {
		return err
	}
	cred, err := credential.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	find := func(_, kid string) (jose.JSONWebKey, error) {
		if found := keys.Key(kid); len(found) == 1 {
			return found[0], nil
		}
		return jose.JSONWebKey{}, errors.New("the issuer has no such key")
	}
	want := credential.Want{Type: c.Type, Issuer: c.Issuer}
	if c.Nonce != "" || c.Audience != "" {
		want.Binding = &credential.Binding{Audience: c.Audience, Nonce: c.Nonce, MaxAge: 5 * time.Minute}
	}
	v, err := cred.Verify(find, time.Now(), want)
	if err != nil {
		return err
	}
	if err := c.status(v.Status, find); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(v.Claims)
}

// status looks the credential up in the status list, if there is one.
func (c *verifyCommand) status(at *credential.Status, keys credential.Keys) error {
	if c.StatusList == "" {
		return nil
	}
	if at == nil {
		return errors.New("the evidence stands in no status list")
	}
	token, err := os.ReadFile(c.StatusList)
	if err != nil {
		return err
	}
	list, err := credential.ReadStatusList(strings.TrimSpace(string(token)), at.URI, c.Issuer, keys, time.Now())
	if err != nil {
		return err
	}
	if list.At(at.Index) != credential.Valid {
		return errors.New("the evidence is revoked or suspended")
	}
	return nil
}
