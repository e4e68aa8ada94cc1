// SPDX-License-Identifier: EUPL-1.2

// Package podtest is what every storage must pass, and what the tests of other
// packages store with: [TestStore] and [TestBlobs] are the contracts of package
// pod as tables of sentences; a [Fake] checks how a Store is used and makes its
// commits fail; [New] and [NewBlobs] are real storage that a test throws away.
package podtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod/store"
)

// An Opener opens an empty Store for one test, and closes it when the test ends.
// reopen closes it and opens what it left behind.
type Opener func(t testing.TB) (s store.Store, reopen func() store.Store)

// TestStore holds a Store to the contract of store.Store and store.Tx.
func TestStore(t *testing.T, open Opener) {
	rows := []struct {
		sentence string
		test     func(*testing.T, store.Store)
	}{
		{"Pod returns the id, under whatever name the pod was asked for", knowsItsPod},
		{"Get returns the values in the order of the keys, nil where there is none", getsInOrder},
		{"an empty value is a value", keepsEmptyValues},
		{"a transaction reads its own writes, by Get and by Scan", readsItsWrites},
		{"Scan ascends by bytes, begins after after, stays in prefix, stops at limit", scans},
		{"any bytes are a key, and any an id", keepsBinaryKeys},
		{"a long value and a long key are kept to the limit", keepsTheLargest},
		{"over a limit nothing is written", refusesTheTooLarge},
		{"pods don't see each other", keepsPodsApart},
		{"an error of fn is returned as it is, and nothing has happened", rollsBack},
		{"View returns fn's error as it is", returnsViewError},
		{"View and Update of a name that nobody has are ErrNoPod, whatever fn returns, and fn reads nothing", missesPod},
		{"a View that writes panics", panicsInView},
		{"a View sees one moment, whatever is committed meanwhile", isolatesView},
		{"Create claims the id; a second one is ErrTaken and does nothing", createsOnce},
		{"of racing Creates of one id one wins", racesCreates},
		{"of racing Claims of one name one wins, and the losers have written nothing", racesClaims},
		{"Claim of another's name is ErrTaken, of one's own nothing new", claims},
		{"a claim in a transaction that fails is no claim", forgetsFailedClaims},
		{"Release frees the name for another; of another's name it does nothing", releases},
		{"of Claim and Release of one name in a transaction the last counts", lastClaimCounts},
		{"a released name finds no pod, the others still do", losesOnlyTheReleased},
		{"Due lists the pods whose time has come, earliest first, at most limit", due},
		{"a pod has one Due time; the zero time is never", movesDue},
		{"who follows is told of a pod that was stirred, when it can be seen, and of no other", tellsFollowers},
		{"no update is lost when 32 add to one pod", addsOnOne},
		{"no update is lost when 32 add to many pods", addsOnMany},
		{"an Update that returned is seen by every View that begins later", seesCommitted},
		{"whatever follows the transaction, the model agrees", agreesWithModel},
		{"Pods lists the pods that have their id, ascending, after after, at most limit", listsPods},
		{"nothing is done for a ctx that is done", stopsWhenDone},
		{"a waiting Update stops when its ctx is done", stopsWaiting},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			s, _ := open(t)
			row.test(t, s)
		})
	}
	t.Run("what was committed is there after it was closed and opened", func(t *testing.T) {
		s, reopen := open(t)
		reopens(t, s, reopen)
	})
}

// pairs are keys and their values.
type pairs map[string]string

func create(t testing.TB, s store.Store, id string, has pairs) {
	t.Helper()
	must(t, s.Create(t.Context(), id, func(tx store.Tx) error { put(tx, has); return nil }))
}

func put(tx store.Tx, has pairs) {
	for k, v := range has {
		tx.Put(k, []byte(v))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func update(t testing.TB, s store.Store, id string, fn func(store.Tx)) {
	t.Helper()
	must(t, s.Update(t.Context(), store.Name("id/"+id), func(tx store.Tx) error { fn(tx); return nil }))
}

func get(t testing.TB, tx store.Tx, keys ...string) [][]byte {
	t.Helper()
	values, err := tx.Get(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// wantGet fails unless the pod holds exactly has under has's keys.
func wantGet(t testing.TB, s store.Store, id string, has pairs) {
	t.Helper()
	must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		for k, v := range has {
			if got := get(t, tx, k)[0]; got == nil || string(got) != v {
				t.Errorf("%.40q is %.40q, want %.40q", k, got, v)
			}
		}
		return nil
	}))
}

// wantScan fails unless a Scan finds these pairs, each "key=value".
func wantScan(t testing.TB, tx store.Tx, prefix, after string, limit int, want ...string) {
	t.Helper()
	found, err := tx.Scan(prefix, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Key+"="+string(p.Value))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("Scan(%q, %q, %d) is\n%q, want\n%q", prefix, after, limit, got, want)
	}
}

func wantIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, want %v", err, target)
	}
}

func knowsItsPod(t *testing.T, s store.Store) {
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error {
		if tx.Pod() != "a" {
			t.Errorf("in Create it is %q", tx.Pod())
		}
		tx.Claim("pod/alva")
		return nil
	}))
	for _, name := range []store.Name{"id/a", "pod/alva"} {
		look := func(tx store.Tx) error {
			if tx.Pod() != "a" {
				t.Errorf("through %s it is %q", name, tx.Pod())
			}
			return nil
		}
		must(t, s.View(t.Context(), name, look))
		must(t, s.Update(t.Context(), name, look))
	}
}

func getsInOrder(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"x": "1", "y": "2"})
	look := func(tx store.Tx) error {
		got := get(t, tx, "y", "none", "x", "y", "")
		if len(got) != 5 || string(got[0]) != "2" || got[1] != nil || string(got[2]) != "1" || string(got[3]) != "2" || got[4] != nil {
			t.Errorf("got %q", got)
		}
		if got := get(t, tx); len(got) != 0 {
			t.Errorf("Get of no keys is %q", got)
		}
		return nil
	}
	must(t, s.View(t.Context(), "id/a", look))
	must(t, s.Update(t.Context(), "id/a", look))
}

func keepsEmptyValues(t *testing.T, s store.Store) {
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error {
		tx.Put("nil", nil)
		tx.Put("empty", []byte{})
		if got := get(t, tx, "nil", "empty"); got[0] == nil || got[1] == nil {
			t.Errorf("before the commit %v", got)
		}
		return nil
	}))
	wantGet(t, s, "a", pairs{"nil": "", "empty": ""})
}

func readsItsWrites(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k1": "old", "k3": "old", "k5": "old", "z": "old"})
	update(t, s, "a", func(tx store.Tx) {
		tx.Put("k2", []byte("new"))
		tx.Put("k3", []byte("new"))
		tx.Delete("k1")
		tx.Delete("never")
		tx.Put("k6", []byte("gone"))
		tx.Delete("k6")
		tx.Delete("k5")
		tx.Put("k5", []byte("again"))
		if got := get(t, tx, "k1", "k2", "k3", "k5", "k6"); got[0] != nil || got[4] != nil ||
			string(got[1]) != "new" || string(got[2]) != "new" || string(got[3]) != "again" {
			t.Errorf("Get finds %q", got)
		}
		wantScan(t, tx, "k", "", 10, "k2=new", "k3=new", "k5=again")
		wantScan(t, tx, "k", "", 2, "k2=new", "k3=new")
		wantScan(t, tx, "k", "k2", 1, "k3=new")
		wantScan(t, tx, "", "k5", 10, "z=old")
	})
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
		wantScan(t, tx, "", "", 10, "k2=new", "k3=new", "k5=again", "z=old")
		return nil
	}))
}

func scans(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"a": "0", "b": "1", "b/": "2", "b/x": "3", "b/y": "4", "b0": "5", "b\xff": "6", "c": "7", "b\xff\xff": "8"})
	look := func(tx store.Tx) error {
		wantScan(t, tx, "", "", 100, "a=0", "b=1", "b/=2", "b/x=3", "b/y=4", "b0=5", "b\xff=6", "b\xff\xff=8", "c=7")
		wantScan(t, tx, "b/", "", 100, "b/=2", "b/x=3", "b/y=4")
		wantScan(t, tx, "b/", "b/", 100, "b/x=3", "b/y=4")
		wantScan(t, tx, "b/", "b/x", 1, "b/y=4")
		wantScan(t, tx, "b/", "b/wx", 1, "b/x=3")
		wantScan(t, tx, "b/", "b/y", 100)
		wantScan(t, tx, "b/", "a", 1, "b/=2")
		wantScan(t, tx, "b/", "c", 100)
		wantScan(t, tx, "b", "", 3, "b=1", "b/=2", "b/x=3")
		wantScan(t, tx, "b\xff", "", 100, "b\xff=6", "b\xff\xff=8")
		wantScan(t, tx, "b\xff\xff", "", 100, "b\xff\xff=8")
		wantScan(t, tx, "", "b\xff\xff", 100, "c=7")
		wantScan(t, tx, "\xff", "", 100)
		wantScan(t, tx, "", "\xff\xff", 100)
		wantScan(t, tx, "none", "", 100)
		wantScan(t, tx, "", "", 0)
		wantScan(t, tx, "", "", -1)
		return nil
	}
	must(t, s.View(t.Context(), "id/a", look))
	must(t, s.Update(t.Context(), "id/a", look))
}

