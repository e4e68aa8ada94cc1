// SPDX-License-Identifier: EUPL-1.2

package pebble_test

import (
	"testing"
	"time"

	"skrin/auth"
	"skrin/auth/authtest"
	"skrin/pod/pebble"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

// opened opens a store in a directory, and again when reopen is called.
func opened(t testing.TB, now func() time.Time) (s *pebble.Store, reopen func() *pebble.Store) {
	t.Helper()
	dir := t.TempDir()
	s = openDir(t, dir, now)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, func() *pebble.Store {
		must(t, s.Close())
		s = openDir(t, dir, now)
		return s
	}
}

func openDir(t testing.TB, dir string, now func() time.Time) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(dir, pebble.Options{Now: now})
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
		s, reopen := opened(t, time.Now)
		return s, func() store.Store { return reopen() }
	})
}

func TestRecords(t *testing.T) {
	authtest.TestRecords(t, func(t testing.TB, now func() time.Time) (auth.Records, func() auth.Records) {
		s, reopen := opened(t, now)
		return s, func() auth.Records { return reopen() }
	})
}
