// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// How nodes hear of each other's commits. The commit of a transaction that stirs
// also writes when, into the pod's row. A node that has committed tells the others
// so by NOTIFY, outside of any transaction, since NOTIFY in one makes all commits
// of the database queue; and at most so often, for all pods at once. It can get
// lost, with the node or the connection. So each node also asks which pods were
// stirred lately, every few seconds; and more often where the database has no
// LISTEN.
const (
	feedChannel   = "skrin_pods"
	feedEvery     = 40 * time.Millisecond // between two NOTIFYs of a node
	feedPayload   = 7800                  // bytes; PostgreSQL takes 7999
	pollListening = 2 * time.Second
	pollAlone     = 200 * time.Millisecond
	pollRows      = 5000
	feedAny       = "*" // more pods than a payload has room for
)

// stirred tells the followers of this process at once, and those of the others
// soon.
func (s *Store) stirred(id string) {
	s.followers.Tell(id)
	s.feed.Lock()
	defer s.feed.Unlock()
	if s.pending == nil {
		s.pending = map[string]bool{}
	}
	s.pending[id] = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// announce sends what stirred has gathered, until ctx is done.
func (s *Store) announce(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		payload := s.payload()
		if _, err := s.exec(ctx, "notify", "select pg_notify($1, $2)", feedChannel, payload); err != nil && ctx.Err() == nil {
			s.log.Warn("other nodes were not told, and will find out", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(feedEvery):
		}
	}
}

func (s *Store) payload() string {
	s.feed.Lock()
	ids := slices.Collect(maps.Keys(s.pending))
	s.pending = nil
	s.feed.Unlock()
	b := []byte(s.node)
	for _, id := range ids {
		b = append(b, ' ')
		b = base64.RawURLEncoding.AppendEncode(b, []byte(id))
		if len(b) > feedPayload {
			return s.node + " " + feedAny
		}
	}
	return string(b)
}

// Follow implements store.Feed.
func (s *Store) Follow(ctx context.Context, told func(ids ...string)) error {
	leave := s.followers.Add(told)
	defer leave()
	seen := map[string]time.Time{}
	for ctx.Err() == nil {
		err := s.listen(ctx, told, seen)
		if ctx.Err() != nil {
			break
		}
		s.log.Warn("no notifications from the database; asking instead", "err", err)
		again := time.Now().Add(10 * pollListening)
		for ctx.Err() == nil && time.Now().Before(again) {
			s.poll(ctx, told, seen)
			select {
			case <-ctx.Done():
			case <-time.After(pollAlone):
			}
		}
	}
	return nil
}

// listen tells what other nodes say, on a connection of its own, until that fails.
func (s *Store) listen(ctx context.Context, told func(ids ...string), seen map[string]time.Time) error {
	conn, err := pgx.ConnectConfig(ctx, s.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+feedChannel); err != nil {
		return err
	}
	told() // what happened before
	next := time.Now()
	for {
		if !time.Now().Before(next) {
			s.poll(ctx, told, seen)
			next = time.Now().Add(pollListening)
		}
		wait, cancel := context.WithDeadline(ctx, next)
		n, err := conn.WaitForNotification(wait)
		late := wait.Err() != nil
		cancel()
		switch {
		case err == nil:
			s.heard(n.Payload, told)
		case ctx.Err() != nil || !late || conn.IsClosed():
			return err
		}
	}
}

// heard reads what a node has announced.
func (s *Store) heard(payload string, told func(ids ...string)) {
	words := strings.Fields(payload)
	if len(words) < 2 || words[0] == s.node {
		return
	}
	if words[1] == feedAny {
		told()
		return
	}
	var ids []string
	for _, word := range words[1:] {
		if id, err := base64.RawURLEncoding.DecodeString(word); err == nil {
			ids = append(ids, string(id))
		}
	}
	if len(ids) > 0 { // else somebody else uses the channel
		told(ids...)
	}
}

// poll tells which pods were stirred of late, but for what seen has told.
func (s *Store) poll(ctx context.Context, told func(ids ...string), seen map[string]time.Time) {
	limited, cancel := s.within(ctx)
	defer cancel()
	type row struct {
		ID      []byte
		Stirred time.Time
	}
	rows, _ := s.db.Query(limited, `select id, stirred from pod
		where stirred > clock_timestamp() - interval '30 seconds' order by stirred desc limit $1`, pollRows)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("which pods were changed", "err", err)
		}
		return
	}
	if len(found) == pollRows {
		told()
		return
	}
	recent := make(map[string]time.Time, len(found))
	var ids []string
	for _, r := range found {
		recent[string(r.ID)] = r.Stirred
		if !seen[string(r.ID)].Equal(r.Stirred) {
			ids = append(ids, string(r.ID))
		}
	}
	clear(seen)
	maps.Copy(seen, recent)
	if len(ids) > 0 {
		told(ids...)
	}
}

func (x *tx) queueStirred(b *pgx.Batch) {
	if x.Stirs {
		b.Queue("update pod set stirred = clock_timestamp() where id = $1", []byte(x.id))
	}
}
