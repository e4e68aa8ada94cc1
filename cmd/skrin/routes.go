// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"skrin/auth/login"
	"skrin/auth/provider"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/notify"
	"skrin/pod/registry"
	"skrin/pod/vocab"
	"skrin/pod/web"
)

// routes joins the paths of the server: what is named here, and everything else
// is somebody's pod. On the host of the pod origin there is only what pods hold.
func (s *server) routes(pages http.Handler, resources, shown *ldp.Handler) http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Path("/healthz").Methods("GET", "HEAD").HandlerFunc(nothing)
	r.Path("/readyz").Methods("GET", "HEAD").Handler(s.ready)
	r.Path("/favicon.ico").Methods("GET", "HEAD").HandlerFunc(nothing) // browsers ask where a page names no icon
	r.Path("/").Methods("GET", "HEAD").Handler(http.RedirectHandler("/me/", http.StatusSeeOther))
	r.Path("/.well-known/openid-configuration").Handler(s.provider.Handler())
	r.PathPrefix("/.oidc/").Handler(s.sessions.Wrap(s.provider.Handler()))
	r.Path("/.parties/").Methods("GET", "HEAD").HandlerFunc(s.publishParties)
	r.Path("/.parties/types/{id}").Methods("GET", "HEAD").HandlerFunc(s.evidenceType)
	r.Path("/.parties/{id}").Methods("GET", "HEAD").HandlerFunc(s.party)
	s.adminRoutes(r)
	r.Path("/.identities/").Methods("POST").HandlerFunc(s.renumber)
	r.Path("/ns/core").Methods("GET", "HEAD").HandlerFunc(s.vocabulary)
	r.PathPrefix(notify.Path).Handler(&notify.Handler{
		Pod: s.pod, Hub: s.hub, Identifier: resources.Identifier, Fail: resources.Fail, Issuer: s.Base, Loopback: s.Demo,
	})
	r.Path("/me").Handler(pages)
	r.PathPrefix("/me/").Handler(pages)
	r.PathPrefix("/").Handler(resources)
	return s.twoHosts(podsFirst(resources, r), shown)
}

// podsFirst sends what can only be somebody's pod to resources, without a look at
// all the routes: most requests are.
func podsFirst(resources, routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, inside := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if inside && first != "" && first[0] != '.' && first != "me" && first != "ns" {
			resources.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// twoHosts tells the hosts apart. Whatever doesn't name the pod origin's is meant
// for the server itself.
func (s *server) twoHosts(main, shown http.Handler) http.Handler {
	_, host, _ := strings.Cut(s.Apart, "://")
	if host == "" {
		return main
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Host, host) {
			shown.ServeHTTP(w, r)
			return
		}
		main.ServeHTTP(w, r)
	})
}

func nothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func (s *server) publisher() registry.Publisher {
	return registry.Publisher{Base: s.Base, Issuer: s.pod.Issuer, Registry: s.pod.Registry, Types: s.pod.Types}
}

// party tells who a registered organisation is: what its WebID dereferences to.
func (s *server) party(w http.ResponseWriter, r *http.Request) {
	p, err := s.register.Party(r.Context(), mux.Vars(r)["id"])
	if errors.Is(err, registry.ErrNoParty) {
		s.refuse(w, r, ldp.Refuse(ldp.NotFound, "No such organisation is registered here."))
		return
	}
	s.graph(w, r, s.publisher().Profile(p), err)
}

// evidenceType tells what an evidence type consists of.
func (s *server) evidenceType(w http.ResponseWriter, r *http.Request) {
	t, ok := s.pod.Types.Type(mux.Vars(r)["id"])
	if !ok {
		s.refuse(w, r, ldp.Refuse(ldp.NotFound, "There is no such type of evidence here."))
		return
	}
	g, err := s.publisher().TypeGraph(r.Context(), t)
	s.graph(w, r, g, err)
}

// vocabulary serves the server's own terms; as JSON-LD with their context, since
// documents refer to it by this URL.
func (s *server) vocabulary(w http.ResponseWriter, r *http.Request) {
	g, err := vocab.Core(s.Base).Graph(r.Context())
	if err != nil || formatFor(r) != rdf.JSONLD {
		s.graph(w, r, g, err)
		return
	}
	own, err := vocab.Core(s.Base).LoadContext(r.Context(), s.Base+r.URL.Path)
	var body []byte
	if err == nil {
		body, err = withContext(g, own)
	}
	s.document(w, r, rdf.JSONLD, body, err)
}

// withContext writes a graph as JSON-LD under a context document, and under the
// prefixes of its own.
func withContext(g *rdf.Graph, contextDocument []byte) ([]byte, error) {
	body, err := rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{})
	if err != nil {
		return nil, err
	}
	var document, own map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(body, &document), json.Unmarshal(contextDocument, &own)); err != nil {
		return nil, err
	}
	document["@context"], err = json.Marshal([]json.RawMessage{own["@context"], document["@context"]})
	if err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

// graph answers with a public document, as JSON-LD to who asks for that alone
// and as Turtle to everybody else.
func (s *server) graph(w http.ResponseWriter, r *http.Request, g *rdf.Graph, err error) {
	format := formatFor(r)
	var body []byte
	if err == nil {
		body, err = rdf.Write(g, format, rdf.WriteOptions{})
	}
	s.document(w, r, format, body, err)
}

func formatFor(r *http.Request) rdf.Format {
	if a := r.Header.Get("Accept"); strings.Contains(a, rdf.JSONLD.MediaType()) && !strings.Contains(a, rdf.Turtle.MediaType()) {
		return rdf.JSONLD
	}
	return rdf.Turtle
}

// document answers with a public document, or for what went wrong with it.
func (s *server) document(w http.ResponseWriter, r *http.Request, format rdf.Format, body []byte, err error) {
	if err != nil {
		s.failed(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", format.MediaType())
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(body)
}

// oauthTrouble answers a browser that can't be sent back to the party.
func (s *server) oauthTrouble(w http.ResponseWriter, r *http.Request, _ int, reason provider.Reason) {
	if reason == provider.Unavailable {
		s.refuse(w, r, errNow)
		return
	}
	http.Redirect(w, r, web.Ended, http.StatusSeeOther)
}

// errNow is that the server can't answer now, and will.
var errNow = &ldp.Fault{Kind: ldp.Unavailable, Detail: "The server can't answer right now. Try again in a moment.", Header: "Retry-After: 10"}

// failed answers a request, with a page to a browser, that went wrong on the
// server's side, or that a sign-in refuses.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	refused := new(login.Refusal)
	if !errors.As(err, &refused) {
		s.log.ErrorContext(r.Context(), "page", "error", err)
		s.refuse(w, r, errNow)
		return
	}
	f := &ldp.Fault{Kind: ldp.Kind(refused.Status), Detail: refused.Detail}
	switch f.Kind {
	case ldp.TooMany:
		s.guard.m.refusals.WithLabelValues(byLogins).Inc()
		f.Header = "Retry-After: " + wholeSeconds(refused.Wait)
	case ldp.NotAllowed:
		f.Header = "Allow: " + refused.Allow
	}
	s.refuse(w, r, f)
}

// refuse answers as everything else here does: with a problem document, or with a
// page to a browser.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.answers.Fail(w, r, err)
}
