// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mostBinary is how large the stripped binary may be, in bytes.
const mostBinary = 40_000_000

// TestBuild: two builds as the Makefile has it, in different folders, are the same bit for bit; the binary
// is static and not too large; and its bill of materials names every module that
// is in it.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds twice")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	var sums [2][32]byte
	var binary string
	for i := range sums {
		copied := filepath.Join(t.TempDir(), strings.Repeat("x", i+1))
		must(t, os.MkdirAll(copied, 0o700))
		copyTree(t, root, copied)
		binary = filepath.Join(t.TempDir(), "skrin")
		build := exec.CommandContext(t.Context(), "make", "build", "BIN="+filepath.Dir(binary))
		build.Dir = copied
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(binary)
		must(t, err)
		sums[i] = sha256.Sum256(b)
		if len(b) > mostBinary {
			t.Errorf("the binary has %d bytes", len(b))
		}
		t.Logf("%d bytes, %x", len(b), sums[i])
		if bytes.Contains(b, []byte(copied)) || bytes.Contains(b, []byte(root)) {
			t.Error("the binary names the folder in which it was built")
		}
	}
	if sums[0] != sums[1] {
		t.Error("two builds differ")
	}
	f, err := elf.Open(binary)
	must(t, err)
	defer f.Close()
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("it needs %v, %v", libs, err)
	}
	bill(t, binary)
}

// copyTree copies what Go builds from.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	must(t, err)
}

func bill(t *testing.T, binary string) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "go", "run", "./sbom", binary).Output()
	must(t, err)
	var b struct {
		BOMFormat   string
		SpecVersion string
		Components  []struct{ Name, Version, PURL string }
	}
	must(t, json.Unmarshal(text, &b))
	named := map[string]bool{}
	for _, c := range b.Components {
		named[c.Name+"@"+c.Version] = true
		if c.PURL == "" || c.Version == "" {
			t.Errorf("%+v", c)
		}
	}
	listed, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	must(t, err)
	n := 0
	for line := range strings.Lines(string(listed)) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			n++
			if !named[f[1]+"@"+f[2]] {
				t.Errorf("%s %s is not in the bill", f[1], f[2])
			}
		}
	}
	if b.BOMFormat != "CycloneDX" || n < 20 || len(b.Components) != n+1 {
		t.Errorf("%s %s, %d components, %d modules", b.BOMFormat, b.SpecVersion, len(b.Components), n)
	}
}
