// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"errors"
	"fmt"
	"strings"
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

// TestRoundTrips: what a transaction costs in round trips.
func TestRoundTrips(t *testing.T) {
	server := podtest.NewPostgres(t)
	d, address := newDeaf(t, server.Schema())
	s := openURL(t, address, time.Now)
	defer func() { must(t, s.Close()) }()
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error {
		for _, key := range []string{"a", "b", "c", strings.Repeat("long", 600)} {
			tx.Put(key, []byte("value of "+key))
		}
		return nil
	}))
	get := func(tx store.Tx, keys ...string) error {
		values, err := tx.Get(keys...)
		for i, value := range values {
			if want := "value of " + keys[i]; string(value) != want && keys[i] != "none" {
				t.Errorf("%.9q is %.20q", keys[i], value)
			}
		}
		return err
	}
	nothing := func(store.Tx) error { return nil }
	long := strings.Repeat("long", 600)
	for _, row := range []struct {
		sentence     string
		view, update int64
		fn           func(store.Tx) error
	}{
		{"nothing but that the pod is there", 2, 2, nothing},
		{"one look", 2, 2, func(tx store.Tx) error { return get(tx, "a", "none", long, "b") }},
		{"who asks for the id first", 3, 3, func(tx store.Tx) error { _ = tx.Pod(); return get(tx, "a") }},
		{"a look after a look", 3, 3, func(tx store.Tx) error { return errors.Join(get(tx, "a"), get(tx, "b", "none")) }},
		{"what was said ahead comes with the first", 2, 2, func(tx store.Tx) error {
			store.Ahead(tx, "b", "none", long)
			return errors.Join(get(tx, "a"), get(tx, "b", long), get(tx, "none"), get(tx, "b"))
		}},
		{"and with the next", 3, 3, func(tx store.Tx) error {
			err := get(tx, "a")
			store.Ahead(tx, "b", "none")
			return errors.Join(err, get(tx, "c"), get(tx, "none", "b"))
		}},
		{"what is ahead is not read for nothing", 2, 2, func(tx store.Tx) error {
			err := get(tx, "a")
			store.Ahead(tx, "b")
			return err
		}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			trips := func(do func()) int64 {
				do() // what is prepared on a connection, once
				before := d.trips.Load()
				do()
				return d.trips.Load() - before
			}
			if n := trips(func() { must(t, s.View(t.Context(), "id/a", row.fn)) }); n != row.view {
				t.Errorf("a View takes %d round trips, want %d", n, row.view)
			}
			n := trips(func() {
				must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Put("new", []byte("n")); return row.fn(tx) }))
			})
			if n != row.update {
				t.Errorf("an Update takes %d round trips, want %d", n, row.update)
			}
		})
	}
	must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error {
		store.Ahead(tx, "b")
		tx.Put("b", []byte("value of b"))
		tx.Delete("c")
		store.Ahead(tx, "c")
		values, err := tx.Get("a", "c")
		if err == nil && values[1] != nil {
			t.Error("what was deleted is read ahead")
		}
		tx.Put("c", []byte("value of c"))
		return errors.Join(err, get(tx, "b", "c"))
	}))
}
