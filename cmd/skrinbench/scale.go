// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// scaleCommand measures what the number of pods costs: servers of ours that are
// filled with so many, side by side.
type scaleCommand struct {
	Keep    string        `arg:"" help:"Folder with a server's directory for each number of pods. What isn't filled yet is, which takes a second for each 1,000 pods, or so; what is, stays." type:"path"`
	Pods    []int         `default:"1000,100000,1000000" help:"How many pods; the first is what the others are held against."`
	Skrin   string        `help:"The skrin program, instead of one that is built." type:"existingfile"`
	Known   int           `default:"4000" help:"How many apps read and write, each in a pod of its own, from all over, as far as there are so many. With many more, what is measured is how servers remember apps."`
	Conns   int           `default:"16" help:"Connections."`
	Rounds  int           `default:"5" help:"Rounds, of which the median is told."`
	Shots   int           `default:"4000" help:"Requests of one kind in a round, to a server."`
	Profile string        `help:"Folder for a CPU profile of each server under each kind of request." type:"path"`
	Rest    time.Duration `default:"130s" help:"How long the servers rest after the load before their memory is looked at once more."`
	Patient bool          `default:"true" negatable:"" help:"Before each volley, wait until the servers have nothing left to do."`
}

// A scaled is a server with so many pods.
type scaled struct {
	*bench
	idle   int64 // bytes that it held when it had been started, and nothing was asked
	loaded int64 // and when much was
	p50    [2][]float64
	p99    [2][]float64
	cpu    [2][]float64 // microseconds a request
	why    string
}

// asks are the two requests: by one app after the other, about what is its owner's
// alone.
var asks = [2]struct {
	name string
	shot func(b *bench, i int) (shot, error)
}{
	{"GET", func(b *bench, i int) (shot, error) {
		u := b.user(i)
		return u.shot("GET", fmt.Sprintf("%snotes/%d.ttl", u.Pod, i%10), nil, asRDF)
	}},
	{"durable PUT", func(b *bench, i int) (shot, error) {
		u := b.user(i)
		return u.shot("PUT", fmt.Sprintf("%snotes/%d.ttl", u.Pod, i%10), kilobyte, turtle)
	}},
}

// Run obeys kong.
func (c *scaleCommand) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Keep, 0o700); err != nil {
		return err
	}
	o := &opener{Skrin: c.Skrin, Scratch: c.Keep}
	if err := o.build(ctx); err != nil {
		return err
	}
	var all []*scaled
	defer func() {
		for _, s := range all {
			s.close()
		}
	}()
	for _, pods := range c.Pods {
		s, err := c.start(ctx, o, pods)
		if err != nil {
			return fmt.Errorf("%d pods: %w", pods, err)
		}
		all = append(all, s)
	}
	for round := range c.Rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, c.Rounds)
		for k := range asks {
			for _, s := range all {
				if c.Patient {
					quiet(ctx, all)
				}
				if err := c.volley(ctx, s, k); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range all {
		s.loaded = memory(s.pids())
	}
	select {
	case <-time.After(c.Rest):
	case <-ctx.Done():
		return ctx.Err()
	}
	c.print(os.Stdout, all)
	for _, s := range all {
		if s.why != "" {
			return errors.New(s.why)
		}
	}
	return nil
}

// start fills a server, starts it with all of its files on the disk alone, looks at
// it, and starts it again for those who ask.
func (c *scaleCommand) start(ctx context.Context, o *opener, pods int) (*scaled, error) {
	dir := filepath.Join(c.Keep, fmt.Sprint(pods))
	if err := o.fill(ctx, dir, pods); err != nil {
		return nil, err
	}
	if err := forget(dir); err != nil {
		return nil, err
	}
	looked, err := o.look(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &scaled{idle: looked.idle}
	args := []string{"--people", "0", "--newcomers", "1", "--known", fmt.Sprint(c.Known)}
	if c.Profile != "" {
		args = append(args, "--profile")
	}
	site, err := o.stage(ctx, dir, args...)
	if err != nil {
		return nil, err
	}
	site.scale, site.began, site.users = looked.scale, looked.began, site.stage.Known
	s.bench = &bench{site: site}
	if err := site.signIn(ctx); err != nil {
		site.close()
		return nil, err
	}
	return s, nil
}

// forget has the operating system drop from its memory what it has of the files in a
// folder.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		const dontNeed = 4                                                                    // POSIX_FADV_DONTNEED
		_, _, failed := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0) // of the whole file
		if failed != 0 {
			return failed
		}
		return nil
	})
}

