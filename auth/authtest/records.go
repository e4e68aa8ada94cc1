// SPDX-License-Identifier: EUPL-1.2

// Package authtest is the contract of auth.Records as a table of sentences,
// which every storage must pass; and an eID for tests to sign in by.
package authtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
)

// An Opener opens empty Records for one test, which take now for the time, and
// closes them when the test ends. reopen closes them and opens what they left.
type Opener func(t testing.TB, now func() time.Time) (r auth.Records, reopen func() auth.Records)

// A clock stands still until a test moves it.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// TestRecords holds Records to the contract of auth.Records.
func TestRecords(t *testing.T, open Opener) {
	rows := []struct {
		sentence string
		test     func(*testing.T, auth.Records, *clock)
	}{
		{"Load returns what was saved, with its version and end", loads},
		{"an absent record is ErrNoRecord, also under another kind", misses},
		{"each Save adds one to the version", counts},
		{"Save with another version than the stored is ErrChanged, and changes nothing", refusesStale},
		{"a record is gone from its end on, and its key is free", ends},
		{"a record without an end stays", stays},
		{"Delete removes it; to remove what isn't there is no error", deletes},
		{"List ascends in a kind, begins after after, stays in prefix, stops at limit", lists},
		{"List leaves out what has ended, and still fills its limit", listsLiving},
		{"a value of 64 KiB is kept, a longer one refused", limits},
		{"a kind or key that is none is refused", refusesNames},
		{"of racing Saves with one version one succeeds", races},
		{"nothing is done for a ctx that is done", stopsWhenDone},
	}
	start := func() *clock {
		c := &clock{}
		c.nanos.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixNano())
		return c
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			c := start()
			r, _ := open(t, c.now)
			row.test(t, r, c)
		})
	}
	t.Run("what was saved is there after it was closed and opened", func(t *testing.T) {
		c := start()
		r, reopen := open(t, c.now)
		save(t, r, "kind", "key", "value", 0, c.now().Add(time.Hour))
		want(t, reopen(), "key", "value", 1)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, want %v", err, target)
	}
}

func save(t testing.TB, r auth.Records, kind, key, value string, version uint64, until time.Time) {
	t.Helper()
	must(t, r.Save(t.Context(), kind, key, auth.Record{Value: []byte(value), Version: version, Until: until}))
}

// want fails unless the record of the kind "kind" is this one.
func want(t testing.TB, r auth.Records, key, value string, version uint64) {
	t.Helper()
	got, err := r.Load(t.Context(), "kind", key)
	if err != nil || string(got.Value) != value || got.Version != version {
		t.Errorf("%s is %.40q, version %d, %v; want %.40q, version %d", key, got.Value, got.Version, err, value, version)
	}
}

func wantNone(t testing.TB, r auth.Records, key string) {
	t.Helper()
	_, err := r.Load(t.Context(), "kind", key)
	wantIs(t, err, auth.ErrNoRecord)
}

func wantList(t testing.TB, r auth.Records, prefix, after string, limit int, want ...string) {
	t.Helper()
	got, err := r.List(t.Context(), "kind", prefix, after, limit)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("List(%q, %q, %d) is %q, %v, want %q", prefix, after, limit, got, err, want)
	}
}

func loads(t *testing.T, r auth.Records, c *clock) {
	until := c.now().Add(time.Hour)
	save(t, r, "kind", "key", "value", 0, until)
	want(t, r, "key", "value", 1)
	if got, _ := r.Load(t.Context(), "kind", "key"); !got.Until.Equal(until) {
		t.Errorf("its end is %v", got.Until)
	}
	save(t, r, "kind", "endless", "", 0, time.Time{})
	want(t, r, "endless", "", 1)
	if got, _ := r.Load(t.Context(), "kind", "endless"); !got.Until.IsZero() {
		t.Errorf("its end is %v", got.Until)
	}
}

func misses(t *testing.T, r auth.Records, _ *clock) {
	save(t, r, "other", "key", "value", 0, time.Time{})
	save(t, r, "kin", "dkey", "value", 0, time.Time{})
	wantNone(t, r, "key")
	wantList(t, r, "", "", 10)
}

func counts(t *testing.T, r auth.Records, c *clock) {
	for v := range uint64(5) {
		save(t, r, "kind", "key", fmt.Sprint(v), v, c.now().Add(time.Duration(v)*time.Hour+time.Minute))
		want(t, r, "key", fmt.Sprint(v), v+1)
	}
}

func refusesStale(t *testing.T, r auth.Records, c *clock) {
	stale := func(key string, version uint64) {
		t.Helper()
		wantIs(t, r.Save(t.Context(), "kind", key, auth.Record{Value: []byte("stale"), Version: version}), auth.ErrChanged)
	}
	stale("none", 1)
	wantNone(t, r, "none")
	save(t, r, "kind", "key", "one", 0, c.now().Add(time.Hour))
	stale("key", 0)
	save(t, r, "kind", "key", "two", 1, c.now().Add(time.Hour))
	stale("key", 0)
	stale("key", 1)
	stale("key", 3)
	want(t, r, "key", "two", 2)
	c.advance(time.Hour)
	wantNone(t, r, "key") // the stale Saves, which had no end, have not moved it
}

