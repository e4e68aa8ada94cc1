// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A room is a package, or a tree of them, with what it may import of ours and
// what it may import not at all. The first room that fits a package holds.
type room struct {
	name  string   // "auth/..." is auth and all below it
	may   []string // of ours
	never []string // of others; "net/..." is net and all below it
}

// The house: the table of who may import whom. Read it as: acl may import
// ldp/rdf, and never net/http.
var house = []room{
	{"acl", []string{"ldp/rdf"}, []string{"net/http", "database/...", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"auth/dpop", nil, nil},
	{"auth/authtest", []string{"auth"}, nil},
	{"auth/...", []string{"acl", "auth", "auth/dpop", "ldp/rdf"}, []string{"flag", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"ldp/rdf", nil, []string{"net/http", "os"}},
	{"ldp/client", []string{"ldp", "acl", "ldp/rdf", "auth/dpop"}, nil},
	{"ldp", []string{"acl", "ldp/rdf"}, []string{"database/...", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/credential", nil, []string{"net/http", "os"}},
	{"pod/parcel", nil, []string{"net/http", "os"}},
	{"pod/store", []string{"ldp"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/record", []string{"pod/store", "ldp", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/vouch", nil, []string{"net/http", "os"}},
	{"pod/vocab", []string{"ldp/rdf"}, []string{"net/http", "os"}},
	{"pod/text", nil, []string{"net/http", "os"}},
	{"pod/registry", []string{"pod/vouch", "pod/vocab", "ldp/rdf", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/resource", []string{"pod/record", "pod/store", "pod/vocab", "ldp", "ldp/rdf", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/log", []string{"pod/store", "pod/vouch", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/status", []string{"pod/credential", "pod/registry", "pod/store"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/mandate", []string{"pod/log", "pod/resource", "pod/record", "pod/store", "pod/text", "ldp", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/outbox", []string{"pod/store"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/channel", []string{"pod/outbox", "pod/resource", "pod/record", "pod/store", "ldp", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/space", []string{"pod/registry", "pod/store", "ldp", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/evidence", []string{"pod/credential", "pod/registry", "pod/resource", "pod/space", "pod/status", "pod/store", "pod/vocab", "ldp", "ldp/rdf"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/consent", []string{"pod/evidence", "pod/registry", "pod/resource", "pod/space", "pod/status", "pod/store", "pod/text", "pod/vocab", "pod/vouch", "ldp", "ldp/rdf", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/extract", []string{"pod/consent", "pod/log", "pod/registry", "pod/store", "pod/vocab", "ldp/rdf"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/archive", []string{"pod/consent", "pod/evidence", "pod/extract", "pod/log", "pod/parcel", "pod/record", "pod/registry", "pod/resource", "pod/space", "pod/store", "pod/vocab", "pod/vouch", "pod/credential", "ldp", "ldp/rdf", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/leak", []string{"pod/evidence", "pod/record", "pod/resource", "pod/space", "pod/store", "ldp"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/deposit", []string{"pod/credential", "pod/evidence", "pod/leak", "pod/record", "pod/registry", "pod/resource", "pod/space", "pod/status", "pod/store", "pod/text", "pod/vocab", "pod/vouch", "ldp", "ldp/rdf"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/due", []string{"pod/channel", "pod/deposit", "pod/log", "pod/outbox", "pod/record", "pod/resource", "pod/store"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/upkeep", []string{"pod/consent", "pod/deposit", "pod/due", "pod/evidence", "pod/log", "pod/mandate", "pod/record", "pod/resource", "pod/space", "pod/status", "pod/store", "ldp", "ldp/rdf", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/loan", []string{"pod/resource", "pod/record", "pod/store", "ldp", "acl"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/pebble", []string{"pod/store", "ldp", "acl", "auth"}, nil},
	{"pod/blob", []string{"pod/store", "ldp", "acl", "auth"}, nil},
	{"pod/sealed", []string{"pod/store", "ldp", "auth"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"pod/postgres", []string{"pod/store", "ldp", "acl", "auth"}, nil},
	{"pod/podtest", []string{"pod/store", "ldp", "acl", "auth", "pod/pebble", "pod/blob", "fixtures/servers"}, nil},
	{"pod/web", []string{"pod", "pod/channel", "pod/credential", "pod/vouch", "pod/loan", "pod/log", "pod/mandate", "pod/registry", "pod/space", "pod/text", "pod/evidence", "pod/consent", "pod/extract", "ldp", "acl", "ldp/rdf"}, nil},
	{"pod/notify", []string{"pod", "pod/channel", "pod/outbox", "pod/space", "pod/store", "pod/record", "ldp", "acl"}, nil},
	{"pod", []string{"acl", "ldp", "ldp/rdf", "pod/credential", "pod/parcel", "pod/store", "pod/record", "pod/registry", "pod/vocab", "pod/text", "pod/vouch", "pod/resource", "pod/log", "pod/loan", "pod/status", "pod/mandate", "pod/outbox", "pod/channel", "pod/space", "pod/evidence", "pod/consent", "pod/extract", "pod/archive", "pod/leak", "pod/deposit", "pod/due", "pod/upkeep"}, []string{"net/http", "os", "github.com/cockroachdb/...", "github.com/jackc/..."}},
	{"cmd/skrin/demo", []string{"ldp/client", "auth/dpop", "ldp/rdf", "pod/credential", "fixtures"}, nil},
	{"cmd/...", []string{"..."}, nil},
	{"fixtures", nil, nil},
	{"fixtures/servers", nil, nil},
}

// The top-level folders are the user's choice.
var folders = []string{"acl", "auth", "ldp", "pod", "cmd", "fixtures"}

// TestImports parses the imports of every file and holds them against the
// house. It runs in this process: started as a subprocess, a cached result
// would hide a forbidden import.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, f := range goFiles(t, root) {
		pkg := path.Dir(f)
		r, ok := roomOf(pkg)
		if !ok {
			t.Errorf("%s: no row of the table holds package %s", f, pkg)
			continue
		}
		for _, imported := range imports(t, filepath.Join(root, f)) {
			if fault := r.fault(pkg, imported, strings.HasSuffix(f, "_test.go")); fault != "" {
				t.Errorf("%s: %s imports %s: %s", f, pkg, imported, fault)
			}
		}
	}
}

// TestImportTable breaks each rule once, so that the test above is known to see.
func TestImportTable(t *testing.T) {
	for _, row := range []struct {
		pkg, imported string
		test, ok      bool
	}{
		{"acl", "net/http", false, false},
		{"acl", "skrin/ldp/rdf", false, true},
		{"acl", "skrin/ldp", false, false},
		{"ldp", "skrin/pod", false, false},
		{"ldp", "skrin/auth", false, false},
		{"ldp/rdf", "skrin/acl", false, false},
		{"pod", "net/http", false, false},
		{"pod", "os", false, false},
		{"pod", "skrin/auth", false, false},
		{"pod", "skrin/pod/pebble", false, false},
		{"pod", "skrin/pod/pebble", true, true},
		{"pod/web", "skrin/pod/pebble", false, false},
		{"pod/web", "skrin/pod/store", false, false},
		{"pod/pebble", "skrin/pod", false, false},
		{"pod/store", "skrin/pod", false, false},
		{"pod/registry", "skrin/pod/store", false, false},
		{"pod/record", "skrin/pod", false, false},
		{"pod/log", "skrin/pod", false, false},
		{"pod/log", "skrin/pod/resource", false, false},
		{"pod/resource", "skrin/pod", false, false},
		{"pod/loan", "skrin/pod", false, false},
		{"pod/status", "skrin/pod", false, false},
		{"pod/space", "skrin/pod", false, false},
		{"pod/evidence", "skrin/pod", false, false},
		{"pod/evidence", "skrin/pod/consent", false, false},
		{"pod/consent", "skrin/pod", false, false},
		{"pod/archive", "skrin/pod", false, false},
		{"pod/archive", "net/http", false, false},
		{"pod/web", "skrin/pod/leak", false, false},
		{"pod/deposit", "skrin/pod", false, false},
		{"pod/due", "skrin/pod", false, false},
		{"pod/upkeep", "skrin/pod", false, false},
		{"pod/mandate", "skrin/pod", false, false},
		{"pod/channel", "skrin/pod", false, false},
		{"pod/outbox", "skrin/pod", false, false},
		{"pod/resource", "skrin/pod/registry", false, false},
		{"pod/web", "skrin/auth/login", false, false},
		{"pod/pebble", "skrin/pod/blob", false, false},
		{"auth/provider", "skrin/pod", false, false},
		{"auth/provider", "skrin/auth/dpop", false, true},
		{"cmd/skrin/demo", "skrin/pod", false, false},
		{"cmd/skrin", "skrin/pod", false, true},
		{"pod", "skrin/cmd/skrin", true, false},
	} {
		r, _ := roomOf(row.pkg)
		if fault := r.fault(row.pkg, row.imported, row.test); (fault == "") != row.ok {
			t.Errorf("%s imports %s (test: %t): fault %q", row.pkg, row.imported, row.test, fault)
		}
	}
}

// TestFolders holds the top-level folders.
func TestFolders(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && !slices.Contains(folders, e.Name()) {
			t.Errorf("%s is not among the top-level folders", e.Name())
		}
	}
}

func (r room) fault(pkg, imported string, test bool) string {
	ours, isOurs := strings.CutPrefix(imported, "skrin/")
	switch {
	case isOurs && strings.HasPrefix(ours, "cmd/") && !strings.HasPrefix(pkg, "cmd/"):
		return "nobody imports cmd"
	case test:
		return "" // tests join parts as they need
	case isOurs && !within(ours, r.may):
		return "not among what it may import"
	case !isOurs && within(imported, r.never):
		return "among what it never imports"
	}
	return ""
}

func roomOf(pkg string) (room, bool) {
	i := slices.IndexFunc(house, func(r room) bool { return within(pkg, []string{r.name}) })
	if i < 0 {
		return room{}, false
	}
	return house[i], true
}

func within(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		tree, isTree := strings.CutSuffix(p, "...")
		return p == pkg || isTree && strings.HasPrefix(pkg+"/", tree)
	})
}

func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && p != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") {
			rel, err := filepath.Rel(root, p)
			files = append(files, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files found: the test looks in the wrong place", len(files))
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
