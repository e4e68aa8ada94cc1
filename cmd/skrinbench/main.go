// SPDX-License-Identifier: EUPL-1.2

// Command skrinbench measures a Solid server, in requests a second, against what
// the machine can do at most and against another server, in turn and in one run.
//
//	go run ./cmd/skrinbench                                   a server of ours, all workloads
//	go run ./cmd/skrinbench get-dpop put-new --vs css:FOLDER  two workloads, and Community Solid Server beside it
//	go run ./cmd/skrinbench --vs css:FOLDER,jss:FOLDER        all workloads, and two servers beside it
//	go run ./cmd/skrinbench cluster                           one node and two, on PostgreSQL and an S3 store
//	go run ./cmd/skrinbench scale FOLDER                      1,000, 100,000 and a million pods, side by side
//
// The requests are written, and their proofs signed, before the clock runs. Each
// round fires the same number of them at the limit (a bare net/http handler that
// returns the same bytes and verifies as many signatures), at the target, and at
// the other servers; what is told of several rounds is the median.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Measure."`
	Cluster clusterCommand `cmd:"" help:"Measure nodes that keep everything in PostgreSQL and an S3 store."`
	Scale   scaleCommand   `cmd:"" help:"Measure what the number of pods costs."`
	List    listCommand    `cmd:"" help:"List the workloads."`
	Bare    bareCommand    `cmd:"" hidden:""`
}

// options are those of every command that measures workloads.
type options struct {
	Workloads []string `arg:"" optional:"" help:"Which; if none is named, all of them, or for a cluster those that matter most. See list."`

	Skrin   string        `help:"The skrin program, instead of one that is built." type:"existingfile"`
	Limit   bool          `default:"true" negatable:"" help:"Measure limits too: a bare handler, and what the disk, PostgreSQL or S3 does alone."`
	Rounds  int           `default:"3" help:"Rounds, of which the median is told."`
	Lasting time.Duration `default:"2s" help:"About how long one volley lasts."`
	Users   int           `default:"64" help:"How many users."`
	Large   int64         `default:"100" help:"MiB of a large body."`
	Scratch string        `help:"Folder for what the servers keep; a temporary one if none is named." type:"path"`
	JSON    string        `name:"json" help:"File for the figures." type:"path"`
	Table   string        `help:"File for the tables of the report, in Markdown." type:"path"`
	Profile string        `help:"Folder for a CPU profile of a server of ours, a cluster's first, under each workload." type:"path"`
	Note    string        `help:"A line about the machine, for the report."`
}

// measured has measure work in a scratch folder, which is removed afterwards if it is
// a temporary one, and fill the report.
func (o *options) measured(measure func(*report) error) (*report, error) {
	r := &report{Date: time.Now().UTC().Format(time.DateOnly), Note: o.Note}
	if o.Scratch == "" {
		dir, err := os.MkdirTemp("", "skrinbench-")
		if err != nil {
			return r, err
		}
		defer os.RemoveAll(dir)
		o.Scratch = dir
	}
	return r, measure(r)
}

// runCommand measures.
type runCommand struct {
	options

	Target  string   `default:"skrin" help:"What is measured: skrin, for a server of ours, which is started; css:FOLDER, for the Community Solid Server in a folder's node_modules; jss:FOLDER, for JavaScriptSolidServer; or the address of a server that runs."`
	Vs      []string `help:"Others to measure in turn: css:FOLDER,jss:FOLDER."`
	People  string   `help:"File with users of a server that runs, as \"skrin stage\" prints it." type:"existingfile"`
	Conns   []int    `default:"64" help:"Connections, one after the other: 1,16,64."`
	Pods    int      `help:"How many pods a server of ours holds besides. It is filled, ended and started again, and the report tells what they cost."`
	Members int      `default:"100000" help:"Members of the largest container."`
	Picture string   `help:"File for a picture of the ratios (SVG)." type:"path"`
}

// listCommand lists the workloads.
type listCommand struct{}

