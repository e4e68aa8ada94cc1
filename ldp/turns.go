// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"context"
	"sync/atomic"
	"time"

	"skrin/ldp/rdf"
)

const (
	cheap      = 64 << 10         // bytes of JSON-LD that are read at any time
	turnsWait  = 32               // documents that wait for their turn
	turnWait   = 10 * time.Second // how long they do
	turnsLater = "Retry-After: 5"
)

// Turns bound how many documents are worked on at once that are costly to read: JSON-LD
// of more than 64 KiB, which takes thirty times as long as other RDF. 32 more wait, for
// 10 s; then it is refused. So however many are sent, others are served meanwhile. A
// nil *Turns is no bound. It is safe for concurrent use.
type Turns struct {
	places  chan struct{}
	waiting atomic.Int64
	refused func()
}

// NewTurns makes Turns for so many at once. refused is told of each that is refused; it
// may be nil.
func NewTurns(atOnce int, refused func()) *Turns {
	return &Turns{places: make(chan struct{}, atOnce), refused: refused}
}

// Enter waits for the turn of a document, if it is costly. Who may go on calls leave
// when it has been read. A refusal is Unavailable.
func (t *Turns) Enter(ctx context.Context, f rdf.Format, size int) (leave func(), err error) {
	if t == nil || f != rdf.JSONLD || size <= cheap {
		return func() {}, nil
	}
	leave = func() { <-t.places }
	select {
	case t.places <- struct{}{}:
		return leave, nil
	default:
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > turnsWait {
		return nil, t.refuse()
	}
	late := time.NewTimer(turnWait)
	defer late.Stop()
	select {
	case t.places <- struct{}{}:
		return leave, nil
	case <-late.C:
		return nil, t.refuse()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *Turns) refuse() error {
	if t.refused != nil {
		t.refused()
	}
	return &Fault{
		Kind: Unavailable, Header: turnsLater,
		Detail: "The server reads as many large documents of JSON-LD as it can. Retry in a while, or use text/turtle, which is read at once.",
	}
}

// Busy returns how many documents are worked on.
func (t *Turns) Busy() int { return len(t.places) }
