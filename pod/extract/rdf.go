// SPDX-License-Identifier: EUPL-1.2

package extract

import (
	"context"
	"fmt"
	"strings"

	"skrin/ldp/rdf"
	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/store"
	"skrin/pod/vocab"
)

// A graph is entries of a log as RDF: activities of PROV, with concepts and
// never values. Nodes are named as the pages of the person are.
type graph struct {
	*consent.Book
	g rdf.Graph
}

// TS10's words for what an entry tells; there are none for the others.
var transactions = map[log.Action]string{
	log.DidRead: "Presentation", log.DidRefuse: "Presentation", log.DidDeliver: "Issuance", log.DidWithdraw: "DataDeletionRequest",
}

// add adds an entry, which is stored as line.
func (l *graph) add(ctx context.Context, tx store.Tx, e *log.Entry, line []byte) error {
	it := rdf.IRI(fmt.Sprintf("%s/me/log#%d", l.Base, e.Seq))
	say := func(property string, objects ...rdf.Term) {
		for _, o := range objects {
			if o.Value != "" {
				l.g.Add(it, rdf.IRI(property), o)
			}
		}
	}
	result := "Completed"
	if e.Action == log.DidRefuse {
		result = "NotCompleted"
	}
	say(vocab.Type, rdf.IRI(vocab.Core(l.Base).Term("LogEntry")), rdf.IRI(vocab.PROV+"Activity"))
	say(vocab.DCT+"identifier", rdf.String(e.Hash))
	say(vocab.PROV+"startedAtTime", rdf.DateTime(e.Time))
	say(vocab.Core(l.Base).Term("action"), rdf.String(string(e.Action)))
	if kind := transactions[e.Action]; kind != "" {
		say(vocab.Core(l.Base).Term("transactionType"), rdf.String(kind))
		say(vocab.Core(l.Base).Term("transactionResult"), rdf.String(result))
	}
	say(vocab.Core(l.Base).Term("reason"), rdf.String(e.Why))
	say(vocab.Core(l.Base).Term("logIndex"), rdf.Integer(int64(e.Seq-1))) // a leaf's, from 0
	say(vocab.Core(l.Base).Term("leafHash"), rdf.String(log.LeafHash(line)))
	say(vocab.Core(l.Base).Term("treeHead"), rdf.IRI(l.Base+"/me/log#checkpoint"))
	say(vocab.Core(l.Base).Term("responseDigest"), rdf.String(e.Digest))
	say(vocab.DPV+"hasPurpose", rdf.IRI(e.Purpose))
	who, err := l.who(ctx, e)
	if err != nil {
		return err
	}
	say(vocab.PROV+"wasAssociatedWith", rdf.IRI(who), rdf.IRI(string(e.By)))
	if strings.HasPrefix(e.Path, "/") {
		say(vocab.PROV+"used", rdf.IRI(l.Base+e.Path))
	}
	if e.Action == log.DidRead || e.Action == log.DidVisit {
		say(vocab.Core(l.Base).Term("accessMode"), rdf.IRI(vocab.ACL+"Read"))
	}
	return l.concepts(ctx, tx, e, say)
}

// who is the IRI of who did it, or whom it concerns; "" if it was the person.
func (l *graph) who(ctx context.Context, e *log.Entry) (string, error) {
	if e.Party == "" {
		return string(e.Agent), nil
	}
	party, err := registry.PartyOrName(ctx, l.Registry, e.Party)
	return string(party.WebID), err
}

// concepts adds what was asked for and what was released, and by which grant.
func (l *graph) concepts(ctx context.Context, tx store.Tx, e *log.Entry, say func(string, ...rdf.Term)) error {
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
	if e.Action == log.DidRead {
		say(vocab.Core(l.Base).Term("conceptsReleased"), of(e.Fields)...)
	} else {
		say(vocab.Core(l.Base).Term("concepts"), of(e.Fields)...)
	}
	if e.Consent == "" {
		return nil
	}
	c, err := store.Load[consent.Consent](tx, consent.Key(e.Consent))
	if err != nil || c == nil {
		return err
	}
	say(vocab.Core(l.Base).Term("conceptsRequested"), of(c.Request.Fields)...)
	say(vocab.Core(l.Base).Term("conceptsRequested"), of(c.Request.Optional)...)
	say(vocab.Core(l.Base).Term("grant"), l.grantOf(c))
	return l.erasure(ctx, e, c)
}

