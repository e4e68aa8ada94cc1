// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"log/slog"
	"runtime"
	"testing"
	"time"
)

// TestAServerIsSmall: a server of which nobody has asked anything holds less than 8 MB
// of the heap; it is some 3.
func TestAServerIsSmall(t *testing.T) {
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools held is gone
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	least := int64(1 << 40)
	for range 3 { // of which one may be undisturbed by what other tests have left
		before := live()
		s, err := newServer(t.Context(), config{Base: "https://pod.example.se", Dir: t.TempDir(), Key: make([]byte, keySize), Token: time.Minute}, slog.New(slog.DiscardHandler))
		must(t, err)
		least = min(least, int64(live())-int64(before))
		must(t, s.Close())
		if least <= 8<<20 {
			break
		}
	}
	t.Logf("%d kB", least>>10)
	if least > 8<<20 {
		t.Errorf("it holds %d kB", least>>10)
	}
}

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
