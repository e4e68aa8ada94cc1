// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"fmt"
	"testing"
)

// TestLanes: one host has its few lanes and no more, all together have the
// workers, and who leaves makes room.
func TestLanes(t *testing.T) {
	c := new(Caller)
	for range callLane {
		if !c.enter("slow.example") {
			t.Fatal("a host hasn't all of its lanes")
		}
	}
	if c.enter("slow.example") {
		t.Error("a host has more than its lanes")
	}
	if !c.enter("other.example") {
		t.Error("a slow host holds up another")
	}
	c.leave("slow.example")
	if !c.enter("slow.example") {
		t.Error("a lane that was left isn't free")
	}
	for i := 0; c.Busy() < callWorkers; i++ {
		if !c.enter(fmt.Sprint("host", i, ".example")) {
			t.Fatalf("%d of %d workers", c.Busy(), callWorkers)
		}
	}
	if c.enter("late.example") || c.Busy() != callWorkers {
		t.Error("there are more workers than there may be")
	}
	for host, n := range map[string]int{"slow.example": callLane, "other.example": 1} {
		for range n {
			c.leave(host)
		}
	}
	for i := 0; c.Busy() > 0; i++ {
		c.leave(fmt.Sprint("host", i, ".example"))
	}
	if len(c.lanes) != 0 {
		t.Errorf("hosts are remembered: %v", c.lanes)
	}
}
