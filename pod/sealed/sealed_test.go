// SPDX-License-Identifier: EUPL-1.2

package sealed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/auth"
	"skrin/auth/authtest"
	"skrin/pod/blob"
	"skrin/pod/pebble"
	"skrin/pod/podtest"
	"skrin/pod/sealed"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func master(t testing.TB, seeds ...byte) sealed.Master {
	t.Helper()
	var keys [][]byte
	for _, seed := range seeds {
		keys = append(keys, bytes.Repeat([]byte{seed}, sealed.KeySize))
	}
	m, err := sealed.NewMaster(keys...)
	must(t, err)
	return m
}

// A place is what is on a disk: data, blobs and keys.
type place struct {
	dir   string
	store *pebble.Store
	dirs  *blob.Dir
	ring  *pebble.Store
}

func openPlace(t testing.TB, dir string) *place {
	t.Helper()
	p := &place{dir: dir}
	var err error
	p.store, err = pebble.Open(filepath.Join(dir, "store"), pebble.Options{Now: time.Now})
	must(t, err)
	p.ring, err = pebble.Open(filepath.Join(dir, "keys"), pebble.Options{Now: time.Now, Shred: true})
	must(t, err)
	p.dirs, err = blob.Open(filepath.Join(dir, "blobs"))
	must(t, err)
	return p
}

func (p *place) close(t testing.TB) {
	t.Helper()
	must(t, errors.Join(p.store.Close(), p.ring.Close(), p.dirs.Close()))
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := openPlace(t, t.TempDir())
	t.Cleanup(func() { p.close(t) })
	return p
}

func (p *place) keys(m sealed.Master) *sealed.Keys { return sealed.NewKeys(p.ring, m) }

func TestStore(t *testing.T) {
	podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
		p := newPlace(t)
		return sealed.NewStore(p.store, p.keys(master(t, 1))), func() store.Store {
			p.close(t)
			*p = *openPlace(t, p.dir)
			return sealed.NewStore(p.store, p.keys(master(t, 1)))
		}
	})
}

// unnumbered is an engine that can't tell the states of a pod apart, as pod/postgres.
type unnumbered struct{ store.Store }

// plain is a Tx, and nothing else.
type plain struct{ store.Tx }

// View implements store.Store.
func (s unnumbered) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return s.Store.View(ctx, name, func(tx store.Tx) error { return fn(plain{tx}) })
}

// Update implements store.Store.
func (s unnumbered) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, name, func(tx store.Tx) error { return fn(plain{tx}) })
}

// Create implements store.Store.
func (s unnumbered) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	return s.Store.Create(ctx, id, func(tx store.Tx) error { return fn(plain{tx}) })
}

// TestUnnumbered: the contract is kept in front of such an engine too.
func TestUnnumbered(t *testing.T) {
	podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
		p := newPlace(t)
		return sealed.NewStore(unnumbered{p.store}, p.keys(master(t, 1))), func() store.Store {
			p.close(t)
			*p = *openPlace(t, p.dir)
			return sealed.NewStore(unnumbered{p.store}, p.keys(master(t, 1)))
		}
	})
}

// TestKeyIsGone: a pod whose key was destroyed can't be read, nor be seen to have
// nothing, nor be written; it can be ended.
func TestKeyIsGone(t *testing.T) {
	for what, in := range map[string]func(store.Store) store.Store{
		"numbered":   func(s store.Store) store.Store { return s },
		"unnumbered": func(s store.Store) store.Store { return unnumbered{s} },
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			k := p.keys(master(t, 1))
			s := sealed.NewStore(in(p.store), k)
			must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("k", []byte("old")); return nil }))
			must(t, k.Destroy(t.Context(), "a"))
			for sentence, fn := range map[string]func(store.Tx) error{
				"what is there":    func(tx store.Tx) error { _, err := tx.Get("k"); return err },
				"what isn't there": func(tx store.Tx) error { _, err := tx.Get("none"); return err },
				"all":              func(tx store.Tx) error { _, err := tx.Scan("", "", 10); return err },
				"all of a kind":    func(tx store.Tx) error { _, err := tx.Scan("none", "", 10); return err },
			} {
				if err := s.View(t.Context(), "id/a", fn); !errors.Is(err, store.ErrNoKey) {
					t.Errorf("who reads %s is answered %v", sentence, err)
				}
			}
			if err := s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Put("k", []byte("new")); tx.Claim("pod/a"); return nil }); !errors.Is(err, store.ErrNoKey) {
				t.Errorf("who writes is answered %v", err)
			}
			if err := s.View(t.Context(), "pod/a", func(store.Tx) error { return nil }); !errors.Is(err, store.ErrNoPod) {
				t.Errorf("who could not write has claimed a name: %v", err)
			}
			must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Delete("k"); tx.Release("id/a"); return nil }))
			if err := s.View(t.Context(), "id/a", func(store.Tx) error { return nil }); !errors.Is(err, store.ErrNoPod) {
				t.Errorf("it has been ended: %v", err)
			}
		})
	}
}

