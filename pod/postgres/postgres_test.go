// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
	"skrin/auth/authtest"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/store"
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

// TestEndedRecordsAreSwept: rows that have ended are gone, and no others, when two
// nodes sweep at once; so used proofs don't fill the table.
func TestEndedRecordsAreSwept(t *testing.T) {
	server := podtest.NewPostgres(t)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	one, _ := opened(t, server, now)
	two := openURL(t, server.Last(), now)
	defer func() { must(t, two.Close()) }()
	const ended, living = 1100, 40
	for i := range ended + living {
		until := now().Add(time.Minute)
		if i >= ended {
			until = now().Add(time.Hour)
		}
		must(t, one.Save(t.Context(), "proof", fmt.Sprint(i), auth.Record{Until: until}))
	}
	must(t, postgres.Sweep(t.Context(), one))
	if n, err := postgres.Rows(t.Context(), one); n != ended+living || err != nil {
		t.Fatalf("before their end %d rows are left, %v", n, err)
	}
	ahead.Store(int64(2 * time.Minute))
	var wg sync.WaitGroup
	for _, s := range []*postgres.Store{one, two} {
		wg.Go(func() {
			if err := postgres.Sweep(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, postgres.Sweep(t.Context(), one)) // what one had begun, the other left alone
	if n, err := postgres.Rows(t.Context(), one); n != living || err != nil {
		t.Errorf("%d rows are left, %v, want %d", n, err, living)
	}
}

func TestStore(t *testing.T) {
	server := podtest.NewPostgres(t)
	podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
		s, reopen := opened(t, server, time.Now)
		return s, func() store.Store { return reopen() }
	})
}

func TestRecords(t *testing.T) {
	server := podtest.NewPostgres(t)
	authtest.TestRecords(t, func(t testing.TB, now func() time.Time) (auth.Records, func() auth.Records) {
		s, reopen := opened(t, server, now)
		return s, func() auth.Records { return reopen() }
	})
}
