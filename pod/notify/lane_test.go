// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"fmt"
	"testing"
	"time"
)

// TestLanes: one host has its few lanes and no more, all together have the
// workers, and who leaves makes room.
func TestLanes(t *testing.T) {
	c, now := new(Caller), time.Now()
	enter := func(host string) bool { _, ok := c.enter(host, now); return ok }
	for range callLane {
		if !enter("slow.example") {
			t.Fatal("a host hasn't all of its lanes")
		}
	}
	if enter("slow.example") {
		t.Error("a host has more than its lanes")
	}
	if !enter("other.example") {
		t.Error("a slow host holds up another")
	}
	c.leave("slow.example", now, now)
	if !enter("slow.example") {
		t.Error("a lane that was left isn't free")
	}
	for i := 0; c.Busy() < callWorkers; i++ {
		if !enter(fmt.Sprint("host", i, ".example")) {
			t.Fatalf("%d of %d workers", c.Busy(), callWorkers)
		}
	}
	if turn, ok := c.enter("late.example", now); ok || c.Busy() != callWorkers || !turn.After(now) {
		t.Error("there are more workers than there may be")
	}
	now = now.Add(latest)
	for host, n := range map[string]int{"slow.example": callLane, "other.example": 1} {
		for range n {
			c.leave(host, now, now)
		}
	}
	for i := 0; c.Busy() > 0; i++ {
		c.leave(fmt.Sprint("host", i, ".example"), now, now)
	}
	if len(c.lanes.all) != 0 {
		t.Errorf("hosts are remembered: %v", c.lanes.all)
	}
}

// TestTurns: of ten thousand who wait for one receiver, as many come in a second as it
// answers, and each within five minutes.
func TestTurns(t *testing.T) {
	began := time.Now()
	for _, row := range []struct {
		is         string
		took       time.Duration
		last       time.Duration // the turn of the last, at most
		inASecond  int           // at most, of those before it
		everTheEnd bool
	}{
		{"fast", 4 * time.Millisecond, 12 * time.Second, 1001, false},
		{"slow", 400 * time.Millisecond, latest, 11, true},
		{"dead", 10 * time.Second, latest, 1, true},
	} {
		var l lanes
		fill := func() {
			for range 4 {
				if _, ok := l.enter("x", 4, began); !ok {
					t.Fatal("there is no place")
				}
			}
		}
		fill()
		for range 20 { // what it learns, while somebody waits
			l.enter("x", 4, began)
			l.leave("x", began.Add(-row.took), began)
			l.enter("x", 4, began)
		}
		l.all["x"].turn = time.Time{}
		in := map[int]int{}
		var turn time.Time
		for range 10_000 {
			next, ok := l.enter("x", 4, began)
			if ok || next.Before(turn) || next.Before(began.Add(soonest)) {
				t.Fatalf("%s: %v, %v after %v", row.is, ok, next.Sub(began), turn.Sub(began))
			}
			if turn = next; turn.Sub(began) < latest {
				in[int(turn.Sub(began)/time.Second)]++
			}
		}
		for second, n := range in {
			if n > row.inASecond {
				t.Errorf("%s: in second %d there are %d", row.is, second, n)
			}
		}
		if d := turn.Sub(began); d > row.last || row.everTheEnd && d != latest {
			t.Errorf("%s: the last comes after %v", row.is, d)
		}
		for range 4 {
			l.leave("x", began, began)
		}
		if l.enter("y", 4, turn); len(l.all) > 2 {
			t.Errorf("%s: %d are remembered", row.is, len(l.all))
		}
	}
}
