// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// tick is a hundredth of a second, the unit of /proc/PID/stat on Linux.
const tick = time.Second / 100

// cpu returns how long the processes have run, and those that they started and that
// have ended.
func cpu(pids []int) (all time.Duration) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := bytes.Cut(b, []byte(") ")) // a name may hold anything
		f := strings.Fields(string(rest))
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			all += time.Duration(n) * tick
		}
	}
	return all
}

// busy returns how long all processors have worked, for whomever.
func busy() (all time.Duration) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	for i, s := range f {
		if i == 0 || i == 4 || i == 5 || i > 8 { // its name; idle, iowait; guests, who are in user already
			continue
		}
		n, _ := strconv.ParseInt(s, 10, 64)
		all += time.Duration(n) * tick
	}
	return all
}

// memory returns the bytes that the processes hold now.
func memory(pids []int) int64 { return status(pids, "VmRSS:") }

// peak returns the bytes that the processes have held at most, each by itself, since
// unpeak.
func peak(pids []int) int64 { return status(pids, "VmHWM:") }

// unpeak has the most that the processes have held be what they hold now, and returns
// that.
func unpeak(pids []int) int64 {
	for _, pid := range pids {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // else the peak is that since its start
	}
	return memory(pids)
}

// status sums up a line of /proc/PID/status, in bytes.
func status(pids []int, name string) (all int64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				all += n << 10
			}
		}
	}
	return all
}

// tree returns a process and those below it.
func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, name := range threads {
			b, _ := os.ReadFile(name)
			for _, f := range strings.Fields(string(b)) {
				if n, err := strconv.Atoi(f); err == nil {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// calm has the garbage collector of this program wait until the function that it
// returns is called, or until there is too much garbage: it would take the processors
// from those that are measured.
func calm() (end func()) {
	runtime.GC()
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(2 << 30)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// A histogram counts how often something lasted about so long.
type histogram metrics.Float64Histogram

// scheduled tells how long this program's goroutines that could run have waited for a
// processor, since it started.
func scheduled() *histogram {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	return (*histogram)(s[0].Value.Float64Histogram())
}

// since returns what was counted after an earlier one.
func (h *histogram) since(earlier *histogram) *histogram {
	counts := make([]uint64, len(h.Counts))
	for i := range counts {
		counts[i] = h.Counts[i] - earlier.Counts[i]
	}
	return &histogram{Counts: counts, Buckets: h.Buckets}
}

// quantile returns how long that part of them lasted at most, about.
func (h *histogram) quantile(q float64) time.Duration {
	all, sum := uint64(0), uint64(0)
	for _, n := range h.Counts {
		all += n
	}
	for i, n := range h.Counts {
		if sum += n; all > 0 && float64(sum) >= q*float64(all) && !math.IsInf(h.Buckets[i+1], 1) {
			return time.Duration(h.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}
