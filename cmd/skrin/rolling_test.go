// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skrin/pod/podtest"
)

// A balancer sends each request to a node that says that it is ready, and once
// more to the next where it could not be reached or sent away: what any proxy in
// front of a cluster does.
type balancer struct {
	nodes   [2]atomic.Pointer[string] // addresses; nil for one that isn't there
	next    atomic.Int64
	retried atomic.Int64
	client  http.Client
}

func (b *balancer) do(method, host, path string, body string) (status int, err error) {
	err = errors.New("no node is there")
	for range 20 {
		at := b.nodes[int(b.next.Add(1))%len(b.nodes)].Load()
		if at == nil {
			continue
		}
		req, bad := http.NewRequest(method, "http://"+*at+path, strings.NewReader(body))
		if bad != nil {
			return 0, bad
		}
		req.Host = host
		req.GetBody = nil
		resp, bad := b.client.Do(req)
		if bad == nil && resp.StatusCode != http.StatusServiceUnavailable {
			_, bad = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if bad == nil {
				return resp.StatusCode, nil
			}
		} else if bad == nil {
			resp.Body.Close()
			bad = fmt.Errorf("%s", resp.Status)
		}
		err = bad
		b.retried.Add(1)
	}
	return 0, err
}

// A node is one server of a cluster, which can be restarted.
type node struct {
	c     config
	stop  context.CancelFunc
	ended chan error
}

func (n *node) start(t *testing.T, at *atomic.Pointer[string]) {
	t.Helper()
	s, err := newServer(t.Context(), n.c, slog.New(slog.DiscardHandler))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.ended = stop, make(chan error, 1)
	go func() { n.ended <- errors.Join(s.Serve(ctx, l), s.Close()) }()
	address := l.Addr().String()
	at.Store(&address)
}

// TestRollingRestart: two nodes are restarted in turn, again and again, under
// load. A proxy that tries again sees no request fail.
func TestRollingRestart(t *testing.T) {
	db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
	k := clusterOf(t, db, s3)
	key := make([]byte, keySize)
	var b balancer
	b.client.Timeout = 30 * time.Second
	var nodes [2]*node
	for i := range nodes {
		nodes[i] = &node{c: config{Base: "http://localhost:1", Dir: t.TempDir(), Key: key, Demo: true, Token: time.Minute, keep: k, Drain: 50 * time.Millisecond}}
		nodes[i].start(t, &b.nodes[i])
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	var asked, failed atomic.Int64
	for range 8 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// A page, a document, and what asks the database.
				for path, want := range map[string]int{"/.well-known/openid-configuration": 200, "/ns/core": 200, "/nobody/card": 401} {
					asked.Add(1)
					if status, err := b.do("GET", "localhost:1", path, ""); err != nil || status != want {
						failed.Add(1)
						t.Errorf("%s: %d, %v", path, status, err)
					}
				}
			}
		})
	}
	const rounds = 2
	for range rounds {
		for i, n := range nodes {
			before := asked.Load()
			for asked.Load() < before+100 && failed.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			n.stop() // it goes on to answer for a while, and the proxy learns
			b.nodes[i].Store(nil)
			must(t, <-n.ended)
			n.start(t, &b.nodes[i])
		}
	}
	close(stop)
	load.Wait()
	for _, n := range nodes {
		n.stop()
		must(t, <-n.ended)
	}
	t.Logf("%d requests, %d failed, %d tried again", asked.Load(), failed.Load(), b.retried.Load())
}
