// SPDX-License-Identifier: EUPL-1.2

package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skrin/pod/credential"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// Lists are the status lists of the registered providers, as they were fetched last.
// It is safe for concurrent use. Where there are none, nil, each credential is valid.
type Lists struct {
	// Fetch gets a document, from a public address and of a bounded size.
	Fetch func(ctx context.Context, url, accept string) ([]byte, error)
	// Key is the server's own, 32 bytes; the same for all its nodes and for good.
	Key []byte
	// Kept keeps what was fetched over an end of the server; nil for nowhere.
	Kept Keeper

	mu    sync.RWMutex
	lists map[string]*followed          // by URI
	asked map[string]map[string]*listed // the lists of each party's aggregation, by URI
	tries map[string]time.Time          // when a party's aggregation is due
	turns map[string]*sync.Mutex        // of each party: held while something of it is fetched
}

// A followed is a list as it was fetched last.
type followed struct {
	list  *credential.StatusList // nil until it has been fetched
	until time.Time              // when it is no longer to be relied on
	owed  []int                  // places that have changed, and whose pods could not be told
}

// A listed is a list as a party's aggregation names it. Whose it is its signature
// tells: another party may name it too.
type listed struct {
	next time.Time // when it is to be fetched again
	own  bool      // the party has signed what was fetched
}

// take makes a list, fetched at a time and signed by the party that names it, what
// is followed.
func (f *followed) take(by *listed, list *credential.StatusList, at time.Time) {
	f.list = list
	by.own, by.next = true, at.Add(min(max(cmp.Or(list.TTL, refreshUsual), refreshLeast), refreshMost))
	f.until = list.Expires
	if f.until.IsZero() {
		f.until = at.Add(max(reliedOn, list.TTL))
	}
}

// Limits of what is followed.
const (
	maxLists      = 64          // of one party
	partiesAtOnce = 8           // of which something is fetched
	partyTime     = time.Minute // after which no more of its lists is fetched this time
	maxListBytes  = 256 << 20   // of all lists together
	refreshLeast  = time.Minute
	refreshUsual  = 15 * time.Minute
	refreshMost   = 12 * time.Hour
	reliedOn      = 24 * time.Hour // a list that doesn't say until when
	aggregationTo = "application/json"
)

// A Place is where a form stands in a status list.
type Place struct {
	List  string
	Index int
}

// Places are the places of the forms of one evidence, by list.
type Places map[string][]int

// At returns what the lists say of places, the worst of all; false if one isn't
// known now.
func (s *Lists) At(places Places, now time.Time) (credential.StatusValue, bool) {
	if s == nil || len(places) == 0 {
		return credential.Valid, true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	state, known := credential.Valid, true
	for uri, indexes := range places {
		f := s.lists[uri]
		if f == nil || f.list == nil || !now.Before(f.until) {
			known = false
			continue
		}
		for _, i := range indexes {
			switch f.list.At(i) {
			case credential.Valid:
			case credential.Suspended:
				state = cmp.Or(state, credential.Suspended)
			default:
				state = credential.Invalid
			}
		}
	}
	return state, known
}

// Parties visits the parties whose lists are followed, each once. An error of a
// visit holds up no other.
type Parties func(ctx context.Context, visit func(registry.Party) error) error

// A Round is how lists are fetched: at what time, and who is told of what they say
// anew.
type Round struct {
	Now func() time.Time
	// Changed is told which place has changed, by the name of the pod that has it.
	Changed func(ctx context.Context, place store.Name) error
}

// Refresh fetches the lists that are due. One that fails holds up no other, and a slow
// party few.
func (s *Lists) Refresh(ctx context.Context, parties Parties, round Round) error {
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		failed []error
		places = make(chan struct{}, partiesAtOnce)
	)
	err := parties(ctx, func(party registry.Party) error {
		places <- struct{}{}
		all.Go(func() {
			err := s.follow(ctx, party, round, false)
			<-places
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("status lists of %s: %w", party.ID, err))
			}
		})
		return nil
	})
	all.Wait()
	return errors.Join(append(failed, err)...)
}