func TestBlobs(t *testing.T) {
	podtest.TestBlobs(t, func(t testing.TB) (store.Blobs, func() store.Blobs) {
		p := newPlace(t)
		k := p.keys(master(t, 1))
		for _, id := range []string{"a", "b"} {
			must(t, sealed.NewStore(p.store, k).Create(t.Context(), id, func(store.Tx) error { return nil }))
		}
		return sealed.NewBlobs(p.dirs, k), func() store.Blobs {
			p.close(t)
			*p = *openPlace(t, p.dir)
			return sealed.NewBlobs(p.dirs, p.keys(master(t, 1)))
		}
	})
}

func TestRecords(t *testing.T) {
	authtest.TestRecords(t, func(t testing.TB, now func() time.Time) (auth.Records, func() auth.Records) {
		dir := t.TempDir()
		var s *pebble.Store
		open := func() auth.Records {
			var err error
			s, err = pebble.Open(dir, pebble.Options{Now: now})
			must(t, err)
			r, err := sealed.NewRecords(s, make([]byte, sealed.KeySize))
			must(t, err)
			return r
		}
		r := open()
		t.Cleanup(func() { must(t, s.Close()) })
		return r, func() auth.Records { must(t, s.Close()); return open() }
	})
}

// canary is what must be found nowhere.
const canary = "Alva is registered as a jobseeker"

// found returns the files below dir that hold the canary.
func found(t testing.TB, dir string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if bytes.Contains(b, []byte(canary)) {
			files = append(files, name)
		}
		return err
	}))
	return files
}

// fill makes the pod "a" with the canary in a value and in two blobs.
func (p *place) fill(t testing.TB, s store.Store, b store.Blobs) (small, large string) {
	t.Helper()
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("k", []byte(canary)); return nil }))
	small, _, err := b.Put(t.Context(), "a", strings.NewReader(canary), 1000)
	must(t, err)
	large, _, err = b.Put(t.Context(), "a", strings.NewReader(strings.Repeat(canary, 10_000)), 1<<20)
	must(t, err)
	return small, large
}

// TestNothingInClear: what is on the disk holds no content and no key; without
// the wrapper it would, so the search is known to find.
func TestNothingInClear(t *testing.T) {
	bare := openPlace(t, t.TempDir())
	bare.fill(t, bare.store, bare.dirs)
	bare.close(t)
	if n := len(found(t, bare.dir)); n < 3 {
		t.Fatalf("only %d files hold it where nothing is sealed", n)
	}
	p := openPlace(t, t.TempDir())
	k := p.keys(master(t, 1))
	p.fill(t, sealed.NewStore(p.store, k), sealed.NewBlobs(p.dirs, k))
	p.close(t)
	if files := found(t, p.dir); len(files) != 0 {
		t.Errorf("it is in the clear in %v", files)
	}
}

func value(t testing.TB, s store.Store, id, key string) (string, error) {
	t.Helper()
	var v []byte
	err := s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		values, err := tx.Get(key)
		if err == nil {
			v = values[0]
		}
		return err
	})
	return string(v), err
}

