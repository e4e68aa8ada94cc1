// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"text/tabwriter"
)

// A report is all that a run came to.
type report struct {
	Date     string    `json:"date"`
	Note     string    `json:"note,omitempty"`
	Disk     diskLimit `json:"disk"`
	Sites    []about   `json:"sites"`
	Rows     []row     `json:"rows"`
	Troubles []string  `json:"troubles,omitempty"`

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

// print writes the figures as a table. A figure that the generator set, since it
// needed more of the machine than the server did, is marked with a G. "of least" is the
// time of a request in times of that where there is least of what the workload has
// more of.
func (r *report) print(w io.Writer) {
	if r.Disk.Each > 0 {
		fmt.Fprintf(w, "disk: %.0f records/s with an fsync each, %.0f/s when 64 writers share fsyncs\n", r.Disk.Each, r.Disk.Group)
	}
	for _, s := range r.Sites {
		if s.Memory > 0 {
			fmt.Fprintf(w, "%s: %.0f MB idle\n", s.Name, float64(s.Memory)/1e6)
		}
		if s.Pods > 0 {
			fmt.Fprintf(w, "%s: %d pods, made at %.0f/s, %.0f bytes each; opened in %.2f s, a first read of one of them %.1f ms\n", s.Name, s.Pods, s.Rate, s.Bytes, s.Open, 1e3*s.Cold)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workload\tconns\tsite\t/s\t±\tp50 ms\tp99\tp99.9\tserver µs\tgenerator µs\tMB/s\tRSS MB\tmore\tof limit\tof other\tof least\tfailed\t")
	for _, x := range r.Rows {
		mark := ""
		if x.Server > 0 && x.Generator > x.Server {
			mark = "G"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.0f%s\t%.0f%%\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t\n", x.Workload, x.Conns, x.Site, x.Rate, mark, 100*x.Spread/2,
			x.P50, x.P99, x.P999, x.Server, x.Generator, x.MBs, float64(x.Memory)/1e6, float64(x.More)/1e6, times(x.OfLimit), times(x.OfOther), times(x.OfLeast), failures(x))
	}
	t.Flush()
	for _, trouble := range r.Troubles {
		fmt.Fprintln(w, "not measured:", trouble)
	}
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
	if x.Failed == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %.80s", x.Failed, x.Why)
}

// picture draws the ratios: a bar for each workload and connections, as long as the
// logarithm of how many times the other server's rate, or the share of the limit, is.
func (r *report) picture() []byte {
	var rows []row
	for _, x := range r.Rows {
		if last := len(rows) - 1; last >= 0 && rows[last].Workload == x.Workload && rows[last].Conns == x.Conns {
			continue // the other server, which comes after the target
		}
		if x.OfLimit > 0 || x.OfOther > 0 {
			rows = append(rows, x)
		}
	}
	const line, left, width = 22, 200, 560
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13" role="img">`, left+width+80, line*len(rows)+40)
	fmt.Fprintf(&b, "\n<title>%s</title>\n", html.EscapeString("Skrin, "+r.Date+": share of the limit (grey) and times the other server (blue)"))
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
		bar(w.OfOther, 11, "#1a5fb4")
		b.WriteByte('\n')
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