func keepsBinaryKeys(t *testing.T, s store.Store) {
	keys := []string{"\x00", "\x00\x00", "\x00a", "\x01", "é", "\xc3", "\xff", "\xff\xff\xff"}
	ids := []string{"a", "a\x00", "a\x00a", "\xff", "\xff\xff", strings.Repeat("i", 253)}
	for _, id := range ids {
		has := pairs{}
		for _, k := range keys {
			has[k] = id + k
		}
		create(t, s, id, has)
	}
	for _, id := range ids {
		var want []string
		for _, k := range keys {
			want = append(want, k+"="+id+k)
		}
		want[4], want[5] = want[5], want[4] // "\xc3" is a prefix of "é"
		must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
			wantScan(t, tx, "", "", 100, want...)
			return nil
		}))
	}
}

func keepsTheLargest(t *testing.T, s store.Store) {
	has := pairs{strings.Repeat("k", 4096): strings.Repeat("v", 1<<20), strings.Repeat("k", 4095): "short"}
	create(t, s, "a", has)
	wantGet(t, s, "a", has)
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
		if found, err := tx.Scan("kk", strings.Repeat("k", 4095), 10); err != nil || len(found) != 1 || len(found[0].Value) != 1<<20 {
			t.Errorf("Scan finds %d, %v", len(found), err)
		}
		return nil
	}))
}

func refusesTheTooLarge(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "old"})
	for what, write := range map[string]func(store.Tx){
		"a key of 4097 bytes":         func(tx store.Tx) { tx.Put(strings.Repeat("k", 4097), nil) },
		"the empty key":               func(tx store.Tx) { tx.Put("", nil) },
		"a value of 1 MiB + 65 bytes": func(tx store.Tx) { tx.Put("large", make([]byte, 1<<20+65)) },
		"a name of 257 bytes":         func(tx store.Tx) { tx.Claim(store.Name("pod/" + strings.Repeat("n", 253))) },
		"the empty name":              func(tx store.Tx) { tx.Claim("") },
	} {
		err := s.Update(t.Context(), "id/a", func(tx store.Tx) error {
			tx.Put("k", []byte("new"))
			write(tx)
			return nil
		})
		if err == nil {
			t.Errorf("%s was accepted", what)
		}
		wantGet(t, s, "a", pairs{"k": "old"})
	}
	nothing := func(store.Tx) error { return nil }
	if s.Create(t.Context(), "", nothing) == nil || s.Create(t.Context(), strings.Repeat("i", 254), nothing) == nil {
		t.Error("an empty or too long id was accepted")
	}
	wantIs(t, s.View(t.Context(), store.Name("id/"+strings.Repeat("i", 254)), nothing), store.ErrNoPod)
	wantIs(t, s.View(t.Context(), "", nothing), store.ErrNoPod)
}

func keepsPodsApart(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "a's"})
	create(t, s, "aa", pairs{"k": "aa's"})
	create(t, s, "b", nil)
	update(t, s, "aa", func(tx store.Tx) { tx.Delete("k") })
	wantGet(t, s, "a", pairs{"k": "a's"})
	for _, id := range []string{"aa", "b"} {
		must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
			wantScan(t, tx, "", "", 10)
			return nil
		}))
	}
}

