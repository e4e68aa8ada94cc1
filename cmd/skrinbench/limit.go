// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
)

// bareCommand is what a workload is held against: a handler that does nothing but
// what can't be left out. It returns the same bytes, verifies as many signatures,
// and stores what it is sent if it is large. It runs as a process of its own, as
// the servers do.
type bareCommand struct {
	Body  string `help:"File with the bytes to answer." type:"existingfile"`
	Type  string `help:"Their media type." default:"text/plain"`
	Signs int    `help:"How many P-256 signatures to verify for each request."`
	Keep  string `help:"File to write bodies to, and to answer from." type:"path"`
}

// Run obeys kong. It prints its origin, and serves until it is interrupted.
func (c *bareCommand) Run(ctx context.Context) error {
	h, err := c.handler()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // as the server does
	fmt.Printf("http://%s\n", l.Addr())
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		srv.Close()
	}()
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (c *bareCommand) handler() (http.Handler, error) {
	var body []byte
	if c.Body != "" {
		var err error
		if body, err = os.ReadFile(c.Body); err != nil {
			return nil, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("what a token says"))
	sign, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range c.Signs {
			if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sign) {
				panic("the signature is good")
			}
		}
		switch {
		case c.Keep != "" && r.Method == http.MethodPut:
			if err := keep(c.Keep, r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
			return
		case c.Keep != "":
			http.ServeFile(w, r, c.Keep)
			return
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", c.Type)
		w.Write(body)
	}), nil
}

// keep writes a file as it must be written to last.
func keep(name string, from io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, from); err != nil {
		return err
	}
	return f.Sync()
}

// bare starts the handler for a workload, with the answer that the site gave.
func bare(ctx context.Context, w *workload, body []byte, media, scratch string) (*site, error) {
	args := []string{"bare", "--signs", fmt.Sprint(w.signs)}
	if w.large > 0 {
		file := filepath.Join(scratch, "bare.bin")
		if err := keep(file, io.LimitReader(zeroReader{}, w.large)); err != nil {
			return nil, err
		}
		args = append(args, "--keep", file)
	} else {
		file := filepath.Join(scratch, "bare.body")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			return nil, err
		}
		args = append(args, "--body", file, "--type", media)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s, err := started("a bare handler", cmd)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the bare handler doesn't start: %w", err)
	}
	s.base = strings.TrimSpace(line)
	return s, nil
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A diskLimit is what the disk can do, in durable records of 1 kB a second.
type diskLimit struct {
	Each  float64 `json:"fsync_each"`  // one fsync a record, one writer
	Group float64 `json:"fsync_group"` // 64 writers who share fsyncs
}

// measureDisk appends to a file in a folder for a while.
func measureDisk(folder string, lasting time.Duration) (diskLimit, error) {
	f, err := os.CreateTemp(folder, "fsync-")
	if err != nil {
		return diskLimit{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	record := make([]byte, 1024)
	began, n := time.Now(), 0
	for ; time.Since(began) < lasting; n++ {
		if _, err := f.Write(record); err != nil {
			return diskLimit{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return diskLimit{}, err
		}
	}
	each := float64(n) / time.Since(began).Seconds()
	group, err := groupCommit(f, record, lasting)
	return diskLimit{each, group}, err
}

// groupCommit has 64 writers write records, each of which waits for the fsync that
// comes after its own.
func groupCommit(f *os.File, record []byte, lasting time.Duration) (float64, error) {
	type turn struct{ done chan error }
	queue := make(chan turn, 64)
	end := time.Now().Add(lasting)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for range 64 {
		wg.Go(func() {
			for time.Now().Before(end) {
				t := turn{make(chan error, 1)}
				queue <- t
				if <-t.done != nil {
					return
				}
				mu.Lock()
				count++
				mu.Unlock()
			}
		})
	}
	failed := make(chan error, 1)
	go func() {
		var first error
		for t := range queue {
			batch := []turn{t}
			for len(queue) > 0 {
				batch = append(batch, <-queue)
			}
			var all []byte
			for range batch {
				all = append(all, record...)
			}
			_, err := f.Write(all)
			if err == nil {
				err = syscall.Fdatasync(int(f.Fd()))
			}
			if first == nil {
				first = err
			}
			for _, t := range batch {
				t.done <- err
			}
		}
		failed <- first
	}()
	began := time.Now()
	wg.Wait()
	took := time.Since(began)
	close(queue)
	return float64(count) / took.Seconds(), <-failed
}
