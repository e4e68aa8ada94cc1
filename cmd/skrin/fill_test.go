// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skrin/ldp"
)

// TestStageKeepsItsPort: a stage at any free port, without pods that fill it, is the
// same when it is started again; at another port it isn't.
func TestStageKeepsItsPort(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stage")
	var first, again stage
	for _, told := range []*stage{&first, &again} {
		c := &stageCommand{Dir: dir, People: 2, Newcomers: 1, Only: true}
		text := printedBy(t, func() error { return c.Run(t.Context()) })
		must(t, json.Unmarshal([]byte(text), told))
	}
	if again.Base != first.Base || len(again.People) != 2 || again.People[0].WebID != first.People[0].WebID {
		t.Errorf("first %+v, then %+v", first, again)
	}
	if err := (&stageCommand{Dir: dir, People: 2, Newcomers: 1, Only: true, Port: freePorts(t)}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "URLs with port") {
		t.Errorf("at another port: %v", err)
	}
}

// TestFill: the pods that fill a stage are as sound as any; a filling that was
// interrupted goes on, and makes none twice; the owner of one that is known reads
// what is hers; pods of another size are refused.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	filled := func(resources, pods, left int) (filling, error) {
		t.Helper()
		c := &stageCommand{Dir: dir, Newcomers: 1, Pods: pods, Resources: resources, Known: 2}
		s, err := c.open(t.Context(), "http://localhost:1", c.Dir)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		f, err := readFilling(dir)
		must(t, err)
		f.Pods -= left // as if it had been interrupted that much earlier
		if err := c.fill(t.Context(), s, &f, io.Discard); err != nil {
			return f, err
		}
		told, err := c.furnish(t.Context(), s)
		must(t, err)
		must(t, c.tell(t.Context(), s, f, told))
		if len(told.Known) != 2 || told.Known[0].WebID == told.Known[1].WebID || told.Sample == "" || told.Bytes == 0 {
			t.Errorf("it tells %+v", told)
		}
		for i, known := range told.Known {
			who, err := s.pod.Owner(t.Context(), stageName(i*(pods/2)))
			must(t, err)
			r, err := s.pod.Get(t.Context(), who, ldp.Get{ID: ldp.ID(known.Pod[len(s.Base):] + "notes/2.ttl"), Choose: func(offers ...string) string { return offers[0] }})
			must(t, err)
			must(t, r.Body.Close())
		}
		return f, nil
	}
	if f, err := filled(3, 20, 0); err != nil || f.Pods != 20 {
		t.Errorf("20 pods: %+v, %v", f, err)
	}
	if f, err := filled(3, 30, 7); err != nil || f.Pods != 30 {
		t.Errorf("10 more: %+v, %v", f, err)
	}
	if _, err := filled(4, 40, 0); err == nil {
		t.Error("10 more of another size are made")
	}
	key, err := demoKey(dir)
	must(t, err)
	o := sound(t, config{Base: "http://localhost:1", Dir: dir, Key: key, Demo: true, Token: time.Minute}, 30)
	if want := 30 * (14 + 1 + 3); o.Checked.Resources != want { // what each pod begins with, a container, 3 notes
		t.Errorf("it holds %d resources, not %d", o.Checked.Resources, want)
	}
}
