// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"skrin/auth"
	"skrin/ldp"
)

// isLabel reports whether a record can be called so.
func isLabel(kind, key string) bool {
	return kind != "" && key != "" && len(label(kind, key)) <= maxLabel && strings.IndexByte(kind+key, 0) < 0
}

const recordHead = 8 + timeLen

func appendRecord(r auth.Record) []byte {
	b := make([]byte, 0, recordHead+len(r.Value))
	b = binary.BigEndian.AppendUint64(b, r.Version)
	return append(appendTime(b, r.Until), r.Value...)
}

// record returns the record of that label, the zero Record if there is none. It
// may have ended.
func (s *Store) record(label string) (auth.Record, error) {
	b, err := read(s.db, recordKey(label))
	if err != nil || b == nil {
		return auth.Record{}, err
	}
	return parseRecord(b)
}

func parseRecord(b []byte) (auth.Record, error) {
	if len(b) < recordHead {
		return auth.Record{}, fmt.Errorf("pod/pebble: a record of %d bytes is damaged", len(b))
	}
	return auth.Record{Value: b[recordHead:], Version: binary.BigEndian.Uint64(b), Until: readTime(b[8:])}, nil
}

func ended(r auth.Record, now time.Time) bool {
	return !r.Until.IsZero() && !now.Before(r.Until)
}

// Load implements auth.Records.
func (s *Store) Load(ctx context.Context, kind, key string) (auth.Record, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return auth.Record{}, err
	}
	defer leave()
	if !isLabel(kind, key) {
		return auth.Record{}, auth.ErrNoRecord
	}
	r, err := s.record(label(kind, key))
	if err != nil {
		return auth.Record{}, err
	}
	if err := s.settled(ctx, s.records.of(label(kind, key))); err != nil {
		return auth.Record{}, err
	}
	if r.Version == 0 || ended(r, s.now()) {
		return auth.Record{}, auth.ErrNoRecord
	}
	return r, nil
}

// Save implements auth.Records. kind and key together have at most 1023 bytes.
func (s *Store) Save(ctx context.Context, kind, key string, r auth.Record) error {
	if len(r.Value) > maxRecord {
		return fmt.Errorf("pod/pebble: a record of %d bytes is over the limit of %d: %w", len(r.Value), maxRecord, ldp.TooLarge)
	}
	if !isLabel(kind, key) {
		return fmt.Errorf("pod/pebble: a record's kind or key is empty, holds NUL or is too long")
	}
	return s.change(ctx, label(kind, key), func(b *pebble.Batch, old auth.Record) error {
		if ended(old, s.now()) {
			dropEnding(b, label(kind, key), old)
			old = auth.Record{}
		}
		if old.Version != r.Version {
			return auth.ErrChanged
		}
		dropEnding(b, label(kind, key), old)
		r.Version++
		_ = b.Set(recordKey(label(kind, key)), appendRecord(r), nil)
		if !r.Until.IsZero() {
			_ = b.Set(endingKey(appendTime(nil, r.Until), label(kind, key)), nil, nil)
		}
		return nil
	})
}

// Delete implements auth.Records.
func (s *Store) Delete(ctx context.Context, kind, key string) error {
	err := s.change(ctx, label(kind, key), func(b *pebble.Batch, old auth.Record) error {
		drop(b, label(kind, key), old)
		return nil
	})
	if err != nil || !s.shreds {
		return err
	}
	return s.shred(ctx, recordKey(label(kind, key)))
}

// A shredder removes files of a database that uses none of its logs a second time,
// in which what they had held would stay. It is a [pebble.DeleteCleaner], of which the
// database believes that it needs what is in the files, as of who archives them.
type shredder struct {
	pebble.DeleteCleaner
	archives
}

type archives struct{ pebble.ArchiveCleaner }

// shred writes the files anew in which there may be what was under a key. The old ones
// are removed soon.
func (s *Store) shred(ctx context.Context, key []byte) error {
	leave, err := s.enterToWrite(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("pod/pebble: shred: %w", err)
	}
	if err := s.db.Compact(ctx, key, append(key, 0), false); err != nil {
		return fmt.Errorf("pod/pebble: shred: %w", err)
	}
	return nil
}