// Run obeys kong.
func (listCommand) Run() error {
	for _, w := range workloads(amount{100 << 20, 100_000}) {
		fmt.Printf("%-18s %s\n", w.name, w.says)
	}
	return nil
}

// Run obeys kong.
func (c *runCommand) Run(ctx context.Context) error {
	chosen, err := choose(c.Workloads, amount{c.Large << 20, c.Members})
	if err != nil {
		return err
	}
	r, err := c.measured(func(r *report) (err error) {
		if c.Limit {
			if r.Disk, err = measureDisk(c.Scratch, time.Second); err != nil {
				return err
			}
		}
		return c.measure(ctx, chosen, r)
	})
	r.print(os.Stdout)
	return errors.Join(err, c.save(r))
}

func choose(names []string, of amount) ([]*workload, error) {
	if len(names) == 0 {
		return workloads(of), nil
	}
	var out []*workload
	for _, name := range names {
		found := false
		for _, w := range workloads(of) {
			if w.name == name {
				w.alone = false // whoever names it waits for it
				out, found = append(out, w), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no workload %q: see \"skrinbench list\"", name)
		}
	}
	return out, nil
}

// measure opens the sites and runs the workloads.
func (c *runCommand) measure(ctx context.Context, chosen []*workload, r *report) error {
	o := &opener{Skrin: c.Skrin, People: c.People, Scratch: c.Scratch, Users: c.Users, Pods: c.Pods}
	if c.Profile != "" {
		o.Stage = append(o.Stage, "--profile")
	}
	var sites []*site
	defer func() {
		for _, s := range sites {
			s.close()
		}
	}()
	for _, what := range append([]string{c.Target}, c.Vs...) {
		fmt.Fprintf(os.Stderr, "%s  %s: users, start\n", time.Now().UTC().Format(time.TimeOnly), what)
		s, err := o.open(ctx, what)
		if err != nil {
			return err
		}
		sites = append(sites, s)
		r.Sites = append(r.Sites, about{s.name, s.began.Seconds(), cmp.Or(s.idle, memory(s.pids())), s.scale})
	}
	for i, w := range chosen {
		for _, conns := range c.Conns {
			if w.conns > 0 && conns > w.conns {
				conns = w.conns
			}
			if r.has(w.name, conns) {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s  %d of %d: %s, %d connections\n", time.Now().UTC().Format(time.TimeOnly), i+1, len(chosen), w.name, conns)
			m := &match{w: w, conns: conns, rounds: c.Rounds, lasting: c.Lasting, scratch: c.Scratch, limit: c.Limit, profile: c.Profile}
			rows, not, err := m.run(ctx, sites)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Troubles = append(r.Troubles, not...)
			if err != nil {
				r.Troubles = append(r.Troubles, fmt.Sprintf("%s: %v", w.name, err))
				continue
			}
			r.add(w, rows)
		}
	}
	for _, s := range sites {
		if s.mended > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %d quota files that writes at once had broken were removed between volleys, without which it would have refused everything in those pods", s.name, s.mended))
		}
	}
	return nil
}

func (c *runCommand) save(r *report) error {
	err := writeReport(r, c.JSON, c.Table, r.tables)
	if c.Picture != "" {
		err = errors.Join(err, os.WriteFile(c.Picture, r.picture(), 0o600))
	}
	return err
}

// writeReport writes the figures and the tables to files, of those that have a name.
func writeReport(r *report, figures, tables string, write func(io.Writer)) error {
	if figures != "" {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(figures, append(b, '\n'), 0o600); err != nil {
			return err
		}
	}
	if tables != "" {
		var b bytes.Buffer
		write(&b)
		return os.WriteFile(tables, b.Bytes(), 0o600)
	}
	return nil
}

func main() {
	var c commands
	k := kong.Parse(&c, kong.Name("skrinbench"), kong.Description("Measure a Solid server."), kong.UsageOnError())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "skrinbench:", err)
		os.Exit(1)
	}
}
