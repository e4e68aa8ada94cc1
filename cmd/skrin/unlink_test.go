// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skrin/pod/leak"
)

// TestUnlinkability is a small run of the measurement: an honest server links
// nobody, and each leak is caught. "skrin unlink" is the large one.
func TestUnlinkability(t *testing.T) {
	c := unlinkCommand{Persons: 60, Recipients: 2}
	if !testing.Short() {
		c.Persons = 100
	}
	results, err := c.measure(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !verdict("", results) {
		t.Errorf("honest: %+v", results)
	}
	leaks := leak.All()
	if testing.Short() {
		leaks = []leak.Channel{leak.Tag, leak.IDs}
	}
	for _, by := range leaks {
		results, err := c.measure(t.Context(), by)
		if err != nil {
			t.Fatalf("%s: %v", by, err)
		}
		if !verdict(by, results) {
			t.Errorf("%s is not caught: %+v", by, results)
		}
	}
}

// TestNobodyElseLeaks: of all code that isn't a test, only the measurement sets
// the pod's Leak. Packages pod and pod/deposit only read it, and hand it on.
func TestNobodyElseLeaks(t *testing.T) {
	root := filepath.Join("..", "..")
	set := map[string]bool{}
	for _, name := range goFiles(t, root) {
		if strings.HasSuffix(name, "_test.go") || path.Dir(name) == "pod/leak" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if dir := path.Dir(name); dir == "pod" || dir == "pod/deposit" {
			if setsLeak(file) {
				t.Errorf("%s sets a leak", name)
			}
		} else if knowsLeaks(file) {
			set[name] = true
		}
	}
	for name := range set {
		if name != "cmd/skrin/unlink.go" && name != "cmd/skrin/crowd.go" {
			t.Errorf("%s has to do with leaks", name)
		}
	}
	if !set["cmd/skrin/crowd.go"] {
		t.Error("the test doesn't see the measurement either")
	}
}

// knowsLeaks reports whether a file imports package leak, or names a field Leak.
func knowsLeaks(file *ast.File) (yes bool) {
	for _, i := range file.Imports {
		yes = yes || i.Path.Value == `"skrin/pod/leak"`
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			yes = yes || n.Sel.Name == "Leak"
		case *ast.KeyValueExpr:
			key, ok := n.Key.(*ast.Ident)
			yes = yes || ok && key.Name == "Leak"
		}
		return true
	})
	return yes
}

// setsLeak reports whether a file gives a field Leak a value, other than that of
// another.
func setsLeak(file *ast.File) (yes bool) {
	isLeak := func(e ast.Expr) bool {
		s, ok := e.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Leak"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			yes = yes || slices.ContainsFunc(n.Lhs, isLeak)
		case *ast.KeyValueExpr:
			key, ok := n.Key.(*ast.Ident)
			yes = yes || ok && key.Name == "Leak" && !isLeak(n.Value)
		}
		return true
	})
	return yes
}
