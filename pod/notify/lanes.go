// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"sync"
	"time"
)

const (
	soonest = time.Second     // in which who is put off may be tried again
	latest  = 5 * time.Minute // by when, however many wait: the receiver may be well again
)

// lanes bound the attempts that are under way at each receiver, so that one that is
// slow or dead holds up nobody else.
type lanes struct {
	mu  sync.Mutex
	all map[string]*lane // of those that have some, or for which somebody waits
}

// A lane is what is known of one receiver.
type lane struct {
	busy  int
	began time.Time     // the newest attempt
	took  time.Duration // an attempt, lately
	turn  time.Time     // of the last who was put off
}

// enter takes one of most places at a receiver, which leave gives back. If all are
// taken, turn is when to come again: so many as wait for one receiver come one after the other, as
// fast as it answers, and not all each second.
func (l *lanes) enter(key string, most int, now time.Time) (turn time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.all[key]
	if at == nil {
		at = new(lane)
		l.forget(now)
		l.all[key] = at
	}
	if at.busy < most {
		at.busy++
		at.began = now
		return time.Time{}, true
	}
	step := max(at.took, now.Sub(at.began), time.Millisecond) / time.Duration(most)
	at.turn = later(at.turn, now.Add(soonest)).Add(step)
	if end := now.Add(latest); at.turn.After(end) {
		at.turn = end
	}
	return at.turn, false
}

// leave gives back a place that was entered at began.
func (l *lanes) leave(key string, began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.all[key]
	at.busy--
	at.took = (at.took + now.Sub(began)) / 2
	if at.busy == 0 && !at.turn.After(now) {
		delete(l.all, key)
	}
}

// forget forgets the receivers where nobody is, and for which nobody waits any more.
func (l *lanes) forget(now time.Time) {
	if l.all == nil {
		l.all = map[string]*lane{}
	}
	if len(l.all)%256 != 0 {
		return
	}
	for key, at := range l.all {
		if at.busy == 0 && !at.turn.After(now) {
			delete(l.all, key)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
