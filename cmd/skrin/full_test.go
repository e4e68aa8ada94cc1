// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skrin/auth/dpop"
	"skrin/auth/login"
	"skrin/ldp/client"
)

// smallDisk returns a file system of so many bytes, which is gone with the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("it takes the right to mount a file system: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// TestDiskFull: when the disk is full, a write is answered 503 with the time to try
// again, and other pods are read; when there is room again, writes do, without a restart. What
// was acknowledged is there, and fsck finds nothing.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t, "200m")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := config{
		Base: "http://localhost:" + l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:], Dir: filepath.Join(disk, "served"), Key: make([]byte, keySize), Demo: true, Token: time.Hour,
		Cast: []login.Persona{{Name: "Person 0", Scheme: stageScheme, Number: "000000000"}, {Name: "Person 1", Scheme: stageScheme, Number: "000000001"}},
	}
	s, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	told, err := (&stageCommand{People: 2}).furnish(t.Context(), s)
	must(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		stop()
		must(t, <-ended)
		must(t, s.Close())
		sound(t, c, 2)
	}()

	proofs, err := dpop.NewKey()
	must(t, err)
	app := &client.Client{HTTP: &http.Client{Timeout: 30 * time.Second}, Issuer: c.Base, ID: told.People[0].ID, Secret: told.People[0].Secret, DPoP: proofs, Now: time.Now}
	ask := func(method, path string, body []byte) *http.Response {
		req, err := http.NewRequest(method, told.People[0].Pod+path, bytes.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", "text/plain")
		resp, err := app.Do(req)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		return resp
	}
	large, small := bytes.Repeat([]byte("large "), 1<<20), []byte("small")
	for path, body := range map[string][]byte{"large": large, "small": small} {
		if resp := ask("PUT", path, body); resp.StatusCode != 201 {
			t.Fatalf("with room, %s is answered %s", path, resp.Status)
		}
	}
	filler, err := os.Create(filepath.Join(disk, "filler"))
	must(t, err)
	for err == nil {
		_, err = filler.Write(large)
	}
	_ = filler.Close() // it is full
	for path, body := range map[string][]byte{"large-2": large, "large": large[1:]} {
		if resp := ask("PUT", path, body); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("without room, %s is answered %s, Retry-After %q", path, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	refused := false
	for end := time.Now().Add(20 * time.Second); !refused && time.Now().Before(end); { // until the log has no room left either
		resp := ask("PUT", "small", bytes.Repeat(small, 10_000))
		if refused = resp.StatusCode == 503; refused && resp.Header.Get("Retry-After") == "" || !refused && resp.StatusCode != 204 {
			t.Fatalf("without room, a small one is answered %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	if !refused {
		t.Error("the store never had too little room")
	}
	// Of her pod nobody knows what the disk has of the last write; the others are read.
	resp, err := http.Get(told.People[1].WebID)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != 200 {
		t.Errorf("without room, a read of another pod is answered %s", resp.Status)
	}
	must(t, os.Remove(filler.Name()))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp := ask("PUT", "large-2", large)
		if resp.StatusCode == 201 || resp.StatusCode == 204 {
			break
		}
		if resp.StatusCode != 503 || time.Now().After(end) {
			t.Fatalf("with room again, it is answered %s", resp.Status)
		}
	}
	if resp := ask("PUT", "small", small); resp.StatusCode != 204 {
		t.Errorf("with room again, a small one is answered %s", resp.Status)
	}
}