func rollsBack(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "old"})
	mine := errors.New("mine")
	write := func(tx store.Tx) error {
		tx.Put("k", []byte("new"))
		tx.Put("l", []byte("new"))
		tx.Claim("pod/alva")
		tx.Due(time.Unix(1, 0))
		return mine
	}
	if err := s.Update(t.Context(), "id/a", write); err != mine {
		t.Errorf("Update returns %v", err)
	}
	if err := s.Create(t.Context(), "b", write); err != mine {
		t.Errorf("Create returns %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.Update(t.Context(), "id/a", func(tx store.Tx) error { _ = write(tx); panic("a fault in fn") })
	}()
	nothing := func(store.Tx) error { return nil }
	wantIs(t, s.View(t.Context(), "id/b", nothing), store.ErrNoPod)
	wantIs(t, s.View(t.Context(), "pod/alva", nothing), store.ErrNoPod)
	wantDue(t, s, time.Unix(2, 0), 10)
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
		wantScan(t, tx, "", "", 10, "k=old")
		return nil
	}))
	create(t, s, "b", nil)
	update(t, s, "a", func(tx store.Tx) { tx.Put("k", []byte("new")) }) // nothing is left locked
}

func returnsViewError(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	mine := errors.New("mine")
	if err := s.View(t.Context(), "id/a", func(store.Tx) error { return mine }); err != mine {
		t.Errorf("View returns %v", err)
	}
}

func missesPod(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	mine := errors.New("mine")
	for _, fn := range []func(store.Tx) error{
		func(tx store.Tx) error { _, err := tx.Get("k"); wantIs(t, err, store.ErrNoPod); return err },
		func(tx store.Tx) error { _, err := tx.Get("k"); wantIs(t, err, store.ErrNoPod); return nil },
		func(tx store.Tx) error { _, err := tx.Scan("", "", 1); wantIs(t, err, store.ErrNoPod); return mine },
		func(tx store.Tx) error {
			if id := tx.Pod(); id != "" {
				t.Errorf("the pod is %q", id)
			}
			_, err := tx.Get("k")
			wantIs(t, err, store.ErrNoPod)
			return nil
		},
		func(store.Tx) error { return nil },
		func(store.Tx) error { return mine },
	} {
		for _, name := range []store.Name{"id/b", "a", "id/", "pod/a", "id/aa"} {
			wantIs(t, s.View(t.Context(), name, fn), store.ErrNoPod)
			wantIs(t, s.Update(t.Context(), name, fn), store.ErrNoPod)
		}
	}
	wantIs(t, s.Update(t.Context(), "id/b", func(tx store.Tx) error { tx.Put("k", []byte("v")); tx.Claim("pod/b"); return nil }), store.ErrNoPod)
	wantIs(t, s.View(t.Context(), "pod/b", func(store.Tx) error { return nil }), store.ErrNoPod)
}

func panicsInView(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "old"})
	for what, write := range map[string]func(store.Tx){
		"Put":     func(tx store.Tx) { tx.Put("k", []byte("new")) },
		"Delete":  func(tx store.Tx) { tx.Delete("k") },
		"Claim":   func(tx store.Tx) { tx.Claim("pod/alva") },
		"Release": func(tx store.Tx) { tx.Release("id/a") },
		"Due":     func(tx store.Tx) { tx.Due(time.Unix(1, 0)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s in a View does not panic", what)
				}
			}()
			_ = s.View(t.Context(), "id/a", func(tx store.Tx) error { write(tx); return nil })
		}()
	}
	wantGet(t, s, "a", pairs{"k": "old"})
}

func isolatesView(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k1": "old", "k2": "old"})
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
		get(t, tx, "k1") // the moment is now at the latest
		update(t, s, "a", func(tx store.Tx) {
			tx.Put("k1", []byte("new"))
			tx.Delete("k2")
			tx.Put("k3", []byte("new"))
		})
		if got := get(t, tx, "k1", "k2", "k3"); string(got[0]) != "old" || string(got[1]) != "old" || got[2] != nil {
			t.Errorf("Get finds %q", got)
		}
		wantScan(t, tx, "", "", 10, "k1=old", "k2=old")
		return nil
	}))

	// The two values change together; no View may see one without the other.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			update(t, s, "a", func(tx store.Tx) { put(tx, pairs{"k1": fmt.Sprint(i), "k2": fmt.Sprint(i)}) })
		}
	})
	for range 300 {
		must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error {
			one, two := get(t, tx, "k1")[0], get(t, tx, "k2")[0]
			if two != nil && !bytes.Equal(one, two) {
				t.Errorf("one View sees %q and %q", one, two)
			}
			return nil
		}))
	}
	close(stop)
	wg.Wait()
}

