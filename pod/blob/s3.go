// SPDX-License-Identifier: EUPL-1.2

package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"skrin/ldp"
	"skrin/pod/store"
)

// Options says which bucket is opened.
type Options struct {
	// Endpoint is the URL of the S3 server, like https://s3.example.se:9000, with
	// nothing after the port. Required.
	Endpoint string
	// Bucket is there already. Required.
	Bucket string
	// Prefix is what the names of all objects begin with, like "skrin/". May be
	// empty.
	Prefix string
	// Region is "" for the server's own.
	Region string
	// AccessKey and SecretKey are the credentials. Required.
	AccessKey, SecretKey string
	// Spool is the directory for bodies that are too large for the memory, while
	// they arrive. Required.
	Spool string
}

// A Bucket is store.Blobs in a bucket of an S3 server. Any number of processes may
// use one. It is safe for concurrent use. What Open returned ends with its ctx.
type Bucket struct {
	s3    minio.Core
	name  string
	inner string // what the names of its objects begin with
	spool string
}

var _ store.Blobs = (*Bucket)(nil)

const (
	inMemory = 1 << 20  // bytes of a body that is kept there
	partSize = 16 << 20 // bytes that are sent at a time
	tries    = 3        // of a request, before its failure is told
)

// OpenBucket opens a bucket and checks that the server keeps what Skrin relies
// on: it makes an object only once if told so, lists it and reads it at once, and
// forgets it at once when it is deleted. The error says which of these it
// doesn't.
func OpenBucket(ctx context.Context, o Options) (*Bucket, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || o.Endpoint != u.Scheme+"://"+u.Host || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("pod/blob: the S3 endpoint %q: want https:// and a host, and nothing after it", o.Endpoint)
	}
	if o.AccessKey == "" || o.SecretKey == "" || o.Spool == "" {
		return nil, errors.New("pod/blob: the S3 access key, secret key or spool directory is missing")
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure: u.Scheme == "https", Region: o.Region, Transport: transport(),
		BucketLookup: minio.BucketLookupAuto, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("pod/blob: S3: %w", err)
	}
	b := &Bucket{s3: *core, name: o.Bucket, inner: o.Prefix + pods + "/", spool: o.Spool}
	if err := b.check(ctx, o.Prefix); err != nil {
		return nil, fmt.Errorf("pod/blob: the bucket %s: %w", o.Bucket, err)
	}
	return b, nil
}

// transport gives up on a server that doesn't answer.
func transport() http.RoundTripper {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
	}
}

// check tries the server out on an object of its own.
func (b *Bucket) check(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	folder := prefix + "check/" + rand.Text() + "/"
	name := folder + "object"
	once := minio.PutObjectOptions{DisableMultipart: true}
	once.SetMatchETagExcept("*")
	put := func(content string) error {
		return unhindered(ctx, func() error {
			_, err := b.s3.Client.PutObject(ctx, b.name, name, strings.NewReader(content), int64(len(content)), once)
			return err
		})
	}
	if err := put("one"); err != nil {
		return trouble("check", err)
	}
	defer func() { _ = b.remove(context.WithoutCancel(ctx), name) }() // it has been, if all is well
	for _, promise := range []struct {
		broken string
		kept   func() (bool, error)
	}{
		{"makes an object again that was to be made once (If-None-Match)", func() (bool, error) {
			return minio.ToErrorResponse(put("two")).StatusCode == http.StatusPreconditionFailed, nil
		}},
		{"doesn't list what was just put", func() (bool, error) { n, err := b.count(ctx, folder); return n == 1, err }},
		{"doesn't return what was just put", func() (bool, error) { c, err := b.whole(ctx, name); return c == "one", err }},
		{"doesn't delete", func() (bool, error) { err := b.remove(ctx, name); return err == nil, err }},
		{"returns what was just deleted", func() (bool, error) {
			_, err := b.whole(ctx, name)
			return errors.Is(err, store.ErrNoBlob), nil
		}},
		{"lists what was just deleted", func() (bool, error) { n, err := b.count(ctx, folder); return n == 0, err }},
	} {
		if kept, err := promise.kept(); !kept {
			return errors.Join(fmt.Errorf("the S3 server %s: Skrin can't rely on it", promise.broken), err)
		}
	}
	return nil
}

func (b *Bucket) count(ctx context.Context, prefix string) (n int, err error) {
	err = b.each(ctx, prefix, func(minio.ObjectInfo) error { n++; return nil })
	return n, err
}

// whole returns the content of a small object.
func (b *Bucket) whole(ctx context.Context, name string) (string, error) {
	r, err := b.open(ctx, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(io.LimitReader(r, 1<<10))
	return string(content), err
}

// object returns the name of a blob's object; ErrNoBlob if none can be.
func (b *Bucket) object(id, digest string) (string, error) {
	if !isPod(id) || !isDigest(digest) {
		return "", store.ErrNoBlob
	}
	return b.inner + id + "/" + digest, nil
}

// trouble classes an error of the server, and takes out of it what names a pod.
func trouble(doing string, err error) error {
	r := minio.ToErrorResponse(err)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("pod/blob: %s: %w", doing, err)
	case r.Code == minio.NoSuchKey || r.StatusCode == http.StatusNotFound && r.Code != minio.NoSuchBucket:
		return store.ErrNoBlob
	case r.StatusCode != 0:
		return fmt.Errorf("pod/blob: %s: %w: S3 answers %d %s", doing, ldp.Unavailable, r.StatusCode, r.Code)
	}
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("pod/blob: %s: %w: %w", doing, ldp.Unavailable, err)
}

