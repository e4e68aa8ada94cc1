// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/channel"
	"skrin/pod/record"
	"skrin/pod/store"
)

// Limits of streams on one node.
const (
	maxStreams  = 50_000 // at once
	maxPending  = 64     // notifications of one stream that wait; then the newest stands for all
	hubWorkers  = 8      // pods that are heard at once
	farewell    = 6 * time.Second
	againAfter  = time.Second // a pod that couldn't be read
	keepAlive   = 25 * time.Second
	writeWithin = 10 * time.Second // a notification is taken, or the subscriber is given up
)

// A Hub tells the subscribers that are connected to this node. Its fields are set
// before Run and not changed after.
//
// Each stream has a bounded queue. One that takes its notifications more slowly
// than they come, or asked for a rate, gets the newest instead of all: it says
// how the topic is, so nothing that matters is lost.
type Hub struct {
	Pod  *pod.Pod
	Feed store.Feed // tells of commits, of this node and of others
	Log  *slog.Logger
	Max  int                 // streams at once; 0 for 50,000
	Told func(ids ...string) // is told too; nil for nobody

	mu      sync.Mutex
	rooms   map[string]*room // by pod
	streams int
	ctx     context.Context // of Run; nil before
	closed  bool
	slots   chan struct{}
	work    sync.WaitGroup // streams, and pods that are heard
}

// A room is the streams that listen to one pod. Hub.mu guards it.
type room struct {
	hub    *Hub
	pod    string
	topics map[ldp.ID]map[*stream]bool
	seq    uint64 // heard up to
	dirty  bool   // there may be more
	busy   bool   // somebody hears
}

// A stream is one connection of a subscriber.
type stream struct {
	channel.Subscription
	after uint64 // told up to; Hub.mu guards it

	mu      sync.Mutex
	pending []notice
	ended   error
	wake    chan struct{}
}

// A notice is an activity, written once for all that are told.
type notice struct {
	at   time.Time
	body []byte
}

// Why a stream ends, apart from its subscriber.
var (
	errWithdrawn = errors.New("the subscriber may no longer read the topic, or the channel has ended")
	errElsewhere = errors.New("the channel was connected to again")
	errClosing   = errors.New("the server closes")
	errCrowded   = ldp.Refuse(ldp.Unavailable, "As many are connected to this server as it takes. Try again in a while.")
)

// Run tells until ctx is done, and ends all streams then.
func (h *Hub) Run(ctx context.Context) {
	h.mu.Lock()
	h.ctx, h.slots = ctx, make(chan struct{}, hubWorkers)
	h.mu.Unlock()
	if err := h.Feed.Follow(ctx, h.told); err != nil && ctx.Err() == nil {
		h.Log.Error("nobody is told of changes", "error", err)
	}
	<-ctx.Done()
	h.close()
}

func (h *Hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, r := range h.rooms {
		r.end(errClosing)
	}
	h.mu.Unlock()
	gone := make(chan struct{})
	go func() { defer close(gone); h.work.Wait() }()
	select {
	case <-gone:
	case <-time.After(farewell): // who doesn't take leave isn't waited for
	}
}

// told has pods heard that were changed; all, if it is told none.
func (h *Hub) told(ids ...string) {
	if h.Told != nil {
		h.Told(ids...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(ids) == 0 {
		for _, r := range h.rooms {
			r.stir()
		}
	}
	for _, id := range ids {
		if r := h.rooms[id]; r != nil {
			r.stir()
		}
	}
}

// stir has somebody hear the room. Hub.mu is held.
func (r *room) stir() {
	r.dirty = true
	if r.busy || r.hub.ctx == nil || r.hub.closed {
		return
	}
	r.busy = true
	r.hub.work.Go(func() {
		select {
		case r.hub.slots <- struct{}{}:
			defer func() { <-r.hub.slots }()
			r.hear(r.hub.ctx)
		case <-r.hub.ctx.Done():
		}
	})
}

// hear hears the pod until there is nothing new.
func (r *room) hear(ctx context.Context) {
	for {
		r.hub.mu.Lock()
		if !r.dirty || r.hub.closed {
			r.busy = false
			r.hub.mu.Unlock()
			return
		}
		r.dirty = false
		after := r.seq
		r.hub.mu.Unlock()
		heard, err := r.hub.Pod.Hear(ctx, r.pod, after, r)
		r.hub.mu.Lock()
		switch {
		case errors.Is(err, store.ErrNoPod) || errors.Is(err, store.ErrNoKey):
			r.end(errWithdrawn)
		case err != nil:
			r.dirty = true
		default:
			r.tell(after, heard)
		}
		r.hub.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			r.hub.Log.Warn("subscribers of a pod wait", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(againAfter):
			}
		}
	}
}

// tell gives each stream what it may hear. Hub.mu is held.
func (r *room) tell(after uint64, heard pod.Heard) {
	last := max(after, heard.Last)
	for _, a := range heard.Activities {
		topic, n := a.Topic(), notice{}
		for s := range r.topics[topic] {
			if s.after >= a.Seq {
				continue
			}
			may, decided := heard.May[pod.Ear{Topic: topic, Who: s.Who}]
			switch {
			case a.Kind == record.Ended:
				if s.ID == a.State {
					s.end(errWithdrawn)
				}
				continue
			case !decided: // it came while this was heard
				r.dirty = true
				last = min(last, a.Seq-1)
				continue
			case !may:
				s.end(errWithdrawn)
				continue
			case n.body == nil:
				n = notice{a.At, message(a, r.hub.Pod.Base)}
			}
			s.after = a.Seq
			s.push(n)
		}
	}
	if r.seq == after { // else somebody came who must hear earlier things
		r.seq = last
	}
}

// end ends all streams of the room. Hub.mu is held.
func (r *room) end(why error) {
	for _, streams := range r.topics {
		for s := range streams {
			s.end(why)
		}
	}
}

// End ends the streams that a program has in a person's name, in anybody's for "", on
// this node. Those on
// others end when there is something to tell them: see [pod.Dismissed].
func (h *Hub) End(who acl.WebID, client string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rooms {
		for _, streams := range r.topics {
			for s := range streams {
				if s.Who.Client == client && (who == "" || s.Who.ID == who) {
					s.end(errWithdrawn)
				}
			}
		}
	}
}

// Listening implements pod.Audience.
func (r *room) Listening(topic ldp.ID) (all []acl.Agent) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	seen := map[acl.Agent]bool{}
	for s := range r.topics[topic] {
		if !seen[s.Who] {
			seen[s.Who] = true
			all = append(all, s.Who)
		}
	}
	return all
}

