// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// lying is a way to an S3 server that answers some requests by itself.
type lying func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (l lying) RoundTrip(r *http.Request) (*http.Response, error) {
	return l(r, func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(r) })
}

// answer is an answer of an S3 server.
func answer(r *http.Request, status int, body string) *http.Response {
	h := http.Header{"Etag": {`"f97c5d29941bfb1b2fdab0874906ab82"`}, "Last-Modified": {time.Now().UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}
}

// TestLyingBucketIsRefused: a server that doesn't do one of the things that must hold of
// it is refused when the bucket is opened; the same way to it without lies is not.
func TestLyingBucketIsRefused(t *testing.T) {
	good := podtest.NewS3(t).Options(t)
	to, err := url.Parse(good.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	isList := func(r *http.Request) bool { return r.Method == "GET" && r.URL.Query().Has("list-type") }
	isGet := func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/check/") }
	const nothing = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>`
	for _, row := range []struct {
		sentence, want string
		lie            func() lying
	}{
		{"all is as it is", "", func() lying {
			return func(_ *http.Request, pass func() (*http.Response, error)) (*http.Response, error) { return pass() }
		}},
		{"it heeds no condition", "makes an object again", func() lying {
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				resp, err := pass()
				if err == nil && resp.StatusCode == http.StatusPreconditionFailed {
					resp.Body.Close()
					resp = answer(r, http.StatusOK, "")
				}
				return resp, err
			}
		}},
		{"it lists late", "doesn't list what was just put", func() lying {
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if isList(r) {
					return answer(r, http.StatusOK, nothing), nil
				}
				return pass()
			}
		}},
		{"it returns what isn't that", "doesn't return what was just put", func() lying {
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if isGet(r) {
					return answer(r, http.StatusOK, "two"), nil
				}
				return pass()
			}
		}},
		{"it refuses to delete", "doesn't delete", func() lying {
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if r.Method == "DELETE" {
					return answer(r, http.StatusForbidden, ""), nil
				}
				return pass()
			}
		}},
		{"it only says that it deletes", "returns what was just deleted", func() lying {
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if r.Method == "DELETE" {
					return answer(r, http.StatusNoContent, ""), nil
				}
				return pass()
			}
		}},
		{"it lists what is gone", "lists what was just deleted", func() lying {
			var listed []byte
			return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if isList(r) && listed != nil {
					return answer(r, http.StatusOK, string(listed)), nil
				}
				resp, err := pass()
				if err == nil && isList(r) {
					listed, err = io.ReadAll(resp.Body)
					resp.Body = io.NopCloser(bytes.NewReader(listed))
				}
				return resp, err
			}
		}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			server := httptest.NewServer(&httputil.ReverseProxy{
				Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(to)
					r.Out.Host = r.In.Host // it is signed
				},
				Transport: row.lie(),
			})
			defer server.Close()
			o := good
			o.Endpoint = server.URL
			_, err := blob.OpenBucket(t.Context(), o)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
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
