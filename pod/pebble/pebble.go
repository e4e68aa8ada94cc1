// SPDX-License-Identifier: EUPL-1.2

// Package pebble keeps pods, and what auth must remember, in one directory of
// one machine: the embedded engine, on cockroachdb/pebble.
//
// A [Store] is a store.Store and an auth.Records. A commit is synced to the disk
// before it is acknowledged; commits that come at the same time share a sync,
// also those of one pod. What no sync has reached yet is never shown: a View
// that has seen an unsynced commit returns when that is synced. Updates of one
// pod run one after another; for that a fixed number of locks is shared by all
// pods, so an idle pod costs nothing but its bytes.
//
// Keys in the database, all big-endian, a time being its seconds (with the sign
// bit flipped) and nanoseconds:
//
//	"f"                           format of all that follows, uint32
//	"p" len(id) id key            a pod's value under key; len is one byte
//	"n" name                      id of the pod that has claimed name
//	"u" id                        the pod's Due time
//	"d" time id                   the same, in order of time; empty value
//	"r" kind 0 key                a record: version uint64, end time, value
//	"e" time kind 0 key           the records that end, in order of time; empty
//
// A full disk, an exhausted quota or a directory that has become read-only stops
// writes, not reads: Updates get an error that wraps ldp.Unavailable until the
// disk can be written again, and then go on; nothing needs a restart. After any
// other failure to write or sync (a broken disk) nobody can know what is on it:
// the engine logs that and panics. A restart recovers all that was acknowledged.
package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/store"
)

// format is the layout of keys and values that this package writes, and pod above
// it. Whatever an older program would misread makes a new one:
//
//	1  2026-11  the first
//	2  2026-11  a pod may have moved away: an older program would serve it, empty
//	3  2026-11  upkeep.Schema 2: an older program would leave indexes behind that lie
const format uint32 = 3

// step brings a store from a format to the next, in the batch that says so. What is
// interrupted has not begun.
func (s *Store) step(from uint32, b *pebble.Batch) error {
	switch from {
	case 1, 2: // what is stored stays; the pods' values, which are sealed, upkeep.Upgrade brings along
	default:
		return fmt.Errorf("pod/pebble: nothing leads on from format %d", from)
	}
	return b.Set([]byte{keyFormat}, binary.BigEndian.AppendUint32(nil, from+1), nil)
}

// Options says how a Store is opened.
type Options struct {
	// Now is the clock by which Records end. Required.
	Now func() time.Time
	// Log takes what an operator must know; nil for nothing. It gets no keys and
	// no values.
	Log *slog.Logger
	// Cache is how many bytes of the data are kept uncompressed in memory;
	// 0 for 32 MiB. What the operating system caches comes on top.
	Cache int64
	// Shred has the Delete of a record take it out of the files too, where else it
	// stays until they happen to be written anew: for keys. It makes a Delete dear, and
	// all commits a little. What the disk below keeps of removed files is its own.
	Shred bool
}

// A Store keeps pods and records in a directory. It is safe for concurrent use.
type Store struct {
	db   *pebble.DB
	lock *pebble.Lock
	disk *disk
	now  func() time.Time
	log  *slog.Logger

	shreds bool

	pods, names, records stripes
	turn                 atomic.Uint64 // the number that was last given to a state
	known                claims
	followers            store.Followers

	gate   sync.RWMutex // read-locked by every call; Close shuts it
	closed bool
	stop   chan struct{}  // closed by Close
	work   sync.WaitGroup // commits on their way, and the sweeper
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Pods   = (*Store)(nil)
	_ store.Feed   = (*Store)(nil)
	_ auth.Records = (*Store)(nil)
)

// Open opens the store in dir, and makes it if it isn't there. It is an error if
// another process has it open, if it was written by a newer version, or if the
// disk has less than 64 MiB left.
func Open(dir string, o Options) (*Store, error) { return open(dir, vfs.Default, o) }

// OpenMemory opens an empty store that is lost when it is closed: for tests.
func OpenMemory(o Options) (*Store, error) { return open("store", vfs.NewMem(), o) }

func open(dir string, fs vfs.FS, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, errors.New("pod/pebble: Options.Now is missing")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Cache == 0 {
		o.Cache = 32 << 20
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("pod/pebble: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: %s can't be locked; is another skrin running on it? %w", dir, err)
	}
	s := &Store{lock: lock, disk: newDisk(fs, o.Log), now: o.Now, log: o.Log, shreds: o.Shred, stop: make(chan struct{})}
	if err := s.disk.probe(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("pod/pebble: open %s: %w", dir, err), lock.Close())
	}
	if s.db, err = pebble.Open(dir, s.options(o.Cache)); err != nil {
		return nil, errors.Join(fmt.Errorf("pod/pebble: open %s: %w", dir, err), lock.Close())
	}
	if err := s.checkFormat(dir); err != nil {
		return nil, errors.Join(err, s.db.Close(), lock.Close())
	}
	for _, set := range []*stripes{&s.pods, &s.names, &s.records} {
		set.init()
	}
	s.turn.Store(1)
	s.work.Go(s.sweep)
	return s, nil
}

