// SPDX-License-Identifier: EUPL-1.2

package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// Newest is the version of the tables that this package works with.
	Newest = 5
	// Oldest is the oldest that has all tables: before it is not all that there is.
	Oldest = 3
)

// Lost says what an older skrin lacks, or does otherwise, once the tables have been
// brought back to a version; "" for nothing. A newer one makes anew what it orders by.
func Lost(version int) string {
	if version < 4 {
		return " An older skrin serves a pod that has moved to another server, empty."
	}
	return ""
}

// Version returns which version the tables of a database have: 0 for none, or one that
// is greater than Newest.
func Version(ctx context.Context, o Options) (int, error) {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	db, err := connect(ctx, o)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	at, err := versionOf(ctx, db)
	if isCode(err, undefinedTable) {
		return 0, nil
	}
	return at, err
}

const undefinedTable = "42P01"

// Migrate brings the tables of a database to a version, up or down; 0 is none,
// and with it all data. To go down before an older skrin is started on it.
func Migrate(ctx context.Context, o Options, version int) error {
	if version < 0 || version > Newest {
		return fmt.Errorf("pod/postgres: there is no version %d: they go from 0 to %d", version, Newest)
	}
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	db, err := connect(ctx, o)
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, db, version)
}

// migrate goes up or down to a version, each step in a transaction. Whoever
// comes second at a step waits at the row of its number, finds it done, and
// looks again.
func migrate(ctx context.Context, db *pgxpool.Pool, version int) error {
	const table = "create table if not exists skrin_schema (version bigint primary key)"
	if _, err := db.Exec(ctx, table); err != nil && !isCode(err, existsAlready...) { // two at once
		return fmt.Errorf("pod/postgres: migrate: %w", err)
	}
	for {
		at, err := versionOf(ctx, db)
		switch {
		case err != nil:
			return err
		case at > Newest:
			return fmt.Errorf("pod/postgres: the database has version %d, written by a newer skrin; this one knows up to %d. Start the newer version", at, Newest)
		case at == version:
			return nil
		case at < version:
			err = step(ctx, db, at+1, "up", "insert into skrin_schema (version) values ($1)")
		default:
			err = step(ctx, db, at, "down", "delete from skrin_schema where version = $1")
		}
		if err != nil && !isCode(err, existsAlready...) && !errors.Is(err, errElse) {
			return fmt.Errorf("pod/postgres: migrate from version %d: %w", at, err)
		}
	}
}

var errElse = errors.New("somebody else has done it")

// existsAlready is what the second is told of two who make the same at once: a
// unique violation, a duplicate table or object.
var existsAlready = []string{uniqueViolation, "42P07", "42710"}

func isCode(err error, codes ...string) bool {
	p := new(pgconn.PgError)
	return errors.As(err, &p) && slices.Contains(codes, p.Code)
}

func versionOf(ctx context.Context, db *pgxpool.Pool) (at int, err error) {
	err = db.QueryRow(ctx, "select coalesce(max(version), 0) from skrin_schema").Scan(&at)
	if err != nil {
		return 0, fmt.Errorf("pod/postgres: which version the database has: %w", err)
	}
	return at, nil
}

// step runs one file, and marks it as done, in one transaction.
func step(ctx context.Context, db *pgxpool.Pool, version int, way, mark string) error {
	sql, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.%s.sql", version, way))
	if err != nil {
		return err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after Commit, nothing
	tag, err := tx.Exec(ctx, mark, version)
	if err == nil && tag.RowsAffected() == 0 {
		err = errElse
	}
	if err != nil {
		return err
	}
	if _, err := tx.Conn().PgConn().Exec(ctx, string(sql)).ReadAll(); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
