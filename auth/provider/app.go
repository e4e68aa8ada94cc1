// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/acl"
	"skrin/auth"
)

// The ids of apps begin so, which those of parties can't.
const (
	registeredPrefix = "app_"
	scriptPrefix     = "script_"
)

// The scopes that apps may have. What else they ask for is left out (RFC 6749,
// section 3.3), as they ask for much that other servers know.
const appScopes = "openid webid offline_access"

const (
	maxRedirects = 10
	maxURL       = 1024 // bytes
	maxName      = 80   // characters
	maxScripts   = 20   // of one person
	unusedLife   = 24 * time.Hour
	usedLife     = 365 * 24 * time.Hour // since the last time
)

// isApp reports whether a client is a Solid app, or says that it is: the kind of
// a client is in the form of its id, so that none can be taken for the other.
func isApp(id string) bool {
	return strings.HasPrefix(id, registeredPrefix) || strings.HasPrefix(id, scriptPrefix) || strings.Contains(id, "://")
}

// An app is a client that acts for a person, in her name: a Solid app that she
// has approved, or a script of her own.
type app struct {
	ID        string                  `json:"-"`
	Name      string                  `json:"name,omitempty"`
	Redirects []string                `json:"redirects,omitempty"`
	Logout    []string                `json:"logout,omitempty"`  // where the browser may be sent after a sign-out
	Refresh   bool                    `json:"refresh,omitempty"` // it may have refresh tokens
	Native    bool                    `json:"native,omitempty"`
	Secret    string                  `json:"secret,omitempty"` // digest; "" for a public client
	Algorithm jose.SignatureAlgorithm `json:"alg,omitempty"`    // of its ID tokens
	Used      bool                    `json:"used,omitempty"`
	Made      time.Time               `json:"made,omitzero"`

	// Of a script:
	Person string    `json:"person,omitempty"`
	WebID  acl.WebID `json:"webid,omitempty"` // it acts as
}

const appKind = "oidc-app"

// findApp returns goidc.ErrNotFound if there is no such app, and auth.ErrSpent where
// its document isn't fetched for who asks.
func (p *Provider) findApp(ctx context.Context, id string) (app, error) {
	if strings.Contains(id, "://") {
		return p.documentApp(ctx, id)
	}
	if !isApp(id) || len(id) > 64 {
		return app{}, goidc.ErrNotFound
	}
	a, _, err := p.loadApp(ctx, id)
	return a, err
}

func (p *Provider) loadApp(ctx context.Context, id string) (app, auth.Record, error) {
	record, err := p.Records.Load(ctx, appKind, id)
	if errors.Is(err, auth.ErrNoRecord) {
		return app{}, auth.Record{}, goidc.ErrNotFound
	}
	if err != nil {
		return app{}, auth.Record{}, failed{fmt.Errorf("load app: %w", err)}
	}
	a := app{}
	if err := json.Unmarshal(record.Value, &a); err != nil {
		return app{}, auth.Record{}, failed{fmt.Errorf("decode app: %w", err)}
	}
	a.ID = id
	return a, record, nil
}

// keepApp prolongs a registration that is used.
func (p *Provider) keepApp(ctx context.Context, id string) error {
	if !strings.HasPrefix(id, registeredPrefix) {
		return nil
	}
	a, record, err := p.loadApp(ctx, id)
	if err != nil {
		return err
	}
	until := p.Now().Add(usedLife)
	if a.Used && until.Sub(record.Until) < unusedLife {
		return nil
	}
	a.Used = true
	if record.Value, err = marshal(a); err != nil {
		return err
	}
	record.Until = until
	err = p.Records.Save(ctx, appKind, id, record)
	if err != nil && !errors.Is(err, auth.ErrChanged) { // then somebody else has prolonged it
		return failed{fmt.Errorf("keep app: %w", err)}
	}
	return nil
}

// library shows an app to the library.
func (a *app) library() *goidc.Client {
	c := &goidc.Client{ID: a.ID, Secret: a.Secret, ClientMeta: goidc.ClientMeta{
		Name: a.Name, RedirectURIs: a.Redirects, ScopeIDs: appScopes, SubIdentifierType: goidc.SubIdentifierPublic,
		IDTokenSigAlg: a.Algorithm, TokenAuthnMethod: goidc.AuthnMethodNone, DPoPTokenBindingIsRequired: true,
		ApplicationType: goidc.ApplicationTypeWeb,
	}}
	if a.Native {
		c.ApplicationType = goidc.ApplicationTypeNative
		c.RedirectURIs = anyPort(a.Redirects)
	}
	if a.Secret != "" {
		c.TokenAuthnMethod = goidc.AuthnMethodSecretPost // clientSecret has made it this if it was Basic
	}
	if a.Person != "" {
		c.GrantTypes = []goidc.GrantType{goidc.GrantClientCredentials}
		return c
	}
	c.GrantTypes = []goidc.GrantType{goidc.GrantAuthorizationCode}
	c.ResponseTypes = []goidc.ResponseType{goidc.ResponseTypeCode}
	if a.Refresh {
		c.GrantTypes = append(c.GrantTypes, goidc.GrantRefreshToken)
	}
	return c
}

