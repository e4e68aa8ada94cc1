// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/podtest"
)

// visits returns the log, the oldest entry first, a line each.
func (b *bench) visits() []string {
	b.Helper()
	entries, err := b.Pod.Log(b.Context(), b.owner, 0, 1000)
	must(b.TB, err)
	slices.Reverse(entries)
	must(b.TB, log.Verify(entries))
	var lines []string
	for _, e := range entries {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Action, e.Agent, e.Client, strings.TrimPrefix(e.Path, string(b.root)))))
	}
	return lines
}

// TestReadsAreLogged: each read by another is in the log; what everybody may read
// is counted; what an app reads in the owner's name is counted, and logged once a
// day.
func TestReadsAreLogged(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/x", plain, "x"))
	b.must(b.put(b.owner, "c/public", plain, "x"))
	b.allow(bob.ID, "c/", "R", "R")
	b.allow(acl.Public, "c/public", "R", "")
	app := acl.Agent{ID: b.owner.ID, Client: "https://app.example/id", Issuer: base}
	nobody := acl.Agent{ID: "https://id.example/eve#me"}

	visit := "visit https://id.example/bob#me https://app.example/id "
	for _, c := range []struct {
		says, path string
		who        acl.Agent
		status     int
		entries    []string
	}{
		{"the owner, on our own pages", "c/x", b.owner, 200, nil},
		{"another", "c/x", bob, 200, []string{visit + "c/x"}},
		{"and once more", "c/x", bob, 200, []string{visit + "c/x"}},
		{"a container", "c/", bob, 200, []string{visit + "c/"}},
		{"what isn't there", "c/absent", bob, 404, nil},
		{"who may not", "c/x", nobody, 403, nil},
		{"a stranger who may not", "c/x", stranger, 401, nil},
		{"a stranger, what everybody may", "c/public", stranger, 200, nil},
		{"another, what everybody may", "c/public", bob, 200, nil},
		{"an app in the owner's name", "c/x", app, 200, []string{"use  https://app.example/id"}},
		{"and once more", "c/public", app, 200, nil},
	} {
		before := b.visits()
		b.want(c.says, b.get(c.who, c.path), c.status)
		if got := b.visits()[len(before):]; !slices.Equal(got, c.entries) {
			t.Errorf("%s: logged %q, want %q", c.says, got, c.entries)
		}
	}
	counts := func() string {
		must(t, b.Settle(t.Context()))
		all, err := b.ReadCounts(t.Context(), b.owner, time.Unix(0, 0))
		must(t, err)
		return fmt.Sprint(all)
	}
	if got, want := counts(), "[{2026-11-01  2 0} {2026-11-01 https://app.example/id 2 0}]"; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	b.want("after it was stored, no entry", b.get(app, "c/x"), 200)
	b.clock.wait(24 * time.Hour)
	b.want("the next day", b.get(app, "c/x"), 200)
	if got, want := counts(), "[{2026-11-01  2 0} {2026-11-01 https://app.example/id 3 0} {2026-11-02 https://app.example/id 1 0}]"; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	if n := strings.Count(strings.Join(b.visits(), "\n"), "use "); n != 2 {
		t.Errorf("%d entries of the app's use, want one for each day", n)
	}
	_, err := b.ReadCounts(t.Context(), bob, time.Unix(0, 0))
	b.want("the counts are the owner's", status(ldp.Written{}, err), 403)
}

