// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"skrin/pod/store"
)

// A tx is one pod as it is, in a transaction, and what shall change. It begins when
// something is read, with that in the same round trip.
type tx struct {
	store.Changes
	ctx   context.Context
	s     *Store
	conn  *pgxpool.Conn
	name  store.Name
	begun bool
	id    string            // of the pod, once it has begun
	ahead []string          // keys to be read with the next
	known map[string][]byte // what was read ahead, nil for none: nothing changes it while this goes on
	ended error             // why the transaction can't go on, whatever fn makes of it
}

// call runs fn, and returns its error, unless the transaction could not begin, or the
// database has ended it for the sake of another one.
func (x *tx) call(fn func(store.Tx) error) error {
	err := fn(x)
	if !x.begun && x.ended == nil {
		_ = x.begin(nil, nil, nil) // ended says it
	}
	if x.ended != nil {
		return x.ended
	}
	return err
}

// begin begins the transaction, and reads values of the pod with the keys that heads
// and ids are of.
func (x *tx) begin(heads, ids [][]byte, each func(head, tail, value []byte)) error {
	x.begun = true
	b := new(pgx.Batch)
	var locked, id []byte
	doing := "update"
	if x.View {
		doing = "view"
		b.Queue(beginView)
	} else {
		b.Queue(beginUpdate)
		b.Queue(lock, []byte(x.name)).Query(one(&locked))
	}
	if len(heads) == 0 {
		b.Queue(holder, []byte(x.name)).Query(one(&id)) // as it is now that the lock is ours
	} else {
		b.Queue(look, []byte(x.name), heads, ids).Query(func(rows pgx.Rows) error {
			var pod, head, tail, value []byte
			_, err := pgx.ForEachRow(rows, []any{&pod, &head, &tail, &value}, func() error {
				id = pod
				if value != nil {
					each(head, tail, value)
				}
				return nil
			})
			return err
		})
	}
	switch err := x.s.begin(x.ctx, x.conn, b); {
	case err != nil:
		x.ended = x.s.late(x.ctx, x.s.failed(doing, err))
	case id == nil:
		x.ended = store.ErrNoPod
	case !x.View && string(locked) != string(id):
		x.ended = errMoved
	case !x.View:
		x.s.queue.found(x.name, string(id))
	}
	x.id = string(id)
	return x.end()
}

// end is the error of who asks when the transaction can't go on. It wraps that of the
// transaction, which is not fn's own.
func (x *tx) end() error {
	if x.ended == nil {
		return nil
	}
	return fmt.Errorf("pod/postgres: the transaction: %w", x.ended)
}

// query reads pairs of the pod, by their columns head, tail and value.
func (x *tx) query(doing, sql string, args ...any) ([]store.Pair, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, context.Cause(x.ctx)
	}
	rows, _ := x.conn.Query(x.ctx, sql, args...) // CollectRows returns its error
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.Pair, error) {
		var head, tail, value []byte
		err := row.Scan(&head, &tail, &value)
		return store.Pair{Key: string(head) + string(tail), Value: value}, err
	})
	if again(err) {
		x.ended = err
	}
	if err != nil {
		return nil, x.s.late(x.ctx, x.s.failed(doing, err))
	}
	return found, nil
}

// Pod implements store.Tx. It is "" where there is none, and the transaction can't go on.
func (x *tx) Pod() string {
	if !x.begun {
		_ = x.begin(nil, nil, nil) // who reads is told
	}
	return x.id
}

// Ahead implements store.Foreseeing.
func (x *tx) Ahead(keys ...string) { x.ahead = append(x.ahead, keys...) }

