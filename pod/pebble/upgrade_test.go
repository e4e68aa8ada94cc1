// SPDX-License-Identifier: EUPL-1.2

package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"skrin/auth"
	"skrin/pod/store"
)

// TestUpgrade: a store of each earlier format, as that version wrote it, opens with
// all that is in it and has this version's format from then on. The folders in
// testdata were made by that version, by what made says.
func TestUpgrade(t *testing.T) {
	for old := uint32(1); old < format; old++ {
		t.Run(fmt.Sprint("format ", old), func(t *testing.T) {
			dir := t.TempDir()
			from, err := filepath.Glob(filepath.Join("testdata", fmt.Sprint("format", old), "*"))
			must(t, err)
			if len(from) == 0 {
				t.Fatal("nobody has kept a store of that format")
			}
			must(t, os.CopyFS(filepath.Join(dir, "store"), os.DirFS(filepath.Dir(from[0]))))
			for range 2 { // and once more, when it is this version's
				s, err := Open(filepath.Join(dir, "store"), Options{Now: clock})
				must(t, err)
				made(t, s)
				at, err := read(s.db, []byte{keyFormat})
				must(t, err)
				if binary.BigEndian.Uint32(at) != format {
					t.Errorf("it has format %d", at)
				}
				must(t, s.Close())
			}
		})
	}
}

func clock() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }

// made holds a store against what the earlier version put into it: a pod with a
// second name, values and a time at which it is due, and a record of auth's.
func made(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.Background()
	must(t, s.View(ctx, "pod/alva", func(tx store.Tx) error {
		all, err := tx.Scan("", "", 10)
		if got := fmt.Sprintf("%s %q", tx.Pod(), all); got != `one [{"p" "\x01whose it is"} {"r/alva/" "a record"} {"r/alva/note" "another"}]` {
			t.Errorf("the pod is %s", got)
		}
		return err
	}))
	due, err := s.Due(ctx, clock().AddDate(0, 0, 1), 10)
	must(t, err)
	r, err := s.Load(ctx, "kind", "key")
	must(t, err)
	if len(due) != 1 || due[0] != "one" || string(r.Value) != "a record of auth's" {
		t.Errorf("due: %v, the record: %q", due, r.Value)
	}
	must(t, s.Save(ctx, "kind", "other", auth.Record{Value: []byte("x")})) // and it can be written
	must(t, s.Delete(ctx, "kind", "other"))
}