// TestMovedIsRefused: who can write to the store, and not read the keys, can't
// pass one value off as another.
func TestMovedIsRefused(t *testing.T) {
	p := newPlace(t)
	s := sealed.NewStore(p.store, p.keys(master(t, 1)))
	for _, id := range []string{"a", "b"} {
		must(t, s.Create(t.Context(), id, func(tx store.Tx) error {
			tx.Put("k", []byte("k of "+id))
			tx.Put("l", []byte("l of "+id))
			return nil
		}))
	}
	raw := func(id, key string) []byte {
		v, err := value(t, p.store, id, key)
		must(t, err)
		return []byte(v)
	}
	change := func(b []byte, i int) []byte { b = bytes.Clone(b); b[i] ^= 1; return b }
	for _, row := range []struct {
		sentence string
		forged   []byte
	}{
		{"another key's value", raw("a", "l")},
		{"another pod's value", raw("b", "k")},
		{"a value with another first bit", change(raw("a", "k"), 0)},
		{"a value with another last bit", change(raw("a", "k"), len(raw("a", "k"))-1)},
		{"a value that is cut", raw("a", "k")[:20]},
		{"an empty value", nil},
		{"a value in the clear", []byte("k of a")},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			honest := raw("a", "k")
			must(t, p.store.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Put("k", row.forged); return nil }))
			if v, err := value(t, s, "a", "k"); err == nil {
				t.Errorf("it reads %q", v)
			}
			err := s.View(t.Context(), "id/a", func(tx store.Tx) error { _, err := tx.Scan("", "", 10); return err })
			if err == nil {
				t.Error("Scan reads it")
			}
			must(t, p.store.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Put("k", honest); return nil }))
			if v, err := value(t, s, "a", "k"); v != "k of a" {
				t.Errorf("put back it reads %q, %v", v, err)
			}
		})
	}
}

// TestMovedBlobIsRefused: nor one blob as another, whole or in part.
func TestMovedBlobIsRefused(t *testing.T) {
	p := newPlace(t)
	k := p.keys(master(t, 1))
	s, b := sealed.NewStore(p.store, k), sealed.NewBlobs(p.dirs, k)
	_, digest := p.fill(t, s, b)
	must(t, s.Create(t.Context(), "b", func(store.Tx) error { return nil }))
	other, _, err := b.Put(t.Context(), "a", strings.NewReader(strings.Repeat("other", 70_000)), 1<<20)
	must(t, err)
	foreign, _, err := b.Put(t.Context(), "b", strings.NewReader(strings.Repeat(canary, 10_000)), 1<<20)
	must(t, err)
	file := func(id, digest string) string {
		names, err := filepath.Glob(filepath.Join(p.dir, "blobs", "pods", "*", id, digest))
		must(t, err)
		return names[0]
	}
	read := func(name string) []byte { b, err := os.ReadFile(name); must(t, err); return b }
	honest := read(file("a", digest))
	flip := func(i int) []byte { b := bytes.Clone(honest); b[i] ^= 1; return b }
	const segment = 64<<10 + 16
	for _, row := range []struct {
		sentence string
		forged   []byte
	}{
		{"another blob of the pod", read(file("a", other))},
		{"the same content of another pod", read(file("b", foreign))},
		{"one bit in the first segment", flip(100)},
		{"one bit in the last segment", flip(len(honest) - 40)},
		{"one bit of the end", flip(len(honest) - 1)},
		{"another version", flip(0)},
		{"without the last segment", append(bytes.Clone(honest[:17+segment]), honest[len(honest)-32:]...)},
		{"two segments in the other order", append(append(append(bytes.Clone(honest[:17]), honest[17+segment:17+2*segment]...), honest[17:17+segment]...), honest[17+2*segment:]...)},
		{"nothing", nil},
		{"a few bytes", honest[:40]},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			must(t, os.WriteFile(file("a", digest), row.forged, 0o600))
			r, err := b.Open(t.Context(), "a", digest)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				must(t, r.Close())
			}
			if err == nil {
				t.Error("it was read")
			}
		})
	}
}

// TestStoredAnew: who reads a blob from any place reads on while it is stored
// again, sealed anew.
func TestStoredAnew(t *testing.T) {
	s3 := podtest.NewS3(t)
	p := newPlace(t)
	bucket, err := blob.OpenBucket(t.Context(), s3.Options(t))
	must(t, err)
	k := p.keys(master(t, 1))
	b := sealed.NewBlobs(bucket, k)
	_, digest := p.fill(t, sealed.NewStore(p.store, k), b)
	r, err := b.Open(t.Context(), "a", digest)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	content := strings.Repeat(canary, 10_000)
	for offset := int64(0); offset < int64(len(content)); offset += 60_000 {
		_, _, err := b.Put(t.Context(), "a", strings.NewReader(content), 1<<20)
		must(t, err)
		_, err = r.Seek(offset, io.SeekStart)
		must(t, err)
		part := make([]byte, 100)
		if n, err := io.ReadFull(r, part); string(part[:n]) != content[offset:offset+int64(n)] || n == 0 {
			t.Errorf("at %d: %q, %v", offset, part[:n], err)
		}
	}
}

