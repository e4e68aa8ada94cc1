// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/pod/credential"
)

const (
	typeSDJWT   = "application/dc+sd-jwt"
	maxRegister = 4 << 20 // bytes
)

// A directory is the server's public register: who may issue what, with which
// keys, and who may ask for what.
type directory []entry

type entry struct {
	ID       string             `json:"id"`
	Issuer   string             `json:"issuer"`
	Keys     jose.JSONWebKeySet `json:"jwks"`
	MayIssue []string           `json:"may_issue"`
	Uses     []use              `json:"uses"`
}

type use struct{ ID, Type, Purpose string }

// directory reads the register.
func (of *Office) directory(ctx context.Context) (directory, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, of.Server+"/.parties/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := of.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read the register: %w", err)
	}
	defer resp.Body.Close()
	var all struct{ Parties directory }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, maxRegister)).Decode(&all) != nil {
		return nil, errors.New("read the register: not the answer that it should be")
	}
	return all.Parties, nil
}

func (d directory) use(party, id string) (use, bool) {
	for _, e := range d {
		if i := slices.IndexFunc(e.Uses, func(u use) bool { return u.ID == id }); e.ID == party && i >= 0 {
			return e.Uses[i], true
		}
	}
	return use{}, false
}

// verify believes evidence of a type for the signature of one who may issue it, and
// for the holder's proof.
func (d directory) verify(compact string, kind certificate, now time.Time, proof *credential.Binding) (credential.Verified, error) {
	signed, err := credential.Parse(compact)
	if err != nil {
		return credential.Verified{}, err
	}
	err = errors.New("nobody may issue it")
	for _, e := range d {
		if !slices.Contains(e.MayIssue, kind.ID) {
			continue
		}
		var v credential.Verified
		if v, err = signed.Verify(e.key, now, credential.Want{Type: kind.VCT, Issuer: e.Issuer, Binding: proof}); err == nil {
			return v, nil
		}
	}
	return credential.Verified{}, err
}

// key finds one of a party's keys: credential.Keys.
func (e entry) key(_, kid string) (jose.JSONWebKey, error) {
	keys := e.Keys.Key(kid)
	if len(keys) != 1 {
		return jose.JSONWebKey{}, errors.New("not a key of one who may issue this")
	}
	return keys[0], nil
}

// read reads what was granted, believes it for its signature and for the proof that
// her pod presents it to the office, now, and judges it.
// What is not believed, or not enough, is not kept.
func (of *Office) read(ctx context.Context, m *matter) error {
	n := of.plan.Asks
	if n == nil {
		return nil
	}
	all, err := of.directory(ctx)
	if err != nil {
		return err
	}
	asked, ok := all.use(of.ID, n.Use)
	kind, known := kindOf(asked.Type)
	if !ok || !known {
		return errors.New("what was asked for is not registered for us any more")
	}
	proof := credential.Binding{Audience: of.ID, Nonce: rand.Text(), MaxAge: proofLife}
	res, err := of.client.GetBound(ctx, m.Location, proof.Nonce)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	v, err := all.verify(string(res.Body), kind, of.Now(), &proof)
	if err != nil {
		m.State = matterDoubtful
		of.Log.Warn("evidence was not believed", "office", of.ID, "reason", err)
		return nil
	}
	of.told("reads " + asked.Type + ", and verifies it")
	for name, want := range n.Needs {
		if fmt.Sprint(v.Claims[name]) != fmt.Sprint(want) {
			m.State = matterRefused
			return nil
		}
	}
	m.Type, m.Facts = asked.Type, map[string]any{}
	for _, name := range n.Fields {
		if value, ok := v.Claims[name]; ok {
			m.Facts[name] = value
		}
	}
	return nil
}

// issue signs the decision, in a form for each of the keys that her pod has made.
func (of *Office) issue(g *Gift, holders []jose.JSONWebKey) ([]string, error) {
	kind, ok := kindOf(g.Type)
	if !ok {
		return nil, fmt.Errorf("there is no type %s", g.Type)
	}
	s := credential.Statement{Type: kind.VCT, Issuer: of.Origin, Issued: of.today(), Expires: of.today().AddDate(0, 0, g.Days), Decoys: decoys}
	for _, f := range kind.Fields {
		if value, ok := g.Facts[f.Name]; ok {
			s.Claims = append(s.Claims, credential.Claim{Name: f.Name, Value: of.fact(value)})
		}
	}
	var all []string
	for _, holder := range holders {
		s.HolderKey = &holder
		form, err := credential.Issue(of.key, s)
		if err != nil {
			return nil, err
		}
		all = append(all, form)
	}
	return all, nil
}

// fact fills in the day in a fact that has a place for it.
func (of *Office) fact(value any) any {
	text, _ := value.(string)
	plus, ok := strings.CutPrefix(text, "{today")
	switch {
	case text == "{year}":
		return of.today().Year()
	case !ok:
		return value
	}
	days, err := strconv.Atoi(strings.TrimSuffix(plus, "}"))
	if err != nil {
		days = 0
	}
	return of.today().AddDate(0, 0, days).Format(time.DateOnly)
}

// renumber tells the server that the person has a new number, by which an eID
// will name the person from now on.
func (of *Office) renumber(ctx context.Context, m *matter, former Number) error {
	change := of.plan.Renumbers
	if change == nil || former.Scheme != change.From {
		return nil
	}
	i := slices.IndexFunc(People()[m.Person].Later, func(n Number) bool { return n.Scheme == change.To })
	if i < 0 {
		return nil
	}
	type number struct {
		Scheme string `json:"scheme"`
		Number string `json:"number"`
	}
	text, err := json.Marshal(map[string]any{
		"iss": of.ID, "aud": of.Server, "iat": of.Now().Unix(), "former": number(former), "now": number(People()[m.Person].Later[i]),
	})
	if err != nil {
		return err
	}
	jws, err := of.sign("number-change+jwt", text)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, of.Server+"/.identities/", strings.NewReader(jws))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/jwt")
	resp, err := of.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("tell of a new number: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return &client.Problem{Status: resp.StatusCode}
	}
	m.Numbered = true
	of.told("gives her a " + change.To)
	return nil
}

func (of *Office) sign(typ string, payload []byte) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: of.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func kindOf(id string) (certificate, bool) {
	all := mustReadAll[certificate]("types/*.json")
	i := slices.IndexFunc(all, func(c certificate) bool { return c.ID == id })
	if i < 0 {
		return certificate{}, false
	}
	return all[i], true
}
