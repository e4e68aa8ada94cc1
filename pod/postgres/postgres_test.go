// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"testing"
	"time"

	"skrin/auth"
	"skrin/auth/authtest"
	"skrin/pod"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened opens an empty database of the server, and again when reopen is called.
func opened(t testing.TB, server *podtest.Postgres, now func() time.Time) (s *postgres.Store, reopen func() *postgres.Store) {
	t.Helper()
	url := server.Schema()
	s = openURL(t, url, now)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, func() *postgres.Store {
		must(t, s.Close())
		s = openURL(t, url, now)
		return s
	}
}

func openURL(t testing.TB, url string, now func() time.Time) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Now: now})
	must(t, err)
	return s
}

func TestStore(t *testing.T) {
	server := podtest.NewPostgres(t)
	podtest.TestStore(t, func(t testing.TB) (pod.Store, func() pod.Store) {
		s, reopen := opened(t, server, time.Now)
		return s, func() pod.Store { return reopen() }
	})
}

func TestRecords(t *testing.T) {
	server := podtest.NewPostgres(t)
	authtest.TestRecords(t, func(t testing.TB, now func() time.Time) (auth.Records, func() auth.Records) {
		s, reopen := opened(t, server, now)
		return s, func() auth.Records { return reopen() }
	})
}
