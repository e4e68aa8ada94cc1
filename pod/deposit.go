// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/status"
	"skrin/pod/store"
	"skrin/pod/text"
	"skrin/pod/vocab"
	"skrin/pod/vouch"
)

// Limits of a deposit.
const (
	maxDeposit = 512 << 10 // bytes
	maxForms   = 32        // signed forms of one evidence; later there may come more
)

// A Receipt is what a provider keeps of a delivery that it can't read back: the payload
// of the JWS that answers a deposit.
type Receipt struct {
	Issuer   string       `json:"iss"`
	Audience string       `json:"aud"`      // the provider
	Location string       `json:"location"` // as in the Location header
	Type     string       `json:"evidence_type,omitempty"`
	Digests  []string     `json:"digests,omitempty"` // hexadecimal SHA-256 of each signed form, or of the detached signature
	Received string       `json:"received"`
	Rows     []ReceiptRow `json:"rows,omitempty"` // of a batch, instead of Type and Digests
}

// A ReceiptRow is what a receipt says of one row of a batch.
type ReceiptRow struct {
	Type      string   `json:"evidence_type"`
	Digests   []string `json:"digests"`
	Reference string   `json:"reference,omitempty"`
}

// A delivery is a deposit that was read and found to be in order.
type delivery struct {
	id              string   // that the evidence is given
	reference       string   // of a row, the provider's own
	allMarks        []string // by which any form could be matched with another
	typ             *registry.EvidenceType
	issued, expires time.Time
	facts           []evidence.Fact
	forms           []string
	place           *status.Place // of the first form in a status list; nil if it has none
	places          status.Places // of all forms
	holder          string        // thumbprint of the first form's holder key; "" if it has none
	holders         []string      // of all forms
	marks           []string      // by which the first form could be matched with another
	detached        []string      // the signature of the graph, where it has no signed forms
	graph           *rdf.Graph    // as sent, without signed forms and signature; nil if only signed forms were sent
}

// spacePost takes a provider's deposit: a signed form or several of one
// evidence, alone (application/dc+sd-jwt, one a line) or within their RDF form; or
// the RDF form with a signature of its own (see detached.go).
func (p *Pod) spacePost(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if req.ID == ldp.ID("/w/"+space.IDIn(req.ID)+"/inbox/") {
		return p.takeMail(ctx, who, req)
	}
	if req.ID == ldp.ID("/w/"+space.IDIn(req.ID)+"/keys/") {
		return p.giveKeys(ctx, who, req)
	}
	party, types, err := p.mayDeposit(ctx, who, req.ID)
	if err == nil {
		err = req.Fault // of the form of the request, told to whoever may
	}
	if err != nil {
		return ldp.Written{}, err
	}
	limit := int64(maxDeposit)
	media, _, _ := mime.ParseMediaType(req.Type)
	if media == TypeRows {
		limit = maxBatch
	}
	body, err := resource.ReadAll(req.Body, limit)
	if err != nil {
		return ldp.Written{}, err
	}
	// Before it is read: what was in order then need not be now.
	before, err := p.answered(ctx, who, req, body)
	if err != nil {
		return ldp.Written{}, err
	}
	if before.good(p.Now()) {
		return p.accepted(before.ID, before.Receipt), nil
	}
	var rows []*delivery
	if media == TypeRows {
		rows, err = p.readRows(ctx, party, types, body)
	} else {
		rows, err = p.readDelivery(ctx, party, types, req.Type, body, p.url(req.ID))
	}
	if err != nil {
		return ldp.Written{}, err
	}
	done, err := p.acknowledge(ctx, party, rows, req.ID)
	if err != nil {
		return ldp.Written{}, err
	}
	err = p.inSpace(ctx, who, acl.Append, req.ID, func(tx store.Tx, a access) error {
		before, err := p.repeated(tx, a.space, req.Key, body)
		if err != nil {
			return err
		}
		if before.good(p.Now()) {
			done = p.accepted(before.ID, before.Receipt)
			return nil
		}
		for i, d := range rows {
			if !slices.Contains(a.space.Types, d.typ.ID) {
				return resource.Refusal(who)
			}
			if err := p.keep(ctx, tx, a, d); err != nil {
				if media != TypeRows {
					i = -1
				}
				return ofRow(i, placeTaken(err))
			}
			if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidDeliver, Party: a.party.ID, Type: d.typ.ID, Fields: evidence.Names(d.facts), Path: string(req.ID)}); err != nil {
				return err
			}
		}
		return p.remember(tx, a.space, req.Key, body, done, before)
	})
	p.wake(err)
	return done, placeTaken(err)
}

