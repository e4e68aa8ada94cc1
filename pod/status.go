// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// Status lists (draft-ietf-oauth-status-list; 2026-11). A provider that revokes
// registers the address of its status list aggregation (section 9.3), and nothing
// else is ever fetched:
//
//   - All lists of all providers are fetched whole, by their own schedule, whether
//     or not anybody here has a credential in them. So neither a read nor a deposit
//     nor a person's visit can be seen from outside (herd privacy).
//   - A list has room for 131072 credentials at least, and no two forms of a
//     delivery are neighbours in it: two recipients who hold a form each learn
//     nothing from their places.
//   - What a list says is looked up at each read, in memory. A read that needs a
//     list which is out of date is answered with 503, never with old news.
//   - What has changed in a list is found by the places that have changed: a place
//     is a Name of the pod that holds its credential, keyed, so that the names alone
//     don't tell what anybody has.
//
// We gave up lists that nobody registered: a credential in one is refused.

// Statuses follows the status lists of the registered providers. It is safe for
// concurrent use.
type Statuses struct {
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

// name is what finds the pod whose credential has a place.
func (s *Statuses) name(at Place) store.Name {
	m := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(m, "%d %s", at.Index, at.List)
	return store.Name("s/" + store.IDEncoding.EncodeToString(m.Sum(nil)[:20]))
}

// at returns what the lists say of places, the worst of all; false if one isn't
// known now.
func (s *Statuses) at(places Places, now time.Time) (EndState, bool) {
	if s == nil || len(places) == 0 {
		return Current, true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	state, known := Current, true
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
				state = cmp.Or(state, Suspended)
			default:
				state = Revoked
			}
		}
	}
	return state, known
}

