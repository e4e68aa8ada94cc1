// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A target is what a workload is to reach at 64 connections, or as many as it may
// have; 0 for what has no target.
type target struct {
	limit float64            // of the limit
	over  float64            // of put-over
	mbs   float64            // MB/s
	ms    float64            // at most, each
	times map[string]float64 // another server's rate
}

// tail is how many times the median the slowest hundredth may take, in every workload.
const tail = 5

// targets are those of the workloads that have some.
var targets = map[string]target{
	"get-turtle":   {limit: 0.6, times: map[string]float64{kindCSS: 60, kindJSS: 6}},
	"get-jsonld":   {limit: 0.4, times: map[string]float64{kindCSS: 100, kindJSS: 4}},
	"get-dpop":     {limit: 0.8, times: map[string]float64{kindCSS: 60, kindJSS: 3}},
	"get-view":     {limit: 0.5},
	"put-new":      {limit: 0.5, times: map[string]float64{kindCSS: 50, kindJSS: 4}},
	"put-over":     {limit: 0.5, times: map[string]float64{kindCSS: 50, kindJSS: 4}},
	"patch-n3":     {over: 0.7, times: map[string]float64{kindCSS: 50, kindJSS: 3}},
	"patch-n3-one": {over: 0.3, times: map[string]float64{kindCSS: 50, kindJSS: 3}},
	"list-1000":    {mbs: 100, times: map[string]float64{kindCSS: 100, kindJSS: 3}},
	"list-10000":   {mbs: 100, times: map[string]float64{kindCSS: 100, kindJSS: 3}},
	"upload":       {limit: 0.6, times: map[string]float64{kindCSS: 2, kindJSS: 1}},
	"upload-8":     {times: map[string]float64{kindJSS: 1}},
	"download":     {limit: 0.6, times: map[string]float64{kindCSS: 2, kindJSS: 1}},
	"download-8":   {times: map[string]float64{kindJSS: 1}},
	"pod-create":   {ms: 3, times: map[string]float64{kindCSS: 40}},
}

// Of an idle server with pods, and of its start.
const (
	targetMemory = 60e6
	targetStart  = 0.3 // seconds
)

// targetShares are the same, as shares of another server's.
var targetShares = map[string]struct{ memory, start float64 }{kindCSS: {0.25, 0.1}, kindJSS: {0.5, 1}}

// A verdict gathers what isn't as it should be.
type verdict []string

// least says a figure with its target, and notes it if it is less.
func (v *verdict) least(what string, x, target float64) string {
	if x == 0 {
		return " |"
	}
	if target > 0 && x < target {
		*v = append(*v, fmt.Sprintf("%s (%s, not %s)", what, times(x), short(target)))
	}
	return times(x) + " | " + short(target)
}

func short(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprint(x)
}

// of returns the row of a workload and a site, or the zero row.
func (r *report) of(workload, site string, conns int) (found row) {
	for _, x := range r.Rows {
		if x.Workload == workload && x.Site == site && x.Conns == conns {
			found = x
		}
	}
	return found
}

// tables writes the figures as the report has them: what was reached of the targets,
// what the other servers did, what more of something costs, and what is not met.
func (r *report) tables(w io.Writer) {
	if len(r.Sites) == 0 {
		return
	}
	fmt.Fprintf(w, "## %s\n\n%s. %.0f records a second with an fsync each; %.0f when 64 writers share fsyncs. %s\n\n", r.Date, cmp.Or(r.Note, "A machine"), r.Disk.Each, r.Disk.Group, r.disturbed())
	var missed verdict
	r.idleTable(w, &missed)
	r.mainTable(w, &missed)
	r.othersTable(w)
	r.growthTable(w, &missed)
	if len(missed) > 0 {
		fmt.Fprintf(w, "Not met: %s.\n\n", strings.Join(missed, "; "))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "* %s.\n", note)
	}
	for _, trouble := range r.Troubles {
		fmt.Fprintf(w, "* Not measured: %s.\n", trouble)
	}
}