func createsOnce(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "first"})
	err := s.Create(t.Context(), "a", func(tx store.Tx) error { put(tx, pairs{"k": "second"}); return nil })
	wantIs(t, err, store.ErrTaken)
	wantGet(t, s, "a", pairs{"k": "first"})
}

// race runs n functions at once and returns how many returned nil; the others
// must return lost.
func race(t testing.TB, n int, lost error, fn func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	var won atomic.Int32
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			switch err := fn(i); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, lost):
				t.Errorf("a loser's error is %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}

func racesCreates(t *testing.T, s store.Store) {
	for round := range 10 {
		id := fmt.Sprint("a", round)
		won := race(t, 8, store.ErrTaken, func(i int) error {
			return s.Create(t.Context(), id, func(tx store.Tx) error { put(tx, pairs{fmt.Sprint("k", i): "mine"}); return nil })
		})
		if won != 1 {
			t.Errorf("%d Creates won", won)
		}
		must(t, s.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
			if found, err := tx.Scan("", "", 10); err != nil || len(found) != 1 {
				t.Errorf("the pod holds %v, %v", found, err)
			}
			return nil
		}))
	}
}

func racesClaims(t *testing.T, s store.Store) {
	for i := range 8 {
		create(t, s, fmt.Sprint(i), nil)
	}
	for round := range 10 {
		// Two names, asked for in either order: an engine that locks them as they
		// come would stand still.
		names := []store.Name{store.Name(fmt.Sprint("pod/x", round)), store.Name(fmt.Sprint("pod/y", round))}
		key := fmt.Sprint("won", round)
		won := race(t, 8, store.ErrTaken, func(i int) error {
			return s.Update(t.Context(), store.Name(fmt.Sprint("id/", i)), func(tx store.Tx) error {
				tx.Put(key, nil)
				tx.Claim(names[i%2])
				tx.Claim(names[1-i%2])
				return nil
			})
		})
		winners := 0
		for i := range 8 {
			must(t, s.View(t.Context(), store.Name(fmt.Sprint("id/", i)), func(tx store.Tx) error {
				if get(t, tx, key)[0] != nil {
					winners++
				}
				return nil
			}))
		}
		if won != 1 || winners != 1 {
			t.Errorf("%d Claims won, %d have written", won, winners)
		}
	}
}

func claims(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	create(t, s, "b", nil)
	update(t, s, "a", func(tx store.Tx) { tx.Claim("pod/alva") })
	update(t, s, "a", func(tx store.Tx) { tx.Claim("pod/alva"); tx.Claim("pod/alva"); tx.Claim("id/a") })
	err := s.Update(t.Context(), "id/b", func(tx store.Tx) error {
		tx.Put("k", []byte("new"))
		tx.Claim("pod/beda")
		tx.Claim("pod/alva")
		return nil
	})
	wantIs(t, err, store.ErrTaken)
	wantIs(t, s.View(t.Context(), "pod/beda", func(store.Tx) error { return nil }), store.ErrNoPod)
	wantHolder(t, s, "pod/alva", "a")
	wantIs(t, s.Create(t.Context(), "c", func(tx store.Tx) error { tx.Claim("pod/alva"); return nil }), store.ErrTaken)
	wantIs(t, s.View(t.Context(), "id/c", func(store.Tx) error { return nil }), store.ErrNoPod)
}

func wantHolder(t testing.TB, s store.Store, name store.Name, id string) {
	t.Helper()
	must(t, s.View(t.Context(), name, func(tx store.Tx) error {
		if tx.Pod() != id {
			t.Errorf("%s is %q's, want %q's", name, tx.Pod(), id)
		}
		return nil
	}))
}

func forgetsFailedClaims(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	create(t, s, "b", nil)
	_ = s.Update(t.Context(), "id/a", func(tx store.Tx) error { tx.Claim("pod/alva"); return errors.New("no") })
	update(t, s, "b", func(tx store.Tx) { tx.Claim("pod/alva") })
	wantHolder(t, s, "pod/alva", "b")
}