// options suits two cores and a small memory: at most three memtables of 8 MiB,
// one of them idle, beside the cache.
func (s *Store) options(cache int64) *pebble.Options {
	log := logger{s.log}
	o := &pebble.Options{
		FS:                          s.disk,
		Lock:                        s.lock,
		Logger:                      log,
		CacheSize:                   cache,
		MemTableSize:                8 << 20,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                1000,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { log.Errorf("background: %s", err) },
			// The read that finds it gets an error; other data stay readable.
			DataCorruption: func(info pebble.DataCorruptionInfo) { log.Errorf("corrupt data: %s", info) },
		},
	}
	if s.shreds {
		o.Cleaner = shredder{}
	}
	// A block holds all of a small pod, and the index of a table is one block. What
	// is stored is sealed, so that compressing it would only cost.
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize, o.Levels[i].IndexBlockSize = 16<<10, 256<<10
		o.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
	}
	return o
}

// checkFormat refuses a store that a newer version wrote, brings one of an older to
// this version's format, and marks a new one.
func (s *Store) checkFormat(dir string) error {
	value, err := read(s.db, []byte{keyFormat})
	switch {
	case err != nil:
		return err
	case value == nil:
		return s.markFormat(dir)
	case len(value) != 4:
		return fmt.Errorf("pod/pebble: %s has no format that this program knows", dir)
	}
	if f := binary.BigEndian.Uint32(value); f > format {
		return fmt.Errorf("pod/pebble: %s has format %d, written by a newer skrin; this one reads up to %d. Start the newer version", dir, f, format)
	}
	return s.migrate(binary.BigEndian.Uint32(value))
}

func (s *Store) migrate(from uint32) error {
	for at := from; at < format; at++ {
		b := s.db.NewBatch()
		err := s.step(at, b)
		if err == nil {
			err = b.Commit(pebble.Sync)
		}
		if err = errors.Join(err, b.Close()); err != nil {
			return fmt.Errorf("pod/pebble: migrate from format %d: %w", at, err)
		}
		s.log.Info("the store has a new format; an older skrin can't open it any more", "format", at+1)
	}
	return nil
}

func (s *Store) markFormat(dir string) error {
	iter, err := s.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("pod/pebble: %w", err)
	}
	empty := !iter.First()
	if err := iter.Close(); err != nil {
		return fmt.Errorf("pod/pebble: %w", err)
	}
	if !empty {
		return fmt.Errorf("pod/pebble: %s holds a database of another program", dir)
	}
	err = s.db.Set([]byte{keyFormat}, binary.BigEndian.AppendUint32(nil, format), pebble.Sync)
	if err != nil {
		return fmt.Errorf("pod/pebble: %w", err)
	}
	return nil
}

var (
	errClosed = fmt.Errorf("pod/pebble: the store is closed: %w", ldp.Unavailable)
	errFull   = fmt.Errorf("pod/pebble: the disk can't be written (full, or read-only): %w", ldp.Unavailable)
)

// Close ends the store when the calls under way have ended. Later calls get an
// error that wraps ldp.Unavailable. If the disk is full it returns such an error
// too, and leaves the files as a crash would: nothing acknowledged is lost.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed {
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	s.gate.Unlock()
	close(s.stop)
	ended := make(chan error, 1)
	go func() {
		s.work.Wait()
		ended <- errors.Join(s.db.Close(), s.lock.Close())
	}()
	select {
	case err := <-ended:
		return err
	case <-s.disk.fullness():
		return errFull
	}
}

// enter lets a call in; the caller calls leave at its end.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return nil, errClosed
	}
	return s.gate.RUnlock, nil
}

// enterToWrite is enter for what will commit.
func (s *Store) enterToWrite(ctx context.Context) (leave func(), err error) {
	select {
	case <-s.disk.fullness():
		return nil, errFull
	default:
		return s.enter(ctx)
	}
}

// read returns a copy of the value under a key of the database, nil if there is
// none.
func read(from pebble.Reader, key []byte) (value []byte, err error) {
	found, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pod/pebble: read: %w", err)
	}
	value = append(make([]byte, 0, len(found)), found...)
	return value, closeIt(closer)
}

func closeIt(c io.Closer) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("pod/pebble: read: %w", err)
	}
	return nil
}