// idleTable tells of servers that nothing has been asked of since their start.
func (r *report) idleTable(w io.Writer, missed *verdict) {
	fmt.Fprint(w, "| after its start | pods | answers after, s | idle, MB |\n|---|---|---|---|\n")
	ours := r.Sites[0]
	for _, s := range r.Sites {
		fmt.Fprintf(w, "| %s | %d | %.2f | %.0f |\n", s.Name, s.Pods, s.Start, float64(s.Memory)/1e6)
		share, ok := targetShares[s.Name]
		if x := float64(ours.Memory) / float64(s.Memory); ok && x > share.memory {
			*missed = append(*missed, fmt.Sprintf("idle memory, of %s's (%.2f, not %g)", s.Name, x, share.memory))
		}
		if x := ours.Start / s.Start; ok && x > share.start {
			*missed = append(*missed, fmt.Sprintf("start, of %s's (%.2f, not %g)", s.Name, x, share.start))
		}
	}
	if float64(ours.Memory) > targetMemory {
		*missed = append(*missed, fmt.Sprintf("idle memory (%.0f MB, not %.0f)", float64(ours.Memory)/1e6, targetMemory/1e6))
	}
	if ours.Start > targetStart {
		*missed = append(*missed, fmt.Sprintf("start (%.2f s, not %g)", ours.Start, targetStart))
	}
	fmt.Fprintln(w)
}

// mainTable tells of the target, against its limit and the others. A rate that the
// generator set is marked with a G.
func (r *report) mainTable(w io.Writer, missed *verdict) {
	fmt.Fprint(w, "| workload | connections | a second | p50 ms | p99 ms | p99/p50 | limit's | server µs | generator's share | of the limit | target |")
	others := r.others()
	for _, name := range others {
		fmt.Fprintf(w, " times %s | target |", strings.ToUpper(name))
	}
	fmt.Fprintf(w, "\n|---|---|---|---|---|---|---|---|---|---|---|%s\n", strings.Repeat("---|---|", len(others)))
	for _, x := range r.Rows {
		if x.Site != r.Sites[0].Name || x.Grows != "" {
			continue
		}
		at := targets[x.Workload]
		limit := r.of(x.Workload, "limit", x.Conns)
		fmt.Fprintf(w, "| %s | %d | %s%s | %.2f | %.2f | %.1f | %s | %.0f | %s | %s |", x.Workload, x.Conns, amountOf(x), x.mark(), x.P50, x.P99, x.tail(), one(limit.tail()),
			x.Server, x.share(), r.reached(x, limit, missed))
		for _, name := range others {
			fmt.Fprintf(w, " %s |", missed.least(x.Workload+", times "+strings.ToUpper(name), x.OfOther[name], at.times[name]))
		}
		fmt.Fprintln(w)
		if x.Failed > 0 || x.Lost > 0 {
			*missed = append(*missed, fmt.Sprintf("%s: %s failed", x.Workload, failures(x)))
		}
		if x.tail() > tail && x.Conns > 1 {
			*missed = append(*missed, fmt.Sprintf("p99 of %s (%.1f × p50, not %d; the limit's is %s)", x.Workload, x.tail(), tail, cmp.Or(one(limit.tail()), "not known")))
		}
	}
	fmt.Fprintln(w)
}

// reached is what a row has of its limit, and the target.
func (r *report) reached(x, limit row, missed *verdict) string {
	at := targets[x.Workload]
	switch {
	case at.over > 0:
		over := r.of("put-over", x.Site, x.Conns).Rate
		if over == 0 {
			return " |"
		}
		return "of put-over " + missed.least(x.Workload+", of put-over", x.Rate/over, at.over)
	case at.mbs > 0:
		return missed.least(x.Workload+", MB/s", x.MBs, at.mbs) + " MB/s"
	case at.ms > 0:
		each := 1e3 / x.Rate
		if each > at.ms {
			*missed = append(*missed, fmt.Sprintf("%s (%.1f ms each, not %g)", x.Workload, each, at.ms))
		}
		return fmt.Sprintf("%.1f ms each | %g ms", each, at.ms)
	case strings.HasPrefix(x.Workload, "put-") && r.Disk.Group > 0 && limit.Rate > r.Disk.Group:
		return missed.least(x.Workload+", of the group commits", x.Rate/r.Disk.Group, at.limit)
	}
	return missed.least(x.Workload+", of the limit", x.OfLimit, at.limit)
}

