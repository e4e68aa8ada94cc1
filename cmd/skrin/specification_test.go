// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skrin/acl"
)

// TestSpecificationOperations is every case of the Solid specification tests about
// protected operations: an agent, a mode on the container or the resource, a
// method, and what may come of it.
func TestSpecificationOperations(t *testing.T) {
	w := newWorld(t)
	file, err := os.Open("testdata/wac-operations.txt")
	must(t, err)
	defer file.Close()
	to := map[string]acl.WebID{"bob": w.bob.id, "authenticated": acl.Authenticated, "public": acl.Public}
	asks := map[string]*person{"Bob": w.bob, "Public": nil}
	sent := map[string]struct{ media, body string }{
		"turtle": {turtle, `<> <http://www.w3.org/2000/01/rdf-schema#comment> "what was sent".`},
		"n3":     {n3Type, n3Prefix + `solid:inserts { <> <urn:a> "what was sent" }.`},
		"text":   {plain, "what was sent"},
	}
	cases := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cases++
		f := strings.Fields(lines.Text())
		subject, agent, method, content, kind, onContainer, onResource, statuses, then := f[0], f[1], f[2], sent[f[3]], f[4], f[5], f[6], f[7], f[8]
		path := w.arrange(cases, to[subject], kind, onContainer, onResource)
		a := w.ask(asks[agent], method, path, content.media, content.body)
		if !slices.Contains(strings.Split(statuses, ","), strconv.Itoa(a.StatusCode)) {
			t.Errorf("%s: %d", lines.Text(), a.StatusCode)
		}
		if content.body != "" && strings.Contains(a.body, "what was sent") {
			t.Errorf("%s: the answer tells %s", lines.Text(), a.body)
		}
		if then == "-" {
			continue
		}
		if a := w.ask(asks[agent], "GET", path, "", ""); strconv.Itoa(a.StatusCode) != then {
			t.Errorf("%s: GET then: %d", lines.Text(), a.StatusCode)
		}
	}
	if cases != 491 {
		t.Errorf("%d cases, not 491", cases)
	}
}

// arrange makes a container with a resource of a kind in it, each with an ACL
// document that gives modes, "no" for none, or the resource "inherited".
func (w *world) arrange(n int, to acl.WebID, kind, onContainer, onResource string) string {
	w.t.Helper()
	at := fmt.Sprintf("/operation%d/", n)
	w.put(at, "", "")
	path := at + map[string]string{"plain": "r.txt", "rdf": "r.ttl", "container": "r/", "fictive": "r.txt"}[kind]
	switch kind {
	case "plain":
		w.put(path, plain, "Hello")
	case "rdf":
		w.put(path, turtle, `<urn:a> <urn:b> "old".`)
	case "container":
		w.put(path, "", "")
	}
	modes := func(s string) string {
		if s == "no" || s == "inherited" {
			return ""
		}
		return s
	}
	below := ""
	if onResource == "inherited" {
		below = modes(onContainer)
	}
	w.allow(at, grant{w.alice.id, "RWC", "RWC"}, grant{to, modes(onContainer), below})
	if kind != "fictive" && onResource != "inherited" {
		w.allow(path, grant{w.alice.id, "RWC", "RWC"}, grant{to, modes(onResource), ""})
	}
	return path
}
