// SPDX-License-Identifier: EUPL-1.2

package pebble

import "context"

// Follow implements store.Feed. There is one process, so it is told directly.
func (s *Store) Follow(ctx context.Context, told func(ids ...string)) error {
	leave := s.followers.Add(told)
	defer leave()
	<-ctx.Done()
	return nil
}