// anyPort adds to a native app's redirect URIs on a loopback address the same
// without a port, which the library looks for: such an app takes the port that is
// free when it runs (RFC 8252, section 7.3).
func anyPort(redirects []string) []string {
	all := slices.Clone(redirects)
	for _, text := range redirects {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() || u.Port() == "" {
			continue
		}
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
		all = append(all, u.String())
	}
	return all
}

// checkSecret obeys goidc.VerifyClientSecretFunc.
func checkSecret(_ context.Context, stored, given string) error {
	if stored == "" || subtle.ConstantTimeCompare([]byte(stored), []byte(digest(given))) != 1 {
		return errors.New("the client_secret is wrong")
	}
	return nil
}

// plainRedirect reports whether a redirect URI is written as one that can be
// registered. The library looks for what it makes of it, by which an empty fragment
// is lost, and the code would come in one.
func plainRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.String() == uri && !strings.Contains(uri, "#")
}

// checkRedirects checks the redirect URIs of an app: https, or http to the
// person's own machine, or for an installed app a scheme of its own (RFC 8252,
// section 7.1).
func checkRedirects(uris []string, native bool) error {
	if len(uris) > maxRedirects {
		return errors.New("there are more than 10 redirect URIs")
	}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil || len(uri) > maxURL || u.User != nil || !plainRedirect(uri) {
			return errors.New("a redirect URI is too long, or not a plain URL without a fragment")
		}
		switch {
		case u.Scheme == "https" && u.Hostname() != "":
		case u.Scheme == "http" && isLoopback(u.Hostname()):
		case native && strings.Contains(u.Scheme, ".") && u.Opaque == "":
		default:
			return errors.New("a redirect URI is neither https, nor http to localhost, nor (for a native app) of a scheme with a dot")
		}
	}
	return nil
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// readable makes a name fit to be shown: one line of visible characters, none
// that turns the direction of what follows.
func readable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, name)
	runes := []rune(strings.Join(strings.Fields(name), " "))
	return string(runes[:min(len(runes), maxName)])
}

// An AppInfo is what a person is told of an app that wants to act for her.
type AppInfo struct {
	ID      string
	Name    string // as it calls itself: nobody has checked it
	Address string // where she is sent afterwards: "https://app.example", or the scheme of an installed app
	Offline bool   // it wants to go on when she has left it
	Onward  string // where to send the browser at once, if she who has signed in has approved it before; or ""
}

func (a *app) info(redirect, scope string) *AppInfo {
	info := &AppInfo{ID: a.ID, Name: a.Name, Offline: slices.Contains(strings.Fields(scope), "offline_access")}
	if u, err := url.Parse(redirect); err == nil {
		info.Address = u.Scheme + "://" + u.Host
	}
	return info
}

// A Script is a person's own program, which acts as her.
type Script struct {
	ID   string
	Name string
	Made time.Time
}

// ErrTooMany is the answer to a person who has as many scripts as she may.
var ErrTooMany = errors.New("there are too many")

// NewScript makes credentials (client_credentials) for a program that acts as
// the person with the WebID. The secret is told once; what is kept is its hash.
func (p *Provider) NewScript(ctx context.Context, person string, webID acl.WebID, name string) (id, secret string, err error) {
	if _, err := acl.ParseWebID(string(webID)); err != nil || person == "" {
		return "", "", errors.New("make a script: no person, or no WebID")
	}
	scripts, err := p.Scripts(ctx, person)
	if err != nil {
		return "", "", err
	}
	if len(scripts) >= maxScripts {
		return "", "", fmt.Errorf("make a script: %w", ErrTooMany)
	}
	id, secret = scriptPrefix+rand.Text(), rand.Text()
	a := app{Name: readable(name), Secret: digest(secret), Person: person, WebID: webID, Algorithm: jose.ES256, Made: p.Now()}
	value, err := marshal(a)
	if err != nil {
		return "", "", err
	}
	if err := p.Records.Save(ctx, appKind, id, auth.Record{Value: value}); err != nil {
		return "", "", fmt.Errorf("make a script: %w", err)
	}
	if err := p.Records.Save(ctx, scriptKind, digest(person)+"."+id, auth.Record{}); err != nil {
		return "", "", fmt.Errorf("make a script: %w", err)
	}
	return id, secret, nil
}

const scriptKind = "oidc-script" // by person and id

// Scripts lists a person's scripts.
func (p *Provider) Scripts(ctx context.Context, person string) ([]Script, error) {
	mine := digest(person) + "."
	keys, err := p.Records.List(ctx, scriptKind, mine, "", maxScripts)
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	var all []Script
	for _, key := range keys {
		a, _, err := p.loadApp(ctx, strings.TrimPrefix(key, mine))
		if errors.Is(err, goidc.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Script{a.ID, a.Name, a.Made})
	}
	return all, nil
}

// RemoveScript ends a person's script, and what tokens it has, at once.
func (p *Provider) RemoveScript(ctx context.Context, person, id string) error {
	a, _, err := p.loadApp(ctx, id)
	if errors.Is(err, goidc.ErrNotFound) || err == nil && a.Person != person {
		return nil
	}
	if err == nil {
		err = errors.Join(p.Records.Delete(ctx, appKind, id), p.Records.Delete(ctx, scriptKind, digest(person)+"."+id), p.revocations.tell(ctx))
	}
	if err != nil {
		return fmt.Errorf("remove a script: %w", err)
	}
	return nil
}
