// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skrin/pod/blob"
	"skrin/pod/podtest"
	"skrin/pod/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string) *blob.Dir {
	t.Helper()
	d, err := blob.Open(dir)
	must(t, err)
	return d
}

func TestBlobs(t *testing.T) {
	podtest.TestBlobs(t, func(t testing.TB) (store.Blobs, func() store.Blobs) {
		dir := t.TempDir()
		d := open(t, dir)
		t.Cleanup(func() { must(t, d.Close()) })
		return d, func() store.Blobs {
			must(t, d.Close())
			d = open(t, dir)
			return d
		}
	})
}

func TestDigestIsSHA256(t *testing.T) {
	d := open(t, t.TempDir())
	defer func() { must(t, d.Close()) }()
	digest, _, err := d.Put(t.Context(), "a", strings.NewReader("abc"), 3)
	if err != nil || digest != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" { // FIPS 180-2, B.1
		t.Errorf("it is %s, %v", digest, err)
	}
}

func TestDirIsLocked(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if _, err := blob.Open(dir); err == nil || !strings.Contains(err.Error(), "another skrin") {
		t.Errorf("a second Open: %v", err)
	}
	must(t, d.Close())
	must(t, open(t, dir).Close())
}

func TestInterruptedPutIsRemoved(t *testing.T) {
	dir := t.TempDir()
	must(t, open(t, dir).Close())
	half := filepath.Join(dir, "tmp", "half")
	must(t, os.WriteFile(half, []byte("half"), 0o600))
	must(t, open(t, dir).Close())
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("what was half written is still there: %v", err)
	}
}

// TestLinksDoNotLeadOut plants what an attacker with another way to the disk
// could plant.
func TestLinksDoNotLeadOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	d := open(t, dir)
	defer func() { must(t, d.Close()) }()
	digest, _, err := d.Put(t.Context(), "a", strings.NewReader("mine"), 4)
	must(t, err)
	folders, err := filepath.Glob(filepath.Join(dir, "pods", "*", "a"))
	must(t, err)
	must(t, os.RemoveAll(folders[0]))
	must(t, os.Symlink(outside, folders[0]))
	must(t, os.WriteFile(filepath.Join(outside, digest), []byte("theirs"), 0o600))
	if r, err := d.Open(t.Context(), "a", digest); err == nil {
		t.Error("Open has followed a link out")
		_ = r.Close()
	}
	if err := d.Delete(t.Context(), "a", digest); err == nil {
		t.Error("Delete has followed a link out")
	}
	if _, _, err := d.Put(t.Context(), "a", strings.NewReader("x"), 4); err == nil {
		t.Error("Put has followed a link out")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("outside there is %v, %v", left, err)
	}
}
