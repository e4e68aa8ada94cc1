// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

type backupCommand struct {
	anywhere
	To     string `arg:"" optional:"" help:"Directory to make, with the data. Over HTTP the server's settings say where it is (backups)." type:"path"`
	KeysTo string `help:"Directory for the pods' keys, which replaces the former. Keep only the newest copy: with an older one what was erased since can be read." type:"path"`
}

// Run obeys kong.
func (c *backupCommand) Run(ctx context.Context) error {
	if c.Server == "" && (c.To == "" || c.KeysTo == "") {
		return errors.New("say where to: a directory for the data, and another for the keys (--keys-to)")
	}
	return c.do(ctx, errand{Do: "backup", To: c.To, Keys: c.KeysTo}, func(o outcome) string { return "backed up in " + o.Took })
}

// backup writes all data to one directory, and the pods' keys to another, where
// they take the place of the former: a key that was destroyed must not live on in
// an older copy.
func (s *chest) backup(e errand) error {
	if s.data == nil {
		return errors.New("a cluster is backed up by its database (pg_dump, without the keys) and its bucket")
	}
	if err := s.mayBackUp(e.To, e.Keys); err != nil {
		return err
	}
	h := haul{told: e.told}
	if err := h.estimate(s.root, "store", "blobs", "keys"); err != nil {
		return err
	}
	part, fresh := e.To+".part", e.Keys+".new" // what is left of one that was interrupted goes
	if err := errors.Join(os.RemoveAll(part), os.RemoveAll(fresh), os.MkdirAll(part, 0o700)); err != nil {
		return err
	}
	if err := h.part(filepath.Join(part, "store"), s.data.Backup); err != nil {
		return err
	}
	if err := s.dir.Backup(filepath.Join(part, "blobs"), h.add); err != nil {
		return err
	}
	if err := errors.Join(h.part(fresh, s.ring.Backup), os.Chmod(fresh, 0o700)); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(part, e.To), os.RemoveAll(e.Keys)); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, e.Keys), syncDir(filepath.Dir(e.To)), syncDir(filepath.Dir(e.Keys)))
}

// syncDir makes what was renamed in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mayBackUp refuses directories of which one would take the other's place, or that of
// anything but a former copy of the keys.
func (s *chest) mayBackUp(to, keys string) error {
	to, keys, root := actual(to), actual(keys), actual(s.root)
	for _, pair := range [][2]string{{to, keys}, {keys, to}, {root, to}, {root, keys}, {to, root}, {keys, root}} {
		if rest, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rest) {
			return fmt.Errorf("%s is in %s: the data, its backup and the copy of the keys must be apart", pair[1], pair[0])
		}
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: give each backup a directory of its own", to)
	}
	there, err := os.ReadDir(keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range there {
		if f.IsDir() || !keyFile.MatchString(f.Name()) {
			return fmt.Errorf("%s holds something else than a copy of the pods' keys, and would be removed: give the keys a directory of their own", keys)
		}
	}
	if _, blobs := os.Lstat(filepath.Join(filepath.Dir(keys), "blobs")); filepath.Base(keys) == "store" && blobs == nil {
		return fmt.Errorf("%s is the data of a backup: give the keys a directory of their own", keys)
	}
	return err
}

// keyFile is the name of a file in a copy of the keys, which is an embedded store.
var keyFile = regexp.MustCompile(`^(CURRENT|LOCK|marker\..+|(MANIFEST|OPTIONS)-\d+|\d+\.(log|sst|blob))$`)

// actual is a path without the symbolic links of what is there already.
func actual(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(actual(dir), filepath.Base(path))
	}
	return path
}

// A haul tells how many bytes of a backup are where they belong, of about how many:
// what is served goes on to grow.
type haul struct {
	told     func(pace) // nil for nobody
	done, of int64
}

// estimate looks how many bytes some folders hold.
func (h *haul) estimate(dir string, folders ...string) error {
	if h.told == nil {
		return nil
	}
	for _, folder := range folders {
		n, err := bytesIn(filepath.Join(dir, folder))
		if h.of += n; err != nil {
			return err
		}
	}
	return nil
}

// add tells of more.
func (h *haul) add(more int64) {
	if h.told != nil {
		h.done += more
		h.told(pace{h.done, max(h.done, h.of), "bytes"})
	}
}

// part has one folder made by what doesn't tell how far it is, and looks for itself
// meanwhile.
func (h *haul) part(dir string, do func(dir string) error) error {
	if h.told == nil {
		return do(dir)
	}
	before, ended, quiet := h.done, make(chan struct{}), make(chan struct{})
	look := func() {
		if n, err := bytesIn(dir); err == nil {
			h.add(before + n - h.done)
		}
	}
	go func() {
		defer close(quiet)
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-ended:
				return
			case <-every.C:
				look()
			}
		}
	}()
	err := do(dir)
	close(ended)
	<-quiet
	look()
	return err
}

// bytesIn returns how many bytes the files in a folder have; files that vanish meanwhile
// don't count, nor does a folder that isn't there yet.
func bytesIn(dir string) (all int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				all += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return all, err
}

type restoreCommand struct {
	From string `arg:"" help:"Directory that backup made." type:"existingdir"`
	Keys string `required:"" help:"Directory with the newest copy of the pods' keys." type:"existingdir"`
	Dir  string `required:"" help:"Directory to make; serve it with --dir." type:"path"`
	JSON bool   `help:"Answer in JSON."`
}

// Run obeys kong. The directory is there when it is whole.
func (c *restoreCommand) Run(ctx context.Context) error {
	began, part := time.Now(), filepath.Clean(c.Dir)+".part"
	for _, dir := range []string{c.Dir, part} {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already", dir)
		}
	}
	shown := newBar(c.JSON)
	err := c.copy(ctx, part, shown.show)
	shown.end()
	if err == nil {
		err = os.Rename(part, c.Dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	o := outcome{Took: time.Since(began).Round(time.Millisecond).String()}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(o)
	}
	_, err = fmt.Println("restored in " + o.Took)
	return err
}

// copy copies what the backup has to a directory like that from which it is served.
func (c *restoreCommand) copy(ctx context.Context, to string, told func(pace)) error {
	parts := map[string]string{"store": filepath.Join(c.From, "store"), "blobs": filepath.Join(c.From, "blobs"), "keys": c.Keys}
	var of, done int64
	for _, from := range parts {
		n, err := bytesIn(from)
		if of += n; err != nil {
			return err
		}
	}
	for part, from := range parts {
		if err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			rest, err := filepath.Rel(from, name)
			if err != nil {
				return err
			}
			n, err := restoreOne(name, filepath.Join(to, part, rest), d)
			done += n
			told(pace{done, of, "bytes"})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// restoreOne copies a folder's name, or a file, durably. Anything else is no backup's.
func restoreOne(from, to string, d fs.DirEntry) (n int64, err error) {
	switch {
	case d.IsDir():
		return 0, os.MkdirAll(to, 0o700)
	case !d.Type().IsRegular():
		return 0, fmt.Errorf("%s is no file", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Sync(), out.Close())
}
