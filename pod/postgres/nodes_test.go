// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/store"
)

// nodes are the Stores of several nodes on one database; each call goes to any.
type nodes []store.Store

func (n nodes) any() store.Store { return n[rand.IntN(len(n))] }

// View implements store.Store.
func (n nodes) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return n.any().View(ctx, name, fn)
}

// Update implements store.Store.
func (n nodes) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return n.any().Update(ctx, name, fn)
}

// Create implements store.Store.
func (n nodes) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	return n.any().Create(ctx, id, fn)
}

// Due implements store.Store.
func (n nodes) Due(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return n.any().Due(ctx, before, limit)
}

// TestNodes: two nodes keep the contract as one does, whichever is asked.
func TestNodes(t *testing.T) {
	server := podtest.NewPostgres(t)
	podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
		one, reopen := opened(t, server, time.Now)
		return nodes{one, beside(t, server)}, func() store.Store { return reopen() }
	})
}

// beside opens a second node on the database that was opened last.
func beside(t testing.TB, server *podtest.Postgres) *postgres.Store {
	t.Helper()
	s := openURL(t, server.Last(), time.Now)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// TestNodesStartTogether: of many nodes that start at once on an empty database
// all start, and the tables are made once.
func TestNodesStartTogether(t *testing.T) {
	server := podtest.NewPostgres(t)
	for range 5 {
		url := server.Schema()
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() { must(t, openURL(t, url, time.Now).Close()) })
		}
		wg.Wait()
	}
}

// An op is what a client has seen of one call on the counter.
type op struct {
	adds       bool
	value      int
	begin, end time.Time
}

// TestLinearizable lets clients add to and read one counter through two nodes,
// and checks that one order of all calls explains what each has seen: no add
// twice, and a read sees every add that ended before it began, none that began
// after it ended, and no less than a read that ended before it began.
func TestLinearizable(t *testing.T) {
	server := podtest.NewPostgres(t)
	one, _ := opened(t, server, time.Now)
	n := nodes{one, beside(t, server)}
	must(t, n.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil }))
	var mu sync.Mutex
	var ops []op
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for range 100 {
				o := op{adds: i%3 == 0, begin: time.Now()}
				var err error
				if o.adds {
					err = n.Update(t.Context(), "id/a", func(tx store.Tx) (err error) { o.value, err = count(tx, 1); return err })
				} else {
					err = n.View(t.Context(), "id/a", func(tx store.Tx) (err error) { o.value, err = count(tx, 0); return err })
				}
				o.end = time.Now()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ops = append(ops, o)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i, a := range ops {
		for j, b := range ops {
			switch {
			case i == j || !a.end.Before(b.begin):
			case a.value > b.value || a.value == b.value && b.adds:
				t.Fatalf("%+v came before %+v", a, b)
			}
			if i < j && a.adds && b.adds && a.value == b.value {
				t.Fatalf("%d was reached twice", a.value)
			}
		}
	}
	t.Logf("%d calls", len(ops))
}

// count adds to the number under n, and returns it.
func count(tx store.Tx, more int) (int, error) {
	values, err := tx.Get("n")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(values[0]))
	if more != 0 {
		tx.Put("n", fmt.Append(nil, n+more))
	}
	return n + more, err
}

// TestNameThatMoves: an Update that has waited for a pod, of which it then turns out that
// another one has the name by now, waits for that, and writes to it.
func TestNameThatMoves(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, _ := opened(t, server, time.Now)
	for _, id := range []string{"a", "b"} {
		must(t, s.Create(t.Context(), id, func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil }))
	}
	must(t, s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Claim("pod/moves"); return nil }))
	moves, err := newLook(t, server.Last()).Begin(t.Context())
	must(t, err)
	for _, sql := range []string{"select from pod where id = 'a' for update", "update name set pod = 'b' where name = 'pod/moves'"} {
		_, err = moves.Exec(t.Context(), sql)
		must(t, err)
	}
	works, err := newLook(t, server.Last()).Begin(t.Context())
	must(t, err)
	_, err = works.Exec(t.Context(), "select from pod where id = 'b' for update")
	must(t, err)
	done := make(chan error, 1)
	go func() {
		done <- s.Update(t.Context(), "pod/moves", func(tx store.Tx) error { _, err := count(tx, 1); return err })
	}()
	sees := newLook(t, server.Last())
	sees.waiting(1) // for a
	must(t, moves.Commit(t.Context()))
	select {
	case err := <-done:
		t.Fatalf("it has ended while another one had the pod: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	sees.waiting(1) // for b
	must(t, works.Rollback(t.Context()))
	must(t, <-done)
	for id, want := range map[string]int{"a": 0, "b": 1} {
		must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
			if n, err := count(tx, 0); n != want || err != nil {
				t.Errorf("%s has counted %d, %v, want %d", id, n, err, want)
			}
			return nil
		}))
	}
}

// TestFailsClosed: a node that has lost the database answers ldp.Unavailable, in
// time, and serves nothing that it remembers; when the database is back, so is
// the node.
func TestFailsClosed(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: server.Schema(), Now: time.Now, Timeout: 500 * time.Millisecond})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil }))
	for _, row := range []struct {
		sentence   string
		fail, mend func()
	}{
		{"the database is killed", server.Kill, server.Start},
		{"the database hangs", server.Pause, server.Resume},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			row.fail()
			began := time.Now()
			_, load := s.Load(t.Context(), "kind", "key")
			for what, err := range map[string]error{
				"View":   s.View(t.Context(), "id/a", func(tx store.Tx) error { _, err := count(tx, 0); return err }),
				"Update": s.Update(t.Context(), "id/a", func(tx store.Tx) error { _, err := count(tx, 1); return err }),
				"Load":   load,
			} {
				if !errors.Is(err, ldp.Unavailable) {
					t.Errorf("%s returns %v", what, err)
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("that took %v", took)
			}
			row.mend()
			began = time.Now()
			for {
				err := s.Update(t.Context(), "id/a", func(tx store.Tx) error { _, err := count(tx, 1); return err })
				if err == nil {
					break
				}
				if time.Since(began) > 10*time.Second {
					t.Fatalf("10 s after it is back: %v", err)
				}
			}
			t.Logf("back after %v", time.Since(began))
		})
	}
}

