// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp/rdf"
	"skrin/pod/registry"
)

const (
	registerType = "skrin-parties" // typ of the signed register
	joseType     = "application/jose"
)

// A published is what anybody may know of a party: who it is, what it may do
// here, and where a person turns to.
type published struct {
	ID        string                 `json:"id"`
	WebID     acl.WebID              `json:"webid"`
	Name      registry.Text          `json:"name"`
	Number    string                 `json:"number,omitempty"`
	Home      string                 `json:"home,omitempty"`
	Privacy   string                 `json:"privacy,omitempty"`
	Contact   string                 `json:"contact,omitempty"`
	Authority string                 `json:"authority,omitempty"`
	Issuer    string                 `json:"issuer,omitempty"`
	Keys      jose.JSONWebKeySet     `json:"jwks,omitzero"`
	KeysAt    string                 `json:"jwks_uri,omitempty"`
	MayIssue  []string               `json:"may_issue,omitempty"`
	Uses      []registry.UseFile     `json:"uses,omitempty"`
	Identity  bool                   `json:"identity,omitempty"`
	Renumbers []registry.Renumbering `json:"renumbers,omitempty"`
	Until     time.Time              `json:"until"`
}

// publishParties tells who is registered, and what evidence there is: as JSON;
// to who asks for application/jose signed, so that it can be kept as evidence of
// who was; and to who asks for RDF as that.
func (s *server) publishParties(w http.ResponseWriter, r *http.Request) {
	parties, err := s.register.All(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if a := r.Header.Get("Accept"); strings.Contains(a, rdf.Turtle.MediaType()) || strings.Contains(a, rdf.JSONLD.MediaType()) {
		s.graph(w, r, s.publisher().Index(parties), nil)
		return
	}
	all := []published{}
	for _, p := range parties {
		q := published{
			ID: p.ID, WebID: p.WebID, Name: p.Name, Number: p.Number, Home: p.Home, Privacy: p.Privacy, Contact: p.Contact,
			Authority: p.Authority, Issuer: p.Issuer, Keys: p.Keys, KeysAt: p.KeysAt, MayIssue: p.MayIssue, Identity: p.Identity, Renumbers: p.Renumbers, Until: p.Until.UTC(),
		}
		for _, u := range p.Uses {
			q.Uses = append(q.Uses, registry.UseFile(u))
		}
		all = append(all, q)
	}
	text, err := json.Marshal(struct {
		Issuer  string      `json:"iss"`
		At      int64       `json:"iat"`
		Parties []published `json:"parties"`
	}{s.Base, s.now().Unix(), all})
	mediaType := "application/json"
	if err == nil && strings.Contains(r.Header.Get("Accept"), joseType) {
		var signed string
		signed, err = s.provider.Sign(r.Context(), registerType, text)
		text, mediaType = []byte(signed), joseType
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(text)
}
