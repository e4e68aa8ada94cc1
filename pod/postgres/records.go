// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"skrin/auth"
	"skrin/ldp"
)

const (
	maxRecord = 64<<10 + 64 // of which 64 are for a seal
	maxLabel  = 1023        // of a record's kind and key together
)

// isLabel reports whether a record can be called so.
func isLabel(kind, key string) bool {
	return kind != "" && key != "" && len(kind)+len(key) <= maxLabel && strings.IndexByte(kind+key, 0) < 0
}

// Load implements auth.Records.
func (s *Store) Load(ctx context.Context, kind, key string) (auth.Record, error) {
	if err := ctx.Err(); err != nil {
		return auth.Record{}, err
	}
	if !isLabel(kind, key) {
		return auth.Record{}, auth.ErrNoRecord
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	var r auth.Record
	var version int64
	var until []byte
	err := s.db.QueryRow(ctx, "select version, until, value from record where kind = $1 and key = $2", []byte(kind), []byte(key)).
		Scan(&version, &until, &r.Value)
	if errors.Is(err, pgx.ErrNoRows) {
		return auth.Record{}, auth.ErrNoRecord
	}
	if err != nil {
		return auth.Record{}, s.late(ctx, s.failed("load", err))
	}
	r.Version = uint64(version)
	if until != nil {
		if r.Until, err = readTime(until); err != nil {
			return auth.Record{}, err
		}
		if !s.now().Before(r.Until) {
			return auth.Record{}, auth.ErrNoRecord
		}
	}
	return r, nil
}

// Save implements auth.Records. kind and key together have at most 1023 bytes.
func (s *Store) Save(ctx context.Context, kind, key string, r auth.Record) error {
	if len(r.Value) > maxRecord {
		return fmt.Errorf("pod/postgres: a record of %d bytes is over the limit of %d: %w", len(r.Value), maxRecord, ldp.TooLarge)
	}
	if !isLabel(kind, key) {
		return errors.New("pod/postgres: a record's kind or key is empty, holds NUL or is too long")
	}
	if r.Version == 0 {
		return s.insert(ctx, kind, key, r)
	}
	n, err := s.exec(ctx, "save", `update record set version = version + 1, until = $4, value = $5
		where kind = $1 and key = $2 and version = $6 and (until is null or until > $3)`,
		[]byte(kind), []byte(key), timeBytes(s.now()), endOf(r.Until), append([]byte{}, r.Value...), int64(r.Version))
	if err == nil && n == 0 {
		return auth.ErrChanged
	}
	return err
}

// endOf returns a record's end; nil for none.
func endOf(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return timeBytes(t)
}

// Delete implements auth.Records.
func (s *Store) Delete(ctx context.Context, kind, key string) error {
	_, err := s.exec(ctx, "delete", "delete from record where kind = $1 and key = $2", []byte(kind), []byte(key))
	return err
}

// List implements auth.Records.
func (s *Store) List(ctx context.Context, kind, prefix, after string, limit int) ([]string, error) {
	return s.query(ctx, "list", `select key from record
		where kind = $1 and key >= $2 and ($3::bytea is null or key < $3) and key > $4 and (until is null or until > $5)
		order by key limit $6`,
		[]byte(kind), []byte(prefix), next([]byte(prefix)), []byte(after), timeBytes(s.now()), max(limit, 0))
}

const (
	sweepEvery = time.Minute
	sweepBatch = 512 // records removed at a time
)

// sweep removes records that have ended, until ctx is done. All nodes do, and
// leave each other what one has begun.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.sweepAll(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("sweep of ended records", "err", err)
		}
	}
}

// sweepAll removes the records that have ended. So of what comes without end, as
// used proofs do, there is never more than comes in its life and sweepEvery.
func (s *Store) sweepAll(ctx context.Context) error {
	for n := int64(sweepBatch); n == sweepBatch; {
		var err error
		if n, err = s.sweepSome(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepSome(ctx context.Context) (int64, error) {
	return s.exec(ctx, "sweep", `delete from record where (kind, key) in
		(select kind, key from record where until <= $1 order by until limit $2 for update skip locked)`,
		timeBytes(s.now()), sweepBatch)
}
