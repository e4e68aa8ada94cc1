// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Backup makes dir, which must not be there yet, a store that holds what this
// one has committed when it is called, while this one goes on. Where the file
// system can, the two share their immutable files: what lasts must be copied to
// another disk.
func (s *Store) Backup(dir string) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return errClosed
	}
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("pod/pebble: backup: %w", err)
	}
	return nil
}