// inFiles reports whether any file in a folder holds b.
func inFiles(t *testing.T, dir string, b []byte) (found bool) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, b)
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			err = nil
		}
		return err
	}))
	return found
}

// TestErased: an erased pod is gone, and can't be read from a backup that was
// taken before, by who has the master key; another pod can.
func TestErased(t *testing.T) {
	p := newPlace(t)
	k := p.keys(master(t, 1))
	s, b := sealed.NewStore(p.store, k), sealed.NewBlobs(p.dirs, k)
	small, _ := p.fill(t, s, b)
	must(t, s.Create(t.Context(), "kept", func(tx store.Tx) error { tx.Put("k", []byte("kept")); return nil }))
	copied := t.TempDir()
	must(t, p.store.Backup(filepath.Join(copied, "store")))
	must(t, p.dirs.Backup(filepath.Join(copied, "blobs"), nil))

	wrapped, err := p.ring.Load(t.Context(), "pod key", hex.EncodeToString([]byte("a")))
	must(t, err)
	if !inFiles(t, filepath.Join(p.dir, "keys"), wrapped.Value) {
		t.Error("the key isn't in the files: the search finds nothing at all")
	}

	must(t, upkeep.Erase(t.Context(), s, b, k, "a"))
	for end := time.Now().Add(20 * time.Second); inFiles(t, filepath.Join(p.dir, "keys"), wrapped.Value); time.Sleep(5 * time.Millisecond) { // they are removed by and by
		if time.Now().After(end) {
			t.Fatal("the destroyed key is still in the files, for whoever has the master key")
		}
	}
	if _, err := value(t, s, "a", "k"); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("erased, it answers %v", err)
	}
	must(t, p.store.Update(t.Context(), "id/kept", func(store.Tx) error { return nil }))
	if _, err := b.Open(t.Context(), "a", small); !errors.Is(err, store.ErrNoBlob) {
		t.Errorf("its blob: %v", err)
	}
	if err := upkeep.Erase(t.Context(), s, b, k, "a"); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("erased again: %v", err)
	}

	old := openPlace(t, copied)
	defer old.close(t)
	fresh := p.keys(master(t, 1)) // that remembers nothing
	restored := sealed.NewStore(old.store, fresh)
	if v, err := value(t, restored, "kept", "k"); v != "kept" || err != nil {
		t.Errorf("the pod that was kept is %q, %v in the backup", v, err)
	}
	if v, err := value(t, restored, "a", "k"); !errors.Is(err, store.ErrNoKey) {
		t.Errorf("the erased pod is %q, %v in the backup", v, err)
	}
	if _, err := sealed.NewBlobs(old.dirs, fresh).Open(t.Context(), "a", small); !errors.Is(err, store.ErrNoBlob) {
		t.Errorf("its blob in the backup: %v", err)
	}
	must(t, upkeep.Erase(t.Context(), restored, sealed.NewBlobs(old.dirs, fresh), fresh, "a"))
}

// TestEraseIsFinished: an erasure that was interrupted anywhere is finished by
// the next.
func TestEraseIsFinished(t *testing.T) {
	for steps := range 8 {
		t.Run(fmt.Sprint("after ", steps, " commits"), func(t *testing.T) {
			p := newPlace(t)
			k := p.keys(master(t, 1))
			s, b := sealed.NewStore(p.store, k), sealed.NewBlobs(p.dirs, k)
			p.fill(t, s, b)
			f := podtest.NewFake(t, s)
			var outcomes []podtest.Outcome
			for range steps {
				outcomes = append(outcomes, podtest.Succeeds)
			}
			f.Next(append(outcomes, podtest.SeemsToFail)...)
			_ = upkeep.Erase(t.Context(), f, b, k, "a")
			if err := upkeep.Erase(t.Context(), s, b, k, "a"); err != nil && !errors.Is(err, store.ErrNoPod) {
				t.Error(err)
			}
			if _, err := p.ring.Load(t.Context(), "pod key", "61"); !errors.Is(err, auth.ErrNoRecord) {
				t.Errorf("its key: %v", err)
			}
		})
	}
}