// amountOf is a row's rate, in MB/s for what is large.
func amountOf(x row) string {
	if strings.HasPrefix(x.Workload, "upload") || strings.HasPrefix(x.Workload, "download") {
		return fmt.Sprintf("%.0f MB/s", x.MBs)
	}
	return fmt.Sprintf("%.0f", x.Rate)
}

func one(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", x)
}

// share is what the generator took of the processors' time.
func (r *row) share() string {
	if r.Server == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*r.Generator/(r.Generator+r.served()))
}

// othersTable tells what the other servers did, and how much of it succeeded.
func (r *report) othersTable(w io.Writer) {
	others := r.others()
	if len(others) == 0 {
		return
	}
	fmt.Fprint(w, "| other servers | | succeeded, a second | of all asked | p50 ms | p99 ms | server µs | |\n|---|---|---|---|---|---|---|---|\n")
	for _, x := range r.Rows {
		if slices.Contains(others, x.Site) && x.Site != r.Sites[0].Name {
			why := ""
			if x.Failed > 0 || x.Lost > 0 {
				why = strings.ReplaceAll(failures(x), "|", " ")
			}
			fmt.Fprintf(w, "| %s | %s | %s | %.1f %% | %.2f | %.2f | %.0f | %s |\n", x.Workload, strings.ToUpper(x.Site), amountOf(x), 100*float64(x.Sent-x.Failed)/float64(x.Sent), x.P50, x.P99, x.Server, why)
		}
	}
	fmt.Fprintln(w)
}

// growthTable tells what it costs that there is more.
func (r *report) growthTable(w io.Writer, missed *verdict) {
	const most = 1.5
	said := false
	for _, x := range r.Rows {
		if x.Site != r.Sites[0].Name || x.Grows == "" {
			continue
		}
		if !said {
			fmt.Fprint(w, "| where there is more | p50 ms | × of the least | target |\n|---|---|---|---|\n")
			said = true
		}
		fmt.Fprintf(w, "| %s | %.3f | %.2f | %g |\n", x.Workload, x.P50, cmp.Or(x.OfLeast, 1), most)
		if x.OfLeast > most {
			*missed = append(*missed, fmt.Sprintf("%s (%.2f × of the least, not %g)", x.Workload, x.OfLeast, most))
		}
	}
	if said {
		fmt.Fprintln(w)
	}
}

// A formed is what the first nodes did in a workload.
type formed struct {
	row
	ratio float64 // of the rate of fewer nodes
}

// formations are a workload's rows, the one with fewest nodes first.
func (r *report) formations(workload string) (all []formed) {
	for _, x := range r.Rows {
		if x.Workload != workload || x.Site == "limit" {
			continue
		}
		f := formed{row: x}
		if len(all) > 0 && all[0].OfOther[x.Site] > 0 {
			f.ratio = 1 / all[0].OfOther[x.Site]
		}
		all = append(all, f)
	}
	return all
}

// names are the workloads that were measured, in turn.
func (r *report) names() (all []string) {
	for _, x := range r.Rows {
		if !slices.Contains(all, x.Workload) {
			all = append(all, x.Workload)
		}
	}
	return all
}