// answered returns what answered the same deposit before, to whoever may deposit;
// nil if it is new.
func (p *Pod) answered(ctx context.Context, who acl.Agent, req ldp.Post, body []byte) (before *earlier, err error) {
	if req.Key == "" {
		return nil, nil
	}
	err = p.viewDeposits(ctx, who, req.ID, func(tx store.Tx, a access) error {
		var err error
		before, err = p.repeated(tx, a.space, req.Key, body)
		return err
	})
	return before, err
}

// acknowledge draws the names of what was delivered, and makes the answer to it.
func (p *Pod) acknowledge(ctx context.Context, party registry.Party, rows []*delivery, at ldp.ID) (ldp.Written, error) {
	for _, d := range rows {
		var err error
		if d.id, err = store.NewID(p.Rand); err != nil {
			return ldp.Written{}, err
		}
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return ldp.Written{}, err
	}
	location := at + ldp.ID(id)
	receipt, err := p.receipt(ctx, party, rows, p.url(location))
	return p.accepted(location, []byte(receipt)), err
}

func (p *Pod) accepted(at ldp.ID, receipt []byte) ldp.Written {
	return ldp.Written{ID: at, Created: true, Receipt: receipt, ReceiptType: vouch.MediaType, Description: p.spaceDescription(at)}
}

// mayDeposit refuses early, before a byte of the body is read.
func (p *Pod) mayDeposit(ctx context.Context, who acl.Agent, id ldp.ID) (party registry.Party, types []string, err error) {
	err = p.viewDeposits(ctx, who, id, func(_ store.Tx, a access) error {
		party, types = a.party, a.space.Types
		return nil
	})
	return party, types, err
}

// viewDeposits is inSpace for whoever may deposit, as part of a View.
func (p *Pod) viewDeposits(ctx context.Context, who acl.Agent, id ldp.ID, do func(store.Tx, access) error) error {
	if !who.Known() {
		return resource.Refusal(who)
	}
	err := p.Store.View(ctx, store.Name("w/"+space.IDIn(id)), func(tx store.Tx) error {
		a, err := p.enterSpace(ctx, tx, who, acl.Append, id)
		if err != nil {
			return err
		}
		return do(tx, a)
	})
	if errors.Is(err, store.ErrNoPod) {
		return resource.Refusal(who)
	}
	if k := ldp.KindOf(err); err != nil && k == ldp.Forbidden {
		// Once more, in a transaction that logs the refusal.
		return p.inSpace(ctx, who, acl.Append, id, func(store.Tx, access) error { return err })
	}
	return err
}

// readDeposit reads a document, in its turn.
func (p *Pod) readDeposit(ctx context.Context, f rdf.Format, body []byte, base string) (*rdf.Graph, error) {
	leave, err := p.Turns.Enter(ctx, f, len(body))
	if err != nil {
		return nil, err
	}
	defer leave()
	g, err := rdf.Read(ctx, body, f, base, rdf.Limits{Bytes: maxDeposit, Triples: 10_000, LoadContext: vocab.Core(p.Base).LoadContext})
	if err != nil {
		return nil, ldp.Refuse(ldp.Invalid, "The document is not well formed: "+err.Error())
	}
	return g, nil
}

