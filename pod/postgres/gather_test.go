// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
)

// A look is a connection to a database, beside those of the Stores.
type look struct {
	*pgx.Conn
	t testing.TB
}

func newLook(t testing.TB, url string) *look {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &look{conn, t}
}

// number returns what a query counts.
func (l *look) number(sql string) (n int) {
	l.t.Helper()
	must(l.t, l.QueryRow(l.t.Context(), sql).Scan(&n))
	return n
}

// hold has everybody who writes these records wait, until the function that it returns
// is called: somebody is about to write them, and then doesn't.
func (l *look) hold(keys ...string) (free func()) {
	l.t.Helper()
	tx, err := l.Begin(l.t.Context())
	must(l.t, err)
	for _, key := range keys {
		_, err = tx.Exec(l.t.Context(), "insert into record (kind, key, version, value) values ('proof', $1, 1, '')", []byte(key))
		must(l.t, err)
	}
	return func() { must(l.t, tx.Rollback(context.Background())) }
}

// waiting waits until so many statements wait for another.
func (l *look) waiting(n int) {
	l.t.Helper()
	for l.number("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") != n {
		time.Sleep(time.Millisecond)
	}
}

// A saving is what has become of one who saves a record.
type saving struct {
	key string
	err error
}

// saver saves records, each in a goroutine of its own.
type saver struct {
	all  sync.WaitGroup
	mu   sync.Mutex
	done []saving
}

func (s *saver) save(ctx context.Context, to *postgres.Store, key string) {
	s.all.Go(func() {
		err := to.Save(ctx, "proof", key, auth.Record{Until: time.Now().Add(time.Minute)})
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = append(s.done, saving{key, err})
	})
}

// count returns how many Saves have succeeded, by key, and how many ended with what.
func (s *saver) count(t testing.TB, what error) (good map[string]int, others int) {
	t.Helper()
	s.all.Wait()
	good = map[string]int{}
	for _, d := range s.done {
		switch {
		case d.err == nil:
			good[d.key]++
		case errors.Is(d.err, what):
			others++
		default:
			t.Errorf("%s: %v, want %v", d.key, d.err, what)
		}
	}
	return good, others
}

// busy has all who write on a node wait, until the function that it returns is called.
func busy(t testing.TB, s *saver, to *postgres.Store, url string) (free func()) {
	t.Helper()
	var keys []string
	for i := range postgres.Gatherers {
		keys = append(keys, fmt.Sprint("first", i))
	}
	free = newLook(t, url).hold(keys...)
	sees := newLook(t, url)
	for i, key := range keys {
		s.save(t.Context(), to, key)
		sees.waiting(i + 1)
	}
	return free
}

// come waits until so many records wait to be written.
func come(s *postgres.Store, n int) {
	for postgres.Come(s) < n {
		time.Sleep(time.Millisecond)
	}
}

// TestNewRecordsGoTogether: records that come while others are written are written in
// few transactions; of two of the same name in one statement one is stored; one that
// its saver has given up is not, which harms no other; and one that comes alone does
// not wait.
func TestNewRecordsGoTogether(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, _ := opened(t, server, time.Now)
	sees := newLook(t, server.Last())
	const names = 90
	var all, twins saver
	free := busy(t, &all, s, server.Last())
	gone, cancel := context.WithCancel(t.Context())
	var left saver
	left.save(gone, s, "gone")
	for i := range names {
		all.save(t.Context(), s, fmt.Sprint(i))
	}
	for i := range 10 {
		twins.save(t.Context(), s, fmt.Sprint(i))
	}
	come(s, names+10+1)
	cancel()
	if good, others := left.count(t, context.Canceled); len(good) != 0 || others != 1 {
		t.Errorf("who has given up: %v", good)
	}
	before := sees.number("select txid_current()")
	free()
	all.done = append(all.done, func() []saving { twins.all.Wait(); return twins.done }()...)
	good, others := all.count(t, auth.ErrChanged)
	for key, n := range good {
		if n != 1 {
			t.Errorf("%s is stored %d times", key, n)
		}
	}
	if len(good) != names+postgres.Gatherers || others != 10 {
		t.Errorf("%d are stored, and %d told that they were before; want %d and 10", len(good), others, names+postgres.Gatherers)
	}
	// Two that waited for the table, what had come, the second of each name, and this look.
	if n := sees.number("select txid_current()") - before; n > 20 {
		t.Errorf("%d records took %d transactions", names, n)
	} else {
		t.Logf("%d records took %d transactions", names, n)
	}
	if n := sees.number("select count(*) from record"); n != names+postgres.Gatherers {
		t.Errorf("there are %d rows", n)
	}
	began := time.Now()
	must(t, s.Save(t.Context(), "proof", "alone", auth.Record{}))
	t.Logf("one alone: %v", time.Since(began))
}

// TestWhoGivesUpHarmsNoOther: who gives up while the statement is under way that has
// been begun for her is told at once; the others of the statement are stored.
func TestWhoGivesUpHarmsNoOther(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, _ := opened(t, server, time.Now)
	sees := newLook(t, server.Last())
	var all, left saver
	free := busy(t, &all, s, server.Last())
	gone, cancel := context.WithCancel(t.Context())
	left.save(gone, s, "gone")
	for postgres.Come(s) < 1 { // so that the statement is begun for this one
		time.Sleep(time.Millisecond)
	}
	all.save(t.Context(), s, "held")
	for i := range 20 {
		all.save(t.Context(), s, fmt.Sprint(i))
	}
	come(s, 22)
	release := newLook(t, server.Last()).hold("held")
	free()
	sees.waiting(1)
	cancel()
	if good, others := left.count(t, context.Canceled); len(good) != 0 || others != 1 {
		t.Errorf("who has given up: %v", good)
	}
	release()
	if good, _ := all.count(t, auth.ErrChanged); len(good) != 21+postgres.Gatherers {
		t.Errorf("%d of the others are stored", len(good))
	}
}

