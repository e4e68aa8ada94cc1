// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"skrin/pod/store"
)

// A tx is one pod as it is, in a transaction, and what shall change.
type tx struct {
	store.Changes
	ctx   context.Context
	s     *Store
	conn  *pgxpool.Conn
	id    string
	ended error // that the database ended the transaction, whatever fn makes of it
}

// call runs fn, and returns its error, unless the database has ended the
// transaction for the sake of another one.
func (x *tx) call(fn func(store.Tx) error) error {
	err := fn(x)
	if x.ended != nil {
		return x.ended
	}
	return err
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

// Pod implements store.Tx.
func (x *tx) Pod() string { return x.id }

// Get implements store.Tx.
func (x *tx) Get(keys ...string) ([][]byte, error) {
	has, err := x.stored(keys)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, written := x.Values[key]
		if !written {
			value = has[key]
		}
		values[i] = value
	}
	return values, nil
}

// stored reads those of keys that this transaction hasn't written.
func (x *tx) stored(keys []string) (map[string][]byte, error) {
	var heads, ids [][]byte
	for _, key := range keys {
		if _, written := x.Values[key]; !written {
			head, tail := cut(key)
			heads, ids = append(heads, head), append(ids, tailID(tail))
		}
	}
	if len(heads) == 0 {
		return nil, x.ctx.Err()
	}
	found, err := x.query("get", `select v.head, v.tail, v.value from unnest($2::bytea[], $3::bytea[]) as k (head, tailid)
		join value v on v.pod = $1 and v.head = k.head and v.tailid = k.tailid`, []byte(x.id), heads, ids)
	if err != nil {
		return nil, err
	}
	has := make(map[string][]byte, len(found))
	for _, p := range found {
		has[p.Key] = p.Value
	}
	return has, nil
}

// Scan implements store.Tx.
func (x *tx) Scan(prefix, after string, limit int) ([]store.Pair, error) {
	if limit <= 0 {
		return nil, x.ctx.Err()
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
