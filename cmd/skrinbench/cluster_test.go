// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"skrin/fixtures/servers"
)

// TestCluster measures one node and two on a real PostgreSQL and a real S3 server, a
// moment each: no workload may fail, and what each process behind them took is told.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a database, an S3 server and two nodes")
	}
	c := clusterCommand{options{Skrin: program(t), Limit: true, Rounds: 1, Lasting: 50 * time.Millisecond, Users: 4, Large: 2, Scratch: t.TempDir()}, []int{1, 2}, 8}
	chosen, err := choose(clustered, amount{c.Large << 20, 0})
	if err != nil {
		t.Fatal(err)
	}
	r := &report{Date: "2026-11-22"}
	err = c.measure(t.Context(), chosen, r)
	if errors.Is(err, servers.ErrMissing) && os.Getenv("SKRIN_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, trouble := range r.Troubles {
		t.Error(trouble)
	}
	for _, w := range chosen {
		all := r.formations(w.name)
		if len(all) != 2 || all[0].Site != "1 node" || all[1].Site != "2 nodes" || all[1].ratio <= 0 {
			t.Errorf("%s: %d rows, not one for each number of nodes with what the second does in times of the first", w.name, len(all))
		}
		for _, x := range all {
			if x.Failed > 0 || x.Rate <= 0 || x.P50 <= 0 {
				t.Errorf("%s with %s: %d failed (%s), %.0f/s", w.name, x.Site, x.Failed, x.Why, x.Rate)
			}
		}
	}
	var database, bucket, waits float64
	for _, x := range r.Rows {
		database, bucket = database+x.Beside[postgresName], bucket+x.Beside[s3Name]
		for _, n := range x.Sessions {
			waits += n
		}
		if x.Site == "1 node" && x.Workload == "put-new" && (x.Commits < 1 || x.Commits > 3) {
			t.Errorf("a put has %v commits: want one of its own, and a share in one of its proof's", x.Commits)
		}
	}
	if database <= 0 || bucket <= 0 || waits <= 0 {
		t.Errorf("PostgreSQL took %v µs, S3 %v, and %v sessions were at work", database, bucket, waits)
	}
	var text bytes.Buffer
	r.clusterTables(&text)
	r.printCluster(&text)
	t.Log("\n" + text.String())
	for _, want := range []string{"The limit of put-new is PostgreSQL's bare insert", "The limit of upload is the S3 client alone", "The limit of get-turtle is a bare handler:"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables don't say %q", want)
		}
	}
}

// TestResting: a node that doesn't take part in a formation stands still, and goes on
// after it.
func TestResting(t *testing.T) {
	nodes := []*site{sleeper(t), sleeper(t)}
	k := &cluster{nodes: nodes}
	state := func(n *site) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := bytes.Cut(b, []byte(") "))
		return string(rest[:1])
	}
	end := k.formation(1).alone()
	if state(nodes[0]) == "T" || state(nodes[1]) != "T" {
		t.Errorf("one node: they are %s and %s, not at work and stopped", state(nodes[0]), state(nodes[1]))
	}
	end()
	k.formation(2).alone()()
	if state(nodes[0]) == "T" || state(nodes[1]) == "T" {
		t.Errorf("two nodes: they are %s and %s", state(nodes[0]), state(nodes[1]))
	}
}

// sleeper is a process that does nothing.
func sleeper(t *testing.T) *site {
	s, err := started("sleeper", exec.CommandContext(t.Context(), "sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}
