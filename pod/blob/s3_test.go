// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"skrin/ldp"
	"skrin/pod/blob"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

func openBucket(t testing.TB, o blob.Options) *blob.Bucket {
	t.Helper()
	b, err := blob.OpenBucket(t.Context(), o)
	must(t, err)
	return b
}

func TestBucket(t *testing.T) {
	s3 := podtest.NewS3(t)
	podtest.TestBlobs(t, func(t testing.TB) (store.Blobs, func() store.Blobs) {
		o := s3.Options(t)
		return openBucket(t, o), func() store.Blobs { return openBucket(t, o) }
	})
}

// TestNodesOpenTogether: of many nodes that start at once on a bucket all start,
// although each makes and removes an object to try the server out.
func TestNodesOpenTogether(t *testing.T) {
	o := podtest.NewS3(t).Options(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := blob.OpenBucket(t.Context(), o); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestBucketIsRefused: the server doesn't start on a bucket that it can't use.
func TestBucketIsRefused(t *testing.T) {
	good := podtest.NewS3(t).Options(t)
	for _, row := range []struct {
		sentence, want string
		change         func(*blob.Options)
	}{
		{"no such bucket", "NoSuchBucket", func(o *blob.Options) { o.Bucket = "other" }},
		{"a wrong key", "403", func(o *blob.Options) { o.SecretKey = "wrong" }},
		{"no key", "missing", func(o *blob.Options) { o.AccessKey = "" }},
		{"an endpoint with a path", "nothing after it", func(o *blob.Options) { o.Endpoint += "/skrin" }},
		{"an endpoint without a scheme", "nothing after it", func(o *blob.Options) { o.Endpoint = strings.TrimPrefix(o.Endpoint, "http://") }},
		{"nobody listens", "refused", func(o *blob.Options) { o.Endpoint = "http://127.0.0.1:1" }},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			o := good
			row.change(&o)
			if _, err := blob.OpenBucket(t.Context(), o); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}

// TestBucketGone: while the S3 server is down every call is ldp.Unavailable, and
// its error names no pod; when it is back, all is there.
func TestBucketGone(t *testing.T) {
	s3 := podtest.NewS3(t)
	o := s3.Options(t)
	b := openBucket(t, o)
	digest, _, err := b.Put(t.Context(), "pod-of-somebody", strings.NewReader("mine"), 4)
	must(t, err)
	s3.Kill()
	_, _, put := b.Put(t.Context(), "pod-of-somebody", strings.NewReader("more"), 4)
	_, open := b.Open(t.Context(), "pod-of-somebody", digest)
	for what, err := range map[string]error{"Put": put, "Open": open, "Delete": b.Delete(t.Context(), "pod-of-somebody", digest),
		"List": b.List(t.Context(), "pod-of-somebody", nil)} {
		if !errors.Is(err, ldp.Unavailable) || strings.Contains(err.Error(), "somebody") {
			t.Errorf("%s returns %v", what, err)
		}
	}
	s3.Start()
	r, err := b.Open(t.Context(), "pod-of-somebody", digest)
	must(t, err)
	must(t, r.Close())
}

// TestSpoolLeavesNothing: a body that is too long for the memory is in no file
// that could be found, while it arrives or after.
func TestSpoolLeavesNothing(t *testing.T) {
	o := podtest.NewS3(t).Options(t)
	b := openBucket(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var seen int
	_, _, err := b.Put(ctx, "a", readerFunc(func(p []byte) (int, error) {
		if seen += len(p); seen > 4<<20 {
			if left, err := filepath.Glob(filepath.Join(o.Spool, "*")); err != nil || len(left) != 0 {
				t.Errorf("while it arrives there is %v, %v", left, err)
			}
			cancel()
		}
		return len(p), nil
	}), 1<<40)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Put returns %v", err)
	}
	must(t, os.Remove(o.Spool)) // it is empty
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
