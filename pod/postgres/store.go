// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"skrin/pod/store"
)

// maxTries is how often a transaction is run that the database ends.
const maxTries = 10

const (
	beginView   = "begin isolation level repeatable read read only"
	beginUpdate = "begin isolation level read committed"
	lock        = "select p.id from name n join pod p on p.id = n.pod where n.name = $1 for update of p"
	holder      = "select pod from name where name = $1"
	// look is holder, and values of that pod.
	look = `select pod, null::bytea, null::bytea, null::bytea from name where name = $1
		union all select v.pod, v.head, v.tail, v.value from unnest($2::bytea[], $3::bytea[]) as k (head, tailid)
		join value v on v.pod = (select pod from name where name = $1) and v.head = k.head and v.tailid = k.tailid`
)

// errMoved is that a name has got another pod between two looks at it.
var errMoved = errors.New("the name has moved")

// View implements store.Store.
func (s *Store) View(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return s.run(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		x := &tx{Changes: store.Changes{View: true}, ctx: ctx, s: s, conn: conn, name: name}
		return x.call(fn)
	})
}

// errStale is that the connection was broken before the transaction had begun,
// as all are that a restart of the database has left behind.
var errStale = errors.New("the connection was broken")

// begin sends the batch that begins a transaction.
func (s *Store) begin(ctx context.Context, conn *pgxpool.Conn, b *pgx.Batch) error {
	err := conn.SendBatch(ctx, b).Close()
	if err != nil && conn.Conn().IsClosed() && ctx.Err() == nil {
		s.db.Reset()
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return err
}

// one takes the one column of at most one row; without a row it leaves to nil.
func one(to *[]byte) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		*to = nil
		for rows.Next() {
			if err := rows.Scan(to); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	leave, err := s.queue.join(ctx, name)
	if err != nil {
		return fmt.Errorf("pod/postgres: update: %w", err)
	}
	defer leave()
	return s.run(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		return s.update(&tx{ctx: ctx, s: s, conn: conn, name: name}, fn)
	})
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, id string, fn func(store.Tx) error) error {
	if id == "" || len(id) > store.MaxID {
		return fmt.Errorf("pod/postgres: a pod's id has 1 to %d bytes", store.MaxID)
	}
	name := store.Name("id/" + id)
	return s.run(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		b := new(pgx.Batch)
		b.Queue(beginUpdate)
		b.Queue("insert into pod (id) values ($1) on conflict (id) do nothing", []byte(id))
		b.Queue("select id from pod where id = $1 for update", []byte(id))
		var taken []byte
		b.Queue(holder, []byte(name)).Query(one(&taken))
		if err := s.begin(ctx, conn, b); err != nil {
			return s.failed("create", err)
		}
		if taken != nil {
			return store.ErrTaken
		}
		x := &tx{ctx: ctx, s: s, conn: conn, name: name, begun: true, id: id}
		x.Claim(name)
		return s.update(x, fn)
	})
}

// run runs a transaction on a connection, again if the database ends it for the
// sake of another one, or if it has not begun. What was not committed is rolled back.
func (s *Store) run(ctx context.Context, transact func(context.Context, *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	for try := 1; ; try++ {
		err := s.once(ctx, transact)
		if !again(err) && !errors.Is(err, errMoved) && !errors.Is(err, errStale) {
			return err
		}
		if try == maxTries {
			return s.failed(fmt.Sprintf("after %d tries", try), err)
		}
		select {
		case <-ctx.Done():
			return s.late(ctx, err)
		case <-time.After(rand.N(time.Duration(try) * 5 * time.Millisecond)):
		}
	}
}

func (s *Store) once(ctx context.Context, transact func(context.Context, *pgxpool.Conn) error) error {
	conn, err := s.db.Acquire(ctx)
	if err != nil {
		return s.late(ctx, s.failed("connect", err))
	}
	defer conn.Release() // closes what is still in a transaction
	defer func() {
		if conn.Conn().PgConn().TxStatus() != 'I' && ctx.Err() == nil {
			_, _ = conn.Exec(ctx, "rollback") // if that fails, Release does it
		}
	}()
	return transact(ctx, conn)
}

// update runs fn on a pod that is locked, and commits.
func (s *Store) update(x *tx, fn func(store.Tx) error) error {
	if err := x.call(fn); err != nil {
		return err
	}
	if x.Err != nil {
		return fmt.Errorf("pod/postgres: %w", x.Err)
	}
	if err := x.ctx.Err(); err != nil {
		return context.Cause(x.ctx)
	}
	b := new(pgx.Batch)
	x.queueValues(b)
	x.queueNames(b)
	x.queueDue(b)
	x.queueStirred(b)
	if b.Len() == 0 {
		return nil
	}
	b.Queue("commit")
	if err := x.conn.SendBatch(x.ctx, b).Close(); err != nil {
		return s.late(x.ctx, s.failed("commit", err))
	}
	if x.Stirs {
		s.stirred(x.id)
	}
	return nil
}

func (x *tx) queueValues(b *pgx.Batch) {
	var heads, ids, tails, values, oldHeads, oldIDs [][]byte
	for key, value := range x.Values {
		head, tail := cut(key)
		if value == nil {
			oldHeads, oldIDs = append(oldHeads, head), append(oldIDs, tailID(tail))
			continue
		}
		heads, ids, tails, values = append(heads, head), append(ids, tailID(tail)), append(tails, tail), append(values, value)
	}
	if len(oldHeads) > 0 {
		b.Queue("delete from value where pod = $1 and (head, tailid) in (select * from unnest($2::bytea[], $3::bytea[]))",
			[]byte(x.id), oldHeads, oldIDs)
	}
	if len(heads) > 0 {
		b.Queue(`insert into value (pod, head, tailid, tail, value)
			select $1, * from unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[])
			on conflict (pod, head, tailid) do update set value = excluded.value`, []byte(x.id), heads, ids, tails, values)
	}
}

// queueNames goes through the names in the one order that all keep to. A name
// that another pod has is a unique violation, which ends the transaction.
func (x *tx) queueNames(b *pgx.Batch) {
	for _, name := range slices.Sorted(maps.Keys(x.Names)) {
		if x.Names[name] {
			b.Queue(`insert into name (name, pod) select $1, $2
				where not exists (select 1 from name where name = $1 and pod = $2)`, []byte(name), []byte(x.id))
		} else {
			b.Queue("delete from name where name = $1 and pod = $2", []byte(name), []byte(x.id))
		}
	}
}

func (x *tx) queueDue(b *pgx.Batch) {
	if x.At != nil {
		b.Queue("update pod set due = $2 where id = $1 and due is distinct from $2", []byte(x.id), endOf(*x.At))
	}
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return s.query(ctx, "due", "select id from pod where due <= $1 order by due, id limit $2", timeBytes(before), max(limit, 0))
}

// Pods implements store.Pods.
func (s *Store) Pods(ctx context.Context, after string, limit int) ([]string, error) {
	return s.query(ctx, "pods", "select substring(name from 4) from name where name > $1 and name < $2 order by name limit $3",
		[]byte("id/"+after), next([]byte("id/")), max(limit, 0))
}