func ends(t *testing.T, r auth.Records, c *clock) {
	save(t, r, "kind", "key", "value", 0, c.now().Add(time.Minute))
	c.advance(time.Minute - 1)
	want(t, r, "key", "value", 1)
	c.advance(1)
	wantNone(t, r, "key")
	wantIs(t, r.Save(t.Context(), "kind", "key", auth.Record{Version: 1}), auth.ErrChanged)
	save(t, r, "kind", "key", "anew", 0, c.now().Add(time.Minute))
	want(t, r, "key", "anew", 1)
	save(t, r, "kind", "key", "longer", 1, c.now().Add(time.Hour))
	c.advance(2 * time.Minute) // its former end has come
	want(t, r, "key", "longer", 2)
	save(t, r, "kind", "past", "value", 0, c.now().Add(-time.Hour))
	wantNone(t, r, "past")
}

func stays(t *testing.T, r auth.Records, c *clock) {
	save(t, r, "kind", "key", "value", 0, c.now().Add(time.Minute))
	save(t, r, "kind", "key", "value", 1, time.Time{})
	c.advance(100 * 365 * 24 * time.Hour)
	want(t, r, "key", "value", 2)
}

func deletes(t *testing.T, r auth.Records, c *clock) {
	save(t, r, "kind", "key", "value", 0, c.now().Add(time.Minute))
	save(t, r, "other", "key", "value", 0, time.Time{})
	for range 2 {
		must(t, r.Delete(t.Context(), "kind", "key"))
	}
	wantNone(t, r, "key")
	if _, err := r.Load(t.Context(), "other", "key"); err != nil {
		t.Errorf("the other kind's: %v", err)
	}
	save(t, r, "kind", "key", "anew", 0, time.Time{})
	want(t, r, "key", "anew", 1)
}

func lists(t *testing.T, r auth.Records, _ *clock) {
	for _, key := range []string{"b", "a", "b/x", "b/y", "b0", "c", "å", "\xff"} {
		save(t, r, "kind", key, "", 0, time.Time{})
	}
	save(t, r, "kind2", "z", "", 0, time.Time{})
	wantList(t, r, "", "", 100, "a", "b", "b/x", "b/y", "b0", "c", "å", "\xff")
	wantList(t, r, "b", "", 100, "b", "b/x", "b/y", "b0")
	wantList(t, r, "b", "b/x", 1, "b/y")
	wantList(t, r, "b/", "a", 100, "b/x", "b/y")
	wantList(t, r, "b/", "c", 100)
	wantList(t, r, "", "", 2, "a", "b")
	wantList(t, r, "\xff", "", 2, "\xff")
	wantList(t, r, "none", "", 2)
	wantList(t, r, "", "", 0)
}

func listsLiving(t *testing.T, r auth.Records, c *clock) {
	for i := range 30 {
		save(t, r, "kind", fmt.Sprintf("%02d", i), "", 0, c.now().Add(time.Duration(1+i%2)*time.Minute))
	}
	c.advance(time.Minute)
	wantList(t, r, "", "", 3, "01", "03", "05")
	wantList(t, r, "", "24", 10, "25", "27", "29")
	c.advance(time.Minute)
	wantList(t, r, "", "", 3)
}

func limits(t *testing.T, r auth.Records, _ *clock) {
	largest := strings.Repeat("v", 64<<10)
	save(t, r, "kind", "key", largest, 0, time.Time{})
	want(t, r, "key", largest, 1)
	if r.Save(t.Context(), "kind", "key", auth.Record{Value: []byte(largest + strings.Repeat("v", 65)), Version: 1}) == nil {
		t.Error("64 KiB + 65 bytes were accepted")
	}
	want(t, r, "key", largest, 1)
}

func refusesNames(t *testing.T, r auth.Records, _ *clock) {
	for _, name := range [][2]string{{"", "key"}, {"kind", ""}, {"kind", "a\x00b"}, {"ki\x00nd", "key"}, {"kind", strings.Repeat("k", 2000)}} {
		if r.Save(t.Context(), name[0], name[1], auth.Record{}) == nil {
			t.Errorf("%.20q was accepted", name)
		}
		_, err := r.Load(t.Context(), name[0], name[1])
		wantIs(t, err, auth.ErrNoRecord)
	}
}

func races(t *testing.T, r auth.Records, _ *clock) {
	for version := range uint64(20) {
		var wg sync.WaitGroup
		var won atomic.Int32
		start := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				<-start
				err := r.Save(t.Context(), "kind", "key", auth.Record{Value: fmt.Append(nil, i), Version: version})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, auth.ErrChanged):
					t.Errorf("a loser's error is %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d Saves of version %d succeeded", won.Load(), version)
		}
	}
}

func stopsWhenDone(t *testing.T, r auth.Records, _ *clock) {
	save(t, r, "kind", "key", "value", 0, time.Time{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Load(ctx, "kind", "key")
	wantIs(t, err, context.Canceled)
	wantIs(t, r.Save(ctx, "kind", "key", auth.Record{Version: 1}), context.Canceled)
	wantIs(t, r.Delete(ctx, "kind", "key"), context.Canceled)
	_, err = r.List(ctx, "kind", "", "", 1)
	wantIs(t, err, context.Canceled)
	want(t, r, "key", "value", 1)
}