// drop removes a record, if there is one.
func drop(b *pebble.Batch, label string, r auth.Record) {
	if r.Version != 0 {
		_ = b.Delete(recordKey(label), nil)
		dropEnding(b, label, r)
	}
}

func dropEnding(b *pebble.Batch, label string, r auth.Record) {
	if !r.Until.IsZero() {
		_ = b.Delete(endingKey(appendTime(nil, r.Until), label), nil)
	}
}

// change commits what fn makes of a record while nobody else can change it.
func (s *Store) change(ctx context.Context, label string, fn func(b *pebble.Batch, old auth.Record) error) error {
	leave, err := s.enterToWrite(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var h held
	defer h.release()
	if err := h.lock(ctx, &s.records, label); err != nil {
		return err
	}
	old, err := s.record(label)
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	err = fn(b, old)
	if err == nil && !b.Empty() {
		return s.commit(ctx, b, &h, new(commit))
	}
	_ = b.Close()
	if err := s.settled(ctx, h...); err != nil {
		return err
	}
	return err
}

// List implements auth.Records. It may list a record that isn't synced yet.
func (s *Store) List(ctx context.Context, kind, prefix, from string, limit int) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	first := prefix
	if from != "" && from >= prefix {
		first = from + "\x00"
	}
	bounds := pebble.IterOptions{LowerBound: recordKey(label(kind, first)), UpperBound: after(recordKey(label(kind, prefix)))}
	if bytes.Compare(bounds.LowerBound, bounds.UpperBound) >= 0 {
		return nil, nil
	}
	iter, err := s.db.NewIterWithContext(ctx, &bounds)
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: list: %w", err)
	}
	keys, err := s.living(ctx, iter, len(recordKey(label(kind, ""))), limit)
	if e := iter.Close(); e != nil && err == nil {
		err = fmt.Errorf("pod/pebble: list: %w", e)
	}
	return keys, err
}

// living returns what follows the first skip bytes of the keys of the records in
// iter that have not ended, at most limit.
func (s *Store) living(ctx context.Context, iter *pebble.Iterator, skip, limit int) ([]string, error) {
	var keys []string
	now := s.now()
	for ok := iter.First(); ok && len(keys) < limit; ok = iter.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("pod/pebble: list: %w", err)
		}
		r, err := parseRecord(value)
		if err != nil {
			return nil, err
		}
		if !ended(r, now) {
			keys = append(keys, string(iter.Key()[skip:]))
		}
	}
	return keys, nil
}

const (
	sweepEvery = time.Minute
	sweepBatch = 512 // records removed before it looks whether it should stop
)

// sweep removes records that have ended, until the store is closed.
func (s *Store) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.sweepAll()
		}
	}
}

func (s *Store) sweepAll() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.disk.fullness():
			return
		default:
		}
		n, err := s.sweepSome()
		if err != nil {
			s.log.Error("sweep of ended records", "err", err)
		}
		if err != nil || n < sweepBatch {
			return
		}
	}
}

// sweepSome removes the records that ended first, at most sweepBatch, and returns
// how many. It needn't sync: an ended record that comes back is swept again.
func (s *Store) sweepSome() (n int, err error) {
	now := s.now()
	iter, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{keyEndings},
		UpperBound: after(endingKey(appendTime(nil, now), "")),
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = iter.Close() }() // its error is that of Next
	for ok := iter.First(); ok && n < sweepBatch; ok = iter.Next() {
		if err := s.sweepOne(string(iter.Key()[1+timeLen:]), bytes.Clone(iter.Key()), now); err != nil {
			return n, err
		}
		n++
	}
	return n, iter.Error()
}

func (s *Store) sweepOne(label string, ending []byte, now time.Time) error {
	var h held
	defer h.release()
	if err := h.lock(context.Background(), &s.records, label); err != nil {
		return err
	}
	r, err := s.record(label)
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	if ended(r, now) {
		drop(b, label, r)
	}
	_ = b.Delete(ending, nil)
	return s.db.Apply(b, pebble.NoSync)
}
