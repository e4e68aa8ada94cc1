// SPDX-License-Identifier: EUPL-1.2

// Package blob keeps large immutable bytes: in a directory (a [Dir]), or in a
// bucket of a store that speaks S3 (a [Bucket]).
//
// A pod's id has 1 to 128 of the characters A-Z a-z 0-9 - _; for another id, as
// for a digest that is none, there is no blob, and Put is an error. So no name
// here needs an escape, and none depends on what a file system or an S3 server
// makes of odd ones.
//
// A Dir holds a file per blob, "pods/xx/<pod>/<digest>", where xx are two digits
// of the pod id's hash, so that no folder gets a million entries. A body is
// written to a file in "tmp", synced, renamed to its place, and the folders are
// synced: whoever sees it sees all of it, and what Put has acknowledged survives
// a power cut. What an interrupted Put left in "tmp" is removed at the next
// start. All paths go through an os.Root, and are made of a checked pod id and a
// checked digest: nothing leads out of the directory.
//
// A Bucket holds an object per blob, "{prefix}pods/<pod>/<digest>". A body is
// read to its end before the first byte is sent: up to 1 MiB in memory, more of
// it in a file without a name that vanishes with the process. So the object's
// name is known from the start, a request can be sent again, and what S3 shows is
// whole: it never needs to copy, to rename or to remember half an upload. A blob
// is as durable as the S3 server makes what it acknowledges.
package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A Dir is store.Blobs in a directory. It is safe for concurrent use.
type Dir struct {
	root *os.Root
	lock *os.File
}

var _ store.Blobs = (*Dir)(nil)

const (
	tmp  = "tmp"
	pods = "pods"
)

// Open opens the directory, and makes it if it isn't there. It is an error if
// another process has it open. The caller closes the Dir.
func Open(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("pod/blob: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("pod/blob: %w", err)
	}
	d := &Dir{root: root}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("pod/blob: open %s: %w", dir, err), d.Close())
	}
	return d, nil
}

// Close gives the directory free. It doesn't end what is open.
func (d *Dir) Close() error {
	if d.lock != nil {
		_ = d.lock.Close() // and with it the lock
	}
	return d.root.Close()
}

// prepare locks the directory, removes what was interrupted, and makes the
// folders whose number is fixed.
func (d *Dir) prepare() (err error) {
	if d.lock, err = d.root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("it can't be locked; is another skrin running on it? %w", err)
	}
	if err := d.root.RemoveAll(tmp); err != nil {
		return err
	}
	if err := d.root.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	for i := range 256 {
		if err := d.root.MkdirAll(fmt.Sprintf("%s/%02x", pods, i), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(d.sync(pods), d.sync("."))
}

// sync makes the entries of a folder durable.
func (d *Dir) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// isPod reports whether id can be a pod's here: whether it means the same in
// every file system and URL.
func isPod(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// folder returns a pod's folder; false if id can't be a pod's.
func folder(id string) (string, bool) {
	if !isPod(id) {
		return "", false
	}
	sum := sha256.Sum256([]byte(id))
	return path.Join(pods, hex.EncodeToString(sum[:1]), id), true
}

func isDigest(s string) bool {
	return len(s) == 2*sha256.Size && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// file returns where a blob is; ErrNoBlob if none can be.
func file(id, digest string) (string, error) {
	dir, ok := folder(id)
	if !ok || !isDigest(digest) {
		return "", store.ErrNoBlob
	}
	return path.Join(dir, digest), nil
}

// failed classes an error: what the operator can mend by making room is
// ldp.Unavailable.
func failed(doing string, err error) error {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES} {
		if errors.Is(err, e) {
			return fmt.Errorf("pod/blob: %s: %w: %w", doing, ldp.Unavailable, e)
		}
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path tells whose it is
	}
	return fmt.Errorf("pod/blob: %s: %w", doing, err)
}

// Put implements store.Blobs. It reads body in its own time: to stop it when ctx is
// done while a Read waits, the body must end with ctx too.
func (d *Dir) Put(ctx context.Context, id string, body io.Reader, limit int64) (digest string, size int64, err error) {
	dir, ok := folder(id)
	if !ok {
		return "", 0, errors.New("pod/blob: the pod's id can't be the name of a folder")
	}
	name := path.Join(tmp, rand.Text())
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, failed("put", err)
	}
	digest, size, err = fill(ctx, f, body, limit)
	if e := f.Close(); e != nil && err == nil {
		err = failed("put", e)
	}
	if err == nil {
		err = d.place(name, dir, digest)
	}
	if err != nil {
		_ = d.root.Remove(name) // else the next start does it
		return "", 0, err
	}
	return digest, size, nil
}

// fill writes the body and syncs it.
func fill(ctx context.Context, f *os.File, body io.Reader, limit int64) (digest string, size int64, err error) {
	if digest, size, err = copyBody(ctx, f, body, limit); err != nil {
		return "", 0, err
	}
	if err := f.Sync(); err != nil {
		return "", 0, failed("put", err)
	}
	return digest, size, nil
}

// copyBody writes the body to w, and returns its digest: a body that names itself
// isn't hashed a second time. A whole block is hashed while it is written, which takes
// as long.
func copyBody(ctx context.Context, w io.Writer, body io.Reader, limit int64) (digest string, size int64, err error) {
	sum := sha256.New()
	_, named := body.(store.Digested)
	buf, hashed := make([]byte, 128<<10), make(chan struct{})
	for {
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		n, readErr := readBlock(body, buf)
		if size += int64(n); size > limit {
			return "", 0, fmt.Errorf("pod/blob: put: more than %d bytes: %w", limit, ldp.TooLarge)
		}
		aside := !named && n == len(buf)
		switch {
		case aside:
			go func() { _, _ = sum.Write(buf); hashed <- struct{}{} }() // never fails
		case !named:
			_, _ = sum.Write(buf[:n])
		}
		_, err := w.Write(buf[:n])
		if aside {
			<-hashed
		}
		if err != nil {
			return "", 0, failed("put", err)
		}
		if readErr == io.EOF {
			digest, err := nameOf(body, sum.Sum(nil))
			return digest, size, err
		}
		if readErr != nil {
			return "", 0, fmt.Errorf("pod/blob: put: the body: %w", readErr)
		}
	}
}

// readBlock fills buf, if the body is long enough; with io.EOF after its last bytes.
func readBlock(body io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = body.Read(buf[n:])
		n += more
	}
	return n, err
}

