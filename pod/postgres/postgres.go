// SPDX-License-Identifier: EUPL-1.2

// Package postgres keeps pods, and what auth must remember, in PostgreSQL or a
// database that speaks its protocol: the engine of a cluster, through
// jackc/pgx.
//
// A [Store] is a store.Store and an auth.Records. Any number of processes use one
// database; nothing is cached in them, so what one has committed the next View
// of every other sees. The SQL is plain: no advisory locks, no functions,
// and LISTEN only to be faster, so that databases which are distributed themselves can stand in.
//
// An Update locks the pod's row (SELECT … FOR UPDATE): so updates of one pod run
// one after another, on whatever node, and updates of different pods side by
// side. It takes two round trips, and one for each Get or Scan but the first Get:
// begin, lock, look the name up and read in one; all writes and the commit in one. Where the database
// ends a transaction for the sake of another one, it is run again, ten times at
// most. A View is a REPEATABLE READ, READ ONLY transaction, which begins likewise.
// Who knows what will be read next says so (store.Ahead): it comes with what is read now. Of one pod's Updates
// two at most have a connection of this process, the others wait for them before
// they take one: so a pod that is locked for long keeps no other from working.
//
// New records that come at once are written together, see gather.go: each request with
// a token leaves one.
//
// Keys and names are bytea, which sorts by bytes. The index of PostgreSQL holds
// at most 2704 bytes of a row, so a key's first 1024 bytes are its head, the
// rest, mostly nothing, is its tail, and tailid the tail's SHA-256, empty for an
// empty one. Times are 12 bytes that sort as the times do, to the nanosecond.
//
// The tables are made and changed by the numbered files in migrations, each
// with the way back ("skrin schema --back"). Of several nodes that start at once one migrates.
//
// States have no numbers here (2026-11), so pod/sealed keeps nothing of what it has
// opened, as it does on pod/pebble. What PostgreSQL knows by itself won't do: the xmin
// of the pod's row stays as it is when only values change, and is used again after
// 2^32 transactions. A column that each commit sets would cost no round trip, since it
// could be read where the name is looked up and be written with the values; counted up
// it would still repeat itself when a replica takes over that lacks the last commits,
// while nodes remember what those had said, so it would have to be drawn at random.
// But then every decision hangs on all who write also setting it: one node of an older
// version, one statement by hand, and the others go on to permit what was withdrawn,
// with nothing to show it. Here the values are read in the transaction that decides,
// and a node that is wrong about itself harms nobody else. We gave up the one or two
// round trips of a read whose values are known, and the opening of their seals, some
// 3 µs each.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/store"
)

// Options says how a Store is opened.
type Options struct {
	// URL is the database's, as libpq and pgx know it, postgres://user@host/name.
	// pool_max_conns in it says how many connections this process may have; 16
	// without. Required.
	URL string
	// Password is the user's, so that it need not be in the URL. May be empty.
	Password string
	// Now is the clock by which Records end. The nodes' clocks must agree. Required.
	Now func() time.Time
	// Log takes what an operator must know; nil for nothing. It gets no keys and
	// no values.
	Log *slog.Logger
	// Timeout is for how long a call may wait for the database, before it is
	// ldp.Unavailable; 0 for 10 seconds.
	Timeout time.Duration
}

// A Store keeps pods and records in a database. It is safe for concurrent use.
type Store struct {
	db      *pgxpool.Pool
	now     func() time.Time
	log     *slog.Logger
	timeout time.Duration
	queue   *queue

	come     chan *newcomer // records to be written
	gathered chan struct{}  // closed when none is written any more

	stop context.CancelFunc
	work sync.WaitGroup // the gatherers, the sweeper and the announcer

	followers store.Followers
	node      string        // tells this process's announcements from others'
	wake      chan struct{} // there is something to announce

	feed    sync.Mutex
	pending map[string]bool // pods to be announced
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Pods   = (*Store)(nil)
	_ store.Feed   = (*Store)(nil)
	_ auth.Records = (*Store)(nil)
)

