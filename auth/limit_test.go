// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := noon
	l := NewLimiter(3, time.Minute, 100, func() time.Time { return now })
	for i, want := range []bool{true, true, true, false, false} {
		if got := l.Allow("a"); got != want {
			t.Errorf("attempt %d: %v", i, got)
		}
	}
	if !l.Allow("b") {
		t.Error("another key is refused")
	}
	if wait := l.Wait("a"); wait != time.Minute {
		t.Errorf("wait %s", wait)
	}
	now = now.Add(time.Minute)
	if !l.Allow("a") || l.Allow("a") {
		t.Error("after a minute there is one more, and only one")
	}
	now = now.Add(time.Hour)
	for i := range 4 {
		if got := l.Allow("a"); got != (i < 3) {
			t.Errorf("after an hour, attempt %d: %v", i, got)
		}
	}
	if l.Reset("a"); !l.Allow("a") {
		t.Error("it was reset")
	}
	for i := range 1000 {
		l.Allow(fmt.Sprint(i))
	}
	if n := len(l.full.young) + len(l.full.old); n > 100 {
		t.Errorf("%d keys are remembered", n)
	}
}
