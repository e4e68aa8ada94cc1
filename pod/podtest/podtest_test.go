// SPDX-License-Identifier: EUPL-1.2

package podtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

func nothing(store.Tx) error { return nil }

// value returns what the pod a holds under k.
func value(t *testing.T, s store.Store) (v string) {
	t.Helper()
	err := s.View(t.Context(), "id/a", func(tx store.Tx) error {
		values, err := tx.Get("k")
		v = string(values[0])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func set(s store.Store, v string) error {
	return s.Update(context.Background(), "id/a", func(tx store.Tx) error { tx.Put("k", []byte(v)); return nil })
}

func TestNewBlobs(t *testing.T) {
	b := podtest.NewBlobs(t)
	if _, _, err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); err != nil {
		t.Error(err)
	}
}

func TestFake(t *testing.T) {
	engine := podtest.New(t)
	f := podtest.NewFake(t, engine)
	runs := 0
	err := f.Create(t.Context(), "a", func(tx store.Tx) error { runs++; tx.Put("k", []byte("old")); return nil })
	if err != nil || runs != 2 || value(t, f) != "old" {
		t.Errorf("Create ran fn %d times: %v", runs, err)
	}
	if err := set(f, "new"); err != nil || value(t, engine) != "new" {
		t.Errorf("Update: %v", err)
	}
	mine := errors.New("mine")
	if err := f.Update(t.Context(), "id/a", func(store.Tx) error { return mine }); err != mine {
		t.Errorf("Update returns %v", err)
	}
	if err := f.Create(t.Context(), "a", nothing); !errors.Is(err, store.ErrTaken) {
		t.Errorf("a second Create: %v", err)
	}
	for _, row := range []struct {
		outcome    podtest.Outcome
		fails      bool
		sets, want string
	}{
		{podtest.Succeeds, false, "1", "1"},
		{podtest.Fails, true, "2", "1"},
		{podtest.SeemsToFail, true, "3", "3"},
	} {
		f.Next(row.outcome)
		err := set(f, row.sets)
		if (err != nil) != row.fails || row.fails && !errors.Is(err, ldp.Unavailable) || value(t, f) != row.want {
			t.Errorf("outcome %d: %v, and the value is %s, want %s", row.outcome, err, value(t, f), row.want)
		}
		if err := set(f, row.want); err != nil {
			t.Errorf("the commit after outcome %d: %v", row.outcome, err)
		}
	}
}

// A recorder is a test that takes note of its failure.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Error(...any) { r.failed = true }

func TestFakeFinds(t *testing.T) {
	for _, row := range []struct {
		misuse string
		commit func(f *podtest.Fake)
	}{
		{"a View that writes", func(f *podtest.Fake) {
			defer func() { _ = recover() }()
			_ = f.View(context.Background(), "id/a", func(tx store.Tx) error { tx.Put("k", nil); return nil })
		}},
		{"a Tx used after its end", func(f *podtest.Fake) {
			var kept store.Tx
			_ = f.Update(context.Background(), "id/a", func(tx store.Tx) error { kept = tx; return nil })
			kept.Delete("k")
		}},
	} {
		r := &recorder{TB: t}
		f := podtest.NewFake(r, podtest.New(t))
		if err := f.Create(t.Context(), "a", nothing); err != nil || r.failed {
			t.Fatalf("%s: Create: %v", row.misuse, err)
		}
		row.commit(f)
		if !r.failed {
			t.Errorf("%s is not found", row.misuse)
		}
	}
}
