// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"skrin/pod"
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
	leaks := pod.Leaks()
	if testing.Short() {
		leaks = []pod.Leak{pod.LeakTag, pod.LeakIDs}
	}
	for _, leak := range leaks {
		results, err := c.measure(t.Context(), leak)
		if err != nil {
			t.Fatalf("%s: %v", leak, err)
		}
		if !verdict(leak, results) {
			t.Errorf("%s is not caught: %+v", leak, results)
		}
	}
}

// TestNobodyElseLeaks: of all code that isn't a test, only the measurement sets
// the pod's Leak.
func TestNobodyElseLeaks(t *testing.T) {
	root := filepath.Join("..", "..")
	set := map[string]bool{}
	for _, name := range goFiles(t, root) {
		if strings.HasSuffix(name, "_test.go") || path.Dir(name) == "pod" {
			continue // package pod only reads it: see below
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if strings.HasPrefix(n.Sel.Name, "Leak") && n.Sel.Name != "Leaks" {
					set[name] = true
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Leak" {
					set[name] = true
				}
			}
			return true
		})
	}
	for name := range set {
		if name != "cmd/skrin/unlink.go" && name != "cmd/skrin/crowd.go" {
			t.Errorf("%s has to do with leaks", name)
		}
	}
	if !set["cmd/skrin/crowd.go"] {
		t.Error("the test doesn't see the measurement either")
	}
	for _, name := range goFiles(t, root) {
		if strings.HasSuffix(name, "_test.go") || path.Dir(name) != "pod" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for _, left := range a.Lhs {
					if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Leak" {
						t.Errorf("%s sets a leak", name)
					}
				}
			}
			return true
		})
	}
}