// Open connects to the database and brings its tables to this version. It is an
// error if they are of a newer one, if the database is a replica, or if it
// acknowledges what is not durable.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, errors.New("pod/postgres: Options.Now is missing")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	db, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, now: o.Now, log: o.Log, timeout: o.Timeout, queue: newQueue(),
		come: make(chan *newcomer, maxCome), gathered: make(chan struct{}), node: rand.Text(), wake: make(chan struct{}, 1)}
	if err := s.prepare(ctx); err != nil {
		db.Close()
		return nil, err
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for range gatherers {
		s.work.Go(func() { s.gather(ctx) })
	}
	s.work.Go(func() { s.sweep(ctx) })
	s.work.Go(func() { s.announce(ctx) })
	return s, nil
}

func connect(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("pod/postgres: the database's URL can't be read: want postgres://user@host/name")
	}
	if o.Password != "" {
		c.ConnConfig.Password = o.Password
	}
	if c.MaxConns < 16 {
		c.MaxConns = 16
	}
	c.ConnConfig.ConnectTimeout = min(o.Timeout, 5*time.Second)
	c.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	// A node that hangs in the midst of a transaction must not keep a pod locked.
	c.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint((2 * o.Timeout).Milliseconds())
	db, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("pod/postgres: %w", err)
	}
	return db, nil
}

// prepare checks the database and migrates it.
func (s *Store) prepare(ctx context.Context) error {
	var synced string
	err := s.db.QueryRow(ctx, "show synchronous_commit").Scan(&synced)
	if err != nil {
		return s.failed("open", err)
	}
	if synced == "off" {
		return errors.New("pod/postgres: synchronous_commit is off: the database would acknowledge what a power cut takes away. Set it to on")
	}
	return migrate(ctx, s.db, Newest)
}

// Close ends the store when the calls under way have ended.
func (s *Store) Close() error {
	s.stop()
	s.work.Wait()
	close(s.gathered)
	s.db.Close()
	return nil
}

// within bounds how long a call waits.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errSlow)
}

var errSlow = fmt.Errorf("pod/postgres: the database doesn't answer: %w", ldp.Unavailable)

// failed classes an error of the database.
func (s *Store) failed(doing string, err error) error {
	switch {
	case isCode(err, uniqueViolation):
		return store.ErrTaken
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("pod/postgres: %s: %w", doing, err)
	}
	return fmt.Errorf("pod/postgres: %s: %w: %w", doing, ldp.Unavailable, err)
}

// SQLSTATE of what happens in a database that is whole.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// again reports whether the database ended a transaction for the sake of another
// one, so that nothing has happened and it can be run again.
func again(err error) bool {
	return isCode(err, serializationFailure, deadlockDetected)
}

// exec runs one statement and returns how many rows it has changed.
func (s *Store) exec(ctx context.Context, doing, sql string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	for try := 1; ; try++ {
		tag, err := s.db.Exec(ctx, sql, args...)
		if err == nil {
			return tag.RowsAffected(), nil
		}
		if try == maxTries || !again(err) && !pgconn.SafeToRetry(err) {
			return 0, s.late(ctx, s.failed(doing, err))
		}
	}
}

// query runs one statement that returns one column.
func (s *Store) query(ctx context.Context, doing, sql string, args ...any) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	var found [][]byte
	for try := 1; ; try++ {
		rows, _ := s.db.Query(ctx, sql, args...) // CollectRows returns its error
		var err error
		if found, err = pgx.CollectRows(rows, pgx.RowTo[[]byte]); err == nil {
			break
		}
		if try == maxTries || !again(err) && !pgconn.SafeToRetry(err) {
			return nil, s.late(ctx, s.failed(doing, err))
		}
	}
	var all []string
	for _, b := range found {
		all = append(all, string(b))
	}
	return all, nil
}

// late is err, unless the reason for it is that ctx has ended.
func (s *Store) late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}
