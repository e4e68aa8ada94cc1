// SPDX-License-Identifier: EUPL-1.2

package postgres

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
