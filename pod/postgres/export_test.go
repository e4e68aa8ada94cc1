// SPDX-License-Identifier: EUPL-1.2

package postgres

import "context"

// Sweep removes the records that have ended, as is done every minute.
func Sweep(ctx context.Context, s *Store) error { return s.sweepAll(ctx) }

// Rows counts the records that are kept, whether they have ended or not.
func Rows(ctx context.Context, s *Store) (n int, err error) {
	err = s.db.QueryRow(ctx, "select count(*) from record").Scan(&n)
	return n, err
}

// Payload is what a node announces of pods.
func Payload(s *Store, ids ...string) string {
	for _, id := range ids {
		s.feed.Lock()
		if s.pending == nil {
			s.pending = map[string]bool{}
		}
		s.pending[id] = true
		s.feed.Unlock()
	}
	return s.payload()
}

// Heard has a node hear an announcement.
func Heard(s *Store, payload string, told func(ids ...string)) { s.heard(payload, told) }

// MaxWaiting is how many Updates of one pod may be under way.
const MaxWaiting = abreast + maxQueue

// Waiting is how many are.
func Waiting(s *Store, id string) int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if l := s.queue.lines[id]; l != nil {
		return l.in
	}
	return 0
}

// The limits of what is written together.
const (
	MaxCome     = maxCome
	MaxGathered = maxGathered
	Gatherers   = gatherers
)

// Come is how many new records wait to be written.
func Come(s *Store) int { return len(s.come) }
