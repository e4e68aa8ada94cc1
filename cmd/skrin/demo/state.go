// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A file is a value that survives a restart: a small JSON file, replaced whole
// at each change. One process has it open at a time.
type file[T any] struct {
	path string
	mu   sync.Mutex
	text []byte
}

func openFile[T any](path string) (*file[T], error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, err
	}
	f := &file[T]{path: path, text: text}
	if err := json.Unmarshal(text, new(T)); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return f, nil
}

// get gives a copy of the value.
func (f *file[T]) get() (T, error) {
	f.mu.Lock()
	text := f.text
	f.mu.Unlock()
	var value T
	return value, json.Unmarshal(text, &value)
}

// change runs fn alone. What fn made of the value is kept, durably, if fn
// returns nil, and forgotten if not.
func (f *file[T]) change(fn func(*T) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var value T
	if err := json.Unmarshal(f.text, &value); err != nil {
		return err
	}
	if err := fn(&value); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := writeFile(f.path, text); err != nil {
		return fmt.Errorf("keep %s: %w", filepath.Base(f.path), err)
	}
	f.text = text
	return nil
}

// writeFile replaces a file whole, and durably; only we may read it.
func writeFile(path string, text []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name()) // no longer there, if all went well
	_, err = t.Write(text)
	if err := errors.Join(err, t.Sync(), t.Close()); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// put adds to a map that never has more than limit entries, at least 1: the
// oldest of the others goes.
func put[V any](m *map[string]V, key string, value V, limit int, when func(V) time.Time) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
	for len(*m) > limit {
		oldest := ""
		for k, v := range *m {
			if k != key && (oldest == "" || when(v).Before(when((*m)[oldest]))) {
				oldest = k
			}
		}
		delete(*m, oldest)
	}
}