func releases(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	create(t, s, "b", nil)
	update(t, s, "a", func(tx store.Tx) { tx.Claim("pod/alva") })
	update(t, s, "b", func(tx store.Tx) { tx.Release("pod/alva"); tx.Release("pod/none") })
	wantHolder(t, s, "pod/alva", "a")
	update(t, s, "a", func(tx store.Tx) { tx.Release("pod/alva") })
	wantIs(t, s.View(t.Context(), "pod/alva", func(store.Tx) error { return nil }), store.ErrNoPod)
	update(t, s, "b", func(tx store.Tx) { tx.Claim("pod/alva") })
	wantHolder(t, s, "pod/alva", "b")
}

func lastClaimCounts(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	update(t, s, "a", func(tx store.Tx) {
		tx.Claim("pod/one")
		tx.Release("pod/one")
		tx.Release("pod/two")
		tx.Claim("pod/two")
	})
	wantIs(t, s.View(t.Context(), "pod/one", func(store.Tx) error { return nil }), store.ErrNoPod)
	wantHolder(t, s, "pod/two", "a")
}

func losesOnlyTheReleased(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "v"})
	update(t, s, "a", func(tx store.Tx) { tx.Claim("pod/alva") })
	update(t, s, "a", func(tx store.Tx) { tx.Release("id/a"); tx.Delete("k") })
	wantIs(t, s.Update(t.Context(), "id/a", func(store.Tx) error { return nil }), store.ErrNoPod)
	wantHolder(t, s, "pod/alva", "a")
	must(t, s.Update(t.Context(), "pod/alva", func(tx store.Tx) error { tx.Release("pod/alva"); return nil }))
	create(t, s, "a", nil) // a new pod with the old one's id
	must(t, s.View(t.Context(), "id/a", func(tx store.Tx) error { wantScan(t, tx, "", "", 10); return nil }))
}

func wantDue(t testing.TB, s store.Store, before time.Time, limit int, want ...string) {
	t.Helper()
	got, err := s.Due(t.Context(), before, limit)
	if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("Due(%v, %d) is %q, %v, want %q", before, limit, got, err, want)
	}
}

func due(t *testing.T, s store.Store) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for id, at := range map[string]time.Time{
		"noon":  noon.In(time.FixedZone("CET", 3600)),
		"later": noon.Add(time.Millisecond),
		"early": noon.Add(-time.Hour),
		"old":   time.Date(1066, 10, 14, 9, 0, 0, 0, time.UTC),
		"far":   time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
		"never": {},
	} {
		must(t, s.Create(t.Context(), id, func(tx store.Tx) error { tx.Due(at); return nil }))
	}
	create(t, s, "unset", nil)
	wantDue(t, s, noon, 10, "old", "early", "noon")
	wantDue(t, s, noon.Add(-time.Millisecond), 10, "old", "early")
	wantDue(t, s, noon.Add(time.Second), 10, "old", "early", "noon", "later")
	wantDue(t, s, noon, 2, "old", "early")
	wantDue(t, s, noon, 0)
	wantDue(t, s, time.Time{}, 10)
	wantDue(t, s, time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), 10, "old", "early", "noon", "later", "far")
}

func movesDue(t *testing.T, s store.Store) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0) }
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error { tx.Due(at(10)); return nil }))
	update(t, s, "a", func(tx store.Tx) { tx.Due(at(30)) })
	wantDue(t, s, at(29), 10)
	wantDue(t, s, at(30), 10, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Put("k", nil) })
	wantDue(t, s, at(30), 10, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Due(at(5)); tx.Due(at(20)) })
	wantDue(t, s, at(19), 10)
	wantDue(t, s, at(40), 10, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Due(at(20)) })
	wantDue(t, s, at(40), 10, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Due(time.Time{}) })
	wantDue(t, s, at(1e9), 10)
}

func listsPods(t *testing.T, s store.Store) {
	l, ok := s.(store.Pods)
	if !ok {
		t.Skip("this Store is of several")
	}
	want := func(after string, limit int, want ...string) {
		t.Helper()
		got, err := l.Pods(t.Context(), after, limit)
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("Pods(%q, %d) is %q, %v, want %q", after, limit, got, err, want)
		}
	}
	want("", 10)
	for _, id := range []string{"b", "a", "a\x00", "\xff", "gone"} {
		must(t, s.Create(t.Context(), id, func(tx store.Tx) error { tx.Claim(store.Name("pod/" + id)); return nil }))
	}
	update(t, s, "gone", func(tx store.Tx) { tx.Release("id/gone") })
	want("", 10, "a", "a\x00", "b", "\xff")
	want("a", 2, "a\x00", "b")
	want("aa", 1, "b")
	want("\xff", 10)
	want("", 0)
}