// quiet waits until none of the servers works: until what one was asked to write is
// where it is to stay. It waits for a minute at most.
func quiet(ctx context.Context, all []*scaled) {
	var pids []int
	for _, s := range all {
		pids = append(pids, s.pids()...)
	}
	const look = 500 * time.Millisecond
	for end := time.Now().Add(time.Minute); ctx.Err() == nil && time.Now().Before(end); {
		before := cpu(pids)
		time.Sleep(look)
		if cpu(pids)-before <= look/20 {
			return
		}
	}
}

// volley asks a server, once with each shot.
func (c *scaleCommand) volley(ctx context.Context, s *scaled, k int) error {
	shots, err := premake(c.Shots, func(i int) (shot, error) { return asks[k].shot(s.bench, *s.next+i) })
	if err != nil {
		return err
	}
	*s.next += c.Shots
	if c.Profile != "" {
		m := &match{w: &workload{name: fmt.Sprintf("%s-%d", asks[k].name, s.scale.Pods)}, lasting: 3 * time.Second, profile: c.Profile}
		defer m.record(ctx, s.bench)()
	}
	pids := s.pids()
	before := cpu(pids)
	v, err := s.fire(ctx, shots, c.Conns)
	if err != nil {
		return err
	}
	s.cpu[k] = append(s.cpu[k], float64((cpu(pids)-before).Microseconds())/float64(c.Shots))
	if v.failed > 0 {
		s.why = fmt.Sprintf("%d of %d failed at %d pods: %s", v.failed, v.sent, s.scale.Pods, v.why)
	}
	ms := func(q float64) float64 { return float64(v.quantile(q)) / float64(time.Millisecond) }
	s.p50[k], s.p99[k] = append(s.p50[k], ms(0.5)), append(s.p99[k], ms(0.99))
	return nil
}

// print writes the servers side by side.
func (c *scaleCommand) print(w io.Writer, all []*scaled) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, each func(s *scaled) string) {
		fmt.Fprintf(t, "%s\t", name)
		for _, s := range all {
			fmt.Fprintf(t, "%s\t", each(s))
		}
		fmt.Fprintln(t)
	}
	line("pods", func(s *scaled) string { return fmt.Sprint(s.scale.Pods) })
	line("made, a second", func(s *scaled) string { return fmt.Sprintf("%.0f", s.scale.Rate) })
	line("bytes a pod", func(s *scaled) string { return fmt.Sprintf("%.0f", s.scale.Bytes) })
	line("from its start until it answers, s", func(s *scaled) string { return fmt.Sprintf("%.2f", s.began.Seconds()) })
	line("first read, from the disk, ms", func(s *scaled) string { return fmt.Sprintf("%.1f", 1e3*s.scale.Cold) })
	line("idle, MB", func(s *scaled) string { return fmt.Sprintf("%.0f", float64(s.idle)/1e6) })
	line("after the load, MB", func(s *scaled) string { return fmt.Sprintf("%.0f", float64(s.loaded)/1e6) })
	line("when it has rested, MB", func(s *scaled) string { return fmt.Sprintf("%.0f", float64(memory(s.pids()))/1e6) })
	for k, ask := range asks {
		line(ask.name+" p50, ms", func(s *scaled) string { return fmt.Sprintf("%.2f", median(s.p50[k])) })
		line(ask.name+" p99, ms", func(s *scaled) string { return fmt.Sprintf("%.2f", median(s.p99[k])) })
		line("(lowest to highest)", func(s *scaled) string {
			return fmt.Sprintf("%.2f to %.2f", slices.Min(s.p99[k]), slices.Max(s.p99[k]))
		})
		line("processor, µs", func(s *scaled) string { return fmt.Sprintf("%.0f", median(s.cpu[k])) })
		line("p99, × the first", func(s *scaled) string { return fmt.Sprintf("%.2f", median(s.p99[k])/median(all[0].p99[k])) })
	}
	t.Flush()
	fmt.Fprintf(w, "%d connections, %d requests of each kind in each of %d rounds, by %d apps; what is told is the median of the rounds.\n", c.Conns, c.Shots, c.Rounds, c.Known)
}
