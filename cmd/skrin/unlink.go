// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"skrin/cmd/skrin/unlink"
	"skrin/pod/leak"
)

// unlinkCommand measures whether parties that pool what they received can match
// people.
type unlinkCommand struct {
	printed
	Persons    int    `default:"1000" help:"How many people."`
	Recipients int    `default:"2" help:"How many parties each of them shares with."`
	Leak       string `default:"" help:"Make the server leak on purpose: etag, time, status, signature, path, ids, size, list, holder; or all, one after the other." enum:",all,etag,time,status,signature,path,ids,size,list,holder"`
}

// Run obeys kong. It fails if the honest server links people, or if a leak is not
// caught.
func (c *unlinkCommand) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

// The thresholds: what an honest server must stay below, and what a leak must
// reach to count as caught.
const (
	honestAUC  = 0.52
	honestTop1 = 1.2 // times chance
	caughtAUC  = 0.9

	// doubt is how many standard errors above chance a result must be to be held
	// against an honest server. There are six such results (AUC and top-1 of three
	// strategies): by chance alone, fewer than one of 50,000 honest runs fails.
	doubt = 4.5
)

func (c *unlinkCommand) run(ctx context.Context, out io.Writer) error {
	if c.Persons < 20 || c.Recipients < 2 {
		return fmt.Errorf("at least 20 persons and 2 recipients are needed")
	}
	leaks := []leak.Channel{leak.Channel(c.Leak)}
	if c.Leak == "all" {
		leaks = append([]leak.Channel{""}, leak.All()...)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintf(out, "%d persons, %d recipients; what each released on purpose is not counted.\n", c.Persons, c.Recipients)
		fmt.Fprintln(table, "server\tstrategy\tAUC\t±95 %\ttop-1\t±95 %\tchance\tlooked at last")
	}
	var failed []string
	for _, by := range leaks {
		name := "honest"
		if by != "" {
			name = "leaks " + string(by)
		}
		began := time.Now()
		results, err := c.measure(ctx, by)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !verdict(by, results) {
			failed = append(failed, name)
		}
		if c.JSON { // a line for each server, since a long run is seen to go on
			if err := json.NewEncoder(out).Encode(trial{by, results, verdict(by, results)}); err != nil {
				return err
			}
			continue
		}
		for _, r := range results {
			fmt.Fprintf(table, "%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%s\n", name, r.Strategy, r.AUC, 1.96*r.Error, r.Top1, 1.96*r.Top1Error, r.Chance, r.Feature)
		}
		fmt.Fprintf(table, "\t%d people, %d pairs of recipients, in %v\n", results[0].People, results[0].Pairs, time.Since(began).Round(time.Second))
		if err := table.Flush(); err != nil { // a long run is seen to go on
			return err
		}
	}
	if failed != nil {
		return fmt.Errorf("not as it must be: %v", failed)
	}
	if !c.JSON {
		fmt.Fprintln(out, "As it must be: people can't be linked, and a server that links them is caught.")
	}
	return nil
}

// A trial is what came of one server.
type trial struct {
	Leak    leak.Channel    `json:"leak"` // "" for the honest server
	Results []unlink.Result `json:"results"`
	Passes  bool            `json:"as_it_must_be"`
}

// verdict reports whether the results are those of an honest server, or of one
// whose leak was caught. What chance explains is not held against an honest one.
func verdict(by leak.Channel, results []unlink.Result) bool {
	bad := func(r unlink.Result) bool {
		return r.AUC > honestAUC && r.AUC-doubt*r.Error > 0.5 || r.Top1 > honestTop1*r.Chance && r.Top1-doubt*r.Top1Error > r.Chance
	}
	if by == "" {
		return !slices.ContainsFunc(results, bad)
	}
	return slices.ContainsFunc(results, func(r unlink.Result) bool { return r.AUC >= caughtAUC })
}

// measure runs a server with a leak, and lets every pair of recipients try.
func (c *unlinkCommand) measure(ctx context.Context, by leak.Channel) ([]unlink.Result, error) {
	dir, err := os.MkdirTemp("", "skrin-unlink-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w, err := newCrowd(ctx, dir, c.Persons, c.Recipients, by, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return nil, err
	}
	err = w.live(ctx)
	if e := w.close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	var pairs [][]unlink.Tally
	for i := range w.recipients {
		for j := range i {
			pairs = append(pairs, unlink.Match(w.recipients[j].dossiers, w.recipients[i].dossiers, random))
		}
	}
	return unlink.Results(pairs...), nil
}
