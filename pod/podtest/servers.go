// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"skrin/fixtures/servers"
	"skrin/pod/blob"
)

// testAll, in the environment, makes a server that isn't installed an error.
const testAll = "SKRIN_TEST_ALL"

// here ends a test that needs what isn't installed, or what doesn't start.
func here(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrMissing) && os.Getenv(testAll) == "" {
		t.Skip(err)
	}
	must(t, err)
}

// A Server is a real server on this machine, which ends with the test.
type Server struct {
	*servers.Server
	t testing.TB
}

// Start starts it again after Kill, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	must(s.t, s.Server.Start())
}

// A Postgres is an empty PostgreSQL.
type Postgres struct {
	*Server
	db *servers.Postgres
	// Dir is where it keeps its files.
	Dir string
}

// NewPostgres starts a PostgreSQL that listens on a socket of its own, durable as
// it comes.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	db, err := servers.NewPostgres()
	here(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return &Postgres{Server: &Server{db.Server, t}, db: db, Dir: db.Dir}
}

// Schema returns the URL of an empty database of this server: a schema of its
// own.
func (p *Postgres) Schema() string {
	p.t.Helper()
	address, err := p.db.Schema()
	must(p.t, err)
	return address
}

// Last returns the URL that Schema returned last.
func (p *Postgres) Last() string { return p.db.Last() }

// Exec runs SQL in the schema of a URL that Schema returned.
func (p *Postgres) Exec(address, sql string) {
	p.t.Helper()
	must(p.t, p.db.Exec(address, sql))
}

// An S3 is an S3 server with one empty bucket.
type S3 struct {
	*Server
	endpoint string
	used     atomic.Int32
	// Dir is where it keeps its files.
	Dir string
}

// NewS3 starts a versitygw on loopback, on a directory of its own.
func NewS3(t testing.TB) *S3 {
	t.Helper()
	module, err := servers.Module()
	must(t, err)
	dir := t.TempDir()
	s, err := servers.NewS3(module, dir)
	here(t, err)
	t.Cleanup(s.Kill)
	return &S3{Server: &Server{s.Server, t}, endpoint: s.Endpoint, Dir: dir}
}

// Options returns how to open an empty part of the bucket.
func (s *S3) Options(t testing.TB) blob.Options {
	return blob.Options{
		Endpoint: s.endpoint, Bucket: servers.Bucket, Region: servers.Region, AccessKey: servers.AccessKey, SecretKey: servers.SecretKey,
		Prefix: fmt.Sprint("part", s.used.Add(1), "/"), Spool: t.TempDir(),
	}
}
