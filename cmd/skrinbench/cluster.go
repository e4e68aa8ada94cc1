// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/minio/minio-go/v7"

	"skrin/fixtures/servers"
)

// clusterCommand measures what servers of ours do that keep everything in PostgreSQL
// and an S3 store: one node, and several that the generator takes in turn, request by
// request, as a proxy does that knows nothing of them. All run on this machine: more
// nodes get no more processors.
type clusterCommand struct {
	options

	Nodes []int `default:"1,2" help:"How many nodes; the first is what the others are held against."`
	Conns int   `default:"64" help:"Connections."`
}

// clustered are the workloads that a cluster is measured with.
var clustered = []string{
	"get-turtle", "get-jsonld", "get-dpop", "get-view", "put-new", "put-over", "patch-n3", "patch-n3-one", "list-1000", "token",
	"upload", "download", "mixed", "pod-create", "consent",
}

// Names of what is behind the nodes.
const (
	postgresName = "PostgreSQL"
	s3Name       = "S3"
)

// A cluster is what nodes share, and the nodes.
type cluster struct {
	db    *servers.Postgres
	s3    *servers.S3
	nodes []*site
	watch *watcher
	bare  *pgxpool.Pool
	close []func() error
}

// Run obeys kong.
func (c *clusterCommand) Run(ctx context.Context) error {
	if len(c.Workloads) == 0 {
		c.Workloads = clustered
	}
	chosen, err := choose(c.Workloads, amount{c.Large << 20, 0})
	if err != nil {
		return err
	}
	r, err := c.measured(func(r *report) error { return c.measure(ctx, chosen, r) })
	r.printCluster(os.Stdout)
	return errors.Join(err, writeReport(r, c.JSON, c.Table, r.clusterTables))
}

// measure starts everything, and runs the workloads.
func (c *clusterCommand) measure(ctx context.Context, chosen []*workload, r *report) (err error) {
	k, err := c.start(ctx)
	defer func() {
		for _, end := range slices.Backward(k.close) {
			err = errors.Join(err, end())
		}
	}()
	if err != nil {
		return err
	}
	var formations []*site
	for _, n := range c.Nodes {
		formations = append(formations, k.formation(n))
		r.Sites = append(r.Sites, about{Name: nodesName(n), Memory: memory(formations[len(formations)-1].pids())})
	}
	for i, w := range chosen {
		fmt.Fprintf(os.Stderr, "%s  %d of %d: %s\n", time.Now().UTC().Format(time.TimeOnly), i+1, len(chosen), w.name)
		conns := c.Conns
		if w.conns > 0 {
			conns = min(conns, w.conns)
		}
		m := &match{w: w, conns: conns, rounds: c.Rounds, lasting: c.Lasting, scratch: c.Scratch, limit: c.Limit, profile: c.Profile, rival: k.rival,
			beside: []helper{{postgresName, k.db.PID()}, {s3Name, k.s3.PID()}}, watch: k.watch}
		rows, not, err := m.run(ctx, formations)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Troubles = append(r.Troubles, not...)
		if err != nil {
			r.Troubles = append(r.Troubles, fmt.Sprintf("%s: %v", w.name, err))
			continue
		}
		r.add(w, rows)
	}
	return nil
}