// readDelivery reads a deposit and checks all of it: form, party, type,
// signatures, schema, times.
func (p *Pod) readDelivery(ctx context.Context, party registry.Party, types []string, contentType string, body []byte, base string) ([]*delivery, error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, ldp.Refuse(ldp.Invalid, "Content-Type is missing or not well formed.")
	}
	var graph *rdf.Graph
	var forms, detached []string
	if mediaType == credential.MediaType {
		forms = strings.Fields(string(body))
	} else {
		f, ok := rdf.FormatOf(mediaType)
		if !ok || (f != rdf.Turtle && f != rdf.JSONLD) {
			return nil, ldp.Refuse(ldp.Unsupported, "Evidence is taken as application/dc+sd-jwt, text/turtle or application/ld+json.")
		}
		if graph, err = p.readDeposit(ctx, f, body, base); err != nil {
			return nil, err
		}
		forms, detached = p.takeSigned(graph, "signedForm"), p.takeSigned(graph, "detachedSignature")
	}
	if len(forms) == 0 && len(detached) == 0 {
		return nil, ldp.Refuse(ldp.Unprocessable, "The evidence is not signed.", "Send an SD-JWT VC (application/dc+sd-jwt), or name its compact form in the RDF with "+vocab.Core(p.Base).Term("signedForm")+
			", or the RDF's own signature with "+vocab.Core(p.Base).Term("detachedSignature")+".")
	}
	if len(forms) > maxForms {
		return nil, ldp.Refuse(ldp.Unprocessable, fmt.Sprintf("There are more than %d signed forms.", maxForms))
	}
	var d *delivery
	var faults []string
	switch {
	case len(detached) == 0:
		d, faults = p.checkForms(ctx, party, types, forms)
	case len(forms) == 0:
		d, faults = p.readDetached(ctx, party, types, graph, base, detached)
	default:
		faults = []string{"there are both signed forms and a detached signature: send one or the other."}
	}
	if faults == nil && graph != nil {
		faults = d.agrees(graph)
		d.graph = graph
	}
	if faults != nil {
		return nil, ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", faults...)
	}
	return []*delivery{d}, nil
}

// takeSigned takes what is signed out of a graph: the values of a term of ours.
func (p *Pod) takeSigned(g *rdf.Graph, term string) []string {
	var values []string
	var taken []rdf.Triple
	for t := range g.Match(rdf.Term{}, rdf.IRI(vocab.Core(p.Base).Term(term)), rdf.Term{}) {
		if !t.O.IsIRI() {
			values = append(values, t.O.Value)
			taken = append(taken, t)
		}
	}
	for _, t := range taken {
		g.Remove(t.S, t.P, t.O)
	}
	return values
}

// checkForms verifies every form and that all say the same.
func (p *Pod) checkForms(ctx context.Context, party registry.Party, types []string, forms []string) (*delivery, []string) {
	var d *delivery
	var faults []string
	var places []*status.Place
	var holders []string
	marks := map[string]bool{}
	for i, form := range forms {
		one, err := p.checkForm(ctx, party, types, form)
		switch {
		case err != nil:
			faults = append(faults, fmt.Sprintf("signed form %d: %s", i+1, err))
		case p.Leak != LeakStatus && p.Leak != LeakHolder && slices.ContainsFunc(one.marks, func(m string) bool { return marks[m] }):
			faults = append(faults, fmt.Sprintf("signed form %d shares a digest, salt, status index or holder key with another: each needs its own.", i+1))
		case p.Leak != LeakStatus && slices.ContainsFunc(places, func(at *status.Place) bool { return status.Neighbours(at, one.place) }):
			faults = append(faults, fmt.Sprintf("signed form %d is the neighbour of another in the status list: give them random places.", i+1))
		case d == nil:
			d = one
		case !d.same(one):
			faults = append(faults, fmt.Sprintf("signed form %d says something else than the first.", i+1))
		}
		if err == nil {
			if p.Leak == LeakHolder && slices.Contains(holders, one.holder) {
				one.holder = "" // it is bound already
			}
			places, holders = append(places, one.place), append(holders, one.holder)
			for _, m := range one.marks {
				marks[m] = true
			}
		}
	}
	if faults == nil && p.Leak != LeakStatus && p.Leak != LeakList && p.Statuses.Tells(party.ID, places) {
		faults = append(faults, "status: all forms are in one of your lists, which tells their recipients that they may know one person. Spread them over your lists at random.")
	}
	if faults != nil {
		return nil, faults
	}
	d.forms, d.holders = forms, holders
	d.allMarks = slices.Collect(maps.Keys(marks))
	for _, at := range places {
		if at != nil && !slices.Contains(d.places[at.List], at.Index) {
			if d.places == nil {
				d.places = status.Places{}
			}
			d.places[at.List] = append(d.places[at.List], at.Index)
		}
	}
	return d, faults
}