// TestTooManyNewRecords: when more wait than there is room for, the next is told to
// come again, and they are not harmed; and all come through, in statements of a bounded size.
func TestTooManyNewRecords(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: server.Schema(), Now: time.Now, Timeout: time.Minute})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	sees := newLook(t, server.Last())
	var all saver
	free := busy(t, &all, s, server.Last())
	for i := range postgres.MaxCome {
		all.save(t.Context(), s, fmt.Sprint(i))
	}
	come(s, postgres.MaxCome)
	if err := s.Save(t.Context(), "proof", "more", auth.Record{}); !errors.Is(err, ldp.Unavailable) {
		t.Errorf("one too many: %v", err)
	}
	before := sees.number("select txid_current()")
	free()
	if good, _ := all.count(t, auth.ErrChanged); len(good) != postgres.MaxCome+postgres.Gatherers {
		t.Errorf("%d of %d are stored", len(good), postgres.MaxCome)
	}
	if n := sees.number("select txid_current()") - before; n < postgres.MaxCome/postgres.MaxGathered || n > postgres.MaxCome/8 {
		t.Errorf("%d records took %d transactions", postgres.MaxCome, n)
	}
}

// TestNodesSaveOnce: of two nodes that are given the same proofs at once, in another
// order each, one takes each; and no statement is ended for the sake of another.
func TestNodesSaveOnce(t *testing.T) {
	server := podtest.NewPostgres(t)
	one, _ := opened(t, server, time.Now)
	two := beside(t, server)
	const names = 1000
	var all saver
	for _, node := range []*postgres.Store{one, two} {
		for _, i := range rand.Perm(names) {
			all.save(t.Context(), node, fmt.Sprint(i))
		}
	}
	good, others := all.count(t, auth.ErrChanged)
	if len(good) != names || others != names {
		t.Errorf("%d were taken, %d times refused; want %d and %d", len(good), others, names, names)
	}
	sees := newLook(t, server.Last())
	time.Sleep(1100 * time.Millisecond) // sessions tell what happened once a second
	if n := sees.number("select deadlocks from pg_stat_database where datname = current_database()"); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// TestKilledWhileTheyAreSaved: when the database is killed, nobody is told that a
// record was saved which wasn't: not those whose statement was under way, not those that waited, and none
// that was told is lost.
func TestKilledWhileTheyAreSaved(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: server.Schema(), Now: time.Now, Timeout: 2 * time.Second})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	t.Run("in a statement, and before it", func(t *testing.T) {
		var all saver
		busy(t, &all, s, server.Last())
		for i := range 50 {
			all.save(t.Context(), s, fmt.Sprint(i))
		}
		come(s, 50)
		began := time.Now()
		server.Kill()
		good, others := all.count(t, ldp.Unavailable)
		if len(good) != 0 || others != 50+postgres.Gatherers {
			t.Errorf("%d are said to be stored", len(good))
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to tell", took)
		}
		server.Start()
	})
	t.Run("under load", func(t *testing.T) {
		stop := make(chan struct{})
		var saved sync.Map
		var number, failed atomic.Int64
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					key := fmt.Sprint("load", number.Add(1))
					if s.Save(t.Context(), "proof", key, auth.Record{Until: time.Now().Add(time.Hour)}) == nil {
						saved.Store(key, true)
					} else {
						failed.Add(1)
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		for range 2 {
			time.Sleep(300 * time.Millisecond)
			server.Kill()
			time.Sleep(50 * time.Millisecond)
			server.Start()
		}
		close(stop)
		all.Wait()
		n := 0
		for key := range saved.Range {
			n++
			if err := s.Save(t.Context(), "proof", key.(string), auth.Record{}); !errors.Is(err, auth.ErrChanged) {
				t.Fatalf("%s was saved, and could be again: %v", key, err)
			}
		}
		t.Logf("%d saved, %d refused", n, failed.Load())
		if n == 0 || failed.Load() == 0 {
			t.Error("nothing was saved, or nothing refused: the test has shown nothing")
		}
	})
}

// TestCloseWhileTheyAreSaved: a Store that is closed first writes what has come; who
// comes later is told, and doesn't wait.
func TestCloseWhileTheyAreSaved(t *testing.T) {
	server := podtest.NewPostgres(t)
	s := openURL(t, server.Schema(), time.Now)
	var all saver
	free := busy(t, &all, s, server.Last())
	for i := range 50 {
		all.save(t.Context(), s, fmt.Sprint(i))
	}
	come(s, 50)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	free()
	must(t, <-closed)
	if good, _ := all.count(t, auth.ErrChanged); len(good) != 50+postgres.Gatherers {
		t.Errorf("%d are stored", len(good))
	}
	began := time.Now()
	if err := s.Save(t.Context(), "proof", "late", auth.Record{}); !errors.Is(err, ldp.Unavailable) || time.Since(began) > time.Second {
		t.Errorf("after Close: %v after %v", err, time.Since(began))
	}
}