// Put implements store.Blobs.
func (b *Bucket) Put(ctx context.Context, id string, body io.Reader, limit int64) (digest string, size int64, err error) {
	if !isPod(id) {
		return "", 0, errors.New("pod/blob: the pod's id can't be part of an object's name")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what minio-go leaves behind when a part fails
	s := &spool{dir: b.spool}
	defer s.close()
	if digest, size, err = copyBody(ctx, s, body, limit); err != nil {
		return "", 0, err
	}
	if err := b.send(ctx, b.inner+id+"/"+digest, s, size); err != nil {
		return "", 0, trouble("put", err)
	}
	return digest, size, nil
}

// send puts the spool under a name.
func (b *Bucket) send(ctx context.Context, name string, s *spool, size int64) error {
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize, DisableMultipart: size <= partSize}
	return unhindered(ctx, func() error {
		_, err := b.s3.Client.PutObject(ctx, b.name, name, s.reader(), size, o)
		return err
	})
}

// unhindered puts an object, again where the server answers 409: it may do so while
// another request, like a Delete, works on the same name, or, if it keeps objects in
// folders, in the same folder; that passes.
func unhindered(ctx context.Context, put func() error) error {
	for try := 1; ; try++ {
		err := put()
		if try == 10 || minio.ToErrorResponse(err).StatusCode != http.StatusConflict {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 5 * time.Millisecond):
		}
	}
}

// A spool keeps a body until its end has come: what is too long for the memory
// in a file that has no name, and so is gone when the process is.
type spool struct {
	dir    string
	memory bytes.Buffer
	file   *os.File
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.memory.Len()+len(p) <= inMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// spill moves what is in memory to a file.
func (s *spool) spill() (err error) {
	if s.file, err = os.CreateTemp(s.dir, "skrin-*"); err != nil {
		return err
	}
	if err := os.Remove(s.file.Name()); err != nil {
		return err
	}
	_, err = s.memory.WriteTo(s.file)
	return err
}

// reader returns a reader of the whole, which several may use at once.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes())
	}
	end, _ := s.file.Seek(0, io.SeekCurrent) // of an open file it doesn't fail
	return io.NewSectionReader(s.file, 0, end)
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it is forgotten in any case
	}
}

// Open implements store.Blobs.
func (b *Bucket) Open(ctx context.Context, id, digest string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := b.object(id, digest)
	if err != nil {
		return nil, err
	}
	return b.open(ctx, name)
}

func (b *Bucket) open(ctx context.Context, name string) (*object, error) {
	o := &object{ctx: ctx, b: b, name: name}
	info, err := o.request()
	if err != nil {
		return nil, err
	}
	o.size = info.Size
	return o, nil
}

// An object reads an S3 object from any place: each jump is a request, made when
// it is read from there.
type object struct {
	ctx  context.Context
	b    *Bucket
	name string
	size int64
	at   int64
	body io.ReadCloser // that yields what comes at at; nil: to be asked for
}

// request asks for what comes at o.at.
func (o *object) request() (minio.ObjectInfo, error) {
	var opts minio.GetObjectOptions
	if o.at > 0 {
		if err := opts.SetRange(o.at, 0); err != nil {
			return minio.ObjectInfo{}, fmt.Errorf("pod/blob: open: %w", err)
		}
	}
	body, info, _, err := o.b.s3.GetObject(o.ctx, o.b.name, o.name, opts)
	if err != nil {
		return info, trouble("open", err)
	}
	o.body = body
	return info, nil
}

// Read implements io.Reader.
func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.body == nil {
		if _, err := o.request(); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	switch {
	case err == io.EOF && o.at < o.size:
		return n, fmt.Errorf("pod/blob: read: %w: %w", ldp.Unavailable, io.ErrUnexpectedEOF)
	case err != nil && err != io.EOF:
		return n, trouble("read", err)
	}
	return n, err
}

// Seek implements io.Seeker.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return o.at, errors.New("pod/blob: seek: before the start")
	}
	if offset != o.at {
		_ = o.Close()
		o.at, o.body = offset, nil
	}
	return offset, nil
}

// Close implements io.Closer.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}

// Delete implements store.Blobs.
func (b *Bucket) Delete(ctx context.Context, id, digest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := b.object(id, digest)
	if err != nil {
		return nil // there can't be one
	}
	return b.remove(ctx, name)
}

func (b *Bucket) remove(ctx context.Context, name string) error {
	err := b.s3.RemoveObject(ctx, b.name, name, minio.RemoveObjectOptions{})
	if err == nil || errors.Is(trouble("delete", err), store.ErrNoBlob) {
		return nil
	}
	return trouble("delete", err)
}

// List implements store.Blobs. The times are the server's, mostly whole seconds.
func (b *Bucket) List(ctx context.Context, id string, each func(digest string, stored time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !isPod(id) {
		return nil
	}
	prefix := b.inner + id + "/"
	return b.each(ctx, prefix, func(o minio.ObjectInfo) error {
		digest := strings.TrimPrefix(o.Key, prefix)
		if !isDigest(digest) {
			return nil
		}
		return each(digest, o.LastModified)
	})
}

// each yields the objects whose names begin with prefix.
func (b *Bucket) each(ctx context.Context, prefix string, yield func(minio.ObjectInfo) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range b.s3.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return trouble("list", o.Err)
		}
		if err := yield(o); err != nil {
			return err
		}
	}
	return ctx.Err()
}
