// SPDX-License-Identifier: EUPL-1.2

package postgres_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod/podtest"
	"skrin/pod/store"
)

// A deaf is a PostgreSQL without LISTEN and NOTIFY, like CockroachDB: between it and
// who asks, their names are spelt wrong.
type deaf struct {
	l       net.Listener
	to      string
	refused atomic.Int64
	trips   atomic.Int64 // round trips: how often it has said that it is ready for more
}

// newDeaf returns it, and the URL by which what is at address is reached through it.
func newDeaf(t testing.TB, address string) (*deaf, string) {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	dir, err := os.MkdirTemp("", "skrin-pg-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	const socket = ".s.PGSQL.5432"
	query := u.Query()
	d := &deaf{to: filepath.Join(query.Get("host"), socket)}
	d.l, err = net.Listen("unix", filepath.Join(dir, socket))
	must(t, err)
	t.Cleanup(func() { _ = d.l.Close() })
	go func() {
		for {
			conn, err := d.l.Accept()
			if err != nil {
				return
			}
			go d.pass(conn)
		}
	}()
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	return d, u.String()
}

// A ready counts what ends each answer of PostgreSQL's: ReadyForQuery.
type ready struct {
	trips *atomic.Int64
	last  []byte
}

func (r *ready) Write(b []byte) (int, error) {
	const said = "Z\x00\x00\x00\x05"
	all := append(r.last, b...)
	r.trips.Add(int64(bytes.Count(all, []byte(said))))
	r.last = bytes.Clone(all[max(0, len(all)-len(said)+1):]) // what may be the beginning of it
	return len(b), nil
}

func (d *deaf) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("unix", d.to)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(from, io.TeeReader(to, &ready{trips: &d.trips})) }()
	for b := make([]byte, 1<<16); ; {
		n, err := from.Read(b)
		for _, word := range []string{"listen skrin_pods", "pg_notify"} {
			if i := bytes.Index(b[:n], []byte(word)); i >= 0 {
				b[i+1] = 'x'
				d.refused.Add(1)
			}
		}
		if _, e := to.Write(b[:n]); e != nil || err != nil {
			return
		}
	}
}

// TestDeaf: on a database without LISTEN and NOTIFY the engine keeps its contract, and
// nodes hear of each other's commits.
func TestDeaf(t *testing.T) {
	server := podtest.NewPostgres(t)
	t.Run("the contract", func(t *testing.T) {
		podtest.TestStore(t, func(t testing.TB) (store.Store, func() store.Store) {
			_, address := newDeaf(t, server.Schema())
			s := openURL(t, address, time.Now)
			t.Cleanup(func() { must(t, s.Close()) })
			return s, func() store.Store {
				must(t, s.Close())
				s = openURL(t, address, time.Now)
				return s
			}
		})
	})
	t.Run("of others' commits", func(t *testing.T) {
		d, address := newDeaf(t, server.Schema())
		one, two := openURL(t, address, time.Now), openURL(t, address, time.Now)
		defer func() { must(t, errors.Join(one.Close(), two.Close())) }()
		podtest.FollowTest(t, two, one)
		if d.refused.Load() < 2 {
			t.Error("it was not asked to listen and to notify")
		}
	})
}

// TestPlainSQL: of what only PostgreSQL has, nothing but LISTEN and NOTIFY is used, of
// which TestDeaf shows that it can be done without.
func TestPlainSQL(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	own := regexp.MustCompile(`(?i)\b(pg_\w+|advisory|ctid|xmin|xmax|regclass|plpgsql|hstore|jsonb?|tsvector|lateral|trigger|create function|create type|unlogged|tablesample|do \$\$|copy \w+ from)\b`)
	statements := 0
	look := func(where, text string) {
		statements++
		for _, found := range own.FindAllString(text, -1) {
			if found != "pg_notify" {
				t.Errorf("%s: %q is PostgreSQL's own: %s", where, found, text)
			}
		}
	}
	sql := regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|begin|commit|rollback|show|listen|notify|create|alter|drop)\b`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		must(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && sql.MatchString(strings.Trim(l.Value, "`\"")) {
				look(file, l.Value)
			}
			return true
		})
	}
	migrations, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	for _, file := range migrations {
		text, err := os.ReadFile(file)
		must(t, err)
		look(file, string(text))
	}
	if statements < 20 {
		t.Errorf("only %d statements were found", statements)
	}
}