// follow fetches what is due of a party's lists; soon also its aggregation, if
// that is some seconds old.
func (s *Lists) follow(ctx context.Context, party registry.Party, round Round, soon bool) error {
	now := round.Now()
	if s == nil || party.StatusLists == "" {
		return nil
	}
	turn := s.turn(party.ID)
	turn.Lock()
	defer turn.Unlock()
	inTime, end := context.WithTimeout(ctx, partyTime)
	defer end()
	err := s.aggregate(ctx, party, now, soon)
	for _, uri := range s.due(party.ID, now) {
		if inTime.Err() != nil { // the others come first the next time
			return errors.Join(err, errors.New("to fetch the lists takes too long"))
		}
		err = errors.Join(err, s.followList(ctx, party, uri, now, round))
	}
	return err
}

// turn is held by who fetches something of a party.
func (s *Lists) turn(party string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if s.turns[party] == nil {
		s.turns[party] = new(sync.Mutex)
	}
	return s.turns[party]
}

// followList fetches a list, and tells the pods in whose places it has changed.
func (s *Lists) followList(ctx context.Context, party registry.Party, uri string, now time.Time, round Round) error {
	token, changed, err := s.refresh(ctx, party, uri, now)
	if err != nil {
		return err
	}
	var owed []int
	for _, i := range changed {
		if e := round.Changed(ctx, s.name(Place{uri, i})); e != nil {
			err, owed = errors.Join(err, e), append(owed, i)
		}
	}
	s.owe(uri, owed)
	if err != nil {
		return err
	}
	return s.keep(ctx, uri, token, now)
}

// owe notes the places of a list whose pods are to be told at the next try.
func (s *Lists) owe(uri string, places []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.lists[uri]
	f.owed = append(f.owed, places...)
}

// aggregate learns which lists a party has, if it is time.
func (s *Lists) aggregate(ctx context.Context, party registry.Party, now time.Time, soon bool) error {
	s.mu.Lock()
	s.begin()
	due := s.tries[party.ID]
	if soon && due.Sub(now) < refreshUsual-10*time.Second {
		due = time.Time{}
	}
	if now.Before(due) {
		s.mu.Unlock()
		return nil
	}
	s.tries[party.ID] = now.Add(refreshUsual)
	s.mu.Unlock()
	body, err := s.Fetch(ctx, party.StatusLists, aggregationTo)
	if err == nil {
		var uris []string
		if uris, err = readAggregation(body); err == nil {
			s.set(party.ID, uris, now)
			if s.Kept == nil {
				return nil
			}
			return s.Kept.Keep(ctx, aggregationName(party.ID), body, now.Add(reliedOn))
		}
	}
	s.mu.Lock()
	s.tries[party.ID] = now.Add(refreshLeast)
	s.mu.Unlock()
	return err
}

// begin makes the maps; s.mu is held.
func (s *Lists) begin() {
	if s.lists == nil {
		s.lists, s.asked, s.tries = map[string]*followed{}, map[string]map[string]*listed{}, map[string]time.Time{}
		s.turns = map[string]*sync.Mutex{}
	}
}

