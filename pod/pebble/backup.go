// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"context"
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

// Flush writes what is only in the log to tables, and waits for that: so that the
// size of the files is that of what is stored. Nothing needs it to be durable.
func (s *Store) Flush() error {
	leave, err := s.enterToWrite(context.Background())
	if err != nil {
		return err
	}
	defer leave()
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("pod/pebble: flush: %w", err)
	}
	return nil
}
