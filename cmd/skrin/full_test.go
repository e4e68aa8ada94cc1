// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
)

// ordinary, as the value of asSkrin, makes the test binary the program, without root's
// right to write where nobody may.
const ordinary = "ordinary"

// becomeOrdinary starts the process anew without that right.
func becomeOrdinary() error {
	const drop, override = 24, 1 // PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
	if os.Getuid() == 0 {
		runtime.LockOSThread() // the right is a thread's, and exec keeps this one's
		if _, _, failed := syscall.RawSyscall(syscall.SYS_PRCTL, drop, override, 0); failed != 0 {
			return failed
		}
	}
	if err := os.Setenv(asSkrin, "1"); err != nil {
		return err
	}
	return syscall.Exec(os.Args[0], os.Args, os.Environ())
}

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

// TestNotWritable: when the disk is full, or the directory has become read-only, a
// write is answered 503 with the time to try again, and other pods are read; when
// there is room again, writes do, without a restart. What was acknowledged is there,
// and fsck finds nothing.
func TestNotWritable(t *testing.T) {
	for _, row := range []struct {
		is         string
		dir        func(t *testing.T) string
		fail, mend func(t *testing.T, dir string)
	}{
		{"the disk is full", func(t *testing.T) string { return smallDisk(t, "200m") }, fill,
			func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "filler"))) }},
		{"the directory is read-only", (*testing.T).TempDir,
			func(t *testing.T, dir string) { permit(t, dir, 0o500) }, func(t *testing.T, dir string) { permit(t, dir, 0o700) }},
	} {
		t.Run(row.is, func(t *testing.T) {
			dir := row.dir(t)
			th := &theatre{t: t, dir: filepath.Join(dir, "served"), as: ordinary}
			told, _ := th.start("--people", "2", "--port", fmt.Sprint(freePorts(t)))
			defer func() {
				must(t, th.cmd.Process.Signal(os.Interrupt))
				must(t, th.cmd.Wait())
				key, err := demoKey(th.dir)
				must(t, err)
				sound(t, config{Base: th.base, Dir: th.dir, Key: key, Demo: true, Token: time.Minute}, 2)
			}()
			u := &unwritten{t, th.client(told.People[0].ID, told.People[0].Secret, jose.JSONWebKey{}), told.People[0].Pod}
			u.stops(func() { row.fail(t, dir) }, told.People[1].WebID)
			row.mend(t, dir)
			u.goesOn()
		})
	}
}

// fill leaves a disk no room.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	for block := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close() // it is full
}

// permit changes what its owner may do in all folders of a directory.
func permit(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	}))
}

// An unwritten is somebody's pod on a server that can't write for a while.
type unwritten struct {
	t   *testing.T
	app *client.Client
	pod string
}

func (u *unwritten) put(path string, body []byte) *http.Response {
	u.t.Helper()
	req, err := http.NewRequest("PUT", u.pod+path, bytes.NewReader(body))
	must(u.t, err)
	req.Header.Set("Content-Type", "text/plain")
	resp, err := u.app.Do(req)
	must(u.t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(u.t, errors.Join(err, resp.Body.Close()))
	return resp
}

var large, small = bytes.Repeat([]byte("large "), 1<<20), []byte("small")

// stops has the server fail to write. The one of whom other is the WebID is read.
func (u *unwritten) stops(fail func(), other string) {
	t := u.t
	t.Helper()
	for path, body := range map[string][]byte{"large": large, "small": small} {
		if resp := u.put(path, body); resp.StatusCode != 201 {
			t.Fatalf("before, %s is answered %s", path, resp.Status)
		}
	}
	fail()
	for path, body := range map[string][]byte{"large-2": large, "large": large[1:]} {
		if resp := u.put(path, body); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s is answered %s, Retry-After %q", path, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	refused := false
	for end := time.Now().Add(time.Minute); !refused && time.Now().Before(end); { // until the log has no room left either
		resp := u.put("small", bytes.Repeat(small, 10_000))
		if refused = resp.StatusCode == 503; refused && resp.Header.Get("Retry-After") == "" || !refused && resp.StatusCode != 204 {
			t.Fatalf("a small one is answered %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	if !refused {
		t.Error("small ones are still taken")
	}
	// Of her pod nobody knows what the disk has of the last write; the others are read.
	resp, err := http.Get(other)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != 200 {
		t.Errorf("a read of another pod is answered %s", resp.Status)
	}
}

// goesOn waits until it writes again.
func (u *unwritten) goesOn() {
	t := u.t
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp := u.put("large-2", large)
		if resp.StatusCode == 201 || resp.StatusCode == 204 {
			break
		}
		if resp.StatusCode != 503 || time.Now().After(end) {
			t.Fatalf("after it, it is answered %s", resp.Status)
		}
	}
	if resp := u.put("small", small); resp.StatusCode != 204 {
		t.Errorf("after it, a small one is answered %s", resp.Status)
	}
}
