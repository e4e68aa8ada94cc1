// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/redact"

	"skrin/ldp"
)

// A disk is a file system on which what can't be written now, for want of space
// or of permission, is tried again until it can. The database would take the
// failure for the end.
type disk struct {
	vfs.FS
	log   *slog.Logger
	pause time.Duration

	mu      sync.Mutex
	waiting int           // writes that are being tried again
	full    chan struct{} // closed as long as there are some
}

func newDisk(fs vfs.FS, log *slog.Logger) *disk {
	return &disk{FS: fs, log: log, pause: 200 * time.Millisecond, full: make(chan struct{})}
}

// Unwrap implements vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

// room is the space with which a store starts: enough to write out the logs that
// it finds.
const room = 64 << 20

// probe reports why a store can't start in dir, where it would wait for ever.
func (d *disk) probe(dir string) error {
	if use, err := d.FS.GetDiskUsage(dir); err == nil && use.AvailBytes < room { // not every file system knows
		return fmt.Errorf("the disk has %d MiB left, and it takes %d to start: %w", use.AvailBytes>>20, room>>20, ldp.Unavailable)
	}
	name := d.FS.PathJoin(dir, "probe")
	f, err := d.FS.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("the disk can't be written: %w: %w", ldp.Unavailable, err)
	}
	_, err = f.Write([]byte("probe"))
	if err = errors.Join(err, f.Sync(), f.Close(), d.FS.Remove(name)); err != nil {
		return fmt.Errorf("the disk can't be written: %w: %w", ldp.Unavailable, err)
	}
	return nil
}

// fullness returns a channel that is closed when the disk can't be written.
func (d *disk) fullness() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// passing reports whether err may go away without the data having suffered.
func passing(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// try runs op until it succeeds or fails for good.
func (d *disk) try(op func() error) error {
	err := op()
	if err == nil || !passing(err) {
		return err
	}
	d.stall(err)
	defer d.resume()
	for err != nil && passing(err) {
		time.Sleep(d.pause)
		err = op()
	}
	return err
}

func (d *disk) stall(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting++
	if d.waiting == 1 {
		close(d.full)
		d.log.Error("the disk can't be written; all changes are refused until it can", "err", err)
	}
}

func (d *disk) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting--
	if d.waiting == 0 {
		d.full = make(chan struct{})
		d.log.Info("the disk can be written again")
	}
}

// open tries to open a file for writing.
func (d *disk) open(op func() (vfs.File, error)) (f vfs.File, err error) {
	err = d.try(func() error { f, err = op(); return err })
	if err != nil {
		return nil, err
	}
	return file{f, d}, nil
}

// Create implements vfs.FS.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(func() (vfs.File, error) { return d.FS.Create(name, c) })
}

// OpenReadWrite implements vfs.FS.
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.open(func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(func() (vfs.File, error) { return d.FS.ReuseForWrite(from, to, c) })
}

// Link implements vfs.FS.
func (d *disk) Link(from, to string) error { return d.try(func() error { return d.FS.Link(from, to) }) }

// Rename implements vfs.FS.
func (d *disk) Rename(from, to string) error {
	return d.try(func() error { return d.FS.Rename(from, to) })
}

// Remove implements vfs.FS.
func (d *disk) Remove(name string) error { return d.try(func() error { return d.FS.Remove(name) }) }

// MkdirAll implements vfs.FS.
func (d *disk) MkdirAll(dir string, perm os.FileMode) error {
	return d.try(func() error { return d.FS.MkdirAll(dir, perm) })
}

// A file is one that is written. Its Sync is tried once: after a failed one the
// kernel may have dropped what it could not write.
type file struct {
	vfs.File
	disk *disk
}

// Write implements vfs.File.
func (f file) Write(p []byte) (n int, err error) {
	err = f.disk.try(func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

// WriteAt implements vfs.File.
func (f file) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.disk.try(func() error {
		n, err = f.File.WriteAt(p, at)
		return err
	})
	return n, err
}

// Preallocate implements vfs.File. It is an optimization, so it may fail.
func (f file) Preallocate(at, length int64) error {
	if err := f.File.Preallocate(at, length); err != nil && !passing(err) {
		return err
	}
	return nil
}

// A logger passes on what an operator must know, without keys and values.
type logger struct{ log *slog.Logger }

// Infof implements pebble.Logger. What the database does in its normal course is
// not for the log.
func (logger) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("database", "err", redacted(format, args))
}

// Fatalf implements pebble.Logger. The database is not safe to use after it.
func (l logger) Fatalf(format string, args ...any) {
	err := redacted(format, args)
	l.log.Error("the disk has failed; nothing more can be written safely. Mend it and start again: what was acknowledged is recovered", "err", err)
	panic(fmt.Sprintf("pod/pebble: %s", err))
}

func redacted(format string, args []any) string {
	return string(redact.Sprintf(format, args...).Redact())
}
