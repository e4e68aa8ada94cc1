// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"runtime"
	"text/tabwriter"
)

// A report is all that a run came to.
type report struct {
	Date     string    `json:"date"`
	Note     string    `json:"note,omitempty"`
	Disk     diskLimit `json:"disk"`
	Sites    []about   `json:"sites"`
	Rows     []row     `json:"rows"`
	Troubles []string  `json:"troubles,omitempty"` // what could not be measured, and why
	Notes    []string  `json:"notes,omitempty"`

	least map[string]float64 // P50 of the first of those that grow in something
}

// add adds what a workload came to.
func (r *report) add(w *workload, rows []row) {
	for i := range rows {
		x := &rows[i]
		name := fmt.Sprint(w.grows, x.Site, x.Conns)
		switch least := r.least[name]; {
		case w.grows == "" || x.P50 == 0:
		case least == 0:
			if r.least == nil {
				r.least = map[string]float64{}
			}
			r.least[name] = x.P50
		default:
			x.OfLeast = x.P50 / least
		}
	}
	r.Rows = append(r.Rows, rows...)
}

// An about is a site before the first request.
type about struct {
	Name   string  `json:"name"`
	Start  float64 `json:"start_seconds"`
	Memory int64   `json:"idle_memory"`
	scale
}

func (r *report) has(workload string, conns int) bool {
	for _, w := range r.Rows {
		if w.Workload == workload && w.Conns == conns {
			return true
		}
	}
	return false
}

// others are the sites besides the target.
func (r *report) others() (names []string) {
	for _, s := range r.Sites[min(1, len(r.Sites)):] {
		names = append(names, s.Name)
	}
	return names
}

// print writes the figures as a table. A figure that the generator set, since it
// needed more of the machine than the server did, is marked with a G. "of least" is the
// time of a request in times of that where there is least of what the workload has
// more of; "wait" is how long a goroutine of the generator waited for a processor, 99
// of 100 of them at most; "others" is how many processors had other programs to run.
func (r *report) print(w io.Writer) {
	if r.Disk.Each > 0 {
		fmt.Fprintf(w, "disk: %.0f records/s with an fsync each, %.0f/s when 64 writers share fsyncs\n", r.Disk.Each, r.Disk.Group)
	}
	for _, s := range r.Sites {
		if s.Memory > 0 {
			fmt.Fprintf(w, "%s: answers %.2f s after its start, %.0f MB idle, with %d pods\n", s.Name, s.Start, float64(s.Memory)/1e6, s.Pods)
		}
		if s.Bytes > 0 {
			fmt.Fprintf(w, "%s: pods made at %.0f/s, %.0f bytes each; opened in %.2f s, a first read of one of them %.1f ms\n", s.Name, s.Rate, s.Bytes, s.Open, 1e3*s.Cold)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "workload\tconns\tsite\t/s\t±\tp50 ms\tp99\tp99.9\tp99/p50\tserver µs\tgenerator µs\twait\tothers\tMB/s\tRSS MB\tmore\tof limit\t")
	for _, name := range r.others() {
		fmt.Fprintf(t, "× %s\t", name)
	}
	fmt.Fprintln(t, "of least\tfailed\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%s\t%.0f%s\t%.0f%%\t%.2f\t%.2f\t%.2f\t%.1f\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%s\t", x.Workload, x.Conns, x.Site, x.Rate, x.mark(), 100*x.Spread/2,
			x.P50, x.P99, x.P999, x.tail(), x.Server, x.Generator, x.Wait99, x.Others, x.MBs, float64(x.Memory)/1e6, float64(x.More)/1e6, times(x.OfLimit))
		for _, name := range r.others() {
			fmt.Fprintf(t, "%s\t", times(x.OfOther[name]))
		}
		fmt.Fprintf(t, "%s\t%s\t\n", times(x.OfLeast), failures(x))
	}
	t.Flush()
	fmt.Fprintln(w, r.disturbed())
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	for _, trouble := range r.Troubles {
		fmt.Fprintln(w, "not measured:", trouble)
	}
}

