// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openOn(t testing.TB, fs vfs.FS, log *slog.Logger) *Store {
	t.Helper()
	s, err := open("store", fs, Options{Now: time.Now, Log: log})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func nothing(store.Tx) error { return nil }

func put(s *Store, id, key, value string) error {
	return s.Update(context.Background(), store.Name("id/"+id), func(tx store.Tx) error { tx.Put(key, []byte(value)); return nil })
}

func value(t testing.TB, s *Store, id, key string) (v string) {
	t.Helper()
	must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		values, err := tx.Get(key)
		v = string(values[0])
		return err
	}))
	return v
}

func TestRefusesToOpen(t *testing.T) {
	set := func(key string, value []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatTableFormatV6, Logger: logger{slog.New(slog.DiscardHandler)}})
			must(t, err)
			must(t, db.Set([]byte(key), value, pebble.Sync))
			must(t, db.Close())
		}
	}
	for _, row := range []struct {
		what    string
		prepare func(*testing.T, string)
		says    string
	}{
		{"a store of a newer version", set("f", binary.BigEndian.AppendUint32(nil, format+1)), "newer"},
		{"another program's database", set("other", nil), "another program"},
		{"a damaged format", set("f", []byte("x")), "format"},
		{"a file", func(t *testing.T, dir string) { must(t, os.Remove(dir)); must(t, os.WriteFile(dir, nil, 0o600)) }, "not a directory"},
	} {
		dir := t.TempDir()
		row.prepare(t, dir)
		s, err := Open(dir, Options{Now: time.Now})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", row.what, err)
		}
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("a missing clock is accepted")
	}
}