// readAggregation reads a status list aggregation.
func readAggregation(body []byte) ([]string, error) {
	var a struct {
		Lists []string `json:"status_lists"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, errors.New("the aggregation is not of the right form")
	}
	if len(a.Lists) > maxLists {
		return nil, fmt.Errorf("the aggregation has more than %d lists", maxLists)
	}
	for _, uri := range a.Lists {
		if uri == "" || len(uri) > 1024 {
			return nil, errors.New("the aggregation has an address that is empty, or longer than 1024 bytes")
		}
	}
	return a.Lists, nil
}

// set makes a party's lists those of the aggregation. A list that is no longer
// there is fetched no more, and forgotten when it is out of date.
func (s *Lists) set(party string, uris []string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	before := s.asked[party]
	s.asked[party] = map[string]*listed{}
	for _, uri := range uris {
		s.asked[party][uri] = cmp.Or(before[uri], new(listed))
		if s.lists[uri] == nil {
			s.lists[uri] = new(followed)
		}
	}
	wanted := map[string]bool{}
	for _, uris := range s.asked {
		for uri := range uris {
			wanted[uri] = true
		}
	}
	maps.DeleteFunc(s.lists, func(uri string, f *followed) bool { return !wanted[uri] && !now.Before(f.until) })
}

// due returns a party's lists that are to be fetched, what waits longest first.
func (s *Lists) due(party string, now time.Time) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var uris []string
	for uri, l := range s.asked[party] {
		if !now.Before(l.next) {
			uris = append(uris, uri)
		}
	}
	slices.SortFunc(uris, func(a, b string) int {
		return cmp.Or(s.asked[party][a].next.Compare(s.asked[party][b].next), strings.Compare(a, b))
	})
	return uris
}

// refresh fetches a list, and returns it and the places in it of which it says
// something else than before, or of which a pod is still to be told.
func (s *Lists) refresh(ctx context.Context, party registry.Party, uri string, now time.Time) (token []byte, changed []int, err error) {
	token, err = s.Fetch(ctx, uri, credential.TypeStatusList)
	var list *credential.StatusList
	if err == nil {
		list, err = credential.ReadStatusList(string(token), uri, party.Issuer, party.Key, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, by := s.lists[uri], s.asked[party.ID][uri]
	if err == nil {
		err = s.fits(f, list)
	}
	if err != nil {
		by.next = now.Add(refreshLeast)
		return nil, nil, err
	}
	changed, f.owed = append(f.owed, list.Changed(f.list)...), nil
	f.take(by, list, now)
	return token, changed, nil
}

// fits refuses a list that is older than the one that we have, or for which there
// is no room.
func (s *Lists) fits(f *followed, list *credential.StatusList) error {
	if f.list != nil && list.Issued.Before(f.list.Issued) {
		return errors.New("the list is older than the one before it")
	}
	total := list.Len()
	for _, other := range s.lists {
		if other != f && other.list != nil {
			total += other.list.Len()
		}
	}
	if total > maxListBytes {
		return errors.New("there is no room for the list")
	}
	return nil
}

// Check refuses, at a delivery, a place that can't be followed, or that says
// that the form is not good. Its error is for the provider.
func (s *Lists) Check(ctx context.Context, party registry.Party, status *credential.Status, round Round) (*Place, error) {
	if status == nil || s == nil {
		return nil, nil
	}
	if party.StatusLists == "" {
		return nil, errors.New("status: you have registered no status lists, so it can't be followed")
	}
	at := Place{status.URI, status.Index}
	if !s.has(party.ID, at.List) {
		if err := s.follow(ctx, party, round, true); err != nil && !s.has(party.ID, at.List) {
			return nil, errors.New("status: your status lists can't be fetched, or not be read, right now")
		}
	}
	if !s.has(party.ID, at.List) {
		return nil, errors.New("status: the list is not among those of your aggregation")
	}
	state, known := s.own(party.ID, at, round.Now())
	if !known { // perhaps it is being fetched right now
		_ = s.follow(ctx, party, round, false) // whether it has helped is seen next
		state, known = s.own(party.ID, at, round.Now())
	}
	if !known {
		return nil, errors.New("status: the list can't be fetched, or not be read, right now")
	}
	if state != credential.Valid {
		return nil, errors.New("status: the list says that it is revoked or suspended, or has no such place")
	}
	return &at, nil
}

// own is At of one place; nothing is known of one in a list that the party hasn't
// signed.
func (s *Lists) own(party string, at Place, now time.Time) (credential.StatusValue, bool) {
	s.mu.RLock()
	l := s.asked[party][at.List]
	signed := l != nil && l.own
	s.mu.RUnlock()
	state, known := s.At(Places{at.List: {at.Index}}, now)
	return state, known && signed
}

// has reports whether a list is among those of the party.
func (s *Lists) has(party, uri string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.asked[party][uri]
	return ok
}

// Neighbours reports whether two places could be seen to have been given out
// together.
func Neighbours(a, b *Place) bool {
	return a != nil && b != nil && a.List == b.List && a.Index-b.Index <= 1 && b.Index-a.Index <= 1
}

// Tells reports whether the lists alone tell which forms belong together: all of
// several are in one list, though their issuer has others. A delivery that is spread
// at random is, for a small one, by chance all in one; then other places are needed.
func (s *Lists) Tells(party string, places []*Place) bool {
	if s == nil || len(places) < 2 || slices.Contains(places, nil) {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.asked[party]) > 1 && !slices.ContainsFunc(places, func(at *Place) bool { return at.List != places[0].List })
}