// nameOf returns the digest of a body that has ended.
func nameOf(body io.Reader, sum []byte) (string, error) {
	d, ok := body.(store.Digested)
	if !ok {
		return hex.EncodeToString(sum), nil
	}
	digest := d.Digest()
	if !isDigest(digest) {
		return "", errors.New("pod/blob: put: what the body calls itself is no digest")
	}
	return digest, nil
}

// place gives a whole file its name, and the name to the disk. Where the blob was
// there already the new file takes its place, so that it counts as stored now;
// who reads the old one reads on.
func (d *Dir) place(name, dir, digest string) error {
	err := fs.ErrNotExist
	for tries := 0; errors.Is(err, fs.ErrNotExist) && tries < 100; tries++ { // a Delete may remove the empty folder
		if err := d.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return failed("put", err)
		}
		err = d.root.Rename(name, path.Join(dir, digest))
	}
	if err != nil {
		return failed("put", err)
	}
	err = errors.Join(d.sync(dir), d.sync(path.Dir(dir)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
		return failed("put", err)
	}
	return nil
}

// Open implements store.Blobs.
func (d *Dir) Open(ctx context.Context, id, digest string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := file(id, digest)
	if err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, store.ErrNoBlob
	}
	if err != nil {
		return nil, failed("open", err)
	}
	return f, nil
}

// Delete implements store.Blobs. It is durable when it returns.
func (d *Dir) Delete(ctx context.Context, id, digest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := file(id, digest)
	if err != nil {
		return nil // there can't be one
	}
	err = d.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir := path.Dir(name)
	if err == nil {
		if d.root.Remove(dir) == nil { // it was the pod's last
			dir = path.Dir(dir)
		}
		err = d.sync(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("delete", err)
	}
	return nil
}

// List implements store.Blobs. The order is none.
func (d *Dir) List(ctx context.Context, id string, each func(digest string, stored time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, ok := folder(id)
	if !ok {
		return nil
	}
	f, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed("list", err)
	}
	defer func() { _ = f.Close() }() // only read
	for {
		entries, err := f.ReadDir(256)
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return failed("list", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := tell(e, each); err != nil {
				return err
			}
		}
	}
}

// tell yields an entry, unless it is gone or no blob's.
func tell(e fs.DirEntry, each func(string, time.Time) error) error {
	if !isDigest(e.Name()) {
		return nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed("list", err)
	}
	return each(e.Name(), info.ModTime())
}
