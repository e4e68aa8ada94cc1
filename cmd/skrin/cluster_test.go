// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// clusterOf returns where a cluster keeps everything.
func clusterOf(t *testing.T, db *podtest.Postgres, s3 *podtest.S3) keep {
	t.Helper()
	o := s3.Options(t)
	return keep{
		Postgres: db.Schema(), PostgresKeys: db.Schema(),
		S3: o.Endpoint + "/" + o.Bucket + "/" + o.Prefix, S3Region: o.Region, S3Access: o.AccessKey, S3Secret: o.SecretKey,
	}
}

// beside starts a second node of r's cluster, and returns the address at which it
// listens; its URLs are r's.
func (r *running) beside(t *testing.T, k keep) string {
	t.Helper()
	key, err := demoKey(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	c := config{Base: r.Base, Dir: t.TempDir(), Key: key, Demo: true, Token: 5 * time.Minute, keep: k}
	s, err := newServer(t.Context(), c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1})))
	if err != nil {
		t.Fatal(err)
	}
	second := &town{server: s, origins: r.origins, homes: r.homes}
	if err := second.register(map[string]jose.JSONWebKeySet{"arbetsformedlingen": r.authority.Keys(), "exempel-forsakring": r.insurer.Keys()}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil {
			t.Errorf("the second node closed with %v", err)
		}
	})
	return l.Addr().String()
}

// through makes c reach the server at another address than its URLs say, as a
// proxy does that chooses another node.
func through(c *client.Client, address string) *client.Client {
	c.HTTP = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	return c
}

// TestCluster: the whole journey on PostgreSQL and S3, with two nodes. What is
// granted on one is read on the other; what is withdrawn on one is refused on the
// other at once; a node that has lost the database refuses; nothing of the
// evidence is in the clear in the database or the bucket.
func TestCluster(t *testing.T) {
	db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
	k := clusterOf(t, db, s3)
	r := startKept(t, t.TempDir(), k)
	second := r.beside(t, k)
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	claim := b.at.String()
	evidence, _ := r.granted("Alva Lindqvist")
	insurer := r.party("exempel-forsakring")
	elsewhere := through(r.party("exempel-forsakring"), second)
	for where, c := range map[string]*client.Client{"the first": insurer, "the second": elsewhere} {
		if answer := raw(t, c, evidence, "application/ld+json"); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("%s node answers %.300s", where, answer)
		}
	}
	b.open(r.Base + "/me/sharing")
	b.press("Ta tillbaka")
	if answer := raw(t, elsewhere, evidence, "application/ld+json"); strings.HasPrefix(answer, "HTTP/1.1 2") {
		t.Errorf("withdrawn on the first node, the second answers %.300s", answer)
	}
	b.waitFor(claim, "Vi raderade")
	sound(t, config{Base: r.Base, Dir: t.TempDir(), Key: r.Key, Demo: true, Token: time.Minute, keep: k}, 1)

	db.Kill()
	for where, c := range map[string]*client.Client{"the first": insurer, "the second": elsewhere} {
		if answer := raw(t, c, evidence, "application/ld+json"); !strings.HasPrefix(answer, "HTTP/1.1 503") {
			t.Errorf("without the database %s node answers %.300s", where, answer)
		}
	}
	everywhere := map[string][]byte{}
	files(t, s3.Dir, everywhere)
	files(t, db.Dir, everywhere)
	keys := 0
	for place, content := range everywhere {
		keys += strings.Count(string(content), "/profile/card") // a key, which is not hidden
		for _, secret := range []string{"registered_at_least_30_days", "Lindqvist"} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%q is in the clear in %s", secret, place)
			}
		}
	}
	if keys == 0 {
		t.Error("the search finds nothing at all")
	}
	db.Start()
	if answer := raw(t, elsewhere, evidence, "application/ld+json"); strings.HasPrefix(answer, "HTTP/1.1 5") {
		t.Errorf("the database is back, and the second node answers %.300s", answer)
	}
}

// TestWithdrawalOnTwoNodes: while 32 readers read without a pause, half of them
// from each node of a cluster, the person withdraws on one of the nodes. No read
// that began after her withdrawal was answered succeeds, on either.
func TestWithdrawalOnTwoNodes(t *testing.T) {
	db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
	k := clusterOf(t, db, s3)
	r := startKept(t, t.TempDir(), k)
	second := r.beside(t, k)
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	evidence, _ := r.granted("Alva Lindqvist")
	var withdrawn atomic.Bool
	var good, refused [2]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 32 {
		c := r.party("exempel-forsakring")
		if i%2 == 1 {
			c = through(c, second)
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				began := withdrawn.Load()
				switch status := statusOf(c.Get(t.Context(), evidence, credential.MediaType)); {
				case status == 200 && began:
					t.Errorf("node %d: a read that began after the withdrawal succeeds", i%2)
				case status == 200:
					good[i%2].Add(1)
				case status == 403 && began:
					refused[i%2].Add(1)
				case status == 503: // 32 queue for one pod, on a machine that may be busy: it asks to be tried again
				case status != 403:
					t.Errorf("node %d: a read is answered %d", i%2, status)
				}
			}
		})
	}
	enough := func(n *[2]atomic.Int64) {
		for end := time.Now().Add(30 * time.Second); (n[0].Load() < 32 || n[1].Load() < 32) && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	enough(&good)
	for b.status = 503; b.status == 503; { // she queues with the readers
		b.open(r.Base + "/me/sharing")
		if b.status == 200 {
			b.press("Ta tillbaka")
		}
	}
	withdrawn.Store(true)
	enough(&refused)
	stop()
	wg.Wait()
	for node := range 2 {
		t.Logf("node %d: %d reads before the withdrawal, %d refused after it", node, good[node].Load(), refused[node].Load())
		if good[node].Load() == 0 || refused[node].Load() == 0 {
			t.Errorf("node %d was not read before and after", node)
		}
	}
}
