// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// TestBlobs holds Blobs to the contract of store.Blobs. open opens an empty one
// for one test; reopen closes it and opens what it left behind.
func TestBlobs(t *testing.T, open func(t testing.TB) (b store.Blobs, reopen func() store.Blobs)) {
	rows := []struct {
		sentence string
		test     func(*testing.T, store.Blobs)
	}{
		{"what was put is read back", putsAndOpens},
		{"what is opened can be read from any place", seeks},
		{"what isn't there is ErrNoBlob", missesBlob},
		{"pods don't see each other's", keepsBlobsApart},
		{"the same content twice is one blob, and stored anew", putsTwice},
		{"over the limit it is ldp.TooLarge, and nothing is stored", limitsBlob},
		{"if the body fails nothing is stored, and the body's error is told", failsWithBody},
		{"nobody sees it before it is whole", hidesHalf},
		{"Delete removes it; to remove what isn't there is no error", deletesBlob},
		{"who has it open reads on while it is deleted or put again", readsOnWhileDeleted},
		{"List yields every digest of the pod with its time, and stops at an error", listsBlobs},
		{"a digest or pod that is none finds nothing and harms nothing", refusesBadNames},
		{"nothing is done for a ctx that is done", blobsStopWhenDone},
		{"many put and delete the same content at once", racesBlobs},
		{"a large body goes through in constant memory", streams},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			b, _ := open(t)
			row.test(t, b)
		})
	}
	t.Run("what was put is there after it was closed and opened", func(t *testing.T) {
		b, reopen := open(t)
		digest := putBlob(t, b, "a", "kept")
		wantBlob(t, reopen(), "a", digest, "kept")
	})
}

func putBlob(t testing.TB, b store.Blobs, id, content string) string {
	t.Helper()
	digest, size, err := b.Put(t.Context(), id, strings.NewReader(content), int64(len(content)))
	must(t, err)
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size || strings.ToLower(digest) != digest || size != int64(len(content)) {
		t.Errorf("Put returns %s, %d", digest, size)
	}
	return digest
}

func wantBlob(t testing.TB, b store.Blobs, id, digest, want string) {
	t.Helper()
	r, err := b.Open(t.Context(), id, digest)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("it reads %.40q, %v", got, err)
	}
}

func wantNoBlob(t testing.TB, b store.Blobs, id, digest string) {
	t.Helper()
	r, err := b.Open(t.Context(), id, digest)
	if err == nil {
		_ = r.Close()
	}
	wantIs(t, err, store.ErrNoBlob)
}

func listBlobs(t testing.TB, b store.Blobs, id string) []string {
	t.Helper()
	var digests []string
	must(t, b.List(t.Context(), id, func(digest string, _ time.Time) error {
		digests = append(digests, digest)
		return nil
	}))
	slices.Sort(digests)
	return digests
}

func wantList(t testing.TB, b store.Blobs, id string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := listBlobs(t, b, id); !slices.Equal(got, want) {
		t.Errorf("List yields %q, want %q", got, want)
	}
}

func putsAndOpens(t *testing.T, b store.Blobs) {
	for _, content := range []string{"", "a", "hello\x00\xff", strings.Repeat("skrin", 100_000)} {
		wantBlob(t, b, "a", putBlob(t, b, "a", content), content)
	}
}

func seeks(t *testing.T, b store.Blobs) {
	r, err := b.Open(t.Context(), "a", putBlob(t, b, "a", "0123456789"))
	must(t, err)
	defer func() { must(t, r.Close()) }()
	for _, row := range []struct {
		offset int64
		whence int
		want   string
	}{{4, io.SeekStart, "456789"}, {-2, io.SeekEnd, "89"}, {0, io.SeekStart, "0123456789"}, {-10, io.SeekCurrent, "0123456789"}, {0, io.SeekEnd, ""}} {
		if _, err := r.Seek(row.offset, row.whence); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != row.want {
			t.Errorf("after Seek(%d, %d) it reads %q, %v", row.offset, row.whence, got, err)
		}
	}
}