// mark marks a figure that the generator set.
func (r *row) mark() string {
	if r.Server > 0 && r.Generator > r.served() {
		return "G"
	}
	return ""
}

// served is what a request took of the processors, but for the generator.
func (r *row) served() float64 {
	all := r.Server
	for _, us := range r.Beside {
		all += us
	}
	return all
}

// disturbed tells how many processors had other programs to run, on average over all
// rows and in the worst of them.
func (r *report) disturbed() string {
	sum, worst := 0.0, row{}
	for _, x := range r.Rows {
		if sum += x.Others; x.Others > worst.Others {
			worst = x
		}
	}
	if worst.Others < 0.05 {
		return "No other program ran."
	}
	return fmt.Sprintf("Other programs had %.2f of %d processors on average, and %.2f in the worst case (%s, %s).", sum/float64(len(r.Rows)), runtime.NumCPU(), worst.Others, worst.Workload, worst.Site)
}

// tail is how many times the median the slowest hundredth took.
func (r *row) tail() float64 {
	if r.P50 == 0 {
		return 0
	}
	return r.P99 / r.P50
}

func times(x float64) string {
	switch {
	case x == 0:
		return ""
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func failures(x row) string {
	lost := ""
	if x.Lost > 0 {
		lost = fmt.Sprintf(", %d of %d that succeeded are not there", x.Lost, x.Back)
	}
	if x.Failed == 0 {
		return "0" + lost
	}
	return fmt.Sprintf("%d of %d: %.80s%s", x.Failed, x.Sent, x.Why, lost)
}

// colours are the bars' of the other servers, in turn.
var colours = []string{"#1a5fb4", "#c64600"}

// picture draws the ratios: a bar for each workload and connections, as long as the
// logarithm of how many times the others' rate, or the share of the limit, is.
func (r *report) picture() []byte {
	var rows []row
	for _, x := range r.Rows {
		if last := len(rows) - 1; last >= 0 && rows[last].Workload == x.Workload && rows[last].Conns == x.Conns {
			continue // another server, which comes after the target
		}
		if x.OfLimit > 0 || len(x.OfOther) > 0 {
			rows = append(rows, x)
		}
	}
	others := r.others()
	const left, width = 200, 560
	line := 13 + 9*max(1, len(others))
	legend := "share of the limit (grey)"
	for i, name := range others {
		legend += fmt.Sprintf(", times %s (%s)", name, [...]string{"blue", "orange"}[i%len(colours)])
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13" role="img">`, left+width+80, line*len(rows)+40)
	fmt.Fprintf(&b, "\n<title>%s</title>\n", html.EscapeString("Skrin, "+r.Date+": "+legend))
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	x := func(v float64) float64 { return width * (math.Log10(min(max(v, 0.1), 1000)) + 1) / 4 }
	for _, v := range []float64{0.1, 1, 10, 100, 1000} {
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%[1]f" y1="20" y2="%d" stroke="#bbb"/><text x="%.0f" y="14" text-anchor="middle">%g ×</text>`+"\n", left+x(v), line*len(rows)+24, left+x(v), v)
	}
	for i, w := range rows {
		y := 24 + line*i
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %d</text>`, left-8, y+14, html.EscapeString(w.Workload), w.Conns)
		bar := func(v float64, dy int, colour string) {
			if v > 0 {
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="7" fill="%s"/><text x="%.1f" y="%d" font-size="9">%s</text>`, left, y+dy, x(v), colour, left+x(v)+3, y+dy+7, times(v))
			}
		}
		bar(w.OfLimit, 2, "#777")
		for i, name := range others {
			bar(w.OfOther[name], 11+9*i, colours[i%len(colours)])
		}
		b.WriteByte('\n')
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