// TestWritesAreLogged: each write by another is in the log, and a stranger's once
// a day; what an app writes in the owner's name is counted.
func TestWritesAreLogged(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "c/x", plain, "x"))
	b.allow(bob.ID, "c/", "RW", "RW")
	b.must(b.put(b.owner, "open/x", plain, "x"))
	b.allow(acl.Public, "open/", "RW", "RW")
	app := acl.Agent{ID: b.owner.ID, Client: "https://app.example/id", Issuer: base}
	nobody := acl.Agent{ID: "https://id.example/eve#me"}

	by := " https://id.example/bob#me https://app.example/id "
	for _, c := range []struct {
		says    string
		do      func() int
		status  int
		entries []string
	}{
		{"the owner, on our own pages", func() int { return b.put(b.owner, "c/own", plain, "x") }, 201, nil},
		{"another makes", func() int { return b.put(bob, "c/new", plain, "x") }, 201, []string{"write" + by + "c/new"}},
		{"replaces", func() int { return b.put(bob, "c/x", plain, "y") }, 204, []string{"write" + by + "c/x"}},
		{"patches", func() int {
			return b.patch(bob, "c/p", "application/sparql-update", "INSERT DATA { <urn:a> <urn:b> 1 }")
		}, 201, []string{"write" + by + "c/p"}},
		{"adds", func() int {
			_, err := b.post(bob, "c/", "note", plain, "x")
			return status(ldp.Written{Created: true}, err)
		}, 201, []string{"write" + by + "c/note"}},
		{"deletes", func() int { return b.delete(bob, "c/new") }, 204, []string{"delete" + by + "c/new"}},
		{"what isn't there", func() int { return b.delete(bob, "c/absent") }, 404, nil},
		{"who may not", func() int { return b.put(nobody, "c/x", plain, "z") }, 403, nil},
		{"a stranger", func() int { return b.put(stranger, "open/1", plain, "x") }, 201, []string{"write   open/"}},
		{"and again", func() int { return b.put(stranger, "open/2", plain, "x") }, 201, nil},
		{"deletes", func() int { return b.delete(stranger, "open/2") }, 204, []string{"delete   open/"}},
		{"an app in the owner's name", func() int { return b.put(app, "c/x", plain, "x") }, 204, []string{"use  https://app.example/id"}},
		{"and again", func() int { return b.put(app, "c/x", plain, "y") }, 204, nil},
	} {
		before := b.visits()
		b.want(c.says, c.do(), c.status)
		if got := b.visits()[len(before):]; !slices.Equal(got, c.entries) {
			t.Errorf("%s: logged %q, want %q", c.says, got, c.entries)
		}
	}
	must(t, b.Settle(t.Context()))
	all, err := b.ReadCounts(t.Context(), b.owner, time.Unix(0, 0))
	must(t, err)
	if got := fmt.Sprint(all); got != "[{2026-11-01 https://app.example/id 0 2}]" {
		t.Errorf("counted %s", got)
	}
	fake := b.Pod.Store.(*podtest.Fake)
	fake.Next(podtest.Fails)
	before := b.visits()
	b.want("a write whose commit fails", b.put(bob, "c/y", plain, "y"), 503)
	if got := b.visits(); len(got) != len(before) {
		t.Errorf("logged %q", got[len(before):])
	}
}

// TestReadThatCannotBeLoggedIsRefused: no entry, no bytes.
func TestReadThatCannotBeLoggedIsRefused(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.allow(bob.ID, "x", "R", "")
	fake := b.Pod.Store.(*podtest.Fake)
	fake.Next(podtest.Fails)
	b.want("the commit fails", b.get(bob, "x"), 503)
	if got := b.visits(); len(got) != 0 {
		t.Errorf("logged %q", got)
	}
	fake.Next(podtest.SeemsToFail)
	b.want("the commit seems to fail", b.get(bob, "x"), 503)
	b.want("and then succeeds", b.get(bob, "x"), 200)
	if got := b.visits(); len(got) != 2 {
		t.Errorf("logged %q", got)
	}
}

// TestCountsAreNotLost: what could not be stored is stored the next time.
func TestCountsAreNotLost(t *testing.T) {
	b := newBench(t)
	b.must(b.put(b.owner, "x", plain, "x"))
	b.allow(acl.Public, "x", "R", "")
	fake := b.Pod.Store.(*podtest.Fake)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				b.must(b.get(stranger, "x"))
			}
		})
	}
	all.Wait()
	fake.Next(podtest.Fails)
	if b.Settle(t.Context()) == nil {
		t.Error("no error")
	}
	must(t, b.Settle(t.Context()))
	counts, err := b.ReadCounts(t.Context(), b.owner, time.Unix(0, 0))
	must(t, err)
	if len(counts) != 1 || counts[0].Reads != 200 {
		t.Errorf("counted %v, want 200", counts)
	}
}