// TestRotation: while the keys are wrapped anew nodes with both master keys read
// all; after it the old one is of no use, and not needed.
func TestRotation(t *testing.T) {
	p := newPlace(t)
	s := sealed.NewStore(p.store, p.keys(master(t, 1)))
	for i := range 600 {
		must(t, s.Create(t.Context(), fmt.Sprint("p", i), func(tx store.Tx) error { tx.Put("k", []byte("mine")); return nil }))
	}
	readable := func(m sealed.Master) (n int) {
		s := sealed.NewStore(p.store, p.keys(m))
		for i := range 600 {
			if v, err := value(t, s, fmt.Sprint("p", i), "k"); err == nil && v == "mine" {
				n++
			}
		}
		return n
	}
	if n := readable(master(t, 2)); n != 0 {
		t.Errorf("before, %d pods are read with the new key alone", n)
	}
	if n := readable(master(t, 2, 1)); n != 600 {
		t.Errorf("before, %d pods are read with both", n)
	}
	if n, err := p.keys(master(t, 2, 1)).Rotate(t.Context(), nil); n != 600 || err != nil {
		t.Errorf("%d were rotated, %v", n, err)
	}
	if n, err := p.keys(master(t, 2, 1)).Rotate(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("again, %d were rotated, %v", n, err)
	}
	if n := readable(master(t, 2)); n != 600 {
		t.Errorf("after, %d pods are read with the new key", n)
	}
	if n := readable(master(t, 1)); n != 0 {
		t.Errorf("after, %d pods are read with the old key", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	p := openPlace(b, b.TempDir())
	defer p.close(b)
	for name, s := range map[string]store.Store{"clear": p.store, "sealed": sealed.NewStore(p.store, p.keys(master(b, 1)))} {
		must(b, s.Create(b.Context(), name, func(tx store.Tx) error { tx.Put("k", make([]byte, 1<<10)); return nil }))
		b.Run("read 1 KiB "+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := value(b, s, name, "k"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	k := p.keys(master(b, 1))
	must(b, sealed.NewStore(p.store, k).Create(b.Context(), "blobs", func(store.Tx) error { return nil }))
	content := make([]byte, 16<<20)
	for name, blobs := range map[string]store.Blobs{"clear": p.dirs, "sealed": sealed.NewBlobs(p.dirs, k)} {
		b.Run("blob of 16 MiB, up and down, "+name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				digest, _, err := blobs.Put(b.Context(), "blobs", bytes.NewReader(content), 1<<30)
				must(b, err)
				r, err := blobs.Open(b.Context(), "blobs", digest)
				must(b, err)
				_, err = io.Copy(io.Discard, r)
				must(b, errors.Join(err, r.Close()))
			}
		})
	}
}

// A noise is so many bytes that no disk makes less of.
type noise struct {
	left int
	of   []byte
}

// Read implements io.Reader.
func (z *noise) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), z.left)], z.of)
	z.left -= n
	return n, nil
}

// BenchmarkUpload is a blob of 100 MiB into a directory, durable: sealed, and beside
// it a file that is written and synced, all in one run.
func BenchmarkUpload(b *testing.B) {
	const size = 100 << 20
	p := openPlace(b, b.TempDir())
	k := p.keys(master(b, 1))
	must(b, sealed.NewStore(p.store, k).Create(b.Context(), "a", func(store.Tx) error { return nil }))
	blobs := sealed.NewBlobs(p.dirs, k)
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block)
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		n++
		began := time.Now()
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		must(b, err)
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, &noise{size, block}, make([]byte, 128<<10))
		must(b, err)
		must(b, f.Sync())
		must(b, f.Close())
		took[0] += time.Since(began)
		began = time.Now()
		_, _, err = blobs.Put(b.Context(), "a", &noise{size, block}, size)
		must(b, err)
		took[1] += time.Since(began)
	}
	b.ReportMetric(size*float64(n)/1e6/took[0].Seconds(), "bare-MB/s")
	b.ReportMetric(size*float64(n)/1e6/took[1].Seconds(), "MB/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "of-bare")
}
