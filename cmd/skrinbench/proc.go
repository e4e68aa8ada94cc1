// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is a hundredth of a second, the unit of /proc/PID/stat on Linux.
const tick = time.Second / 100

// cpu returns how long the processes have run, those that they started included.
func cpu(pids []int) (all time.Duration) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := bytes.Cut(b, []byte(") ")) // a name may hold anything
		f := strings.Fields(string(rest))
		for _, i := range []int{11, 12} { // utime, stime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			all += time.Duration(n) * tick
		}
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