// RefreshStatuses fetches the status lists that are due, marks what was revoked in
// the pods that it concerns, and tells the parties that may read it. Whoever runs
// the server calls it at the start and every minute; it tells nobody's data, and
// so needs no agent. One list that fails holds up no other, and a slow party few.
func (p *Pod) RefreshStatuses(ctx context.Context) error {
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		failed []error
		places = make(chan struct{}, partiesAtOnce)
	)
	err := p.eachRevoker(ctx, func(party registry.Party) error {
		places <- struct{}{}
		all.Go(func() {
			err := p.follow(ctx, party, false)
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

// eachRevoker visits each party that may issue something, once. An error holds up
// no other.
func (p *Pod) eachRevoker(ctx context.Context, visit func(registry.Party) error) error {
	var errs []error
	seen := map[string]bool{}
	for _, t := range p.Types.All() {
		ids, err := p.Registry.Issuers(ctx, t.ID)
		errs = append(errs, err)
		for _, id := range ids {
			party, err := p.Registry.Party(ctx, id)
			if errors.Is(err, registry.ErrNoParty) || seen[id] {
				continue
			}
			seen[id] = true
			if err == nil {
				err = visit(party)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("status lists of %s: %w", id, err))
			}
		}
	}
	return errors.Join(errs...)
}

// follow fetches what is due of a party's lists; soon also its aggregation, if
// that is some seconds old.
func (p *Pod) follow(ctx context.Context, party registry.Party, soon bool) error {
	s, now := p.Statuses, p.Now()
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
		err = errors.Join(err, p.followList(ctx, party, uri, now))
	}
	return err
}

// turn is held by who fetches something of a party.
func (s *Statuses) turn(party string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if s.turns[party] == nil {
		s.turns[party] = new(sync.Mutex)
	}
	return s.turns[party]
}

// followList fetches a list, and tells the pods in whose places it has changed.
func (p *Pod) followList(ctx context.Context, party registry.Party, uri string, now time.Time) error {
	token, changed, err := p.Statuses.refresh(ctx, party, uri, now)
	if err != nil {
		return err
	}
	var owed []int
	for _, i := range changed {
		if e := p.applyStatus(ctx, Place{uri, i}); e != nil {
			err, owed = errors.Join(err, e), append(owed, i)
		}
	}
	p.Statuses.owe(uri, owed)
	if err != nil {
		return err
	}
	return p.Statuses.keep(ctx, uri, token, now)
}

// owe notes the places of a list whose pods are to be told at the next try.
func (s *Statuses) owe(uri string, places []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.lists[uri]
	f.owed = append(f.owed, places...)
}

// aggregate learns which lists a party has, if it is time.
func (s *Statuses) aggregate(ctx context.Context, party registry.Party, now time.Time, soon bool) error {
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
func (s *Statuses) begin() {
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
func (s *Statuses) set(party string, uris []string, now time.Time) {
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
func (s *Statuses) due(party string, now time.Time) []string {
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
func (s *Statuses) refresh(ctx context.Context, party registry.Party, uri string, now time.Time) (token []byte, changed []int, err error) {
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
	changed, f.owed = f.owed, nil
	for i := range list.Len() {
		was := credential.Valid
		if f.list != nil {
			was = f.list.At(i)
		}
		if list.At(i) != was {
			changed = append(changed, i)
		}
	}
	f.take(by, list, now)
	return token, changed, nil
}

// fits refuses a list that is older than the one that we have, or for which there
// is no room.
func (s *Statuses) fits(f *followed, list *credential.StatusList) error {
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

// checkPlace refuses, at a delivery, a place that can't be followed, or that says
// that the form is not good. Its error is for the provider.
func (p *Pod) checkPlace(ctx context.Context, party registry.Party, status *credential.Status) (*Place, error) {
	if status == nil || p.Statuses == nil {
		return nil, nil
	}
	if party.StatusLists == "" {
		return nil, errors.New("status: you have registered no status lists, so it can't be followed")
	}
	at := Place{status.URI, status.Index}
	if !p.Statuses.has(party.ID, at.List) {
		if err := p.follow(ctx, party, true); err != nil && !p.Statuses.has(party.ID, at.List) {
			return nil, errors.New("status: your status lists can't be fetched, or not be read, right now")
		}
	}
	if !p.Statuses.has(party.ID, at.List) {
		return nil, errors.New("status: the list is not among those of your aggregation")
	}
	state, known := p.Statuses.own(party.ID, at, p.Now())
	if !known { // perhaps it is being fetched right now
		_ = p.follow(ctx, party, false) // whether it has helped is seen next
		state, known = p.Statuses.own(party.ID, at, p.Now())
	}
	if !known {
		return nil, errors.New("status: the list can't be fetched, or not be read, right now")
	}
	if state != Current {
		return nil, errors.New("status: the list says that it is revoked or suspended, or has no such place")
	}
	return &at, nil
}

// own is at of one place; nothing is known of one in a list that the party hasn't
// signed.
func (s *Statuses) own(party string, at Place, now time.Time) (EndState, bool) {
	s.mu.RLock()
	l := s.asked[party][at.List]
	signed := l != nil && l.own
	s.mu.RUnlock()
	state, known := s.at(Places{at.List: {at.Index}}, now)
	return state, known && signed
}

// has reports whether a list is among those of the party.
func (s *Statuses) has(party, uri string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.asked[party][uri]
	return ok
}

// neighbours reports whether two places could be seen to have been given out
// together.
func neighbours(a, b *Place) bool {
	return a != nil && b != nil && a.List == b.List && a.Index-b.Index <= 1 && b.Index-a.Index <= 1
}

// tells reports whether the lists alone tell which forms belong together: all of
// several are in one list, though their issuer has others. A delivery that is spread
// at random is, for a small one, by chance all in one; then other places are needed.
func (s *Statuses) tells(party string, places []*Place) bool {
	if s == nil || len(places) < 2 || slices.Contains(places, nil) {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.asked[party]) > 1 && !slices.ContainsFunc(places, func(at *Place) bool { return at.List != places[0].List })
}

// applyStatus marks the evidence that has a place as what the lists say of it now,
// logs it, and tells the parties that may read it.
func (p *Pod) applyStatus(ctx context.Context, at Place) error {
	name := p.Statuses.name(at)
	news := false
	err := p.Store.View(ctx, name, func(tx store.Tx) error {
		e, err := evidenceAt(tx, name)
		if err == nil && e != nil {
			state, known := p.Statuses.at(e.Places, p.Now())
			news = known && state != e.Listed
		}
		return err
	})
	if errors.Is(err, store.ErrNoPod) || err == nil && !news {
		return nil
	}
	if err == nil {
		err = p.Store.Update(ctx, name, func(tx store.Tx) error { return p.markListed(ctx, tx, name) })
		p.wake(err)
	}
	return err
}

// places begins the keys of places: all small letters are taken.
const places = "P"

// placeKey is where a pod keeps which evidence has a place.
func placeKey(name store.Name) string { return places + strings.TrimPrefix(string(name), "s/") }

// eachPlace visits the names by which status lists find the pod.
func eachPlace(tx store.Tx, visit func(store.Name)) error {
	const page = 500
	for after := ""; ; {
		pairs, err := tx.Scan(places, after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			visit(store.Name("s/" + strings.TrimPrefix(pair.Key, places)))
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

func evidenceAt(tx store.Tx, name store.Name) (*Evidence, error) {
	id, err := store.Load[string](tx, placeKey(name))
	if err != nil || id == nil {
		return nil, err
	}
	return store.Load[Evidence](tx, evidenceKey(*id))
}

// occupy gives the evidence the places of its forms. One that other evidence has
// is refused: of the same person here, of another when the transaction commits.
func (p *Pod) occupy(tx store.Tx, e *Evidence, places Places) error {
	for uri, indexes := range places {
		for _, i := range indexes {
			name := p.Statuses.name(Place{uri, i})
			taken, err := store.Load[string](tx, placeKey(name))
			if err != nil {
				return err
			}
			if taken != nil {
				return store.ErrTaken
			}
			tx.Claim(name)
			if err := store.Save(tx, placeKey(name), e.ID); err != nil {
				return err
			}
			if e.Places == nil {
				e.Places = Places{}
			}
			e.Places[uri] = append(e.Places[uri], i)
		}
	}
	return nil
}

// placeTaken tells the provider that its list has one place for two.
func placeTaken(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return ldp.Refuse(ldp.Unprocessable, "The evidence can't be accepted.", "status: a place in the list is that of evidence delivered before. Give each form its own.")
	}
	return err
}

func (p *Pod) markListed(ctx context.Context, tx store.Tx, name store.Name) error {
	e, err := evidenceAt(tx, name)
	if err != nil || e == nil {
		return err
	}
	state, known := p.Statuses.at(e.Places, p.Now())
	if !known || state == e.Listed {
		return nil
	}
	e.Listed = state
	if err := store.Save(tx, evidenceKey(e.ID), e); err != nil {
		return err
	}
	said := string(cmp.Or(state, "valid"))
	if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidRevoke, Party: e.Issuer, Type: e.Type, Why: said}); err != nil {
		return err
	}
	current, err := store.Load[string](tx, currentKey(e.Type, e.Issuer))
	if err != nil {
		return err
	}
	consents, err := p.readUnder(tx, e, current != nil && *current == e.ID)
	if err != nil {
		return err
	}
	for _, c := range consents {
		n := Notification{Party: c.Request.Party, Space: c.Space, Event: EvidenceRevoked, Consent: c.ID, Result: said,
			Location: p.url(ldp.ID("/w/" + c.Space + "/evidence/" + c.Grant)), Reference: c.Request.Reference}
		if n.Next, err = p.apart(consents); err != nil {
			return err
		}
		if err := p.tell(ctx, tx, n); err != nil {
			return err
		}
	}
	return nil
}

// listed fills in what the lists say of evidence, and returns false if they are not
// known. What was told once is not forgotten while a list can't be had.
func (p *Pod) listed(e *Evidence) bool {
	state, known := p.Statuses.at(e.Places, p.Now())
	switch {
	case e.Ended != Current:
	case known:
		e.Ended = state
	default:
		e.Ended = e.Listed
	}
	return known
}

// vacate gives up the places of evidence that is removed.
func (p *Pod) vacate(tx store.Tx, e *Evidence) {
	for uri, indexes := range e.Places {
		for _, i := range indexes {
			name := p.Statuses.name(Place{uri, i})
			tx.Release(name)
			tx.Delete(placeKey(name))
		}
	}
}

// StatusOf returns whether a piece of the owner's evidence is current, and whether
// that is known: its issuer's status list may be out of reach.
func (p *Pod) StatusOf(ctx context.Context, who acl.Agent, id string) (state EndState, known bool, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) error {
		e, err := store.Load[Evidence](tx, evidenceKey(id))
		if err != nil {
			return err
		}
		if e == nil {
			return ldp.Refuse(ldp.NotFound, "There is no such evidence.")
		}
		known = p.listed(e)
		state = e.State(p.Now())
		return nil
	})
	return state, known, err
}
