// SPDX-License-Identifier: EUPL-1.2

package blob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup makes dir a Dir that holds the blobs of this one, while this one goes
// on. Make the store's backup first: then all that it refers to is here too. A
// blob that dir holds already is not copied again, so that the next backup to the
// same place is quick. told, which may be nil, hears each time how many bytes more are
// there, copied or found.
func (d *Dir) Backup(dir string, told func(more int64)) error {
	if told == nil {
		told = func(int64) {}
	}
	var folders []string
	err := fs.WalkDir(d.root.FS(), pods, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err != nil || e.IsDir() {
			folders = append(folders, to)
			return errors.Join(err, os.MkdirAll(to, 0o700))
		}
		return d.copyTo(to, name, told)
	})
	for _, folder := range append(folders, dir, filepath.Dir(dir)) { // else a power cut could take the names of what is there
		err = errors.Join(err, syncFolder(folder))
	}
	if err != nil {
		return fmt.Errorf("pod/blob: backup: %w", err)
	}
	return nil
}

// A teller tells of the bytes that are read through it.
type teller struct {
	r    io.Reader
	told func(more int64)
}

// Read implements io.Reader.
func (t *teller) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.told(int64(n))
	return n, err
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// copyTo copies one blob, whole or not at all.
func (d *Dir) copyTo(to, name string, told func(more int64)) (err error) {
	if info, err := os.Stat(to); err == nil {
		told(info.Size())
		return nil
	}
	from, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	half := to + ".half"
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &teller{from, told})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(half))
	}
	return os.Rename(half, to)
}
