// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"skrin/auth"
	"skrin/ldp"
)

// How new records are written together (2026-11). In a cluster each request with a
// token leaves one, that its proof was used, and a commit waits for the disk. So one
// that comes while the gatherers are at work waits for the next of them to be free,
// which takes all that wait into one statement with one commit. Nobody waits for a
// timer: one that comes alone goes at once. Each learns what became of its own record,
// and that no sooner than it is durable.
const (
	gatherers   = 2         // statements under way: one waits for the disk while the next is made
	maxGathered = 128       // records in a statement
	maxBytes    = 256 << 10 // of their values, or little more
	maxSmall    = 4 << 10   // bytes of a value that is written so; with a longer one a record goes alone
	maxCome     = 4096      // records that wait; one more is told to come again
)

// A newcomer is a record that waits to be written, for the one who saves it.
type newcomer struct {
	ctx       context.Context // of who saves it
	kind, key string
	until     time.Time
	value     []byte
	said      chan error // what became of it; has room for that
}

// label tells it from all others: no kind holds NUL.
func (n *newcomer) label() string { return n.kind + "\x00" + n.key }

var (
	errFull   = fmt.Errorf("pod/postgres: save: %d records wait to be written: %w", maxCome, ldp.Unavailable)
	errClosed = fmt.Errorf("pod/postgres: save: the store is closed: %w", ldp.Unavailable)
	errTwin   = errors.New("another of the same name is written in the statement")
)

// insert saves a record that isn't stored yet.
func (s *Store) insert(ctx context.Context, kind, key string, r auth.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	n := &newcomer{ctx, kind, key, r.Until, append([]byte{}, r.Value...), make(chan error, 1)}
	if len(n.value) > maxSmall {
		return s.insertAll(ctx, []*newcomer{n})[0]
	}
	select {
	case s.come <- n:
	default:
		return errFull
	}
	select {
	case err := <-n.said:
		if err == errTwin {
			err = s.insertAll(ctx, []*newcomer{n})[0]
		}
		return err
	case <-ctx.Done():
		return s.failed("save", context.Cause(ctx))
	case <-s.gathered:
		select {
		case err := <-n.said: // one of the last
			return err
		default:
			return errClosed
		}
	}
}

// gather writes what comes until ctx is done, and then what has come.
func (s *Store) gather(ctx context.Context) {
	for {
		select {
		case n := <-s.come:
			s.write(n)
			continue
		case <-ctx.Done():
		}
		select {
		case n := <-s.come:
			s.write(n)
		default:
			return
		}
	}
}

// write writes a newcomer, and all that wait.
func (s *Store) write(first *newcomer) {
	var all []*newcomer
	taken, size := map[string]bool{}, 0
	for n, more := first, true; more; {
		switch {
		case n.ctx.Err() != nil: // nobody waits for it any more
		case taken[n.label()]:
			n.said <- errTwin
		default:
			all, size = append(all, n), size+len(n.value)
			taken[n.label()] = true
		}
		if len(all) == maxGathered || size >= maxBytes {
			break
		}
		select {
		case n = <-s.come:
		default:
			more = false
		}
	}
	if len(all) == 0 {
		return
	}
	for i, err := range s.insertAll(context.Background(), all) { // who gives up must not take the others along
		all[i].said <- err
	}
}

// insertAll writes records of different names, in one statement, and returns what
// became of each. They are in order, the same on all nodes, so that no two statements
// wait for each other.
func (s *Store) insertAll(ctx context.Context, all []*newcomer) []error {
	slices.SortFunc(all, func(a, b *newcomer) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key)) })
	kinds, keys, untils, values := make([][]byte, len(all)), make([][]byte, len(all)), make([][]byte, len(all)), make([][]byte, len(all))
	for i, n := range all {
		kinds[i], keys[i], untils[i], values[i] = []byte(n.kind), []byte(n.key), endOf(n.until), n.value
	}
	// One that has ended is in nobody's way, though it isn't swept yet.
	stored, err := s.query(ctx, "save", `insert into record (kind, key, version, until, value)
		select kind, key, 1, until, value from unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[]) as n (kind, key, until, value)
		on conflict (kind, key) do update set version = 1, until = excluded.until, value = excluded.value
		where record.until <= $1
		returning kind || '\x00'::bytea || key`, timeBytes(s.now()), kinds, keys, untils, values)
	is := make(map[string]bool, len(stored))
	for _, label := range stored {
		is[label] = true
	}
	became := make([]error, len(all))
	for i, n := range all {
		switch {
		case err != nil:
			became[i] = err
		case !is[n.label()]:
			became[i] = auth.ErrChanged
		}
	}
	return became
}
