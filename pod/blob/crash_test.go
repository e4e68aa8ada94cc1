// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/pod/blob"
	"skrin/pod/podtest"
)

// TestCrash kills 8 writers of blobs. What was acknowledged is there, and
// whatever is there is whole.
func TestCrash(t *testing.T) {
	podtest.Crash(t, crashWrite, func(dir string, acked []string) { checkCrash(t, dir, acked) })
}

func crashWrite(dir string, acked func(string)) {
	d, err := blob.Open(dir)
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				body := make([]byte, mathrand.N(300<<10))
				_, _ = rand.Read(body)
				id := fmt.Sprint("p", i%20)
				digest, _, err := d.Put(context.Background(), id, bytes.NewReader(body), 1<<20)
				if err != nil {
					panic(err)
				}
				acked(id + "," + digest)
			}
		})
	}
	wg.Wait()
}

func checkCrash(t *testing.T, dir string, acked []string) {
	d := open(t, dir)
	defer func() { must(t, d.Close()) }()
	there := map[string]bool{}
	for i := range 20 {
		id := fmt.Sprint("p", i)
		must(t, d.List(t.Context(), id, func(digest string, _ time.Time) error {
			there[id+","+digest] = true
			checkWhole(t, d, id, digest)
			return nil
		}))
	}
	for _, line := range acked {
		if !there[line] {
			t.Errorf("%s was acknowledged, and isn't there", line)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("in tmp there is %v, %v", left, err)
	}
	for line := range there { // else each round has more to check
		id, digest, _ := strings.Cut(line, ",")
		must(t, d.Delete(t.Context(), id, digest))
	}
}

func checkWhole(t *testing.T, d *blob.Dir, id, digest string) {
	t.Helper()
	r, err := d.Open(t.Context(), id, digest)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil || hex.EncodeToString(sum.Sum(nil)) != digest {
		t.Errorf("%s of %s is not whole: %v", digest, id, err)
	}
}
