// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"context"
	"fmt"
	"mime"
	"strings"

	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/credential"
	"skrin/pod/leak"
	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/vocab"
)

// Limits of a deposit.
const (
	maxDeposit = 512 << 10 // bytes
	MaxForms   = 32        // signed forms of one evidence; later there may come more
)

// IsBatch reports whether a body of a media type is a batch.
func IsBatch(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == TypeRows
}

// MostBytes is how large a body of a media type may be.
func MostBytes(contentType string) int64 {
	if IsBatch(contentType) {
		return maxBatch
	}
	return maxDeposit
}

// A Reader reads what providers deliver, and finds out whether it is in order. It is
// safe for concurrent use.
type Reader struct {
	Types    *registry.Catalogue
	Statuses *status.Lists // nil for a server of which nobody relies on them
	Round    status.Round  // what time it is, and how a list is fetched that isn't known
	Turns    *ldp.Turns    // of documents that are costly to read
	Base     string        // the origin of every URL
	Leak     leak.Channel
}

// parse reads a document, in its turn.
func (r *Reader) parse(ctx context.Context, f rdf.Format, body []byte, base string) (*rdf.Graph, error) {
	leave, err := r.Turns.Enter(ctx, f, len(body))
	if err != nil {
		return nil, err
	}
	defer leave()
	g, err := rdf.Read(ctx, body, f, base, rdf.Limits{Bytes: maxDeposit, Triples: 10_000, LoadContext: vocab.Core(r.Base).LoadContext})
	if err != nil {
		return nil, ldp.Refuse(ldp.Invalid, "The document is not well formed: "+err.Error())
	}
	return g, nil
}

// Read reads a deposit, of one or of several, and checks all of it: form, party, type,
// signatures, schema, times. base is the URL to which it was sent, and types are what
// the party may deliver to the person.
func (r *Reader) Read(ctx context.Context, party registry.Party, types []string, contentType string, body []byte, base string) ([]*Delivery, error) {
	if IsBatch(contentType) {
		return r.readRows(ctx, party, types, body)
	}
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
		if graph, err = r.parse(ctx, f, body, base); err != nil {
			return nil, err
		}
		forms, detached = r.takeSigned(graph, "signedForm"), r.takeSigned(graph, "detachedSignature")
	}
	if len(forms) == 0 && len(detached) == 0 {
		return nil, ldp.Refuse(ldp.Unprocessable, "The evidence is not signed.", "Send an SD-JWT VC (application/dc+sd-jwt), or name its compact form in the RDF with "+vocab.Core(r.Base).Term("signedForm")+
			", or the RDF's own signature with "+vocab.Core(r.Base).Term("detachedSignature")+".")
	}
	if len(forms) > MaxForms {
		return nil, ldp.Refuse(ldp.Unprocessable, fmt.Sprintf("There are more than %d signed forms.", MaxForms))
	}
	var d *Delivery
	var faults []string
	switch {
	case len(detached) == 0:
		d, faults = r.checkForms(ctx, party, types, forms)
	case len(forms) == 0:
		d, faults = r.readDetached(ctx, party, types, graph, base, detached)
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
	return []*Delivery{d}, nil
}

// takeSigned takes what is signed out of a graph: the values of a term of ours.
func (r *Reader) takeSigned(g *rdf.Graph, term string) []string {
	var values []string
	var taken []rdf.Triple
	for t := range g.Match(rdf.Term{}, rdf.IRI(vocab.Core(r.Base).Term(term)), rdf.Term{}) {
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