// start starts the database, the bucket and the nodes. What it has started when it
// fails is in the cluster that it returns.
func (c *clusterCommand) start(ctx context.Context) (*cluster, error) {
	k := new(cluster)
	module, err := servers.Module()
	if err != nil {
		return k, err
	}
	if k.db, err = servers.NewPostgres(); err != nil {
		return k, err
	}
	k.close = append(k.close, k.db.Close)
	bucket, err := os.MkdirTemp(c.Scratch, "s3-")
	if err != nil {
		return k, err
	}
	if k.s3, err = servers.NewS3(module, bucket); err != nil {
		return k, err
	}
	k.close = append(k.close, func() error { k.s3.Kill(); return nil })
	address, err := k.db.Schema()
	if err == nil {
		err = k.look(ctx, address, c.Conns)
	}
	if err != nil {
		return k, err
	}
	o := &opener{Skrin: c.Skrin, Scratch: c.Scratch, Users: c.Users,
		Env: []string{"SKRIN_S3_ACCESS_KEY=" + servers.AccessKey, "SKRIN_S3_SECRET_KEY=" + servers.SecretKey}}
	if err := o.build(ctx); err != nil {
		return k, err
	}
	args := []string{"--people", fmt.Sprint(c.Users), "--postgres", address, "--s3", k.s3.Endpoint + "/" + servers.Bucket}
	if c.Profile != "" {
		args = append(args, "--profile")
	}
	first := ""
	for i := range slices.Max(c.Nodes) {
		dir, err := os.MkdirTemp(c.Scratch, "node-")
		if err != nil {
			return k, err
		}
		if i > 0 {
			args = append(args[:len(args):len(args)], "--beside", first)
		} else {
			first = dir
		}
		n, err := o.stage(ctx, dir, args...)
		if err != nil {
			return k, fmt.Errorf("node %d: %w", i+1, err)
		}
		k.close = append(k.close, func() error { n.close(); return nil })
		k.nodes = append(k.nodes, n)
	}
	return k, k.nodes[0].signIn(ctx)
}

// look connects to the database, for those who look at it and who measure it bare.
func (k *cluster) look(ctx context.Context, address string, conns int) (err error) {
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	k.watch = &watcher{db}
	k.close = append(k.close, func() error { return db.Close(context.WithoutCancel(ctx)) })
	o, err := pgxpool.ParseConfig(address)
	if err != nil {
		return err
	}
	o.MaxConns = int32(conns)
	if k.bare, err = pgxpool.NewWithConfig(ctx, o); err != nil {
		return err
	}
	k.close = append(k.close, func() error { k.bare.Close(); return nil })
	_, err = k.bare.Exec(ctx, "create table bare (id bigint primary key, value bytea)")
	return err
}

func nodesName(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprint(n, " nodes")
}

// formation is the first n nodes as one site.
func (k *cluster) formation(n int) *site {
	first := k.nodes[0]
	s := newSite(nodesName(n), first.base)
	s.users, s.stage, s.endpoint = first.users, first.stage, first.endpoint
	s.next, s.came, s.made = first.next, first.came, first.made // they write to the same pods
	s.nodes, s.resting = k.nodes[:n], k.nodes[n:]
	s.via.DialContext = s.dial
	return s
}

// dial reaches one of the nodes after the other, whatever name of theirs is asked for.
func (s *site) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	u, err := url.Parse(s.nodes[int(s.dialed.Add(1))%len(s.nodes)].stage.Listen)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, u.Host)
}

// rival is what a workload is held against: what it can't do without of the database
// or of the bucket. Others are held against the bare handler.
func (k *cluster) rival(w *workload) (*site, error) {
	s := newSite("the S3 client alone", "")
	var row atomic.Int64
	switch {
	case w.large > 0 && strings.HasPrefix(w.name, "upload"):
		s.do = func(int) error { return k.upload(w.large) }
	case w.large > 0:
		s.do = func(int) error { return k.download(w.large) }
		return s, k.upload(w.large)
	case w.durable && w.act == nil:
		s.name = "PostgreSQL's bare insert of 1 kB, each with its commit"
		first := time.Now().UnixNano() // none is inserted twice
		s.do = func(int) error {
			_, err := k.bare.Exec(context.Background(), "insert into bare values ($1, $2)", first+row.Add(1), kilobyte)
			return err
		}
	default:
		return nil, nil
	}
	return s, nil
}

const limitObject = "limit.bin"

func (k *cluster) upload(size int64) error {
	_, err := k.s3.Client.PutObject(context.Background(), servers.Bucket, limitObject, io.LimitReader(zeroReader{}, size), size, minio.PutObjectOptions{})
	return err
}

func (k *cluster) download(size int64) error {
	o, err := k.s3.Client.GetObject(context.Background(), servers.Bucket, limitObject, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer o.Close()
	n, err := io.Copy(io.Discard, o)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes", n, size)
	}
	return err
}