func (d *delivery) same(e *delivery) bool {
	return d.typ == e.typ && d.issued.Equal(e.issued) && d.expires.Equal(e.expires) && slices.Equal(d.facts, e.facts)
}

// checkForm verifies one SD-JWT VC. Its error is for the provider and names no
// value.
func (p *Pod) checkForm(ctx context.Context, party registry.Party, types []string, form string) (*delivery, error) {
	c, err := credential.Parse(form)
	if err != nil {
		return nil, err
	}
	t, ok := p.Types.Find(func(t *registry.EvidenceType) bool { return t.VCT == c.Type() })
	if !ok || !slices.Contains(party.MayIssue, t.ID) || !slices.Contains(types, t.ID) {
		return nil, errors.New("vct: you may not deliver evidence of this type to this person")
	}
	v, err := c.Verify(party.Key, p.Now(), credential.Want{Type: t.VCT, Issuer: party.Issuer})
	if err != nil {
		return nil, err
	}
	d := &delivery{typ: t, issued: v.Issued, expires: v.Expires, marks: c.Marks()}
	switch {
	case v.Issued.IsZero() || v.Expires.IsZero():
		return nil, errors.New("iat and exp are both needed")
	case !v.Issued.Equal(space.Day(v.Issued)) || !v.Expires.Equal(space.Day(v.Expires)):
		return nil, errors.New("iat and exp must be at midnight UTC: exact times would link people")
	}
	for _, f := range t.Fields {
		value, ok := v.Claims[f.Name]
		if !ok {
			continue
		}
		lexical, err := lexicalForm(value, f.Datatype)
		if err != nil {
			return nil, fmt.Errorf("claim %s: %w", f.Name, err)
		}
		d.facts = append(d.facts, evidence.Fact{Field: f.Name, Value: lexical})
	}
	for name := range v.Claims {
		if _, ok := t.Field(name); !ok {
			return nil, fmt.Errorf("claim %q does not belong to the type", clip(name))
		}
	}
	if len(d.facts) == 0 {
		return nil, errors.New("it has none of the type's claims")
	}
	if d.holder, err = evidence.HolderOf(c); err != nil {
		return nil, err
	}
	d.place, err = p.Statuses.Check(ctx, party, v.Status, p.round())
	return d, err
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

// lexicalForm returns a JSON value as its datatype's canonical lexical form.
func lexicalForm(value any, datatype string) (string, error) {
	switch v := value.(type) {
	case bool:
		if datatype == vocab.XSD+"boolean" {
			return strconv.FormatBool(v), nil
		}
	case json.Number:
		if n, err := v.Int64(); datatype == vocab.XSD+"integer" && err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	case string:
		if text.HasNumber(v) {
			return "", errors.New("it holds what looks like a personal number, which has no place in evidence")
		}
		switch datatype {
		case vocab.XSD + "date":
			if _, err := time.Parse(time.DateOnly, v); err == nil {
				return v, nil
			}
		case vocab.XSD + "string", vocab.XSD + "anyURI":
			if len(v) <= 4096 {
				return v, nil
			}
		}
	}
	return "", errors.New("the value is not of the datatype " + strings.TrimPrefix(datatype, vocab.XSD))
}

// agrees compares the RDF form with the signed facts.
func (d *delivery) agrees(g *rdf.Graph) (faults []string) {
	its := g.Subjects(rdf.IRI(vocab.Type), rdf.IRI(vocab.CCCEV+"Evidence"))
	if len(its) != 1 {
		return []string{"the RDF must describe exactly one cccev:Evidence."}
	}
	it := its[0]
	if !g.Has(it, rdf.IRI(vocab.DCT+"conformsTo"), rdf.IRI(d.typ.IRI)) {
		faults = append(faults, "dct:conformsTo is not the type of the signed form.")
	}
	said := map[string]string{}
	for _, v := range g.Objects(it, rdf.IRI(vocab.CCCEV+"supportsValue")) {
		concept, _ := g.Object(v, rdf.IRI(vocab.CCCEV+"providesValueFor"))
		value, _ := g.Object(v, rdf.IRI(vocab.CCCEV+"value"))
		said[concept.Value] = value.Value
	}
	for _, fact := range d.facts {
		f, _ := d.typ.Field(fact.Field)
		if v, ok := said[f.Concept]; ok && v != fact.Value {
			faults = append(faults, "the value for "+f.Concept+" is not the one that is signed.")
		}
		delete(said, f.Concept)
	}
	for concept := range said {
		faults = append(faults, "the value for "+clip(concept)+" is not signed.")
	}
	for t := range g.Match(rdf.Term{}, rdf.Term{}, rdf.Term{}) {
		if text.HasNumber(t.O.Value) || text.HasNumber(t.S.Value) {
			return append(faults, "the RDF holds what looks like a personal number, which has no place in evidence.")
		}
	}
	return faults
}

// keep stores a delivery: the evidence, its forms, and its RDF in the person's
// own pod; the evidence before it is superseded. More forms of what is current are
// added to it.
func (p *Pod) keep(ctx context.Context, tx store.Tx, a access, d *delivery) error {
	if err := evidence.BindKeys(tx, a.space.ID, d.holders); err != nil {
		return err
	}
	if same, err := p.more(tx, a.party.ID, d); same || err != nil {
		return err
	}
	e := &evidence.Evidence{
		ID: d.id, Type: d.typ.ID, Issuer: a.party.ID, Issued: d.issued, Expires: d.expires,
		Received: p.Now().UTC().Truncate(time.Second), Facts: d.facts, Detached: strings.Join(d.detached, ""),
	}
	own, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	e.Path = ldp.ID("/" + own.Name + "/" + resource.EvidenceFolder + d.id)
	if err := evidence.Supersede(tx, e, p.Statuses, p.Now()); err != nil {
		return err
	}
	if err := e.AddForms(tx, d.forms, p.Statuses, d.places); err != nil {
		return err
	}
	g := d.graph
	if g == nil {
		g = p.viewGraph(ctx, d.typ, e, e.Facts, p.url(e.Path))
	} else {
		g = rebase(g, p.url(a.space.Deposit()), p.url(e.Path))
	}
	turtle, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	if err := p.tree().Plant(tx, e.Path, TypeTurtle, turtle); err != nil {
		return err
	}
	return evidence.Keep(tx, e)
}

// more adds the forms of a delivery to the current evidence, if they say the same;
// false if they don't. A form that was delivered before is refused: two recipients would get it.
func (p *Pod) more(tx store.Tx, issuer string, d *delivery) (bool, error) {
	e, err := evidence.CurrentOf(tx, d.typ.ID, issuer)
	if err != nil || e == nil || e.Ended != evidence.Current || !e.Issued.Equal(d.issued) || !e.Expires.Equal(d.expires) || !slices.Equal(e.Facts, d.facts) {
		return false, err
	}
	if e.Forms+len(d.forms) > evidence.MaxForms {
		return false, ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", fmt.Sprintf("there would be more than %d signed forms of it.", evidence.MaxForms))
	}
	if i, err := e.Had(tx, d.forms); err != nil || i >= 0 {
		if err == nil {
			err = ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", fmt.Sprintf("signed form %d was delivered before, or shares a digest, salt, status index or holder key with one that was.", i+1))
		}
		return false, err
	}
	e.Wanted = time.Time{}
	if err := e.AddForms(tx, d.forms, p.Statuses, d.places); err != nil {
		return false, err
	}
	return true, store.Save(tx, evidence.Key(e.ID), e)
}

// rebase moves a document's own names from where it was sent to where it is
// kept.
func rebase(g *rdf.Graph, from, to string) *rdf.Graph {
	return g.Rename(func(iri string) string {
		if rest, ok := strings.CutPrefix(iri, from); ok && (rest == "" || rest[0] == '#') {
			return to + rest
		}
		return iri
	})
}

func (p *Pod) receipt(ctx context.Context, party registry.Party, rows []*delivery, location string) (string, error) {
	r := Receipt{Issuer: p.Issuer, Audience: party.ID, Location: location, Received: space.Day(p.Now()).Format(time.DateOnly)}
	for _, d := range rows {
		r.Rows = append(r.Rows, ReceiptRow{Type: d.typ.ID, Digests: digestsOf(slices.Concat(d.forms, d.detached)), Reference: d.reference})
	}
	if len(rows) == 1 && rows[0].reference == "" {
		r.Type, r.Digests, r.Rows = r.Rows[0].Type, r.Rows[0].Digests, nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return p.Sign.Sign(ctx, "delivery-receipt+jwt", b)
}

func digestsOf(forms []string) []string {
	var all []string
	for _, form := range forms {
		sum := sha256.Sum256([]byte(form))
		all = append(all, hex.EncodeToString(sum[:]))
	}
	return all
}

// answerKept is for how long the answer to a deposit that carried an idempotency key
// is remembered: as long as a provider may still repeat it, because it hasn't got the
// answer. Its queue may wait for a weekend and a holiday; after that the key is as
// good as new, and what was delivered before is refused as such.
const answerKept = 7 * 24 * time.Hour

// An earlier is what is remembered of a deposit that carried an idempotency
// key.
type earlier struct {
	Body    []byte // SHA-256
	ID      ldp.ID
	Receipt []byte
	Until   time.Time // whole seconds
}

// good reports whether it is still to be answered so; e may be nil.
func (e *earlier) good(now time.Time) bool { return e != nil && now.Before(e.Until) }

// lapseKey finds what is remembered under a key by when it ends.
func (e *earlier) lapseKey(key string) string { return fmt.Sprintf("J%016x", e.Until.Unix()) + key[1:] }

func earlierKey(s *space.Space, key string) string {
	sum := sha256.Sum256([]byte(key))
	return "i" + s.ID + "\x00" + hex.EncodeToString(sum[:])
}

// repeated returns what answered an earlier deposit with the same idempotency
// key, nil if there was none. It need not be good any more.
func (p *Pod) repeated(tx store.Tx, s *space.Space, key string, body []byte) (*earlier, error) {
	if key == "" {
		return nil, nil
	}
	e, err := store.Load[earlier](tx, earlierKey(s, key))
	if err != nil || e == nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); e.good(p.Now()) && !bytes.Equal(e.Body, sum[:]) {
		return nil, ldp.Refuse(ldp.Unprocessable, "This Idempotency-Key was used for another body.")
	}
	return e, nil
}

// remember notes what answers a deposit, in the place of what has lapsed.
func (p *Pod) remember(tx store.Tx, s *space.Space, key string, body []byte, done ldp.Written, lapsed *earlier) error {
	if key == "" {
		return nil
	}
	at, sum := earlierKey(s, key), sha256.Sum256(body)
	if lapsed != nil {
		tx.Delete(lapsed.lapseKey(at))
	}
	return keepEarlier(tx, at, &earlier{sum[:], done.ID, done.Receipt, p.Now().UTC().Truncate(time.Second).Add(answerKept)})
}

// keepEarlier stores what is remembered, so that it is found when it has lapsed.
func keepEarlier(tx store.Tx, key string, e *earlier) error {
	tx.Put(e.lapseKey(key), []byte{store.Layout})
	if err := store.Save(tx, key, e); err != nil {
		return err
	}
	return forgetBy(tx, e.Until)
}
