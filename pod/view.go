// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/deposit"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
	"skrin/pod/vocab"
	"skrin/pod/vouch"
)

// The media types in which evidence is read, beside that of a credential.
const (
	TypeTurtle = "text/turtle"
	TypeJSONLD = "application/ld+json"
)

// spaceGet reads a resource of a space. A read by the party is logged in the
// transaction that permits it, before a byte leaves.
func (p *Pod) spaceGet(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	if req.ID == ldp.ID("/w/"+space.IDIn(req.ID)+"/card") {
		return p.card(ctx, who, req)
	}
	var res *ldp.Resource
	var told error
	err := p.inSpace(ctx, who, acl.Read, req.ID, func(tx store.Tx, a access) (err error) {
		switch {
		case a.grant != nil:
			res, err = p.readEvidence(ctx, tx, a, req)
			told, err = p.denied(tx, a, req.ID, err)
		case strings.HasPrefix(string(req.ID), string(a.space.Inbox())):
			res, err = p.readMail(ctx, tx, a, req)
		default:
			res, err = p.listSpace(tx, a, req)
		}
		return err
	})
	if err == nil {
		err = told
	}
	return res, err
}

// card is the WebID document of a space: whose tokens it takes, and nothing
// about the person.
func (p *Pod) card(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	var res *ldp.Resource
	err := p.Store.View(ctx, store.Name("w/"+space.IDIn(req.ID)), func(tx store.Tx) error {
		a, err := p.enterSpace(ctx, tx, who, acl.Read, req.ID)
		if err != nil {
			return err
		}
		g := new(rdf.Graph)
		me := rdf.IRI(string(space.WebID(p.Base, a.space.ID)))
		g.Add(me, rdf.IRI(vocab.Type), rdf.IRI(vocab.FOAF+"Agent"))
		g.Add(me, rdf.IRI(vocab.Solid+"oidcIssuer"), rdf.IRI(p.Issuer))
		res, err = graphResource(req, g, a.space, a.space.Created, "card")
		if err == nil {
			res.Modes, res.Public = acl.Read, acl.Read
		}
		return err
	})
	if errors.Is(err, store.ErrNoPod) {
		return nil, resource.Refusal(who)
	}
	return res, err
}

// listSpace lists the grants of the space's party that still hold.
func (p *Pod) listSpace(tx store.Tx, a access, req ldp.Get) (*ldp.Resource, error) {
	if t := req.Choose(TypeTurtle, TypeJSONLD); t == "" {
		return nil, notAcceptable(TypeTurtle, TypeJSONLD)
	}
	var members []ldp.Member
	tags := []string{"list"}
	err := store.Each(tx, consent.GrantKey(a.space.ID, ""), func(g *consent.Grant) bool {
		if id := ldp.ID(g.Rule.On); p.Now().Before(g.Rule.Until) {
			members = append(members, ldp.Member{ID: id, Type: credential.MediaType, Modified: g.Given})
			tags = append(tags, g.ID)
		}
		return len(members) < 1000
	})
	if err != nil {
		return nil, err
	}
	if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidRead, Party: a.party.ID, Path: string(req.ID)}); err != nil {
		return nil, err
	}
	return &ldp.Resource{
		ID: req.ID, Tag: a.space.Tag(tags...), Modified: a.space.Created, Size: -1, Modes: acl.Read,
		Members: func(yield func(ldp.Member, error) bool) {
			for _, m := range members {
				if !yield(m, nil) {
					return
				}
			}
		},
		Description: p.spaceDescription(req.ID),
	}, nil
}

// readEvidence serves the granted fields of a piece of evidence and logs it.
func (p *Pod) readEvidence(ctx context.Context, tx store.Tx, a access, req ldp.Get) (*ldp.Resource, error) {
	e, err := a.grant.About(tx, p.Leak.FormFor(a.space))
	if err != nil {
		return nil, err
	}
	fields, err := covered(a)
	if err != nil {
		return nil, err
	}
	if err := p.readable(a.grant, e); err != nil {
		return nil, err
	}
	t, ok := p.Types.Type(a.grant.Type)
	if !ok {
		return nil, &denial{"removed", ldp.Gone, "This kind of evidence is no longer in use."}
	}
	form, err := p.giveForm(ctx, tx, e, p.Leak.FormFor(a.space))
	if err != nil {
		return nil, err
	}
	chosen, err := p.chooseForm(ctx, tx, e, form.Compact, req)
	if err != nil {
		return nil, err
	}
	released, _ := evidence.Release(t, e, fields)
	res := &ldp.Resource{
		ID: req.ID, Type: chosen, Tag: a.space.Tag(a.grant.ID, e.ID, req.Nonce), Modified: e.Issued,
		Modes: acl.Read, Description: p.spaceDescription(req.ID),
	}
	digest := ""
	if chosen == credential.MediaType {
		digest, err = p.present(tx, res, form, released, a.party.ID, req.Nonce)
	} else {
		err = writeGraph(res, p.viewGraph(ctx, t, e, released, p.url(req.ID)), chosen)
	}
	if err != nil {
		return nil, err
	}
	if err := p.Leak.Into(res, e); err != nil {
		return nil, err
	}
	a.grant.Reads, a.grant.Last = a.grant.Reads+1, p.Now().UTC().Truncate(time.Second)
	if err := store.Save(tx, consent.GrantKey(a.space.ID, a.grant.ID), a.grant); err != nil {
		return nil, err
	}
	return res, log.Enter(tx, p.Now(), log.Entry{
		Action: log.DidRead, Party: a.party.ID, Type: t.ID, Fields: evidence.Names(released),
		Purpose: a.rule.Purpose, Consent: a.rule.Because, Path: string(req.ID), Digest: digest,
	})
}

