// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"skrin/pod/podtest"
	"skrin/pod/store"
)

// A largeBody is so many bytes, which differ.
type largeBody struct{ left int64 }

// Read implements io.Reader.
func (b *largeBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), b.left))
	for i := 0; i < n; i += 512 {
		p[i] = byte(b.left >> 9)
	}
	b.left -= int64(n)
	return n, nil
}

// highest samples how much memory the process has in use, until it is asked.
func highest() (ask func() uint64) {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return sync.OnceValue(func() uint64 { close(stop); return <-done })
}

// A way is how so many bytes are brought somewhere, and back.
type way struct{ up, down func() error }

// BenchmarkRaw is a large body up and down: the S3 client alone, with all that it knows
// of the body, and ours; a file alone, synced, and ours in a directory, in turn.
// SKRIN_BENCH_LARGE says how many MiB.
func BenchmarkRaw(b *testing.B) {
	size := int64(256 << 20)
	if n, err := strconv.ParseInt(os.Getenv("SKRIN_BENCH_LARGE"), 10, 64); err == nil {
		size = n << 20
	}
	b.Run("S3", func(b *testing.B) {
		o := podtest.NewS3(b).Options(b)
		raw, err := minio.New(o.Endpoint[len("http://"):], &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Region: o.Region})
		must(b, err)
		compare(b, size, way{func() error {
			_, err := raw.PutObject(b.Context(), o.Bucket, "raw", &largeBody{size}, size, minio.PutObjectOptions{})
			return err
		}, func() error { return drain(raw.GetObject(b.Context(), o.Bucket, "raw", minio.GetObjectOptions{})) }}, kept(b, openBucket(b, o), size))
	})
	b.Run("disk", func(b *testing.B) {
		dir := b.TempDir()
		d := open(b, dir)
		defer func() { must(b, d.Close()) }()
		file := filepath.Join(dir, "raw")
		compare(b, size, way{func() error {
			f, err := os.Create(file)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, &largeBody{size})
			return errors.Join(err, f.Sync(), f.Close())
		}, func() error { return drain(os.Open(file)) }}, kept(b, d, size))
	})
}

// kept is our way to blobs and back. What it brings is removed before the next time.
func kept(b *testing.B, blobs store.Blobs, size int64) way {
	digest := ""
	return way{func() (err error) {
		if digest != "" {
			must(b, blobs.Delete(b.Context(), "a", digest))
		}
		digest, _, err = blobs.Put(b.Context(), "a", &largeBody{size}, size)
		return err
	}, func() error { return drain(blobs.Open(b.Context(), "a", digest)) }}
}

// drain reads to the end.
func drain(r io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// compare reports how fast both ways are, and how much memory they have in use.
func compare(b *testing.B, size int64, raw, ours way) {
	var took [4]time.Duration
	var most [4]uint64
	rounds := 0
	for b.Loop() {
		rounds++
		for i, do := range []func() error{raw.up, ours.up, raw.down, ours.down} {
			runtime.GC()
			ask, began := highest(), time.Now()
			must(b, do())
			took[i] += time.Since(began)
			most[i] = max(most[i], ask())
		}
	}
	for i, name := range []string{"raw-up", "up", "raw-down", "down"} {
		b.ReportMetric(float64(size)*float64(rounds)/1e6/took[i].Seconds(), name+"-MB/s")
		b.ReportMetric(float64(most[i])/1e6, name+"-heap-MB")
	}
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "up-of-raw")
	b.ReportMetric(took[2].Seconds()/took[3].Seconds(), "down-of-raw")
}