// TestLock opens a store that this process and another one have open.
func TestLock(t *testing.T) {
	if dir := os.Getenv("SKRIN_TEST_LOCK"); dir != "" {
		_, err := Open(dir, Options{Now: time.Now})
		fmt.Println(err)
		os.Exit(0)
	}
	dir := t.TempDir()
	s, err := Open(dir, Options{Now: time.Now})
	must(t, err)
	if _, err := Open(dir, Options{Now: time.Now}); err == nil || !strings.Contains(err.Error(), "another skrin") {
		t.Errorf("in this process: %v", err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestLock$")
	child.Env = append(os.Environ(), "SKRIN_TEST_LOCK="+dir)
	said, err := child.Output()
	if err != nil || !strings.Contains(string(said), "another skrin") {
		t.Errorf("in another process: %s, %v", said, err)
	}
	must(t, s.Close())
	s, err = Open(dir, Options{Now: time.Now})
	must(t, err)
	must(t, s.Close())
}

func TestClosed(t *testing.T) {
	s, err := OpenMemory(Options{Now: time.Now})
	must(t, err)
	must(t, s.Create(t.Context(), "a", nothing))
	must(t, s.Close())
	must(t, s.Close())
	_, due := s.Due(t.Context(), time.Now(), 1)
	_, load := s.Load(t.Context(), "kind", "key")
	_, list := s.List(t.Context(), "kind", "", "", 1)
	for what, err := range map[string]error{
		"View": s.View(t.Context(), "id/a", nothing), "Update": s.Update(t.Context(), "id/a", nothing),
		"Create": s.Create(t.Context(), "b", nothing), "Due": due, "Load": load, "List": list,
		"Save": s.Save(t.Context(), "kind", "key", auth.Record{}), "Delete": s.Delete(t.Context(), "kind", "key"),
	} {
		if !errors.Is(err, ldp.Unavailable) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// TestPowerCut cuts the power of a disk that forgets what was not synced, while
// 8 writers work. All that was acknowledged, and all that was read, is there.
func TestPowerCut(t *testing.T) {
	const writers, pods = 8, 3
	for round := range 30 {
		fs := vfs.NewCrashableMem()
		s := openOn(t, fs, nil)
		for i := range pods {
			must(t, s.Create(t.Context(), fmt.Sprint("p", i), nothing))
		}
		var acked [writers][pods]atomic.Int64
		var seen [pods]atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() { // writes 1, 2, 3… twice into each pod
				for n := 1; ctx.Err() == nil; n++ {
					p := (n + w) % pods
					err := s.Update(ctx, store.Name(fmt.Sprint("id/p", p)), func(tx store.Tx) error {
						tx.Put(fmt.Sprint("k", w), fmt.Append(nil, n))
						tx.Put(fmt.Sprint("l", w), fmt.Append(nil, n))
						return nil
					})
					if err == nil {
						acked[w][p].Store(int64(n))
					}
				}
			})
		}
		wg.Go(func() { // reads what writer 0 writes
			for ctx.Err() == nil {
				for p := range pods {
					_ = s.View(t.Context(), store.Name(fmt.Sprint("id/p", p)), func(tx store.Tx) error {
						seen[p].Store(number(t, tx, "k0"))
						return nil
					})
				}
			}
		})
		time.Sleep(time.Duration(1+rand.IntN(10)) * time.Millisecond)
		var want [writers][pods]int64
		var read [pods]int64
		for p := range pods {
			read[p] = seen[p].Load()
			for w := range writers {
				want[w][p] = acked[w][p].Load()
			}
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: round % 3 * 50, RNG: rand.New(rand.NewPCG(uint64(round), 1))})
		stop()
		wg.Wait()

		s = openOn(t, crashed, nil)
		for p := range pods {
			must(t, s.View(t.Context(), store.Name(fmt.Sprint("id/p", p)), func(tx store.Tx) error {
				for w := range writers {
					k, l := number(t, tx, fmt.Sprint("k", w)), number(t, tx, fmt.Sprint("l", w))
					if k != l {
						t.Errorf("half a commit: %d and %d", k, l)
					}
					if k < want[w][p] {
						t.Errorf("acknowledged: %d; there: %d", want[w][p], k)
					}
				}
				if k := number(t, tx, "k0"); k < read[p] {
					t.Errorf("a View saw %d; there: %d", read[p], k)
				}
				return nil
			}))
		}
	}
}

func number(t testing.TB, tx store.Tx, key string) (n int64) {
	t.Helper()
	values, err := tx.Get(key)
	if err == nil && values[0] != nil {
		_, err = fmt.Sscan(string(values[0]), &n)
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// A slowFS is a file system whose Sync waits while the lock is held.
type slowFS struct {
	vfs.FS
	slow *sync.RWMutex
}

func (f slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return slowFile{file, f.slow}, err
}

type slowFile struct {
	vfs.File
	slow *sync.RWMutex
}

func (f slowFile) Sync() error {
	f.slow.RLock()
	defer f.slow.RUnlock()
	return f.File.Sync()
}

func (f slowFile) SyncData() error { return f.Sync() }

// TestUnsynced looks at commits that are not on the disk yet: nobody may return
// what a power cut would unmake, and nobody need wait who has not seen it.
func TestUnsynced(t *testing.T) {
	fs := slowFS{vfs.NewMem(), new(sync.RWMutex)}
	s := openOn(t, fs, nil)
	other := "b0" // shares no lock with the pods that are written
	for i := 1; s.pods.of(other) == s.pods.of("a") || s.pods.of(other) == s.pods.of("c") || s.names.of("id/"+other) == s.names.of("id/c"); i++ {
		other = fmt.Sprint("b", i)
	}
	for _, id := range []string{"a", other} {
		must(t, s.Create(t.Context(), id, nothing))
		must(t, put(s, id, "k", "old"))
	}
	must(t, s.Save(t.Context(), "kind", "key", auth.Record{}))
	fs.slow.Lock()
	var wg sync.WaitGroup
	wg.Go(func() { must(t, put(s, "a", "k", "new")) })
	wg.Go(func() { must(t, s.Create(t.Context(), "c", nothing)) })
	wg.Go(func() { must(t, s.Save(t.Context(), "kind", "key", auth.Record{Version: 1})) })
	for visible := 0; visible != 3; time.Sleep(time.Millisecond) {
		visible = 0
		for _, key := range []string{"p\x01ak=new", "nid/c=c"} {
			k, v, _ := strings.Cut(key, "=")
			if got, err := read(s.db, []byte(k)); err == nil && string(got) == v {
				visible++
			}
		}
		if r, err := s.record(label("kind", "key")); err == nil && r.Version == 2 {
			visible++
		}
	}
	mine := errors.New("mine")
	for what, call := range map[string]func(context.Context) error{
		"View": func(ctx context.Context) error { return s.View(ctx, "id/a", nothing) },
		"Update": func(ctx context.Context) error {
			return s.Update(ctx, "id/a", func(tx store.Tx) error { tx.Put("l", nil); return nil })
		},
		"Update without a write":  func(ctx context.Context) error { return s.Update(ctx, "id/a", nothing) },
		"Update that fails":       func(ctx context.Context) error { return s.Update(ctx, "id/a", func(store.Tx) error { return mine }) },
		"Create of what is taken": func(ctx context.Context) error { return s.Create(ctx, "c", nothing) },
		"Claim of what is taken": func(ctx context.Context) error {
			return s.Update(ctx, store.Name("id/"+other), func(tx store.Tx) error { tx.Claim("id/c"); return nil })
		},
		"Load":                    func(ctx context.Context) error { _, err := s.Load(ctx, "kind", "key"); return err },
		"Save of a stale version": func(ctx context.Context) error { return s.Save(ctx, "kind", "key", auth.Record{Version: 1}) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s has seen what is not synced and returns %v", what, err)
		}
		cancel()
	}
	if v := value(t, s, other, "k"); v != "old" {
		t.Errorf("the other pod holds %q", v)
	}
	fs.slow.Unlock()
	wg.Wait()
	if v := value(t, s, "a", "k"); v != "new" {
		t.Errorf("after the sync it is %q", v)
	}
}

// A fullFS is a file system that can be filled.
type fullFS struct {
	vfs.FS
	full *atomic.Bool
}

func (f fullFS) check() error {
	if f.full.Load() {
		return &os.PathError{Op: "write", Path: "a file", Err: syscall.ENOSPC}
	}
	return nil
}

func (f fullFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return fullFile{file, f}, err
}

func (f fullFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(from, to, c)
	return fullFile{file, f}, err
}

type fullFile struct {
	vfs.File
	fs fullFS
}

// Write writes a part of p, if the disk is full.
func (f fullFile) Write(p []byte) (int, error) {
	if err := f.fs.check(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func TestFullDisk(t *testing.T) {
	var said bytes.Buffer
	fs := fullFS{vfs.NewMem(), new(atomic.Bool)}
	s := openOn(t, fs, slog.New(slog.NewTextHandler(&said, nil)))
	s.disk.pause = time.Millisecond
	for _, id := range []string{"a", "b", "c"} {
		must(t, s.Create(t.Context(), id, nothing))
		must(t, put(s, id, "k", "old"))
	}
	fs.full.Store(true)
	err := put(s, "a", "k", "new") // this one meets the full disk
	if !errors.Is(err, ldp.Unavailable) {
		t.Errorf("the first Update: %v", err)
	}
	for range 100 { // these are refused
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := put(s, "b", "k", "new"); !errors.Is(err, ldp.Unavailable) {
			t.Errorf("an Update: %v", err)
		}
		if err := s.Create(ctx, "d", nothing); !errors.Is(err, ldp.Unavailable) {
			t.Errorf("a Create: %v", err)
		}
		if err := s.Save(ctx, "kind", "key", auth.Record{}); !errors.Is(err, ldp.Unavailable) {
			t.Errorf("a Save: %v", err)
		}
		cancel()
	}
	if v := value(t, s, "c", "k"); v != "old" {
		t.Errorf("a View sees %q", v)
	}
	fs.full.Store(false)
	for err = errFull; errors.Is(err, ldp.Unavailable); err = put(s, "b", "k", "newer") {
		time.Sleep(time.Millisecond)
	}
	must(t, err)
	if v := value(t, s, "a", "k"); v != "new" {
		t.Errorf("what met the full disk is %q", v)
	}
	for i := range 20 { // large values: flushes, new logs
		fs.full.Store(i%3 == 0)
		_ = put(s, "c", fmt.Sprint(i), strings.Repeat("x", 1<<20))
		fs.full.Store(false)
		for err = errFull; errors.Is(err, ldp.Unavailable); err = put(s, "c", fmt.Sprint(i), strings.Repeat("y", 1<<20)) {
			time.Sleep(time.Millisecond)
		}
		must(t, err)
	}
	must(t, s.Close())
	s = openOn(t, fs.FS, nil)
	for i := range 20 {
		if v := value(t, s, "c", fmt.Sprint(i)); len(v) != 1<<20 || v[0] != 'y' {
			t.Errorf("value %d is %d bytes long", i, len(v))
		}
	}
	if !strings.Contains(said.String(), "no space left") || !strings.Contains(said.String(), "can be written again") {
		t.Errorf("the log says %s", &said)
	}
}

func TestOpenOnFullDisk(t *testing.T) {
	fs := fullFS{vfs.NewMem(), new(atomic.Bool)}
	for _, what := range []string{"a new store", "one with a log to replay"} {
		fs.full.Store(true)
		if s, err := open("store", fs, Options{Now: time.Now}); !errors.Is(err, ldp.Unavailable) || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: %v, %v", what, s, err)
		}
		fs.full.Store(false)
		s, err := open("store", fs, Options{Now: time.Now})
		must(t, err)
		_ = s.Create(t.Context(), "a", nothing)
		must(t, put(s, "a", "k", "v"))
		must(t, s.Close())
	}
}

func TestCloseOnFullDisk(t *testing.T) {
	fs := fullFS{vfs.NewMem(), new(atomic.Bool)}
	s, err := open("store", fs, Options{Now: time.Now})
	must(t, err)
	s.disk.pause = time.Millisecond
	must(t, s.Create(t.Context(), "a", nothing))
	fs.full.Store(true)
	_ = put(s, "a", "k", "new")
	if err := s.Close(); !errors.Is(err, ldp.Unavailable) {
		t.Errorf("Close: %v", err)
	}
	fs.full.Store(false)
}

func TestSweep(t *testing.T) {
	var now atomic.Int64
	s, err := OpenMemory(Options{Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	save := func(key string, version uint64, until int64) {
		r := auth.Record{Version: version, Value: []byte("v"), Until: time.Unix(until, 0)}
		if until == 0 {
			r.Until = time.Time{}
		}
		must(t, s.Save(t.Context(), "kind", key, r))
	}
	for i := range 3*sweepBatch + 1 {
		save(fmt.Sprint("ends", i), 0, 10)
	}
	save("moved", 0, 10)
	save("moved", 1, 30)
	save("made endless", 0, 10)
	save("made endless", 1, 0)
	save("later", 0, 20)
	if n := count(t, s, keyEndings); n != 3*sweepBatch+1+2 {
		t.Errorf("%d endings are kept", n)
	}
	now.Store(10)
	s.sweepAll()
	if n := count(t, s, keyRecord); n != 3 {
		t.Errorf("%d records are left", n)
	}
	if n := count(t, s, keyEndings); n != 2 {
		t.Errorf("%d endings are left", n)
	}
	// A Save came between the sweep's look at the endings and its lock.
	must(t, s.sweepOne(label("kind", "moved"), endingKey(appendTime(nil, time.Unix(10, 0)), label("kind", "moved")), s.now()))
	if _, err := s.Load(t.Context(), "kind", "moved"); err != nil {
		t.Errorf("the sweep took a living record: %v", err)
	}
	now.Store(40)
	s.sweepAll()
	if n := count(t, s, keyRecord) + count(t, s, keyEndings); n != 1 {
		t.Errorf("%d records and endings are left at the end", n)
	}
}

func count(t *testing.T, s *Store, kind byte) (n int) {
	t.Helper()
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	must(t, err)
	for ok := iter.First(); ok; ok = iter.Next() {
		n++
	}
	must(t, iter.Close())
	return n
}

func TestLogKeepsSecrets(t *testing.T) {
	var said bytes.Buffer
	l := logger{slog.New(slog.NewTextHandler(&said, nil))}
	l.Infof("wrote %s", "secret")
	l.Errorf("block of key %q: %v", []byte("secret"), fmt.Errorf("write secret: %w", syscall.ENOSPC))
	func() {
		defer func() { fmt.Fprint(&said, recover()) }()
		l.Fatalf("%v", errors.New("secret"))
	}()
	if strings.Contains(said.String(), "secret") || !strings.Contains(said.String(), "no space left") {
		t.Errorf("the log says %s", &said)
	}
}