// add is one increment of the number that k holds, as text.
func add(tx store.Tx) error {
	values, err := tx.Get("k")
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(string(values[0]), &n); err != nil {
		return err
	}
	tx.Put("k", fmt.Append(nil, n+1))
	return nil
}

const adders, additions = 32, 20

func addsOnOne(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "0"})
	race(t, adders, nil, func(int) error {
		for range additions {
			if err := s.Update(t.Context(), "id/a", add); err != nil {
				return err
			}
		}
		return nil
	})
	wantGet(t, s, "a", pairs{"k": fmt.Sprint(adders * additions)})
}

func addsOnMany(t *testing.T, s store.Store) {
	for i := range additions {
		create(t, s, fmt.Sprint("p", i), pairs{"k": "0"})
	}
	race(t, adders, nil, func(j int) error {
		for i := range additions {
			if err := s.Update(t.Context(), store.Name(fmt.Sprint("id/p", (i+j)%additions)), add); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range additions {
		wantGet(t, s, fmt.Sprint("p", i), pairs{"k": fmt.Sprint(adders)})
	}
}

func seesCommitted(t *testing.T, s store.Store) {
	create(t, s, "a", nil)
	race(t, 8, nil, func(i int) error {
		key := fmt.Sprint("k", i)
		for n := range 30 {
			update(t, s, "a", func(tx store.Tx) { tx.Put(key, fmt.Append(nil, n)) })
			wantGet(t, s, "a", pairs{key: fmt.Sprint(n)})
		}
		return nil
	})
}

func stopsWhenDone(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "old"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := func(store.Tx) error { t.Error("fn ran"); return nil }
	wantIs(t, s.View(ctx, "id/a", ran), context.Canceled)
	wantIs(t, s.Update(ctx, "id/a", ran), context.Canceled)
	wantIs(t, s.Create(ctx, "b", ran), context.Canceled)
	_, err := s.Due(ctx, time.Unix(1, 0), 1)
	wantIs(t, err, context.Canceled)

	for _, run := range []func(context.Context, store.Name, func(store.Tx) error) error{s.View, s.Update} {
		ctx, cancel := context.WithCancel(t.Context())
		wantIs(t, run(ctx, "id/a", func(tx store.Tx) error {
			cancel()
			_, err := tx.Get("k")
			wantIs(t, err, context.Canceled)
			_, err = tx.Scan("", "", 10)
			wantIs(t, err, context.Canceled)
			return err
		}), context.Canceled)
	}
}

func stopsWaiting(t *testing.T, s store.Store) {
	create(t, s, "a", pairs{"k": "0"})
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	var once sync.Once
	wg.Go(func() {
		update(t, s, "a", func(tx store.Tx) {
			get(t, tx, "k")
			tx.Put("first", nil)
			once.Do(func() { close(inside) })
			<-leave
		})
	})
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Update(ctx, "id/a", func(tx store.Tx) error { tx.Put("second", nil); return nil })
	if err != nil { // an engine that doesn't lock may have let it through
		wantIs(t, err, context.DeadlineExceeded)
	}
	close(leave)
	wg.Wait()
	wantGet(t, s, "a", pairs{"first": ""})
}

func reopens(t *testing.T, s store.Store, reopen func() store.Store) {
	must(t, s.Create(t.Context(), "a", func(tx store.Tx) error {
		put(tx, pairs{"k": "v", "gone": "v"})
		tx.Claim("pod/alva")
		tx.Claim("pod/gone")
		tx.Due(time.Unix(10, 0))
		return nil
	}))
	update(t, s, "a", func(tx store.Tx) { tx.Delete("gone"); tx.Release("pod/gone"); tx.Due(time.Unix(20, 0)) })
	for range 2 {
		s = reopen()
		must(t, s.View(t.Context(), "pod/alva", func(tx store.Tx) error { wantScan(t, tx, "", "", 10, "k=v"); return nil }))
		wantIs(t, s.View(t.Context(), "pod/gone", func(store.Tx) error { return nil }), store.ErrNoPod)
		wantDue(t, s, time.Unix(19, 0), 10)
		wantDue(t, s, time.Unix(20, 0), 10, "a")
		wantIs(t, s.Create(t.Context(), "a", func(store.Tx) error { return nil }), store.ErrTaken)
	}
}
