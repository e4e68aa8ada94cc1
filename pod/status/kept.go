// SPDX-License-Identifier: EUPL-1.2

package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"skrin/pod/credential"
	"skrin/pod/registry"
)

// A Keeper keeps what was fetched of status lists from one start of the server to
// the next. What it returns is verified as if it had just been fetched, so that it
// may forget, but can't lie.
type Keeper interface {
	// Keep keeps b under a name until a time.
	Keep(ctx context.Context, name string, b []byte, until time.Time) error
	// Kept returns what is kept under a name; nil if there is nothing.
	Kept(ctx context.Context, name string) ([]byte, error)
}

// maxKeptLists is how many bytes of tokens are recalled, of all lists.
const maxKeptLists = 64 << 20

// A keptList is a list's token as it was fetched.
type keptList struct {
	Fetched time.Time
	Token   string
}

func aggregationName(party string) string { return "aggregation " + party }
func listName(uri string) string          { return "list " + uri }

// Recall takes up the lists that were fetched before the last end of the server, as far
// as they are still to be relied on. One that can't be recalled is fetched as ever.
func (s *Lists) Recall(ctx context.Context, parties Parties, now time.Time) error {
	if s == nil || s.Kept == nil {
		return nil
	}
	left := maxKeptLists
	return parties(ctx, func(party registry.Party) error { return s.recall(ctx, party, now, &left) })
}

// recall takes up the lists of a party, as long as so many bytes are left.
func (s *Lists) recall(ctx context.Context, party registry.Party, now time.Time, left *int) error {
	body, err := s.Kept.Kept(ctx, aggregationName(party.ID))
	if err != nil || body == nil {
		return err
	}
	uris, err := readAggregation(body)
	if err != nil {
		return err
	}
	s.set(party.ID, uris, now)
	var errs []error
	for _, uri := range uris {
		b, err := s.Kept.Kept(ctx, listName(uri))
		if err == nil && b != nil {
			if *left -= len(b); *left < 0 {
				return errors.Join(append(errs, errors.New("there is no room for all lists that were kept"))...)
			}
			err = s.recallList(b, party, uri, now)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", uri, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Lists) recallList(b []byte, party registry.Party, uri string, now time.Time) error {
	var k keptList
	if err := json.Unmarshal(b, &k); err != nil {
		return errors.New("what was kept is not of the form of a list")
	}
	if k.Fetched.After(now) {
		return errors.New("what was kept is from the future")
	}
	list, err := credential.ReadStatusList(k.Token, uri, party.Issuer, party.Key, now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.lists[uri]
	if f.list != nil { // fetched meanwhile
		return nil
	}
	if err := s.fits(f, list); err != nil {
		return err
	}
	f.take(s.asked[party.ID][uri], list, k.Fetched)
	return nil
}

// keep keeps what a list said, when all pods that it concerns have been told.
func (s *Lists) keep(ctx context.Context, uri string, token []byte, at time.Time) error {
	if s.Kept == nil {
		return nil
	}
	b, err := json.Marshal(keptList{at, string(token)})
	if err != nil {
		return err
	}
	s.mu.RLock()
	until := s.lists[uri].until
	s.mu.RUnlock()
	return s.Kept.Keep(ctx, listName(uri), b, until)
}