// Get implements store.Tx.
func (x *tx) Get(keys ...string) ([][]byte, error) {
	var lacks []string
	for _, key := range keys {
		if !x.has(key) {
			lacks = append(lacks, key)
		}
	}
	var has map[string][]byte
	if err := x.end(); err != nil {
		return nil, err
	}
	if err := x.ctx.Err(); err != nil {
		return nil, context.Cause(x.ctx)
	}
	if len(lacks) > 0 {
		var err error
		if has, err = x.stored(lacks); err != nil {
			return nil, err
		}
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if value, written := x.Values[key]; written {
			values[i] = value
		} else if value, known := x.known[key]; known {
			values[i] = value
		} else {
			values[i] = has[key]
		}
	}
	return values, nil
}

// has reports whether the value under key needn't be read.
func (x *tx) has(key string) bool {
	_, written := x.Values[key]
	_, known := x.known[key]
	return written || known
}

// stored reads what is under keys, and what is ahead.
func (x *tx) stored(keys []string) (map[string][]byte, error) {
	var ahead []string
	for _, key := range x.ahead {
		if !x.has(key) {
			ahead = append(ahead, key)
		}
	}
	x.ahead = nil
	var heads, ids [][]byte
	for _, keys := range [][]string{keys, ahead} {
		for _, key := range keys {
			head, tail := cut(key)
			heads, ids = append(heads, head), append(ids, tailID(tail))
		}
	}
	has := make(map[string][]byte, len(heads))
	if !x.begun {
		err := x.begin(heads, ids, func(head, tail, value []byte) { has[string(head)+string(tail)] = value })
		if err != nil {
			return nil, err
		}
	} else {
		found, err := x.query("get", `select v.head, v.tail, v.value from unnest($2::bytea[], $3::bytea[]) as k (head, tailid)
			join value v on v.pod = $1 and v.head = k.head and v.tailid = k.tailid`, []byte(x.id), heads, ids)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			has[p.Key] = p.Value
		}
	}
	for _, key := range ahead {
		if x.known == nil {
			x.known = map[string][]byte{}
		}
		x.known[key] = has[key]
	}
	return has, nil
}

// Scan implements store.Tx.
func (x *tx) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	_ = x.Pod() // it has begun
	if err := x.end(); err != nil || limit <= 0 {
		return nil, cmp.Or(err, x.ctx.Err())
	}
	first := prefix
	if after != "" && after >= prefix {
		first = after + "\x00"
	}
	written := x.Written(prefix, first)
	stored, err := x.between(prefix, first, limit+len(written)) // as many may be deleted
	if err != nil {
		return nil, err
	}
	return x.merge(stored, written, limit), nil
}

// between reads the pairs whose keys begin with prefix, from first on.
func (x *tx) between(prefix, first string, limit int) ([]store.Pair, error) {
	head, tail := cut(first)
	// Of the last bounds at most one is more than a bound of heads: keys that
	// differ only in their tails.
	prefixHead, prefixTail := cut(prefix)
	return x.query("scan", `select head, tail, value from value
		where pod = $1 and head >= $2 and (head > $2 or tail >= $3)
			and ($4::bytea is null or head < $4) and ($5::bytea is null or tail >= $5) and ($6::bytea is null or tail < $6)
		order by head, tail limit $7`,
		[]byte(x.id), head, tail, next(prefixHead), orNull(prefixTail), orNull(next(prefixTail)), limit)
}

// orNull is nil for nothing.
func orNull(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// merge returns the first pairs of stored and written, which goes before.
func (x *tx) merge(stored []store.Pair, written []string, limit int) []store.Pair {
	var found []store.Pair
	for len(found) < limit && (len(stored) > 0 || len(written) > 0) {
		if len(written) == 0 || len(stored) > 0 && stored[0].Key < written[0] {
			found = append(found, stored[0])
			stored = stored[1:]
			continue
		}
		if len(stored) > 0 && stored[0].Key == written[0] {
			stored = stored[1:]
		}
		if value := x.Values[written[0]]; value != nil {
			found = append(found, store.Pair{Key: written[0], Value: value})
		}
		written = written[1:]
	}
	return found
}
