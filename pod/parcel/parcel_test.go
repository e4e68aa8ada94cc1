// SPDX-License-Identifier: EUPL-1.2

package parcel_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"skrin/pod/parcel"
)

const head = `{"format":1,"id":"x","base":"https://a.example","root":"/p/"}`

// file makes an archive of raw headers; each body is as long as it says.
func file(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range append([]tar.Header{{Name: "head.json", Typeflag: tar.TypeReg, Size: int64(len(head))}}, headers...) {
		h.Mode = 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("0", int(h.Size))
		if h.Name == "head.json" {
			body = head
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readAll reads an archive to its end.
func readAll(b []byte, limits parcel.Limits) (n int, err error) {
	a, err := parcel.NewReader(bytes.NewReader(b), limits)
	if err != nil {
		return 0, err
	}
	for {
		if _, err := a.Next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

func reg(name string, size int64) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: size}
}

// TestHostile: what an archive can't be.
func TestHostile(t *testing.T) {
	seal := reg("seal.jwt", 3)
	limits := parcel.Limits{Members: 4, Bytes: 64 << 10, Member: 1000}
	for _, row := range []struct {
		name string
		file []byte
		ok   bool
	}{
		{"an archive", file(t, reg("pod/a", 1000), seal), true},
		{"a folder", file(t, tar.Header{Name: "pod/", Typeflag: tar.TypeDir}, seal), true},
		{"no seal", file(t, reg("pod/a", 3)), false},
		{"something after the seal", file(t, seal, reg("pod/a", 3)), false},
		{"a way up", file(t, reg("../a", 3), seal), false},
		{"a way up in the midst", file(t, reg("pod/../../a", 3), seal), false},
		{"an absolute name", file(t, reg("/etc/passwd", 3), seal), false},
		{"a name that is not clean", file(t, reg("pod//a", 3), seal), false},
		{"a backslash", file(t, reg(`pod\a`, 3), seal), false},
		{"bytes that are no UTF-8", file(t, tar.Header{Name: "pod/\xff", Typeflag: tar.TypeReg, Format: tar.FormatGNU}, seal), false},
		{"a link", file(t, tar.Header{Name: "pod/a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, seal), false},
		{"a hard link", file(t, tar.Header{Name: "pod/a", Typeflag: tar.TypeLink, Linkname: "head.json"}, seal), false},
		{"a device", file(t, tar.Header{Name: "pod/a", Typeflag: tar.TypeChar}, seal), false},
		{"a long member", file(t, reg("pod/a", 1001), seal), false},
		{"many members", file(t, reg("pod/a", 1), reg("pod/b", 1), reg("pod/c", 1), reg("pod/d", 1), seal), false},
		{"nothing", nil, false},
		{"no gzip", []byte("plain"), false},
		{"cut off", file(t, reg("pod/a", 1000), seal)[:120], false},
		{"a bomb", bomb(t), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := readAll(row.file, limits)
			if row.ok != (err == nil) || err != nil && !errors.Is(err, parcel.ErrFormat) {
				t.Errorf("answered %v", err)
			}
		})
	}
}

// bomb is a small file of 1 GiB of zeros.
func bomb(t testing.TB) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range []tar.Header{{Name: "head.json", Size: int64(len(head)), Typeflag: tar.TypeReg}, {Name: "README.md", Size: 1 << 20, Typeflag: tar.TypeReg}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("\x00", int(h.Size))
		if h.Name == "head.json" {
			body = head
		}
		_, _ = io.WriteString(w, body)
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestStreams: a large archive is written and read in little memory.
func TestStreams(t *testing.T) {
	const members, size = 2000, 64 << 10 // 128 MiB
	from, to := io.Pipe()
	go func() {
		w, err := parcel.NewWriter(to, parcel.Head{Root: "/p/"})
		for i := range members {
			if err == nil {
				err = w.Add(parcel.Member{Name: fmt.Sprintf("pod/%d", i), Size: size}, io.LimitReader(zeros{}, size))
			}
		}
		if err == nil {
			err = w.Close(time.Unix(1, 0), func(payload []byte) (string, error) { return string(payload), nil })
		}
		_ = to.CloseWithError(err)
	}()
	a, err := parcel.NewReader(from, parcel.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	n := 0
	for ; ; n++ {
		_, err := a.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n%200 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if n != members {
		t.Errorf("%d members came, not %d", n, members)
	}
	if most > 32<<20 {
		t.Errorf("it took %d MiB", most>>20)
	}
	if _, err := a.Check(func(jws string) ([]byte, error) { return []byte(jws), nil }); err != nil {
		t.Error(err)
	}
}

// TestLong: a long file comes out as it went in, wherever it was cut, and the archive
// goes on after it.
func TestLong(t *testing.T) {
	for _, row := range []struct {
		is      string
		writes  int // of a mebibyte each
		members int
	}{{"nothing", 0, 1}, {"less than a member", 3, 1}, {"one member", 4, 2}, {"several", 9, 3}} {
		var out, want bytes.Buffer
		a, err := parcel.NewWriter(&out, parcel.Head{ID: "x", Base: "https://a.example", Root: "/p/"})
		if err != nil {
			t.Fatal(err)
		}
		l := a.Long("log", ".jsonl")
		for i := range row.writes {
			part := bytes.Repeat([]byte{byte('a' + i)}, 1<<20)
			want.Write(part)
			if n, err := l.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		err = errors.Join(l.Close(), a.AddBytes(parcel.Member{Name: "after"}, []byte("x")), a.AddBytes(parcel.Member{Name: "log/apart"}, []byte("y")),
			a.Close(time.Unix(0, 0), func([]byte) (string, error) { return "jws", nil }))
		if err != nil {
			t.Fatal(err)
		}
		r, err := parcel.NewReader(bytes.NewReader(out.Bytes()), parcel.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := readAll(out.Bytes(), parcel.Limits{}); err != nil || n != row.members+2 {
			t.Errorf("%s: %d members, %v", row.is, n, err)
		}
		var names []string
		long := r.Long("log")
		for m, err := r.Next(); !errors.Is(err, io.EOF); m, err = long.Next() {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, m.Name)
			if !long.Begins(m) {
				continue
			}
			if got, err := io.ReadAll(long); err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%s: %d bytes came out of %d: %v", row.is, len(got), want.Len(), err)
			}
		}
		if got := strings.Join(names, " "); got != "log/000001.jsonl after log/apart" {
			t.Errorf("%s: the archive has %s", row.is, got)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// FuzzReader: any bytes are read to an end, and never more than is allowed.
func FuzzReader(f *testing.F) {
	plain := func(b []byte) []byte {
		zip, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			f.Fatal(err)
		}
		all, err := io.ReadAll(zip)
		if err != nil {
			f.Fatal(err)
		}
		return all
	}
	f.Add(plain(file(f, reg("pod/a", 3), tar.Header{Name: "pod/b/", Typeflag: tar.TypeDir}, reg("seal.jwt", 1))))
	f.Add(plain(file(f, tar.Header{Name: "pod/a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SKRIN.type": "text/turtle"}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer // compressed here, so that the fuzzer sees what is inside
		zip := gzip.NewWriter(&out)
		_, _ = zip.Write(b)
		_ = zip.Close()
		if n, err := readAll(out.Bytes(), parcel.Limits{Members: 10, Bytes: 1 << 20, Member: 1 << 10}); n > 10 || err != nil && !errors.Is(err, parcel.ErrFormat) {
			t.Errorf("%d members, %v", n, err)
		}
	})
}
