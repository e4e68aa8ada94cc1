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

// A watched is what was seen of a database.
type watched struct {
	sessions map[string]float64 // how many were at work on average, by what they waited for
	commits  int64              // transactions that wrote something, each with a commit of its own
}

// numbered is how many transactions have been numbered: those that wrote.
const numbered = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"

// begin begins to look. The function that it returns ends that, and returns what was seen.
func (w *watcher) begin(ctx context.Context) (end func() watched) {
	if w == nil {
		return func() watched { return watched{} }
	}
	ctx, cancel := context.WithCancel(ctx)
	writes := func() (n int64) {
		_ = w.db.QueryRow(context.WithoutCancel(ctx), numbered).Scan(&n) // of a database that is gone, 0
		return n
	}
	before := writes()
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
	return func() watched {
		cancel()
		sessions := <-found
		return watched{sessions, writes() - before}
	}
}
