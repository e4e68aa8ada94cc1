// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"fmt"
	"strings"

	"skrin/ldp/rdf"
	"skrin/pod/store"
)

const (
	provNS = "http://www.w3.org/ns/prov#"
	aclNS  = "http://www.w3.org/ns/auth/acl#"
)

// A logGraph is entries of a log as RDF: activities of PROV, with concepts and
// never values. Nodes are named as the pages of the person are.
type logGraph struct {
	*Pod
	g rdf.Graph
}

// TS10's words for what an entry tells; there are none for the others.
var transactions = map[Action]string{
	DidRead: "Presentation", DidRefuse: "Presentation", DidDeliver: "Issuance", DidWithdraw: "DataDeletionRequest",
}

// add adds an entry, which is stored as line.
func (l *logGraph) add(ctx context.Context, tx store.Tx, e *Entry, line []byte) error {
	it := rdf.IRI(fmt.Sprintf("%s/me/log#%d", l.Base, e.Seq))
	say := func(property string, objects ...rdf.Term) {
		for _, o := range objects {
			if o.Value != "" {
				l.g.Add(it, rdf.IRI(property), o)
			}
		}
	}
	result := "Completed"
	if e.Action == DidRefuse {
		result = "NotCompleted"
	}
	say(rdfType, rdf.IRI(l.term("LogEntry")), rdf.IRI(provNS+"Activity"))
	say(dct+"identifier", rdf.String(e.Hash))
	say(provNS+"startedAtTime", rdf.DateTime(e.Time))
	say(l.term("action"), rdf.String(string(e.Action)))
	if kind := transactions[e.Action]; kind != "" {
		say(l.term("transactionType"), rdf.String(kind))
		say(l.term("transactionResult"), rdf.String(result))
	}
	say(l.term("reason"), rdf.String(e.Why))
	say(l.term("logIndex"), rdf.Integer(int64(e.Seq-1))) // a leaf's, from 0
	say(l.term("leafHash"), rdf.String(leafHash(line)))
	say(l.term("treeHead"), rdf.IRI(l.Base+"/me/log#checkpoint"))
	say(l.term("responseDigest"), rdf.String(e.Digest))
	say(dpv+"hasPurpose", rdf.IRI(e.Purpose))
	who, err := l.who(ctx, e)
	if err != nil {
		return err
	}
	say(provNS+"wasAssociatedWith", rdf.IRI(who), rdf.IRI(string(e.By)))
	if strings.HasPrefix(e.Path, "/") {
		say(provNS+"used", rdf.IRI(l.Base+e.Path))
	}
	if e.Action == DidRead || e.Action == DidVisit {
		say(l.term("accessMode"), rdf.IRI(aclNS+"Read"))
	}
	return l.concepts(ctx, tx, e, say)
}

// who is the IRI of who did it, or whom it concerns; "" if it was the person.
func (l *logGraph) who(ctx context.Context, e *Entry) (string, error) {
	if e.Party == "" {
		return string(e.Agent), nil
	}
	party, err := l.partyOrName(ctx, e.Party)
	return string(party.WebID), err
}

// concepts adds what was asked for and what was released, and by which grant.
func (l *logGraph) concepts(ctx context.Context, tx store.Tx, e *Entry, say func(string, ...rdf.Term)) error {
	t, ok := l.Types.Type(e.Type)
	if !ok {
		return nil // of no evidence, or of a type that has left the catalogue
	}
	of := func(fields []string) (all []rdf.Term) {
		for _, name := range fields {
			if f, ok := t.Field(name); ok {
				all = append(all, rdf.IRI(f.Concept))
			}
		}
		return all
	}
	if e.Action == DidRead {
		say(l.term("conceptsReleased"), of(e.Fields)...)
	} else {
		say(l.term("concepts"), of(e.Fields)...)
	}
	if e.Consent == "" {
		return nil
	}
	c, err := store.Load[Consent](tx, consentKey(e.Consent))
	if err != nil || c == nil {
		return err
	}
	say(l.term("conceptsRequested"), of(c.Request.Fields)...)
	say(l.term("conceptsRequested"), of(c.Request.Optional)...)
	say(l.term("grant"), l.grantOf(c))
	return l.erasure(ctx, e, c)
}

func (l *logGraph) grantOf(c *Consent) rdf.Term {
	return rdf.IRI(l.Base + "/me/sharing#" + c.ID + "-grant-" + c.Grant)
}

// erasure adds, to a withdrawal, that the recipient was asked to erase (GDPR,
// article 17); and to its receipt what that says. The wire has the same words as
// JSON: the notification ConsentWithdrawn, and the [ErasureReceipt].
func (l *logGraph) erasure(ctx context.Context, e *Entry, c *Consent) error {
	party, err := l.partyOrName(ctx, c.Request.Party)
	if err != nil {
		return err
	}
	request, done := rdf.IRI(l.Base+"/me/sharing#"+c.ID+"-erase"), rdf.IRI(l.Base+"/me/sharing#"+c.ID+"-erased")
	add := func(it rdf.Term, property string, o rdf.Term) {
		if o.Value != "" {
			l.g.Add(it, rdf.IRI(property), o)
		}
	}
	if e.Action == DidWithdraw {
		status := "RequestInitiated"
		if !c.Erased.IsZero() {
			status = "RequestFulfilled"
		}
		add(request, rdfType, rdf.IRI(dpv+"RightExerciseActivity"))
		add(request, rdfType, rdf.IRI(l.term("ErasureRequest")))
		add(request, dpv+"hasRight", rdf.IRI(dpvGDPR+"A17"))
		add(request, dct+"created", rdf.DateTime(c.Withdrawn))
		add(request, l.term("grant"), l.grantOf(c))
		add(request, dpv+"hasRecipient", rdf.IRI(string(party.WebID)))
		add(request, l.term("dueBy"), rdf.Date(c.EraseBy))
		add(request, dpv+"hasStatus", rdf.IRI(dpv+status))
	}
	if e.Action != DidErase || c.Receipt == "" {
		return nil
	}
	receipt, err := ReadErasure(c.Receipt)
	if err != nil {
		return err
	}
	add(done, rdfType, rdf.IRI(dpv+"RightExerciseRecord"))
	add(done, rdfType, rdf.IRI(l.term("ErasureReceipt")))
	add(done, dct+"creator", rdf.IRI(string(party.WebID)))
	add(done, dct+"created", rdf.DateTime(c.Erased))
	add(done, dct+"references", request)
	add(done, l.term("method"), rdf.String(receipt.Method))
	add(done, l.term("retainedUnder"), rdf.String(receipt.Under))
	for _, concept := range receipt.Retained {
		add(done, l.term("retainedConcepts"), rdf.String(concept))
	}
	add(done, l.term("signature"), rdf.String(c.Receipt))
	return nil
}

func (l *logGraph) turtle() ([]byte, error) {
	return rdf.Write(&l.g, rdf.Turtle, rdf.WriteOptions{})
}

// treeHead is the signed checkpoint as RDF.
func (p *Pod) treeHead(signed string) (string, error) {
	l := logGraph{Pod: p}
	it := rdf.IRI(p.Base + "/me/log#checkpoint")
	l.g.Add(it, rdf.IRI(rdfType), rdf.IRI(l.term("TreeHead")))
	l.g.Add(it, rdf.IRI(l.term("note")), rdf.String(signed))
	b, err := l.turtle()
	return string(b), err
}
