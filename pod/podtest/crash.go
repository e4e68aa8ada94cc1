// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

const (
	crashDir    = "SKRIN_TEST_CRASH_DIR"
	crashRounds = "SKRIN_TEST_CRASH_ROUNDS" // how many rounds; 10 without it
)

// Crash kills a writing process again and again, in the midst of its work. The
// test that calls it runs in both processes: in the child Crash calls write,
// which works on the storage in dir for ever and calls acked with a line for
// each thing that is durable; in the parent it calls check after each kill, with
// the lines that have arrived from the process that is dead now.
func Crash(t *testing.T, write func(dir string, acked func(line string)), check func(dir string, acked []string)) {
	if dir := os.Getenv(crashDir); dir != "" {
		write(dir, func(line string) { fmt.Println("acked", line) })
		return
	}
	rounds := 10
	if n, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = n
	}
	dir, all := t.TempDir(), 0
	for range rounds {
		acked := killed(t, dir)
		all += len(acked)
		check(dir, acked)
	}
	t.Logf("%d rounds, %d things acknowledged", rounds, all)
	if all < rounds {
		t.Error("hardly anything was acknowledged")
	}
}

// killed runs the child for a while, and returns what it has acknowledged.
func killed(t *testing.T, dir string) (acked []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var bomb *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line string
		if _, err := fmt.Sscanf(lines.Text(), "acked %s", &line); err != nil {
			t.Logf("the child: %s", lines.Text())
			continue
		}
		acked = append(acked, line)
		if bomb == nil {
			bomb = time.AfterFunc(rand.N(200*time.Millisecond), func() { _ = child.Process.Kill() })
		}
	}
	if err := child.Wait(); err == nil || bomb == nil {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acked
}
