// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"skrin/pod/blob"
)

// testAll, in the environment, makes a server that isn't installed an error.
const testAll = "SKRIN_TEST_ALL"

// missing ends a test that needs what isn't installed.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(testAll) != "" {
		t.Fatalf("%s is not installed: run \"make deps\"", what)
	}
	t.Skipf("%s is not installed: run \"make deps\"", what)
}

// A Server is a real server on this machine, which ends with the test.
type Server struct {
	t     testing.TB
	start func() *exec.Cmd
	alive func() error // nil when it answers
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has
}

// run starts a server for the first time.
func (s *Server) run() {
	s.t.Helper()
	s.Start()
	s.t.Cleanup(s.Kill)
}

// Start starts it again after Kill, and waits until it answers. It may take more
// than one try: what the killed one held is not free at once.
func (s *Server) Start() {
	s.t.Helper()
	began := time.Now()
	for s.launch(); s.alive() != nil; time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.ended:
			s.launch()
		default:
		}
		if time.Since(began) > time.Minute {
			s.t.Fatalf("%s doesn't answer: %v", filepath.Base(s.cmd.Path), s.alive())
		}
	}
}

func (s *Server) launch() {
	s.t.Helper()
	cmd, ended := s.start(), make(chan struct{})
	s.cmd, s.ended = cmd, ended
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // it was killed, or will be tried again
		close(ended)
	}()
}

// Kill ends it as a power cut would, with all its processes.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	<-s.ended
}

// Pause stops it where it stands, with all its processes, until Resume: a
// machine that hangs, or a line that is cut.
func (s *Server) Pause()  { s.signal(syscall.SIGSTOP) }
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// signal reaches the process, stopped so that it makes no more of them, and its
// children.
func (s *Server) signal(sig syscall.Signal) {
	pid := s.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, sig) // else it has ended by itself
		}
	}
	_ = syscall.Kill(pid, sig)
}

// A Postgres is an empty PostgreSQL.
type Postgres struct {
	*Server
	socket  string
	schemas atomic.Int32
	// Dir is where it keeps its files.
	Dir string
}

// NewPostgres starts a PostgreSQL that listens on a socket of its own, durable as
// it comes.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		missing(t, "PostgreSQL")
	}
	bin := found[len(found)-1]
	dir, err := os.MkdirTemp("", "skrin-pg-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	who := unprivileged(t, dir)
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "skrin", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
	initdb.SysProcAttr, initdb.Dir = who, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p := &Postgres{socket: dir, Dir: data}
	p.Server = &Server{
		t: t,
		start: func() *exec.Cmd {
			cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200",
				"-c", "dynamic_shared_memory_type=mmap") // in dir, so that nothing is left when it is killed
			cmd.SysProcAttr, cmd.Dir = who, dir
			return cmd
		},
		alive: func() error {
			return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", dir, "-U", "skrin", "-d", "postgres").Run()
		},
	}
	p.run()
	return p
}

// unprivileged gives dir to the user that a server is run as: this one, and for
// root, which PostgreSQL refuses, postgres.
func unprivileged(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := new(syscall.SysProcAttr)
	if os.Getuid() != 0 {
		return attr
	}
	u, err := user.Lookup("postgres")
	must(t, err)
	uid, err := strconv.Atoi(u.Uid)
	must(t, err)
	gid, err := strconv.Atoi(u.Gid)
	must(t, err)
	must(t, os.Chown(dir, uid, gid))
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr
}

// Schema returns the URL of an empty database of this server: a schema of its
// own.
func (p *Postgres) Schema() string {
	p.t.Helper()
	name := fmt.Sprint("test", p.schemas.Add(1))
	p.Exec(p.url("public"), "create schema "+name)
	return p.url(name)
}

// Last returns the URL that Schema returned last.
func (p *Postgres) Last() string { return p.url(fmt.Sprint("test", p.schemas.Load())) }

func (p *Postgres) url(schema string) string {
	return "postgres:///postgres?" + url.Values{"host": {p.socket}, "user": {"skrin"}, "options": {"-csearch_path=" + schema}}.Encode()
}

// Exec runs SQL in the schema of a URL that Schema returned.
func (p *Postgres) Exec(address, sql string) {
	p.t.Helper()
	if out, err := exec.Command("psql", "-q", "-v", "ON_ERROR_STOP=1", address, "-c", sql).CombinedOutput(); err != nil {
		p.t.Fatalf("psql: %v\n%s", err, out)
	}
}

// An S3 is an S3 server with one empty bucket.
type S3 struct {
	*Server
	options blob.Options
	used    atomic.Int32
	// Dir is where it keeps its files.
	Dir string
}

// NewS3 starts a versitygw on loopback, on a directory of its own.
func NewS3(t testing.TB) *S3 {
	t.Helper()
	program, err := exec.LookPath(filepath.Join(root(t), "bin", "versitygw-v1.8.0"))
	if err != nil {
		missing(t, "versitygw")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	s := &S3{Dir: t.TempDir(), options: blob.Options{
		Endpoint: "http://" + address, Bucket: "skrin", Region: "us-east-1", AccessKey: "test", SecretKey: "test-secret",
	}}
	client, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4("test", "test-secret", ""), Region: "us-east-1", MaxRetries: 1})
	must(t, err)
	s.Server = &Server{
		t: t,
		start: func() *exec.Cmd {
			return exec.Command(program, "--quiet", "--port", address, "--access", "test", "--secret", "test-secret", "posix", s.Dir)
		},
		alive: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := client.ListBuckets(ctx)
			return err
		},
	}
	s.run()
	must(t, client.MakeBucket(t.Context(), "skrin", minio.MakeBucketOptions{}))
	return s
}

// Options returns how to open an empty part of the bucket.
func (s *S3) Options(t testing.TB) blob.Options {
	o := s.options
	o.Prefix, o.Spool = fmt.Sprint("part", s.used.Add(1), "/"), t.TempDir()
	return o
}

// root returns the folder of this module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for {
		if files, _ := filepath.Glob(filepath.Join(dir, "go.*")); slices.Contains(files, filepath.Join(dir, "go.mod")) {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