func missesBlob(t *testing.T, b store.Blobs) {
	absent := strings.Repeat("0", 64)
	wantNoBlob(t, b, "a", absent)
	putBlob(t, b, "a", "something")
	wantNoBlob(t, b, "a", absent)
	wantList(t, b, "nobody")
}

func keepsBlobsApart(t *testing.T, b store.Blobs) {
	digest := putBlob(t, b, "a", "mine")
	wantNoBlob(t, b, "b", digest)
	wantList(t, b, "b")
	must(t, b.Delete(t.Context(), "b", digest))
	wantBlob(t, b, "a", digest, "mine")
}

func putsTwice(t *testing.T, b store.Blobs) {
	stored := func() (at time.Time) {
		must(t, b.List(t.Context(), "a", func(_ string, s time.Time) error { at = s; return nil }))
		return at
	}
	digest := putBlob(t, b, "a", "same")
	first := stored()
	time.Sleep(1100 * time.Millisecond) // some object stores count in seconds
	if again := putBlob(t, b, "a", "same"); again != digest {
		t.Errorf("it is %s and then %s", digest, again)
	}
	wantList(t, b, "a", digest)
	// Else the sweep could remove what has just been put a second time.
	if !stored().After(first) {
		t.Error("the time of storing has not moved")
	}
}

func limitsBlob(t *testing.T, b store.Blobs) {
	putBlob(t, b, "a", "12345") // just within
	for _, body := range []string{"123456", strings.Repeat("x", 1<<20)} {
		_, _, err := b.Put(t.Context(), "b", strings.NewReader(body), 5)
		wantIs(t, err, ldp.TooLarge)
	}
	_, _, err := b.Put(t.Context(), "b", strings.NewReader("1"), 0)
	wantIs(t, err, ldp.TooLarge)
	wantList(t, b, "b")
}

func failsWithBody(t *testing.T, b store.Blobs) {
	broken := errors.New("the line broke")
	body := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))
	_, _, err := b.Put(t.Context(), "a", body, 100)
	wantIs(t, err, broken)
	wantList(t, b, "a")
}

func hidesHalf(t *testing.T, b store.Blobs) {
	digest := putBlob(t, b, "a", "half")
	must(t, b.Delete(t.Context(), "a", digest))
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, err := b.Put(t.Context(), "a", r, 100)
		must(t, err)
	})
	_, _ = io.WriteString(w, "half")
	wantNoBlob(t, b, "a", digest)
	wantList(t, b, "a")
	_ = w.Close()
	wg.Wait()
	wantBlob(t, b, "a", digest, "half")
}

func deletesBlob(t *testing.T, b store.Blobs) {
	digest, other := putBlob(t, b, "a", "gone"), putBlob(t, b, "a", "stays")
	for range 2 {
		must(t, b.Delete(t.Context(), "a", digest))
	}
	must(t, b.Delete(t.Context(), "nobody", digest))
	wantNoBlob(t, b, "a", digest)
	wantList(t, b, "a", other)
	wantBlob(t, b, "a", putBlob(t, b, "a", "gone"), "gone")
	must(t, b.Delete(t.Context(), "a", digest))
	must(t, b.Delete(t.Context(), "a", other))
	wantList(t, b, "a")
	wantBlob(t, b, "a", putBlob(t, b, "a", "gone"), "gone")
}

func readsOnWhileDeleted(t *testing.T, b store.Blobs) {
	content := strings.Repeat("skrin", 1<<18)
	digest := putBlob(t, b, "a", content)
	r, err := b.Open(t.Context(), "a", digest)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	start := make([]byte, 5)
	_, err = io.ReadFull(r, start)
	must(t, err)
	putBlob(t, b, "a", content)
	if rest, err := io.ReadAll(r); err != nil || string(start)+string(rest) != content {
		t.Errorf("it reads %d bytes, %v", len(rest), err)
	}
}