// TestMigrate goes all the way up, down and up again, and from each version to
// the newest.
func TestMigrate(t *testing.T) {
	server := podtest.NewPostgres(t)
	o := postgres.Options{URL: server.Schema(), Now: time.Now}
	for _, version := range []int{1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 5, 0} {
		must(t, postgres.Migrate(t.Context(), o, version))
	}
	for _, version := range []int{0, 1, 2, 3, 4, 5} {
		must(t, postgres.Migrate(t.Context(), o, version))
		s := openURL(t, o.URL, time.Now)
		if version > 0 {
			must(t, s.View(t.Context(), "id/kept", func(store.Tx) error { return nil }))
		} else {
			must(t, s.Create(t.Context(), "kept", func(store.Tx) error { return nil }))
		}
		must(t, s.Close())
	}
	if postgres.Migrate(t.Context(), o, 6) == nil {
		t.Error("it has migrated to a version that there isn't")
	}
}

// TestMigrateBack: what the version before would neither keep in order nor remove is
// gone when the tables have been brought back to it, and nothing else.
func TestMigrateBack(t *testing.T) {
	server := podtest.NewPostgres(t)
	s, _ := opened(t, server, time.Now)
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error {
		for _, key := range []string{"B", "C1", "J1", "Q1", "R1", "c1", "q1", "i1"} {
			tx.Put(key, []byte("x"))
		}
		return nil
	}))
	for _, kind := range []string{"pod schema", "other"} {
		must(t, s.Save(t.Context(), kind, "pods", auth.Record{Value: []byte("x")}))
	}
	must(t, postgres.Migrate(t.Context(), postgres.Options{URL: server.Last(), Now: time.Now}, 4))
	keys := ""
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
		pairs, err := tx.Scan("", "", 100)
		for _, pair := range pairs {
			keys += pair.Key + " "
		}
		return err
	}))
	_, gone := s.Load(t.Context(), "pod schema", "pods")
	_, kept := s.Load(t.Context(), "other", "pods")
	if keys != "R1 c1 i1 q1 " || !errors.Is(gone, auth.ErrNoRecord) || kept != nil {
		t.Errorf("there are left %q; how far the upgrade is: %v; another record: %v", keys, gone, kept)
	}
}

// TestIsRefused: a node doesn't start on a database that it can't rely on.
func TestIsRefused(t *testing.T) {
	server := podtest.NewPostgres(t)
	url := server.Schema()
	must(t, openURL(t, url, time.Now).Close())
	newer := server.Schema()
	must(t, openURL(t, newer, time.Now).Close())
	server.Exec(newer, "insert into skrin_schema (version) values (99)")
	for _, row := range []struct{ sentence, url, want string }{
		{"a newer skrin has migrated it", newer, "Start the newer version"},
		{"it acknowledges what isn't durable", url + "&synchronous_commit=off", "power cut"},
		{"it is a replica, or as read-only as one", url + "&default_transaction_read_only=on", "read only"},
		{"nobody is there", strings.Replace(url, "host=", "host=%2Fnowhere", 1), "no such file"},
		{"the URL is none", "postgres://[", "postgres://user@host/name"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), postgres.Options{URL: row.url, Now: time.Now, Timeout: 2 * time.Second})
			if err == nil {
				must(t, s.Close())
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}

// TestNodesFollow: a node is told of what another one has committed.
func TestNodesFollow(t *testing.T) {
	server := podtest.NewPostgres(t)
	one, _ := opened(t, server, time.Now)
	podtest.FollowTest(t, beside(t, server), one)
}

// TestPayload: what is announced is what is heard, by everybody else; and of too
// many pods it may be any.
func TestPayload(t *testing.T) {
	server := podtest.NewPostgres(t)
	one, _ := opened(t, server, time.Now)
	two := beside(t, server)
	for sentence, row := range map[string]struct {
		stirred int
		want    int
	}{"a few": {3, 3}, "many": {2000, 0}} {
		var ids []string
		for i := range row.stirred {
			ids = append(ids, fmt.Sprintf("pod %d\x00\xff", i))
		}
		payload := postgres.Payload(one, ids...)
		if len(payload) > 7999 {
			t.Errorf("%s: %d bytes", sentence, len(payload))
		}
		heard, own := -1, -1
		postgres.Heard(two, payload, func(ids ...string) { heard = len(ids) })
		postgres.Heard(one, payload, func(ids ...string) { own = len(ids) })
		if heard != row.want || own != -1 {
			t.Errorf("%s: heard %d, and the sender %d", sentence, heard, own)
		}
	}
}

// FuzzHeard: whatever somebody sends on the channel does no harm.
func FuzzHeard(f *testing.F) {
	f.Add("")
	f.Add("node *")
	f.Add("node cG9k cG9k")
	f.Fuzz(func(t *testing.T, payload string) {
		postgres.Heard(new(postgres.Store), payload, func(ids ...string) {
			for _, id := range ids {
				if len(id) > len(payload) {
					t.Error("an id is longer than what was sent")
				}
			}
		})
	})
}
