// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"skrin/pod/podtest"
	"skrin/pod/store"
)

// asNode, in the environment, makes the test binary a node of a cluster that
// writes: its value is the config, as JSON.
const asNode = "SKRIN_TEST_AS_NODE"

const nodeWriters = 4

// writeAsNode writes for ever, and says what was acknowledged.
func writeAsNode(text string) {
	var c config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic(err)
	}
	ctx := context.Background()
	s, err := openChest(ctx, c, slog.New(slog.DiscardHandler))
	for err != nil { // the database may be away
		time.Sleep(20 * time.Millisecond)
		s, err = openChest(ctx, c, slog.New(slog.DiscardHandler))
	}
	first, _ := strconv.Atoi(c.Base)
	for w := first; w < first+nodeWriters; w++ {
		go func() {
			for {
				if n, err := stepOfNode(ctx, s, w); err == nil {
					fmt.Println("acked", w, n)
				} else {
					fmt.Fprintln(os.Stderr, "node:", err)
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
	}
	select {}
}

func nodePod(w int) store.Name        { return store.Name(fmt.Sprint("id/p", w)) }
func nodeName(w, n int) store.Name    { return store.Name(fmt.Sprint("pod/", w, "-", n)) }
func nodeContent(w, n int) []byte     { return bytes.Repeat(fmt.Appendf(nil, "%d-%d;", w, n), 1000+n%3000) }
func nodeBlob(w, n int) *bytes.Reader { return bytes.NewReader(nodeContent(w, n)) }

var errBehind = errors.New("another step has come between")

// stepOfNode makes the next step of a writer: a blob, and in one commit what
// refers to it, a number, a name and a time.
func stepOfNode(ctx context.Context, s *chest, w int) (int, error) {
	n, _, err := nodeState(ctx, s, w)
	if errors.Is(err, store.ErrNoPod) {
		err = s.store.Create(ctx, fmt.Sprint("p", w), func(tx store.Tx) error { tx.Put("n", []byte("0")); return nil })
	}
	if err != nil {
		return 0, err
	}
	n++
	digest, _, err := s.blobs.Put(ctx, fmt.Sprint("p", w), nodeBlob(w, n), 1<<20)
	if err != nil {
		return 0, err
	}
	return n, s.store.Update(ctx, nodePod(w), func(tx store.Tx) error {
		values, err := tx.Get("n")
		if err != nil {
			return err
		}
		if string(values[0]) != strconv.Itoa(n-1) {
			return errBehind
		}
		tx.Put("n", []byte(strconv.Itoa(n)))
		tx.Put("digest", []byte(digest))
		tx.Release(nodeName(w, n-1))
		tx.Claim(nodeName(w, n))
		tx.Due(time.Unix(int64(n), 0))
		return nil
	})
}

func nodeState(ctx context.Context, s *chest, w int) (n int, digest string, err error) {
	err = s.store.View(ctx, nodePod(w), func(tx store.Tx) error {
		values, err := tx.Get("n", "digest")
		if err != nil {
			return err
		}
		digest = string(values[1])
		n, err = strconv.Atoi(string(values[0]))
		return err
	})
	return n, digest, err
}

// An outNode is a node in a process of its own.
type outNode struct {
	t    *testing.T
	conf string
	cmd  *exec.Cmd
	read sync.WaitGroup

	mu    sync.Mutex
	acked map[int]int // the last step of each writer
	lost  []string
	count int
}

func (n *outNode) start() {
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), asNode+"="+n.conf)
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	n.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var w, step int
			if _, err := fmt.Sscanf(lines.Text(), "acked %d %d", &w, &step); err == nil {
				n.mu.Lock()
				if step <= n.acked[w] { // it was acknowledged, and then made once more
					n.lost = append(n.lost, lines.Text())
				}
				n.acked[w] = step
				n.count++
				n.mu.Unlock()
			}
		}
	})
}

func (n *outNode) kill() {
	_ = n.cmd.Process.Kill()
	n.read.Wait()
	_ = n.cmd.Wait()
}

func (n *outNode) signal(s syscall.Signal) { _ = n.cmd.Process.Signal(s) }

