// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"skrin/ldp"
	"skrin/pod/store"
)

const (
	abreast  = 2       // Updates of one pod that have a connection at once: one works, the next waits for the row
	maxQueue = 256     // of one pod that wait for that; one more is told to come again
	maxKnown = 1 << 14 // names whose pods are remembered
)

// A queue has the Updates of one pod wait for each other before they take one of
// the process's connections, so that a pod to which everybody wants to write, or
// whose row another node holds, leaves connections to the other pods. It is only
// for that: the order is made by the row's lock.
type queue struct {
	mu    sync.Mutex
	lines map[string]*line      // of the pods that have Updates under way
	known map[store.Name]string // the pod that was found by a name last: a guess, to join the right line
}

// A line is the Updates of one pod.
type line struct {
	turns chan struct{} // holds one for each that has a connection
	in    int           // that have one, or wait
}

func newQueue() *queue {
	return &queue{lines: map[string]*line{}, known: map[store.Name]string{}}
}

var errCrowd = fmt.Errorf("%d wait for the pod: %w", maxQueue, ldp.Unavailable)

// join returns when it is the turn of an Update of the pod that has name, until
// leave is called.
func (q *queue) join(ctx context.Context, name store.Name) (leave func(), err error) {
	id, l := q.line(name)
	if l == nil {
		return nil, errCrowd
	}
	select {
	case l.turns <- struct{}{}:
		return func() { <-l.turns; q.left(id, l) }, nil
	case <-ctx.Done():
		q.left(id, l)
		return nil, context.Cause(ctx)
	}
}

// line returns the line of the pod that has, most likely, claimed name, with a place
// in it; nil if it is too long.
func (q *queue) line(name store.Name) (id string, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id, ok := strings.CutPrefix(string(name), "id/")
	if !ok {
		if id, ok = q.known[name]; !ok {
			id = string(name) // a line of its own
		}
	}
	if l = q.lines[id]; l == nil {
		l = &line{turns: make(chan struct{}, abreast)}
		q.lines[id] = l
	}
	if l.in == abreast+maxQueue {
		return "", nil
	}
	l.in++
	return id, l
}

func (q *queue) left(id string, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.in--; l.in == 0 {
		delete(q.lines, id)
	}
}

// found remembers which pod has a name.
func (q *queue) found(name store.Name, id string) {
	if strings.HasPrefix(string(name), "id/") {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for other := range q.known { // any
		if len(q.known) < maxKnown {
			break
		}
		delete(q.known, other)
	}
	q.known[name] = id
}