func (l *graph) grantOf(c *consent.Consent) rdf.Term {
	return rdf.IRI(l.Base + "/me/sharing#" + c.ID + "-grant-" + c.Grant)
}

// erasure adds, to a withdrawal, that the recipient was asked to erase (GDPR,
// article 17); and to its receipt what that says. The wire has the same words as
// JSON: the notification ConsentWithdrawn, and the [ErasureReceipt].
func (l *graph) erasure(ctx context.Context, e *log.Entry, c *consent.Consent) error {
	party, err := registry.PartyOrName(ctx, l.Registry, c.Request.Party)
	if err != nil {
		return err
	}
	request, done := rdf.IRI(l.Base+"/me/sharing#"+c.ID+"-erase"), rdf.IRI(l.Base+"/me/sharing#"+c.ID+"-erased")
	add := func(it rdf.Term, property string, o rdf.Term) {
		if o.Value != "" {
			l.g.Add(it, rdf.IRI(property), o)
		}
	}
	if e.Action == log.DidWithdraw {
		status := "RequestInitiated"
		if !c.Erased.IsZero() {
			status = "RequestFulfilled"
		}
		add(request, vocab.Type, rdf.IRI(vocab.DPV+"RightExerciseActivity"))
		add(request, vocab.Type, rdf.IRI(vocab.Core(l.Base).Term("ErasureRequest")))
		add(request, vocab.DPV+"hasRight", rdf.IRI(vocab.DPVGDPR+"A17"))
		add(request, vocab.DCT+"created", rdf.DateTime(c.Withdrawn))
		add(request, vocab.Core(l.Base).Term("grant"), l.grantOf(c))
		add(request, vocab.DPV+"hasRecipient", rdf.IRI(string(party.WebID)))
		add(request, vocab.Core(l.Base).Term("dueBy"), rdf.Date(c.EraseBy))
		add(request, vocab.DPV+"hasStatus", rdf.IRI(vocab.DPV+status))
	}
	if e.Action != log.DidErase || c.Receipt == "" {
		return nil
	}
	receipt, err := consent.ReadErasure(c.Receipt)
	if err != nil {
		return err
	}
	add(done, vocab.Type, rdf.IRI(vocab.DPV+"RightExerciseRecord"))
	add(done, vocab.Type, rdf.IRI(vocab.Core(l.Base).Term("ErasureReceipt")))
	add(done, vocab.DCT+"creator", rdf.IRI(string(party.WebID)))
	add(done, vocab.DCT+"created", rdf.DateTime(c.Erased))
	add(done, vocab.DCT+"references", request)
	add(done, vocab.Core(l.Base).Term("method"), rdf.String(receipt.Method))
	add(done, vocab.Core(l.Base).Term("retainedUnder"), rdf.String(receipt.Under))
	for _, concept := range receipt.Retained {
		add(done, vocab.Core(l.Base).Term("retainedConcepts"), rdf.String(concept))
	}
	add(done, vocab.Core(l.Base).Term("signature"), rdf.String(c.Receipt))
	return nil
}

func (l *graph) turtle() ([]byte, error) {
	return rdf.Write(&l.g, rdf.Turtle, rdf.WriteOptions{})
}

// treeHead is the signed checkpoint as RDF.
func (w *writer) treeHead(signed string) (string, error) {
	l := graph{Book: w.Book}
	it := rdf.IRI(w.Base + "/me/log#checkpoint")
	l.g.Add(it, rdf.IRI(vocab.Type), rdf.IRI(vocab.Core(l.Base).Term("TreeHead")))
	l.g.Add(it, rdf.IRI(vocab.Core(l.Base).Term("note")), rdf.String(signed))
	b, err := l.turtle()
	return string(b), err
}