// Topics implements pod.Audience.
func (r *room) Topics() (all []ldp.ID) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	for topic := range r.topics {
		all = append(all, topic)
	}
	return all
}

// join makes a stream of a channel, for which leave must be called. A second one
// of the same channel ends the first: who has one channel has one stream of a node's.
func (h *Hub) join(at pod.Attached) (s *stream, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	limit := h.Max
	if limit == 0 {
		limit = maxStreams
	}
	if h.closed || h.streams >= limit {
		return nil, nil, errCrowded
	}
	if h.rooms == nil {
		h.rooms = map[string]*room{}
	}
	r := h.rooms[at.Pod]
	if r == nil {
		r = &room{hub: h, pod: at.Pod, topics: map[ldp.ID]map[*stream]bool{}, seq: at.Seq}
		h.rooms[at.Pod] = r
	}
	s = &stream{Subscription: at.Subscription, after: at.Seq, wake: make(chan struct{}, 1)}
	if r.topics[s.Topic] == nil {
		r.topics[s.Topic] = map[*stream]bool{}
	}
	for before := range r.topics[s.Topic] {
		if before.ID == s.ID {
			before.end(errElsewhere)
		}
	}
	r.topics[s.Topic][s] = true
	h.streams++
	h.work.Add(1)
	if at.Now != nil {
		s.push(notice{at.Now.At, message(*at.Now, h.Pod.Base)})
	}
	if r.seq > at.Seq { // something has been heard since
		r.seq = at.Seq
	}
	r.stir()
	return s, func() { h.leave(r, s) }, nil
}

func (h *Hub) leave(r *room, s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	h.work.Done()
	delete(r.topics[s.Topic], s)
	if len(r.topics[s.Topic]) == 0 {
		delete(r.topics, s.Topic)
	}
	if len(r.topics) == 0 && h.rooms[r.pod] == r {
		delete(h.rooms, r.pod)
	}
}

// Streams returns how many are connected.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams
}

func (s *stream) push(n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.at.Before(s.Start) {
		return
	}
	if s.Rate > 0 || len(s.pending) == maxPending {
		s.pending = s.pending[:0]
	}
	s.pending = append(s.pending, n)
	s.signal()
}

func (s *stream) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = why
	}
	s.signal()
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what waits, unless it rests. Who may no longer hear gets nothing of it.
func (s *stream) take(rests bool) ([]notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		s.pending = nil
		return nil, s.ended
	}
	if rests {
		return nil, nil
	}
	all := s.pending
	s.pending = nil
	return all, nil
}

// run sends until the stream ends, and returns why: nil for its end in time. send
// with nil keeps the connection alive.
func (s *stream) run(ctx context.Context, now time.Time, send func([]byte) error) error {
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	over := time.NewTimer(s.End.Sub(now))
	defer over.Stop()
	var rested <-chan time.Time // when the next notification may be sent; nil for at once
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-alive.C:
			if err := send(nil); err != nil {
				return err
			}
		case <-rested:
			rested = nil
			s.signal()
		case <-s.wake:
			all, ended := s.take(rested != nil)
			for _, n := range all {
				if err := send(n.body); err != nil {
					return err
				}
			}
			if ended != nil {
				return ended
			}
			if len(all) > 0 && s.Rate > 0 {
				rested = time.After(s.Rate)
			}
		}
	}
}
