// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/auth"
)

const (
	solidContext  = "https://www.w3.org/ns/solid/oidc-context.jsonld"
	documentLife  = 5 * time.Minute
	maxDocuments  = 2000
	maxDocument   = 64 << 10 // bytes
	maxDocumentID = 512      // bytes of its URL
)

// documentApp is the app whose id is the URL of a document that describes it
// (Solid-OIDC, section 5.1). It is a public client, always.
func (p *Provider) documentApp(ctx context.Context, id string) (app, error) {
	if p.Fetch == nil || len(id) > maxDocumentID {
		return app{}, goidc.ErrNotFound
	}
	a, err := p.documents.Get(id, p.Now(), documentLife, func() (app, error) {
		doc, err := auth.Fetch(ctx, p.Fetch, id, "application/ld+json, application/json;q=0.5")
		if err != nil {
			return app{}, err
		}
		return readDocument(id, doc)
	})
	if errors.Is(err, auth.ErrSpent) {
		return app{}, err
	}
	if err != nil {
		p.Log.InfoContext(ctx, "OpenID provider: a client ID document is no good", "error", err)
		return app{}, goidc.ErrNotFound
	}
	return a, nil
}

// contexts is JSON-LD's @context, one or several.
type contexts []any

func (c *contexts) UnmarshalJSON(text []byte) error {
	var one any
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	if many, ok := one.([]any); ok {
		*c = many
		return nil
	}
	*c = contexts{one}
	return nil
}

// readDocument reads a client ID document. It is JSON-LD in the one form that
// the context asks for, and so is read as JSON.
func readDocument(id string, doc auth.Document) (app, error) {
	if t, _, err := mime.ParseMediaType(doc.MediaType); err != nil || t != "application/ld+json" && t != "application/json" {
		return app{}, fmt.Errorf("client ID document: it is not application/ld+json")
	}
	var d struct {
		Context   contexts `json:"@context"`
		ID        string   `json:"client_id"`
		Name      string   `json:"client_name"`
		Redirects []string `json:"redirect_uris"`
		Logout    []string `json:"post_logout_redirect_uris"`
		Grants    []string `json:"grant_types"`
		Scope     *string  `json:"scope"`
		Type      string   `json:"application_type"`
		Method    string   `json:"token_endpoint_auth_method"`
		Algorithm string   `json:"id_token_signed_response_alg"`
	}
	if len(doc.Body) > maxDocument {
		return app{}, fmt.Errorf("client ID document: it is larger than 64 KiB")
	}
	if err := json.Unmarshal(doc.Body, &d); err != nil {
		return app{}, fmt.Errorf("client ID document: %w", err)
	}
	switch {
	case !slices.Contains([]any(d.Context), any(solidContext)):
		return app{}, fmt.Errorf("client ID document: @context lacks %s", solidContext)
	case d.ID != id:
		return app{}, fmt.Errorf("client ID document: client_id is another")
	case d.Method != "" && d.Method != "none":
		return app{}, fmt.Errorf("client ID document: token_endpoint_auth_method is not none")
	case len(d.Redirects) == 0:
		return app{}, fmt.Errorf("client ID document: there are no redirect_uris")
	}
	a := app{
		ID: id, Name: readable(d.Name), Redirects: d.Redirects, Logout: d.Logout, Native: d.Type == "native",
		Refresh:   slices.Contains(d.Grants, "refresh_token") || len(d.Grants) == 0 && d.Scope != nil && slices.Contains(strings.Fields(*d.Scope), "offline_access"),
		Algorithm: jose.SignatureAlgorithm(cmp.Or(d.Algorithm, string(jose.ES256))),
	}
	return a, a.check()
}

// check checks what an app says of itself.
func (a *app) check() error {
	if err := checkRedirects(a.Redirects, a.Native); err != nil {
		return err
	}
	if err := checkRedirects(a.Logout, a.Native); err != nil {
		return fmt.Errorf("after sign-out: %w", err)
	}
	if a.Algorithm != jose.ES256 && a.Algorithm != jose.RS256 {
		return fmt.Errorf("id_token_signed_response_alg is neither ES256 nor RS256")
	}
	return nil
}
