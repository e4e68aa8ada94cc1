// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// A watcher looks again and again at what a database's sessions do.
type watcher struct {
	db *pgx.Conn
}

// look is what it asks: how many sessions are in the midst of a statement, and what
// those wait for; "" for nothing, so that they work or wait for a processor.
const look = `select coalesce(wait_event_type || ':' || wait_event, ''), count(*) from pg_stat_activity
	where state = 'active' and backend_type = 'client backend' and pid <> pg_backend_pid() group by 1`

// lookEvery is the pause between two looks.
const lookEvery = 20 * time.Millisecond

// begin begins to look. The function that it returns ends that, and returns how many
// sessions were at work on average, by what they waited for.
func (w *watcher) begin(ctx context.Context) (end func() map[string]float64) {
	if w == nil {
		return func() map[string]float64 { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan map[string]float64)
	go func() {
		sums, looks := map[string]float64{}, 0.0
		for {
			select {
			case <-ctx.Done():
				for name := range sums {
					sums[name] /= max(looks, 1)
				}
				found <- sums
				return
			case <-time.After(lookEvery):
			}
			rows, _ := w.db.Query(context.WithoutCancel(ctx), look) // an error is in rows too
			var name string
			var n int
			if _, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error { sums[name] += float64(n); return nil }); err == nil {
				looks++
			}
		}
	}()
	return func() map[string]float64 {
		cancel()
		return <-found
	}
}