func (n *outNode) acknowledged() (count int, last map[int]int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	last = map[int]int{}
	for w, step := range n.acked {
		last[w] = step
	}
	return n.count, last
}

// TestOutages: two nodes write to one database and one bucket. Again and again
// one of the four is killed, or stopped where it stands. Nothing that was
// acknowledged is lost, nothing is half there, and all go on by themselves.
func TestOutages(t *testing.T) {
	db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
	k := clusterOf(t, db, s3)
	conf := func(base string) config {
		return config{Base: base, Dir: t.TempDir(), Key: make([]byte, keySize), keep: k}
	}
	var nodes []*outNode
	for i := range 2 {
		text, err := json.Marshal(conf(strconv.Itoa(i * nodeWriters)))
		if err != nil {
			t.Fatal(err)
		}
		n := &outNode{t: t, conf: string(text), acked: map[int]int{}}
		n.start()
		defer n.kill()
		nodes = append(nodes, n)
	}
	looker, err := openChest(t.Context(), conf("looker"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer looker.Close()
	pause := func() { time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) }
	outages := []struct {
		name       string
		fail, mend func()
	}{
		{"a node is killed", nodes[0].kill, nodes[0].start},
		{"a node hangs", func() { nodes[1].signal(syscall.SIGSTOP) }, func() { nodes[1].signal(syscall.SIGCONT) }},
		{"the database is killed", db.Kill, db.Start},
		{"the database hangs", db.Pause, db.Resume},
		{"the S3 server is killed", s3.Kill, s3.Start},
		{"the S3 server hangs", s3.Pause, s3.Resume},
	}
	rounds := len(outages)
	if n, err := strconv.Atoi(os.Getenv("SKRIN_TEST_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	longest := time.Duration(0)
	for round := range rounds {
		o := outages[round%len(outages)]
		goOn(t, nodes)
		pause()
		o.fail()
		pause()
		o.mend()
		began := time.Now()
		goOn(t, nodes)
		longest = max(longest, time.Since(began))
		checkNodes(t, looker, nodes, o.name)
	}
	one, _ := nodes[0].acknowledged()
	two, _ := nodes[1].acknowledged()
	t.Logf("%d rounds, %d steps acknowledged; longest until all went on %v", rounds, one+two, longest.Round(time.Millisecond))
}

// goOn waits until each node has acknowledged something more.
func goOn(t *testing.T, nodes []*outNode) {
	t.Helper()
	for _, n := range nodes {
		before, _ := n.acknowledged()
		for end := time.Now().Add(40 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if now, _ := n.acknowledged(); now > before {
				break
			}
			if time.Now().After(end) {
				t.Fatal("a node doesn't go on")
			}
		}
	}
}

// checkNodes looks at each writer's pod while all go on.
func checkNodes(t *testing.T, s *chest, nodes []*outNode, after string) {
	t.Helper()
	for _, node := range nodes {
		node.mu.Lock()
		if len(node.lost) > 0 {
			t.Errorf("%s: acknowledged twice: %q", after, node.lost)
		}
		node.lost = nil
		node.mu.Unlock()
		_, last := node.acknowledged()
		for w, acked := range last {
			n, digest, err := nodeState(t.Context(), s, w)
			if err != nil || n < acked {
				t.Errorf("%s: writer %d: step %d was acknowledged, step %d is there, %v", after, w, acked, n, err)
				continue
			}
			if n == 0 {
				continue
			}
			r, err := s.blobs.Open(t.Context(), fmt.Sprint("p", w), digest)
			if err != nil {
				t.Errorf("%s: writer %d: the blob of step %d: %v", after, w, n, err)
				continue
			}
			if content, err := io.ReadAll(r); err != nil || !bytes.Equal(content, nodeContent(w, n)) {
				t.Errorf("%s: writer %d: the blob of step %d is another: %v", after, w, n, err)
			}
			_ = r.Close()
			holder := ""
			err = s.store.View(t.Context(), nodeName(w, acked-1), func(tx store.Tx) error { holder = tx.Pod(); return nil })
			if !errors.Is(err, store.ErrNoPod) {
				t.Errorf("%s: writer %d: after step %d the name of step %d finds %q, %v", after, w, acked, acked-1, holder, err)
			}
		}
	}
}
