// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"skrin/pod/podtest"
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

// BenchmarkRaw is the S3 client alone, up with all that it knows of the body, and down;
// and ours beside it, in turn. SKRIN_BENCH_LARGE says how many MiB.
func BenchmarkRaw(b *testing.B) {
	size := int64(256 << 20)
	if n, err := strconv.ParseInt(os.Getenv("SKRIN_BENCH_LARGE"), 10, 64); err == nil {
		size = n << 20
	}
	s3 := podtest.NewS3(b)
	o := s3.Options(b)
	raw, err := minio.New(o.Endpoint[len("http://"):], &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Region: o.Region})
	must(b, err)
	ours := openBucket(b, o)
	var took [4]time.Duration
	var most [4]uint64
	digest, rounds := "", 0
	timed := func(i int, do func()) {
		runtime.GC()
		ask, began := highest(), time.Now()
		do()
		took[i] += time.Since(began)
		most[i] = max(most[i], ask())
	}
	for b.Loop() {
		rounds++
		timed(0, func() {
			_, err := raw.PutObject(b.Context(), o.Bucket, "raw", &largeBody{size}, size, minio.PutObjectOptions{})
			must(b, err)
		})
		timed(1, func() {
			var err error
			digest, _, err = ours.Put(b.Context(), "a", &largeBody{size}, size)
			must(b, err)
		})
		timed(2, func() {
			r, err := raw.GetObject(b.Context(), o.Bucket, "raw", minio.GetObjectOptions{})
			must(b, err)
			_, err = io.Copy(io.Discard, r)
			must(b, err)
			must(b, r.Close())
		})
		timed(3, func() {
			r, err := ours.Open(b.Context(), "a", digest)
			must(b, err)
			_, err = io.Copy(io.Discard, r)
			must(b, err)
			must(b, r.Close())
		})
	}
	for i, name := range []string{"raw-up", "up", "raw-down", "down"} {
		b.ReportMetric(float64(size)*float64(rounds)/1e6/took[i].Seconds(), name+"-MB/s")
		b.ReportMetric(float64(most[i])/1e6, name+"-heap-MB")
	}
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "up-of-raw")
	b.ReportMetric(took[2].Seconds()/took[3].Seconds(), "down-of-raw")
}