func listsBlobs(t *testing.T, b store.Blobs) {
	before := time.Now().Add(-time.Minute)
	var want []string
	for i := range 300 {
		want = append(want, putBlob(t, b, "a", fmt.Sprint(i)))
	}
	wantList(t, b, "a", want...)
	enough := errors.New("enough")
	n := 0
	err := b.List(t.Context(), "a", func(_ string, stored time.Time) error {
		if stored.Before(before) || stored.After(before.Add(10*time.Minute)) {
			t.Errorf("it was stored at %v", stored)
		}
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if err != enough || n != 3 {
		t.Errorf("List returns %v after %d", err, n)
	}
}

func refusesBadNames(t *testing.T, b store.Blobs) {
	digest := putBlob(t, b, "a", "mine")
	for _, id := range []string{"", ".", "..", "../a", "a/../a", "a/", "/a", "a\x00", "./a", "tmp", "lock", strings.Repeat("a", 300)} {
		if _, _, err := b.Put(t.Context(), id, strings.NewReader("x"), 1); err == nil && listBlobs(t, b, "a")[0] != digest {
			t.Errorf("Put for the pod %q changed another", id)
		}
		if id != "" && id != "a" {
			wantNoBlob(t, b, id, digest)
		}
		_ = b.Delete(t.Context(), id, digest)
		wantBlob(t, b, "a", digest, "mine")
	}
	for _, bad := range []string{"", ".", "..", "../" + digest, digest + "/", digest[:63], digest + "0", strings.ToUpper(digest), "g" + digest[1:], digest + "\x00"} {
		wantNoBlob(t, b, "a", bad)
		_ = b.Delete(t.Context(), "a", bad)
		wantBlob(t, b, "a", digest, "mine")
	}
}

func blobsStopWhenDone(t *testing.T, b store.Blobs) {
	digest := putBlob(t, b, "a", "mine")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := b.Put(ctx, "b", strings.NewReader("x"), 1)
	wantIs(t, err, context.Canceled)
	_, err = b.Open(ctx, "a", digest)
	wantIs(t, err, context.Canceled)
	wantIs(t, b.Delete(ctx, "a", digest), context.Canceled)
	wantIs(t, b.List(ctx, "a", func(string, time.Time) error { return nil }), context.Canceled)
	wantList(t, b, "a", digest)
	wantList(t, b, "b")

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	endless := readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	_, _, err = b.Put(ctx, "b", endless, 1<<40)
	wantIs(t, err, context.Canceled)
	wantList(t, b, "b")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func racesBlobs(t *testing.T, b store.Blobs) {
	content := strings.Repeat("same", 10_000)
	race(t, 8, nil, func(i int) error {
		for range 10 {
			digest := putBlob(t, b, "a", content)
			if r, err := b.Open(t.Context(), "a", digest); err == nil {
				if got, err := io.ReadAll(r); err != nil || string(got) != content {
					t.Errorf("it reads %d bytes, %v", len(got), err)
				}
				_ = r.Close()
			} else if !errors.Is(err, store.ErrNoBlob) {
				return err
			}
			if i%2 == 0 {
				if err := b.Delete(t.Context(), "a", digest); err != nil {
					return err
				}
			}
		}
		return nil
	})
	digest := putBlob(t, b, "a", content)
	wantBlob(t, b, "a", digest, content)
	wantList(t, b, "a", digest)
}

func streams(t *testing.T, b store.Blobs) {
	const size = 96 << 20
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block)
	body := func() io.Reader {
		var parts []io.Reader
		for range size / len(block) {
			parts = append(parts, bytes.NewReader(block))
		}
		return io.MultiReader(parts...)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	digest, n, err := b.Put(t.Context(), "a", body(), size)
	must(t, err)
	r, err := b.Open(t.Context(), "a", digest)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	in, out := sha256.New(), sha256.New()
	_, err = io.Copy(out, r)
	must(t, err)
	runtime.ReadMemStats(&after)
	_, err = io.Copy(in, body())
	must(t, err)
	if n != size || !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
		t.Errorf("%d bytes went in, and others came out", n)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size/3 {
		t.Errorf("%d MiB were allocated for %d MiB", used>>20, size>>20)
	}
}