// chooseForm picks the media type of a read. Where no signed form is left, and the
// recipient takes nothing else, the issuer is asked for more.
func (p *Pod) chooseForm(ctx context.Context, tx store.Tx, e *evidence.Evidence, form string, req ldp.Get) (string, error) {
	if err := evidence.CheckNonce(req.Nonce); err != nil {
		return "", err
	}
	offers := []string{credential.MediaType, TypeTurtle, TypeJSONLD}
	if form == "" || req.Nonce != "" {
		offers = offers[1:]
		if form != "" {
			offers = []string{credential.MediaType}
		}
	}
	if chosen := req.Choose(offers...); chosen != "" && (form != "" || req.Nonce == "") {
		return chosen, nil
	}
	if form != "" || req.Choose(credential.MediaType) == "" {
		return "", notAcceptable(offers...)
	}
	if err := p.wantForms(ctx, tx, e, p.Now()); err != nil {
		return "", err
	}
	return "", &denial{"no form left", ldp.Unavailable, "All signed forms of the evidence have recipients. The issuer has been asked for more. Try again later, or read it as RDF."}
}

// present puts the form, with the released disclosures only, into res; with proof
// that it is presented to the recipient, if there is a nonce. It returns the digest
// of all that.
func (p *Pod) present(tx store.Tx, res *ldp.Resource, form evidence.Form, released []evidence.Fact, recipient, nonce string) (string, error) {
	compact, err := credential.Select(form.Compact, form.Disclosed, evidence.Names(released)...)
	if err != nil {
		return "", err
	}
	if nonce != "" {
		if compact, err = evidence.Bind(tx, compact, recipient, nonce, p.Now()); err != nil {
			return "", err
		}
	}
	body := []byte(compact)
	resource.SetBody(res, body)
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// viewGraph says the released facts in the space's own names. It is built up
// from nothing, never cut down from what the provider sent, so there is nothing
// in it that was not put there here.
func (p *Pod) viewGraph(ctx context.Context, t *registry.EvidenceType, e *evidence.Evidence, released []evidence.Fact, url string) *rdf.Graph {
	issuer := ""
	if party, err := p.Registry.Party(ctx, e.Issuer); err == nil {
		issuer = string(party.WebID)
	}
	return evidence.Graph(t, e, released, url, issuer)
}

// graphResource is a generated RDF document of a space.
func graphResource(req ldp.Get, g *rdf.Graph, s *space.Space, modified time.Time, tag string) (*ldp.Resource, error) {
	chosen := req.Choose(TypeTurtle, TypeJSONLD)
	if chosen == "" {
		return nil, notAcceptable(TypeTurtle, TypeJSONLD)
	}
	res := &ldp.Resource{ID: req.ID, Tag: s.Tag(tag), Modified: modified, Description: ldp.Description{Methods: []string{"GET", "HEAD", "OPTIONS"}}}
	return res, writeGraph(res, g, chosen)
}

func writeGraph(res *ldp.Resource, g *rdf.Graph, mediaType string) error {
	f, _ := rdf.FormatOf(mediaType)
	b, err := rdf.Write(g, f, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	res.Type = mediaType
	resource.SetBody(res, b)
	return nil
}

func notAcceptable(offers ...string) error {
	return ldp.Refuse(ldp.NotAcceptable, "None of the media types in Accept can be had here.", offers...)
}

// spaceDescription tells what a space's path supports, from its form alone.
func (p *Pod) spaceDescription(id ldp.ID) ldp.Description {
	d := ldp.Description{Methods: []string{"GET", "HEAD", "OPTIONS"}}
	if id == ldp.ID("/w/"+space.IDIn(id)+"/deposit/") {
		d.Methods = []string{"OPTIONS", "POST"}
		d.AcceptPost = []string{credential.MediaType, deposit.TypeRows, TypeTurtle, TypeJSONLD}
	}
	if id == ldp.ID("/w/"+space.IDIn(id)+"/keys/") {
		d.Methods = []string{"OPTIONS", "POST"}
		d.AcceptPost = []string{typeJSON}
	}
	if id == ldp.ID("/w/"+space.IDIn(id)+"/inbox/") {
		d.Methods = []string{"OPTIONS", "POST"}
		d.AcceptPost = []string{vouch.MediaType}
	}
	return d
}
