// SPDX-License-Identifier: EUPL-1.2

package main

import "testing"

// TestBreather: memory is given back once when the start is over, and once after each
// busy time; not as long as it lasts, and not again and again.
func TestBreather(t *testing.T) {
	b, asked := breather{}, uint64(0)
	for i, row := range []struct {
		more uint64
		over bool
	}{{40, true}, {40, false}, {0, false}, {5000, false}, {9000, false}, {60, true}, {60, false}, {700, false}, {0, true}} {
		if asked += row.more; b.over(asked) != row.over {
			t.Errorf("minute %d, of %d requests: want %v", i, row.more, row.over)
		}
	}
}
