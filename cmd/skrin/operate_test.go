// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/pod/store"
)

// TestOperate: a server is checked and backed up while it serves, restored
// elsewhere and checked again. A pod that was erased after the backup can't be
// read in what is restored; the other can.
func TestOperate(t *testing.T) {
	dir, err := os.MkdirTemp("", "skrin-op-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	served := filepath.Join(dir, "served")
	r := startDemo(t, served)
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	if _, err := r.pod.Make(t.Context(), "somebody else"); err != nil {
		t.Fatal(err)
	}
	serving := config{Dir: served}
	o := sound(t, serving, 2)
	if o.Checked.Grants == 0 || o.Checked.Consents == 0 || o.Checked.Entries == 0 || o.Checked.Rules == 0 || o.Checked.Resources < 10 {
		t.Errorf("fsck has looked at %+v", o.Checked)
	}
	data, keys := filepath.Join(dir, "backup"), filepath.Join(dir, "keys")
	done(t, serving, errand{Do: "backup", To: data, Keys: keys})

	file, mine, other := filepath.Join(dir, "alva.tar.gz"), "", podOf(t, r, "somebody else")
	ids, err := r.engine.Pods(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if id != other {
			mine = id
		}
	}
	done(t, serving, errand{Do: "export", Pod: mine, To: file})
	if o := done(t, serving, errand{Do: "import", Pod: other, From: file}); o.Imported.Vouched || o.Imported.Count["pod"] < 5 || o.Imported.Left == 0 {
		t.Errorf("imported %+v", o.Imported)
	}
	sound(t, serving, 2)

	erased := podOf(t, r, "somebody else")
	done(t, serving, errand{Do: "erase", Pod: erased})
	sound(t, serving, 1)
	if _, err := r.pod.Owner(t.Context(), "somebody else"); err == nil {
		t.Error("the erased pod is still found")
	}
	done(t, serving, errand{Do: "backup", To: filepath.Join(dir, "later"), Keys: keys}) // as each time
	r.stop()

	restored := filepath.Join(dir, "restored")
	if err := (&restoreCommand{From: data, Keys: keys, Dir: restored}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, err := readKey(filepath.Join(served, testMark+"master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	again := config{Base: r.Base, Dir: restored, Key: key, Demo: true, Token: time.Minute}
	found := done(t, again, errand{Do: "fsck"})
	if found.Pods != 2 || len(found.Findings) != 1 || found.Findings[0].Pod != erased ||
		!strings.Contains(found.Findings[0].Fault, store.ErrNoKey.Error()) {
		t.Errorf("of the restored fsck says %+v", found)
	}
	done(t, again, errand{Do: "erase", Pod: erased}) // finishes it
	sound(t, again, 1)
}

// done does an errand.
func done(t *testing.T, c config, e errand) outcome {
	t.Helper()
	o, err := send(t.Context(), c, e)
	if err != nil {
		t.Fatalf("%s: %v", e.Do, err)
	}
	return o
}

// sound fails unless fsck finds so many pods, and no fault.
func sound(t *testing.T, c config, pods int) outcome {
	t.Helper()
	o := done(t, c, errand{Do: "fsck"})
	if o.Pods != pods || len(o.Findings) != 0 {
		t.Errorf("fsck has seen %d pods, want %d, and found %+v", o.Pods, pods, o.Findings)
	}
	return o
}

// podOf returns the id of a person's pod.
func podOf(t *testing.T, r *running, person string) (id string) {
	t.Helper()
	err := r.store.View(t.Context(), store.Name("person/"+person), func(tx store.Tx) error { id = tx.Pod(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestARestoreIsWholeOrNothing: one that is interrupted, or of a backup that lacks
// something, leaves no directory that could be served.
func TestARestoreIsWholeOrNothing(t *testing.T) {
	from := t.TempDir()
	for _, name := range []string{"backup/store/1", "backup/blobs/2", "keys/3"} {
		must(t, os.MkdirAll(filepath.Join(from, filepath.Dir(name)), 0o700))
		must(t, os.WriteFile(filepath.Join(from, name), []byte("x"), 0o600))
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, row := range []struct {
		is    string
		ctx   context.Context
		spoil func() error
		whole bool
	}{
		{"interrupted", stopped, nil, false},
		{"whole", t.Context(), nil, true},
		{"without its blobs", t.Context(), func() error { return os.RemoveAll(filepath.Join(from, "backup", "blobs")) }, false},
	} {
		if row.spoil != nil {
			must(t, row.spoil())
		}
		dir := filepath.Join(t.TempDir(), "restored")
		err := (&restoreCommand{From: filepath.Join(from, "backup"), Keys: filepath.Join(from, "keys"), Dir: dir, JSON: true}).Run(row.ctx)
		left, _ := filepath.Glob(dir + "*")
		if (err == nil) != row.whole || len(left) != map[bool]int{true: 1}[row.whole] {
			t.Errorf("%s: %v, and there is %v", row.is, err, left)
		}
	}
}

// TestABackupRemovesNothingElse: than the former copy of the keys; and neither part of
// it is where another is.
func TestABackupRemovesNothingElse(t *testing.T) {
	s, _ := newActs(t)
	at := t.TempDir()
	in := func(name string) string { return filepath.Join(at, name) }
	must(t, os.MkdirAll(in("home"), 0o700))
	must(t, os.WriteFile(in("home/letter"), []byte("x"), 0o600))
	must(t, os.Symlink(in("home"), in("link")))
	must(t, os.Symlink(s.Dir, in("data")))
	for _, row := range []struct{ is, to, keys, says string }{
		{"a good one", "b1", "keys", ""},
		{"the next, with the same keys", "b2", "keys", ""},
		{"into the one before", "b1", "keys", "is there already"},
		{"both in one", "b3", "b3", "must be apart"},
		{"the keys in the backup", "b3", "b3/keys", "must be apart"},
		{"the backup among the keys", "keys/b3", "keys", "must be apart"},
		{"in what is served", "data/b3", "keys", "must be apart"},
		{"the keys in what is served", "b3", "data/copy", "must be apart"},
		{"the keys in place of what is served", "b3", "data", "must be apart"},
		{"the keys in place of what is somebody's", "b3", "home", "holds something else"},
		{"the same by a link", "b3", "link", "holds something else"},
		{"the keys in place of another backup", "b3", "b1", "holds something else"},
		{"the keys in place of another backup's data", "b3", "b1/store", "is the data of a backup"},
	} {
		err := s.backup(errand{To: in(row.to), Keys: in(row.keys)})
		if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.is, err)
		}
	}
	for _, name := range []string{"home/letter", "b1/store", "b2/blobs", "keys"} {
		if _, err := os.Stat(in(name)); err != nil {
			t.Errorf("it is gone: %v", err)
		}
	}
	for _, name := range []string{"b1", "keys"} {
		if info, err := os.Stat(in(name)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("others may look at it: %v, %v", info, err)
		}
	}
	if left, _ := filepath.Glob(in("*.*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestAnotherMasterKey: than that with which a directory was made is named as what is
// wrong, and what an operator is refused is told without a status of HTTP.
func TestAnotherMasterKey(t *testing.T) {
	c := config{Base: "https://pod.example.se", Dir: t.TempDir(), Key: make([]byte, keySize), Token: time.Minute}
	s, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, s.Close())
	if _, err := send(t.Context(), c, errand{Do: "type show", Type: "nosuch"}); err == nil || err.Error() != "There is no such type of evidence here." {
		t.Errorf("a type that isn't there: %v", err)
	}
	c.Key = bytes.Repeat([]byte("k"), keySize)
	if _, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is the master key (key-file) the one") {
		t.Errorf("with another key: %v", err)
	}
	if out := printedBy(t, func() error { return new(operated).tell(outcome{}, func(outcome) string { return "" }) }); out != "" {
		t.Errorf("a list of none is %q", out)
	}
}