// clusterTables writes what a cluster did.
func (r *report) clusterTables(w io.Writer) {
	fmt.Fprintf(w, "## %s, PostgreSQL and S3\n\n%s. All processes share the machine's processors, the generator too: more nodes get no more of them. %s\n\n", r.Date, cmp.Or(r.Note, "A machine"), r.disturbed())
	fmt.Fprint(w, "| workload | connections | nodes | a second | p50 ms | p99 ms | p99/p50 | times one node | Skrin µs | PostgreSQL µs | commits | S3 µs | generator µs | PostgreSQL's share of the processors | sessions at work | of the limit | others |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	var slower verdict
	for _, name := range r.names() {
		for _, x := range r.formations(name) {
			fmt.Fprintf(w, "| %s | %d | %s | %s%s | %.2f | %.2f | %.1f | %s | %.0f | %.0f | %.2f | %.0f | %.0f | %.0f %% | %s | %s | %.2f |\n", name, x.Conns, x.Site, amountOf(x.row), x.mark(), x.P50, x.P99, x.tail(), times(x.ratio),
				x.Server, x.Beside[postgresName], x.Commits, x.Beside[s3Name], x.Generator, x.databases(), x.atWork(), times(x.OfLimit), x.Others)
			if x.ratio > 0 && x.ratio < 1 {
				slower = append(slower, fmt.Sprintf("%s with %s (%.2f)", name, x.Site, x.ratio))
			}
		}
	}
	fmt.Fprint(w, "\n\"Commits\" are PostgreSQL's, for a request, of transactions that wrote; \"sessions at work\" are the database's, on average over the volley, with what most of those that wait are waiting for; \"others\" is how many processors had other programs to run.\n")
	if len(slower) > 0 {
		fmt.Fprintf(w, "Slower than with one node: %s.\n", strings.Join(slower, "; "))
	}
	r.limitLines(w)
	for _, x := range r.Rows {
		if x.Failed > 0 {
			fmt.Fprintf(w, "* %s, %s: failed %s.\n", x.Workload, x.Site, failures(x))
		}
	}
	for _, trouble := range r.Troubles {
		fmt.Fprintf(w, "* Not measured: %s.\n", trouble)
	}
}

// limitLines tells what the limits are, and did.
func (r *report) limitLines(w io.Writer) {
	for _, x := range r.Rows {
		if x.Site == "limit" {
			fmt.Fprintf(w, "* The limit of %s is %s: %s, p99/p50 %.1f.\n", x.Workload, x.Limit, perSecond(x), x.tail())
		}
	}
}

// perSecond is a row's rate with its unit.
func perSecond(x row) string {
	if s := amountOf(x); strings.Contains(s, "MB") {
		return s
	}
	return fmt.Sprintf("%.0f/s", x.Rate)
}

// databases is the share of the processors' time that was the database's.
func (r *row) databases() float64 {
	all := r.Generator + r.served()
	if all == 0 {
		return 0
	}
	return 100 * r.Beside[postgresName] / all
}

// atWork tells how many sessions of the database were at work, and what most of those
// that waited were waiting for.
func (r *row) atWork() string {
	all, name := 0.0, ""
	for _, wait := range slices.Sorted(maps.Keys(r.Sessions)) {
		n := r.Sessions[wait]
		all += n
		if wait != "" && n > r.Sessions[name] || wait != "" && name == "" {
			name = wait
		}
	}
	if name == "" || r.Sessions[name] < 0.1 {
		return fmt.Sprintf("%.1f", all)
	}
	return fmt.Sprintf("%.1f, %.1f of them %s", all, r.Sessions[name], name)
}

// printCluster writes what a cluster did, for a terminal.
func (r *report) printCluster(w io.Writer) {
	for _, s := range r.Sites {
		fmt.Fprintf(w, "%s: %.0f MB idle\n", s.Name, float64(s.Memory)/1e6)
	}
	r.print(w)
	for _, name := range r.names() {
		for _, x := range r.formations(name) {
			fmt.Fprintf(w, "%-14s %-8s %10s  × %-5s Skrin %6.0f µs  PostgreSQL %6.0f µs (%.0f %%) %5.2f commits  S3 %6.0f µs  sessions %s\n", name, x.Site, perSecond(x.row), times(x.ratio),
				x.Server, x.Beside[postgresName], x.databases(), x.Commits, x.Beside[s3Name], x.atWork())
		}
	}
}
